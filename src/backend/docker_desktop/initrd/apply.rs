//! Applies a plan: writes new bytes beside the image, reads them back, makes them durable, and then
//! renames once.
//!
//! A kill at any instant leaves the old image or the new one. It may also leave a staging folder,
//! which the next run removes, or a backup beside an unchanged image, which is another name of that
//! image.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::backend::{OnProgress, Progress, Step, Warning};
use crate::initrd::append::{self, NewFile};
use crate::initrd::{self, FileRange, Header, rebuild};

use super::error::{PatchError, Result};
use super::files::{self, Identity};
use super::image::{APPENDED, REBUILT};
use super::lock::Lock;
use super::manifest::{MANIFEST, Manifest};
use super::plan::{self, Change, RebuildPlan};
use super::script::SCRIPT;

/// The result of a change.
#[derive(Debug)]
pub struct Applied {
    /// The manifest of the new image.
    pub manifest: Manifest,
    /// Length of the new image, in bytes.
    pub bytes: u64,
    /// The new path of another file that had the backup's name.
    pub moved_aside: Option<PathBuf>,
    /// Problems that did not prevent the change: the new image is in place.
    pub warnings: Vec<Warning>,
}

/// Mode of a regular file's entry, without permissions.
const REGULAR: u32 = 0o100_000;

/// Carries out `change` while the image's folder is locked.
///
/// # Errors
/// When a file has changed since the plan was made, or a write fails. The image is then unchanged.
pub fn apply(change: &Change, lock: &Lock, report: OnProgress<'_>) -> Result<Applied> {
    let staging = lock.staging()?;
    let new = staging.path().join("initrd.img");
    let manifest = change.manifest.to_bytes();
    let added = manifest_file(&manifest, &change.header);
    let like = &change.source.metadata;
    let bytes = match &change.rebuild {
        None => {
            append_to_copy(change, &added, &new).map_err(|error| {
                // An original that no program writes to is damaged.
                let checked = change.before.check().and_then(|()| change.check_original());
                checked.err().unwrap_or(error)
            })?
        }
        Some(plan) => {
            let (file, bytes) = rebuild_copy(change, plan, &added, &new, report)?;
            files::finish(&file, &new, like, change.mode)?;
            bytes
        }
    };
    // Check before anything beside the image is touched, and again at the last moment.
    change.before.check()?;
    let backup = keep_backup(change, staging.path())?;
    change
        .before
        .check()
        .and_then(|()| files::rename(&new, &change.image))
        .inspect_err(|_| {
            // If the rename succeeded after all, the backup may hold the only original.
            if new.exists() {
                backup.undo();
            }
        })?;
    // The new image is in place now, so later problems are only reported and undo nothing.
    let mut warnings = Vec::new();
    if let Err(error) = lock.flush() {
        warnings.push(Warning::PatchNotFlushed(error.into()));
    }
    // The checks above miss a program that writes into the old file instead of replacing it.
    let old = change.source.file.metadata().map(|old| Identity::of(&old));
    if old.ok() != Some(Identity::of(&change.source.metadata)) {
        warnings.push(Warning::WrittenTo(change.image.clone()));
    }
    Ok(Applied {
        manifest: change.manifest.clone(),
        bytes,
        moved_aside: backup.moved_aside,
        warnings,
    })
}

/// The manifest as a file of the image, with the same modification time as the script.
pub(super) fn manifest_file<'a>(manifest: &'a [u8], script: &Header) -> NewFile<'a> {
    NewFile {
        name: MANIFEST,
        mode: REGULAR | 0o644,
        uid: 0,
        gid: 0,
        mtime: script.mtime,
        body: manifest,
    }
}

/// Copies the original, appends the overlay, and reads it back. Returns the length of the new file.
fn append_to_copy(change: &Change, added: &NewFile<'_>, new: &Path) -> Result<u64> {
    let header = &change.header;
    let script = NewFile {
        name: SCRIPT,
        mode: header.mode,
        uid: header.uid,
        gid: header.gid,
        mtime: header.mtime,
        body: &change.new_script,
    };
    let overlay =
        append::overlay(APPENDED, &[script, added.clone()]).map_err(PatchError::NotAppended)?;
    let source = &change.source;
    let from = (&*source.path, &change.manifest.original);
    files::copy_proved(from, new, &source.metadata, change.mode, |file| {
        append_overlay(file, &overlay, change, added, new)
    })
}

/// Appends the overlay to the copy `file`. The prefix is proved by its digest; it remains to check that the rest is the
/// overlay, and that the overlay holds the two files.
fn append_overlay(
    file: &mut File,
    overlay: &[u8],
    change: &Change,
    added: &NewFile<'_>,
    new: &Path,
) -> Result<u64> {
    file.seek(SeekFrom::End(0))
        .and_then(|_| file.write_all(overlay))
        .map_err(|error| PatchError::file("write", new, error))?;
    let length = change.manifest.original.bytes;
    let total = length + overlay.len() as u64;
    let found = append::find_overlay(file, total, APPENDED)
        .map_err(|error| PatchError::file("read back", new, error))?;
    let as_intended = found.is_some_and(|found| {
        let files: Vec<_> = found
            .files
            .iter()
            .map(|f| (f.name.as_slice(), f.header.mode, f.body.as_slice()))
            .collect();
        found.offset == length
            && files
                == [
                    (SCRIPT.as_bytes(), change.header.mode, &*change.new_script),
                    (MANIFEST.as_bytes(), added.mode, added.body),
                ]
    });
    let end = file
        .metadata()
        .map_err(|error| PatchError::file("read back", new, error))?;
    if !as_intended || end.len() != total {
        return Err(not_as_written(new));
    }
    Ok(total)
}

/// Writes the original with the script's member rewritten, reads it back, and compares it entry by
/// entry.
fn rebuild_copy(
    change: &Change,
    plan: &RebuildPlan,
    added: &NewFile<'_>,
    new: &Path,
    report: OnProgress<'_>,
) -> Result<(File, u64)> {
    let written = |error: initrd::Error| match error {
        initrd::Error::Io(error) => PatchError::file("write", new, error),
        error => PatchError::NotRebuilt(error),
    };
    let entry = append::entry(added).map_err(|error| PatchError::file("write", new, error))?;
    let edit = rebuild::Edit {
        entry: plan.entry,
        body: &change.new_script,
        added: &entry,
        after: plan.manifest_after,
        label: REBUILT,
    };
    let original = &change.manifest.original;
    let length = original.bytes;
    files::prove(
        &change.source.file,
        &change.source.path,
        &change.source.path,
        original,
    )?;
    // A copy keeps the attributes; a new file would not have them.
    let mut file = copy_original(change, new)?;
    let progress = |step, total| move |done| report(Progress { step, done, total });
    file.set_len(0)
        .map_err(|error| PatchError::file("write", new, error))?;
    rebuild::rebuild(
        &change.source.file,
        &plan.layout,
        &edit,
        &mut file,
        &progress(Step::Rebuilding, length),
    )
    .map_err(written)?;
    let total = file
        .metadata()
        .map_err(|error| PatchError::file("read back", new, error))?
        .len();
    rebuild::compare(
        FileRange::new(&change.source.file, 0, length),
        FileRange::new(&file, 0, total),
        &edit,
        &progress(Step::Verifying, total),
    )
    .map_err(written)?;
    let start = rebuild::find_added(&file, total, REBUILT, MANIFEST.as_bytes()).map_err(written)?;
    match start {
        rebuild::Start::Added(body) if body == added.body => Ok((file, total)),
        rebuild::Start::Unknown => Ok((file, total)),
        _ => Err(not_as_written(new)),
    }
}

fn not_as_written(new: &Path) -> PatchError {
    PatchError::NotAsWritten {
        path: new.to_owned(),
    }
}

fn copy_original(change: &Change, to: &Path) -> Result<File> {
    files::copy_prefix(&change.source.path, to, &change.manifest.original)
}

/// The backup, with the steps that were taken to make it.
struct Backup<'a> {
    path: PathBuf,
    made: bool,
    moved_aside: Option<PathBuf>,
    change: &'a Change,
}

impl Backup<'_> {
    /// Undoes the steps after a canceled change. This is best effort: whatever remains beside the
    /// unchanged image does no harm.
    fn undo(&self) {
        if self.made {
            let _ = fs::remove_file(&self.path);
        }
        if let Some(aside) = &self.moved_aside {
            let _ = fs::rename(aside, &self.path);
        }
    }

    fn make(&mut self, staging: &Path) -> Result<()> {
        let (path, change) = (&self.path, self.change);
        let original = &change.manifest.original;
        match &change.backup {
            plan::BackupPlan::Keep => return Ok(()),
            plan::BackupPlan::Make => {}
            plan::BackupPlan::MoveAsideAndMake(aside) => {
                files::rename(path, aside)?;
                self.moved_aside = Some(aside.clone());
            }
        }
        if change.source.is_whole_image && fs::hard_link(&change.image, path).is_ok() {
            self.made = true;
            if Identity::at(path).ok().flatten() != Some(change.before.of_image) {
                return Err(PatchError::replaced(&change.image));
            }
            return Ok(());
        }
        let copy = staging.join("backup");
        let from = (&*change.source.path, original);
        let like = &change.source.metadata;
        files::copy_proved(from, &copy, like, original.mode, |_| Ok(()))?;
        files::rename(&copy, path)?;
        self.made = true;
        Ok(())
    }
}

/// Ensures that the original is kept beside the image: as a second name of the same file if
/// possible, which needs no space and no time, otherwise as a copy.
fn keep_backup<'a>(change: &'a Change, staging: &Path) -> Result<Backup<'a>> {
    let mut backup = Backup {
        path: files::backup_of(&change.image),
        made: false,
        moved_aside: None,
        change,
    };
    match backup.make(staging) {
        Ok(()) => Ok(backup),
        Err(error) => {
            backup.undo();
            Err(error)
        }
    }
}
