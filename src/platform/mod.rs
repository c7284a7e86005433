//! The operating system's calls, as thin as possible: each a call and a conversion, no decisions.

mod copy;
mod flags;
mod user;

pub use copy::copy_file;
pub use flags::is_locked;
pub use user::user;
