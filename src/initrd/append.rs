//! *append*: adds one small gzip member after the image. The kernel unpacks it last, so its files win.
//! The original image stays a prefix, byte for byte, so cutting the member off restores it.
//!
//! The member has a label as the file name in its gzip header. So it can be found from the image's
//! end without unpacking anything before it.

use std::fs::File;
use std::io::{self, Read, Write};

use flate2::{Compression, GzBuilder};

use super::archive::Part;
use super::header::Header;
use super::source::FileRange;
use super::walk::{Visitor, walk};
use super::{Error, gzip};

/// A file to put into an image.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields have the names of a header's")]
pub struct NewFile<'a> {
    pub name: &'a str,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: u32,
    pub body: &'a [u8],
}

/// A file of a labeled member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverlayFile {
    /// The fields of its header.
    pub header: Header,
    /// Its name, exactly as in the archive.
    pub name: Vec<u8>,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// A labeled member at the end of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// Offset of its first byte, which is the length of the image without it.
    pub offset: u64,
    /// Its files.
    pub files: Vec<OverlayFile>,
}

/// Maximum length of an overlay, and of its unpacked entries. The search for one reads this many bytes
/// at an image's end.
pub const MAX_OVERLAY_LEN: usize = 512 * 1024;

/// Returns the bytes of one entry in `newc` format, padded. [`super::rebuild`] also inserts such entries.
pub fn entry(file: &NewFile<'_>) -> io::Result<Vec<u8>> {
    let size = u32::try_from(file.body.len()).map_err(io::Error::other)?;
    // Each file has one link, so no reader takes files for hard links, whatever their inode number.
    let mut writer = cpio::NewcBuilder::new(file.name)
        .mode(file.mode)
        .uid(file.uid)
        .gid(file.gid)
        .mtime(file.mtime)
        .nlink(1)
        .write(Vec::new(), size);
    writer.write_all(file.body)?;
    writer.finish()
}

/// Returns the gzip member with the label `label` that holds `files` in order. The same input makes
/// the same bytes.
///
/// After an uncompressed member, the kernel finds it only at a multiple of 4. Elsewhere it may be at
/// any offset.
///
/// # Errors
/// When the member or its unpacked entries are longer than [`MAX_OVERLAY_LEN`], since the search could
/// not find it again.
pub fn overlay(label: &str, files: &[NewFile<'_>]) -> Result<Vec<u8>, Error> {
    let mut gzip = GzBuilder::new()
        .filename(label)
        .mtime(0)
        .write(Vec::new(), Compression::best());
    let mut unpacked = 0;
    for file in files {
        let entry = entry(file)?;
        unpacked += entry.len();
        gzip.write_all(&entry)?;
    }
    let member = cpio::newc::trailer(gzip)?.finish()?;
    let longest = unpacked.max(member.len());
    if longest > MAX_OVERLAY_LEN {
        return Err(Error::OverlayTooLong { bytes: longest });
    }
    Ok(member)
}

/// Looks for a member with the label `label` at the end of the image, which has `length` bytes.
/// Reads at most [`MAX_OVERLAY_LEN`] bytes.
///
/// # Errors
/// When the image can't be read. Bytes that only look like a label are not an error.
pub fn find_overlay(image: &File, length: u64, label: &str) -> io::Result<Option<Overlay>> {
    let start = length.saturating_sub(MAX_OVERLAY_LEN as u64);
    let mut tail = Vec::new();
    FileRange::new(image, start, length).read_to_end(&mut tail)?;
    let mut named = label.as_bytes().to_vec();
    named.push(0);
    let mut end = tail.len();
    while let Some(at) = tail[..end]
        .windows(named.len())
        .rposition(|window| window == named)
    {
        let header = at.wrapping_sub(gzip::FIXED_HEADER);
        if tail
            .get(header..)
            .is_some_and(|bytes| bytes.starts_with(&gzip::MAGIC) && bytes[3] & gzip::FNAME != 0)
            && let Some(files) = read_overlay(&tail[header..])
        {
            return Ok(Some(Overlay {
                offset: start + header as u64,
                files,
            }));
        }
        end = at + named.len() - 1;
    }
    Ok(None)
}

/// Returns the files of `member` if it is one whole gzip member with nothing but zeros after it.
fn read_overlay(member: &[u8]) -> Option<Vec<OverlayFile>> {
    let mut files = Collector::default();
    let layout = walk(member, &mut files).ok()?;
    (layout.members.len() == 1 && layout.members[0].has_trailer).then_some(files.files)
}

/// Collects the files of a member. Refuses a member that unpacks to more than [`MAX_OVERLAY_LEN`].
#[derive(Default)]
struct Collector {
    files: Vec<OverlayFile>,
    kept: usize,
}

impl Collector {
    fn keep(&mut self, bytes: usize) -> Result<(), Error> {
        self.kept += bytes;
        if self.kept > MAX_OVERLAY_LEN {
            return Err(Error::NotAnOverlay);
        }
        Ok(())
    }
}

impl Visitor for Collector {
    fn part(&mut self, part: Part<'_>) -> Result<(), Error> {
        match part {
            Part::Entry(entry) => {
                self.keep(entry.raw.len())?;
                self.files.push(OverlayFile {
                    header: entry.header,
                    name: entry.name.to_vec(),
                    body: Vec::new(),
                });
            }
            Part::Body(bytes) => {
                self.keep(bytes.len())?;
                if let Some(file) = self.files.last_mut() {
                    file.body.extend_from_slice(bytes);
                }
            }
            Part::Trailer(_) | Part::Filler(_) => {}
        }
        Ok(())
    }
}
