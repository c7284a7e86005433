//! The snapshot of one observation, and the fingerprint of the bundle's files.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::backend::{BundleState, Running};
use crate::config::Config;
use crate::docker::{Bundle, Family};
use crate::error::Diagnostic;
use crate::patch::intent::Intent;
use crate::proxy::RedactedProxy;

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
    pub bundle_state: BundleState,
    /// The fingerprint of the bundle's files.
    pub fingerprint: Fingerprint,
    /// The Docker that runs from this bundle.
    pub running: Option<Running>,
    /// True while a `baleen` command in a terminal updates the running VM.
    pub is_live_locked: bool,
}

/// A fingerprint of a bundle's files. It stays equal only if none of the relevant files was replaced or
/// written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// Computes the fingerprint of the first bundle in `places` that exists.
    pub fn of(places: &[PathBuf]) -> Self {
        let mut hasher = DefaultHasher::new();
        if let Some(bundle) = places.iter().find(|place| place.exists()) {
            bundle.hash(&mut hasher);
            let folders = [
                "",
                "Contents",
                "Contents/Resources",
                "Contents/Resources/moby",
            ];
            for folder in folders {
                let found = fs::metadata(bundle.join(folder)).ok();
                found
                    .map(|found| (found.dev(), found.ino()))
                    .hash(&mut hasher);
            }
            let resources = bundle.join("Contents/Resources");
            let files = Family::files().iter().map(|name| resources.join(name));
            for file in files.chain([Bundle::info_plist(bundle)]) {
                let found = file.symlink_metadata().ok();
                found
                    .map(|found| {
                        let modified = (found.mtime(), found.mtime_nsec());
                        (found.dev(), found.ino(), found.len(), modified)
                    })
                    .hash(&mut hasher);
            }
        }
        Self(hasher.finish())
    }
}
