//! Notifications by the User Notifications framework, which macOS has since 10.14.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use block2::RcBlock;
use objc2::rc::{Retained, autoreleasepool};
use objc2::runtime::{Bool, ProtocolObject};
use objc2_foundation::{NSArray, NSError, NSSet, NSString};
use objc2_user_notifications::{
    UNAuthorizationOptions, UNMutableNotificationContent, UNNotificationAction,
    UNNotificationActionOptions, UNNotificationCategory, UNNotificationCategoryOptions,
    UNNotificationRequest, UNNotificationSound, UNUserNotificationCenter,
};

use super::{Button, Notification};
use delegate::Delegate;

type OnRefused = Arc<dyn Fn(String, String) + Send + Sync>;

/// The sender of notifications.
pub(crate) struct Notifier {
    // The center does not retain its delegate.
    _delegate: Retained<Delegate>,
    on_refused: OnRefused,
    /// The sets of buttons used so far, by the identifier of their category.
    categories: Mutex<BTreeMap<String, Vec<Button>>>,
}

impl Notifier {
    /// Creates a notifier for a program in a bundle.
    pub(super) fn new(
        on_press: impl Fn(String, String) + Send + Sync + 'static,
        on_refused: impl Fn(String, String) + Send + Sync + 'static,
    ) -> Self {
        let delegate = Delegate::new(on_press);
        center().setDelegate(Some(ProtocolObject::from_ref(&*delegate)));
        Self {
            _delegate: delegate,
            on_refused: Arc::new(on_refused),
            categories: Mutex::default(),
        }
    }

    /// Shows a notification. The first one waits while the system asks the user for permission.
    pub(super) fn show(&self, notification: &Notification) {
        autoreleasepool(|_| {
            // The category comes before the question, so that the center knows the buttons once it is answered.
            let category = self.category(&notification.buttons);
            let (notification, refused) = (notification.clone(), Arc::clone(&self.on_refused));
            let asked = RcBlock::new(move |granted: Bool, error: *mut NSError| {
                if granted.as_bool() {
                    deliver(&notification, &category, &refused);
                } else {
                    let off = "notifications are off for Baleen in System Settings";
                    let why = reason(error).unwrap_or_else(|| off.to_owned());
                    refused(notification.id.clone(), why);
                }
            });
            // Asks the user once, and reports the same answer every time after:
            // <https://developer.apple.com/documentation/usernotifications/unusernotificationcenter/requestauthorization(options:completionhandler:)>
            center().requestAuthorizationWithOptions_completionHandler(
                UNAuthorizationOptions::Alert | UNAuthorizationOptions::Sound,
                &asked,
            );
        });
    }

    /// Returns the category with these buttons, and registers it with the center.
    fn category(&self, buttons: &[Button]) -> String {
        if buttons.is_empty() {
            return String::new();
        }
        let id = format!("{buttons:?}");
        let mut categories = self
            .categories
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !categories.contains_key(&id) {
            categories.insert(id.clone(), buttons.to_vec());
            // All categories each time, since they replace the previous ones:
            // <https://developer.apple.com/documentation/usernotifications/unusernotificationcenter/setnotificationcategories(_:)>
            let all: Vec<_> = categories
                .iter()
                .map(|(id, b)| with_buttons(id, b))
                .collect();
            center().setNotificationCategories(&NSSet::from_retained_slice(&all));
        }
        id
    }
}

/// <https://developer.apple.com/documentation/usernotifications/unusernotificationcenter/current()>
fn center() -> Retained<UNUserNotificationCenter> {
    UNUserNotificationCenter::currentNotificationCenter()
}

/// <https://developer.apple.com/documentation/usernotifications/unnotificationcategory>
fn with_buttons(id: &str, buttons: &[Button]) -> Retained<UNNotificationCategory> {
    let actions: Vec<_> = buttons
        .iter()
        .map(|button| {
            UNNotificationAction::actionWithIdentifier_title_options(
                &NSString::from_str(&button.key),
                &NSString::from_str(&button.label),
                UNNotificationActionOptions::empty(),
            )
        })
        .collect();
    UNNotificationCategory::categoryWithIdentifier_actions_intentIdentifiers_options(
        &NSString::from_str(id),
        &NSArray::from_retained_slice(&actions),
        &NSArray::new(),
        UNNotificationCategoryOptions::empty(),
    )
}

/// Hands a notification to the center, which shows it at once and replaces one with the same identifier:
/// <https://developer.apple.com/documentation/usernotifications/unnotificationrequest/init(identifier:content:trigger:)>
fn deliver(notification: &Notification, category: &str, on_refused: &OnRefused) {
    let content = UNMutableNotificationContent::new();
    content.setTitle(&NSString::from_str(&notification.title));
    content.setBody(&NSString::from_str(&notification.body));
    content.setCategoryIdentifier(&NSString::from_str(category));
    content.setSound(Some(&UNNotificationSound::defaultSound()));
    let request = UNNotificationRequest::requestWithIdentifier_content_trigger(
        &NSString::from_str(&notification.id),
        &content,
        None,
    );
    let (refused, id) = (Arc::clone(on_refused), notification.id.clone());
    let done = RcBlock::new(move |error: *mut NSError| {
        if let Some(why) = reason(error) {
            refused(id.clone(), why);
        }
    });
    // <https://developer.apple.com/documentation/usernotifications/unusernotificationcenter/add(_:withcompletionhandler:)>
    center().addNotificationRequest_withCompletionHandler(&request, Some(&done));
}

/// Returns the message of the error that a block was called with, if any.
fn reason(error: *mut NSError) -> Option<String> {
    #[allow(unsafe_code, reason = "an argument that may be null")]
    // SAFETY: the pointer is null, or an error that lives as long as the block's call.
    let error = unsafe { error.as_ref() }?;
    let why = error.localizedDescription().to_string();
    Some(why.trim_end_matches('.').to_owned())
}

#[allow(
    unsafe_code,
    reason = "a class for the system to call can't be declared without"
)]
mod delegate {
    use block2::DynBlock;
    use objc2::rc::Retained;
    use objc2::runtime::{NSObject, NSObjectProtocol};
    use objc2::{AnyThread, DefinedClass, available, define_class, msg_send};
    use objc2_user_notifications::{
        UNNotification, UNNotificationDefaultActionIdentifier,
        UNNotificationDismissActionIdentifier, UNNotificationPresentationOptions,
        UNNotificationResponse, UNUserNotificationCenter, UNUserNotificationCenterDelegate,
    };

    type OnPress = Box<dyn Fn(String, String) + Send + Sync>;

    define_class!(
        // SAFETY: NSObject has no requirements for subclasses, and this one has no `Drop`.
        #[unsafe(super(NSObject))]
        #[name = "BaleenNotificationDelegate"]
        #[ivars = OnPress]
        pub(super) struct Delegate;

        // SAFETY: the protocol has no required methods.
        unsafe impl NSObjectProtocol for Delegate {}

        // SAFETY: the methods have the signatures of Apple's header.
        // <https://developer.apple.com/documentation/usernotifications/unusernotificationcenterdelegate>
        unsafe impl UNUserNotificationCenterDelegate for Delegate {
            /// Without this method, nothing is shown while the app is active.
            #[unsafe(method(userNotificationCenter:willPresentNotification:withCompletionHandler:))]
            fn will_present(
                &self,
                _center: &UNUserNotificationCenter,
                _notification: &UNNotification,
                done: &DynBlock<dyn Fn(UNNotificationPresentationOptions)>,
            ) {
                done.call((everywhere(),));
            }

            #[unsafe(method(userNotificationCenter:didReceiveNotificationResponse:withCompletionHandler:))]
            fn did_receive(
                &self,
                _center: &UNUserNotificationCenter,
                response: &UNNotificationResponse,
                done: &DynBlock<dyn Fn()>,
            ) {
                if let Some((notification, key)) = pressed(response) {
                    (self.ivars())(notification, key);
                }
                done.call(());
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

    /// Returns the options to show a notification with sound. macOS 11 split the option `Alert` in two
    /// (<https://developer.apple.com/documentation/usernotifications/unnotificationpresentationoptions>).
    fn everywhere() -> UNNotificationPresentationOptions {
        let shown = if available!(macos = 11.0) {
            UNNotificationPresentationOptions::Banner | UNNotificationPresentationOptions::List
        } else {
            #[allow(deprecated, reason = "the systems before have nothing else")]
            UNNotificationPresentationOptions::Alert
        };
        shown | UNNotificationPresentationOptions::Sound
    }

    /// <https://developer.apple.com/documentation/usernotifications/unnotificationresponse/actionidentifier>
    fn pressed(response: &UNNotificationResponse) -> Option<(String, String)> {
        // SAFETY: constants of the framework, set before any code runs.
        let (body, dismissal) = unsafe {
            (
                UNNotificationDefaultActionIdentifier,
                UNNotificationDismissActionIdentifier,
            )
        };
        let notification = response.notification().request().identifier().to_string();
        match &*response.actionIdentifier() {
            key if key == dismissal => None,
            key if key == body => Some((notification, "default".to_owned())),
            key => Some((notification, key.to_string())),
        }
    }
}
