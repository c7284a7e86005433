//! The messages to and from the process: JSON, one message a line.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::proxy::pac::ScriptRemark;
use crate::proxy::pac::error::ScriptFault;

/// Questions to a script.
#[derive(Serialize, Deserialize)]
pub(super) struct Request<'a> {
    /// The script; in the first request alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) script: Option<Cow<'a, str>>,
    /// URLs and their hosts.
    pub(super) questions: Cow<'a, [(String, String)]>,
}

/// The answer to a [`Request`].
#[derive(Serialize, Deserialize)]
pub(super) enum Response {
    /// The script answered.
    Answered {
        /// One text for each question.
        texts: Vec<String>,
        /// The first name without an answer in time.
        unanswered: Option<String>,
        /// Differences from the browsers.
        remarks: BTreeSet<ScriptRemark>,
    },
    /// The script failed.
    Failed(ScriptFault),
}
