//! Apps that run, and running them.

use std::time::SystemTime;

#[cfg(not(target_os = "macos"))]
mod apps_linux;
#[cfg(target_os = "macos")]
mod apps_macos;

#[cfg(not(target_os = "macos"))]
pub use apps_linux::{ExitWatcher, Watch, ask_to_quit, is_from, open, running, watch};
#[cfg(target_os = "macos")]
pub use apps_macos::{ExitWatcher, Watch, ask_to_quit, is_from, open, running, watch};

/// An app that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningApp {
    /// Its process.
    pub pid: u32,
    /// Since when, where the system says so.
    pub since: Option<SystemTime>,
}
