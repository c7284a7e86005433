//! The observed state of Docker.app, of the running Engine, and of the settings.

use std::path::PathBuf;
use std::time::SystemTime;

use crate::docker::{Bundle, Family};
use crate::error::{Error, Face, Fix};
use crate::patch::Unpatched;
use crate::patch::digest::{OriginalSha, Sha};
use crate::patch::live::LiveEdit;
use crate::patch::status::State;
use crate::proxy::RedactedProxy;

/// A message for the user: a sentence without its period, and a remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The sentence.
    pub sentence: String,
    /// Advice on what to do.
    pub hint: Option<String>,
    /// The remedy, if a user interface can carry it out.
    pub fix: Option<Fix>,
}

impl Diagnostic {
    /// Creates a diagnostic with a sentence only.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            hint: None,
            fix: None,
        }
    }

    /// Adds advice on what to do.
    #[must_use]
    pub(crate) fn with_hint(mut self, advice: impl Into<String>) -> Self {
        self.hint = Some(advice.into());
        self
    }
}

impl From<&Error> for Diagnostic {
    fn from(error: &Error) -> Self {
        Self {
            sentence: error.to_string(),
            hint: error.hint(Face::CommandLine),
            fix: error.fix(),
        }
    }
}

/// The observed state of the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BundleState {
    /// There is no Docker.app.
    Missing(Diagnostic),
    /// Docker.app is incomplete.
    Incomplete(Diagnostic),
    /// Baleen does not patch this bundle, or may not read it.
    Unsupported(State, Diagnostic, Option<Bundle>),
    /// Docker.app has a boot image.
    Ready(Installed),
}

/// An installed bundle with a boot image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The bundle.
    pub bundle: Bundle,
    /// The path of the boot image.
    pub image: PathBuf,
    /// Baleen's patch in the image, if it has one.
    pub patch: Option<Patch>,
    /// The proxy that someone else set in an image without Baleen's patch, as far as it is known.
    pub unpatched: Unpatched,
    /// Time at which the image was put in place.
    pub image_since: SystemTime,
}

impl Installed {
    /// Digest of the block in the image; `None` for Docker's own image.
    pub fn block(&self) -> Option<Sha> {
        self.patch.as_ref().map(|patch| patch.block)
    }

    /// The revision of the image.
    pub(crate) fn revision(&self) -> Revision {
        Revision {
            block: self.block(),
            since: self.image_since,
        }
    }
}

/// Baleen's patch in a boot image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Digest of the block in the script.
    pub block: Sha,
    /// The proxy, without passwords.
    pub proxy: RedactedProxy,
    /// The digest of the image without the patch.
    pub original: OriginalSha,
}

/// The identity of a boot image, to distinguish it from earlier and later ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Revision {
    /// Digest of the block in the image; `None` for Docker's own image.
    pub block: Option<Sha>,
    /// Time at which the image was put in place.
    pub since: SystemTime,
}

/// The running Docker, and the proxy state of its engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Running {
    /// Process ID of Docker.
    pub pid: u32,
    /// Start time of the VM, if the system reports it.
    pub since: Option<SystemTime>,
    /// The block in the image that Docker started from, if that image was observed.
    pub block: Option<Option<Sha>>,
    /// True if the VM has a console, over which it can be brought up to date.
    pub has_console: bool,
    /// The last edit of the running VM since its start.
    pub edit: Option<LiveEdit>,
}

impl Running {
    /// Returns how the running engine compares with the image of `installed`.
    pub fn engine(&self, installed: &Installed) -> EngineSync {
        let block = installed.block();
        if let Some(edit) = &self.edit {
            return match edit.gives(block) {
                true => EngineSync::UpdatedLive { at: edit.at },
                false => EngineSync::OutOfDate,
            };
        }
        let is_older = self.since.is_none_or(|since| since < installed.image_since);
        let is_other = match self.block {
            Some(seen) => seen != block,
            // For a stock image it is unknown whether the previous image was different.
            None => block.is_some() && self.since.is_some(),
        };
        match is_older && is_other {
            true => EngineSync::OutOfDate,
            false => EngineSync::UpToDate,
        }
    }

    /// Returns whether the engine can be brought up to date without a restart of Docker.
    pub(crate) fn can_apply_live(&self, installed: &Installed) -> bool {
        self.has_console && matches!(installed.bundle.family, Family::Moby { .. })
    }
}

/// The Engine in the running VM, compared with the boot image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineSync {
    /// Same proxy as the image since the VM started.
    UpToDate,
    /// Same proxy as the image since a live update of the VM.
    UpdatedLive {
        /// Time of the live update.
        at: SystemTime,
    },
    /// Not the proxy of the image.
    OutOfDate,
}

impl EngineSync {
    /// Returns the state's identifier in JSON output.
    pub fn word(self) -> &'static str {
        match self {
            Self::UpToDate => "up-to-date",
            Self::UpdatedLive { .. } => "followed",
            Self::OutOfDate => "out-of-date",
        }
    }
}

/// The way to bring a running engine up to date. Its containers stop either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartScope {
    /// Update the VM over its console to match the image, and restart only the Engine in it.
    Engine,
    /// Restart Docker, and the VM with it.
    Docker,
}

/// The proxy settings, resolved for the installed engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// The settings are not resolved yet.
    Unknown,
    /// The network is down, so the settings say nothing.
    Offline,
    /// The settings can't be read now, which may pass, or can't be expressed for this engine, which won't.
    Failed {
        /// The reason.
        diagnostic: Diagnostic,
        /// True if the failure may pass by itself.
        is_transient: bool,
    },
    /// No proxy.
    Direct {
        /// The source that says so.
        origin: String,
    },
    /// A proxy.
    Proxy {
        /// Digest of the script block that sets this proxy.
        block: Sha,
        /// The proxy, without passwords.
        shown: RedactedProxy,
        /// The source that says so.
        origin: String,
        /// The kept answers of an unreachable PAC script, if the proxy comes from them.
        script: Option<KeptAnswers>,
    },
    /// The PAC script can't be reached, so no proxy is used.
    ScriptUnreachable,
}

/// Kept answers of a PAC script that can't be reached now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptAnswers {
    /// Time of the oldest answer, if known.
    pub since: Option<SystemTime>,
    /// Time at which the answers expire. `None` if they count until the script can be reached again.
    pub until: Option<SystemTime>,
}
