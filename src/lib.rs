//! Baleen keeps the Docker Engine of Docker for Mac behind the proxy that the Mac uses.
//!
//! ```text
//! cli --> uninstall: removal of everything that Baleen made
//!  |       |
//!  +-----> app: icon, menu, notifications
//!  |       |
//!  |       v
//!  +--> agent: when to observe, which action to take, which notices to send
//!  |       |
//!  +-------+--> desired: the proxy that an engine should have --> config       the user's own file
//!  |                |                                         --> credentials  the Keychain
//!  |                v
//!  +--> patch: plan, apply, restore, status --> initrd   the format of the boot image
//!  |                                        --> proxy    settings, and their translation for an engine
//!  |                                        --> docker   bundles, versions, families, quitting and opening the app
//!  +--> doctor: the reason why a pull fails
//! everywhere: error, logs, storage, property_list, util, net (look-ups, connections, TLS), platform (system calls)
//! ```
//!
//! Imports run from left to right only. `initrd`, `proxy` and `docker` are independent of each other;
//! `patch` joins them. A user interface makes no decision that a lower layer could make.

// For the program only: tests and benchmarks may panic and print.
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::print_stdout,
        clippy::print_stderr
    )
)]

pub mod agent;
pub mod app;
pub mod backend;
pub mod cli;
pub mod config;
pub mod credentials;
pub mod demo;
pub mod desired;
pub mod docker;
pub mod doctor;
pub mod error;
pub mod initrd;
pub(crate) mod logs;
pub mod net;
pub mod patch;
pub mod platform;
pub mod property_list;
pub mod proxy;
pub mod reconcile;
pub mod service;
pub(crate) mod storage;
pub mod text;
pub mod uninstall;
mod util;
