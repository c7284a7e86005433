//! Translates this computer's proxy settings into the form that one engine understands. The
//! translation is pure, except for the calls to the [`Resolvers`].
//!
//! It keeps two promises. It reports each entry that the engine can't express, with the reason. And
//! the engine never reaches directly what this computer reaches through a proxy, unless the entry is
//! reported as [`EntryOutcome::Widened`]. The reverse may happen.

use std::io;
use std::net::IpAddr;

use serde::Serialize;

use crate::error::{Error, Kind, Result};
use crate::net::lookup::is_loopback;

use super::bypass::{self, Inert};
use super::from_pac::{Away, by_script};
use super::go::{self, NoProxyRules};
use super::no_host::{NoHost, is_port};
use super::pac::{PacAnswers, PacSource, Unreachable};
use super::settings::{Server, SystemSettings};
use super::url::Scheme;
use super::{ClientDialect, EngineProxy, InvalidUrl, NoProxy, Password, ProxyUrl};

/// The proxy configuration that a source gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyConfig {
    /// The name of the source, as in "the system's settings".
    pub origin: String,
    /// The settings it gives.
    pub settings: ProxySettings,
}

/// A source's settings, in the source's own format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxySettings {
    /// The format of macOS.
    Settings(SystemSettings),
    /// The format of environment variables: URLs, and a bypass list as Go reads it.
    Urls(ProxyUrls),
}

impl ProxyConfig {
    /// Returns the configured proxies, as this computer reaches them; none if a PAC script decides.
    pub fn proxies(&self) -> Vec<ProxyUrl> {
        match &self.settings {
            ProxySettings::Urls(urls) => [&urls.http, &urls.https]
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
            ProxySettings::Settings(SystemSettings {
                pac: Some(PacSource::Url(_) | PacSource::Script(_)),
                ..
            }) => Vec::new(),
            ProxySettings::Settings(settings) => [
                (Scheme::Http, &settings.http),
                (Scheme::Http, &settings.https),
                (Scheme::Socks5, &settings.socks),
            ]
            .into_iter()
            .filter_map(|(scheme, server)| {
                let Server { host, port, user } = server.as_ref()?;
                ProxyUrl::from_parts(scheme, host, *port, user.as_deref()).ok()
            })
            .collect(),
        }
    }
}

/// Proxy URLs from environment variables, options or the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyUrls {
    /// The proxy for `http://`, and for `https://` if no other is given.
    pub http: Option<ProxyUrl>,
    /// The proxy for `https://`.
    pub https: Option<ProxyUrl>,
    /// Hosts to reach directly.
    pub no_proxy: Vec<String>,
    /// Settings that the user may expect to apply but that don't, a sentence each.
    pub remarks: Vec<String>,
}

/// The user's additions to the source's settings.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// More hosts that the engine reaches directly, as Go reads them.
    pub no_proxy: Vec<String>,
    /// The address at which the VM reaches this computer's loopback, if the user overrides the default.
    pub host_address: Option<String>,
    /// Set when passwords are of no use, so that none is looked up: the values are for the fields of
    /// Docker's own window.
    pub no_passwords: bool,
    /// Registries that a PAC script is asked about, in addition to Docker's own.
    pub pac_hosts: Vec<String>,
    /// The policy for a PAC script that can't be reached.
    pub pac_unreachable: Unreachable,
}

/// The lookups that a translation needs.
pub struct Resolvers<'a> {
    /// Looks up the addresses of a host.
    pub addresses: &'a dyn Fn(&str) -> io::Result<Vec<IpAddr>>,
    /// Looks up the password for a proxy that has a user and no password.
    pub password: &'a dyn Fn(&ProxyUrl) -> Result<Option<Password>>,
    /// Asks a PAC script about `https://HOST/` for each host, or about each URL.
    pub pac: &'a dyn Fn(&PacSource, &[String]) -> Result<PacAnswers>,
}

/// The result of a translation.
#[derive(Debug, Clone)]
pub struct Translation {
    /// The engine's proxy settings; none if the engine should reach everything directly.
    pub proxy: Option<EngineProxy>,
    /// The proxy for `https://`, as this computer reaches it.
    pub host_proxy: Option<ProxyUrl>,
    /// The outcome for each entry of the bypass list; empty if there is no proxy.
    pub entries: Vec<TranslatedEntry>,
    /// Settings that the engine can't follow, a sentence each.
    pub remarks: Vec<String>,
    /// Settings that the engine follows in another form, a sentence each.
    pub explanations: Vec<String>,
    /// Set when the PAC script can't be asked now; its sentence is one of the remarks.
    pub away: Option<Away>,
}

impl Translation {
    /// Returns the reason why the engine gets no proxy, where `origin` names the source.
    pub fn why_direct(&self, origin: &str) -> String {
        match &self.away {
            Some(_) => "the PAC script can't be reached".to_owned(),
            None => format!("no proxy is set in {origin}"),
        }
    }
}

/// An entry of the bypass list, with its translation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TranslatedEntry {
    /// The entry in the settings.
    pub from: String,
    /// The entry that the engine gets, if any.
    pub to: Option<String>,
    /// The outcome.
    pub fate: EntryOutcome,
    /// The reason, unless the entry means the same to both.
    pub reason: Option<&'static str>,
}

/// The outcome for an entry of the bypass list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryOutcome {
    /// The entry means the same to the engine.
    Kept,
    /// The entry covers more hosts on the engine than on this computer.
    Widened,
    /// The engine can't express the entry or doesn't need it: it reaches these hosts through the proxy.
    LeftOut,
    /// The entry isn't valid in a bypass list.
    Refused,
}

impl EntryOutcome {
    /// Returns the outcome in words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Widened => "widened",
            Self::LeftOut => "left out",
            Self::Refused => "refused",
        }
    }
}

/// Translates a source's proxy configuration for `engine`.
///
/// # Errors
/// When this computer uses a proxy that the engine can't use at all, so that neither a proxy nor
/// direct access is right.
pub fn translate(
    proxy_config: &ProxyConfig,
    engine: &ClientDialect,
    overrides: &Overrides,
    resolvers: &Resolvers<'_>,
) -> Result<Translation> {
    let (mut remarks, mut explanations) = (Vec::new(), Vec::new());
    let mut away = None;
    let chosen = match &proxy_config.settings {
        ProxySettings::Settings(settings) => {
            remarks.extend(settings.trouble.iter().cloned());
            let by_script = match &settings.pac {
                Some(source) => by_script(source, engine, overrides, resolvers, &mut remarks)?,
                None => None,
            };
            match by_script {
                Some(found) => {
                    explanations = found.explanations;
                    away = found.away;
                    found.chosen
                }
                None => by_settings(settings, engine, &mut remarks)?,
            }
        }
        ProxySettings::Urls(urls) => {
            remarks.extend(urls.remarks.iter().cloned());
            EffectiveProxies {
                http: urls.http.clone(),
                // A user who names one proxy means both.
                https: urls.https.clone().or_else(|| urls.http.clone()),
                entries: urls
                    .no_proxy
                    .iter()
                    .map(|e| for_go(e, engine.rules))
                    .collect(),
            }
        }
    };
    let EffectiveProxies {
        http,
        https,
        mut entries,
    } = chosen;
    entries.extend(overrides.no_proxy.iter().map(|e| for_go(e, engine.rules)));
    if http.is_none() && https.is_none() {
        return Ok(Translation {
            proxy: None,
            host_proxy: None,
            // Without a proxy, the bypass list has no effect.
            entries: Vec::new(),
            remarks,
            explanations,
            away,
        });
    }

    let mut with_password = |url: Option<ProxyUrl>| match url {
        Some(url) if !overrides.no_passwords => {
            add_password(url, resolvers, &mut remarks).map(Some)
        }
        url => Ok(url),
    };
    let same = http == https;
    let http = with_password(http)?;
    let https = if same {
        http.clone()
    } else {
        with_password(https)?
    };
    let here = https.clone();

    // Docker's own proxy runs on the Mac, so its `127.0.0.1` is the Mac, whatever address the VM uses.
    let address = engine
        .host_address
        .map(|of_vm| overrides.host_address.as_deref().unwrap_or(of_vm));
    let mut from_vm = |url: Option<ProxyUrl>| {
        url.map(|url| reachable(url, address, resolvers, &mut remarks, &mut explanations))
            .transpose()
    };
    let http = from_vm(http)?;
    let https = if same { http.clone() } else { from_vm(https)? };

    let no_proxy = NoProxy::new(entries.iter().filter_map(|entry| entry.to.clone()));
    Ok(Translation {
        proxy: EngineProxy::new(http, https, no_proxy),
        host_proxy: here,
        entries,
        remarks,
        explanations,
        away,
    })
}

/// The proxies as this computer reaches them, and the outcomes for the hosts it reaches directly.
pub(super) struct EffectiveProxies {
    pub(super) http: Option<ProxyUrl>,
    pub(super) https: Option<ProxyUrl>,
    pub(super) entries: Vec<TranslatedEntry>,
}

/// Chooses the proxies without a PAC script: the proxy for the scheme, else SOCKS, else none.
fn by_settings(
    settings: &SystemSettings,
    engine: &ClientDialect,
    remarks: &mut Vec<String>,
) -> Result<EffectiveProxies> {
    let url = |server: &Option<Server>, scheme| {
        server
            .as_ref()
            .map(|server| {
                let (host, port) = (&server.host, server.port);
                ProxyUrl::from_parts(scheme, host, port, server.user.as_deref())
                    .map_err(|why| unusable(host, &why))
            })
            .transpose()
    };
    let http = url(&settings.http, Scheme::Http)?;
    let https = url(&settings.https, Scheme::Http)?;
    let socks = url(&settings.socks, Scheme::Socks5)?;

    let known = socks.clone().filter(|_| engine.knows_socks);
    let (mut http, mut https) = (http.or(known.clone()), https.or(known));
    if let Some(socks) = &socks
        && !engine.knows_socks
    {
        match (&http, &https) {
            (None, None) => {
                return Err(Error::new(
                    Kind::Unsupported,
                    format!(
                        "this computer reaches the network through the SOCKS proxy {}, and this engine (built with {}) knows HTTP proxies only",
                        socks.authority(),
                        engine.in_words()
                    ),
                )
                .with_hint("name an HTTP proxy (in System Settings, or with `baleen config set https_proxy http://HOST:PORT` and then `baleen config set source manual`), or run one on this computer that forwards to it, such as privoxy"));
            }
            (Some(_), Some(_)) => {}
            (found, _) => {
                let (scheme, other) = if found.is_none() {
                    ("http", &https)
                } else {
                    ("https", &http)
                };
                if let Some(other) = other {
                    remarks.push(format!(
                        "this computer uses the SOCKS proxy {} for {scheme}, which this engine doesn't know; there it uses {} for both",
                        socks.authority(),
                        other.authority()
                    ));
                }
                http = http.or_else(|| https.clone());
                https = https.or_else(|| http.clone());
            }
        }
    }
    if https.is_none()
        && let Some(proxy) = &http
    {
        if engine.https_falls_back {
            remarks.push(format!(
                "this computer reaches https directly, but this engine (built with {}) uses the HTTP proxy {} for it as well",
                engine.in_words(),
                proxy.authority()
            ));
            https = http.clone();
        } else {
            remarks.push(
                "this computer reaches https directly, and so will the engine; images are pulled over https"
                    .to_owned(),
            );
        }
    }

    if http.is_none() && https.is_none() && settings.is_broken {
        return Err(Error::new(
            Kind::Usage,
            format!(
                "a proxy is switched on, but can't be made out: {}",
                settings.trouble.join("; ")
            ),
        )
        .with_hint(
            "correct it in System Settings > Network > Details > Proxies, or switch it off",
        ));
    }

    let mut entries: Vec<TranslatedEntry> = settings
        .exceptions
        .iter()
        .filter(|entry| !entry.trim().is_empty())
        .map(|entry| for_engine(entry, engine.rules))
        .collect();
    if settings.exclude_simple_hostnames {
        entries.push(TranslatedEntry {
            from: "names without a dot".to_owned(),
            to: None,
            fate: EntryOutcome::LeftOut,
            reason: Some("no engine can be told that; add the hosts by name"),
        });
    }
    Ok(EffectiveProxies {
        http,
        https,
        entries,
    })
}

fn unusable(host: &str, why: &InvalidUrl) -> Error {
    Error::new(
        Kind::Usage,
        format!(
            "the proxy '{}' of the system's settings can't be used: {why}",
            super::redact(host)
        ),
    )
    .with_hint("correct it in System Settings > Network > Details > Proxies")
}

/// Returns the proxy with its stored password.
fn add_password(
    url: ProxyUrl,
    resolvers: &Resolvers<'_>,
    remarks: &mut Vec<String>,
) -> Result<ProxyUrl> {
    let Some(user) = url.encoded_user().filter(|_| !url.has_password()) else {
        return Ok(url);
    };
    Ok(match (resolvers.password)(&url)? {
        Some(password) => url.with_password(password),
        None => {
            let account = format!("{user}@{}", url.authority());
            remarks.push(format!(
                "no password is kept for {account}: if the proxy asks for one, run `baleen credentials set '{account}'`"
            ));
            url
        }
    })
}

/// Returns the beginning of the remark about a host name that can't be resolved. Callers that
/// report this in their own words recognize the remark by it.
pub fn unresolved(host: &str) -> String {
    format!("can't resolve {host}")
}

/// Returns the proxy as the engine reaches it: in the VM, a loopback address is the VM itself.
fn reachable(
    url: ProxyUrl,
    address: Option<&str>,
    resolvers: &Resolvers<'_>,
    remarks: &mut Vec<String>,
    explanations: &mut Vec<String>,
) -> Result<ProxyUrl> {
    let found = match (resolvers.addresses)(url.host()) {
        Ok(found) => found,
        Err(error) => {
            remarks.push(format!(
                "{} ({error}); if it is this Mac, use localhost instead",
                unresolved(url.host())
            ));
            return Ok(url);
        }
    };
    if found.is_empty() || !found.iter().all(|&address| is_loopback(address)) {
        return Ok(url);
    }
    let Some(address) = address else {
        explanations.push(format!(
            "{} is this computer itself, which is right here: with this Docker it is Docker on the Mac, not the engine, that speaks to the proxy",
            url.authority()
        ));
        return Ok(url);
    };
    explanations.push(format!(
        "{} is this computer itself, which the engine reaches as {address}",
        url.authority()
    ));
    url.with_host(address).map_err(|why| {
        Error::new(
            Kind::Usage,
            format!("the host address '{address}' can't be used: {why}"),
        )
    })
}

pub(super) const BELOW: &str = "the engine also reaches directly what is below it";
const APEX: &str = "on this engine it covers the domain itself as well";
const ANY_PORT: &str = "this engine takes no notice of ports: it covers all of them";
const NETWORK: &str = "this engine knows no networks";
const WILDCARD: &str = "no engine knows a * in such a place";
const MAPPED: &str =
    "the engine takes it for the IPv4 address inside it, which macOS takes for another address";
const BRACKETS: &str = "Go from 1.11 on takes no notice of it; this engine does";
const END_OF_ADDRESS: &str = "Go before 1.24.1 takes it for the end of an address: all addresses that end so are reached directly";
const NAMELESS: &str = "it names no host";

/// Translates an entry of macOS's bypass list.
fn for_engine(text: &str, rules: NoProxyRules) -> TranslatedEntry {
    use bypass::BypassEntry as Mac;
    let left_out = |reason| (None, EntryOutcome::LeftOut, Some(reason));
    let (to, fate, reason) = match bypass::BypassEntry::parse(text) {
        Mac::Host(name) => (Some(name), EntryOutcome::Widened, Some(BELOW)),
        Mac::Below(domain) => {
            let to = Some(format!(".{domain}"));
            match rules {
                NoProxyRules::UpTo1_10 => (to, EntryOutcome::Widened, Some(APEX)),
                NoProxyRules::From1_11 => (to, EntryOutcome::Kept, None),
            }
        }
        Mac::Address(address) if address != address.to_canonical() => (
            Some(address_for(address, rules)),
            EntryOutcome::Widened,
            Some(MAPPED),
        ),
        Mac::Address(address) => (Some(address_for(address, rules)), EntryOutcome::Kept, None),
        Mac::Network(base, 32) => (Some(base.to_string()), EntryOutcome::Kept, None),
        Mac::Network(base, bits) | Mac::StarredNetwork(base, bits, _) => match rules {
            NoProxyRules::UpTo1_10 => left_out(NETWORK),
            NoProxyRules::From1_11 => (Some(format!("{base}/{bits}")), EntryOutcome::Kept, None),
        },
        Mac::Pattern(_) => left_out(WILDCARD),
        Mac::Inert(Inert::Star) => {
            left_out("macOS takes no notice of it, and the engine would use no proxy at all")
        }
        Mac::Inert(Inert::HostBits) => {
            left_out("macOS takes no notice of it, since it has bits behind the network's prefix")
        }
        Mac::Inert(Inert::Port) => left_out("macOS takes no notice of it: its list knows no ports"),
        Mac::Inert(Inert::NoHost) => left_out(NoHost::of(text).unwrap_or(NoHost::Other).on_a_mac()),
        Mac::Unusable => (
            None,
            EntryOutcome::Refused,
            Some(match bypass::BypassEntry::parse(text.trim()) {
                Mac::Unusable => {
                    "it has a comma, a space or a control character inside; give each host an entry of its own"
                }
                _ => {
                    "it has a space before or behind it, which may count as part of it; delete the space"
                }
            }),
        ),
    };
    TranslatedEntry {
        from: super::redact(&text.replace(char::is_control, "\u{fffd}")),
        to,
        fate,
        reason,
    }
}

/// Returns the address as an entry. Every Go version reads an IPv4-mapped IPv6 address as IPv4.
fn address_for(address: IpAddr, rules: NoProxyRules) -> String {
    match (address.to_canonical(), rules) {
        (IpAddr::V6(address), NoProxyRules::UpTo1_10) => format!("[{address}]"),
        (address, _) => address.to_string(),
    }
}

/// Translates an entry that is written for Go. It means what Go from 1.11 on reads in it.
pub(super) fn for_go(text: &str, rules: NoProxyRules) -> TranslatedEntry {
    let (to, fate, reason) = from_go(text, rules);
    TranslatedEntry {
        from: super::redact(text),
        to,
        fate,
        reason,
    }
}

fn from_go(
    text: &str,
    rules: NoProxyRules,
) -> (Option<String>, EntryOutcome, Option<&'static str>) {
    let left_out = |reason| (None, EntryOutcome::LeftOut, Some(reason));
    let old = rules == NoProxyRules::UpTo1_10;
    match go::NoProxyEntry::parse(text) {
        go::NoProxyEntry::All => left_out(WILDCARD),
        // A malformed entry can crash engines built with Go up to 1.8 (golang/go#19536).
        go::NoProxyEntry::NoHost => left_out(NAMELESS),
        go::NoProxyEntry::Network(base, bits) => match (base, bits) {
            (IpAddr::V4(_), 32) | (IpAddr::V6(_), 128) => {
                (Some(address_for(base, rules)), EntryOutcome::Kept, None)
            }
            _ if old => left_out(NETWORK),
            _ => (Some(text.to_owned()), EntryOutcome::Kept, None),
        },
        go::NoProxyEntry::Address(_, Some(port)) if !is_port(port) => {
            left_out(NoHost::Port.in_go())
        }
        go::NoProxyEntry::Address(address, port) => match (address_for(address, rules), port) {
            (address, None) => (Some(address), EntryOutcome::Kept, None),
            (address, Some(port)) if old => (
                Some(format!("{address}:{port}")),
                EntryOutcome::Widened,
                Some(ANY_PORT),
            ),
            _ => (Some(text.to_owned()), EntryOutcome::Kept, None),
        },
        go::NoProxyEntry::Name { name, itself, port } => {
            if name.contains('*') {
                return left_out(WILDCARD);
            }
            let dot = if itself { "" } else { "." };
            let colon = port.map_or(String::new(), |port| format!(":{port}"));
            let to = format!("{dot}{name}{colon}");
            match NoHost::of(&to) {
                Some(NoHost::Numbers) => (Some(to), EntryOutcome::Widened, Some(END_OF_ADDRESS)),
                Some(NoHost::Brackets) if old => {
                    let address = to.trim_matches(['[', ']']).parse().ok();
                    let to = address.map(|address| address_for(address, rules));
                    (to, EntryOutcome::Widened, Some(BRACKETS))
                }
                Some(NoHost::ShortNetwork | NoHost::Netmask | NoHost::PrefixLength) if old => {
                    left_out(NETWORK)
                }
                Some(why) => left_out(why.in_go()),
                None if old && port.is_some() => (Some(to), EntryOutcome::Widened, Some(ANY_PORT)),
                None if old && !itself => (Some(to), EntryOutcome::Widened, Some(APEX)),
                None => (Some(to), EntryOutcome::Kept, None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::pac::ScriptState;
    use super::*;

    const OLD: &str = "17.06.0";
    const NEW: &str = "2.2.0";

    /// Resolves the known host names and address literals, and fails for all others.
    fn addresses(host: &str) -> io::Result<Vec<IpAddr>> {
        let known = BTreeMap::from([
            ("localhost", vec!["::1", "127.0.0.1"]),
            ("cntlm", vec!["127.0.0.1"]),
            ("both", vec!["127.0.0.1", "10.0.0.9"]),
            ("proxy", vec!["10.0.0.1"]),
            ("other", vec!["10.0.0.2"]),
        ]);
        let one = host.trim_matches(['[', ']']);
        match (one.parse::<IpAddr>(), known.get(host)) {
            (Ok(address), _) => Ok(vec![address]),
            (_, Some(found)) => Ok(found.iter().map(|a| a.parse().unwrap()).collect()),
            _ => Err(io::Error::other("no such name")),
        }
    }

    fn no_script(_: &PacSource, _: &[String]) -> Result<PacAnswers> {
        unreachable!("no script is set")
    }

    fn resolvers() -> Resolvers<'static> {
        Resolvers {
            addresses: &addresses,
            password: &|_| Ok(None),
            pac: &no_script,
        }
    }

    fn server(host: &str, port: u16) -> Option<Server> {
        Some(Server {
            host: host.into(),
            port,
            user: None,
        })
    }

    fn proxy_config(settings: SystemSettings) -> ProxyConfig {
        ProxyConfig {
            origin: "a test".into(),
            settings: ProxySettings::Settings(settings),
        }
    }

    fn urls(http: Option<&str>, https: Option<&str>, no_proxy: &[&str]) -> ProxyConfig {
        ProxyConfig {
            origin: "a test".into(),
            settings: ProxySettings::Urls(ProxyUrls {
                http: http.map(|url| ProxyUrl::parse(url).unwrap()),
                https: https.map(|url| ProxyUrl::parse(url).unwrap()),
                no_proxy: no_proxy.iter().map(|&e| e.to_owned()).collect(),
                ..ProxyUrls::default()
            }),
        }
    }

    /// Returns the engine's variables, and all remarks.
    fn of(
        proxy_config: &ProxyConfig,
        version: &str,
        overrides: &Overrides,
    ) -> Result<(Vec<String>, String)> {
        let engine = ClientDialect::of(version, version == OLD);
        let translation = translate(proxy_config, &engine, overrides, &resolvers())?;
        let variables = translation.proxy.iter().flat_map(EngineProxy::variables);
        Ok((
            variables
                .map(|(name, value)| format!("{name}={}", *value))
                .collect(),
            [translation.remarks, translation.explanations]
                .concat()
                .join("; "),
        ))
    }

    #[test]
    fn the_proxies_of_the_settings() {
        let none = SystemSettings::default;
        let cases: Vec<(&str, SystemSettings, &str, &[&str], &str)> = vec![
            ("none", none(), OLD, &[], ""),
            (
                "both",
                SystemSettings {
                    http: server("proxy", 80),
                    https: server("other", 8443),
                    ..none()
                },
                OLD,
                &[
                    "HTTP_PROXY=http://proxy:80",
                    "HTTPS_PROXY=http://other:8443",
                    "NO_PROXY=localhost,127.0.0.1",
                ],
                "",
            ),
            (
                "http only, where https falls back to it",
                SystemSettings {
                    http: server("proxy", 80),
                    ..none()
                },
                OLD,
                &[
                    "HTTP_PROXY=http://proxy:80",
                    "HTTPS_PROXY=http://proxy:80",
                    "NO_PROXY=localhost,127.0.0.1",
                ],
                "(built with Go 1.8) uses the HTTP proxy proxy:80 for it as well",
            ),
            (
                "http only, where it does not",
                SystemSettings {
                    http: server("proxy", 80),
                    ..none()
                },
                "4.37.2",
                &["HTTP_PROXY=http://proxy:80", "NO_PROXY=localhost,127.0.0.1"],
                "images are pulled over https",
            ),
            (
                "https only",
                SystemSettings {
                    https: server("proxy", 80),
                    ..none()
                },
                OLD,
                &[
                    "HTTPS_PROXY=http://proxy:80",
                    "NO_PROXY=localhost,127.0.0.1",
                ],
                "",
            ),
            (
                "SOCKS only, where it is known",
                SystemSettings {
                    socks: server("proxy", 1080),
                    ..none()
                },
                NEW,
                &[
                    "HTTP_PROXY=socks5://proxy:1080",
                    "HTTPS_PROXY=socks5://proxy:1080",
                    "NO_PROXY=localhost,127.0.0.1",
                ],
                "",
            ),
            (
                "https and SOCKS, where that is unknown",
                SystemSettings {
                    https: server("proxy", 80),
                    socks: server("other", 1080),
                    ..none()
                },
                OLD,
                &[
                    "HTTP_PROXY=http://proxy:80",
                    "HTTPS_PROXY=http://proxy:80",
                    "NO_PROXY=localhost,127.0.0.1",
                ],
                "uses the SOCKS proxy other:1080 for http, which this engine doesn't know",
            ),
            (
                "http, https and SOCKS",
                SystemSettings {
                    http: server("proxy", 80),
                    https: server("proxy", 80),
                    socks: server("other", 1080),
                    ..none()
                },
                OLD,
                &[
                    "HTTP_PROXY=http://proxy:80",
                    "HTTPS_PROXY=http://proxy:80",
                    "NO_PROXY=localhost,127.0.0.1",
                ],
                "",
            ),
            (
                "an IPv6 address",
                SystemSettings {
                    https: server("fe80::1", 3128),
                    ..none()
                },
                OLD,
                &[
                    "HTTPS_PROXY=http://[fe80::1]:3128",
                    "NO_PROXY=localhost,127.0.0.1",
                ],
                "",
            ),
        ];
        for (name, settings, version, expected, remark) in cases {
            let (variables, remarks) =
                of(&proxy_config(settings), version, &Overrides::default()).unwrap();
            assert_eq!(variables, expected, "{name}");
            assert!(remarks.contains(remark), "{name}: {remarks}");
            assert_eq!(remarks.is_empty(), remark.is_empty(), "{name}: {remarks}");
        }
    }

    #[test]
    fn what_can_be_said_to_no_engine_is_an_error() {
        let socks = SystemSettings {
            socks: server("proxy", 1080),
            ..SystemSettings::default()
        };
        let error = of(&proxy_config(socks), OLD, &Overrides::default()).unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(
            error.to_string().contains("SOCKS proxy proxy:1080"),
            "{error}"
        );
        for host in ["http://proxy", "a b", "proxy:80", "pröxy!"] {
            let settings = SystemSettings {
                https: server(host, 80),
                ..SystemSettings::default()
            };
            let error = of(&proxy_config(settings), OLD, &Overrides::default()).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{error}");
        }
    }

    #[test]
    fn a_proxy_on_this_computer_is_named_as_the_engine_reaches_it() {
        let via = |address: &str| Overrides {
            host_address: Some(address.into()),
            ..Overrides::default()
        };
        let default = Overrides::default;
        for (url, version, overrides, expected, remark) in [
            (
                "http://me:pw@127.0.0.1:3128",
                OLD,
                default(),
                "http://me:pw@192.168.65.1:3128",
                "reaches as",
            ),
            (
                "localhost:3128",
                OLD,
                default(),
                "http://192.168.65.1:3128",
                "reaches as",
            ),
            (
                "cntlm:3128",
                OLD,
                default(),
                "http://192.168.65.1:3128",
                "reaches as",
            ),
            (
                "[::1]:1",
                OLD,
                default(),
                "http://192.168.65.1:1",
                "reaches as",
            ),
            (
                "0.0.0.0:1",
                OLD,
                default(),
                "http://192.168.65.1:1",
                "reaches as",
            ),
            (
                "localhost:1",
                OLD,
                via("192.168.64.1"),
                "http://192.168.64.1:1",
                "192.168.64.1",
            ),
            (
                "localhost:1",
                OLD,
                via("docker.for.mac.localhost"),
                "http://docker.for.mac.localhost:1",
                "reaches",
            ),
            (
                "localhost:1",
                NEW,
                default(),
                "http://localhost:1",
                "Docker on the Mac",
            ),
            (
                "127.0.0.1:1",
                NEW,
                via("192.168.64.1"),
                "http://127.0.0.1:1",
                "Docker on the Mac",
            ),
            ("both:1", OLD, default(), "http://both:1", ""),
            ("proxy:1", OLD, via("192.168.64.1"), "http://proxy:1", ""),
            (
                "gone:1",
                OLD,
                default(),
                "http://gone:1",
                "can't resolve gone",
            ),
        ] {
            let (variables, remarks) =
                of(&urls(None, Some(url), &["localhost"]), version, &overrides).unwrap();
            assert_eq!(variables[0], format!("HTTPS_PROXY={expected}"), "{url}");
            assert_eq!(variables[1], "NO_PROXY=localhost,127.0.0.1", "{url}");
            assert!(remarks.contains(remark), "{url}: {remarks}");
            assert_eq!(remarks.is_empty(), remark.is_empty(), "{url}: {remarks}");
        }
        let error = of(&urls(None, Some("localhost:1"), &[]), OLD, &via("a b")).unwrap_err();
        assert!(error.to_string().contains("host address 'a b'"), "{error}");
    }

    #[test]
    fn a_password_is_asked_for_where_there_is_a_user_without_one() {
        let engine = ClientDialect::of(OLD, true);
        let get = |url: &str, answer: &dyn Fn() -> Result<Option<Password>>| {
            let password = |asked: &ProxyUrl| {
                assert_eq!(asked.display(), "proxy:1");
                answer()
            };
            let resolvers = Resolvers {
                password: &password,
                ..resolvers()
            };
            translate(
                &urls(None, Some(url), &[]),
                &engine,
                &Overrides::default(),
                &resolvers,
            )
        };
        let found = get("http://me@proxy:1", &|| Ok(Password::new(*b"a@b"))).unwrap();
        let (_, url) = &found.proxy.unwrap().variables()[0];
        assert_eq!(**url, "http://me:a%40b@proxy:1");
        assert!(found.remarks.is_empty());
        assert!(found.host_proxy.unwrap().has_password());
        let resolvers = Resolvers {
            password: &|_| panic!("it is of no use"),
            ..resolvers()
        };
        let overrides = Overrides {
            no_passwords: true,
            ..Overrides::default()
        };
        let unasked = translate(
            &urls(None, Some("http://me@proxy:1"), &[]),
            &ClientDialect::of(NEW, false),
            &overrides,
            &resolvers,
        )
        .unwrap();
        assert!(unasked.remarks.is_empty(), "{:?}", unasked.remarks);
        assert_eq!(
            unasked.proxy.unwrap().shown().https.unwrap(),
            "http://me@proxy:1"
        );
        let missing = get("http://me@proxy:1", &|| Ok(None)).unwrap();
        let missing = missing.remarks.join(";");
        assert!(
            missing.contains("baleen credentials set 'me@proxy:1'"),
            "{missing}"
        );
        let locked = || Err(Error::new(Kind::Failure, "it is locked"));
        let failed = get("http://me@proxy:1", &locked).unwrap_err();
        assert_eq!(failed.to_string(), "it is locked");
        for url in ["http://me:pw@proxy:1", "http://proxy:1"] {
            get(url, &|| unreachable!("no password is needed")).unwrap();
        }
    }

    /// Entries of macOS's list, and their translation for either kind of engine (`FACTS.md`, section 4).
    #[test]
    fn bypass_lists_of_macos() {
        use EntryOutcome::{Kept, LeftOut, Refused, Widened};
        for (entry, old, new) in [
            (
                "corp.com",
                (Some("corp.com"), Widened),
                (Some("corp.com"), Widened),
            ),
            (
                "*.corp.com",
                (Some(".corp.com"), Widened),
                (Some(".corp.com"), Kept),
            ),
            (
                ".corp.com",
                (Some(".corp.com"), Widened),
                (Some(".corp.com"), Kept),
            ),
            ("*.local", (Some(".local"), Widened), (Some(".local"), Kept)),
            (
                "169.254/16",
                (None, LeftOut),
                (Some("169.254.0.0/16"), Kept),
            ),
            ("10.1.*", (None, LeftOut), (Some("10.1.0.0/16"), Kept)),
            (
                "10.1.2.3/32",
                (Some("10.1.2.3"), Kept),
                (Some("10.1.2.3"), Kept),
            ),
            ("foo.*.corp.com", (None, LeftOut), (None, LeftOut)),
            ("*", (None, LeftOut), (None, LeftOut)),
            ("10.1.2.3/8", (None, LeftOut), (None, LeftOut)),
            (
                "10.1.2.3",
                (Some("10.1.2.3"), Kept),
                (Some("10.1.2.3"), Kept),
            ),
            (
                "fe80::1",
                (Some("[fe80::1]"), Kept),
                (Some("fe80::1"), Kept),
            ),
            ("corp.com:80", (None, LeftOut), (None, LeftOut)),
            ("0.5", (None, LeftOut), (None, LeftOut)),
            ("a,b", (None, Refused), (None, Refused)),
            ("a b", (None, Refused), (None, Refused)),
            ("a\u{7}b", (None, Refused), (None, Refused)),
        ] {
            for (rules, expected) in [(NoProxyRules::UpTo1_10, old), (NoProxyRules::From1_11, new)]
            {
                let found = for_engine(entry, rules);
                assert_eq!(
                    (found.to.as_deref(), found.fate),
                    expected,
                    "{entry} {rules:?}"
                );
                assert_eq!(found.reason.is_none(), found.fate == Kept, "{entry}");
                assert!(!found.from.contains(char::is_control));
            }
        }
        let settings = SystemSettings {
            https: server("proxy", 1),
            exceptions: vec![" *.local".into(), String::new(), "*.local".into()],
            exclude_simple_hostnames: true,
            ..SystemSettings::default()
        };
        let overrides = Overrides {
            no_proxy: vec!["registry.corp".into()],
            ..Overrides::default()
        };
        let (variables, _) = of(&proxy_config(settings), OLD, &overrides).unwrap();
        assert_eq!(
            variables[1],
            "NO_PROXY=localhost,127.0.0.1,.local,registry.corp"
        );
    }

    #[test]
    fn lists_that_are_meant_for_go() {
        use EntryOutcome::{Kept, LeftOut, Widened};
        for (entry, old, new) in [
            (
                "corp.com",
                (Some("corp.com"), Kept),
                (Some("corp.com"), Kept),
            ),
            (
                ".corp.com",
                (Some(".corp.com"), Widened),
                (Some(".corp.com"), Kept),
            ),
            (
                "*.corp.com",
                (Some(".corp.com"), Widened),
                (Some(".corp.com"), Kept),
            ),
            (
                "corp.com:80",
                (Some("corp.com:80"), Widened),
                (Some("corp.com:80"), Kept),
            ),
            ("10.0.0.0/8", (None, LeftOut), (Some("10.0.0.0/8"), Kept)),
            ("10.1.*", (None, LeftOut), (None, LeftOut)),
            (
                "10.0.0.5",
                (Some("10.0.0.5"), Kept),
                (Some("10.0.0.5"), Kept),
            ),
            (
                "fe80::1",
                (Some("[fe80::1]"), Kept),
                (Some("fe80::1"), Kept),
            ),
            ("[fe80::1]", (Some("[fe80::1]"), Widened), (None, LeftOut)),
            ("::1", (Some("[::1]"), Kept), (Some("::1"), Kept)),
            (
                "::ffff:10.0.0.5",
                (Some("10.0.0.5"), Kept),
                (Some("10.0.0.5"), Kept),
            ),
            (
                "[fe80::1]:443",
                (Some("[fe80::1]:443"), Widened),
                (Some("[fe80::1]:443"), Kept),
            ),
            (
                "[corp.com]:80",
                (Some("corp.com:80"), Widened),
                (Some("corp.com:80"), Kept),
            ),
            (
                "10.0.0.5/32",
                (Some("10.0.0.5"), Kept),
                (Some("10.0.0.5"), Kept),
            ),
            ("fe80::/10", (None, LeftOut), (Some("fe80::/10"), Kept)),
            (
                "corp.com:",
                (Some("corp.com"), Kept),
                (Some("corp.com"), Kept),
            ),
            (
                "bücher.example",
                (Some("xn--bcher-kva.example"), Kept),
                (Some("xn--bcher-kva.example"), Kept),
            ),
            (
                ".Bücher.example:80",
                (Some(".xn--bcher-kva.example:80"), Widened),
                (Some(".xn--bcher-kva.example:80"), Kept),
            ),
            ("2.3", (Some("2.3"), Widened), (Some("2.3"), Widened)),
            ("corp.com:65536", (None, LeftOut), (None, LeftOut)),
            ("[]:80", (None, LeftOut), (None, LeftOut)),
        ] {
            for (rules, expected) in [(NoProxyRules::UpTo1_10, old), (NoProxyRules::From1_11, new)]
            {
                let found = for_go(entry, rules);
                assert_eq!(
                    (found.to.as_deref(), found.fate),
                    expected,
                    "{entry} {rules:?}"
                );
            }
        }
    }

    /// The reason for leaving out an entry names the kind of the entry, not a character in it.
    #[test]
    fn what_is_left_out_is_called_what_it_is() {
        for (entry, on_a_mac, in_old_go, in_go) in [
            ("[]:80", "no ports", "names no host", "names no host"),
            (
                "/var/run/docker.sock",
                "is a path",
                "is a path",
                "is a path",
            ),
            ("http://corp.com/", "is a URL", "is a URL", "is a URL"),
            ("corp.com/v2", "has a path", "has a path", "has a path"),
            ("<local>", "Windows' word", "Windows' word", "Windows' word"),
            (
                "fe80::1%en0",
                "on an interface",
                "on an interface",
                "on an interface",
            ),
            (
                "10.0.0.0/255.0.0.0",
                "has a mask",
                "no networks",
                "has a mask",
            ),
            ("10.0.0.0/33", "its prefix", "no networks", "its prefix"),
            ("corp.com:99999", "no ports", "1 to 65535", "1 to 65535"),
            ("corp.com:http", "1 to 65535", "1 to 65535", "1 to 65535"),
            (
                "corp.com.",
                "ends with a dot",
                "dot at its end",
                "dot at its end",
            ),
            (
                "a;b",
                "a separator inside",
                "a separator inside",
                "a separator inside",
            ),
            (
                "\"a\"",
                "quotation marks",
                "quotation marks",
                "quotation marks",
            ),
            (
                "a:b:c",
                "neither a host",
                "neither a host",
                "neither a host",
            ),
            (
                "10.1.*:80",
                "no ports",
                "a * in such a place",
                "a * in such a place",
            ),
        ] {
            let reason = |entry: TranslatedEntry| {
                assert_eq!(
                    (&entry.to, entry.fate),
                    (&None, EntryOutcome::LeftOut),
                    "{entry:?}"
                );
                entry.reason.unwrap()
            };
            for (found, expected) in [
                (for_engine(entry, NoProxyRules::From1_11), on_a_mac),
                (for_go(entry, NoProxyRules::UpTo1_10), in_old_go),
                (for_go(entry, NoProxyRules::From1_11), in_go),
            ] {
                let found = reason(found);
                assert!(found.contains(expected), "{entry}: {found}");
            }
        }
        for (entry, expected) in [
            ("[fe80::1]", "without brackets"),
            ("fe80::/10", "IPv4 addresses only"),
            ("2.3", "no whole address"),
            ("bücher.example", "outside ASCII"),
            (" corp.com", "before or behind it"),
            ("a, b", "of its own"),
        ] {
            let found = for_engine(entry, NoProxyRules::From1_11).reason.unwrap();
            assert!(found.contains(expected), "{entry}: {found}");
        }
        let mapped = for_engine("::ffff:10.0.0.5", NoProxyRules::From1_11);
        assert_eq!(
            (mapped.to.as_deref(), mapped.fate),
            (Some("10.0.0.5"), EntryOutcome::Widened)
        );
    }

    /// A user who names only one proxy means it for both schemes.
    #[test]
    fn variables_and_options() {
        for (http, https, expected) in [
            (Some("proxy:1"), None, ("http://proxy:1", "http://proxy:1")),
            (
                Some("proxy:1"),
                Some("other:2"),
                ("http://proxy:1", "http://other:2"),
            ),
        ] {
            let (variables, remarks) =
                of(&urls(http, https, &[]), OLD, &Overrides::default()).unwrap();
            assert_eq!(variables[0], format!("HTTP_PROXY={}", expected.0));
            assert_eq!(variables[1], format!("HTTPS_PROXY={}", expected.1));
            assert_eq!(remarks, "");
        }
        assert!(
            of(&urls(None, None, &["a"]), OLD, &Overrides::default())
                .unwrap()
                .0
                .is_empty()
        );
    }

    /// Many Macs are set to discover a PAC script on networks that offer none; then the other settings
    /// apply.
    #[test]
    fn without_the_script_that_was_looked_for_the_settings_count() {
        let none = |_: &PacSource, _: &[String]| {
            Ok(PacAnswers {
                answers: Vec::new(),
                standing: ScriptState::NotOffered,
                trouble: Some("this network offers no PAC script".to_owned()),
            })
        };
        let settings = SystemSettings {
            pac: Some(PacSource::Discover),
            https: server("proxy", 1),
            exceptions: vec!["a.corp".into()],
            ..SystemSettings::default()
        };
        let resolvers = Resolvers {
            pac: &none,
            ..resolvers()
        };
        let engine = ClientDialect::of(OLD, true);
        let proxy_config = proxy_config(settings);
        let found = translate(&proxy_config, &engine, &Overrides::default(), &resolvers).unwrap();
        assert_eq!(found.host_proxy.unwrap().display(), "proxy:1");
        assert_eq!(found.entries[0].from, "a.corp");
        assert_eq!(found.remarks, ["this network offers no PAC script"]);
        assert_eq!(proxy_config.proxies().len(), 1);
    }
}
