//! What all errors have in common. Each module has an error type of its own, an enum with the cause as its
//! source; [`Error`] holds any of them on the way to a user interface, which adds the advice that fits it.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The kind of failure, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A failure that may not happen again.
    Failure,
    /// The command line is invalid or incomplete.
    Usage,
    /// Baleen does not change what it found: it is unknown, changed by someone else, or unsupported.
    Unsupported,
    /// A temporary refusal: the bundle is being replaced, or another Baleen is at work.
    Busy,
    /// The system does not allow it.
    NotPermitted,
    /// An administrator decides.
    Locked,
    /// The engine is in a state in which it can't be changed: it is starting, doesn't answer, or would undo the change.
    Unavailable,
}

/// A remedy that a user interface can carry out or show, instead of advice in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fix {
    /// Adopt the proxy that someone else wrote into the script.
    Adopt,
    /// Allow Baleen to change other apps, in System Settings.
    AllowAppManagement,
    /// Correct the config file.
    CorrectSettings,
    /// Enter the proxy in Docker's own settings.
    DockerSettings,
    /// Leave the boot image as it is, and uninstall the rest.
    LeaveImages,
}

impl Fix {
    const ALL: [Self; 5] = [
        Self::Adopt,
        Self::AllowAppManagement,
        Self::CorrectSettings,
        Self::DockerSettings,
        Self::LeaveImages,
    ];

    /// Returns the identifier in JSON output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Adopt => "adopt",
            Self::AllowAppManagement => "allow-app-management",
            Self::CorrectSettings => "correct-settings",
            Self::DockerSettings => "docker-settings",
            Self::LeaveImages => "leave-images",
        }
    }

    /// Returns the fix with this identifier.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|remedy| remedy.name() == name)
    }
}

/// The user interface that shows a hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// The command line: a hint names commands and options.
    CommandLine,
    /// The menu and the notifications: a hint names menu items and buttons.
    Menu,
}

/// A failure with a type of its own. Its `Display` form is one sentence without a period that says what was
/// tried, on what, what was expected and what was found.
pub trait Failure: StdError + Hint + Send + Sync + 'static {
    /// The kind of failure.
    fn kind(&self) -> Kind;

    /// An identifier of this failure that does not change when its sentence does.
    fn code(&self) -> &'static str;

    /// A remedy that a user interface can carry out.
    fn fix(&self) -> Option<Fix> {
        None
    }
}

/// Advice on what to do about a failure. `text::hint` implements it, since advice belongs to the user interface
/// that shows it.
pub trait Hint {
    /// Returns the advice, as one sentence without a period.
    fn hint(&self, face: Face) -> Option<String>;
}

/// Any failure, as the user interfaces get it.
pub struct Error(Box<dyn Failure>);

impl<E: Failure> From<E> for Error {
    fn from(failure: E) -> Self {
        Self(Box::new(failure))
    }
}

/// A failed system call on a file.
#[derive(Debug, thiserror::Error)]
#[error("could not {tried} {}: {}", path.display(), plain(source))]
pub struct IoError {
    /// The attempted operation, as in "write".
    pub tried: &'static str,
    /// The file.
    pub path: PathBuf,
    /// The system's answer.
    pub source: io::Error,
}

impl IoError {
    /// Creates the error of a failed system call on `path`.
    pub fn new(tried: &'static str, path: &Path, source: io::Error) -> Self {
        Self {
            tried,
            path: path.to_owned(),
            source,
        }
    }
}

impl Failure for IoError {
    fn kind(&self) -> Kind {
        match self.source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Kind::NotPermitted
            }
            _ => Kind::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self.source.kind() {
            io::ErrorKind::PermissionDenied => "permission-denied",
            io::ErrorKind::ReadOnlyFilesystem => "read-only",
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "storage-full",
            io::ErrorKind::NotFound => "not-found",
            _ => "io",
        }
    }
}

impl Error {
    /// Creates the error of a failed system call on `path`. `tried` is the attempted operation, as in "write".
    pub fn io(tried: &'static str, path: &Path, error: &io::Error) -> Self {
        Self::from(IoError::new(tried, path, same(error)))
    }

    /// The kind of failure.
    pub fn kind(&self) -> Kind {
        self.0.kind()
    }

    /// An identifier of the failure that does not change when its sentence does.
    pub fn code(&self) -> &'static str {
        self.0.code()
    }

    /// The advice that fits this user interface.
    pub fn hint(&self, face: Face) -> Option<String> {
        self.0.hint(face)
    }

    /// The remedy.
    pub fn fix(&self) -> Option<Fix> {
        self.0.fix()
    }

    /// Returns the failure as the type `T`, if it is one.
    pub fn downcast_ref<T: Failure>(&self) -> Option<&T> {
        let failure: &(dyn StdError + 'static) = &*self.0;
        failure.downcast_ref()
    }
}

/// A failure that is kept: it can be copied, and compared with a later one.
#[derive(Clone)]
pub struct Diagnostic(Arc<Error>);

impl Diagnostic {
    /// The sentence, without its period.
    pub fn sentence(&self) -> String {
        self.0.to_string()
    }

    /// The advice that fits this user interface.
    pub fn hint(&self, face: Face) -> Option<String> {
        self.0.hint(face)
    }

    /// The remedy, if a user interface can carry it out.
    pub fn fix(&self) -> Option<Fix> {
        self.0.fix()
    }

    /// The kind of failure.
    pub fn kind(&self) -> Kind {
        self.0.kind()
    }

    /// An identifier that does not change when the sentence does.
    pub fn code(&self) -> &'static str {
        self.0.code()
    }
}

/// A kept failure that is an error again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Kept(Arc<Error>);

impl Failure for Kept {
    fn kind(&self) -> Kind {
        self.0.kind()
    }

    fn code(&self) -> &'static str {
        self.0.code()
    }

    fn fix(&self) -> Option<Fix> {
        self.0.fix()
    }
}

impl Hint for Kept {
    fn hint(&self, face: Face) -> Option<String> {
        self.0.hint(face)
    }
}

impl Diagnostic {
    /// Returns the failure as an error again.
    pub(crate) fn into_error(self) -> Error {
        Kept(self.0).into()
    }
}

impl<E: Failure> From<E> for Diagnostic {
    fn from(failure: E) -> Self {
        Error::from(failure).into()
    }
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        Self(Arc::new(error))
    }
}

impl PartialEq for Diagnostic {
    fn eq(&self, other: &Self) -> bool {
        (self.code(), self.kind(), self.fix(), self.sentence())
            == (other.code(), other.kind(), other.fix(), other.sentence())
    }
}

impl Eq for Diagnostic {}

impl fmt::Debug for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Returns another error with the same contents: `io::Error` can't be cloned.
pub(crate) fn same(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// Returns the system's message without Rust's "(os error 2)".
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

/// The result of most of the program.
pub type Result<T> = std::result::Result<T, Error>;

/// Failures for unit tests that are not about a certain one.
#[cfg(test)]
pub(crate) mod made {
    use super::{Diagnostic, Error, Face, Failure, Hint, Kind};

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Made(String);

    impl Failure for Made {
        fn kind(&self) -> Kind {
            Kind::Failure
        }

        fn code(&self) -> &'static str {
            "made"
        }
    }

    impl Hint for Made {
        fn hint(&self, _face: Face) -> Option<String> {
            None
        }
    }

    pub(crate) fn error(sentence: &str) -> Error {
        Made(sentence.to_owned()).into()
    }

    pub(crate) fn diagnostic(sentence: &str) -> Diagnostic {
        error(sentence).into()
    }
}
