//! The results of checking restored images, so that `status` can tell without unpacking an image whether it sets a
//! proxy by itself. If the file is lost, such an image counts as not checked.

use std::collections::BTreeMap;
use std::path::{Path, absolute};

use serde::{Deserialize, Serialize};

use crate::backend::Unpatched;
use crate::storage::JsonFile;

use super::error::{PatchError, Result};
use super::image::Image;
use super::original::Checked;

/// The file with the results.
#[derive(Debug, Clone)]
pub struct CheckedOriginals {
    file: JsonFile,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Stored {
    /// The result, by the path of the bundle with links resolved.
    originals: BTreeMap<String, Checked>,
}

const SCHEMA: u32 = 1;

impl CheckedOriginals {
    /// The name of the file.
    pub const FILE: &str = "originals.json";

    /// Returns the results in the file of that name in `folder`.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            file: JsonFile::new(folder.join(Self::FILE), SCHEMA),
        }
    }

    /// Records the result for the image that was restored in `bundle` and is at `image` now.
    ///
    /// # Errors
    /// When the image can't be opened or the file can't be written; the file is then unchanged.
    pub(crate) fn set(&self, bundle: &Path, image: &Path, found: Unpatched) -> Result<()> {
        let checked = Checked::new(&Image::open(image)?, found);
        self.file
            .update(|stored: &mut Stored| {
                stored.originals.insert(key(bundle), checked.clone()) != Some(checked)
            })
            .map_err(|source| {
                let image = image.to_owned();
                PatchError::NotNoted { image, source }
            })
    }

    /// Returns the recorded result for `image`, which was restored in `bundle`.
    pub fn get(&self, bundle: &Path, image: &Image) -> Unpatched {
        let stored = self.file.read::<Stored>();
        let found = stored.originals.get(&key(bundle));
        let found = found.and_then(|checked| checked.of(image));
        found.cloned().unwrap_or_default()
    }
}

fn key(bundle: &Path) -> String {
    let real = bundle.canonicalize().or_else(|_| absolute(bundle));
    let real = real.unwrap_or_else(|_| bundle.to_owned());
    real.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_was_found_in_an_image_counts_for_that_very_file() {
        let dir = tempfile::tempdir().unwrap();
        let originals = CheckedOriginals::in_folder(dir.path());
        let (bundle, path) = (Path::new("/d"), dir.path().join("initrd.img"));
        let found = || originals.get(bundle, &Image::open(&path).unwrap());
        fs::write(&path, "one").unwrap();
        assert_eq!(found(), Unpatched::Unchecked);
        let by_hand = Unpatched::ByHand {
            line: "export http_proxy=http://a:1".to_owned(),
            stock: Some("/d/initrd.img-backup-0".into()),
        };
        originals.set(bundle, &path, by_hand.clone()).unwrap();
        assert_eq!(found(), by_hand);
        let other = dir.path().join("other");
        fs::write(&other, "two").unwrap();
        fs::rename(other, &path).unwrap();
        assert_eq!(found(), Unpatched::Unchecked, "an update of Docker");
    }
}
