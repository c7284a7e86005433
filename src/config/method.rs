//! The patch methods for boot images.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The way in which an image is patched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Append a member to the image.
    Append,
    /// Rewrite the member that holds the script.
    Rebuild,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Append => "append",
            Self::Rebuild => "rebuild",
        })
    }
}

/// The error for a text that names no method.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected append or rebuild, found {0}")]
pub struct UnknownMethod(pub String);

impl FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(text: &str) -> Result<Self, UnknownMethod> {
        match text {
            "append" => Ok(Self::Append),
            "rebuild" => Ok(Self::Rebuild),
            other => Err(UnknownMethod(other.to_owned())),
        }
    }
}
