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

/// The contents of a notification. It replaces an older one with the same `id` on the screen.
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
}

/// A button of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Button {
    /// The identifier. "default" is reserved for the notification itself.
    pub key: String,
    /// The label.
    pub label: String,
}
