//! The label in the first gzip header of a rebuilt image, and the entry that it leads to.

use std::fs::File;
use std::io::Read;

use flate2::{Decompress, FlushDecompress};

use crate::initrd::append::MAX_OVERLAY_LEN;
use crate::initrd::gzip;
use crate::initrd::header::{HEADER_LEN, Header};
use crate::initrd::source::{Buffered, FileRange};
use crate::initrd::{Error, display_name, same_path};

/// Number of hexadecimal digits of the offset in a label.
const OFFSET_DIGITS: usize = 16;
/// Number of bytes read to find a label. They hold leading zeros and a gzip header.
const HEAD_LEN: u64 = 4096;

pub(super) fn label(label: &str, offset: u64) -> Vec<u8> {
    format!("{label}@{offset:0OFFSET_DIGITS$x}").into_bytes()
}

/// The result of reading an image's start for the label of a rebuild.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// The image has no label, so it was not rebuilt.
    Unlabelled,
    /// The image has a label. Holds the body of the added entry.
    Added(Vec<u8>),
    /// The image does not start with a gzip header, which a label needs. Only reading the whole
    /// image shows whether it was rebuilt.
    Unknown,
}

/// Looks for the entry `name` that a rebuild with the label `label` added, without unpacking the
/// bytes before it.
///
/// # Errors
/// When the image can't be read. [`Error::WrongLabel`] if the label's offset does not hold the entry.
pub fn find_added(image: &File, length: u64, label: &str, name: &[u8]) -> Result<Start, Error> {
    let mut head = Vec::new();
    FileRange::new(image, 0, length.min(HEAD_LEN)).read_to_end(&mut head)?;
    let zeros = head.iter().take_while(|&&b| b == 0).count();
    if !head[zeros..].starts_with(&gzip::MAGIC) {
        return Ok(Start::Unknown);
    }
    let Ok(header) = gzip::read_header(&mut Buffered::new(&head[zeros..], 0), 0) else {
        return Ok(Start::Unlabelled);
    };
    let Some(offset) = header
        .name
        .as_deref()
        .and_then(|found| offset(found, label))
    else {
        return Ok(Start::Unlabelled);
    };
    let mut chunk = vec![0; MAX_OVERLAY_LEN];
    let mut section = FileRange::new(image, offset, length);
    let bytes = inflate_start(&mut section, &mut chunk)?;
    entry_body(bytes, name)
        .map(Start::Added)
        .ok_or_else(|| Error::WrongLabel {
            at: offset,
            name: display_name(name),
        })
}

fn offset(name: &[u8], label: &str) -> Option<u64> {
    let digits = name.strip_prefix(label.as_bytes())?.strip_prefix(b"@")?;
    (digits.len() == OFFSET_DIGITS)
        .then(|| u64::from_str_radix(str::from_utf8(digits).ok()?, 16).ok())?
}

/// Unpacks the start of a section, as much as fits into `chunk`. Copies a section that starts with a
/// cpio header unchanged.
fn inflate_start<'a>(section: &mut FileRange<'_>, chunk: &'a mut [u8]) -> Result<&'a [u8], Error> {
    let mut packed = Vec::new();
    section
        .by_ref()
        .take(chunk.len() as u64)
        .read_to_end(&mut packed)?;
    if packed.starts_with(b"07070") {
        chunk[..packed.len()].copy_from_slice(&packed);
        return Ok(&chunk[..packed.len()]);
    }
    let mut inflate = Decompress::new(false);
    // The chunks after the added entry need a dictionary. An error there comes after the wanted bytes.
    let _ = inflate.decompress(&packed, chunk, FlushDecompress::None);
    let made = inflate.total_out() as usize;
    Ok(&chunk[..made])
}

/// Returns the body of the entry at the start of `bytes`, if its name is `name`.
fn entry_body(bytes: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let header = Header::parse(bytes.first_chunk::<HEADER_LEN>()?, 0, 0).ok()?;
    let with_end = bytes.get(HEADER_LEN..HEADER_LEN + header.name_size as usize)?;
    let start = HEADER_LEN + header.name_size as usize + header.name_padding();
    let body = bytes.get(start..start + header.file_size as usize)?;
    same_path(with_end.strip_suffix(&[0])?, name).then(|| body.to_vec())
}
