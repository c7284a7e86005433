//! The hosts that the engine reaches without the proxy.

use std::fmt;

use thiserror::Error;

/// Entries that are always on the list: the engine talks to itself, and with an empty list the
/// init script's own list would stay in force.
const ALWAYS: [&str; 2] = ["localhost", "127.0.0.1"];

/// The reason why a list was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum InvalidNoProxy {
    #[error("it holds a line break, a NUL or another control character")]
    Control,
    #[error(
        "its entry '{0}' has a space, a quotation mark, a ; or a | inside; entries are separated by commas and stand without quotation marks"
    )]
    Separator(String),
    #[error("its entry '*' would send everything past the proxy")]
    Everything,
    #[error(
        "its entry number {0} is a URL, or has a user; expected hosts, as in localhost,.corp,10.0.0.5"
    )]
    Url(usize),
}

/// Splits a list with commas, in the format of the variable `NO_PROXY`.
///
/// The translation reports the entries that are valid in the list but name no host.
///
/// # Errors
/// When an entry isn't valid in the list.
pub fn split(list: &str) -> Result<Vec<String>, InvalidNoProxy> {
    if list.chars().any(char::is_control) {
        return Err(InvalidNoProxy::Control);
    }
    let written = || list.split(',').map(str::trim);
    // Check this before any error that shows an entry: if the list has a user, each entry may hold a
    // part of a password.
    let has_user = list.contains('@');
    let is_url = |entry: &str| {
        entry.contains('@') || entry.contains("://") && (has_user || !is_plain_url(entry))
    };
    if let Some(at) = written().position(is_url) {
        return Err(InvalidNoProxy::Url(at + 1));
    }
    let mut entries = Vec::new();
    for entry in written().filter(|entry| !entry.is_empty()) {
        if entry.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | '|')) {
            return Err(InvalidNoProxy::Separator(entry.to_owned()));
        }
        if entry == "*" {
            return Err(InvalidNoProxy::Everything);
        }
        entries.push(entry.to_owned());
    }
    Ok(entries)
}

/// Returns whether the entry is a scheme, a host, perhaps a port and perhaps a path. These can't hold a
/// password.
fn is_plain_url(entry: &str) -> bool {
    let Some((scheme, rest)) = entry.split_once("://") else {
        return false;
    };
    let (place, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = place.split_once(':').unwrap_or((place, ""));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*');
    scheme.chars().all(|c| c.is_ascii_alphanumeric())
        && host.chars().all(plain)
        && port.len() <= 5
        && port.bytes().all(|b| b.is_ascii_digit())
        && path.chars().all(|c| plain(c) || c == '/')
}

/// A list of hosts, domains and addresses as an engine reads it, in order and each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoProxy(Vec<String>);

impl NoProxy {
    /// Creates a list with the entries that are always on it, followed by `entries`.
    pub fn new(entries: impl IntoIterator<Item = String>) -> Self {
        let mut all: Vec<String> = Vec::new();
        for entry in ALWAYS.map(str::to_owned).into_iter().chain(entries) {
            if !all.contains(&entry) {
                all.push(entry);
            }
        }
        Self(all)
    }
}

impl Default for NoProxy {
    fn default() -> Self {
        Self::new([])
    }
}

impl fmt::Display for NoProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        for (list, expected) in [
            ("", "localhost,127.0.0.1"),
            (
                "a.corp, .b.corp ,,a.corp",
                "localhost,127.0.0.1,a.corp,.b.corp",
            ),
            ("127.0.0.1,x", "localhost,127.0.0.1,x"),
            (
                "::1,/var/run/docker.sock",
                "localhost,127.0.0.1,::1,/var/run/docker.sock",
            ),
            ("http://host/", "localhost,127.0.0.1,http://host/"),
        ] {
            assert_eq!(NoProxy::new(split(list).unwrap()).to_string(), expected);
        }
        for (list, error) in [
            ("a,*", InvalidNoProxy::Everything),
            ("a b", InvalidNoProxy::Separator("a b".into())),
            ("a;b", InvalidNoProxy::Separator("a;b".into())),
            ("a|b", InvalidNoProxy::Separator("a|b".into())),
            ("a\nb", InvalidNoProxy::Control),
            ("a'b", InvalidNoProxy::Separator("a'b".into())),
            ("\"a,b\"", InvalidNoProxy::Separator("\"a".into())),
            ("a,http://me:s3cret@p:1", InvalidNoProxy::Url(2)),
            ("http://me:s3,cret@p:1", InvalidNoProxy::Url(1)),
            ("me:s3;cr,et@p:1", InvalidNoProxy::Url(2)),
            ("http://me:s3cret", InvalidNoProxy::Url(1)),
            ("me:s3 cret@p", InvalidNoProxy::Url(1)),
        ] {
            assert_eq!(split(list).unwrap_err(), error, "{list:?}");
        }
    }
}
