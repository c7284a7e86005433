//! The tests that take more than 10 seconds each, or wait for most of their time.

#[path = "../common/mod.rs"]
mod common;

mod app;
mod console;
mod crash_safety;
mod kernel;
