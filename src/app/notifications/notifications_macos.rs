//! Notifications in the Notification Center, with the API that the macOS version has.

use objc2::available;

use crate::platform::is_in_bundle;

use super::Notification;
use super::{ns_user_notifications_macos as before_10_14, user_notifications_macos as since_10_14};

/// The sender of notifications.
pub(crate) enum Notifier {
    /// The User Notifications framework, since macOS 10.14.
    Since(since_10_14::Notifier),
    /// The API of earlier versions.
    Before(before_10_14::Notifier),
}

impl Notifier {
    /// Creates a notifier. It calls `on_press` with a notification's id and a button's key ("default" for
    /// the notification itself) when the user presses it, and `on_refused` with the id and the reason when
    /// a notification can't be shown; both on any thread. Returns `None` outside a bundle, where a call of
    /// either API would end the program.
    ///
    /// A press that opens the app is reported only if this is called before AppKit says that the app has
    /// launched (<https://developer.apple.com/documentation/usernotifications/unusernotificationcenter/delegate>).
    pub(crate) fn new(
        on_press: impl Fn(String, String) + Send + Sync + 'static,
        on_refused: impl Fn(String, String) + Send + Sync + 'static,
    ) -> Option<Self> {
        is_in_bundle().then(|| {
            if available!(macos = 10.14) {
                Self::Since(since_10_14::Notifier::new(on_press, on_refused))
            } else {
                Self::Before(before_10_14::Notifier::new(on_press))
            }
        })
    }

    /// Shows a notification.
    pub(crate) fn show(&self, notification: &Notification) {
        match self {
            Self::Since(notifier) => notifier.show(notification),
            Self::Before(notifier) => notifier.show(notification),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::notifications::Button;

    #[test]
    fn outside_a_bundle_there_is_none() {
        let notifier = Notifier::new(|_, _| {}, |_, _| {});
        assert!(notifier.is_none());
        // These calls would run inside a bundle.
        if let Some(notifier) = notifier {
            let text = || "x".to_owned();
            notifier.show(&Notification {
                id: text(),
                title: text(),
                body: text(),
                buttons: vec![Button {
                    key: text(),
                    label: text(),
                }],
                details: None,
            });
        }
    }
}
