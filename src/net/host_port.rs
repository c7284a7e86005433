//! A server's name and port, as in `registry.corp:5000`.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use thiserror::Error;

/// A server: a name or an address (IPv6 in brackets) and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// The name or the address. An IPv6 address has no brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// The error for a text that is not a host and port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected HOST or HOST:PORT, without https:// and without a path")]
pub struct InvalidHostPort;

/// The port of HTTPS, which is a registry's default port.
const HTTPS: u16 = 443;

/// Splits `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`. Without brackets, a text with several colons is
/// an IPv6 address without a port.
pub(crate) fn split(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, after) = rest.split_once(']')?;
        return match after.strip_prefix(':') {
            None if !after.is_empty() => None,
            port => Some((address, port)),
        };
    }
    Some(match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        _ => (text, None),
    })
}

/// Returns the port number from 1 to 65535 that `digits` are.
pub(crate) fn port_number(digits: &str) -> Option<u16> {
    // `parse` would accept a plus sign.
    Some(digits)
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?
        .parse()
        .ok()
        .filter(|&port| port != 0)
}

impl FromStr for HostPort {
    type Err = InvalidHostPort;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = split(text).ok_or(InvalidHostPort)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let is_host = match text.starts_with('[') {
            true => host.parse::<Ipv6Addr>().is_ok(),
            false => !host.is_empty() && host.chars().all(plain),
        };
        let port = port.map_or(Some(HTTPS), port_number);
        let port = port.filter(|_| is_host).ok_or(InvalidHostPort)?;
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_and_written() {
        for (text, written) in [
            ("registry-1.docker.io", "registry-1.docker.io:443"),
            ("registry.corp:5000", "registry.corp:5000"),
            ("my_registry:1", "my_registry:1"),
            ("127.0.0.1:65535", "127.0.0.1:65535"),
            ("[::1]", "[::1]:443"),
            ("[::1]:5000", "[::1]:5000"),
        ] {
            let server: HostPort = text.parse().unwrap();
            assert_eq!(server.to_string(), written);
            assert_eq!(written.parse(), Ok(server));
        }
    }

    #[test]
    fn what_names_no_server_is_refused() {
        for text in [
            "",
            ":443",
            "https://registry.corp",
            "registry.corp/v2",
            "registry.corp:",
            "registry.corp:0",
            "registry.corp:65536",
            "registry.corp:+1",
            "::1",
            "[::1",
            "[::1]5000",
            "[corp]:1",
            "me:secret@corp:1",
            "a b",
            "a\r\nb",
        ] {
            assert_eq!(text.parse::<HostPort>(), Err(InvalidHostPort), "{text:?}");
        }
    }
}
