//! Docker.app on the Mac: its location, its version, the family of its VM, and the process. The change of its
//! boot image is in [`initrd`].

mod app;
mod app_process;
pub(crate) mod bundle;
pub(crate) mod error;
mod family;
pub mod initrd;
mod observe;
pub mod restart;
mod vm;

pub(crate) use app::{DockerDesktop, client_of};
pub(crate) use app_process::KnownProcess;
pub use bundle::Bundle;
pub use error::{BundleError, BundleFileError, InfoError, NotPatched, RestartError};
pub(crate) use family::Refusal;
pub use family::{Family, ProxyPane, UnknownVm};
pub use vm::Vm;
