//! The patterns of `shExpMatch`, which are those of a shell, and in the browsers regular expressions.
//!
//! All of it in UTF-16, as JavaScript counts: `?` is one unit.

/// Whether no sign in `pattern` but `*`, `?` and `.` has a meaning in a regular expression.
pub(super) fn is_plain(pattern: &[u16]) -> bool {
    let special = r"+()[]{}|^$\";
    !pattern
        .iter()
        .any(|&unit| special.encode_utf16().any(|sign| sign == unit))
}

/// Whether the whole of `text` is as the plain `pattern` says: `*` is any number of characters, `?` is
/// one, and neither is the end of a line, as in a regular expression.
///
/// It takes no longer than the length of one times that of the other.
pub(super) fn matches(text: &[u16], pattern: &[u16]) -> bool {
    // The places in the text that the pattern up to here can end at.
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

/// What `.` matches: all but the four ends of a line.
fn in_line(unit: u16) -> bool {
    !matches!(unit, 0x0a | 0x0d | 0x2028 | 0x2029)
}

/// The regular expression that the browsers make of a pattern, in three steps; and the last of these
/// that replaced something: what the pattern was then, and where the last sign of its kind stood.
///
/// The steps count because they are matches too, which `RegExp.lastMatch` shows.
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
        // To try all the ways in which this can match would take longer than the world is old.
        let text = units(&"a".repeat(200));
        assert!(!matches(&text, &units(&format!("{}b", "*a".repeat(100)))));
    }
}
