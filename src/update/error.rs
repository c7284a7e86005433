//! Why it is not known whether there is a newer version.

use std::io;
use std::time::Duration;

use thiserror::Error;

use crate::error::{Failure, Kind, plain};
use crate::relay::DialError;

use super::InvalidVersion;

/// The reason why a look for a newer version failed.
#[derive(Debug, Error)]
pub enum UpdateError {
    /// The address of the repository is not one of a web page.
    #[error(
        "the address of Baleen's repository should begin with https:// and a host, but is '{0}'"
    )]
    Address(String),
    /// No connection was made.
    #[error("could not look for a newer version: {0}")]
    Connect(#[from] DialError),
    /// The connection broke, or the server's certificate is not trusted.
    #[error(
        "could not look for a newer version: {host} gave no valid answer: {}",
        plain(why)
    )]
    Broken {
        /// The server.
        host: String,
        /// The reason.
        #[source]
        why: io::Error,
    },
    /// No answer came in time.
    #[error("could not look for a newer version: no answer came within {} seconds", .0.as_secs())]
    Timeout(Duration),
    /// The answer was another one than expected.
    #[error(
        "could not look for a newer version: {page} should lead to a release, but {}",
        found(*status, location.as_deref())
    )]
    Unexpected {
        /// The page.
        page: String,
        /// The status of the answer.
        status: u16,
        /// Where it led instead.
        location: Option<String>,
    },
    /// The latest release has a tag that says nothing.
    #[error("could not look for a newer version: the latest release has the tag '{tag}'; {why}")]
    Tag {
        /// The tag.
        tag: String,
        /// What was expected.
        #[source]
        why: InvalidVersion,
    },
    /// There is no release.
    #[error("could not look for a newer version: {0} has no release")]
    NoRelease(String),
    /// The system can't give what a request needs.
    #[error("could not look for a newer version: {}", plain(.0))]
    Start(#[source] io::Error),
}

fn found(status: u16, location: Option<&str>) -> String {
    match location {
        Some(location) => format!("led to {location}"),
        None => format!("the server answered {status}"),
    }
}

impl Failure for UpdateError {
    fn kind(&self) -> Kind {
        match self {
            Self::Address(_) => Kind::Usage,
            _ => Kind::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Address(_) => "bad-repository",
            Self::Connect(_) => "not-connected",
            Self::Broken { .. } | Self::Unexpected { .. } | Self::Tag { .. } => "bad-answer",
            Self::Timeout(_) => "no-answer-in-time",
            Self::NoRelease(_) => "no-release",
            Self::Start(_) => "not-started",
        }
    }
}
