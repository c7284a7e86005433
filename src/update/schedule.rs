//! When the app looks for a newer version by itself, and about which it has notified the user.
//!
//! It goes by the wall clock, since the system's other clocks stand still while a computer sleeps.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::storage::JsonFile;
use crate::util::unix_seconds;

use super::Version;
use super::version::{Verdict, verdict};

/// Interval between two looks.
const INTERVAL: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Interval after a look that failed. Also the time before the very first, in which the user can turn it off.
const RETRY_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

const SCHEMA: u32 = 1;

/// The file with the schedule.
#[derive(Debug, Clone)]
pub struct ScheduleFile(JsonFile);

/// The next look, and the last notice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Time of the next look, in seconds since 1970.
    #[serde(default)]
    next: Option<u64>,
    /// The newest version of which the user was notified.
    #[serde(default)]
    announced: Option<String>,
}

impl Schedule {
    /// Returns whether a look is due. If it is, the next one is planned at once, as if this one failed: a program that
    /// is ended in the middle and opened again does not look in a loop.
    pub fn is_due(&mut self, now: SystemTime) -> bool {
        let due = match self.next {
            None => false,
            // The clock was set back by more than a look can be ahead.
            Some(next) if next > unix_seconds(now + INTERVAL) => true,
            Some(next) => next <= unix_seconds(now),
        };
        if due || self.next.is_none() {
            self.next = Some(unix_seconds(now + RETRY_INTERVAL));
        }
        due
    }

    /// Notes a look that succeeded, also one that the user asked for.
    pub fn looked(&mut self, now: SystemTime) {
        self.next = Some(unix_seconds(now + INTERVAL));
    }

    /// Returns whether the user is to be notified of the latest release, and notes that it was done. Of each version
    /// that happens once.
    pub fn announces(&mut self, running: &Version, latest: &Version) -> bool {
        let announced = self.announced.as_ref().and_then(|text| text.parse().ok());
        // A release that was withdrawn brings an older one back.
        let is_news = announced.is_none_or(|known| verdict(&known, latest) == Verdict::Newer);
        if verdict(running, latest) == Verdict::UpToDate || !is_news {
            return false;
        }
        self.announced = Some(latest.to_string());
        true
    }

    /// Notes that the notice could not be shown, so that the next look brings it again.
    pub fn not_shown(&mut self) {
        self.announced = None;
    }
}

impl ScheduleFile {
    /// The name of the file.
    pub const FILE: &str = "update.json";

    /// Uses the file of this name in `folder`.
    pub fn in_folder(folder: &Path) -> Self {
        Self(JsonFile::new(folder.join(Self::FILE), SCHEMA))
    }

    /// Changes the schedule with `change`, and returns what that returns.
    ///
    /// # Errors
    /// When the file can't be written. Then nothing was noted, and the answer must not be acted on.
    pub fn update<T>(&self, change: impl FnOnce(&mut Schedule) -> T) -> io::Result<T> {
        let mut result = None;
        self.0.update(|schedule: &mut Schedule| {
            let before = schedule.clone();
            result = Some(change(schedule));
            *schedule != before
        })?;
        result.ok_or_else(|| io::ErrorKind::Other.into())
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn start() -> SystemTime {
        UNIX_EPOCH + DAY * 20_000
    }

    #[test]
    fn it_looks_once_a_week_and_after_a_failure_the_next_day() {
        let mut schedule = Schedule::default();
        let mut looks = Vec::new();
        for hour in 0..24 * 40 {
            let now = start() + DAY * hour / 24;
            // The computer sleeps through three weeks.
            if (24 * 10..24 * 31).contains(&hour) {
                continue;
            }
            if schedule.is_due(now) {
                looks.push(hour);
                // The first two fail.
                if looks.len() > 2 {
                    schedule.looked(now);
                }
            }
        }
        assert_eq!(looks, [24, 48, 72, 24 * 31, 24 * 38]);
    }

    #[test]
    fn a_clock_that_was_wrong_delays_no_look_for_years() {
        let mut schedule = Schedule::default();
        schedule.looked(start() + DAY * 10_000);
        assert!(schedule.is_due(start()));
        assert!(!schedule.is_due(start()));
        assert!(schedule.is_due(start() + DAY));
        // A little wrong is waited for.
        schedule.looked(start() + DAY / 2);
        assert!(schedule.is_due(start()));
        schedule.looked(start());
        assert!(!schedule.is_due(start() - DAY / 48 + DAY));
    }

    #[test]
    fn each_version_is_announced_once() {
        let mut schedule = Schedule::default();
        let running: Version = "0.1.0".parse().unwrap();
        for (latest, expected) in [
            ("0.1.0", false),
            ("0.2.0", true),
            ("0.2.0", false),
            ("0.3.0-rc.1", false),
            ("0.3.0", true),
            ("0.2.0", false),
            ("0.3.0", false),
            ("0.3.1", true),
        ] {
            let latest = latest.parse().unwrap();
            assert_eq!(schedule.announces(&running, &latest), expected, "{latest}");
        }
        schedule.not_shown();
        assert!(schedule.announces(&running, &"0.3.1".parse().unwrap()));
    }

    #[test]
    fn it_survives_a_restart_and_damage_costs_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let file = || ScheduleFile::in_folder(dir.path());
        let due = |now| file().update(|schedule| schedule.is_due(now)).unwrap();
        assert!(!due(start()));
        assert!(due(start() + DAY));
        file().update(|it| it.looked(start() + DAY)).unwrap();
        assert!(!due(start() + DAY * 3));
        for damage in ["", "{", "[]", r#"{"schema":1,"next":"soon"}"#] {
            std::fs::write(dir.path().join(ScheduleFile::FILE), damage).unwrap();
            assert!(!due(start() + DAY * 30), "{damage}");
            assert!(due(start() + DAY * 31), "{damage}");
        }
        // A folder that can't be written: no look, rather than one each hour.
        std::fs::remove_dir_all(dir.path()).unwrap();
        std::fs::write(dir.path(), "").unwrap();
        assert!(file().update(|it| it.is_due(start())).is_err());
    }
}
