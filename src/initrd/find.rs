//! What the kernel ends up with under one name.

use std::io::{Read, Write};

use super::Error;
use super::archive::{Entry, Part};
use super::header::{FileType, Header};
use super::name::{display, normalise, same_path};
use super::tree::{Effect, FinalEntry, Tree};
use super::walk::{Compression, Layout, Member, Visitor, walk};

/// The entry that the file under a name comes from.
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

/// What there is under one name.
#[derive(Debug)]
pub struct Sought {
    /// The entry that counts, if any has the name. An error where the kernel drops it, or a later
    /// entry takes its file away.
    pub found: Result<Option<Found>, Error>,
    /// What the kernel ends up with at that path, whatever entry it comes from.
    pub standing: Option<FinalEntry>,
    /// The number of the last entry that has the name or made what is there.
    pub last: Option<u64>,
}

/// A [`Visitor`] that looks for what the kernel ends up with under some names.
#[derive(Debug)]
pub struct Finder {
    tree: Tree,
    /// The name of the entry that comes now or came last.
    name: Vec<u8>,
    targets: Vec<Target>,
}

/// One name that is looked for.
#[derive(Debug)]
struct Target {
    path: Vec<u8>,
    keep: usize,
    /// The last entry with the name that the kernel does not pass over.
    found: Option<Found>,
    inside: bool,
    hard_linked: bool,
    /// What that entry came to.
    fate: Verdict,
}

#[derive(Debug)]
enum Verdict {
    /// Its target is still to come.
    Open,
    /// It made this file.
    Made(usize),
    /// It or a later entry left another file, or none, in its place.
    Lost(String),
}

impl Target {
    /// An entry came to `effect`.
    fn settle(&mut self, effect: Effect, tree: &Tree, name: &[u8]) {
        let is_own = self.inside && matches!(self.fate, Verdict::Open);
        let standing = tree.at(&self.path);
        match self.fate {
            Verdict::Open if is_own => {
                self.fate = match (effect, standing) {
                    (Effect::Made, Some(standing)) => Verdict::Made(standing.file),
                    // Through a link that has the name of a folder in its path.
                    (Effect::Made, None) => Verdict::Lost("it comes to stand elsewhere".to_owned()),
                    (Effect::Removed, _) => {
                        Verdict::Lost("without a file type it removes what is there".to_owned())
                    }
                    (Effect::Dropped(reason), _) => Verdict::Lost(reason.because().to_owned()),
                };
            }
            Verdict::Made(file) if standing.is_none_or(|standing| standing.file != file) => {
                let name = display(name);
                self.fate =
                    Verdict::Lost(format!("the entry '{name}' behind it takes its place away"));
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
                // Of names that share their data, another one may carry it.
                _ if !hard_linked && standing.and_then(|s| s.entry) != Some(found.number) => {
                    "a later entry writes to the same file by another path".to_owned()
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
    /// Looks for `name`, however its slashes and dots are written, and keeps a body of up to `keep` bytes.
    pub fn new(name: &[u8], keep: usize) -> Self {
        let finder = Self {
            tree: Tree::new(),
            name: Vec::new(),
            targets: Vec::new(),
        };
        finder.and(name, keep)
    }

    /// Looks for `name` as well.
    #[must_use]
    pub fn and(mut self, name: &[u8], keep: usize) -> Self {
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

    /// What there is under each of the names, in the order in which they were given.
    pub fn finish(self) -> Vec<Sought> {
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
/// Those of [`walk`], and [`Error::Dropped`] where an entry has the name and the kernel does not keep its file.
pub fn find<R: Read>(
    reader: R,
    name: &[u8],
    keep: usize,
) -> Result<(Layout, Option<Found>), Error> {
    let (layout, sought) = find_all(reader, Finder::new(name, keep))?;
    let first = sought.into_iter().next().map(|sought| sought.found);
    Ok((layout, first.transpose()?.flatten()))
}

/// Walks an image and looks for all that `finder` is to find.
///
/// # Errors
/// Those of [`walk`].
pub fn find_all<R: Read>(reader: R, mut finder: Finder) -> Result<(Layout, Vec<Sought>), Error> {
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
