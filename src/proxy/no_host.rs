//! The kinds of bypass list entries that name no host.
//!
//! Programs silently ignore these entries. `text::remark` says what an entry is, and what to write instead.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::go::split_host_port;

/// The kind of an entry that is not a host, domain, address or network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidHost {
    /// A URL, or something with a user.
    Url,
    /// A path in the file system.
    Path,
    /// A host followed by a path.
    HasPath,
    /// `<local>`, Windows' word for names without a dot.
    Local,
    /// An entry with quotation marks.
    Quoted,
    /// An entry with a character that doesn't separate entries of the list, or with a space.
    Separator,
    /// An IPv6 address with the name of an interface, such as `fe80::1%en0`.
    Zone,
    /// An address in brackets without a port.
    Brackets,
    /// A network of IPv6 addresses.
    Ipv6Network,
    /// A network with a mask instead of the prefix length.
    Netmask,
    /// An IPv4 network in which octets are missing.
    ShortNetwork,
    /// A network with an invalid prefix length.
    PrefixLength,
    /// An entry with an invalid port after the colon.
    Port,
    /// An entry with a dot at the end.
    TrailingDot,
    /// Numbers and dots that don't form an address.
    Numbers,
    /// An entry with characters outside ASCII.
    NotAscii,
    /// None of these.
    Other,
}

impl InvalidHost {
    /// Returns the kind of `entry`; nothing if it may be a host, a domain or an IPv4 network in full, or
    /// one of these followed by a port.
    pub(super) fn of(entry: &str) -> Option<Self> {
        let bare = entry.strip_prefix("*.").unwrap_or(entry);
        let bare = bare.strip_prefix('.').unwrap_or(bare);
        // The scheme of a socket's address, as in `unix:///var/run/docker.sock`.
        let scheme = entry.split_once("://").map(|(scheme, _)| scheme);
        if entry.starts_with(['/', '~']) && !entry.starts_with("//")
            || entry.starts_with("./")
            || scheme.is_some_and(|scheme| ["unix", "file", "fd", "npipe"].contains(&scheme))
        {
            return Some(Self::Path);
        }
        if scheme.is_some() || entry.starts_with("//") || entry.contains('@') {
            return Some(Self::Url);
        }
        if entry.eq_ignore_ascii_case("<local>") {
            return Some(Self::Local);
        }
        if entry.contains(['"', '\'']) {
            return Some(Self::Quoted);
        }
        if entry.contains(|c: char| matches!(c, ',' | ';' | '|') || c.is_whitespace()) {
            return Some(Self::Separator);
        }
        let outside = entry.trim_matches(['[', ']']);
        if let Some((address, _)) = outside.split_once('%')
            && address.parse::<Ipv6Addr>().is_ok()
        {
            return Some(Self::Zone);
        }
        if let Some((base, bits)) = entry.split_once('/') {
            return Self::of_network(base, bits);
        }
        let inside = entry
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        if inside.is_some_and(|inside| inside.parse::<IpAddr>().is_ok()) {
            return Some(Self::Brackets);
        }
        if entry.parse::<IpAddr>().is_ok() {
            return None;
        }
        let host = match split_host_port(bare) {
            Some((host, port)) if port.is_empty() || is_port(port) => host,
            Some((host, _)) if !host.is_empty() => return Some(Self::Port),
            _ => bare,
        };
        if host.parse::<IpAddr>().is_ok() {
            return None;
        }
        if host.ends_with('.') && host.len() > 1 {
            return Some(Self::TrailingDot);
        }
        if is_numbers(host) {
            return Some(Self::Numbers);
        }
        if !host.is_ascii() {
            return Some(Self::NotAscii);
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*');
        let label = |label: &str| !label.is_empty() && label.chars().all(plain);
        (!host.split('.').all(label)).then_some(Self::Other)
    }

    fn of_network(base: &str, bits: &str) -> Option<Self> {
        let number = bits.parse::<u8>().ok();
        let number = number.filter(|_| bits.bytes().all(|b| b.is_ascii_digit()));
        if base.trim_matches(['[', ']']).parse::<Ipv6Addr>().is_ok() {
            return Some(match number {
                Some(0..=128) => Self::Ipv6Network,
                _ => Self::PrefixLength,
            });
        }
        let whole = base.parse::<Ipv4Addr>().is_ok();
        let short = base.split('.').count() < 4
            && base.split('.').all(|part| part.parse::<u8>().is_ok())
            && is_numbers(base);
        if !whole && !short {
            return Some(Self::HasPath);
        }
        match number {
            Some(0..=32) if whole => None,
            Some(0..=32) => Some(Self::ShortNetwork),
            _ if bits.parse::<Ipv4Addr>().is_ok() => Some(Self::Netmask),
            _ => Some(Self::PrefixLength),
        }
    }
}

/// Returns whether this is a port as Go writes one: without a sign and without leading zeros. Go
/// compares ports in that form.
pub(super) fn is_port(text: &str) -> bool {
    text.parse::<u16>()
        .is_ok_and(|port| port != 0 && port.to_string() == text)
}

/// Returns whether the text is only digits and dots, as in `10.1`.
fn is_numbers(text: &str) -> bool {
    let number = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit());
    text.split('.').all(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_entry_is_that_is_no_host() {
        use InvalidHost as N;
        for (entries, expected) in [
            (
                &[
                    "corp.com",
                    "Intranet",
                    "my_host",
                    ".corp.com",
                    "*.corp.com",
                    "foo.*.corp.com",
                    "10.1.*",
                    "corp.com:80",
                    "corp.com:",
                    "*.corp.com:5000",
                    "10.0.0.5",
                    "10.0.0.5:80",
                    "10.0.0.0/8",
                    "::1",
                    "::ffff:10.0.0.5",
                    "[fe80::1]:443",
                    "xn--bcher-kva.example",
                ][..],
                None,
            ),
            (
                &[
                    "http://corp.com/",
                    "HTTPS://corp.com",
                    "//corp.com/",
                    "me@corp.com",
                ],
                Some(N::Url),
            ),
            (
                &[
                    "/var/run/docker.sock",
                    "~/docker.sock",
                    "./docker.sock",
                    "unix:///var/run/docker.sock",
                ],
                Some(N::Path),
            ),
            (&["corp.com/", "corp.com/v2", "10.x/8"], Some(N::HasPath)),
            (&["<local>", "<LOCAL>"], Some(N::Local)),
            (&["\"corp.com\"", "'a"], Some(N::Quoted)),
            (&["a;b", "a|b", "a b", "a, b"], Some(N::Separator)),
            (
                &["fe80::1%en0", "[fe80::1%25en0]", "fe80::1%4"],
                Some(N::Zone),
            ),
            (&["[fe80::1]", "[::1]", "[10.0.0.5]"], Some(N::Brackets)),
            (&["fe80::/10", "[fd00::]/8", "::/0"], Some(N::Ipv6Network)),
            (&["10.0.0.0/255.0.0.0", "10/255.0.0.0"], Some(N::Netmask)),
            (&["169.254/16", "10/8", "0/0"], Some(N::ShortNetwork)),
            (
                &["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "fe80::/129"],
                Some(N::PrefixLength),
            ),
            (
                &[
                    "corp.com:0",
                    "corp.com:65536",
                    "corp.com:99999",
                    "corp.com:+80",
                    "corp.com:080",
                    "corp.com:http",
                    "[::1]:70000",
                ],
                Some(N::Port),
            ),
            (
                &["corp.com.", ".corp.com.", "corp.com.:80"],
                Some(N::TrailingDot),
            ),
            (
                &["10", "2.3", ".2.3", "*.0.5", "10.0.0.256", "1.2.3.4.5"],
                Some(N::Numbers),
            ),
            (&["bücher.example", ".bücher.example:80"], Some(N::NotAscii)),
            (
                &[
                    "",
                    ".",
                    "..corp",
                    "a..b",
                    "a:b:c",
                    "<-loopback>",
                    "a$b",
                    "[a]b:1",
                    "[]:80",
                ],
                Some(N::Other),
            ),
        ] {
            for entry in entries {
                assert_eq!(InvalidHost::of(entry), expected, "{entry:?}");
            }
        }
    }
}
