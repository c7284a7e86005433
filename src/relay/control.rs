//! The relay's control socket, in the folder for Baleen's own files: its owner reads the relay's status there, and ends
//! it. Containers and web pages, which reach the port, don't reach it.
//!
//! A client sends one word and a line feed. `status` is answered with one line of JSON, `follow` with one now and one
//! after each change until the client or the relay ends, `end` with the end of the connection.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::storage::{FileId, LockClaim, ProcessLock};
use crate::util::poll_until;

use super::status::Status;
use super::{Control, RelayError};

/// The name of the file with the lock.
pub(crate) const LOCK: &str = "relay.lock";
/// The name of the socket.
pub(crate) const SOCKET: &str = "relay.socket";
/// Timeout for a message.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Interval between looks for the end of a relay.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Interval between looks whether the relay's files are still there.
const LOOK_INTERVAL: Timespec = Timespec {
    tv_sec: 2,
    tv_nsec: 0,
};
/// Maximum length of a message of a client, in bytes.
const MAX_WORD_LEN: u64 = 16;
/// Maximum length of a status, in bytes.
const MAX_STATUS_LEN: u64 = 64 << 10;
/// Interval between looks for a change of the status.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(500);
/// Interval after which a status goes to a follower although only its numbers have changed.
const COUNTS_INTERVAL: Duration = Duration::from_secs(10);

/// The lock of the running relay. There is one for each folder of Baleen's own files.
#[derive(Debug)]
pub(crate) struct Claim {
    lock: ProcessLock,
    socket: PathBuf,
}

impl Claim {
    /// Becomes the only relay for the folder `state`.
    ///
    /// # Errors
    /// When another relay runs, or the folder is not writable.
    pub(crate) fn new(state: &Path) -> Result<Self, RelayError> {
        match ProcessLock::claim(&state.join(LOCK), "the relay").map_err(RelayError::Control)? {
            LockClaim::Taken(who) => Err(RelayError::AlreadyRunning { who }),
            LockClaim::Held(lock) => Ok(Self {
                lock,
                socket: state.join(SOCKET),
            }),
        }
    }

    /// Answers clients on separate threads. Its files may be removed while it runs, as by a program that cleans up: without
    /// the socket it makes another one, and without the lock it ends, since another relay can start then.
    ///
    /// # Errors
    /// When the socket can't be made.
    pub(crate) fn listen(&self, control: Control) -> io::Result<()> {
        let (socket, lock, lock_id) = (self.socket.clone(), self.lock_path(), self.lock.id());
        let (mut listener, mut socket_id) = bind(&socket)?;
        let accept = move || loop {
            if FileId::at(&lock) != lock_id {
                return control.end();
            }
            if FileId::at(&socket) != socket_id && !control.is_over() {
                match bind(&socket) {
                    Ok(again) => (listener, socket_id) = again,
                    Err(error) => tracing::warn!("{} can't be made: {error}", socket.display()),
                }
            }
            let mut polled = [PollFd::new(&listener, PollFlags::IN)];
            if !matches!(poll(&mut polled, Some(&LOOK_INTERVAL)), Ok(1..)) {
                continue;
            }
            // Without a pause, the error would come again at once.
            let Ok((stream, _)) = listener.accept() else {
                thread::sleep(TIMEOUT);
                continue;
            };
            let control = control.clone();
            let answer = move || answer(stream, &control);
            // A client that gets no answer tries again.
            let _ = thread::Builder::new()
                .name("control-client".to_owned())
                .spawn(answer);
        };
        thread::Builder::new()
            .name("control".to_owned())
            .spawn(accept)?;
        Ok(())
    }

    fn lock_path(&self) -> PathBuf {
        self.socket.with_file_name(LOCK)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Without the lock, the socket is another relay's.
        if FileId::at(&self.lock_path()) == self.lock.id() {
            // A socket left behind does no harm.
            let _ = fs::remove_file(&self.socket);
        }
    }
}

/// Listens at the socket, in the place of one that was left by a relay that was killed. Returns the identity of the socket, too.
fn bind(socket: &Path) -> io::Result<(UnixListener, Option<FileId>)> {
    let _ = fs::remove_file(socket);
    let listener = UnixListener::bind(socket)?;
    Ok((listener, FileId::at(socket)))
}

/// Answers a client, which has gone when that fails.
fn answer(mut stream: UnixStream, control: &Control) {
    let mut word = String::new();
    let is_read = stream.set_read_timeout(Some(TIMEOUT)).is_ok()
        && stream.set_write_timeout(Some(TIMEOUT)).is_ok()
        && BufReader::new((&stream).take(MAX_WORD_LEN))
            .read_line(&mut word)
            .is_ok();
    let _ = match word.trim_end() {
        "end" if is_read => {
            control.end();
            Ok(())
        }
        "status" if is_read => write_line(&mut stream, &control.status()),
        "follow" if is_read => follow_up(&mut stream, control),
        _ => Ok(()),
    };
}

fn follow_up(stream: &mut UnixStream, control: &Control) -> io::Result<()> {
    let mut shown = control.status();
    let mut shown_at = Instant::now();
    write_line(stream, &shown)?;
    loop {
        thread::sleep(FOLLOW_INTERVAL);
        let now = control.status();
        let is_news = !now.differs_in_numbers_only(&shown)
            || now != shown && shown_at.elapsed() >= COUNTS_INTERVAL;
        if is_news {
            write_line(stream, &now)?;
            (shown, shown_at) = (now, Instant::now());
        }
    }
}

fn write_line(stream: &mut UnixStream, status: &Status) -> io::Result<()> {
    let mut line = serde_json::to_vec(status)?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// Returns the description of the relay that runs, as in "the relay (process 7)". Creates no files.
pub fn running(state: &Path) -> Option<String> {
    ProcessLock::holder(&state.join(LOCK))
}

/// Returns the status of the relay that runs.
///
/// # Errors
/// When it does not answer.
pub fn status(state: &Path) -> io::Result<Status> {
    read_line(&mut BufReader::new(ask(state, "status")?))
}

/// Calls `on_status` with the status of the relay that runs, and after each change, until it ends.
///
/// # Errors
/// When none listens.
pub fn follow(state: &Path, mut on_status: impl FnMut(Status)) -> io::Result<()> {
    let stream = ask(state, "follow")?;
    stream.set_read_timeout(None)?;
    let mut reader = BufReader::new(stream);
    loop {
        match read_line(&mut reader) {
            Ok(status) => on_status(status),
            // What it says is of another version.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(error),
            Err(_) => return Ok(()),
        }
    }
}

/// Asks the relay that runs, if any, to end, and waits until it has, and its tunnels with it. One that takes its place in
/// the meantime is left alone.
///
/// # Errors
/// When it still runs after `patience`.
pub fn end(state: &Path, patience: Duration) -> Result<(), RelayError> {
    match running(state) {
        Some(who) => end_process(state, &who, patience),
        None => Ok(()),
    }
}

/// Asks a relay to end as [`end`] does, if it is the one that [`running`] described so.
///
/// # Errors
/// When it still runs after `patience`.
pub(crate) fn end_process(state: &Path, who: &str, patience: Duration) -> Result<(), RelayError> {
    let has_ended = poll_until(Instant::now() + patience, POLL_INTERVAL, || {
        let is_there = running(state).as_deref() == Some(who);
        if is_there {
            // It may not listen yet.
            drop(ask(state, "end"));
        }
        !is_there
    });
    match has_ended {
        true => Ok(()),
        false => Err(RelayError::StillRuns {
            who: who.to_owned(),
            after: patience,
        }),
    }
}

fn ask(state: &Path, word: &str) -> io::Result<UnixStream> {
    let mut stream = UnixStream::connect(state.join(SOCKET))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(format!("{word}\n").as_bytes())?;
    Ok(stream)
}

fn read_line(reader: &mut impl BufRead) -> io::Result<Status> {
    let mut line = String::new();
    reader.take(MAX_STATUS_LEN).read_line(&mut line)?;
    match line.is_empty() {
        true => Err(io::ErrorKind::UnexpectedEof.into()),
        false => serde_json::from_str(&line)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)),
    }
}
