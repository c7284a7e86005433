//! Opening a file, a folder or a URL for the user in its default app.

mod error;
#[cfg(not(target_os = "macos"))]
mod open_linux;
#[cfg(target_os = "macos")]
pub(super) mod open_macos;

pub use error::TargetError;
#[cfg(not(target_os = "macos"))]
pub use open_linux::{open, open_text};
#[cfg(target_os = "macos")]
pub use open_macos::{open, open_text};
