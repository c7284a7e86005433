//! Docker.app on the Mac: its location, its version, the family of its VM, and the process. The change of its
//! boot image is in [`initrd`], that of Docker's own settings in [`settings`].

mod app;
mod app_process;
pub(crate) mod bundle;
pub(crate) mod error;
mod family;
pub mod initrd;
mod observe;
pub mod restart;
pub mod settings;
mod vm;

pub(crate) use app::{DockerDesktop, client_of, open_in_home};
pub(crate) use app_process::KnownProcess;
pub use bundle::Bundle;
pub use error::{BundleError, BundleFileError, InfoError, NotPatched, RestartError};
pub use family::{Family, ProxyPane, UnknownVm};
pub use vm::Vm;
