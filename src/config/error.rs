//! Errors about the config file.

use std::path::PathBuf;

use crate::error::{Failure, Fix, IoError, Kind};
use crate::proxy::InvalidUrl;

use super::Key;
use super::key::UnknownKey;

/// The reason why the config file could not be read or changed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum ConfigError {
    #[error(transparent)]
    File(#[from] IoError),

    #[error("{} should be a file, but is {}", path.display(), match is_folder { true => "a folder", false => "a special file" })]
    NotAFile { path: PathBuf, is_folder: bool },

    #[error("another program has locked {}", folder.display())]
    Locked { folder: PathBuf },

    #[error("{}:{line}:{column}: {source}", path.display())]
    Invalid {
        path: PathBuf,
        line: usize,
        column: usize,
        source: Mistake,
    },

    #[error("{} was left as it is, since it could not be used then: {source}", path.display())]
    WouldBeInvalid { path: PathBuf, source: Mistake },

    #[error("{key} {source}")]
    Value { key: Key, source: InvalidValue },

    #[error("the environment variable {name} {source}")]
    Variable {
        name: &'static str,
        source: InvalidValue,
    },
}

/// A mistake in the text of a config file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum Mistake {
    #[error("here is a byte that is not UTF-8")]
    NotUtf8,

    #[error("this is not TOML: {why}")]
    NotToml { why: String },

    #[error(transparent)]
    UnknownKey(#[from] UnknownKey),

    #[error("{key} is a table here")]
    Table { key: Key },

    #[error("{key} should be {}, but is {}", expected.in_words(), found.in_words())]
    OtherType {
        key: Key,
        expected: Expected,
        found: ValueType,
    },

    #[error("{key} {source}")]
    Value { key: Key, source: InvalidValue },

    #[error("source is manual, but neither http_proxy nor https_proxy is set")]
    NoManualProxy,
}

/// The reason why a key can't have a value, as the rest of a sentence that begins with the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum InvalidValue {
    #[error("should be {}, but is '{found}'", listed(names))]
    OtherWord {
        names: Vec<&'static str>,
        found: String,
    },

    #[error("can't be used: {0}")]
    Url(#[from] InvalidUrl),

    #[error("should have no password: this file is no place for one")]
    Password,

    #[error("has an entry that {0}")]
    NoProxy(#[from] InvalidEntry),

    #[error(
        "should be an address or a name, as in 192.168.65.1 or host.docker.internal, but is the VM's own, where no proxy of the Mac listens"
    )]
    Loopback,

    #[error(
        "should be an address or a name, as in 192.168.65.1 or host.docker.internal, but is '{found}'"
    )]
    HostAddress { found: String },

    #[error(
        "has an entry that should be HOST or HOST:PORT, as in registry.corp:5000, but is '{found}'"
    )]
    Registry { found: String },

    #[error("should be a port from 1024 to 65535, but is {found}")]
    Port { found: String },

    #[error("should be a whole path, beginning with / or ~/, but is '{found}'")]
    Path { found: String },
}

/// The reason why a no-proxy list can't have an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum InvalidEntry {
    /// It is not shown, since it may hold a password.
    #[error("is a URL, or has a user; expected a host, as in .corp or 10.0.0.5")]
    Url,

    #[error("is empty")]
    Empty,

    #[error(
        "holds a comma, a space, a quotation mark or a control character; every host is an entry of its own"
    )]
    Characters,

    #[error("is '*', which would send everything past the proxy")]
    Everything,

    #[error("is a port without a host")]
    NoHost,
}

/// The expected type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// A text.
    Text,
    /// A list of texts.
    Texts,
    /// A text, as an entry of a list.
    Entry,
    /// True or false.
    Boolean,
    /// A whole number.
    Number,
}

impl Expected {
    fn in_words(self) -> &'static str {
        match self {
            Self::Text => "a text in quotation marks",
            Self::Texts => "a list of texts, as in [\".corp\", \"10.0.0.5\"]",
            Self::Entry => "a list of texts only",
            Self::Boolean => "true or false, without quotation marks",
            Self::Number => "a whole number, without quotation marks",
        }
    }
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the types of TOML")]
pub enum ValueType {
    Text,
    Number,
    Boolean,
    List,
    Date,
    Table,
}

impl ValueType {
    fn in_words(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::List => "a list",
            Self::Date => "a date",
            Self::Table => "a table",
        }
    }
}

fn listed(names: &[&str]) -> String {
    let (last, others) = names.split_last().unwrap_or((&"", &[]));
    format!("{} or {last}", others.join(", "))
}

impl Failure for ConfigError {
    fn kind(&self) -> Kind {
        match self {
            Self::File(file) => file.kind(),
            Self::NotAFile { .. } => Kind::Unsupported,
            Self::Locked { .. } => Kind::Busy,
            Self::Invalid { .. }
            | Self::WouldBeInvalid { .. }
            | Self::Value { .. }
            | Self::Variable { .. } => Kind::Usage,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::File(file) => file.code(),
            Self::NotAFile { .. } => "config-not-a-file",
            Self::Locked { .. } => "config-locked",
            Self::Invalid { .. } => "config-invalid",
            Self::WouldBeInvalid { .. } => "config-would-be-invalid",
            Self::Value { .. } => "config-value",
            Self::Variable { .. } => "config-variable",
        }
    }

    fn fix(&self) -> Option<Fix> {
        match self {
            Self::Invalid { .. } => Some(Fix::CorrectSettings),
            _ => None,
        }
    }
}
