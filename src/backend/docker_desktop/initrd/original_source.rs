//! The location of the original's bytes: the image itself, or the backup beside it.

use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};

use super::error::{PatchError, Result};
use super::files::{self, Identity};
use super::image::{Image, Patched};
use super::manifest::Original;
use crate::digest::Sha;

/// The location of the original's bytes: the image without Baleen's patch.
#[derive(Debug)]
pub(super) struct OriginalSource {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) metadata: Metadata,
    /// True if the whole image is the original.
    pub(super) is_whole_image: bool,
}

/// Returns the location of the original: the image itself, or, after a rebuild, its backup.
pub(super) fn source(image: &Image, patched: &Patched) -> Result<OriginalSource> {
    let (path, is_whole_image) = match patched {
        Patched::No => (image.path().to_owned(), true),
        Patched::Appended { .. } => (image.path().to_owned(), false),
        Patched::Rebuilt { .. } => (image.backup_path(), false),
    };
    let (file, metadata) = files::open_regular(&path).map_err(|error| {
        if *patched == Patched::No || path == image.path() {
            return error;
        }
        let source = Box::new(error);
        PatchError::NoOriginal { source }
    })?;
    if let Patched::Rebuilt { manifest } = patched
        && metadata.len() != manifest.original.bytes
    {
        return Err(PatchError::OtherBackup { path });
    }
    Ok(OriginalSource {
        path,
        file,
        metadata,
        is_whole_image,
    })
}

/// Returns whether the file at `path` is a regular one with the length of the original.
pub(super) fn may_be_original(path: &Path, original: &Original) -> bool {
    let may_be = |found: Metadata| found.is_file() && found.len() == original.bytes;
    path.symlink_metadata().is_ok_and(may_be)
}

/// Returns the identity of the file at `path` if its digest is that of the original.
pub(super) fn original_at(path: &Path, original: &Original) -> Result<Option<Identity>> {
    if !may_be_original(path, original) {
        return Ok(None);
    }
    let (file, metadata) = files::open_regular(path)?;
    let sha = Sha::of_file(&file, metadata.len())
        .map_err(|error| PatchError::file("read", path, error))?;
    Ok((sha == original.sha256.0).then(|| Identity::of(&metadata)))
}
