//! The user's intent for each bundle: proxy or no proxy. It can't be read from the image: after an
//! update of Docker the image is stock, whether or not it was patched before.
//!
//! The intent is kept per bundle in `state.json` in Baleen's state folder, with two more facts that
//! an image does not show: the proxy that was named by hand, and the result of checking a restored
//! original. If the file is lost or damaged, nothing is known. The only loss then is the state
//! *wiped*.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::proxy::RedactedProxy;
use crate::storage::JsonFile;

use super::image::Image;
use super::original::{Checked, Unpatched};

/// The file with the user's intents.
#[derive(Debug, Clone)]
pub struct Intents {
    file: JsonFile,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Stored {
    /// The intent, by the path of the bundle.
    wanted: BTreeMap<String, Intent>,
    /// The proxy that was named by hand, by the path of the bundle.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    named: BTreeMap<String, RedactedProxy>,
    /// The result of checking a restored image, by the path of the bundle.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    originals: BTreeMap<String, Checked>,
}

const SCHEMA: u32 = 2;

/// The user's intent for a bundle.
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

    /// Returns the intent for `bundle`, or `None` if the user never stated one.
    pub fn get(&self, bundle: &Path) -> Option<Intent> {
        self.file.read::<Stored>().wanted.get(&key(bundle)).copied()
    }

    /// Records the intent for `bundle`.
    ///
    /// # Errors
    /// When the file can't be written; it is then unchanged.
    pub fn set(&self, bundle: &Path, wanted: Intent) -> io::Result<()> {
        self.note(bundle, wanted, None)
    }

    /// Records that this proxy, which was named by hand, is wanted in `bundle`.
    ///
    /// # Errors
    /// When the file can't be written; it is then unchanged.
    pub(crate) fn set_named(&self, bundle: &Path, proxy: &RedactedProxy) -> io::Result<()> {
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

    /// Returns the proxy that was named by hand for `bundle`, if that is the current intent.
    pub fn named(&self, bundle: &Path) -> Option<RedactedProxy> {
        let mut stored = self.file.read::<Stored>();
        let is_named = stored.wanted.get(&key(bundle)) == Some(&Intent::Named);
        stored.named.remove(&key(bundle)).filter(|_| is_named)
    }

    /// Records the result of checking the image that was restored in `bundle` and is at `image`
    /// now.
    ///
    /// # Errors
    /// When the image can't be opened or the file can't be written; the file is then unchanged.
    pub(crate) fn note_original(
        &self,
        bundle: &Path,
        image: &Path,
        found: Unpatched,
    ) -> Result<()> {
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

    /// Returns the recorded result for `image`, which was restored in `bundle`.
    pub fn original(&self, bundle: &Path, image: &Image) -> Unpatched {
        let stored = self.file.read::<Stored>();
        let found = stored.originals.get(&key(bundle));
        let found = found.and_then(|checked| checked.of(image));
        found.cloned().unwrap_or_default()
    }

    /// Returns all bundles that have an intent.
    pub(crate) fn bundles(&self) -> Vec<PathBuf> {
        let wanted = self.file.read::<Stored>().wanted;
        wanted.into_keys().map(PathBuf::from).collect()
    }

    /// Removes the intent for `bundle`. Doesn't create the file if it does not exist.
    ///
    /// # Errors
    /// When the file can't be written; it is then unchanged.
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
