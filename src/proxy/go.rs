//! How an engine reads its environment: the rules of Go's `net/http`, which it is built with.
//!
//! They changed with Go 1.11. Up to 1.10 (`net/http/transport.go`, `useProxy`) an entry of
//! `NO_PROXY` is compared as text with the end of a host's name, its port is cut off unread, and an
//! IPv6 address has to stand in brackets. From 1.11 on (`golang.org/x/net/http/httpproxy`) there are
//! networks, `*.` and ports, a leading dot leaves the domain itself out, and an IPv6 address stands
//! in brackets only before a port.

use std::net::IpAddr;

use serde::Serialize;

use super::bypass::is_below;

/// Which rules an engine goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Rules {
    /// Those up to Go 1.10.
    #[serde(rename = "go1.10")]
    UpTo1_10,
    /// Those from Go 1.11 on.
    #[serde(rename = "go1.11")]
    From1_11,
}

impl Rules {
    /// In words, as in "reads no_proxy as Go 1.10 and earlier do".
    pub fn in_words(self) -> &'static str {
        match self {
            Self::UpTo1_10 => "Go 1.10 and earlier",
            Self::From1_11 => "Go 1.11 and later",
        }
    }

    /// Whether a program under these rules reaches `host` and `port` directly, given its `NO_PROXY`.
    pub fn is_direct(self, no_proxy: &str, host: &str, port: u16) -> bool {
        let host = host.trim_matches(['[', ']']);
        let address = host.parse::<IpAddr>().ok();
        if host == "localhost" || address.is_some_and(|a| a.to_canonical().is_loopback()) {
            return true;
        }
        let host = host.to_ascii_lowercase();
        no_proxy.split(',').any(|entry| {
            let entry = entry.trim().to_ascii_lowercase();
            match self {
                _ if entry.is_empty() => false,
                Self::UpTo1_10 => no_proxy == "*" || covers_as_text(&entry, &host, address),
                Self::From1_11 => entry == "*" || covers(&entry, &host, address, port),
            }
        })
    }
}

/// Up to Go 1.10. An IPv6 host still has its brackets here, and so must the entry.
fn covers_as_text(entry: &str, host: &str, address: Option<IpAddr>) -> bool {
    let host = match address {
        Some(IpAddr::V6(_)) => format!("[{host}]"),
        _ => host.to_owned(),
    };
    let end = match (entry.rfind(':'), entry.rfind(']')) {
        (Some(colon), bracket) if bracket.is_none_or(|bracket| bracket < colon) => colon,
        _ => entry.len(),
    };
    match &entry[..end] {
        "" => false,
        name => {
            let domain = name.strip_prefix('.').unwrap_or(name);
            host == domain
                || host
                    .strip_suffix(domain)
                    .is_some_and(|rest| rest.ends_with('.'))
        }
    }
}

/// From Go 1.11 on.
fn covers(entry: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    if let Some((base, bits)) = entry.split_once('/')
        && let (Ok(base), Ok(bits)) = (base.parse::<IpAddr>(), bits.parse::<u8>())
    {
        return address.is_some_and(|address| in_network(address, base, bits));
    }
    let (name, entry_port) = split_port(entry);
    if entry_port.is_some_and(|there| !there.is_empty() && there != port.to_string()) {
        return false;
    }
    // With a port, an IPv6 address stands in brackets; without, brackets make it a name that no host has.
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    let name = bare.filter(|_| entry_port.is_some()).unwrap_or(name);
    if let Ok(entry) = name.parse::<IpAddr>() {
        return address.is_some_and(|address| address.to_canonical() == entry.to_canonical());
    }
    let dotted = name.strip_prefix('*').filter(|rest| rest.starts_with('.'));
    let name = dotted.unwrap_or(name);
    match name.strip_prefix('.') {
        Some(domain) => is_below(host, domain),
        None => !name.is_empty() && (host == name || is_below(host, name)),
    }
}

/// The port behind the last colon, if the rest is a name or stands in brackets.
fn split_port(entry: &str) -> (&str, Option<&str>) {
    match entry.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, Some(port)),
        _ => (entry, None),
    }
}

fn in_network(address: IpAddr, base: IpAddr, bits: u8) -> bool {
    let shared = |a: u128, b: u128, width: u32| {
        let bits = u32::from(bits);
        bits <= width && (bits == 0 || (a ^ b) >> (width - bits) == 0)
    };
    match (address.to_canonical(), base) {
        (IpAddr::V4(a), IpAddr::V4(b)) => shared(u32::from(a).into(), u32::from(b).into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => shared(a.into(), b.into(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_entry_covers_under_either_rules() {
        // (entry, host, up to 1.10, from 1.11 on), port 443
        for (entry, host, old, new) in [
            ("corp.com", "corp.com", true, true),
            ("corp.com", "a.b.Corp.com", true, true),
            ("corp.com", "xcorp.com", false, false),
            (".corp.com", "a.corp.com", true, true),
            (".corp.com", "corp.com", true, false),
            ("*.corp.com", "a.corp.com", false, true),
            ("*.corp.com", "corp.com", false, false),
            ("10.0.0.0/8", "10.1.2.3", false, true),
            ("10.1.2.3/8", "10.9.9.9", false, true),
            ("10.0.0.0/8", "11.1.2.3", false, false),
            ("169.254/16", "169.254.1.1", false, false),
            ("10.0.0.5", "10.0.0.5", true, true),
            ("0.5", "10.0.0.5", true, true),
            ("corp.com:443", "corp.com", true, true),
            ("corp.com:80", "corp.com", true, false),
            ("fe80::1", "fe80::1", false, true),
            ("[fe80::1]", "fe80::1", true, false),
            ("[fe80::1]:443", "fe80::1", true, true),
            ("LOCALHOST", "x.localhost", true, true),
            (":443", "x", false, false),
            ("corp.com:", "corp.com", true, true),
            ("fe80::/10", "fe80::1", false, true),
            ("*", "x", true, true),
            ("", "x", false, false),
            ("foo.*.com", "foo.a.com", false, false),
        ] {
            for (rules, expected) in [(Rules::UpTo1_10, old), (Rules::From1_11, new)] {
                let direct = rules.is_direct(entry, host, 443);
                assert_eq!(direct, expected, "{entry} {host} {rules:?}");
            }
        }
    }

    #[test]
    fn loopback_is_always_direct() {
        assert!(!Rules::UpTo1_10.is_direct("*,a", "x", 443));
        assert!(Rules::From1_11.is_direct("a,*", "x", 443));
        for rules in [Rules::UpTo1_10, Rules::From1_11] {
            for host in ["localhost", "127.0.0.1", "127.3.2.1", "[::1]"] {
                assert!(rules.is_direct("", host, 443), "{host}");
            }
            assert!(!rules.is_direct("", "192.168.65.1", 443));
        }
    }
}
