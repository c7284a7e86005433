//! What the program keeps across runs: small files of JSON in a folder of its own, each whole or as it
//! was before, and its owner's alone. One that is lost or damaged means that nothing is known.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Files that are not finished have names that begin so, those of the other modules as well.
const UNFINISHED: &str = ".baleen-";

/// Whether a file of this name, in a folder of the program's own, was left there by a Baleen that was killed.
pub(crate) fn is_unfinished(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes())
}

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

    /// Has `change` change what is in it, with nobody else in between; it says whether there is
    /// anything to be written.
    ///
    /// # Errors
    /// When it can't be written; it is then as it was.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut T) -> bool) -> io::Result<()>
    where
        T: DeserializeOwned + Default + Serialize,
    {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        // It is let go of when the folder is closed, also by a kill.
        let lock = File::open(folder)?;
        lock.lock()?;
        let mut content = self.read();
        if !change(&mut content) {
            return Ok(());
        }
        let schema = self.schema;
        let bytes = serde_json::to_vec_pretty(&Versioned { schema, content })?;
        // Such a file is the owner's alone from the start.
        let mut file = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempfile_in(folder)?;
        file.write_all(&bytes)?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        Ok(())
    }
}

/// The folder for what the program keeps across runs: `BALEEN_STATE_DIR`, else the platform's place
/// (`own_folder`).
pub fn folder(get: impl Fn(&str) -> Option<OsString>, home: &Path, macos: bool) -> PathBuf {
    absolute(&get, "BALEEN_STATE_DIR")
        .unwrap_or_else(|| own_folder(&get, home, macos, ("XDG_STATE_HOME", ".local/state")))
}

/// The program's own folder; on macOS there is one for everything, elsewhere one below what the
/// variable names, or below its default at home.
///
/// macOS: `~/Library/Application Support/Baleen` (Apple, "File System Programming Guide").
/// Elsewhere: XDG Base Directory Specification, which ignores a relative path in its variables.
pub(crate) fn own_folder(
    get: impl Fn(&str) -> Option<OsString>,
    home: &Path,
    macos: bool,
    (variable, default): (&str, &str),
) -> PathBuf {
    if macos {
        home.join("Library/Application Support/Baleen")
    } else {
        absolute(get, variable)
            .unwrap_or_else(|| home.join(default))
            .join("baleen")
    }
}

/// The absolute path that a variable holds.
pub(crate) fn absolute(get: impl Fn(&str) -> Option<OsString>, variable: &str) -> Option<PathBuf> {
    get(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Each writer finds what the others wrote.
    #[test]
    fn nothing_is_lost_between_writers() {
        let dir = tempfile::tempdir().unwrap();
        let file = KeptFile::new(dir.path().join("new/x.json"), 1);
        std::thread::scope(|scope| {
            for number in 0..8 {
                let key = format!("writer {number}");
                let file = file.clone();
                scope.spawn(move || {
                    file.update(|all: &mut BTreeMap<String, u32>| {
                        all.insert(key, number).is_none()
                    })
                    .unwrap();
                });
            }
        });
        assert_eq!(file.read::<BTreeMap<String, u32>>().len(), 8);
        assert!(
            KeptFile::new(dir.path().join("new/x.json"), 2)
                .read::<BTreeMap<String, u32>>()
                .is_empty()
        );
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
