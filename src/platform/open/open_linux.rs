//! Opening by `xdg-open`.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

/// Opens a file, a folder or a URL in the app that is for it (`man 1 xdg-open`).
///
/// # Errors
/// When `xdg-open` can't be run.
pub fn open(target: &OsStr) -> io::Result<()> {
    let mut child = Command::new("xdg-open")
        .arg(target)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    // Someone has to take notice of its end, which may be that of the app it opens.
    thread::Builder::new()
        .name("open".to_owned())
        .spawn(move || child.wait())?;
    Ok(())
}

/// Opens a file of text.
///
/// # Errors
/// As [`open`].
pub fn open_text(path: &Path) -> io::Result<()> {
    open(path.as_os_str())
}
