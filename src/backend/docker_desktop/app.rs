//! Docker.app as an engine whose proxy Baleen keeps.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::backend::{
    Activation, Backend, BackendId, Capabilities, Depth, Engine, Kind, Observation, OnProgress,
    Plan, PlanOptions, Remains, RestartScope, Running, Unpatched,
};
use crate::error::{self, Error, Failure};
use crate::platform::apps;
use crate::proxy::{ClientDialect, EngineProxy};

use super::initrd::live::{self, LiveEdits};
use super::initrd::{self, CheckedOriginals};
use super::settings::{self, Records, SettingsPlan};
use super::{Bundle, Family, Vm, bundle, observe, restart};

/// Docker for Mac, which is called Docker Desktop today.
#[derive(Debug)]
pub(crate) struct DockerDesktop;

const ID: BackendId = BackendId("docker-desktop");

impl Kind for DockerDesktop {
    fn places(&self, home: Option<&Path>) -> Vec<PathBuf> {
        bundle::default_places(home)
    }

    fn state_files(&self) -> &'static [&'static str] {
        &[LiveEdits::FILE, CheckedOriginals::FILE, Records::FILE]
    }

    fn watch_running(&self, on_change: Arc<dyn Fn() + Send + Sync>) -> Option<apps::Watch> {
        restart::watch(move || on_change())
    }

    fn is_at(&self, path: &Path) -> bool {
        path.join("Contents").is_dir()
    }

    fn open(&self, path: &Path, state: &Path) -> Box<dyn Backend> {
        let home = env::home_dir().unwrap_or_default();
        open_in_home(path, state, &home)
    }
}

/// Returns the Docker.app at `path` for a user with this home folder.
pub(crate) fn open_in_home(path: &Path, state: &Path, home: &Path) -> Box<dyn Backend> {
    Box::new(DockerApp {
        place: path.to_owned(),
        state: state.to_owned(),
        home: home.to_owned(),
    })
}

/// The Docker.app at a path.
#[derive(Debug)]
struct DockerApp {
    place: PathBuf,
    /// The folder in which Baleen keeps its state.
    state: PathBuf,
    /// The home folder of the user, in which Docker keeps its settings.
    home: PathBuf,
}

impl DockerApp {
    fn bundle(&self) -> Result<Bundle, Error> {
        Ok(Bundle::read(&self.place)?)
    }

    /// The path with links resolved. Processes and records are known by it.
    fn real(&self) -> PathBuf {
        self.place
            .canonicalize()
            .unwrap_or_else(|_| self.place.clone())
    }
}

impl Bundle {
    /// Returns whether this Docker keeps its proxy in settings of its own, and not in its boot image.
    pub(crate) fn has_own_settings(&self) -> bool {
        self.family.proxy_pane().is_some()
    }

    /// Returns the facts about the engine of this bundle.
    pub fn engine(&self) -> Engine {
        Engine {
            backend: ID,
            path: self.path.clone(),
            named: self.named.clone(),
            version: self.version.clone(),
            build: self.build.clone(),
            family: self.family.id(),
            capabilities: Capabilities {
                client: match self.has_own_settings() {
                    true => ClientDialect::of_docker_proxy(&self.version),
                    false => ClientDialect::of(&self.version, true),
                },
                live: !self.has_own_settings(),
            },
            proxy_pane: None,
            settings_url: None,
            locked_by: None,
            refusal: self.refusal().map(Into::into),
        }
    }
}

impl Backend for DockerApp {
    fn place(&self) -> &Path {
        &self.place
    }

    fn watched(&self) -> Vec<PathBuf> {
        let folders = [
            "",
            "Contents",
            "Contents/Resources",
            "Contents/Resources/moby",
        ];
        let resources = self.place.join("Contents/Resources");
        let files = Family::files().iter().map(|name| resources.join(name));
        let folders = folders.iter().map(|folder| self.place.join(folder));
        let own_settings = match self.bundle() {
            Ok(bundle) if bundle.has_own_settings() => settings::watched(&bundle, &self.home),
            _ => Vec::new(),
        };
        folders
            .chain(files)
            .chain([Bundle::info_plist(&self.place)])
            .chain(own_settings)
            .collect()
    }

    fn engine(&self) -> Result<Engine, Error> {
        Ok(self.bundle()?.engine())
    }

    fn observe(&self, depth: Depth, progress: OnProgress<'_>) -> Observation {
        match Bundle::read(&self.place) {
            Ok(bundle) if bundle.has_own_settings() => {
                settings::observe(&bundle, &self.home, &self.state)
            }
            _ => {
                let originals = CheckedOriginals::in_folder(&self.state);
                observe::observe(&self.place, &originals, depth, progress)
            }
        }
    }

    fn running(&self) -> Option<Running> {
        let real = self.real();
        if let Ok(bundle) = self.bundle()
            && bundle.has_own_settings()
        {
            return settings::running(&bundle);
        }
        let vm = Vm::of(&real)?;
        Some(Running {
            pid: vm.pid,
            since: vm.since,
            revision: None,
            tells_settings: false,
            has_console: vm.console.is_some(),
            edit: LiveEdits::in_folder(&self.state).get(&real, &vm),
        })
    }

    fn plan(
        &self,
        want: Option<&EngineProxy>,
        options: PlanOptions,
        progress: OnProgress<'_>,
    ) -> Result<Box<dyn Plan>, Error> {
        let bundle = self.bundle()?;
        if bundle.has_own_settings() {
            let records = Records::in_folder(&self.state);
            return Ok(Box::new(SettingsPlan::new(
                (&bundle, &self.home),
                want,
                options,
                records,
            )?));
        }
        Ok(Box::new(initrd::ImagePlan::new(
            &bundle, want, options, progress,
        )?))
    }

    fn activate(
        &self,
        scope: RestartScope,
        adopt: bool,
        cancel: &AtomicBool,
    ) -> Result<Activation, Error> {
        if scope == RestartScope::Docker {
            restart::restart(&self.real())?;
            return Ok(Activation::Restarted {
                environment: Vec::new(),
            });
        }
        let bundle = self.bundle()?;
        if bundle.has_own_settings() {
            // What is set over the socket is in use at once.
            return Ok(match settings::running(&bundle) {
                None => Activation::NotRunning,
                Some(_) => Activation::UpToDate {
                    environment: Vec::new(),
                },
            });
        }
        let Some(vm) = Vm::of(&bundle.path) else {
            return Ok(Activation::NotRunning);
        };
        let outcome = live::apply_live(&bundle, &vm, adopt, &self.state, cancel)?;
        let environment = outcome.environment;
        Ok(match outcome.restarted {
            true => Activation::Restarted { environment },
            false => Activation::UpToDate { environment },
        })
    }

    fn remember_original(&self, found: &Unpatched) -> Result<(), Error> {
        let bundle = self.bundle()?;
        if bundle.has_own_settings() {
            return Ok(());
        }
        let image = initrd::image::image_of(&bundle)?;
        CheckedOriginals::in_folder(&self.state).set(&bundle.path, image, found.clone())?;
        Ok(())
    }

    fn own_proxy(&self) -> Option<PathBuf> {
        let has_one = self.bundle().is_ok_and(|bundle| bundle.has_own_settings());
        has_one.then(|| settings::own_proxy(&self.home))
    }

    fn read_unpatched(&self) -> Unpatched {
        self.bundle().map_or_else(
            |_| Unpatched::default(),
            |bundle| match bundle.has_own_settings() {
                true => Unpatched::default(),
                false => initrd::read_unpatched(&bundle),
            },
        )
    }

    fn configured_proxy(&self) -> Result<Option<EngineProxy>, Error> {
        let bundle = self.bundle()?;
        match bundle.has_own_settings() {
            true => Ok(settings::configured_proxy(&bundle, &self.home)?),
            false => Ok(initrd::in_place(&bundle)?),
        }
    }

    fn preflight(&self) -> Result<(), Error> {
        let bundle = self.bundle()?;
        if bundle.has_own_settings() {
            return Ok(settings::preflight(&bundle, &self.home)?);
        }
        Ok(initrd::preflight(initrd::image::image_of(&bundle)?)?)
    }

    fn remains(&self) -> Option<Remains> {
        match Bundle::read(&self.place) {
            Ok(bundle) if bundle.has_own_settings() => {
                settings::remains(&bundle, &self.home, &self.state)
            }
            Ok(bundle) => initrd::remains(bundle),
            Err(error) if error.kind() == error::Kind::Unsupported => None,
            Err(error) => Some(Remains {
                path: self.place.clone(),
                version: None,
                state: Err(error.into()),
                backup: None,
            }),
        }
    }

    fn remove_leftover_backup(&self) -> Result<(), Error> {
        let bundle = self.bundle()?;
        match bundle.has_own_settings() {
            true => Ok(()),
            false => Ok(initrd::remove_leftover(&bundle)?),
        }
    }

    fn unfinished(&self) -> Vec<PathBuf> {
        let Ok(bundle) = self.bundle() else {
            return Vec::new();
        };
        if bundle.has_own_settings() {
            return settings::unfinished(&self.home);
        }
        initrd::image::image_of(&bundle).map_or_else(|_| Vec::new(), initrd::unfinished)
    }

    fn remove_unfinished(&self) {
        if self.unfinished().is_empty() {
            return;
        }
        let Ok(bundle) = self.bundle() else {
            return;
        };
        // A lock begins with removing them.
        if bundle.has_own_settings() {
            settings::remove_unfinished(&self.home);
        } else if let Ok(image) = initrd::image::image_of(&bundle) {
            let _ = initrd::Lock::acquire(image);
        }
    }
}

/// Returns the client of the engine in Docker for Mac of this version, for a version without a bundle on disk.
pub(crate) fn client_of(version: &str) -> ClientDialect {
    match Family::is_patched_in(version) {
        true => ClientDialect::of(version, true),
        false => ClientDialect::of_docker_proxy(version),
    }
}
