//! The clipboard.

#[cfg(not(target_os = "macos"))]
mod clipboard_linux;
#[cfg(target_os = "macos")]
mod clipboard_macos;
mod error;

#[cfg(not(target_os = "macos"))]
pub use clipboard_linux::copy;
#[cfg(target_os = "macos")]
pub use clipboard_macos::copy;
pub use error::{CopyError, ProgramError};
