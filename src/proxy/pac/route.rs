//! What a script answers: where to go, in the order in which it is to be tried.
//!
//! The form is Netscape's, as MDN's "Proxy Auto-Configuration (PAC) file" describes it:
//! entries separated by semicolons, each `DIRECT` or a kind of proxy and its `host:port`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::proxy::{ProxyUrl, redact};

/// One way to a host. A host that is an IPv6 address stands in brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Route {
    /// Without any proxy.
    Direct,
    /// Through a proxy that is spoken to in plain HTTP (`PROXY`).
    Http {
        /// Its name or address.
        host: String,
        /// Its port; 80 where the script names none.
        port: u16,
    },
    /// Through a proxy that is spoken to in TLS (`HTTPS`), which no engine of the Moby family can.
    Https {
        /// Its name or address.
        host: String,
        /// Its port; 443 where the script names none.
        port: u16,
    },
    /// Through a SOCKS proxy, version 5 as far as the script says one (`SOCKS` or `SOCKS5`).
    Socks {
        /// Its name or address.
        host: String,
        /// Its port; 1080 where the script names none.
        port: u16,
    },
    /// Through a SOCKS proxy of version 4 (`SOCKS4`), which Go does not speak.
    Socks4 {
        /// Its name or address.
        host: String,
        /// Its port; 1080 where the script names none.
        port: u16,
    },
}

impl fmt::Display for Route {
    /// As a script says it.
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

/// A script's answer, read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Routes {
    /// What was understood, in order.
    pub routes: Vec<Route>,
    /// The entries that were not, each with the reason.
    pub ignored: Vec<String>,
}

impl Routes {
    /// Reads what `FindProxyForURL` returned. Nothing at all means to go direct, and so do entries that
    /// only some browsers understand, which are among [`Routes::ignored`].
    ///
    /// # Errors
    /// A sentence on what is wrong with it, when it holds control characters or no entry that is
    /// understood: to go direct then would be a guess.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut found = Self::default();
        for entry in text.split(';').map(str::trim).filter(|e| !e.is_empty()) {
            if entry.chars().any(|c| c.is_control() && c != '\t') {
                return Err("it holds a line break or another control character".to_owned());
            }
            match read(entry) {
                Ok(route) => found.routes.push(route),
                Err(why) => found.ignored.push(format!("'{}': {why}", redact(entry))),
            }
        }
        let is_unknown = |why: &&String| !why.ends_with(FIREFOX_ONLY);
        if let (Some(why), []) = (found.ignored.iter().find(is_unknown), &*found.routes) {
            return Err(format!("nothing in it is understood: {why}"));
        }
        if found.routes.is_empty() {
            found.routes.push(Route::Direct);
        }
        Ok(found)
    }
}

/// Why an entry `HTTP` doesn't count: of Chromium 156 and Firefox ESR 153, asked with the same script.
pub(in crate::proxy) const FIREFOX_ONLY: &str =
    "Chromium ignores the word HTTP, Firefox takes it for PROXY; the script should say PROXY";

fn read(entry: &str) -> Result<Route, String> {
    let (kind, place) = entry.split_once([' ', '\t']).unwrap_or((entry, ""));
    let kind = kind.to_ascii_uppercase();
    let default = match &*kind {
        "DIRECT" if place.is_empty() => return Ok(Route::Direct),
        "PROXY" => 80,
        "HTTP" => return Err(FIREFOX_ONLY.to_owned()),
        "HTTPS" => 443,
        "SOCKS" | "SOCKS4" | "SOCKS5" => 1080,
        _ => return Err("expected DIRECT, PROXY, HTTPS, SOCKS, SOCKS4 or SOCKS5".to_owned()),
    };
    let place = place.trim();
    if place.contains(['@', '/', '?', '#']) {
        return Err("expected a host and a port, and nothing else".to_owned());
    }
    // A colon inside brackets is the address's.
    let named = place
        .rsplit(']')
        .next()
        .is_some_and(|end| end.contains(':'));
    let url = if named {
        format!("http://{place}")
    } else {
        format!("http://{place}:{default}")
    };
    let url = ProxyUrl::parse(&url).map_err(|why| why.to_string())?;
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
            // From scripts that break their strings over lines.
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
            let [why] = &*found.ignored else {
                panic!("{text}: {:?}", found.ignored);
            };
            assert!(why.contains("Firefox takes it for PROXY"), "{why}");
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
            assert!(found.ignored[0].starts_with(&format!("'{entry}': ")));
            // Alone it is no answer: to go direct would be a guess.
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
        assert!(!found.ignored[0].contains("s3cret"), "{}", found.ignored[0]);
    }
}
