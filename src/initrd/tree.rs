//! The file system that the kernel builds out of an image's entries, without the files' bytes.
//!
//! An entry's name alone does not say where its file ends up, or whether there is one at all: a
//! folder in its path may not exist yet, or be a link, and a later entry may take the file away
//! again. The kernel says nothing in all of these cases. So each entry is carried out here as
//! `init/initramfs.c` does it (`do_name`, `do_symlink`, `maybe_link`, `clean_path`, from Linux 5.0 on),
//! and paths are resolved as in `fs/namei.c`.

use std::collections::HashMap;

use super::Error;
use super::archive::Part;
use super::header::{FileType, Header};

/// The longest name of a file within its folder.
const NAME_MAX: usize = 255;
/// So many symbolic links are followed on the way to one file.
const MAX_LINKS: u32 = 40;
/// So many bytes of names may be kept, with [`NODE_LEN`] for each file: enough for some 350,000 files,
/// where Docker's images have some thousand. An image with more was made to exhaust the memory.
const MAX_MEMORY: usize = 64 << 20;
/// Bytes of memory for a file without its name.
const NODE_LEN: usize = 160;

/// Index of a file in [`Tree::nodes`].
type Id = usize;

/// The root folder's index; it is its own parent.
const ROOT: Id = 0;

/// What one entry came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The file that it names is there now, with its mode, and its bytes if it has any.
    Made,
    /// It has no file type, so the kernel removed what was there.
    Removed,
    /// The kernel made nothing of it.
    Dropped(Reason),
}

/// Why the kernel makes nothing of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Its name, target or body is longer than the kernel takes, or it has a body and may not have one.
    PassedOver,
    /// A folder in its path does not exist when it comes.
    NoFolder,
    /// Something in its path is not a folder when it comes.
    NotAFolder,
    /// More symbolic links are in its path than the kernel follows.
    TooManyLinks,
    /// A part of its name is longer than a file's name may be.
    LongName,
    /// A folder that is not empty is in its place.
    FolderInPlace,
    /// Its name ends with a slash or dots, and it is not a folder.
    EndsLikeFolder,
    /// It is another name of a file that is not there under its first name.
    FirstNameGone,
}

impl Reason {
    /// The rest of a sentence that says that the kernel drops an entry.
    pub fn because(self) -> &'static str {
        match self {
            Self::PassedOver => "it has a size that the kernel does not take",
            Self::NoFolder => "a folder in its path does not exist at that point of the archive",
            Self::NotAFolder => {
                "something in its path is not a folder at that point of the archive"
            }
            Self::TooManyLinks => "there are too many symbolic links in its path",
            Self::LongName => "a part of its name is longer than 255 bytes",
            Self::FolderInPlace => "a folder that is not empty is in its place",
            Self::EndsLikeFolder => "its name ends as only a folder's may",
            Self::FirstNameGone => {
                "it is another name of a file that is not there under its first name"
            }
        }
    }
}

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FinalEntry {
    /// Which file it is: all names of one file have the same number.
    pub file: usize,
    /// What kind of file it is.
    pub file_type: FileType,
    /// The number of the entry that made it or last wrote to it; nothing where the kernel made it by itself.
    pub entry: Option<u64>,
    /// How many names it has.
    pub names: u32,
}

#[derive(Debug)]
enum Kind {
    Folder {
        parent: Id,
        children: HashMap<Box<[u8]>, Id>,
    },
    Link(Box<[u8]>),
    Other(FileType),
}

#[derive(Debug)]
struct Node {
    kind: Kind,
    entry: Option<u64>,
    names: u32,
}

/// Device, inode and file type: names with the same of these, and more than one link, are one file.
type LinkKey = (u32, u32, u32, u32);

/// A symbolic link whose target is still to come.
#[derive(Debug)]
struct Pending {
    number: u64,
    header: Header,
    name: Vec<u8>,
    target: Vec<u8>,
}

/// The files that there are after some entries.
#[derive(Debug)]
pub struct Tree {
    nodes: Vec<Node>,
    pending: Option<Pending>,
    /// The first name of each file that says it has more than one.
    first_names: HashMap<LinkKey, Box<[u8]>>,
    kept: usize,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a path leads.
enum Lookup {
    /// To a name in a folder, whether or not there is such a file.
    Name {
        folder: Id,
        name: Vec<u8>,
        /// A slash follows, so only a folder will do.
        slash: bool,
    },
    /// To a folder by way of `/`, `.` or `..`.
    Folder(Id),
}

impl Tree {
    /// The files that are there before the first entry (`usr/default_cpio_list` in the kernel's source).
    pub fn new() -> Self {
        let mut tree = Self {
            nodes: vec![Node {
                kind: Kind::Folder {
                    parent: ROOT,
                    children: HashMap::new(),
                },
                entry: None,
                names: 1,
            }],
            pending: None,
            first_names: HashMap::new(),
            kept: 0,
        };
        for (name, file_type) in [
            (&b"dev"[..], FileType::Directory),
            (b"dev/console", FileType::CharDevice),
            (b"root", FileType::Directory),
        ] {
            let made = match file_type {
                FileType::Directory => tree.make_folder(name, None),
                _ => tree.make(name, Kind::Other(file_type), None),
            };
            debug_assert!(made.is_ok());
        }
        tree
    }

    /// Takes the next part of an image. Returns what an entry came to once all of it is known: for a
    /// symbolic link that is with the end of its target, for all others with the entry itself.
    ///
    /// # Errors
    /// [`Error::TooManyFiles`].
    pub fn part(&mut self, part: &Part<'_>) -> Result<Option<Effect>, Error> {
        match part {
            Part::Entry(entry) => {
                self.pending = None;
                let header = &entry.header;
                if header.file_type() == FileType::Symlink
                    && header.is_used_by_kernel()
                    && header.file_size > 0
                {
                    self.pending = Some(Pending {
                        number: entry.number,
                        header: *header,
                        name: entry.name.to_vec(),
                        target: Vec::with_capacity(header.file_size as usize),
                    });
                    return Ok(None);
                }
                self.entry(entry.number, header, entry.name, b"").map(Some)
            }
            Part::Body(bytes) => {
                let Some(pending) = &mut self.pending else {
                    return Ok(None);
                };
                pending.target.extend_from_slice(bytes);
                if pending.target.len() < pending.header.file_size as usize {
                    return Ok(None);
                }
                match self.pending.take() {
                    Some(link) => self
                        .entry(link.number, &link.header, &link.name, &link.target)
                        .map(Some),
                    None => Ok(None),
                }
            }
            Part::Trailer(_) => {
                self.trailer();
                Ok(None)
            }
            Part::Filler(_) => Ok(None),
        }
    }

    /// Carries out the entry `number`. `target` is the body of a symbolic link.
    ///
    /// # Errors
    /// [`Error::TooManyFiles`].
    pub fn entry(
        &mut self,
        number: u64,
        header: &Header,
        name: &[u8],
        target: &[u8],
    ) -> Result<Effect, Error> {
        if !header.is_used_by_kernel() {
            return Ok(Effect::Dropped(Reason::PassedOver));
        }
        let number = Some(number);
        let made = match header.file_type() {
            FileType::Unknown => {
                self.clean(name, None);
                return Ok(Effect::Removed);
            }
            FileType::Regular => {
                self.clean(name, Some(FileType::Regular));
                match self.other_name(header, name, number) {
                    Linked::No | Linked::Yes => self.write(name, number),
                    Linked::Failed(reason) => Err(reason),
                }
            }
            FileType::Directory => {
                self.clean(name, Some(FileType::Directory));
                self.make_folder(name, number)
            }
            FileType::Symlink => {
                self.clean(name, None);
                // An empty target is taken (before Linux 5.9 it is not), and leads to the folder around the link.
                let target = until_nul(target);
                if target.len() >= super::PATH_MAX as usize {
                    Err(Reason::PassedOver)
                } else {
                    self.make(name, Kind::Link(target.into()), number)
                }
            }
            special => {
                self.clean(name, Some(special));
                match self.other_name(header, name, number) {
                    Linked::No => self.make_special(name, special, number),
                    Linked::Yes => Ok(()),
                    Linked::Failed(reason) => Err(reason),
                }
            }
        };
        if self.kept > MAX_MEMORY {
            return Err(Error::TooManyFiles);
        }
        Ok(made.map_or_else(Effect::Dropped, |()| Effect::Made))
    }

    /// Forgets the hard links, as the kernel does at the end of an archive.
    pub fn trailer(&mut self) {
        for name in self.first_names.values() {
            self.kept -= NODE_LEN + name.len();
        }
        self.first_names.clear();
    }

    /// What is at `path`; a link there is not followed.
    pub fn at(&self, path: &[u8]) -> Option<FinalEntry> {
        let id = self.stat(path).ok()?;
        let node = &self.nodes[id];
        Some(FinalEntry {
            file: id,
            file_type: self.file_type(id),
            entry: node.entry,
            names: node.names,
        })
    }

    fn file_type(&self, id: Id) -> FileType {
        match self.nodes[id].kind {
            Kind::Folder { .. } => FileType::Directory,
            Kind::Link(_) => FileType::Symlink,
            Kind::Other(file_type) => file_type,
        }
    }

    fn child(&self, folder: Id, name: &[u8]) -> Option<Id> {
        match &self.nodes[folder].kind {
            Kind::Folder { children, .. } => children.get(name).copied(),
            _ => None,
        }
    }

    /// Follows `path` to its last part, which is followed as well where it is a link and `follow` is set.
    fn resolve(&self, path: &[u8], follow: bool) -> Result<Lookup, Reason> {
        if path.is_empty() {
            return Err(Reason::NoFolder);
        }
        let mut here = ROOT;
        let mut rest = path.to_vec();
        let mut links = 0;
        loop {
            let slashes = rest.iter().take_while(|&&byte| byte == b'/').count();
            let end = rest[slashes..]
                .iter()
                .position(|&byte| byte == b'/')
                .map_or(rest.len(), |length| slashes + length);
            let name = rest[slashes..end].to_vec();
            let after = rest[end..].to_vec();
            let is_last = after.iter().all(|&byte| byte == b'/');
            match &*name {
                b"" => return Ok(Lookup::Folder(here)),
                b"." => {}
                b".." => {
                    if let Kind::Folder { parent, .. } = self.nodes[here].kind {
                        here = parent;
                    }
                }
                name => {
                    let slash = !after.is_empty();
                    let found = self.child(here, name);
                    let link = found.and_then(|id| match &self.nodes[id].kind {
                        Kind::Link(target) => Some(target),
                        _ => None,
                    });
                    match (found, link) {
                        (Some(_), Some(target)) if !is_last || follow => {
                            links += 1;
                            if links > MAX_LINKS {
                                return Err(Reason::TooManyLinks);
                            }
                            if target.starts_with(b"/") {
                                here = ROOT;
                            }
                            rest = [&target[..], &after].concat();
                            continue;
                        }
                        _ if is_last => {
                            let name = name.to_vec();
                            return Ok(Lookup::Name {
                                folder: here,
                                name,
                                slash,
                            });
                        }
                        (Some(id), _) if self.file_type(id) == FileType::Directory => here = id,
                        (Some(_), _) => return Err(Reason::NotAFolder),
                        (None, _) if name.len() > NAME_MAX => return Err(Reason::LongName),
                        (None, _) => return Err(Reason::NoFolder),
                    }
                }
            }
            if is_last {
                return Ok(Lookup::Folder(here));
            }
            rest = after;
        }
    }

    /// The file at `path`; a link there is followed only where a slash comes after it.
    fn stat(&self, path: &[u8]) -> Result<Id, Reason> {
        let follow = path.ends_with(b"/");
        match self.resolve(path, follow)? {
            Lookup::Folder(id) => Ok(id),
            Lookup::Name {
                folder,
                name,
                slash,
            } => match self.child(folder, &name) {
                Some(id) if slash && self.file_type(id) != FileType::Directory => {
                    Err(Reason::NotAFolder)
                }
                Some(id) => Ok(id),
                None => Err(Reason::NoFolder),
            },
        }
    }

    /// `clean_path`: what is at `path` goes unless it is of the type `keep`, or a folder with files in it.
    fn clean(&mut self, path: &[u8], keep: Option<FileType>) {
        let Ok(found) = self.stat(path) else { return };
        let found_type = self.file_type(found);
        if Some(found_type) == keep {
            return;
        }
        let Ok(Lookup::Name {
            folder,
            name,
            slash,
        }) = self.resolve(path, false)
        else {
            return;
        };
        // Behind a slash it may be where a link leads, and a link is no folder to be removed.
        let Some(id) = self.child(folder, &name) else {
            return;
        };
        let may_go = match &self.nodes[id].kind {
            Kind::Folder { children, .. } => {
                found_type == FileType::Directory && children.is_empty()
            }
            _ => found_type != FileType::Directory && !slash,
        };
        if may_go {
            self.unlink(folder, &name);
        }
    }

    fn unlink(&mut self, folder: Id, name: &[u8]) {
        if let Kind::Folder { children, .. } = &mut self.nodes[folder].kind
            && let Some(id) = children.remove(name)
        {
            // The node itself stays, for nothing: its index may be anybody's.
            self.nodes[id].names -= 1;
        }
    }

    fn insert(&mut self, folder: Id, name: &[u8], id: Id) {
        if let Kind::Folder { children, .. } = &mut self.nodes[folder].kind {
            children.insert(name.into(), id);
            self.kept += NODE_LEN + name.len();
        }
    }

    fn add(&mut self, folder: Id, name: &[u8], kind: Kind, entry: Option<u64>) -> Id {
        if let Kind::Link(target) = &kind {
            self.kept += target.len();
        }
        let id = self.nodes.len();
        self.nodes.push(Node {
            kind,
            entry,
            names: 1,
        });
        self.insert(folder, name, id);
        id
    }

    /// A place where there is no file yet, as for all calls that make one.
    fn free(&self, path: &[u8], is_folder: bool) -> Result<(Id, Vec<u8>), Reason> {
        match self.resolve(path, false)? {
            Lookup::Folder(_) => Err(Reason::EndsLikeFolder),
            Lookup::Name {
                folder,
                name,
                slash,
            } => {
                if self.child(folder, &name).is_some() {
                    Err(Reason::FolderInPlace)
                } else if slash && !is_folder {
                    Err(Reason::EndsLikeFolder)
                } else if name.len() > NAME_MAX {
                    Err(Reason::LongName)
                } else {
                    Ok((folder, name))
                }
            }
        }
    }

    fn make(&mut self, path: &[u8], kind: Kind, entry: Option<u64>) -> Result<(), Reason> {
        let (folder, name) = self.free(path, false)?;
        self.add(folder, &name, kind, entry);
        Ok(())
    }

    /// A device, pipe or socket. One that is there keeps its numbers and gets the new owner and mode.
    fn make_special(
        &mut self,
        path: &[u8],
        file_type: FileType,
        entry: Option<u64>,
    ) -> Result<(), Reason> {
        match self.stat(path) {
            Ok(id) if self.file_type(id) == file_type => {
                self.nodes[id].entry = entry;
                Ok(())
            }
            _ => self.make(path, Kind::Other(file_type), entry),
        }
    }

    /// A folder. One that is there gets the new owner and mode.
    fn make_folder(&mut self, path: &[u8], entry: Option<u64>) -> Result<(), Reason> {
        if let Ok(id) = self.stat(path)
            && self.file_type(id) == FileType::Directory
        {
            self.nodes[id].entry = entry;
            return Ok(());
        }
        let (folder, name) = self.free(path, true)?;
        let children = HashMap::new();
        let kind = Kind::Folder {
            parent: folder,
            children,
        };
        self.add(folder, &name, kind, entry);
        Ok(())
    }

    /// `open` with `O_CREAT`: a file that is there is written to, under all of its names.
    fn write(&mut self, path: &[u8], entry: Option<u64>) -> Result<(), Reason> {
        // A name that only a folder may have is refused before it is looked up.
        let Lookup::Name {
            folder,
            name,
            slash: false,
        } = self.resolve(path, true)?
        else {
            return Err(Reason::EndsLikeFolder);
        };
        match self.child(folder, &name) {
            Some(id) => match self.file_type(id) {
                FileType::Regular => self.nodes[id].entry = entry,
                _ => return Err(Reason::FolderInPlace),
            },
            None if name.len() > NAME_MAX => return Err(Reason::LongName),
            None => {
                self.add(folder, &name, Kind::Other(FileType::Regular), entry);
            }
        }
        Ok(())
    }

    /// `maybe_link`: makes `name` another name of a file that was there before in this archive.
    fn other_name(&mut self, header: &Header, name: &[u8], entry: Option<u64>) -> Linked {
        if header.nlink < 2 {
            return Linked::No;
        }
        let key = (
            header.dev_major,
            header.dev_minor,
            header.ino,
            header.mode & 0o170_000,
        );
        let Some(first) = self.first_names.get(&key).cloned() else {
            self.first_names.insert(key, name.into());
            self.kept += NODE_LEN + name.len();
            return Linked::No;
        };
        // Where this is the first name once more, the file is lost with that.
        self.clean(name, None);
        let linked = match self.stat(&first) {
            Ok(id) if self.file_type(id) != FileType::Directory => {
                self.free(name, false).map(|(folder, name)| {
                    self.insert(folder, &name, id);
                    self.nodes[id].names += 1;
                    self.nodes[id].entry = entry;
                })
            }
            _ => Err(Reason::FirstNameGone),
        };
        linked.map_or_else(Linked::Failed, |()| Linked::Yes)
    }
}

enum Linked {
    /// It is the first or only name.
    No,
    Yes,
    Failed(Reason),
}

/// The bytes of a C string.
pub(crate) fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}
