//! Carrying out a plan: new bytes beside the image, read back and made durable, then one rename.
//!
//! A kill at any instant leaves the old image or the new one. What may be left besides is a staging
//! folder, which the next run removes, and a backup beside an image that was not changed yet, which
//! is another name of that very image.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};
use crate::initrd::append::{self, NewFile};
use crate::initrd::{self, FileRange, Header, rebuild};

use super::files::{self, Identity};
use super::image::{APPENDED, REBUILT};
use super::lock::Lock;
use super::manifest::{MANIFEST, Manifest, Method};
use super::plan::{self, Change};
use super::script::SCRIPT;
use super::{OnProgress, Progress};

/// What a change came to.
#[derive(Debug)]
pub struct Applied {
    /// What the image now says about itself.
    pub manifest: Manifest,
    /// Length of the new image, in bytes.
    pub bytes: u64,
    /// Where a file that was called like the backup, but was another, went.
    pub moved_aside: Option<PathBuf>,
    /// What did not go as it should, though the image is the new one.
    pub warnings: Vec<String>,
}

/// Mode of a regular file's entry, without permissions.
const REGULAR: u32 = 0o100_000;

/// Carries out `change`, with the image's folder locked.
///
/// # Errors
/// When anything is not as it was when the plan was made, or a write fails; the image is then as it was.
pub fn apply(change: &Change, lock: &Lock, report: OnProgress<'_>) -> Result<Applied> {
    let staging = lock.staging()?;
    let new = staging.path().join("initrd.img");
    let manifest = change.manifest.to_bytes();
    let added = manifest_file(&manifest, &change.entry.header);
    let like = &change.source.metadata;
    let bytes = match change.method() {
        Method::Append => {
            let (file, bytes) = append_to_copy(change, &added, &new)?;
            let from = (&*change.source.path, &change.manifest.original);
            files::finish_proved(&file, &new, like, change.mode, from)?;
            bytes
        }
        Method::Rebuild => {
            let (file, bytes) = rebuild_copy(change, &added, &new, report)?;
            files::finish(&file, &new, like, change.mode)?;
            bytes
        }
    };
    // Before anything beside the image is touched, and again at the last moment.
    change.before.check()?;
    let backup = keep_backup(change, staging.path())?;
    change
        .before
        .check()
        .and_then(|()| files::rename(&new, &change.image))
        .inspect_err(|_| {
            // If the rename came about after all, the backup may hold the only original.
            if new.exists() {
                backup.undo();
            }
        })?;
    // From here on the image is the new one, so what goes wrong is told and takes nothing back.
    let mut warnings = Vec::new();
    if let Err(error) = lock.flush() {
        warnings.push(format!(
            "{error}; until the system has written it by itself, a power cut may bring the old image back"
        ));
    }
    // Someone who writes into the old file, instead of replacing it, would have been missed above.
    let old = change.source.file.metadata().map(|old| Identity::of(&old));
    if old.ok() != Some(Identity::of(&change.source.metadata)) {
        warnings.push(format!(
            "{} was written to at the very moment when Baleen replaced it; if Docker is being updated, install it again",
            change.image.display()
        ));
    }
    Ok(Applied {
        manifest: change.manifest.clone(),
        bytes,
        moved_aside: backup.moved_aside,
        warnings,
    })
}

/// The manifest as a file of the image, as old as the script beside it.
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

/// A copy of the original with the overlay behind it, read back.
fn append_to_copy(change: &Change, added: &NewFile<'_>, new: &Path) -> Result<(File, u64)> {
    let header = &change.entry.header;
    let script = NewFile {
        name: SCRIPT,
        mode: header.mode,
        uid: header.uid,
        gid: header.gid,
        mtime: header.mtime,
        body: &change.new_script,
    };
    let overlay = append::overlay(APPENDED, &[script, added.clone()]).map_err(|error| {
        Error::new(
            Kind::Unsupported,
            format!("can't append to the image: {error}"),
        )
    })?;
    let length = change.manifest.original.bytes;
    let mut file = copy_original(change, new)?;
    file.seek(SeekFrom::End(0))
        .and_then(|_| file.write_all(&overlay))
        .map_err(|error| Error::io("write", new, &error))?;

    // The prefix is proved by its digest while the file is flushed; what is left to show is that the
    // rest is the overlay, and that this holds the two files.
    let total = length + overlay.len() as u64;
    let found = append::find_overlay(&file, total, APPENDED)
        .map_err(|error| Error::io("read back", new, &error))?;
    let as_intended = found.is_some_and(|found| {
        let files: Vec<_> = found
            .files
            .iter()
            .map(|f| (f.name.as_slice(), f.header.mode, f.body.as_slice()))
            .collect();
        found.offset == length
            && files
                == [
                    (SCRIPT.as_bytes(), header.mode, &*change.new_script),
                    (MANIFEST.as_bytes(), added.mode, added.body),
                ]
    });
    let end = file
        .metadata()
        .map_err(|error| Error::io("read back", new, &error))?;
    if !as_intended || end.len() != total {
        return Err(not_as_written(new));
    }
    Ok((file, total))
}

/// The original with the script's member written again, read back and compared entry by entry.
fn rebuild_copy(
    change: &Change,
    added: &NewFile<'_>,
    new: &Path,
    report: OnProgress<'_>,
) -> Result<(File, u64)> {
    let written = |error: initrd::Error| match error {
        initrd::Error::Io(error) => Error::io("write", new, &error),
        error => Error::new(
            Kind::Failure,
            format!("the rebuilt image is not what it should be: {error}"),
        )
        .with_hint("the image was left as it is; use --method append, and report this"),
    };
    let entry = append::entry(added).map_err(|error| Error::io("write", new, &error))?;
    let edit = rebuild::Edit {
        entry: change.entry.number,
        body: &change.new_script,
        added: &entry,
        after: change.manifest_after,
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
    // The copy brings the attributes along, which a new file would not have.
    let mut file = copy_original(change, new)?;
    let progress = |step, total| move |done| report(Progress { step, done, total });
    file.set_len(0)
        .map_err(|error| Error::io("write", new, &error))?;
    rebuild::rebuild(
        &change.source.file,
        &change.layout,
        &edit,
        &mut file,
        &progress("rebuilding", length),
    )
    .map_err(written)?;
    let total = file
        .metadata()
        .map_err(|error| Error::io("read back", new, &error))?
        .len();
    rebuild::compare(
        FileRange::new(&change.source.file, 0, length),
        FileRange::new(&file, 0, total),
        &edit,
        &progress("verifying", total),
    )
    .map_err(written)?;
    let start = rebuild::find_added(&file, total, REBUILT, MANIFEST.as_bytes()).map_err(written)?;
    match start {
        rebuild::Start::Added(body) if body == added.body => Ok((file, total)),
        rebuild::Start::Unknown => Ok((file, total)),
        _ => Err(not_as_written(new)),
    }
}

fn not_as_written(new: &Path) -> Error {
    Error::new(
        Kind::Failure,
        format!(
            "{} does not read back as it was written; the image was left as it is",
            new.display()
        ),
    )
    .with_hint("check the disk with Disk Utility")
}

fn copy_original(change: &Change, to: &Path) -> Result<File> {
    files::copy_prefix(&change.source.path, to, &change.manifest.original)
}

/// What was done to have a backup.
struct Backup<'a> {
    path: PathBuf,
    made: bool,
    moved_aside: Option<PathBuf>,
    change: &'a Change,
}

impl Backup<'_> {
    /// Takes back what was done for a change that was then called off. Best effort: all of it does
    /// no harm beside the image that was left as it is.
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
                return Err(files::replaced(&change.image));
            }
            return Ok(());
        }
        let copy = staging.join("backup");
        let file = copy_original(change, &copy)?;
        let from = (&*change.source.path, original);
        files::finish_proved(&file, &copy, &change.source.metadata, original.mode, from)?;
        files::rename(&copy, path)?;
        self.made = true;
        Ok(())
    }
}

/// Sees to it that the original is kept beside the image: as a second name of the very file where
/// that can be, since that needs no room and no time, else as a copy.
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
