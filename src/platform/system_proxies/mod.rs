//! The proxies of the system's settings, as one dictionary. On every system it has the form that
//! `SCDynamicStoreCopyProxies` returns on macOS. Other modules interpret it.

mod error;
#[cfg(any(not(target_os = "macos"), test))]
mod gnome;
#[cfg(not(target_os = "macos"))]
mod system_proxies_linux;
#[cfg(target_os = "macos")]
mod system_proxies_macos;

pub use error::{Expected, ReadError, SettingError};
#[cfg(not(target_os = "macos"))]
pub use system_proxies_linux::{Watch, read, watch};
#[cfg(target_os = "macos")]
pub use system_proxies_macos::{Watch, read, watch};
