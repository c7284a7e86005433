//! Fetches a script from its URL, always without a proxy, since the script itself chooses the proxy.

use std::fs;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::config::Config;
use ureq::http::{StatusCode, Uri, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Body};

use super::error::{FetchFault, PacError};
use super::shown;
use crate::error::IoError;
use crate::net::port_number;
use crate::net::{lookup, tls};

/// Timeout for a download, including redirects and lookups.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum number of redirects.
pub(super) const MAX_REDIRECTS: u32 = 5;
/// Maximum length of a script, in bytes. Usual scripts have a few hundred lines.
pub(super) const MAX_SCRIPT_LEN: u64 = 1 << 20;

/// A script.
#[derive(Debug, Clone)]
pub struct Script {
    /// The name of the script in a sentence, after "the PAC script".
    pub name: String,
    /// The script itself.
    pub text: String,
}

/// Fetches the script at `url`: `http://`, `https://`, `file://`, or the path of a file.
///
/// # Errors
/// When there is no script, or it exceeds the limits of time or size. The error leaves out the URL's
/// password.
pub fn fetch(url: &str) -> Result<Script, PacError> {
    let name = shown(url);
    let failed = |why| PacError::Fetch {
        name: name.clone(),
        why,
    };
    let scheme = url.split_once(':').map(|(scheme, _)| scheme);
    let mut charset = None;
    let bytes = match scheme.map(str::to_ascii_lowercase).as_deref() {
        Some("http" | "https") => {
            let (bytes, named) = download(url).map_err(failed)?;
            charset = named;
            bytes
        }
        Some("file") => {
            let path = file_url(url).ok_or_else(|| failed(FetchFault::OtherComputer))?;
            read(&path)?
        }
        _ if url.starts_with('/') => read(Path::new(url))?,
        _ => return Err(failed(FetchFault::Scheme)),
    };
    if bytes.len() as u64 > MAX_SCRIPT_LEN {
        return Err(failed(FetchFault::TooLong));
    }
    let text = decode(&bytes, charset.as_deref());
    // Some networks answer every request with their login page.
    if is_page(&text) {
        return Err(failed(FetchFault::WebPage));
    }
    Ok(Script { name, text })
}

/// Reads at most one byte more than [`MAX_SCRIPT_LEN`].
fn read(path: &Path) -> Result<Vec<u8>, PacError> {
    let failed = |error| IoError::new("read", path, error);
    // Reading from anything but a file might never end.
    let facts = fs::metadata(path).map_err(failed)?;
    if !facts.is_file() {
        return Err(PacError::NotAFile(path.to_owned()));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_SCRIPT_LEN + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    Ok(bytes)
}

/// Returns the path of a `file:` URL; nothing if it is on another computer (RFC 8089).
pub(super) fn file_url(url: &str) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let (_, rest) = url.split_once(':')?;
    let path = match rest.strip_prefix("//") {
        Some(rest) => {
            let (host, _) = rest.split_once('/')?;
            if !host.is_empty() && !host.eq_ignore_ascii_case("localhost") {
                return None;
            }
            &rest[host.len()..]
        }
        None => rest,
    };
    let bytes = percent_encoding::percent_decode_str(path).collect();
    let path = PathBuf::from(std::ffi::OsString::from_vec(bytes));
    path.is_absolute().then_some(path)
}

/// Decodes a script by its byte order mark, by the server's `charset`, or else as UTF-8, and if that
/// fails as Latin-1. Chromium decodes a script with neither mark nor `charset` as Latin-1. That only
/// changes the length of strings that are not ASCII.
fn decode(bytes: &[u8], charset: Option<&str>) -> String {
    if let Some(rest) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        return String::from_utf8_lossy(rest).into_owned();
    }
    for (mark, order) in [
        (b"\xff\xfe", u16::from_le_bytes as fn([u8; 2]) -> u16),
        (b"\xfe\xff", u16::from_be_bytes),
    ] {
        if let Some(rest) = bytes.strip_prefix(mark) {
            return utf16(rest, order);
        }
    }
    let charset = charset.map(str::to_ascii_lowercase);
    match (charset.as_deref(), std::str::from_utf8(bytes)) {
        (Some("utf-16le"), _) => utf16(bytes, u16::from_le_bytes),
        (Some("utf-16" | "utf-16be"), _) => utf16(bytes, u16::from_be_bytes),
        (Some("iso-8859-1" | "latin1" | "windows-1252"), _) | (_, Err(_)) => {
            bytes.iter().copied().map(char::from).collect()
        }
        (_, Ok(text)) => text.to_owned(),
    }
}

fn utf16(bytes: &[u8], order: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).map(|two| order([two[0], two[1]]));
    char::decode_utf16(units)
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// Returns the value of `charset` in a `Content-Type`, without quotes.
fn charset(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        (name.trim().eq_ignore_ascii_case("charset")).then(|| value.trim().trim_matches('"'))
    })
}

/// Returns whether `text` is a page rather than a script. A script may begin with lines that start with
/// an HTML comment: JavaScript also treats each of them as a comment, to the end of the line.
fn is_page(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim_start);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with("<!--"));
    first.is_some_and(|line| line.starts_with('<'))
}

/// Downloads the script, and returns it with the server's `charset`.
fn download(url: &str) -> Result<(Vec<u8>, Option<String>), FetchFault> {
    let secure = url
        .get(..6)
        .is_some_and(|start| start.eq_ignore_ascii_case("https:"));
    let mut config = Config::builder()
        .proxy(None)
        .timeout_global(Some(TIMEOUT))
        .max_redirects(MAX_REDIRECTS)
        .http_status_as_error(false)
        .user_agent(concat!("baleen/", env!("CARGO_PKG_VERSION")));
    let no_tls = match tls::provider() {
        Ok(provider) => {
            let roots: Vec<_> = tls::native_certificates()
                .iter()
                .map(|root| Certificate::from_der(root).to_owned())
                .collect();
            let tls = TlsConfig::builder()
                .unversioned_rustls_crypto_provider(provider)
                .root_certs(RootCerts::new_with_certs(&roots));
            config = config.tls_config(tls.build());
            None
        }
        Err(why) => Some(why),
    };
    let guide = RedirectPolicy { secure, no_tls };
    let agent = Agent::with_parts(config.build(), DefaultConnector::default(), guide);
    let mut response = agent.get(url).call().map_err(fault)?;
    if response.status() != StatusCode::OK {
        return Err(FetchFault::Status(response.status().to_string()));
    }
    let coding = response.headers().get(header::CONTENT_ENCODING);
    if let Some(coding) = coding.filter(|coding| *coding != "identity") {
        return Err(FetchFault::Compressed(format!("{coding:?}")));
    }
    let kind = response.headers().get(header::CONTENT_TYPE);
    let named = kind.and_then(|kind| charset(kind.to_str().ok()?));
    let named = named.map(str::to_owned);
    let body = body(response.body_mut());
    let bytes = body.map_err(|error| FetchFault::BrokeOff(Box::new(fault(error.into()))))?;
    Ok((bytes, named))
}

/// Reads at most one byte more than [`MAX_SCRIPT_LEN`].
fn body(body: &mut Body) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    body.as_reader()
        .take(MAX_SCRIPT_LEN + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Tells the errors apart. Those of [`RedirectPolicy`] and of TLS come inside an [`io::Error`].
fn fault(error: ureq::Error) -> FetchFault {
    match error {
        ureq::Error::Timeout(_) => FetchFault::TimedOut,
        ureq::Error::Io(error) => match error.downcast::<FetchFault>() {
            Ok(fault) => fault,
            Err(error) => match error.downcast::<rustls::Error>() {
                Ok(why) => FetchFault::Untrusted(why),
                Err(error) => FetchFault::Io(error),
            },
        },
        ureq::Error::TooManyRedirects => FetchFault::Redirects,
        ureq::Error::Rustls(why) => FetchFault::Untrusted(why),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => FetchFault::Url,
        other => FetchFault::Http(other),
    }
}

/// A resolver that checks the first URL and each redirect, and refuses those that are not allowed.
#[derive(Debug)]
struct RedirectPolicy {
    /// True if the first URL uses TLS. Redirects must use TLS as well then.
    secure: bool,
    /// The reason why TLS is not available, if it isn't.
    no_tls: Option<tls::Unsupported>,
}

impl Resolver for RedirectPolicy {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let refused = |why| ureq::Error::Io(io::Error::other::<FetchFault>(why));
        let (tls, default) = match uri.scheme_str() {
            Some("https") => (true, 443),
            Some("http") => (false, 80),
            _ => return Err(refused(FetchFault::RedirectsElsewhere)),
        };
        if self.secure && !tls {
            return Err(refused(FetchFault::RedirectsFromTls));
        }
        if let Some(why) = self.no_tls.as_ref().filter(|_| tls) {
            return Err(refused(FetchFault::NoTls(why.clone())));
        }
        let host = uri.host().unwrap_or_default();
        let port = port(uri, default).map_err(|port| refused(FetchFault::Port(port.to_owned())))?;
        let patience = (*timeout.after).min(lookup::TIMEOUT);
        let found = lookup::lookup(host, patience).map_err(|why| {
            let host = host.to_owned();
            refused(FetchFault::Lookup { host, why })
        })?;
        let mut addresses = self.empty();
        // The array has a capacity of sixteen.
        for address in found.into_iter().take(16) {
            addresses.push(SocketAddr::new(address, port));
        }
        if addresses.is_empty() {
            return Err(ureq::Error::HostNotFound);
        }
        Ok(addresses)
    }
}

/// Returns the port of a URL, or as an error the text in its place if that is not a port.
/// `Uri::port_u16` doesn't distinguish that text from a missing port.
fn port(uri: &Uri, default: u16) -> Result<u16, &str> {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let place = authority.rsplit('@').next().unwrap_or_default();
    // A colon inside brackets belongs to the address.
    let end = place.rsplit(']').next().unwrap_or_default();
    match end.split_once(':') {
        None | Some((_, "")) => Ok(default),
        Some((_, text)) => port_number(text).ok_or(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_urls() {
        for (url, expected) in [
            ("http://h/x.pac", Ok(80)),
            ("http://h:/x.pac", Ok(80)),
            ("http://h:1/x.pac", Ok(1)),
            ("http://h:65535/x.pac", Ok(65535)),
            ("http://h:0080/x.pac", Ok(80)),
            ("http://u:1@h/x.pac", Ok(80)),
            ("http://[::1]/x.pac", Ok(80)),
            ("http://[::1]:8080/x.pac", Ok(8080)),
            ("http://h:0/x.pac", Err("0")),
            ("http://h:65536/x.pac", Err("65536")),
            ("http://h:99999/x.pac", Err("99999")),
            ("http://h:+80/x.pac", Err("+80")),
            ("http://[::1]:65536/x.pac", Err("65536")),
        ] {
            match url.parse::<Uri>() {
                Ok(uri) => assert_eq!(port(&uri, 80), expected, "{url}"),
                // A URL that is refused as a whole is never fetched.
                Err(_) => assert!(expected.is_err(), "{url}"),
            }
        }
    }

    #[test]
    fn urls_of_files() {
        for (url, path) in [
            ("file:///etc/proxy.pac", Some("/etc/proxy.pac")),
            ("FILE:///a%20b.pac", Some("/a b.pac")),
            ("file://localhost/a", Some("/a")),
            ("file:/a", Some("/a")),
            ("file://server/a", None),
            ("file://", None),
            ("file:a", None),
        ] {
            assert_eq!(file_url(url).as_deref(), path.map(Path::new), "{url}");
        }
    }

    #[test]
    fn texts_in_all_encodings() {
        for (bytes, charset, text) in [
            (&b"abc"[..], None, "abc"),
            (b"\xef\xbb\xbfabc", None, "abc"),
            (b"\xef\xbb\xbf\xc3\xbc", Some("iso-8859-1"), "\u{fc}"),
            (b"\xc3\xbc", None, "\u{fc}"),
            (b"\xc3\xbc", Some("UTF-8"), "\u{fc}"),
            (b"\xc3\xbc", Some("ISO-8859-1"), "\u{c3}\u{bc}"),
            (b"\xfcber", None, "\u{fc}ber"),
            // The server's `charset` is often that of its whole site.
            (b"\xfcber", Some("utf-8"), "\u{fc}ber"),
            (b"\xff\xfea\0\xfc\0", None, "a\u{fc}"),
            (b"\xfe\xff\0a\0\xfc", None, "a\u{fc}"),
            (b"\xff\xfe\x3d\xd8\x00\xde", None, "\u{1f600}"),
            (b"a\0b\0", Some("utf-16le"), "ab"),
            (b"", None, ""),
        ] {
            assert_eq!(decode(bytes, charset), text, "{bytes:?} {charset:?}");
        }
        for (kind, expected) in [
            ("text/plain", None),
            ("text/plain; charset=utf-8", Some("utf-8")),
            ("text/plain;a=b; Charset=\"UTF-8\"", Some("UTF-8")),
        ] {
            assert_eq!(charset(kind), expected, "{kind}");
        }
    }

    #[test]
    fn pages_and_scripts() {
        for (text, page) in [
            ("<html>", true),
            ("\n <!DOCTYPE html>", true),
            ("<!-- saved -->\n<html>", true),
            ("<!-- x\nfunction FindProxyForURL() {}", false),
            ("<!-- x", false),
            ("var a = b<c;", false),
            ("", false),
        ] {
            assert_eq!(is_page(text), page, "{text}");
        }
    }

    #[test]
    fn what_is_no_script_is_not_taken_for_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("proxy.pac");
        let at = |path: &Path| fetch(path.to_str().unwrap());
        fs::write(&path, "\u{feff}var a;").unwrap();
        assert_eq!(at(&path).unwrap().text, "var a;");
        fs::write(&path, "\n<!DOCTYPE html>").unwrap();
        assert!(at(&path).unwrap_err().to_string().contains("web page"));
        fs::write(&path, vec![b' '; MAX_SCRIPT_LEN as usize + 1]).unwrap();
        let error = at(&path).unwrap_err().to_string();
        assert!(error.contains("more than 1048576 bytes"), "{error}");
        for path in [dir.path(), Path::new("/dev/zero"), &dir.path().join("no")] {
            let error = at(path).unwrap_err().to_string();
            assert!(error.contains(path.to_str().unwrap()), "{error}");
        }
        for url in ["", "proxy.pac", "ftp://h/a", "data:,a", "javascript:a"] {
            let error = fetch(url).unwrap_err().to_string();
            assert!(error.contains("expected http://"), "{error}");
        }
        let error = fetch("ftp://me:s3cret@h/a").unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{error}");
    }
}
