//! Opening something for the user, in the app that is for it.

#[cfg(target_os = "macos")]
mod open_macos;

#[cfg(target_os = "macos")]
pub use open_macos::{open, open_text};
