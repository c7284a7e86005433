//! Remarks on proxy settings and on PAC scripts.

use std::fmt;

use crate::error::{Face, plain};
use crate::proxy::no_host::InvalidHost;
use crate::proxy::pac::{Feature, PacRemark, Route, ScriptRemark, WPAD_HOST};
use crate::proxy::settings::{InvalidPort, SettingsFault, ValueKind};
use crate::proxy::translate::{
    EntryReason, Explanation, HostRemark, PacUnreachable, Remark, WhyDirect,
};
use crate::proxy::{Difference, FieldRemark, ProxyOrigin, Translation, joined, listed};

use super::time::{ago, minutes_until};

/// Returns all remarks and explanations of a translation, a sentence without a period each.
pub(crate) fn all(translation: &Translation, face: Face) -> impl Iterator<Item = String> {
    let remarks = translation.remarks.iter();
    let explanations = translation.explanations.iter();
    remarks
        .map(move |it| remark(it, face))
        .chain(explanations.map(Explanation::to_string))
}

/// Returns the remark as a sentence without a period.
pub(crate) fn remark(remark: &Remark, face: Face) -> String {
    match remark {
        Remark::Settings(fault) => fault.to_string(),
        Remark::IgnoredVariable(name) => format!(
            "{name} is set, but Go, and so Docker, ignores it; to use a proxy, set HTTPS_PROXY to an HTTP proxy"
        ),
        Remark::NoPassword { account } => {
            let remedy = match face {
                Face::CommandLine => "run",
                Face::Menu => "run in Terminal:",
            };
            format!(
                "no password is kept for {account}: if the proxy asks for one, {remedy} `baleen credentials set '{account}'`"
            )
        }
        Remark::Unresolved { host, why } => {
            format!("can't resolve {host} ({why}); if it is this Mac, use localhost instead")
        }
        Remark::UnknownSocks {
            socks,
            secure,
            uses,
        } => {
            let scheme = if *secure { "https" } else { "http" };
            format!(
                "this computer uses the SOCKS proxy {socks} for {scheme}, which this engine doesn't know; there it uses {uses} for both"
            )
        }
        Remark::HttpsThroughHttp { built, proxy } => format!(
            "this computer reaches https directly, but this engine (built with {built}) uses the HTTP proxy {proxy} for it as well"
        ),
        Remark::HttpsDirect => {
            "this computer reaches https directly, and so will the engine; images are pulled over https"
                .to_owned()
        }
        Remark::Pac(remarks) => joined(remarks),
        Remark::PacUnreachable(it) => pac_unreachable(it, face),
        Remark::Hosts { hosts, what } => host_remark(&listed(hosts), what),
        Remark::NeverAsked { hosts, uses } => {
            let way = match uses {
                Some(proxy) => format!("uses {proxy}"),
                None => "goes direct".to_owned(),
            };
            format!(
                "the PAC script was never asked about {}; until it can be, the engine {way} there",
                listed(hosts)
            )
        }
        Remark::HttpOnly { proxy } => format!(
            "the script sends http:// through {proxy} and https:// directly; the engine goes direct for both"
        ),
    }
}

fn host_remark(hosts: &str, what: &HostRemark) -> String {
    match what {
        HostRemark::Ignored(entry) => {
            format!("in the PAC script's answer for {hosts}, this can't be understood: {entry}")
        }
        HostRemark::SocksVersion => format!(
            "for {hosts} the PAC script says SOCKS without a version: browsers take that for version 4, the engine speaks version 5"
        ),
        HostRemark::NotFirst { before, uses } => format!(
            "for {hosts} the PAC script's first choice is {}, which this engine can't use; the next that it can use is {uses}",
            routes(before)
        ),
        HostRemark::OtherProxy { proxy, uses } => format!(
            "the script sends {hosts} through {proxy}, but an engine has one proxy for all: it uses {uses}"
        ),
        HostRemark::Unusable { answer, uses } => format!(
            "the script says \"{answer}\" for {hosts}, which no engine of this version knows; it uses {uses}"
        ),
        HostRemark::Http { proxy, uses } => {
            let way = match proxy {
                Some(proxy) => format!("through {proxy}"),
                None => "directly".to_owned(),
            };
            let engine = match uses {
                Some(proxy) => format!("uses {proxy}"),
                None => "reaches it directly".to_owned(),
            };
            format!("the script reaches {hosts} {way}; the engine {engine}")
        }
    }
}

/// Returns the routes in words, in the order in which they are tried.
fn routes(routes: &[Route]) -> String {
    let shown: Vec<String> = routes.iter().map(Route::to_string).collect();
    shown.join(", then ")
}

/// Returns a sentence without a period about a PAC script that can't be asked.
pub(crate) fn pac_unreachable(it: &PacUnreachable, face: Face) -> String {
    let why = joined(&it.why);
    let Some(since) = it.kept_since else {
        let advice = match face {
            Face::CommandLine => {
                "`baleen config set pac_unreachable keep` has it use the script's last answers"
            }
            Face::Menu => {
                "pac_unreachable = \"keep\" in the settings file has it use the script's last answers"
            }
        };
        return format!("{why}; so the engine goes direct, as macOS does ({advice})");
    };
    let answers = format!("its answers from {}", ago(since));
    match it.until {
        Some(until) => format!(
            "{why}; {answers} are used for another {}, then the engine goes direct",
            minutes_until(until)
        ),
        None => format!("{why}; {answers} are used"),
    }
}

/// Returns the reason why the engine gets no proxy, where `origin` names the source.
pub(crate) fn why_direct(why: WhyDirect, origin: &ProxyOrigin) -> String {
    match why {
        WhyDirect::PacUnreachable => "the PAC script can't be reached".to_owned(),
        WhyDirect::NoProxy => format!("no proxy is set in {origin}"),
    }
}

// `Display` is for the layers below, which show some of these inside sentences of their own.

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&remark(self, Face::CommandLine))
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFallback { first, rest } => {
                let first = first.as_deref().unwrap_or("a direct connection");
                write!(
                    f,
                    "if {first} fails, the PAC script goes on to {}; the engine can't do that",
                    routes(rest)
                )
            }
            Self::ThisComputer {
                proxy,
                address: Some(address),
            } => write!(
                f,
                "{proxy} is this computer itself, which the engine reaches as {address}"
            ),
            Self::ThisComputer {
                proxy,
                address: None,
            } => write!(
                f,
                "{proxy} is this computer itself, which is right here: with this Docker it is Docker on the Mac, not the engine, that speaks to the proxy"
            ),
        }
    }
}

impl fmt::Display for SettingsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotADictionary => f.write_str("the proxy settings are not a dictionary"),
            Self::NotASwitch { key, found } => {
                write!(f, "{key} should be 0 or 1, but is {found}; taken for 0")
            }
            Self::NotAString { key, found } => {
                write!(f, "{key} should be a string, but is {found}")
            }
            Self::NotAList { key, found } => write!(f, "{key} should be a list, but is {found}"),
            Self::Entry { key, found } => write!(f, "{key} has an entry that is {found}"),
            Self::NoServer { prefix } => {
                write!(f, "the {prefix} proxy is switched on, but no server is named")
            }
            Self::Port { key, found } => {
                let found = match found {
                    InvalidPort::Number(number) => number.clone(),
                    InvalidPort::Other(kind) => kind.to_string(),
                };
                write!(
                    f,
                    "{key} should be a number from 1 to 65535, but is {found}; this proxy was left out"
                )
            }
            Self::NoScript => f.write_str(
                "automatic proxy configuration is switched on, but neither ProxyAutoConfigURLString nor a script is there",
            ),
        }
    }
}

impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Array => "a list",
            Self::Dictionary => "a dictionary",
            Self::Boolean => "true or false",
            Self::Data => "data",
            Self::Date => "a date",
            Self::Real => "a fraction",
            Self::Integer => "a number",
            Self::String => "a text",
            Self::Other => "something else",
        })
    }
}

impl fmt::Display for PacRemark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Script(remark) => remark.fmt(f),
            Self::Unanswered(name) => write!(
                f,
                "the script asked for the address of {name}, and there was no answer in time; it took that for a name that does not exist"
            ),
            Self::NotKept(why) => write!(
                f,
                "the answers could not be kept for when the script can't be reached: {}",
                plain(why)
            ),
            Self::NotOffered(why) => write!(
                f,
                "this network offers no PAC script (no host {WPAD_HOST}: {})",
                plain(why)
            ),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for ScriptRemark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported(features) => {
                let features: Vec<&str> = features.iter().map(|&it| feature(it)).collect();
                write!(
                    f,
                    "the script uses what Baleen's JavaScript engine doesn't have as the browsers do, so its answers may differ there: {}",
                    features.join("; ")
                )
            }
            Self::Ipv6Only { host, first } => write!(
                f,
                "the script asked dnsResolve, isInNet or isResolvable about {host}, which has IPv6 addresses only: \
                 Chromium and Baleen say that there is no such host, Firefox says {first}"
            ),
        }
    }
}

fn feature(feature: Feature) -> &'static str {
    match feature {
        Feature::Intl => "there is no Intl",
        Feature::ToLocaleString => "toLocaleString ignores the language",
        Feature::ToLocaleDateString => "toLocaleDateString writes date and time in full",
        Feature::ToLocaleTimeString => "toLocaleTimeString writes date and time in full",
        Feature::Caller => "a function has no caller",
        Feature::WebAssembly => "there is no WebAssembly",
    }
}

impl fmt::Display for EntryReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Subdomains => "the engine also reaches directly what is below it",
            Self::Apex => "on this engine it covers the domain itself as well",
            Self::AnyPort => "this engine ignores ports: it covers all of them",
            Self::Network => "this engine doesn't support networks",
            Self::Wildcard => "no engine knows a * in such a place",
            Self::Ipv4Mapped => {
                "the engine takes it for the IPv4 address inside it, which macOS takes for another address"
            }
            Self::Brackets => "Go from 1.11 on ignores it; this engine does not",
            Self::EndOfAddress => {
                "Go before 1.24.1 takes it for the end of an address: all addresses that end so are reached directly"
            }
            Self::NoHost => "it names no host",
            Self::Star => "macOS ignores it, and the engine would use no proxy at all",
            Self::HostBits => "macOS ignores it, since it has bits behind the network's prefix",
            Self::MacPort => "macOS ignores it: its list knows no ports",
            Self::Mac(kind) => no_host_on_a_mac(*kind),
            Self::Go(kind) => no_host_in_go(*kind),
            Self::Separator => {
                "it has a comma, a space or a control character inside; give each host an entry of its own"
            }
            Self::Space => {
                "it has a space before or behind it, which may count as part of it; delete the space"
            }
            Self::SimpleNames => "no engine can express that; add the hosts by name",
        })
    }
}

/// Returns the reason why macOS ignores the entry.
fn no_host_on_a_mac(kind: InvalidHost) -> &'static str {
    match kind {
        InvalidHost::Brackets => {
            "macOS's list has addresses without brackets; write the address alone"
        }
        InvalidHost::Ipv6Network => "macOS's list has networks of IPv4 addresses only",
        InvalidHost::Numbers => {
            "it is no whole address, and a network is written with its prefix, as in 10.1/16"
        }
        InvalidHost::NotAscii => {
            "it has characters outside ASCII, and how macOS compares them is not known; write the name in its ASCII form, which begins with xn--"
        }
        InvalidHost::TrailingDot => "it ends with a dot, which no host's name does; leave it out",
        InvalidHost::ShortNetwork | InvalidHost::Other => {
            "it is neither a host nor a domain nor a network, so macOS ignores it"
        }
        other => no_host(other),
    }
}

/// Returns the reason why Go ignores the entry.
fn no_host_in_go(kind: InvalidHost) -> &'static str {
    match kind {
        InvalidHost::Brackets => {
            "Go 1.11 and later accept brackets only before a port, and ignore this entry; write the address alone"
        }
        InvalidHost::ShortNetwork => {
            "Go accepts networks only with all four octets, as in 10.1.0.0/16, and ignores this entry"
        }
        InvalidHost::TrailingDot => {
            "Go compares the dot at its end as well, and hosts are named without one; leave it out"
        }
        InvalidHost::NotAscii => "no host can have this name, since it has no form in ASCII",
        other => no_host(other),
    }
}

fn no_host(kind: InvalidHost) -> &'static str {
    match kind {
        InvalidHost::Url => "it is a URL; write the host alone",
        InvalidHost::Path => {
            "it is a path; what listens on a socket there is never reached through a proxy"
        }
        InvalidHost::HasPath => "it has a path; write the host alone",
        InvalidHost::Local => {
            "this is Windows' word for names without a dot, which no engine can express; add the hosts by name"
        }
        InvalidHost::Quoted => {
            "it has quotation marks, which count as part of the name; leave them out"
        }
        InvalidHost::Separator => "it has a separator inside; give each host an entry of its own",
        InvalidHost::Zone => {
            "it is an address on an interface of this computer, and the engine has other interfaces"
        }
        InvalidHost::Netmask => "it has a mask; write the length of the prefix, as in 10.0.0.0/8",
        InvalidHost::PrefixLength => "the length of its prefix is no number, or too large",
        InvalidHost::Port => "what stands behind its colon is no number from 1 to 65535",
        InvalidHost::Brackets
        | InvalidHost::Ipv6Network
        | InvalidHost::ShortNetwork
        | InvalidHost::TrailingDot
        | InvalidHost::Numbers
        | InvalidHost::NotAscii
        | InvalidHost::Other => "it is neither a host nor a domain nor an address nor a network",
    }
}

impl fmt::Display for FieldRemark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PasswordAskedFor => {
                "the proxy's password is left out: Docker asks for it and keeps it in its keychain"
            }
            Self::PasswordLeftOut => {
                "the proxy's password is left out: add it in Docker, as in http://USER:PASSWORD@HOST:PORT, with % and two hexadecimal digits for each character that is neither a letter nor a digit"
            }
            Self::Socks => "Docker's fields take a SOCKS proxy from 4.28 on",
            Self::Networks => {
                "Docker knows networks, such as 10.0.0.0/8, in this list from 4.17 on: name the hosts instead"
            }
        })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proxy(wanted) => write!(f, "it should be {}", wanted.summary()),
            Self::Bypass(wanted) => write!(f, "the bypass list should be {wanted}"),
            Self::Password => f.write_str("its password has changed"),
        }
    }
}
