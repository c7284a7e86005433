//! The agent's state as plain data, for the menu and other displays.

use std::path::PathBuf;

use crate::backend::{EngineSync, ProxyPane};
use crate::config::{RestartPolicy, SourceSetting};
use crate::desired::Setting;

use crate::intent::Intent;
use crate::proxy::{DockerFields, RedactedProxy};
use crate::reconcile::Reason;
use crate::reconcile::State;
use crate::util::unix_seconds;

use super::agent_state::HistoryEntry;
use super::relay_keeper::RelayState;

/// The agent's state for display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The state in one word.
    pub state: State,
    /// The reason for the state.
    pub reason: Reason,
    /// Docker's version, if known.
    pub docker: Option<String>,
    /// The variant of Docker, as a word for programs.
    pub family: Option<&'static str>,
    /// The pane of Docker's own proxy settings, if Baleen leaves the proxy to that.
    pub proxy_pane: Option<ProxyPane>,
    /// Whether containers should get the proxy, too; nothing where that can't be set.
    pub containers: Option<bool>,
    /// The address of that pane, while Docker runs.
    pub settings_url: Option<&'static str>,
    /// The path of Docker.app.
    pub path: Option<PathBuf>,
    /// The proxy in the boot image.
    pub in_image: Option<RedactedProxy>,
    /// The relay, if the engine has its address or is to get it.
    pub relay: Option<RelayState>,
    /// The desired proxy: the one named by hand, otherwise that of the settings.
    pub setting: Setting,
    /// The resolved settings, if a proxy named by hand takes precedence over them.
    pub overridden_settings: Option<Setting>,
    /// The line that sets a proxy by hand in an image that Baleen did not patch.
    pub by_hand: Option<String>,
    /// The user's recorded intent.
    pub intent: Option<Intent>,
    /// True if the proxy is switched on.
    pub is_on: bool,
    /// True if the proxy can be switched on or off.
    pub can_switch: bool,
    /// True if Docker runs.
    pub is_running: bool,
    /// The sync state of the running Engine, if there is an image to compare it with.
    pub engine: Option<EngineSync>,
    /// True if the Engine can be brought up to date without a restart of Docker.
    pub can_apply_live: bool,
    /// The job in progress.
    pub busy: Option<Busy>,
    /// The source of the proxy.
    pub source: SourceSetting,
    /// The policy for restarts of Docker.
    pub restart: RestartPolicy,
    /// The latest events, newest first.
    pub past: Vec<HistoryEntry>,
}

/// A job that takes a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    /// The proxy is being written into the boot image.
    Applying,
    /// The original boot image is being restored.
    Restoring,
    /// Docker is being restarted.
    Restarting,
    /// The running VM is being brought up to date.
    RestartingEngine,
}

impl View {
    /// Returns the time of the live update that the running VM still matches, in seconds since 1970.
    pub(crate) fn applied_live_at(&self) -> Option<u64> {
        match self.engine? {
            EngineSync::UpdatedLive { at } => Some(unix_seconds(at)),
            EngineSync::UpToDate | EngineSync::OutOfDate => None,
        }
    }

    /// Returns the values to enter in that pane, or `None` if no proxy is set.
    pub(crate) fn docker_fields(&self) -> Option<DockerFields> {
        match &self.setting {
            Setting::Proxy { shown, .. } if self.proxy_pane.is_some() => {
                Some(DockerFields::of(shown))
            }
            _ => None,
        }
    }

    /// Returns whether a proxy named by hand applies, not the settings.
    pub fn is_named(&self) -> bool {
        self.intent == Some(Intent::Named)
    }

    /// The resolved settings.
    pub fn settings(&self) -> &Setting {
        match &self.overridden_settings {
            Some(settings) => settings,
            None if self.is_named() => &Setting::Unknown,
            None => &self.setting,
        }
    }
}
