//! The one error type of everything above the ground floor: what was tried, what was found instead
//! of what was expected, and what to do now.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;

/// What kind of failure it is, which is what a script needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Something went wrong that may go right another time.
    Failure,
    /// The call was not understood or not complete.
    Usage,
    /// What was found is not what Baleen changes: unknown, changed by someone else, unsupported.
    Unsupported,
    /// As refused, but it will pass: the bundle is being replaced, or another Baleen is at work.
    Busy,
    /// The system does not allow it.
    NotPermitted,
}

/// What would help, where a face can do it for the user, or show the way, instead of advising it in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fix {
    /// Take over the proxy that someone else wrote into the script.
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

    /// Its name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Adopt => "adopt",
            Self::AllowAppManagement => "allow-app-management",
            Self::CorrectSettings => "correct-settings",
            Self::DockerSettings => "docker-settings",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|remedy| remedy.name() == name)
    }
}

/// A failure, in words for the user.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    advice: Option<String>,
    remedy: Option<Fix>,
}

impl Error {
    /// A failure of `kind`; the message is one sentence without a full stop.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            advice: None,
            remedy: None,
        }
    }

    /// The same, with what to do now.
    #[must_use]
    pub fn with_hint(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// The same, with what would help.
    #[must_use]
    pub fn with_fix(mut self, remedy: Fix) -> Self {
        self.remedy = Some(remedy);
        self
    }

    /// The same, with what it came in the middle of in front of it, as in "the image is done, but".
    #[must_use]
    pub fn context(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// A system call on `path` that failed: `tried` says what was to be done, as in "write".
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

    /// What kind of failure it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What to do now, for someone at the command line.
    pub fn hint(&self) -> Option<&str> {
        self.advice.as_deref()
    }

    /// What would help.
    pub fn fix(&self) -> Option<Fix> {
        self.remedy
    }
}

/// What to do where the system says no. macOS 13 and later let no program write into another
/// developer's app until the user allows it, and say `EPERM` (1), where mere permissions say
/// `EACCES`: <https://support.apple.com/guide/mac-help/mchl07817563/mac>.
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

/// The system's message without Rust's "(os error 2)".
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
