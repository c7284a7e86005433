use std::ffi::OsString;
use std::io;

/// The reason why a file, a folder or a URL was not opened.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum TargetError {
    /// The program that opens it could not be run.
    #[error(transparent)]
    Run(#[from] io::Error),

    #[error("{} is neither a path nor a URL", target.display())]
    NoTarget { target: OsString },

    #[error("macOS did not open {}", target.display())]
    NotOpened { target: OsString },

    #[error("/usr/bin/open failed: {}", said.as_deref().unwrap_or("it gave no reason"))]
    Failed { said: Option<String> },
}
