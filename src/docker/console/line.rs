//! The terminal device: opened for no one else, raw while it is open, and as it was before afterwards.

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

use crate::error::{Error, Kind, Result};
use crate::platform::{OpenFile, open_by_others};

/// How often it is looked whether something came, or the wait is to end.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// More than the name of a device has.
const MAX_PATH_LEN: u64 = 1024;
/// How often it is looked again whether someone else has the line open: what another thread starts has all files of this
/// program, this one among them, until it is the program that it is to become.
const MAX_RETRIES: u32 = 20;
/// How long after the last time.
const RETRY_DELAY: Duration = Duration::from_millis(50);

/// An open line to a VM.
#[derive(Debug)]
pub(super) struct Line<'a> {
    file: File,
    path: PathBuf,
    device: PathBuf,
    /// Its modes before they were changed.
    before: Option<Termios>,
    cancel: Option<&'a AtomicBool>,
}

impl<'a> Line<'a> {
    /// Opens the device that `path` leads to. A wait on it ends once `cancel` is set.
    pub(super) fn open(path: &Path, cancel: &'a AtomicBool) -> Result<Self> {
        let device = device_of(path)?;
        // It must not become this program's own terminal, and a hung VM must not hold up the opening.
        let flags = OFlags::NOCTTY | OFlags::NONBLOCK;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags.bits().cast_signed())
            .open(&device)
            .map_err(|error| match error.kind() {
                // What a terminal says that someone has for himself: `man 4 tty`, TIOCEXCL.
                io::ErrorKind::ResourceBusy => claimed(path, &others(&device)),
                _ => Error::io("open", path, &error).with_hint(NO_CONSOLE),
            })?;
        let before = tcgetattr(&file).map_err(|_| no_terminal(path))?;
        let mut line = Self {
            file,
            path: path.to_owned(),
            device,
            before: None,
            cancel: Some(cancel),
        };
        // Who had it before was there first, and keeps it as it is.
        line.is_alone()?;
        ioctl_tiocexcl(&line.file).map_err(|error| Error::io("claim", path, &error.into()))?;
        // With echo on, what the VM prints came back to it as if it were typed.
        let mut raw = before.clone();
        raw.make_raw();
        line.before = Some(before);
        tcsetattr(&line.file, OptionalActions::Now, &raw)
            .map_err(|error| Error::io("set up", path, &error.into()))?;
        // What was printed for no one, a prompt among it, says nothing of what is there now.
        let _ = tcflush(&line.file, QueueSelector::IFlush);
        line.is_alone()?;
        Ok(line)
    }

    /// Makes sure that no one else has it open. It is claimed for that; on macOS that keeps out no one but root (`ptsopen` in
    /// xnu's tty_dev.c), so it is looked again before anything is changed.
    pub(super) fn is_alone(&self) -> Result<()> {
        let mut looks = 0;
        loop {
            let there = others(&self.device);
            if there.is_empty() {
                return Ok(());
            }
            if looks == MAX_RETRIES {
                return Err(busy(&self.path, &there));
            }
            looks += 1;
            self.go_on()?;
            thread::sleep(RETRY_DELAY);
        }
    }

    /// From now on nothing ends early: there is something left to be said.
    pub(super) fn disregard_cancel(&mut self) {
        self.cancel = None;
    }

    /// Sends all of `bytes`.
    pub(super) fn send(&mut self, mut bytes: &[u8], until: Instant) -> Result<()> {
        while !bytes.is_empty() {
            self.go_on()?;
            match self.file.write(bytes) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) if !is_passing(&error) => return Err(self.gone()),
                Err(_) if wait(until) => {}
                Err(_) => {
                    return Err(Error::new(
                        Kind::Failure,
                        format!(
                            "the VM at {} takes nothing more that is sent to it",
                            self.path.display()
                        ),
                    )
                    .with_hint(HANGS));
                }
            }
        }
        Ok(())
    }

    /// Adds to `to` what has come, once something has; whether that was before `until`. A line that never falls silent
    /// keeps no one longer than that.
    pub(super) fn receive(&mut self, to: &mut Vec<u8>, until: Instant) -> Result<bool> {
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

    /// The error when it is to end.
    fn go_on(&self) -> Result<()> {
        let is_to_end = |cancel: &AtomicBool| cancel.load(Ordering::Relaxed);
        match self.cancel.is_some_and(is_to_end) {
            false => Ok(()),
            true => Err(Error::new(
                Kind::Failure,
                "stopped while the VM's console was in use; what is done there already stays",
            )),
        }
    }

    /// The error when the other end is closed.
    fn gone(&self) -> Error {
        Error::new(
            Kind::Failure,
            format!(
                "the VM behind {} ended, or closed its console, in the middle of the work",
                self.path.display()
            ),
        )
        .with_hint("if Docker does not start its VM again by itself, quit it and open it again")
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // A VM that has gone needs neither.
            let _ = tcsetattr(&self.file, OptionalActions::Now, before);
            let _ = ioctl_tiocnxcl(&self.file);
        }
    }
}

/// Waits a glance, no longer than `until`; whether there is time left. That a line is looked at again and again, and not
/// waited for, is for macOS: "The poll() system call currently does not support devices" (`man 2 poll`, BUGS).
fn wait(until: Instant) -> bool {
    let left = until.saturating_duration_since(Instant::now());
    thread::sleep(left.min(POLL_INTERVAL));
    !left.is_zero()
}

/// What to do about a VM that does not listen.
pub(super) const HANGS: &str =
    "the VM may be hung, or very busy: try again later, or restart Docker instead";
const NO_CONSOLE: &str = "restart Docker instead, from its own menu";

fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

fn no_terminal(path: &Path) -> Error {
    Error::new(
        Kind::Unsupported,
        format!(
            "{} should lead to the terminal of Docker's VM, but is no terminal",
            path.display()
        ),
    )
    .with_hint(NO_CONSOLE)
}

/// The terminal device that `path` leads to. Hyperkit of 2016 and 2017 made a link to it (`uart_set_backend` in its
/// `uart_emul.c`), a later one a file with its name.
fn device_of(path: &Path) -> Result<PathBuf> {
    let failed = |error: io::Error| Error::io("open", path, &error).with_hint(NO_CONSOLE);
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

/// Who else has the device open; the hypervisor is at the VM's end of it, and may have opened this end as well, for a
/// terminal that no one has open is at its end (`ttyread` in hyperkit's `uart_emul.c`).
fn others(device: &Path) -> Vec<OpenFile> {
    let is_hypervisor = |holder: &OpenFile| {
        let name = &*holder.name;
        name.starts_with("com.docker.") || name == "hyperkit" || name == "xhyve"
    };
    let mut there = open_by_others(device);
    there.retain(|holder| !is_hypervisor(holder));
    there
}

/// The error when someone has the terminal for himself.
fn claimed(path: &Path, others: &[OpenFile]) -> Error {
    if !others.is_empty() {
        return busy(path, others);
    }
    // Where the hypervisor has this end open as well, a claim outlasts who made it.
    Error::new(
        Kind::Busy,
        format!(
            "the console of Docker's VM, {}, has been claimed by a program that is no longer running, or is another user's",
            path.display()
        ),
    )
    .with_hint("if it is still open somewhere, close it there and try again, or restart Docker instead")
}

fn busy(path: &Path, others: &[OpenFile]) -> Error {
    let named: Vec<String> = others
        .iter()
        .map(|OpenFile { pid, name }| match &**name {
            "" => format!("process {pid}"),
            name => format!("{name} (process {pid})"),
        })
        .collect();
    let who = named.join(" and ");
    Error::new(
        Kind::Busy,
        format!(
            "the console of Docker's VM, {}, is in use by {who}; Baleen leaves it alone",
            path.display()
        ),
    )
    .with_hint(
        "end that program (screen: Ctrl-A, then K, then y) and try again, or restart Docker instead",
    )
}
