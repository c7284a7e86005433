//! The time zone of this computer.

use std::env;

use tz::TimeZone;

/// Returns the time zone of `TZ`, or else the system's. UTC if it can't be read, as in the C library.
/// `tz-rs` itself does not read `TZ`.
pub(crate) fn local() -> TimeZone {
    let named = env::var("TZ").ok();
    of(named.as_deref())
}

fn of(named: Option<&str>) -> TimeZone {
    let zone = match named {
        Some("" | ":") => return TimeZone::utc(),
        Some(name) => TimeZone::from_posix_tz(name),
        None => TimeZone::local(),
    };
    zone.unwrap_or_else(|_| TimeZone::utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_that_is_named_counts() {
        let berlin = of(Some("CET-1CEST,M3.5.0,M10.5.0/3"));
        let offset = |zone: &TimeZone, at| zone.find_local_time_type(at).unwrap().ut_offset();
        assert_eq!(offset(&berlin, 1_782_000_000), 7200); // 2026-06-21
        assert_eq!(offset(&berlin, 1_796_000_000), 3600); // 2026-11-30
        for name in ["", ":", "No/Where", "/no/such/file"] {
            assert_eq!(offset(&of(Some(name)), 0), 0, "{name}");
        }
    }
}
