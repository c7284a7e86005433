//! Running apps: finding, opening, watching and quitting them.

use std::time::SystemTime;

#[cfg(not(target_os = "macos"))]
mod apps_linux;
#[cfg(target_os = "macos")]
mod apps_macos;
mod error;

#[cfg(not(target_os = "macos"))]
pub use apps_linux::{ExitWatcher, Watch, ask_to_quit, is_from, open, running, watch};
#[cfg(target_os = "macos")]
pub use apps_macos::{ExitWatcher, Watch, ask_to_quit, is_from, open, running, watch};
pub use error::OpenError;

/// A running app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningApp {
    /// Its process ID.
    pub pid: u32,
    /// Its start time, if the system reports it.
    pub since: Option<SystemTime>,
}
