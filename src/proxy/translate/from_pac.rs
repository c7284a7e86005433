//! Translates a PAC script's answers into an engine's settings: one proxy for `https://`, one for
//! `http://`, and hosts to reach directly.
//!
//! A script can say more than an engine can express: what to try when a proxy fails, other kinds of
//! proxies, another proxy for each host. [`notes`] reports each of these once.

use std::net::IpAddr;

use crate::error::Result;

use crate::proxy::pac::{
    InvalidEntry, PacAnswer, PacAnswers, PacSource, Route, ScriptState, of_host,
};
use crate::proxy::url::Scheme;
use crate::proxy::{ClientDialect, ProxyError, ProxyUrl, docker_hub};

use super::entries::{EntryOutcome, EntryReason, TranslatedEntry, for_go};
use super::{
    EffectiveProxies, Explanation, HostRemark, Overrides, PacUnreachable, Remark, Resolvers,
};

/// The notes about a script's answers.
#[derive(Debug, Default)]
pub struct Notes {
    /// The reasons why the engine takes another route than the script's first choice.
    pub remarks: Vec<Remark>,
    /// Other parts of the answers that the engine can't express.
    pub explanations: Vec<Explanation>,
}

/// Remarks about hosts, each once, with all the hosts that it applies to.
#[derive(Default)]
struct Grouped(Vec<(HostRemark, Vec<String>)>);

impl Grouped {
    fn add(&mut self, host: &str, what: HostRemark) {
        match self.0.iter_mut().find(|(there, _)| *there == what) {
            Some((_, hosts)) if hosts.iter().any(|there| there == host) => {}
            Some((_, hosts)) => hosts.push(host.to_owned()),
            None => self.0.push((what, vec![host.to_owned()])),
        }
    }

    fn remarks(self) -> impl Iterator<Item = Remark> {
        let remark = |(what, hosts)| Remark::Hosts { hosts, what };
        self.0.into_iter().map(remark)
    }
}

/// Returns the parts of the answers that `engine` can't express, and those that browsers read
/// differently.
pub fn notes<'a>(
    answers: impl IntoIterator<Item = &'a PacAnswer>,
    engine: &ClientDialect,
) -> Notes {
    let mut remarks = Grouped::default();
    let mut explanations = Vec::new();
    for answer in answers {
        let host = &answer.host;
        for ignored in &answer.ignored {
            remarks.add(host, HostRemark::Ignored(ignored.clone()));
        }
        let is_bare = |word: &str| word.eq_ignore_ascii_case("SOCKS");
        if engine.knows_socks && words(&answer.text).any(is_bare) {
            remarks.add(host, HostRemark::SocksVersion);
        }
        let Some((at, choice)) = engines_choice(answer, engine) else {
            continue;
        };
        let (before, after) = (&answer.routes[..at], &answer.routes[at + 1..]);
        if !before.is_empty() {
            let what = HostRemark::NotFirst {
                before: before.to_vec(),
                uses: answer.routes[at].clone(),
            };
            remarks.add(host, what);
        }
        let mut rest: Vec<Route> = Vec::new();
        for route in after {
            if *route != answer.routes[at] && !rest.contains(route) {
                rest.push(route.clone());
            }
        }
        if !rest.is_empty() {
            let first = match choice {
                Choice::Direct => None,
                Choice::Proxy(url) => Some(url.authority()),
            };
            let note = Explanation::NoFallback { first, rest };
            if !explanations.contains(&note) {
                explanations.push(note);
            }
        }
    }
    Notes {
        remarks: remarks.remarks().collect(),
        explanations,
    }
}

/// Returns the first word of each entry of an answer.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(';')
        .filter_map(|entry| entry.split_whitespace().next())
}

/// The settings that follow from a script's answers.
pub(super) struct ByScript {
    pub(super) chosen: EffectiveProxies,
    pub(super) explanations: Vec<Explanation>,
    pub(super) pac_unreachable: Option<PacUnreachable>,
}

/// Chooses the proxies by the script's answers for the hosts that matter to Docker. Returns nothing if
/// the network should offer a script and doesn't.
pub(super) fn by_script(
    source: &PacSource,
    engine: &ClientDialect,
    overrides: &Overrides,
    resolvers: &Resolvers<'_>,
    remarks: &mut Vec<Remark>,
) -> Result<Option<ByScript>> {
    let mut hosts = docker_hub::HOSTS.map(str::to_owned).to_vec();
    for host in &overrides.pac_hosts {
        if !hosts.iter().any(|there| of_host(there) == of_host(host)) {
            hosts.push(host.clone());
        }
    }
    // Scripts may name another proxy for http://, which the engine uses for registries without TLS.
    let plain: Vec<String> = [&hosts[..1], &hosts[docker_hub::HOSTS.len()..]]
        .concat()
        .iter()
        .map(|host| format!("http://{host}/"))
        .collect();
    let asked = (resolvers.pac)(source, &[&hosts[..], &plain[..]].concat())?;
    let pac_unreachable = PacUnreachable::of(&asked);
    match &pac_unreachable {
        Some(pac_unreachable) => remarks.push(Remark::PacUnreachable(pac_unreachable.clone())),
        None if asked.remarks.is_empty() => {}
        None => remarks.push(Remark::Pac(asked.remarks.clone())),
    }
    if asked.script_state == ScriptState::NotOffered {
        return Ok(None);
    }

    let known: Vec<&PacAnswer> = hosts.iter().filter_map(|host| asked.of(host)).collect();
    if known.is_empty() {
        let why = asked.remarks;
        return Err(ProxyError::NeverAsked { why, hosts }.into());
    }
    let notes = notes(known.iter().copied(), engine);
    remarks.extend(notes.remarks);

    let usable: Vec<(&PacAnswer, Option<Choice>)> = known
        .iter()
        .map(|answer| (*answer, choice(answer, engine)))
        .collect();
    let winner = most(usable.iter().filter_map(|(_, choice)| choice.as_ref()));
    let mut entries = Vec::new();
    let mut others = Grouped::default();
    for (answer, choice) in usable {
        let host = &answer.host;
        match (&winner, choice) {
            (None, Some(_)) => {}
            (Some(_), Some(Choice::Direct)) => {
                // A registry's IPv6 address has brackets, an entry of the list doesn't.
                let address = host
                    .strip_prefix('[')
                    .and_then(|rest| rest.strip_suffix(']'));
                let entry = for_go(address.unwrap_or(host), engine.rules);
                entries.push(match entry.fate {
                    // An address has no subdomains.
                    EntryOutcome::Kept if entry.from.parse::<IpAddr>().is_err() => {
                        TranslatedEntry {
                            fate: EntryOutcome::Widened,
                            reason: Some(EntryReason::Subdomains),
                            ..entry
                        }
                    }
                    _ => entry,
                });
            }
            (Some(url), Some(Choice::Proxy(other))) => {
                if other != *url {
                    let what = HostRemark::OtherProxy {
                        proxy: other.authority(),
                        uses: url.authority(),
                    };
                    others.add(host, what);
                }
            }
            (Some(url), None) => {
                let what = HostRemark::Unusable {
                    answer: answer.text.clone(),
                    uses: url.authority(),
                };
                others.add(host, what);
            }
            (None, None) => {
                return Err(ProxyError::UnusableAnswer {
                    answer: answer.text.clone(),
                    host: host.clone(),
                    built: engine.in_words(),
                }
                .into());
            }
        }
    }
    remarks.extend(others.remarks());
    let unknown: Vec<String> = hosts
        .iter()
        .filter(|host| asked.of(host).is_none())
        .cloned()
        .collect();
    if !unknown.is_empty() {
        remarks.push(Remark::NeverAsked {
            hosts: unknown,
            uses: winner.as_ref().map(ProxyUrl::authority),
        });
    }
    let http = for_http(&asked, &plain, engine, winner.as_ref(), remarks);
    Ok(Some(ByScript {
        chosen: EffectiveProxies {
            http,
            https: winner,
            entries,
        },
        explanations: notes.explanations,
        pac_unreachable,
    }))
}

/// Returns the proxy for `http://`: the one that the script names for it, else the one for `https://`.
fn for_http(
    asked: &PacAnswers,
    plain: &[String],
    engine: &ClientDialect,
    https: Option<&ProxyUrl>,
    remarks: &mut Vec<Remark>,
) -> Option<ProxyUrl> {
    let choices: Vec<(&PacAnswer, Choice)> = plain
        .iter()
        .filter_map(|url| asked.of(url))
        .filter_map(|answer| Some((answer, choice(answer, engine)?)))
        .collect();
    let own = most(choices.iter().map(|(_, choice)| choice));
    let Some(https) = https else {
        if let Some(own) = own {
            let proxy = own.authority();
            remarks.push(Remark::HttpOnly { proxy });
        }
        return None;
    };
    // The proxy for http:// differs only if the script never names the https:// proxy for http://.
    let is_common = |choice: &Choice| matches!(choice, Choice::Proxy(url) if url == https);
    let uses = own
        .filter(|_| !choices.iter().any(|(_, choice)| is_common(choice)))
        .unwrap_or_else(|| https.clone());
    let mut others = Grouped::default();
    // The engine pulls nothing from Docker's own registry over http://.
    for (answer, choice) in choices.iter().filter(|(answer, _)| answer.host != plain[0]) {
        let host = answer.host.trim_start_matches("http://");
        let secure = asked.of(host.trim_end_matches('/'));
        // If so, the host is in the no-proxy list, which applies to both schemes.
        let is_direct = secure.is_some_and(|answer| answer.routes.first() == Some(&Route::Direct));
        let proxy = match choice {
            Choice::Direct if is_direct => continue,
            Choice::Direct => None,
            Choice::Proxy(other) if !is_direct && *other == uses => continue,
            Choice::Proxy(other) => Some(other.authority()),
        };
        let uses = (!is_direct).then(|| uses.authority());
        others.add(&answer.host, HostRemark::Http { proxy, uses });
    }
    remarks.extend(others.remarks());
    Some(uses)
}

/// Returns the proxy that is named most often; if there are several, the first.
fn most<'a>(choices: impl Iterator<Item = &'a Choice>) -> Option<ProxyUrl> {
    let mut tally: Vec<(&ProxyUrl, usize)> = Vec::new();
    for choice in choices {
        let Choice::Proxy(url) = choice else {
            continue;
        };
        match tally.iter_mut().find(|(there, _)| *there == url) {
            Some((_, count)) => *count += 1,
            None => tally.push((url, 1)),
        }
    }
    let most = tally.iter().map(|(_, count)| *count).max()?;
    let (winner, _) = tally.into_iter().find(|(_, count)| *count == most)?;
    Some(winner.clone())
}

enum Choice {
    Direct,
    Proxy(ProxyUrl),
}

fn choice(answer: &PacAnswer, engine: &ClientDialect) -> Option<Choice> {
    engines_choice(answer, engine).map(|(_, choice)| choice)
}

/// Returns the first route of an answer that the engine can take, with its index.
///
/// A direct route counts only if it is the script's first choice. After a proxy, it is for the case
/// that the proxy is down, and an engine that doesn't know the proxy can't tell whether it is.
fn engines_choice(answer: &PacAnswer, engine: &ClientDialect) -> Option<(usize, Choice)> {
    // Like Chromium, ignore an entry that only Firefox understands.
    let mut ignored = answer.ignored.iter();
    let is_understood = ignored.all(|ignored| ignored.why == InvalidEntry::FirefoxOnly);
    if answer.routes.first() == Some(&Route::Direct) && is_understood {
        return Some((0, Choice::Direct));
    }
    answer.routes.iter().enumerate().find_map(|(at, route)| {
        let (scheme, host, port) = match route {
            Route::Http { host, port } => (Scheme::Http, host, *port),
            Route::Socks { host, port } if engine.knows_socks => (Scheme::Socks5, host, *port),
            _ => return None,
        };
        let url = ProxyUrl::from_parts(scheme, host, port, None).ok()?;
        Some((at, Choice::Proxy(url)))
    })
}

#[cfg(test)]
mod tests;
