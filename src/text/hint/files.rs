//! Advice on failed system calls on files: Baleen's own, those that the user names, and those of Docker.app.

use std::io::{self, ErrorKind};

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
        let advice = match failed.source.kind() {
            ErrorKind::PermissionDenied => not_permitted(&failed.source, cfg!(target_os = "macos")),
            ErrorKind::ReadOnlyFilesystem => {
                "the volume is read-only: copy Docker.app to one that can be written, or mount it so"
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "make room on that volume (about twice the size of initrd.img) and try again; nothing was changed"
            }
            _ => return None,
        };
        Some(advice.to_owned())
    }
}

/// Returns the advice when the system denies access to a file of Docker.app.
fn not_permitted(error: &io::Error, is_macos: bool) -> &'static str {
    match (BundleFileError::is_protected(error), is_macos) {
        (true, true) => {
            "allow the app that Baleen runs in (for the command line that is your terminal) in System Settings > Privacy & Security > App Management, then open it again"
        }
        (true, false) => {
            "the file may be locked (lsattr shows it), or the folder may belong to another user"
        }
        (false, _) => "run Baleen as the user to whom Docker.app belongs (ls -l shows who that is)",
    }
}
