//! The local time of day.

use std::time::{SystemTime, UNIX_EPOCH};

use tz::TimeZone;

use crate::platform::time_zone;

/// A clock for a time zone.
pub(super) struct Clock(TimeZone);

impl Clock {
    /// Uses this computer's time zone, or UTC if the system does not report one.
    pub(super) fn local() -> Self {
        Self(time_zone::local())
    }

    /// Formats seconds since 1970 as a time of day, with the date unless it is today.
    pub(super) fn show(&self, seconds: u64) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        self.show_at(seconds, now.as_secs())
    }

    fn show_at(&self, seconds: u64, now: u64) -> String {
        let here = |seconds: u64| {
            let seconds = i64::try_from(seconds).ok()?;
            tz::DateTime::from_timespec(seconds, 0, self.0.as_ref()).ok()
        };
        let (Some(then), Some(now)) = (here(seconds), here(now)) else {
            return "--:--".to_owned();
        };
        let time = format!("{:02}:{:02}", then.hour(), then.minute());
        let day = |t: &tz::DateTime| (t.year(), t.month(), t.month_day());
        if day(&then) == day(&now) {
            return time;
        }
        format!(
            "{}-{:02}-{:02} {time}",
            then.year(),
            then.month(),
            then.month_day()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_stands_there_only_where_it_is_not_today() {
        // Central European Time, with daylight saving time from the end of March.
        let clock = Clock(TimeZone::from_posix_tz("CET-1CEST,M3.5.0,M10.5.0/3").unwrap());
        let noon = 1_464_091_200; // 2016-05-24T12:00:00Z
        assert_eq!(clock.show_at(noon, noon + 3600), "14:00");
        assert_eq!(clock.show_at(noon, noon + 24 * 3600), "2016-05-24 14:00");
        let winter = 1_480_075_200; // 2016-11-25T12:00:00Z
        assert_eq!(clock.show_at(winter, winter), "13:00");
    }
}
