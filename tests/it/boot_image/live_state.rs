//! The record of a running VM that was updated with its image: the environment of its Engine, or that it is unknown.
//! The VM is simulated in this process, with a shell of the host; `tests/slow/console.rs` tests the dialogue.

#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::path::Path;
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use baleen::backend::LiveEdit;
use baleen::backend::docker_desktop::initrd::image::Image;
use baleen::backend::docker_desktop::initrd::live::{
    GuestPaths, LiveEdits, LiveError, LiveOutcome, apply_live_in,
};
use baleen::backend::docker_desktop::{Bundle, Vm};
use baleen::digest::Sha;
use baleen::error::{Failure, Kind};

use crate::common::app::{App, OTHER_PROXY, PROXY};
use crate::common::fake_vm::{FakeVm, There, Weather};

/// A Docker.app, and the VM that runs from it.
struct Mac {
    app: App,
    fake: FakeVm,
    vm: Vm,
}

impl Mac {
    fn new() -> Self {
        let fake = FakeVm::start(There::Login, &["sh"], Weather::default());
        let vm = Vm {
            pid: process::id(),
            since: Some(SystemTime::now()),
            console: Some(fake.console()),
        };
        Self {
            app: App::new(),
            fake,
            vm,
        }
    }

    fn follow(&self, cancel: &AtomicBool) -> Result<LiveOutcome, LiveError> {
        let bundle = Bundle::read(&self.app.app()).unwrap();
        let (script, pid) = (self.fake.script(), self.fake.pid_file());
        let program = self.fake.program();
        let places = GuestPaths {
            script: script.to_str().unwrap(),
            pid: pid.to_str().unwrap(),
            programs: &[&program],
        };
        let state = self.app.dir.path().join("state");
        apply_live_in(&bundle, &self.vm, places, false, &state, cancel)
    }

    /// The block in the image.
    fn block(&self) -> Option<Sha> {
        let patched = Image::open(&self.app.image()).unwrap().patched().unwrap();
        patched.manifest().map(|manifest| manifest.block_sha256)
    }

    /// The record of the VM.
    fn edit(&self) -> Option<LiveEdit> {
        let bundle = Bundle::read(&self.app.app()).unwrap();
        let state = self.app.dir.path().join("state");
        LiveEdits::in_folder(&state).get(&bundle.path, &self.vm)
    }

    #[track_caller]
    fn is_right(&self) {
        let edit = self.edit().expect("something is kept");
        assert!(edit.gives(self.block()), "{edit:?}");
    }
}

fn wait_for(path: &Path) {
    let started = Instant::now();
    while !path.exists() {
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "{}",
            path.display()
        );
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_the_running_engine_has_is_kept_from_one_image_to_the_next() {
    let go = AtomicBool::new(false);
    let mac = Mac::new();
    assert_eq!(mac.edit(), None);
    let mut blocks = Vec::new();
    for proxy in [PROXY, OTHER_PROXY] {
        mac.app.apply(proxy);
        assert!(
            mac.edit().is_none_or(|edit| !edit.gives(mac.block())),
            "before it follows"
        );
        assert!(mac.follow(&go).unwrap().restarted);
        mac.is_right();
        blocks.push(mac.block());
    }
    assert_ne!(blocks[0], blocks[1]);
    mac.app.ok(&["restore"]);
    assert!(mac.follow(&go).unwrap().restarted);
    mac.is_right();
    assert_eq!(mac.block(), None);
    assert!(!mac.follow(&go).unwrap().restarted);
    mac.is_right();
}

/// The Engine may have either environment by then, or not run.
#[test]
fn what_did_not_come_to_its_end_is_kept_as_unknown() {
    let go = AtomicBool::new(false);
    let mac = Mac::new();
    mac.app.apply(PROXY);
    mac.follow(&go).unwrap();
    let first = mac.edit();
    mac.app.apply(OTHER_PROXY);

    // Before any change, the record stays as it was.
    let mut screen = Command::new("sleep")
        .arg("60")
        .stdin(Stdio::from(File::open(mac.fake.console()).unwrap()))
        .spawn()
        .unwrap();
    let error = mac.follow(&go).unwrap_err();
    screen.kill().unwrap();
    screen.wait().unwrap();
    assert_eq!(error.kind(), Kind::Busy);
    assert_eq!(mac.edit(), first);

    // In the middle: the Engine is being started.
    let script = fs::read_to_string(mac.fake.script()).unwrap();
    let reached = mac.app.dir.path().join("reached");
    let hangs = format!(
        "\techo starting; touch {0}; while [ -e {0} ]; do sleep 0.05; done\n",
        reached.display()
    );
    let hanging = script.replace("\techo starting\n", &hangs);
    assert_ne!(hanging, script);
    fs::write(mac.fake.script(), &hanging).unwrap();
    let cancel = AtomicBool::new(false);
    let result = thread::scope(|scope| {
        scope.spawn(|| {
            wait_for(&reached);
            cancel.store(true, Ordering::Relaxed);
        });
        mac.follow(&cancel)
    });
    let error = result.unwrap_err();
    assert!(error.to_string().contains("stopped"), "{error}");
    let edit = mac.edit().unwrap();
    assert!(edit.is_open, "{edit:?}");
    fs::remove_file(&reached).unwrap();

    // Also if the image becomes equal to what the VM had.
    mac.app.apply(PROXY);
    assert!(!mac.edit().unwrap().gives(mac.block()));
    let whole = fs::read_to_string(mac.fake.script()).unwrap();
    fs::write(
        mac.fake.script(),
        whole.replace(&hangs, "\techo starting\n"),
    )
    .unwrap();
    mac.follow(&go).unwrap();
    mac.is_right();
}
