//! Docker.app as an engine whose proxy Baleen keeps.

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
        &[LiveEdits::FILE, CheckedOriginals::FILE]
    }

    fn watch_running(&self, on_change: Arc<dyn Fn() + Send + Sync>) -> Option<apps::Watch> {
        restart::watch(move || on_change())
    }

    fn is_at(&self, path: &Path) -> bool {
        path.join("Contents").is_dir()
    }

    fn open(&self, path: &Path, state: &Path) -> Box<dyn Backend> {
        Box::new(DockerApp {
            place: path.to_owned(),
            state: state.to_owned(),
        })
    }
}

/// The Docker.app at a path.
#[derive(Debug)]
struct DockerApp {
    place: PathBuf,
    /// The folder in which Baleen keeps its state.
    state: PathBuf,
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
    /// Returns the facts about the engine of this bundle.
    pub fn engine(&self) -> Engine {
        let is_patched = matches!(self.family, Family::Moby { .. });
        Engine {
            backend: ID,
            path: self.path.clone(),
            named: self.named.clone(),
            version: self.version.clone(),
            build: self.build.clone(),
            family: self.family.id(),
            capabilities: Capabilities {
                client: ClientDialect::of(&self.version, is_patched),
                live: is_patched,
            },
            proxy_pane: self.family.proxy_pane(),
            settings_url: self.family.settings_url(),
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
        folders
            .chain(files)
            .chain([Bundle::info_plist(&self.place)])
            .collect()
    }

    fn engine(&self) -> Result<Engine, Error> {
        Ok(self.bundle()?.engine())
    }

    fn observe(&self, depth: Depth, progress: OnProgress<'_>) -> Observation {
        let originals = CheckedOriginals::in_folder(&self.state);
        observe::observe(&self.place, &originals, depth, progress)
    }

    fn running(&self) -> Option<Running> {
        let real = self.real();
        let vm = Vm::of(&real)?;
        Some(Running {
            pid: vm.pid,
            since: vm.since,
            revision: None,
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
        Ok(Box::new(initrd::ImagePlan::new(
            &self.bundle()?,
            want,
            options,
            progress,
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
        let image = initrd::image::image_of(&bundle)?;
        CheckedOriginals::in_folder(&self.state).set(&bundle.path, image, found.clone())?;
        Ok(())
    }

    fn read_unpatched(&self) -> Unpatched {
        self.bundle().map_or_else(
            |_| Unpatched::default(),
            |bundle| initrd::read_unpatched(&bundle),
        )
    }

    fn configured_proxy(&self) -> Result<Option<EngineProxy>, Error> {
        Ok(initrd::in_place(&self.bundle()?)?)
    }

    fn preflight(&self) -> Result<(), Error> {
        let bundle = self.bundle()?;
        Ok(initrd::preflight(initrd::image::image_of(&bundle)?)?)
    }

    fn remains(&self) -> Option<Remains> {
        match Bundle::read(&self.place) {
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
        Ok(initrd::remove_leftover(&self.bundle()?)?)
    }

    fn unfinished(&self) -> Vec<PathBuf> {
        let Ok(bundle) = self.bundle() else {
            return Vec::new();
        };
        initrd::image::image_of(&bundle).map_or_else(|_| Vec::new(), initrd::unfinished)
    }
}

/// Returns the client of the engine in Docker for Mac of this version, for a version without a bundle on disk.
pub(crate) fn client_of(version: &str) -> ClientDialect {
    ClientDialect::of(version, Family::is_patched_in(version))
}
