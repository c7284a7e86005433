//! Observation of Docker.app, its boot image, and the running VM.

use std::path::Path;

use crate::docker::{Bundle, BundleError, Family, Vm};
use crate::error::{Diagnostic, Error, Kind};
use crate::patch::image::{Image, Patched, image_of};
use crate::patch::intent::Intents;
use crate::patch::live::LiveEdits;
use crate::patch::{OnProgress, Unpatched, verify};

use super::observation::{BundleState, Installed, Patch, Running};

/// How much of an image is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Both ends only, which takes about a millisecond.
    Quick,
    /// Every byte. Every digest is checked.
    Deep,
}

/// Returns the VM that runs from `bundle`. Baleen keeps its state in the folder `state`.
pub(crate) fn running(bundle: &Path, state: &Path) -> Option<Running> {
    let vm = Vm::of(bundle)?;
    Some(Running {
        pid: vm.pid,
        since: vm.since,
        block: None,
        has_console: vm.console.is_some(),
        edit: LiveEdits::in_folder(state).get(bundle, &vm),
    })
}

/// Observes the bundle at `path`.
pub(crate) fn bundle_state(
    path: &Path,
    intents: &Intents,
    depth: Depth,
    report: OnProgress<'_>,
) -> BundleState {
    // An update creates the folders first.
    if path.is_dir() && !path.join("Contents").exists() {
        return closed(
            BundleError::NoContents {
                path: path.to_owned(),
            },
            None,
        );
    }
    let bundle = match Bundle::read(path) {
        Ok(bundle) => bundle,
        Err(error) => return closed(error, None),
    };
    if let Family::Unknown(found) = &bundle.family
        && Family::may_become_whole(found)
        && let Some(unknown) = bundle.family.unknown_vm()
    {
        return BundleState::Incomplete(unknown.into());
    }
    match installed(&bundle, intents, depth, report) {
        Ok(installed) => BundleState::Ready(Box::new(installed)),
        Err(error) => closed(error, Some(bundle)),
    }
}

fn installed(
    bundle: &Bundle,
    intents: &Intents,
    depth: Depth,
    report: OnProgress<'_>,
) -> Result<Installed, Error> {
    let image = Image::open(image_of(bundle)?)?;
    let patched = image.patched()?;
    let patch = patched.manifest().map(|manifest| Patch {
        block: manifest.block_sha256,
        proxy: manifest.proxy.clone(),
        original: manifest.original.sha256,
        method: manifest.method,
    });
    let mut original = patch.as_ref().map(|patch| patch.original);
    let mut unpatched = Unpatched::Unchecked;
    match (&patched, depth) {
        (Patched::No, Depth::Quick) => unpatched = intents.original(&bundle.path, &image),
        (Patched::No, Depth::Deep) => {
            let (sha, found) = verify::read_stock(&image, report)?;
            original = Some(sha);
            unpatched = found;
        }
        (_, Depth::Quick) => {}
        (_, Depth::Deep) => verify::verify(&image, &patched, report)?,
    }
    Ok(Installed {
        bundle: bundle.clone(),
        image: image.path().to_owned(),
        patch,
        unpatched,
        image_since: image.since(),
        bytes: image.length(),
        original,
    })
}

fn closed(why: impl Into<Diagnostic>, bundle: Option<Bundle>) -> BundleState {
    let why = why.into();
    match why.kind() {
        // A file that existed an instant ago is gone: the bundle is being replaced.
        Kind::Busy | Kind::Failure => BundleState::Incomplete(why),
        Kind::NotPermitted | Kind::Unsupported | Kind::Usage => BundleState::Blocked(why, bundle),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::agent::snapshot::Fingerprint;
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
                    matches!(
                        bundle_state(&path, &intents, Depth::Quick, &|_| {}),
                        BundleState::Incomplete(_)
                    ),
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
            bundle_state(&path, &intents, Depth::Quick, &|_| {}),
            BundleState::Ready(_)
        ));
        for (one, two) in prints.iter().zip(&prints[1..]) {
            assert_ne!(one, two);
        }
    }
}
