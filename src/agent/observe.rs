//! Observation of the current state: the config file, the user's intent, Docker.app, its boot image, and
//! whether Docker runs. It takes about a millisecond, since only both ends of the image are read.

use std::path::PathBuf;

use crate::backend::{self, BundleState, Depth};
use crate::config::Config;
use crate::desired::{self, bundle_path};
use crate::docker::bundle;
use crate::error::Diagnostic;
use crate::patch::intent::Intents;
use crate::patch::live::LiveLock;

use super::snapshot::{Fingerprint, Snapshot};

/// The observer of the current state.
#[derive(Debug, Clone)]
pub(crate) struct Observer {
    /// The path of Docker.app, if it was given on the command line.
    pub docker_app: Option<PathBuf>,
    /// The config file.
    pub config: PathBuf,
    /// The folder for Baleen's own files.
    pub state: PathBuf,
    /// The last valid contents of the config file.
    pub last: Config,
}

impl Observer {
    /// Returns the possible paths of Docker.app.
    pub(crate) fn places(&self) -> Vec<PathBuf> {
        match desired::chosen_bundle(self.docker_app.as_deref(), &self.last) {
            Some(chosen) => vec![chosen],
            None => bundle::default_places(std::env::home_dir().as_deref()),
        }
    }

    /// Observes the current state.
    pub(crate) fn observe(&mut self) -> Snapshot {
        let config = Config::load(&self.config);
        if let Ok(config) = &config {
            self.last.clone_from(config);
        }
        let config = config.map_err(Diagnostic::from);
        let intents = Intents::in_folder(&self.state);
        // The fingerprint comes first, so that a change in between is noticed.
        let print = Fingerprint::of(&self.places());
        let (place, path, bundle_state) = match bundle_path(self.docker_app.as_deref(), &self.last)
        {
            Err(error) => (None, None, BundleState::Missing(Diagnostic::from(error))),
            Ok(place) => {
                let path = place.canonicalize().unwrap_or_else(|_| place.clone());
                let bundle_state = backend::bundle_state(&place, &intents, Depth::Quick, &|_| {});
                (Some(place), Some(path), bundle_state)
            }
        };
        // The lock is checked before the edits: a command that ends in between has written its edit by then.
        let is_followed = LiveLock::is_seen(&self.state);
        let running = path
            .as_deref()
            .and_then(|path| backend::running(path, &self.state));
        Snapshot {
            config,
            intent: place.as_deref().and_then(|place| intents.get(place)),
            named: place.as_deref().and_then(|place| intents.named(place)),
            place,
            path,
            bundle_state,
            fingerprint: print,
            running,
            is_live_locked: is_followed,
        }
    }
}
