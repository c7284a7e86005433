//! Whether the user wants the proxy in a bundle. It is the one thing that can't be read from the
//! image: after an update of Docker the image is stock, whether or not it was patched before.
//!
//! It is kept per bundle in `state.json` in the program's own folder. A lost or damaged file means
//! that nothing is known, which costs the word *wiped* and nothing else.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The file with what the user wants.
#[derive(Debug, Clone)]
pub struct Intents {
    path: PathBuf,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Stored {
    schema: u32,
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
    /// In the file `state.json` in `folder`.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            path: folder.join("state.json"),
        }
    }

    /// What is wanted in `bundle`; nothing where nobody ever said.
    pub fn get(&self, bundle: &Path) -> Option<Intent> {
        self.read().wanted.get(&key(bundle)).copied()
    }

    /// Records what is wanted in `bundle`.
    ///
    /// # Errors
    /// When the file can't be written; it is then as it was.
    pub fn set(&self, bundle: &Path, wanted: Intent) -> io::Result<()> {
        let mut stored = self.read();
        if stored.wanted.insert(key(bundle), wanted) == Some(wanted) {
            return Ok(());
        }
        stored.schema = SCHEMA;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec_pretty(&stored)?)?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        Ok(())
    }

    fn read(&self) -> Stored {
        fs::read(&self.path)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Stored>(&bytes).ok())
            .filter(|stored| stored.schema == SCHEMA)
            .unwrap_or_default()
    }
}

fn key(bundle: &Path) -> String {
    bundle.to_string_lossy().into_owned()
}

/// The folder for what the program keeps across runs: `BALEEN_STATE_DIR`, else the platform's place.
///
/// macOS: `~/Library/Application Support/Baleen` (Apple, "File System Programming Guide").
/// Elsewhere: `$XDG_STATE_HOME/baleen`, else `~/.local/state/baleen` (XDG Base Directory Specification).
pub fn folder(get: impl Fn(&str) -> Option<OsString>, home: &Path, macos: bool) -> PathBuf {
    let absolute = |name: &str| get(name).map(PathBuf::from).filter(|p| p.is_absolute());
    if let Some(chosen) = absolute("BALEEN_STATE_DIR") {
        chosen
    } else if macos {
        home.join("Library/Application Support/Baleen")
    } else {
        absolute("XDG_STATE_HOME")
            .unwrap_or_else(|| home.join(".local/state"))
            .join("baleen")
    }
}

#[cfg(test)]
mod tests {
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
        fs::write(&intents.path, b"{").unwrap();
        assert_eq!(intents.get(bundle), None);
        intents.set(bundle, Intent::Settings).unwrap();
        assert_eq!(intents.get(bundle), Some(Intent::Settings));
    }

    #[test]
    fn each_platform_has_its_place() {
        let home = Path::new("/home/me");
        let get = |name: &'static str, value: &'static str| {
            move |asked: &str| (asked == name).then(|| value.into())
        };
        for (get, macos, expected) in [
            (
                get("", ""),
                true,
                "/home/me/Library/Application Support/Baleen",
            ),
            (get("", ""), false, "/home/me/.local/state/baleen"),
            (get("XDG_STATE_HOME", "/s"), false, "/s/baleen"),
            (
                get("XDG_STATE_HOME", "s"),
                false,
                "/home/me/.local/state/baleen",
            ),
            (get("BALEEN_STATE_DIR", "/b"), true, "/b"),
        ] {
            assert_eq!(folder(get, home, macos), Path::new(expected));
        }
    }
}
