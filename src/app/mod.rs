//! The menu-bar app.

pub mod event_loop;
#[cfg(not(target_os = "macos"))]
mod event_loop_linux;
#[cfg(target_os = "macos")]
mod event_loop_macos;
pub mod login_item;
pub mod notifications;
