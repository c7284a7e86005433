//! The image of a bundle on disk, and detection of Baleen's patch in it.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::backend::docker_desktop::{Bundle, Family};
use crate::config::Method;
use crate::initrd::append::{Overlay, find_overlay};
use crate::initrd::rebuild::{Start, find_added};
use crate::initrd::{self, FileRange, Header, find, same_path};

use super::error::{PatchError, Result};
use super::files::{self, Identity};
use super::manifest::{MANIFEST, Manifest};
use super::script::{SCRIPT, SecretBytes};

/// The file name in the gzip header of an appended member.
pub(super) const APPENDED: &str = "baleen-overlay";
/// Prefix of the file name in the first gzip header of a rebuilt image.
pub(super) const REBUILT: &str = "baleen-rebuilt";

/// An open image.
#[derive(Debug)]
pub struct Image {
    path: PathBuf,
    file: File,
    metadata: Metadata,
}

/// The kind of patch that Baleen made to an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Patched {
    /// No patch: the image is Docker's own, or someone else changed it.
    No,
    /// Baleen appended a member to the image.
    Appended {
        /// The manifest in the appended member.
        manifest: Manifest,
        /// The script in the appended member.
        script: SecretBytes,
        /// The header of the script.
        header: Header,
    },
    /// Baleen rewrote the member that holds the script.
    Rebuilt {
        /// The manifest of the image.
        manifest: Manifest,
    },
}

impl Patched {
    /// Returns the manifest, if the image is patched.
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
    /// When the path is not a regular file or can't be read.
    pub fn open(path: &Path) -> Result<Self> {
        let (file, metadata) = files::open_regular(path)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            metadata,
        })
    }

    /// The path of the image.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The metadata of the file when it was opened.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Returns the time since which the image has been in place: renaming a file updates its change
    /// time.
    pub fn since(&self) -> SystemTime {
        let (seconds, nanoseconds) = (self.metadata.ctime(), self.metadata.ctime_nsec());
        match (seconds.try_into(), nanoseconds.try_into()) {
            (Ok(seconds), Ok(nanoseconds)) => UNIX_EPOCH + Duration::new(seconds, nanoseconds),
            _ => UNIX_EPOCH,
        }
    }

    /// Length in bytes.
    pub fn length(&self) -> u64 {
        self.metadata.len()
    }

    /// Permission bits.
    pub fn mode(&self) -> u32 {
        self.metadata.mode() & 0o7777
    }

    pub(super) fn identity(&self) -> Identity {
        Identity::of(&self.metadata)
    }

    /// The whole image, from the start.
    pub fn section(&self) -> FileRange<'_> {
        FileRange::new(&self.file, 0, self.length())
    }

    /// The path of the backup that keeps its original.
    pub(crate) fn backup_path(&self) -> PathBuf {
        files::backup_of(&self.path)
    }

    /// Returns the kind of patch. Reads only the last and first bytes, so the time does not depend
    /// on the image's size, provided that the image starts with a gzip member, as Docker's do.
    ///
    /// # Errors
    /// When the image can't be read, or Baleen's patch is damaged or too new.
    pub fn patched(&self) -> Result<Patched> {
        let overlay = find_overlay(&self.file, self.length(), APPENDED)
            .map_err(|error| self.unreadable(error))?;
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
        // The manifest comes from a member that Baleen appended before another tool repacked the
        // whole image.
        if manifest.method != Method::Rebuild {
            return Ok(Patched::No);
        }
        Ok(Patched::Rebuilt { manifest })
    }

    /// The error for an image that Baleen can't use.
    pub(super) fn damaged(&self, error: initrd::Error) -> PatchError {
        PatchError::damaged(&self.path, error)
    }

    pub(super) fn unreadable(&self, error: io::Error) -> PatchError {
        PatchError::file("read", &self.path, error)
    }
}

/// Returns the path of the boot image of a bundle that Baleen can patch.
///
/// # Errors
/// [`Kind::Unsupported`](crate::error::Kind::Unsupported) for bundles of all other families. The error says where that Docker keeps
/// its own proxy setting.
pub fn image_of(bundle: &Bundle) -> Result<&Path> {
    match &bundle.family {
        Family::Moby { image } => Ok(image),
        _ => Err(bundle
            .refusal()
            .map_or(PatchError::OtherFamily, PatchError::NotPatched)),
    }
}

/// The error for an image that has Baleen's block in its script, but no manifest of a patch.
pub(super) fn unmarked(image: &Image) -> PatchError {
    PatchError::Unmarked {
        image: image.path().to_owned(),
        backup: image.backup_path(),
    }
}

fn appended(overlay: &Overlay) -> Result<Patched> {
    let file = |name: &str| {
        overlay
            .files
            .iter()
            .find(|file| same_path(&file.name, name.as_bytes()))
    };
    // Parse the manifest first: a newer Baleen may append other files, and that is not damage.
    let manifest = file(MANIFEST).map(|file| Manifest::parse(&file.body));
    let manifest = manifest.transpose()?;
    let (Some(script), Some(manifest), 2) = (file(SCRIPT), manifest, overlay.files.len()) else {
        return Err(PatchError::OtherMember);
    };
    if manifest.original.bytes != overlay.offset || manifest.method != Method::Append {
        return Err(PatchError::OtherLength {
            expected: manifest.original.bytes,
            found: overlay.offset,
        });
    }
    Ok(Patched::Appended {
        manifest,
        script: script.body.clone().into(),
        header: script.header,
    })
}
