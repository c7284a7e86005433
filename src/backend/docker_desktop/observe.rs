//! Observation of Docker.app and its boot image.

use std::path::Path;

use crate::backend::{Configured, Depth, Installed, Observation, OnProgress, Unpatched};
use crate::error::{Diagnostic, Error, Kind};

use super::initrd::image::{Image, Patched, image_of};
use super::initrd::{CheckedOriginals, verify};
use super::{Bundle, BundleError, Family};

/// Observes the bundle at `path`.
pub(crate) fn observe(
    path: &Path,
    originals: &CheckedOriginals,
    depth: Depth,
    report: OnProgress<'_>,
) -> Observation {
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
        return Observation::Incomplete(unknown.into());
    }
    match installed(&bundle, originals, depth, report) {
        Ok(installed) => Observation::Ready(Box::new(installed)),
        Err(error) => closed(error, Some(&bundle)),
    }
}

fn installed(
    bundle: &Bundle,
    originals: &CheckedOriginals,
    depth: Depth,
    report: OnProgress<'_>,
) -> Result<Installed, Error> {
    let image = Image::open(image_of(bundle)?)?;
    let patched = image.patched()?;
    let manifest = patched.manifest();
    let configured = manifest.map(|manifest| Configured {
        revision: manifest.block_sha256,
        proxy: manifest.proxy.clone(),
        method: Some(manifest.method),
    });
    let mut original = manifest.map(|manifest| manifest.original.sha256);
    let mut unpatched = Unpatched::Unchecked;
    match (&patched, depth) {
        (Patched::No, Depth::Quick) => unpatched = originals.get(&bundle.path, &image),
        (Patched::No, Depth::Deep) => {
            let (sha, found) = verify::read_stock(&image, report)?;
            original = Some(sha);
            unpatched = found;
        }
        (_, Depth::Quick) => {}
        (_, Depth::Deep) => verify::verify(&image, &patched, report)?,
    }
    Ok(Installed {
        engine: bundle.engine(),
        file: image.path().to_owned(),
        configured,
        unpatched,
        since: image.since(),
        bytes: image.length(),
        original,
        own_settings: None,
    })
}

fn closed(why: impl Into<Diagnostic>, bundle: Option<&Bundle>) -> Observation {
    let why = why.into();
    match why.kind() {
        // A file that existed an instant ago is gone: the bundle is being replaced.
        Kind::Busy | Kind::Failure => Observation::Incomplete(why),
        Kind::NotPermitted | Kind::Unsupported | Kind::Usage | Kind::Locked | Kind::Unavailable => {
            Observation::Blocked(why, bundle.map(|it| Box::new(it.engine())))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::agent::snapshot::Fingerprint;
    use crate::backend::Registry;
    use crate::demo;

    #[test]
    fn a_bundle_that_is_copied_file_by_file_is_unfinished_until_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let whole = dir.path().join("whole/Docker.app");
        demo::build(&whole, "1.12.0", "1").unwrap();
        let path = dir.path().join("Docker.app");
        let originals = CheckedOriginals::in_folder(dir.path());
        let watched = || Registry::BUILT_IN.watched(std::slice::from_ref(&path), dir.path());
        let print = || Fingerprint::of(&watched());
        let mut prints = vec![print()];
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
                        observe(&path, &originals, Depth::Quick, &|_| {}),
                        Observation::Incomplete(_)
                    ),
                    "before {name}"
                ),
            }
            if is_folder {
                fs::create_dir(path.join(name)).unwrap();
            } else {
                fs::copy(whole.join(name), path.join(name)).unwrap();
            }
            prints.push(print());
        }
        assert!(matches!(
            observe(&path, &originals, Depth::Quick, &|_| {}),
            Observation::Ready(_)
        ));
        for (one, two) in prints.iter().zip(&prints[1..]) {
            assert_ne!(one, two);
        }
    }
}
