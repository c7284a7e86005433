//! Notes in the Notification Center, in the way that the system has for it.

use objc2::available;

use crate::platform::is_in_bundle;

use super::Notification;
use super::{ns_user_notifications_macos as before_10_14, user_notifications_macos as since_10_14};

/// What shows notes.
pub enum Notifier {
    /// By the framework User Notifications.
    Since(since_10_14::Notifier),
    /// By what there was before it.
    Before(before_10_14::Notifier),
}

impl Notifier {
    /// One that calls `on_press` with a note's id and a button's key ("default" for the note itself)
    /// when the user presses it, and `on_refused` with the reason when a note can't be shown; both on any
    /// thread. Nothing outside a bundle, where either way of the system ends the program for asking.
    ///
    /// A press that opens the app is told only if this is called before AppKit says that the app has
    /// launched (<https://developer.apple.com/documentation/usernotifications/unusernotificationcenter/delegate>).
    pub fn new(
        on_press: impl Fn(String, String) + Send + Sync + 'static,
        on_refused: impl Fn(String) + Send + Sync + 'static,
    ) -> Option<Self> {
        is_in_bundle().then(|| {
            if available!(macos = 10.14) {
                Self::Since(since_10_14::Notifier::new(on_press, on_refused))
            } else {
                Self::Before(before_10_14::Notifier::new(on_press))
            }
        })
    }

    /// Shows a note.
    pub fn show(&self, notification: &Notification) {
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
        let notifier = Notifier::new(|_, _| {}, |_| {});
        assert!(notifier.is_none());
        // What would be called in one.
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
            });
        }
    }
}
