//! An image without Baleen's patch: Docker's own, or one in which a proxy was set by hand. Which of the two it is can
//! only be told by reading its script, for which the whole image is unpacked.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::initrd::{Section, find};

use super::files::{self, BACKUP_SUFFIX};
use super::image::{Image, Patched};
use super::script::{LONGEST_SCRIPT, SCRIPT, Script};

/// The proxy in an image without Baleen's patch, as far as it was looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unpatched {
    /// The script was not read, or is not one that Baleen knows.
    #[default]
    Unchecked,
    /// The script sets no proxy by itself: the image is taken for Docker's own.
    Clean,
    /// The first line of the script that sets a proxy, without passwords.
    ByHand(String),
}

impl Unpatched {
    /// The result of reading the image in `section`.
    pub(super) fn read(section: Section<'_>) -> Self {
        let script = match find::find(section, SCRIPT.as_bytes(), LONGEST_SCRIPT) {
            Ok((_, Some(found))) => found.body.unwrap_or_default(),
            Ok((_, None)) | Err(_) => return Self::Unchecked,
        };
        Self::of_script(&script)
    }

    fn of_script(script: &[u8]) -> Self {
        match Script::parse(script) {
            Ok(script) if script.block().is_none() => match script.foreign().first() {
                Some(line) => Self::ByHand(line.shown.clone()),
                None => Self::Clean,
            },
            Ok(_) | Err(_) => Self::Unchecked,
        }
    }

    /// The line that sets a proxy by hand.
    pub fn by_hand(&self) -> Option<&str> {
        match self {
            Self::ByHand(line) => Some(line),
            Self::Unchecked | Self::Clean => None,
        }
    }

    /// The image as the object of a sentence, after it took the place of a patched one.
    pub fn in_words(&self) -> String {
        match self {
            Self::Clean => "its own image".to_owned(),
            Self::Unchecked => "the image that it had before Baleen".to_owned(),
            Self::ByHand(line) => format!(
                "the image that it had before Baleen, in which a proxy is set by hand ({line})"
            ),
        }
    }
}

/// What was found in one image, so that it does not have to be read again: as long as the file is the same.
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

    /// What was found, if it was in this very image.
    pub(super) fn of(&self, image: &Image) -> Option<&Unpatched> {
        (*self == Self::new(image, self.found.clone())).then_some(&self.found)
    }
}

/// An image that sets no proxy, kept beside the image at `image`: `initrd.img-backup`, or one that was moved out of the way
/// of that name.
pub fn stock_beside(image: &Path) -> Option<PathBuf> {
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
            && Unpatched::read(other.section()) == Unpatched::Clean
    })
}

/// What would have Docker start without a proxy that was set by hand in the image at `image`.
pub fn way_out(image: &Path) -> String {
    match stock_beside(image) {
        Some(stock) => format!(
            "{} is an image without a proxy: to use it, quit Docker, then mv '{}' '{}'",
            stock.file_name().unwrap_or_default().display(),
            stock.display(),
            image.display()
        ),
        None => "installing Docker again takes it out".to_owned(),
    }
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
                Unpatched::ByHand("export HTTP_PROXY=http://me:***@hand.corp:3128".to_owned()),
            ),
            ("#!/bin/sh\nexec dockerd\n".to_owned(), Unpatched::Unchecked),
            (String::new(), Unpatched::Unchecked),
        ] {
            assert_eq!(Unpatched::of_script(text.as_bytes()), expected, "{text}");
        }
    }
}
