//! How things are, as plain data for all who show it.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::config::{RestartPolicy, SourceSetting};
use crate::docker::Family;
use crate::patch::intent::Intent;
use crate::patch::status::State;
use crate::proxy::{DockerFields, RedactedProxy};

use super::agent_state::HistoryEntry;
use super::by_hand;
use super::reconcile::{Diagnostic, EngineSync, Setting};

/// How things are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The state in one word.
    pub state: State,
    /// The state in a sentence, and what to do.
    pub diagnostic: Diagnostic,
    /// Docker's version, as far as it is known.
    pub docker: Option<String>,
    /// How its VM is stored, which decides whether Docker has its own proxy settings.
    pub family: Option<Family>,
    /// Where Docker.app is.
    pub path: Option<PathBuf>,
    /// The proxy that is in the image.
    pub in_image: Option<RedactedProxy>,
    /// What should be in place: the proxy that was named by hand, else that of the settings.
    pub setting: Setting,
    /// What the settings come to, where a proxy was named by hand instead.
    pub beside: Option<Setting>,
    /// The line that sets a proxy by hand in an image that Baleen did not patch.
    pub by_hand: Option<String>,
    /// What the user was heard to want.
    pub intent: Option<Intent>,
    /// Whether the proxy is switched on.
    pub is_on: bool,
    /// Whether it can be switched.
    pub can_switch: bool,
    /// Whether Docker runs.
    pub is_running: bool,
    /// What the Engine in its VM has, as far as there is an image to compare it with.
    pub engine: Option<EngineSync>,
    /// Whether that can be brought up to date without Docker being restarted.
    pub can_follow: bool,
    /// What is being done.
    pub busy: Option<Busy>,
    /// Where the proxy comes from.
    pub source: SourceSetting,
    /// What is to be done when Docker needs a restart.
    pub restart: RestartPolicy,
    /// Whether the config file names a proxy.
    pub has_manual: bool,
    /// What happened last, the newest first.
    pub past: Vec<HistoryEntry>,
}

/// Something that takes a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    /// The proxy is being put into the image.
    Applying,
    /// The original is being brought back.
    Restoring,
    /// Docker is being restarted.
    Restarting,
    /// The running VM is being brought up to date.
    RestartingEngine,
}

impl Busy {
    /// In words.
    pub fn label(self) -> &'static str {
        match self {
            Self::Applying => "Putting the proxy in place…",
            Self::Restoring => "Taking the proxy out…",
            Self::Restarting => "Restarting Docker…",
            Self::RestartingEngine => "Restarting the Engine…",
        }
    }
}

impl View {
    /// When the running VM was made to follow the image, which it still does: in seconds since 1970.
    pub fn applied_live_at(&self) -> Option<u64> {
        match self.engine? {
            EngineSync::Followed { at } => Some(seconds(at)),
            EngineSync::UpToDate | EngineSync::OutOfDate => None,
        }
    }

    /// The pane of Docker's own proxy settings, where it has one.
    pub fn proxy_pane(&self) -> Option<&'static str> {
        self.family.as_ref()?.proxy_pane()
    }

    /// What to enter there; nothing where no proxy is set.
    pub fn docker_fields(&self) -> Option<DockerFields> {
        match &self.setting {
            Setting::Proxy { shown, .. } if self.proxy_pane().is_some() => {
                Some(DockerFields::of(shown))
            }
            _ => None,
        }
    }

    /// Whether a proxy that was named by hand counts, and not the settings.
    pub fn is_named(&self) -> bool {
        self.intent == Some(Intent::Named)
    }

    /// What the settings come to.
    pub fn settings(&self) -> &Setting {
        match &self.beside {
            Some(settings) => settings,
            None if self.is_named() => &Setting::Unknown,
            None => &self.setting,
        }
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "state": self.state,
            "sentence": self.diagnostic.sentence,
            "advice": self.diagnostic.hint,
            "docker": self.docker.as_ref().map(|version| json!({
                "version": version,
                "family": self.family.as_ref().map(Family::id),
                "path": self.path,
                "running": self.is_running,
                "engine": self.engine.map(EngineSync::word),
                "followed_at": self.applied_live_at(),
                "console": self.can_follow,
            })),
            "proxy": self.in_image,
            "source": self.intent.and_then(Intent::source),
            "settings": by_hand::json(self.settings()),
            "use_proxy": self.is_on,
            "busy": self.busy.map(|busy| match busy {
                Busy::Applying => "applying",
                Busy::Restoring => "restoring",
                Busy::Restarting => "restarting",
                Busy::RestartingEngine => "restarting-engine",
            }),
        })
    }
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
