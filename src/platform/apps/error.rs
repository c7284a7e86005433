use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Failure, IoError, Kind};
use crate::platform::open::TargetError;

/// The reason why an app was not opened.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum OpenError {
    /// On Linux, where an app is a program.
    #[error(transparent)]
    Run(#[from] IoError),

    #[error("could not open {}: it is no path", bundle.display())]
    NotAPath { bundle: PathBuf },

    #[error("could not open {}: {said}", bundle.display())]
    Refused { bundle: PathBuf, said: String },

    #[error("could not open {}: {source}", bundle.display())]
    Command {
        bundle: PathBuf,
        source: TargetError,
    },

    #[error("could not open {}: macOS did not say within {} seconds that it is open", bundle.display(), within.as_secs())]
    NoAnswer { bundle: PathBuf, within: Duration },
}

impl Failure for OpenError {
    fn kind(&self) -> Kind {
        match self {
            Self::Run(failed) => failed.kind(),
            Self::NotAPath { .. }
            | Self::Refused { .. }
            | Self::Command { .. }
            | Self::NoAnswer { .. } => Kind::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Run(_) => "app-not-run",
            Self::NotAPath { .. } => "app-no-path",
            Self::Refused { .. } | Self::Command { .. } => "app-not-opened",
            Self::NoAnswer { .. } => "app-no-answer",
        }
    }
}
