//! The effects that the controller requests.

use std::path::PathBuf;

use crate::desired::Setting;
use crate::intent::Intent;
use crate::proxy::{ClientDialect, RedactedProxy};

use super::agent_state::AgentState;
use super::event::Click;
use super::notice::Notice;

/// A job that the controller requests.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Observe at once.
    Observe,
    /// Resolve the settings.
    Resolve {
        /// The engine to resolve them for.
        engine: ClientDialect,
        /// The proxy named by hand for this bundle, if the user wants that one.
        named: Option<RedactedProxy>,
    },
    /// Write the proxy of the settings into the boot image.
    Apply {
        /// The bundle with the image.
        path: PathBuf,
        /// The resolved settings, as far as they are known.
        setting: Setting,
        /// As for [`Effect::Resolve`].
        named: Option<RedactedProxy>,
        /// Adopt what someone else wrote.
        adopt: bool,
    },
    /// Restore the boot image that Docker had before Baleen.
    Restore {
        /// The bundle.
        path: PathBuf,
    },
    /// Quit Docker and open it again.
    Restart {
        /// The bundle.
        path: PathBuf,
    },
    /// Update the running VM to match the boot image.
    ApplyLive {
        /// The bundle.
        path: PathBuf,
        /// Adopt what someone else wrote.
        adopt: bool,
    },
    /// Record the user's intent.
    SetIntent {
        /// The bundle that it applies to.
        path: PathBuf,
        /// The intent.
        intent: Intent,
    },
    /// Write the user's choice into the config file.
    Configure(Click),
    /// Save the state across runs.
    Remember(Box<AgentState>),
    /// Notify the user.
    Notify(Notice),
}
