//! Baleen keeps the Docker Engine of Docker for Mac behind the proxy that the Mac uses.
//!
//! ```text
//! cli (and later app) --> config: the user's own file
//!                             |
//!                             v
//!                         patch: plan, apply, restore --> initrd   the image format
//!                                                     --> proxy    URLs, bypass lists, the engine's view
//!                                                     --> docker   bundles, versions, families
//! ```
//!
//! Imports run from left to right only. `initrd`, `proxy` and `docker` know nothing of each other;
//! `patch` joins them; a face decides nothing that `patch` could decide.

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

pub mod cli;
pub mod config;
pub mod credentials;
pub mod demo;
pub mod docker;
pub mod doctor;
pub mod error;
pub mod initrd;
pub mod net;
pub mod patch;
pub mod platform;
pub mod proxy;
pub mod wanted;
