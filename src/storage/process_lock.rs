//! A lock that one process holds as long as it lives, and that names its holder to others.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::IoError;
use crate::util::poll_until;

/// Interval between polls for the end of the holder.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Time for which a claim is repeated, since a process that only looks for the holder locks the file for a moment.
const CLAIM_PATIENCE: Duration = Duration::from_millis(200);
/// Interval between repetitions of a claim.
const CLAIM_INTERVAL: Duration = Duration::from_millis(5);

/// The system's lock on a file, which a kill releases.
#[derive(Debug)]
pub(crate) struct ProcessLock {
    file: File,
}

/// The result of a claim.
#[derive(Debug)]
pub(crate) enum LockClaim {
    /// The lock is held by this process now.
    Held(ProcessLock),
    /// Another process holds it, with this description, as in "the app (process 7)".
    Taken(String),
}

/// What came of waiting for the end of the holder.
#[derive(Debug)]
pub(crate) enum Waited {
    /// No process ever held the lock.
    NoFile,
    /// The lock is held by this process now.
    Held(ProcessLock),
    /// This process still holds it.
    StillTaken(String),
}

impl ProcessLock {
    /// Tries to get the lock on the file at `path`, and creates its folder. `what` describes this process to others.
    ///
    /// # Errors
    /// When the file can't be written or locked.
    pub(crate) fn claim(path: &Path, what: &str) -> Result<LockClaim, IoError> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| IoError::new("make", folder, error))?;
        }
        let failed = |error| IoError::new("write", path, error);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        let mut locked = Err(TryLockError::WouldBlock);
        poll_until(Instant::now() + CLAIM_PATIENCE, CLAIM_INTERVAL, || {
            locked = file.try_lock();
            !matches!(locked, Err(TryLockError::WouldBlock))
        });
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(LockClaim::Taken(holder(&mut file))),
            Err(TryLockError::Error(error)) => return Err(IoError::new("lock", path, error)),
        }
        write_holder(&mut file, what).map_err(failed)?;
        Ok(LockClaim::Held(Self { file }))
    }

    /// Returns the description of the process that holds the lock, if any. Creates no files.
    pub(crate) fn holder(path: &Path) -> Option<String> {
        // `wait` reports a file that can't be opened.
        let mut file = File::open(path).ok()?;
        // Shared, so that of two processes that look neither takes the other one for the holder.
        let is_taken = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
        is_taken.then(|| holder(&mut file))
    }

    /// Waits until no other process holds the lock, and then holds it as `what`. Calls `ask` before each wait: it asks the
    /// holder to end. If no process ever held it, there is no file, and none is created.
    ///
    /// # Errors
    /// When the file can't be opened or locked.
    pub(crate) fn wait(
        path: &Path,
        what: &str,
        patience: Duration,
        mut ask: impl FnMut(),
    ) -> Result<Waited, IoError> {
        // A file that is not writable can be locked anyway.
        let opened = OpenOptions::new().read(true).write(true).open(path);
        let mut file = match opened.or_else(|_| File::open(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Waited::NoFile),
            opened => opened.map_err(|error| IoError::new("open", path, error))?,
        };
        let mut failed = None;
        let is_free = poll_until(Instant::now() + patience, POLL_INTERVAL, || {
            match file.try_lock() {
                Ok(()) => true,
                Err(TryLockError::WouldBlock) => {
                    ask();
                    false
                }
                Err(TryLockError::Error(error)) => {
                    failed = Some(error);
                    true
                }
            }
        });
        match failed {
            Some(error) => Err(IoError::new("lock", path, error)),
            None if is_free => {
                // If this fails, other processes don't learn who holds the lock.
                let _ = write_holder(&mut file, what);
                Ok(Waited::Held(Self { file }))
            }
            None => Ok(Waited::StillTaken(holder(&mut file))),
        }
    }

    /// Returns the identity of the locked file, if the system tells it.
    pub(crate) fn id(&self) -> Option<FileId> {
        self.file.metadata().ok().map(|found| FileId::of(&found))
    }

    /// Returns the locked file. The lock is held until it is closed.
    pub(crate) fn into_file(self) -> File {
        self.file
    }
}

/// What tells one file from another one that takes its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId(u64, u64);

impl FileId {
    fn of(found: &Metadata) -> Self {
        Self(found.dev(), found.ino())
    }

    /// Returns the identity of the file at `path`, if there is one. A link is not followed.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        path.symlink_metadata().ok().map(|found| Self::of(&found))
    }
}

/// Writes the holder's description into the lock file.
fn write_holder(file: &mut File, what: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{what} (process {})", std::process::id())
}

/// Reads the holder's description from the lock file.
fn holder(file: &mut File) -> String {
    let mut who = String::new();
    // The holder may not have written its description yet.
    let _ = file.rewind().and_then(|()| file.read_to_string(&mut who));
    who.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// Those who only look are in the way neither of each other nor of a process that starts.
    #[test]
    fn a_look_is_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock");
        let LockClaim::Held(dead) = ProcessLock::claim(&path, "the dead").unwrap() else {
            panic!("a new lock is taken");
        };
        drop(dead);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        assert_eq!(ProcessLock::holder(&path), None);
                    }
                });
            }
        });
        let is_over = std::sync::atomic::AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                        ProcessLock::holder(&path);
                    }
                });
            }
            let claims: Vec<bool> = (0..200)
                .map(|_| matches!(ProcessLock::claim(&path, "x"), Ok(LockClaim::Held(_))))
                .collect();
            is_over.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(claims.iter().all(|is_held| *is_held), "{claims:?}");
        });
    }
}
