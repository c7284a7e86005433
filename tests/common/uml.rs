//! A real kernel as an ordinary process: Debian's `user-mode-linux` boots a tiny image in about a second.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::tools;

pub(crate) const UML: &str = "linux.uml";

/// Longer than any boot takes that ends at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The statically linked busybox that a tiny image lives on. Nothing, and a word about it, where that or
/// the kernel is not installed; in CI on Linux that is a failure.
pub(crate) fn busybox() -> Option<PathBuf> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    tools::tool(UML, "")?;
    // Debian's busybox-static has it there.
    let path = PathBuf::from("/bin/busybox");
    let is_static = fs::read(&path).is_ok_and(|bytes| {
        // A program that needs a dynamic loader names it.
        !bytes.windows(8).any(|window| window == b"/ld-linu")
    });
    if is_static {
        return Some(path);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "busybox-static is not installed, and the tests need it in CI"
    );
    tools::tell("skipped: busybox-static");
    None
}

/// Boots the image at `initrd`, whose `/init` writes to standard output. What it writes is then at `console`.
/// Says what went wrong where it did not end by itself.
pub(crate) fn boot(initrd: &Path, console: &Path) -> Result<(), String> {
    // Each of its processes is one of the host's, which has none to give now and then, and then it ends.
    for _ in 0..4 {
        let status = boot_once(initrd, console)?;
        if status.success() {
            return Ok(());
        }
        let said = fs::read(console).unwrap();
        if !String::from_utf8_lossy(&said).contains("Resource temporarily unavailable") {
            return Err(format!("{UML} ended with {status}"));
        }
        thread::sleep(Duration::from_secs(1));
    }
    Err(format!("{UML} got no processes from the host"))
}

fn boot_once(initrd: &Path, console: &Path) -> Result<ExitStatus, String> {
    // Its memory is a file there: on a disk each boot would take several times as long.
    let memory = if Path::new("/dev/shm").is_dir() {
        PathBuf::from("/dev/shm")
    } else {
        std::env::temp_dir()
    };
    let own = tempfile::tempdir_in(&memory).unwrap();
    let mut uml = Command::new(UML)
        .arg("mem=96M")
        .arg(format!("initrd={}", initrd.display()))
        .arg(format!("uml_dir={}/", own.path().display()))
        .args(["con=null", "con0=null,fd:1", "console=tty0", "quiet"])
        .args(["rdinit=/init", "selinux=0", "panic=-1"])
        .env("TMPDIR", own.path())
        .stdin(Stdio::null())
        .stdout(File::create(console).unwrap())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("{UML} does not start: {error} (Debian: user-mode-linux)"))?;
    wait(&mut uml).ok_or_else(|| format!("it was not done after {} s", PATIENCE.as_secs()))
}

/// The end of `machine`, which is killed, with all that it started, when it does not come.
pub(crate) fn wait(machine: &mut Child) -> Option<ExitStatus> {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if let Some(status) = machine.try_wait().unwrap() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(20));
    }
    let group = format!("-{}", machine.id());
    let killed = Command::new("kill").args(["-KILL", "--", &group]).status();
    assert!(killed.is_ok_and(|status| status.success()));
    machine.wait().unwrap();
    None
}
