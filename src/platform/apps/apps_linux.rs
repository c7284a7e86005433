//! Apps on Linux. Linux has no bundles, so an app is a process that runs the executable in one.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use rustix::time::{ClockId, clock_gettime};

use crate::error::IoError;
use crate::util::locked;

use super::{OpenError, RunningApp};

/// Number of clock ticks per second in `/proc`: `man 5 proc_pid_stat`, sysconf(_SC_CLK_TCK), a constant of the kernel.
const TICKS: u64 = 100;

/// Returns the paths that the executable of `bundle` can have: that of today's Docker is the backend.
fn executables(bundle: &Path) -> [PathBuf; 2] {
    ["Docker", "com.docker.backend"].map(|name| bundle.join("Contents/MacOS").join(name))
}

/// Returns the path of the executable of `bundle`.
fn executable(bundle: &Path) -> PathBuf {
    let [docker, backend] = executables(bundle);
    match docker.exists() || !backend.exists() {
        true => docker,
        false => backend,
    }
}

/// Returns the processes of this user that run the executable of `bundle`, even if it has been replaced
/// since or is a script. (`id` is for macOS.)
pub fn running(bundle: &Path, _id: &str) -> Vec<RunningApp> {
    let executables = executables(bundle);
    let user = super::super::user();
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let found: Vec<(RunningApp, u32)> = processes
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let is_mine = entry.metadata().is_ok_and(|process| process.uid() == user);
            let runs = is_mine && executables.iter().any(|it| command_is(&entry.path(), it));
            let (since, parent) = runs.then(|| started(&entry.path()))??;
            let since = Some(since);
            Some((RunningApp { pid, since }, parent))
        })
        .collect();
    // A script that is about to run a program has two processes for an instant. The parent is the app.
    let pids: BTreeSet<u32> = found.iter().map(|(app, _)| app.pid).collect();
    let mut apps: Vec<RunningApp> = found
        .into_iter()
        .filter(|(_, parent)| !pids.contains(parent))
        .map(|(app, _)| app)
        .collect();
    apps.sort_by_key(|app| app.since);
    apps
}

/// Returns whether `app` runs from `bundle`. On Linux [`running`] finds no other apps.
pub fn is_from(_app: &RunningApp, _bundle: &Path) -> bool {
    true
}

/// Returns whether the process runs `executable`, or an interpreter with `executable` as its script.
fn command_is(process: &Path, executable: &Path) -> bool {
    let Ok(command) = fs::read(process.join("cmdline")) else {
        return false;
    };
    command
        .split(|&byte| byte == 0)
        .take(2)
        .any(|argument| argument == executable.as_os_str().as_bytes())
}

/// Returns the start time of the process and its parent. `None` if the process has ended but its parent
/// has not waited for it.
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
    // The end of the start's tick: everything that existed before the start is older than this.
    let since = boot + Duration::from_millis((ticks + 1) * (1000 / TICKS));
    Some((since, parent))
}

/// Asks an app to quit, as its menu does. Returns whether the app existed.
pub fn ask_to_quit(app: &RunningApp) -> bool {
    let pid = app.pid.try_into().ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok())
}

/// Opens the app in `bundle`. The app keeps running when this program ends.
///
/// # Errors
/// When it can't be run.
pub fn open(bundle: &Path) -> Result<(), OpenError> {
    let executable = executable(bundle);
    let failed = |error| IoError::new("run", &executable, error);
    let mut child = Command::new(&executable)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    // A parent has to wait for its child, or the child stays as a zombie.
    thread::Builder::new()
        .name("docker".to_owned())
        .spawn(move || child.wait())
        .map_err(failed)?;
    Ok(())
}

/// A watcher for apps that start and quit.
pub enum Watch {}

/// Returns `None`: Linux does not report that a process was started. [`ExitWatcher`] notices the end of one.
pub fn watch(_id: &str, _on_change: impl Fn() + Send + Sync + 'static) -> Option<Watch> {
    None
}

/// A watcher for the end of apps.
pub struct ExitWatcher {
    on_end: Arc<dyn Fn() + Send + Sync>,
    attended: Arc<Mutex<BTreeSet<u32>>>,
}

impl ExitWatcher {
    /// Creates a watcher that calls `on_end`, on another thread, when a watched app has ended.
    pub fn new(on_end: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            on_end: Arc::new(on_end),
            attended: Arc::default(),
        }
    }

    /// Watches for the end of this app.
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
        // Without a thread, the next check notices the end.
        drop(spawned);
    }
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
        // Half of the time a second process has the same command line, as before each program that the script runs.
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
