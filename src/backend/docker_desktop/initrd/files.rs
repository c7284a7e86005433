//! Files that must never be lost: identities, copies, and atomic replacement.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use tempfile::TempDir;

use crate::error::IoError;
use crate::platform;
use crate::storage::TEMP_PREFIX;
use crate::util::locked;

use super::error::{OtherFile, PatchError, Result};
use super::manifest::Original;
use crate::digest::{Hasher, Sha};

/// Suffix of the backup: the original is kept beside the image under its name plus this suffix, as
/// in the recipe of 2016.
pub(crate) const BACKUP_SUFFIX: &str = "-backup";

/// The identity and state of a file: two are equal only if it is the same file and no one wrote to
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl Identity {
    /// Returns the identity of the file at `path` without following links, or `None` if nothing
    /// exists there.
    pub(super) fn at(path: &Path) -> io::Result<Option<Self>> {
        match path.symlink_metadata() {
            Ok(metadata) => Ok(Some(Self::of(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }

    /// Returns whether both are names of the same file.
    pub(super) fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// Returns the folder that holds `path`.
pub(super) fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

/// Returns `path` with `suffix` appended to its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

/// Returns the path of the backup of the image at `image`.
pub(crate) fn backup_of(image: &Path) -> PathBuf {
    beside(image, BACKUP_SUFFIX)
}

/// Creates a new folder in `folder` that only its owner can enter: staged files may hold a
/// password.
pub(super) fn staging(folder: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix(TEMP_PREFIX)
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(folder)
}

/// Opens a regular file. Refuses a symbolic link: a rename would replace the link, not the file
/// behind it.
pub(super) fn open_regular(path: &Path) -> Result<(File, Metadata)> {
    let at_path = path
        .symlink_metadata()
        .map_err(|error| PatchError::file("read", path, error))?;
    if !at_path.is_file() {
        let found = if at_path.is_symlink() {
            OtherFile::Symlink
        } else if at_path.is_dir() {
            OtherFile::Folder
        } else {
            OtherFile::Special
        };
        let path = path.to_owned();
        return Err(PatchError::NotAFile { path, found });
    }
    let file = File::open(path).map_err(|error| PatchError::file("read", path, error))?;
    let metadata = file
        .metadata()
        .map_err(|error| PatchError::file("read", path, error))?;
    if !Identity::of(&metadata).is_same_file(&Identity::of(&at_path)) {
        return Err(PatchError::replaced(path));
    }
    Ok((file, metadata))
}

/// Copies the first bytes of `from`, which should be the original, to `to`, with the attributes of
/// `from`. The copy is open for reading and writing. [`prove`] checks that it is the original.
pub(super) fn copy_prefix(from: &Path, to: &Path, original: &Original) -> Result<File> {
    copy_telling(from, to, original, &|_| {})
}

/// Does the same, and calls `copied` with the number of bytes that can be read from the copy.
fn copy_telling(from: &Path, to: &Path, original: &Original, copied: &dyn Fn(u64)) -> Result<File> {
    let copying = |error: io::Error| PatchError::file("write", to, error);
    platform::copy_file(from, to, copied).map_err(|error| match from.symlink_metadata() {
        // The file existed when the plan was made.
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => PatchError::replaced(from),
        _ => copying(error),
    })?;
    let file = reopen(to)?;
    let length = file.metadata().map_err(copying)?.len();
    if length < original.bytes {
        return Err(PatchError::replaced(from));
    }
    if length > original.bytes {
        file.set_len(original.bytes).map_err(copying)?;
    }
    copied(original.bytes);
    Ok(file)
}

/// Copies the original, which `from` begins with, to `to`, calls `add` with the copy, and makes it durable with the owner
/// of `like` and the permissions `mode`. The copy is read back and proved as it grows: copying and flushing are
/// limited by the disk, hashing by the processor.
pub(super) fn copy_proved<T>(
    (from, original): (&Path, &Original),
    to: &Path,
    like: &Metadata,
    mode: u32,
    add: impl FnOnce(&mut File) -> Result<T>,
) -> Result<T> {
    let copied = Copied::default();
    thread::scope(|scope| {
        let proved = scope.spawn(|| copied.prove(from, to, original));
        scope.spawn(|| copied.flush(to));
        let copy = copy_telling(from, to, original, &|bytes| copied.set(bytes));
        copied.end();
        // An incomplete copy proves nothing about the original.
        let mut copy = copy?;
        let finished =
            add(&mut copy).and_then(|added| finish(&copy, to, like, mode).map(|()| added));
        // A wrong file is reported first: it explains more than an error about writing it.
        proved
            .join()
            .unwrap_or_else(|_| Err(PatchError::replaced(from)))?;
        finished
    })
}

/// The number of bytes to copy before they are flushed.
const FLUSHED_AT_ONCE: u64 = 8 << 20;

/// How much of a copy can be read already.
#[derive(Debug, Default)]
struct Copied {
    /// Bytes, and whether there will be no more.
    progress: Mutex<(u64, bool)>,
    changed: Condvar,
}

impl Copied {
    fn set(&self, bytes: u64) {
        self.progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .0 = bytes;
        self.changed.notify_all();
    }

    fn end(&self) {
        self.progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .1 = true;
        self.changed.notify_all();
    }

    /// Waits until byte `at` can be read. Returns the number of bytes that can be; no more than `at` if there won't be any.
    fn wait_beyond(&self, at: u64) -> u64 {
        let progress = locked(&self.progress);
        let waited = self
            .changed
            .wait_while(progress, |(bytes, is_end)| *bytes <= at && !*is_end);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Flushes the copy at `to` as it grows, so that less is left to flush at its end. A failure is met there again.
    fn flush(&self, to: &Path) {
        let mut flushed = 0;
        let mut copy = None;
        loop {
            let bytes = self.wait_beyond(flushed + FLUSHED_AT_ONCE);
            if bytes <= flushed + FLUSHED_AT_ONCE {
                return;
            }
            if copy.is_none() {
                copy = File::open(to).ok();
            }
            if copy.as_ref().is_none_or(|copy| copy.sync_data().is_err()) {
                return;
            }
            flushed = bytes;
        }
    }

    /// Reads the copy at `to` back as it grows. Fails unless it begins with the original.
    fn prove(&self, from: &Path, to: &Path, original: &Original) -> Result<()> {
        let read_back = |error| PatchError::file("read back", to, error);
        self.wait_beyond(0);
        let file = File::open(to).map_err(read_back)?;
        let mut hasher = Hasher::default();
        while hasher.bytes() < original.bytes {
            let end = self.wait_beyond(hasher.bytes()).min(original.bytes);
            if end <= hasher.bytes() {
                return Err(PatchError::replaced(from));
            }
            hasher.read(&file, end).map_err(read_back)?;
        }
        match hasher.finish() == original.sha256.0 {
            true => Ok(()),
            false => Err(PatchError::replaced(from)),
        }
    }
}

/// Reads `file` back. Fails unless it begins with the original, which was copied from `from`.
pub(super) fn prove(file: &File, path: &Path, from: &Path, original: &Original) -> Result<()> {
    match Sha::of_file(file, original.bytes) {
        Ok(sha) if sha == original.sha256.0 => Ok(()),
        Ok(_) => Err(PatchError::replaced(from)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(PatchError::replaced(from))
        }
        Err(error) => Err(PatchError::file("read back", path, error)),
    }
}

/// Opens a staged file for reading and writing, regardless of the permissions it was copied with.
fn reopen(path: &Path) -> Result<File> {
    fs::set_permissions(path, Permissions::from_mode(0o600))
        .and_then(|()| OpenOptions::new().read(true).write(true).open(path))
        .map_err(|error| PatchError::file("open", path, error))
}

/// Gives `file` the owner of `like` and the permissions `mode`, and makes it durable.
pub(super) fn finish(file: &File, path: &Path, like: &Metadata, mode: u32) -> Result<()> {
    let own = file
        .metadata()
        .map_err(|error| PatchError::file("read", path, error))?;
    if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
        fchown(file, Some(like.uid()), Some(like.gid())).map_err(|error| {
            let tried = "give the owner and group of the boot image to";
            // A missing permission to change apps was reported earlier.
            PatchError::OwnerNotGiven(IoError::new(tried, path, error).into())
        })?;
    }
    file.set_permissions(Permissions::from_mode(mode))
        .map_err(|error| PatchError::file("set the permissions of", path, error))?;
    // On macOS `sync_all` is F_FULLFSYNC, so the drive's own cache is flushed as well.
    file.sync_all()
        .map_err(|error| PatchError::file("flush", path, error))
}

/// Renames `from` to `to` and replaces an existing file there.
pub(super) fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to)
        .map_err(|error| PatchError::file("put a new file in the place of", to, error))
}
