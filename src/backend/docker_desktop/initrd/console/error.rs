//! Errors about the console of Docker's VM.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Failure, IoError, Kind};
use crate::platform::OpenFile;

/// The reason why the console could not be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum ConsoleError {
    #[error(transparent)]
    File(#[from] IoError),

    #[error("{} should lead to the terminal of Docker's VM, but is no terminal", path.display())]
    NotATerminal { path: PathBuf },

    #[error("the console of Docker's VM, {}, is in use by {}; Baleen leaves it alone", path.display(), named(users))]
    InUse { path: PathBuf, users: Vec<OpenFile> },

    #[error("the console of Docker's VM, {}, has been claimed by a program that is no longer running, or is another user's", path.display())]
    Claimed { path: PathBuf },

    #[error("stopped while the VM's console was in use; what is done there already stays")]
    Cancelled,

    #[error("the VM behind {} ended, or closed its console, in the middle of the work", path.display())]
    Closed { path: PathBuf },

    #[error("the VM at {} takes nothing more that is sent to it", path.display())]
    Stuck { path: PathBuf },

    #[error("the user root should have no password in Docker's VM, but {} asks for one", path.display())]
    PasswordAsked { path: PathBuf },

    #[error("{} at the console of Docker's VM, {}, within {} seconds", match is_silent { true => "nothing answers", false => "no shell answers" }, path.display(), within.as_secs())]
    NoShell {
        path: PathBuf,
        is_silent: bool,
        within: Duration,
    },

    #[error("the shell in Docker's VM, at {}, gave no answer within {} seconds", path.display(), within.as_secs())]
    NoAnswer { path: PathBuf, within: Duration },

    #[error("the shell in Docker's VM, at {}, gave an answer that makes no sense", path.display())]
    BadAnswer { path: PathBuf },

    #[error("could not write {file} in the VM: cp ended with {code}")]
    NotCopied { file: String, code: String },

    #[error("could not put the new {file} into its place in the VM: mv ended with {code}")]
    NotMoved { file: String, code: String },

    #[error(
        "what was sent to the VM for {file} did not arrive as it was, {attempts} times; the file is as it was"
    )]
    Garbled { file: String, attempts: u32 },

    #[error("could not draw a random number from the system: {0}")]
    Random(#[from] getrandom::Error),
}

fn named(users: &[OpenFile]) -> String {
    let named: Vec<String> = users
        .iter()
        .map(|OpenFile { pid, name }| match &**name {
            "" => format!("process {pid}"),
            name => format!("{name} (process {pid})"),
        })
        .collect();
    named.join(" and ")
}

impl Failure for ConsoleError {
    fn kind(&self) -> Kind {
        match self {
            Self::File(file) => file.kind(),
            Self::InUse { .. } | Self::Claimed { .. } => Kind::Busy,
            Self::NotATerminal { .. } | Self::PasswordAsked { .. } => Kind::Unsupported,
            Self::Cancelled
            | Self::Closed { .. }
            | Self::Stuck { .. }
            | Self::NoShell { .. }
            | Self::NoAnswer { .. }
            | Self::BadAnswer { .. }
            | Self::NotCopied { .. }
            | Self::NotMoved { .. }
            | Self::Garbled { .. }
            | Self::Random(_) => Kind::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::File(file) => file.code(),
            Self::NotATerminal { .. } => "console-no-terminal",
            Self::InUse { .. } => "console-in-use",
            Self::Claimed { .. } => "console-claimed",
            Self::Cancelled => "console-cancelled",
            Self::Closed { .. } => "console-closed",
            Self::Stuck { .. } => "console-stuck",
            Self::PasswordAsked { .. } => "console-password-asked",
            Self::NoShell { .. } => "console-no-shell",
            Self::NoAnswer { .. } => "console-no-answer",
            Self::BadAnswer { .. } => "console-bad-answer",
            Self::NotCopied { .. } => "console-not-copied",
            Self::NotMoved { .. } => "console-not-moved",
            Self::Garbled { .. } => "console-garbled",
            Self::Random(_) => "no-randomness",
        }
    }
}
