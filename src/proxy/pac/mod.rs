//! Proxy auto-configuration (PAC): a JavaScript file whose function `FindProxyForURL(url, host)` chooses
//! the proxy for a URL. Also WPAD, by which a network offers a PAC file.
//!
//! The JavaScript engine is `boa_engine`, which is written in Rust, on macOS and on Linux alike.
//! CFNetwork could run scripts on macOS, but then the tests would not cover the code that runs there.
//! The price is about 5 MB.
//!
//! A script comes from a server, and with WPAD from the network's administrator, so this module treats
//! it as hostile. It is at most 1 MiB and runs in a separate process, which is killed after five seconds
//! or when it fills 256 MB ([`evaluate_in_worker`]). There it can only calculate and look up names.
//! If a script is reachable but fails, its answers are never guessed: the caller gets its last answers,
//! marked as such, or an error. If a script can't be reached, the user's policy decides ([`Unreachable`]).
//!
//! Sources: MDN, "Proxy Auto-Configuration (PAC) file"; Microsoft, "IPv6 extensions to Navigator
//! auto-config file format"; the expired Internet-Draft draft-ietf-wrec-wpad-01 for WPAD, of which
//! this module implements only the name `wpad`, not DHCP.

mod address;
mod answer_cache;
mod date_text;
mod dates;
mod error;
mod fetch;
mod helpers;
mod regexp;
mod remark;
mod route;
mod script;
mod shexp;
mod unsupported_features;
mod worker;

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::net::lookup;
use crate::proxy::redact;

pub(crate) use address::of_host;
pub use answer_cache::AnswerCache;
pub use error::{
    Death, EvaluationFault, FetchFault, IgnoredEntry, InvalidAnswer, InvalidEntry, PacError,
    ScriptFault,
};
pub use fetch::{Script, fetch};
pub use remark::{PacRemark, ScriptRemark};
pub use route::{Route, Routes};
pub use unsupported_features::Feature;
pub(crate) use worker::COMMAND;
pub use worker::{Evaluated, PacWorker, Turn, evaluate_in_worker, work};

/// Host name that WPAD looks up in the system's search domains, and the URL of its script.
pub(crate) const WPAD_HOST: &str = "wpad";
const WPAD_URL: &str = "http://wpad/wpad.dat";

/// The source of a script.
#[derive(Clone, PartialEq, Eq)]
pub enum PacSource {
    /// An `http`, `https` or `file` URL, or the path of a file.
    Url(String),
    /// The script itself (`ProxyAutoConfigJavaScript`).
    Script(String),
    /// The network, if it offers a script (WPAD).
    Discover,
}

impl fmt::Debug for PacSource {
    /// Formats the source without the parts of a URL that may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => write!(f, "Url({:?})", shown(url)),
            Self::Script(text) => write!(f, "Script({} bytes)", text.len()),
            Self::Discover => f.write_str("Discover"),
        }
    }
}

/// A script's answer for one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredAnswer")]
pub struct PacAnswer {
    /// The host.
    pub host: String,
    /// The URL that the script was asked for.
    pub url: String,
    /// The answer's text, without passwords.
    pub text: String,
    /// The routes of the answer, in the order in which to try them; never empty.
    pub routes: Vec<Route>,
    /// The entries that were ignored.
    pub ignored: Vec<IgnoredEntry>,
}

/// A [`PacAnswer`] in the file. The ignored entries follow from the text; what the file says about them is for older
/// versions, which wrote and read them as sentences.
#[derive(Deserialize)]
struct StoredAnswer {
    host: String,
    url: String,
    text: String,
    routes: Vec<Route>,
}

impl From<StoredAnswer> for PacAnswer {
    fn from(stored: StoredAnswer) -> Self {
        Self {
            ignored: Routes::parse(&stored.text).map_or_else(|_| Vec::new(), |read| read.ignored),
            host: stored.host,
            url: stored.url,
            text: stored.text,
            routes: stored.routes,
        }
    }
}

/// The policy for a script that can't be fetched.
///
/// In that case macOS, Chromium, Firefox and Docker Desktop from 4.42.1 on go direct: Apple's developer
/// forums, thread 705504 (an address that does not resolve, a failed download, a script with a syntax
/// error); Chromium, `ConfiguredProxyResolutionService` with a script that is not mandatory;
/// docker/for-mac #7695, about a script that only a VPN reaches. [`Self::Direct`] does the same, but not
/// at once, since a change of the proxy restarts the engine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unreachable {
    /// The script's last answers apply for [`TIMEOUT`], then every host is reached directly.
    #[default]
    Direct,
    /// The script's last answers apply until it is back.
    Keep,
}

impl Unreachable {
    /// All policies by name.
    pub const NAMES: [(&'static str, Self); 2] = [("direct", Self::Direct), ("keep", Self::Keep)];
}

/// Time for which a script may be unreachable before the engine goes direct. A VPN takes a minute to
/// connect, and a server a minute to restart.
pub const TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// A script's answers, with their origin.
#[derive(Debug)]
pub struct PacAnswers {
    /// The known answers, in the order of the hosts.
    pub answers: Vec<PacAnswer>,
    /// The origin of the answers.
    pub script_state: ScriptState,
    /// What the user should know about them; not empty unless they are fresh.
    pub remarks: Vec<PacRemark>,
}

/// The origin of a script's answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptState {
    /// From the script, just now.
    Fresh,
    /// From the script, some time ago; now it can't be reached, or fails.
    Kept {
        /// The time of each answer, by host.
        given: BTreeMap<String, SystemTime>,
        /// The time until which they apply; none if they apply until the script is back.
        until: Option<SystemTime>,
    },
    /// The script could not be reached for [`TIMEOUT`], so every host is reached directly.
    Direct,
    /// The network offers no script, or none that can be reached, so there are no answers.
    NotOffered,
}

impl PacAnswers {
    /// Returns the answer for `host`, in the spelling of the request.
    pub fn of(&self, host: &str) -> Option<&PacAnswer> {
        self.answers.iter().find(|answer| answer.host == host)
    }

    /// Returns the answers for `hosts` only.
    pub(crate) fn about(&self, hosts: &[String]) -> Self {
        let answers = self.answers.iter();
        let answers = answers.filter(|answer| hosts.contains(&answer.host));
        let script_state = match &self.script_state {
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
            script_state,
            remarks: self.remarks.clone(),
        }
    }

    /// Returns the time of the answer for `host`, unless it is fresh.
    pub fn given(&self, host: &str) -> Option<SystemTime> {
        match &self.script_state {
            ScriptState::Kept { given, .. } => given.get(host).copied(),
            ScriptState::Fresh | ScriptState::Direct | ScriptState::NotOffered => None,
        }
    }

    /// Returns the time of the oldest answer, unless they are fresh.
    pub fn kept_since(&self) -> Option<SystemTime> {
        match &self.script_state {
            ScriptState::Kept { given, .. } => given.values().min().copied(),
            ScriptState::Fresh | ScriptState::Direct | ScriptState::NotOffered => None,
        }
    }
}

/// Returns the script of this source; nothing if the network offers none.
pub(crate) fn load(source: &PacSource) -> Option<Result<Script, PacError>> {
    match source {
        PacSource::Discover if no_wpad().is_some() => None,
        _ => Some(load_offered(source)),
    }
}

fn load_offered(source: &PacSource) -> Result<Script, PacError> {
    match source {
        PacSource::Url(url) => fetch(url),
        PacSource::Discover => fetch(WPAD_URL),
        PacSource::Script(text) => Ok(Script {
            name: "in the system's settings".to_owned(),
            text: text.clone(),
        }),
    }
}

/// Asks the script about `https://HOST/` for each of `hosts`. A host may have a port, or be a URL itself.
///
/// If the script fails or can't be reached, the function returns its last answers, host by host, for as
/// long as `unreachable` allows. A network without a host `wpad` offers no script: in that case there
/// are no answers, and other settings apply.
///
/// # Errors
/// When there is neither a fresh nor a stored answer for any of the hosts.
pub fn ask(
    source: &PacSource,
    hosts: &[String],
    memory: &AnswerCache,
    unreachable: Unreachable,
) -> Result<PacAnswers, PacError> {
    let program = env::current_exe().map_err(PacError::OwnProgram)?;
    ask_through(&program, source, hosts, memory, unreachable)
}

/// Like [`ask`], but runs the script in `program`, which must understand `worker::COMMAND`.
///
/// # Errors
/// As for [`ask`].
pub fn ask_through(
    program: &Path,
    source: &PacSource,
    hosts: &[String],
    memory: &AnswerCache,
    unreachable: Unreachable,
) -> Result<PacAnswers, PacError> {
    let url = match source {
        PacSource::Url(url) => Some(&**url),
        PacSource::Discover => match no_wpad() {
            Some(why) => return Ok(not_offered(PacRemark::NotOffered(Arc::new(why)))),
            None => Some(WPAD_URL),
        },
        PacSource::Script(_) => None,
    };
    let script = load_offered(source);
    let urls: Vec<String> = hosts.iter().map(|host| address::question(host)).collect();
    let is_reached = script.is_ok();
    let error = match script.and_then(|script| evaluate_in_worker(program, &script, &urls)) {
        Ok(evaluated) => return Ok(fresh(evaluated, hosts, url, memory)),
        Err(error) => error,
    };
    let Some(url) = url else {
        return Err(unknown(error, false));
    };
    let now = SystemTime::now();
    // A script that fails in Baleen may well work in macOS, so don't guess the answers of a
    // reachable script.
    let until = match unreachable {
        Unreachable::Direct if !is_reached => {
            // If the cache can't be written, it also holds no answers.
            let since = memory.unreachable(url, now).unwrap_or(now);
            Some(since + TIMEOUT)
        }
        Unreachable::Direct | Unreachable::Keep => {
            // On failure, the answers only keep an older date of use.
            let _ = memory.in_use(url, now);
            None
        }
    };
    if until.is_some_and(|until| until <= now) {
        return Ok(match source {
            // As for a network that offers no script, the other settings apply.
            PacSource::Discover => not_offered(PacRemark::failed(error)),
            _ => direct(hosts, error),
        });
    }
    let mut given = BTreeMap::new();
    let mut answers = Vec::new();
    for (answer, at) in memory.get(url, hosts).into_iter().flatten() {
        given.insert(answer.host.clone(), at);
        answers.push(answer);
    }
    if answers.is_empty() {
        return Err(unknown(error, until.is_some()));
    }
    Ok(PacAnswers {
        answers,
        script_state: ScriptState::Kept { given, until },
        remarks: vec![PacRemark::failed(error)],
    })
}

/// Returns the error for a script without known answers.
fn unknown(error: PacError, goes_direct: bool) -> PacError {
    PacError::NothingKept {
        why: Box::new(error),
        goes_direct,
    }
}

/// Returns no answers, since the network offers no script.
fn not_offered(why: PacRemark) -> PacAnswers {
    PacAnswers {
        answers: Vec::new(),
        script_state: ScriptState::NotOffered,
        remarks: vec![why],
    }
}

/// Returns direct answers for a script that has been unreachable for too long.
fn direct(hosts: &[String], error: PacError) -> PacAnswers {
    let answers = hosts.iter().map(|host| PacAnswer {
        host: host.clone(),
        url: address::question(host),
        text: "DIRECT".to_owned(),
        routes: vec![Route::Direct],
        ignored: Vec::new(),
    });
    PacAnswers {
        answers: answers.collect(),
        script_state: ScriptState::Direct,
        remarks: vec![PacRemark::failed(error)],
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
    let mut remarks: Vec<PacRemark> = evaluated
        .remarks
        .into_iter()
        .map(PacRemark::Script)
        .collect();
    remarks.extend(evaluated.unanswered.map(PacRemark::Unanswered));
    let kept = url.map_or(Ok(()), |url| memory.set(url, &answers, SystemTime::now()));
    remarks.extend(kept.err().map(|why| PacRemark::NotKept(Arc::new(why))));
    PacAnswers {
        answers,
        script_state: ScriptState::Fresh,
        remarks,
    }
}

/// Returns the resolver's answer if the network offers no script. If the resolver does not answer, the network may
/// still offer one.
fn no_wpad() -> Option<io::Error> {
    let error = lookup::lookup(WPAD_HOST, lookup::TIMEOUT).err()?;
    (error.kind() == io::ErrorKind::NotFound).then_some(error)
}

/// Returns the address of a script without the parts that may be secret: its password and its query.
pub fn shown(url: &str) -> String {
    let url = redact(url);
    match url.split_once('?') {
        Some((before, _)) => format!("{before}?..."),
        None => url,
    }
}
