//! Opening with NSWorkspace.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use objc2::rc::autoreleasepool;
use objc2_app_kit::NSWorkspace;
use objc2_foundation::{NSString, NSURL};

/// Opens a file or folder, given by its absolute path, or a URL such as
/// `x-apple.systempreferences:com.apple.preference.security`, in its default app.
///
/// # Errors
/// When it is neither, or the system has no app for it.
pub fn open(target: &OsStr) -> io::Result<()> {
    autoreleasepool(|_| {
        // <https://developer.apple.com/documentation/foundation/nsurl/init(string:)>
        let url = if Path::new(target).is_absolute() {
            NSURL::from_file_path(target)
        } else {
            let text = target.to_str();
            text.and_then(|text| NSURL::URLWithString(&NSString::from_str(text)))
        };
        let url = url.ok_or_else(|| {
            let why = format!("{} is neither a path nor a URL", target.display());
            io::Error::new(io::ErrorKind::InvalidInput, why)
        })?;
        // "It's safe to call this method from any thread":
        // <https://developer.apple.com/documentation/appkit/nsworkspace/open(_:)>
        if NSWorkspace::sharedWorkspace().openURL(&url) {
            Ok(())
        } else {
            let why = format!("macOS did not open {}", target.display());
            Err(io::Error::other(why))
        }
    })
}

/// Opens a file in the user's plain-text editor, whatever its extension.
///
/// # Errors
/// When `open` can't be run, or fails.
pub fn open_text(path: &Path) -> io::Result<()> {
    run_open("-t", path)
}

/// Runs `open` and waits for its end (`man 1 open`).
pub(in crate::platform) fn run_open(option: &str, path: &Path) -> io::Result<()> {
    let output = Command::new("/usr/bin/open")
        .arg(option)
        .arg(path)
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    let why = why.lines().next().unwrap_or("it gave no reason");
    Err(io::Error::other(format!("/usr/bin/open failed: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_opened() {
        let error = open(OsStr::new("/a\0b")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        // `open` reports this and shows nothing.
        let error = open_text(Path::new("/nowhere/nothing.toml")).unwrap_err();
        assert!(error.to_string().contains("nothing.toml"), "{error}");
    }
}
