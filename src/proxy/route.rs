//! The route of one URL on this computer and in the engine.

use std::fmt;

use super::go::NoProxyRules;
use super::idn;
use super::pac::{PacAnswer, Route};
use super::proxy_config::{ProxySettings, ProxyUrls};
use super::settings::{Server, SystemSettings};
use super::url::Scheme;
use super::{ClientDialect, EngineProxy, ProxyUrl, bypass};

use crate::net::{port_number, split_authority};

/// A host and port to reach.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// True for `https://`, false for `http://`.
    pub secure: bool,
    /// A name or an address; an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// The way to a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hop {
    /// Without a proxy.
    Direct,
    /// Through this proxy.
    Through(HopProxy),
}

/// The proxy of a way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HopProxy {
    /// The protocol that it speaks.
    pub protocol: Protocol,
    /// Its name or address; an IPv6 address in brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// The protocol of a proxy that this computer uses, which an engine may not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP.
    Http,
    /// HTTP over TLS.
    Https,
    /// SOCKS 4.
    Socks4,
    /// SOCKS 5.
    Socks5,
}

impl HopProxy {
    fn new(protocol: Protocol, host: &str, port: u16) -> Self {
        Self {
            protocol,
            host: host.to_owned(),
            port,
        }
    }

    fn of_url(url: &ProxyUrl) -> Self {
        let protocol = match url.scheme() {
            Scheme::Http => Protocol::Http,
            Scheme::Socks5 => Protocol::Socks5,
        };
        Self::new(protocol, url.host(), url.port())
    }

    fn of_server(protocol: Protocol, server: &Server) -> Self {
        match server.host.contains(':') {
            true => Self::new(protocol, &format!("[{}]", server.host), server.port),
            false => Self::new(protocol, &server.host, server.port),
        }
    }
}

impl fmt::Display for HopProxy {
    /// Writes `HOST:PORT`, preceded by the scheme unless that is HTTP.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.protocol {
            Protocol::Http => "",
            Protocol::Https => "https://",
            Protocol::Socks4 => "socks4://",
            Protocol::Socks5 => "socks5://",
        };
        write!(f, "{scheme}{}:{}", self.host, self.port)
    }
}

impl Target {
    /// Reads `HOST`, `HOST:PORT` or a URL. The default scheme is `https://`. Returns nothing for any other
    /// text.
    pub fn parse(text: &str) -> Option<Self> {
        let (secure, rest) = match text.trim().split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
            Some(_) => return None,
            None => (true, text.trim()),
        };
        let place = rest.split(['/', '?', '#']).next()?;
        let default = if secure { 443 } else { 80 };
        let (host, port) = split_authority(place)?;
        // Proxies, the resolver and PAC scripts get the name in ASCII.
        let host = idn::to_ascii(host)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        if host.is_empty() || !host.chars().all(fits) {
            return None;
        }
        Some(Self {
            secure,
            host: host.into_owned(),
            port: match port {
                None | Some("") => default,
                Some(digits) => port_number(digits)?,
            },
        })
    }
}

impl Target {
    /// Returns its URL, without a path, and without the port if that is the scheme's default.
    pub fn url(&self) -> String {
        let (scheme, own) = if self.secure {
            ("https", 443)
        } else {
            ("http", 80)
        };
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        match self.port == own {
            true => format!("{scheme}://{host}/"),
            false => format!("{scheme}://{host}:{}/", self.port),
        }
    }
}

/// Returns the way from this computer by its settings; `answer` is the PAC script's, if there is one.
///
/// It reads variables as Go does from 1.11 on, since most programs read them that way.
pub fn host_route(what: &ProxySettings, answer: Option<&PacAnswer>, target: &Target) -> Hop {
    let mut ways = host_routes(what, answer, target).into_iter();
    ways.next().unwrap_or(Hop::Direct)
}

/// Returns all ways from this computer, in the order in which they are to be tried. Only a PAC script names several.
pub(crate) fn host_routes(
    what: &ProxySettings,
    answer: Option<&PacAnswer>,
    target: &Target,
) -> Vec<Hop> {
    match (what, answer) {
        (ProxySettings::Settings(_), Some(answer)) if answer.routes.is_empty() => vec![Hop::Direct],
        (ProxySettings::Settings(_), Some(answer)) => answer.routes.iter().map(by_script).collect(),
        (ProxySettings::Settings(settings), None) => vec![by_settings(settings, target)],
        (ProxySettings::Urls(urls), _) => vec![by_urls(urls, target)],
    }
}

/// Returns whether the user's bypass list names this host or address itself. Patterns and networks name no single host: macOS
/// has `*.local` and `169.254/16` in its list from the start.
pub(crate) fn is_bypassed(what: &ProxySettings, host: &str) -> bool {
    use bypass::BypassEntry::{self, Address, Host};
    match what {
        ProxySettings::Settings(settings) => settings
            .exceptions
            .iter()
            .map(|entry| BypassEntry::parse(entry))
            .any(|entry| matches!(entry, Host(_) | Address(_)) && entry.covers(host)),
        ProxySettings::Urls(urls) => urls
            .no_proxy
            .iter()
            .any(|entry| entry.trim_matches(['[', ']']).eq_ignore_ascii_case(host)),
    }
}

/// Returns the way from the engine.
pub fn in_engine(proxy: Option<&EngineProxy>, engine: &ClientDialect, target: &Target) -> Hop {
    match proxy.and_then(|proxy| engines_choice(proxy, engine, target)) {
        Some(url) => Hop::Through(HopProxy::of_url(url)),
        None => Hop::Direct,
    }
}

/// Returns the proxy that the engine uses for a target; nothing if it goes directly.
pub(crate) fn engines_choice<'p>(
    proxy: &'p EngineProxy,
    engine: &ClientDialect,
    target: &Target,
) -> Option<&'p ProxyUrl> {
    let no_proxy = proxy.no_proxy().to_string();
    engines_own(proxy, engine, target.secure)
        .filter(|_| !engine.rules.is_direct(&no_proxy, &target.host, target.port))
}

/// Returns the engine's proxy for a scheme, regardless of its no-proxy list.
pub(crate) fn engines_own<'p>(
    proxy: &'p EngineProxy,
    engine: &ClientDialect,
    secure: bool,
) -> Option<&'p ProxyUrl> {
    match (secure, proxy.http(), proxy.https()) {
        (false, http, _) => http,
        (true, _, Some(https)) => Some(https),
        (true, http, None) => http.filter(|_| engine.https_falls_back),
    }
}

fn by_script(route: &Route) -> Hop {
    let (protocol, host, port) = match route {
        Route::Direct => return Hop::Direct,
        Route::Http { host, port } => (Protocol::Http, host, port),
        Route::Https { host, port } => (Protocol::Https, host, port),
        Route::Socks4 { host, port } => (Protocol::Socks4, host, port),
        Route::Socks { host, port } => (Protocol::Socks5, host, port),
    };
    Hop::Through(HopProxy::new(protocol, host, *port))
}

fn by_settings(settings: &SystemSettings, target: &Target) -> Hop {
    let entries: Vec<bypass::BypassEntry> = settings
        .exceptions
        .iter()
        .map(|entry| bypass::BypassEntry::parse(entry))
        .collect();
    if bypass::is_direct(&entries, settings.exclude_simple_hostnames, &target.host) {
        return Hop::Direct;
    }
    let own = if target.secure {
        &settings.https
    } else {
        &settings.http
    };
    match (own, &settings.socks) {
        (Some(server), _) => Hop::Through(HopProxy::of_server(Protocol::Http, server)),
        (None, Some(socks)) => Hop::Through(HopProxy::of_server(Protocol::Socks5, socks)),
        (None, None) => Hop::Direct,
    }
}

fn by_urls(urls: &ProxyUrls, target: &Target) -> Hop {
    let url = match target.secure {
        true => urls.https.as_ref().or(urls.http.as_ref()),
        false => urls.http.as_ref(),
    };
    let no_proxy = urls.no_proxy.join(",");
    match url {
        Some(url) if !NoProxyRules::From1_11.is_direct(&no_proxy, &target.host, target.port) => {
            Hop::Through(HopProxy::of_url(url))
        }
        _ => Hop::Direct,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        let target = |secure, host: &str, port| {
            Some(Target {
                secure,
                host: host.into(),
                port,
            })
        };
        for (text, expected) in [
            ("corp.com", target(true, "corp.com", 443)),
            ("corp.com:5000", target(true, "corp.com", 5000)),
            ("http://corp.com/v2/", target(false, "corp.com", 80)),
            ("HTTPS://corp.com:8443/x?y", target(true, "corp.com", 8443)),
            ("[::1]:5000", target(true, "::1", 5000)),
            ("fe80::1", target(true, "fe80::1", 443)),
            ("https://[fe80::1]/", target(true, "fe80::1", 443)),
            ("ftp://corp.com", None),
            ("", None),
            ("a b", None),
            ("bücher.example", target(true, "xn--bcher-kva.example", 443)),
            ("a:", target(true, "a", 443)),
            ("a:65535", target(true, "a", 65535)),
            ("a:0080", target(true, "a", 80)),
            ("a:0", None),
            ("a:65536", None),
            ("a:99999", None),
            ("a:+80", None),
            ("[::1]:65536", None),
            ("http://a:+80/", None),
            ("a:x", None),
            ("user@host", None),
            ("[::1]x", None),
        ] {
            assert_eq!(Target::parse(text), expected, "{text}");
            if let Some(target) = expected {
                assert_eq!(Target::parse(&target.url()), Some(target));
            }
        }
    }
}
