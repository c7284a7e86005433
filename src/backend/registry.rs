//! The kinds of engines that Baleen knows, and the engine that it looks after.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Failure, Kind as ErrorKind};
use crate::platform::apps;

use super::Backend;
use super::docker_desktop::DockerDesktop;

/// A kind of engine.
pub trait Kind: fmt::Debug + Sync {
    /// Returns the places where an engine of this kind is usually installed, for a user with this home folder.
    fn places(&self, home: Option<&Path>) -> Vec<PathBuf>;

    /// Returns the names of the files that this kind keeps in the folder for Baleen's state.
    fn state_files(&self) -> &'static [&'static str] {
        &[]
    }

    /// Calls `on_change` when an engine of this kind has started or ended, where the system reports that. Call it, and
    /// drop what it returns, on the main thread.
    fn watch_running(&self, _on_change: Arc<dyn Fn() + Send + Sync>) -> Option<apps::Watch> {
        None
    }

    /// Returns whether what is at `path` looks like an engine of this kind.
    fn is_at(&self, path: &Path) -> bool;

    /// Returns the engine at the absolute path `path`, complete or not. Baleen keeps its state in the folder `state`.
    fn open(&self, path: &Path, state: &Path) -> Box<dyn Backend>;
}

/// The kinds of engines that Baleen knows.
#[derive(Debug, Clone, Copy)]
pub struct Registry {
    kinds: &'static [&'static dyn Kind],
}

/// The reason why there is no engine to look after.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// None in the usual places.
    #[error("found no Docker.app (looked for {})", listed(places))]
    Anywhere {
        /// The usual places.
        places: Vec<PathBuf>,
    },
    /// None at the path that the user chose. No other engine replaces it.
    #[error("there is no Docker.app at {}", path.display())]
    AtChosenPath {
        /// The chosen path.
        path: PathBuf,
    },
}

impl Failure for NotFound {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Unsupported
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Anywhere { .. } => "docker-not-found",
            Self::AtChosenPath { .. } => "docker-not-at-path",
        }
    }
}

fn listed(places: &[PathBuf]) -> String {
    let listed: Vec<String> = places.iter().map(|p| p.display().to_string()).collect();
    listed.join(" and ")
}

impl Default for Registry {
    fn default() -> Self {
        Self::BUILT_IN
    }
}

impl Registry {
    /// All kinds. What no other kind claims is taken for a Docker.app, which then says what is wrong with it.
    pub const BUILT_IN: Self = Self::new(&[&DockerDesktop]);

    /// Creates a registry of these kinds, at least one. What no other kind claims belongs to the last one.
    ///
    /// # Panics
    /// Without a kind.
    pub const fn new(kinds: &'static [&'static dyn Kind]) -> Self {
        assert!(!kinds.is_empty(), "at least one kind of engine");
        Self { kinds }
    }

    /// Returns the places where engines are usually installed.
    pub(crate) fn places(&self) -> Vec<PathBuf> {
        let home = env::home_dir();
        let of = |kind: &&dyn Kind| kind.places(home.as_deref());
        self.kinds.iter().flat_map(of).collect()
    }

    /// Returns the engine at `path`.
    pub fn open(&self, path: &Path, state: &Path) -> Box<dyn Backend> {
        let last = self.kinds[self.kinds.len() - 1];
        let kind = self.kinds.iter().find(|kind| kind.is_at(path));
        let place = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        kind.copied().unwrap_or(last).open(&place, state)
    }

    /// Returns the names of the files that the kinds keep in the folder for Baleen's state.
    pub fn state_files(&self) -> impl Iterator<Item = &'static str> {
        let of = |kind: &&dyn Kind| kind.state_files().iter().copied();
        self.kinds.iter().flat_map(of)
    }

    /// Calls `on_change` when an engine has started or ended: see [`Kind::watch_running`].
    pub(crate) fn watch_running(
        &self,
        on_change: impl Fn() + Send + Sync + 'static,
    ) -> Vec<apps::Watch> {
        let on_change: Arc<dyn Fn() + Send + Sync> = Arc::new(on_change);
        let of = |kind: &&dyn Kind| kind.watch_running(on_change.clone());
        self.kinds.iter().filter_map(of).collect()
    }

    /// Returns the files whose change means that the engine has to be observed again: those of the first one in
    /// `places` that exists.
    pub(crate) fn watched(&self, places: &[PathBuf], state: &Path) -> Vec<PathBuf> {
        let first = places.iter().find(|place| place.exists());
        first.map_or_else(Vec::new, |place| self.open(place, state).watched())
    }

    /// Returns the engine to look after: the one at `chosen` if it is set, otherwise the first one in the usual places.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(&self, chosen: Option<&Path>, state: &Path) -> Result<Box<dyn Backend>, NotFound> {
        let path = first_of(chosen, self.places())?;
        Ok(self.open(&path, state))
    }
}

fn first_of(chosen: Option<&Path>, places: Vec<PathBuf>) -> Result<PathBuf, NotFound> {
    match chosen.map(Path::to_owned) {
        Some(path) if path.exists() => Ok(path),
        Some(path) => Err(NotFound::AtChosenPath { path }),
        None => match places.iter().find(|place| place.exists()) {
            Some(path) => Ok(path.clone()),
            None => Err(NotFound::Anywhere { places }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_place_is_never_replaced_by_another() {
        let dir = tempfile::tempdir().unwrap();
        let places = vec![dir.path().join("a"), dir.path().to_owned()];
        assert_eq!(first_of(None, places.clone()).as_deref(), Ok(dir.path()));
        assert!(first_of(None, places[..1].to_vec()).is_err());
        let path = places[0].clone();
        assert_eq!(
            first_of(Some(&path.clone()), places),
            Err(NotFound::AtChosenPath { path })
        );
    }
}
