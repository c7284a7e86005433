//! The reader of one gzip member (RFC 1952), with the kernel's limits: of the optional parts of a
//! header, `lib/decompress_inflate.c` understands only the file name.

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::Error;
use super::source::ByteSource;

/// The two bytes that every gzip member starts with.
pub(crate) const MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Length of the fixed part of a header.
pub(crate) const FIXED_HEADER: usize = 10;
/// Flag of a header that has a file name.
pub(crate) const FNAME: u8 = 1 << 3;
const FTEXT: u8 = 1;
/// Maximum length of the file name in a header. No file name is longer, so a longer one is an error.
const MAX_NAME_LEN: usize = 4096;
/// Maximum length of a piece of output. Smaller pieces make inflating slower; larger ones don't make it
/// faster.
const CHUNK_LEN: usize = 128 * 1024;

/// The parsed header of a gzip member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GzipHeader {
    /// The ten bytes of the fixed part.
    pub(crate) fixed: [u8; FIXED_HEADER],
    /// The file name, without its terminator.
    pub(crate) name: Option<Vec<u8>>,
}

impl GzipHeader {
    /// Returns the header's length in bytes.
    pub(crate) fn len(&self) -> usize {
        FIXED_HEADER + self.name.as_ref().map_or(0, |name| name.len() + 1)
    }

    /// Returns the header's bytes with `name` as its file name.
    pub(crate) fn with_name(&self, name: &[u8]) -> Vec<u8> {
        let mut bytes = self.fixed.to_vec();
        bytes[3] |= FNAME;
        bytes.extend_from_slice(name);
        bytes.push(0);
        bytes
    }
}

/// Inflates members one after the other and reuses its buffers.
pub(crate) struct Inflater {
    inflate: Decompress,
    piece: Vec<u8>,
}

impl Inflater {
    pub(crate) fn new() -> Self {
        Self {
            inflate: Decompress::new(false),
            piece: vec![0; CHUNK_LEN],
        }
    }

    /// Reads the member at the current position of `source`, from header to trailer, and passes its
    /// unpacked bytes to `take`. Returns the header. `limit` is the maximum number of unpacked bytes.
    pub(crate) fn read(
        &mut self,
        source: &mut dyn ByteSource,
        member: usize,
        limit: u64,
        take: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<GzipHeader, Error> {
        let header = read_header(source, member)?;
        self.inflate.reset(false);
        let mut crc = Crc::new();
        let mut unpacked: u64 = 0;
        loop {
            let input = source.fill()?;
            let at_end = input.is_empty();
            let (took, made) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(input, &mut self.piece, FlushDecompress::None);
            let took = (self.inflate.total_in() - took) as usize;
            let made = (self.inflate.total_out() - made) as usize;
            source.consume(took);
            let Ok(status) = status else {
                return Err(Error::BadDeflate {
                    member,
                    at: source.offset(),
                });
            };
            unpacked += made as u64;
            if unpacked > limit {
                return Err(Error::TooLarge { member });
            }
            crc.update(&self.piece[..made]);
            take(&self.piece[..made])?;
            match status {
                Status::StreamEnd => break,
                _ if took == 0 && made == 0 && at_end => {
                    return Err(Error::TruncatedGzip {
                        member,
                        at: source.offset(),
                    });
                }
                _ if took == 0 && made == 0 => {
                    return Err(Error::BadDeflate {
                        member,
                        at: source.offset(),
                    });
                }
                _ => {}
            }
        }
        let mut trailer = [0u8; 8];
        for byte in &mut trailer {
            *byte = source.byte(member)?;
        }
        let [a, b, c, d, e, f, g, h] = trailer;
        if u32::from_le_bytes([a, b, c, d]) != crc.sum() {
            return Err(Error::BadCrc { member });
        }
        if u32::from_le_bytes([e, f, g, h]) != unpacked as u32 {
            return Err(Error::BadLength { member });
        }
        Ok(header)
    }
}

/// Reads a header. `source` is then at the first byte after it.
pub(crate) fn read_header(source: &mut dyn ByteSource, member: usize) -> Result<GzipHeader, Error> {
    let at = source.offset();
    let mut fixed = [0u8; FIXED_HEADER];
    for byte in &mut fixed {
        *byte = source.byte(member)?;
    }
    let flags = fixed[3];
    if fixed[..3] != [MAGIC[0], MAGIC[1], 8] || flags & !(FNAME | FTEXT) != 0 {
        return Err(Error::GzipHeader { member, at, flags });
    }
    let name = if flags & FNAME == 0 {
        None
    } else {
        let mut name = Vec::new();
        loop {
            match source.byte(member)? {
                0 => break Some(name),
                byte if name.len() < MAX_NAME_LEN => name.push(byte),
                _ => return Err(Error::GzipHeader { member, at, flags }),
            }
        }
    };
    Ok(GzipHeader { fixed, name })
}
