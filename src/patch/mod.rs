//! Plans and makes the changes to a Docker.app. This module does not decide *when* to make them.
//!
//! ```text
//! image on disk --> image::Image --> plan::plan ------> Plan --> apply::apply --> Applied
//!                                    restore::plan ---> RestorePlan --> restore::restore
//! ```
//!
//! Planning only reads. Applying a plan writes a new file beside the image, reads it back, makes it
//! durable and renames it into place, so the image is the old one or the new one at every instant.
//! `files` has the functions for that.

pub mod apply;
mod contents;
pub mod digest;
pub(crate) mod error;
mod files;
mod guard;
pub mod image;
mod in_place;
pub mod intent;
pub mod live;
mod lock;
pub mod manifest;
pub mod original;
mod original_source;
pub mod plan;
mod preflight;
pub mod restore;
pub mod script;
mod shell;
pub(crate) mod verify;

use std::fs;
use std::path::PathBuf;

use crate::docker::Bundle;

use error::Result;
pub use error::{
    Difference, OtherFile, OtherManifestEntry, OtherScript, OtherScriptEntry, PatchError,
};
pub(crate) use files::{BACKUP_SUFFIX, backup_of};
pub use in_place::in_place;
pub use lock::{Lock, unfinished};
pub(crate) use manifest::Manifest;
pub use manifest::{Method, UnknownMethod};
pub use original::Unpatched;
pub(crate) use preflight::preflight;

/// The progress of a long step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The step.
    pub step: Step,
    /// Bytes done.
    pub done: u64,
    /// Total bytes.
    pub total: u64,
}

/// A long step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Reading the image.
    Reading,
    /// Writing the changed image.
    Rebuilding,
    /// Comparing an image with what it should be.
    Verifying,
}

/// Receives progress reports. It is called often.
pub(crate) type OnProgress<'a> = &'a dyn Fn(Progress);

/// The outcome of putting a proxy in place.
#[derive(Debug)]
pub enum ApplyOutcome {
    /// The proxy was in place already.
    InPlace(Manifest),
    /// The image was changed.
    Applied(apply::Applied),
}

/// The outcome of a restoration.
#[derive(Debug)]
pub struct RestoreOutcome {
    /// The manifest of the patched image.
    pub manifest: Manifest,
    /// The proxy that the original sets.
    pub original: Unpatched,
    /// A problem that did not prevent the restoration.
    pub warning: Option<Warning>,
}

/// A problem that did not prevent a change: the new image is in place.
#[derive(Debug)]
pub enum Warning {
    /// The patched image is not yet safe against a power cut.
    PatchNotFlushed(PatchError),
    /// The original is back, but not yet safe against a power cut.
    RestoreNotFlushed(PatchError),
    /// Another program wrote into the old image when it was replaced.
    WrittenTo(PathBuf),
}

/// Returns the proxy in the image of `bundle`, which Baleen did not patch. Reads the whole image.
pub(crate) fn read_unpatched(bundle: &Bundle) -> Unpatched {
    let image = image::image_of(bundle).and_then(image::Image::open);
    image.map_or_else(
        |_| Unpatched::default(),
        |image| Unpatched::read(image.section(), image.path()),
    )
}

/// Removes the backup that a killed Baleen left beside an image before it changed the image: lock,
/// check, remove.
///
/// # Errors
/// When the backup can't be checked or removed.
pub(crate) fn remove_leftover(bundle: &Bundle) -> Result<()> {
    let _lock = Lock::acquire(image::image_of(bundle)?)?;
    match restore::leftover(bundle)? {
        Some(backup) => {
            fs::remove_file(&backup).map_err(|error| PatchError::file("remove", &backup, error))
        }
        None => Ok(()),
    }
}
