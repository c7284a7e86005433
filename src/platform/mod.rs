//! Thin wrappers around calls of the operating system: each makes a call and converts its result, without decisions.

pub mod apps;
pub mod clipboard;
mod copy;
pub mod dialog;
mod flags;
pub mod gss;
#[cfg(target_os = "macos")]
mod main_bundle_macos;
pub mod network;
pub mod open;
mod open_files;
#[cfg(target_os = "macos")]
mod reexec_macos;
#[cfg(not(target_os = "macos"))]
mod session_bus;
pub mod system_proxies;
mod terminal;
pub(crate) mod time_zone;
mod user;
pub mod wake;

pub use copy::copy_file;
pub use flags::is_locked;
#[cfg(target_os = "macos")]
pub(crate) use main_bundle_macos::is_in_bundle;
pub use open_files::OpenFile;
pub(crate) use open_files::open_by_others;
#[cfg(target_os = "macos")]
pub(crate) use reexec_macos::reexec;
#[cfg(not(target_os = "macos"))]
pub(crate) use session_bus::{choose_session_bus, has_session_bus};
pub(crate) use terminal::{columns, without_echo};
pub use user::user;
