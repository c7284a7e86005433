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

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::num::NonZero;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use flate2::{Compress, Compression as Level, Crc, Decompress, FlushCompress, FlushDecompress};
use sha2::{Digest, Sha256};

use super::archive::{Archive, Part};
use super::gzip::{self, GzipHeader};
use super::header::{self, HEADER_LEN, Header};
use super::source::{Buffered, ByteSource, FileRange, ProgressReader};
use super::walk::{Compression, Layout, Member, Visitor, walk};
use super::{Error, same_path};

/// Length of the chunks that are deflated separately. Larger chunks compress no better and cost memory.
const CHUNK_LEN: usize = 512 * 1024;
/// Maximum distance of deflate's back references.
const WINDOW_LEN: usize = 32 * 1024;
/// An empty final deflate block.
const END_OF_DEFLATE: [u8; 2] = [0x03, 0x00];
/// Number of hexadecimal digits of the offset in a label.
const OFFSET_DIGITS: usize = 16;
/// Number of bytes read to find a label. They hold leading zeros and a gzip header.
const HEAD_LEN: u64 = 4096;

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
            let at = write_anew(original, member, edit, name.as_deref(), out, progress)?;
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

fn label(label: &str, offset: u64) -> Vec<u8> {
    format!("{label}@{offset:0OFFSET_DIGITS$x}").into_bytes()
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
fn write_anew(
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

/// A chunk of the member for a worker to deflate.
struct ChunkJob {
    dictionary: Vec<u8>,
    bytes: Vec<u8>,
    done: SyncSender<Result<Vec<u8>, Error>>,
}

/// Deflates the bytes that `read` puts into its sink. Writes them to `out` as one deflate stream with
/// the gzip trailer. `start` is the current offset of `out`. Returns the offset of the added entry's chunk.
fn deflate<F>(out: &mut File, start: u64, read: F) -> Result<u64, Error>
where
    F: FnOnce(&mut dyn Sink) -> Result<(), Error>,
{
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    let (jobs, queue) = sync_channel::<ChunkJob>(workers);
    let queue = &Mutex::new(queue);
    thread::scope(|scope| {
        let mut chunks = Chunks {
            out,
            written: start,
            jobs,
            waiting: VecDeque::new(),
            most_waiting: 2 * workers,
            chunk: Vec::with_capacity(CHUNK_LEN),
            dictionary: Vec::new(),
            crc: Crc::new(),
            length: 0,
            added: None,
            chunks: 0,
            added_at: start,
        };
        for _ in 0..workers {
            scope.spawn(move || work(queue));
        }
        read(&mut chunks)?;
        chunks.finish()
    })
}

/// Deflates chunks until the sender of the queue is dropped.
fn work(queue: &Mutex<Receiver<ChunkJob>>) {
    // Level 6 is the best level of zlib-rs before the time per byte doubles.
    let mut compress = Compress::new(Level::new(6), false);
    loop {
        let job = match queue.lock() {
            Ok(queue) => queue.recv(),
            Err(_) => return,
        };
        let Ok(job) = job else { return };
        // The writer may have stopped with an error. Then no receiver waits for the result.
        let _ = job.done.send(deflate_chunk(&mut compress, &job));
    }
}

fn deflate_chunk(compress: &mut Compress, job: &ChunkJob) -> Result<Vec<u8>, Error> {
    let failed = |error: flate2::CompressError| Error::Io(io::Error::other(error));
    compress.reset();
    if !job.dictionary.is_empty() {
        compress.set_dictionary(&job.dictionary).map_err(failed)?;
    }
    let mut packed = Vec::with_capacity(job.bytes.len() / 2 + 1024);
    loop {
        let taken = compress.total_in() as usize;
        compress
            .compress_vec(&job.bytes[taken..], &mut packed, FlushCompress::Sync)
            .map_err(failed)?;
        // A flush is complete only if it leaves some of the capacity unused.
        if compress.total_in() as usize == job.bytes.len() && packed.len() < packed.capacity() {
            return Ok(packed);
        }
        packed.reserve(CHUNK_LEN / 4);
    }
}

struct Chunks<'a> {
    out: &'a mut File,
    written: u64,
    jobs: SyncSender<ChunkJob>,
    waiting: VecDeque<Receiver<Result<Vec<u8>, Error>>>,
    most_waiting: usize,
    chunk: Vec<u8>,
    dictionary: Vec<u8>,
    crc: Crc,
    length: u32,
    /// Number of the chunk that holds the added entry.
    added: Option<u64>,
    chunks: u64,
    added_at: u64,
}

impl Chunks<'_> {
    fn send(&mut self) -> Result<(), Error> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_LEN));
        let tail = bytes[bytes.len().saturating_sub(WINDOW_LEN)..].to_vec();
        let dictionary = std::mem::replace(&mut self.dictionary, tail);
        let (done, result) = sync_channel(1);
        self.jobs
            .send(ChunkJob {
                dictionary,
                bytes,
                done,
            })
            .map_err(io::Error::other)?;
        self.waiting.push_back(result);
        if self.waiting.len() >= self.most_waiting {
            self.write_next()?;
        }
        Ok(())
    }

    fn write_next(&mut self) -> Result<(), Error> {
        if let Some(result) = self.waiting.pop_front() {
            let packed = result.recv().map_err(io::Error::other)??;
            if self.added == Some(self.chunks) {
                self.added_at = self.written;
            }
            self.chunks += 1;
            self.written += packed.len() as u64;
            self.out.write_all(&packed)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<u64, Error> {
        self.send()?;
        while !self.waiting.is_empty() {
            self.write_next()?;
        }
        self.out.write_all(&END_OF_DEFLATE)?;
        self.out.write_all(&self.crc.sum().to_le_bytes())?;
        self.out.write_all(&self.length.to_le_bytes())?;
        Ok(self.added_at)
    }
}

impl Sink for Chunks<'_> {
    fn bytes(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        self.crc.update(bytes);
        self.length = self.length.wrapping_add(bytes.len() as u32);
        while !bytes.is_empty() {
            let n = (CHUNK_LEN - self.chunk.len()).min(bytes.len());
            self.chunk.extend_from_slice(&bytes[..n]);
            bytes = &bytes[n..];
            if self.chunk.len() == CHUNK_LEN {
                self.send()?;
            }
        }
        Ok(())
    }

    fn added(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.send()?;
        self.dictionary.clear();
        self.added = Some(self.chunks + self.waiting.len() as u64);
        self.bytes(bytes)?;
        self.send()
    }
}

/// The result of reading an image's start for the label of a rebuild.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// The image has no label, so it was not rebuilt.
    Unlabelled,
    /// The image has a label. Holds the body of the added entry.
    Added(Vec<u8>),
    /// The image does not start with a gzip header, which a label needs. Only reading the whole
    /// image shows whether it was rebuilt.
    Unknown,
}

/// Looks for the entry `name` that a rebuild with the label `label` added, without unpacking the
/// bytes before it.
///
/// # Errors
/// When the image can't be read. [`Error::Refused`] if the label's offset does not hold the entry.
pub fn find_added(image: &File, length: u64, label: &str, name: &[u8]) -> Result<Start, Error> {
    let mut head = Vec::new();
    FileRange::new(image, 0, length.min(HEAD_LEN)).read_to_end(&mut head)?;
    let zeros = head.iter().take_while(|&&b| b == 0).count();
    if !head[zeros..].starts_with(&gzip::MAGIC) {
        return Ok(Start::Unknown);
    }
    let Ok(header) = gzip::read_header(&mut Buffered::new(&head[zeros..], 0), 0) else {
        return Ok(Start::Unlabelled);
    };
    let Some(offset) = header
        .name
        .as_deref()
        .and_then(|found| offset(found, label))
    else {
        return Ok(Start::Unlabelled);
    };
    let mut chunk = vec![0; super::append::MAX_OVERLAY_LEN];
    let mut section = FileRange::new(image, offset, length);
    let bytes = inflate_start(&mut section, &mut chunk)?;
    entry_body(bytes, name).map(Start::Added).ok_or_else(|| {
        Error::Refused(format!(
            "its label says that byte {offset} holds '{}', which is not so",
            super::display_name(name)
        ))
    })
}

fn offset(name: &[u8], label: &str) -> Option<u64> {
    let digits = name.strip_prefix(label.as_bytes())?.strip_prefix(b"@")?;
    (digits.len() == OFFSET_DIGITS)
        .then(|| u64::from_str_radix(str::from_utf8(digits).ok()?, 16).ok())?
}

/// Unpacks the start of a section, as much as fits into `chunk`. Copies a section that starts with a
/// cpio header unchanged.
fn inflate_start<'a>(section: &mut FileRange<'_>, chunk: &'a mut [u8]) -> Result<&'a [u8], Error> {
    let mut packed = Vec::new();
    section
        .by_ref()
        .take(chunk.len() as u64)
        .read_to_end(&mut packed)?;
    if packed.starts_with(b"07070") {
        chunk[..packed.len()].copy_from_slice(&packed);
        return Ok(&chunk[..packed.len()]);
    }
    let mut inflate = Decompress::new(false);
    // The chunks after the added entry need a dictionary. An error there comes after the wanted bytes.
    let _ = inflate.decompress(&packed, chunk, FlushDecompress::None);
    let made = inflate.total_out() as usize;
    Ok(&chunk[..made])
}

/// Returns the body of the entry at the start of `bytes`, if its name is `name`.
fn entry_body(bytes: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let header = Header::parse(bytes.first_chunk::<HEADER_LEN>()?, 0, 0).ok()?;
    let with_end = bytes.get(HEADER_LEN..HEADER_LEN + header.name_size as usize)?;
    let start = HEADER_LEN + header.name_size as usize + header.name_padding();
    let body = bytes.get(start..start + header.file_size as usize)?;
    same_path(with_end.strip_suffix(&[0])?, name).then(|| body.to_vec())
}

/// The digest of everything that the original and the rebuilt image must have in common: the
/// beginnings of the members, and every unpacked byte except the changed and the added entry.
/// [`compare`] uses it to verify a rebuild.
struct Common<'a> {
    digest: Sha256,
    edit: &'a Edit<'a>,
    in_changed: bool,
    changed_raw: Vec<u8>,
    changed_body: Vec<u8>,
    added: Added,
    /// True if the current archive has the entry [`Edit::after`].
    seen_after: bool,
    /// Number of this member's unpacked bytes that count for alignment.
    length: u64,
}

/// The state of the search for the added entry. Only the end of the archive shows that an entry was
/// its last one.
enum Added {
    /// This image is the original, which does not have the added entry.
    Absent,
    /// The added entry has not come yet.
    Awaited,
    /// The raw bytes of an entry that may be the added one.
    Candidate(Vec<u8>),
    /// The raw bytes of the added entry.
    Found(Vec<u8>),
}

impl<'a> Common<'a> {
    fn new(edit: &'a Edit<'a>, added: Added) -> Self {
        Self {
            digest: Sha256::new(),
            edit,
            in_changed: false,
            changed_raw: Vec::new(),
            changed_body: Vec::new(),
            added,
            seen_after: false,
            length: 0,
        }
    }

    fn same(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        match &mut self.added {
            Added::Candidate(raw) => {
                raw.extend_from_slice(bytes);
                if raw.len() > self.edit.added.len() {
                    self.discard();
                }
            }
            _ => self.digest.update(bytes),
        }
    }

    /// Rejects the candidate: it is not the added entry, so its bytes count as common.
    fn discard(&mut self) {
        if let Added::Candidate(raw) = &self.added {
            self.digest.update(raw);
            self.added = Added::Awaited;
        }
    }

    /// Handles the end of an archive: if it is the one with the added entry, the candidate is that entry.
    fn archive_ends(&mut self) {
        if std::mem::take(&mut self.seen_after)
            && let Added::Candidate(raw) = &mut self.added
        {
            self.added = Added::Found(std::mem::take(raw));
        }
        self.discard();
    }
}

impl Visitor for Common<'_> {
    fn begin(&mut self, _: usize, _: u64, compression: Compression) -> Result<(), Error> {
        self.in_changed = false;
        self.length = 0;
        self.digest.update(compression.name());
        Ok(())
    }

    fn part(&mut self, part: Part<'_>) -> Result<(), Error> {
        match part {
            Part::Entry(entry) => {
                self.discard();
                self.in_changed = entry.number == self.edit.entry;
                if self.seen_after && matches!(self.added, Added::Awaited) {
                    self.added = Added::Candidate(Vec::new());
                }
                self.seen_after |= entry.number == self.edit.after;
                if self.in_changed {
                    self.changed_raw = entry.raw.to_vec();
                } else {
                    self.same(entry.raw);
                }
            }
            Part::Trailer(raw) => {
                self.in_changed = false;
                self.archive_ends();
                self.same(raw);
            }
            Part::Body(bytes) if self.in_changed => self.changed_body.extend_from_slice(bytes),
            Part::Filler(_) if self.in_changed => {}
            Part::Body(bytes) | Part::Filler(bytes) => self.same(bytes),
        }
        Ok(())
    }

    fn end(&mut self, _: &Member) -> Result<(), Error> {
        if self.seen_after && matches!(self.added, Added::Absent) && !self.in_changed {
            // The rebuilt member has these zeros before its added entry.
            let zeros = header::padding(self.length);
            self.digest.update(&[0; 3][..zeros]);
        }
        self.archive_ends();
        Ok(())
    }
}

/// Reads both images in full and checks that `rebuilt` is `original` with the changes of `edit` and no
/// others. `progress` receives the position in `rebuilt`.
///
/// # Errors
/// [`Error::Refused`] names the first difference. Other errors are those of [`walk`].
pub fn compare(
    original: FileRange<'_>,
    rebuilt: FileRange<'_>,
    edit: &Edit<'_>,
    progress: &dyn Fn(u64),
) -> Result<(), Error> {
    let (old, new) = thread::scope(|scope| {
        let old = scope.spawn(|| {
            let mut common = Common::new(edit, Added::Absent);
            walk(original, &mut common).map(|layout| (layout, common))
        });
        let mut common = Common::new(edit, Added::Awaited);
        let new = walk(ProgressReader::new(rebuilt, progress), &mut common)
            .map(|layout| (layout, common));
        (old.join(), new)
    });
    let (old_layout, old) =
        old.map_err(|_| Error::Refused("reading the original back failed".into()))??;
    let (new_layout, new) = new?;
    let mut expected = old.changed_raw;
    if let Ok(bytes) = expected.get(..HEADER_LEN).unwrap_or_default().try_into() {
        let header = Header::parse(bytes, 0, 0)?;
        header::set_body(&mut expected, header.magic, edit.body);
    }
    let refuse = |what: &str| Err(Error::Refused(format!("reading it back shows that {what}")));
    if old_layout.members.len() != new_layout.members.len() {
        refuse("it has another number of members")
    } else if new.changed_raw != expected {
        refuse("the changed entry's header differs")
    } else if new.changed_body != edit.body {
        refuse("the changed entry has other bytes")
    } else if !matches!(&new.added, Added::Found(raw) if raw == edit.added) {
        refuse("the added entry has other bytes")
    } else if old.digest.finalize() != new.digest.finalize() {
        refuse("an entry that was to stay as it is has changed")
    } else {
        Ok(())
    }
}
