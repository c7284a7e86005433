//! Plans the change that puts a bundle's engine behind a proxy. Planning only reads.

use std::env;
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;

use crate::docker::{Bundle, Family};
use crate::error::{Error, Kind, Result};
use crate::initrd::find::{self, Finder, Found, Sought};
#[cfg(doc)]
use crate::initrd::rebuild;
use crate::initrd::{self, Compression, FileRange, FileType, Layout, ProgressReader};
use crate::platform;
use crate::proxy::EngineProxy;

use super::digest::{OriginalSha, Sha};
use super::files::{self, Identity};
use super::image::{self, Image, Patched};
use super::manifest::{MANIFEST, Manifest, Method, Original};
use super::restore::original_at;
use super::script::{self, MAX_SCRIPT_LEN, SCRIPT, Script};
use super::{OnProgress, Progress};

/// The patch that the user asks for.
#[derive(Debug, Clone, Copy)]
pub struct Desired<'a> {
    /// The proxy for the engine.
    pub proxy: &'a EngineProxy,
    /// The patch method. `None` keeps the image's current method, or appends if the image is not
    /// patched.
    pub method: Option<Method>,
    /// True if Baleen may take over exports that someone else put into the script.
    pub adopt: bool,
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
    pub(super) layout: Layout,
    pub(super) entry: Found,
    /// The number of the entry whose archive gets the manifest in a rebuild: see [`rebuild::Edit`].
    pub(super) manifest_after: u64,
    /// The script that is in the image now.
    pub old_script: script::SecretBytes,
    /// The script that the change writes.
    pub new_script: script::SecretBytes,
    /// How the original is backed up, and what happens to another file with the backup's name.
    pub backup: BackupPlan,
    /// The manifest that the image gets.
    pub manifest: Manifest,
    /// The permissions that the image gets.
    pub mode: u32,
}

impl Change {
    /// How the image is patched.
    pub fn method(&self) -> Method {
        self.manifest.method
    }

    /// The image to change.
    pub fn image(&self) -> &Path {
        &self.image
    }
}

/// How the original is kept beside the image.
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
        let found = Identity::at(&path).map_err(|error| Error::io("read", &path, &error))?;
        if found.is_none() {
            return Ok(Self::Make);
        }
        if original_at(&path, original)?.is_some() {
            return Ok(Self::Keep);
        }
        let (file, metadata) = files::open_regular(&path).map_err(|error| match error.kind() {
            Kind::Unsupported => error.with_hint(
                "the original is to be kept under that name: move away what is there, and try again",
            ),
            _ => error,
        })?;
        let sha = Sha::of_file(&file, metadata.len())
            .map_err(|error| Error::io("read", &path, &error))?;
        let aside = files::beside(&path, &format!("-{}", &sha.to_string()[..12]));
        Ok(Self::MoveAsideAndMake(aside))
    }
}

/// The location of the original's bytes: the image without Baleen's patch.
#[derive(Debug)]
pub(super) struct OriginalSource {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) metadata: Metadata,
    /// True if the whole image is the original.
    pub(super) is_whole_image: bool,
}

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
        let info =
            Identity::at(&info_plist).map_err(|error| Error::io("read", &info_plist, &error))?;
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
            let is = Identity::at(path).map_err(|error| Error::io("read", path, &error))?;
            if is != was {
                return Err(files::replaced(path));
            }
        }
        Ok(())
    }
}

/// Returns the path of the boot image of a bundle that Baleen can patch.
///
/// # Errors
/// [`Kind::Unsupported`] for bundles of all other families. The error says where that Docker keeps
/// its own proxy setting.
pub fn image_of(bundle: &Bundle) -> Result<&Path> {
    match &bundle.family {
        Family::Moby { image } => Ok(image),
        _ => Err(bundle
            .refusal()
            .unwrap_or_else(|| Error::new(Kind::Unsupported, "this Docker is not patched"))),
    }
}

/// Plans the change of `bundle`. Reads the image once, front to back, in constant memory.
///
/// # Errors
/// Any reason that forbids a change: see [`Kind`].
pub fn plan(bundle: &Bundle, desired: Desired<'_>, report: OnProgress<'_>) -> Result<Plan> {
    let image = Image::open(image_of(bundle)?)?;
    let before = UnchangedGuard::of(bundle, &image)?;
    check_unlocked(&image)?;
    let patched = image.patched()?;
    let block = script::block(desired.proxy);
    let present = patched.manifest().map(|manifest| manifest.method);
    let method = desired.method.or(present).unwrap_or(Method::Append);
    let mode = mode(&image, &patched, desired.proxy)?;
    if let Some(manifest) = patched.manifest()
        && manifest.method == method
        && image.mode() == mode
        && manifest.block_sha256 == Sha::of(block.as_bytes())
        && scripts_block_is(&patched, &block)
    {
        return Ok(Plan::Nothing(manifest.clone()));
    }

    let known = patched.manifest().map(|manifest| manifest.original);
    let source = source(&image, &patched)?;
    let length = known.map_or(image.length(), |original| original.bytes);
    let (layout, contents, sha) = read(&source, length, report)?;
    let original = Original {
        bytes: length,
        sha256: OriginalSha(sha),
        mode: known.map_or(image.mode(), |original| original.mode),
    };
    if let Some(known) = known
        && known.sha256 != original.sha256
    {
        return Err(Error::new(
            Kind::Unsupported,
            format!(
                "the original in {} should have the digest {}, but has {sha}",
                source.path.display(),
                known.sha256
            ),
        )
        .with_hint("it was damaged or replaced since the patch; install Docker again"));
    }

    let (entry, stock, manifest_after) = contents.usable(&source.path)?;
    let script = Script::parse(&stock)?;
    if patched == Patched::No && script.block().is_some() && !desired.adopt {
        return Err(unmarked(&image));
    }
    let new_script = script.with_block(&block, desired.adopt)?;
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
        layout,
        entry,
        manifest_after,
        old_script,
        new_script,
        backup: BackupPlan::plan(&image, &original)?,
        manifest: Manifest::new(method, original, desired.proxy, &block),
        mode,
    })))
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
        return Err(Error::new(
            Kind::Unsupported,
            format!(
                "a boot image with a password in it may be read by its owner alone, but {} belongs to the user with the number {owner}, and Docker runs as {user}",
                image.path().display()
            ),
        )
        .with_hint(format!(
            "make it yours (sudo chown {user} '{}'), or use a proxy that asks for no password, such as cntlm or px on this computer",
            image.path().display()
        )));
    }
    Ok(original & 0o700)
}

/// Refuses a locked (immutable) image early, before anything is made from it: a clone would be
/// locked, too.
pub(super) fn check_unlocked(image: &Image) -> Result<()> {
    if !platform::is_locked(image.metadata()) {
        return Ok(());
    }
    let path = image.path().display();
    Err(Error::new(
        Kind::NotPermitted,
        format!("{path} is locked against any change"),
    )
    .with_hint(format!("unlock it with chflags nouchg '{path}'")))
}

/// The error for an image that has Baleen's block in its script, but no manifest of a patch.
pub(super) fn unmarked(image: &Image) -> Error {
    Error::new(
        Kind::Unsupported,
        format!(
            "{} holds a proxy that Baleen put there, but what marks the patch is gone: another tool changed the boot image since",
            image.path().display()
        ),
    )
    .with_hint(format!(
        "install Docker again to have its own boot image, or put {} in its place if that is it; `baleen apply --adopt` takes the boot image as it is for the original",
        image.backup_path().display()
    ))
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

/// Returns the location of the original: the image itself, or, after a rebuild, its backup.
pub(super) fn source(image: &Image, patched: &Patched) -> Result<OriginalSource> {
    let (path, is_whole_image) = match patched {
        Patched::No => (image.path().to_owned(), true),
        Patched::Appended { .. } => (image.path().to_owned(), false),
        Patched::Rebuilt { .. } => (image.backup_path(), false),
    };
    let (file, metadata) = files::open_regular(&path).map_err(|error| {
        if *patched == Patched::No || path == image.path() {
            return error;
        }
        let kind = match error.kind() {
            // The file does not exist, so trying again will not help.
            Kind::Failure => Kind::Unsupported,
            kind => kind,
        };
        Error::new(
            kind,
            format!("the boot image was rebuilt, and its original is needed: {error}"),
        )
        .with_hint("put the backup back, or install Docker again")
    })?;
    if let Patched::Rebuilt { manifest } = patched
        && metadata.len() != manifest.original.bytes
    {
        return Err(stale_backup(&path));
    }
    Ok(OriginalSource {
        path,
        file,
        metadata,
        is_whole_image,
    })
}

pub(super) fn stale_backup(path: &Path) -> Error {
    Error::new(
        Kind::Unsupported,
        format!(
            "{} is not the original that the boot image was rebuilt from, so that can't be had back from it",
            path.display()
        ),
    )
    .with_hint("install this version of Docker again to have its own boot image")
}

/// The entries of an image at the two paths that a patch writes to.
pub(super) struct Contents {
    script: Sought,
    manifest: Sought,
}

impl Contents {
    /// Reads an image to its end.
    ///
    /// # Errors
    /// Those of [`find::find_all`].
    pub(super) fn read<R: Read>(reader: R) -> std::result::Result<(Layout, Self), initrd::Error> {
        let finder = Finder::new(SCRIPT.as_bytes(), MAX_SCRIPT_LEN).and(MANIFEST.as_bytes(), 0);
        let (layout, mut sought) = find::find_all(reader, finder)?;
        let missing = || initrd::Error::Refused("two files were looked for".to_owned());
        let manifest = sought.pop().ok_or_else(missing)?;
        let script = sought.pop().ok_or_else(missing)?;
        Ok((layout, Self { script, manifest }))
    }

    /// Returns the script as an entry that can be changed without side effects, the script's text,
    /// and the number of the entry in whose archive an added manifest takes effect.
    ///
    /// # Errors
    /// When the script or the manifest can't be written so that the kernel keeps it and nothing
    /// else changes.
    pub(super) fn usable(self, image: &Path) -> Result<(Found, script::SecretBytes, u64)> {
        let script = self.script.found;
        let script = script.map_err(|error| image::damaged(image, error))?;
        let (script, text) = usable_script(image, script)?;
        let others = match self.manifest.standing {
            Some(found) if found.file_type != FileType::Regular => {
                Some(format!("a {} is there", found.file_type.name()))
            }
            Some(found) if found.names > 1 => {
                Some("the file there has other names, which would change with it".to_owned())
            }
            _ => None,
        };
        if let Some(others) = others {
            return Err(Error::new(
                Kind::Unsupported,
                format!(
                    "the boot image {} should have nothing at /{MANIFEST}, or a file of its own, but {others}",
                    image.display()
                ),
            )
            .with_hint("it is not a boot image of Docker for Mac that Baleen knows; it was left as it is"));
        }
        let after = script.number.max(self.manifest.last.unwrap_or_default());
        Ok((script, text, after))
    }
}

/// Reads the original in one pass. Another thread computes its digest at the same time.
fn read(
    source: &OriginalSource,
    length: u64,
    report: OnProgress<'_>,
) -> Result<(Layout, Contents, Sha)> {
    let progress = |done| {
        report(Progress {
            step: "reading",
            done,
            total: length,
        });
    };
    let section = ProgressReader::new(FileRange::new(&source.file, 0, length), &progress);
    let (found, sha) = thread::scope(|scope| {
        let sha = scope.spawn(|| Sha::of_file(&source.file, length));
        let found = Contents::read(section);
        (found, sha.join())
    });
    let (layout, contents) = found.map_err(|error| image::damaged(&source.path, error))?;
    let sha = sha
        .unwrap_or_else(|_| Err(std::io::Error::other("the hashing thread ended early")))
        .map_err(|error| Error::io("read", &source.path, &error))?;
    Ok((layout, contents, sha))
}

/// Refuses an image after which the kernel would not find an appended member.
fn check_end(layout: &Layout) -> Result<()> {
    let last_is_raw = layout
        .members
        .last()
        .is_some_and(|last| last.compression == Compression::None);
    if last_is_raw && !layout.length.is_multiple_of(4) {
        return Err(Error::new(
            Kind::Unsupported,
            format!(
                "nothing can be appended to this boot image: it ends with an uncompressed archive, so its length should be a multiple of 4, but is {}",
                layout.length
            ),
        )
        .with_hint("use --method rebuild"));
    }
    Ok(())
}

/// Returns the script as an entry that can be changed without side effects.
fn usable_script(image: &Path, found: Option<Found>) -> Result<(Found, script::SecretBytes)> {
    let refuse = |found: String| {
        Err(Error::new(
            Kind::Unsupported,
            format!(
                "the boot image {} should hold /{SCRIPT} as a file of its own, but {found}",
                image.display()
            ),
        )
        .with_hint(
            "it is not a boot image of Docker for Mac that Baleen knows; it was left as it is",
        ))
    };
    let Some(mut found) = found else {
        return refuse("has no entry of that name".to_owned());
    };
    let kind = found.header.file_type();
    if kind != FileType::Regular {
        return refuse(format!("it is a {} there", kind.name()));
    }
    if found.hard_linked {
        return refuse("other names share its data there and would change with it".to_owned());
    }
    match found.body.take() {
        Some(body) => Ok((found, body.into())),
        None => refuse(format!(
            "it has {} bytes there, more than the {MAX_SCRIPT_LEN} of any such script",
            found.header.file_size
        )),
    }
}
