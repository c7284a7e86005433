//! The proxy that an engine sets by itself, where Baleen has not changed it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The proxy in an engine without Baleen's change, if that was checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unpatched {
    /// It was not read, or Baleen does not know it.
    #[default]
    Unchecked,
    /// It sets no proxy, so it counts as the engine's own.
    Clean,
    /// It sets a proxy.
    ByHand {
        /// The first line that sets one, without passwords.
        line: String,
        /// A file beside it that sets no proxy.
        #[serde(default)]
        stock: Option<PathBuf>,
    },
    /// The engine's own settings are as the engine, or its user before Baleen, had them.
    OwnSettings,
    /// The engine's own settings set another proxy.
    InSettings {
        /// That proxy, without passwords.
        summary: String,
    },
}

impl Unpatched {
    /// Returns the line that sets a proxy by hand.
    pub fn by_hand(&self) -> Option<&str> {
        match self {
            Self::ByHand { line, .. } => Some(line),
            Self::InSettings { summary } => Some(summary),
            Self::Unchecked | Self::Clean | Self::OwnSettings => None,
        }
    }
}
