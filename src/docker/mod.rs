//! Docker.app on the Mac: its location, its version, and the family of its VM. This module does not
//! know how a boot image is packed.

pub(crate) mod bundle;
pub mod console;
pub(crate) mod error;
mod family;
mod process;
pub mod restart;
mod vm;

pub use bundle::{Bundle, find};
pub(crate) use error::{BundleError, BundleFileError, bundle_file_error};
pub use family::Family;
pub(crate) use process::KnownProcess;
pub use vm::Vm;
