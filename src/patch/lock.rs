//! One Baleen at a time on one image.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Error, Kind, Result};
use crate::storage::is_temporary;

use super::files;

/// The hold on the folder of an image. It is the system's lock on the folder itself, so no file is
/// left behind and a Baleen that was killed holds nothing.
#[derive(Debug)]
pub struct Lock {
    folder: PathBuf,
    handle: File,
}

impl Lock {
    /// Takes the folder of the image at `image`, and clears away what a killed run left there.
    ///
    /// # Errors
    /// [`Kind::Busy`] when another Baleen has it.
    pub fn acquire(image: &Path) -> Result<Self> {
        let folder = files::folder(image).to_owned();
        let handle = File::open(&folder).map_err(|error| Error::io("open", &folder, &error))?;
        match handle.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(
                    Kind::Busy,
                    format!("another Baleen is at work in {}", folder.display()),
                )
                .with_hint("wait until it is done"));
            }
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", &folder, &error)),
        }
        let lock = Self { folder, handle };
        // What can't be cleared away is in no one's way: each run has a folder of its own.
        let _ = lock.sweep();
        Ok(lock)
    }

    /// A private folder beside the image for files that are not finished.
    pub(super) fn staging(&self) -> Result<TempDir> {
        files::staging(&self.folder).map_err(|error| Error::io("write in", &self.folder, &error))
    }

    /// Makes renames in the folder durable.
    pub(super) fn flush(&self) -> Result<()> {
        self.handle
            .sync_all()
            .map_err(|error| Error::io("flush", &self.folder, &error))
    }

    /// Whatever is staged belongs to a run that is dead, since this one has the lock.
    fn sweep(&self) -> io::Result<()> {
        for staged in staged(&self.folder)? {
            let _ = fs::remove_dir_all(staged);
        }
        Ok(())
    }
}

/// What was staged in `folder` and is still there.
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

/// What is staged beside the image at `image`: by a Baleen at work there, or by one that was killed, which the next
/// [`Lock`] clears away.
pub fn unfinished(image: &Path) -> Vec<PathBuf> {
    // A folder that can't be read is told of by anyone who has to work in it.
    staged(files::folder(image)).unwrap_or_default()
}
