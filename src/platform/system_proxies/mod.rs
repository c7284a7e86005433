//! What the system's settings say of proxies: one dictionary, of the shape that
//! `SCDynamicStoreCopyProxies` gives on macOS, whichever system it comes from. What it means is
//! decided elsewhere.

#[cfg(any(not(target_os = "macos"), test))]
mod gnome;
#[cfg(not(target_os = "macos"))]
mod system_proxies_linux;
#[cfg(target_os = "macos")]
mod system_proxies_macos;

#[cfg(not(target_os = "macos"))]
pub use system_proxies_linux::{Watch, read, watch};
#[cfg(target_os = "macos")]
pub use system_proxies_macos::{Watch, read, watch};
