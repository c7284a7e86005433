//! The error type of all but the lowest layers. An error says what was tried, what was found instead of
//! what was expected, and what to do now.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;

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
}

impl Fix {
    const ALL: [Self; 4] = [
        Self::Adopt,
        Self::AllowAppManagement,
        Self::CorrectSettings,
        Self::DockerSettings,
    ];

    /// Returns the identifier in JSON output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Adopt => "adopt",
            Self::AllowAppManagement => "allow-app-management",
            Self::CorrectSettings => "correct-settings",
            Self::DockerSettings => "docker-settings",
        }
    }

    /// Returns the fix with this identifier.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|remedy| remedy.name() == name)
    }
}

/// A failure, with a message for the user.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    advice: Option<String>,
    remedy: Option<Fix>,
}

impl Error {
    /// Creates a failure of `kind`. The message is one sentence without a period.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            advice: None,
            remedy: None,
        }
    }

    /// Adds advice on what to do.
    #[must_use]
    pub(crate) fn with_hint(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Adds a remedy.
    #[must_use]
    pub(crate) fn with_fix(mut self, remedy: Fix) -> Self {
        self.remedy = Some(remedy);
        self
    }

    /// Puts the interrupted step before the message, as in "the image is done, but".
    #[must_use]
    pub fn context(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// Creates the error of a failed system call on `path`. `tried` is the attempted operation, as in "write".
    pub fn io(tried: &str, path: &Path, error: &io::Error) -> Self {
        let message = format!("could not {tried} {}: {}", path.display(), plain(error));
        match error.kind() {
            io::ErrorKind::PermissionDenied => {
                let (advice, remedy) =
                    not_permitted(error.raw_os_error(), cfg!(target_os = "macos"));
                Self {
                    remedy,
                    ..Self::new(Kind::NotPermitted, message).with_hint(advice)
                }
            }
            io::ErrorKind::ReadOnlyFilesystem => Self::new(Kind::NotPermitted, message)
                .with_hint("the volume is read-only: copy Docker.app to one that can be written, or mount it so"),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::new(Kind::Failure, message)
                    .with_hint("make room on that volume (about twice the size of initrd.img) and try again; nothing was changed")
            }
            _ => Self::new(Kind::Failure, message),
        }
    }

    /// The kind of failure.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The advice for users of the command line.
    pub fn hint(&self) -> Option<&str> {
        self.advice.as_deref()
    }

    /// The remedy.
    pub fn fix(&self) -> Option<Fix> {
        self.remedy
    }
}

/// Returns the advice and the remedy when the system denies access. macOS 13 and later let no program write
/// into another developer's app until the user allows it. They return `EPERM` (1), while file permissions
/// return `EACCES`: <https://support.apple.com/guide/mac-help/mchl07817563/mac>.
fn not_permitted(code: Option<i32>, macos: bool) -> (&'static str, Option<Fix>) {
    const EPERM: i32 = 1;
    match code {
        Some(EPERM) if macos => (
            "allow the app that Baleen runs in (for the command line that is your terminal) in System Settings > Privacy & Security > App Management, then open it again",
            Some(Fix::AllowAppManagement),
        ),
        Some(EPERM) => (
            "the file may be locked (lsattr shows it), or the folder may belong to another user",
            None,
        ),
        _ => (
            "run Baleen as the user to whom Docker.app belongs (ls -l shows who that is)",
            None,
        ),
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

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {}

/// The result of most of the program.
pub type Result<T> = std::result::Result<T, Error>;
