//! Proxy auto-configuration (PAC): a JavaScript file whose function `FindProxyForURL(url, host)` says
//! which proxy a URL goes through; and WPAD, by which a network offers such a file.
//!
//! The engine is `boa_engine`, which is written in Rust, on macOS and on Linux alike. CFNetwork could
//! run scripts on macOS, but then what runs there would be tested nowhere. The price is about 5 MB.
//!
//! A script comes from a server, and with WPAD from whoever runs the network, so it is taken for
//! hostile: it is at most 1 MiB, runs in a process of its own that is killed after five seconds or
//! when it fills 256 MB ([`evaluate_apart`]), and can do nothing there but calculate and look names up.
//! A script that can't be had or does not answer is never replaced by a guess: either its last answers
//! are given, and said to be that, or there is an error.
//!
//! Sources: MDN, "Proxy Auto-Configuration (PAC) file"; Microsoft, "IPv6 extensions to Navigator
//! auto-config file format"; the expired Internet-Draft draft-ietf-wrec-wpad-01 for WPAD, of which
//! only the name `wpad` is asked for, not DHCP.

mod apart;
mod date_text;
mod dates;
mod fetch;
mod helpers;
mod lacks;
mod memory;
mod pattern;
mod regexp;
mod route;
mod script;

use std::env;
use std::fmt;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result, plain};
use crate::net::lookup;
use crate::proxy::redact;

pub use apart::{COMMAND, Evaluated, evaluate_apart, work};
pub use fetch::{Script, fetch};
pub use memory::Memory;
pub use route::{Route, Routes};

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
pub struct Answer {
    /// The host.
    pub host: String,
    /// The URL that the script was asked for.
    pub url: String,
    /// What it said, without passwords.
    pub text: String,
    /// What that means, in the order in which it is to be tried; never empty.
    pub routes: Vec<Route>,
    /// Entries that nobody understands, each with the reason.
    pub ignored: Vec<String>,
}

/// Answers for all hosts, and how good they are.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked {
    /// One for each host, in their order; none at all where the network was asked for a script and has none.
    pub answers: Vec<Answer>,
    /// When the oldest of them was given, where they are not fresh.
    pub kept_since: Option<SystemTime>,
    /// What the user should know of how they came about, in a sentence without a full stop.
    pub trouble: Option<String>,
}

/// Asks the script for `https://HOST/` of each of `hosts`, which may have a port, or be a URL themselves.
///
/// Where it can't be had or fails, what it said last is given, if it ever answered for all of them.
/// A network without a host `wpad` offers no script: then there are no answers, and other settings count.
///
/// # Errors
/// When there is neither an answer nor one that was kept.
pub fn ask(source: &PacSource, hosts: &[String], memory: &Memory) -> Result<Asked> {
    let program = env::current_exe().map_err(|error| {
        Error::new(
            Kind::Failure,
            format!("could not find Baleen's own program: {}", plain(&error)),
        )
    })?;
    ask_through(&program, source, hosts, memory)
}

/// As [`ask`], with the program that runs the script, which has to understand [`COMMAND`].
///
/// # Errors
/// As [`ask`].
pub fn ask_through(
    program: &Path,
    source: &PacSource,
    hosts: &[String],
    memory: &Memory,
) -> Result<Asked> {
    let (url, script) = match source {
        PacSource::Url(url) => (Some(&**url), fetch(url)),
        PacSource::Discover => match no_wpad() {
            Some(why) => {
                return Ok(Asked {
                    answers: Vec::new(),
                    kept_since: None,
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
    let urls: Vec<String> = hosts.iter().map(|host| url_of(host)).collect();
    let error = match script.and_then(|script| evaluate_apart(program, &script, &urls)) {
        Ok(evaluated) => return Ok(fresh(evaluated, hosts, url, memory)),
        Err(error) => error,
    };
    match url.and_then(|url| memory.get(url, hosts)) {
        Some((answers, since)) => Ok(Asked {
            answers,
            kept_since: Some(since),
            trouble: Some(error.to_string()),
        }),
        None if error.advice().is_some() => Err(error),
        None => Err(error.advise(
            "tell whoever runs your network, or choose another proxy setting; nothing was decided without the script",
        )),
    }
}

fn fresh(evaluated: Evaluated, hosts: &[String], url: Option<&str>, memory: &Memory) -> Asked {
    let mut answers = evaluated.answers;
    for (answer, host) in answers.iter_mut().zip(hosts) {
        answer.host.clone_from(host);
    }
    let mut trouble = evaluated.remarks;
    if let Some(name) = evaluated.unanswered {
        trouble.push(format!(
            "the script asked for the address of {name}, and nobody answered in time; it took that for a name that does not exist"
        ));
    }
    let kept = url.map_or(Ok(()), |url| memory.set(url, &answers, SystemTime::now()));
    if let Err(error) = kept {
        trouble.push(format!(
            "the answers could not be kept for when the script can't be had: {}",
            plain(&error)
        ));
    }
    Asked {
        answers,
        kept_since: None,
        trouble: (!trouble.is_empty()).then(|| trouble.join("; ")),
    }
}

/// Why the network offers no script, if that is so. Where the resolver does not answer, it may.
fn no_wpad() -> Option<String> {
    let error = lookup::lookup(WPAD_HOST, lookup::PATIENCE).err()?;
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

fn url_of(host: &str) -> String {
    match host.contains("://") {
        true => host.to_owned(),
        false => format!("https://{host}/"),
    }
}
