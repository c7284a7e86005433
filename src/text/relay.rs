//! The relay's status in words.

use std::time::{Duration, UNIX_EPOCH};

use crate::relay::Status;

use super::time::ago;

/// Returns the status in lines.
pub(crate) fn lines(status: &Status) -> Vec<String> {
    let time = |seconds| ago(UNIX_EPOCH + Duration::from_secs(seconds));
    let mut lines = vec![format!(
        "The relay listens at 127.0.0.1:{} (process {}, started {}).",
        status.port,
        status.pid,
        time(status.since)
    )];
    lines.push(match &status.way {
        Some(taken) => format!("The last connection went {taken}."),
        None => "No connection came through yet.".to_owned(),
    });
    if let Some(failure) = &status.failure {
        lines.push(format!(
            "The last one failed {}: {}.",
            time(failure.at),
            failure.reason
        ));
    }
    lines.push(format!(
        "{}, {} transferred, {}.",
        counted(status.requests, "request"),
        amount(status.bytes),
        counted(status.open as u64, "open connection")
    ));
    lines
}

/// Returns an amount of data, in the units of macOS: powers of ten.
pub(crate) fn amount(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match UNITS.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => {
            let tenths = bytes / (unit / 10);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} bytes"),
    }
}

fn counted(number: u64, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_one_digit_behind_the_point() {
        for (bytes, expected) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1000, "1.0 kB"),
            (1_999, "1.9 kB"),
            (15_250_000, "15.2 MB"),
            (2_000_000_000_000, "2000.0 GB"),
        ] {
            assert_eq!(amount(bytes), expected);
        }
    }
}
