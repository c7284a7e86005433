//! The snapshot of one observation, and the fingerprint of the bundle's files.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::backend::{Observation, Running};
use crate::config::Config;
use crate::error::Diagnostic;
use crate::intent::Intent;
use crate::proxy::RedactedProxy;
use crate::service::login_item::LoginItem;

/// The result of one observation.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The contents of the config file.
    pub config: Result<Config, Diagnostic>,
    /// The path of Docker.app as it was named or found.
    pub place: Option<PathBuf>,
    /// The path of Docker.app, with links resolved.
    pub path: Option<PathBuf>,
    /// The user's recorded intent for this bundle.
    pub intent: Option<Intent>,
    /// The proxy named by hand for this bundle, if it was recorded.
    pub named: Option<RedactedProxy>,
    /// The observed state of the bundle.
    pub observation: Observation,
    /// The fingerprint of the bundle's files.
    pub fingerprint: Fingerprint,
    /// The Docker that runs from this bundle.
    pub running: Option<Running>,
    /// True while a `baleen` command in a terminal updates the running VM.
    pub is_live_locked: bool,
    /// The state of the login item, where there can be one.
    pub login_item: Option<LoginItem>,
}

/// A fingerprint of an engine's files. It stays equal only if none of the relevant files was replaced or
/// written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// Computes the fingerprint of these files and folders. Of a folder only its identity counts.
    pub fn of(files: &[PathBuf]) -> Self {
        let mut hasher = DefaultHasher::new();
        for path in files {
            path.hash(&mut hasher);
            match fs::metadata(path) {
                Ok(folder) if folder.is_dir() => {
                    Some((folder.dev(), folder.ino())).hash(&mut hasher);
                }
                _ => path
                    .symlink_metadata()
                    .ok()
                    .map(|found| {
                        let modified = (found.mtime(), found.mtime_nsec());
                        (found.dev(), found.ino(), found.len(), modified)
                    })
                    .hash(&mut hasher),
            }
        }
        Self(hasher.finish())
    }
}
