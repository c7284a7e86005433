//! The tests that take more than 10 seconds.

#[path = "../common/mod.rs"]
mod common;
#[path = "../desktop/stand_in/mod.rs"]
mod stand_in;

mod app;
mod console;
mod crash_safety;
mod kernel;
mod patch_properties;
mod real_root;
#[cfg(target_os = "linux")]
mod relay;
#[cfg(target_os = "linux")]
mod relay_peers;
