//! Restores the original image byte for byte. Its digest is checked before it is put in place.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::backend::docker_desktop::Bundle;
use crate::backend::{Unpatched, Warning};
use crate::initrd::{FileRange, find};

use super::error::{PatchError, Result};
use super::files::{self, Identity};
use super::guard::{UnchangedGuard, check_unlocked};
use super::image::{Image, Patched, image_of, unmarked};
use super::lock::Lock;
use super::manifest::{Manifest, Original};
use super::original_source::original_at;
use super::script::{MAX_SCRIPT_LEN, SCRIPT, Script};
use crate::digest::Sha;

/// The result of planning a restoration.
#[derive(Debug)]
pub enum RestorePlan {
    /// Nothing to restore: Baleen did not patch this image.
    Nothing,
    /// The original can be restored.
    Restore(Box<RestoreChange>),
}

/// A complete plan to restore one image.
#[derive(Debug)]
pub struct RestoreChange {
    image: Image,
    before: UnchangedGuard,
    /// The manifest of the patched image.
    pub manifest: Manifest,
    /// The location of the original.
    pub from: OriginalLocation,
    /// The proxy that the original sets.
    pub original: Unpatched,
}

/// The location of the original.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginalLocation {
    /// The backup file beside the image, with its identity when its digest was computed.
    Backup(PathBuf, Identity),
    /// The image itself, without the appended member.
    Prefix,
}

/// Plans the restoration of `bundle`: finds the original and checks its digest.
///
/// # Errors
/// When the original is not available anywhere.
pub fn plan(bundle: &Bundle) -> Result<RestorePlan> {
    let image = Image::open(image_of(bundle)?)?;
    let before = UnchangedGuard::of(bundle, &image)?;
    let patched = image.patched()?;
    let Some(manifest) = patched.manifest().cloned() else {
        return if holds_block(&image) {
            Err(unmarked(&image))
        } else {
            Ok(RestorePlan::Nothing)
        };
    };
    // Checked only now: an image that stays unchanged may be locked.
    check_unlocked(&image)?;
    let backup = image.backup_path();
    let from = if let Some(identity) = original_at(&backup, &manifest.original)? {
        OriginalLocation::Backup(backup, identity)
    } else if matches!(patched, Patched::Appended { .. }) {
        OriginalLocation::Prefix
    } else {
        return Err(PatchError::OtherBackup { path: backup });
    };
    if from == OriginalLocation::Prefix {
        let sha = Sha::of_file(image.file(), manifest.original.bytes)
            .map_err(|error| image.unreadable(error))?;
        if sha != manifest.original.sha256.0 {
            return Err(PatchError::OtherOriginalPart {
                image: image.path().to_owned(),
                expected: manifest.original.sha256,
                found: sha,
            });
        }
    }
    Ok(RestorePlan::Restore(Box::new(RestoreChange {
        original: proxy_in(&image, &from, &manifest.original),
        image,
        before,
        manifest,
        from,
    })))
}

/// Returns the proxy that the original sets. It is for information only, so an error here must not
/// stop the restoration.
fn proxy_in(image: &Image, from: &OriginalLocation, original: &Original) -> Unpatched {
    match from {
        OriginalLocation::Prefix => Unpatched::read(
            FileRange::new(image.file(), 0, original.bytes),
            image.path(),
        ),
        OriginalLocation::Backup(path, _) => match files::open_regular(path) {
            Ok((file, _)) => {
                Unpatched::read(FileRange::new(&file, 0, original.bytes), image.path())
            }
            Err(_) => Unpatched::Unchecked,
        },
    }
}

/// Returns the backup beside an unpatched image if both are the same file or have the same bytes. A
/// Baleen that was killed before it changed the image leaves such a backup.
///
/// # Errors
/// When one of the two files can't be read.
pub fn leftover(bundle: &Bundle) -> Result<Option<PathBuf>> {
    let image = Image::open(image_of(bundle)?)?;
    let backup = image.backup_path();
    let may_be = |found: Metadata| found.is_file() && found.len() == image.length();
    if image.patched()? != Patched::No || !backup.symlink_metadata().is_ok_and(may_be) {
        return Ok(None);
    }
    let (file, metadata) = files::open_regular(&backup)?;
    let is_the_image = image.identity().is_same_file(&Identity::of(&metadata)) || {
        let sha = |file, path| {
            Sha::of_file(file, image.length())
                .map_err(|error| PatchError::file("read", path, error))
        };
        sha(image.file(), image.path())? == sha(&file, &backup)?
    };
    Ok(is_the_image.then_some(backup))
}

/// Returns whether an image without a manifest has Baleen's block in its script. An image that
/// can't be read to its end holds nothing that could be restored.
fn holds_block(image: &Image) -> bool {
    find::find(image.section(), SCRIPT.as_bytes(), MAX_SCRIPT_LEN)
        .ok()
        .and_then(|(_, found)| found?.body)
        .is_some_and(|script| Script::parse(&script).is_ok_and(|script| script.block().is_some()))
}

/// Carries out `restore` while the image's folder is locked. Returns a warning if the original is
/// back, but is not yet safe against a power cut.
///
/// # Errors
/// When a file has changed since the plan was made, or a write fails. The image is then unchanged.
pub fn restore(restore: &RestoreChange, lock: &Lock) -> Result<Option<Warning>> {
    let place = restore.image.path();
    match &restore.from {
        OriginalLocation::Backup(path, hashed) => {
            restore.before.check()?;
            let found =
                Identity::at(path).map_err(|error| PatchError::file("read", path, error))?;
            if found != Some(*hashed) {
                return Err(PatchError::replaced(path));
            }
            own(path, restore)?;
            files::rename(path, place)?;
        }
        OriginalLocation::Prefix => {
            let original = &restore.manifest.original;
            let staging = lock.staging()?;
            let new = staging.path().join("initrd.img");
            let like = restore.image.metadata();
            files::copy_proved((place, original), &new, like, original.mode, |_| Ok(()))?;
            restore.before.check()?;
            files::rename(&new, place)?;
        }
    }
    Ok(lock
        .flush()
        .err()
        .map(|error| Warning::RestoreNotFlushed(error.into())))
}

/// Gives the backup the owner and permissions of the original image: someone else may have made a
/// backup with the right bytes.
fn own(backup: &Path, restore: &RestoreChange) -> Result<()> {
    let (file, found) = files::open_regular(backup)?;
    let (like, mode) = (
        restore.image.metadata(),
        restore.manifest.original.mode & 0o7777,
    );
    if (found.uid(), found.gid(), found.mode() & 0o7777) == (like.uid(), like.gid(), mode) {
        return Ok(());
    }
    files::finish(&file, backup, like, mode)
}
