//! Baleen keeps the Docker Engine of Docker for Mac behind the proxy that the Mac uses.
//!
//! ```text
//! cli, app          the user interfaces
//! text              every sentence for people
//! uninstall         removal of everything that Baleen made
//! agent, doctor     when to act; the reason why a pull fails
//! service           the use cases: status, apply, restore
//! reconcile         the only decider of state and action
//! backend           the engines, each behind the same interface
//! desired           the proxy that an engine should have
//! relay             the local proxy, which sends each connection the way of the computer's settings
//! intent            what the user wants of each engine
//! config, credentials
//! initrd, proxy
//! storage, net, platform, property_list, digest, util, error
//! ```
//!
//! Imports run from top to bottom only. `initrd` and `proxy` are independent of each other; a backend
//! joins them. A user interface makes no decision that a lower layer could make.

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
pub mod digest;
pub mod doctor;
pub mod error;
pub mod initrd;
pub mod intent;
pub(crate) mod logs;
pub mod net;
pub mod platform;
pub mod property_list;
pub mod proxy;
pub mod reconcile;
pub mod relay;
pub mod service;
pub(crate) mod storage;
pub mod text;
pub mod uninstall;
pub mod update;
mod util;
