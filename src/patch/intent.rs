//! Whether the user wants the proxy in a bundle. It is the one thing that can't be read from the
//! image: after an update of Docker the image is stock, whether or not it was patched before.
//!
//! It is kept per bundle in `state.json` in the program's own folder. A lost or damaged file means
//! that nothing is known, which costs the word *wiped* and nothing else.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::kept::KeptFile;

/// The file with what the user wants.
#[derive(Debug, Clone)]
pub struct Intents {
    file: KeptFile,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Stored {
    /// By the path of the bundle.
    wanted: BTreeMap<String, Intent>,
}

const SCHEMA: u32 = 2;

/// What the user wants in a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intent {
    /// No proxy.
    Off,
    /// The proxy that the settings name, whichever that is at the time.
    Settings,
    /// A proxy that was named on the command line, and no other.
    Named,
}

impl Intents {
    /// The name of the file.
    pub const FILE: &str = "state.json";

    /// In the file of that name in `folder`.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            file: KeptFile::new(folder.join(Self::FILE), SCHEMA),
        }
    }

    /// What is wanted in `bundle`; nothing where nobody ever said.
    pub fn get(&self, bundle: &Path) -> Option<Intent> {
        self.file.read::<Stored>().wanted.get(&key(bundle)).copied()
    }

    /// Records what is wanted in `bundle`.
    ///
    /// # Errors
    /// When the file can't be written; it is then as it was.
    pub fn set(&self, bundle: &Path, wanted: Intent) -> io::Result<()> {
        self.file
            .update(|stored: &mut Stored| stored.wanted.insert(key(bundle), wanted) != Some(wanted))
    }

    /// The bundles of which anybody ever said what is wanted in them.
    pub fn bundles(&self) -> Vec<PathBuf> {
        let wanted = self.file.read::<Stored>().wanted;
        wanted.into_keys().map(PathBuf::from).collect()
    }

    /// Forgets what is wanted in `bundle`; makes no file where there is none.
    ///
    /// # Errors
    /// When the file can't be written; it is then as it was.
    pub fn forget(&self, bundle: &Path) -> io::Result<()> {
        if !self.bundles().iter().any(|known| known == bundle) {
            return Ok(());
        }
        self.file
            .update(|stored: &mut Stored| stored.wanted.remove(&key(bundle)).is_some())
    }
}

fn key(bundle: &Path) -> String {
    bundle.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_wanted_is_kept_and_a_damaged_file_is_not_fatal() {
        let dir = tempfile::tempdir().unwrap();
        let intents = Intents::in_folder(&dir.path().join("new"));
        let bundle = Path::new("/Applications/Docker.app");
        assert_eq!(intents.get(bundle), None);
        intents.set(bundle, Intent::Named).unwrap();
        intents.set(Path::new("/other"), Intent::Off).unwrap();
        assert_eq!(intents.get(bundle), Some(Intent::Named));
        assert_eq!(intents.bundles(), [bundle, Path::new("/other")]);
        intents.forget(Path::new("/other")).unwrap();
        assert_eq!(intents.bundles(), [bundle]);
        fs::write(dir.path().join("new/state.json"), b"{").unwrap();
        assert_eq!(intents.get(bundle), None);
        intents.set(bundle, Intent::Settings).unwrap();
        assert_eq!(intents.get(bundle), Some(Intent::Settings));
    }

    #[test]
    fn what_nobody_knows_is_forgotten_without_a_trace() {
        let dir = tempfile::tempdir().unwrap();
        let intents = Intents::in_folder(&dir.path().join("new"));
        intents.forget(Path::new("/other")).unwrap();
        assert!(!dir.path().join("new").exists());
    }
}
