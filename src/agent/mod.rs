//! The agent: it notices that Docker was updated or that the proxy changed, repairs the boot image, and
//! notifies the user.
//!
//! ```text
//! files, settings, wake-up, clock, clicks --> Event --> Controller --> Effect --> Executor --> AgentOutput
//!      (watcher, platform)                                |    ^                    |   |
//!                                      reconcile, notice <+    +------ Event <------+   +--> observe, effects
//! ```
//!
//! An event means only "observe again". `reconcile::reconcile` derives the action from the observation,
//! so a lost event costs time, and a superfluous one costs a millisecond.

pub mod agent_state;
pub mod controller;
pub mod effect;
pub(crate) mod effects;
mod error;
pub mod event;
mod executor;
pub mod first_run;
pub mod notice;
pub(crate) mod observe;
mod relay_keeper;
pub mod snapshot;
pub mod view;
mod watcher;
mod wording;

pub(crate) use error::AgentError;
pub use executor::{Agent, AgentOutput, Options};
pub use relay_keeper::{RelayCommand, RelaySettings, RelayState};
pub use wording::{PastEvent, Wording};
