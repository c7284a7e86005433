//! Docker's settings file, of which a running Docker writes a late copy. It is changed only while Docker doesn't run.

use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;

use crate::error::{IoError, same};
use crate::platform;
use crate::proxy::DockerVersion;
use crate::storage::{TEMP_PREFIX, is_temporary};

use super::containers::ClientFile;
use super::error::{FileFault, SettingsError};
use super::json_text::JsonText;
use super::leaf::{Leaf, LeafValue, Spelling, Values};

/// The folder of the settings, in the user's home folder.
pub(crate) const FOLDER: &str = "Library/Group Containers/group.com.docker";
/// The folder of Docker's sockets, in the user's home folder.
const DATA: &str = "Library/Containers/com.docker.docker/Data";
/// The file up to 4.34.
pub(crate) const OLDER: &str = "settings.json";
/// The file from 4.35 on.
pub(crate) const NEWER: &str = "settings-store.json";

/// Maximum length of the file, in bytes. It has about 10,000.
const MAX_LEN: u64 = 4 << 20;

/// The settings file that a Docker reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SettingsFile {
    pub(super) path: PathBuf,
    pub(super) spelling: Spelling,
}

/// The contents of the file, and what tells that it is still the same.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) text: String,
    metadata: Metadata,
}

impl SettingsFile {
    /// Returns the file that a Docker of this version reads, in the home folder `home`. A Docker from 4.35 on that has
    /// not migrated the older file yet will read that one at its next start, and skip that if the newer one existed.
    pub(super) fn of(home: &Path, version: &DockerVersion) -> Self {
        let folder = home.join(FOLDER);
        let (older, newer) = (folder.join(OLDER), folder.join(NEWER));
        let is_there = |path: &Path| path.symlink_metadata().is_ok();
        let is_newer = match version.is_at_least((4, 35)) {
            Some(true) => is_there(&newer) || !is_there(&older),
            Some(false) => false,
            None => is_there(&newer),
        };
        match is_newer {
            true => Self {
                path: newer,
                spelling: Spelling::Pascal,
            },
            false => Self {
                path: older,
                spelling: Spelling::Camel,
            },
        }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// When there is none, when it is not a plain file that its owner may write, or when it can't be read.
    pub(super) fn read(&self) -> Result<Contents, SettingsError> {
        let path = &self.path;
        let io = |tried: &'static str| {
            move |error: io::Error| match error.kind() {
                io::ErrorKind::NotFound => self.fault(FileFault::Missing),
                _ => SettingsError::Io(IoError::new(tried, path, error)),
            }
        };
        let at_path = path.symlink_metadata().map_err(io("read"))?;
        if !at_path.is_file() {
            return Err(self.fault(match at_path.is_symlink() {
                true => FileFault::Link,
                false => FileFault::NotAFile,
            }));
        }
        if at_path.mode() & 0o200 == 0 {
            return Err(self.fault(FileFault::ReadOnly));
        }
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(io("read"))?;
        let before = file.metadata().map_err(io("read"))?;
        (&file)
            .take(MAX_LEN + 1)
            .read_to_end(&mut bytes)
            .map_err(io("read"))?;
        let after = file.metadata().map_err(io("read"))?;
        if bytes.len() as u64 > MAX_LEN {
            return Err(self.fault(FileFault::TooLong));
        }
        if identity(&before) != identity(&after) || bytes.len() as u64 != after.len() {
            return Err(self.fault(FileFault::Changing));
        }
        let text = String::from_utf8(bytes).map_err(|_| self.fault(FileFault::NotUtf8))?;
        JsonText::parse(&text).map_err(|invalid| self.fault(FileFault::Invalid { invalid }))?;
        Ok(Contents {
            text,
            metadata: after,
        })
    }

    /// Returns the settings of the proxy in the file.
    pub(super) fn values(&self, contents: &Contents) -> Result<Values, SettingsError> {
        let json = self.parse(&contents.text)?;
        let value = |leaf: &Leaf| LeafValue(json.get(leaf.key(self.spelling)).map(str::to_owned));
        Ok(Leaf::ALL.iter().map(|leaf| (*leaf, value(leaf))).collect())
    }

    /// Returns the contents with these values, and every other byte as it is.
    pub(super) fn changed(
        &self,
        contents: &Contents,
        values: &Values,
    ) -> Result<String, SettingsError> {
        let mut text = contents.text.clone();
        for (leaf, value) in values {
            let json = self.parse(&text)?;
            let key = leaf.key(self.spelling);
            let changed = match &value.0 {
                Some(raw) => json.with(key, raw),
                None => json.without(key),
            };
            text = changed.map_err(|invalid| self.fault(FileFault::Invalid { invalid }))?;
        }
        self.parse(&text)?;
        Ok(text)
    }

    fn parse<'t>(&self, text: &'t str) -> Result<JsonText<'t>, SettingsError> {
        JsonText::parse(text).map_err(|invalid| self.fault(FileFault::Invalid { invalid }))
    }

    /// Puts a file with `text` in the place of the one that was read, with its owner, permissions and attributes, and
    /// reads it back.
    ///
    /// # Errors
    /// When the file was changed since, or can't be replaced. It is then as it was.
    pub(super) fn replace(&self, read: &Contents, text: &str) -> Result<(), SettingsError> {
        let path = &self.path;
        let io = |tried: &'static str| {
            move |error: io::Error| SettingsError::Io(IoError::new(tried, path, error))
        };
        let folder = path.parent().unwrap_or(Path::new("/"));
        let new = self
            .staged(folder, read, text)
            .map_err(io("write a new file beside"))?;
        let now = path.symlink_metadata().map_err(io("read"))?;
        if identity(&now) != identity(&read.metadata) {
            return Err(self.fault(FileFault::Changing));
        }
        new.persist(path)
            .map_err(|error| same(&error.error))
            .and_then(|_| File::open(folder)?.sync_all())
            .map_err(io("replace"))?;
        match self.read()?.text == text {
            true => Ok(()),
            false => Err(self.fault(FileFault::Changing)),
        }
    }

    /// Removes the file that was read.
    ///
    /// # Errors
    /// When the file was changed since, or can't be removed.
    pub(super) fn remove(&self, read: &Contents) -> Result<(), SettingsError> {
        let path = &self.path;
        let io = |tried: &'static str| {
            move |error: io::Error| SettingsError::Io(IoError::new(tried, path, error))
        };
        let now = path.symlink_metadata().map_err(io("read"))?;
        if identity(&now) != identity(&read.metadata) {
            return Err(self.fault(FileFault::Changing));
        }
        fs::remove_file(path).map_err(io("remove"))
    }

    /// Creates the new file, a copy of the old one, which brings the owner's attributes along.
    fn staged(
        &self,
        folder: &Path,
        read: &Contents,
        text: &str,
    ) -> io::Result<NamedTempFile<File>> {
        let staged = tempfile::Builder::new()
            .prefix(TEMP_PREFIX)
            .make_in(folder, |path| {
                platform::copy_file(&self.path, path, &|_| {})?;
                fs::OpenOptions::new().write(true).truncate(true).open(path)
            })?;
        let mut file = staged.as_file();
        file.write_all(text.as_bytes())?;
        let (own, old) = (file.metadata()?, &read.metadata);
        if (own.uid(), own.gid()) != (old.uid(), old.gid()) {
            fchown(file, Some(old.uid()), Some(old.gid()))?;
        }
        file.set_permissions(old.permissions())?;
        file.sync_all()?;
        Ok(staged)
    }

    fn fault(&self, fault: FileFault) -> SettingsError {
        SettingsError::File {
            path: self.path.clone(),
            fault,
        }
    }
}

impl Contents {
    /// Time at which the file was put in place.
    pub(super) fn since(&self) -> SystemTime {
        let ctime = Duration::new(
            self.metadata.ctime().try_into().unwrap_or(0),
            self.metadata.ctime_nsec().try_into().unwrap_or(0),
        );
        SystemTime::UNIX_EPOCH + ctime
    }

    /// Length in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.metadata.len()
    }
}

fn identity(found: &Metadata) -> (u64, u64, u64, i64, i64) {
    (
        found.dev(),
        found.ino(),
        found.len(),
        found.mtime(),
        found.mtime_nsec(),
    )
}

/// The lock that lets only one Baleen at a time change Docker's settings. The system locks the folder itself, so a
/// killed Baleen holds no lock.
#[derive(Debug)]
pub(super) struct Lock(
    #[expect(dead_code, reason = "the lock lasts as long as the file is open")] File,
);

impl Lock {
    /// Locks the settings of the user with this home folder, and removes what a killed Baleen left there. Nothing is locked
    /// where the system does not let Baleen read the folder: the socket may still be usable.
    pub(super) fn acquire(home: &Path) -> Result<Option<Self>, SettingsError> {
        // The second has the socket.
        let folders = [home.join(FOLDER), home.join(DATA)];
        let opened = folders
            .into_iter()
            .find_map(|folder| Some((File::open(&folder).ok()?, folder)));
        let Some((handle, folder)) = opened else {
            return Ok(None);
        };
        match handle.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SettingsError::Busy { folder }),
            Err(TryLockError::Error(error)) => {
                return Err(SettingsError::Io(IoError::new("lock", &folder, error)));
            }
        }
        for left in unfinished(home) {
            // A leftover that can't be removed does no harm.
            let _ = fs::remove_file(left);
        }
        Ok(Some(Self(handle)))
    }
}

/// Writes the file's contents into a new file beside it, which is removed again.
pub(super) fn preflight(file: &SettingsFile, contents: &Contents) -> Result<(), SettingsError> {
    let folder = file.path.parent().unwrap_or(Path::new("/"));
    let staged = file.staged(folder, contents, &contents.text);
    staged.map(drop).map_err(|error| {
        SettingsError::Io(IoError::new("write a new file beside", &file.path, error))
    })
}

/// Returns the files that a killed Baleen left in the folders of the user with this home folder.
pub(super) fn unfinished(home: &Path) -> Vec<PathBuf> {
    let folders = [home.join(FOLDER), ClientFile::folder(home)];
    let entries = folders
        .iter()
        .flat_map(|it| fs::read_dir(it).into_iter().flatten());
    entries
        .flatten()
        .filter(|entry| is_temporary(&entry.file_name()))
        .map(|entry| entry.path())
        .collect()
}
