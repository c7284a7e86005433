//! Whether a patch could be written, told by the calls that write one.

use std::fs::File;
use std::path::Path;

use crate::error::{Error, Result};

use super::image::Image;
use super::lock::Lock;
use super::{files, plan};

/// Does all that a patch of the image at `image` does but the patch: takes the folder, makes a private folder in
/// it, and a file in that with the image's owner and permissions. Nothing of it stays; what a killed run left
/// behind goes as well.
///
/// Looking at permissions would not do: macOS 13 and later tell only by the error of a write that a program may
/// not change other apps.
///
/// # Errors
/// Those of a patch.
pub fn preflight(image: &Path) -> Result<()> {
    let image = Image::open(image)?;
    plan::check_unlocked(&image)?;
    let lock = Lock::acquire(image.path())?;
    let staging = lock.staging()?;
    let path = staging.path().join("initrd.img");
    let file = File::create_new(&path).map_err(|error| Error::io("write", &path, &error))?;
    files::finish(&file, &path, image.metadata(), image.mode())
}
