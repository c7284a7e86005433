use std::io;
use std::time::Duration;

use crate::error::{Failure, Kind};
use crate::property_list::InvalidList;

/// The reason why the system's proxy settings could not be read or watched.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum ReadError {
    /// A system call of macOS.
    #[error("macOS did not tell its proxy settings: {call} failed")]
    Call { call: &'static str },

    /// What macOS gives.
    #[error("macOS did not tell its proxy settings: reading its property list ({why}) failed")]
    PropertyList { why: InvalidList },

    /// Running `gsettings`, or reading what it prints.
    #[error("could not read the desktop's proxy settings: {0}")]
    Run(#[from] io::Error),

    #[error("could not read the desktop's proxy settings: gsettings did not answer within {} seconds", within.as_secs())]
    NoAnswer { within: Duration },

    #[error("could not read the desktop's proxy settings: gsettings failed: {}", said.as_deref().unwrap_or("it gave no reason"))]
    Failed { said: Option<String> },

    /// What `gsettings` prints.
    #[error("could not read the desktop's proxy settings: in what gsettings prints, {0}")]
    Setting(#[from] SettingError),
}

/// A setting of GNOME that does not match its schema. It holds no value, since that may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum SettingError {
    #[error("it lists no {key}")]
    Missing { key: String },

    #[error("{key} is not {}", .expected.in_words())]
    Other { key: String, expected: Expected },
}

/// The expected form of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// One of the modes.
    Mode,
    /// A string.
    Text,
    /// A list of strings.
    List,
    /// A number.
    Number,
    /// True or false.
    Switch,
}

impl Expected {
    fn in_words(self) -> &'static str {
        match self {
            Self::Mode => "'none', 'manual' or 'auto'",
            Self::Text => "a string",
            Self::List => "a list of strings",
            Self::Number => "a number",
            Self::Switch => "true or false",
        }
    }
}

impl Failure for ReadError {
    fn kind(&self) -> Kind {
        Kind::Failure
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Call { .. } => "system-proxies-call",
            Self::PropertyList { .. } => "system-proxies-property-list",
            Self::Run(_) => "gsettings-not-run",
            Self::NoAnswer { .. } => "gsettings-no-answer",
            Self::Failed { .. } => "gsettings-failed",
            Self::Setting(_) => "gsettings-setting",
        }
    }
}
