//! The engines on this computer, and what is known about them.

mod observation;
mod observe;

pub(crate) use observation::Revision;
pub use observation::{BundleState, EngineSync, Installed, Patch, RestartScope, Running};
pub use observe::Depth;
pub(crate) use observe::{bundle_state, running};
