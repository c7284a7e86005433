//! What Baleen has left in an engine, for its removal.

use std::path::PathBuf;

use crate::error::Error;
use crate::proxy::RedactedProxy;

use super::Unpatched;

/// What Baleen has left in an engine that it could have changed.
#[derive(Debug)]
pub struct Remains {
    /// Path of the engine.
    pub path: PathBuf,
    /// The version, if it could be read.
    pub version: Option<String>,
    /// The state of the engine, or an error if it is unknown or the original is not available.
    pub state: Result<RemainsState, Error>,
    /// A file with the backup's name that the engine does not need.
    pub backup: Option<BackupState>,
}

/// Whether Baleen's change is in an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemainsState {
    /// Baleen did not change it.
    Stock,
    /// Baleen did not change it, but was killed shortly before.
    Unfinished,
    /// Baleen changed it and the original is available, with the proxies in both.
    Patched(RedactedProxy, Unpatched),
}

/// A file with the backup's name that the engine does not need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupState {
    /// The same file, left by a Baleen that was killed.
    Leftover(PathBuf),
    /// Another file.
    Stray(PathBuf),
}
