//! Errors of the app. The advice is here as well, since the layers below don't know them.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use crate::error::{Face, Failure, Hint, Kind};

/// A failure of the app.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum AppError {
    #[error("{who} is already running; only one can run at a time")]
    AlreadyRunning { who: String },

    #[error("{who} was asked to quit, and still runs after {} seconds", after.as_secs())]
    StillRuns { who: String, after: Duration },

    #[error("could not wait for signals: {0}")]
    Signals(io::Error),

    #[error("could not show an icon in the menu bar: {0}")]
    Icon(Box<dyn StdError + Send + Sync>),

    #[error("could not open {what}: {source}")]
    NotOpened {
        what: String,
        source: Box<dyn StdError + Send + Sync>,
    },

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

impl Failure for AppError {
    fn kind(&self) -> Kind {
        match self {
            Self::AlreadyRunning { .. } | Self::StillRuns { .. } => Kind::Busy,
            Self::Signals(_) | Self::Icon(_) | Self::NotOpened { .. } | Self::LoginItem { .. } => {
                Kind::Failure
            }
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyRunning { .. } => "already-running",
            Self::StillRuns { .. } => "still-runs",
            Self::Signals(_) => "no-signals",
            Self::Icon(_) => "no-icon",
            Self::NotOpened { .. } => "not-opened",
            Self::LoginItem { .. } => "login-item",
        }
    }
}

impl Hint for AppError {
    fn hint(&self, _face: Face) -> Option<String> {
        let advice = match self {
            Self::AlreadyRunning { .. } => "end that one first",
            Self::StillRuns { .. } => {
                "quit it from its menu, or `baleen watch` with Ctrl-C, and try again; nothing was removed"
            }
            // Without an icon, only a terminal shows this.
            Self::Icon(_) => {
                "run it in a desktop session; `baleen watch` does the same without an icon"
            }
            Self::LoginItem { on: true, .. } => {
                "move Baleen to the Applications folder, open it from there, and try again"
            }
            Self::LoginItem { on: false, .. } => {
                "remove it in System Settings > General > Login Items"
            }
            Self::Signals(_) | Self::NotOpened { .. } => return None,
        };
        Some(advice.to_owned())
    }
}
