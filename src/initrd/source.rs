//! Where an image's bytes come from: read once, front to back, through one buffer of fixed size.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;

use super::Error;

/// Read in pieces of this size.
const BUFFER_LEN: usize = 256 * 1024;

/// Bytes with a position.
pub(crate) trait ByteSource {
    /// The bytes at hand; empty at the end.
    fn fill(&mut self) -> Result<&[u8], Error>;
    /// Moves on by `n` of the bytes at hand.
    fn consume(&mut self, n: usize);
    /// Offset in the image of the next byte.
    fn offset(&self) -> u64;

    /// The next byte.
    ///
    /// # Errors
    /// At the end: member `member` is then truncated.
    fn byte(&mut self, member: usize) -> Result<u8, Error> {
        let at = self.offset();
        let byte = *self
            .fill()?
            .first()
            .ok_or(Error::TruncatedGzip { member, at })?;
        self.consume(1);
        Ok(byte)
    }
}

/// A [`ByteSource`] over any reader.
#[derive(Debug)]
pub(crate) struct Buffered<R> {
    inner: BufReader<R>,
    offset: u64,
}

impl<R: Read> Buffered<R> {
    pub(crate) fn new(reader: R, offset: u64) -> Self {
        Self {
            inner: BufReader::with_capacity(BUFFER_LEN, reader),
            offset,
        }
    }
}

impl<R: Read> ByteSource for Buffered<R> {
    fn fill(&mut self) -> Result<&[u8], Error> {
        self.inner.fill_buf().map_err(Error::Io)
    }

    fn consume(&mut self, n: usize) {
        self.inner.consume(n);
        self.offset += n as u64;
    }

    fn offset(&self) -> u64 {
        self.offset
    }
}

/// A part of a file as a reader with a position of its own, so that several may read one file at once.
#[derive(Debug, Clone)]
pub struct FileRange<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl<'a> FileRange<'a> {
    /// The bytes of `file` from `start` to before `end`.
    pub fn new(file: &'a File, start: u64, end: u64) -> Self {
        Self {
            file,
            at: start,
            end,
        }
    }

    /// Offset in the file of the next byte.
    pub(crate) fn position(&self) -> u64 {
        self.at
    }
}

impl Read for FileRange<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.end.saturating_sub(self.at);
        // An offset out of a damaged label can be one that the system rejects even for no bytes.
        if left == 0 {
            return Ok(0);
        }
        let want = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let got = self.file.read_at(&mut buffer[..want], self.at)?;
        self.at += got as u64;
        Ok(got)
    }
}

/// A section that reports its position in the file whenever it is read.
pub struct ProgressReader<'a> {
    inner: FileRange<'a>,
    progress: &'a dyn Fn(u64),
}

impl<'a> ProgressReader<'a> {
    /// `inner`, reporting to `progress`.
    pub fn new(inner: FileRange<'a>, progress: &'a dyn Fn(u64)) -> Self {
        Self { inner, progress }
    }
}

impl Read for ProgressReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.inner.read(buffer)?;
        (self.progress)(self.inner.position());
        Ok(got)
    }
}
