//! What to change in a Docker.app, and changing it: nothing here decides *when*.
//!
//! ```text
//! image on disk --> image::Image --> plan::plan ------> Plan --> apply::apply --> Outcome
//!                                    restore::plan ---> Plan --> restore::restore
//! ```
//!
//! A plan is made by reading alone. Carrying it out writes a new file beside the image, reads it
//! back, makes it durable and renames it into place, so that at every instant the image is the old
//! one or the new one; `files` has the calls for that.

pub mod apply;
pub mod digest;
mod files;
pub mod image;
mod in_place;
pub mod intent;
pub mod live;
mod lock;
pub mod manifest;
pub mod original;
pub mod plan;
mod preflight;
pub mod restore;
pub mod script;
mod shell;
pub mod status;

use std::fs;

use crate::docker::Bundle;
use crate::error::{Error, Result};

pub use files::{BACKUP_SUFFIX, backup_of};
pub use in_place::in_place;
pub use lock::{Lock, unfinished};
pub use manifest::{Manifest, Method, Original};
pub use original::Unpatched;
pub use preflight::preflight;

/// How far a long step has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done, as in "reading".
    pub step: &'static str,
    /// Bytes done.
    pub done: u64,
    /// Bytes in all.
    pub total: u64,
}

/// Takes reports of progress; called often.
pub type OnProgress<'a> = &'a dyn Fn(Progress);

/// What came of asking for a proxy.
#[derive(Debug)]
pub enum ApplyOutcome {
    /// It was in place already.
    InPlace(Manifest),
    /// The image was changed.
    Applied(apply::Applied),
}

/// Puts the engine of `bundle` behind a proxy: lock, plan, apply.
///
/// # Errors
/// Whatever forbids or stops the change; the image is then as it was.
pub fn apply_proxy(
    bundle: &Bundle,
    desired: plan::Desired<'_>,
    report: OnProgress<'_>,
) -> Result<ApplyOutcome> {
    let lock = Lock::acquire(plan::image_of(bundle)?)?;
    match plan::plan(bundle, desired, report)? {
        plan::Plan::Nothing(manifest) => Ok(ApplyOutcome::InPlace(manifest)),
        plan::Plan::Change(change) => {
            apply::apply(&change, &lock, report).map(ApplyOutcome::Applied)
        }
    }
}

/// What came of asking for the original.
#[derive(Debug)]
pub struct RestoreOutcome {
    /// What the patched image said about itself.
    pub manifest: Manifest,
    /// The proxy in the original.
    pub original: Unpatched,
    /// What did not go as it should, though the original is back.
    pub warning: Option<String>,
}

/// Gives the engine of `bundle` the image back that it had before Baleen: lock, plan, restore. Returns nothing when there
/// was no patch.
///
/// # Errors
/// Whatever forbids or stops it; the image is then as it was.
pub fn restore_original(bundle: &Bundle) -> Result<Option<RestoreOutcome>> {
    let lock = Lock::acquire(plan::image_of(bundle)?)?;
    match restore::plan(bundle)? {
        restore::RestorePlan::Nothing => Ok(None),
        restore::RestorePlan::Restore(found) => {
            let warning = restore::restore(&found, &lock)?;
            Ok(Some(RestoreOutcome {
                manifest: found.manifest,
                original: found.original,
                warning,
            }))
        }
    }
}

/// The proxy in the image of `bundle`, which Baleen did not patch; the whole image is read.
pub fn read_unpatched(bundle: &Bundle) -> Unpatched {
    let image = plan::image_of(bundle).and_then(image::Image::open);
    image.map_or_else(
        |_| Unpatched::default(),
        |image| Unpatched::read(image.section(), image.path()),
    )
}

/// Removes the backup that a Baleen which was killed left beside an image that it had not changed yet: lock, look, remove.
///
/// # Errors
/// When it can't be looked at or removed.
pub fn remove_leftover(bundle: &Bundle) -> Result<()> {
    let _lock = Lock::acquire(plan::image_of(bundle)?)?;
    match restore::leftover(bundle)? {
        Some(backup) => {
            fs::remove_file(&backup).map_err(|error| Error::io("remove", &backup, &error))
        }
        None => Ok(()),
    }
}
