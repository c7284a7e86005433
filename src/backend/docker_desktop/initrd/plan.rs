//! Plans the change that puts a bundle's engine behind a proxy. Planning only reads.

use std::env;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::backend::docker_desktop::Bundle;
use crate::backend::{OnProgress, PlanOptions, Progress, Step};
use crate::config::Method;
use crate::initrd::find;
#[cfg(doc)]
use crate::initrd::rebuild;
use crate::initrd::{Compression, Header, Layout};
use crate::platform;
use crate::proxy::{EngineProxy, exports};

use super::contents::{read_and_hash, usable_script};
use super::error::{PatchError, Result};
use super::files::{self, Identity};
use super::guard::{UnchangedGuard, check_unlocked};
use super::image::{Image, Patched, image_of, unmarked};
use super::manifest::{Manifest, Original};
use super::original_source::{OriginalSource, may_be_original, original_at, source};
use super::script::{self, MAX_SCRIPT_LEN, SCRIPT, Script};
use crate::digest::{OriginalSha, Sha};

/// The patch that the user asks for.
#[derive(Debug, Clone, Copy)]
pub struct Desired<'a> {
    /// The proxy for the engine.
    pub proxy: &'a EngineProxy,
    /// How it is put in place.
    pub options: PlanOptions,
}

/// The result of planning.
#[derive(Debug)]
pub enum Plan {
    /// No change: the image already has this proxy.
    Nothing(Manifest),
    /// A change of the image.
    Change(Box<Change>),
}

/// A complete change of one image: applying it needs no further decisions.
#[derive(Debug)]
pub struct Change {
    pub(super) image: PathBuf,
    pub(super) before: UnchangedGuard,
    pub(super) source: OriginalSource,
    /// True if the digest of the original was checked already. Otherwise only that of its copy is.
    pub(super) is_proved: bool,
    /// The header that the script gets.
    pub(super) header: Header,
    /// What a rebuild needs to know of the original; `None` for an append.
    pub(super) rebuild: Option<RebuildPlan>,
    /// The script that is in the image now.
    pub old_script: script::SecretBytes,
    /// The script that the change writes.
    pub new_script: script::SecretBytes,
    /// The plan for the backup, including another file that has the backup's name.
    pub backup: BackupPlan,
    /// The manifest that the image gets.
    pub manifest: Manifest,
    /// The permissions that the image gets.
    pub mode: u32,
}

/// What a rebuild needs to know of the original.
#[derive(Debug)]
pub(super) struct RebuildPlan {
    pub(super) layout: Layout,
    /// The number of the script's entry.
    pub(super) entry: u64,
    /// The number of the entry whose archive gets the manifest: see [`rebuild::Edit`].
    pub(super) manifest_after: u64,
}

impl Change {
    /// Checks the digest of the original, if planning did not need it.
    ///
    /// # Errors
    /// When the original is damaged or can't be read.
    pub(crate) fn check_original(&self) -> Result<()> {
        if self.is_proved {
            return Ok(());
        }
        let original = &self.manifest.original;
        let sha = Sha::of_file(&self.source.file, original.bytes)
            .map_err(|error| PatchError::file("read", &self.source.path, error))?;
        match sha == original.sha256.0 {
            true => Ok(()),
            false => Err(damaged_original(&self.source.path, original, sha)),
        }
    }

    /// The patch method.
    pub fn method(&self) -> Method {
        self.manifest.method
    }

    /// The image to change.
    pub fn image(&self) -> &Path {
        &self.image
    }
}

/// The plan for keeping the original beside the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupPlan {
    /// The backup exists already.
    Keep,
    /// Make the backup: a second name (hard link) of the image if possible, otherwise a copy.
    Make,
    /// Make the backup, but first move another file of that name to this path: it may be the only
    /// copy of something that the user wants to keep.
    MoveAsideAndMake(PathBuf),
}

impl BackupPlan {
    fn plan(image: &Image, original: &Original) -> Result<Self> {
        let path = image.backup_path();
        let found = Identity::at(&path).map_err(|error| PatchError::file("read", &path, error))?;
        if found.is_none() {
            return Ok(Self::Make);
        }
        if original_at(&path, original)?.is_some() {
            return Ok(Self::Keep);
        }
        let (file, metadata) = files::open_regular(&path).map_err(|error| match error {
            PatchError::NotAFile { path, found } => PatchError::BackupNotAFile { path, found },
            error => error,
        })?;
        let sha = Sha::of_file(&file, metadata.len())
            .map_err(|error| PatchError::file("read", &path, error))?;
        let aside = files::beside(&path, &format!("-{}", &sha.to_string()[..12]));
        Ok(Self::MoveAsideAndMake(aside))
    }
}

/// Plans the change of `bundle`. Reads the image once, front to back, in constant memory.
///
/// # Errors
/// Any reason that forbids a change.
pub fn plan(bundle: &Bundle, desired: Desired<'_>, report: OnProgress<'_>) -> Result<Plan> {
    let image = Image::open(image_of(bundle)?)?;
    let before = UnchangedGuard::of(bundle, &image)?;
    check_unlocked(&image)?;
    let patched = image.patched()?;
    let block = exports(desired.proxy);
    let present = patched.manifest().map(|manifest| manifest.method);
    let method = desired.options.method.or(present).unwrap_or(Method::Append);
    let mode = mode(&image, &patched, desired.proxy)?;
    if let Some(manifest) = patched.manifest()
        && manifest.method == method
        && image.mode() == mode
        && manifest.block_sha256 == Sha::of(block.as_bytes())
        && scripts_block_is(&patched, &block)
    {
        return Ok(Plan::Nothing(manifest.clone()));
    }

    let source = source(&image, &patched)?;
    if let Some((header, old_script, original)) = reusable(&image, &patched, method)? {
        let new_script = Script::parse(old_script)?.with_block(&block, desired.options.adopt)?;
        let script = script_sha(header, &new_script)?;
        return Ok(Plan::Change(Box::new(Change {
            image: image.path().to_owned(),
            before,
            source,
            is_proved: false,
            header: *header,
            rebuild: None,
            old_script: old_script.clone(),
            new_script,
            backup: BackupPlan::Keep,
            manifest: Manifest::new(method, *original, desired.proxy, &block, Some(script)),
            mode,
        })));
    }
    let known = patched.manifest().map(|manifest| manifest.original);
    let length = known.map_or(image.length(), |original| original.bytes);
    let progress = |done| {
        report(Progress {
            step: Step::Reading,
            done,
            total: length,
        });
    };
    let (layout, contents, sha) = read_and_hash((&source.file, &source.path), length, &progress)?;
    let original = Original {
        bytes: length,
        sha256: OriginalSha(sha),
        mode: known.map_or(image.mode(), |original| original.mode),
    };
    if let Some(known) = known
        && known.sha256 != original.sha256
    {
        return Err(damaged_original(&source.path, &known, sha));
    }

    let (entry, stock, manifest_after) = contents.usable(&source.path)?;
    let script = Script::parse(&stock)?;
    if patched == Patched::No && script.block().is_some() && !desired.options.adopt {
        return Err(unmarked(&image));
    }
    let new_script = script.with_block(&block, desired.options.adopt)?;
    if method == Method::Append {
        check_end(&layout)?;
    }
    let old_script = match patched {
        Patched::No => stock,
        Patched::Appended { script, .. } => script,
        Patched::Rebuilt { .. } => {
            let found = find::find(image.section(), SCRIPT.as_bytes(), MAX_SCRIPT_LEN)
                .map_err(|error| image.damaged(error))?;
            usable_script(image.path(), found.1)?.1
        }
    };
    Ok(Plan::Change(Box::new(Change {
        image: image.path().to_owned(),
        before,
        source,
        is_proved: true,
        header: entry.header,
        rebuild: (method == Method::Rebuild).then_some(RebuildPlan {
            layout,
            entry: entry.number,
            manifest_after,
        }),
        old_script,
        backup: BackupPlan::plan(&image, &original)?,
        manifest: Manifest::new(
            method,
            original,
            desired.proxy,
            &block,
            Some(script_sha(&entry.header, &new_script)?),
        ),
        new_script,
        mode,
    })))
}

/// Returns the header and the text of the script that Baleen appended, and the original, if another proxy can be put into
/// that script: it is what Baleen wrote, and the backup beside the image is still there.
fn reusable<'a>(
    image: &Image,
    patched: &'a Patched,
    method: Method,
) -> Result<Option<(&'a Header, &'a script::SecretBytes, &'a Original)>> {
    let Patched::Appended {
        manifest,
        script,
        header,
    } = patched
    else {
        return Ok(None);
    };
    let is_known = method == Method::Append
        && manifest.script_sha256.is_some()
        && script_sha(header, script).ok() == manifest.script_sha256;
    let reuses = is_known && has_backup(image, &manifest.original)?;
    Ok(reuses.then_some((header, script, &manifest.original)))
}

/// Returns the digest of a script without its block, and of its header.
fn script_sha(header: &Header, script: &script::SecretBytes) -> Result<Sha> {
    let Header {
        mode,
        uid,
        gid,
        mtime,
        ..
    } = header;
    let mut bytes = Zeroizing::new(format!("{mode:o} {uid} {gid} {mtime}\n").into_bytes());
    bytes.extend_from_slice(Script::parse(script)?.stock());
    Ok(Sha::of(&bytes))
}

/// Returns whether the backup beside `image` seems to be its original: the length and both ends are equal. The original
/// is in the image as well, so it is not lost if the backup is something else, and `restore` looks closer.
fn has_backup(image: &Image, original: &Original) -> Result<bool> {
    const END: u64 = 64 * 1024;
    let path = image.backup_path();
    if !may_be_original(&path, original) {
        return Ok(false);
    }
    let Ok((backup, _)) = files::open_regular(&path) else {
        return Ok(false);
    };
    let length = END.min(original.bytes);
    let read = |file: &File, at: u64| {
        let mut bytes = vec![0; length as usize];
        file.read_exact_at(&mut bytes, at).map(|()| bytes)
    };
    let is_equal =
        |at: u64| -> io::Result<bool> { Ok(read(&backup, at)? == read(image.file(), at)?) };
    let is_equal = is_equal(0).and_then(|first| Ok(first && is_equal(original.bytes - length)?));
    is_equal.map_err(|error| PatchError::file("read", &path, error))
}

/// The error for an original that is not the one that was patched.
pub(super) fn damaged_original(path: &Path, original: &Original, found: Sha) -> PatchError {
    PatchError::OtherOriginal {
        path: path.to_owned(),
        expected: original.sha256,
        found,
    }
}

/// Returns the ID of the user who runs Docker: the user who runs Baleen, or under `sudo` the user
/// who called it.
fn user() -> u32 {
    let caller = env::var("SUDO_UID").ok();
    caller
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(platform::user)
}

/// Returns the permissions for the image. An image with a password in it is accessible to its owner
/// only.
///
/// # Errors
/// When Docker, which runs as the user, could not read the image with these permissions.
fn mode(image: &Image, patched: &Patched, proxy: &EngineProxy) -> Result<u32> {
    let original = patched
        .manifest()
        .map_or(image.mode(), |manifest| manifest.original.mode);
    if !proxy.has_password() {
        return Ok(original);
    }
    let (owner, user) = (image.metadata().uid(), user());
    if owner != user {
        return Err(PatchError::OtherOwner {
            image: image.path().to_owned(),
            owner,
            user,
        });
    }
    Ok(original & 0o700)
}

/// Returns whether the appended script holds `block`. The script itself is read: it counts, not
/// what the manifest says about it. Other images pass.
fn scripts_block_is(patched: &Patched, block: &str) -> bool {
    match patched {
        Patched::Appended { script, .. } => {
            Script::parse(script).is_ok_and(|script| script.block() == Some(block.as_bytes()))
        }
        Patched::Rebuilt { .. } | Patched::No => true,
    }
}

/// Refuses an image after which the kernel would not find an appended member.
fn check_end(layout: &Layout) -> Result<()> {
    let last_is_raw = layout
        .members
        .last()
        .is_some_and(|last| last.compression == Compression::None);
    if last_is_raw && !layout.length.is_multiple_of(4) {
        let length = layout.length;
        return Err(PatchError::UnalignedEnd { length });
    }
    Ok(())
}
