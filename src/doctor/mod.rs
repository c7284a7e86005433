//! Step by step from Docker.app to the registry: what is well, what is not, and what to do about it.
//!
//! ```text
//! bundle -> family -> writable -> image            the patch
//! proxy -> name -> tcp -> connect -> tls -> registry   the way out, as this computer sees it
//! engine                                           what the running engine says it uses
//! ```
//!
//! It changes nothing: to see whether a patch could be written, a private folder is made beside the image and
//! removed again. A step whose ground is missing is skipped and says why. Nothing secret leaves the computer but
//! the proxy's password, to the proxy, as the engine sends it; the connection to the registry is made whoever
//! vouches for it, so that what answers can be named, and nothing is sent over it but the question.

mod docker_app;
mod engine;
mod foreign;
pub mod report;
mod route;
mod verdict;
mod words;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::RootCertStore;
use serde::Serialize;
use serde_json::Value;

use crate::error::Error;
use crate::net::HostPort;
use crate::patch::intent::Intent;
use crate::patch::status::Expected;
use crate::proxy::ProxyUrl;

use foreign::Censor;

/// What the examination rests on.
pub struct Question<'a> {
    /// Docker.app, or why there is none.
    pub bundle: Result<&'a Path, &'a Error>,
    /// What the user was heard to want in this bundle.
    pub wanted: Option<Intent>,
    /// What the engine is to be given.
    pub expected: Expected<'a>,
    /// The proxy as this computer reaches it, password included; none: it is on the network directly. Or why the
    /// setting can't be used.
    pub proxy: Result<Option<&'a ProxyUrl>, &'a Error>,
    /// Whether the engine's proxy was named by hand, so that this computer's says nothing of it.
    pub by_hand: bool,
    /// What the engine can't be given of the computer's setting, in words.
    pub remarks: &'a [String],
    /// The registry to reach.
    pub registry: &'a HostPort,
    /// The running engine's socket, or why there is none to ask.
    pub docker_socket: Result<PathBuf, String>,
    /// Whom the engine and this computer trust.
    pub trust: &'a Trust,
    /// How long each step that waits for somebody may take.
    pub patience: Duration,
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
        }
    }

    fn advise(mut self, remedy: Option<impl Into<String>>) -> Self {
        self.remedy = remedy.map(Into::into);
        self
    }

    fn with(mut self, facts: Value) -> Self {
        self.facts = facts;
        self
    }

    fn from_error(id: &'static str, title: &str, error: &Error) -> Self {
        Self::new(id, title, Outcome::Bad, error.to_string()).advise(error.advice())
    }
}

/// Takes all the steps, and hands each to `on_step` when it is done.
pub fn examine(question: &Question<'_>, on_step: &mut dyn FnMut(&Step)) -> Report {
    let mut report = Report { steps: Vec::new() };
    let mut tell = |step: Step| {
        on_step(&step);
        report.steps.push(step);
    };
    let status = docker_app::examine(question, &mut tell);
    route::examine(question, &mut tell);
    engine::examine(question, status.as_ref(), &mut tell);
    report
}

impl Question<'_> {
    /// What keeps the proxy's password out of what others send.
    fn censor(&self) -> Censor {
        Censor::of(self.proxy.ok().flatten())
    }
}
