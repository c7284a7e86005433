//! Errors about PAC scripts.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error as ThisError;

use crate::error::{Failure, IoError, Kind, plain};
use crate::net::tls;
use crate::proxy::InvalidUrl;

use super::{fetch, script, worker};

/// The reason why a script gives no answer.
#[derive(Debug, ThisError)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum PacError {
    #[error(transparent)]
    File(#[from] IoError),
    #[error("could not read {}: expected a file, found something else", .0.display())]
    NotAFile(PathBuf),
    #[error("could not get the PAC script {name}: {why}")]
    Fetch {
        name: String,
        #[source]
        why: FetchFault,
    },
    // The script may throw any text, and of any length.
    #[error("the PAC script {name} could not be evaluated: {}", worker::tidy(&why.to_string()))]
    Evaluate {
        name: String,
        #[source]
        why: Box<EvaluationFault>,
    },
    /// No answer is known for the hosts from earlier either.
    #[error("{why}")]
    NothingKept {
        #[source]
        why: Box<PacError>,
        /// True if the engine goes direct when the script stays unreachable.
        goes_direct: bool,
    },
    #[error("could not find Baleen's own program: {}", plain(.0))]
    OwnProgram(#[source] io::Error),
    #[error("{command} is what Baleen calls itself with, and understood nothing: {0}", command = super::COMMAND)]
    Request(#[source] serde_json::Error),
    #[error("could not start a thread: {}", plain(.0))]
    Thread(#[source] io::Error),
    #[error("could not write JSON: {0}")]
    Response(#[source] serde_json::Error),
}

impl Failure for PacError {
    fn kind(&self) -> Kind {
        match self {
            Self::File(error) => error.kind(),
            Self::NothingKept { why, .. } => why.kind(),
            Self::Request(_) => Kind::Usage,
            _ => Kind::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::File(error) => error.code(),
            Self::NotAFile(_) => "pac-not-a-file",
            Self::Fetch { .. } => "pac-not-fetched",
            Self::Evaluate { .. } => "pac-not-evaluated",
            Self::NothingKept { why, .. } => why.code(),
            Self::OwnProgram(_) => "pac-no-program",
            Self::Request(_) => "pac-invalid-request",
            Self::Thread(_) => "pac-no-thread",
            Self::Response(_) => "pac-no-response",
        }
    }
}

/// The reason why a script could not be fetched. No message has the URL, which the error around it names.
#[derive(Debug, ThisError)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum FetchFault {
    #[error("expected http://, https://, file:// or a path")]
    Scheme,
    #[error("expected file:///PATH, with no host but localhost, and found another")]
    OtherComputer,
    #[error("that is no URL to go to")]
    Url,
    #[error("its port '{0}' is no number from 1 to 65535")]
    Port(String),
    #[error("could not look {host} up: {}", plain(why))]
    Lookup {
        host: String,
        #[source]
        why: io::Error,
    },
    #[error("it redirects to something that is no web server")]
    RedirectsElsewhere,
    #[error("it redirects from https:// to http://")]
    RedirectsFromTls,
    #[error("more than {} redirects", fetch::MAX_REDIRECTS)]
    Redirects,
    #[error(transparent)]
    NoTls(tls::Unsupported),
    #[error("its TLS is not to be trusted: {0}")]
    Untrusted(#[source] rustls::Error),
    #[error("no answer within {} seconds", fetch::TIMEOUT.as_secs())]
    TimedOut,
    #[error("{}", plain(.0))]
    Io(#[source] io::Error),
    #[error(transparent)]
    Http(ureq::Error),
    #[error("expected the status 200, found {0}")]
    Status(String),
    #[error("it came compressed ({0}), unasked for")]
    Compressed(String),
    #[error("it broke off: {0}")]
    BrokeOff(#[source] Box<FetchFault>),
    #[error("it has more than {} bytes", fetch::MAX_SCRIPT_LEN)]
    TooLong,
    #[error("expected a script, found a web page")]
    WebPage,
}

/// The reason why a script could not be evaluated.
#[derive(Debug, ThisError)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum EvaluationFault {
    #[error("it was to be asked for what is no URL")]
    Question,
    #[error("{0}")]
    Request(#[source] serde_json::Error),
    #[error("could not run {} for it: {}", program.display(), plain(why))]
    Run {
        program: PathBuf,
        #[source]
        why: io::Error,
    },
    #[error("its process has no pipes")]
    NoPipes,
    #[error("it did not end within {} seconds", worker::TIMEOUT.as_secs())]
    TimedOut,
    #[error("other questions kept it busy for {} seconds", worker::TIMEOUT.as_secs())]
    Busy,
    #[error("its answers broke off: {}", plain(.0))]
    BrokeOff(#[source] io::Error),
    #[error("it answered more than {} bytes", worker::MAX_OUTPUT_LEN)]
    TooMuch,
    #[error("it needs more than {} MB of memory", worker::MAX_MEMORY >> 20)]
    Memory,
    #[error("the engine that ran it {0}, as when calls or brackets stand too deep in each other")]
    Died(Death),
    #[error("what its process said is not understood: {0}")]
    Output(#[source] serde_json::Error),
    #[error("{found} answers to {expected} questions")]
    Count { found: usize, expected: usize },
    #[error(transparent)]
    Script(ScriptFault),
    #[error("asked for {url}, it answered '{answer}': {why}")]
    Answer {
        url: String,
        /// Without passwords.
        answer: String,
        #[source]
        why: InvalidAnswer,
    },
}

impl EvaluationFault {
    /// True if the process ended, which need not be due to the question.
    pub(super) fn is_end(&self) -> bool {
        matches!(self, Self::BrokeOff(_) | Self::Died(_))
    }
}

/// The end of a process that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ThisError)]
pub enum Death {
    /// The number of the signal.
    #[error("ended by the signal {0}")]
    Signal(i32),
    /// The exit status.
    #[error("ended with the {0}")]
    Status(std::process::ExitStatus),
}

/// The failure of a script itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ThisError)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum ScriptFault {
    #[error("the engine failed{}", .0.as_ref().map_or(String::new(), |why| format!(": {why}")))]
    Engine(Option<String>),
    #[error("it has no function FindProxyForURL")]
    NoFunction,
    #[error(
        "it has no function FindProxyForURL that a browser would find: declared with let or const, it's no property of the global object, so browsers ignore the script and go direct"
    )]
    NotGlobal,
    #[error(
        "it has no function FindProxyForURL, only FindProxyForURLEx, which is Microsoft's: other browsers ignore the script and go direct"
    )]
    OnlyMicrosofts,
    #[error(
        "it failed{}: {}",
        line.map_or(String::new(), |line| format!(" in line {line}")),
        thrown.as_deref().unwrap_or("it threw an object that is no Error")
    )]
    Threw {
        line: Option<u32>,
        /// None if it is an object that is no error.
        thrown: Option<String>,
    },
    #[error("it returned something of the type {0} instead of a string")]
    NotAString(String),
    #[error("it returned {0} characters; no answer has more than {most}", most = script::MAX_ANSWER_LEN)]
    TooLong(usize),
    #[error("it returned half of a character (an unpaired surrogate)")]
    HalfCharacter,
    #[error("asked for {url}, {why}")]
    AskedFor {
        url: String,
        #[source]
        why: Box<ScriptFault>,
    },
}

impl ScriptFault {
    /// Adds the URL that the script was asked for.
    pub(super) fn asked_for(self, url: &str) -> Self {
        Self::AskedFor {
            url: url.to_owned(),
            why: Box::new(self),
        }
    }
}

/// The reason why an answer is not used at all.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub enum InvalidAnswer {
    /// Nothing that a browser would accept.
    #[error("it holds a line break or another control character")]
    Control,
    /// A direct route would be a guess.
    #[error("nothing in it is understood: {0}")]
    Nothing(#[source] IgnoredEntry),
}

/// An entry of an answer that doesn't count.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[error("'{entry}': {why}")]
pub struct IgnoredEntry {
    /// The entry, without passwords.
    pub entry: String,
    /// The reason.
    #[source]
    pub why: InvalidEntry,
}

impl Serialize for IgnoredEntry {
    /// Writes the entry alone, from which the reason follows.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.entry)
    }
}

/// The reason why an entry of an answer doesn't count.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum InvalidEntry {
    /// From a test of Chromium 156 and Firefox ESR 153 with the same script.
    #[error(
        "Chromium ignores the word HTTP, Firefox takes it for PROXY; the script should say PROXY"
    )]
    FirefoxOnly,
    #[error("expected DIRECT, PROXY, HTTPS, SOCKS, SOCKS4 or SOCKS5")]
    Kind,
    #[error("expected a host and a port, and nothing else")]
    Place,
    #[error(transparent)]
    Url(InvalidUrl),
}
