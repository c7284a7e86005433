//! The tests that take more than 10 seconds.

#[path = "../common/mod.rs"]
mod common;

mod app;
mod console;
mod crash_safety;
mod kernel;
mod patch_properties;
mod real_root;
