//! Errors of an uninstallation.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Failure, Fix, IoError, Kind};

use super::UninstallStep;

/// The reason why an uninstallation stopped, or why a step failed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields have telling names")]
pub enum UninstallError {
    /// A failed system call on one of Baleen's own files.
    #[error(transparent)]
    OwnFile(#[from] IoError),

    /// A command would give the running VM the proxy that is being removed from the boot image.
    #[error("`baleen` in a terminal is bringing the running VM up to date")]
    LiveEdit,

    /// An unfinished boot image, which may have a password in it.
    #[error("{} is still there", path.display())]
    StillThere { path: PathBuf },

    /// A boot image that stops the uninstallation.
    #[error("{source}")]
    Stopped {
        source: Error,
        /// True if the boot image can be left as it is.
        can_leave_image: bool,
        /// The steps before it.
        done: Vec<UninstallStep>,
    },

    /// Other Baleens were ended in vain.
    #[error("{source}")]
    InVain {
        source: Error,
        ended: Vec<UninstallStep>,
    },
}

impl UninstallError {
    pub(super) fn own_file(tried: &'static str, path: &Path, error: io::Error) -> Self {
        Self::OwnFile(IoError::new(tried, path, error))
    }

    /// The error for a boot image that stops the uninstallation after the steps in `done`.
    pub(super) fn stopped(
        source: impl Into<Error>,
        can_leave_image: bool,
        done: Vec<UninstallStep>,
    ) -> Self {
        Self::Stopped {
            source: source.into(),
            can_leave_image,
            done,
        }
    }
}

impl Failure for UninstallError {
    fn kind(&self) -> Kind {
        match self {
            Self::OwnFile(file) => file.kind(),
            Self::LiveEdit => Kind::Busy,
            Self::StillThere { .. } => Kind::Failure,
            Self::Stopped { source, .. } | Self::InVain { source, .. } => source.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::OwnFile(file) => file.code(),
            Self::LiveEdit => "live-edit",
            Self::StillThere { .. } => "still-there",
            Self::Stopped { source, .. } | Self::InVain { source, .. } => source.code(),
        }
    }

    fn fix(&self) -> Option<Fix> {
        match self {
            Self::Stopped {
                source,
                can_leave_image,
                ..
            } => source.fix().or(can_leave_image.then_some(Fix::LeaveImages)),
            Self::InVain { source, .. } => source.fix(),
            Self::OwnFile(_) | Self::LiveEdit | Self::StillThere { .. } => None,
        }
    }
}
