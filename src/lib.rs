//! Baleen keeps the Docker Engine of Docker for Mac behind the proxy that the Mac uses.
//!
//! ```text
//! cli --> uninstall: all that Baleen made here, and being rid of it
//!  |       |
//!  +-----> app: icon, menu, notifications
//!  |       |
//!  |       v
//!  +--> agent: when to look, what to do then, what to tell
//!  |       |
//!  +-------+--> wanted: what an engine should get now --> config       the user's own file
//!  |                |                                 --> credentials  the Keychain
//!  |                v
//!  +--> patch: plan, apply, restore, status --> initrd   the image format
//!  |                                        --> proxy    settings, and what an engine makes of them
//!  |                                        --> docker   bundles, versions, families, quitting and opening the app
//!  +--> doctor: why a pull does not get through
//! everywhere: error, logs, property_list, net (look-ups, connections, TLS), platform (the system's calls)
//! ```
//!
//! Imports run from left to right only. `initrd`, `proxy` and `docker` know nothing of each other;
//! `patch` joins them; a face decides nothing that could be decided below it.

// Of the program only: a test or a benchmark may stop where it stands, and print.
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
pub mod cli;
pub mod config;
pub mod credentials;
pub mod demo;
pub mod desired;
pub mod docker;
pub mod doctor;
pub mod error;
pub mod initrd;
pub mod logs;
pub mod net;
pub mod patch;
pub mod platform;
pub mod property_list;
pub mod proxy;
pub mod storage;
pub mod uninstall;
