//! SHA-256 digests, with types that tell what was hashed.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

use crate::util::hex;

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sha([u8; 32]);

impl Sha {
    /// Computes the digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Computes the digest of the first `length` bytes of `file`.
    ///
    /// # Errors
    /// When the file can't be read or is shorter.
    pub(crate) fn of_file(file: &File, length: u64) -> io::Result<Self> {
        let mut hasher = Hasher::default();
        hasher.read(file, length)?;
        Ok(hasher.finish())
    }
}

/// Computes the digest of a file, which may be growing.
#[derive(Default)]
pub(crate) struct Hasher {
    hasher: Sha256,
    bytes: u64,
    buffer: Vec<u8>,
}

impl Hasher {
    /// The number of bytes read so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads the file on, up to the byte `end`.
    ///
    /// # Errors
    /// When the file can't be read or is shorter.
    pub(crate) fn read(&mut self, file: &File, end: u64) -> io::Result<()> {
        self.buffer.resize(128 * 1024, 0);
        while self.bytes < end {
            let rest = (end - self.bytes).try_into().unwrap_or(usize::MAX);
            let most = self.buffer.len().min(rest);
            match file.read_at(&mut self.buffer[..most], self.bytes)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => {
                    self.hasher.update(&self.buffer[..read]);
                    self.bytes += read as u64;
                }
            }
        }
        Ok(())
    }

    /// Returns the digest of all that was read.
    pub(crate) fn finish(self) -> Sha {
        Sha(self.hasher.finalize().into())
    }
}

impl fmt::Display for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Sha {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.as_bytes();
        let byte = |at: usize| {
            let digit = |at: usize| (*digits.get(at)? as char).to_digit(16);
            Some((digit(2 * at)? << 4 | digit(2 * at + 1)?) as u8)
        };
        let bytes: Option<Vec<u8>> = (0..32).map(byte).collect();
        bytes
            .filter(|_| digits.len() == 64)
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| de::Error::custom("expected 64 hexadecimal digits"))
    }
}

/// The digest of an engine's file as it was shipped, or as it was when Baleen first saw it. `restore`
/// brings back exactly these bytes. A digest of any other bytes is a plain [`Sha`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OriginalSha(pub Sha);

impl fmt::Display for OriginalSha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_written_and_read() {
        let sha = Sha::of(b"abc");
        let json = serde_json::to_string(&OriginalSha(sha)).unwrap();
        assert!(json.starts_with("\"ba7816bf8f01cfea414140de5dae2223b00361a3"));
        assert_eq!(serde_json::from_str::<OriginalSha>(&json).unwrap().0, sha);
        for wrong in ["\"\"", "\"ba\"", "3"] {
            assert!(serde_json::from_str::<Sha>(wrong).is_err());
        }
    }
}
