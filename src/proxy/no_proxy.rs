//! The hosts that the engine reaches without the proxy.
//!
//! The engines of the Moby family were built with Go 1.6 to 1.9, which compare the end of a host's
//! name with each entry and know neither networks (`10.0.0.0/8`) nor wildcards (`*.corp`): an entry
//! of that kind matches nothing there, or the wrong thing.

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

/// A list of hosts, domains and addresses, in order and each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoProxy {
    entries: Vec<String>,
    left_out: Vec<String>,
}

impl NoProxy {
    /// Reads a list with commas, as in the variable `NO_PROXY`. `*.corp` becomes `.corp`, which is
    /// what the engine understands; what it can't be told is left out (see [`Self::left_out`]).
    ///
    /// # Errors
    /// When an entry can't stand in such a list.
    pub fn parse(list: &str) -> Result<Self, InvalidNoProxy> {
        let mut no_proxy = Self::default();
        if list.chars().any(char::is_control) {
            return Err(InvalidNoProxy::Control);
        }
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
            let known = entry
                .strip_prefix('*')
                .filter(|rest| rest.starts_with('.'))
                .unwrap_or(entry);
            let list = if known.contains(['*', '/']) {
                &mut no_proxy.left_out
            } else {
                &mut no_proxy.entries
            };
            if !list.iter().any(|there| there == known) {
                list.push(known.to_owned());
            }
        }
        Ok(no_proxy)
    }

    /// Networks and wildcards, which can't be said to this engine: their hosts go through the proxy.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }
}

impl Default for NoProxy {
    fn default() -> Self {
        Self {
            entries: ALWAYS.map(str::to_owned).to_vec(),
            left_out: Vec::new(),
        }
    }
}

impl fmt::Display for NoProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.entries.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        for (list, expected, left_out) in [
            ("", "localhost,127.0.0.1", ""),
            (
                "a.corp, .b.corp ,,a.corp",
                "localhost,127.0.0.1,a.corp,.b.corp",
                "",
            ),
            ("127.0.0.1,x", "localhost,127.0.0.1,x", ""),
            ("*.corp,.corp", "localhost,127.0.0.1,.corp", ""),
            (
                "10.0.0.0/8,10.1.*,a.*.b,x:5000",
                "localhost,127.0.0.1,x:5000",
                "10.0.0.0/8 10.1.* a.*.b",
            ),
        ] {
            let no_proxy = NoProxy::parse(list).unwrap();
            assert_eq!(no_proxy.to_string(), expected);
            assert_eq!(no_proxy.left_out().join(" "), left_out);
        }
        for (list, error) in [
            ("a,*", InvalidNoProxy::Everything),
            ("a b", InvalidNoProxy::Space("a b".into())),
            ("a\nb", InvalidNoProxy::Control),
            ("a'b", InvalidNoProxy::Space("a'b".into())),
            ("http://me:s3cret@p:1", InvalidNoProxy::Url),
            ("me:s3 cret@p", InvalidNoProxy::Url),
        ] {
            assert_eq!(NoProxy::parse(list).unwrap_err(), error, "{list:?}");
        }
    }
}
