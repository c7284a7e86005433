//! Step by step from Docker.app to the registry: what is well, what is not, and what to do about it.
//!
//! ```text
//! bundle -> family -> writable -> image            the patch
//! proxy -> name -> tcp -> connect -> tls -> registry -> hosts   the way out, as this computer sees it
//! engine                                           what the running engine says it uses
//! settings                                         how the settings differ from what Docker has
//! ```
//!
//! The proxy that is tested is the one that Docker has; only without one, or where another is named to be tested, it is
//! that of the settings.
//!
//! It changes nothing: to see whether a patch could be written, a private folder is made beside the image and
//! removed again. A step whose ground is missing is skipped and says why. Nothing secret leaves the computer but
//! the proxy's password, to the proxy, as the engine sends it; the connection to the registry is made no matter who
//! vouches for it, so that what answers can be named, and nothing is sent over it but the question.

mod diagnosis;
mod docker_app;
mod engine;
mod hosts;
mod net_error;
mod proxy_answer;
mod proxy_verdict;
pub mod report;
mod route;
mod settings;
mod tunnel;
mod untrusted_text;
mod ways;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::RootCertStore;
use serde::Serialize;
use serde_json::Value;

use crate::error::Error;
use crate::net::HostPort;
use crate::patch::intent::Intent;
use crate::patch::status::Expected;
use crate::proxy::route::Hop;
use crate::proxy::{ClientDialect, EngineProxy, Translation};

use untrusted_text::Redactor;
use ways::Tested;

/// What the examination rests on.
pub struct Options<'a> {
    /// Docker.app, or why there is none.
    pub bundle: Result<&'a Path, &'a Error>,
    /// What the user was heard to want in this bundle.
    pub intent: Option<Intent>,
    /// What the engine is to be given.
    pub expected: Expected<'a>,
    /// What this computer's settings, or the options, say.
    pub settings: Settings<'a>,
    /// The proxy that Docker has, password included.
    pub in_place: Option<&'a EngineProxy>,
    /// The engine that uses it.
    pub engine: &'a ClientDialect,
    /// The way of this computer to a host, by its settings; nothing where that is not known.
    pub here: &'a dyn Fn(&HostPort) -> Option<Hop>,
    /// The registry to reach.
    pub registry: &'a HostPort,
    /// The running engine's socket, or why there is none to ask.
    pub docker_socket: Result<PathBuf, String>,
    /// Whom the engine and this computer trust.
    pub trust: &'a Trust,
    /// How long each step that waits for someone may take.
    pub patience: Duration,
}

/// What is set, and where.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a> {
    /// Who says it, as in "the system's settings".
    pub origin: &'a str,
    /// What the engine is to get by them; or why they can't be used.
    pub translation: Result<&'a Translation, &'a Error>,
    /// Whether it was named to be tested, whatever Docker has.
    pub named: bool,
    /// Whether that was by an option that names a proxy.
    pub by_option: bool,
    /// Whether a PAC script decides.
    pub by_script: bool,
    /// Where in the VM this computer is, if the user knows better.
    pub host_address: Option<&'a str>,
    /// The hosts that the config file lists already, under `no_proxy` and under `pac_hosts`.
    pub listed: (&'a [String], &'a [String]),
}

/// Lists of authorities.
#[derive(Debug)]
pub struct Trust {
    /// The public ones, which stand for the list of the engine's VM.
    pub public: RootCertStore,
    /// Those of this computer.
    pub computer: RootCertStore,
}

/// How a step came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should be.
    Good,
    /// Worth knowing, but nothing that keeps the engine from working.
    Warning,
    /// Something is to be done.
    Bad,
    /// Not tried.
    Skipped,
}

/// One step.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// Its name for scripts.
    pub id: &'static str,
    /// What was looked at.
    pub title: String,
    /// How it came out.
    pub outcome: Outcome,
    /// What was found, without passwords.
    pub found: String,
    /// What to do now. A line that begins with four spaces is a command.
    pub remedy: Option<String>,
    /// The same for programs.
    pub facts: Value,
    /// Whether it is missing where it is skipped: some steps are for other set-ups.
    #[serde(skip)]
    pub is_needed: bool,
}

/// All steps, in their order.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Report {
    /// The steps.
    pub steps: Vec<Step>,
}

impl Report {
    /// How many steps came out so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.steps
            .iter()
            .filter(|step| step.outcome == outcome)
            .count()
    }

    /// How many steps should have been taken, and were not.
    pub fn missed(&self) -> usize {
        let missed = |step: &&Step| step.outcome == Outcome::Skipped && step.is_needed;
        self.steps.iter().filter(missed).count()
    }

    /// The steps as they are shown: those that are skipped for one reason together, those that are not needed not at all.
    pub fn shown(&self) -> impl Iterator<Item = &[Step]> {
        self.steps
            .chunk_by(is_one_line)
            .filter(|steps| steps.iter().any(|step| step.is_needed))
    }
}

/// Whether two steps are shown as one.
pub fn is_one_line(a: &Step, b: &Step) -> bool {
    let skipped = a.outcome == Outcome::Skipped && b.outcome == Outcome::Skipped;
    skipped && (a.is_needed, &a.found) == (b.is_needed, &b.found)
}

impl Step {
    fn new(
        id: &'static str,
        title: impl Into<String>,
        outcome: Outcome,
        found: impl Into<String>,
    ) -> Self {
        Self {
            id,
            title: title.into(),
            outcome,
            found: found.into(),
            remedy: None,
            facts: Value::Null,
            is_needed: true,
        }
    }

    /// A step that this set-up does not need.
    fn needless(id: &'static str, title: impl Into<String>, why: impl Into<String>) -> Self {
        let mut step = Self::new(id, title, Outcome::Skipped, why);
        step.is_needed = false;
        step
    }

    fn with_hint(mut self, remedy: Option<impl Into<String>>) -> Self {
        self.remedy = remedy.map(Into::into);
        self
    }

    fn with(mut self, facts: Value) -> Self {
        self.facts = facts;
        self
    }

    fn from_error(id: &'static str, title: &str, error: &Error) -> Self {
        Self::new(id, title, Outcome::Bad, error.to_string()).with_hint(error.hint())
    }
}

/// Takes all the steps, and hands each to `on_step` when it is done.
pub fn examine(question: &Options<'_>, on_step: &mut dyn FnMut(&Step)) -> Report {
    let mut report = Report { steps: Vec::new() };
    let mut tell = |step: Step| {
        on_step(&step);
        report.steps.push(step);
    };
    let status = docker_app::examine(question, &mut tell);
    let tested = Tested::of(question);
    let censor = question.censor();
    route::examine(question, tested.as_ref(), &censor, &mut tell);
    engine::examine(question, status.as_ref(), &censor, &mut tell);
    tell(settings::compare(
        question,
        status.as_ref(),
        tested.as_ref(),
    ));
    report
}

impl Options<'_> {
    /// Whether Docker's proxy was named by hand, so that the settings say nothing of it.
    fn is_by_hand(&self) -> bool {
        self.intent == Some(Intent::Named)
    }

    /// What keeps the passwords of the proxies out of what others send.
    fn censor(&self) -> Redactor {
        let set = self.settings.translation.ok();
        let proxies = [self.in_place, set.and_then(|set| set.proxy.as_ref())];
        let urls = proxies
            .into_iter()
            .flatten()
            .flat_map(|proxy| [proxy.http(), proxy.https()]);
        Redactor::of(urls.flatten())
    }
}
