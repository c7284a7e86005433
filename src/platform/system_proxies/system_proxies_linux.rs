//! The desktop's proxy settings on Linux, asked of `gsettings`, which finds them wherever GLib
//! programs do. Where it is not installed, knows no such settings, or there is no session to which
//! they could belong, there is no desktop's setting.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use zeroize::{Zeroize, Zeroizing};

use crate::error::{Error, Kind, Result};
use crate::platform::has_session_bus;

use super::gnome::{self, SCHEMA};

/// How long `gsettings` may take, which is done in an instant unless its session hangs.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What is watched: `gsettings monitor` takes one schema, without those below it.
const WATCHED: [&str; 4] = ["", ".http", ".https", ".socks"];

fn failed(why: impl std::fmt::Display) -> Error {
    let message = format!("could not read the desktop's proxy settings: {why}");
    Error::new(Kind::Failure, message)
        .with_hint("see what `gsettings list-recursively org.gnome.system.proxy` says")
}

/// The proxies of the desktop's settings; nothing where none is set there. (`mode 'none'` is also what
/// the schema says where no one ever set anything, so it does not tell that the user wants none.)
///
/// # Errors
/// When they can't be read, or are not as their schema has them.
pub fn read() -> Result<Option<plist::Value>> {
    let Some(listing) = listing()? else {
        return Ok(None);
    };
    gnome::dictionary(&listing)
        .map(|proxies| Some(proxies).filter(|p| p.as_dictionary().is_some_and(|d| !d.is_empty())))
        .map_err(|why| failed(format!("in what gsettings prints, {why}")))
}

/// The program, told to speak UTF-8 and untranslated.
fn gsettings() -> Command {
    let mut command = Command::new("gsettings");
    command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

/// What `gsettings` lists. An HTTP proxy's password may be in it.
fn listing() -> Result<Option<Zeroizing<String>>> {
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
        child => child.map_err(failed)?,
    };
    let out = child.stdout.take();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // Room for all of it: a string that grows leaves its old bytes behind.
        let mut text = Zeroizing::new(String::with_capacity(1 << 16));
        let read = out.map_or(Ok(0), |mut out| out.read_to_string(&mut text));
        // No one waits any more if this fails.
        let _ = sender.send(read.map(|_| text));
    });
    let Ok(said) = receiver.recv_timeout(TIMEOUT) else {
        // It may have ended by itself in the meantime.
        let _ = child.kill();
        let _ = child.wait();
        let seconds = TIMEOUT.as_secs();
        let why = format!("gsettings did not answer within {seconds} seconds");
        return Err(failed(why));
    };
    let said = said.map_err(failed)?;
    let ended = child.wait_with_output().map_err(failed)?;
    if ended.status.success() {
        return Ok(Some(said));
    }
    let why = String::from_utf8_lossy(&ended.stderr);
    if why.contains("No such schema") || why.contains("No schemas installed") {
        return Ok(None);
    }
    let why = why.lines().next().unwrap_or("it gave no reason");
    Err(failed(format!("gsettings failed: {why}")))
}

/// Runs a monitor for each of its arguments, until no one holds its standard input any more: so the monitors end with
/// this program, whichever way that ends.
const MONITORS: &str = r#"
for schema
do
	gsettings monitor "$schema" &
	pids="$pids $!"
done
read -r nothing
kill $pids
"#;

/// A look-out for changes, until it is dropped.
#[derive(Debug)]
pub struct Watch {
    monitors: Child,
    thread: Option<JoinHandle<()>>,
}

/// Calls `on_change`, on a thread of its own, when the proxies may have changed; nothing where there
/// are no such settings. A change in the first instant, while the monitors start, may go unseen. The
/// returned value must not be dropped by `on_change`.
///
/// # Errors
/// When the settings can't be read or watched.
pub fn watch(mut on_change: impl FnMut() + Send + 'static) -> Result<Option<Watch>> {
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
        .spawn()
        .map_err(failed)?;
    let out = monitors.stdout.take();
    // Dropped on the way out of a failure, it takes along the monitors.
    let mut watch = Watch {
        monitors,
        thread: None,
    };
    let thread = thread::Builder::new()
        .name("system proxies".to_owned())
        .spawn(move || {
            let Some(out) = out else { return };
            // One line for each key that changed, until all monitors are gone.
            let mut lines = BufReader::new(out);
            let mut line = Zeroizing::new(Vec::with_capacity(1 << 12));
            while lines
                .read_until(b'\n', &mut line)
                .is_ok_and(|read| read > 0)
            {
                line.zeroize();
                on_change();
            }
        })
        .map_err(failed)?;
    watch.thread = Some(thread);
    Ok(Some(watch))
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.monitors.stdin.take());
        let _ = self.monitors.wait();
        // A panic of the callback was told when it happened.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
