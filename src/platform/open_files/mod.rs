//! The processes that have a file open.

#[cfg(not(target_os = "macos"))]
mod open_files_linux;
#[cfg(target_os = "macos")]
mod open_files_macos;

#[cfg(not(target_os = "macos"))]
pub(crate) use open_files_linux::open_by_others;
#[cfg(target_os = "macos")]
pub(crate) use open_files_macos::open_by_others;

/// A process that has a file open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenFile {
    /// Its process ID.
    pub pid: u32,
    /// The name of its program. Empty if the system does not say.
    pub name: String,
}
