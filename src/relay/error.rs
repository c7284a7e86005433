//! Errors of the relay as a whole.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use thiserror::Error;

use crate::error::{Failure, IoError, Kind};
use crate::proxy::InvalidUrl;

/// The reason why the relay does not run.
#[derive(Debug, Error)]
pub enum RelayError {
    /// The port is taken, or can't be used.
    #[error("the relay can't listen at {address}: {why}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The reason.
        #[source]
        why: io::Error,
    },
    /// Another relay runs.
    #[error("{who} is already running; only one can run at a time")]
    AlreadyRunning {
        /// Its description.
        who: String,
    },
    /// The relay that was to end still runs.
    #[error("{who} was asked to stop and is still running after {} seconds", after.as_secs())]
    StillRuns {
        /// Its description.
        who: String,
        /// The time that it had.
        after: Duration,
    },
    /// The relay that runs does not answer.
    #[error("the running relay does not answer: {0}")]
    Silent(#[source] io::Error),
    /// The relay's lock can't be used.
    #[error("could not look for another relay: {0}")]
    Control(#[source] IoError),
    /// The relay's own address is not valid.
    #[error("the relay's address can't be used: {0}")]
    Url(#[source] InvalidUrl),
    /// The token can't be kept.
    #[error("could not keep the relay's token: {0}")]
    Token(#[source] IoError),
    /// The system can't give the relay what it needs.
    #[error("the relay could not be started: {0}")]
    Start(#[source] io::Error),
}

impl Failure for RelayError {
    fn kind(&self) -> Kind {
        match self {
            Self::Listen { why, .. } if why.kind() == io::ErrorKind::AddrInUse => Kind::Unavailable,
            Self::AlreadyRunning { .. } | Self::StillRuns { .. } => Kind::Busy,
            Self::Listen { .. }
            | Self::Control(_)
            | Self::Silent(_)
            | Self::Url(_)
            | Self::Token(_)
            | Self::Start(_) => Kind::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Listen { .. } => "relay-port",
            Self::AlreadyRunning { .. } => "relay-already-running",
            Self::StillRuns { .. } => "relay-still-runs",
            Self::Control(_) => "relay-control",
            Self::Silent(_) => "relay-silent",
            Self::Url(_) => "relay-url",
            Self::Token(_) => "relay-token",
            Self::Start(_) => "relay-start",
        }
    }
}
