//! The agent's own errors.

use std::io;

use crate::error::{Failure, Kind};

/// A failure of the agent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentError {
    /// The proxy that was named on the command line can't be put back without its password.
    #[error("the proxy that was named on the command line had a password, which is not kept")]
    PasswordNotKept,
    /// Baleen does not know which proxy was named on the command line.
    #[error("its proxy was named on the command line, and which one that was is not known")]
    NamedUnknown,
    /// The settings changed between the decision and the change.
    #[error("the proxy settings changed while Baleen was about to write them into the boot image")]
    SettingsChanged,
    /// The image is not right even after a change.
    #[error("the boot image was changed, but is still not as it should be")]
    StillNotRight,
    /// Nothing was observed yet.
    #[error("Docker.app was not looked at yet")]
    NotObserved,
    /// The VM has no console.
    #[error("the VM has no console now")]
    NoConsole,
    /// The intent could not be written.
    #[error("what you want could not be noted: {0}")]
    IntentNotNoted(#[source] io::Error),
    /// The system can't start a thread.
    #[error("could not start a thread: {0}")]
    NoThread(#[source] io::Error),
}

impl Failure for AgentError {
    fn kind(&self) -> Kind {
        match self {
            Self::PasswordNotKept | Self::NamedUnknown => Kind::Unsupported,
            Self::SettingsChanged => Kind::Busy,
            Self::StillNotRight
            | Self::NotObserved
            | Self::NoConsole
            | Self::IntentNotNoted(_)
            | Self::NoThread(_) => Kind::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::PasswordNotKept => "password-not-kept",
            Self::NamedUnknown => "named-unknown",
            Self::SettingsChanged => "settings-changed",
            Self::StillNotRight => "still-not-right",
            Self::NotObserved => "not-observed",
            Self::NoConsole => "no-console",
            Self::IntentNotNoted(_) => "intent-not-noted",
            Self::NoThread(_) => "no-thread",
        }
    }
}
