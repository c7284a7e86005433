//! The bypass list of macOS ("Bypass proxy settings for these Hosts & Domains", `ExceptionsList`):
//! the meaning of its entries, and the test whether a host is on it.
//!
//! macOS ignores case and knows no ports. A plain name matches only itself; a `*` stands for whole
//! labels; a leading dot means `*.`. `169.254/16` is a network of IPv4 addresses whose missing parts
//! are 0. It covers addresses only, not names that resolve to one. A `*` alone has no effect, nor does
//! a network with bits set after its prefix. macOS always reaches `localhost`, `127.0.0.1` and `::1`
//! directly.

use std::net::{IpAddr, Ipv4Addr};

/// The meaning of an entry to macOS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BypassEntry {
    /// This host, and no other.
    Host(String),
    /// This address.
    Address(IpAddr),
    /// All hosts below this domain, at any depth, but not the domain itself.
    Below(String),
    /// All IPv4 addresses that begin with the first bits of this one.
    Network(Ipv4Addr, u8),
    /// The same, written as `10.1.*`. It also covers names such as `10.1.corp`.
    StarredNetwork(Ipv4Addr, u8, String),
    /// A name with `*` in places that no other list supports.
    Pattern(String),
    /// An entry that macOS ignores, for the reason given.
    Inert(Inert),
    /// An entry that is not valid in an environment variable's list, whatever it means.
    Unusable,
}

/// The reason why macOS ignores an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inert {
    /// `*` alone.
    Star,
    /// A network with bits set after its prefix, such as `10.1.2.3/8`.
    HostBits,
    /// An entry with a port, which the list doesn't support.
    Port,
    /// Neither a host nor a network nor a pattern.
    InvalidHost,
}

impl BypassEntry {
    /// Reads one entry of the list.
    pub fn parse(text: &str) -> Self {
        // This includes spaces around an entry: nothing says that macOS would cut them off.
        if text.contains(|c: char| c == ',' || c.is_whitespace() || c.is_control()) {
            return Self::Unusable;
        }
        if text == "*" {
            return Self::Inert(Inert::Star);
        }
        if let Ok(address) = text.parse() {
            return Self::Address(address);
        }
        if let Some((base, bits)) = text.split_once('/') {
            return network(base, bits).unwrap_or(Self::Inert(Inert::InvalidHost));
        }
        if let Some((host, port)) = text.rsplit_once(':')
            && !host.is_empty()
            && !port.is_empty()
            && port.bytes().all(|b| b.is_ascii_digit())
        {
            return Self::Inert(Inert::Port);
        }
        if let Some(network) = numbers_then_stars(text) {
            return network;
        }
        let below = text.strip_prefix("*.").or_else(|| text.strip_prefix('.'));
        match below {
            Some(domain) if is_name(domain) => Self::Below(domain.to_owned()),
            None if is_name(text) => Self::Host(text.to_owned()),
            _ if is_pattern(text) => Self::Pattern(text.to_owned()),
            _ => Self::Inert(Inert::InvalidHost),
        }
    }

    /// Returns whether macOS reaches `host` directly because of this entry.
    pub(crate) fn covers(&self, host: &str) -> bool {
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        match self {
            Self::Host(name) => name.eq_ignore_ascii_case(host),
            Self::Address(entry) => address.is_some_and(|address| address == *entry),
            Self::Below(domain) => is_below(host, domain),
            Self::Network(base, bits) => match address {
                Some(IpAddr::V4(address)) => prefix(address, *bits) == u32::from(*base),
                _ => false,
            },
            Self::Pattern(pattern) | Self::StarredNetwork(_, _, pattern) => {
                let labels = |text: &str| -> Vec<String> {
                    text.to_ascii_lowercase()
                        .split('.')
                        .map(str::to_owned)
                        .collect()
                };
                labels_match(&labels(pattern), &labels(host))
            }
            Self::Inert(_) | Self::Unusable => false,
        }
    }
}

/// Returns whether macOS reaches `host` directly.
pub fn is_direct<'a>(
    entries: impl IntoIterator<Item = &'a BypassEntry>,
    exclude_simple_hostnames: bool,
    host: &str,
) -> bool {
    let bare = host.trim_matches(['[', ']']);
    let always = bare.eq_ignore_ascii_case("localhost") || ["127.0.0.1", "::1"].contains(&bare);
    let simple = || !bare.contains(['.', ':']);
    always
        || (exclude_simple_hostnames && simple())
        || entries.into_iter().any(|entry| entry.covers(host))
}

/// Returns whether `host` ends with `.domain`, ignoring case.
pub(super) fn is_below(host: &str, domain: &str) -> bool {
    let (host, domain) = (host.as_bytes(), domain.as_bytes());
    let Some(at) = host.len().checked_sub(domain.len() + 1) else {
        return false;
    };
    at > 0 && host[at] == b'.' && host[at + 1..].eq_ignore_ascii_case(domain)
}

/// Returns the network part of an address: its first bits.
fn prefix(address: Ipv4Addr, bits: u8) -> u32 {
    let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
    u32::from(address) & mask
}

/// Reads a network in the form `a[.b[.c[.d]]]/n`.
fn network(base: &str, bits: &str) -> Option<BypassEntry> {
    let digits = |text: &str| {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| text.parse::<u8>().ok()).flatten()
    };
    let bits = digits(bits).filter(|&bits| bits <= 32)?;
    let parts: Vec<u8> = base.split('.').map(digits).collect::<Option<_>>()?;
    if parts.len() > 4 {
        return None;
    }
    let mut octets = [0; 4];
    octets[..parts.len()].copy_from_slice(&parts);
    let address = Ipv4Addr::from(octets);
    Some(if prefix(address, bits) == u32::from(address) {
        BypassEntry::Network(address, bits)
    } else {
        BypassEntry::Inert(Inert::HostBits)
    })
}

/// Reads an entry such as `10.1.*`, which is also the network 10.1.0.0/16, since no name ends with a
/// number.
fn numbers_then_stars(text: &str) -> Option<BypassEntry> {
    let labels: Vec<&str> = text.split('.').collect();
    let numbers = labels.iter().take_while(|&&label| label != "*").count();
    let stars = labels.len() - numbers;
    if numbers == 0 || stars == 0 || labels.len() > 4 {
        return None;
    }
    if !labels[numbers..].iter().all(|&label| label == "*") {
        return None;
    }
    match network(&labels[..numbers].join("."), &(8 * numbers).to_string())? {
        BypassEntry::Network(base, bits) => {
            Some(BypassEntry::StarredNetwork(base, bits, text.to_owned()))
        }
        _ => None,
    }
}

fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    // A text of only digits and dots is at best part of an address.
    text.split('.').all(label) && text.contains(|c: char| c.is_ascii_alphabetic() || c == '_')
}

fn is_pattern(text: &str) -> bool {
    text.contains('*')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.*".contains(c))
}

/// Returns whether `host` matches `pattern`. A label `*` stands for one label or more, any other label
/// for itself.
fn labels_match(pattern: &[String], host: &[String]) -> bool {
    match pattern.split_first() {
        None => host.is_empty(),
        Some((star, rest)) if star == "*" => {
            (1..=host.len()).any(|taken| labels_match(rest, &host[taken..]))
        }
        Some((label, rest)) => host
            .split_first()
            .is_some_and(|(first, others)| first == label && labels_match(rest, others)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_mean_what_macos_makes_of_them() {
        use BypassEntry as E;
        let network = |a: [u8; 4], bits| E::Network(a.into(), bits);
        let starred = |a: [u8; 4], bits, text: &str| E::StarredNetwork(a.into(), bits, text.into());
        for (text, expected) in [
            ("corp.com", E::Host("corp.com".into())),
            ("Intranet", E::Host("Intranet".into())),
            (" x", E::Unusable),
            ("my_host", E::Host("my_host".into())),
            ("*.corp.com", E::Below("corp.com".into())),
            (".corp.com", E::Below("corp.com".into())),
            ("*.local", E::Below("local".into())),
            ("169.254/16", network([169, 254, 0, 0], 16)),
            ("10/8", network([10, 0, 0, 0], 8)),
            ("192.168.1.0/24", network([192, 168, 1, 0], 24)),
            ("0.0.0.0/0", network([0, 0, 0, 0], 0)),
            ("10.1.2.3/32", network([10, 1, 2, 3], 32)),
            ("10.1.*", starred([10, 1, 0, 0], 16, "10.1.*")),
            ("10.*.*.*", starred([10, 0, 0, 0], 8, "10.*.*.*")),
            ("10.1.2.3", E::Address([10, 1, 2, 3].into())),
            ("fe80::1", E::Address("fe80::1".parse().unwrap())),
            ("[fe80::1]", E::Inert(Inert::InvalidHost)),
            ("foo.*.corp.com", E::Pattern("foo.*.corp.com".into())),
            ("*corp.com", E::Pattern("*corp.com".into())),
            ("*.*.corp.com", E::Pattern("*.*.corp.com".into())),
            ("*", E::Inert(Inert::Star)),
            ("10.1.2.3/8", E::Inert(Inert::HostBits)),
            ("corp.com:8080", E::Inert(Inert::Port)),
            ("10.1", E::Inert(Inert::InvalidHost)),
            (".0.5", E::Inert(Inert::InvalidHost)),
            ("10.0.0.0/33", E::Inert(Inert::InvalidHost)),
            ("10.0.0.0.0/8", E::Inert(Inert::InvalidHost)),
            ("10.+1/8", E::Inert(Inert::InvalidHost)),
            ("http://corp.com/", E::Inert(Inert::InvalidHost)),
            ("bücher.example", E::Inert(Inert::InvalidHost)),
            ("..corp", E::Inert(Inert::InvalidHost)),
            ("<local>", E::Inert(Inert::InvalidHost)),
            ("", E::Inert(Inert::InvalidHost)),
            ("a,b", E::Unusable),
            ("a b", E::Unusable),
            ("a\u{7}b", E::Unusable),
        ] {
            assert_eq!(BypassEntry::parse(text), expected, "{text:?}");
        }
    }

    #[test]
    fn hosts_that_an_entry_covers_and_does_not() {
        for (entry, covered, not) in [
            (
                "corp.com",
                &["corp.com", "CORP.com"][..],
                &["a.corp.com", "xcorp.com"][..],
            ),
            (
                "*.corp.com",
                &["a.corp.com", "a.b.Corp.com"],
                &["corp.com", ".corp.com", "xcorp.com", "corp.com.x"],
            ),
            (
                "169.254/16",
                &["169.254.0.1", "169.254.255.255"],
                &["169.255.0.1", "a.169.254.0.1", "fe80::1"],
            ),
            ("0.0.0.0/0", &["1.2.3.4"], &["corp.com", "::1"]),
            ("10.1.2.3/32", &["10.1.2.3"], &["10.1.2.4"]),
            (
                "10.1.*",
                &["10.1.2.3", "10.1.corp"],
                &["10.2.2.3", "10.11.2.3"],
            ),
            (
                "fe80::1",
                &["fe80::1", "[FE80::1]", "fe80:0::1"],
                &["fe80::2"],
            ),
            (
                "foo.*.corp",
                &["foo.a.corp", "FOO.a.b.corp"],
                &["foo.corp", "x.foo.a.corp"],
            ),
            ("*", &[], &["corp.com", "x"]),
            ("10.1.2.3/8", &[], &["10.1.2.3", "10.9.9.9"]),
            ("x:80", &[], &["x"]),
        ] {
            let entry = BypassEntry::parse(entry);
            for host in covered {
                assert!(entry.covers(host), "{entry:?} {host}");
            }
            for host in not {
                assert!(!entry.covers(host), "{entry:?} {host}");
            }
        }
    }

    #[test]
    fn loopback_and_simple_names() {
        for (host, always, simple) in [
            ("localhost", true, true),
            ("LocalHost", true, true),
            ("127.0.0.1", true, true),
            ("[::1]", true, true),
            ("127.0.0.2", false, false),
            ("intranet", false, true),
            ("a.corp", false, false),
            ("fe80::1", false, false),
        ] {
            assert_eq!(is_direct([], false, host), always, "{host}");
            assert_eq!(is_direct([], true, host), simple, "{host}");
        }
    }
}
