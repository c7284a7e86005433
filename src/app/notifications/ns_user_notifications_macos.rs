//! Notes by `NSUserNotification`, for macOS before 10.14, which has nothing else. Apple has it marked as outdated
//! since.
#![allow(deprecated, reason = "the systems that this is for have nothing else")]

use objc2::rc::{Retained, autoreleasepool};
use objc2::runtime::{AnyObject, ProtocolObject};
use objc2_foundation::{
    NSArray, NSDictionary, NSString, NSUserNotification, NSUserNotificationAction,
    NSUserNotificationActivationType, NSUserNotificationCenter, NSUserNotificationDefaultSoundName,
};

use super::{Button, Notification};
use delegate::Delegate;

/// Where a notification keeps the id of its note. Its own identifier it is not: of two notifications with
/// one identifier, even days apart, the later one may not come up on the screen
/// (<https://developer.apple.com/documentation/foundation/nsusernotification/identifier>).
const NOTE: &str = "note";
/// Where it keeps the key of its first button, which the system has no identifier for.
const FIRST: &str = "first";

/// What shows notes. Whether the user wants to see them is not told here.
pub struct Notifier {
    // The center has no hold of it.
    _delegate: Retained<Delegate>,
}

impl Notifier {
    /// For a program in a bundle.
    pub(super) fn new(on_press: impl Fn(String, String) + Send + Sync + 'static) -> Self {
        let delegate = Delegate::new(on_press);
        #[allow(unsafe_code, reason = "the centre keeps no hold of its delegate")]
        // SAFETY: `Notifier` takes it away again before it lets go of it.
        unsafe {
            center().setDelegate(Some(ProtocolObject::from_ref(&*delegate)));
        }
        Self {
            _delegate: delegate,
        }
    }

    /// Shows a note, and takes away the one of the same id.
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
            // SAFETY: Foundation sets it before any code runs, and nothing changes it.
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
        // SAFETY: there is none from here on.
        autoreleasepool(|_| unsafe { center().setDelegate(None) });
    }
}

/// <https://developer.apple.com/documentation/foundation/nsusernotificationcenter/default>
fn center() -> Retained<NSUserNotificationCenter> {
    NSUserNotificationCenter::defaultUserNotificationCenter()
}

/// The first button is the notification's own; the others come up when it is held
/// (<https://developer.apple.com/documentation/foundation/nsusernotification/additionalactions>). They
/// show where notifications are alerts and no banners, as `NSUserNotificationAlertStyle` in Info.plist asks.
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

/// Writes down what has to be known again when it is pressed
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
    // SAFETY: it is one of strings.
    unsafe {
        shown.setUserInfo(Some(&NSDictionary::from_slices(&names, &values)));
    }
}

/// What was written down.
fn kept(notification: &NSUserNotification, name: &str) -> Option<String> {
    let value = notification
        .userInfo()?
        .objectForKey(&NSString::from_str(name))?;
    Some(value.downcast::<NSString>().ok()?.to_string())
}

/// The id of a note, and the key of what was pressed on it.
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
        // SAFETY: NSObject asks nothing of a class below it, and this one has no `Drop`.
        #[unsafe(super(NSObject))]
        #[name = "BaleenUserNotificationDelegate"]
        #[ivars = OnPress]
        pub(super) struct Delegate;

        // SAFETY: it has no methods that would have to be there.
        unsafe impl NSObjectProtocol for Delegate {}

        // SAFETY: the methods take and give what Apple's header says.
        // <https://developer.apple.com/documentation/foundation/nsusernotificationcenterdelegate>
        unsafe impl NSUserNotificationCenterDelegate for Delegate {
            /// Without it, nothing is shown while the app is the active one.
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
