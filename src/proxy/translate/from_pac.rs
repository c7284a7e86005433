//! Translates a PAC script's answers into an engine's settings: one proxy for `https://`, one for
//! `http://`, and hosts to reach directly.
//!
//! A script can say more than an engine can express: what to try when a proxy fails, other kinds of
//! proxies, another proxy for each host. [`notes`] reports each of these once, in a sentence.

use std::net::IpAddr;
use std::time::SystemTime;

use crate::error::{Error, Kind, Result};

use crate::proxy::pac::{
    FIREFOX_ONLY, PacAnswer, PacAnswers, PacSource, Route, ScriptState, of_host,
};
use crate::proxy::url::Scheme;
use crate::proxy::{ClientDialect, ProxyUrl, docker_hub};

use super::entries::{EntryOutcome, TranslatedEntry, WIDENED_TO_SUBDOMAINS, for_go};
use super::{EffectiveProxies, Overrides, Resolvers};

/// A PAC script that can't be asked now, and what applies instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptUnreachable {
    /// The whole state as a sentence without a period.
    pub sentence: String,
    /// The time of the oldest answer in use; none if the engine goes direct.
    pub kept_since: Option<SystemTime>,
    /// The time until which the answers are used; none if they are used until the script is back.
    pub until: Option<SystemTime>,
}

impl ScriptUnreachable {
    /// Returns the state of these answers, unless they are fresh or the network offers no script.
    pub fn of(asked: &PacAnswers) -> Option<Self> {
        let why = asked.trouble.as_deref().unwrap_or_default();
        let kept_since = asked.kept_since();
        let (sentence, until) = match &asked.script_state {
            ScriptState::Fresh | ScriptState::NotOffered => return None,
            ScriptState::Direct => (
                format!(
                    "{why}; so the engine goes direct, as macOS does (`baleen config set pac_unreachable keep` has it use the script's last answers)"
                ),
                None,
            ),
            ScriptState::Kept { until, .. } => {
                let answers = format!("its answers from {}", ago(kept_since?));
                let sentence = match until {
                    Some(until) => format!(
                        "{why}; {answers} are used for another {}, then the engine goes direct",
                        minutes(*until)
                    ),
                    None => format!("{why}; {answers} are used"),
                };
                (sentence, *until)
            }
        };
        Some(Self {
            sentence,
            kept_since,
            until,
        })
    }
}

/// Returns the time left until `until`, in words.
fn minutes(until: SystemTime) -> String {
    let left = until.duration_since(SystemTime::now()).unwrap_or_default();
    match left.as_secs().div_ceil(60) {
        0 | 1 => "minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    }
}

/// Returns the time since `since`, in words.
pub fn ago(since: SystemTime) -> String {
    let minutes = since.elapsed().map_or(0, |time| time.as_secs() / 60);
    match minutes {
        0..=1 => "a moment ago".to_owned(),
        2..=119 => format!("{minutes} minutes ago"),
        120..=2879 => format!("{} hours ago", minutes / 60),
        _ => format!("{} days ago", minutes / 60 / 24),
    }
}

/// The notes about a script's answers.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// The reasons why the engine takes another route than the script's first choice, a sentence each.
    pub remarks: Vec<String>,
    /// Other parts of the answers that the engine can't express, a sentence each.
    pub explanations: Vec<String>,
}

/// Sentences about hosts, each once, with all the hosts that it applies to.
#[derive(Default)]
struct Grouped(Vec<(String, String, Vec<String>)>);

impl Grouped {
    fn add(&mut self, before: &str, host: &str, after: String) {
        match self
            .0
            .iter_mut()
            .find(|(b, a, _)| b == before && *a == after)
        {
            Some((_, _, hosts)) if hosts.iter().any(|there| there == host) => {}
            Some((_, _, hosts)) => hosts.push(host.to_owned()),
            None => self
                .0
                .push((before.to_owned(), after, vec![host.to_owned()])),
        }
    }

    fn sentences(self) -> impl Iterator<Item = String> {
        let sentence = |(before, after, hosts): (_, _, Vec<String>)| {
            format!("{before}{}{after}", listed(&hosts))
        };
        self.0.into_iter().map(sentence)
    }
}

/// Returns a list of hosts in words.
fn listed(hosts: &[String]) -> String {
    match hosts {
        [] => String::new(),
        [one] => one.clone(),
        [one, two] => format!("{one} and {two}"),
        [one, two, three] => format!("{one}, {two} and {three}"),
        [one, two, rest @ ..] => format!("{one}, {two} and {} more", rest.len()),
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
        for why in &answer.ignored {
            let why = format!(", this can't be understood: {why}");
            remarks.add("in the PAC script's answer for ", host, why);
        }
        let is_bare = |word: &str| word.eq_ignore_ascii_case("SOCKS");
        if engine.knows_socks && words(&answer.text).any(is_bare) {
            let why = " the PAC script says SOCKS without a version: browsers take that for version 4, the engine speaks version 5";
            remarks.add("for ", host, why.to_owned());
        }
        let Some((at, choice)) = engines_choice(answer, engine) else {
            continue;
        };
        let (before, after) = (&answer.routes[..at], &answer.routes[at + 1..]);
        if !before.is_empty() {
            let why = format!(
                " the PAC script's first choice is {}, which this engine can't use; the next that it can use is {}",
                shown(before),
                answer.routes[at]
            );
            remarks.add("for ", host, why);
        }
        let mut rest: Vec<Route> = Vec::new();
        for route in after {
            if *route != answer.routes[at] && !rest.contains(route) {
                rest.push(route.clone());
            }
        }
        if !rest.is_empty() {
            let what = match choice {
                Choice::Direct => "a direct connection".to_owned(),
                Choice::Proxy(url) => url.authority(),
            };
            let note = format!(
                "if {what} fails, the PAC script goes on to {}; the engine can't do that",
                shown(&rest)
            );
            if !explanations.contains(&note) {
                explanations.push(note);
            }
        }
    }
    Notes {
        remarks: remarks.sentences().collect(),
        explanations,
    }
}

/// Returns the first word of each entry of an answer.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(';')
        .filter_map(|entry| entry.split_whitespace().next())
}

/// Returns the routes in words, in the order in which they are tried.
fn shown(routes: &[Route]) -> String {
    let shown: Vec<String> = routes.iter().map(Route::to_string).collect();
    shown.join(", then ")
}

/// The settings that follow from a script's answers.
pub(super) struct ByScript {
    pub(super) chosen: EffectiveProxies,
    pub(super) explanations: Vec<String>,
    pub(super) pac_unreachable: Option<ScriptUnreachable>,
}

/// Chooses the proxies by the script's answers for the hosts that matter to Docker. Returns nothing if
/// the network should offer a script and doesn't.
pub(super) fn by_script(
    source: &PacSource,
    engine: &ClientDialect,
    overrides: &Overrides,
    resolvers: &Resolvers<'_>,
    remarks: &mut Vec<String>,
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
    let pac_unreachable = ScriptUnreachable::of(&asked);
    match &pac_unreachable {
        Some(pac_unreachable) => remarks.push(pac_unreachable.sentence.clone()),
        None => remarks.extend(asked.trouble.clone()),
    }
    if asked.script_state == ScriptState::NotOffered {
        return Ok(None);
    }

    let known: Vec<&PacAnswer> = hosts.iter().filter_map(|host| asked.of(host)).collect();
    if known.is_empty() {
        return Err(Error::new(
            Kind::Failure,
            format!(
                "{}; it was never asked about {}",
                asked.trouble.unwrap_or_default(),
                listed(&hosts)
            ),
        )
        .with_hint(
            "connect to the network or VPN that the script is in; nothing was decided without it",
        ));
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
                            reason: Some(WIDENED_TO_SUBDOMAINS),
                            ..entry
                        }
                    }
                    _ => entry,
                });
            }
            (Some(url), Some(Choice::Proxy(other))) => {
                if other != *url {
                    let after = format!(
                        " through {}, but an engine has one proxy for all: it uses {}",
                        other.authority(),
                        url.authority()
                    );
                    others.add("the script sends ", host, after);
                }
            }
            (Some(url), None) => {
                let before = format!("the script says \"{}\" for ", answer.text);
                let after = format!(
                    ", which no engine of this version knows; it uses {}",
                    url.authority()
                );
                others.add(&before, host, after);
            }
            (None, None) => {
                return Err(Error::new(
                    Kind::Unsupported,
                    format!(
                        "the PAC script says \"{}\" for {host}, which this engine (built with {}) can't do",
                        answer.text,
                        engine.in_words()
                    ),
                )
                .with_hint("name an HTTP proxy yourself: `baleen config set https_proxy http://HOST:PORT`, then `baleen config set source manual`"));
            }
        }
    }
    remarks.extend(others.sentences());
    let unknown: Vec<String> = hosts
        .iter()
        .filter(|host| asked.of(host).is_none())
        .cloned()
        .collect();
    if !unknown.is_empty() {
        let way = match &winner {
            Some(url) => format!("uses {}", url.authority()),
            None => "goes direct".to_owned(),
        };
        remarks.push(format!(
            "the PAC script was never asked about {}; until it can be, the engine {way} there",
            listed(&unknown)
        ));
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
    remarks: &mut Vec<String>,
) -> Option<ProxyUrl> {
    let choices: Vec<(&PacAnswer, Choice)> = plain
        .iter()
        .filter_map(|url| asked.of(url))
        .filter_map(|answer| Some((answer, choice(answer, engine)?)))
        .collect();
    let own = most(choices.iter().map(|(_, choice)| choice));
    let Some(https) = https else {
        if let Some(own) = own {
            remarks.push(format!(
                "the script sends http:// through {} and https:// directly; the engine goes direct for both",
                own.authority()
            ));
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
        let engine = match is_direct {
            true => "reaches it directly".to_owned(),
            false => format!("uses {}", uses.authority()),
        };
        let way = match choice {
            Choice::Direct if is_direct => continue,
            Choice::Direct => "directly".to_owned(),
            Choice::Proxy(other) if !is_direct && *other == uses => continue,
            Choice::Proxy(other) => format!("through {}", other.authority()),
        };
        let after = format!(" {way}; the engine {engine}");
        others.add("the script reaches ", &answer.host, after);
    }
    remarks.extend(others.sentences());
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
    let is_nothing = |why: &String| why.ends_with(FIREFOX_ONLY);
    if answer.routes.first() == Some(&Route::Direct) && answer.ignored.iter().all(is_nothing) {
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
