//! What Baleen has left beside and in a boot image.

use std::path::Path;

use crate::backend::docker_desktop::Bundle;
use crate::backend::{BackupState, Remains, RemainsState};
use crate::error::{Error, Failure, Kind};

use super::files::backup_of;
use super::image::{Image, image_of};
use super::lock::unfinished;
use super::restore::{self, OriginalLocation, RestorePlan, leftover};
use super::verify;

/// Returns what Baleen has left in `bundle`, or `None` if it could not have patched it.
pub(crate) fn remains(bundle: Bundle) -> Option<Remains> {
    let image = image_of(&bundle).ok()?;
    let backup = backup_of(image);
    let planned = match restore::plan(&bundle) {
        Ok(RestorePlan::Nothing) => is_whole(image).map(|()| RestorePlan::Nothing),
        planned => planned.map_err(Into::into),
    };
    let backup = match &planned {
        _ if !backup.is_file() => None,
        Ok(RestorePlan::Restore(found)) if matches!(found.from, OriginalLocation::Backup(..)) => {
            None
        }
        // The backup may still be needed.
        Err(_) => None,
        // An unreadable backup is left in place.
        Ok(_) => Some(match leftover(&bundle) {
            Ok(Some(leftover)) => BackupState::Leftover(leftover),
            Ok(None) | Err(_) => BackupState::Stray(backup),
        }),
    };
    Some(Remains {
        state: planned.map(|planned| match planned {
            RestorePlan::Restore(found) => {
                RemainsState::Patched(found.manifest.proxy, found.original)
            }
            RestorePlan::Nothing if unfinished(image).is_empty() => RemainsState::Stock,
            RestorePlan::Nothing => RemainsState::Unfinished,
        }),
        backup,
        path: bundle.path,
        version: Some(bundle.version),
    })
}

/// Fails if the boot image is truncated: the missing part may hold a patch, or Docker is being
/// updated.
fn is_whole(image: &Path) -> Result<(), Error> {
    match Image::open(image).and_then(|image| verify::read_stock(&image, &|_| {})) {
        Err(error) if error.kind() == Kind::Busy => Err(error.into()),
        _ => Ok(()),
    }
}
