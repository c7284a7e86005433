//! Advice on failed system calls on files: Baleen's own, those that the user names, and those of Docker.app.

use std::io::ErrorKind;
use std::path::Path;

use crate::backend::docker_desktop::BundleFileError;
use crate::error::{Face, Hint, IoError};
use crate::logs::LogError;

impl Hint for IoError {
    fn hint(&self, _face: Face) -> Option<String> {
        Some(match self.source.kind() {
            ErrorKind::PermissionDenied => format!(
                "its owner and its permissions forbid that (ls -ld '{}' shows them)",
                self.path.display()
            ),
            ErrorKind::ReadOnlyFilesystem => {
                "the volume is read-only: name a place on another one".to_owned()
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "make room on that volume and try again; nothing was changed".to_owned()
            }
            _ => return None,
        })
    }
}

impl Hint for LogError {
    fn hint(&self, face: Face) -> Option<String> {
        match self {
            Self::File(file) => file.hint(face),
            Self::Started(_) => None,
        }
    }
}

impl Hint for BundleFileError {
    fn hint(&self, _face: Face) -> Option<String> {
        let BundleFileError(failed) = self;
        Some(match failed.source.kind() {
            ErrorKind::PermissionDenied => not_permitted(failed, cfg!(target_os = "macos")),
            ErrorKind::ReadOnlyFilesystem => {
                "the volume is read-only: copy Docker.app to one that can be written, or mount it so"
                    .to_owned()
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "make room on that volume (about twice the size of initrd.img) and try again; nothing was changed"
                    .to_owned()
            }
            _ => return None,
        })
    }
}

/// Returns the advice when the system denies access to a file of Docker.app.
fn not_permitted(failed: &IoError, is_macos: bool) -> String {
    match (BundleFileError::is_protected(&failed.source), is_macos) {
        (true, true) => {
            "allow the app that Baleen runs in (for the command line that is your terminal) in System Settings > Privacy & Security > App Management, then open it again"
                .to_owned()
        }
        (true, false) => {
            "the file may be locked (lsattr shows it), or the folder may belong to another user"
                .to_owned()
        }
        (false, _) => format!(
            "run Baleen as the user to whom Docker.app belongs (ls -l shows who that is); if that user is gone, make it yours: sudo chown -R \"$(id -un)\" '{}'",
            bundle_of(&failed.path).display()
        ),
    }
}

/// Returns the app that holds the file at `path`, or the file itself if no app does.
fn bundle_of(path: &Path) -> &Path {
    let is_app = |path: &&Path| path.extension().is_some_and(|extension| extension == "app");
    path.ancestors().find(is_app).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_docker_app_whose_owner_is_gone_can_be_taken_over() {
        let denied = io::Error::from(ErrorKind::PermissionDenied);
        let path = Path::new("/Applications/Docker.app/Contents/Resources/moby");
        let advice = not_permitted(&IoError::new("write in", path, denied), true);
        assert!(
            advice.ends_with("sudo chown -R \"$(id -un)\" '/Applications/Docker.app'"),
            "{advice}"
        );
        assert_eq!(bundle_of(Path::new("/a/b")), Path::new("/a/b"));
    }
}
