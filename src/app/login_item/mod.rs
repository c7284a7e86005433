//! Whether Baleen opens when the user logs in.

#[cfg(target_os = "macos")]
pub mod login_item_macos;

/// Whether it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginItem {
    /// It does not.
    Off,
    /// It does.
    On,
    /// It would, but the user has to allow it in System Settings first.
    NeedsApproval,
}
