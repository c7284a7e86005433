//! Baleen keeps the Docker Engine of Docker for Mac behind the proxy that the Mac uses.
//!
//! ```text
//! cli, app          the user interfaces
//! text              every sentence for people
//! uninstall         removal of everything that Baleen made
//! agent, doctor     when to act; the reason why a pull fails
//! service           the use cases: status, apply, restore
//! reconcile         the only decider of state and action
//! backend           what is known about an engine on this computer
//! desired           the proxy that an engine should have
//! patch, config, credentials
//! initrd, proxy, docker
//! storage, net, platform, property_list, util, error
//! ```
//!
//! Imports run from top to bottom only. `initrd`, `proxy` and `docker` are independent of each other;
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
