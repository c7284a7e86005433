//! The local day and time of day.

use std::time::SystemTime;

use tz::TimeZone;

use crate::platform::time_zone;
use crate::util::unix_seconds;

use super::menu::{Moment, TODAY, YESTERDAY};

/// A clock for a time zone.
pub(super) struct Clock(TimeZone);

impl Clock {
    /// Uses this computer's time zone, or UTC if the system does not report one.
    pub(super) fn local() -> Self {
        Self(time_zone::local())
    }

    /// Formats seconds since 1970 as a day and a time of day.
    pub(super) fn show(&self, seconds: u64) -> Moment {
        self.show_at(seconds, unix_seconds(SystemTime::now()))
    }

    fn show_at(&self, seconds: u64, now: u64) -> Moment {
        let here = |seconds: u64| {
            let seconds = i64::try_from(seconds).ok()?;
            tz::DateTime::from_timespec(seconds, 0, self.0.as_ref()).ok()
        };
        let (Some(then), Some(now)) = (here(seconds), here(now)) else {
            return Moment {
                day: "Unknown Day".to_owned(),
                time: "--:--".to_owned(),
            };
        };
        // The number of a day in a count that knows no time zone, so that days of 23 and 25 hours count as one.
        let number = |t: &tz::DateTime| {
            let day = tz::UtcDateTime::new(t.year(), t.month(), t.month_day(), 0, 0, 0, 0);
            day.map(|day| day.unix_time() / (24 * 60 * 60)).ok()
        };
        let days = number(&now).zip(number(&then));
        let day = match days.map(|(now, then)| now - then) {
            Some(0) => TODAY.to_owned(),
            Some(1) => YESTERDAY.to_owned(),
            _ => format!(
                "{}-{:02}-{:02}",
                then.year(),
                then.month(),
                then.month_day()
            ),
        };
        let time = format!("{:02}:{:02}", then.hour(), then.minute());
        Moment { day, time }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_its_day() {
        // Central European Time, with daylight saving time from the end of March.
        let clock = Clock(TimeZone::from_posix_tz("CET-1CEST,M3.5.0,M10.5.0/3").unwrap());
        let hour = 3600;
        let noon = 1_464_091_200; // 2016-05-24T12:00:00Z
        let winter = 1_480_075_200; // 2016-11-25T12:00:00Z
        // 2016-03-27, 23:30 in summer time, on a day that had 23 hours.
        let late = 1_459_114_200;
        for (then, now, expected) in [
            (noon, noon + hour, "14:00"),
            (noon, noon + 24 * hour, "Yesterday 14:00"),
            (noon, noon + 10 * hour, "Yesterday 14:00"),
            (noon, noon + 48 * hour, "2016-05-24 14:00"),
            (noon + hour, noon, "15:00"),
            (winter, winter, "13:00"),
            (late, late + hour, "Yesterday 23:30"),
            (late - 23 * hour, late, "Yesterday 23:30"),
        ] {
            assert_eq!(clock.show_at(then, now).to_string(), expected);
        }
    }
}
