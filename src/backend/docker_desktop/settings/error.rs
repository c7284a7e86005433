//! Errors about Docker's own settings.

use std::path::{Path, PathBuf};

use crate::credentials::CredentialsError;
use crate::error::{Failure, Fix, IoError, Kind};

use super::json_text::InvalidJson;
use super::leaf::Leaf;
use super::policy::LockedBy;
use super::socket::SocketFault;

/// The reason why Docker's settings can't be read or changed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum SettingsError {
    #[error("Docker's settings at {} can't be used: {fault}", path.display())]
    File { path: PathBuf, fault: FileFault },

    #[error(transparent)]
    Io(IoError),

    #[error("Docker is starting or not answering ({}: {fault})", path.display())]
    NotAnswering { path: PathBuf, fault: SocketFault },

    #[error("this Docker is newer than Baleen knows ({}: {fault})", path.display())]
    Unknown { path: PathBuf, fault: SocketFault },

    #[error("could not reach Docker at {}: {fault}", path.display())]
    Denied { path: PathBuf, fault: SocketFault },

    #[error("Docker's proxy is locked by {}", locked_by_words(by))]
    Locked { by: LockedBy },

    #[error(
        "Docker {version} is running, and would write its own settings over the change when it quits"
    )]
    Runs { version: String },

    #[error("Docker's own settings set another proxy than Baleen's: {found}")]
    Foreign { found: String },

    #[error("Docker's own settings were changed after Baleen set its proxy: {found}")]
    ChangedSince { found: String },

    #[error("Docker took the proxy, but {by} put back its own setting within {} ms: {found}", after.as_millis())]
    PutBack {
        by: String,
        found: String,
        after: std::time::Duration,
    },

    #[error("Docker has the value of {leaf:?} in another form than a string")]
    NotText { leaf: Leaf },

    #[error("another Baleen is changing Docker's settings in {}", folder.display())]
    Busy { folder: PathBuf },

    #[error("could not note what Docker's settings were: {0}")]
    NotNoted(#[source] IoError),

    #[error("could not keep a password of Docker's settings: {0}")]
    NotKept(#[source] CredentialsError),

    #[error("the password that was in Docker's settings is not in the password store any more")]
    NotKnownAnyMore,
}

/// The reason why Baleen does not change a settings file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum FileFault {
    #[error("there is no such file, so Docker was never started")]
    Missing,
    #[error("it is a symbolic link, with which Docker does not start")]
    Link,
    #[error("it is not a file")]
    NotAFile,
    #[error("its owner may not write it, so Docker can't either")]
    ReadOnly,
    #[error("it is longer than Docker's settings are")]
    TooLong,
    #[error("it is not UTF-8, so Docker would start with its default settings")]
    NotUtf8,
    #[error("its {key} holds a password, which Baleen does not keep in its own files")]
    HoldsPassword { key: &'static str },
    #[error("it changed while Baleen worked on it")]
    Changing,
    #[error("{invalid}; {}", consequence(invalid))]
    Invalid { invalid: InvalidJson },
}

impl SettingsError {
    /// Returns the error of a change that the socket at `path` did not take.
    pub(super) fn of_change(path: &Path, fault: SocketFault, locked_by: Option<LockedBy>) -> Self {
        let path = path.to_owned();
        match fault {
            SocketFault::Denied => Self::Denied { path, fault },
            SocketFault::Status {
                status: 401 | 403 | 423,
                ..
            } => Self::Locked {
                by: locked_by.unwrap_or(LockedBy::Organization),
            },
            fault if fault.may_pass() => Self::NotAnswering { path, fault },
            fault => Self::Unknown { path, fault },
        }
    }
}

/// What Docker makes of such a file.
fn consequence(invalid: &InvalidJson) -> &'static str {
    match invalid {
        InvalidJson::Twice(_) => "Docker would use the last one",
        InvalidJson::ByteOrderMark | InvalidJson::Syntax(_) | InvalidJson::NotAnObject(_) => {
            "Docker would start with its default settings"
        }
    }
}

/// Names who decides, as in "is locked by …".
pub(crate) fn locked_by_words(by: &LockedBy) -> String {
    let at = |path: &Path| path.display().to_string();
    match by {
        LockedBy::AdminSettings(path) => format!("an administrator, in {}", at(path)),
        LockedBy::Profile(path) => format!("a configuration profile, in {}", at(path)),
        LockedBy::Organization => "your organization's policy in Docker's Admin Console".to_owned(),
    }
}

impl Failure for SettingsError {
    fn kind(&self) -> Kind {
        match self {
            Self::File {
                fault: FileFault::Changing,
                ..
            }
            | Self::Busy { .. } => Kind::Busy,
            Self::NotAnswering { .. } | Self::Runs { .. } => Kind::Unavailable,
            Self::File { .. }
            | Self::Unknown { .. }
            | Self::Foreign { .. }
            | Self::ChangedSince { .. }
            | Self::NotText { .. } => Kind::Unsupported,
            Self::Denied { .. } => Kind::NotPermitted,
            Self::Locked { .. } | Self::PutBack { .. } => Kind::Locked,
            Self::Io(io) => io.kind(),
            Self::NotNoted(_) | Self::NotKept(_) | Self::NotKnownAnyMore => Kind::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::File { fault, .. } => match fault {
                FileFault::Missing => "docker-settings-missing",
                FileFault::Changing => "docker-settings-changing",
                _ => "docker-settings-unusable",
            },
            Self::Io(io) => io.code(),
            Self::NotAnswering { .. } => "docker-not-answering",
            Self::Unknown { .. } | Self::NotText { .. } => "docker-settings-unknown",
            Self::Denied { .. } => "permission-denied",
            Self::Locked { .. } => "docker-settings-locked",
            Self::Runs { .. } => "docker-runs",
            Self::Foreign { .. } => "docker-settings-foreign",
            Self::ChangedSince { .. } => "docker-settings-changed",
            Self::PutBack { .. } => "docker-settings-put-back",
            Self::Busy { .. } => "locked",
            Self::NotNoted(_) => "docker-settings-not-noted",
            Self::NotKept(_) | Self::NotKnownAnyMore => "docker-settings-password",
        }
    }

    fn fix(&self) -> Option<Fix> {
        match self {
            Self::Foreign { .. } => Some(Fix::Adopt),
            Self::Unknown { .. } | Self::NotText { .. } => Some(Fix::DockerSettings),
            _ => None,
        }
    }
}
