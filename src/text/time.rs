//! Times in words.

use std::time::SystemTime;

use tz::{DateTime, TimeZone};

/// Returns the time left until `until`, as in "for another 5 minutes".
pub(crate) fn minutes_until(until: SystemTime) -> String {
    let left = until.duration_since(SystemTime::now()).unwrap_or_default();
    match left.as_secs().div_ceil(60) {
        0 | 1 => "minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    }
}

/// Returns the time since `since`, in words.
pub(crate) fn ago(since: SystemTime) -> String {
    let minutes = since.elapsed().map_or(0, |time| time.as_secs() / 60);
    match minutes {
        0..=1 => "a moment ago".to_owned(),
        2..=119 => format!("{minutes} minutes ago"),
        120..=2879 => format!("{} hours ago", minutes / 60),
        _ => format!("{} days ago", minutes / 60 / 24),
    }
}

/// Returns a time on the clock of this zone, as in "2026-11-29 14:03:05", or nothing for a time that no calendar has.
pub(crate) fn date_and_time(at: SystemTime, zone: &TimeZone) -> String {
    let at = at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
    DateTime::from_timespec(seconds, 0, zone.as_ref()).map_or(String::new(), |at| {
        format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            at.year(),
            at.month(),
            at.month_day(),
            at.hour(),
            at.minute(),
            at.second()
        )
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_time_is_that_of_the_zone() {
        let zone = TimeZone::from_posix_tz("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        for (seconds, expected) in [
            (0, "1970-01-01 01:00:00"),
            (1_782_000_000, "2026-06-21 02:00:00"),
            (1_795_957_385, "2026-11-29 14:03:05"),
        ] {
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(date_and_time(at, &zone), expected);
        }
    }

    #[test]
    fn how_long_ago() {
        for (minutes, expected) in [
            (0, "a moment ago"),
            (59, "59 minutes ago"),
            (180, "3 hours ago"),
            (6000, "4 days ago"),
        ] {
            let since = SystemTime::now() - Duration::from_secs(60 * minutes);
            assert_eq!(ago(since), expected);
        }
        assert_eq!(
            ago(SystemTime::now() + Duration::from_secs(60)),
            "a moment ago"
        );
    }
}
