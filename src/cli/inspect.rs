//! `baleen inspect`.

use std::io;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::backend::docker_desktop::initrd::image::Image;
use crate::error::{Error, Face, Failure, Hint, IoError, Kind, Result};
use crate::initrd::find::{copy_body, find, hard_link_data};
use crate::initrd::{
    self, Compression, Effect, Error as ImageError, FileType, Header, Member, Part, Tree, Visitor,
    display_name, until_nul, walk,
};

use super::output::{BOLD, DIM, Output, styled};

/// The reason why a boot image was not listed.
#[derive(Debug, thiserror::Error)]
enum InspectError {
    #[error("{} should be a boot image, but is a folder", path.display())]
    Folder {
        path: PathBuf,
        /// The boot image in it.
        image: Option<PathBuf>,
    },

    #[error("{} has no entry called {name}", image.display())]
    NoEntry { image: PathBuf, name: String },

    #[error("{name} is a {kind} and has no bytes of its own")]
    NoBytes { name: String, kind: &'static str },

    /// The kernel ignores the entry.
    #[error("in {}, {source}", image.display())]
    Ignored {
        image: PathBuf,
        source: initrd::Error,
    },

    #[error("{} can't be listed to its end: {source}", image.display())]
    Unreadable {
        image: PathBuf,
        source: initrd::Error,
    },
}

impl Failure for InspectError {
    fn kind(&self) -> Kind {
        match self {
            Self::Folder { .. } => Kind::Usage,
            Self::NoEntry { .. }
            | Self::NoBytes { .. }
            | Self::Ignored { .. }
            | Self::Unreadable { .. } => Kind::Unsupported,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Folder { .. } => "inspect-folder",
            Self::NoEntry { .. } => "inspect-no-entry",
            Self::NoBytes { .. } => "inspect-no-bytes",
            Self::Ignored { .. } => "inspect-ignored",
            Self::Unreadable { .. } => "inspect-unreadable",
        }
    }
}

impl Hint for InspectError {
    fn hint(&self, _face: Face) -> Option<String> {
        Some(match self {
            Self::Folder {
                image: Some(image), ..
            } => format!("name the boot image in it: {}", image.display()),
            Self::Folder { image: None, .. } => {
                "name a boot image, as in Docker.app/Contents/Resources/moby/initrd.img".to_owned()
            }
            Self::NoEntry { image, .. } => {
                format!("`baleen inspect {}` lists its entries", image.display())
            }
            Self::Ignored { image, .. } => format!(
                "`baleen inspect {}` says of each entry whether the kernel ignores it",
                image.display()
            ),
            Self::NoBytes { .. } | Self::Unreadable { .. } => return None,
        })
    }
}

/// `baleen inspect`.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The boot image, for example Docker.app/Contents/Resources/moby/initrd.img
    pub(super) image: PathBuf,
    /// Print this file as the kernel would unpack it, including passwords
    #[arg(long, value_name = "NAME")]
    pub(super) entry: Option<String>,
}

pub(super) fn run(args: &InspectArgs, out: &mut Output) -> Result<u8> {
    let path = args
        .image
        .canonicalize()
        .map_err(|error| IoError::new("read", &args.image, error))?;
    if path.is_dir() {
        let inside = path.join("Contents/Resources/moby/initrd.img");
        let image = Some(inside).filter(|inside| inside.is_file());
        return Err(InspectError::Folder { path, image }.into());
    }
    let image = Image::open(&path)?;
    match &args.entry {
        Some(name) => entry(&image, name, out)?,
        None => list(&image, out)?,
    }
    Ok(0)
}

/// Prints one file's bytes.
fn entry(image: &Image, name: &str, out: &mut Output) -> Result<()> {
    let in_image = |error: ImageError| refused(image, error);
    let (_, found) = find(image.section(), name.as_bytes(), 0).map_err(in_image)?;
    let Some(mut found) = found else {
        return Err(InspectError::NoEntry {
            image: image.path().to_owned(),
            name: name.to_owned(),
        }
        .into());
    };
    let kind = found.header.file_type();
    if !matches!(kind, FileType::Regular | FileType::Symlink) {
        return Err(InspectError::NoBytes {
            name: name.to_owned(),
            kind: kind.name(),
        }
        .into());
    }
    found.number = hard_link_data(image.section(), &found).map_err(in_image)?;
    let mut writer = Raw {
        out,
        // The kernel reads a link's target up to the first NUL; some writers pad it with NULs.
        ends_at_nul: kind == FileType::Symlink,
        ended: false,
    };
    match copy_body(image.section(), &found, &mut writer) {
        Err(_) if out.is_closed() => Ok(()),
        copied => copied.map_err(in_image),
    }
}

/// A writer that passes bytes on unchanged.
struct Raw<'a> {
    out: &'a mut Output,
    ends_at_nul: bool,
    ended: bool,
}

impl io::Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.ended {
            return Ok(bytes.len());
        }
        let shown = if self.ends_at_nul {
            until_nul(bytes)
        } else {
            bytes
        };
        self.ended = shown.len() < bytes.len();
        self.out.raw(shown).map_err(io::Error::other)?;
        if self.out.is_closed() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn list(image: &Image, out: &mut Output) -> Result<()> {
    let mut lister = Lister {
        out,
        tree: Tree::new(),
        link: None,
        entries: Vec::new(),
    };
    let layout = walk(image.section(), &mut lister).map_err(|error| refused(image, error));
    let entries = lister.entries;
    let layout = match layout {
        // The reader wants no more output.
        Err(_) if out.is_closed() => return Ok(()),
        layout => layout?,
    };
    out.line(format!(
        "{} {} bytes, {} members, {} entries, {} bytes unpacked",
        styled(BOLD, "image"),
        layout.length,
        layout.members.len(),
        layout.entries(),
        layout.unpacked()
    ))?;
    let patched = image.patched()?;
    if let Some(manifest) = patched.manifest() {
        out.line(format!(
            "patched by Baleen {} ({}): the engine gets {}; without the patch {} bytes, sha256 {}",
            manifest.baleen,
            manifest.method,
            manifest.proxy.summary(),
            manifest.original.bytes,
            manifest.original.sha256
        ))?;
    }
    let members: Vec<Value> = layout.members.iter().map(member_json).collect();
    out.object(json!({
        "image": { "path": image.path(), "bytes": layout.length, "unpacked": layout.unpacked() },
        "members": members,
        "entries": entries,
        "patch": patched.manifest(),
    }))
}

fn member_json(member: &Member) -> Value {
    json!({
        "offset": member.offset,
        "bytes": member.length,
        "compression": member.compression,
        "unpacked": member.unpacked,
        "entries": member.entries,
        "trailer": member.has_trailer,
        "padding": member.padding,
    })
}

/// Returns the error for a boot image that can't be read.
fn refused(image: &Image, error: initrd::Error) -> Error {
    let path = image.path().to_owned();
    match error {
        initrd::Error::Io(error) => IoError::new("read", &path, error).into(),
        source @ initrd::Error::Dropped { .. } => InspectError::Ignored {
            image: path,
            source,
        }
        .into(),
        source => InspectError::Unreadable {
            image: path,
            source,
        }
        .into(),
    }
}

/// A visitor that prints each entry when it is read.
struct Lister<'a> {
    out: &'a mut Output,
    tree: Tree,
    /// A symbolic link whose target has not been read yet.
    link: Option<(Listed, Vec<u8>)>,
    entries: Vec<Value>,
}

struct Listed {
    header: Header,
    name: String,
    member: usize,
    effect: Effect,
}

impl Visitor for Lister<'_> {
    fn begin(
        &mut self,
        number: usize,
        offset: u64,
        compression: Compression,
    ) -> std::result::Result<(), ImageError> {
        let heading = styled(BOLD, format!("member {}", number + 1));
        self.line(format!(
            "{heading} at byte {offset}, compression {}",
            compression.name()
        ))
    }

    fn part(&mut self, part: Part<'_>) -> std::result::Result<(), ImageError> {
        let effect = self.tree.part(&part)?;
        match part {
            Part::Entry(entry) => {
                let listed = Listed {
                    header: entry.header,
                    name: display_name(entry.name),
                    member: entry.member,
                    effect: effect.unwrap_or(Effect::Made),
                };
                match effect {
                    Some(_) => self.list(&listed, None)?,
                    None => self.link = Some((listed, Vec::new())),
                }
            }
            Part::Body(bytes) => {
                if let Some((_, target)) = &mut self.link {
                    target.extend_from_slice(bytes);
                }
                if let Some(effect) = effect
                    && let Some((listed, target)) = self.link.take()
                {
                    let target = display_name(until_nul(&target));
                    self.list(&Listed { effect, ..listed }, Some(target))?;
                }
            }
            Part::Trailer(_) | Part::Filler(_) => {}
        }
        Ok(())
    }

    fn end(&mut self, member: &Member) -> std::result::Result<(), ImageError> {
        self.line(styled(
            DIM,
            format!(
                "member {} has {} bytes, {} unpacked, {} entries, {}",
                member.number + 1,
                member.length,
                member.unpacked,
                member.entries,
                if member.has_trailer {
                    "a trailer"
                } else {
                    "no trailer"
                }
            ),
        ))
    }
}

impl Lister<'_> {
    fn list(
        &mut self,
        listed: &Listed,
        target: Option<String>,
    ) -> std::result::Result<(), ImageError> {
        let header = &listed.header;
        let ignored = match listed.effect {
            Effect::Made => None,
            Effect::Removed => Some("it has no file type and removes what is there"),
            Effect::Dropped(reason) => Some(reason.because()),
        };
        if self.out.is_json() {
            self.entries.push(json!({
                "name": listed.name,
                "member": listed.member,
                "type": header.file_type().name(),
                "mode": format!("{:04o}", header.mode & 0o7777),
                "uid": header.uid,
                "gid": header.gid,
                "bytes": header.file_size,
                "links": header.nlink,
                "mtime": header.mtime,
                "device": [header.rdev_major, header.rdev_minor],
                "target": target,
                "ignored_by_kernel": ignored.is_some(),
                "ignored_because": ignored,
            }));
            return Ok(());
        }
        let size = match header.file_type() {
            FileType::CharDevice | FileType::BlockDevice => {
                format!("{}, {}", header.rdev_major, header.rdev_minor)
            }
            _ => header.file_size.to_string(),
        };
        let target = target
            .map(|target| format!(" -> {target}"))
            .unwrap_or_default();
        let remark = ignored
            .map(|why| format!("  (ignored by the kernel: {why})"))
            .unwrap_or_default();
        self.line(format!(
            "{} {:>3} {:>5} {:>5} {size:>10} {}{target}{remark}",
            mode_string(header),
            header.nlink,
            header.uid,
            header.gid,
            listed.name
        ))
    }

    fn line(&mut self, text: String) -> std::result::Result<(), ImageError> {
        self.out
            .line(text)
            .map_err(|error| ImageError::Io(io::Error::other(error)))?;
        if self.out.is_closed() {
            return Err(ImageError::Io(io::ErrorKind::BrokenPipe.into()));
        }
        Ok(())
    }
}

/// Returns type and permissions as `ls -l` shows them.
fn mode_string(header: &Header) -> String {
    let bit = |mask: u32| header.mode & mask != 0;
    let mut text = String::from(header.file_type().letter());
    for (shift, special, with, without) in [
        (6, 0o4000, 's', 'S'),
        (3, 0o2000, 's', 'S'),
        (0, 0o1000, 't', 'T'),
    ] {
        text.push(if bit(4 << shift) { 'r' } else { '-' });
        text.push(if bit(2 << shift) { 'w' } else { '-' });
        text.push(match (bit(special), bit(1 << shift)) {
            (true, true) => with,
            (true, false) => without,
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_look_as_in_ls() {
        for (mode, text) in [
            (0o100_755, "-rwxr-xr-x"),
            (0o104_755, "-rwsr-xr-x"),
            (0o102_644, "-rw-r-Sr--"),
            (0o041_777, "drwxrwxrwt"),
            (0o120_777, "lrwxrwxrwx"),
            (0o020_600, "crw-------"),
        ] {
            let mut bytes = [b'0'; initrd::header::HEADER_LEN];
            bytes[..6].copy_from_slice(b"070701");
            bytes[14..22].copy_from_slice(format!("{mode:08x}").as_bytes());
            let header = Header::parse(&bytes, 0, 0).unwrap();
            assert_eq!(mode_string(&header), text);
        }
    }
}
