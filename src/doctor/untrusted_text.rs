//! Text from a peer. It may hold anything, including a password that Baleen sent before.

use zeroize::Zeroizing;

use crate::proxy::ProxyUrl;

use super::net_error::basic;

/// Maximum length of a peer's text when shown, in characters.
const MAX_LEN: usize = 160;

/// Minimum length of a password to search for. Shorter ones would match everywhere and protect nothing.
const MIN_SECRET_LEN: usize = 3;

/// Makes a peer's text safe to show.
pub(super) struct Redactor {
    secrets: Vec<Zeroizing<String>>,
}

impl Redactor {
    /// Creates a redactor that removes the passwords of `proxies`, plain or encoded.
    pub(super) fn of<'p>(proxies: impl IntoIterator<Item = &'p ProxyUrl>) -> Self {
        let mut secrets = Vec::new();
        for proxy in proxies {
            let Some(password) = proxy
                .password()
                .filter(|p| p.expose().len() >= MIN_SECRET_LEN)
            else {
                continue;
            };
            let plain = String::from_utf8_lossy(password.expose());
            secrets.push(Zeroizing::new(plain.into_owned()));
            // The text between the user's colon and the last @ of the URL.
            let url = proxy.for_engine();
            let user = url.find("://").map_or(0, |at| at + 3);
            if let (Some(start), Some(end)) = (url[user..].find(':'), url.rfind('@')) {
                secrets.push(Zeroizing::new(url[user + start + 1..end].to_owned()));
            }
            secrets.extend(basic(proxy));
        }
        Self { secrets }
    }

    /// Returns `text` on one line, without control characters and secrets, cut to a readable length.
    pub(super) fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            text = text.replace(secret.as_str(), "***");
        }
        let printable: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .filter(|c| !is_invisible(*c))
            .collect();
        let words: Vec<&str> = printable.split_whitespace().collect();
        let line = words.join(" ");
        if line.chars().count() <= MAX_LEN {
            return line;
        }
        let mut cut: String = line.chars().take(MAX_LEN).collect();
        cut.push('…');
        cut
    }
}

/// Returns whether the character is invisible or changes the direction of a line.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_shows_no_password() {
        let proxy = ProxyUrl::parse("http://me:s3 cret@p:1").unwrap();
        let redactor = Redactor::of([&proxy]);
        for echoed in ["s3 cret", "s3%20cret", "bWU6czMgY3JldA=="] {
            assert_eq!(redactor.clean(&format!("a {echoed} b")), "a *** b");
        }
        let long = format!("{}s3 cret", "x".repeat(MAX_LEN - 3));
        assert!(!redactor.clean(&long).contains("s3"));
    }

    #[test]
    fn a_terminal_is_not_told_what_to_do() {
        let clean = |text| Redactor::of([]).clean(text);
        assert_eq!(clean("\x1b[31mred\x07\r\n  there"), "[31mred there");
        assert_eq!(clean("a\u{202e}b"), "ab");
        assert_eq!(clean(&"é".repeat(500)).chars().count(), MAX_LEN + 1);
    }
}
