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
//! [`decide::decide`]; so a lost event costs time, and one too many costs a millisecond.

pub mod by_hand;
pub mod decide;
pub mod look;
pub mod memory;
pub mod mind;
pub mod news;
mod run;
pub mod view;
mod watch;
pub mod work;

pub use run::{Agent, Options, Report};
