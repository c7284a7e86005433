//! Opening with `xdg-open`.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use super::TargetError;

/// Opens a file, a folder or a URL in its default app (`man 1 xdg-open`).
///
/// # Errors
/// When `xdg-open` can't be run.
pub fn open(target: &OsStr) -> Result<(), TargetError> {
    let mut child = Command::new("xdg-open")
        .arg(target)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    // A parent has to wait for its child, which may end only with the app that it opens.
    thread::Builder::new()
        .name("open".to_owned())
        .spawn(move || child.wait())?;
    Ok(())
}

/// Opens a text file.
///
/// # Errors
/// As [`open`].
pub fn open_text(path: &Path) -> Result<(), TargetError> {
    open(path.as_os_str())
}
