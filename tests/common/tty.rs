//! Terminals that stand in for the console of a VM.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Makes a terminal; returns the VM's side, and the device that the Mac has.
pub(crate) fn terminal() -> (OwnedFd, PathBuf) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    (master, name.to_str().unwrap().into())
}

pub(crate) fn open(device: &Path) -> File {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(device, flags, Mode::empty());
    opened.unwrap().into()
}

/// Makes a console that never answers, at the place where Docker keeps its own for the user with this home, and
/// replaces any other there.
pub(crate) fn console(home: &Path) -> (File, PathBuf) {
    let (vm, device) = terminal();
    let folder =
        home.join("Library/Containers/com.docker.docker/Data/com.docker.driver.amd64-linux");
    fs::create_dir_all(&folder).unwrap();
    let link = folder.join("tty");
    let _ = fs::remove_file(&link);
    symlink(&device, link).unwrap();
    (vm.into(), device)
}
