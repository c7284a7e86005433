//! The running VM follows the image, without a restart of Docker: its script is edited over its console, and the Engine in
//! it is started anew.

mod edits;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use crate::docker::{Bundle, Vm};
use crate::error::{Error, Kind, Result};
use crate::patch::digest::Sha;

pub use edits::{LiveEdit, LiveEdits};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// Whether the Engine was restarted; it is not where it has what it should have.
    pub restarted: bool,
    /// Digest of the block in the script; none where that is Docker's own.
    pub block: Option<Sha>,
    /// What the Engine has in its environment now, as `NAME=value`, without passwords.
    pub environment: Vec<String>,
}

/// Has the running `vm` of `bundle` follow the image: the same block in its script, or none, and the Engine started with it.
/// It is recorded in the file of [`LiveEdits`] in `state`. With `cancel` set it stops at the next step.
///
/// # Errors
/// When the console can't be used, or the script in the VM is not one that is known. What was done is told.
pub fn follow(
    _bundle: &Bundle,
    _vm: &Vm,
    _adopt: bool,
    _state: &Path,
    _cancel: &AtomicBool,
) -> Result<Followed> {
    Err(Error::new(Kind::Failure, "not there yet"))
}
