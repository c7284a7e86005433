//! The header of an entry in a `newc` archive: the 110 bytes before the name.
//!
//! The `cpio` crate reads such headers too. But it turns names into `String`s (an image may hold names
//! that are not UTF-8), accepts a `+` in a field (the kernel does not), does not check the sums of
//! `070702`, and can't reproduce a header byte for byte, which *rebuild* promises. So this module reads
//! the headers, and the crate only writes the entries that Baleen adds (see [`super::append`]).

use super::Error;

/// Length of a header, in bytes.
pub(crate) const HEADER_LEN: usize = 110;

/// Maximum length of a name, including its terminator. The kernel skips entries with longer ones.
pub const PATH_MAX: u32 = 4096;

const FIELD: usize = 8;
const FILE_SIZE: usize = 6 + 6 * FIELD;
const CHECK: usize = 6 + 12 * FIELD;

/// The magic numbers that an initramfs may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Magic {
    /// `070701`: no checksum.
    Newc,
    /// `070702`: the last field is the sum of the body's bytes, modulo 2^32.
    Crc,
}

/// The fields of a header, in the order of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields have their standard names")]
pub struct Header {
    pub magic: Magic,
    pub ino: u32,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub nlink: u32,
    pub mtime: u32,
    pub file_size: u32,
    pub dev_major: u32,
    pub dev_minor: u32,
    pub rdev_major: u32,
    pub rdev_minor: u32,
    pub name_size: u32,
    pub check: u32,
}

/// The type of the file that an entry makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum FileType {
    Regular,
    Directory,
    Symlink,
    CharDevice,
    BlockDevice,
    Fifo,
    Socket,
    Unknown,
}

impl FileType {
    /// Returns the letter that `ls -l` shows.
    pub fn letter(self) -> char {
        match self {
            Self::Regular => '-',
            Self::Directory => 'd',
            Self::Symlink => 'l',
            Self::CharDevice => 'c',
            Self::BlockDevice => 'b',
            Self::Fifo => 'p',
            Self::Socket => 's',
            Self::Unknown => '?',
        }
    }

    /// Returns the name to show to the user.
    pub fn name(self) -> &'static str {
        match self {
            Self::Regular => "regular file",
            Self::Directory => "directory",
            Self::Symlink => "symbolic link",
            Self::CharDevice => "character device",
            Self::BlockDevice => "block device",
            Self::Fifo => "fifo",
            Self::Socket => "socket",
            Self::Unknown => "file of unknown type",
        }
    }
}

impl Header {
    /// Parses a header that starts at offset `at` within member `member`.
    ///
    /// # Errors
    /// When the magic number is not `070701` or `070702`, or a field is not eight hexadecimal digits.
    pub fn parse(bytes: &[u8; HEADER_LEN], member: usize, at: u64) -> Result<Self, Error> {
        let magic = match &bytes[..6] {
            b"070701" => Magic::Newc,
            b"070702" => Magic::Crc,
            b"070707" => return Err(Error::OldCpio { member, at }),
            other => {
                return Err(Error::NoMagic {
                    member,
                    at,
                    found: other.to_vec(),
                });
            }
        };
        let mut fields = [0u32; 13];
        for (field, digits) in fields.iter_mut().zip(bytes[6..].chunks_exact(FIELD)) {
            *field = hex(digits).ok_or_else(|| Error::BadField {
                member,
                at,
                found: digits.to_vec(),
            })?;
        }
        let [ino, mode, uid, gid, nlink, mtime, file_size, ..] = fields;
        let [
            ..,
            dev_major,
            dev_minor,
            rdev_major,
            rdev_minor,
            name_size,
            check,
        ] = fields;
        Ok(Self {
            magic,
            ino,
            mode,
            uid,
            gid,
            nlink,
            mtime,
            file_size,
            dev_major,
            dev_minor,
            rdev_major,
            rdev_minor,
            name_size,
            check,
        })
    }

    /// Returns the file type from the mode's upper bits.
    pub fn file_type(&self) -> FileType {
        match self.mode & 0o170_000 {
            0o100_000 => FileType::Regular,
            0o040_000 => FileType::Directory,
            0o120_000 => FileType::Symlink,
            0o020_000 => FileType::CharDevice,
            0o060_000 => FileType::BlockDevice,
            0o010_000 => FileType::Fifo,
            0o140_000 => FileType::Socket,
            _ => FileType::Unknown,
        }
    }

    /// Returns whether the kernel uses this entry. It skips an entry with a name longer than
    /// [`PATH_MAX`], an entry with a body that is neither a regular file nor a link, and a link whose
    /// target is longer than a path may be (`do_header` in `init/initramfs.c`).
    pub fn is_used_by_kernel(&self) -> bool {
        self.name_size <= PATH_MAX
            && match self.file_type() {
                FileType::Regular => true,
                FileType::Symlink => self.file_size <= PATH_MAX,
                _ => self.file_size == 0,
            }
    }

    /// Returns the number of zeros after the name, up to the next multiple of four.
    pub(crate) fn name_padding(&self) -> usize {
        padding((HEADER_LEN as u64) + u64::from(self.name_size))
    }

    /// Returns the number of zeros after the body.
    pub(crate) fn body_padding(&self) -> usize {
        padding(u64::from(self.file_size))
    }
}

/// Returns the number of zeros that extend `length` to a multiple of four.
pub(crate) fn padding(length: u64) -> usize {
    (length.wrapping_neg() % 4) as usize
}

/// Writes the length of `body` (and, for `070702`, its sum) into a header's bytes. Changes nothing else.
pub(crate) fn set_body(raw: &mut [u8], magic: Magic, body: &[u8]) {
    let put = |raw: &mut [u8], at: usize, value: u32| {
        raw[at..at + FIELD].copy_from_slice(format!("{value:08X}").as_bytes());
    };
    put(raw, FILE_SIZE, body.len() as u32);
    if magic == Magic::Crc {
        put(raw, CHECK, sum(0, body));
    }
}

/// Returns the checksum of `070702`, continued from `so_far`.
pub(crate) fn sum(so_far: u32, bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(so_far, |sum, &byte| sum.wrapping_add(u32::from(byte)))
}

/// Parses eight hexadecimal digits of either case. Unlike `from_str_radix`, accepts nothing else.
fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |value, &digit| {
        let nibble = (digit as char).to_digit(16)?;
        Some(value << 4 | nibble)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(field: &[u8; 8]) -> [u8; HEADER_LEN] {
        let mut bytes = [b'0'; HEADER_LEN];
        bytes[..6].copy_from_slice(b"070701");
        bytes[6..14].copy_from_slice(field);
        bytes
    }

    #[test]
    fn case_11_fields_are_eight_hexadecimal_digits_of_either_case() {
        for (field, value) in [
            (b"0000000A", Some(10)),
            (b"0000000a", Some(10)),
            (b"FfFfFfFf", Some(u32::MAX)),
            (b"0x00000a", None),
            (b"+000000a", None),
            (b"-0000001", None),
            (b"0000000g", None),
            (b" 0000001", None),
            (b"0000001\0", None),
        ] {
            let parsed = Header::parse(&header(field), 0, 0);
            assert_eq!(parsed.ok().map(|h| h.ino), value, "{field:?}");
        }
    }

    #[test]
    fn case_10_the_old_portable_format_is_named_in_the_refusal() {
        let mut bytes = header(b"00000000");
        bytes[..6].copy_from_slice(b"070707");
        assert!(matches!(
            Header::parse(&bytes, 2, 7),
            Err(Error::OldCpio { member: 2, at: 7 })
        ));
    }

    #[test]
    fn a_new_body_changes_length_and_sum_only() {
        let mut raw = header(b"0000aBcD").to_vec();
        let before = raw.clone();
        set_body(&mut raw, Magic::Crc, b"ab");
        let changed: Vec<usize> = (0..HEADER_LEN).filter(|&i| raw[i] != before[i]).collect();
        assert!(
            changed
                .iter()
                .all(|&i| (54..62).contains(&i) || (102..110).contains(&i)),
            "{changed:?}"
        );
        assert_eq!(&raw[54..62], b"00000002");
        assert_eq!(&raw[102..110], b"000000C3");
    }
}
