//! The single-instance lock: for each user, only one Baleen acts by itself. A second one hands over to the
//! first, and ends.
//!
//! The first one holds the system's lock on a file, which a kill releases, and listens on a socket next to
//! it. A second instance reports its start there, and an uninstall asks the first one to quit.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{self, IoError};
use crate::storage::{LockClaim, ProcessLock, Waited};
use crate::util::poll_until;

use super::ServiceError;

/// Timeout for the first instance to listen.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Interval between polls.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// A message to the first instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// A second instance was started, and ends.
    Hello,
    /// The first instance must quit.
    Goodbye,
}

impl Message {
    const ALL: [Self; 2] = [Self::Hello, Self::Goodbye];

    fn bytes(self) -> &'static [u8] {
        match self {
            Self::Hello => b"hello",
            Self::Goodbye => b"goodbye",
        }
    }
}

/// The lock of the first instance.
#[derive(Debug)]
pub struct Instance {
    _lock: ProcessLock,
    socket: PathBuf,
}

/// The result of a claim.
#[derive(Debug)]
pub enum Claim {
    /// This is the first instance.
    First(Instance),
    /// Another instance runs, with this description, as in "the app (process 7)".
    Taken(String),
}

impl Instance {
    /// The name of the file with the lock.
    pub(crate) const LOCK: &str = "agent.lock";
    /// The name of the socket.
    pub(crate) const SOCKET: &str = "agent.socket";

    /// Tries to become the only instance for the folder `state`. `what` describes this instance to others.
    ///
    /// # Errors
    /// When the folder is not writable.
    pub fn claim(state: &Path, what: &str) -> Result<Claim, IoError> {
        Ok(match ProcessLock::claim(&state.join(Self::LOCK), what)? {
            LockClaim::Taken(who) => Claim::Taken(who),
            LockClaim::Held(lock) => Claim::First(Self {
                _lock: lock,
                socket: socket(state),
            }),
        })
    }

    /// Calls `on_word` on a separate thread for each message.
    pub fn listen(&self, on_word: impl Fn(Message) + Send + 'static) {
        // An existing socket was left by an instance that was killed.
        let _ = fs::remove_file(&self.socket);
        let listener = match UnixListener::bind(&self.socket) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::warn!(
                    "another Baleen can't be heard: {}: {error}",
                    self.socket.display()
                );
                return;
            }
        };
        let spawned = thread::Builder::new()
            .name("hello".to_owned())
            .spawn(move || {
                for stream in listener.incoming() {
                    // Without a pause, the error would come again at once.
                    let Ok(stream) = stream else {
                        thread::sleep(TIMEOUT);
                        continue;
                    };
                    if let Some(word) = recv(stream) {
                        on_word(word);
                    }
                }
            });
        if let Err(error) = spawned {
            tracing::warn!("another Baleen can't be heard: {error}");
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // A socket left behind does no harm.
        let _ = fs::remove_file(&self.socket);
    }
}

/// Sends a message to the running instance. Returns whether it listens.
pub fn send(state: &Path, word: Message) -> bool {
    poll_until(Instant::now() + TIMEOUT, POLL_INTERVAL, || {
        try_send(state, word)
    })
}

fn try_send(state: &Path, word: Message) -> bool {
    UnixStream::connect(socket(state))
        .and_then(|mut stream| stream.write_all(word.bytes()))
        .is_ok()
}

/// Returns the description of the running instance, if any, as in "the app (process 7)". Creates no files.
pub fn running(state: &Path) -> Option<String> {
    ProcessLock::holder(&state.join(Instance::LOCK))
}

/// Asks the running instance, if any, to quit, and waits until it has. While the returned lock is held, no
/// other instance can start; it reports `what` as the holder. If no instance ever ran, there is no lock
/// file, and none is created, since it would have to be removed and reported. In that case the very first
/// instance could start at the same time.
///
/// # Errors
/// When the instance does not quit within `patience`.
pub fn end(state: &Path, what: &str, patience: Duration) -> error::Result<Option<File>> {
    let mut has_heard = false;
    // The instance may not listen yet.
    let ask = || has_heard = has_heard || try_send(state, Message::Goodbye);
    match ProcessLock::wait(&state.join(Instance::LOCK), what, patience, ask)? {
        Waited::NoFile => Ok(None),
        Waited::Held(lock) => Ok(Some(lock.into_file())),
        Waited::StillTaken(who) => Err(ServiceError::StillRuns {
            who,
            after: patience,
        }
        .into()),
    }
}

fn socket(state: &Path) -> PathBuf {
    state.join(Instance::SOCKET)
}

/// Reads a message. Anything else does not come from a Baleen.
fn recv(stream: UnixStream) -> Option<Message> {
    let mut said = Vec::new();
    stream.set_read_timeout(Some(TIMEOUT)).ok()?;
    stream.take(16).read_to_end(&mut said).ok()?;
    Message::ALL.into_iter().find(|word| word.bytes() == said)
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
            panic!("no one else is there");
        };
        let (sender, heard) = mpsc::channel();
        first.listen(move |word| sender.send(word).unwrap());
        let Claim::Taken(who) = Instance::claim(&state, "another").unwrap() else {
            panic!("there is one");
        };
        assert_eq!(who, format!("the app (process {})", std::process::id()));
        assert_eq!(running(&state), Some(who));
        for word in Message::ALL {
            assert!(send(&state, word));
            assert_eq!(heard.recv().unwrap(), word);
            // A client that sends anything else is not a Baleen.
            for stranger in [&b"howdy"[..], b"hello you", b"hell", b""] {
                let mut stream = UnixStream::connect(socket(&state)).unwrap();
                stream.write_all(stranger).unwrap();
            }
        }
        drop(first);
        assert!(heard.try_recv().is_err());
        assert_eq!(running(&state), None);
        assert!(matches!(
            Instance::claim(&state, "x").unwrap(),
            Claim::First(_)
        ));
    }

    #[test]
    fn the_one_that_runs_ends_when_it_is_reported_to() {
        let dir = tempfile::tempdir().unwrap();
        let claim = || match Instance::claim(dir.path(), "the app").unwrap() {
            Claim::First(first) => first,
            Claim::Taken(who) => panic!("{who} has it"),
        };
        let first = claim();
        let (sender, heard) = mpsc::channel();
        first.listen(move |word| sender.send(word).unwrap());
        let ending = thread::spawn(move || {
            assert_eq!(heard.recv().unwrap(), Message::Goodbye);
            drop(first);
        });
        let alone = end(dir.path(), "the end", TIMEOUT * 12).unwrap();
        ending.join().unwrap();
        assert!(alone.is_some());
        let Claim::Taken(who) = Instance::claim(dir.path(), "another").unwrap() else {
            panic!("it is held");
        };
        assert_eq!(who, format!("the end (process {})", std::process::id()));
        drop(alone);

        // The error names an instance that does not listen.
        let deaf = claim();
        let error = end(dir.path(), "the end", POLL_INTERVAL).unwrap_err();
        assert!(
            matches!(error.downcast_ref(), Some(ServiceError::StillRuns { who, .. }) if who.starts_with("the app (process ")),
            "{error}"
        );
        drop(deaf);
    }

    #[test]
    fn where_nothing_ever_ran_no_trace_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("new");
        assert_eq!(running(&state), None);
        assert!(end(&state, "the end", TIMEOUT).unwrap().is_none());
        assert!(!state.exists());
    }
}
