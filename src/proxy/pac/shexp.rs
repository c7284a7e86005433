//! The patterns of `shExpMatch`, which are shell patterns, and regular expressions in the browsers.
//!
//! All texts are in UTF-16, as in JavaScript: `?` matches one unit.

use boa_engine::JsStr;
use boa_engine::string::JsStrVariant;

/// Returns whether no character in `pattern` except `*`, `?` and `.` is special in regular expressions.
pub(super) fn is_plain(pattern: JsStr<'_>) -> bool {
    let is_special = |unit: u8| {
        matches!(
            unit,
            b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'+' | b'|' | b'^' | b'$' | b'\\'
        )
    };
    !match pattern.variant() {
        JsStrVariant::Latin1(units) => units.iter().any(|&unit| is_special(unit)),
        JsStrVariant::Utf16(units) => units
            .iter()
            .any(|&unit| u8::try_from(unit).is_ok_and(is_special)),
    }
}

/// Returns whether the plain `pattern` matches the whole `text`. `*` matches any number of characters,
/// `?` matches one, and neither matches a line end, as in a regular expression.
///
/// The time is at most proportional to the length of the text times that of the pattern.
pub(super) fn matches(text: JsStr<'_>, pattern: JsStr<'_>) -> bool {
    use JsStrVariant::{Latin1, Utf16};
    match (text.variant(), pattern.variant()) {
        (Latin1(text), Latin1(pattern)) => fits(text, pattern),
        (Latin1(text), Utf16(pattern)) => fits(text, pattern),
        (Utf16(text), Latin1(pattern)) => fits(text, pattern),
        (Utf16(text), Utf16(pattern)) => fits(text, pattern),
    }
}

/// Implements [`matches()`].
///
/// What follows the last `*` is compared first, since hardly any pattern with a domain gets past it. Then each `*` takes
/// as little as it can, and only the last one is ever made to take more. What an earlier one could take, the last one
/// can, too: a line end between them must be in the pattern.
fn fits<T: Copy + Into<u16>, P: Copy + Into<u16>>(mut text: &[T], mut pattern: &[P]) -> bool {
    while let [signs @ .., sign] = pattern
        && (*sign).into() != STAR
    {
        match text {
            [units @ .., unit] if is_one((*unit).into(), (*sign).into()) => {
                (text, pattern) = (units, signs);
            }
            _ => return false,
        }
    }
    let (mut at, mut next) = (0, 0);
    // The position behind the last `*` in the pattern, and that in the text up to which it takes.
    let mut star = None;
    loop {
        let unit = text.get(at).map(|&unit| unit.into());
        let sign = pattern.get(next).map(|&sign| sign.into());
        match (unit, sign) {
            (_, Some(STAR)) => {
                next += 1;
                star = Some((next, at));
            }
            (None, sign) => return sign.is_none(),
            (Some(unit), Some(sign)) if is_one(unit, sign) => {
                at += 1;
                next += 1;
            }
            _ => match star {
                Some((behind, until)) if in_line(text[until].into()) => {
                    (next, at) = (behind, until + 1);
                    star = Some((next, at));
                }
                _ => return false,
            },
        }
    }
}

/// Returns whether `sign`, which is no `*`, matches `unit`.
fn is_one(unit: u16, sign: u16) -> bool {
    unit == sign || sign == ONE && in_line(unit)
}

const STAR: u16 = b'*' as u16;
const ONE: u16 = b'?' as u16;

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
    use boa_engine::JsString;
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    fn fits(text: &str, pattern: &str) -> bool {
        matches(
            JsString::from(text).as_str(),
            JsString::from(pattern).as_str(),
        )
    }

    fn is_plain(pattern: &str) -> bool {
        super::is_plain(JsString::from(pattern).as_str())
    }

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
            assert!(is_plain(pattern), "{pattern}");
            for text in yes {
                assert!(fits(text, pattern), "{text} {pattern}");
            }
            for text in no {
                assert!(!fits(text, pattern), "{text} {pattern}");
            }
        }
        for pattern in ["a+b", "(a|b)", "[a]", "a{2}", "^a", "a$", "\\d"] {
            assert!(!is_plain(pattern), "{pattern}");
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
        let text = "a".repeat(200);
        assert!(!fits(&text, &format!("{}b", "*a".repeat(100))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        /// The regular expression that the browsers make of the pattern decides.
        #[test]
        fn a_plain_pattern_is_its_regular_expression(
            text in "[ab.\n\u{2028}]{0,12}",
            pattern in "[ab.*?\n\u{2028}]{0,8}",
        ) {
            let (source, _) = regular(&units(&pattern));
            let source = String::from_utf16(&source).unwrap();
            // In the browsers, `.` stops at four line ends, and in this crate at one.
            let source = source.replace("\\.", "[.]").replace(".*", "ANY*").replace('.', "ANY");
            let source = source.replace("[ANY]", "[.]").replace("ANY", "[^\n\r\u{2028}\u{2029}]");
            let expected = Regex::new(&source).unwrap().is_match(&text);
            prop_assert_eq!(fits(&text, &pattern), expected, "{:?} {:?}", text, pattern);
        }
    }
}
