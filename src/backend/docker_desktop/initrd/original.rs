//! An image without Baleen's patch: Docker's own, or one in which someone set a proxy by hand. Only
//! the script shows which of the two it is, and reading the script unpacks the whole image.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::initrd::{FileRange, find};

use crate::backend::Unpatched;

use super::files::{self, BACKUP_SUFFIX};
use super::image::{Image, Patched};
use super::script::{MAX_SCRIPT_LEN, SCRIPT, Script};

impl Unpatched {
    /// Reads the image in `section`, which is now at `place` or will be.
    pub(super) fn read(section: FileRange<'_>, place: &Path) -> Self {
        Self::read_alone(section).beside(place)
    }

    /// Returns the proxy that `script` of the image at `place` sets by itself.
    pub(super) fn of(script: &Script, place: &Path) -> Self {
        Self::in_script(script).beside(place)
    }

    fn beside(self, place: &Path) -> Self {
        match self {
            Self::ByHand { line, .. } => Self::ByHand {
                line,
                stock: stock_beside(place),
            },
            other => other,
        }
    }

    fn read_alone(section: FileRange<'_>) -> Self {
        let script = match find::find(section, SCRIPT.as_bytes(), MAX_SCRIPT_LEN) {
            Ok((_, Some(found))) => found.body.unwrap_or_default(),
            Ok((_, None)) | Err(_) => return Self::Unchecked,
        };
        Self::of_script(&script)
    }

    fn of_script(script: &[u8]) -> Self {
        match Script::parse(script) {
            Ok(script) if script.block().is_none() => Self::in_script(&script),
            Ok(_) | Err(_) => Self::Unchecked,
        }
    }

    fn in_script(script: &Script) -> Self {
        match script.foreign().first() {
            Some(line) => Self::ByHand {
                line: line.shown.clone(),
                stock: None,
            },
            None => Self::Clean,
        }
    }
}

/// The result of checking one image. It is valid as long as the file is the same, so the image does
/// not have to be read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checked {
    bytes: u64,
    inode: u64,
    modified: (i64, i64),
    found: Unpatched,
}

impl Checked {
    pub(super) fn new(image: &Image, found: Unpatched) -> Self {
        let metadata = image.metadata();
        Self {
            bytes: metadata.len(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            found,
        }
    }

    /// Returns the result if it belongs to exactly this image file.
    pub(super) fn of(&self, image: &Image) -> Option<&Unpatched> {
        (*self == Self::new(image, self.found.clone())).then_some(&self.found)
    }
}

/// Returns an image that sets no proxy beside the image at `image`: `initrd.img-backup`, or an
/// earlier file of that name that was moved aside.
fn stock_beside(image: &Path) -> Option<PathBuf> {
    let name = format!("{}{BACKUP_SUFFIX}", image.file_name()?.to_str()?);
    let mut beside: Vec<PathBuf> = fs::read_dir(files::folder(image))
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let found = path.file_name().and_then(|found| found.to_str());
            found.is_some_and(|found| found.starts_with(&name))
        })
        .collect();
    beside.sort();
    beside.into_iter().find(|path| {
        let Ok(other) = Image::open(path) else {
            return false;
        };
        matches!(other.patched(), Ok(Patched::No))
            && Unpatched::read_alone(other.section()) == Unpatched::Clean
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_checked_before_its_image_is_called_dockers_own() {
        let script = |line: &str| format!("#!/sbin/openrc-run\n{line}\ncommand=/usr/bin/dockerd\n");
        for (text, expected) in [
            (script(""), Unpatched::Clean),
            (
                script("export http_proxy=\"$(mobyconfig get proxy/http)\""),
                Unpatched::Clean,
            ),
            (
                script("export HTTP_PROXY=http://me:secret@hand.corp:3128"),
                Unpatched::ByHand {
                    line: "export HTTP_PROXY=http://me:***@hand.corp:3128".to_owned(),
                    stock: None,
                },
            ),
            ("#!/bin/sh\nexec dockerd\n".to_owned(), Unpatched::Unchecked),
            (String::new(), Unpatched::Unchecked),
        ] {
            assert_eq!(Unpatched::of_script(text.as_bytes()), expected, "{text}");
        }
    }
}
