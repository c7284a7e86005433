//! Proxy auto-configuration (PAC): a JavaScript file whose function `FindProxyForURL(url, host)` says
//! which proxy a URL goes through; and WPAD, by which a network offers such a file.
//!
//! The engine is `boa_engine`, which is written in Rust, on macOS and on Linux alike. CFNetwork could
//! run scripts on macOS, but then what runs there would be tested nowhere. The price is about 5 MB.
//!
//! A script comes from a server, and with WPAD from the network's administrator, so it is taken for
//! hostile: it is at most 1 MiB, runs in a process of its own that is killed after five seconds or
//! when it fills 256 MB ([`evaluate_in_worker`]), and can do nothing there but calculate and look names up.
//! A script that is there and fails is never replaced by a guess: either its last answers are given, and
//! said to be that, or there is an error. For one that can't be reached the user decides ([`Unreachable`]).
//!
//! Sources: MDN, "Proxy Auto-Configuration (PAC) file"; Microsoft, "IPv6 extensions to Navigator
//! auto-config file format"; the expired Internet-Draft draft-ietf-wrec-wpad-01 for WPAD, of which
//! only the name `wpad` is asked for, not DHCP.

mod address;
mod answer_cache;
mod date_text;
mod dates;
mod fetch;
mod helpers;
mod lacks;
mod regexp;
mod route;
mod script;
mod shexp;
mod worker;

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result, plain};
use crate::net::lookup;
use crate::proxy::redact;

pub use address::of_host;
pub use answer_cache::AnswerCache;
pub use fetch::{Script, fetch};
pub(super) use route::FIREFOX_ONLY;
pub use route::{Route, Routes};
pub use worker::{COMMAND, Evaluated, evaluate_in_worker, work};

/// The host that WPAD asks for, in the search domains of the system, and the URL there.
const WPAD_HOST: &str = "wpad";
const WPAD_URL: &str = "http://wpad/wpad.dat";

/// Where a script comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum PacSource {
    /// From an `http`, `https` or `file` URL, or the path of a file.
    Url(String),
    /// It is the script (`ProxyAutoConfigJavaScript`).
    Script(String),
    /// From the network, if that offers one (WPAD).
    Discover,
}

impl fmt::Debug for PacSource {
    /// Without what may be secret in a URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => write!(f, "Url({:?})", shown(url)),
            Self::Script(text) => write!(f, "Script({} bytes)", text.len()),
            Self::Discover => f.write_str("Discover"),
        }
    }
}

/// What a script says of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacAnswer {
    /// The host.
    pub host: String,
    /// The URL that the script was asked for.
    pub url: String,
    /// What it said, without passwords.
    pub text: String,
    /// What that means, in the order in which it is to be tried; never empty.
    pub routes: Vec<Route>,
    /// Entries that no one understands, each with the reason.
    pub ignored: Vec<String>,
}

/// What is to be done when a script can't be fetched.
///
/// macOS, Chromium, Firefox and Docker Desktop from 4.42.1 on go direct then: Apple's developer forums, thread 705504 (an address
/// that does not resolve, a failed download, a script with a syntax error); Chromium, `ConfiguredProxyResolutionService`
/// with a script that is not mandatory; docker/for-mac #7695, about a script that only a VPN reaches. So does [`Self::Direct`], though not at
/// once, since a change of the proxy restarts the engine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unreachable {
    /// Its last answers count for [`TIMEOUT`], then every host is reached directly.
    #[default]
    Direct,
    /// Its last answers count until it is back.
    Keep,
}

impl Unreachable {
    /// All of them by name.
    pub const NAMES: [(&'static str, Self); 2] = [("direct", Self::Direct), ("keep", Self::Keep)];
}

/// How long a script may be unreachable before that counts. A VPN takes a minute to come up, and a server to restart.
pub const TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// Answers, and how good they are.
#[derive(Debug, PartialEq, Eq)]
pub struct PacAnswers {
    /// In the order of the hosts, without those of which nothing is known.
    pub answers: Vec<PacAnswer>,
    /// Where they come from.
    pub standing: ScriptState,
    /// What the user should know of how they came about, in a sentence without a full stop.
    pub trouble: Option<String>,
}

/// Where answers come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptState {
    /// From the script, just now.
    Fresh,
    /// From the script, some time ago; now it can't be reached, or fails.
    Kept {
        /// When it gave each of them, by host.
        given: BTreeMap<String, SystemTime>,
        /// How long they count, if not until the script is back.
        until: Option<SystemTime>,
    },
    /// The script could not be reached for [`TIMEOUT`], so every host is reached directly.
    Direct,
    /// The network was asked for a script and has none, or none that can be reached, so there are no answers.
    NotOffered,
}

impl PacAnswers {
    /// The answer for `host`, as it was asked about.
    pub fn of(&self, host: &str) -> Option<&PacAnswer> {
        self.answers.iter().find(|answer| answer.host == host)
    }

    /// What of it is about `hosts`.
    pub(crate) fn about(&self, hosts: &[String]) -> Self {
        let answers = self.answers.iter();
        let answers = answers.filter(|answer| hosts.contains(&answer.host));
        let standing = match &self.standing {
            ScriptState::Kept { given, until } => {
                let given = given.iter().filter(|(host, _)| hosts.contains(host));
                ScriptState::Kept {
                    given: given.map(|(host, at)| (host.clone(), *at)).collect(),
                    until: *until,
                }
            }
            other => other.clone(),
        };
        Self {
            answers: answers.cloned().collect(),
            standing,
            trouble: self.trouble.clone(),
        }
    }

    /// When `host` was answered for, where that is not just now.
    pub fn given(&self, host: &str) -> Option<SystemTime> {
        match &self.standing {
            ScriptState::Kept { given, .. } => given.get(host).copied(),
            ScriptState::Fresh | ScriptState::Direct | ScriptState::NotOffered => None,
        }
    }

    /// When the oldest of the answers was given, where they are not fresh.
    pub fn kept_since(&self) -> Option<SystemTime> {
        match &self.standing {
            ScriptState::Kept { given, .. } => given.values().min().copied(),
            ScriptState::Fresh | ScriptState::Direct | ScriptState::NotOffered => None,
        }
    }
}

/// Asks the script for `https://HOST/` of each of `hosts`, which may have a port, or be a URL themselves.
///
/// Where it fails, or can't be reached, its last answers are given, host by host; for how long, `unreachable` says.
/// A network without a host `wpad` offers no script: then there are no answers, and other settings count.
///
/// # Errors
/// When there is neither an answer for any of them nor one that was kept.
pub fn ask(
    source: &PacSource,
    hosts: &[String],
    memory: &AnswerCache,
    unreachable: Unreachable,
) -> Result<PacAnswers> {
    let program = env::current_exe().map_err(|error| {
        Error::new(
            Kind::Failure,
            format!("could not find Baleen's own program: {}", plain(&error)),
        )
    })?;
    ask_through(&program, source, hosts, memory, unreachable)
}

/// As [`ask`], with the program that runs the script, which has to understand [`COMMAND`].
///
/// # Errors
/// As [`ask`].
pub fn ask_through(
    program: &Path,
    source: &PacSource,
    hosts: &[String],
    memory: &AnswerCache,
    unreachable: Unreachable,
) -> Result<PacAnswers> {
    let (url, script) = match source {
        PacSource::Url(url) => (Some(&**url), fetch(url)),
        PacSource::Discover => match no_wpad() {
            Some(why) => {
                return Ok(PacAnswers {
                    answers: Vec::new(),
                    standing: ScriptState::NotOffered,
                    trouble: Some(why),
                });
            }
            None => (Some(WPAD_URL), fetch(WPAD_URL)),
        },
        PacSource::Script(text) => {
            let name = "in the system's settings".to_owned();
            let text = text.clone();
            (None, Ok(Script { name, text }))
        }
    };
    let urls: Vec<String> = hosts.iter().map(|host| address::question(host)).collect();
    let is_reached = script.is_ok();
    let error = match script.and_then(|script| evaluate_in_worker(program, &script, &urls)) {
        Ok(evaluated) => return Ok(fresh(evaluated, hosts, url, memory)),
        Err(error) => error,
    };
    let Some(url) = url else {
        return Err(unknown(error, None));
    };
    let now = SystemTime::now();
    // What fails here may well work on the Mac, so of a script that is there only its own word counts.
    let until = match unreachable {
        Unreachable::Direct if !is_reached => {
            // A folder that can't be written remembers no answers either.
            let since = memory.unreachable(url, now).unwrap_or(now);
            Some(since + TIMEOUT)
        }
        Unreachable::Direct | Unreachable::Keep => {
            // What is lost so is the age at which they go.
            let _ = memory.in_use(url, now);
            None
        }
    };
    if until.is_some_and(|until| until <= now) {
        return Ok(match source {
            // As where the network offers none: what else is set counts.
            PacSource::Discover => PacAnswers {
                answers: Vec::new(),
                standing: ScriptState::NotOffered,
                trouble: Some(error.to_string()),
            },
            _ => direct(hosts, &error),
        });
    }
    let mut given = BTreeMap::new();
    let mut answers = Vec::new();
    for (answer, at) in memory.get(url, hosts).into_iter().flatten() {
        given.insert(answer.host.clone(), at);
        answers.push(answer);
    }
    if answers.is_empty() {
        return Err(unknown(error, until));
    }
    Ok(PacAnswers {
        answers,
        standing: ScriptState::Kept { given, until },
        trouble: Some(error.to_string()),
    })
}

/// The error where nothing is known; `until` is when it becomes direct.
fn unknown(error: Error, until: Option<SystemTime>) -> Error {
    if error.hint().is_some() {
        return error;
    }
    error.with_hint(match until {
        Some(_) => {
            "connect to the network or VPN that the script is in; if it stays unreachable for 5 minutes, the engine goes direct, as macOS does (docs/pac.md). Nothing was decided without it"
        }
        None => {
            "tell your network's administrator, or choose another proxy setting; nothing was decided without the script"
        }
    })
}

/// What counts when a script can't be reached for long.
fn direct(hosts: &[String], error: &Error) -> PacAnswers {
    let answers = hosts.iter().map(|host| PacAnswer {
        host: host.clone(),
        url: address::question(host),
        text: "DIRECT".to_owned(),
        routes: vec![Route::Direct],
        ignored: Vec::new(),
    });
    PacAnswers {
        answers: answers.collect(),
        standing: ScriptState::Direct,
        trouble: Some(error.to_string()),
    }
}

fn fresh(
    evaluated: Evaluated,
    hosts: &[String],
    url: Option<&str>,
    memory: &AnswerCache,
) -> PacAnswers {
    let mut answers = evaluated.answers;
    for (answer, host) in answers.iter_mut().zip(hosts) {
        answer.host.clone_from(host);
    }
    let mut trouble = evaluated.remarks;
    if let Some(name) = evaluated.unanswered {
        trouble.push(format!(
            "the script asked for the address of {name}, and there was no answer in time; it took that for a name that does not exist"
        ));
    }
    let kept = url.map_or(Ok(()), |url| memory.set(url, &answers, SystemTime::now()));
    if let Err(error) = kept {
        trouble.push(format!(
            "the answers could not be kept for when the script can't be had: {}",
            plain(&error)
        ));
    }
    PacAnswers {
        answers,
        standing: ScriptState::Fresh,
        trouble: (!trouble.is_empty()).then(|| trouble.join("; ")),
    }
}

/// Why the network offers no script, if that is so. Where the resolver does not answer, it may.
fn no_wpad() -> Option<String> {
    let error = lookup::lookup(WPAD_HOST, lookup::TIMEOUT).err()?;
    (error.kind() == io::ErrorKind::NotFound).then(|| {
        format!(
            "this network offers no PAC script (no host {WPAD_HOST}: {})",
            plain(&error)
        )
    })
}

/// The address of a script, without what may be secret in it: its user, and its query.
pub fn shown(url: &str) -> String {
    let url = redact(url);
    match url.split_once('?') {
        Some((before, _)) => format!("{before}?..."),
        None => url,
    }
}
