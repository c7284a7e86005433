//! `shExpMatch`: the patterns of a shell, as scripts use them.

use std::collections::BTreeSet;

/// A piece of a pattern.
enum Piece {
    /// `*`: any number of any characters.
    Any,
    /// `?`: one character.
    One,
    /// `[a-z_]`, or `[^a-z_]` for all others.
    Of(Vec<(char, char)>, bool),
    /// `(a|b)`: one of these.
    Either(Vec<Vec<Piece>>),
    /// The character itself.
    Is(char),
}

/// Whether the whole of `text` is as `pattern` says: `*`, `?`, `[...]`, `[^...]` and `(...|...)` are
/// special, every other character stands for itself, the dot included.
///
/// Documented are `*` and `?` only (MDN); sets, and alternatives as Netscape had them, work in the
/// browsers because these turn the pattern into a regular expression, and scripts use them.
/// No pattern takes longer than its length times that of the text.
pub(super) fn matches(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut rest: Vec<char> = pattern.chars().rev().collect();
    let alternatives = read(&mut rest, 0);
    let ends = ends(&alternatives, &text, &BTreeSet::from([0]));
    ends.contains(&text.len())
}

/// How deep alternatives may stand in each other; what is deeper stands for itself.
const DEPTH: usize = 16;

/// Reads alternatives up to the closing parenthesis; `rest` is reversed.
fn read(rest: &mut Vec<char>, depth: usize) -> Vec<Vec<Piece>> {
    let mut alternatives = vec![Vec::new()];
    while let Some(next) = rest.pop() {
        let piece = match next {
            '*' => Piece::Any,
            '?' => Piece::One,
            '|' => {
                alternatives.push(Vec::new());
                continue;
            }
            '(' if depth < DEPTH && rest.contains(&')') => Piece::Either(read(rest, depth + 1)),
            ')' if depth > 0 => break,
            '[' => match set(rest) {
                Some((ranges, negated)) => Piece::Of(ranges, negated),
                None => Piece::Is('['),
            },
            other => Piece::Is(other),
        };
        if let Some(last) = alternatives.last_mut() {
            last.push(piece);
        }
    }
    alternatives
}

/// Reads a set behind its opening bracket; nothing, and `rest` as it was, if it never closes.
fn set(rest: &mut Vec<char>) -> Option<(Vec<(char, char)>, bool)> {
    let negated = rest.last() == Some(&'^');
    let inside = rest.len() - usize::from(negated);
    let close = rest[..inside].iter().rposition(|&c| c == ']')?;
    let members: Vec<char> = rest[close + 1..inside].iter().rev().copied().collect();
    rest.truncate(close);
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < members.len() {
        let to = match members.get(at + 1..at + 3) {
            Some(&['-', to]) => to,
            _ => members[at],
        };
        ranges.push((members[at], to));
        at += if to == members[at] { 1 } else { 3 };
    }
    Some((ranges, negated))
}

/// Where in `text` a match of one of the alternatives can end that begins at one of `starts`.
fn ends(alternatives: &[Vec<Piece>], text: &[char], starts: &BTreeSet<usize>) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    for pieces in alternatives {
        let mut at = starts.clone();
        for piece in pieces {
            at = match piece {
                Piece::Any => at
                    .first()
                    .map_or_else(BTreeSet::new, |&first| (first..=text.len()).collect()),
                Piece::Either(inner) => ends(inner, text, &at),
                single => at
                    .into_iter()
                    .filter(|&at| text.get(at).is_some_and(|&c| single.takes(c)))
                    .map(|at| at + 1)
                    .collect(),
            };
        }
        found.extend(at);
    }
    found
}

impl Piece {
    /// Whether a piece that stands for one character can stand for `c`.
    fn takes(&self, c: char) -> bool {
        match self {
            Self::One => true,
            Self::Is(this) => *this == c,
            Self::Of(ranges, negated) => {
                ranges.iter().any(|&(from, to)| (from..=to).contains(&c)) != *negated
            }
            Self::Any | Self::Either(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_a_shell() {
        for (pattern, yes, no) in [
            ("", &[""][..], &["a"][..]),
            ("*", &["", "a", "a.b/c"], &[]),
            ("**", &["", "ab"], &[]),
            ("a", &["a"], &["", "A", "ab", "ba"]),
            (
                "*.corp",
                &["a.corp", ".corp", "a.b.corp"],
                &["corp", "a.corp.b", "aXcorp"],
            ),
            ("a.*", &["a.", "a.b"], &["ab"]),
            ("?.corp", &["a.corp", "ü.corp"], &[".corp", "ab.corp"]),
            (
                "*://*.a/*",
                &["http://x.a/", "https://x.y.a/b?c"],
                &["http://a/"],
            ),
            ("h[ab1-3]", &["ha", "h1", "h3"], &["h", "h4", "hab"]),
            ("h[^ab]", &["hc", "h^"], &["ha", "h"]),
            ("h[a", &["h[a"], &["ha"]),
            ("h[a-]", &["ha", "h-"], &["hb"]),
            (
                "(a|b*).c",
                &["a.c", "b.c", "bx.c"],
                &["c", "ab.c", "(a|b).c"],
            ),
            ("*.a|*.b", &["x.a", "x.b"], &["x.a|x.b.c"]),
            ("(a|(b|c))d", &["ad", "bd", "cd"], &["d"]),
            ("a(b", &["a(b"], &["ab"]),
            ("a)b", &["a)b"], &["ab"]),
            // In the browsers these would be regular expressions; nobody means that.
            ("a+$^{1}\\", &["a+$^{1}\\"], &["aa"]),
        ] {
            for text in yes {
                assert!(matches(text, pattern), "{text} {pattern}");
            }
            for text in no {
                assert!(!matches(text, pattern), "{text} {pattern}");
            }
        }
    }

    #[test]
    fn no_pattern_is_slow() {
        // To try all the ways in which these can match would take longer than the world is old.
        let text = "a".repeat(200);
        assert!(!matches(&text, &format!("{}b", "*a".repeat(100))));
        assert!(!matches(&text, &format!("{}b", "(a|*|a*)".repeat(100))));
        assert!(!matches(&text, &"(".repeat(5_000)));
    }
}
