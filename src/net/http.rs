//! The reader of an HTTP/1 response's head, and of the beginning of its body. The peer may be anything: it may not
//! speak HTTP at all, stop in the middle, or never stop.

use std::io::{self, Read};

use thiserror::Error;
use zeroize::Zeroizing;

/// Maximum length of a head, in bytes. The well-known proxies and registries send less than 4 KiB.
const MAX_HEAD_LEN: usize = 64 * 1024;
/// Maximum number of fields in a head.
const MAX_FIELDS: usize = 128;

/// The head of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The status code, as in 407.
    pub status: u16,
    /// The reason phrase, as in "Proxy Authentication Required". May be empty.
    pub reason: String,
    fields: Vec<(String, String)>,
}

/// A head that was parsed.
#[derive(Debug)]
pub(crate) struct Parsed {
    /// The head.
    pub(crate) head: Head,
    /// Whether its version is HTTP/1.0.
    pub(crate) is_old: bool,
    /// Its length, in bytes.
    pub(crate) len: usize,
}

/// The reason why there is no response.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum HttpError {
    #[error("the connection was closed without an answer")]
    Closed,
    #[error("the connection was closed in the middle of the answer")]
    Half,
    /// Holds the first bytes.
    #[error("what came is not HTTP")]
    NotHttp(Vec<u8>),
    #[error("the head of the answer is longer than {MAX_HEAD_LEN} bytes")]
    TooLong,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Head {
    /// Reads the head of a response and not a byte more, since a tunnel may begin after it.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub fn read(stream: &mut impl Read) -> Result<Self, HttpError> {
        let mut bytes = Vec::with_capacity(1024);
        let mut byte = [0];
        while !bytes.ends_with(b"\r\n\r\n") && !bytes.ends_with(b"\n\n") {
            match stream.read(&mut byte) {
                Ok(0) if bytes.is_empty() => return Err(HttpError::Closed),
                Ok(0) if b"HTTP/".starts_with(&bytes[..bytes.len().min(5)]) => {
                    return Err(HttpError::Half);
                }
                Ok(0) => return Err(HttpError::NotHttp(bytes)),
                Ok(_) => bytes.push(byte[0]),
                // Some peers reset the connection instead of closing it.
                Err(error) if is_reset(&error) && bytes.is_empty() => {
                    return Err(HttpError::Closed);
                }
                Err(error) if is_reset(&error) => return Err(HttpError::Half),
                Err(error) => return Err(error.into()),
            }
            if !b"HTTP/".starts_with(&bytes[..bytes.len().min(5)]) {
                return Err(HttpError::NotHttp(with_more(bytes, stream)));
            }
            if bytes.len() > MAX_HEAD_LEN {
                return Err(HttpError::TooLong);
            }
        }
        match Self::parse(&bytes) {
            Ok(Some(parsed)) => Ok(parsed.head),
            Ok(None) | Err(_) => Err(HttpError::NotHttp(bytes)),
        }
    }

    /// Parses the head at the beginning of `bytes`. Returns nothing as long as it is not whole.
    ///
    /// # Errors
    /// When it is not HTTP.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Parsed>, httparse::Error> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut response = httparse::Response::new(&mut fields);
        let parsed = httparse::ParserConfig::default()
            .allow_spaces_after_header_name_in_responses(true)
            .ignore_invalid_headers_in_responses(true)
            .parse_response(&mut response, bytes)?;
        Ok(match parsed {
            httparse::Status::Partial => None,
            httparse::Status::Complete(len) => Some(Parsed {
                head: Self::from(&response),
                is_old: response.version == Some(0),
                len,
            }),
        })
    }

    /// Returns the values of the field `name`, ignoring the case of the name.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields
            .iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

impl From<&httparse::Response<'_, '_>> for Head {
    /// Takes over what httparse has read.
    fn from(response: &httparse::Response<'_, '_>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            status: response.code.unwrap_or_default(),
            reason: response.reason.unwrap_or_default().to_owned(),
            fields: response
                .headers
                .iter()
                .map(|field| (field.name.to_owned(), text(field.value)))
                .collect(),
        }
    }
}

/// Returns the request for a tunnel to `target`, with these fields behind `Host`.
pub(crate) fn connect_request(target: &str, fields: &[(&str, &str)]) -> Zeroizing<String> {
    let lens = fields
        .iter()
        .map(|(name, value)| name.len() + value.len() + 4);
    // Large enough for all of it: a string that grows leaves its old bytes in memory.
    let room = 64 + 2 * target.len() + lens.sum::<usize>();
    let mut request = Zeroizing::new(String::with_capacity(room));
    for part in ["CONNECT ", target, " HTTP/1.1\r\nHost: ", target, "\r\n"] {
        request.push_str(part);
    }
    for (name, value) in fields {
        for part in [name, ": ", value, "\r\n"] {
            request.push_str(part);
        }
    }
    request.push_str("\r\n");
    request
}

/// Reads the body of a response without chunked encoding: up to its `Content-Length` if it has one, else up to the
/// end of the connection, and at most `most` bytes.
///
/// # Errors
/// When reading fails before the first byte.
pub fn body(head: &Head, stream: &mut impl Read, most: u64) -> io::Result<Vec<u8>> {
    let length = head
        .values("content-length")
        .find_map(|value| value.trim().parse().ok())
        .unwrap_or(most);
    let mut bytes = Vec::new();
    match stream.take(length.min(most)).read_to_end(&mut bytes) {
        Err(error) if bytes.is_empty() => Err(error),
        // The bytes that came are useful even if the rest is missing.
        _ => Ok(bytes),
    }
}

/// Returns the schemes that a server offers in its `WWW-Authenticate` or `Proxy-Authenticate` fields, as it writes
/// them, each once.
///
/// A field may hold several challenges, each a scheme followed by parameters (RFC 9110, section 11.6.1).
pub fn schemes<'a>(fields: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for field in fields {
        let mut quoted = false;
        let parts = field.split(|c| {
            quoted ^= c == '"';
            c == ',' && !quoted
        });
        for part in parts {
            // Each part is a parameter (`realm="x"`), or a scheme with or without its first parameter.
            let word = part.split_whitespace().next().unwrap_or_default();
            let is_name = !word.is_empty()
                && word
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
            let is_parameter = part.trim_start()[word.len()..]
                .trim_start()
                .starts_with('=');
            if is_name && !is_parameter && !found.iter().any(|f| f.eq_ignore_ascii_case(word)) {
                found.push(word.to_owned());
            }
        }
    }
    found
}

/// Returns the title of the web page in `body`, if it is one.
pub fn title(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    // Only ASCII letters change, so both texts have the same offsets.
    let lower = text.to_ascii_lowercase();
    let open = lower.find("<title")?;
    let start = open + lower[open..].find('>')? + 1;
    let end = start + lower[start..].find("</title")?;
    let words: Vec<&str> = text[start..end].split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

fn is_reset(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
    )
}

/// Adds up to 64 bytes of one more read, which are enough to identify the peer.
fn with_more(mut bytes: Vec<u8>, stream: &mut impl Read) -> Vec<u8> {
    let mut more = [0; 64];
    if let Ok(count) = stream.read(&mut more) {
        bytes.extend_from_slice(&more[..count]);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_and_not_a_byte_more() {
        for (answer, status, reason) in [
            (
                &b"HTTP/1.1 200 Connection established\r\n\r\n"[..],
                200,
                "Connection established",
            ),
            (b"HTTP/1.0 200 \r\nServer: x\r\n\r\n", 200, ""),
            (b"HTTP/1.1 407\r\n\r\n", 407, ""),
            (b"HTTP/1.0 503 No\nA: b\n\n", 503, "No"),
        ] {
            let bytes = [answer, b"\x16\x03"].concat();
            let mut stream = &*bytes;
            let head = Head::read(&mut stream).unwrap();
            assert_eq!((head.status, &*head.reason), (status, reason));
            assert_eq!(stream, b"\x16\x03");
        }
    }

    #[test]
    fn what_is_no_answer_is_reported_apart() {
        let of = |bytes: &[u8]| Head::read(&mut &*bytes).unwrap_err();
        assert!(matches!(of(b""), HttpError::Closed));
        assert!(matches!(of(b"HT"), HttpError::Half));
        assert!(matches!(of(b"HTTP/1.1 200 OK\r\nA: b"), HttpError::Half));
        for other in [
            &b"SSH-2.0-OpenSSH_9.2p1\r\n"[..],
            b"\x15\x03\x01\x00\x02\x02\x46",
            b"H",
            b"HTTP/1.1 abc\r\n\r\n",
            b"HTTP/2 200\r\n\r\n",
        ] {
            match of(other) {
                HttpError::NotHttp(bytes) => assert!(other.starts_with(&bytes[..1])),
                HttpError::Half => assert_eq!(other, b"H"),
                error => panic!("{error:?}"),
            }
        }
        let endless = [&b"HTTP/1.1 200 OK\r\nA: "[..], &[b'x'; MAX_HEAD_LEN]].concat();
        assert!(matches!(of(&endless), HttpError::TooLong));
    }

    #[test]
    fn schemes_come_one_to_a_field_or_in_a_list() {
        for (fields, expected) in [
            (&["Basic realm=\"a, b\""][..], &["Basic"][..]),
            (&["NTLM", "Negotiate"], &["NTLM", "Negotiate"]),
            (
                &["Negotiate, NTLM, Basic realm=\"x\""],
                &["Negotiate", "NTLM", "Basic"],
            ),
            (
                &[
                    "Digest realm=\"x\", qop=\"auth,int\", nonce=abc, algorithm = MD5, Basic realm=y",
                ],
                &["Digest", "Basic"],
            ),
            (&["basic realm=x", "Basic realm=y"], &["basic"]),
            (&["NTLM TlRMTVNTUAACAAAA=="], &["NTLM"]),
            (&["", " , "], &[]),
            (&[], &[]),
        ] {
            assert_eq!(schemes(fields.iter().copied()), expected, "{fields:?}");
        }
    }

    #[test]
    fn a_page_is_known_by_its_title() {
        for (body, expected) in [
            ("<html><TITLE lang=en>Sign\n in </TITLE>", Some("Sign in")),
            ("<title>é Wi-Fi</title>", Some("é Wi-Fi")),
            ("<title></title>", None),
            ("<title>never ends", None),
            ("{\"errors\":[]}", None),
        ] {
            assert_eq!(title(body.as_bytes()).as_deref(), expected);
        }
    }

    #[test]
    fn a_body_ends_where_its_length_says_or_the_connection() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef", "abc"),
            ("HTTP/1.0 200 OK\r\n\r\nabcdef", "abcdef"),
            ("HTTP/1.0 200 OK\r\n\r\nabcdefghijk", "abcdefgh"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nabc", "abc"),
        ] {
            let mut stream = answer.as_bytes();
            let head = Head::read(&mut stream).unwrap();
            assert_eq!(body(&head, &mut stream, 8).unwrap(), expected.as_bytes());
        }
    }
}
