//! What a user should know about a script's answers.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::PacError;
use super::unsupported_features::Feature;
use super::worker::tidy;

/// A way in which the answers of a script may differ from those in a browser.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ScriptRemark {
    /// The script uses features that the JavaScript engine lacks.
    Unsupported(Vec<Feature>),
    /// The script asked for an IPv4 address of a host that has IPv6 addresses only. Firefox would have given the
    /// first of them.
    Ipv6Only {
        /// The host.
        host: String,
        /// Its first address.
        first: IpAddr,
    },
}

impl ScriptRemark {
    /// Returns the remark without control characters: the host comes from the script.
    pub(super) fn tidied(self) -> Self {
        match self {
            Self::Ipv6Only { host, first } => Self::Ipv6Only {
                host: tidy(&host),
                first,
            },
            other => other,
        }
    }
}

/// A problem with a script or its answers.
#[derive(Debug, Clone)]
pub enum PacRemark {
    /// The answers may differ from those in a browser.
    Script(ScriptRemark),
    /// No answer came in time for this name, so the script was told that it does not exist.
    Unanswered(String),
    /// The answers could not be kept.
    NotKept(Arc<io::Error>),
    /// The network offers no script.
    NotOffered(Arc<io::Error>),
    /// The script can't be fetched or evaluated.
    Failed(Arc<PacError>),
}

impl PacRemark {
    pub(super) fn failed(error: PacError) -> Self {
        Self::Failed(Arc::new(error))
    }
}
