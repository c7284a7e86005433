//! Translation of the entries of a bypass list.

use std::net::IpAddr;

use serde::Serialize;

use crate::proxy::bypass::{self, Inert};
use crate::proxy::go::{self, NoProxyRules};
use crate::proxy::no_host::{InvalidHost, is_port};
use crate::proxy::redact;

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

pub(super) const WIDENED_TO_SUBDOMAINS: &str = "the engine also reaches directly what is below it";
const WIDENED_TO_APEX: &str = "on this engine it covers the domain itself as well";
const ANY_PORT: &str = "this engine ignores ports: it covers all of them";
const NETWORK: &str = "this engine doesn't support networks";
const WILDCARD: &str = "no engine knows a * in such a place";
const IPV4_MAPPED: &str =
    "the engine takes it for the IPv4 address inside it, which macOS takes for another address";
const BRACKETS: &str = "Go from 1.11 on ignores it; this engine does not";
const END_OF_ADDRESS: &str = "Go before 1.24.1 takes it for the end of an address: all addresses that end so are reached directly";
const NO_HOST_NAMED: &str = "it names no host";

/// Translates an entry of macOS's bypass list.
pub(super) fn for_engine(text: &str, rules: NoProxyRules) -> TranslatedEntry {
    use bypass::BypassEntry as Mac;
    let left_out = |reason| (None, EntryOutcome::LeftOut, Some(reason));
    let (to, fate, reason) = match bypass::BypassEntry::parse(text) {
        Mac::Host(name) => (
            Some(name),
            EntryOutcome::Widened,
            Some(WIDENED_TO_SUBDOMAINS),
        ),
        Mac::Below(domain) => {
            let to = Some(format!(".{domain}"));
            match rules {
                NoProxyRules::UpTo1_10 => (to, EntryOutcome::Widened, Some(WIDENED_TO_APEX)),
                NoProxyRules::From1_11 => (to, EntryOutcome::Kept, None),
            }
        }
        Mac::Address(address) if address != address.to_canonical() => (
            Some(address_for(address, rules)),
            EntryOutcome::Widened,
            Some(IPV4_MAPPED),
        ),
        Mac::Address(address) => (Some(address_for(address, rules)), EntryOutcome::Kept, None),
        Mac::Network(base, 32) => (Some(base.to_string()), EntryOutcome::Kept, None),
        Mac::Network(base, bits) | Mac::StarredNetwork(base, bits, _) => match rules {
            NoProxyRules::UpTo1_10 => left_out(NETWORK),
            NoProxyRules::From1_11 => (Some(format!("{base}/{bits}")), EntryOutcome::Kept, None),
        },
        Mac::Pattern(_) => left_out(WILDCARD),
        Mac::Inert(Inert::Star) => {
            left_out("macOS ignores it, and the engine would use no proxy at all")
        }
        Mac::Inert(Inert::HostBits) => {
            left_out("macOS ignores it, since it has bits behind the network's prefix")
        }
        Mac::Inert(Inert::Port) => left_out("macOS ignores it: its list knows no ports"),
        Mac::Inert(Inert::InvalidHost) => left_out(
            InvalidHost::of(text)
                .unwrap_or(InvalidHost::Other)
                .on_a_mac(),
        ),
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
        from: redact(&text.replace(char::is_control, "\u{fffd}")),
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
        from: redact(text),
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
        go::NoProxyEntry::InvalidHost => left_out(NO_HOST_NAMED),
        go::NoProxyEntry::Network(base, bits) => match (base, bits) {
            (IpAddr::V4(_), 32) | (IpAddr::V6(_), 128) => {
                (Some(address_for(base, rules)), EntryOutcome::Kept, None)
            }
            _ if old => left_out(NETWORK),
            _ => (Some(text.to_owned()), EntryOutcome::Kept, None),
        },
        go::NoProxyEntry::Address(_, Some(port)) if !is_port(port) => {
            left_out(InvalidHost::Port.in_go())
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
            match InvalidHost::of(&to) {
                Some(InvalidHost::Numbers) => {
                    (Some(to), EntryOutcome::Widened, Some(END_OF_ADDRESS))
                }
                Some(InvalidHost::Brackets) if old => {
                    let address = to.trim_matches(['[', ']']).parse().ok();
                    let to = address.map(|address| address_for(address, rules));
                    (to, EntryOutcome::Widened, Some(BRACKETS))
                }
                Some(
                    InvalidHost::ShortNetwork | InvalidHost::Netmask | InvalidHost::PrefixLength,
                ) if old => left_out(NETWORK),
                Some(why) => left_out(why.in_go()),
                None if old && port.is_some() => (Some(to), EntryOutcome::Widened, Some(ANY_PORT)),
                None if old && !itself => (Some(to), EntryOutcome::Widened, Some(WIDENED_TO_APEX)),
                None => (Some(to), EntryOutcome::Kept, None),
            }
        }
    }
}
