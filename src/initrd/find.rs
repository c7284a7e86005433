//! What the kernel ends up with under one name.

use std::io::{Read, Write};

use super::archive::Part;
use super::header::{FileType, Header};
use super::walk::{Compression, Layout, Member, Visitor, walk};
use super::{Error, leads_to, normalise};

/// The last entry of a name, which is the one that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its number among all entries of the image.
    pub number: u64,
    /// The number of its member.
    pub member: usize,
    /// The fields of its header.
    pub header: Header,
    /// The name as it stands in the archive.
    pub name: Vec<u8>,
    /// The body, or nothing where it is longer than the finder was to keep.
    pub body: Option<Vec<u8>>,
    /// Whether this or an earlier entry of the name shares its data with other names, so that a
    /// change to it may be a change to those.
    pub hard_linked: bool,
}

/// A [`Visitor`] that keeps the last entry of a name.
#[derive(Debug)]
pub struct Finder {
    target: Vec<u8>,
    keep: usize,
    found: Option<Found>,
    inside: bool,
    hard_linked: bool,
}

impl Finder {
    /// Looks for `name`, however its slashes and dots are written, and keeps a body of up to `keep` bytes.
    pub fn new(name: &[u8], keep: usize) -> Self {
        Self {
            target: normalise(name),
            keep,
            found: None,
            inside: false,
            hard_linked: false,
        }
    }

    /// The last entry that was seen.
    pub fn finish(self) -> Option<Found> {
        let hard_linked = self.hard_linked;
        self.found.map(|found| Found {
            hard_linked,
            ..found
        })
    }
}

impl Visitor for Finder {
    fn part(&mut self, part: Part<'_>) -> Result<(), Error> {
        match part {
            Part::Entry(entry) => {
                self.inside =
                    entry.header.is_used_by_kernel() && leads_to(entry.name, &self.target);
                if self.inside {
                    self.hard_linked |=
                        entry.header.file_type() == FileType::Regular && entry.header.nlink > 1;
                    let size = entry.header.file_size as usize;
                    self.found = Some(Found {
                        number: entry.number,
                        member: entry.member,
                        header: entry.header,
                        name: entry.name.to_vec(),
                        body: (size <= self.keep).then(Vec::new),
                        hard_linked: false,
                    });
                }
            }
            Part::Trailer(_) => self.inside = false,
            Part::Body(bytes) if self.inside => {
                if let Some(body) = self.found.as_mut().and_then(|found| found.body.as_mut()) {
                    body.extend_from_slice(bytes);
                }
            }
            Part::Body(_) | Part::Filler(_) => {}
        }
        Ok(())
    }
}

/// Walks an image and looks for `name`.
///
/// # Errors
/// Those of [`walk`].
pub fn find<R: Read>(
    reader: R,
    name: &[u8],
    keep: usize,
) -> Result<(Layout, Option<Found>), Error> {
    let mut finder = Finder::new(name, keep);
    let layout = walk(reader, &mut finder)?;
    Ok((layout, finder.finish()))
}

/// Copies the body of the entry `number` to `out`, of whatever size it is.
///
/// Names that share their data are followed to the one that carries it, within their archive.
///
/// # Errors
/// Those of [`walk`], and those of writing.
pub fn copy_body<R: Read>(reader: R, found: &Found, out: &mut dyn Write) -> Result<(), Error> {
    let mut copier = Copier {
        number: found.number,
        inside: false,
        out,
    };
    walk(reader, &mut copier).map(drop)
}

/// The number of the entry that carries the data of `found`: itself, unless it is one of several
/// names and another of them has the data. Where more than one has, the kernel writes the last over the others.
///
/// # Errors
/// Those of [`walk`].
pub fn carrier<R: Read>(reader: R, found: &Found) -> Result<u64, Error> {
    if found.header.nlink < 2 || found.header.file_type() != FileType::Regular {
        return Ok(found.number);
    }
    let mut links = Links {
        key: key(&found.header),
        found: found.number,
        candidate: None,
        in_archive: false,
        settled: false,
    };
    walk(reader, &mut links)?;
    Ok(links.candidate.unwrap_or(found.number))
}

fn key(header: &Header) -> (u32, u32, u32) {
    (header.ino, header.dev_major, header.dev_minor)
}

/// Looks for the data of a set of hard links; a trailer ends the sets.
struct Links {
    key: (u32, u32, u32),
    found: u64,
    /// The last name with data, in the archive that holds `found` once that is settled.
    candidate: Option<u64>,
    in_archive: bool,
    settled: bool,
}

impl Visitor for Links {
    fn part(&mut self, part: Part<'_>) -> Result<(), Error> {
        match part {
            _ if self.settled => {}
            Part::Entry(entry) => {
                self.in_archive |= entry.number == self.found;
                if key(&entry.header) == self.key
                    && entry.header.file_type() == FileType::Regular
                    && entry.header.nlink > 1
                    && entry.header.file_size > 0
                {
                    self.candidate = Some(entry.number);
                }
            }
            Part::Trailer(_) if self.in_archive => self.settled = true,
            Part::Trailer(_) => self.candidate = None,
            _ => {}
        }
        Ok(())
    }
}

struct Copier<'a> {
    number: u64,
    inside: bool,
    out: &'a mut dyn Write,
}

impl Visitor for Copier<'_> {
    fn begin(&mut self, _: usize, _: u64, _: Compression) -> Result<(), Error> {
        self.inside = false;
        Ok(())
    }

    fn part(&mut self, part: Part<'_>) -> Result<(), Error> {
        match part {
            Part::Entry(entry) => self.inside = entry.number == self.number,
            Part::Trailer(_) => self.inside = false,
            Part::Body(bytes) if self.inside => self.out.write_all(bytes)?,
            Part::Body(_) | Part::Filler(_) => {}
        }
        Ok(())
    }

    fn end(&mut self, _: &Member) -> Result<(), Error> {
        self.inside = false;
        Ok(())
    }
}
