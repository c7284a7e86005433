//! The script and the manifest in a boot image, as the kernel unpacks them.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::thread;

use crate::initrd::find::{self, Finder, Found, Sought};
use crate::initrd::{self, FileRange, FileType, Layout, ProgressReader};

use super::error::{OtherManifestEntry, OtherScriptEntry, PatchError, Result};
use super::manifest::MANIFEST;
use super::script::{self, MAX_SCRIPT_LEN, SCRIPT};
use crate::digest::Sha;

/// The entries of an image at the two paths that a patch writes to.
pub(super) struct Contents {
    script: Sought,
    manifest: Sought,
}

impl Contents {
    /// Reads an image to its end.
    ///
    /// # Errors
    /// Those of [`find::find_all`].
    pub(super) fn read<R: Read>(reader: R) -> std::result::Result<(Layout, Self), initrd::Error> {
        let finder = Finder::new(SCRIPT.as_bytes(), MAX_SCRIPT_LEN).and(MANIFEST.as_bytes(), 0);
        let (layout, mut sought) = find::find_all(reader, finder)?;
        let missing = || initrd::Error::NoResult;
        let manifest = sought.pop().ok_or_else(missing)?;
        let script = sought.pop().ok_or_else(missing)?;
        Ok((layout, Self { script, manifest }))
    }

    /// Returns the script as an entry that can be changed without side effects, the script's text,
    /// and the number of the entry in whose archive an added manifest takes effect.
    ///
    /// # Errors
    /// When the script or the manifest can't be written so that the kernel keeps it and nothing
    /// else changes.
    pub(super) fn usable(self, image: &Path) -> Result<(Found, script::SecretBytes, u64)> {
        let script = self.script.found;
        let script = script.map_err(|error| PatchError::damaged(image, error))?;
        let (script, text) = usable_script(image, script)?;
        let other = match self.manifest.standing {
            Some(found) if found.file_type != FileType::Regular => {
                Some(OtherManifestEntry::OtherType(found.file_type))
            }
            Some(found) if found.names > 1 => Some(OtherManifestEntry::OtherNames),
            _ => None,
        };
        if let Some(found) = other {
            let image = image.to_owned();
            return Err(PatchError::ManifestEntry { image, found });
        }
        let after = script.number.max(self.manifest.last.unwrap_or_default());
        Ok((script, text, after))
    }
}

/// Reads the first `length` bytes of the image in `file` in one pass. Another thread computes their
/// digest at the same time.
///
/// # Errors
/// When the image is damaged or can't be read; `path` names it in the error.
pub(super) fn read_and_hash(
    (file, path): (&File, &Path),
    length: u64,
    progress: &dyn Fn(u64),
) -> Result<(Layout, Contents, Sha)> {
    let section = ProgressReader::new(FileRange::new(file, 0, length), progress);
    let (found, sha) = thread::scope(|scope| {
        let sha = scope.spawn(|| Sha::of_file(file, length));
        let found = Contents::read(section);
        (found, sha.join())
    });
    let (layout, contents) = found.map_err(|error| PatchError::damaged(path, error))?;
    let sha = sha
        .unwrap_or_else(|_| Err(std::io::Error::other("the hashing thread ended early")))
        .map_err(|error| PatchError::file("read", path, error))?;
    Ok((layout, contents, sha))
}

/// Returns the script as an entry that can be changed without side effects.
pub(super) fn usable_script(
    image: &Path,
    found: Option<Found>,
) -> Result<(Found, script::SecretBytes)> {
    let refuse = |found| {
        let image = image.to_owned();
        Err(PatchError::ScriptEntry { image, found })
    };
    let Some(mut found) = found else {
        return refuse(OtherScriptEntry::Missing);
    };
    let kind = found.header.file_type();
    if kind != FileType::Regular {
        return refuse(OtherScriptEntry::OtherType(kind));
    }
    if found.hard_linked {
        return refuse(OtherScriptEntry::OtherNames);
    }
    match found.body.take() {
        Some(body) => Ok((found, body.into())),
        None => refuse(OtherScriptEntry::TooLong {
            length: found.header.file_size.into(),
        }),
    }
}
