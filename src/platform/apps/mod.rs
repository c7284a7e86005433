//! Other apps: whether they run, and to open them and ask them to quit.

#[cfg(target_os = "macos")]
mod apps_macos;

#[cfg(target_os = "macos")]
pub use apps_macos::{Watch, ask_to_quit, open, running, watch};

use std::time::SystemTime;

/// A running instance of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningApp {
    /// Its process.
    pub pid: u32,
    /// When it was opened, where the system knows.
    pub since: Option<SystemTime>,
}
