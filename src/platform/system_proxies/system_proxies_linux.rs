//! The desktop's proxy settings on Linux, from `gsettings`, which finds them wherever GLib programs
//! do. If it is not installed or does not know these settings, or there is no session for them, the
//! desktop has no proxy settings.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use zeroize::{Zeroize, Zeroizing};

use crate::platform::has_session_bus;

use super::ReadError;
use super::gnome::{self, SCHEMA};

/// Timeout for `gsettings`, which ends in an instant unless its session hangs.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The watched schemas. `gsettings monitor` takes one schema, without those below it.
const WATCHED: [&str; 4] = ["", ".http", ".https", ".socks"];

/// Returns the proxies of the desktop's settings. `None` if no proxy is set. (`mode 'none'` is also the
/// schema's default, so it does not show that the user wants no proxy.)
///
/// # Errors
/// When the settings can't be read, or do not match their schema.
pub fn read() -> Result<Option<plist::Value>, ReadError> {
    let Some(listing) = listing()? else {
        return Ok(None);
    };
    let proxies = gnome::dictionary(&listing)?;
    Ok(Some(proxies).filter(|p| p.as_dictionary().is_some_and(|d| !d.is_empty())))
}

/// Returns the command `gsettings` with untranslated output in UTF-8.
fn gsettings() -> Command {
    let mut command = Command::new("gsettings");
    command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

/// Returns the output of `gsettings list-recursively`. It may hold an HTTP proxy's password.
fn listing() -> Result<Option<Zeroizing<String>>, ReadError> {
    if !has_session_bus() {
        return Ok(None);
    }
    let mut child = match gsettings()
        .args(["list-recursively", SCHEMA])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
    {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        child => child?,
    };
    let out = child.stdout.take();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // Large enough for all of it: a string that grows leaves its old bytes in memory.
        let mut text = Zeroizing::new(String::with_capacity(1 << 16));
        let read = out.map_or(Ok(0), |mut out| out.read_to_string(&mut text));
        // Fails if the receiver has stopped waiting.
        let _ = sender.send(read.map(|_| text));
    });
    let Ok(said) = receiver.recv_timeout(TIMEOUT) else {
        // It may have ended by itself by now.
        let _ = child.kill();
        let _ = child.wait();
        return Err(ReadError::NoAnswer { within: TIMEOUT });
    };
    let said = said?;
    let ended = child.wait_with_output()?;
    if ended.status.success() {
        return Ok(Some(said));
    }
    let why = String::from_utf8_lossy(&ended.stderr);
    if why.contains("No such schema") || why.contains("No schemas installed") {
        return Ok(None);
    }
    let said = why.lines().next().map(str::to_owned);
    Err(ReadError::Failed { said })
}

/// Shell script that runs a monitor for each of its arguments until its standard input is closed. So the monitors end
/// with this program, however it ends.
const MONITORS: &str = r#"
for schema
do
	gsettings monitor "$schema" &
	pids="$pids $!"
done
read -r nothing
kill $pids
"#;

/// A watcher for changes. It ends when it is dropped.
#[derive(Debug)]
pub struct Watch {
    monitors: Child,
    thread: Option<JoinHandle<()>>,
}

/// Calls `on_change`, on a separate thread, when the proxies may have changed. Returns `None` if the
/// desktop has no proxy settings. May miss a change in the first instant, while the monitors start.
/// `on_change` must not drop the returned value.
///
/// # Errors
/// When the settings can't be read or watched.
pub fn watch(mut on_change: impl FnMut() + Send + 'static) -> Result<Option<Watch>, ReadError> {
    if listing()?.is_none() {
        return Ok(None);
    }
    let mut monitors = Command::new("sh")
        .env("LC_ALL", "C.UTF-8")
        .args(["-c", MONITORS, "sh"])
        .args(WATCHED.map(|below| format!("{SCHEMA}{below}")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let out = monitors.stdout.take();
    // If starting the thread fails, dropping this ends the monitors.
    let mut watch = Watch {
        monitors,
        thread: None,
    };
    let thread = thread::Builder::new()
        .name("system proxies".to_owned())
        .spawn(move || {
            let Some(out) = out else { return };
            // One line for each changed key, until all monitors have ended.
            let mut lines = BufReader::new(out);
            let mut line = Zeroizing::new(Vec::with_capacity(1 << 12));
            while lines
                .read_until(b'\n', &mut line)
                .is_ok_and(|read| read > 0)
            {
                line.zeroize();
                on_change();
            }
        })?;
    watch.thread = Some(thread);
    Ok(Some(watch))
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.monitors.stdin.take());
        let _ = self.monitors.wait();
        // A panic of the callback was reported when it happened.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
