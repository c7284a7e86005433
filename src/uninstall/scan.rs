//! Finds everything that Baleen made. Scanning changes and creates nothing.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf, absolute};

use crate::backend::{Registry, Remains};
use crate::config::Config;
use crate::credentials::Store;
use crate::desired;
use crate::error::{Error, Result};
use crate::intent::{Intent, Intents};
use crate::relay;
use crate::service::login_item::{self, LoginItem};
use crate::service::single_instance;

use super::{Artifacts, Remark, UninstallError};

/// The places to scan.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The kinds of engines.
    pub registry: Registry,
    /// The Docker.app that was named on the command line.
    pub docker_app: Option<PathBuf>,
    /// The config file that is in use.
    pub config: PathBuf,
    /// The folder with the program's state.
    pub state: PathBuf,
    /// All files and folders that the program may have made.
    pub places: Artifacts,
}

/// The result of a scan.
#[derive(Debug)]
pub struct ScanResult {
    /// Another running Baleen, as in "the Baleen app (process 7)".
    pub running: Option<String>,
    /// The running relay, as in "the relay (process 7)".
    pub relay: Option<String>,
    /// Each engine that Baleen knows and could have changed.
    pub engines: Vec<Remains>,
    /// True if Baleen opens at login.
    pub opens_at_login: bool,
    /// The accounts whose passwords are stored.
    pub passwords: Result<Vec<String>>,
    /// The files that exist.
    pub files: Vec<PathBuf>,
    /// The folders that exist.
    pub folders: Vec<FolderScan>,
    /// The config file in use, if it exists outside the default place.
    pub named_config: Option<PathBuf>,
    /// The targets of those files that are symbolic links.
    pub linked: Vec<PathBuf>,
    /// The launch agents that the user installed by hand.
    pub launch_agents: Vec<PathBuf>,
    /// Facts that could not be found out, but don't stop anything.
    pub remarks: Vec<Remark>,
}

/// One of Baleen's folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderScan {
    /// Path of the folder.
    pub path: PathBuf,
    /// True if a symbolic link is there instead. Baleen never makes one.
    pub is_link: bool,
    /// The entries by name; the flag is true for folders.
    pub entries: Vec<(OsString, bool)>,
}

/// Scans the places.
///
/// # Errors
/// When one of Baleen's folders can't be read.
pub fn scan(scope: &Scope) -> Result<ScanResult> {
    let mut remarks = Vec::new();
    // A broken config file must not prevent uninstalling: it may be the reason for it.
    let config = Config::load(&scope.config).unwrap_or_else(|error| {
        remarks.push(Remark::Config(error.into()));
        Config::default()
    });
    let chosen = desired::chosen_path(scope.docker_app.as_deref(), &config);
    let intents = Intents::in_folder(&scope.state);
    let known = intents.bundles();
    remarks.extend(
        chosen
            .iter()
            .filter(|path| !path.exists())
            .map(|path| Remark::NoDocker(path.clone())),
    );
    remarks.extend(known.iter().filter_map(|path| {
        let is_wanted = intents.get(path) != Some(Intent::Off);
        (is_wanted && !path.exists() && chosen.as_ref() != Some(path))
            .then(|| Remark::NoDockerAnyMore(path.clone()))
    }));
    // Add the default places and known bundles: they may have been patched without an explicit
    // choice.
    let usual = scope.registry.places();
    let bundles = chosen.into_iter().chain(usual).chain(known);
    let mut real: Vec<PathBuf> = Vec::new();
    for path in bundles {
        if let Ok(path) = path.canonicalize()
            && !real.contains(&path)
        {
            real.push(path);
        }
    }
    if login_item::is_out_of_sight() {
        remarks.push(Remark::LoginItemUnknown);
    }
    let mut folders = Vec::new();
    for path in &scope.places.folders {
        folders.extend(folder(path)?);
    }
    let there = |paths: &[PathBuf]| {
        let there = paths.iter().filter(|path| is_file(path));
        there.cloned().collect::<Vec<PathBuf>>()
    };
    let files = there(&scope.places.files);
    let links = files.iter().filter(|path| path.is_symlink());
    Ok(ScanResult {
        running: single_instance::running(&scope.state),
        relay: relay::running(&scope.state),
        engines: real
            .iter()
            .filter_map(|path| scope.registry.open(path, &scope.state).remains())
            .collect(),
        opens_at_login: login_item::status() != LoginItem::Off,
        passwords: Store::open()
            .and_then(|store| store.accounts())
            .map_err(Error::from),
        linked: links.filter_map(|path| path.canonicalize().ok()).collect(),
        launch_agents: there(&scope.places.launch_agents),
        files,
        folders,
        named_config: named_config(scope),
        remarks,
    })
}

/// Returns the contents of the folder at `path`, or `None` if there is no folder.
fn folder(path: &Path) -> std::result::Result<Option<FolderScan>, UninstallError> {
    if !path.is_dir() {
        return Ok(None);
    }
    let failed = |error| UninstallError::own_file("read", path, error);
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let is_folder = entry.file_type().map_err(failed)?.is_dir();
        entries.push((entry.file_name(), is_folder));
    }
    entries.sort();
    Ok(Some(FolderScan {
        path: path.to_owned(),
        is_link: path.is_symlink(),
        entries,
    }))
}

/// Returns whether anything except a folder exists at `path`, including a socket or a dangling
/// link.
fn is_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| !found.is_dir())
}

fn named_config(scope: &Scope) -> Option<PathBuf> {
    let named = absolute(&scope.config).unwrap_or_else(|_| scope.config.clone());
    (is_file(&named) && !scope.places.files.contains(&named)).then_some(named)
}
