//! Where proxy settings come from.

use std::path::PathBuf;

use serde::{Serialize, Serializer};

/// The source that gave some proxy settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyOrigin {
    /// The system's settings.
    System,
    /// The variables of this process.
    Environment,
    /// The config file.
    ConfigFile,
    /// Options of the command line, now or earlier.
    CommandLine,
    /// Baleen's relay, behind which each connection goes the way of this computer's settings.
    Relay,
    /// This property list.
    File(PathBuf),
}

/// Programs get the same words as people.
impl Serialize for ProxyOrigin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
