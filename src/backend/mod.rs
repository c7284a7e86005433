//! The engines on this computer. A backend is one kind of engine whose proxy Baleen keeps; all others see its engines
//! through [`Backend`] only.
//!
//! To add a kind of engine: a folder here that implements [`Backend`] and [`Kind`], and a line in [`Registry::BUILT_IN`].

pub mod docker_desktop;
mod engine;
mod observation;
mod plan;
mod registry;
mod remains;
mod unpatched;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use crate::error::Error;
use crate::proxy::EngineProxy;

pub use docker_desktop::ProxyPane;
pub use engine::{BackendId, Capabilities, Engine};
pub(crate) use observation::Generation;
pub use observation::{
    Configured, Depth, EngineSync, Installed, Layer, LiveEdit, Observation, OwnSettings,
    RestartScope, Running,
};
pub use plan::{
    ChangeStep, ChangedSince, Changes, OnProgress, Original, Plan, PlanOptions, Progress, Purpose,
    Step, TakesEffect, Warning,
};
pub use registry::{Kind, NotFound, Registry};
pub use remains::{BackupState, Remains, RemainsState};
pub use unpatched::Unpatched;

/// One engine whose proxy Baleen keeps.
pub trait Backend: fmt::Debug + Send + Sync {
    /// The path of the engine as the user named it or as it was found. The user's intent belongs to it.
    fn place(&self) -> &Path;

    /// Returns the files whose change means that the engine has to be observed again.
    fn watched(&self) -> Vec<PathBuf>;

    /// Reads the facts about the engine.
    ///
    /// # Errors
    /// When it is not an engine of this kind, is incomplete, or can't be read.
    fn engine(&self) -> Result<Engine, Error>;

    /// Observes the engine, without changing anything.
    fn observe(&self, depth: Depth, progress: OnProgress<'_>) -> Observation;

    /// Returns the running engine, if it runs.
    fn running(&self) -> Option<Running>;

    /// Plans the change after which the engine has the proxy `want`, or is as it was before Baleen.
    ///
    /// # Errors
    /// Any reason that forbids the change.
    fn plan(
        &self,
        want: Option<&EngineProxy>,
        options: PlanOptions,
        progress: OnProgress<'_>,
    ) -> Result<Box<dyn Plan>, Error>;

    /// Makes the running engine use the proxy that is configured. With `adopt`, it may take over a proxy that someone
    /// else wrote into the running engine. If `cancel` is set, it stops at the next step.
    ///
    /// # Errors
    /// When the running engine can't be reached, or is not as desired afterwards.
    fn activate(
        &self,
        scope: RestartScope,
        adopt: bool,
        cancel: &AtomicBool,
    ) -> Result<Activation, Error>;

    /// Remembers which proxy the restored engine sets by itself, for later observations.
    ///
    /// # Errors
    /// When that can't be recorded.
    fn remember_original(&self, _found: &Unpatched) -> Result<(), Error> {
        Ok(())
    }

    /// Returns the socket of the engine's own proxy on this computer, if it has one.
    fn own_proxy(&self) -> Option<PathBuf> {
        None
    }

    /// Returns the proxy that the engine sets by itself, if Baleen has not changed it.
    fn read_unpatched(&self) -> Unpatched {
        Unpatched::default()
    }

    /// Returns the proxy that is configured, with its password, also if Baleen did not configure it.
    ///
    /// # Errors
    /// When it can't be read.
    fn configured_proxy(&self) -> Result<Option<EngineProxy>, Error>;

    /// Does everything that a change would do except the change itself. Nothing of it remains.
    ///
    /// # Errors
    /// The same errors as for a change.
    fn preflight(&self) -> Result<(), Error>;

    /// Returns what Baleen has left in the engine, or `None` if Baleen could not have changed it.
    fn remains(&self) -> Option<Remains>;

    /// Removes the backup that [`Self::remains`] calls a leftover.
    ///
    /// # Errors
    /// When it can't be checked or removed.
    fn remove_leftover_backup(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Returns the files that a killed Baleen left behind in the engine.
    fn unfinished(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Removes [`Self::unfinished`], unless another Baleen is at work there.
    fn remove_unfinished(&self) {}
}

/// What [`Backend::activate`] has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Activation {
    /// The engine was not running, so it gets the proxy at its next start.
    NotRunning,
    /// The engine had the proxy already.
    UpToDate {
        /// The proxy variables in its environment, as `NAME=value`, without passwords.
        environment: Vec<String>,
    },
    /// The engine was restarted and has the proxy now.
    Restarted {
        /// The proxy variables in its environment, as `NAME=value`, without passwords.
        environment: Vec<String>,
    },
}
