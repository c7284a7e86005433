//! The head of a client's request, read strictly: what two programs could read in two ways is refused, since a proxy that
//! takes one reading and an origin that takes the other is how requests are smuggled (RFC 9112, section 11.2).

use std::net::Ipv6Addr;
use std::str;

use crate::net::{HostPort, port_number, split_authority};

/// Maximum length of a head, in bytes. squid takes as much (`request_header_max_size`).
pub(crate) const MAX_HEAD_LEN: usize = 64 << 10;
/// Maximum number of fields in a head.
pub(crate) const MAX_FIELDS: usize = 128;

/// A request that the relay can carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// What is asked for.
    pub(crate) request: Request,
    /// The value of `Proxy-Authorization`.
    pub(crate) authorization: Option<String>,
    /// Length of the head, in bytes. What follows belongs to the body, or to the tunnel.
    pub(crate) len: usize,
}

/// What a client asks a proxy for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// `CONNECT HOST:PORT`: a tunnel.
    Tunnel(HostPort),
    /// `GET http://HOST/…` and other methods: one request in clear.
    Plain(HostPort),
}

/// The reason why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeadFault {
    /// The head has no end within [`MAX_HEAD_LEN`].
    #[error("the head is longer than {MAX_HEAD_LEN} bytes")]
    TooLong,
    /// A line ends without CR and LF, or has a NUL.
    #[error("a line should end in CR LF, and have no other control character")]
    Line,
    /// The first line or a field has another form than HTTP/1.
    #[error("it should be HTTP/1, but {0}")]
    Syntax(httparse::Error),
    /// The target has a character that an HTTP address has not.
    #[error("the address should have no {0:?}")]
    Character(char),
    /// The form of the target is not for a proxy.
    #[error("a proxy is asked with CONNECT HOST:PORT or with http://HOST/")]
    Form,
    /// The target has a user or a password.
    #[error("the address should have no user")]
    User,
    /// The port is missing, or not from 1 to 65535.
    #[error("the address should have a port from 1 to 65535")]
    Port,
    /// Not exactly one `Host`, or another one than the address.
    #[error("there should be one Host field, with the host of the address")]
    Host,
    /// The length of the body can be read in several ways.
    #[error("the length of the body should be given once, in one way")]
    Length,
    /// A field that must not be repeated is.
    #[error("{0} should be there once")]
    Twice(&'static str),
}

impl HeadFault {
    /// Returns the status that answers such a request.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::TooLong => 431,
            _ => 400,
        }
    }
}

impl Head {
    /// Reads a head from the first bytes of a connection. Returns nothing as long as its end has not come.
    ///
    /// # Errors
    /// When it is not a request for a proxy, or can be read in two ways.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, HeadFault> {
        let Some(len) = end_of_head(bytes)? else {
            return match bytes.len() > MAX_HEAD_LEN {
                true => Err(HeadFault::TooLong),
                false => Ok(None),
            };
        };
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        match request.parse(&bytes[..len]) {
            Ok(httparse::Status::Complete(read)) if read == len => {}
            Ok(_) => return Err(HeadFault::Line),
            Err(httparse::Error::TooManyHeaders) => return Err(HeadFault::TooLong),
            Err(error) => return Err(HeadFault::Syntax(error)),
        }
        let (method, path) = (
            request.method.unwrap_or_default(),
            request.path.unwrap_or_default(),
        );
        let version = request.version.unwrap_or_default();
        let fields: Vec<(&str, &[u8])> = request
            .headers
            .iter()
            .map(|field| (field.name, field.value))
            .collect();
        check_length(&fields, method, version)?;
        let asked = target(method, path)?;
        check_host(&fields, version, &asked)?;
        let authorization = only(&fields, "proxy-authorization")
            .map_err(|()| HeadFault::Twice("Proxy-Authorization"))?;
        Ok(Some(Self {
            request: asked,
            authorization: authorization
                .and_then(|value| str::from_utf8(value).ok())
                .map(str::to_owned),
            len,
        }))
    }
}

/// Reads `HOST:PORT`, where the port may be missing if there is a default.
fn authority(text: &str, default: Option<u16>) -> Result<HostPort, HeadFault> {
    if text.contains('@') {
        return Err(HeadFault::User);
    }
    let (host, port) = split_authority(text).ok_or(HeadFault::Form)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._~%".contains(c);
    let is_host = match text.starts_with('[') {
        true => host.parse::<Ipv6Addr>().is_ok(),
        false => !host.is_empty() && host.chars().all(fits),
    };
    if !is_host {
        return Err(HeadFault::Form);
    }
    let port = match port {
        None | Some("") => default.ok_or(HeadFault::Port)?,
        Some(digits) => port_number(digits).ok_or(HeadFault::Port)?,
    };
    Ok(HostPort {
        host: host.to_ascii_lowercase(),
        port,
    })
}

/// Returns the length of the head, which ends with an empty line, after a look at each line.
fn end_of_head(bytes: &[u8]) -> Result<Option<usize>, HeadFault> {
    let mut start = 0;
    for (at, byte) in bytes.iter().enumerate().take(MAX_HEAD_LEN) {
        match byte {
            b'\n' if at == 0 || bytes[at - 1] != b'\r' => return Err(HeadFault::Line),
            b'\n' if at == start + 1 => {
                return match start {
                    // No line before the first one.
                    0 => Err(HeadFault::Line),
                    _ => Ok(Some(at + 1)),
                };
            }
            b'\n' => start = at + 1,
            // A line that begins like this would continue the one before.
            b' ' | b'\t' if at == start => return Err(HeadFault::Line),
            b'\t' => {}
            b'\r' if bytes.get(at + 1).is_none_or(|next| *next == b'\n') => {}
            control if control.is_ascii_control() => return Err(HeadFault::Line),
            _ => {}
        }
    }
    Ok(None)
}

/// Checks that the length of the body can be read in one way only.
fn check_length(fields: &[(&str, &[u8])], method: &str, version: u8) -> Result<(), HeadFault> {
    let fault = |()| HeadFault::Length;
    let length = only(fields, "content-length").map_err(fault)?;
    let encoding = only(fields, "transfer-encoding").map_err(fault)?;
    let is_number = |value: &[u8]| {
        !value.is_empty() && value.len() <= 18 && value.iter().all(u8::is_ascii_digit)
    };
    let is_clear = match (length, encoding) {
        (None, None) => true,
        // What follows CONNECT is the tunnel.
        (Some(length), None) if method == "CONNECT" => length == b"0",
        (_, Some(_)) if method == "CONNECT" => false,
        (Some(length), None) => is_number(length),
        (None, Some(encoding)) => version == 1 && encoding.eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    };
    is_clear.then_some(()).ok_or(HeadFault::Length)
}

fn check_host(fields: &[(&str, &[u8])], version: u8, asked: &Request) -> Result<(), HeadFault> {
    let (Request::Tunnel(asked) | Request::Plain(asked)) = asked;
    let host = only(fields, "host").map_err(|()| HeadFault::Host)?;
    let Some(host) = host else {
        // HTTP/1.0 has no such field.
        return match version {
            0 => Ok(()),
            _ => Err(HeadFault::Host),
        };
    };
    let host = str::from_utf8(host).map_err(|_| HeadFault::Host)?;
    // Some leave the port out.
    let host = authority(host.trim(), Some(asked.port)).map_err(|_| HeadFault::Host)?;
    (host == *asked).then_some(()).ok_or(HeadFault::Host)
}

fn target(method: &str, path: &str) -> Result<Request, HeadFault> {
    // RFC 3986 has none of these in an address, and programs differ about them. The others that it lacks, such as `{` and
    // `|`, all programs read alike.
    if let Some(c) = path
        .chars()
        .find(|c| !c.is_ascii_graphic() || "<>`\"\\".contains(*c))
    {
        return Err(HeadFault::Character(c));
    }
    if method == "CONNECT" {
        return match path.contains('/') {
            true => Err(HeadFault::Form),
            false => Ok(Request::Tunnel(authority(path, None)?)),
        };
    }
    let scheme = "http://";
    let rest = path
        .get(..scheme.len())
        .filter(|begin| begin.eq_ignore_ascii_case(scheme))
        .map(|_| &path[scheme.len()..])
        .ok_or(HeadFault::Form)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    Ok(Request::Plain(authority(&rest[..end], Some(80))?))
}

/// Returns the value of a field that may be there once.
fn only<'h>(fields: &[(&str, &'h [u8])], name: &str) -> Result<Option<&'h [u8]>, ()> {
    let mut found = fields
        .iter()
        .filter(|(field, _)| field.eq_ignore_ascii_case(name))
        .map(|(_, value)| *value);
    let first = found.next();
    match found.next() {
        Some(_) => Err(()),
        None => Ok(first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<Head>, HeadFault> {
        Head::parse(text.as_bytes())
    }

    fn authority(host: &str, port: u16) -> HostPort {
        HostPort {
            host: host.to_owned(),
            port,
        }
    }

    #[test]
    fn tunnels_and_requests_in_clear() {
        use Request::{Plain, Tunnel};
        for (first, host, expected) in [
            (
                "CONNECT r.corp:443",
                "r.corp:443",
                Tunnel(authority("r.corp", 443)),
            ),
            (
                "CONNECT R.corp:443",
                "r.CORP",
                Tunnel(authority("r.corp", 443)),
            ),
            (
                "CONNECT [::1]:5000",
                "[::1]:5000",
                Tunnel(authority("::1", 5000)),
            ),
            (
                "GET http://r.corp/v2/?a=b",
                "r.corp",
                Plain(authority("r.corp", 80)),
            ),
            (
                "POST HTTP://r.corp:81",
                "r.corp:81",
                Plain(authority("r.corp", 81)),
            ),
            ("GET http://[::1]/", "[::1]", Plain(authority("::1", 80))),
        ] {
            let text = format!("{first} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            let head = parse(&format!("{text}body")).unwrap().unwrap();
            assert_eq!((head.request, head.len), (expected, text.len()), "{first}");
            for end in 0..text.len() {
                assert_eq!(parse(&text[..end]), Ok(None), "{first} until {end}");
            }
        }
        let old = parse("CONNECT h:1 HTTP/1.0\r\nProxy-Authorization: Basic x\r\n\r\n");
        assert_eq!(
            old.unwrap().unwrap().authorization.as_deref(),
            Some("Basic x")
        );
    }

    #[test]
    fn what_is_not_for_a_proxy_is_refused() {
        use HeadFault::{Character, Form, Host, Port, User};
        for (first, expected) in [
            ("CONNECT h", Port),
            ("CONNECT h:", Port),
            ("CONNECT h:0", Port),
            ("CONNECT h:65536", Port),
            ("CONNECT h:+80", Port),
            ("CONNECT /x", Form),
            ("CONNECT http://h:1/", Form),
            ("CONNECT me:pw@h:1", User),
            ("CONNECT ::1:443", Form),
            ("CONNECT [x]:1", Form),
            ("GET /", Form),
            ("GET h:80", Form),
            ("GET https://h/", Form),
            ("GET ftp://h/", Form),
            ("OPTIONS *", Form),
            ("GET http:///x", Form),
            ("GET http://me@h/", User),
            ("GET http://h/<", Character('<')),
            ("GET http://h/\"", Character('"')),
            ("GET http://h/`", Character('`')),
            ("GET http://h/\\", Character('\\')),
            ("GET http://h{/", Form),
            ("GET http://other/", Host),
        ] {
            let text = format!("{first} HTTP/1.1\r\nHost: h\r\n\r\n");
            assert_eq!(parse(&text), Err(expected), "{first}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        use HeadFault::{Host, Length, Line, Twice};
        for (fields, expected) in [
            ("", Host),
            ("Host: h\r\nHost: h\r\n", Host),
            ("Host: h\r\nHost: other\r\n", Host),
            ("Host: h\nX: y\r\n", Line),
            ("Host: h\r\n X: folded\r\n", Line),
            ("Host: h\r\n\tX: folded\r\n", Line),
            ("Host: h\rX: y\r\n", Line),
            ("Host: h\0\r\n", Line),
            (
                "Host: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n",
                Length,
            ),
            (
                "Host: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n",
                Length,
            ),
            ("Host: h\r\nContent-Length: 1, 1\r\n", Length),
            ("Host: h\r\nContent-Length: +1\r\n", Length),
            ("Host: h\r\nContent-Length:\r\n", Length),
            ("Host: h\r\nTransfer-Encoding: chunked, chunked\r\n", Length),
            ("Host: h\r\nTransfer-Encoding: gzip, chunked\r\n", Length),
            (
                "Host: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
                Length,
            ),
            (
                "Host: h\r\nProxy-Authorization: a\r\nproxy-authorization: b\r\n",
                Twice("Proxy-Authorization"),
            ),
        ] {
            let text = format!("POST http://h/ HTTP/1.1\r\n{fields}\r\n");
            assert_eq!(parse(&text), Err(expected), "{fields:?}");
        }
        for text in [
            "POST http://h/ HTTP/1.1\r\nHost : h\r\n\r\n",
            "\r\nGET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET http://h/ HTTP/2.0\r\nHost: h\r\n\r\n",
            "GET http://h/ x HTTP/1.1\r\nHost: h\r\n\r\n",
            "POST http://h/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            "CONNECT h:1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n",
            "CONNECT h:1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
            "\x16\x03\x01\x02\n",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        let long = format!("GET http://h/ HTTP/1.1\r\nX: {}", "x".repeat(MAX_HEAD_LEN));
        assert_eq!(parse(&long), Err(HeadFault::TooLong));
        let many = format!(
            "GET http://h/ HTTP/1.1\r\nHost: h\r\n{}\r\n",
            "X: y\r\n".repeat(200)
        );
        assert_eq!(parse(&many), Err(HeadFault::TooLong));
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let text =
            "POST http://r.corp:81/x HTTP/1.1\r\nHost: r.corp:81\r\nContent-Length: 3\r\n\r\n";
        for at in 0..text.len() {
            for byte in 0..=255 {
                let mut bytes = text.as_bytes().to_vec();
                bytes[at] = byte;
                drop(Head::parse(&bytes));
            }
        }
    }
}
