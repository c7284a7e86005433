//! Protection against a bundle that changes while Baleen works on it.

use std::path::PathBuf;

use crate::backend::docker_desktop::Bundle;
use crate::platform;

use super::error::{PatchError, Result};
use super::files::Identity;
use super::image::Image;

/// The files of a bundle that must not change while Baleen works on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnchangedGuard {
    info_plist: PathBuf,
    info: Option<Identity>,
    image: PathBuf,
    pub(super) of_image: Identity,
}

impl UnchangedGuard {
    pub(super) fn of(bundle: &Bundle, image: &Image) -> Result<Self> {
        let info_plist = Bundle::info_plist(&bundle.path);
        let info = Identity::at(&info_plist)
            .map_err(|error| PatchError::file("read", &info_plist, error))?;
        Ok(Self {
            info_plist,
            info,
            image: image.path().to_owned(),
            of_image: image.identity(),
        })
    }

    /// Returns an error if one of the files has changed.
    pub(super) fn check(&self) -> Result<()> {
        for (path, was) in [
            (&self.info_plist, self.info),
            (&self.image, Some(self.of_image)),
        ] {
            let is = Identity::at(path).map_err(|error| PatchError::file("read", path, error))?;
            if is != was {
                return Err(PatchError::replaced(path));
            }
        }
        Ok(())
    }
}

/// Refuses a locked (immutable) image early, before anything is made from it: a clone would be
/// locked, too.
pub(super) fn check_unlocked(image: &Image) -> Result<()> {
    if !platform::is_locked(image.metadata()) {
        return Ok(());
    }
    Err(PatchError::Immutable {
        image: image.path().to_owned(),
    })
}
