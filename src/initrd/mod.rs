//! The boot image (`initrd.img`), which a kernel unpacks as its first root file system.
//!
//! The format is the kernel's ("initramfs buffer format"): any number of cpio archives, raw or
//! compressed, one after the other with zeros between them. Later entries win. This module
//!
//! - reads an image in one pass with fixed memory ([`walk()`]),
//! - tells the effect that each entry has in the kernel ([`Tree`]),
//! - finds the file that a name leads to in the end ([`find`]),
//! - changes one file in one of two ways: it appends a member to the image ([`append`]), or rewrites
//!   the file's member ([`rebuild`]).
//!
//! It is stricter than the kernel, which silently skips some faults: any byte that this module can't
//! account for is an [`Error`]. It has no knowledge of Docker or of proxies.
//!
//! ```
//! use baleen::initrd::append::{NewFile, overlay};
//! use baleen::initrd::find::find;
//!
//! let hello = NewFile {
//!     name: "root/hello",
//!     mode: 0o100_644,
//!     uid: 0,
//!     gid: 0,
//!     mtime: 0,
//!     body: b"hello\n",
//! };
//! let image = overlay("example", &[hello])?;
//! let (layout, found) = find(&image[..], b"./root/hello", 1024)?;
//! assert_eq!((layout.members.len(), layout.entries()), (1, 1));
//! assert_eq!(found.unwrap().body.unwrap(), b"hello\n");
//! # Ok::<(), baleen::initrd::Error>(())
//! ```

mod archive;
mod error;
mod gzip;
pub(crate) mod header;
mod name;
mod source;
mod tree;
mod walk;

pub mod append;
pub mod find;
pub mod rebuild;

pub use archive::{Entry, Part};
pub use error::{DropReason, Error, RebuildDifference};
pub use header::{FileType, Header, PATH_MAX};
pub use name::{display as display_name, normalise, same_path};
pub use source::FileRange;
pub(crate) use source::ProgressReader;
pub(crate) use tree::until_nul;
pub use tree::{Effect, Tree};
pub(crate) use walk::Visitor;
pub use walk::{Compression, Layout, Member, walk};

/// Maximum unpacked length of an image. The VM holds all of it in memory, and a file that claims more
/// is a mistake or an attack.
pub(crate) const MAX_UNPACKED_LEN: u64 = 4 << 30;

/// Maximum number of members in an image. Docker's images have one to three; the list needs a limit.
pub const MAX_MEMBERS: usize = 1024;
