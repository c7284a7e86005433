//! Keeping it so: the agent sees that Docker was updated or that the proxy changed, puts things right,
//! and says what there is to say.
//!
//! ```text
//! files, settings, wake-up, clock, clicks --> Event --> mind::Mind --> Job --> run::Hands --> Report
//!      (watch, platform)                                  |    ^                  |   |
//!                                            decide, news <    +----- Event <-----+   +--> look, work
//! ```
//!
//! An event says no more than "look again". What is done follows from what is seen then, by
//! [`reconcile::reconcile`]; so a lost event costs time, and one too many costs a millisecond.

pub mod agent_state;
pub mod by_hand;
pub mod controller;
pub mod effects;
mod executor;
pub mod notice;
pub mod observe;
pub mod reconcile;
pub mod view;
mod watcher;

pub use executor::{Agent, AgentOutput, Options};
