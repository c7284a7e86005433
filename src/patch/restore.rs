//! The original back in its place, byte for byte, proved by its digest before it is put there.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::docker::Bundle;
use crate::error::{Error, Kind, Result};
use crate::initrd::{FileRange, find};

use super::digest::Sha;
use super::files::{self, Identity};
use super::image::{Image, Patched};
use super::lock::Lock;
use super::manifest::{Manifest, Original};
use super::original::Unpatched;
use super::plan::{UnchangedGuard, check_unlocked, image_of, stale_backup, unmarked};
use super::script::{MAX_SCRIPT_LEN, SCRIPT, Script};

/// What would have to be done.
#[derive(Debug)]
pub enum RestorePlan {
    /// Nothing: Baleen did not patch this image.
    Nothing,
    /// The original comes back.
    Restore(Box<RestoreChange>),
}

/// One restoration, complete.
#[derive(Debug)]
pub struct RestoreChange {
    image: Image,
    before: UnchangedGuard,
    /// What the image says about itself.
    pub manifest: Manifest,
    /// Where the original comes from.
    pub from: OriginalLocation,
    /// The proxy in the original.
    pub original: Unpatched,
}

/// Where the original comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginalLocation {
    /// The file beside the image, as it was when its digest was taken.
    Backup(PathBuf, Identity),
    /// The image itself, cut back.
    Prefix,
}

/// Makes the plan for `bundle`; the original is found and its digest compared.
///
/// # Errors
/// [`Kind::Unsupported`] when the original is nowhere available.
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
    // One that nothing is done to may be locked.
    check_unlocked(&image)?;
    let backup = image.backup_path();
    let from = if let Some(identity) = original_at(&backup, &manifest.original)? {
        OriginalLocation::Backup(backup, identity)
    } else if matches!(patched, Patched::Appended { .. }) {
        OriginalLocation::Prefix
    } else {
        return Err(stale_backup(&backup));
    };
    if from == OriginalLocation::Prefix {
        let sha = Sha::of_file(image.file(), manifest.original.bytes)
            .map_err(|error| image.unreadable(&error))?;
        if sha != manifest.original.sha256.0 {
            return Err(Error::new(
                Kind::Unsupported,
                format!(
                    "what stands before the patch in {} should have the digest {}, but has {sha}",
                    image.path().display(),
                    manifest.original.sha256
                ),
            )
            .with_hint("it was damaged since the patch; install Docker again"));
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

/// The proxy in the original, wherever that is. It is told and decides nothing, so it fails nothing.
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

/// The backup beside an image that Baleen did not patch, where it is that very image, by another name or byte for byte: left
/// there by a Baleen that was killed before it changed the image.
///
/// # Errors
/// When one of the two can't be read.
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
            Sha::of_file(file, image.length()).map_err(|error| Error::io("read", path, &error))
        };
        sha(image.file(), image.path())? == sha(&file, &backup)?
    };
    Ok(is_the_image.then_some(backup))
}

/// Whether an image that has no mark of a patch holds one anyway. One that can't be read to
/// its end holds nothing that could be given back.
fn holds_block(image: &Image) -> bool {
    find::find(image.section(), SCRIPT.as_bytes(), MAX_SCRIPT_LEN)
        .ok()
        .and_then(|(_, found)| found?.body)
        .is_some_and(|script| Script::parse(&script).is_ok_and(|script| script.block().is_some()))
}

/// The identity of the file at `path` if its digest is that of the original.
pub(super) fn original_at(path: &Path, original: &Original) -> Result<Option<Identity>> {
    let may_be = |found: Metadata| found.is_file() && found.len() == original.bytes;
    if !path.symlink_metadata().is_ok_and(may_be) {
        return Ok(None);
    }
    let (file, metadata) = files::open_regular(path)?;
    let sha =
        Sha::of_file(&file, metadata.len()).map_err(|error| Error::io("read", path, &error))?;
    Ok((sha == original.sha256.0).then(|| Identity::of(&metadata)))
}

/// Carries out `restore`, with the image's folder locked. What it returns did not go as it should,
/// though the original is back.
///
/// # Errors
/// When anything is not as it was when the plan was made, or a write fails; the image is then as it was.
pub fn restore(restore: &RestoreChange, lock: &Lock) -> Result<Option<String>> {
    let place = restore.image.path();
    match &restore.from {
        OriginalLocation::Backup(path, hashed) => {
            restore.before.check()?;
            let found = Identity::at(path).map_err(|error| Error::io("read", path, &error))?;
            if found != Some(*hashed) {
                return Err(files::replaced(path));
            }
            own(path, restore)?;
            files::rename(path, place)?;
        }
        OriginalLocation::Prefix => {
            let original = &restore.manifest.original;
            let staging = lock.staging()?;
            let new = staging.path().join("initrd.img");
            let file = files::copy_prefix(place, &new, original)?;
            let like = restore.image.metadata();
            files::finish_proved(&file, &new, like, original.mode, (place, original))?;
            restore.before.check()?;
            files::rename(&new, place)?;
        }
    }
    Ok(lock.flush().err().map(|error| {
        format!("{error}; until the system has written it by itself, a power cut may bring the patched image back")
    }))
}

/// Gives a backup that someone else made, with the right bytes, the owner and permissions that
/// the image had as well.
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
