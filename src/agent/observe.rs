//! Observation of the current state: the config file, the user's intent, Docker.app, its boot image, and
//! whether Docker runs. It takes about a millisecond, since only both ends of the image are read.

use std::path::PathBuf;

use crate::backend::{Depth, Observation, Registry};
use crate::config::Config;
use crate::desired;
use crate::error::{Diagnostic, Error};
use crate::intent::Intents;
use crate::service::LiveLock;
use crate::service::install_location::InstallLocation;
use crate::service::login_item;

use super::snapshot::{Fingerprint, Snapshot};

/// The observer of the current state.
#[derive(Debug, Clone)]
pub(crate) struct Observer {
    /// The kinds of engines.
    pub registry: Registry,
    /// The path of Docker.app, if it was given on the command line.
    pub docker_app: Option<PathBuf>,
    /// The config file.
    pub config: PathBuf,
    /// The folder for Baleen's own files.
    pub state: PathBuf,
    /// The last valid contents of the config file.
    pub last: Config,
    /// True if the user sees an icon, so that there is an app that can start at login.
    pub has_icon: bool,
    /// The engine in which the files of killed runs were looked for.
    pub swept: Option<PathBuf>,
}

impl Observer {
    /// Returns the possible paths of Docker.app.
    pub(crate) fn places(&self) -> Vec<PathBuf> {
        match desired::chosen_path(self.docker_app.as_deref(), &self.last) {
            Some(chosen) => vec![chosen],
            None => self.registry.places(),
        }
    }

    /// Returns the engine's files that are not in one of its places.
    pub(crate) fn elsewhere(&self) -> Vec<PathBuf> {
        let places = self.places();
        let mut files = self.registry.watched(&places, &self.state);
        files.retain(|file| !places.iter().any(|place| file.starts_with(place)));
        files
    }

    /// Returns the fingerprint of the engine's files.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.registry.watched(&self.places(), &self.state))
    }

    /// Observes the current state.
    pub(crate) fn observe(&mut self) -> Snapshot {
        let config = Config::load(&self.config)
            .map_err(Error::from)
            .and_then(|mut config| {
                config.relay = desired::relay_policy(config.relay)?;
                Ok(config)
            });
        if let Ok(config) = &config {
            self.last.clone_from(config);
        }
        let config = config.map_err(Diagnostic::from);
        let intents = Intents::in_folder(&self.state);
        // The fingerprint comes first, so that a change in between is noticed.
        let print = self.fingerprint();
        let chosen = desired::chosen_path(self.docker_app.as_deref(), &self.last);
        let backend = self.registry.find(chosen.as_deref(), &self.state);
        let place = backend.as_ref().ok().map(|it| it.place().to_owned());
        if let Ok(backend) = &backend
            && self.swept != place
        {
            backend.remove_unfinished();
            self.swept.clone_from(&place);
        }
        let path = place
            .as_ref()
            .map(|place| place.canonicalize().unwrap_or_else(|_| place.clone()));
        let observation = match &backend {
            Err(error) => Observation::Missing(error.clone().into()),
            Ok(backend) => backend.observe(Depth::Quick, &|_| {}),
        };
        // The lock is checked before the edits: a command that ends in between has written its edit by then.
        let is_followed = LiveLock::is_seen(&self.state);
        let running = backend.ok().and_then(|backend| backend.running());
        Snapshot {
            config,
            intent: place.as_deref().and_then(|place| intents.get(place)),
            named: place.as_deref().and_then(|place| intents.named(place)),
            place,
            path,
            observation,
            fingerprint: print,
            running,
            is_live_locked: is_followed,
            login_item: (self.has_icon && !InstallLocation::current().is_temporary())
                .then(login_item::status),
        }
    }
}
