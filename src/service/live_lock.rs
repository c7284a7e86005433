//! The lock that tells the menu-bar app that a command in a terminal is changing an engine and
//! updating it while it runs. Until that is done, the app must not report or fix the intermediate
//! state.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::util::poll_until;

/// Time for which the lock has to be taken to be seen.
const LOOK_PATIENCE: Duration = Duration::from_millis(50);
/// Interval between looks in that time.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Held from before the engine is changed until the running one is updated, or the update has failed. It is
/// the system's lock on a file, so a killed process holds nothing.
#[derive(Debug)]
pub struct LiveLock {
    _lock: File,
}

impl LiveLock {
    /// The name of the file with the lock.
    pub const FILE: &str = "live.lock";

    /// Takes the lock in `state`. Several processes may hold it at once.
    ///
    /// # Errors
    /// When the folder is not writable.
    pub fn begin(state: &Path) -> io::Result<Self> {
        fs::create_dir_all(state)?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(state.join(Self::FILE))?;
        lock.lock_shared()?;
        Ok(Self { _lock: lock })
    }

    /// Returns whether any process holds the lock.
    pub fn is_seen(state: &Path) -> bool {
        let Ok(lock) = File::open(state.join(Self::FILE)) else {
            return false;
        };
        // Another process that looks has it for a moment, too.
        !poll_until(Instant::now() + LOOK_PATIENCE, LOOK_INTERVAL, || {
            !matches!(lock.try_lock(), Err(TryLockError::WouldBlock))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_seen_as_long_as_another_user_gives_it() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        assert!(!LiveLock::is_seen(&state));
        let one = LiveLock::begin(&state).unwrap();
        let other = LiveLock::begin(&state).unwrap();
        assert!(LiveLock::is_seen(&state));
        drop(one);
        assert!(LiveLock::is_seen(&state));
        drop(other);
        assert!(!LiveLock::is_seen(&state));
    }

    /// The menu-bar app and a command may look at once.
    #[test]
    fn another_look_is_not_taken_for_a_holder() {
        let dir = tempfile::tempdir().unwrap();
        drop(LiveLock::begin(dir.path()).unwrap());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        assert!(!LiveLock::is_seen(dir.path()));
                    }
                });
            }
        });
    }
}
