//! The events that the controller handles.

use crate::backend::RestartScope;
use crate::config::{RestartPolicy, SourceSetting};
use crate::desired::Setting;
use crate::error::{Diagnostic, Kind};
use crate::proxy::ClientDialect;

use super::first_run::Question;
use super::relay_keeper::RelayState;
use super::snapshot::{Fingerprint, Snapshot};

/// An input of the controller.
#[derive(Debug, Clone)]
pub enum Event {
    /// Something changed in or around Docker.app; carries its new fingerprint.
    Files(Fingerprint),
    /// The system's proxy settings or the network may have changed.
    Settings,
    /// The config file or the user's intent may have changed.
    Decisions,
    /// Docker was started or has quit.
    Docker,
    /// The computer woke up.
    Woke,
    /// The user clicked a menu item or a button.
    Click(Click),
    /// The result of [`Effect::Observe`](super::effect::Effect::Observe).
    Observed(Box<Snapshot>),
    /// The result of [`Effect::Resolve`](super::effect::Effect::Resolve).
    Resolved(ClientDialect, Box<Resolved>),
    /// A job that changes the boot image has ended; carries the bundle's new fingerprint.
    Changed(Result<ChangeOutcome, ChangeError>, Fingerprint),
    /// The result of [`Effect::Restart`](super::effect::Effect::Restart).
    Restarted(Result<(), Diagnostic>),
    /// The result of [`Effect::ApplyLive`](super::effect::Effect::ApplyLive).
    AppliedLive(Result<ChangeOutcome, Diagnostic>),
    /// The relay runs, or does not.
    Relay(RelayState),
    /// The user answered a question of the first run, with yes or no, or did the same by the menu.
    Answered(Question, bool),
    /// A click could not be carried out.
    Refused(Diagnostic),
}

/// A request of the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Click {
    /// Switch the proxy on or off.
    UseProxy(bool),
    /// Check everything again and repair it.
    Reapply,
    /// Adopt the proxy that someone else wrote into the script.
    Adopt,
    /// Use the proxy of the settings from now on, not the one named by hand.
    FollowSettings,
    /// Bring the running engine up to date in this way, if it is out of date.
    Restart(RestartScope),
    /// Set the source of the proxy.
    Source(SourceSetting),
    /// Set the policy for restarts of Docker.
    WhenRestart(RestartPolicy),
    /// Whether containers and builds get the proxy, too.
    Containers(bool),
}

/// The proxy settings, resolved for an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The desired proxy: the one named by hand, otherwise that of the settings.
    pub setting: Setting,
    /// The resolved settings, if a proxy named by hand takes precedence over them.
    pub overridden_settings: Option<Setting>,
}

impl From<Setting> for Resolved {
    fn from(setting: Setting) -> Self {
        Self {
            setting,
            overridden_settings: None,
        }
    }
}

/// The outcome of a change that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// The boot image or the running engine was changed.
    Changed,
    /// No change was needed.
    Nothing,
    /// No engine was running.
    NoneRan,
}

/// The error of a failed change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeError {
    /// The kind of failure.
    pub kind: Kind,
    /// The reason.
    pub diagnostic: Diagnostic,
}
