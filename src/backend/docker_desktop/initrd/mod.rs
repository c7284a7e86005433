//! Plans and makes the changes to the boot image of a Docker.app. This module does not decide *when* to make them.
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
mod checked_originals;
pub mod console;
mod contents;
pub(crate) mod error;
mod files;
mod guard;
pub mod image;
mod image_plan;
mod in_place;
pub mod live;
mod lock;
pub mod manifest;
pub mod original;
mod original_source;
pub mod plan;
mod preflight;
mod remains;
pub mod restore;
pub mod script;
mod shell;
pub(crate) mod verify;

use crate::backend::Unpatched;
use crate::backend::docker_desktop::Bundle;
use std::fs;

pub use checked_originals::CheckedOriginals;
use error::Result;
pub use error::{
    Difference, OtherFile, OtherManifestEntry, OtherScript, OtherScriptEntry, PatchError,
};
pub(crate) use image_plan::ImagePlan;
pub use in_place::in_place;
pub use lock::{Lock, unfinished};
pub(crate) use preflight::preflight;
pub(crate) use remains::remains;

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
