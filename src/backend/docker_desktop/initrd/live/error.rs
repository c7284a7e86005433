//! Errors about the update of a running VM.

use crate::backend::docker_desktop::initrd::PatchError;
use crate::backend::docker_desktop::initrd::console::ConsoleError;
use crate::backend::docker_desktop::initrd::script::SCRIPT;
use crate::error::{Failure, Fix, Kind};

use super::script_state::MASK;

/// The reason why a running VM could not be updated.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum LiveError {
    /// An error about the boot image.
    #[error(transparent)]
    Image(#[from] PatchError),

    #[error(transparent)]
    Console(#[from] ConsoleError),

    #[error(
        "the VM of Docker {version} has no console that Baleen knows, so it can't be brought up to date while it runs"
    )]
    NoConsole { version: String },

    #[error("/{SCRIPT} in the boot image should have the proxy in it, but has not")]
    NoBlock,

    #[error("the running VM should have {script} as a file, but has not")]
    NoScript { script: String },

    /// The script in the VM can't be edited, for a reason that an image's script has as well.
    #[error("the script in the running VM was left as it is: {source}")]
    Script { source: PatchError },

    #[error(
        "the script in the running VM was left as it is: it seems to contain a password that Baleen did not write (shown as {MASK}); Baleen can't copy it, because Docker logs the console"
    )]
    ForeignPassword,

    #[error("its Engine was being stopped and started again, with the script up to date: {source}")]
    Restart { source: ConsoleError },

    #[error(
        "the script in the running VM was brought up to date and the Engine restarted, but the Engine's proxy differs from the boot image: {0}"
    )]
    OtherProxy(EngineFound),
}

/// What was found of an Engine after its restart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum EngineFound {
    #[error("it is not running (its script said: {said})")]
    NotRunning { said: String },
    #[error("it has no proxy")]
    NoProxy,
    #[error("it has {}", .0.join(", "))]
    Proxy(Vec<String>),
}

impl Failure for LiveError {
    fn kind(&self) -> Kind {
        match self {
            Self::Image(source) | Self::Script { source } => source.kind(),
            Self::Console(source) | Self::Restart { source } => source.kind(),
            Self::NoConsole { .. }
            | Self::NoBlock
            | Self::NoScript { .. }
            | Self::ForeignPassword => Kind::Unsupported,
            Self::OtherProxy(_) => Kind::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Image(source) => source.code(),
            Self::Console(source) => source.code(),
            Self::NoConsole { .. } => "vm-no-console",
            Self::NoBlock => "image-no-block",
            Self::NoScript { .. } => "vm-no-script",
            Self::Script { .. } => "vm-script",
            Self::ForeignPassword => "vm-foreign-password",
            Self::Restart { .. } => "vm-engine-restart",
            Self::OtherProxy(_) => "vm-other-proxy",
        }
    }

    fn fix(&self) -> Option<Fix> {
        match self {
            Self::Image(source) | Self::Script { source } => source.fix(),
            Self::Console(source) | Self::Restart { source } => source.fix(),
            _ => None,
        }
    }
}

/// The result of work on a running VM.
pub(crate) type Result<T> = std::result::Result<T, LiveError>;
