//! Properties of the patch of every image: the original can be restored, applying twice is applying
//! once, no other entry changes, and a quick check gives the same answer as a thorough one.

use std::fs;
use std::path::{Path, PathBuf};

use baleen::backend::docker_desktop::initrd::PatchError;
use baleen::backend::{Backend, Changes, Depth, PlanOptions, Registry};
use baleen::config::Method;
use baleen::desired::Expected;
use baleen::error::Error;
use baleen::initrd::Compression;
use baleen::intent::Intent;
use baleen::proxy::{EngineProxy, NoProxy, ProxyOrigin, ProxyUrl};
use baleen::reconcile::State;
use baleen::service::{self, StatusQuery, status};
use proptest::prelude::*;

use crate::common::fixtures::{MANIFEST, config, images};
use crate::common::{SCRIPT, Unpacked, tools, unpack};

fn proxy(url: &str) -> EngineProxy {
    let url = ProxyUrl::parse(url).ok();
    EngineProxy::new(url.clone(), url, NoProxy::default()).unwrap()
}

/// Scripts that Baleen recognizes as starting Docker, with any lines behind.
fn scripts() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..200).prop_map(|mut rest| {
        rest.retain(|&b| b != b'=' && b != b'#');
        [
            b"#!/sbin/openrc-run\ncommand=/usr/bin/dockerd\n".to_vec(),
            rest,
        ]
        .concat()
    })
}

struct App {
    _dir: tempfile::TempDir,
    path: PathBuf,
    image: PathBuf,
}

fn app(bytes: &[u8]) -> App {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("Docker.app");
    let image = baleen::demo::build(&path, "1.12.0", "1").unwrap();
    fs::write(&image, bytes).unwrap();
    App {
        _dir: dir,
        path,
        image,
    }
}

fn backend(app: &Path) -> Box<dyn Backend> {
    Registry::BUILT_IN.open(app, app)
}

fn apply(app: &Path, proxy: &EngineProxy, method: Option<Method>) -> Result<Changes, Error> {
    let options = PlanOptions {
        method,
        ..PlanOptions::default()
    };
    service::apply(&*backend(app), proxy, options, None, &|_| {}).map(|applied| applied.changes)
}

fn restore(app: &Path) -> Changes {
    service::restore(&*backend(app), PlanOptions::default(), None)
        .unwrap()
        .changes
}

fn state(app: &Path, proxy: &EngineProxy, verify: bool) -> (State, String) {
    let question = StatusQuery {
        intent: Some(Intent::Settings),
        setting: Expected::Proxy(proxy).setting(&ProxyOrigin::Environment),
    };
    let depth = match verify {
        true => Depth::Deep,
        false => Depth::Quick,
    };
    let status = status(&*backend(app), &question, depth, &|_| {});
    (status.state, status.reason.sentence())
}

/// All entries but the script's last one and the manifest, which is no part of the original.
fn others(entries: Vec<Unpacked>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut others: Vec<_> = entries
        .into_iter()
        .filter(|entry| entry.name != MANIFEST.as_bytes())
        .map(|entry| (entry.raw, entry.body))
        .collect();
    let script = |(raw, _): &(Vec<u8>, Vec<u8>)| {
        raw.get(110..)
            .is_some_and(|name| name.starts_with(SCRIPT.as_bytes()))
    };
    others.retain(|entry| !script(entry));
    others
}

proptest! {
    #![proptest_config(config(96))]

    fn every_image_is_patched_and_restored(
        mut made in images(scripts()),
        rebuild: bool,
        then_rebuild: bool,
        keep_backup: bool,
    ) {
        // A script with several names is refused, which another test covers.
        prop_assume!(made.entries[made.target].nlink < 2);
        let original = std::mem::take(&mut made.image.bytes);
        let (twin, app) = (app(&original), app(&original));
        let (one, two) = (proxy("http://one:1"), proxy("http://me:pw@two:2"));
        prop_assert_eq!(state(&app.path, &one, true).0, State::Wiped);
        prop_assert_eq!(state(&app.path, &one, false).0, State::Wiped);

        let before = others(unpack(&original).unwrap().1);
        for (proxy, rebuild) in [(&one, rebuild), (&two, then_rebuild)] {
            let method = if rebuild { Method::Rebuild } else { Method::Append };
            let last_is_raw = made.packed.last() == Some(&false);
            match apply(&app.path, proxy, Some(method)) {
                // The one kind of image to which nothing can be appended.
                Err(error) if !rebuild && last_is_raw && original.len() % 4 != 0 => {
                    let is_unaligned = matches!(error.downcast_ref(), Some(PatchError::UnalignedEnd { .. }));
                    prop_assert!(is_unaligned, "{}", error);
                    apply(&app.path, proxy, Some(Method::Rebuild)).unwrap();
                }
                applied => { applied.unwrap(); }
            }
            let patched = fs::read(&app.image).unwrap();
            if !rebuild && !last_is_raw {
                prop_assert!(patched.starts_with(&original));
            }
            let (layout, entries) = unpack(&patched).unwrap();
            prop_assert_eq!(others(entries), before.clone());
            if layout.members[0].compression == Compression::Gzip {
                prop_assert_eq!(state(&app.path, proxy, false), state(&app.path, proxy, true));
            }
            prop_assert_eq!(state(&app.path, proxy, true).0, State::Current);
            let other = proxy_other();
            prop_assert_eq!(state(&app.path, &other, false).0, State::Stale);

            prop_assert!(!apply(&app.path, proxy, None).unwrap().is_change);
            prop_assert!(fs::read(&app.image).unwrap() == patched);
        }

        // A change of the proxy doesn't read the original's script again, and makes the same image.
        if !rebuild && !then_rebuild && apply(&twin.path, &two, Some(Method::Append)).is_ok() {
            prop_assert!(fs::read(&twin.image).unwrap() == fs::read(&app.image).unwrap());
        }
        let backup = app.image.with_file_name("initrd.img-backup");
        prop_assert!(fs::read(&backup).unwrap() == original);
        let appended = fs::read(&app.image).unwrap().starts_with(&original);
        if !keep_backup && appended {
            fs::remove_file(&backup).unwrap();
        }
        prop_assert!(restore(&app.path).is_change);
        prop_assert!(fs::read(&app.image).unwrap() == original);
        prop_assert!(!backup.exists());
        prop_assert!(!restore(&app.path).is_change);
    }
}

#[test]
fn apply_and_restore() {
    if tools::is_alone(module_path!(), "apply_and_restore") {
        every_image_is_patched_and_restored();
    }
}

fn proxy_other() -> EngineProxy {
    proxy("http://other:3")
}
