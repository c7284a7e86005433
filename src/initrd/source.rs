//! The sources of an image's bytes, which are read once, front to back, through one buffer of fixed
//! size.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;

use super::Error;

/// Length of the read buffer.
const BUFFER_LEN: usize = 256 * 1024;

/// A stream of bytes that knows its position.
pub(crate) trait ByteSource {
    /// Returns the buffered bytes, after reading more if there are none. Empty at the end.
    fn fill(&mut self) -> Result<&[u8], Error>;
    /// Skips `n` of the buffered bytes.
    fn consume(&mut self, n: usize);
    /// Returns the offset of the next byte in the image.
    fn offset(&self) -> u64;

    /// Returns the next byte.
    ///
    /// # Errors
    /// At the end, since member `member` is truncated there.
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

/// A reader of a part of a file. It has its own position, so several can read one file at once.
#[derive(Debug, Clone)]
pub struct FileRange<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl<'a> FileRange<'a> {
    /// Creates a reader of the bytes of `file` from `start` up to, but not including, `end`.
    pub fn new(file: &'a File, start: u64, end: u64) -> Self {
        Self {
            file,
            at: start,
            end,
        }
    }

    /// Returns the offset of the next byte in the file.
    pub(crate) fn position(&self) -> u64 {
        self.at
    }
}

impl Read for FileRange<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.end.saturating_sub(self.at);
        // The offset may come from a damaged label. The system may reject it even for zero bytes.
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

/// A [`FileRange`] that reports its position in the file after every read.
pub(crate) struct ProgressReader<'a> {
    inner: FileRange<'a>,
    progress: &'a dyn Fn(u64),
}

impl<'a> ProgressReader<'a> {
    /// Creates a reader of `inner` that reports to `progress`.
    pub(crate) fn new(inner: FileRange<'a>, progress: &'a dyn Fn(u64)) -> Self {
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
