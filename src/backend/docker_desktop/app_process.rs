//! A process that another Baleen can recognize later, from a file.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Maximum difference between two readings of a process's start time, since clocks are adjusted.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(2);

/// A process that was seen. Process IDs are reused, so the start time is part of its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownProcess {
    pid: u32,
    /// Start time in milliseconds since 1970.
    since: u64,
}

impl KnownProcess {
    /// Creates the record of a process. Returns `None` if the system does not tell its start time.
    pub(crate) fn new(pid: u32, since: Option<SystemTime>) -> Option<Self> {
        let since = milliseconds(since?);
        Some(Self { pid, since })
    }

    /// Returns whether it is the process with this ID and start time.
    pub(crate) fn is(&self, pid: u32, since: Option<SystemTime>) -> bool {
        let drift = |since| milliseconds(since).abs_diff(self.since);
        self.pid == pid
            && since.is_some_and(|since| u128::from(drift(since)) <= CLOCK_TOLERANCE.as_millis())
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_again_although_clocks_are_set() {
        let at = |seconds| Some(UNIX_EPOCH + Duration::from_secs(seconds));
        let known = KnownProcess::new(7, at(100)).unwrap();
        assert!(known.is(7, at(100)) && known.is(7, at(98)) && known.is(7, at(102)));
        assert!(!known.is(7, at(103)) && !known.is(8, at(100)) && !known.is(7, None));
        assert_eq!(KnownProcess::new(7, None), None);
    }
}
