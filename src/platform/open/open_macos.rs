//! Opening with NSWorkspace.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use objc2::rc::autoreleasepool;
use objc2_app_kit::NSWorkspace;
use objc2_foundation::{NSString, NSURL};

use super::TargetError;

/// Opens a file or folder, given by its absolute path, or a URL such as
/// `x-apple.systempreferences:com.apple.preference.security`, in its default app.
///
/// # Errors
/// When it is neither, or the system has no app for it.
pub fn open(target: &OsStr) -> Result<(), TargetError> {
    autoreleasepool(|_| {
        // <https://developer.apple.com/documentation/foundation/nsurl/init(string:)>
        let url = if Path::new(target).is_absolute() {
            NSURL::from_file_path(target)
        } else {
            let text = target.to_str();
            text.and_then(|text| NSURL::URLWithString(&NSString::from_str(text)))
        };
        let url = url.ok_or_else(|| TargetError::NoTarget {
            target: target.to_owned(),
        })?;
        // "It's safe to call this method from any thread":
        // <https://developer.apple.com/documentation/appkit/nsworkspace/open(_:)>
        match NSWorkspace::sharedWorkspace().openURL(&url) {
            true => Ok(()),
            false => Err(TargetError::NotOpened {
                target: target.to_owned(),
            }),
        }
    })
}

/// Opens a file in the user's plain-text editor, whatever its extension.
///
/// # Errors
/// When `open` can't be run, or fails.
pub fn open_text(path: &Path) -> Result<(), TargetError> {
    run_open("-t", path)
}

/// Runs `open` and waits for its end (`man 1 open`).
pub(in crate::platform) fn run_open(option: &str, path: &Path) -> Result<(), TargetError> {
    let output = Command::new("/usr/bin/open")
        .arg(option)
        .arg(path)
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    let said = why.lines().next().map(str::to_owned);
    Err(TargetError::Failed { said })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_opened() {
        let error = open(OsStr::new("/a\0b")).unwrap_err();
        assert!(matches!(error, TargetError::NoTarget { .. }), "{error}");
        // `open` reports this and shows nothing.
        let error = open_text(Path::new("/nowhere/nothing.toml")).unwrap_err();
        assert!(error.to_string().contains("nothing.toml"), "{error}");
    }
}
