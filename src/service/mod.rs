//! The use cases that every user interface calls. A user interface decides nothing and puts no steps in order.

mod change;
mod error;
pub mod install_location;
mod installed_by;
mod live;
mod live_lock;
pub mod login_item;
pub mod manual_proxy;
pub mod single_instance;
mod status;

pub(crate) use change::{Application, follows_by_itself, with_relay};
pub use change::{Recorded, Recording, apply, restore};
pub use error::{LoginItemError, ServiceError};
pub use installed_by::InstalledBy;
pub(crate) use live::apply_live;
pub use live_lock::LiveLock;
pub(crate) use status::report;
pub use status::{Status, StatusQuery, status};
