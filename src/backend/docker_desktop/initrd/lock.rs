//! The lock that lets only one Baleen at a time work on an image.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::storage::is_temporary;

use super::error::{PatchError, Result};
use super::files;

/// The lock on the folder of an image. The system locks the folder itself, so no lock file is left
/// behind, and a killed Baleen holds no lock.
#[derive(Debug)]
pub struct Lock {
    folder: PathBuf,
    handle: File,
}

impl Lock {
    /// Locks the folder of the image at `image`, and removes files that a killed run left there.
    ///
    /// # Errors
    /// [`PatchError::Locked`] when another Baleen holds the lock.
    pub fn acquire(image: &Path) -> Result<Self> {
        let folder = files::folder(image).to_owned();
        let handle =
            File::open(&folder).map_err(|error| PatchError::file("open", &folder, error))?;
        match handle.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(PatchError::Locked { folder });
            }
            Err(TryLockError::Error(error)) => {
                return Err(PatchError::file("lock", &folder, error));
            }
        }
        let lock = Self { folder, handle };
        // A leftover that can't be removed does no harm: each run has its own staging folder.
        let _ = lock.sweep();
        Ok(lock)
    }

    /// Creates a private folder beside the image for unfinished files.
    pub(super) fn staging(&self) -> Result<TempDir> {
        files::staging(&self.folder)
            .map_err(|error| PatchError::file("write in", &self.folder, error))
    }

    /// Makes renames in the folder durable.
    pub(super) fn flush(&self) -> Result<()> {
        self.handle
            .sync_all()
            .map_err(|error| PatchError::file("flush", &self.folder, error))
    }

    /// Removes all staged files. They belong to a dead run, since this run holds the lock.
    fn sweep(&self) -> io::Result<()> {
        for staged in staged(&self.folder)? {
            let _ = fs::remove_dir_all(staged);
        }
        Ok(())
    }
}

/// Returns the staging folders that exist in `folder`.
fn staged(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if is_temporary(&entry.file_name()) && entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Returns the staging folders beside the image at `image`. They belong to a Baleen that is working
/// there, or to a killed one; the next [`Lock`] removes those.
pub fn unfinished(image: &Path) -> Vec<PathBuf> {
    // An unreadable folder is not reported here: every operation that works in it reports it.
    staged(files::folder(image)).unwrap_or_default()
}
