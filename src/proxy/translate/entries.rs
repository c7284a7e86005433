//! Translation of the entries of a bypass list.

use std::net::IpAddr;

use serde::Serialize;

use crate::proxy::bypass::{self, Inert};
use crate::proxy::go::{self, NoProxyRules};
use crate::proxy::no_host::{InvalidHost, is_port};
use crate::proxy::redact;

/// An entry of the bypass list, with its translation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranslatedEntry {
    /// The entry in the settings.
    pub from: String,
    /// The entry that the engine gets, if any.
    pub to: Option<String>,
    /// The outcome.
    pub fate: EntryOutcome,
    /// The reason, unless the entry means the same to both.
    pub reason: Option<EntryReason>,
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

/// The reason why an entry doesn't mean the same to the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryReason {
    /// The engine also reaches directly what is below the host.
    Subdomains,
    /// This engine includes the domain itself.
    Apex,
    /// This engine ignores ports.
    AnyPort,
    /// This engine knows no networks.
    Network,
    /// No engine knows a `*` in such a place.
    Wildcard,
    /// The engine takes an IPv4-mapped address for the IPv4 address inside it.
    Ipv4Mapped,
    /// Go from 1.11 on ignores the brackets' entry; this engine doesn't.
    Brackets,
    /// Go before 1.24.1 takes the numbers for the end of an address.
    EndOfAddress,
    /// The entry names no host.
    NoHost,
    /// macOS ignores `*` alone.
    Star,
    /// macOS ignores a network with bits behind its prefix.
    HostBits,
    /// macOS's list knows no ports.
    MacPort,
    /// macOS ignores what is no host.
    Mac(InvalidHost),
    /// Go ignores what is no host.
    Go(InvalidHost),
    /// The entry has a comma, a space or a control character inside.
    Separator,
    /// The entry has a space before or behind it.
    Space,
    /// No engine can express names without a dot.
    SimpleNames,
}

/// Translates an entry of macOS's bypass list.
pub(super) fn for_engine(text: &str, rules: NoProxyRules) -> TranslatedEntry {
    use bypass::BypassEntry as Mac;
    let left_out = |reason| (None, EntryOutcome::LeftOut, Some(reason));
    let (to, fate, reason) = match bypass::BypassEntry::parse(text) {
        Mac::Host(name) => (
            Some(name),
            EntryOutcome::Widened,
            Some(EntryReason::Subdomains),
        ),
        Mac::Below(domain) => {
            let to = Some(format!(".{domain}"));
            match rules {
                NoProxyRules::UpTo1_10 => (to, EntryOutcome::Widened, Some(EntryReason::Apex)),
                NoProxyRules::From1_11 => (to, EntryOutcome::Kept, None),
            }
        }
        Mac::Address(address) if address != address.to_canonical() => (
            Some(address_for(address, rules)),
            EntryOutcome::Widened,
            Some(EntryReason::Ipv4Mapped),
        ),
        Mac::Address(address) => (Some(address_for(address, rules)), EntryOutcome::Kept, None),
        Mac::Network(base, 32) => (Some(base.to_string()), EntryOutcome::Kept, None),
        Mac::Network(base, bits) | Mac::StarredNetwork(base, bits, _) => match rules {
            NoProxyRules::UpTo1_10 => left_out(EntryReason::Network),
            NoProxyRules::From1_11 => (Some(format!("{base}/{bits}")), EntryOutcome::Kept, None),
        },
        Mac::Pattern(_) => left_out(EntryReason::Wildcard),
        Mac::Inert(Inert::Star) => left_out(EntryReason::Star),
        Mac::Inert(Inert::HostBits) => left_out(EntryReason::HostBits),
        Mac::Inert(Inert::Port) => left_out(EntryReason::MacPort),
        Mac::Inert(Inert::InvalidHost) => {
            let kind = InvalidHost::of(text).unwrap_or(InvalidHost::Other);
            left_out(EntryReason::Mac(kind))
        }
        Mac::Unusable => (
            None,
            EntryOutcome::Refused,
            Some(match bypass::BypassEntry::parse(text.trim()) {
                Mac::Unusable => EntryReason::Separator,
                _ => EntryReason::Space,
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

fn from_go(text: &str, rules: NoProxyRules) -> (Option<String>, EntryOutcome, Option<EntryReason>) {
    let left_out = |reason| (None, EntryOutcome::LeftOut, Some(reason));
    let old = rules == NoProxyRules::UpTo1_10;
    match go::NoProxyEntry::parse(text) {
        go::NoProxyEntry::All => left_out(EntryReason::Wildcard),
        // A malformed entry can crash engines built with Go up to 1.8 (golang/go#19536).
        go::NoProxyEntry::InvalidHost => left_out(EntryReason::NoHost),
        go::NoProxyEntry::Network(base, bits) => match (base, bits) {
            (IpAddr::V4(_), 32) | (IpAddr::V6(_), 128) => {
                (Some(address_for(base, rules)), EntryOutcome::Kept, None)
            }
            _ if old => left_out(EntryReason::Network),
            _ => (Some(text.to_owned()), EntryOutcome::Kept, None),
        },
        go::NoProxyEntry::Address(_, Some(port)) if !is_port(port) => {
            left_out(EntryReason::Go(InvalidHost::Port))
        }
        go::NoProxyEntry::Address(address, port) => match (address_for(address, rules), port) {
            (address, None) => (Some(address), EntryOutcome::Kept, None),
            (address, Some(port)) if old => (
                Some(format!("{address}:{port}")),
                EntryOutcome::Widened,
                Some(EntryReason::AnyPort),
            ),
            _ => (Some(text.to_owned()), EntryOutcome::Kept, None),
        },
        go::NoProxyEntry::Name { name, itself, port } => {
            if name.contains('*') {
                return left_out(EntryReason::Wildcard);
            }
            let dot = if itself { "" } else { "." };
            let colon = port.map_or(String::new(), |port| format!(":{port}"));
            let to = format!("{dot}{name}{colon}");
            match InvalidHost::of(&to) {
                Some(InvalidHost::Numbers) => (
                    Some(to),
                    EntryOutcome::Widened,
                    Some(EntryReason::EndOfAddress),
                ),
                Some(InvalidHost::Brackets) if old => {
                    let address = to.trim_matches(['[', ']']).parse().ok();
                    let to = address.map(|address| address_for(address, rules));
                    (to, EntryOutcome::Widened, Some(EntryReason::Brackets))
                }
                Some(
                    InvalidHost::ShortNetwork | InvalidHost::Netmask | InvalidHost::PrefixLength,
                ) if old => left_out(EntryReason::Network),
                Some(why) => left_out(EntryReason::Go(why)),
                None if old && port.is_some() => {
                    (Some(to), EntryOutcome::Widened, Some(EntryReason::AnyPort))
                }
                None if old && !itself => {
                    (Some(to), EntryOutcome::Widened, Some(EntryReason::Apex))
                }
                None => (Some(to), EntryOutcome::Kept, None),
            }
        }
    }
}
