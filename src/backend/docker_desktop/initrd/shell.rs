//! The small part of POSIX shell syntax that is needed to check assignments.

/// Splits a line into words if it is one simple command without any expansion, redirection or
/// operator. Returns `None` if the line is more than that, or is incomplete. A comment at its end
/// is ignored.
pub(super) fn plain_words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.trim_end_matches(['\r', '\n']).chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' => words.extend(word.take()),
            '#' if word.is_none() => break,
            '\'' => loop {
                match chars.next()? {
                    '\'' => {
                        word.get_or_insert_default();
                        break;
                    }
                    c => word.get_or_insert_default().push(c),
                }
            },
            '"' => loop {
                match chars.next()? {
                    '"' => {
                        word.get_or_insert_default();
                        break;
                    }
                    '$' | '`' => return None,
                    '\\' => {
                        let next = chars.next()?;
                        if !matches!(next, '$' | '`' | '"' | '\\') {
                            word.get_or_insert_default().push('\\');
                        }
                        word.get_or_insert_default().push(next);
                    }
                    c => word.get_or_insert_default().push(c),
                }
            },
            '\\' => word.get_or_insert_default().push(chars.next()?),
            '$' | '`' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => return None,
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_plain_lines() {
        for (line, words) in [
            ("export a=b", Some(vec!["export", "a=b"])),
            ("  a='x y' b=\"z\"  # why", Some(vec!["a=x y", "b=z"])),
            ("a=#b", Some(vec!["a=#b"])),
            (r#"a=\$x b="\$\n""#, Some(vec!["a=$x", r"b=$\n"])),
            ("a='' ", Some(vec!["a="])),
            ("", Some(vec![])),
            ("a=$b", None),
            ("a=b; c", None),
            ("a='b", None),
            ("a=\"b", None),
            ("a=b \\", None),
            ("a=`b`", None),
        ] {
            let words = words.map(|w| w.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(plain_words(line), words, "{line}");
        }
    }
}
