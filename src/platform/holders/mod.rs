//! Who else has a file open.

#[cfg(not(target_os = "macos"))]
mod holders_linux;
#[cfg(target_os = "macos")]
mod holders_macos;

#[cfg(not(target_os = "macos"))]
pub(crate) use holders_linux::holders;
#[cfg(target_os = "macos")]
pub(crate) use holders_macos::holders;

/// A process that has it open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) pid: u32,
    /// The name of its program; empty where the system does not say.
    pub(crate) name: String,
}
