//! When the computer wakes from sleep.

#[cfg(target_os = "macos")]
mod wake_macos;

#[cfg(target_os = "macos")]
pub use wake_macos::{Watch, watch};
