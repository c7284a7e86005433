//! What the relay says about itself.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::proxy::route::Hop;
use crate::util::{locked, unix_seconds};

/// The status of a relay. Times are seconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
// That of another version, which may lack a field, is understood as far as possible.
#[serde(default)]
pub struct Status {
    /// The version of Baleen.
    pub version: String,
    /// Its process ID.
    pub pid: u32,
    /// The port on 127.0.0.1.
    pub port: u16,
    /// True if it sends no password in clear.
    pub without_basic: bool,
    /// When it started.
    pub since: u64,
    /// Number of open connections.
    pub open: usize,
    /// Number of requests that were answered.
    pub requests: u64,
    /// Number of bytes in both directions of closed tunnels.
    pub bytes: u64,
    /// The way of the last connection that came through.
    pub way: Option<Way>,
    /// The last failure, if it is later than the last connection that came through.
    pub failure: Option<RelayFailure>,
}

/// The way that a connection took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// The proxy; nothing without one.
    pub proxy: Option<String>,
    /// The scheme of the login at the proxy, if there was one.
    pub login: Option<String>,
}

/// Why a connection did not come through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayFailure {
    /// When it was.
    pub at: u64,
    /// The reason.
    pub reason: String,
}

/// What went through the relay since it started.
#[derive(Debug)]
pub(crate) struct Activity {
    since: u64,
    /// Number of open connections.
    pub(crate) open: AtomicUsize,
    /// Number of requests that were answered.
    pub(crate) requests: AtomicU64,
    /// Number of bytes in both directions of closed tunnels.
    pub(crate) bytes: AtomicU64,
    last: Mutex<Last>,
}

#[derive(Debug, Default)]
struct Last {
    way: Option<Way>,
    failure: Option<RelayFailure>,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self {
            since: now(),
            open: AtomicUsize::default(),
            requests: AtomicU64::default(),
            bytes: AtomicU64::default(),
            last: Mutex::default(),
        }
    }

    /// Notes a connection that came through.
    pub(crate) fn came_through(&self, hop: &Hop, login: Option<String>) {
        let way = Way {
            proxy: match hop {
                Hop::Direct => None,
                Hop::Through(proxy) => Some(proxy.to_string()),
            },
            login,
        };
        let mut last = locked(&self.last);
        if last.way.as_ref() != Some(&way) {
            // A PAC script may name another proxy for each host.
            tracing::debug!("connections go {way}");
        }
        *last = Last {
            way: Some(way),
            failure: None,
        };
    }

    /// Notes a connection that did not come through.
    pub(crate) fn failed(&self, reason: String) {
        let mut last = locked(&self.last);
        last.failure = Some(RelayFailure { at: now(), reason });
    }

    pub(crate) fn status(&self, port: u16, without_basic: bool) -> Status {
        let last = locked(&self.last);
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            port,
            without_basic,
            since: self.since,
            open: self.open.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            way: last.way.clone(),
            failure: last.failure.clone(),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.proxy, &self.login) {
            (None, _) => f.write_str("without a proxy"),
            (Some(proxy), None) => write!(f, "through {proxy}"),
            (Some(proxy), Some(login)) => write!(f, "through {proxy} ({login})"),
        }
    }
}

impl Status {
    /// Returns whether `other` has the same way, failure and process.
    pub(crate) fn differs_in_numbers_only(&self, other: &Self) -> bool {
        let numbers_of_other = Self {
            open: other.open,
            requests: other.requests,
            bytes: other.bytes,
            ..self.clone()
        };
        numbers_of_other == *other
    }
}

fn now() -> u64 {
    unix_seconds(SystemTime::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_names_the_proxy_and_the_login() {
        let of = |proxy: Option<&str>, login: Option<&str>| {
            let way = Way {
                proxy: proxy.map(str::to_owned),
                login: login.map(str::to_owned),
            };
            way.to_string()
        };
        assert_eq!(of(None, None), "without a proxy");
        assert_eq!(of(Some("p:1"), None), "through p:1");
        assert_eq!(of(Some("p:1"), Some("NTLM")), "through p:1 (NTLM)");
    }
}
