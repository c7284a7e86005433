//! The image that a kernel unpacks as its first root file system: `initrd.img`.
//!
//! The format is the kernel's ("initramfs buffer format"): any number of cpio archives, raw or
//! compressed, one after the other with zeros between them, where later entries win. This module
//! reads such an image in one pass with fixed memory ([`walk()`]), says what the kernel makes of each
//! entry ([`Tree`]), finds what it ends up with under a name ([`find`]), and changes one file in it, in either of two ways: a member put
//! behind the image ([`append`]) or the file's member written again ([`rebuild`]).
//!
//! It is stricter than the kernel where the kernel would pass over a fault in silence: what it
//! can't account for to the last byte is an [`Error`]. It knows nothing of Docker or of proxies.
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
mod header;
mod name;
mod source;
mod tree;
mod walk;

pub mod append;
pub mod find;
pub mod rebuild;

pub use archive::{Entry, Part};
pub use error::Error;
pub use header::{FileType, HEADER_LEN, Header, Magic, PATH_MAX};
pub use name::{display as display_name, normalise, same_path};
pub use source::{FileRange, ProgressReader};
pub(crate) use tree::until_nul;
pub use tree::{Effect, FinalEntry, Reason, Tree};
pub use walk::{Compression, Layout, Member, Visitor, walk};

/// An image may not unpack to more than this: the VM holds all of it in memory, and a file that
/// claims more is a mistake or an attack.
pub const MAX_UNPACKED_LEN: u64 = 4 << 30;

/// Docker's images have one to three members; the list of them has to have an end.
pub const MAX_MEMBERS: usize = 1024;
