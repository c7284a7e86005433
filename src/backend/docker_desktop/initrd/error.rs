//! Errors about boot images and the changes to them.

use std::io;
use std::path::{Path, PathBuf};

use crate::backend::docker_desktop::{BundleFileError, NotPatched};
use crate::error::{Failure, Fix, IoError, Kind};
use crate::initrd::{self, FileType};

use super::manifest::MANIFEST;
use super::script::{ForeignLine, MAX_SCRIPT_LEN, SCRIPT};
use crate::digest::{OriginalSha, Sha};

/// The reason why a boot image could not be read, patched or restored.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum PatchError {
    #[error(transparent)]
    File(#[from] BundleFileError),

    /// Unlike for the other calls, this is no matter of the permission to change apps.
    #[error(transparent)]
    OwnerNotGiven(BundleFileError),

    #[error(transparent)]
    NotPatched(#[from] NotPatched),

    #[error("this Docker is not patched")]
    OtherFamily,

    #[error("{} should be a regular file, but is {found}", path.display())]
    NotAFile { path: PathBuf, found: OtherFile },

    /// The same for the name under which the original is to be kept.
    #[error("{} should be a regular file, but is {found}", path.display())]
    BackupNotAFile { path: PathBuf, found: OtherFile },

    #[error("{} changed while Baleen worked on it; it was left as it is", path.display())]
    Replaced { path: PathBuf },

    #[error("another Baleen is at work in {}", folder.display())]
    Locked { folder: PathBuf },

    #[error("{} is locked against any change", image.display())]
    Immutable { image: PathBuf },

    #[error("{} is not a whole boot image: {source}", path.display())]
    NotWhole {
        path: PathBuf,
        source: initrd::Error,
    },

    #[error("{} is not a boot image that Baleen can take: {source}", path.display())]
    Unusable {
        path: PathBuf,
        source: initrd::Error,
    },

    #[error("the boot image {} should hold /{SCRIPT} as a file of its own, but {found}", image.display())]
    ScriptEntry {
        image: PathBuf,
        found: OtherScriptEntry,
    },

    #[error("the boot image {} should have nothing at /{MANIFEST}, or a file of its own, but {found}", image.display())]
    ManifestEntry {
        image: PathBuf,
        found: OtherManifestEntry,
    },

    #[error("{} holds a proxy that Baleen put there, but its manifest is missing: another tool changed the boot image since", image.display())]
    Unmarked { image: PathBuf, backup: PathBuf },

    #[error(
        "the member that Baleen appended should hold a script and a manifest and nothing else, but does not"
    )]
    OtherMember,

    #[error(
        "the boot image should have {expected} bytes before the patch, as its manifest says, but has {found}"
    )]
    OtherLength { expected: u64, found: u64 },

    #[error("Baleen's manifest in the boot image ({MANIFEST}) is damaged: {0}")]
    Manifest(#[source] serde_json::Error),

    #[error(
        "the boot image was patched by Baleen {baleen} in format {format}, but this version reads format {known}"
    )]
    ManifestFormat {
        baleen: String,
        format: u32,
        known: u32,
    },

    #[error(
        "the block of Baleen in /{SCRIPT} should have one start marker and one end marker, but someone changed it"
    )]
    Block,

    #[error("the block of Baleen's in /{SCRIPT} should set a proxy, but does not")]
    BlockWithoutProxy,

    #[error("/{SCRIPT} is not the script that was expected: {0}")]
    OtherScript(OtherScript),

    #[error("/{SCRIPT} already sets a proxy, and not by Baleen: {}", listed(lines))]
    ByHand { lines: Vec<ForeignLine> },

    #[error("line {} of /{SCRIPT} sets a proxy and does something else ({}); it can't be taken over", line.number, line.shown)]
    NotAdoptable { line: ForeignLine },

    #[error(
        "/{SCRIPT} would have {length} bytes with the proxy in it; at most {MAX_SCRIPT_LEN} can be handled"
    )]
    ScriptTooLong { length: usize },

    #[error("a boot image with a password in it may be read by its owner alone, but {} belongs to the user with the number {owner}, and Docker runs as {user}", image.display())]
    OtherOwner {
        image: PathBuf,
        owner: u32,
        user: u32,
    },

    #[error(
        "nothing can be appended to this boot image: it ends with an uncompressed archive, so its length should be a multiple of 4, but is {length}"
    )]
    UnalignedEnd { length: u64 },

    #[error("can't append to the boot image: {0}")]
    NotAppended(#[source] initrd::Error),

    #[error("the rebuilt boot image is not what it should be: {0}")]
    NotRebuilt(#[source] initrd::Error),

    #[error("reading back {} gave other data than was written; the boot image was left as it is", path.display())]
    NotAsWritten { path: PathBuf },

    #[error("the boot image was rebuilt, and its original is needed: {source}")]
    NoOriginal { source: Box<PatchError> },

    #[error("{} is not the original that the boot image was rebuilt from, so the original can't be restored from it", path.display())]
    OtherBackup { path: PathBuf },

    #[error("the original in {} should have the digest {expected}, but has {found}", path.display())]
    OtherOriginal {
        path: PathBuf,
        expected: OriginalSha,
        found: Sha,
    },

    #[error("the original part of {} should have the digest {expected}, but has {found}", image.display())]
    OtherOriginalPart {
        image: PathBuf,
        expected: OriginalSha,
        found: Sha,
    },

    #[error("the boot image {} {difference}", image.display())]
    NotAsPatched {
        image: PathBuf,
        #[source]
        difference: Difference,
    },

    #[error("what was found in {} could not be noted: {source}", image.display())]
    NotNoted { image: PathBuf, source: io::Error },
}

/// What stands in the place of a regular file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum OtherFile {
    #[error("a symbolic link")]
    Symlink,
    #[error("a folder")]
    Folder,
    #[error("a special file")]
    Special,
}

/// What an image has in the place of a script that can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum OtherScriptEntry {
    #[error("has no entry of that name")]
    Missing,
    #[error("it is a {} there", .0.name())]
    OtherType(FileType),
    #[error("other names share its data there and would change with it")]
    OtherNames,
    #[error("it has {length} bytes there, more than the {MAX_SCRIPT_LEN} of any such script")]
    TooLong { length: u64 },
}

/// What an image has where a manifest would be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum OtherManifestEntry {
    #[error("a {} is there", .0.name())]
    OtherType(FileType),
    #[error("the file there has other names, which would change with it")]
    OtherNames,
}

/// What a script lacks that each known one has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum OtherScript {
    #[error("its first line should be #!/sbin/openrc-run, but found '{first_line}'")]
    Interpreter { first_line: String },
    #[error("it should start the engine with command= or start-stop-daemon, but found neither")]
    NoEngine,
}

/// What in a patched image is not as its manifest says.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum Difference {
    #[error("does not hold the proxy that its manifest names")]
    Proxy,
    #[error("should have an original with the digest {expected}, but {} has {found}", path.display())]
    Original {
        path: PathBuf,
        expected: OriginalSha,
        found: Sha,
    },
    #[error("has a /{SCRIPT} that differs from the original in more than the proxy")]
    Script,
    #[error("is not its original with the proxy in it: {0}")]
    Entries(#[source] initrd::Error),
}

fn listed(lines: &[ForeignLine]) -> String {
    let listed: Vec<String> = lines
        .iter()
        .map(|line| format!("line {}: {}", line.number, line.shown))
        .collect();
    listed.join("; ")
}

impl PatchError {
    /// Returns the error of a failed system call on a file of Docker.app.
    pub(super) fn file(tried: &'static str, path: &Path, error: io::Error) -> Self {
        Self::File(IoError::new(tried, path, error).into())
    }

    /// Returns the error for a file that has changed since it was read.
    pub(super) fn replaced(path: &Path) -> Self {
        Self::Replaced {
            path: path.to_owned(),
        }
    }

    /// Returns the error for the file at `path`, which is not an image that Baleen can use.
    pub(super) fn damaged(path: &Path, source: initrd::Error) -> Self {
        let path = path.to_owned();
        match source {
            initrd::Error::Io(error) => Self::file("read", &path, error),
            source if source.is_truncation() => Self::NotWhole { path, source },
            source => Self::Unusable { path, source },
        }
    }
}

impl Failure for PatchError {
    fn kind(&self) -> Kind {
        match self {
            Self::File(file) | Self::OwnerNotGiven(file) => file.kind(),
            Self::NotPatched(why) => why.kind(),
            // While Docker is being updated.
            Self::Replaced { .. } | Self::NotWhole { .. } | Self::Locked { .. } => Kind::Busy,
            Self::Immutable { .. } => Kind::NotPermitted,
            Self::NotRebuilt(_) | Self::NotAsWritten { .. } | Self::NotNoted { .. } => {
                Kind::Failure
            }
            Self::NoOriginal { source } => match source.kind() {
                // The file does not exist, so trying again will not help.
                Kind::Failure => Kind::Unsupported,
                kind => kind,
            },
            Self::OtherFamily
            | Self::NotAFile { .. }
            | Self::BackupNotAFile { .. }
            | Self::Unusable { .. }
            | Self::ScriptEntry { .. }
            | Self::ManifestEntry { .. }
            | Self::Unmarked { .. }
            | Self::OtherMember
            | Self::OtherLength { .. }
            | Self::Manifest(_)
            | Self::ManifestFormat { .. }
            | Self::Block
            | Self::BlockWithoutProxy
            | Self::OtherScript(_)
            | Self::ByHand { .. }
            | Self::NotAdoptable { .. }
            | Self::ScriptTooLong { .. }
            | Self::OtherOwner { .. }
            | Self::UnalignedEnd { .. }
            | Self::NotAppended(_)
            | Self::OtherBackup { .. }
            | Self::OtherOriginal { .. }
            | Self::OtherOriginalPart { .. }
            | Self::NotAsPatched { .. } => Kind::Unsupported,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::File(file) => file.code(),
            Self::OwnerNotGiven(_) => "owner-not-given",
            Self::NotPatched(why) => why.code(),
            Self::OtherFamily => "other-family",
            Self::NotAFile { .. } => "image-not-a-file",
            Self::BackupNotAFile { .. } => "backup-not-a-file",
            Self::Replaced { .. } => "image-replaced",
            Self::Locked { .. } => "another-baleen",
            Self::Immutable { .. } => "image-immutable",
            Self::NotWhole { .. } => "image-not-whole",
            Self::Unusable { .. } => "image-unusable",
            Self::ScriptEntry { .. } => "other-script-entry",
            Self::ManifestEntry { .. } => "other-manifest-entry",
            Self::Unmarked { .. } => "manifest-missing",
            Self::OtherMember => "other-member",
            Self::OtherLength { .. } => "other-length",
            Self::Manifest(_) => "manifest-damaged",
            Self::ManifestFormat { .. } => "manifest-format",
            Self::Block => "block-damaged",
            Self::BlockWithoutProxy => "block-without-proxy",
            Self::OtherScript(_) => "other-script",
            Self::ByHand { .. } => "proxy-by-hand",
            Self::NotAdoptable { .. } => "not-adoptable",
            Self::ScriptTooLong { .. } => "script-too-long",
            Self::OtherOwner { .. } => "other-owner",
            Self::UnalignedEnd { .. } => "unaligned-end",
            Self::NotAppended(_) => "not-appended",
            Self::NotRebuilt(_) => "not-rebuilt",
            Self::NotAsWritten { .. } => "not-as-written",
            Self::NoOriginal { .. } => "no-original",
            Self::OtherBackup { .. } => "other-backup",
            Self::OtherOriginal { .. } => "other-original",
            Self::OtherOriginalPart { .. } => "other-original-part",
            Self::NotAsPatched { .. } => "not-as-patched",
            Self::NotNoted { .. } => "not-noted",
        }
    }

    fn fix(&self) -> Option<Fix> {
        match self {
            Self::File(file) => file.fix(),
            Self::NotPatched(why) => why.fix(),
            Self::ByHand { .. } => Some(Fix::Adopt),
            _ => None,
        }
    }
}

/// The result of work on a boot image.
pub(crate) type Result<T> = std::result::Result<T, PatchError>;
