//! Notifications by `NSUserNotification`, for macOS before 10.14, which has no other API. Apple has deprecated
//! it since.
#![allow(deprecated, reason = "the systems that this is for have nothing else")]

use objc2::rc::{Retained, autoreleasepool};
use objc2::runtime::{AnyObject, ProtocolObject};
use objc2_foundation::{
    NSArray, NSDictionary, NSString, NSUserNotification, NSUserNotificationAction,
    NSUserNotificationActivationType, NSUserNotificationCenter, NSUserNotificationDefaultSoundName,
};

use super::{Button, Notification};
use delegate::Delegate;

/// The `userInfo` key of Baleen's notification id. The system's own identifier is not used for it: of two
/// notifications with the same identifier, even days apart, the later one may not appear on the screen
/// (<https://developer.apple.com/documentation/foundation/nsusernotification/identifier>).
const NOTE: &str = "note";
/// The `userInfo` key of the first button's key, for which the system has no identifier.
const FIRST: &str = "first";

/// The sender of notifications. This API does not report whether the user allows them.
pub(crate) struct Notifier {
    // The center does not retain its delegate.
    _delegate: Retained<Delegate>,
}

impl Notifier {
    /// Creates a notifier for a program in a bundle.
    pub(super) fn new(on_press: impl Fn(String, String) + Send + Sync + 'static) -> Self {
        let delegate = Delegate::new(on_press);
        #[allow(unsafe_code, reason = "the centre keeps no hold of its delegate")]
        // SAFETY: `Notifier` removes the delegate from the center before it drops it.
        unsafe {
            center().setDelegate(Some(ProtocolObject::from_ref(&*delegate)));
        }
        Self {
            _delegate: delegate,
        }
    }

    /// Shows a notification, and removes an older one with the same id.
    pub(super) fn show(&self, notification: &Notification) {
        autoreleasepool(|_| {
            let center = center();
            for older in center.deliveredNotifications() {
                if kept(&older, NOTE).as_ref() == Some(&notification.id) {
                    center.removeDeliveredNotification(&older);
                }
            }
            let shown = NSUserNotification::new();
            keep(&shown, notification);
            shown.setTitle(Some(&NSString::from_str(&notification.title)));
            shown.setInformativeText(Some(&NSString::from_str(&notification.body)));
            #[allow(unsafe_code, reason = "a constant of the system")]
            // SAFETY: Foundation sets the constant before any code runs, and nothing changes it.
            shown.setSoundName(Some(unsafe { NSUserNotificationDefaultSoundName }));
            put_buttons(&shown, &notification.buttons);
            // <https://developer.apple.com/documentation/foundation/nsusernotificationcenter/deliver(_:)>
            center.deliverNotification(&shown);
        });
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        #[allow(unsafe_code, reason = "the centre keeps no hold of its delegate")]
        // SAFETY: the center has no delegate afterwards.
        autoreleasepool(|_| unsafe { center().setDelegate(None) });
    }
}

/// <https://developer.apple.com/documentation/foundation/nsusernotificationcenter/default>
fn center() -> Retained<NSUserNotificationCenter> {
    NSUserNotificationCenter::defaultUserNotificationCenter()
}

/// Adds the buttons. The first one is the notification's action button; the others appear when it is held
/// (<https://developer.apple.com/documentation/foundation/nsusernotification/additionalactions>). Buttons
/// show on alerts, not on banners; `NSUserNotificationAlertStyle` in Info.plist asks for alerts.
fn put_buttons(shown: &NSUserNotification, buttons: &[Button]) {
    let Some((first, others)) = buttons.split_first() else {
        return shown.setHasActionButton(false);
    };
    shown.setActionButtonTitle(&NSString::from_str(&first.label));
    let others: Vec<_> = others
        .iter()
        .map(|button| {
            NSUserNotificationAction::actionWithIdentifier_title(
                Some(&NSString::from_str(&button.key)),
                Some(&NSString::from_str(&button.label)),
            )
        })
        .collect();
    shown.setAdditionalActions(Some(&NSArray::from_retained_slice(&others)));
}

/// Stores the values that a press needs in `userInfo`
/// (<https://developer.apple.com/documentation/foundation/nsusernotification/userinfo>).
fn keep(shown: &NSUserNotification, notification: &Notification) {
    let first = notification
        .buttons
        .first()
        .map_or("", |button| &button.key);
    let names = [NOTE, FIRST].map(NSString::from_str);
    let values = [&*notification.id, first].map(NSString::from_str);
    let names = names.each_ref().map(|name| &**name);
    let values: [&AnyObject; 2] = values.each_ref().map(|value| &****value);
    #[allow(unsafe_code, reason = "a dictionary of anything could be handed over")]
    // SAFETY: the dictionary has only strings.
    unsafe {
        shown.setUserInfo(Some(&NSDictionary::from_slices(&names, &values)));
    }
}

/// Returns a value that [`keep`] stored.
fn kept(notification: &NSUserNotification, name: &str) -> Option<String> {
    let value = notification
        .userInfo()?
        .objectForKey(&NSString::from_str(name))?;
    Some(value.downcast::<NSString>().ok()?.to_string())
}

/// Returns the notification's id and the key of the pressed button.
fn pressed(notification: &NSUserNotification) -> Option<(String, String)> {
    let first = kept(notification, FIRST);
    let other = notification.additionalActivationAction();
    let other = other.and_then(|action| Some(action.identifier()?.to_string()));
    let key = key_of(notification.activationType(), first, other)?;
    Some((kept(notification, NOTE)?, key))
}

/// <https://developer.apple.com/documentation/foundation/nsusernotification/activationtype-swift.enum>
fn key_of(
    activation: NSUserNotificationActivationType,
    first: Option<String>,
    other: Option<String>,
) -> Option<String> {
    match activation {
        NSUserNotificationActivationType::ContentsClicked => Some("default".to_owned()),
        NSUserNotificationActivationType::ActionButtonClicked => first,
        NSUserNotificationActivationType::AdditionalActionClicked => other,
        _ => None,
    }
}

#[allow(
    unsafe_code,
    reason = "a class for the system to call can't be declared without"
)]
mod delegate {
    use objc2::rc::Retained;
    use objc2::runtime::{NSObject, NSObjectProtocol};
    use objc2::{AnyThread, DefinedClass, define_class, msg_send};
    use objc2_foundation::{
        NSUserNotification, NSUserNotificationCenter, NSUserNotificationCenterDelegate,
    };

    type OnPress = Box<dyn Fn(String, String) + Send + Sync>;

    define_class!(
        // SAFETY: NSObject has no requirements for subclasses, and this one has no `Drop`.
        #[unsafe(super(NSObject))]
        #[name = "BaleenUserNotificationDelegate"]
        #[ivars = OnPress]
        pub(super) struct Delegate;

        // SAFETY: the protocol has no required methods.
        unsafe impl NSObjectProtocol for Delegate {}

        // SAFETY: the methods have the signatures of Apple's header.
        // <https://developer.apple.com/documentation/foundation/nsusernotificationcenterdelegate>
        unsafe impl NSUserNotificationCenterDelegate for Delegate {
            /// Without this method, nothing is shown while the app is active.
            #[unsafe(method(userNotificationCenter:shouldPresentNotification:))]
            fn should_present(
                &self,
                _center: &NSUserNotificationCenter,
                _notification: &NSUserNotification,
            ) -> bool {
                true
            }

            #[unsafe(method(userNotificationCenter:didActivateNotification:))]
            fn did_activate(
                &self,
                _center: &NSUserNotificationCenter,
                notification: &NSUserNotification,
            ) {
                if let Some((notification, key)) = super::pressed(notification) {
                    (self.ivars())(notification, key);
                }
            }
        }
    );

    impl Delegate {
        pub(super) fn new(
            on_press: impl Fn(String, String) + Send + Sync + 'static,
        ) -> Retained<Self> {
            let this = Self::alloc().set_ivars(Box::new(on_press) as OnPress);
            // SAFETY: NSObject's `init`, which takes nothing and returns the object.
            unsafe { msg_send![super(this), init] }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept() {
        let button = |key: &str| Button {
            key: key.to_owned(),
            label: "label".to_owned(),
        };
        let mut notification = Notification {
            id: "change".to_owned(),
            title: String::new(),
            body: String::new(),
            buttons: vec![button("one"), button("two")],
            details: None,
        };
        let shown = NSUserNotification::new();
        keep(&shown, &notification);
        assert_eq!(kept(&shown, NOTE).as_deref(), Some("change"));
        assert_eq!(kept(&shown, FIRST).as_deref(), Some("one"));
        notification.buttons.clear();
        keep(&shown, &notification);
        assert_eq!(kept(&shown, FIRST).as_deref(), Some(""));
    }

    #[test]
    fn what_was_pressed() {
        let key = |activation| key_of(activation, Some("first".into()), Some("other".into()));
        for (activation, expected) in [
            (NSUserNotificationActivationType::None, None),
            (
                NSUserNotificationActivationType::ContentsClicked,
                Some("default"),
            ),
            (
                NSUserNotificationActivationType::ActionButtonClicked,
                Some("first"),
            ),
            (NSUserNotificationActivationType::Replied, None),
            (
                NSUserNotificationActivationType::AdditionalActionClicked,
                Some("other"),
            ),
        ] {
            assert_eq!(key(activation).as_deref(), expected, "{activation:?}");
        }
    }
}
