//! *rebuild*: rewrites the member that holds a file. Only that file's body changes, and one file is
//! added. Everything else keeps its bytes, including headers, and its order.
//!
//! Deflating is the slow part, so all cores share it. The member's bytes are cut into chunks. Each
//! chunk is deflated separately, with the 32 KiB before it as its dictionary. The results are joined
//! into one gzip member (as `pigz` does).
//!
//! The added file gets its own chunk without a dictionary. The gzip header of the image's first
//! member gets a label as its file name, and the label holds the offset of that chunk. So
//! [`find_added`] can read the file without unpacking the bytes before it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;

use super::Error;
use super::archive::{Archive, Part};
use super::gzip::{self, GzipHeader};
use super::header;
use super::source::{Buffered, ByteSource, FileRange, ProgressReader};
use super::walk::{Compression, Layout, Member};

mod deflate;
mod label;
mod verify;

use deflate::deflate;
use label::label;
pub use label::{Start, find_added};
pub use verify::compare;

/// The changes that a rebuild makes.
#[derive(Debug)]
pub struct Edit<'a> {
    /// The number of the entry that gets a new body.
    pub entry: u64,
    /// The new body.
    pub body: &'a [u8],
    /// The entry to add: a whole one, as [`super::append::entry`] makes it.
    pub added: &'a [u8],
    /// The number of the entry whose archive gets the added entry, at its end and before its
    /// trailer. So the added entry comes after every entry for its name up to that point.
    pub after: u64,
    /// The label that the first gzip header gets, together with the offset of the added entry.
    pub label: &'a str,
}

impl Edit<'_> {
    /// Returns whether the edit changes an entry of `member` or adds one to it.
    fn concerns(&self, member: &Member) -> bool {
        member.holds(self.entry) || member.holds(self.after)
    }
}

/// Writes the image `original`, with the changes of `edit`, to `out`. `layout` is the layout of
/// `original`. `progress` receives the number of bytes of the original that are done.
///
/// # Errors
/// When reading or writing fails.
pub fn rebuild(
    original: &File,
    layout: &Layout,
    edit: &Edit<'_>,
    out: &mut File,
    progress: &dyn Fn(u64),
) -> Result<(), Error> {
    let labelled = layout
        .members
        .first()
        .filter(|first| first.compression == Compression::Gzip);
    let mut label_at = None;
    let mut added_at = 0;
    out.write_all(&vec![0; layout.leading as usize])?;
    for member in &layout.members {
        let here = out.stream_position()?;
        let range = member.offset..member.end();
        let name = labelled
            .filter(|first| first.number == member.number)
            .map(|_| {
                label_at = Some(here + gzip::FIXED_HEADER as u64);
                label(edit.label, 0)
            });
        if edit.concerns(member) {
            let at = rewrite_member(original, member, edit, name.as_deref(), out, progress)?;
            if member.holds(edit.after) {
                added_at = at;
            }
        } else {
            copy(original, range.clone(), name.as_deref(), out)?;
        }
        progress(range.end);
        // The next member keeps its offset modulo 4. The kernel asks for nothing else.
        let end = out.stream_position()?;
        let padding = member.padding + (member.end().wrapping_sub(end) % 4);
        io::copy(&mut io::repeat(0).take(padding), out)?;
    }
    if let Some(at) = label_at {
        let end = out.stream_position()?;
        out.seek(SeekFrom::Start(at))?;
        out.write_all(&label(edit.label, added_at))?;
        out.seek(SeekFrom::Start(end))?;
    }
    Ok(())
}

/// Copies a member unchanged. If `name` is given, it replaces the file name in the gzip header.
fn copy(
    original: &File,
    range: Range<u64>,
    name: Option<&[u8]>,
    out: &mut File,
) -> Result<(), Error> {
    let mut start = range.start;
    if let Some(name) = name {
        let header = read_gzip_header(original, &range)?;
        out.write_all(&header.with_name(name))?;
        start += header.len() as u64;
    }
    io::copy(&mut FileRange::new(original, start, range.end), out)?;
    Ok(())
}

fn read_gzip_header(image: &File, range: &Range<u64>) -> Result<GzipHeader, Error> {
    let section = FileRange::new(image, range.start, range.end);
    gzip::read_header(&mut Buffered::new(section, range.start), 0)
}

/// Writes an edited member. Returns the offset in the image of its added entry, if it has one.
fn rewrite_member(
    original: &File,
    member: &Member,
    edit: &Edit<'_>,
    name: Option<&[u8]>,
    out: &mut File,
    progress: &dyn Fn(u64),
) -> Result<u64, Error> {
    let range = member.offset..member.end();
    let here = out.stream_position()?;
    let read = |packer: &mut dyn Sink| -> Result<(), Error> {
        let mut editor = Editor::new(edit, packer);
        editor.read(original, member, progress)?;
        editor.finish()
    };
    match member.compression {
        Compression::None => {
            let mut plain = Plain {
                out,
                written: here,
                added_at: here,
            };
            read(&mut plain)?;
            Ok(plain.added_at)
        }
        Compression::Gzip => {
            let header = read_gzip_header(original, &range)?;
            let header = match (name, &header.name) {
                (Some(name), _) => header.with_name(name),
                (None, Some(own)) => header.with_name(own),
                (None, None) => header.fixed.to_vec(),
            };
            out.write_all(&header)?;
            let start = here + header.len() as u64;
            deflate(out, start, read)
        }
    }
}

/// The destination of the edited member's bytes.
trait Sink {
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error>;
    /// Takes the bytes of the added entry and remembers its offset.
    fn added(&mut self, bytes: &[u8]) -> Result<(), Error>;
}

struct Plain<'a> {
    out: &'a mut File,
    written: u64,
    added_at: u64,
}

impl Sink for Plain<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.written += bytes.len() as u64;
        self.out.write_all(bytes).map_err(Error::Io)
    }

    fn added(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.added_at = self.written;
        self.bytes(bytes)
    }
}

/// Passes a member's parts on to the sink. Replaces the old body with the new one, and inserts the
/// added entry before the trailer of its archive.
struct Editor<'a> {
    edit: &'a Edit<'a>,
    sink: &'a mut dyn Sink,
    inside: bool,
    /// Set when the added entry goes to the end of the current archive.
    to_add: bool,
    /// Number of bytes passed on, modulo four.
    phase: usize,
}

impl<'a> Editor<'a> {
    fn new(edit: &'a Edit<'a>, sink: &'a mut dyn Sink) -> Self {
        Self {
            edit,
            sink,
            inside: false,
            to_add: false,
            phase: 0,
        }
    }

    /// Reads only `member`. Its entries keep their numbers in the whole image.
    fn read(
        &mut self,
        original: &File,
        member: &Member,
        progress: &dyn Fn(u64),
    ) -> Result<(), Error> {
        let section = FileRange::new(original, member.offset, member.end());
        let mut source = Buffered::new(ProgressReader::new(section, progress), member.offset);
        let mut take = |part: Part<'_>| self.take(part);
        match member.compression {
            Compression::None => {
                let mut archive = Archive::raw(member.number, member.offset, member.first_entry);
                loop {
                    let taken = archive.push(source.fill()?, false, &mut take)?;
                    source.consume(taken);
                    if taken == 0 {
                        break Ok(());
                    }
                }
            }
            Compression::Gzip => {
                let mut archive = Archive::unpacked(member.number, member.first_entry);
                gzip::Inflater::new()
                    .read(
                        &mut source,
                        member.number,
                        super::MAX_UNPACKED_LEN,
                        &mut |bytes| archive.push(bytes, false, &mut take).map(drop),
                    )
                    .map(drop)
            }
        }
    }

    fn take(&mut self, part: Part<'_>) -> Result<(), Error> {
        match part {
            Part::Entry(entry) => {
                self.to_add |= entry.number == self.edit.after;
                self.inside = entry.number == self.edit.entry;
                if self.inside {
                    let body = self.edit.body;
                    let mut raw = entry.raw.to_vec();
                    header::set_body(&mut raw, entry.header.magic, body);
                    self.pass(&raw)?;
                    self.pass(body)?;
                    self.align()
                } else {
                    self.pass(entry.raw)
                }
            }
            Part::Trailer(raw) => {
                self.inside = false;
                self.add()?;
                self.pass(raw)
            }
            Part::Body(_) | Part::Filler(_) if self.inside => Ok(()),
            Part::Body(bytes) | Part::Filler(bytes) => self.pass(bytes),
        }
    }

    fn pass(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.phase = (self.phase + bytes.len()) % 4;
        self.sink.bytes(bytes)
    }

    /// Adds zeros up to the next multiple of four, counted from the member's start.
    fn align(&mut self) -> Result<(), Error> {
        let zeros = header::padding(self.phase as u64);
        self.pass(&[0; 3][..zeros])
    }

    fn add(&mut self) -> Result<(), Error> {
        if self.to_add {
            self.to_add = false;
            self.sink.added(self.edit.added)?;
        }
        Ok(())
    }

    /// Adds the entry, after aligning zeros, to the end of a member without a trailer.
    fn finish(mut self) -> Result<(), Error> {
        if self.to_add {
            self.align()?;
        }
        self.add()
    }
}
