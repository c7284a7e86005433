//! The patterns of `shExpMatch`, which are shell patterns, and regular expressions in the browsers.
//!
//! All texts are in UTF-16, as in JavaScript: `?` matches one unit.

/// Returns whether no character in `pattern` except `*`, `?` and `.` is special in regular expressions.
pub(super) fn is_plain(pattern: &[u16]) -> bool {
    let special = r"+()[]{}|^$\";
    !pattern
        .iter()
        .any(|&unit| special.encode_utf16().any(|sign| sign == unit))
}

/// Returns whether the plain `pattern` matches the whole `text`. `*` matches any number of characters,
/// `?` matches one, and neither matches a line end, as in a regular expression.
///
/// The time is proportional to the length of the text times that of the pattern.
pub(super) fn matches(text: &[u16], pattern: &[u16]) -> bool {
    // The positions in the text at which the pattern so far can end.
    let mut ends = vec![false; text.len() + 1];
    ends[0] = true;
    for &sign in pattern {
        if sign == u16::from(b'*') {
            for at in 0..text.len() {
                ends[at + 1] |= ends[at] && in_line(text[at]);
            }
        } else {
            for at in (0..text.len()).rev() {
                let fits = text[at] == sign || (sign == u16::from(b'?') && in_line(text[at]));
                ends[at + 1] = ends[at] && fits;
            }
            ends[0] = false;
        }
    }
    ends[text.len()]
}

/// Returns whether `.` matches `unit`: it matches all units except the four line ends.
fn in_line(unit: u16) -> bool {
    !matches!(unit, 0x0a | 0x0d | 0x2028 | 0x2029)
}

/// Returns the regular expression that the browsers make of a pattern, in three steps. Also returns the
/// last step that replaced something: the pattern before it, and the position of the last character that
/// it replaced.
///
/// The steps matter because they are matches as well, which `RegExp.lastMatch` shows.
pub(super) fn regular(pattern: &[u16]) -> (Vec<u16>, Option<(Vec<u16>, usize)>) {
    let mut pattern = pattern.to_vec();
    let mut last = None;
    for (sign, instead) in [(b'.', "\\."), (b'*', ".*"), (b'?', ".")] {
        let sign = u16::from(sign);
        if let Some(at) = pattern.iter().rposition(|&unit| unit == sign) {
            last = Some((pattern.clone(), at));
            let parts: Vec<&[u16]> = pattern.split(|&unit| unit == sign).collect();
            let instead: Vec<u16> = instead.encode_utf16().collect();
            pattern = parts.join(&*instead);
        }
    }
    let ends = |sign: u8| [u16::from(sign)];
    ([&ends(b'^')[..], &pattern, &ends(b'$')].concat(), last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(text: &str) -> Vec<u16> {
        text.encode_utf16().collect()
    }

    #[test]
    fn plain_patterns() {
        for (pattern, yes, no) in [
            ("", &[""][..], &["a"][..]),
            ("*", &["", "a", "a.b/c"], &["a\nb", "\u{2028}"]),
            ("**", &["", "ab"], &[]),
            ("a", &["a"], &["", "A", "ab", "ba"]),
            (
                "*.corp",
                &["a.corp", ".corp", "a.b.corp", "a.corp.corp"],
                &["corp", "a.corp.b", "aXcorp"],
            ),
            ("a.*", &["a.", "a.b"], &["ab"]),
            (
                "?.corp",
                &["a.corp", "ü.corp"],
                &[".corp", "ab.corp", "\n.corp"],
            ),
            (
                "*://*.a/*",
                &["http://x.a/", "https://x.y.a/b?c"],
                &["http://a/"],
            ),
            ("a-b_c", &["a-b_c"], &["abc"]),
        ] {
            assert!(is_plain(&units(pattern)), "{pattern}");
            for text in yes {
                assert!(matches(&units(text), &units(pattern)), "{text} {pattern}");
            }
            for text in no {
                assert!(!matches(&units(text), &units(pattern)), "{text} {pattern}");
            }
        }
        for pattern in ["a+b", "(a|b)", "[a]", "a{2}", "^a", "a$", "\\d"] {
            assert!(!is_plain(&units(pattern)), "{pattern}");
        }
        assert_eq!(
            regular(&units("*.a?+")),
            (units("^.*\\.a.+$"), Some((units(".*\\.a?+"), 5)))
        );
        assert_eq!(regular(&units("a+")), (units("^a+$"), None));
    }

    #[test]
    fn no_plain_pattern_is_slow() {
        // Trying all the ways in which this can match would take longer than the world is old.
        let text = units(&"a".repeat(200));
        assert!(!matches(&text, &units(&format!("{}b", "*a".repeat(100)))));
    }
}
