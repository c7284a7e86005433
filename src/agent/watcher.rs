//! File watches, which notice that something may have changed. The event never says what changed; the
//! files are read again.
//!
//! An update replaces Docker.app as a whole, and a watch on the bundle itself would then see nothing more.
//! So its parent folder is watched, and events about the bundle are filtered out of it.

use std::path::{Path, PathBuf};

use notify::{Config, RecommendedWatcher, RecursiveMode, Watcher};

use crate::storage::is_temporary;

use super::event::Event;
use super::snapshot::Fingerprint;

/// A watch on files, until it is dropped.
#[derive(Debug)]
pub(super) struct FileWatch {
    _watcher: RecommendedWatcher,
}

/// The watched files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Files {
    /// The possible paths of the engine.
    pub(super) places: Vec<PathBuf>,
    /// The files of the engine that are elsewhere.
    pub(super) elsewhere: Vec<PathBuf>,
    /// The folders in which these are or will be, as far as they exist.
    pub(super) above_elsewhere: Vec<PathBuf>,
    /// The files with the user's decisions.
    pub(super) decisions: Vec<PathBuf>,
}

impl FileWatch {
    /// Calls `on_event` on a separate thread for each change of these files, with their fingerprint. Files that
    /// can't be watched are logged; the slow timer notices their changes later.
    pub(super) fn new(
        files: &Files,
        fingerprint: impl Fn() -> Fingerprint + Send + 'static,
        on_event: impl Fn(Event) + Send + 'static,
    ) -> Option<Self> {
        // macOS and Linux report real paths.
        let places: Vec<PathBuf> = files.places.iter().map(|place| real(place)).collect();
        let elsewhere: Vec<PathBuf> = files.elsewhere.iter().map(|file| real(file)).collect();
        let decisions: Vec<PathBuf> = files.decisions.iter().map(|file| real(file)).collect();
        let (watched, awaited) = (places.clone(), decisions.clone());
        let handler = move |event: notify::Result<notify::Event>| {
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    tracing::warn!("watching files: {error}");
                    return;
                }
            };
            // Baleen's own reads are access events, not changes.
            if event.kind.is_access() {
                return;
            }
            let all = event.need_rescan();
            let is_theirs = |path: &PathBuf| {
                concerns(path, &watched) || elsewhere.iter().any(|file| file.starts_with(path))
            };
            if all || event.paths.iter().any(is_theirs) {
                on_event(Event::Files(fingerprint()));
            }
            if all || event.paths.iter().any(|path| awaited.contains(path)) {
                on_event(Event::Decisions);
            }
        };
        let mut watcher = RecommendedWatcher::new(handler, Config::default())
            .inspect_err(|error| tracing::warn!("no files can be watched: {error}"))
            .ok()?;
        let mut folders: Vec<(&Path, RecursiveMode)> = Vec::new();
        let parents = |files: &'_ [PathBuf]| -> Vec<PathBuf> {
            files
                .iter()
                .filter_map(|f| f.parent().map(Path::to_owned))
                .collect()
        };
        let (above_places, above_decisions) = (parents(&places), parents(&decisions));
        for (parents, mode) in [
            (&above_places, RecursiveMode::Recursive),
            (&above_decisions, RecursiveMode::NonRecursive),
            (&files.above_elsewhere, RecursiveMode::NonRecursive),
        ] {
            for parent in parents {
                if !folders.iter().any(|(folder, _)| folder == parent) {
                    folders.push((parent, mode));
                }
            }
        }
        for (folder, mode) in folders {
            if !folder.is_dir() {
                continue;
            }
            match watcher.watch(folder, mode) {
                Ok(()) => tracing::debug!("watching {}", folder.display()),
                Err(error) => tracing::warn!("{} can't be watched: {error}", folder.display()),
            }
        }
        Some(Self { _watcher: watcher })
    }
}

/// Returns the folders of these files; for a folder that does not exist, the one in which it will be created.
pub(super) fn folders_above(files: &[PathBuf]) -> Vec<PathBuf> {
    let above = |file: &PathBuf| {
        let mut folders = file.ancestors().skip(1);
        let folder = folders.find(|folder| folder.is_dir())?;
        // The root itself is too busy to tell anything.
        folder.parent().map(|_| real(folder))
    };
    let mut folders: Vec<PathBuf> = files.iter().filter_map(above).collect();
    folders.sort();
    folders.dedup();
    folders
}

/// Returns whether `path` is in one of `places`, apart from Baleen's own temporary files.
fn concerns(path: &Path, places: &[PathBuf]) -> bool {
    places.iter().any(|place| {
        path.strip_prefix(place)
            .is_ok_and(|inside| !inside.iter().any(is_temporary))
    })
}

/// Returns the path as the system reports it, also for a file that does not exist.
fn real(path: &Path) -> PathBuf {
    match (path.parent().map(Path::canonicalize), path.file_name()) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_in_the_bundle_concerns_it() {
        let places = [PathBuf::from("/Applications/Docker.app")];
        for (path, expected) in [
            ("/Applications/Docker.app", true),
            ("/Applications/Docker.app/Contents/Info.plist", true),
            ("/Applications/Docker.app.new/Contents", false),
            ("/Applications/Dock", false),
            ("/Applications", false),
            (
                "/Applications/Docker.app/Contents/Resources/moby/.baleen-x7/initrd.img",
                false,
            ),
        ] {
            assert_eq!(concerns(Path::new(path), &places), expected, "{path}");
        }
    }
}
