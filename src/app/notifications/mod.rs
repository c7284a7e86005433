//! Notes for the user, in a corner of the screen.

#[cfg(not(target_os = "macos"))]
mod notifications_linux;
#[cfg(target_os = "macos")]
mod notifications_macos;
#[cfg(target_os = "macos")]
mod ns_user_notifications_macos;
#[cfg(target_os = "macos")]
mod user_notifications_macos;

#[cfg(not(target_os = "macos"))]
pub use notifications_linux::Notifier;
#[cfg(target_os = "macos")]
pub use notifications_macos::Notifier;

/// What a notification says. One with the same `id` takes the place of the older one on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// What tells it from others.
    pub id: String,
    /// The heading.
    pub title: String,
    /// The text below it.
    pub body: String,
    /// What the user can press, besides the note itself.
    pub buttons: Vec<Button>,
}

/// Something on a note to press.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// What tells it from others; not "default", which is the note itself.
    pub key: String,
    /// What is written on it.
    pub label: String,
}
