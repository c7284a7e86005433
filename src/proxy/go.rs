//! The rules by which an engine reads `NO_PROXY`: those of Go's `net/http`, which it is built with.
//!
//! They changed with Go 1.11. Up to 1.10 (`net/http/transport.go`, `useProxy`), Go compares an entry
//! of `NO_PROXY` as text with the end of a host name, cuts its port off unread, and requires brackets
//! around an IPv6 address. From 1.11 on (`golang.org/x/net/http/httpproxy`), Go knows networks, `*.`
//! and ports, a leading dot excludes the domain itself, and an IPv6 address has brackets only before
//! a port.
//!
//! Go compares host names in ASCII; from 1.11 on it converts the entries to ASCII as well.
//!
//! All these versions take the end of an address for a domain: `2.3` covers 10.1.2.3. Go 1.24.1 was
//! the first to compare names only (golang/go#72123).

use std::borrow::Cow;
use std::net::IpAddr;

use serde::Serialize;

use super::bypass::is_below;
use super::idn;

/// The rules that an engine follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum NoProxyRules {
    /// The rules up to Go 1.10.
    #[serde(rename = "go1.10")]
    UpTo1_10,
    /// The rules from Go 1.11 on.
    #[serde(rename = "go1.11")]
    From1_11,
}

impl NoProxyRules {
    /// Returns the Go versions in words, as in "reads no_proxy as Go 1.10 and earlier do".
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::UpTo1_10 => "Go 1.10 and earlier",
            Self::From1_11 => "Go 1.11 and later",
        }
    }

    /// Returns whether a program under these rules reaches `host` and `port` directly, given its `NO_PROXY`.
    pub fn is_direct(self, no_proxy: &str, host: &str, port: u16) -> bool {
        let host = host.trim_matches(['[', ']']);
        let address = host.parse::<IpAddr>().ok();
        if host == "localhost" || address.is_some_and(|a| a.to_canonical().is_loopback()) {
            return true;
        }
        let host = idn::to_ascii(host).unwrap_or(Cow::Borrowed(host));
        let host = host.to_lowercase();
        no_proxy.split(',').any(|entry| {
            let entry = entry.trim().to_lowercase();
            match self {
                _ if entry.is_empty() => false,
                Self::UpTo1_10 => no_proxy == "*" || covers_as_text(&entry, &host, address),
                Self::From1_11 => NoProxyEntry::parse(&entry).covers(&host, address, port),
            }
        })
    }
}

/// Returns whether an entry covers `host` up to Go 1.10. These versions compare an IPv6 host with its
/// brackets, so the entry must have them as well.
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

/// The meaning of an entry from Go 1.11 on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoProxyEntry<'a> {
    /// Every host.
    All,
    /// The addresses that begin with the first bits of this one.
    Network(IpAddr, u8),
    /// This address, at one port or at all of them.
    Address(IpAddr, Port<'a>),
    /// A name, at one port or at all of them.
    Name {
        /// The name in ASCII; unchanged if it has no ASCII form, and then it matches no host.
        name: Cow<'a, str>,
        /// True if the entry covers the name itself, and not only its subdomains.
        itself: bool,
        /// The port.
        port: Port<'a>,
    },
    /// No host: the entry covers nothing.
    InvalidHost,
}

/// The port of an entry as text, which is how Go compares it. An empty port means any port.
pub(super) type Port<'a> = Option<&'a str>;

impl<'a> NoProxyEntry<'a> {
    /// Reads one entry without spaces around it, as `init` in `httpproxy` does.
    pub(super) fn parse(entry: &'a str) -> Self {
        if entry == "*" {
            return Self::All;
        }
        if let Some(network) = cidr(entry) {
            return network;
        }
        let (host, port) = match split_host_port(entry) {
            Some((host, port)) => (host, Some(port).filter(|port| !port.is_empty())),
            None => (entry, None),
        };
        if host.is_empty() {
            return Self::InvalidHost;
        }
        if let Ok(address) = host.parse::<IpAddr>() {
            return Self::Address(address.to_canonical(), port);
        }
        let host = host
            .strip_prefix('*')
            .filter(|rest| rest.starts_with('.'))
            .unwrap_or(host);
        let (name, itself) = match host.strip_prefix('.') {
            Some(name) => (name, false),
            None => (host, true),
        };
        Self::Name {
            name: idn::to_ascii(name).unwrap_or(Cow::Borrowed(name)),
            itself,
            port,
        }
    }

    /// Returns whether the entry covers `host`, which is in lower case, at `port`.
    fn covers(&self, host: &str, address: Option<IpAddr>, port: u16) -> bool {
        let at = |there: Port<'_>| there.is_none_or(|there| there == port.to_string());
        match self {
            Self::All => true,
            Self::Network(base, bits) => {
                address.is_some_and(|address| in_network(address, *base, *bits))
            }
            Self::Address(entry, there) => {
                at(*there) && address.is_some_and(|address| address.to_canonical() == *entry)
            }
            Self::Name {
                name,
                itself,
                port: there,
            } => at(*there) && (*itself && host == name || is_below(host, name)),
            Self::InvalidHost => false,
        }
    }
}

/// Reads a network as `net.ParseCIDR` does.
fn cidr(entry: &str) -> Option<NoProxyEntry<'_>> {
    let (base, bits) = entry.split_once('/')?;
    let base = base.parse::<IpAddr>().ok()?;
    let bits = Some(bits).filter(|bits| bits.bytes().all(|b| b.is_ascii_digit()))?;
    let bits = bits.parse::<u8>().ok()?;
    match base {
        IpAddr::V4(_) => (bits <= 32).then_some(NoProxyEntry::Network(base, bits)),
        // `IPNet.Contains` treats an IPv4-mapped address as an IPv4 address.
        IpAddr::V6(address) => match (address.to_ipv4_mapped(), bits) {
            (Some(address), 96..=128) => Some(NoProxyEntry::Network(address.into(), bits - 96)),
            (_, 0..=128) => Some(NoProxyEntry::Network(base, bits)),
            _ => None,
        },
    }
}

/// Splits host and port as `net.SplitHostPort` does. Returns nothing without a port, or if there are
/// brackets other than those around the host.
pub(crate) fn split_host_port(entry: &str) -> Option<(&str, &str)> {
    let (before, port) = entry.rsplit_once(':')?;
    let host = match before.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?,
        None => Some(before).filter(|host| !host.contains(':'))?,
    };
    let stray = |text: &str| text.contains(['[', ']']);
    (!stray(host) && !stray(port)).then_some((host, port))
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
            ("corp.com:", "corp.com", true, true),
            ("fe80::/10", "fe80::1", false, true),
            ("*", "x", true, true),
            ("", "x", false, false),
            ("foo.*.com", "foo.a.com", false, false),
            ("::ffff:10.0.0.5", "10.0.0.5", false, true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", false, true),
            ("::ffff:10.0.0.0/90", "10.1.2.3", false, false),
            ("10.0.0.0/+8", "10.1.2.3", false, false),
            ("10.0.0.0/08", "10.1.2.3", false, true),
            ("10.0.0.0/33", "10.0.0.0", false, false),
            ("[corp.com]:443", "corp.com", false, true),
            ("[fe80::1]:80", "fe80::1", true, false),
            ("[]:443", "x", false, false),
            ("[a]b:443", "a", false, false),
            ("corp.com:+443", "corp.com", true, false),
            ("corp.com:0443", "corp.com", true, false),
            ("2.3", "10.1.2.3", true, true),
            ("bücher.example", "xn--bcher-kva.example", false, true),
            ("xn--bcher-kva.example", "Bücher.example", true, true),
            (".bücher.example", "a.xn--bcher-kva.example", false, true),
            ("BÜCHER.example:443", "bücher.example", false, true),
        ] {
            for (rules, expected) in [(NoProxyRules::UpTo1_10, old), (NoProxyRules::From1_11, new)]
            {
                let direct = rules.is_direct(entry, host, 443);
                assert_eq!(direct, expected, "{entry} {host} {rules:?}");
            }
        }
    }

    #[test]
    fn loopback_is_always_direct() {
        assert!(!NoProxyRules::UpTo1_10.is_direct("*,a", "x", 443));
        assert!(NoProxyRules::From1_11.is_direct("a,*", "x", 443));
        for rules in [NoProxyRules::UpTo1_10, NoProxyRules::From1_11] {
            for host in ["localhost", "127.0.0.1", "127.3.2.1", "[::1]"] {
                assert!(rules.is_direct("", host, 443), "{host}");
            }
            assert!(!rules.is_direct("", "192.168.65.1", 443));
        }
    }
}
