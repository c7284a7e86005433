//! Storage of small JSON files in the program's own folder. Writes are atomic, and only the owner can read
//! the files. A lost or damaged file means that nothing is known.
//!
//! A file in another version's schema that this version can't read means the same, but it is not
//! overwritten. It is kept next to the new file, as `state.json.schema-3`, until that version comes back.
//! That version decides what to do with the two files, since the new one has the user's latest decision.

mod process_lock;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use process_lock::{FileId, LockClaim, ProcessLock, Waited};

/// Name prefix of all unfinished files and folders.
pub(crate) const TEMP_PREFIX: &str = ".baleen-";

/// Returns whether the name has [`TEMP_PREFIX`]. Such files belong to a Baleen at work, or to one that was
/// killed.
pub(crate) fn is_temporary(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(TEMP_PREFIX.as_bytes())
}

/// A JSON file with a schema number.
#[derive(Debug, Clone)]
pub(crate) struct JsonFile {
    path: PathBuf,
    schema: u32,
}

#[derive(Deserialize, Serialize)]
struct Versioned<T> {
    schema: u32,
    #[serde(flatten)]
    content: T,
}

/// The contents of the file on disk.
enum OnDisk<T> {
    /// Contents that this version can read.
    Known(T),
    /// Contents of another version that this one can't read, with their schema number.
    OfOtherForm(u32),
    /// No file, or a damaged one.
    Nothing,
}

impl JsonFile {
    /// Uses the file at `path` with this schema number.
    pub(crate) fn new(path: PathBuf, schema: u32) -> Self {
        Self { path, schema }
    }

    /// Reads the contents. Returns the default if the file is missing, damaged or in another schema.
    pub(crate) fn read<T: DeserializeOwned + Default>(&self) -> T {
        self.read_or_older(|_, _| None)
    }

    /// The path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// As [`Self::read`], but `older` converts the contents of other schemas that it knows.
    pub(crate) fn read_or_older<T: DeserializeOwned + Default>(
        &self,
        older: impl FnOnce(u32, Value) -> Option<T>,
    ) -> T {
        match self.on_disk(older) {
            OnDisk::Known(content) => content,
            OnDisk::OfOtherForm(_) | OnDisk::Nothing => T::default(),
        }
    }

    fn on_disk<T: DeserializeOwned>(
        &self,
        older: impl FnOnce(u32, Value) -> Option<T>,
    ) -> OnDisk<T> {
        let bytes = fs::read(&self.path).unwrap_or_default();
        match (
            serde_json::from_slice::<Versioned<T>>(&bytes),
            serde_json::from_slice::<Versioned<Value>>(&bytes),
        ) {
            (Ok(file), _) if file.schema == self.schema => OnDisk::Known(file.content),
            (_, Ok(found)) => match older(found.schema, found.content) {
                Some(content) if found.schema < self.schema => OnDisk::Known(content),
                _ => OnDisk::OfOtherForm(found.schema),
            },
            (_, Err(_)) => OnDisk::Nothing,
        }
    }

    /// Returns the path at which a file with another schema number is kept.
    fn quarantine_path(&self, schema: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".schema-{schema}"));
        name.into()
    }

    /// Changes the contents with `change` while holding a lock. `change` returns whether the file must be
    /// written.
    ///
    /// # Errors
    /// When the file can't be written. It then keeps its contents.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut T) -> bool) -> io::Result<()>
    where
        T: DeserializeOwned + Default + Serialize,
    {
        self.update_or_older(|_, _| None, change)
    }

    /// As [`Self::update`], but `older` converts the contents of other schemas that it knows.
    ///
    /// # Errors
    /// As for [`Self::update`].
    pub(crate) fn update_or_older<T>(
        &self,
        older: impl FnOnce(u32, Value) -> Option<T>,
        change: impl FnOnce(&mut T) -> bool,
    ) -> io::Result<()>
    where
        T: DeserializeOwned + Default + Serialize,
    {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        // The lock is released when the folder is closed, also by a kill.
        let lock = File::open(folder)?;
        lock.lock()?;
        let (mut content, other) = match self.on_disk(older) {
            OnDisk::Known(content) => (content, None),
            OnDisk::OfOtherForm(schema) => (T::default(), Some(schema)),
            OnDisk::Nothing => (T::default(), None),
        };
        if !change(&mut content) {
            return Ok(());
        }
        let schema = self.schema;
        let bytes = serde_json::to_vec_pretty(&Versioned { schema, content })?;
        // Only the owner can access a temporary file, from the start.
        let mut file = tempfile::Builder::new()
            .prefix(TEMP_PREFIX)
            .tempfile_in(folder)?;
        file.write_all(&bytes)?;
        file.as_file().sync_all()?;
        if let Some(schema) = other {
            let aside = self.quarantine_path(schema);
            match fs::remove_file(&aside) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            // The old file keeps its own name until the new one takes it. Not every disk supports hard links.
            fs::hard_link(&self.path, &aside)
                .or_else(|_| fs::copy(&self.path, &aside).map(drop))?;
        }
        file.persist(&self.path)?;
        Ok(())
    }
}

/// Replaces the file at `path`, or creates it. Only the owner can read the new file, whatever the old one allowed.
///
/// # Errors
/// When it can't be written. The old file is unchanged then.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Only the owner can access a temporary file, from the start.
    let mut file = tempfile::Builder::new()
        .prefix(TEMP_PREFIX)
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Returns the original path of the file at `path`, if another version set it aside.
pub(crate) fn quarantined_from(path: &Path) -> Option<PathBuf> {
    let (name, schema) = path.file_name()?.to_str()?.rsplit_once(".schema-")?;
    schema.parse::<u32>().ok()?;
    Some(path.with_file_name(name))
}

/// Returns the folder of the stored files: `BALEEN_STATE_DIR`, otherwise the platform's standard folder
/// (`app_folder`).
pub(crate) fn folder(get: impl Fn(&str) -> Option<OsString>, home: &Path, macos: bool) -> PathBuf {
    absolute(&get, "BALEEN_STATE_DIR")
        .unwrap_or_else(|| app_folder(&get, home, macos, ("XDG_STATE_HOME", ".local/state")))
}

/// Returns the program's own folder. macOS has one for everything. On other systems it is in the folder
/// that the variable names, or in its default in the home folder.
///
/// macOS: `~/Library/Application Support/Baleen` (Apple, "File System Programming Guide").
/// Other systems: XDG Base Directory Specification, which ignores a relative path in its variables.
pub(crate) fn app_folder(
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

/// Returns the absolute path in a variable.
pub(crate) fn absolute(get: impl Fn(&str) -> Option<OsString>, variable: &str) -> Option<PathBuf> {
    get(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Each writer sees what the others wrote.
    #[test]
    fn nothing_is_lost_between_writers() {
        let dir = tempfile::tempdir().unwrap();
        let file = JsonFile::new(dir.path().join("new/x.json"), 1);
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
            JsonFile::new(dir.path().join("new/x.json"), 2)
                .read::<BTreeMap<String, u32>>()
                .is_empty()
        );
    }

    /// A newer version was tried, an older one is used for a while, and the newer one comes back.
    #[test]
    fn what_another_version_kept_is_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        let (older, newer) = (
            JsonFile::new(path.clone(), 2),
            JsonFile::new(path.clone(), 3),
        );
        let names = || {
            let mut names: Vec<_> = fs::read_dir(dir.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        let set = |file: &JsonFile, value: u32| {
            file.update(|all: &mut BTreeMap<String, u32>| {
                all.insert("a".to_owned(), value).is_none()
            })
        };
        let read = |file: &JsonFile| file.read::<BTreeMap<String, u32>>().get("a").copied();
        set(&newer, 33).unwrap();
        let kept = fs::read(&path).unwrap();

        // An update without a change moves no file.
        older.update(|_: &mut BTreeMap<String, u32>| false).unwrap();
        assert_eq!(read(&older), None);
        assert_eq!(
            (names(), read(&newer)),
            (vec!["x.json".to_owned()], Some(33))
        );

        set(&older, 22).unwrap();
        assert_eq!((read(&older), read(&newer)), (Some(22), None));
        assert_eq!(names(), ["x.json", "x.json.schema-3"]);
        assert_eq!(fs::read(dir.path().join("x.json.schema-3")).unwrap(), kept);

        // The newer version is back, and the older one's file is kept as well. The first copy of the newer file
        // stays until the file is set aside again.
        set(&newer, 34).unwrap();
        assert_eq!(names(), ["x.json", "x.json.schema-2", "x.json.schema-3"]);
        set(&older, 23).unwrap();
        let newest = fs::read_to_string(dir.path().join("x.json.schema-3")).unwrap();
        assert!(newest.contains("34"), "{newest}");

        // The schema number is ours, but the contents are not, such as a later version's value.
        let odd = "{\"schema\": 2, \"a\": \"much\"}";
        fs::write(&path, odd).unwrap();
        set(&older, 24).unwrap();
        let aside = dir.path().join("x.json.schema-2");
        assert_eq!(fs::read_to_string(aside).unwrap(), odd);

        // A damaged file is not kept.
        fs::write(&path, "{").unwrap();
        set(&older, 25).unwrap();
        assert_eq!(read(&older), Some(25));
        assert_eq!(names(), ["x.json", "x.json.schema-2", "x.json.schema-3"]);
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
