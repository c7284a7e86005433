//! A change of an engine's proxy: first as a plan, which can be shown, then carried out.

use std::fmt;
use std::path::PathBuf;

use crate::config::Method;
use crate::digest::OriginalSha;
use crate::error::Error;
use crate::proxy::{RedactedProxy, Unsafe};

use super::Unpatched;

/// How a change is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlanOptions {
    /// The patch method; `None` keeps the present one. Only boot images have methods.
    pub method: Option<Method>,
    /// True if Baleen may take over a proxy that someone else wrote.
    pub adopt: bool,
    /// What becomes of a value that someone else has set since, when what was there before Baleen is restored.
    pub changed_since: ChangedSince,
    /// True for an engine that follows this computer's settings by itself, and goes on doing so.
    pub keeps_following: bool,
    /// True if the engine's app may be quit for the change, and opened again. Its containers stop.
    pub may_quit: bool,
    /// True if containers and builds should get the proxy, too, where the engine's client can give it to them.
    pub containers: bool,
    /// The purpose of the plan.
    pub purpose: Purpose,
}

/// What becomes of a value that someone else has set since Baleen changed it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ChangedSince {
    /// Nothing is restored.
    #[default]
    Refuse,
    /// It stays, and what is Baleen's own is restored.
    Keep,
    /// It is replaced by what was there before Baleen.
    Replace,
}

/// The purpose of a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Purpose {
    /// To be shown. Everything that carrying it out would check is checked.
    Preview,
    /// To be carried out: no other Baleen may change this engine until the plan is dropped.
    #[default]
    Change,
}

/// A complete change of one engine. It needs no further decisions, and holds everything that keeps others from changing
/// the engine in the meantime.
pub trait Plan: fmt::Debug {
    /// Returns what it changes.
    fn changes(&self) -> &Changes;

    /// Carries it out. Returns what was changed.
    ///
    /// # Errors
    /// When something has changed since the plan was made, or a write fails. The engine is then as before.
    fn apply(self: Box<Self>, progress: OnProgress<'_>) -> Result<Changes, Error>;
}

/// What a plan changes, or has changed.
#[derive(Debug)]
pub struct Changes {
    /// False if the engine is as desired already.
    pub is_change: bool,
    /// The file that holds the engine's proxy.
    pub file: PathBuf,
    /// The length of the file, in bytes, once it is written.
    pub bytes: Option<u64>,
    /// The patch method, where there is one.
    pub method: Option<Method>,
    /// The proxy that Baleen sets afterwards.
    pub proxy: Option<RedactedProxy>,
    /// The proxy that Baleen set before, if it is taken away.
    pub removed: Option<RedactedProxy>,
    /// What the engine had before Baleen, where that is kept as a file.
    pub original: Option<Original>,
    /// The name under which it is kept, while Baleen's change is in place.
    pub backup: Option<String>,
    /// The proxy that the engine sets by itself afterwards.
    pub unpatched: Unpatched,
    /// The steps, in their order.
    pub steps: Vec<ChangeStep>,
    /// When the engine uses it.
    pub takes_effect: TakesEffect,
    /// Problems that did not prevent the change.
    pub warnings: Vec<Warning>,
}

/// When an engine uses a changed proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakesEffect {
    /// A running engine uses it at its next start.
    NextStart,
    /// The running engine uses it already.
    AtOnce,
}

/// The file that an engine had before Baleen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Original {
    /// Length in bytes.
    pub bytes: u64,
    /// Its digest.
    pub sha256: OriginalSha,
}

/// A step of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeStep {
    /// Another file that has the name of the backup goes away.
    MoveAside {
        /// The name of the backup.
        name: String,
        /// The path that the other file gets.
        to: PathBuf,
    },
    /// The original is kept under this name.
    KeepOriginal(String),
    /// The lines of a text change.
    Edit {
        /// The text, as in `etc/init.d/docker`.
        text: String,
        /// The difference, without passwords.
        difference: String,
    },
    /// The new file takes the place of the old one, with this mode.
    Replace {
        /// The permissions.
        mode: u32,
    },
}

impl Changes {
    /// Returns the steps' difference of a text, without passwords.
    pub(crate) fn difference(&self) -> Option<&str> {
        self.steps.iter().find_map(|step| match step {
            ChangeStep::Edit { difference, .. } => Some(&**difference),
            _ => None,
        })
    }
}

/// A problem that did not prevent a change.
#[derive(Debug)]
pub enum Warning {
    /// The new file is not yet safe against a power cut.
    PatchNotFlushed(Error),
    /// The original is back, but not yet safe against a power cut.
    RestoreNotFlushed(Error),
    /// Entries of the no-proxy list that can't be said to all programs in containers.
    NotForContainers(Vec<(String, Unsafe)>),
    /// Another program wrote into the old file when it was replaced.
    WrittenTo(PathBuf),
}

/// The progress of a long step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The step.
    pub step: Step,
    /// Bytes done.
    pub done: u64,
    /// Total bytes.
    pub total: u64,
}

/// A long step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Reading the file.
    Reading,
    /// Writing the changed file.
    Rebuilding,
    /// Comparing a file with what it should be.
    Verifying,
}

/// Receives progress reports. It is called often.
pub type OnProgress<'a> = &'a dyn Fn(Progress);
