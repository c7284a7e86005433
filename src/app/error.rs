//! Errors of the app. The advice is here as well, since the layers below don't know them.

use std::error::Error as StdError;
use std::io;

use crate::error::{Face, Failure, Hint, Kind};

/// A failure of the app.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum AppError {
    #[error("could not wait for signals: {0}")]
    Signals(io::Error),

    #[error("could not show an icon in the menu bar: {0}")]
    Icon(Box<dyn StdError + Send + Sync>),

    #[error("could not open {what}: {source}")]
    NotOpened {
        what: String,
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl Failure for AppError {
    fn kind(&self) -> Kind {
        Kind::Failure
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Signals(_) => "no-signals",
            Self::Icon(_) => "no-icon",
            Self::NotOpened { .. } => "not-opened",
        }
    }
}

impl Hint for AppError {
    fn hint(&self, _face: Face) -> Option<String> {
        let advice = match self {
            // Without an icon, only a terminal shows this.
            Self::Icon(_) => {
                "run it in a desktop session; `baleen watch` does the same without an icon"
            }
            Self::Signals(_) | Self::NotOpened { .. } => return None,
        };
        Some(advice.to_owned())
    }
}
