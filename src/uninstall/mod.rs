//! Uninstalls Baleen: finds, lists and removes everything that it made.
//!
//! ```text
//! places: what Baleen may make --> scan: what exists --> plan: the steps, as data --> execute --> outcome
//! ```
//!
//! Docker's boot images come first. If one can't be restored, everything else stays, so that Baleen
//! can try again. Items that Baleen did not make are left, and listed.

mod artifacts;
mod error;
mod execute;
mod plan;
#[cfg(target_os = "macos")]
mod preferences_macos;
mod remark;
mod scan;

pub use artifacts::{Artifacts, places};
pub use error::UninstallError;
pub use execute::{ExecuteOutcome, execute};
pub use plan::{UninstallPlan, UninstallStep, plan};
pub(crate) use remark::LastStep;
pub use remark::{Action, Failed, Left, Remark};
pub use scan::{FolderScan, ScanResult, Scope, scan};
