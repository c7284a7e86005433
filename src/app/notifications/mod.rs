//! Notifications for the user, in a corner of the screen.

#[cfg(not(target_os = "macos"))]
mod notifications_linux;
#[cfg(target_os = "macos")]
mod notifications_macos;
#[cfg(target_os = "macos")]
mod ns_user_notifications_macos;
#[cfg(target_os = "macos")]
mod user_notifications_macos;

#[cfg(not(target_os = "macos"))]
pub(crate) use notifications_linux::Notifier;
#[cfg(target_os = "macos")]
pub(crate) use notifications_macos::Notifier;

use crate::text::fit::{Fitted, fit};

/// Maximum number of buttons. With more, macOS hides them all in a menu.
pub(crate) const MAX_BUTTONS: usize = 2;

/// The contents of a notification. It replaces an older one with the same `id` on the screen. It fits
/// three lines ([`fit`]), and has at most [`MAX_BUTTONS`] buttons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notification {
    /// The identifier.
    pub id: String,
    /// The title.
    pub title: String,
    /// The text below it.
    pub body: String,
    /// The buttons. The notification itself can be pressed as well.
    pub buttons: Vec<Button>,
    /// The whole text, if not all of it fits.
    pub details: Option<String>,
}

/// A button of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Button {
    /// The identifier. [`PRESSED`] is reserved for the notification itself.
    pub key: String,
    /// The label.
    pub label: String,
}

/// The key of a press on the notification itself.
pub(crate) const PRESSED: &str = "default";
/// The key of the button that shows the whole text.
pub(crate) const SHOW_DETAILS: &str = "show-details";

impl Notification {
    /// Creates a notification from a text of any length. Of one that is too long, it shows the sentences that fit, and a
    /// button for the whole text if there is room for one.
    pub(crate) fn new(id: &str, title: &str, body: &str, mut buttons: Vec<Button>) -> Self {
        buttons.truncate(MAX_BUTTONS);
        let Fitted {
            title,
            body,
            details,
        } = fit(title, body);
        if details.is_some() && buttons.len() < MAX_BUTTONS {
            buttons.push(Button {
                key: SHOW_DETAILS.to_owned(),
                label: "Show Details".to_owned(),
            });
        }
        Self {
            id: id.to_owned(),
            title,
            body,
            buttons,
            details,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::fit::{MAX_BODY_LEN, MAX_TITLE_LEN};

    #[test]
    fn what_does_not_fit_is_one_press_away() {
        let button = |key: &str| Button {
            key: key.to_owned(),
            label: key.to_owned(),
        };
        let short = Notification::new("a", "Title", "Body.", vec![button("x")]);
        assert_eq!((short.buttons.len(), &short.details), (1, &None));
        let body = format!("First. {}", "Second ".repeat(20));
        let long = Notification::new("a", "Title", &body, vec![button("x")]);
        assert_eq!(long.body, "First.");
        assert_eq!(long.buttons[1].key, SHOW_DETAILS);
        assert_eq!(long.details, Some(format!("Title\n\n{body}\n")));
        let full = Notification::new("a", "Title", &body, vec![button("x"), button("y")]);
        assert_eq!(full.buttons, [button("x"), button("y")]);
        assert!(full.details.is_some());
    }

    proptest! {
        #[test]
        fn every_text_fits(title in ".{0,120}", body in "([A-Za-zäß./:]{0,60}[. ]){0,20}", buttons in 0..4usize) {
            let button = Button { key: "k".to_owned(), label: "K".to_owned() };
            let shown = Notification::new("id", &title, &body, vec![button; buttons]);
            prop_assert!(shown.title.chars().count() <= MAX_TITLE_LEN);
            prop_assert!(shown.body.chars().count() <= MAX_BODY_LEN);
            prop_assert!(shown.buttons.len() <= MAX_BUTTONS);
            let is_whole = shown.title == title && shown.body == body;
            prop_assert_eq!(shown.details.is_none(), is_whole);
        }
    }
}
