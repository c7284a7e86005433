//! The file system that the kernel builds from an image's entries, without the files' bytes.
//!
//! An entry's name alone does not show where its file ends up, or whether the file exists at all. A
//! folder in its path may not exist yet or may be a link, and a later entry may remove the file. The
//! kernel reports none of this. So this module applies each entry as `init/initramfs.c` does
//! (`do_name`, `do_symlink`, `maybe_link`, `clean_path`, from Linux 5.0 on), and resolves paths as
//! `fs/namei.c` does.

use std::collections::HashMap;

use super::Error;
use super::archive::Part;
use super::header::{FileType, Header};

/// Maximum length of a file's name within its folder.
const NAME_MAX: usize = 255;
/// Maximum number of symbolic links that the kernel follows on the way to one file.
const MAX_LINKS: u32 = 40;
/// Maximum number of bytes kept, counting names and [`NODE_LEN`] for each file. It is enough for some
/// 350,000 files; Docker's images have some thousand. An image with more was made to exhaust the memory.
const MAX_MEMORY: usize = 64 << 20;
/// Number of bytes counted for a file without its name.
const NODE_LEN: usize = 160;

/// Index of a file in [`Tree::nodes`].
type Id = usize;

/// Index of the root folder, which is its own parent.
const ROOT: Id = 0;

/// The effect of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The entry's file exists now, with its mode, and its bytes if it has any.
    Made,
    /// The entry has no file type, so the kernel removed the existing file.
    Removed,
    /// The kernel dropped the entry.
    Dropped(Reason),
}

/// The reason why the kernel drops an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Its name, target or body is longer than the kernel accepts, or its type may not have a body.
    PassedOver,
    /// A folder in its path does not exist at that point of the archive.
    NoFolder,
    /// A part of its path is not a folder at that point of the archive.
    NotAFolder,
    /// Its path has more symbolic links than the kernel follows.
    TooManyLinks,
    /// A part of its name is longer than 255 bytes.
    LongName,
    /// A folder that is not empty is in its place.
    FolderInPlace,
    /// Its name ends with a slash or dots, but it is not a folder.
    EndsLikeFolder,
    /// It is another name of a file that no longer exists under its first name.
    FirstNameGone,
}

impl Reason {
    /// Returns the clause that gives the reason in a sentence about a dropped entry.
    pub(crate) fn because(self) -> &'static str {
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

/// The file at a path after all entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FinalEntry {
    /// The number of the file. All names of one file have the same number.
    pub file: usize,
    /// The type of the file.
    pub file_type: FileType,
    /// The number of the entry that made the file or last wrote to it. `None` if the kernel made it itself.
    pub entry: Option<u64>,
    /// The number of its names.
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

/// Device, inode and file type. Entries with the same key and more than one link are one file.
type LinkKey = (u32, u32, u32, u32);

/// A symbolic link whose target has not been read yet.
#[derive(Debug)]
struct Pending {
    number: u64,
    header: Header,
    name: Vec<u8>,
    target: Vec<u8>,
}

/// The files that exist after the entries read so far.
#[derive(Debug)]
pub struct Tree {
    nodes: Vec<Node>,
    pending: Option<Pending>,
    /// The first name of each file whose header says that it has more than one name.
    first_names: HashMap<LinkKey, Box<[u8]>>,
    kept: usize,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

/// The result of resolving a path.
enum Lookup {
    /// A name in a folder. The file may not exist.
    Name {
        folder: Id,
        name: Vec<u8>,
        /// True if a slash follows the name, so that only a folder can match.
        slash: bool,
    },
    /// A folder, reached through `/`, `.` or `..`.
    Folder(Id),
}

impl Tree {
    /// Returns the files that exist before the first entry (`usr/default_cpio_list` in the kernel's source).
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

    /// Applies the next part of an image. Returns the effect of an entry as soon as it is known: for a
    /// symbolic link at the end of its target, for all others with the entry itself.
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

    /// Applies the entry `number`. `target` is the body of a symbolic link.
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
                // The kernel accepts an empty target (not before Linux 5.9). It leads to the folder around the link.
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

    /// Returns the file at `path`. Does not follow a link there.
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

    /// Resolves `path`. If its last part is a link, it is followed only if `follow` is set.
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

    /// Returns the file at `path`. Follows a link there only if a slash comes after it.
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

    /// `clean_path`: removes the file at `path`, unless it has the type `keep` or is a folder with files.
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
        // If `path` ends with a slash, `found` may be the target of a link, and a link can't be removed
        // as a folder.
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
            // The node stays even if it has no name left, since its index may still be in use.
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

    /// Returns the folder and the name for a new file. Fails if the file exists, as all system calls do
    /// that make one.
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

    /// Makes a device, pipe or socket. An existing one keeps its numbers and gets the new owner and mode.
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

    /// Makes a folder. An existing one gets the new owner and mode.
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

    /// `open` with `O_CREAT`: writes to a file. An existing one changes under all of its names.
    fn write(&mut self, path: &[u8], entry: Option<u64>) -> Result<(), Reason> {
        // The kernel refuses a name that only a folder may have before it looks the name up.
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

    /// `maybe_link`: makes `name` another name of an earlier file of this archive.
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
        // If `name` is the first name again, this removes the file.
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
    /// The name is the first or only one of its file.
    No,
    Yes,
    Failed(Reason),
}

/// Returns the bytes of a C string, which end before the first zero byte.
pub(crate) fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}
