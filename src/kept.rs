//! What the program keeps across runs: small files of JSON in a folder of its own, each whole or as it
//! was before, and its owner's alone. One that is lost or damaged means that nothing is known.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// One such file.
#[derive(Debug, Clone)]
pub(crate) struct KeptFile {
    path: PathBuf,
    schema: u32,
}

#[derive(Deserialize, Serialize)]
struct Versioned<T> {
    schema: u32,
    #[serde(flatten)]
    content: T,
}

impl KeptFile {
    /// The file at `path`, whose form has this number.
    pub(crate) fn new(path: PathBuf, schema: u32) -> Self {
        Self { path, schema }
    }

    /// What is in it; the default where it is missing, damaged or of another form.
    pub(crate) fn read<T: DeserializeOwned + Default>(&self) -> T {
        fs::read(&self.path)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Versioned<T>>(&bytes).ok())
            .filter(|file| file.schema == self.schema)
            .map(|file| file.content)
            .unwrap_or_default()
    }

    /// Puts `content` into it.
    ///
    /// # Errors
    /// When it can't be written; it is then as it was.
    pub(crate) fn write<T: Serialize>(&self, content: &T) -> io::Result<()> {
        let schema = self.schema;
        let bytes = serde_json::to_vec_pretty(&Versioned { schema, content })?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        // Such a file is the owner's alone from the start.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&bytes)?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        Ok(())
    }
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
