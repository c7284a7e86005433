//! A proxy URL, with its user and password in the encoding that the engine reads.
//!
//! The engine is written in Go and reads the URL with `net/url`, which decodes percent-encoding in
//! user and password. So this module stores both decoded, and encodes every character that is not a
//! letter, a digit or one of `-._~` when it writes them. That is right for Go, and also for the shell.

use std::fmt;
use std::net::Ipv6Addr;

use thiserror::Error;
use zeroize::Zeroizing;

use super::{Password, ProxyRef, idn};

use crate::net::port_number;

/// The reason why a proxy URL was refused. The texts never hold the URL, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidUrl {
    #[error("it is empty")]
    Empty,
    #[error("it holds a line break, a NUL or another control character")]
    Control,
    #[error(
        "its scheme is '{0}'; expected http://HOST:PORT, since Docker Engines speak to HTTP proxies"
    )]
    Scheme(String),
    #[error(
        "it names a proxy that is reached over TLS ('https://'), which engines of this family can't do; if it is an ordinary HTTP proxy, also for https, write http://"
    )]
    Tls,
    #[error(
        "it names a SOCKS proxy ('{0}://'), which is no HTTP proxy and can't be used as one; name an HTTP proxy, or run one that forwards to it, such as privoxy"
    )]
    Socks(String),
    #[error("it stands in quotation marks, which would count as part of it; leave them out")]
    Quoted,
    #[error("it names no host; expected http://HOST:PORT")]
    InvalidHost,
    #[error("its host '{0}' has characters that no host name or address has")]
    Host(String),
    #[error("an IPv6 address has to stand in brackets, as in http://[fd00::1]:3128")]
    NoBrackets,
    #[error(
        "its address names an interface of this computer ('%'), which the engine doesn't have; name the proxy by another address"
    )]
    Zone,
    #[error("it is a URL where the host alone is expected")]
    NotAHost,
    #[error("its host has a port behind it, which belongs in the port's own field")]
    PortInHost,
    #[error("{} a port number from 1 to 65535", port_shown(.0))]
    Port(String),
    #[error("it goes on with '{}' behind host and port; a proxy has no path", .0.chars().take(1).collect::<String>())]
    Path(String),
    #[error("it has a password but no user; expected http://USER:PASSWORD@HOST:PORT")]
    NoUser,
}

/// The protocol that a proxy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// HTTP, and `CONNECT` for `https://`.
    Http,
    /// SOCKS 5.
    Socks5,
}

impl Scheme {
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Http => "http://",
            Self::Socks5 => "socks5://",
        }
    }
}

/// `http://[user[:password]@]host:port`, or the same with `socks5`.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl {
    scheme: Scheme,
    user: Option<Vec<u8>>,
    password: Option<Password>,
    host: String,
    port: u16,
}

/// Default port of a proxy, on macOS and in Go.
const DEFAULT_PORT: u16 = 80;

impl ProxyUrl {
    /// Reads `text`: with or without `http://`, with or without a port (then 80).
    ///
    /// User and password end at the *last* `@`, so they may hold any character. Each is taken as
    /// percent-encoded if every `%` in it starts an escape (`%40`), and literally otherwise.
    ///
    /// # Errors
    /// See `InvalidUrl`.
    pub fn parse(text: &str) -> Result<Self, InvalidUrl> {
        if text.chars().any(char::is_control) {
            return Err(InvalidUrl::Control);
        }
        let text = text.trim();
        if text.is_empty() {
            return Err(InvalidUrl::Empty);
        }
        if ['"', '\''].iter().any(|&mark| {
            let inside = text.strip_prefix(mark);
            inside.is_some_and(|inside| inside.ends_with(mark))
        }) {
            return Err(InvalidUrl::Quoted);
        }
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            // One slash is missing. Otherwise `http` would be the user, and the rest a password.
            None if text.to_ascii_lowercase().starts_with("http:/") => {
                return Err(InvalidUrl::InvalidHost);
            }
            // Without a scheme, `://` can only be part of a password.
            Some((scheme, _)) if is_scheme(scheme) => {
                return Err(match &*scheme.to_ascii_lowercase() {
                    "https" => InvalidUrl::Tls,
                    "socks" | "socks4" | "socks4a" | "socks5" | "socks5h" => {
                        InvalidUrl::Socks(scheme.to_owned())
                    }
                    _ => InvalidUrl::Scheme(scheme.to_owned()),
                });
            }
            _ => text,
        };
        let (credentials, place) = match rest.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, rest),
        };
        let (user, password) = match credentials.map(|c| c.split_once(':').unwrap_or((c, ""))) {
            None => (None, None),
            Some(("", "")) => (None, None),
            Some(("", _)) => return Err(InvalidUrl::NoUser),
            Some((user, password)) => (
                Some(decode(user)?),
                credentials
                    .is_some_and(|c| c.contains(':'))
                    .then(|| Password::new(decode(password)?).ok_or(InvalidUrl::Control))
                    .transpose()?,
            ),
        };
        let (host, port) = host_and_port(place)?;
        Ok(Self {
            scheme: Scheme::Http,
            user,
            password,
            host,
            port,
        })
    }

    /// Builds a proxy URL from its parts, as settings have them. An IPv6 address may lack its brackets.
    ///
    /// # Errors
    /// When `host` is not a host, or `user` has control characters in it.
    pub(crate) fn from_parts(
        scheme: Scheme,
        host: &str,
        port: u16,
        user: Option<&str>,
    ) -> Result<Self, InvalidUrl> {
        let place = match host.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]:{port}"),
            Err(_) if host.contains("://") => return Err(InvalidUrl::NotAHost),
            Err(_) if has_zone(host) => return Err(InvalidUrl::Zone),
            Err(_) => match host.rsplit_once(':') {
                // A text that is not a number may be a password whose `@HOST` was forgotten.
                Some((_, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
                    return Err(InvalidUrl::PortInHost);
                }
                _ => format!("{host}:{port}"),
            },
        };
        if user.is_some_and(|user| user.chars().any(char::is_control)) {
            return Err(InvalidUrl::Control);
        }
        let (host, port) = host_and_port(&place)?;
        Ok(Self {
            scheme,
            user: user.map(|user| user.as_bytes().to_owned()),
            password: None,
            host,
            port,
        })
    }

    /// Returns the whole URL for the engine, including the password.
    pub fn for_engine(&self) -> Zeroizing<String> {
        let secret = self.password.as_ref().map_or(0, |p| p.expose().len());
        let user = self.user.as_ref().map_or(0, Vec::len);
        // Allocate enough at once: a string that grows leaves its old bytes in memory.
        let room = 3 * (user + secret) + self.host.len() + 16;
        let mut url = Zeroizing::new(String::with_capacity(room));
        url.push_str(self.scheme.prefix());
        if let Some(user) = &self.user {
            encode(user, &mut url);
            if let Some(password) = &self.password {
                url.push(':');
                encode(password.expose(), &mut url);
            }
            url.push('@');
        }
        url.push_str(&self.authority());
        url
    }

    /// Returns the URL for display, with the password replaced by `***`.
    pub fn redacted(&self) -> String {
        self.reference().to_string()
    }

    /// Returns the identity of the proxy.
    pub fn reference(&self) -> ProxyRef {
        ProxyRef::of(self)
    }

    /// Returns the proxy with these parts, without a password. They come from another proxy.
    pub(crate) fn of_parts(scheme: Scheme, user: Option<Vec<u8>>, host: String, port: u16) -> Self {
        Self {
            scheme,
            user,
            password: None,
            host,
            port,
        }
    }

    /// The user, decoded.
    pub(crate) fn user_bytes(&self) -> Option<&[u8]> {
        self.user.as_deref()
    }

    /// The protocol that the proxy speaks.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host; an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The user, decoded; bytes that are not UTF-8 are replaced.
    pub fn user(&self) -> Option<String> {
        let user = self.user.as_ref()?;
        Some(String::from_utf8_lossy(user).into_owned())
    }

    /// The user, percent-encoded as in a URL.
    pub(crate) fn encoded_user(&self) -> Option<String> {
        let mut encoded = String::new();
        encode(self.user.as_ref()?, &mut encoded);
        Some(encoded)
    }

    /// The password, decoded.
    pub fn password(&self) -> Option<&Password> {
        self.password.as_ref()
    }

    /// Returns the same proxy at another host.
    ///
    /// # Errors
    /// When `host` is not a host.
    pub(crate) fn with_host(&self, host: &str) -> Result<Self, InvalidUrl> {
        let moved = Self::from_parts(self.scheme, host, self.port, None)?;
        Ok(Self {
            host: moved.host,
            ..self.clone()
        })
    }

    /// Returns `HOST:PORT`, preceded by the scheme unless that is HTTP.
    pub fn display(&self) -> String {
        match self.scheme {
            Scheme::Http => self.authority(),
            Scheme::Socks5 => format!("{}{}", self.scheme.prefix(), self.authority()),
        }
    }

    /// Returns the same proxy with a password. Without a user, the password is dropped.
    #[must_use]
    pub fn with_password(mut self, password: Password) -> Self {
        self.password = self.user.is_some().then_some(password);
        self
    }

    /// Returns whether the URL has a password.
    pub(crate) fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// `HOST:PORT`.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProxyUrl").field(&self.redacted()).finish()
    }
}

/// Returns `text` without the passwords that it holds as `USER:PASSWORD@`, with or without a scheme
/// before them (Go takes both). It is for texts that Baleen didn't write, such as scripts.
pub(crate) fn redact(text: &str) -> String {
    text.split_inclusive('\n').map(redact_line).collect()
}

/// Cuts the passwords out of one line. A raw password may hold any character except the end of the
/// line, so the last `@` of the line ends it. It begins at the first colon, not counting the colon of
/// one scheme. The function rather cuts out too much than too little.
fn redact_line(line: &str) -> String {
    let cut = line.rfind('@').and_then(|end| {
        let mut scheme = true;
        let start = line[..end]
            .match_indices(':')
            .map(|(at, _)| at)
            .find(|&at| {
                let skip =
                    scheme && line[at..end].starts_with("://") && ends_with_scheme(&line[..at]);
                scheme &= !skip;
                !skip
            })?;
        Some((start, end))
    });
    match cut {
        Some((start, end)) => format!("{}:***{}", &line[..start], &line[end..]),
        None => line.to_owned(),
    }
}

/// Returns whether `text` ends with a scheme of proxies or scripts, rather than with a user whose
/// password begins with `//`.
fn ends_with_scheme(text: &str) -> bool {
    let word = text
        .rsplit(|c: char| !c.is_ascii_alphanumeric())
        .next()
        .unwrap_or_default();
    ["http", "https", "socks", "socks4", "socks5", "ftp", "file"]
        .iter()
        .any(|scheme| scheme.eq_ignore_ascii_case(word))
}

/// Returns the start of the error message about a port. It shows the text in the port's place only if
/// that can't be a password whose `@HOST` was forgotten.
fn port_shown(port: &str) -> String {
    if port.bytes().all(|b| b.is_ascii_digit()) && port.len() <= 6 {
        format!("its port '{port}' is not")
    } else {
        "what stands behind the colon after its host is not".to_owned()
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// Returns whether `text` is an IPv6 address with a zone, such as `fe80::1%en0` (RFC 4007, section 11).
fn has_zone(text: &str) -> bool {
    text.split_once('%')
        .is_some_and(|(address, _)| address.parse::<Ipv6Addr>().is_ok())
}

fn host_and_port(place: &str) -> Result<(String, u16), InvalidUrl> {
    let end = place.find(['/', '?', '#']).unwrap_or(place.len());
    let (place, path) = place.split_at(end);
    if !matches!(path, "" | "/") {
        return Err(InvalidUrl::Path(path.to_owned()));
    }
    // The end of an address may look like a port, and the end of a password like an address.
    let last = place.rsplit_once(':').map_or("", |(before, _)| before);
    if [place, last]
        .iter()
        .any(|text| text.parse::<Ipv6Addr>().is_ok())
    {
        return Err(InvalidUrl::NoBrackets);
    }
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest
                .split_once(']')
                .ok_or_else(|| InvalidUrl::Host(place.to_owned()))?;
            if has_zone(address) {
                return Err(InvalidUrl::Zone);
            }
            if address.parse::<Ipv6Addr>().is_err() {
                return Err(InvalidUrl::Host(place.to_owned()));
            }
            let port = match after.strip_prefix(':') {
                Some(port) => Some(port),
                None if after.is_empty() => None,
                None => return Err(InvalidUrl::Host(place.to_owned())),
            };
            (format!("[{address}]"), port)
        }
        None => {
            let (host, port) = match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            };
            if host.is_empty() {
                return Err(InvalidUrl::InvalidHost);
            }
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
            let name = idn::to_ascii(host).filter(|name| {
                name.chars().all(plain) && !name.starts_with(['.', '-']) && !name.contains("..")
            });
            let name = name.ok_or_else(|| InvalidUrl::Host(host.to_owned()))?;
            (name.into_owned(), port)
        }
    };
    let port = match port {
        None => DEFAULT_PORT,
        Some(digits) => port_number(digits).ok_or_else(|| InvalidUrl::Port(digits.to_owned()))?,
    };
    Ok((host, port))
}

/// Decodes a user or password into its bytes.
fn decode(text: &str) -> Result<Vec<u8>, InvalidUrl> {
    let bytes = text.as_bytes();
    let escape = |at: usize| -> Option<u8> {
        let digit = |at: usize| (*bytes.get(at)? as char).to_digit(16);
        Some((digit(at + 1)? << 4 | digit(at + 2)?) as u8)
    };
    let encoded = (0..bytes.len())
        .filter(|&at| bytes[at] == b'%')
        .all(|at| escape(at).is_some());
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match escape(at) {
            Some(byte) if encoded && bytes[at] == b'%' => {
                decoded.push(byte);
                at += 3;
            }
            _ => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    // RFC 7617 allows no control characters in either part, encoded or not.
    if decoded.iter().any(u8::is_ascii_control) {
        return Err(InvalidUrl::Control);
    }
    Ok(decoded)
}

pub(super) fn encode(bytes: &[u8], into: &mut String) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(byte as char);
        } else {
            into.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_written_as_go_reads_them() {
        for (text, engine) in [
            ("http://proxy.corp:8080", "http://proxy.corp:8080"),
            ("proxy.corp:8080", "http://proxy.corp:8080"),
            ("HTTP://proxy.corp", "http://proxy.corp:80"),
            ("http://proxy.corp:3128/", "http://proxy.corp:3128"),
            (" http://10.0.0.1:80 ", "http://10.0.0.1:80"),
            ("http://[fe80::1]:3128", "http://[fe80::1]:3128"),
            ("http://my_proxy:1", "http://my_proxy:1"),
            ("http://u@p:1", "http://u@p:1"),
            ("http://u:@p:1", "http://u:@p:1"),
            ("http://@p:1", "http://p:1"),
            ("http://u:p@ss@p:1", "http://u:p%40ss@p:1"),
            ("http://u:p%40ss@p:1", "http://u:p%40ss@p:1"),
            ("http://u:100%@p:1", "http://u:100%25@p:1"),
            ("http://u:100%25@p:1", "http://u:100%25@p:1"),
            ("http://u:%zz%41@p:1", "http://u:%25zz%2541@p:1"),
            ("http://u:a/b?c#d@p:1", "http://u:a%2Fb%3Fc%23d@p:1"),
            ("http://u:a://b@p:1", "http://u:a%3A%2F%2Fb@p:1"),
            ("http://u:'$`\" ü@p:1", "http://u:%27%24%60%22%20%C3%BC@p:1"),
            ("http://CORP\\me:x@p:1", "http://CORP%5Cme:x@p:1"),
            ("http://u:a:b@p:1", "http://u:a%3Ab@p:1"),
            ("127.0.0.1:3128", "http://127.0.0.1:3128"),
            ("http://p:65535", "http://p:65535"),
            ("http://p:08080", "http://p:8080"),
            ("http://[::ffff:10.0.0.5]:1", "http://[::ffff:10.0.0.5]:1"),
            ("http://Bücher.example:1", "http://xn--bcher-kva.example:1"),
        ] {
            let url = ProxyUrl::parse(text).unwrap();
            assert_eq!(*url.for_engine(), engine, "{text}");
            assert_eq!(ProxyUrl::parse(engine).unwrap(), url, "{text}");
        }
    }

    #[test]
    fn what_no_engine_could_use_is_refused() {
        use InvalidUrl as E;
        for (text, error) in [
            ("", E::Empty),
            ("  ", E::Empty),
            ("http://", E::InvalidHost),
            ("http://:80", E::InvalidHost),
            ("http:/me:pw@p:1", E::InvalidHost),
            ("http://u:p@", E::InvalidHost),
            ("http://:p@h:1", E::NoUser),
            ("https://p:1", E::Tls),
            ("HTTPS://p:1", E::Tls),
            ("socks5://p:1", E::Socks("socks5".into())),
            ("SOCKS5h://u:p@p:1", E::Socks("SOCKS5h".into())),
            ("socks://p:1", E::Socks("socks".into())),
            ("ftp://p:1", E::Scheme("ftp".into())),
            ("file:///etc/proxy.pac", E::Scheme("file".into())),
            ("\"http://p:1\"", E::Quoted),
            ("'p:1'", E::Quoted),
            ("::1", E::NoBrackets),
            ("http://fd00::1:3128", E::NoBrackets),
            ("http://::ffff:10.0.0.5:3128", E::NoBrackets),
            ("http://[fe80::1%25en0]:3128", E::Zone),
            ("http://p:99999", E::Port("99999".into())),
            ("http://p:0", E::Port("0".into())),
            ("http://p:65536", E::Port("65536".into())),
            ("http://p:+80", E::Port("+80".into())),
            ("http://p:", E::Port("".into())),
            ("http://p:80x", E::Port("80x".into())),
            ("http://p/path", E::Path("/path".into())),
            ("http://p q:1", E::Host("p q".into())),
            ("http://pr öxy:1", E::Host("pr öxy".into())),
            ("http://[::1:80", E::Host("[::1:80".into())),
            ("http://[::g]:80", E::Host("[::g]:80".into())),
            ("http://..:80", E::Host("..".into())),
            ("http://p:80\n", E::Control),
            ("http://p\0:80", E::Control),
            ("http://u:a%0Ab@p:80", E::Control),
            ("http://u:a%00b@p:80", E::Control),
        ] {
            assert_eq!(ProxyUrl::parse(text).unwrap_err(), error, "{text:?}");
        }
    }

    #[test]
    fn hosts_of_settings_are_called_what_they_are() {
        use InvalidUrl as E;
        let of = |host| ProxyUrl::from_parts(Scheme::Http, host, 80, None);
        for (host, url) in [
            ("fd00::1", "http://[fd00::1]:80"),
            ("::1", "http://[::1]:80"),
            ("bücher.example", "http://xn--bcher-kva.example:80"),
            ("proxy.corp", "http://proxy.corp:80"),
        ] {
            assert_eq!(*of(host).unwrap().for_engine(), url, "{host}");
        }
        for (host, error) in [
            ("http://proxy.corp:8080", E::NotAHost),
            ("proxy.corp:8080", E::PortInHost),
            ("fe80::1%en0", E::Zone),
            ("proxy.corp/x", E::Path("/x:80".into())),
            ("", E::InvalidHost),
        ] {
            assert_eq!(of(host).unwrap_err(), error, "{host}");
        }
    }

    /// Go would speak HTTP to a SOCKS proxy. The error must neither call it an HTTP proxy nor advise the
    /// user to write it as one.
    #[test]
    fn a_socks_proxy_is_not_advised_to_become_an_http_proxy() {
        let error = ProxyUrl::parse("socks5://p:1").unwrap_err().to_string();
        assert!(error.contains("is no HTTP proxy"), "{error}");
        assert!(!error.contains("write http://"), "{error}");
    }

    #[test]
    fn nothing_that_is_shown_holds_the_password() {
        for forgotten in ["http://me:s3cret", "me:s3cret", "http://me:1234567"] {
            let error = ProxyUrl::parse(forgotten).unwrap_err().to_string();
            assert!(
                !error.contains("s3cret") && !error.contains("1234567"),
                "{error}"
            );
        }
        let url = ProxyUrl::parse("http://me:s3cret@p:1").unwrap();
        assert_eq!(url.redacted(), "http://me:***@p:1");
        assert!(!format!("{url:?}").contains("s3cret"));
        for (text, shown) in [
            (
                "export http_proxy=http://me:s3cret@p:1",
                "export http_proxy=http://me:***@p:1",
            ),
            ("a=http://me:s3@cret@p:1 b", "a=http://me:***@p:1 b"),
            ("a=http://me@p:1", "a=http://me@p:1"),
            ("a=me:s3cret@p:1", "a=me:***@p:1"),
            ("http://me://s3cret@p:1", "http://me:***@p:1"),
            ("PROXY me://s3cret@p:1", "PROXY me:***@p:1"),
            ("http://http://s3cret@p:1", "http://http:***@p:1"),
            ("http://ü://s3cret@p:1", "http://ü:***@p:1"),
            ("a='me:s3:// cret@p:1'", "a='me:***@p:1'"),
            ("a=http://me: s3cret@p:1", "a=http://me:***@p:1"),
            ("a=http://p:1/@", "a=http://p:***@"),
            ("a=http://p:1", "a=http://p:1"),
            (
                "a='http://m:x@p:1' b='http://m:y@p:1'\nmail me@x",
                "a='http://m:***@p:1'\nmail me@x",
            ),
        ] {
            assert_eq!(redact(text), shown, "{text}");
        }
    }
}
