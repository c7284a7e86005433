//! The browser features that the JavaScript engine lacks, found by their names in a script.

use serde::{Deserialize, Serialize};

/// A feature that the engine lacks or has in another form. Observed in `boa_engine` 0.22, compared with Chromium 156.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Feature {
    /// There is no `Intl`.
    Intl,
    /// `toLocaleString` ignores the language.
    ToLocaleString,
    /// `toLocaleDateString` writes date and time in full.
    ToLocaleDateString,
    /// `toLocaleTimeString` writes date and time in full.
    ToLocaleTimeString,
    /// A function has no `caller`.
    Caller,
    /// There is no `WebAssembly`.
    WebAssembly,
}

impl Feature {
    const ALL: [Self; 6] = [
        Self::Intl,
        Self::ToLocaleString,
        Self::ToLocaleDateString,
        Self::ToLocaleTimeString,
        Self::Caller,
        Self::WebAssembly,
    ];

    /// Returns the name by which a script uses it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Intl => "Intl",
            Self::ToLocaleString => "toLocaleString",
            Self::ToLocaleDateString => "toLocaleDateString",
            Self::ToLocaleTimeString => "toLocaleTimeString",
            Self::Caller => "caller",
            Self::WebAssembly => "WebAssembly",
        }
    }
}

/// Returns the features that `script` uses and the engine lacks.
pub(super) fn lacking(script: &str) -> Vec<Feature> {
    let names = names(script);
    let is_used = |feature: &Feature| names.contains(&feature.name());
    Feature::ALL.into_iter().filter(is_used).collect()
}

/// Returns the names in a script, without those in comments and strings. A regular expression with a
/// quote or `//` ends the search on its line. A missed name costs only the remark.
fn names(script: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = script;
    while let Some(first) = rest.chars().next() {
        let skip = |end: Option<usize>, length: usize| end.map_or(rest.len(), |end| end + length);
        let length = if rest.starts_with("//") {
            skip(rest.find('\n'), 1)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            skip(comment.find("*/"), 4)
        } else if matches!(first, '"' | '\'' | '`') {
            string(rest, first)
        } else if is_name(first) {
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            names.push(&rest[..end]);
            end
        } else {
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    names
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$')
}

/// Returns the length of a string with its quotes. Except in backquotes, a string ends with its line.
fn string(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' if quote != '`' => return at,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_script_uses() {
        for (script, expected) in [
            ("new Intl.DateTimeFormat('de')", &[Feature::Intl][..]),
            ("var f = g.caller;", &[Feature::Caller]),
            ("d.toLocaleTimeString()", &[Feature::ToLocaleTimeString]),
            ("/* Intl */ // g.caller\n'Intl \\' Intl' + \"Intl\"", &[]),
            ("`Intl\nIntl` + 'open\nInternational Intl_ $Intl", &[]),
            ("/it's/; \nIntl", &[Feature::Intl]),
            ("/* Intl", &[]),
            ("", &[]),
        ] {
            assert_eq!(lacking(script), expected, "{script}");
        }
    }
}
