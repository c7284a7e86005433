//! Answers on a serial line that also carries other output: kernel messages, services, the echo of
//! typed text. An answer is a frame with a random marker, its number and its length. All other
//! output is skipped, and a frame with other output inside is invalid.

/// Returns whether an answer may contain this byte. All of these are harmless in a terminal.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=.".contains(&byte)
}

/// The shell function `r`, which answers with the number in `q` and the text in `a`. The marker is
/// the shell's `$0`. The function contains no single quote, so it can be put between two.
pub(super) const ANSWER: &str = r#"r(){ printf "\n%s:%s:%s:%s;\n" "$0" "$q" "${#a}" "$a";}"#;

/// Returns the answer with this number from the received bytes, if it arrived in one piece.
pub(super) fn find<'a>(received: &'a [u8], marker: &str, number: u32) -> Option<&'a str> {
    let head = format!("{marker}:{number}:");
    positions(received, head.as_bytes()).find_map(|at| {
        let rest = &received[at + head.len()..];
        let colon = rest.iter().take(8).position(|&byte| byte == b':')?;
        let length: usize = std::str::from_utf8(&rest[..colon]).ok()?.parse().ok()?;
        let rest = &rest[colon + 1..];
        let text = rest.get(..length)?;
        let is_whole = rest.get(length) == Some(&b';') && text.iter().copied().all(is_plain);
        std::str::from_utf8(text).ok().filter(|_| is_whole)
    })
}

/// Returns the positions of `needle` in `text`.
fn positions<'a>(text: &'a [u8], needle: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let windows = text.windows(needle.len()).enumerate();
    windows.filter_map(move |(at, window)| (window == needle).then_some(at))
}

/// Returns whether `text` contains `needle`.
pub(super) fn contains(text: &[u8], needle: &str) -> bool {
    positions(text, needle.as_bytes()).next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_found_among_everything_else() {
        for (received, found) in [
            ("\r\nm1:3:5:hello;\r\n", Some("hello")),
            ("m1:3:0:;", Some("")),
            ("[ 1.2] noise\r\nm1:3:2:ab;[ 1.3] noise", Some("ab")),
            // Interrupted once, and then repeated.
            ("m1:3:5:he[ 1.2] x\r\nllo;\r\nm1:3:5:hello;", Some("hello")),
            ("m1:3m1:3:2:ab;", Some("ab")),
            // Other numbers and other markers.
            ("m1:2:2:ab;m2:3:2:ab;m1:33:2:ab;", None),
            // Incomplete, or interrupted.
            ("m1:3:5:hell", None),
            ("m1:3:5:hello", None),
            ("m1:3:5:helXlo;", None),
            ("m1:3:5:he\r\nl;", None),
            ("m1:3::;m1:3:x:;m1:3:99999999999:;m1:3", None),
            // The echo of typed text.
            (
                r#" m=m1;exec sh -c 'r(){ printf "\n%s:%s:%s:%s;\n" "$0" "$q""#,
                None,
            ),
        ] {
            assert_eq!(find(received.as_bytes(), "m1", 3), found, "{received:?}");
        }
    }
}
