//! The use cases that every user interface calls. A user interface decides nothing and puts no steps in order.

mod change;
mod status;

pub(crate) use change::{Application, ApplicationOutcome, ApplicationPlan, remember_original};
pub use change::{ApplyOptions, Recorded, Recording, apply, restore};
pub(crate) use status::report;
pub use status::{Status, StatusQuery, status};
