//! Errors about Docker.app.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{self, Error, Failure, Fix, IoError, Kind};

/// A failed system call on a file of Docker.app.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct BundleFileError(#[from] pub(crate) IoError);

impl BundleFileError {
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

/// Returns the error of a failed system call on a file of Docker.app.
pub(crate) fn bundle_file_error(tried: &'static str, path: &Path, error: &io::Error) -> Error {
    BundleFileError(IoError::new(tried, path, error::same(error))).into()
}

/// A bundle that can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BundleError {
    /// An update has created the bundle's folder only.
    #[error("{} has no Contents", .0.display())]
    NoContents(PathBuf),
}

impl Failure for BundleError {
    fn kind(&self) -> Kind {
        match self {
            Self::NoContents(_) => Kind::Busy,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoContents(_) => "no-contents",
        }
    }
}
