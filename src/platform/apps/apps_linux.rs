//! Apps on Linux, which has no such thing as a bundle: the executable in it, run as a process.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use rustix::time::{ClockId, clock_gettime};

use crate::error::{Error, Result};

use super::RunningApp;

/// How many of these make a second in `/proc`: `man 5 proc_pid_stat`, sysconf(_SC_CLK_TCK), a constant of the kernel.
const TICKS: u64 = 100;

/// What is run of `bundle`.
fn executable(bundle: &Path) -> PathBuf {
    bundle.join("Contents/MacOS/Docker")
}

/// The processes of this user that run the executable of `bundle`, also where it has been replaced
/// since, and also where it is a script. (`id` is for macOS.)
pub fn running(bundle: &Path, _id: &str) -> Vec<RunningApp> {
    let executable = executable(bundle);
    let user = super::super::user();
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let found: Vec<(RunningApp, u32)> = processes
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let is_mine = entry.metadata().is_ok_and(|process| process.uid() == user);
            let runs = is_mine && command_is(&entry.path(), &executable);
            let (since, parent) = runs.then(|| started(&entry.path()))??;
            let since = Some(since);
            Some((RunningApp { pid, since }, parent))
        })
        .collect();
    // A script that is about to run a program is two for an instant, of which the parent is the app.
    let pids: BTreeSet<u32> = found.iter().map(|(app, _)| app.pid).collect();
    let mut apps: Vec<RunningApp> = found
        .into_iter()
        .filter(|(_, parent)| !pids.contains(parent))
        .map(|(app, _)| app)
        .collect();
    apps.sort_by_key(|app| app.since);
    apps
}

/// Whether `app` runs from `bundle`: [`running`] finds no others here.
pub fn is_from(_app: &RunningApp, _bundle: &Path) -> bool {
    true
}

/// Whether the command of the process is `executable`, or an interpreter with it as its script.
fn command_is(process: &Path, executable: &Path) -> bool {
    let Ok(command) = fs::read(process.join("cmdline")) else {
        return false;
    };
    command
        .split(|&byte| byte == 0)
        .take(2)
        .any(|argument| argument == executable.as_os_str().as_bytes())
}

/// When the process was started, and by which; nothing for one that has ended and waits to be noticed.
fn started(process: &Path) -> Option<(SystemTime, u32)> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    if matches!(fields.first(), Some(&"Z" | &"X")) {
        return None;
    }
    let parent = fields.get(1)?.parse().ok()?;
    let ticks: u64 = fields.get(19)?.parse().ok()?;
    let up = clock_gettime(ClockId::Boottime);
    let up = Duration::new(up.tv_sec.try_into().ok()?, up.tv_nsec.try_into().ok()?);
    let boot = SystemTime::now().checked_sub(up)?;
    // The end of that tick: whatever was there before its start is older.
    let since = boot + Duration::from_millis((ticks + 1) * (1000 / TICKS));
    Some((since, parent))
}

/// Asks an app to quit, as closing it from its menu does; whether it was there to be asked.
pub fn ask_to_quit(app: &RunningApp) -> bool {
    let pid = app.pid.try_into().ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok())
}

/// Opens the app in `bundle`, which goes on when this program ends.
///
/// # Errors
/// When it can't be run.
pub fn open(bundle: &Path) -> Result<()> {
    let executable = executable(bundle);
    let failed =
        |error: &io::Error| Error::io("run", &executable, error).with_hint("open Docker by hand");
    let mut child = Command::new(&executable)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| failed(&error))?;
    // Someone has to take notice of its end.
    thread::Builder::new()
        .name("docker".to_owned())
        .spawn(move || child.wait())
        .map_err(|error| failed(&error))?;
    Ok(())
}

/// A look-out for apps that come and go.
pub enum Watch {}

/// There is none on Linux, where no one tells that a process was started; that one has ended is told to [`ExitWatcher`].
pub fn watch(_id: &str, _on_change: impl Fn() + Send + Sync + 'static) -> Option<Watch> {
    None
}

/// Attention to the end of apps.
pub struct ExitWatcher {
    on_end: Arc<dyn Fn() + Send + Sync>,
    attended: Arc<Mutex<BTreeSet<u32>>>,
}

impl ExitWatcher {
    /// Calls `on_end`, on another thread, when an app that was attended to has ended.
    pub fn new(on_end: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            on_end: Arc::new(on_end),
            attended: Arc::default(),
        }
    }

    /// Sees to it that the end of this app will be noticed.
    pub fn watch(&self, app: &RunningApp) {
        let pid = app.pid;
        let descriptor = pid.try_into().ok().and_then(Pid::from_raw).and_then(|pid| {
            // `man 2 pidfd_open`: it can be polled, and is ready to be read when the process ends.
            pidfd_open(pid, PidfdFlags::empty()).ok()
        });
        let Some(descriptor) = descriptor else { return };
        if !locked(&self.attended).insert(pid) {
            return;
        }
        let (attended, on_end) = (self.attended.clone(), self.on_end.clone());
        let spawned = thread::Builder::new()
            .name("docker's end".to_owned())
            .spawn(move || {
                let mut fds = [PollFd::new(&descriptor, PollFlags::IN)];
                while poll(&mut fds, None) == Err(rustix::io::Errno::INTR) {}
                locked(&attended).remove(&pid);
                on_end();
            });
        // Without a thread its end is noticed at the next look.
        drop(spawned);
    }
}

fn locked(attended: &Mutex<BTreeSet<u32>>) -> MutexGuard<'_, BTreeSet<u32>> {
    attended.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_script_in_a_bundle_is_opened_seen_and_asked_to_quit() {
        let dir = tempfile::tempdir().unwrap();
        let path = executable(dir.path());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Half of the time there is a second process with the same command line, as before each program it runs.
        let script = "#!/bin/sh\nwhile :; do (sleep 0.05; :); sleep 0.05; done\n";
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(running(dir.path(), ""), []);
        let before = SystemTime::now();
        open(dir.path()).unwrap();
        let app = loop {
            if let [app] = &running(dir.path(), "")[..] {
                break app.clone();
            }
        };
        for _ in 0..40 {
            assert_eq!(running(dir.path(), "").len(), 1);
            thread::sleep(Duration::from_millis(5));
        }
        let since = app.since.unwrap();
        let tick = Duration::from_millis(20);
        assert!(since + tick >= before && since <= SystemTime::now() + tick);

        let (sender, ended) = mpsc::channel();
        let attention = ExitWatcher::new(move || sender.send(()).unwrap());
        attention.watch(&app);
        attention.watch(&app);
        assert!(ask_to_quit(&app));
        ended.recv().unwrap();
        while !running(dir.path(), "").is_empty() {}
        assert!(ended.try_recv().is_err());
    }
}
