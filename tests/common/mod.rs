//! Helpers that the test binaries share: archives written byte by byte, without the code under
//! test; a plain reader of images; files and tools to work with.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod app;
#[cfg(target_os = "linux")]
pub(crate) mod desktop;
pub(crate) mod exceptions;
pub(crate) mod failure;
#[cfg(target_os = "linux")]
pub(crate) mod fake_vm;
pub(crate) mod fixtures;
pub(crate) mod go;
pub(crate) mod kerberos;
pub(crate) mod mac_rules;
pub(crate) mod network;
pub(crate) mod old_go;
pub(crate) mod redact;
pub(crate) mod relay;
pub(crate) mod secret;
#[cfg(not(target_os = "macos"))]
pub(crate) mod session;
pub(crate) mod tampering;
pub(crate) mod tools;
#[cfg(target_os = "linux")]
pub(crate) mod tty;

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;
use std::process::{Command, Output, Stdio};

use baleen::initrd::{Error, Header, Layout, Part, walk};
use flate2::{Compression, GzBuilder};

pub(crate) const SCRIPT: &str = "etc/init.d/docker";

/// An entry as its writer sees it. Every field can be set, also to values that no tool would write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    /// Zero bytes after the name, counted in its size: one, unless the writer pads.
    pub(crate) name_end: usize,
    pub(crate) body: Vec<u8>,
    /// Overrides the length of the body.
    pub(crate) claimed_size: Option<u32>,
    /// Writes the entry as `070702`, with the sum of the body.
    pub(crate) crc: bool,
    /// Overrides the sum.
    pub(crate) claimed_sum: Option<u32>,
    pub(crate) lower_case: bool,
    pub(crate) ino: u32,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) nlink: u32,
    pub(crate) mtime: u32,
    pub(crate) dev: (u32, u32),
    pub(crate) rdev: (u32, u32),
}

impl Entry {
    pub(crate) fn new(mode: u32, name: impl AsRef<[u8]>, body: impl AsRef<[u8]>) -> Self {
        Self {
            name: name.as_ref().to_vec(),
            name_end: 1,
            body: body.as_ref().to_vec(),
            claimed_size: None,
            crc: false,
            claimed_sum: None,
            lower_case: false,
            ino: 7,
            mode,
            uid: 0,
            gid: 0,
            nlink: 1,
            mtime: 1_460_000_000,
            dev: (0, 0),
            rdev: (0, 0),
        }
    }

    pub(crate) fn file(name: impl AsRef<[u8]>, body: impl AsRef<[u8]>) -> Self {
        Self::new(0o100_755, name, body)
    }

    pub(crate) fn directory(name: impl AsRef<[u8]>) -> Self {
        Self::new(0o040_755, name, b"")
    }

    pub(crate) fn link(name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        Self::new(0o120_777, name, target)
    }

    /// One of `nlink` names of the file `ino`.
    pub(crate) fn name_of(ino: u32, nlink: u32, name: &str, body: impl AsRef<[u8]>) -> Self {
        Self {
            ino,
            nlink,
            ..Self::file(name, body)
        }
    }

    pub(crate) fn with_sum(self) -> Self {
        Self { crc: true, ..self }
    }

    fn sum(&self) -> u32 {
        let sum = |so_far: u32, &byte: &u8| so_far.wrapping_add(byte.into());
        let right = self.body.iter().fold(0, sum);
        self.claimed_sum.unwrap_or(if self.crc { right } else { 0 })
    }

    /// The fields of its header, in their order, after the magic number.
    pub(crate) fn fields(&self) -> [u32; 13] {
        [
            self.ino,
            self.mode,
            self.uid,
            self.gid,
            self.nlink,
            self.mtime,
            self.claimed_size.unwrap_or(self.body.len() as u32),
            self.dev.0,
            self.dev.1,
            self.rdev.0,
            self.rdev.1,
            (self.name.len() + self.name_end) as u32,
            self.sum(),
        ]
    }

    /// Its header, name and the zeros after the name.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut bytes = if self.crc { b"070702" } else { b"070701" }.to_vec();
        for field in self.fields() {
            let digits = if self.lower_case {
                format!("{field:08x}")
            } else {
                format!("{field:08X}")
            };
            bytes.extend_from_slice(digits.as_bytes());
        }
        bytes.extend_from_slice(&self.name);
        bytes.resize(bytes.len() + self.name_end, 0);
        align(&mut bytes);
        bytes
    }

    /// The entire entry.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head();
        bytes.extend_from_slice(&self.body);
        align(&mut bytes);
        bytes
    }
}

/// Zeros up to the next multiple of four.
pub(crate) fn align(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

pub(crate) fn trailer() -> Vec<u8> {
    Entry {
        ino: 0,
        mtime: 0,
        ..Entry::new(0, "TRAILER!!!", b"")
    }
    .bytes()
}

pub(crate) fn cpio_without_trailer(entries: &[Entry]) -> Vec<u8> {
    entries.iter().flat_map(Entry::bytes).collect()
}

pub(crate) fn cpio(entries: &[Entry]) -> Vec<u8> {
    [cpio_without_trailer(entries), trailer()].concat()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    gzip_named(bytes, None)
}

pub(crate) fn gzip_named(bytes: &[u8], name: Option<&[u8]>) -> Vec<u8> {
    let mut builder = GzBuilder::new().mtime(1_460_000_000);
    if let Some(name) = name {
        builder = builder.filename(name);
    }
    let mut gzip = builder.write(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// An image put together from members, which remembers where each begins.
#[derive(Debug, Clone, Default)]
pub(crate) struct Image {
    pub(crate) bytes: Vec<u8>,
    pub(crate) members: Vec<Range<usize>>,
}

impl Image {
    pub(crate) fn zeros(mut self, count: usize) -> Self {
        self.bytes.resize(self.bytes.len() + count, 0);
        self
    }

    /// Adds a member as it is, raw or compressed.
    pub(crate) fn member(mut self, bytes: &[u8]) -> Self {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.members.push(start..self.bytes.len());
        self
    }

    /// Adds an archive in its own gzip member.
    pub(crate) fn packed(self, entries: &[Entry]) -> Self {
        self.member(&gzip(&cpio(entries)))
    }

    /// Adds an archive uncompressed, at the next multiple of four.
    pub(crate) fn raw(mut self, entries: &[Entry]) -> Self {
        align(&mut self.bytes);
        self.member(&cpio(entries))
    }
}

/// An entry that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unpacked {
    pub(crate) number: u64,
    pub(crate) member: usize,
    pub(crate) header: Header,
    pub(crate) name: Vec<u8>,
    pub(crate) raw: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

/// Everything that a walk finds. The walk also checks that the parts together are all bytes.
pub(crate) fn unpack(image: &[u8]) -> Result<(Layout, Vec<Unpacked>), Error> {
    let mut entries: Vec<Unpacked> = Vec::new();
    let mut bytes = 0;
    let layout = walk(image, &mut |part: Part<'_>| {
        bytes += match part {
            Part::Entry(entry) => {
                entries.push(Unpacked {
                    number: entry.number,
                    member: entry.member,
                    header: entry.header,
                    name: entry.name.to_vec(),
                    raw: entry.raw.to_vec(),
                    body: Vec::new(),
                });
                entry.raw.len()
            }
            Part::Body(bytes) => {
                // The body of a trailer, if any, is assigned to the entry before it.
                if let Some(entry) = entries.last_mut() {
                    entry.body.extend_from_slice(bytes);
                }
                bytes.len()
            }
            Part::Trailer(bytes) | Part::Filler(bytes) => bytes.len(),
        };
        Ok(())
    })?;
    assert_eq!(layout.unpacked(), bytes as u64, "bytes of all parts");
    assert_eq!(layout.entries(), entries.len() as u64);
    assert_eq!(layout.length, image.len() as u64);
    Ok((layout, entries))
}

/// Fails unless `found` are the entries `expected`, byte for byte and in order.
#[track_caller]
pub(crate) fn assert_entries<'a, E>(found: &[Unpacked], expected: E)
where
    E: IntoIterator<Item = &'a Entry>,
{
    let expected: Vec<&Entry> = expected.into_iter().collect();
    for (number, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let name = String::from_utf8_lossy(&expected.name);
        assert_eq!(found.number, number as u64, "{name}");
        assert_eq!(found.name, expected.name, "entry {number}");
        assert_eq!(found.raw, expected.head(), "header of {name}");
        assert_eq!(fields(&found.header), expected.fields(), "{name}");
        assert!(found.body == expected.body, "body of {name}");
    }
    assert_eq!(found.len(), expected.len(), "number of entries");
}

fn fields(header: &Header) -> [u32; 13] {
    [
        header.ino,
        header.mode,
        header.uid,
        header.gid,
        header.nlink,
        header.mtime,
        header.file_size,
        header.dev_major,
        header.dev_minor,
        header.rdev_major,
        header.rdev_minor,
        header.name_size,
        header.check,
    ]
}

/// A file without a name that holds `bytes`.
pub(crate) fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file
}

/// Runs `command` with `input`, and returns its output.
pub(crate) fn run(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // A tool may stop reading at the point that ends the input for it.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    })
}

/// The output of `command`, which must succeed.
#[track_caller]
pub(crate) fn output(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let output = run(command, input);
    assert!(
        output.status.success(),
        "{command:?}: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}
