//! Deflating a member on all cores.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use flate2::{Compress, Compression as Level, Crc, FlushCompress};

use crate::initrd::Error;

use super::Sink;

/// Length of the chunks that are deflated separately. Larger chunks compress no better and cost memory.
const CHUNK_LEN: usize = 512 * 1024;
/// Maximum distance of deflate's back references.
const WINDOW_LEN: usize = 32 * 1024;
/// An empty final deflate block.
const END_OF_DEFLATE: [u8; 2] = [0x03, 0x00];

/// A chunk of the member for a worker to deflate.
struct ChunkJob {
    dictionary: Vec<u8>,
    bytes: Vec<u8>,
    done: SyncSender<Result<Vec<u8>, Error>>,
}

/// Deflates the bytes that `read` puts into its sink. Writes them to `out` as one deflate stream with
/// the gzip trailer. `start` is the current offset of `out`. Returns the offset of the added entry's chunk.
pub(super) fn deflate<F>(out: &mut File, start: u64, read: F) -> Result<u64, Error>
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

pub(super) struct Chunks<'a> {
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
