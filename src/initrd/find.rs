//! The search for the file that a name leads to after the kernel unpacked the whole image.

use std::io::{Read, Write};

use super::archive::{Entry, Part};
use super::header::{FileType, Header};
use super::name::{display, normalise, same_path};
use super::tree::{Effect, FinalEntry, Tree};
use super::walk::{Compression, Layout, Member, Visitor, walk};
use super::{DropReason, Error};

/// The entry that made the file at a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its number among all entries of the image.
    pub number: u64,
    /// The number of its member.
    pub member: usize,
    /// The fields of its header.
    pub header: Header,
    /// The name, exactly as in the archive.
    pub name: Vec<u8>,
    /// The body. `None` if it is longer than the finder's `keep`.
    pub body: Option<Vec<u8>>,
    /// True if this or an earlier entry of the name shares its data with other names, so that a change
    /// to it may change those too.
    pub hard_linked: bool,
}

/// The result of the search for one name.
#[derive(Debug)]
pub(crate) struct Sought {
    /// The last entry with the name, if there is one. An error if the kernel drops it, or a later
    /// entry removes its file.
    pub found: Result<Option<Found>, Error>,
    /// The file at that path after all entries, whichever entry made it.
    pub standing: Option<FinalEntry>,
    /// The number of the last entry that has the name or made the file at the path.
    pub last: Option<u64>,
}

/// A [`Visitor`] that looks for the files that some names lead to after all entries.
#[derive(Debug)]
pub(crate) struct Finder {
    tree: Tree,
    /// The name of the current or latest entry.
    name: Vec<u8>,
    targets: Vec<Target>,
}

/// One name to look for.
#[derive(Debug)]
struct Target {
    path: Vec<u8>,
    keep: usize,
    /// The last entry with the name that the kernel does not skip.
    found: Option<Found>,
    inside: bool,
    hard_linked: bool,
    /// The fate of that entry's file.
    fate: Verdict,
}

#[derive(Debug)]
enum Verdict {
    /// The entry's effect is not known yet, since a link's target is still to come.
    Open,
    /// The entry made this file.
    Made(usize),
    /// The entry or a later one left another file, or none, at the path. Holds the reason.
    Lost(DropReason),
}

impl Target {
    /// Updates the verdict after an entry had `effect`.
    fn settle(&mut self, effect: Effect, tree: &Tree, name: &[u8]) {
        let is_own = self.inside && matches!(self.fate, Verdict::Open);
        let standing = tree.at(&self.path);
        match self.fate {
            Verdict::Open if is_own => {
                self.fate = match (effect, standing) {
                    (Effect::Made, Some(standing)) => Verdict::Made(standing.file),
                    // A folder in its path is a link to another place.
                    (Effect::Made, None) => Verdict::Lost(DropReason::Elsewhere),
                    (Effect::Removed, _) => Verdict::Lost(DropReason::NoFileType),
                    (Effect::Dropped(reason), _) => {
                        Verdict::Lost(DropReason::Rule(reason.because()))
                    }
                };
            }
            Verdict::Made(file) if standing.is_none_or(|standing| standing.file != file) => {
                let name = display(name);
                self.fate = Verdict::Lost(DropReason::TakenAway { name });
            }
            _ => {}
        }
    }

    fn finish(self, tree: &Tree) -> Sought {
        let standing = tree.at(&self.path);
        let named = self.found.as_ref().map(|found| found.number);
        let last = named.max(standing.and_then(|standing| standing.entry));
        let hard_linked = self.hard_linked
            || standing.is_some_and(|s| s.file_type == FileType::Regular && s.names > 1);
        let found = self.found.map(|found| {
            let why = match self.fate {
                Verdict::Lost(why) => why,
                // If names share their data, the entry of another name may hold it.
                _ if !hard_linked && standing.and_then(|s| s.entry) != Some(found.number) => {
                    DropReason::OtherPath
                }
                _ => {
                    return Ok(Found {
                        hard_linked,
                        ..found
                    });
                }
            };
            Err(Error::Dropped {
                member: found.member,
                name: display(&found.name),
                why,
            })
        });
        Sought {
            found: found.transpose(),
            standing,
            last,
        }
    }
}

impl Finder {
    /// Creates a finder that looks for `name`, however its slashes and dots are written, and keeps a body
    /// of up to `keep` bytes.
    pub(crate) fn new(name: &[u8], keep: usize) -> Self {
        let finder = Self {
            tree: Tree::new(),
            name: Vec::new(),
            targets: Vec::new(),
        };
        finder.and(name, keep)
    }

    /// Adds `name` to the names that the finder looks for.
    #[must_use]
    pub(crate) fn and(mut self, name: &[u8], keep: usize) -> Self {
        self.targets.push(Target {
            path: normalise(name),
            keep,
            found: None,
            inside: false,
            hard_linked: false,
            fate: Verdict::Open,
        });
        self
    }

    /// Returns the result for each name, in the order in which the names were added.
    pub(crate) fn finish(self) -> Vec<Sought> {
        let Self { tree, targets, .. } = self;
        let finish = |target: Target| target.finish(&tree);
        targets.into_iter().map(finish).collect()
    }
}

impl Visitor for Finder {
    fn part(&mut self, part: Part<'_>) -> Result<(), Error> {
        match &part {
            Part::Entry(entry) => {
                self.name.clear();
                self.name.extend_from_slice(entry.name);
                for target in &mut self.targets {
                    target.begin(entry);
                }
            }
            Part::Trailer(_) => {
                for target in &mut self.targets {
                    target.inside = false;
                }
            }
            Part::Body(bytes) => {
                for target in self.targets.iter_mut().filter(|target| target.inside) {
                    let body = target.found.as_mut().and_then(|found| found.body.as_mut());
                    if let Some(body) = body {
                        body.extend_from_slice(bytes);
                    }
                }
            }
            Part::Filler(_) => {}
        }
        if let Some(effect) = self.tree.part(&part)? {
            for target in &mut self.targets {
                target.settle(effect, &self.tree, &self.name);
            }
        }
        Ok(())
    }
}

impl Target {
    fn begin(&mut self, entry: &Entry<'_>) {
        let header = &entry.header;
        self.inside = header.is_used_by_kernel() && same_path(entry.name, &self.path);
        if !self.inside {
            return;
        }
        self.hard_linked |= header.file_type() == FileType::Regular && header.nlink > 1;
        self.fate = Verdict::Open;
        self.found = Some(Found {
            number: entry.number,
            member: entry.member,
            header: *header,
            name: entry.name.to_vec(),
            body: (header.file_size as usize <= self.keep).then(Vec::new),
            hard_linked: false,
        });
    }
}

/// Walks an image and looks for `name`.
///
/// # Errors
/// Those of [`walk`], and [`Error::Dropped`] if an entry has the name but the kernel does not keep its
/// file.
pub fn find<R: Read>(
    reader: R,
    name: &[u8],
    keep: usize,
) -> Result<(Layout, Option<Found>), Error> {
    let (layout, sought) = find_all(reader, Finder::new(name, keep))?;
    let first = sought.into_iter().next().map(|sought| sought.found);
    Ok((layout, first.transpose()?.flatten()))
}

/// Walks an image and looks for all names of `finder`.
///
/// # Errors
/// Those of [`walk`].
pub(crate) fn find_all<R: Read>(
    reader: R,
    mut finder: Finder,
) -> Result<(Layout, Vec<Sought>), Error> {
    let layout = walk(reader, &mut finder)?;
    Ok((layout, finder.finish()))
}

/// Copies the body of the entry `found` to `out`, whatever its size.
///
/// Does not follow hard links: [`hard_link_data`] finds the entry that holds their data.
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

/// Returns the number of the entry that holds the data of `found`. That is `found` itself, unless it is
/// one of several names and another one has the data. If more than one has data, the kernel writes the
/// last over the others.
///
/// # Errors
/// Those of [`walk`].
pub fn hard_link_data<R: Read>(reader: R, found: &Found) -> Result<u64, Error> {
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

/// Looks for the data of a set of hard links. A trailer ends all sets.
struct Links {
    key: (u32, u32, u32),
    found: u64,
    /// The last entry of the set that has data, in the current archive. Once `settled`, that is the
    /// archive of `found`.
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
