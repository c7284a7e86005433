//! Images made up by `proptest`, member by member and entry by entry.

use baleen::initrd::same_path;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::common::{Entry, Image, SCRIPT, align, gzip_named, trailer};

pub(crate) const MANIFEST: &str = "etc/baleen.json";

fn names() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => "[a-z]{1,8}(/[a-z.]{1,9}){0,3}".prop_map(String::into_bytes),
        4 => vec(1..=255u8, 1..40),
        1 => vec(b'a'..=b'z', 4080..4100),
    ]
    // These two would be no entry, or the one that the test looks for.
    .prop_filter("a name with a meaning", |name| {
        name != b"TRAILER!!!"
            && !same_path(name, SCRIPT.as_bytes())
            && !same_path(name, MANIFEST.as_bytes())
    })
}

pub(crate) fn bodies() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        2 => Just(Vec::new()),
        8 => vec(any::<u8>(), 0..60),
        2 => (any::<u8>(), 0..40_000usize).prop_map(|(byte, length)| vec![byte; length]),
        1 => vec(any::<u8>(), 2_000..4_000),
    ]
}

fn entries() -> impl Strategy<Value = Entry> {
    let types = prop_oneof![
        6 => Just(0o100_000u32),
        2 => Just(0o040_000),
        2 => Just(0o120_000),
        1 => prop::sample::select(vec![0, 0o020_000, 0o060_000, 0o010_000, 0o140_000]),
    ];
    let pairs = any::<((u32, u32), (u32, u32))>();
    let numbers = (any::<[u32; 4]>(), 0..4u32, pairs, 0..0o10000u32);
    let style = (
        any::<bool>(),
        any::<bool>(),
        prop_oneof![4 => Just(1usize), 1 => 1..6usize],
    );
    (types, names(), bodies(), numbers, style).prop_map(
        |(
            kind,
            name,
            body,
            ([ino, uid, gid, mtime], nlink, (dev, rdev), mode),
            (crc, lower_case, name_end),
        )| {
            Entry {
                name_end,
                crc,
                lower_case,
                ino,
                uid,
                gid,
                nlink,
                mtime,
                dev,
                rdev,
                ..Entry::new(kind | mode, name, body)
            }
        },
    )
}

/// One archive, and the number of zero words behind it.
#[derive(Debug, Clone)]
struct MadeArchive {
    entries: Vec<Entry>,
    has_trailer: bool,
    words: usize,
}

#[derive(Debug, Clone)]
struct MadeMember {
    archives: Vec<MadeArchive>,
    packed: bool,
    /// The name in the gzip header.
    name: Option<Vec<u8>>,
    /// Zeros behind the member.
    zeros: usize,
}

fn archives() -> impl Strategy<Value = MadeArchive> {
    (vec(entries(), 1..6), prop::bool::weighted(0.8), 0..4usize).prop_map(
        |(entries, has_trailer, words)| MadeArchive {
            entries,
            has_trailer,
            words,
        },
    )
}

fn members() -> impl Strategy<Value = MadeMember> {
    let name = prop::option::of(vec(1..=255u8, 0..20));
    let zeros = prop_oneof![4 => 0..9usize, 1 => Just(512)];
    (
        vec(archives(), 1..4),
        prop::bool::weighted(0.7),
        name,
        zeros,
    )
        .prop_map(|(mut archives, packed, name, zeros)| {
            if !packed {
                // A raw member ends at its trailer, or at zeros.
                archives.truncate(1);
                archives[0].words = 0;
            }
            MadeMember {
                archives,
                packed,
                name,
                zeros,
            }
        })
}

/// An image and the parts it is made of.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) image: Image,
    pub(crate) entries: Vec<Entry>,
    pub(crate) packed: Vec<bool>,
    /// The member of each entry.
    pub(crate) member: Vec<usize>,
    /// The number of the entry called [`SCRIPT`].
    pub(crate) target: usize,
}

/// Images of one to three members, one of whose entries is the [`SCRIPT`].
pub(crate) fn images(scripts: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Made> {
    let target = (any::<[Index; 3]>(), entries(), scripts).prop_map(|(at, entry, body)| {
        let entry = Entry {
            mode: 0o100_000 | entry.mode & 0o7777,
            name: SCRIPT.into(),
            body,
            ..entry
        };
        (at, entry)
    });
    (0..6usize, vec(members(), 1..4), target).prop_map(|(leading, mut members, (at, script))| {
        let member = at[0].get_mut(&mut members[..]);
        let archive = at[1].get_mut(&mut member.archives[..]);
        let place = at[2].index(archive.entries.len() + 1);
        archive.entries.insert(place, script);
        let folders = ["etc", "etc/init.d"].map(Entry::directory);
        members[0].archives[0].entries.splice(..0, folders);
        make(leading, &members)
    })
}

fn make(leading: usize, members: &[MadeMember]) -> Made {
    let mut image = Image::default().zeros(leading);
    let mut made = (vec![], vec![], vec![]);
    let mut after_raw = false;
    for (number, member) in members.iter().enumerate() {
        if after_raw || !member.packed {
            align(&mut image.bytes);
        }
        let mut bytes = Vec::new();
        for archive in &member.archives {
            bytes.extend(archive.entries.iter().flat_map(Entry::bytes));
            if archive.has_trailer {
                bytes.extend(trailer());
            }
            bytes.resize(bytes.len() + 4 * archive.words, 0);
            made.0.extend(archive.entries.iter().cloned());
            made.1.extend(archive.entries.iter().map(|_| number));
        }
        made.2.push(member.packed);
        if member.packed {
            bytes = gzip_named(&bytes, member.name.as_deref());
        }
        image = image.member(&bytes);
        // Without a trailer, a raw archive continues in the next one unless there are zeros between
        // them.
        let open = !member.packed && !member.archives[0].has_trailer;
        image = image.zeros(if open {
            member.zeros.max(4)
        } else {
            member.zeros
        });
        after_raw = !member.packed;
    }
    let (entries, member, packed) = made;
    let target = entries.iter().position(|e| e.name == SCRIPT.as_bytes());
    Made {
        image,
        target: target.unwrap(),
        entries,
        packed,
        member,
    }
}

pub(crate) fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
