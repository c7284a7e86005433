//! A model of how macOS reads `ExceptionsList` and `ExcludeSimpleHostnames`, which translates every entry to a regular
//! expression; that of a network matches the 32 binary digits of an address.
//!
//! From FACTS, section 4: case does not count; a plain name is exact; `*` stands for whole labels at any
//! depth; a leading dot is `*`; a bare `*` is inert; `a.b/n` is an IPv4 network whose missing octets are 0,
//! inert with bits set behind its prefix; there are no ports; `localhost`, `127.0.0.1` and `::1` always
//! bypass; with `ExcludeSimpleHostnames` names without a dot do.
//!
//! What these sentences leave open, and how this model reads it:
//! - `*` is one label or more, in any place (`*.corp` matches `a.b.corp`, `10.1.*` matches `10.1.2.3`); a `*`
//!   beside other characters of its label is a character.
//! - `*.*` is not bare: it matches every name with a dot.
//! - A network matches addresses that the URL names as such, never names that resolve to one, and only IPv4.
//!   `0/0` is a network like any other.
//! - Two spellings of one address are the same address; an entry in brackets is a name that no host has.
//! - An address without a dot (`fe80::1`) is not a simple name.
//! - Loopback addresses other than the two are hosts like any other (Go never sends them to a proxy).
//! - Dots at the end are characters like others, and nothing is trimmed.

use std::net::{IpAddr, Ipv4Addr};

use regex::Regex;

/// Returns whether the Mac reaches `host`, a name or an address without brackets, without the proxy.
pub(crate) fn bypasses(exceptions: &[String], exclude_simple: bool, host: &str) -> bool {
    let always = ["localhost", "127.0.0.1", "::1"];
    let address: Option<IpAddr> = host.parse().ok();
    let is_simple = address.is_none() && !host.contains('.');
    always.iter().any(|name| is_match(&plain(name), host))
        || exclude_simple && is_simple
        || exceptions.iter().any(|entry| {
            let same = address.is_some() && entry.parse().ok() == address;
            same || names(entry).is_some_and(|names| is_match(&names, host))
                || network(entry).is_some_and(|network| is_match(&network, &bits(host)))
        })
}

fn is_match(pattern: &str, text: &str) -> bool {
    Regex::new(pattern).unwrap().is_match(text)
}

fn plain(text: &str) -> String {
    format!("^(?i:{})$", regex::escape(text))
}

/// The pattern of the names that an entry matches; `None` for an entry that matches no name.
fn names(entry: &str) -> Option<String> {
    let entry = match entry.strip_prefix('.') {
        Some(rest) => format!("*.{rest}"),
        None => entry.to_owned(),
    };
    if entry == "*" {
        return None;
    }
    let labels: Vec<String> = entry
        .split('.')
        .map(|label| match label {
            "*" => r"[^.]+(\.[^.]+)*".to_owned(),
            label => regex::escape(label),
        })
        .collect();
    Some(format!("^(?i:{})$", labels.join(r"\.")))
}

/// The pattern of the addresses of a network, as binary digits.
fn network(entry: &str) -> Option<String> {
    let form = Regex::new(r"^([0-9]{1,3}(?:\.[0-9]{1,3}){0,3})/([0-9]{1,2})$").unwrap();
    let parts = form.captures(entry)?;
    let missing = 3 - parts[1].matches('.').count();
    let digits = bits(&format!("{}{}", &parts[1], ".0".repeat(missing)));
    let prefix: usize = parts[2].parse().unwrap();
    let (network, host) = digits.split_at_checked(prefix)?;
    (!digits.is_empty() && !host.contains('1'))
        .then(|| format!("^{network}[01]{{{}}}$", host.len()))
}

/// An IPv4 address as 32 binary digits; `None` if `host` isn't one.
fn bits(host: &str) -> String {
    let address = host.parse::<Ipv4Addr>();
    address.map_or(String::new(), |address| {
        format!("{:032b}", address.to_bits())
    })
}
