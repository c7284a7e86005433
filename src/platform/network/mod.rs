//! The state of the network.

#[cfg(not(target_os = "macos"))]
mod network_linux;
#[cfg(target_os = "macos")]
pub(super) mod network_macos;

#[cfg(not(target_os = "macos"))]
pub use network_linux::is_up;
#[cfg(target_os = "macos")]
pub use network_macos::is_up;
