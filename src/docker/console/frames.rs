//! Answers on a line that others write to as well: kernel messages, services, the echo of what is typed. An answer is a
//! frame with a marker that was drawn at random, its number, and its length; what else comes is passed over, and a frame
//! that something was written into is none.

/// What an answer is written in; all of it is harmless in a terminal.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=.".contains(&byte)
}

/// The shell function `r`, which answers with the number in `q` and the text in `a`; the marker is its `$0`. It has no
/// single quote, so that it can stand between two.
pub(super) const ANSWER: &str = r#"r(){ printf "\n%s:%s:%s:%s;\n" "$0" "$q" "${#a}" "$a";}"#;

/// The answer with this number in what has come, if it is there in one piece.
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

/// Where `needle` stands in `text`.
fn positions<'a>(text: &'a [u8], needle: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let windows = text.windows(needle.len()).enumerate();
    windows.filter_map(move |(at, window)| (window == needle).then_some(at))
}

/// Whether `needle` stands in `text`.
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
            // Broken once, and then repeated.
            ("m1:3:5:he[ 1.2] x\r\nllo;\r\nm1:3:5:hello;", Some("hello")),
            ("m1:3m1:3:2:ab;", Some("ab")),
            // Others' numbers, and others' markers.
            ("m1:2:2:ab;m2:3:2:ab;m1:33:2:ab;", None),
            // Not whole yet, or with something in it.
            ("m1:3:5:hell", None),
            ("m1:3:5:hello", None),
            ("m1:3:5:helXlo;", None),
            ("m1:3:5:he\r\nl;", None),
            ("m1:3::;m1:3:x:;m1:3:99999999999:;m1:3", None),
            // What was typed, as the VM shows it.
            (
                r#" m=m1;exec sh -c 'r(){ printf "\n%s:%s:%s:%s;\n" "$0" "$q""#,
                None,
            ),
        ] {
            assert_eq!(find(received.as_bytes(), "m1", 3), found, "{received:?}");
        }
    }
}
