//! Whether the user wants the proxy in a bundle. It is the one thing that can't be read from the
//! image: after an update of Docker the image is stock, whether or not it was patched before.
//!
//! It is kept per bundle in `state.json` in the program's own folder, with two more facts that an image does not show: which
//! proxy was named by hand, and what was found in an original that was given back. A lost or damaged file means
//! that nothing is known, which costs the word *wiped* and nothing else.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::proxy::RedactedProxy;
use crate::storage::JsonFile;

use super::image::Image;
use super::original::{Checked, Unpatched};

/// The file with what the user wants.
#[derive(Debug, Clone)]
pub struct Intents {
    file: JsonFile,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Stored {
    /// By the path of the bundle.
    wanted: BTreeMap<String, Intent>,
    /// The proxy that was named by hand, by the path of the bundle.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    named: BTreeMap<String, RedactedProxy>,
    /// What was found in an image that was given back, by the path of the bundle.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    originals: BTreeMap<String, Checked>,
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

impl Intent {
    /// Whose proxy is wanted, for programs; nothing where none is.
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

    /// In the file of that name in `folder`.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            file: JsonFile::new(folder.join(Self::FILE), SCHEMA),
        }
    }

    /// What is wanted in `bundle`; nothing where no one ever said.
    pub fn get(&self, bundle: &Path) -> Option<Intent> {
        self.file.read::<Stored>().wanted.get(&key(bundle)).copied()
    }

    /// Records what is wanted in `bundle`.
    ///
    /// # Errors
    /// When the file can't be written; it is then as it was.
    pub fn set(&self, bundle: &Path, wanted: Intent) -> io::Result<()> {
        self.note(bundle, wanted, None)
    }

    /// Records that this proxy, which was named by hand, is wanted in `bundle`.
    ///
    /// # Errors
    /// When the file can't be written; it is then as it was.
    pub fn set_named(&self, bundle: &Path, proxy: &RedactedProxy) -> io::Result<()> {
        self.note(bundle, Intent::Named, Some(proxy))
    }

    fn note(&self, bundle: &Path, wanted: Intent, named: Option<&RedactedProxy>) -> io::Result<()> {
        self.file.update(|stored: &mut Stored| {
            let was_named = match named {
                Some(proxy) => stored.named.insert(key(bundle), proxy.clone()),
                None => stored.named.remove(&key(bundle)),
            };
            let was_wanted = stored.wanted.insert(key(bundle), wanted);
            was_wanted != Some(wanted) || was_named.as_ref() != named
        })
    }

    /// The proxy that was named by hand for `bundle`, if that is the one that is wanted.
    pub fn named(&self, bundle: &Path) -> Option<RedactedProxy> {
        let mut stored = self.file.read::<Stored>();
        let is_named = stored.wanted.get(&key(bundle)) == Some(&Intent::Named);
        stored.named.remove(&key(bundle)).filter(|_| is_named)
    }

    /// Records what was found in the image that `bundle` got back, which is at `image` now.
    ///
    /// # Errors
    /// When the image can't be opened or the file can't be written; the file is then as it was.
    pub fn note_original(&self, bundle: &Path, image: &Path, found: Unpatched) -> Result<()> {
        let checked = Checked::new(&Image::open(image)?, found);
        self.file
            .update(|stored: &mut Stored| {
                stored.originals.insert(key(bundle), checked.clone()) != Some(checked)
            })
            .map_err(|error| {
                let what = format!(
                    "what was found in {} could not be noted: {error}",
                    image.display()
                );
                Error::new(Kind::Failure, what)
            })
    }

    /// What was found in `image` when `bundle` got it back.
    pub fn original(&self, bundle: &Path, image: &Image) -> Unpatched {
        let stored = self.file.read::<Stored>();
        let found = stored.originals.get(&key(bundle));
        let found = found.and_then(|checked| checked.of(image));
        found.cloned().unwrap_or_default()
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
        self.file.update(|stored: &mut Stored| {
            stored.named.remove(&key(bundle));
            stored.originals.remove(&key(bundle));
            stored.wanted.remove(&key(bundle)).is_some()
        })
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
    fn the_proxy_that_was_named_is_known_until_something_else_is_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let intents = Intents::in_folder(dir.path());
        let bundle = Path::new("/Applications/Docker.app");
        let proxy = RedactedProxy {
            http: Some("http://a:1".to_owned()),
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
    fn what_was_found_in_an_image_counts_for_that_very_file() {
        let dir = tempfile::tempdir().unwrap();
        let intents = Intents::in_folder(dir.path());
        let (bundle, path) = (Path::new("/d"), dir.path().join("initrd.img"));
        let found = || intents.original(bundle, &Image::open(&path).unwrap());
        fs::write(&path, "one").unwrap();
        assert_eq!(found(), Unpatched::Unchecked);
        let by_hand = Unpatched::ByHand {
            line: "export http_proxy=http://a:1".to_owned(),
            stock: Some("/d/initrd.img-backup-0".into()),
        };
        intents
            .note_original(bundle, &path, by_hand.clone())
            .unwrap();
        assert_eq!(found(), by_hand);
        let other = dir.path().join("other");
        fs::write(&other, "two").unwrap();
        fs::rename(other, &path).unwrap();
        assert_eq!(found(), Unpatched::Unchecked, "an update of Docker");
    }

    #[test]
    fn what_nobody_knows_is_forgotten_without_a_trace() {
        let dir = tempfile::tempdir().unwrap();
        let intents = Intents::in_folder(&dir.path().join("new"));
        intents.forget(Path::new("/other")).unwrap();
        assert!(!dir.path().join("new").exists());
    }
}
