//! A test whether a patch could be written, made with the same calls as a patch.

use std::fs::File;
use std::path::Path;

use super::error::{PatchError, Result};
use super::image::Image;
use super::lock::Lock;
use super::{files, guard};

/// Does everything that a patch of the image at `image` does except the patch itself: locks the
/// folder, makes a private folder in it, and writes a file there with the image's owner and
/// permissions. Nothing of this remains. Files that a killed run left behind are removed as well.
///
/// Checking permissions is not enough: on macOS 13 and later, only a failed write shows that a
/// program may not change other apps.
///
/// # Errors
/// The same errors as for a patch.
pub(crate) fn preflight(image: &Path) -> Result<()> {
    let image = Image::open(image)?;
    guard::check_unlocked(&image)?;
    let lock = Lock::acquire(image.path())?;
    let staging = lock.staging()?;
    let path = staging.path().join("initrd.img");
    let file = File::create_new(&path).map_err(|error| PatchError::file("write", &path, error))?;
    files::finish(&file, &path, image.metadata(), image.mode())
}
