//! The faults that an image can have.

use std::io;

use thiserror::Error as ThisError;

/// The reason why an image could not be read. Member numbers count from 0 in the fields and from 1 in
/// the messages, as `baleen inspect` shows them. `at` is a byte offset in the image or, within a gzip
/// member, in its unpacked bytes.
#[derive(Debug, ThisError)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum Error {
    #[error("it can't be read: {0}")]
    Io(#[from] io::Error),

    #[error("it is empty; an initramfs image starts with a gzip or cpio header")]
    Empty,

    #[error(
        "byte {at} should start a cpio archive, a gzip member or zero padding, but holds {}",
        shown(found)
    )]
    Junk {
        member: Option<usize>,
        at: u64,
        found: Vec<u8>,
    },

    #[error("member {} starts at byte {at}; the kernel reads an uncompressed archive, and what comes after one, only at a multiple of 4", member + 1)]
    Misaligned { member: usize, at: u64 },

    #[error("member {} (byte {at}) is compressed with {format}; Baleen reads gzip and uncompressed cpio, as Docker for Mac's images are", member + 1)]
    OtherCompression {
        member: usize,
        at: u64,
        format: &'static str,
    },

    #[error("the gzip header of member {} (byte {at}, flags {flags:#04x}) has parts that the kernel's reader does not understand", member + 1)]
    GzipHeader { member: usize, at: u64, flags: u8 },

    #[error("it is cut off: member {} should go on after byte {at}", member + 1)]
    TruncatedGzip { member: usize, at: u64 },

    #[error("the compressed data of member {} is damaged near byte {at}", member + 1)]
    BadDeflate { member: usize, at: u64 },

    #[error("the data of member {} does not fit the CRC in its gzip trailer", member + 1)]
    BadCrc { member: usize },

    #[error("the data of member {} does not have the length in its gzip trailer", member + 1)]
    BadLength { member: usize },

    #[error("member {} brings the image to more than {} GiB unpacked, more than the memory of any Docker VM", member + 1, super::MAX_UNPACKED_LEN >> 30)]
    TooLarge { member: usize },

    #[error("it has more than {} members", super::MAX_MEMBERS)]
    TooManyMembers,

    #[error("member {} has a header of the old `cpio -H odc` format (070707) at byte {at}; the kernel reads `newc` only", member + 1)]
    OldCpio { member: usize, at: u64 },

    #[error("member {} should have a cpio header (070701 or 070702) at byte {at}, but holds {}", member + 1, shown(found))]
    NoMagic {
        member: usize,
        at: u64,
        found: Vec<u8>,
    },

    #[error("the cpio header at byte {at} of member {} should hold hexadecimal digits, but holds {}", member + 1, shown(found))]
    BadField {
        member: usize,
        at: u64,
        found: Vec<u8>,
    },

    #[error("the cpio header at byte {at} of member {} gives the name no length", member + 1)]
    EmptyName { member: usize, at: u64 },

    #[error("the name '{name}' (member {}, before byte {at}) has no zero byte at its end", member + 1)]
    UnterminatedName {
        member: usize,
        at: u64,
        name: String,
    },

    #[error("member {} is cut off at byte {at}{}", member + 1, in_entry(name))]
    TruncatedEntry {
        member: usize,
        at: u64,
        name: String,
    },

    #[error("'{name}' (member {}) has the checksum {found:08x}, but its header says {expected:08x}", member + 1)]
    BadSum {
        member: usize,
        name: String,
        expected: u32,
        found: u32,
    },

    #[error("member {} holds no cpio archive; the kernel takes it and all that follows it for junk", member + 1)]
    NoArchive { member: usize },

    #[error("the archive in member {} ends within {}, although the gzip member around it is whole; the kernel takes that, and all that follows it, for junk", member + 1, entry_or_header(name))]
    EndsInEntry { member: usize, name: String },

    #[error("a boot configuration (bootconfig, {bytes} bytes{}) is at its end, from byte {at} on; a kernel with that option cuts it off, and would not find what stands behind it", if *is_sound { "" } else { ", with a wrong length or checksum" })]
    Bootconfig {
        at: u64,
        bytes: u64,
        /// True if its length and checksum are correct.
        is_sound: bool,
    },

    #[error("the kernel does not keep what '{name}' (member {}) says: {why}", member + 1)]
    Dropped {
        member: usize,
        name: String,
        why: DropReason,
    },

    #[error("it has more files than can be kept track of; Docker's images have some thousand")]
    TooManyFiles,

    #[error(
        "the files to be appended come to {bytes} bytes; at most {} can be found again",
        super::append::MAX_OVERLAY_LEN
    )]
    OverlayTooLong { bytes: usize },

    #[error(
        "what was appended has more than {} bytes of files, so it is not an overlay",
        super::append::MAX_OVERLAY_LEN
    )]
    NotAnOverlay,

    #[error("its label says that byte {at} holds '{name}', which is not so")]
    WrongLabel { at: u64, name: String },

    #[error("reading it back shows that {0}")]
    OtherRebuilt(RebuildDifference),

    /// A fault of Baleen's own.
    #[error("a thread or a search of Baleen's own ended without a result")]
    NoResult,
}

/// The reason why the kernel does not keep what an entry says.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum DropReason {
    #[error("a later entry writes to the same file by another path")]
    OtherPath,
    #[error("it comes to stand elsewhere")]
    Elsewhere,
    #[error("without a file type it removes what is there")]
    NoFileType,
    #[error("the entry '{name}' behind it takes its place away")]
    TakenAway { name: String },
    /// A rule of the kernel's.
    #[error("{0}")]
    Rule(&'static str),
}

/// The first difference between a rebuilt image and the one that was to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ThisError)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum RebuildDifference {
    #[error("it has another number of members")]
    Members,
    #[error("the changed entry's header differs")]
    ChangedHeader,
    #[error("the changed entry has other bytes")]
    ChangedBody,
    #[error("the added entry has other bytes")]
    AddedEntry,
    #[error("an entry that was to stay as it is has changed")]
    OtherEntry,
}

impl Error {
    /// Returns whether the image just ends too early, as an image that is still being written does.
    pub fn is_truncation(&self) -> bool {
        matches!(
            self,
            Self::Empty | Self::TruncatedGzip { .. } | Self::TruncatedEntry { .. }
        )
    }
}

fn shown(bytes: &[u8]) -> String {
    if !bytes.is_empty() && bytes.iter().all(|b| b.is_ascii_graphic()) {
        format!("\"{}\"", String::from_utf8_lossy(bytes))
    } else {
        let hex: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
        hex.join(" ")
    }
}

fn in_entry(name: &str) -> String {
    if name.is_empty() {
        String::new()
    } else {
        format!(", within '{name}'")
    }
}

fn entry_or_header(name: &str) -> String {
    if name.is_empty() {
        "a header".to_owned()
    } else {
        format!("'{name}'")
    }
}
