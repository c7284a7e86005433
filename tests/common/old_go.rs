//! A model of the proxy rules of Go up to 1.10, which no available toolchain runs any more.
//!
//! Read in `src/net/http/transport.go` of golang/go at 0026cb788b54e3108534992d98b7fec0cf96de17 (April 2016,
//! the cycle of Go 1.7) and compared with later copies of it; the engines of the Moby family were built
//! with Go 1.5.3 to 1.8.4. The rules, as found:
//!
//! 1. Each variable is read in upper case, then in lower case; the first that is not empty counts.
//! 2. `https://` takes `HTTPS_PROXY`, and `HTTP_PROXY` where that is empty (`http://` never the other way).
//! 3. A proxy that does not parse as a URL whose scheme begins with `http` gets `http://` put before it. So
//!    `socks5://h:1080` becomes a proxy on the host `socks5` up to 1.8; from 1.9 on `socks5` is known
//!    (release notes of Go 1.9).
//! 4. The host of the URL is compared as it is written there, a port cut off; an IPv6 address keeps its
//!    brackets. What is no `HOST:PORT` even with the scheme's port behind it goes direct.
//! 5. `localhost`, in this spelling, and addresses that are loopback go direct.
//! 6. `NO_PROXY=*`, the whole of it, sends everything direct. Among other entries `*` is a name like any other.
//! 7. Entries are separated by commas, trimmed, and compared in lower case; empty ones are passed over.
//! 8. From the last `:` on an entry is cut, unless a `]` comes later: its port means nothing, and an IPv6
//!    address without brackets is cut as well and matches nothing.
//! 9. An entry matches what is equal to it. `.d` matches what ends in `.d`, and `d`; `d` matches what ends in
//!    `.d`, so `0.5` matches `10.0.0.5`.
//! 10. Go up to 1.8 can crash while it reads a malformed entry (golang/go#19536; later releases pass it over).
//!     The model has no answer then. Baleen passes on no entry that names no host, and its own tests show that
//!     with one of the same kind that is harmless.
//! 11. Dots at the end are characters like others, in hosts and in entries.

use std::net::IpAddr;

use crate::common::go::Env;

/// The age of the Go version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Release {
    /// Engines up to 17.11.
    UpTo1_8,
    /// Engines from 17.12 to 18.09.
    From1_9To1_10,
}

/// Returns, for each environment and each of its URLs, the proxy that is taken, or nothing for a direct connection.
///
/// # Panics
/// If the model has no answer (rule 10), or if a URL is neither `http://` nor `https://`.
pub(crate) fn judge(cases: &[(Env, Vec<String>)], release: Release) -> Vec<Vec<Option<String>>> {
    let each = |(env, urls): &(Env, Vec<String>)| {
        let proxies = urls.iter().map(|url| proxy_for(env, url, release));
        proxies.collect()
    };
    cases.iter().map(each).collect()
}

/// The proxy for one URL.
pub(crate) fn proxy_for(env: &Env, url: &str, release: Release) -> Option<String> {
    let variable = |upper: &str| {
        let of = |name: &str| env.iter().find(|(there, _)| *there == name);
        let values = [of(upper), of(&upper.to_lowercase())];
        let mut values = values.into_iter().flatten().map(|(_, value)| &**value);
        values.find(|value| !value.is_empty())
    };
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (own, port) = match scheme {
        "https" => (variable("HTTPS_PROXY"), "443"),
        "http" => (None, "80"),
        other => panic!("{other}: is not a scheme of this model"),
    };
    let proxy = own.or_else(|| variable("HTTP_PROXY"))?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    if goes_direct(host, port, variable("NO_PROXY").unwrap_or_default()) {
        return None;
    }
    let known = match release {
        Release::UpTo1_8 => &["http"][..],
        Release::From1_9To1_10 => &["http", "socks5"],
    };
    let scheme = proxy.split_once("://").map_or("", |(scheme, _)| scheme);
    if known.iter().any(|known| scheme.starts_with(known)) {
        return Some(proxy.to_owned());
    }
    Some(format!("http://{proxy}"))
}

/// The text without its port, if any: without a last colon that no bracket follows.
fn without_port(text: &str) -> &str {
    let colon = text.rfind(':');
    match colon {
        Some(colon) if !text[colon..].contains(']') => &text[..colon],
        _ => text,
    }
}

fn goes_direct(host: &str, default_port: &str, no_proxy: &str) -> bool {
    let whole = if without_port(host) == host {
        format!("{host}:{default_port}")
    } else {
        host.to_owned()
    };
    let name = without_port(&whole);
    let inner = match name.strip_prefix('[') {
        Some(rest) => match rest.strip_suffix(']') {
            Some(inner) => inner,
            None => return true,
        },
        None if name.contains([':', '[', ']']) => return true,
        None => name,
    };
    let is_loopback = |address: IpAddr| address.to_canonical().is_loopback();
    if inner == "localhost" || inner.parse().is_ok_and(is_loopback) || no_proxy == "*" {
        return true;
    }
    let name = name.trim().to_lowercase();
    no_proxy.split(',').any(|entry| {
        let entry = entry.trim().to_lowercase();
        if entry.is_empty() {
            return false;
        }
        let entry = without_port(&entry);
        if entry == name {
            return true;
        }
        assert!(
            !entry.is_empty(),
            "a malformed entry, for which this model has no answer (rule 10)"
        );
        let domain = entry.strip_prefix('.').unwrap_or(entry);
        let is_apex = entry.starts_with('.') && name == domain;
        is_apex
            || name
                .strip_suffix(domain)
                .is_some_and(|rest| rest.ends_with('.'))
    })
}
