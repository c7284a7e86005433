//! Times in words.

use std::time::SystemTime;

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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

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
