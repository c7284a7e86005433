//! Verification of a rebuild: what the original and the rebuilt image must have in common.

use std::thread;

use sha2::{Digest, Sha256};

use crate::initrd::archive::Part;
use crate::initrd::header::{self, HEADER_LEN, Header};
use crate::initrd::source::{FileRange, ProgressReader};
use crate::initrd::walk::{Compression, Member, Visitor, walk};
use crate::initrd::{Error, RebuildDifference};

use super::Edit;

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
/// [`Error::OtherRebuilt`] names the first difference. Other errors are those of [`walk`].
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
    let (old_layout, old) = old.map_err(|_| Error::NoResult)??;
    let (new_layout, new) = new?;
    let mut expected = old.changed_raw;
    if let Ok(bytes) = expected.get(..HEADER_LEN).unwrap_or_default().try_into() {
        let header = Header::parse(bytes, 0, 0)?;
        header::set_body(&mut expected, header.magic, edit.body);
    }
    let refuse = |what| Err(Error::OtherRebuilt(what));
    if old_layout.members.len() != new_layout.members.len() {
        refuse(RebuildDifference::Members)
    } else if new.changed_raw != expected {
        refuse(RebuildDifference::ChangedHeader)
    } else if new.changed_body != edit.body {
        refuse(RebuildDifference::ChangedBody)
    } else if !matches!(&new.added, Added::Found(raw) if raw == edit.added) {
        refuse(RebuildDifference::AddedEntry)
    } else if old.digest.finalize() != new.digest.finalize() {
        refuse(RebuildDifference::OtherEntry)
    } else {
        Ok(())
    }
}
