//! The browser features that the JavaScript engine lacks, found by their names in a script.

/// Names, each with its behavior in Baleen. Observed in `boa_engine` 0.22, compared with Chromium 156.
const UNSUPPORTED: [(&str, &str); 6] = [
    ("Intl", "there is no Intl"),
    ("toLocaleString", "toLocaleString ignores the language"),
    (
        "toLocaleDateString",
        "toLocaleDateString writes date and time in full",
    ),
    (
        "toLocaleTimeString",
        "toLocaleTimeString writes date and time in full",
    ),
    ("caller", "a function has no caller"),
    ("WebAssembly", "there is no WebAssembly"),
];

/// Returns a sentence without a period about the features that `script` uses and the engine lacks, if
/// there are any.
pub(super) fn lacking(script: &str) -> Option<String> {
    let names = names(script);
    let found: Vec<&str> = UNSUPPORTED
        .iter()
        .filter(|(name, _)| names.contains(name))
        .map(|(_, what)| *what)
        .collect();
    (!found.is_empty()).then(|| {
        format!(
            "the script uses what Baleen's JavaScript engine doesn't have as the browsers do, so its answers may differ there: {}",
            found.join("; ")
        )
    })
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
        for (script, words) in [
            ("new Intl.DateTimeFormat('de')", Some("no Intl")),
            ("var f = g.caller;", Some("no caller")),
            ("d.toLocaleTimeString()", Some("toLocaleTimeString writes")),
            ("/* Intl */ // g.caller\n'Intl \\' Intl' + \"Intl\"", None),
            ("`Intl\nIntl` + 'open\nInternational Intl_ $Intl", None),
            ("/it's/; \nIntl", Some("no Intl")),
            ("/* Intl", None),
            ("", None),
        ] {
            let found = lacking(script);
            match words {
                Some(words) => assert!(found.unwrap().contains(words), "{script}"),
                None => assert_eq!(found, None, "{script}"),
            }
        }
    }
}
