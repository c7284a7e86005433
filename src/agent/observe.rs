//! Observation of the current state: the config file, the user's intent, Docker.app, its boot image, and
//! whether Docker runs. It takes about a millisecond, since only both ends of the image are read.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::desired::{self, bundle_path};
use crate::docker::{Bundle, Family, Vm, bundle};
use crate::error::{Error, Kind};
use crate::patch::Unpatched;
use crate::patch::image::{Image, Patched, image_of};
use crate::patch::intent::Intents;
use crate::patch::live::{LiveEdits, LiveLock};
use crate::patch::status::State;

use super::observation::{BundleState, Diagnostic, Installed, Patch, Running};
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
        let config = config.map_err(|error| Diagnostic::from(&error.into()));
        let intents = Intents::in_folder(&self.state);
        // The fingerprint comes first, so that a change in between is noticed.
        let print = Fingerprint::of(&self.places());
        let (path, bundle_state) = match bundle_path(self.docker_app.as_deref(), &self.last) {
            Err(error) => (None, BundleState::Missing(Diagnostic::from(&error))),
            Ok(path) => {
                let path = path.canonicalize().unwrap_or(path);
                let bundle_state = bundle_state(&path, &intents);
                (Some(path), bundle_state)
            }
        };
        // The lock is checked before the edits: a command that ends in between has written its edit by then.
        let is_followed = LiveLock::is_seen(&self.state);
        let running = path.as_deref().and_then(|path| self.running(path));
        Snapshot {
            config,
            intent: path.as_deref().and_then(|path| intents.get(path)),
            named: path.as_deref().and_then(|path| intents.named(path)),
            path,
            bundle_state,
            fingerprint: print,
            running,
            is_live_locked: is_followed,
        }
    }

    fn running(&self, bundle: &Path) -> Option<Running> {
        let vm = Vm::of(bundle)?;
        Some(Running {
            pid: vm.pid,
            since: vm.since,
            block: None,
            has_console: vm.console.is_some(),
            edit: LiveEdits::in_folder(&self.state).get(bundle, &vm),
        })
    }
}

fn bundle_state(path: &Path, intents: &Intents) -> BundleState {
    // An update creates the folders first.
    if path.is_dir() && !path.join("Contents").exists() {
        return BundleState::Incomplete(Diagnostic::new(format!(
            "{} has no Contents",
            path.display()
        )));
    }
    let bundle = match Bundle::read(path) {
        Ok(bundle) => bundle,
        Err(error) => return closed(&error.into(), None),
    };
    if let Family::Unknown(found) = &bundle.family
        && Family::may_become_whole(found)
        && let Some(unknown) = bundle.family.unknown_vm()
    {
        return BundleState::Incomplete(Diagnostic::new(unknown.to_string()));
    }
    match installed(&bundle, intents) {
        Ok(installed) => BundleState::Ready(installed),
        Err(error) => closed(&error, Some(bundle)),
    }
}

fn installed(bundle: &Bundle, intents: &Intents) -> Result<Installed, Error> {
    let image = Image::open(image_of(bundle)?)?;
    let patched = image.patched()?;
    Ok(Installed {
        bundle: bundle.clone(),
        image: image.path().to_owned(),
        patch: patched.manifest().map(|manifest| Patch {
            block: manifest.block_sha256,
            proxy: manifest.proxy.clone(),
            original: manifest.original.sha256,
        }),
        unpatched: match patched {
            Patched::No => intents.original(&bundle.path, &image),
            Patched::Appended { .. } | Patched::Rebuilt { .. } => Unpatched::Unchecked,
        },
        image_since: image.since(),
    })
}

fn closed(error: &Error, bundle: Option<Bundle>) -> BundleState {
    let diagnostic = Diagnostic::from(error);
    match error.kind() {
        // A file that existed an instant ago is gone: the bundle is being replaced.
        Kind::Busy | Kind::Failure => BundleState::Incomplete(diagnostic),
        Kind::NotPermitted => BundleState::Unsupported(State::NotPermitted, diagnostic, bundle),
        Kind::Unsupported | Kind::Usage => {
            BundleState::Unsupported(State::Unsupported, diagnostic, bundle)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::demo;

    #[test]
    fn a_bundle_that_is_copied_file_by_file_is_unfinished_until_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let whole = dir.path().join("whole/Docker.app");
        demo::build(&whole, "1.12.0", "1").unwrap();
        let path = dir.path().join("Docker.app");
        let intents = Intents::in_folder(dir.path());
        let mut prints = vec![Fingerprint::of(std::slice::from_ref(&path))];
        for (name, is_folder) in [
            ("", true),
            ("Contents", true),
            ("Contents/Info.plist", false),
            ("Contents/Resources", true),
            ("Contents/Resources/moby", true),
            ("Contents/Resources/moby/vmlinuz64", false),
            ("Contents/Resources/moby/initrd.img", false),
        ] {
            match prints.len() {
                1 => assert!(!path.exists()),
                _ => assert!(
                    matches!(bundle_state(&path, &intents), BundleState::Incomplete(_)),
                    "before {name}"
                ),
            }
            if is_folder {
                fs::create_dir(path.join(name)).unwrap();
            } else {
                fs::copy(whole.join(name), path.join(name)).unwrap();
            }
            prints.push(Fingerprint::of(std::slice::from_ref(&path)));
        }
        assert!(matches!(
            bundle_state(&path, &intents),
            BundleState::Ready(_)
        ));
        for (one, two) in prints.iter().zip(&prints[1..]) {
            assert_ne!(one, two);
        }
    }
}
