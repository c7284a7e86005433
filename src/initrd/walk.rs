//! The walk through a whole image, member after member, in one pass with fixed memory.

use std::io::Read;

use super::archive::{Archive, Part};
use super::gzip::{self, Inflater};
use super::header;
use super::source::{Buffered, ByteSource};
use super::{Error, MAX_MEMBERS, MAX_UNPACKED_LEN};

/// The compression of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// An uncompressed cpio archive.
    None,
    /// A gzip member, which may hold several archives.
    Gzip,
}

impl Compression {
    /// Returns the name to show to the user.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
        }
    }
}

/// A member that has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its number, from 0.
    pub number: usize,
    /// Offset of its first byte in the image.
    pub offset: u64,
    /// Its length in the image, in bytes, without padding.
    pub length: u64,
    /// Its compression.
    pub compression: Compression,
    /// Its length when unpacked, in bytes.
    pub unpacked: u64,
    /// Number of its entries, without trailers.
    pub entries: u64,
    /// The number of its first entry in the image.
    pub first_entry: u64,
    /// True if its last archive ends with a trailer.
    pub has_trailer: bool,
    /// Number of zero bytes after it.
    pub padding: u64,
}

impl Member {
    /// Returns the offset of the first byte after the member.
    pub fn end(&self) -> u64 {
        self.offset + self.length
    }

    /// Returns whether the member holds the entry with this number.
    pub fn holds(&self, entry: u64) -> bool {
        (self.first_entry..self.first_entry + self.entries).contains(&entry)
    }
}

/// The structure of an image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layout {
    /// The members, in order.
    pub members: Vec<Member>,
    /// Number of zero bytes before the first member.
    pub leading: u64,
    /// Length of the image, in bytes.
    pub length: u64,
}

impl Layout {
    /// Returns the unpacked length of all members, in bytes.
    pub fn unpacked(&self) -> u64 {
        self.members.iter().map(|m| m.unpacked).sum()
    }

    /// Returns the number of entries in all members.
    pub fn entries(&self) -> u64 {
        self.members.iter().map(|m| m.entries).sum()
    }
}

/// A receiver for the members and parts that a walk finds, in the order of the image.
pub trait Visitor {
    /// Called when a member begins at `offset`.
    ///
    /// # Errors
    /// Any error ends the walk.
    fn begin(
        &mut self,
        _number: usize,
        _offset: u64,
        _compression: Compression,
    ) -> Result<(), Error> {
        Ok(())
    }
    /// Called for each part of the member's unpacked bytes.
    ///
    /// # Errors
    /// Any error ends the walk.
    fn part(&mut self, part: Part<'_>) -> Result<(), Error>;
    /// Called when the member ended. Its padding is not known yet.
    ///
    /// # Errors
    /// Any error ends the walk.
    fn end(&mut self, _member: &Member) -> Result<(), Error> {
        Ok(())
    }
}

impl<F: FnMut(Part<'_>) -> Result<(), Error>> Visitor for F {
    fn part(&mut self, part: Part<'_>) -> Result<(), Error> {
        self(part)
    }
}

/// Reads the image from `reader` and passes every part of it to `visitor`.
///
/// Memory use does not depend on the image, apart from the data that the visitor keeps. Bytes that the
/// kernel would refuse or ignore are an error.
///
/// # Errors
/// See [`Error`]. The walk guesses nothing and skips nothing.
pub fn walk<R: Read>(reader: R, visitor: &mut dyn Visitor) -> Result<Layout, Error> {
    let mut source = Buffered::new(reader, 0);
    let mut inflater = None;
    let mut layout = Layout::default();
    let mut entries = 0;
    let mut unpacked = 0;
    loop {
        let zeros = skip_zeros(&mut source)?;
        match layout.members.last_mut() {
            Some(member) => member.padding = zeros,
            None => layout.leading = zeros,
        }
        let number = layout.members.len();
        let offset = source.offset();
        // The kernel takes zeros after a raw archive for padding within it, and requires all of it.
        let after_raw = layout
            .members
            .last()
            .is_some_and(|before| before.compression == Compression::None);
        let next = source.fill()?;
        let compression = match *next {
            [] => break,
            _ if number == MAX_MEMBERS => return Err(Error::TooManyMembers),
            [first, ..]
                if !offset.is_multiple_of(4)
                    && (first == b'0' || first == gzip::MAGIC[0] && after_raw) =>
            {
                let error = Error::Misaligned {
                    member: number,
                    at: offset,
                };
                return Err(bootconfig(&mut source)?.unwrap_or(error));
            }
            [b'0', ..] => Compression::None,
            [first, ..] if first == gzip::MAGIC[0] => Compression::Gzip,
            _ => {
                let error = not_a_member(next, number, offset);
                return Err(bootconfig(&mut source)?.unwrap_or(error));
            }
        };
        visitor.begin(number, offset, compression)?;
        let mut take = |part: Part<'_>| visitor.part(part);
        let (archive, length) = match compression {
            Compression::None => {
                let mut archive = Archive::raw(number, offset, entries);
                loop {
                    let bytes = source.fill()?;
                    let taken = archive.push(bytes, true, &mut take)?;
                    source.consume(taken);
                    if taken == 0 {
                        break;
                    }
                }
                let length = source.offset() - offset;
                (archive, length)
            }
            Compression::Gzip => {
                let mut archive = Archive::unpacked(number, entries);
                let mut length = 0;
                inflater.get_or_insert_with(Inflater::new).read(
                    &mut source,
                    number,
                    MAX_UNPACKED_LEN - unpacked,
                    &mut |bytes| {
                        length += bytes.len() as u64;
                        archive.push(bytes, false, &mut take).map(drop)
                    },
                )?;
                (archive, length)
            }
        };
        unpacked += length;
        if unpacked > MAX_UNPACKED_LEN {
            return Err(Error::TooLarge { member: number });
        }
        let member = Member {
            number,
            offset,
            length: source.offset() - offset,
            compression,
            unpacked: length,
            entries: archive.next_number() - entries,
            first_entry: entries,
            has_trailer: archive.finish(compression == Compression::Gzip)?,
            padding: 0,
        };
        entries = archive.next_number();
        visitor.end(&member)?;
        layout.members.push(member);
    }
    layout.length = source.offset();
    if layout.members.is_empty() {
        return Err(Error::Empty);
    }
    Ok(layout)
}

fn skip_zeros(source: &mut dyn ByteSource) -> Result<u64, Error> {
    let start = source.offset();
    loop {
        let bytes = source.fill()?;
        let zeros = bytes.iter().take_while(|&&b| b == 0).count();
        let more = zeros > 0 && zeros == bytes.len();
        source.consume(zeros);
        if !more {
            return Ok(source.offset() - start);
        }
    }
}

/// Returns the error for a boot configuration if `source` holds nothing else: text, then its length and
/// the sum of its bytes, then a magic word. `get_boot_config_from_initrd` (`init/main.c`) also finds the
/// magic word before up to three bytes of alignment.
fn bootconfig(source: &mut dyn ByteSource) -> Result<Option<Error>, Error> {
    const MAGIC: &[u8] = b"#BOOTCONFIG\n";
    const NUMBERS: usize = 8;
    /// Maximum length of a boot configuration: `XBC_DATA_MAX`, the numbers, the magic word and alignment.
    const MAX_LEN: usize = 32 * 1024 + NUMBERS + MAGIC.len() + 3;
    let at = source.offset();
    let mut rest = Vec::new();
    loop {
        let bytes = source.fill()?;
        let count = bytes.len();
        if count == 0 {
            break;
        }
        if rest.len() + count > MAX_LEN {
            return Ok(None);
        }
        rest.extend_from_slice(bytes);
        source.consume(count);
    }
    let Some(end) = (0..4)
        .filter_map(|more| rest.len().checked_sub(more))
        .find(|&end| rest[..end].ends_with(MAGIC))
    else {
        return Ok(None);
    };
    let Some((data, numbers)) = rest[..end - MAGIC.len()].split_last_chunk::<NUMBERS>() else {
        return Ok(None);
    };
    let [a, b, c, d, e, f, g, h] = *numbers;
    let (length, sum) = (
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
    );
    Ok(Some(Error::Bootconfig {
        at,
        bytes: data.len() as u64,
        is_sound: length as usize == data.len() && sum == header::sum(0, data),
    }))
}

/// Returns the error for bytes that start no member. It names other compressions, since the kernel
/// knows some.
fn not_a_member(bytes: &[u8], member: usize, at: u64) -> Error {
    const OTHERS: [(&[u8], &str); 6] = [
        (b"\xfd7zXZ\0", "xz"),
        (b"BZh", "bzip2"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\x02\x21\x4c\x18", "lz4"),
        (b"\x89LZO", "lzo"),
        (b"\x5d\0\0", "lzma"),
    ];
    match OTHERS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        Some((_, format)) => Error::OtherCompression { member, at, format },
        None => Error::Junk {
            member: member.checked_sub(1),
            at,
            found: bytes[..bytes.len().min(8)].to_vec(),
        },
    }
}
