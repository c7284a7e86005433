//! The detection of the computer's wake from sleep.

#[cfg(not(target_os = "macos"))]
mod wake_linux;
#[cfg(target_os = "macos")]
mod wake_macos;

#[cfg(not(target_os = "macos"))]
pub use wake_linux::{Watch, watch};
#[cfg(target_os = "macos")]
pub use wake_macos::{Watch, watch};
