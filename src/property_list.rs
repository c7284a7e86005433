//! The only reader of property lists from outside, which may hold anything.

mod error;
mod xml;

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::thread;

use plist::Value;

pub use error::InvalidList;

/// Maximum length of a property list, far more than any `Info.plist` or a network's settings have.
const MAX_LEN: u64 = 1024 * 1024;

/// Maximum depth of nested lists, also far more than those have.
const MAX_DEPTH: usize = 64;

/// Stack length of the reader's thread. Nested lists are dropped recursively, also after an error. This is enough for
/// the deepest list that [`MAX_LEN`] bytes can hold. Unused memory costs nothing.
const STACK_LEN: usize = 256 * 1024 * 1024;

/// Reads the property list in the file at `path`, in XML or binary. The inner error is the reason why it is not one.
///
/// # Errors
/// When the file can't be read.
pub fn read(path: &Path) -> io::Result<Result<Value, InvalidList>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_LEN + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_LEN {
        return Ok(Err(InvalidList::TooLong));
    }
    parse(bytes)
}

/// Reads the property list in `bytes`, in XML or binary. The inner error is the reason why it is not one.
///
/// # Errors
/// When there is not enough memory to read it.
pub fn parse(bytes: Vec<u8>) -> io::Result<Result<Value, InvalidList>> {
    let reader = thread::Builder::new()
        .name("property list".to_owned())
        .stack_size(STACK_LEN)
        .spawn(move || value(bytes))?;
    Ok(reader.join().unwrap_or(Err(InvalidList::Reader)))
}

fn value(bytes: Vec<u8>) -> Result<Value, InvalidList> {
    // The third format, that of NeXTSTEP, is not supported, since nothing needs it.
    let parsed = if bytes.starts_with(b"bplist") {
        Value::from_reader(Cursor::new(bytes))
    } else {
        Value::from_reader_xml(xml::plain(&bytes)?.as_bytes())
    };
    let value = parsed.map_err(|_| InvalidList::Malformed)?;
    if is_deeper(&value, MAX_DEPTH) {
        return Err(InvalidList::TooDeep);
    }
    Ok(value)
}

fn is_deeper(value: &Value, levels: usize) -> bool {
    let inside = |value: &Value| levels == 0 || is_deeper(value, levels - 1);
    match value {
        Value::Array(list) => list.iter().any(inside),
        Value::Dictionary(dictionary) => dictionary.values().any(inside),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Result<Value, InvalidList> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, bytes).unwrap();
        read(file.path()).unwrap()
    }

    /// Returns `levels` nested lists with `end` after the last one.
    fn xml(levels: usize, end: &str) -> Vec<u8> {
        let (open, close) = ("<array>".repeat(levels), "</array>".repeat(levels));
        format!("<plist version=\"1.0\">{open}{close}{end}").into_bytes()
    }

    /// Returns `levels` nested lists in binary. Each object holds the next one.
    fn binary(levels: u32) -> Vec<u8> {
        let mut bytes = b"bplist00".to_vec();
        let mut offsets = Vec::new();
        for next in 1..=levels {
            offsets.push(bytes.len() as u32);
            if next < levels {
                bytes.push(0xa1);
                bytes.extend(&next.to_be_bytes()[1..]);
            } else {
                bytes.push(0xa0);
            }
        }
        let table = bytes.len() as u64;
        for offset in offsets {
            bytes.extend(&offset.to_be_bytes()[1..]);
        }
        bytes.extend([0, 0, 0, 0, 0, 0, 3, 3]);
        bytes.extend(u64::from(levels).to_be_bytes());
        bytes.extend(0u64.to_be_bytes());
        bytes.extend(table.to_be_bytes());
        bytes
    }

    #[test]
    fn lists_in_lists_are_read_as_far_as_is_sensible() {
        for (levels, expected) in [(1, true), (65, true), (66, false)] {
            assert_eq!(of(&xml(levels, "</plist>")).is_ok(), expected, "{levels}");
            assert_eq!(of(&binary(levels as u32)).is_ok(), expected, "{levels}");
        }
    }

    #[test]
    fn what_is_nested_without_end_ends_in_words() {
        // The greatest depths that fit into a file of the maximum length.
        for bytes in [xml(69_000, "</plist>"), binary(149_000)] {
            assert!(bytes.len() as u64 <= MAX_LEN);
            assert_eq!(of(&bytes), Err(InvalidList::TooDeep));
        }
        assert!(of(&xml(69_000, "<array>")).is_err());
        assert!(of(&b"<array>".repeat(149_000)).is_err());
        assert_eq!(of(&xml(200_000, "")), Err(InvalidList::TooLong));
        assert!(of(&b"(".repeat(1_000_000)).is_err());
    }
}
