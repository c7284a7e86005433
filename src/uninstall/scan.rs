//! Finds everything that Baleen made. Scanning changes and creates nothing.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf, absolute};

use crate::app::login_item::{self, LoginItem};
use crate::app::single_instance;
use crate::config::Config;
use crate::credentials::Store;
use crate::desired;
use crate::docker::{Bundle, bundle};
use crate::error::{Error, Failure, Kind, Result};
use crate::patch::image::{Image, image_of};
use crate::patch::intent::{Intent, Intents};
use crate::patch::restore::{self, OriginalLocation, leftover};
use crate::patch::{Unpatched, backup_of, unfinished, verify};
use crate::proxy::RedactedProxy;

use super::{Artifacts, Remark, UninstallError};

/// The places to scan.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
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
pub(crate) struct ScanResult {
    /// Another running Baleen, as in "the Baleen app (process 7)".
    pub running: Option<String>,
    /// Each Docker.app that Baleen knows and could have patched.
    pub dockers: Vec<DockerScan>,
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

/// A Docker.app.
#[derive(Debug)]
pub(crate) struct DockerScan {
    /// Path of the bundle.
    pub path: PathBuf,
    /// The version, if it could be read.
    pub version: Option<String>,
    /// The state of the boot image, or an error if it is unknown or the original is not available.
    pub image: Result<ImageState>,
    /// A file with the backup's name that the boot image does not need.
    pub backup: Option<BackupState>,
}

/// A file with the backup's name that the boot image beside it does not need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BackupState {
    /// The same image, left by a Baleen that was killed.
    Leftover(PathBuf),
    /// Another file.
    Stray(PathBuf),
}

/// The state of a boot image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ImageState {
    /// Baleen did not patch it.
    Stock,
    /// Baleen did not patch it, but was killed shortly before.
    Unfinished,
    /// It is patched and its original is available, with the proxies in both.
    Patched(RedactedProxy, Unpatched),
}

/// One of Baleen's folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FolderScan {
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
pub(crate) fn scan(scope: &Scope) -> Result<ScanResult> {
    let mut remarks = Vec::new();
    // A broken config file must not prevent uninstalling: it may be the reason for it.
    let config = Config::load(&scope.config).unwrap_or_else(|error| {
        remarks.push(Remark::Config(error.into()));
        Config::default()
    });
    let chosen = desired::chosen_bundle(scope.docker_app.as_deref(), &config);
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
    let usual = bundle::default_places(env::home_dir().as_deref());
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
        dockers: real.iter().filter_map(|path| docker(path)).collect(),
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

/// Returns the Docker.app at `path`, or `None` if none exists there that Baleen could have patched.
fn docker(path: &Path) -> Option<DockerScan> {
    let bundle = match Bundle::read(path) {
        Ok(bundle) => bundle,
        Err(error) if error.kind() == Kind::Unsupported => return None,
        Err(error) => {
            return Some(DockerScan {
                path: path.to_owned(),
                version: None,
                image: Err(error.into()),
                backup: None,
            });
        }
    };
    let image_path = image_of(&bundle).ok()?;
    let backup = backup_of(image_path);
    let planned = match restore::plan(&bundle) {
        Ok(restore::RestorePlan::Nothing) => {
            is_whole(&bundle).map(|()| restore::RestorePlan::Nothing)
        }
        planned => planned.map_err(Into::into),
    };
    let backup = match &planned {
        _ if !backup.is_file() => None,
        Ok(restore::RestorePlan::Restore(found))
            if matches!(found.from, OriginalLocation::Backup(..)) =>
        {
            None
        }
        // The backup may still be needed.
        Err(_) => None,
        // An unreadable backup is left in place.
        Ok(_) => Some(match leftover(&bundle) {
            Ok(Some(leftover)) => BackupState::Leftover(leftover),
            Ok(None) | Err(_) => BackupState::Stray(backup),
        }),
    };
    Some(DockerScan {
        image: planned.map(|planned| match planned {
            restore::RestorePlan::Restore(found) => {
                ImageState::Patched(found.manifest.proxy, found.original)
            }
            restore::RestorePlan::Nothing if unfinished(image_path).is_empty() => ImageState::Stock,
            restore::RestorePlan::Nothing => ImageState::Unfinished,
        }),
        backup,
        path: bundle.path,
        version: Some(bundle.version),
    })
}

/// Fails if the boot image is truncated: the missing part may hold a patch, or Docker is being
/// updated.
fn is_whole(bundle: &Bundle) -> Result<()> {
    match Image::open(image_of(bundle)?).and_then(|image| verify::read_stock(&image, &|_| {})) {
        Err(error) if error.kind() == Kind::Busy => Err(error.into()),
        _ => Ok(()),
    }
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
