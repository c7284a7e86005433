//! Errors of the command line itself.

use std::io;
use std::path::PathBuf;

use crate::error::{Face, Failure, Hint, Kind, plain};

/// A failure of the command line itself. Its advice is here as well, since no other user interface meets it.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    #[error("there is no config file at {}", path.display())]
    NoConfig { path: PathBuf },

    #[error("the config file names no proxy, so there is none to use")]
    NoManualProxy,

    #[error(
        "--live restarts the Docker Engine, which stops containers; it needs confirmation, and there is no terminal to ask on"
    )]
    NotConfirmed,

    #[error("could not wait for signals: {}", plain(.0))]
    Signals(io::Error),

    #[error("could not print: {}", plain(.0))]
    Print(io::Error),

    #[error("could not read the answer from standard input: {}", plain(.0))]
    Answer(io::Error),

    #[error("could not read the job from standard input: {}", plain(.0))]
    Job(io::Error),
}

impl Failure for CliError {
    fn kind(&self) -> Kind {
        match self {
            Self::NoConfig { .. } | Self::NoManualProxy | Self::NotConfirmed => Kind::Usage,
            Self::Signals(_) | Self::Print(_) | Self::Answer(_) | Self::Job(_) => Kind::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoConfig { .. } => "no-config",
            Self::NoManualProxy => "no-manual-proxy",
            Self::NotConfirmed => "not-confirmed",
            Self::Signals(_) => "no-signals",
            Self::Print(_) => "not-printed",
            Self::Answer(_) => "no-answer",
            Self::Job(_) => "no-job",
        }
    }
}

impl Hint for CliError {
    fn hint(&self, _face: Face) -> Option<String> {
        let advice = match self {
            Self::NoConfig { .. } => {
                "check the path given with --config; `baleen config set` makes the file"
            }
            Self::NoManualProxy => "name one: baleen config set https_proxy http://HOST:PORT",
            Self::NotConfirmed => "add --yes",
            Self::Signals(_) | Self::Print(_) | Self::Answer(_) | Self::Job(_) => return None,
        };
        Some(advice.to_owned())
    }
}
