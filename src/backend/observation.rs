//! The observed state of an engine on disk, and of the running engine.

use std::path::PathBuf;
use std::time::SystemTime;

use serde::Serialize;

use crate::config::Method;
use crate::digest::{OriginalSha, Sha};
use crate::error::Diagnostic;
use crate::proxy::RedactedProxy;

use super::{Engine, Unpatched};

/// How much of an engine is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// As little as possible, which takes about a millisecond.
    Quick,
    /// Every byte. Every digest is checked.
    Deep,
}

/// The observed state of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// There is no engine.
    Missing(Diagnostic),
    /// The engine is incomplete.
    Incomplete(Diagnostic),
    /// Baleen does not change this engine, or may not read it.
    Blocked(Diagnostic, Option<Box<Engine>>),
    /// The engine runs, but does not tell its settings: it is starting, or does not answer.
    NotAnswering(Diagnostic, Box<Engine>),
    /// The engine is complete, and Baleen can change its proxy.
    Ready(Box<Installed>),
}

impl Observation {
    /// The engine, as far as it could be read.
    pub fn engine(&self) -> Option<&Engine> {
        match self {
            Self::Ready(installed) => Some(&installed.engine),
            Self::Blocked(_, engine) => engine.as_deref(),
            Self::NotAnswering(_, engine) => Some(engine),
            Self::Missing(_) | Self::Incomplete(_) => None,
        }
    }

    /// The proxy that Baleen configured.
    pub fn proxy(&self) -> Option<&RedactedProxy> {
        match self {
            Self::Ready(installed) => installed.configured.as_ref().map(|it| &it.proxy),
            _ => None,
        }
    }
}

/// An installed engine whose proxy Baleen can change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The engine.
    pub engine: Engine,
    /// The file that holds its proxy.
    pub file: PathBuf,
    /// What Baleen configured, if it did.
    pub configured: Option<Configured>,
    /// The proxy that someone else set, as far as it is known, if Baleen configured nothing.
    pub unpatched: Unpatched,
    /// Time at which the file was put in place.
    pub since: SystemTime,
    /// Length of the file, in bytes.
    pub bytes: u64,
    /// The digest of the file without Baleen's change, if it is known.
    pub original: Option<OriginalSha>,
    /// Its own settings, if it has some in which the proxy is kept.
    pub own_settings: Option<OwnSettings>,
}

impl Installed {
    /// The revision of the proxy that Baleen configured; `None` for an engine as it was before Baleen.
    pub fn revision(&self) -> Option<Sha> {
        self.configured.as_ref().map(|it| it.revision)
    }

    /// Returns whether the engine follows this computer's settings by itself, without Baleen's change.
    pub(crate) fn follows_by_itself(&self) -> bool {
        let own = self.own_settings.as_ref();
        self.configured.is_none() && own.is_some_and(|own| own.follows_system)
    }

    /// The facts about the boot image, for programs; null for an engine that has settings of its own instead.
    pub(crate) fn facts(&self) -> serde_json::Value {
        if self.own_settings.is_some() {
            return serde_json::Value::Null;
        }
        serde_json::json!({
            "path": self.file,
            "bytes": self.bytes,
            "original_sha256": self.original,
            "method": self.configured.as_ref().map(|it| it.method),
        })
    }

    /// The generation of the file.
    pub(crate) fn generation(&self) -> Generation {
        Generation {
            revision: self.revision(),
            since: self.since,
        }
    }
}

/// The settings of an engine that keeps its proxy in settings of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnSettings {
    /// Where the values come from.
    pub layer: Layer,
    /// Whose proxy the engine uses, as its settings say it.
    pub mode: String,
    /// Whose proxy containers use, where there is a setting for it.
    pub containers_mode: Option<String>,
    /// True if pulls and builds may bypass the engine's proxy, because of the containers' mode.
    pub containers_bypass: bool,
    /// True if `daemon.json` has proxies, which this engine ignores, or in older versions prefers.
    pub daemon_proxies: bool,
    /// True if the engine follows this computer's settings by itself.
    pub follows_system: bool,
    /// True if Baleen gives the proxy to containers and builds, too.
    pub containers: bool,
    /// How often Baleen has put its proxy back after something else took it out.
    #[serde(skip)]
    pub repairs: u32,
    /// The revision of the proxy that containers get from Baleen.
    #[serde(skip)]
    pub containers_revision: Option<Sha>,
    /// True if the engine followed this computer's settings before Baleen changed them.
    #[serde(skip)]
    pub followed_before: bool,
    /// True if Baleen has changed something that it can take back now.
    #[serde(skip)]
    pub can_restore: bool,
    /// True if Baleen has set its proxy at some time, and has not restored what was there before.
    #[serde(skip)]
    pub was_configured: bool,
    /// True if Baleen has set the proxy of the engine that still runs, and something put it back.
    #[serde(skip)]
    pub was_put_back: bool,
}

/// The layer of settings whose value is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// The running engine told it.
    RunningDocker,
    /// It is in the settings file.
    SettingsFile,
}

/// What Baleen configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configured {
    /// The [revision](crate::proxy::EngineProxy::revision) of the proxy.
    pub revision: Sha,
    /// The proxy, without passwords.
    pub proxy: RedactedProxy,
    /// The patch method, where there is one.
    pub method: Option<Method>,
}

/// The identity of the file that holds an engine's proxy, to distinguish it from earlier and later ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation {
    /// The revision of the proxy in it; `None` for a file without Baleen's change.
    pub revision: Option<Sha>,
    /// Time at which it was put in place.
    pub since: SystemTime,
}

/// A change of the running engine, finished or only begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveEdit {
    /// The revision of the proxy that the engine was restarted with. `None` if it has no proxy from Baleen.
    pub revision: Option<Sha>,
    /// Time of the edit.
    pub at: SystemTime,
    /// Set while the edit is unfinished: the state of that engine is then unknown.
    pub is_open: bool,
}

impl LiveEdit {
    /// Returns whether the engine has exactly this proxy, or none.
    pub fn gives(&self, revision: Option<Sha>) -> bool {
        !self.is_open && self.revision == revision
    }
}

/// The running engine, and the state of its proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Running {
    /// Process ID of the engine's app.
    pub pid: u32,
    /// Start time of the VM, if the system reports it.
    pub since: Option<SystemTime>,
    /// The revision of the proxy that it started with, if that was observed.
    pub revision: Option<Option<Sha>>,
    /// True if the running engine itself tells its settings, so that they are never out of date.
    pub tells_settings: bool,
    /// True if the engine's VM has a console, over which it can be brought up to date.
    pub has_console: bool,
    /// The last edit of the running VM since its start.
    pub edit: Option<LiveEdit>,
}

impl Running {
    /// Returns how the running engine compares with what `installed` has configured.
    pub fn engine(&self, installed: &Installed) -> EngineSync {
        if self.tells_settings {
            return EngineSync::UpToDate;
        }
        let revision = installed.revision();
        if let Some(edit) = &self.edit {
            return match edit.gives(revision) {
                true => EngineSync::UpdatedLive { at: edit.at },
                false => EngineSync::OutOfDate,
            };
        }
        let is_older = self.since.is_none_or(|since| since < installed.since);
        let is_other = match self.revision {
            Some(seen) => seen != revision,
            // If Baleen configured nothing, it is unknown whether it had before.
            None => revision.is_some() && self.since.is_some(),
        };
        match is_older && is_other {
            true => EngineSync::OutOfDate,
            false => EngineSync::UpToDate,
        }
    }

    /// Returns whether the engine can be brought up to date without a restart of Docker.
    pub(crate) fn can_apply_live(&self, installed: &Installed) -> bool {
        self.has_console && installed.engine.capabilities.live
    }
}

/// The running engine, compared with the proxy that is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineSync {
    /// It has had the configured proxy since it started.
    UpToDate,
    /// It has had the configured proxy since a live update.
    UpdatedLive {
        /// Time of the live update.
        at: SystemTime,
    },
    /// It does not have the configured proxy.
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
    /// Give the configured proxy to the running VM over its console, and restart only the Engine in it.
    Engine,
    /// Restart Docker, and the VM with it.
    Docker,
}
