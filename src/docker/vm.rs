//! The VM of the Docker that runs, as far as it is to be seen from the Mac: since when it runs, and where its console is.

use std::env;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::platform::apps::{self, RunningApp};

use super::restart;

/// The console of the VM, in the home of the user: it leads to the pseudo-terminal of its first serial line. The hypervisor
/// makes it again whenever the VM starts.
const CONSOLE: &str = "Library/Containers/com.docker.docker/Data/com.docker.driver.amd64-linux/tty";

/// By how much the two clocks may differ by which a file and a process are dated.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(2);

/// A VM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vm {
    /// The process of Docker, which it ends with.
    pub pid: u32,
    /// Since when it runs; it can be started again while Docker runs.
    pub since: Option<SystemTime>,
    /// Its console, where it has one.
    pub console: Option<PathBuf>,
}

impl Vm {
    /// The VM of the Docker that runs from `bundle`.
    pub fn of(bundle: &Path) -> Option<Self> {
        let app = restart::running(bundle)?;
        let console = env::home_dir().unwrap_or_default().join(CONSOLE);
        let mut vm = Self::seen(&app, console);
        // There is one console for all Dockers, and it is that of the one that runs.
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
        // One that is older was left there by a Docker that runs no more, and leads to whatever has its number now.
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
