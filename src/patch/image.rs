//! The image of a bundle as it is on disk, and what a quick look tells of it.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::{Error, Kind, Result};
use crate::initrd::append::{Overlay, find_overlay};
use crate::initrd::rebuild::{Start, find_added};
use crate::initrd::{self, FileRange, find, same_path};

use super::files::{self, Identity};
use super::manifest::{MANIFEST, Manifest, Method};
use super::script::{SCRIPT, SecretBytes};

/// The file name in the gzip header of an appended member.
pub(super) const APPENDED: &str = "baleen-overlay";
/// What the file name in the first gzip header of a rebuilt image begins with.
pub(super) const REBUILT: &str = "baleen-rebuilt";

/// An open image.
#[derive(Debug)]
pub struct Image {
    path: PathBuf,
    file: File,
    metadata: Metadata,
}

/// Whether and how Baleen patched an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Patched {
    /// It did not: the image is Docker's own, or someone else changed it.
    No,
    /// By a member behind the image.
    Appended {
        /// What it says about itself.
        manifest: Manifest,
        /// The script in it.
        script: SecretBytes,
    },
    /// By writing the script's member again.
    Rebuilt {
        /// What it says about itself.
        manifest: Manifest,
    },
}

impl Patched {
    /// The manifest, if there is one.
    pub fn manifest(&self) -> Option<&Manifest> {
        match self {
            Self::No => None,
            Self::Appended { manifest, .. } | Self::Rebuilt { manifest } => Some(manifest),
        }
    }
}

impl Image {
    /// Opens the image at `path`.
    ///
    /// # Errors
    /// When it is no regular file or can't be read.
    pub fn open(path: &Path) -> Result<Self> {
        let (file, metadata) = files::open_regular(path)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            metadata,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// What the system said of it when it was opened.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Since when it is there: a file gets a new time of change when it is renamed to its place.
    pub fn since(&self) -> SystemTime {
        let (seconds, nanoseconds) = (self.metadata.ctime(), self.metadata.ctime_nsec());
        match (seconds.try_into(), nanoseconds.try_into()) {
            (Ok(seconds), Ok(nanoseconds)) => UNIX_EPOCH + Duration::new(seconds, nanoseconds),
            _ => UNIX_EPOCH,
        }
    }

    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        self.metadata.len()
    }

    /// Its permission bits.
    pub fn mode(&self) -> u32 {
        self.metadata.mode() & 0o7777
    }

    pub(super) fn identity(&self) -> Identity {
        Identity::of(&self.metadata)
    }

    /// All of it, from the start.
    pub fn section(&self) -> FileRange<'_> {
        FileRange::new(&self.file, 0, self.length())
    }

    /// Where its original is kept.
    pub fn backup_path(&self) -> PathBuf {
        files::backup_of(&self.path)
    }

    /// What Baleen did to it, told from its last and first bytes alone: the time it takes does not
    /// depend on the image, as long as that starts with a gzip member, as Docker's do.
    ///
    /// # Errors
    /// When it can't be read, or what Baleen put there is damaged or too new.
    pub fn patched(&self) -> Result<Patched> {
        let overlay = find_overlay(&self.file, self.length(), APPENDED)
            .map_err(|error| self.unreadable(&error))?;
        if let Some(overlay) = overlay {
            return appended(&overlay);
        }
        let start = find_added(&self.file, self.length(), REBUILT, MANIFEST.as_bytes())
            .map_err(|error| self.damaged(error))?;
        let manifest = match start {
            Start::Unlabelled => return Ok(Patched::No),
            Start::Added(bytes) => Manifest::parse(&bytes)?,
            Start::Unknown => {
                let found = find::find(self.section(), MANIFEST.as_bytes(), 64 * 1024);
                match found.map_err(|error| self.damaged(error))? {
                    (_, Some(found)) => Manifest::parse(&found.body.unwrap_or_default())?,
                    (_, None) => return Ok(Patched::No),
                }
            }
        };
        // Of a member that Baleen appended, before another tool packed all of it together.
        if manifest.method != Method::Rebuild {
            return Ok(Patched::No);
        }
        Ok(Patched::Rebuilt { manifest })
    }

    /// The refusal for an image that can't be taken as one.
    pub(super) fn damaged(&self, error: initrd::Error) -> Error {
        damaged(&self.path, error)
    }

    pub(super) fn unreadable(&self, error: &io::Error) -> Error {
        Error::io("read", &self.path, error)
    }
}

/// The refusal for the file at `path`, which is not an image that can be taken as one.
pub(super) fn damaged(path: &Path, error: initrd::Error) -> Error {
    match error {
        initrd::Error::Io(error) => Error::io("read", path, &error),
        error if error.is_truncation() => Error::new(
            Kind::Busy,
            format!("{} is not a whole image: {error}", path.display()),
        )
        .with_hint(
            "if Docker is being updated, try again when that is done; else install Docker again",
        ),
        error @ initrd::Error::Bootconfig { .. } => Error::new(
            Kind::Unsupported,
            format!(
                "{} is not an image that Baleen can take: {error}",
                path.display()
            ),
        )
        .with_hint(
            "take it off (bootconfig -d), or install Docker again to have its own image back",
        ),
        error => Error::new(
            Kind::Unsupported,
            format!(
                "{} is not an image that Baleen can take: {error}",
                path.display()
            ),
        )
        .with_hint("it was left as it is; install Docker again to have its own image back"),
    }
}

fn appended(overlay: &Overlay) -> Result<Patched> {
    let body = |name: &str| {
        overlay
            .files
            .iter()
            .find(|file| same_path(&file.name, name.as_bytes()))
            .map(|file| file.body.clone())
    };
    // First of all: a newer Baleen may append something else, which is no damage.
    let manifest = body(MANIFEST).map(|bytes| Manifest::parse(&bytes));
    let manifest = manifest.transpose()?;
    let (Some(script), Some(manifest), 2) = (body(SCRIPT), manifest, overlay.files.len()) else {
        return Err(Error::new(
            Kind::Unsupported,
            "the member that Baleen appended should hold a script and a manifest and nothing else, but does not",
        )
        .with_hint("install Docker again to have its own image back"));
    };
    if manifest.original.bytes != overlay.offset || manifest.method != Method::Append {
        return Err(Error::new(
            Kind::Unsupported,
            format!(
                "the image should have {} bytes before the patch, as its manifest says, but has {}",
                manifest.original.bytes, overlay.offset
            ),
        )
        .with_hint("another tool changed it; install Docker again to have its own image back"));
    }
    Ok(Patched::Appended {
        manifest,
        script: script.into(),
    })
}
