//! The reader of the cpio archives inside one member. It reads as the kernel does: the caller pushes
//! bytes as they come, and each part is passed on at once. So memory does not grow with the image.
//!
//! The states are those of `write_buffer` in the kernel's `init/initramfs.c`.

use super::header::{self, FileType, HEADER_LEN, Header, Magic, PATH_MAX};
use super::{Error, name};

/// The name that ends an archive.
const TRAILER: &[u8] = b"TRAILER!!!";

/// An entry's header and name, before its body.
#[derive(Debug)]
pub struct Entry<'a> {
    /// The number of the entry in the image, counted from 0. Trailers do not count.
    pub number: u64,
    /// The number of the member that holds it, counted from 0.
    pub member: usize,
    /// The fields of the header.
    pub header: Header,
    /// The name, without its terminator. Empty if it is too long for the kernel.
    pub name: &'a [u8],
    /// Header, name and padding, exactly as in the archive. An overlong name follows as filler.
    pub raw: &'a [u8],
}

/// One part of a member's unpacked bytes. All parts together are all the bytes, in order.
#[derive(Debug)]
pub enum Part<'a> {
    /// The start of an entry.
    Entry(Entry<'a>),
    /// The header and name that end an archive.
    Trailer(&'a [u8]),
    /// Bytes of the current entry's body.
    Body(&'a [u8]),
    /// Bytes without content: alignment, zeros between archives, names too long for the kernel.
    Filler(&'a [u8]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// After an entry or a trailer: only zeros or the first byte of a header may follow.
    Between,
    /// Collecting a header.
    Header,
    /// Collecting a name and its padding.
    Name,
    /// Skipping a name that is too long for the kernel.
    LongName,
    /// In a body.
    Body,
    /// In the zeros after a body.
    Align,
}

/// Reads one member's archives.
#[derive(Debug)]
pub(crate) struct Archive {
    member: usize,
    /// Number of unpacked bytes taken so far. For a raw member it counts from the image's start,
    /// where the kernel's alignment starts.
    at: u64,
    state: State,
    collected: Vec<u8>,
    header: Option<Header>,
    left: u64,
    align: usize,
    sum: u32,
    in_trailer: bool,
    /// True if a trailer, rather than an entry, came last.
    ended: bool,
    number: u64,
}

impl Archive {
    /// Creates the reader of a raw member at `offset`. The member starts with a header, and the
    /// kernel counts its alignment from the image's start.
    pub(crate) fn raw(member: usize, offset: u64, number: u64) -> Self {
        Self::new(member, offset, number, State::Header)
    }

    /// Creates the reader of a gzip member's unpacked bytes. The first member of an image must start
    /// with a header. Later ones may start with zeros, since the kernel keeps its state between members.
    pub(crate) fn unpacked(member: usize, number: u64) -> Self {
        let state = if member == 0 {
            State::Header
        } else {
            State::Between
        };
        Self::new(member, 0, number, state)
    }

    fn new(member: usize, at: u64, number: u64, state: State) -> Self {
        Self {
            member,
            at,
            state,
            collected: Vec::with_capacity(HEADER_LEN + PATH_MAX as usize + 4),
            header: None,
            left: 0,
            align: 0,
            sum: 0,
            in_trailer: false,
            ended: true,
            number,
        }
    }

    /// Returns the number of the next entry.
    pub(crate) fn next_number(&self) -> u64 {
        self.number
    }

    /// Takes `bytes` and returns how many it took. It takes all of them, unless `single` is set and the
    /// archive ends: with its trailer or, without one, before the first byte that starts no header.
    pub(crate) fn push<F>(
        &mut self,
        bytes: &[u8],
        single: bool,
        take: &mut F,
    ) -> Result<usize, Error>
    where
        F: FnMut(Part<'_>) -> Result<(), Error>,
    {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.state {
                State::Between => {
                    if single && (self.ended || rest[0] != b'0') {
                        break;
                    }
                    let zeros = rest.iter().position(|&b| b != 0).unwrap_or(rest.len());
                    if zeros > 0 {
                        take(Part::Filler(self.advance(&mut rest, zeros)))?;
                    } else if rest[0] == b'0' && self.at.is_multiple_of(4) {
                        self.state = State::Header;
                    } else {
                        return Err(Error::Junk {
                            member: Some(self.member),
                            at: self.at,
                            found: rest[..rest.len().min(8)].to_vec(),
                        });
                    }
                }
                State::Header => {
                    if self.collect(&mut rest, HEADER_LEN) {
                        self.begin_entry(take)?;
                    }
                }
                State::Name => {
                    let Some(header) = self.header else { break };
                    let whole = HEADER_LEN + header.name_size as usize + header.name_padding();
                    if self.collect(&mut rest, whole) {
                        self.end_name(&header, take)?;
                    }
                }
                State::LongName => {
                    let part = self.advance_at_most_left(&mut rest);
                    take(Part::Filler(part))?;
                    if self.left == 0 {
                        self.begin_body()?;
                    }
                }
                State::Body => {
                    let part = self.advance_at_most_left(&mut rest);
                    if self.header.is_some_and(|h| h.magic == Magic::Crc) {
                        self.sum = header::sum(self.sum, part);
                    }
                    take(Part::Body(part))?;
                    if self.left == 0 {
                        self.end_body()?;
                    }
                }
                State::Align => {
                    let n = self.align.min(rest.len());
                    take(Part::Filler(self.advance(&mut rest, n)))?;
                    self.align -= n;
                    if self.align == 0 {
                        self.end_entry();
                    }
                }
            }
        }
        Ok(bytes.len() - rest.len())
    }

    /// Checks the state at the end of the bytes. Returns whether the archive had its trailer. `is_whole`
    /// is set if no more bytes can come, since a gzip member ended.
    pub(crate) fn finish(&self, is_whole: bool) -> Result<bool, Error> {
        let member = self.member;
        let name = self
            .header
            .map(|_| name::display(self.collected_name()))
            .unwrap_or_default();
        match self.state {
            State::Between => Ok(self.ended),
            State::Header if is_whole && self.collected.is_empty() => {
                Err(Error::NoArchive { member })
            }
            _ if is_whole => Err(Error::EndsInEntry { member, name }),
            _ => Err(Error::TruncatedEntry {
                member,
                at: self.at,
                name,
            }),
        }
    }

    fn begin_entry<F>(&mut self, take: &mut F) -> Result<(), Error>
    where
        F: FnMut(Part<'_>) -> Result<(), Error>,
    {
        let start = self.at - HEADER_LEN as u64;
        let raw = self.collected[..].try_into().unwrap_or(&[0u8; HEADER_LEN]);
        let header = Header::parse(raw, self.member, start)?;
        if header.name_size == 0 {
            return Err(Error::EmptyName {
                member: self.member,
                at: start,
            });
        }
        self.header = Some(header);
        self.state = State::Name;
        if header.name_size > PATH_MAX {
            self.begin_file(&header, b"", take)?;
            self.left = u64::from(header.name_size) + header.name_padding() as u64;
            self.state = State::LongName;
        }
        Ok(())
    }

    fn begin_file<F>(&mut self, header: &Header, name: &[u8], take: &mut F) -> Result<(), Error>
    where
        F: FnMut(Part<'_>) -> Result<(), Error>,
    {
        take(Part::Entry(Entry {
            number: self.number,
            member: self.member,
            header: *header,
            name,
            raw: &self.collected,
        }))?;
        self.number += 1;
        Ok(())
    }

    fn end_name<F>(&mut self, header: &Header, take: &mut F) -> Result<(), Error>
    where
        F: FnMut(Part<'_>) -> Result<(), Error>,
    {
        let with_end = &self.collected[HEADER_LEN..HEADER_LEN + header.name_size as usize];
        if with_end.last() != Some(&0) {
            return Err(Error::UnterminatedName {
                member: self.member,
                at: self.at,
                name: name::display(with_end),
            });
        }
        // Some writers pad the name with more zeros. The kernel stops at the first one.
        let name = self.collected_name().to_vec();
        self.in_trailer = name == TRAILER;
        if self.in_trailer {
            take(Part::Trailer(&self.collected))?;
        } else {
            self.begin_file(header, &name, take)?;
        }
        self.begin_body()
    }

    fn begin_body(&mut self) -> Result<(), Error> {
        let Some(header) = self.header else {
            return Ok(());
        };
        self.sum = 0;
        self.left = u64::from(header.file_size);
        self.align = header.body_padding();
        self.state = State::Body;
        if self.left == 0 {
            self.end_body()?;
        }
        Ok(())
    }

    fn end_body(&mut self) -> Result<(), Error> {
        if let Some(header) = self.header
            && !self.in_trailer
            && header.magic == Magic::Crc
            && header.file_type() == FileType::Regular
            && header.check != self.sum
        {
            return Err(Error::BadSum {
                member: self.member,
                name: name::display(self.collected_name()),
                expected: header.check,
                found: self.sum,
            });
        }
        if self.align > 0 {
            self.state = State::Align;
        } else {
            self.end_entry();
        }
        Ok(())
    }

    fn end_entry(&mut self) {
        // The kernel does not need a trailer: a trailer only makes it forget the hard links so far.
        self.state = State::Between;
        self.ended = self.in_trailer;
        self.in_trailer = false;
        self.header = None;
        self.collected.clear();
    }

    /// Returns the part of the name read so far, for an error message.
    fn collected_name(&self) -> &[u8] {
        let name = self.collected.get(HEADER_LEN..).unwrap_or_default();
        name.split(|&b| b == 0).next().unwrap_or_default()
    }

    /// Collects bytes until there are `whole` of them. Returns whether there are.
    fn collect(&mut self, rest: &mut &[u8], whole: usize) -> bool {
        let n = (whole - self.collected.len()).min(rest.len());
        let part = self.advance(rest, n);
        self.collected.extend_from_slice(part);
        self.collected.len() == whole
    }

    fn advance_at_most_left<'a>(&mut self, rest: &mut &'a [u8]) -> &'a [u8] {
        let n = self.left.min(rest.len() as u64);
        self.left -= n;
        self.advance(rest, n as usize)
    }

    fn advance<'a>(&mut self, rest: &mut &'a [u8], n: usize) -> &'a [u8] {
        let (part, after) = rest.split_at(n);
        *rest = after;
        self.at += n as u64;
        part
    }
}
