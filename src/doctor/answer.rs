//! What a proxy or a server answered, without passwords.

use std::time::Duration;

use crate::net::http::{Head, HttpError};

use super::net_error::NetError;
use super::untrusted_text::Redactor;

/// An answer, or the reason why there is none.
pub(crate) type Answer = Result<Said, NoAnswer>;

/// The parts of an answer that are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) status: u16,
    /// The reason phrase, which may be empty.
    pub(crate) reason: String,
    /// The title of its page.
    pub(crate) page: Option<String>,
    /// The place to which it redirects.
    pub(crate) location: Option<String>,
}

/// The reason why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    Net(NetError),
    Closed,
    /// The connection was closed in the middle of the answer.
    Half,
    /// The peer sent this, which is not HTTP.
    NotHttp(String),
    TooLong,
}

impl Said {
    pub(super) fn of(head: &Head, page: Option<&str>, redactor: &Redactor) -> Self {
        let location = head.values("location").next();
        Self {
            status: head.status,
            reason: redactor.clean(&head.reason),
            page: page.map(|page| redactor.clean(page)),
            location: location.map(|location| redactor.clean(location)),
        }
    }
}

impl NoAnswer {
    /// `patience` is the timeout of the call that failed.
    pub(super) fn of(error: &HttpError, patience: Duration, redactor: &Redactor) -> Self {
        match error {
            HttpError::Io(error) => Self::Net(NetError::of(error, patience)),
            HttpError::Closed => Self::Closed,
            HttpError::Half => Self::Half,
            HttpError::NotHttp(bytes) => {
                Self::NotHttp(redactor.clean(&String::from_utf8_lossy(bytes)))
            }
            HttpError::TooLong => Self::TooLong,
        }
    }
}
