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
pub use error::{BundleError, BundleFileError, InfoError, NotPatched, RestartError};
pub(crate) use family::Refusal;
pub use family::{Family, ProxyPane, UnknownVm};
pub(crate) use process::KnownProcess;
pub use vm::Vm;
