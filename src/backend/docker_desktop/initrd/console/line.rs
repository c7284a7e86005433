//! The terminal device: opened exclusively, raw while it is open, and restored afterwards.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::termios::{OptionalActions, QueueSelector, Termios};
use rustix::termios::{ioctl_tiocexcl, ioctl_tiocnxcl, tcflush, tcgetattr, tcsetattr};

use crate::error::IoError;
use crate::platform::{OpenFile, open_by_others};

use super::ConsoleError;

/// Interval between polls for input or for the end of a wait.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// Maximum length of a file with a device name: longer than any such name.
const MAX_PATH_LEN: u64 = 1024;
/// Maximum number of repeated checks for other users of the line. A process that another thread
/// starts has all of this program's open files, including this one, until it executes its own
/// program.
const MAX_RETRIES: u32 = 20;
/// Delay between these checks.
const RETRY_DELAY: Duration = Duration::from_millis(50);

/// An open line to the VM.
#[derive(Debug)]
pub(super) struct Line<'a> {
    file: File,
    path: PathBuf,
    device: PathBuf,
    /// The terminal modes to restore.
    before: Option<Termios>,
    cancel: Option<&'a AtomicBool>,
}

impl<'a> Line<'a> {
    /// Opens the device that `path` leads to. Waits end once `cancel` is set.
    pub(super) fn open(path: &Path, cancel: &'a AtomicBool) -> Result<Self, ConsoleError> {
        let device = device_of(path)?;
        // The device must not become this program's own terminal, and a hung VM must not block the
        // opening.
        let flags = OFlags::NOCTTY | OFlags::NONBLOCK;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags.bits().cast_signed())
            .open(&device)
            .map_err(|error| match error.kind() {
                // The error of a terminal that another program has claimed: `man 4 tty`, TIOCEXCL.
                io::ErrorKind::ResourceBusy => claimed(path, others(&device)),
                _ => IoError::new("open", path, error).into(),
            })?;
        let before = tcgetattr(&file).map_err(|_| no_terminal(path))?;
        let mut line = Self {
            file,
            path: path.to_owned(),
            device,
            before: None,
            cancel: Some(cancel),
        };
        // A program that had it open before keeps it undisturbed.
        line.is_alone()?;
        ioctl_tiocexcl(&line.file).map_err(|error| IoError::new("claim", path, error.into()))?;
        // With echo on, the VM's output would come back to it as typed input.
        let mut raw = before.clone();
        raw.make_raw();
        line.before = Some(before);
        tcsetattr(&line.file, OptionalActions::Now, &raw)
            .map_err(|error| IoError::new("set up", path, error.into()))?;
        // Output that no one has read, such as an old prompt, says nothing about the current state.
        let _ = tcflush(&line.file, QueueSelector::IFlush);
        line.is_alone()?;
        Ok(line)
    }

    /// Ensures that no other program has the terminal open. The terminal is claimed for that, but
    /// on macOS the claim keeps out only root (`ptsopen` in xnu's tty_dev.c), so this is checked
    /// again before each change.
    pub(super) fn is_alone(&self) -> Result<(), ConsoleError> {
        let mut looks = 0;
        loop {
            let there = others(&self.device);
            if there.is_empty() {
                return Ok(());
            }
            if looks == MAX_RETRIES {
                return Err(ConsoleError::InUse {
                    path: self.path.clone(),
                    users: there,
                });
            }
            looks += 1;
            self.go_on()?;
            thread::sleep(RETRY_DELAY);
        }
    }

    /// Disables cancellation, because a logout still has to be sent.
    pub(super) fn disregard_cancel(&mut self) {
        self.cancel = None;
    }

    /// Sends all of `bytes`.
    pub(super) fn send(&mut self, mut bytes: &[u8], until: Instant) -> Result<(), ConsoleError> {
        while !bytes.is_empty() {
            self.go_on()?;
            match self.file.write(bytes) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) if !is_passing(&error) => return Err(self.gone()),
                Err(_) if wait(until) => {}
                Err(_) => {
                    let path = self.path.clone();
                    return Err(ConsoleError::Stuck { path });
                }
            }
        }
        Ok(())
    }

    /// Appends received bytes to `to`. Returns whether any arrived before `until`. A line that
    /// never falls silent does not block longer than that.
    pub(super) fn receive(
        &mut self,
        to: &mut Vec<u8>,
        until: Instant,
    ) -> Result<bool, ConsoleError> {
        let mut buffer = [0; 4096];
        while Instant::now() < until {
            self.go_on()?;
            match self.file.read(&mut buffer) {
                Ok(0) => return Err(self.gone()),
                Ok(read) => {
                    to.extend_from_slice(&buffer[..read]);
                    return Ok(true);
                }
                Err(error) if !is_passing(&error) => return Err(self.gone()),
                Err(_) => _ = wait(until),
            }
        }
        Ok(false)
    }

    /// Returns an error if `cancel` is set.
    fn go_on(&self) -> Result<(), ConsoleError> {
        let is_to_end = |cancel: &AtomicBool| cancel.load(Ordering::Relaxed);
        match self.cancel.is_some_and(is_to_end) {
            false => Ok(()),
            true => Err(ConsoleError::Cancelled),
        }
    }

    /// The error for a closed other end.
    fn gone(&self) -> ConsoleError {
        let path = self.path.clone();
        ConsoleError::Closed { path }
    }

    /// The path of the console.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // A VM that has ended needs neither.
            let _ = tcsetattr(&self.file, OptionalActions::Now, before);
            let _ = ioctl_tiocnxcl(&self.file);
        }
    }
}

/// Waits for one polling interval, at most until `until`. Returns whether there is time left. The
/// line is polled because of macOS: "The poll() system call currently does not support devices"
/// (`man 2 poll`, BUGS).
fn wait(until: Instant) -> bool {
    let left = until.saturating_duration_since(Instant::now());
    thread::sleep(left.min(POLL_INTERVAL));
    !left.is_zero()
}

fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

fn no_terminal(path: &Path) -> ConsoleError {
    let path = path.to_owned();
    ConsoleError::NotATerminal { path }
}

/// Returns the terminal device that `path` leads to. Hyperkit of 2016 and 2017 made a link to it
/// (`uart_set_backend` in its `uart_emul.c`); a later version made a file with its name.
fn device_of(path: &Path) -> Result<PathBuf, ConsoleError> {
    let failed = |error: io::Error| IoError::new("open", path, error);
    let mut device = path.canonicalize().map_err(failed)?;
    if device.is_file() {
        let mut name = Vec::new();
        File::open(&device)
            .and_then(|file| file.take(MAX_PATH_LEN).read_to_end(&mut name))
            .map_err(failed)?;
        device = PathBuf::from(OsStr::from_bytes(name.trim_ascii()));
    }
    let is_terminal = device.is_absolute()
        && device
            .metadata()
            .is_ok_and(|found| found.file_type().is_char_device());
    match is_terminal {
        true => Ok(device),
        false => Err(no_terminal(path)),
    }
}

/// Returns the other processes that have the device open. The hypervisor is excluded: it is at the
/// VM's end, and may also have opened this end, since a terminal that no one has open is at end of
/// file (`ttyread` in hyperkit's `uart_emul.c`).
fn others(device: &Path) -> Vec<OpenFile> {
    let is_hypervisor = |holder: &OpenFile| {
        let name = &*holder.name;
        name.starts_with("com.docker.") || name == "hyperkit" || name == "xhyve"
    };
    let mut there = open_by_others(device);
    there.retain(|holder| !is_hypervisor(holder));
    there
}

/// The error for a terminal that another program has claimed.
fn claimed(path: &Path, others: Vec<OpenFile>) -> ConsoleError {
    let path = path.to_owned();
    match others.is_empty() {
        // If the hypervisor has this end open as well, a claim outlasts the program that made it.
        true => ConsoleError::Claimed { path },
        false => ConsoleError::InUse {
            path,
            users: others,
        },
    }
}
