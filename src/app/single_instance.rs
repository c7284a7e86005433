//! One Baleen that acts by itself, for each user. A second one hands over to the first, and ends.
//!
//! The first holds the system's lock on a file, which no one holds any more after a kill, and listens on a
//! socket beside it. There it is told that a second one was started, or that it has to go because Baleen is uninstalled.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Kind, Result};

/// How long the first may take to listen.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How often is looked whether it is so.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// What another one says to the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// That it was started, and ends.
    Hello,
    /// That the first has to end.
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
    /// The name of the file with the lock.
    pub const LOCK: &str = "agent.lock";
    /// The name of the socket.
    pub const SOCKET: &str = "agent.socket";

    /// Tries to be the one Baleen that keeps its things in `state`; `what` this one is, is told to others.
    ///
    /// # Errors
    /// When the folder can't be written in.
    pub fn claim(state: &Path, what: &str) -> Result<Claim> {
        fs::create_dir_all(state).map_err(|error| Error::io("make", state, &error))?;
        let path = state.join(Self::LOCK);
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
                return Ok(Claim::Taken(holder(&mut lock)));
            }
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path, &error)),
        }
        write_holder(&mut lock, what).map_err(|error| failed(&error))?;
        Ok(Claim::First(Self {
            _lock: lock,
            socket: socket(state),
        }))
    }

    /// Calls `on_word`, on a thread of its own, whenever another one says something.
    pub fn listen(&self, on_word: impl Fn(Message) + Send + 'static) {
        // What is there was left by one that was killed.
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
                    // An error would come again at once.
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
        // What is left behind does no harm.
        let _ = fs::remove_file(&self.socket);
    }
}

/// Says something to the one that runs; whether that listens.
pub fn send(state: &Path, word: Message) -> bool {
    wait_until(Instant::now() + TIMEOUT, || try_send(state, word))
}

fn try_send(state: &Path, word: Message) -> bool {
    UnixStream::connect(socket(state))
        .and_then(|mut stream| stream.write_all(word.bytes()))
        .is_ok()
}

/// What runs, as in "the app (process 7)", if anything does. Leaves no trace where nothing ever did.
pub fn running(state: &Path) -> Option<String> {
    // One that can't be opened is told of by anyone who has to end it.
    let mut lock = File::open(state.join(Instance::LOCK)).ok()?;
    let is_taken = matches!(lock.try_lock(), Err(TryLockError::WouldBlock));
    is_taken.then(|| holder(&mut lock))
}

/// Has the one that runs end, if one does, and waits until it has. As long as the returned value is held, no other one
/// can begin, and is told of `what` it is that holds it. Where no Baleen ever acted by itself there is none to hold, and
/// none is made, which would have to be removed and told of: there the very first one could begin in the meantime.
///
/// # Errors
/// When it does not end within `patience`.
pub fn end(state: &Path, what: &str, patience: Duration) -> Result<Option<File>> {
    let path = state.join(Instance::LOCK);
    // Where it may not be written to, it can be held anyway.
    let opened = OpenOptions::new().read(true).write(true).open(&path);
    let mut lock = match opened.or_else(|_| File::open(&path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| Error::io("open", &path, &error))?,
    };
    let deadline = Instant::now() + patience;
    let (mut has_heard, mut failed) = (false, None);
    let is_alone = wait_until(deadline, || match lock.try_lock() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => {
            // It may not listen yet.
            has_heard = has_heard || try_send(state, Message::Goodbye);
            false
        }
        Err(TryLockError::Error(error)) => {
            failed = Some(error);
            true
        }
    });
    match failed {
        Some(error) => Err(Error::io("lock", &path, &error)),
        None if is_alone => {
            // Who finds it held may not be told by whom.
            let _ = write_holder(&mut lock, what);
            Ok(Some(lock))
        }
        None => Err(Error::new(
            Kind::Busy,
            format!(
                "{} was asked to quit, and still runs after {} seconds",
                holder(&mut lock),
                patience.as_secs()
            ),
        )
        .with_hint("quit it from its menu, or `baleen watch` with Ctrl-C, and try again; nothing was removed")),
    }
}

/// Waits until it is so; not beyond `deadline`.
fn wait_until(deadline: Instant, mut is_so: impl FnMut() -> bool) -> bool {
    loop {
        if is_so() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(POLL_INTERVAL);
    }
}

/// Writes into the file with the lock who has it.
fn write_holder(lock: &mut File, what: &str) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{what} (process {})", std::process::id())
}

/// Who wrote into the file with the lock that it has it.
fn holder(lock: &mut File) -> String {
    let mut who = String::new();
    // It may be about to write who it is.
    let _ = lock.rewind().and_then(|()| lock.read_to_string(&mut who));
    who.trim().to_owned()
}

fn socket(state: &Path) -> PathBuf {
    state.join(Instance::SOCKET)
}

/// What was said. Someone who says something else is none of us.
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
            panic!("nobody else is there");
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
            // Someone who connects and says something else is none of us.
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
    fn the_one_that_runs_ends_when_it_is_told_to() {
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

        // One that does not listen is waited for, and named.
        let deaf = claim();
        let error = end(dir.path(), "the end", POLL_INTERVAL).unwrap_err();
        assert_eq!(error.kind(), Kind::Busy);
        assert!(error.to_string().contains("the app (process "), "{error}");
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
