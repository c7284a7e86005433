//! The user's intent for each engine: proxy or no proxy. It can't be read from the engine: after an update it has no
//! proxy from Baleen, whether or not it had one before.
//!
//! The intent is kept by the path of the engine, which is called a bundle here since that is what a Docker.app is. It is
//! in `state.json` in Baleen's state folder, with the proxy that was named by hand. If the file is lost or damaged,
//! nothing is known. The only loss then is the state *wiped*.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::proxy::RedactedProxy;
use crate::storage::JsonFile;

/// The file with the user's intents.
#[derive(Debug, Clone)]
pub struct Intents {
    file: JsonFile,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Stored {
    /// The intent, by the path of the bundle: as it was named, and with links resolved.
    wanted: BTreeMap<String, Intent>,
    /// The proxy that was named by hand, by the path of the bundle.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    named: BTreeMap<String, RedactedProxy>,
}

const SCHEMA: u32 = 2;

/// The user's intent for an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intent {
    /// No proxy.
    Off,
    /// The current proxy of the settings, whatever it is at the time.
    Settings,
    /// One proxy that was named on the command line.
    Named,
}

impl Intent {
    /// Returns the source of the wanted proxy as a word for other programs, or `None` if no proxy
    /// is wanted.
    pub fn source(self) -> Option<&'static str> {
        match self {
            Self::Off => None,
            Self::Settings => Some("settings"),
            Self::Named => Some("named"),
        }
    }
}

impl Intents {
    /// The name of the file.
    pub const FILE: &str = "state.json";

    /// Returns the intents in the file of that name in `folder`.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            file: JsonFile::new(folder.join(Self::FILE), SCHEMA),
        }
    }

    /// Returns the intent for the bundle at `path`, or `None` if the user never stated one.
    pub fn get(&self, path: &Path) -> Option<Intent> {
        self.file
            .read::<Stored>()
            .find(path)
            .map(|(_, intent)| intent)
    }

    /// Records the intent for the bundle at `path`.
    ///
    /// # Errors
    /// When the file can't be written; it is then unchanged.
    pub fn set(&self, path: &Path, wanted: Intent) -> io::Result<()> {
        self.note(path, wanted, None)
    }

    /// Records that this proxy, which was named by hand, is wanted in the bundle at `path`.
    ///
    /// # Errors
    /// When the file can't be written; it is then unchanged.
    pub(crate) fn set_named(&self, path: &Path, proxy: &RedactedProxy) -> io::Result<()> {
        self.note(path, Intent::Named, Some(proxy))
    }

    fn note(&self, path: &Path, wanted: Intent, named: Option<&RedactedProxy>) -> io::Result<()> {
        self.file.update(|stored: &mut Stored| {
            let mut changes = false;
            for key in stored.names(path) {
                let was_named = match named {
                    Some(proxy) => stored.named.insert(key.clone(), proxy.clone()),
                    None => stored.named.remove(&key),
                };
                let was_wanted = stored.wanted.insert(key, wanted);
                changes |= was_wanted != Some(wanted) || was_named.as_ref() != named;
            }
            changes
        })
    }

    /// Returns the proxy that was named by hand for the bundle at `path`, if that is the current intent.
    pub fn named(&self, path: &Path) -> Option<RedactedProxy> {
        let mut stored = self.file.read::<Stored>();
        let (key, intent) = stored.find(path)?;
        stored
            .named
            .remove(&key)
            .filter(|_| intent == Intent::Named)
    }

    /// Returns what is recorded for the bundle at `path`, to be given back to [`Self::put_back`].
    pub(crate) fn record(&self, path: &Path) -> IntentRecord {
        let file = self.file.path();
        let stored = self.file.read::<Stored>();
        let of = |key: String| Entry {
            wanted: stored.wanted.get(&key).copied(),
            named: stored.named.get(&key).cloned(),
            key,
        };
        IntentRecord {
            named: self.named(path),
            entries: stored.names(path).into_iter().map(of).collect(),
            has_file: file.exists(),
            has_folder: file.parent().is_some_and(Path::is_dir),
        }
    }

    /// Records again what was recorded before a change that failed.
    ///
    /// # Errors
    /// When the file can't be written; it is then unchanged.
    pub(crate) fn put_back(&self, record: &IntentRecord) -> io::Result<()> {
        if !self.file.path().exists() {
            return Ok(());
        }
        self.file.update(|stored: &mut Stored| {
            for Entry { key, wanted, named } in record.entries.clone() {
                match wanted {
                    Some(wanted) => stored.wanted.insert(key.clone(), wanted),
                    None => stored.wanted.remove(&key),
                };
                match named {
                    Some(named) => stored.named.insert(key, named),
                    None => stored.named.remove(&key),
                };
            }
            true
        })?;
        if record.has_file || !self.bundles().is_empty() {
            return Ok(());
        }
        let file = self.file.path();
        let folder = file.parent().filter(|_| !record.has_folder);
        let removed = fs::remove_file(file).and_then(|()| folder.map_or(Ok(()), fs::remove_dir));
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Returns all bundles that have an intent.
    pub(crate) fn bundles(&self) -> Vec<PathBuf> {
        let wanted = self.file.read::<Stored>().wanted;
        wanted.into_keys().map(PathBuf::from).collect()
    }

    /// Removes the intent for the bundle at `path`. Doesn't create the file if it does not exist.
    ///
    /// # Errors
    /// When the file can't be written; it is then unchanged.
    pub fn forget(&self, path: &Path) -> io::Result<()> {
        let names = self.file.read::<Stored>().names(path);
        if !self
            .bundles()
            .iter()
            .any(|known| names.contains(&key(known)))
        {
            return Ok(());
        }
        self.file.update(|stored: &mut Stored| {
            let mut changes = false;
            for key in names {
                stored.named.remove(&key);
                changes |= stored.wanted.remove(&key).is_some();
            }
            changes
        })
    }
}

/// The recorded intent for a bundle.
#[derive(Debug, Clone)]
pub(crate) struct IntentRecord {
    /// The proxy that was named by hand.
    pub named: Option<RedactedProxy>,
    /// The entries of each name of the bundle.
    entries: Vec<Entry>,
    has_file: bool,
    has_folder: bool,
}

/// What is recorded under one name of a bundle.
#[derive(Debug, Clone)]
struct Entry {
    key: String,
    wanted: Option<Intent>,
    named: Option<RedactedProxy>,
}

impl Stored {
    /// Returns the intent for the bundle at `path`, and the key that it was found at.
    ///
    /// The path counts as it was named, since a link may lead to another bundle after an update. Then comes any other
    /// path of the same bundle. A bundle without a record takes over that of a bundle that has gone from its folder, if
    /// there is only one: it was moved, or another one was installed in its stead.
    fn find(&self, path: &Path) -> Option<(String, Intent)> {
        let found = |key: &String| self.wanted.get(key).copied();
        let own = key(&absolute(path));
        if let Some(intent) = found(&own) {
            return Some((own, intent));
        }
        let mut aliases = self.names(path).into_iter();
        if let Some(known) = aliases.find_map(|key| found(&key).map(|intent| (key, intent))) {
            return Some(known);
        }
        let mut gone = self
            .wanted
            .iter()
            .filter(|(key, intent)| **intent != Intent::Off && is_gone(Path::new(key)));
        let (key, intent) = gone.next()?;
        match gone.next() {
            None if path.exists() => Some((key.clone(), *intent)),
            _ => None,
        }
    }

    /// Returns the keys of the bundle at `path`: as it is named, where it is, and by which other names it is known.
    fn names(&self, path: &Path) -> Vec<String> {
        let own = absolute(path);
        let mut names = vec![key(&own)];
        if let Ok(real) = own.canonicalize() {
            let is_same = |name: &&String| {
                Path::new(name)
                    .canonicalize()
                    .is_ok_and(|other| other == real)
            };
            names.push(key(&real));
            names.extend(self.wanted.keys().filter(is_same).cloned());
        }
        names.sort();
        names.dedup();
        names
    }
}

/// Returns whether a bundle has gone from its folder. A folder that is missing as well may be on a disk that is not
/// mounted.
fn is_gone(path: &Path) -> bool {
    let is_missing = path
        .symlink_metadata()
        .is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    is_missing && path.parent().is_some_and(Path::is_dir)
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn key(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::ProxyUrl;

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
    fn the_proxy_that_was_named_is_known_until_something_else_is_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let intents = Intents::in_folder(dir.path());
        let bundle = Path::new("/Applications/Docker.app");
        let proxy = RedactedProxy {
            http: Some("http://a:1".parse().unwrap()),
            https: None,
            no_proxy: "localhost".to_owned(),
        };
        for other in [Intent::Settings, Intent::Off, Intent::Named] {
            intents.set_named(bundle, &proxy).unwrap();
            assert_eq!(intents.get(bundle), Some(Intent::Named));
            assert_eq!(intents.named(bundle).as_ref(), Some(&proxy));
            assert_eq!(intents.named(Path::new("/other")), None);
            intents.set(bundle, other).unwrap();
            assert_eq!(intents.get(bundle), Some(other));
            assert_eq!(intents.named(bundle), None, "{other:?}");
        }
    }

    #[test]
    fn what_is_unknown_is_forgotten_without_a_trace() {
        let dir = tempfile::tempdir().unwrap();
        let intents = Intents::in_folder(&dir.path().join("new"));
        intents.forget(Path::new("/other")).unwrap();
        assert!(!dir.path().join("new").exists());
    }

    #[test]
    fn an_intent_belongs_to_the_bundle_as_it_was_named() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let intents = Intents::in_folder(&at("state"));
        for bundle in ["one/Docker.app", "two/Docker.app"] {
            fs::create_dir_all(at(bundle)).unwrap();
        }
        let link = at("link");
        let lead_to = |bundle: &str| {
            let _ = fs::remove_file(&link);
            std::os::unix::fs::symlink(at(bundle), &link).unwrap();
        };
        lead_to("one/Docker.app");
        intents.set(&link, Intent::Settings).unwrap();
        assert_eq!(intents.get(&link), Some(Intent::Settings));
        assert_eq!(intents.get(&at("one/Docker.app")), Some(Intent::Settings));
        assert_eq!(intents.get(&at("two/Docker.app")), None);

        lead_to("two/Docker.app");
        assert_eq!(intents.get(&link), Some(Intent::Settings), "an update");
        assert_eq!(intents.get(&at("one/Docker.app")), Some(Intent::Settings));
        // What the user wants by one name counts for all of them.
        intents.set(&at("two/Docker.app"), Intent::Off).unwrap();
        assert_eq!(intents.get(&link), Some(Intent::Off));
        assert_eq!(intents.get(&at("one/Docker.app")), Some(Intent::Settings));
    }

    #[test]
    fn an_intent_moves_with_its_bundle() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let (intents, new) = (Intents::in_folder(&at("state")), at("new/Docker.app"));
        for bundle in ["old/Docker.app", "other/Docker.app", "new/Docker.app"] {
            fs::create_dir_all(at(bundle)).unwrap();
        }
        let proxy = RedactedProxy {
            http: Some(ProxyUrl::parse("http://a:1").unwrap().reference()),
            https: None,
            no_proxy: String::new(),
        };
        intents.set_named(&at("old/Docker.app"), &proxy).unwrap();
        intents.set(&at("other/Docker.app"), Intent::Off).unwrap();
        assert_eq!(intents.get(&new), None, "the old one is still there");
        fs::remove_dir(at("old/Docker.app")).unwrap();
        assert_eq!(intents.get(&new), Some(Intent::Named));
        assert_eq!(intents.named(&new), Some(proxy.clone()));
        assert_eq!(intents.get(&at("none/Docker.app")), None);

        // Of two that have gone, none is this one.
        intents
            .set(&at("other/Docker.app"), Intent::Settings)
            .unwrap();
        fs::remove_dir(at("other/Docker.app")).unwrap();
        assert_eq!(intents.get(&new), None);
        intents.set(&at("other/Docker.app"), Intent::Off).unwrap();
        assert_eq!(intents.get(&new), Some(Intent::Named));

        // The folder of an unmounted disk is missing as well.
        fs::remove_dir(at("old")).unwrap();
        assert_eq!(intents.get(&new), None);
        fs::create_dir(at("old")).unwrap();
        intents.set(&new, Intent::Settings).unwrap();
        assert_eq!(intents.get(&new), Some(Intent::Settings));
    }

    #[test]
    fn what_was_recorded_before_a_change_can_be_put_back() {
        let dir = tempfile::tempdir().unwrap();
        let bundle = dir.path().join("Docker.app");
        fs::create_dir(&bundle).unwrap();
        let proxy = RedactedProxy {
            http: Some(ProxyUrl::parse("http://a:1").unwrap().reference()),
            https: None,
            no_proxy: String::new(),
        };
        let intents = Intents::in_folder(dir.path());
        let set = |intent| match intent {
            None => intents.forget(&bundle),
            Some(Intent::Named) => intents.set_named(&bundle, &proxy),
            Some(other) => intents.set(&bundle, other),
        };
        let all = [
            None,
            Some(Intent::Off),
            Some(Intent::Settings),
            Some(Intent::Named),
        ];
        for before in all {
            set(before).unwrap();
            let record = intents.record(&bundle);
            let named = intents.named(&bundle);
            for during in all {
                set(during).unwrap();
                intents.put_back(&record).unwrap();
                assert_eq!(intents.get(&bundle), before, "{during:?}");
                assert_eq!(intents.named(&bundle), named, "{during:?}");
            }
        }
    }
}
