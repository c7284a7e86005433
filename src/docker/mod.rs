//! Docker.app on the Mac: where it is, which version, and of which family its VM is. It knows
//! nothing of how an image is packed.

pub mod bundle;
pub mod console;
mod family;
mod process;
pub mod restart;
mod vm;

pub use bundle::{Bundle, find};
pub use family::Family;
pub use process::KnownProcess;
pub use vm::Vm;
