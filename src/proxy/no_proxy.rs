//! The hosts that the engine reaches without the proxy.

use std::fmt;

use thiserror::Error;

/// Always on the list: the engine talks to itself, and an empty list would leave the one that the
/// init script sets by itself in force.
const ALWAYS: [&str; 2] = ["localhost", "127.0.0.1"];

/// Why an entry was refused.
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
}

/// A list of hosts, domains and addresses, in order and each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoProxy(Vec<String>);

impl NoProxy {
    /// Reads a list with commas, as in the variable `NO_PROXY`.
    ///
    /// # Errors
    /// When an entry can't stand in such a list.
    pub fn parse(list: &str) -> Result<Self, InvalidNoProxy> {
        let mut no_proxy = Self::default();
        if list.chars().any(char::is_control) {
            return Err(InvalidNoProxy::Control);
        }
        for entry in list.split(',').map(str::trim).filter(|e| !e.is_empty()) {
            if entry.contains(|c: char| c.is_whitespace() || c == '"' || c == '\'') {
                return Err(InvalidNoProxy::Space(entry.to_owned()));
            }
            if entry == "*" {
                return Err(InvalidNoProxy::Everything);
            }
            if !no_proxy.0.iter().any(|known| known == entry) {
                no_proxy.0.push(entry.to_owned());
            }
        }
        Ok(no_proxy)
    }
}

impl Default for NoProxy {
    fn default() -> Self {
        Self(ALWAYS.map(str::to_owned).to_vec())
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
            assert_eq!(NoProxy::parse(list).unwrap().to_string(), expected);
        }
        for (list, error) in [
            ("a,*", InvalidNoProxy::Everything),
            ("a b", InvalidNoProxy::Space("a b".into())),
            ("a\nb", InvalidNoProxy::Control),
            ("a'b", InvalidNoProxy::Space("a'b".into())),
        ] {
            assert_eq!(NoProxy::parse(list).unwrap_err(), error, "{list:?}");
        }
    }
}
