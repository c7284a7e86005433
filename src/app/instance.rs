//! One Baleen that acts by itself, for each user. A second one hands over to the first, and ends.
//!
//! The first holds the system's lock on a file, which nobody holds any more after a kill, and listens on a
//! socket beside it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::error::{Error, Result};

/// What a second one says to the first.
const HELLO: &[u8] = b"hello";
/// How long the first may take to listen.
const PATIENCE: Duration = Duration::from_secs(5);

/// The hold on being the one.
#[derive(Debug)]
pub struct Instance {
    _lock: File,
    socket: PathBuf,
}

/// Whether this is the first one.
#[derive(Debug)]
pub enum Claim {
    /// It is.
    First(Instance),
    /// Another one runs: this is what it is, as in "the app (process 7)".
    Taken(String),
}

impl Instance {
    /// Tries to be the one Baleen that keeps its things in `state`; `what` this one is, is told to others.
    ///
    /// # Errors
    /// When the folder can't be written in.
    pub fn claim(state: &Path, what: &str) -> Result<Claim> {
        fs::create_dir_all(state).map_err(|error| Error::io("make", state, &error))?;
        let path = state.join("agent.lock");
        let failed = |error: &io::Error| Error::io("write", &path, error);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| failed(&error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut who = String::new();
                // It may be about to write who it is.
                let _ = lock.read_to_string(&mut who);
                return Ok(Claim::Taken(who.trim().to_owned()));
            }
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path, &error)),
        }
        lock.set_len(0)
            .and_then(|()| writeln!(lock, "{what} (process {})", std::process::id()))
            .map_err(|error| failed(&error))?;
        Ok(Claim::First(Self {
            _lock: lock,
            socket: socket(state),
        }))
    }

    /// Calls `on_hello`, on a thread of its own, whenever another one says hello.
    pub fn listen(&self, on_hello: impl Fn() + Send + 'static) {
        // What is there was left by one that was killed.
        let _ = fs::remove_file(&self.socket);
        let listener = match UnixListener::bind(&self.socket) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::warn!(
                    "a second Baleen can't hand over: {}: {error}",
                    self.socket.display()
                );
                return;
            }
        };
        let spawned = thread::Builder::new()
            .name("hello".to_owned())
            .spawn(move || {
                for stream in listener.incoming() {
                    // An error would come again at once.
                    let Ok(stream) = stream else {
                        thread::sleep(PATIENCE);
                        continue;
                    };
                    if says_hello(stream) {
                        on_hello();
                    }
                }
            });
        if let Err(error) = spawned {
            tracing::warn!("a second Baleen can't hand over: {error}");
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // What is left behind does no harm.
        let _ = fs::remove_file(&self.socket);
    }
}

/// Says hello to the one that runs; whether that listens.
pub fn hello(state: &Path) -> bool {
    let step = PATIENCE / 50;
    (0..50).any(|_| {
        let said =
            UnixStream::connect(socket(state)).and_then(|mut stream| stream.write_all(HELLO));
        if said.is_err() {
            thread::sleep(step);
        }
        said.is_ok()
    })
}

fn socket(state: &Path) -> PathBuf {
    state.join("agent.socket")
}

fn says_hello(mut stream: UnixStream) -> bool {
    let mut said = [0; HELLO.len()];
    stream.set_read_timeout(Some(PATIENCE)).is_ok()
        && stream.read_exact(&mut said).is_ok()
        && said == HELLO
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn the_second_one_hands_over_to_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("new");
        let Claim::First(first) = Instance::claim(&state, "the app").unwrap() else {
            panic!("nobody else is there");
        };
        let (sender, heard) = mpsc::channel();
        first.listen(move || sender.send(()).unwrap());
        let Claim::Taken(who) = Instance::claim(&state, "another").unwrap() else {
            panic!("there is one");
        };
        assert_eq!(who, format!("the app (process {})", std::process::id()));
        assert!(hello(&state));
        heard.recv().unwrap();
        // Somebody who connects and says something else is none of us.
        let mut stranger = UnixStream::connect(socket(&state)).unwrap();
        stranger.write_all(b"howdy").unwrap();
        assert!(hello(&state));
        heard.recv().unwrap();
        assert!(heard.try_recv().is_err());
        drop(first);
        assert!(matches!(
            Instance::claim(&state, "x").unwrap(),
            Claim::First(_)
        ));
    }
}
