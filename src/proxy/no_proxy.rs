//! The hosts that the engine reaches without the proxy.

use std::fmt;

use thiserror::Error;

/// Always on the list: the engine talks to itself, and an empty list would leave the one that the
/// init script sets by itself in force.
const ALWAYS: [&str; 2] = ["localhost", "127.0.0.1"];

/// Why a list was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum InvalidNoProxy {
    #[error("it holds a line break, a NUL or another control character")]
    Control,
    #[error(
        "its entry '{0}' has a space or a quotation mark inside; entries are separated by commas"
    )]
    Space(String),
    #[error(
        "its entry '*' would send everything past the proxy; `baleen restore` takes the proxy out"
    )]
    Everything,
    #[error(
        "an entry of it is a URL, or has a user; expected hosts, as in localhost,.corp,10.0.0.5"
    )]
    Url,
}

/// Takes a list with commas apart, as the variable `NO_PROXY` has it.
///
/// # Errors
/// When an entry can't stand in such a list.
pub fn split(list: &str) -> Result<Vec<String>, InvalidNoProxy> {
    if list.chars().any(char::is_control) {
        return Err(InvalidNoProxy::Control);
    }
    let mut entries = Vec::new();
    for entry in list.split(',').map(str::trim).filter(|e| !e.is_empty()) {
        // Before any error that shows the entry: this one may hold a password.
        if entry.contains('@') || entry.contains("://") {
            return Err(InvalidNoProxy::Url);
        }
        if entry.contains(|c: char| c.is_whitespace() || c == '"' || c == '\'') {
            return Err(InvalidNoProxy::Space(entry.to_owned()));
        }
        if entry == "*" {
            return Err(InvalidNoProxy::Everything);
        }
        entries.push(entry.to_owned());
    }
    Ok(entries)
}

/// A list of hosts, domains and addresses as an engine reads it, in order and each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoProxy(Vec<String>);

impl NoProxy {
    /// These entries, behind those that are always there.
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
        ] {
            assert_eq!(NoProxy::new(split(list).unwrap()).to_string(), expected);
        }
        for (list, error) in [
            ("a,*", InvalidNoProxy::Everything),
            ("a b", InvalidNoProxy::Space("a b".into())),
            ("a\nb", InvalidNoProxy::Control),
            ("a'b", InvalidNoProxy::Space("a'b".into())),
            ("http://me:s3cret@p:1", InvalidNoProxy::Url),
            ("me:s3 cret@p", InvalidNoProxy::Url),
        ] {
            assert_eq!(split(list).unwrap_err(), error, "{list:?}");
        }
    }
}
