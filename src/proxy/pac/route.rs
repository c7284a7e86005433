//! The routes in a script's answer, in the order in which to try them.
//!
//! The form is Netscape's, as MDN's "Proxy Auto-Configuration (PAC) file" describes it:
//! entries separated by semicolons, each `DIRECT` or a kind of proxy and its `host:port`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::{IgnoredEntry, InvalidAnswer, InvalidEntry};
use crate::proxy::{ProxyUrl, redact};

/// One route to a host. A proxy's IPv6 address has brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Route {
    /// Without any proxy.
    Direct,
    /// Through a proxy that speaks plain HTTP (`PROXY`).
    Http {
        /// Its name or address.
        host: String,
        /// Its port; 80 where the script names none.
        port: u16,
    },
    /// Through a proxy that is reached over TLS (`HTTPS`), which no engine of the Moby family supports.
    Https {
        /// Its name or address.
        host: String,
        /// Its port; 443 where the script names none.
        port: u16,
    },
    /// Through a SOCKS proxy, of version 5 if the script names a version (`SOCKS` or `SOCKS5`).
    Socks {
        /// Its name or address.
        host: String,
        /// Its port; 1080 where the script names none.
        port: u16,
    },
    /// Through a SOCKS proxy of version 4 (`SOCKS4`), which Go does not support.
    Socks4 {
        /// Its name or address.
        host: String,
        /// Its port; 1080 where the script names none.
        port: u16,
    },
}

impl fmt::Display for Route {
    /// Formats the route as in a script's answer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, host, port) = match self {
            Self::Direct => return f.write_str("DIRECT"),
            Self::Http { host, port } => ("PROXY", host, port),
            Self::Https { host, port } => ("HTTPS", host, port),
            Self::Socks { host, port } => ("SOCKS", host, port),
            Self::Socks4 { host, port } => ("SOCKS4", host, port),
        };
        write!(f, "{kind} {host}:{port}")
    }
}

/// A script's answer after parsing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Routes {
    /// The routes that were understood, in order.
    pub routes: Vec<Route>,
    /// The entries that were not understood.
    pub ignored: Vec<IgnoredEntry>,
}

impl Routes {
    /// Reads the return value of `FindProxyForURL`. An empty answer means a direct route, and so do entries
    /// that only some browsers understand, which are among [`Routes::ignored`].
    ///
    /// # Errors
    /// When the text holds control characters or no entry that is understood.
    /// A direct route would be a guess in that case.
    pub fn parse(text: &str) -> Result<Self, InvalidAnswer> {
        let mut found = Self::default();
        for entry in text.split(';').map(str::trim).filter(|e| !e.is_empty()) {
            if entry.chars().any(|c| c.is_control() && c != '\t') {
                return Err(InvalidAnswer::Control);
            }
            match read(entry) {
                Ok(route) => found.routes.push(route),
                Err(why) => found.ignored.push(IgnoredEntry {
                    entry: redact(entry),
                    why,
                }),
            }
        }
        let is_unknown = |ignored: &&IgnoredEntry| ignored.why != InvalidEntry::FirefoxOnly;
        if let (Some(ignored), []) = (found.ignored.iter().find(is_unknown), &*found.routes) {
            return Err(InvalidAnswer::Nothing(ignored.clone()));
        }
        if found.routes.is_empty() {
            found.routes.push(Route::Direct);
        }
        Ok(found)
    }
}

fn read(entry: &str) -> Result<Route, InvalidEntry> {
    let (kind, place) = entry.split_once([' ', '\t']).unwrap_or((entry, ""));
    let kind = kind.to_ascii_uppercase();
    let default = match &*kind {
        "DIRECT" if place.is_empty() => return Ok(Route::Direct),
        "PROXY" => 80,
        "HTTP" => return Err(InvalidEntry::FirefoxOnly),
        "HTTPS" => 443,
        "SOCKS" | "SOCKS4" | "SOCKS5" => 1080,
        _ => return Err(InvalidEntry::Kind),
    };
    let place = place.trim();
    if place.contains(['@', '/', '?', '#']) {
        return Err(InvalidEntry::Place);
    }
    // A colon inside brackets belongs to the address.
    let named = place
        .rsplit(']')
        .next()
        .is_some_and(|end| end.contains(':'));
    let url = if named {
        format!("http://{place}")
    } else {
        format!("http://{place}:{default}")
    };
    let url = ProxyUrl::parse(&url).map_err(InvalidEntry::Url)?;
    let (host, port) = (url.host().to_owned(), url.port());
    Ok(match &*kind {
        "HTTPS" => Route::Https { host, port },
        "SOCKS4" => Route::Socks4 { host, port },
        "SOCKS" | "SOCKS5" => Route::Socks { host, port },
        _ => Route::Http { host, port },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(host: &str, port: u16) -> Route {
        let host = host.to_owned();
        Route::Http { host, port }
    }

    #[test]
    fn answers_are_read_in_order() {
        let https = |host: &str, port| Route::Https {
            host: host.to_owned(),
            port,
        };
        let socks = |host: &str, port| Route::Socks {
            host: host.to_owned(),
            port,
        };
        let socks4 = |host: &str, port| Route::Socks4 {
            host: host.to_owned(),
            port,
        };
        for (text, expected) in [
            ("", vec![Route::Direct]),
            ("  ", vec![Route::Direct]),
            (";;", vec![Route::Direct]),
            ("DIRECT", vec![Route::Direct]),
            ("direct;", vec![Route::Direct]),
            ("PROXY a:8080", vec![http("a", 8080)]),
            ("proxy  a.b:8080 ", vec![http("a.b", 8080)]),
            ("HTTPS a", vec![https("a", 443)]),
            ("HTTPS a:80", vec![https("a", 80)]),
            ("SOCKS a", vec![socks("a", 1080)]),
            ("SOCKS4 a:1", vec![socks4("a", 1)]),
            ("PROXY [fe80::1]:3128", vec![http("[fe80::1]", 3128)]),
            ("PROXY [fe80::1]", vec![http("[fe80::1]", 80)]),
            ("PROXY\ta:1", vec![http("a", 1)]),
            (
                "PROXY a:8080; SOCKS5 b:1080; DIRECT",
                vec![http("a", 8080), socks("b", 1080), Route::Direct],
            ),
            // Some scripts break their strings across lines.
            (
                "PROXY a:1;\n  PROXY b:2;\r\n",
                vec![http("a", 1), http("b", 2)],
            ),
        ] {
            let found = Routes::parse(text).unwrap();
            assert_eq!(found.routes, expected, "{text:?}");
            assert!(found.ignored.is_empty(), "{text:?}");
        }
    }

    #[test]
    fn a_word_that_only_firefox_knows_does_not_count() {
        for (text, expected) in [
            ("HTTP a:1", Route::Direct),
            ("http a", Route::Direct),
            ("HTTP a:1; PROXY p:1", http("p", 1)),
            ("HTTP a:1; DIRECT", Route::Direct),
        ] {
            let found = Routes::parse(text).unwrap();
            assert_eq!(found.routes, [expected], "{text}");
            let [ignored] = &*found.ignored else {
                panic!("{text}: {:?}", found.ignored);
            };
            assert_eq!(ignored.why, InvalidEntry::FirefoxOnly);
        }
        assert!(Routes::parse("HTTP a:1; QUIC b:1").is_err());
    }

    #[test]
    fn entries_that_are_not_understood_are_reported() {
        for entry in [
            "QUIC a:1",
            "DIRECT a:1",
            "PROXY",
            "PROXY :80",
            "PROXY a:0",
            "PROXY a:99999",
            "PROXY a:+1",
            "PROXY a:",
            "PROXY a b",
            "PROXY ::1:80",
            "PROXY [::1",
            "PROXY a:1/path",
            "PROXY http://a:1",
            "PROXY a:1, PROXY b:1",
            "a:8080",
        ] {
            let found = Routes::parse(&format!("{entry}; PROXY p:1")).unwrap();
            assert_eq!(found.routes, [http("p", 1)], "{entry}");
            assert_eq!(found.ignored.len(), 1, "{entry}");
            assert_eq!(found.ignored[0].entry, entry);
            // Alone it is not a valid answer: a direct route would be a guess.
            assert!(Routes::parse(entry).is_err(), "{entry}");
        }
    }

    #[test]
    fn control_characters_and_passwords_go_nowhere() {
        for text in ["PROXY a:1\nPROXY b:1", "PROXY a\0:1", "PROXY \u{1b}[1ma:1"] {
            assert!(Routes::parse(text).is_err(), "{text:?}");
        }
        let found = Routes::parse("PROXY me:s3cret@a:1; DIRECT").unwrap();
        assert_eq!(found.routes, [Route::Direct]);
        let shown = found.ignored[0].to_string();
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
