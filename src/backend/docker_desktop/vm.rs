//! The VM of the running Docker, as seen from the Mac: its start time and its console.

use std::env;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::platform::apps::{self, RunningApp};

use super::restart;

/// The VM's console, in the user's home folder: it leads to the pseudo-terminal of the VM's first
/// serial line. The hypervisor creates it again whenever the VM starts.
const CONSOLE: &str = "Library/Containers/com.docker.docker/Data/com.docker.driver.amd64-linux/tty";

/// Maximum difference between the clock that dates a file and the one that dates a process.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(2);

/// The VM of a running Docker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vm {
    /// Process ID of Docker. The VM ends with this process.
    pub pid: u32,
    /// Start time of the VM, which can restart while Docker runs.
    pub since: Option<SystemTime>,
    /// Path of the console, if the VM has one.
    pub console: Option<PathBuf>,
}

impl Vm {
    /// Returns the VM of the Docker that runs from `bundle`.
    pub fn of(bundle: &Path) -> Option<Self> {
        let app = restart::running(bundle)?;
        let console = env::home_dir().unwrap_or_default().join(CONSOLE);
        let mut vm = Self::seen(&app, console);
        // All Dockers share one console path. It belongs to the one that runs.
        if !apps::is_from(&app, bundle) {
            vm.console = None;
        }
        Some(vm)
    }

    fn seen(app: &RunningApp, console: PathBuf) -> Self {
        let made = console
            .symlink_metadata()
            .and_then(|link| link.modified())
            .ok();
        // An older console was left by a Docker that has ended, and may lead to an unrelated
        // terminal with the same number now.
        let made = made.filter(|made| {
            app.since
                .is_none_or(|since| *made + CLOCK_TOLERANCE >= since)
        });
        Self {
            pid: app.pid,
            since: app
                .since
                .map(|since| made.map_or(since, |made| made.max(since))),
            console: made.map(|_| console),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_is_the_vms_only_if_it_is_no_older_than_docker() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("tty");
        let now = SystemTime::now();
        let docker = |since| RunningApp { pid: 7, since };
        let none = Vm::seen(&docker(Some(now)), link.clone());
        assert_eq!((none.since, none.console), (Some(now), None));

        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        let made = link.symlink_metadata().unwrap().modified().unwrap();
        let long_ago = now - Duration::from_secs(60);
        for (since, expected) in [(long_ago, made), (made + Duration::from_secs(1), made)] {
            let seen = Vm::seen(&docker(Some(since)), link.clone());
            assert_eq!(seen.since, Some(since.max(expected)));
            assert_eq!(seen.console.as_deref(), Some(&*link));
        }
        let stale = Vm::seen(&docker(Some(made + Duration::from_secs(60))), link.clone());
        assert_eq!(stale.console, None);
        let undated = Vm::seen(&docker(None), link.clone());
        assert_eq!((undated.since, undated.console), (None, Some(link)));
    }
}
