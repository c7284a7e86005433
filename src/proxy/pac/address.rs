//! Normalizes the address of a script and the hosts that it is asked about, so that stored answers are
//! found under other spellings.
//!
//! Source: RFC 3986, section 6.2 (syntax-based and scheme-based normalization). Segments `.` and `..` of
//! an `http` path are left unchanged: they are sent unchanged, so a server may tell them apart.

use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

use super::fetch::file_url;

/// The parts of a URL with a host.
struct Parts<'a> {
    scheme: String,
    /// The user, without a password.
    user: Option<&'a str>,
    /// The host in lower case, with the final dot of an absolute name.
    host: String,
    /// The port; none if it is the scheme's default.
    port: Option<String>,
    /// The path and the query.
    path: String,
}

fn parts(url: &str) -> Option<Parts<'_>> {
    let (scheme, rest) = url.trim().split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let rest = rest.split('#').next()?;
    let (place, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (user, place) = match place.rsplit_once('@') {
        Some((user, place)) => (user.split(':').next(), place),
        None => (None, place),
    };
    // A colon inside brackets belongs to the address.
    let inside = place.rfind(']').unwrap_or(0);
    let (host, port) = match place[inside..].rfind(':') {
        Some(at) => (&place[..inside + at], &place[inside + at + 1..]),
        None => (place, ""),
    };
    let address = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .and_then(|address| address.parse::<Ipv6Addr>().ok());
    let own = match &*scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    let port = match port.parse::<u16>() {
        Ok(port) if Some(port) == own => None,
        Ok(port) => Some(port.to_string()),
        Err(_) => Some(port.to_owned()).filter(|port| !port.is_empty()),
    };
    let slash = if path.starts_with('/') { "" } else { "/" };
    Some(Parts {
        scheme,
        user,
        host: match address {
            Some(address) => format!("[{address}]"),
            None => host.to_ascii_lowercase(),
        },
        port,
        path: format!("{slash}{path}"),
    })
}

impl Parts<'_> {
    /// Returns the host and the port, unless that is the scheme's default.
    fn place(&self, host: &str) -> String {
        match &self.port {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// Returns the host without the final dot of an absolute name, which leads to the same server.
    fn bare(&self) -> &str {
        self.host.strip_suffix('.').unwrap_or(&self.host)
    }
}

/// Returns the normalized address of a script, without the password, and without the fragment, which is
/// not sent.
pub(super) fn of_script(url: &str) -> String {
    let url = url.trim();
    let is_file = url
        .get(..5)
        .is_some_and(|start| start.eq_ignore_ascii_case("file:"));
    let path = match is_file {
        true => file_url(url),
        false => url.starts_with('/').then(|| PathBuf::from(url)),
    };
    if let Some(path) = path {
        return format!("file://{}", plain(&path));
    }
    let Some(parts) = parts(url) else {
        return url.to_owned();
    };
    let user = parts.user.map(|user| format!("{user}@"));
    format!(
        "{}://{}{}{}",
        parts.scheme,
        user.unwrap_or_default(),
        parts.place(parts.bare()),
        escapes(&parts.path)
    )
}

/// Returns a path without doubled slashes and single dots.
fn plain(path: &Path) -> String {
    let plain: PathBuf = path.components().collect();
    plain.to_string_lossy().into_owned()
}

/// Returns `text` with escapes in upper case, and without unnecessary escapes.
fn escapes(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        plain.push_str(before);
        let code = after
            .get(..2)
            .filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        match code {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                plain.push(char::from(byte));
            }
            Some(byte) => plain.push_str(&format!("%{byte:02X}")),
            None => plain.push('%'),
        }
        rest = if code.is_some() { &after[2..] } else { after };
    }
    plain + rest
}

/// Returns the URL that a script is asked about: `https://HOST/`, or `asked` itself if it is a URL. As in
/// browsers, the host is in lower case, and the scheme's default port is left out. The final dot of an
/// absolute name stays, since scripts compare names.
pub(super) fn question(asked: &str) -> String {
    match parts(&with_scheme(asked)) {
        Some(parts) => format!(
            "{}://{}{}",
            parts.scheme,
            parts.place(&parts.host),
            parts.path
        ),
        None => asked.to_owned(),
    }
}

/// Returns the normalized form of a host that a script is asked about. For `https://` that is `HOST` or
/// `HOST:PORT`, since a script sees no more; for other schemes it is the whole URL.
pub(crate) fn of_host(asked: &str) -> String {
    match parts(&with_scheme(asked)) {
        Some(parts) if parts.scheme == "https" => parts.place(parts.bare()),
        Some(parts) => format!(
            "{}://{}{}",
            parts.scheme,
            parts.place(parts.bare()),
            parts.path
        ),
        None => asked.to_owned(),
    }
}

fn with_scheme(asked: &str) -> String {
    match asked.contains("://") {
        true => asked.to_owned(),
        false => format!("https://{asked}/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address() {
        for (one, others) in [
            (
                "http://pac.corp/proxy.pac",
                &[
                    "HTTP://PAC.Corp/proxy.pac",
                    "http://pac.corp:80/proxy.pac",
                    "http://pac.corp:0080/proxy.pac",
                    "http://pac.corp:/proxy.pac",
                    "http://pac.corp./proxy.pac",
                    " http://pac.corp/proxy.pac ",
                    "http://pac.corp/proxy.pac#top",
                    "http://pac.corp/prox%79.pac",
                ][..],
            ),
            (
                "https://pac.corp/",
                &[
                    "https://pac.corp",
                    "https://pac.corp:443",
                    "https://PAC.corp./",
                ],
            ),
            (
                "http://pac.corp:8080/?a=%C3%BC",
                &["http://pac.corp:8080?a=%c3%bc"],
            ),
            ("http://me@pac.corp/p", &["http://me:s3cret@pac.corp/p"]),
            ("http://[fe80::1]:8080/p", &["http://[FE80:0::1]:8080/p"]),
            (
                "file:///etc/a b.pac",
                &[
                    "file:///etc/a%20b.pac",
                    "file://localhost/etc/a%20b.pac",
                    "FILE://LocalHost/etc/a%20b.pac",
                    "file:/etc/a%20b.pac",
                    "/etc/a b.pac",
                    "/etc//./a b.pac",
                ],
            ),
            ("nonsense", &[" nonsense"]),
        ] {
            assert_eq!(of_script(one), one);
            for other in others {
                assert_eq!(of_script(other), one, "{other}");
            }
        }
        let other = [
            "http://pac.corp/proxy.pac",
            "https://pac.corp/proxy.pac",
            "http://pac.corp:8080/proxy.pac",
            "http://pac.corp/Proxy.pac",
            "http://pac.corp/proxy.pac?a",
            "http://pac.corp/%2Fproxy.pac",
            "http://pac.corp/%/proxy.pac",
            "http://you@pac.corp/proxy.pac",
            "http://pac.corp/x/../proxy.pac",
            "file:///proxy.pac",
            "file://pac.corp/proxy.pac",
        ];
        let distinct: std::collections::BTreeSet<String> =
            other.iter().map(|url| of_script(url)).collect();
        assert_eq!(distinct.len(), other.len(), "{distinct:?}");
    }

    #[test]
    fn spellings_of_one_host() {
        for (one, asked, others) in [
            (
                "registry.corp",
                "https://registry.corp/",
                &[
                    "Registry.Corp",
                    "registry.corp:443",
                    "https://registry.corp",
                    "https://REGISTRY.corp:443/v2/",
                    "registry.corp.",
                ][..],
            ),
            (
                "registry.corp:5000",
                "https://registry.corp:5000/",
                &["https://registry.corp:5000/"],
            ),
            (
                "[fd00::1]:5000",
                "https://[fd00::1]:5000/",
                &["[FD00:0::1]:5000"],
            ),
            (
                "http://registry.corp/",
                "http://registry.corp/",
                &["HTTP://registry.corp", "http://registry.corp:80/"],
            ),
        ] {
            assert_eq!(of_host(one), one);
            assert_eq!(question(one), asked);
            for other in others {
                assert_eq!(of_host(other), one, "{other}");
            }
        }
        // A script may tell these apart.
        assert_eq!(question("Registry.corp.:443"), "https://registry.corp./");
        assert_eq!(question("http://a/x?y"), "http://a/x?y");
    }
}
