//! Errors of the use cases that are not about an engine.

use std::time::Duration;

use crate::error::{Failure, Kind};

/// A failure of a use case that is not about an engine.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum ServiceError {
    #[error("{who} is already running; only one can run at a time")]
    AlreadyRunning { who: String },

    #[error("{who} was asked to quit, and still runs after {} seconds", after.as_secs())]
    StillRuns { who: String, after: Duration },

    #[error("macOS did not change whether Baleen opens at login: {source}")]
    LoginItem { on: bool, source: LoginItemError },
}

/// The reason why macOS did not change the login item.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum LoginItemError {
    #[error("this needs macOS 13, and Baleen to be opened as an app")]
    NoService,

    /// The system's own words.
    #[error("{0}")]
    Refused(String),
}

impl Failure for ServiceError {
    fn kind(&self) -> Kind {
        match self {
            Self::AlreadyRunning { .. } | Self::StillRuns { .. } => Kind::Busy,
            Self::LoginItem { .. } => Kind::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyRunning { .. } => "already-running",
            Self::StillRuns { .. } => "still-runs",
            Self::LoginItem { .. } => "login-item",
        }
    }
}
