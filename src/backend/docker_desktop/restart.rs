//! The running Docker app: detecting, quitting and opening it. Docker is asked to quit, as its own
//! menu does, and never killed: that would cost the user's containers their data.

use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, test_kill_process};

use crate::platform::apps::{self, RunningApp};
use crate::util::poll_until;

use super::RestartError;
use super::bundle::BUNDLE_ID;

/// Timeout for Docker to quit, and for it to start again. It has to stop a VM and everything that
/// runs in it.
const TIMEOUT: Duration = Duration::from_secs(90);
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Number of polling intervals for which Docker has to run before it counts as started.
const STABLE_POLLS: u32 = 5;

/// Returns the Docker that runs from `bundle`. If several run, returns the one that started first.
pub fn running(bundle: &Path) -> Option<RunningApp> {
    apps::running(bundle, BUNDLE_ID).into_iter().next()
}

/// Calls `on_change` when Docker has started or ended. On macOS, call this function and drop the
/// returned value on the main thread. On other systems it watches nothing; use
/// [`apps::ExitWatcher`] there.
pub fn watch(on_change: impl Fn() + Send + Sync + 'static) -> Option<apps::Watch> {
    apps::watch(BUNDLE_ID, on_change)
}

/// Quits the Docker that runs from `bundle`, and opens it again.
///
/// # Errors
/// When Docker does not quit, or does not start again. It is then left in that state.
pub fn restart(bundle: &Path) -> Result<(), RestartError> {
    restart_within(bundle, TIMEOUT)
}

/// Quits the Docker that runs from `bundle`, calls `job`, and opens Docker again whatever came of it.
///
/// # Errors
/// When Docker does not quit, and the job was not done; or when it does not start again.
pub(crate) fn while_quit<T>(bundle: &Path, job: impl FnOnce() -> T) -> Result<T, RestartError> {
    quit(bundle, TIMEOUT)?;
    let done = job();
    open(bundle, TIMEOUT)?;
    Ok(done)
}

fn restart_within(bundle: &Path, patience: Duration) -> Result<(), RestartError> {
    quit(bundle, patience)?;
    open(bundle, patience)
}

fn quit(bundle: &Path, patience: Duration) -> Result<(), RestartError> {
    let before = apps::running(bundle, BUNDLE_ID);
    for app in &before {
        apps::ask_to_quit(app);
    }
    let until = Instant::now() + patience;
    let is_gone = || {
        let now = apps::running(bundle, BUNDLE_ID);
        let runs = |app: &RunningApp| now.iter().any(|other| other.pid == app.pid);
        !before
            .iter()
            .any(|app| runs(app) && process_exists(app.pid))
    };
    if !poll_until(until, POLL_INTERVAL, is_gone) {
        return Err(RestartError::StillRuns { after: patience });
    }
    Ok(())
}

fn open(bundle: &Path, patience: Duration) -> Result<(), RestartError> {
    apps::open(bundle)?;
    // A Docker that exits at once also runs for an instant.
    let seen = Cell::new(0);
    let is_up = || {
        seen.set(running(bundle).map_or(0, |_| seen.get() + 1));
        seen.get() > STABLE_POLLS
    };
    if !poll_until(Instant::now() + patience, POLL_INTERVAL, is_up) {
        return Err(RestartError::NotRunning { after: patience });
    }
    Ok(())
}

/// Asks the kernel, because macOS updates its list of apps only while a program's main run loop
/// runs.
fn process_exists(pid: u32) -> bool {
    let pid = pid.try_into().ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid).is_ok())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn bundle(script: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("Contents/MacOS");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("Docker");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        dir
    }

    #[test]
    fn docker_is_another_process_afterwards() {
        let dir = bundle("while :; do sleep 0.05; done");
        apps::open(dir.path()).unwrap();
        let until = Instant::now() + TIMEOUT;
        assert!(poll_until(until, POLL_INTERVAL, || running(dir.path()).is_some()));
        let before = running(dir.path()).unwrap();
        restart(dir.path()).unwrap();
        let after = running(dir.path()).unwrap();
        assert_ne!(before.pid, after.pid);
        apps::ask_to_quit(&after);
    }

    #[test]
    fn a_docker_that_does_not_quit_is_left_alone() {
        let dir = bundle("trap '' TERM; touch \"$0.up\"; while :; do sleep 0.05; done");
        apps::open(dir.path()).unwrap();
        let up = dir.path().join("Contents/MacOS/Docker.up");
        assert!(poll_until(Instant::now() + TIMEOUT, POLL_INTERVAL, || up.exists()));
        let before = running(dir.path()).unwrap();
        let error = restart_within(dir.path(), Duration::from_secs(1)).unwrap_err();
        assert!(matches!(error, RestartError::StillRuns { .. }), "{error}");
        assert_eq!(running(dir.path()).unwrap().pid, before.pid);
        // Nothing else ends this process.
        let pid = rustix::process::Pid::from_raw(before.pid.try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }

    #[test]
    fn a_docker_that_does_not_come_up_is_reported() {
        let dir = bundle("exit 1");
        let error = restart_within(dir.path(), Duration::from_secs(1)).unwrap_err();
        assert!(matches!(error, RestartError::NotRunning { .. }), "{error}");
    }
}
