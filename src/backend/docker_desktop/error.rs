//! Errors about Docker.app.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{self, Failure, Fix, IoError, Kind};
use crate::platform::apps::OpenError;
use crate::property_list::InvalidList;

use super::bundle::BUNDLE_ID;
use super::family::{ProxyPane, UnknownVm};

/// A failed system call on a file of Docker.app.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct BundleFileError(#[from] pub(crate) IoError);

impl BundleFileError {
    fn new(tried: &'static str, path: &Path, error: &io::Error) -> Self {
        Self(IoError::new(tried, path, error::same(error)))
    }

    /// Returns whether the system protects the file although its permissions allow the access. macOS 13 and later let
    /// no program write into another developer's app until the user allows it. They return `EPERM` (1), while file
    /// permissions return `EACCES`: <https://support.apple.com/guide/mac-help/mchl07817563/mac>.
    pub(crate) fn is_protected(error: &io::Error) -> bool {
        const EPERM: i32 = 1;
        error.raw_os_error() == Some(EPERM)
    }
}

impl Failure for BundleFileError {
    fn kind(&self) -> Kind {
        self.0.kind()
    }

    fn code(&self) -> &'static str {
        self.0.code()
    }

    fn fix(&self) -> Option<Fix> {
        (cfg!(target_os = "macos") && Self::is_protected(&self.0.source))
            .then_some(Fix::AllowAppManagement)
    }
}

/// The reason why no Docker.app was found, or why it could not be read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum BundleError {
    #[error("{} is not an app: it should hold Contents/Info.plist, but has no Contents folder", path.display())]
    NotAnApp { path: PathBuf },

    /// An update creates the folders first.
    #[error("{} has no Contents", path.display())]
    NoContents { path: PathBuf },

    #[error("{} is not Docker for Mac: its bundle identifier should be {BUNDLE_ID}, but is {}", path.display(), id.as_deref().unwrap_or("missing"))]
    OtherApp { path: PathBuf, id: Option<String> },

    #[error("{} has no usable Contents/Info.plist: {source}", path.display())]
    Info { path: PathBuf, source: InfoError },

    #[error(transparent)]
    File(#[from] BundleFileError),
}

/// The reason why an `Info.plist` can't be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum InfoError {
    #[error("it is not there")]
    Missing,
    #[error("it is not a file")]
    NotAFile,
    #[error("it is no property list: {0}")]
    NotAPropertyList(InvalidList),
}

impl BundleError {
    pub(super) fn file(tried: &'static str, path: &Path, error: &io::Error) -> Self {
        Self::File(BundleFileError::new(tried, path, error))
    }
}

impl Failure for BundleError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotAnApp { .. } | Self::OtherApp { .. } => Kind::Unsupported,
            // While Docker is being updated.
            Self::Info { .. } | Self::NoContents { .. } => Kind::Busy,
            Self::File(file) => file.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotAnApp { .. } => "not-an-app",
            Self::NoContents { .. } => "no-contents",
            Self::OtherApp { .. } => "other-app",
            Self::Info { .. } => "docker-incomplete",
            Self::File(file) => file.code(),
        }
    }

    fn fix(&self) -> Option<Fix> {
        match self {
            Self::File(file) => file.fix(),
            _ => None,
        }
    }
}

/// The reason why Baleen does not patch a Docker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum NotPatched {
    #[error(
        "Docker {version} is newer than Baleen knows, so its proxy has to be set in its own window ({pane})"
    )]
    OwnSettings { version: String, pane: ProxyPane },

    #[error("Docker {version} at {} is not patched: {source}", path.display())]
    UnknownVm {
        version: String,
        path: PathBuf,
        source: UnknownVm,
    },
}

impl Failure for NotPatched {
    fn kind(&self) -> Kind {
        Kind::Unsupported
    }

    fn code(&self) -> &'static str {
        match self {
            Self::OwnSettings { .. } => "own-settings",
            Self::UnknownVm { .. } => "unknown-vm",
        }
    }

    fn fix(&self) -> Option<Fix> {
        match self {
            Self::OwnSettings { .. } => Some(Fix::DockerSettings),
            Self::UnknownVm { .. } => None,
        }
    }
}

/// Files may be missing only for now, while Docker is being installed.
impl Failure for UnknownVm {
    fn kind(&self) -> Kind {
        Kind::Busy
    }

    fn code(&self) -> &'static str {
        "unknown-vm"
    }
}

/// The reason why Docker was not restarted.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum RestartError {
    #[error("Docker was asked to quit, and still runs after {} seconds", after.as_secs())]
    StillRuns { after: Duration },

    #[error("Docker has quit, and was opened again, but is not running after {} seconds", after.as_secs())]
    NotRunning { after: Duration },

    #[error(transparent)]
    Open(#[from] OpenError),
}

impl Failure for RestartError {
    fn kind(&self) -> Kind {
        match self {
            Self::StillRuns { .. } | Self::NotRunning { .. } => Kind::Failure,
            Self::Open(open) => open.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::StillRuns { .. } => "docker-still-runs",
            Self::NotRunning { .. } => "docker-not-running",
            Self::Open(open) => open.code(),
        }
    }
}
