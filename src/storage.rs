//! What the program keeps across runs: small files of JSON in a folder of its own, each whole or as it
//! was before, and its owner's alone. One that is lost or damaged means that nothing is known.
//!
//! One that another version wrote, in a form that this one does not read, means the same; but it is not written over.
//! It is kept beside the new one, as `state.json.schema-3`, and is there still when that version comes back: what it
//! makes of the two is for it to say, since the new one tells what the user wanted last.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Files and folders that are not finished have names that begin so, no matter who makes them.
pub(crate) const TEMP_PREFIX: &str = ".baleen-";

/// Whether this is such a name. What is called so belongs to a Baleen at work, or to one that was killed.
pub(crate) fn is_temporary(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(TEMP_PREFIX.as_bytes())
}

/// One such file.
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

/// What is on disk.
enum OnDisk<T> {
    /// What this version reads.
    Known(T),
    /// What another version wrote, which this one can't read, though it has this number.
    OfOtherForm(u32),
    /// Nothing, or something damaged.
    Nothing,
}

impl JsonFile {
    /// The file at `path`, whose form has this number.
    pub(crate) fn new(path: PathBuf, schema: u32) -> Self {
        Self { path, schema }
    }

    /// What is in it; the default where it is missing, damaged or of another form.
    pub(crate) fn read<T: DeserializeOwned + Default>(&self) -> T {
        self.read_or_older(|_, _| None)
    }

    /// As [`Self::read`], where `older` makes the content out of that of a form with another number, if it knows it.
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

    /// Where a file is kept whose form has another number.
    fn quarantine_path(&self, schema: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".schema-{schema}"));
        name.into()
    }

    /// Has `change` change what is in it, with no one else in between; it says whether there is
    /// anything to be written.
    ///
    /// # Errors
    /// When it can't be written; it is then as it was.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut T) -> bool) -> io::Result<()>
    where
        T: DeserializeOwned + Default + Serialize,
    {
        self.update_or_older(|_, _| None, change)
    }

    /// As [`Self::update`], where `older` makes the content out of that of a form with another number, if it knows it.
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
        // It is let go of when the folder is closed, also by a kill.
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
        // Such a file is the owner's alone from the start.
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
            // It keeps its own name until the new one takes that. Not every disk has files with two names.
            fs::hard_link(&self.path, &aside)
                .or_else(|_| fs::copy(&self.path, &aside).map(drop))?;
        }
        file.persist(&self.path)?;
        Ok(())
    }
}

/// The file that the one at `path` was, before a version that could not read it put it aside.
pub(crate) fn quarantined_from(path: &Path) -> Option<PathBuf> {
    let (name, schema) = path.file_name()?.to_str()?.rsplit_once(".schema-")?;
    schema.parse::<u32>().ok()?;
    Some(path.with_file_name(name))
}

/// The folder for what the program keeps across runs: `BALEEN_STATE_DIR`, else the platform's place
/// (`own_folder`).
pub fn folder(get: impl Fn(&str) -> Option<OsString>, home: &Path, macos: bool) -> PathBuf {
    absolute(&get, "BALEEN_STATE_DIR")
        .unwrap_or_else(|| app_folder(&get, home, macos, ("XDG_STATE_HOME", ".local/state")))
}

/// The program's own folder; on macOS there is one for everything, elsewhere one below what the
/// variable names, or below its default at home.
///
/// macOS: `~/Library/Application Support/Baleen` (Apple, "File System Programming Guide").
/// Elsewhere: XDG Base Directory Specification, which ignores a relative path in its variables.
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

        // What changes nothing moves nothing.
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

        // Back again, and the older one's is kept as well. What the newer one kept first stays until it is put aside again.
        set(&newer, 34).unwrap();
        assert_eq!(names(), ["x.json", "x.json.schema-2", "x.json.schema-3"]);
        set(&older, 23).unwrap();
        let newest = fs::read_to_string(dir.path().join("x.json.schema-3")).unwrap();
        assert!(newest.contains("34"), "{newest}");

        // The number is ours, and what follows is not: a later version's word in it, say.
        let odd = "{\"schema\": 2, \"a\": \"much\"}";
        fs::write(&path, odd).unwrap();
        set(&older, 24).unwrap();
        let aside = dir.path().join("x.json.schema-2");
        assert_eq!(fs::read_to_string(aside).unwrap(), odd);

        // Damage is nothing that anybody wrote.
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
