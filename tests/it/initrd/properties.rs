//! What holds for every image: made up by `proptest`, member by member and entry by entry.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::io::Read;

use crate::common::{Entry, SCRIPT, Unpacked, align, assert_entries, file_of, gzip_named, unpack};
use baleen::initrd::append::{self, NewFile, find_overlay, overlay};
use baleen::initrd::find::find;
use baleen::initrd::rebuild::{Edit, Start, compare, find_added, rebuild};
use baleen::initrd::{Compression, Error, FileRange, Layout};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::common::fixtures::{MANIFEST, Made, bodies, config, images};

const LABEL: &str = "baleen-test";

fn new_file<'a>(name: &'a str, body: &'a [u8]) -> NewFile<'a> {
    NewFile {
        name,
        mode: 0o100_700,
        uid: 1,
        gid: 2,
        mtime: 3,
        body,
    }
}

/// A name as the reader gives it: none where the kernel takes none.
fn seen(entry: &Entry) -> &[u8] {
    if entry.name.len() + entry.name_end > 4096 {
        b""
    } else {
        &entry.name
    }
}

/// Header, name and padding, of which a long name is not part.
fn seen_head(entry: &Entry) -> Vec<u8> {
    let mut head = entry.head();
    if seen(entry).is_empty() {
        head.truncate(110);
    }
    head
}

fn assert_same(found: &[Unpacked], made: &[Entry]) {
    let long = |entry: &&Entry| seen(entry).is_empty();
    if !made.iter().any(|entry| long(&entry)) {
        return assert_entries(found, made);
    }
    assert_eq!(found.len(), made.len());
    for (found, made) in found.iter().zip(made) {
        assert_eq!(found.name, seen(made));
        assert_eq!(found.raw, seen_head(made));
        assert!(found.body == made.body);
    }
}

fn assert_layout(layout: &Layout, made: &Made) {
    let found: Vec<_> = layout
        .members
        .iter()
        .map(|m| {
            let range = m.offset as usize..m.end() as usize;
            (range, m.compression == Compression::Gzip)
        })
        .collect();
    let expected: Vec<_> = made
        .image
        .members
        .iter()
        .cloned()
        .zip(made.packed.iter().copied())
        .collect();
    assert_eq!(found, expected);
}

/// The bytes of a gzip member behind its header.
fn behind_header(member: &[u8]) -> &[u8] {
    if member[3] & 8 == 0 {
        return &member[10..];
    }
    let end = member[10..].iter().position(|&b| b == 0).unwrap();
    &member[10 + end + 1..]
}

fn read_all(file: &File) -> Vec<u8> {
    let length = file.metadata().unwrap().len();
    let mut bytes = Vec::new();
    FileRange::new(file, 0, length)
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn a_walk_gives_back_every_entry_to_the_byte(made in images(bodies())) {
        let (layout, entries) = unpack(&made.image.bytes).unwrap();
        assert_same(&entries, &made.entries);
        assert_layout(&layout, &made);
        let members: Vec<usize> = entries.iter().map(|entry| entry.member).collect();
        prop_assert_eq!(members, made.member);
    }

    #[test]
    fn an_overlay_is_found_and_cut_off_again(
        made in images(bodies()),
        body in bodies(),
        zeros in 0..9usize,
    ) {
        let mut original = made.image.bytes;
        if !made.packed.last().unwrap() {
            align(&mut original);
        }
        let files = [new_file(SCRIPT, &body), new_file(MANIFEST, b"{}")];
        let member = overlay(LABEL, &files).unwrap();
        prop_assert_eq!(&overlay(LABEL, &files).unwrap(), &member);
        let image = [&original[..], &member, &vec![0; zeros]].concat();

        let found = find_overlay(&file_of(&image), image.len() as u64, LABEL).unwrap().unwrap();
        prop_assert_eq!(&image[..found.offset as usize], &original[..]);
        for (file, new) in found.files.iter().zip(&files) {
            prop_assert_eq!(&file.name[..], new.name.as_bytes());
            prop_assert_eq!(&file.body[..], new.body);
            let header = file.header;
            let numbers = [header.mode, header.uid, header.gid, header.mtime, header.nlink];
            prop_assert_eq!(numbers, [new.mode, new.uid, new.gid, new.mtime, 1]);
        }
        prop_assert_eq!(found.files.len(), files.len());

        let (layout, last) = find(&image[..], SCRIPT.as_bytes(), usize::MAX).unwrap();
        let last = last.unwrap();
        prop_assert_eq!(last.number as usize, made.entries.len());
        prop_assert_eq!(last.body.unwrap(), body);
        prop_assert_eq!(last.hard_linked, made.entries[made.target].nlink > 1);
        prop_assert_eq!(layout.members.last().unwrap().offset, original.len() as u64);
        assert_same(&unpack(&image).unwrap().1[..made.entries.len()], &made.entries);
        prop_assert_eq!(
            find_overlay(&file_of(&original), original.len() as u64, LABEL).unwrap(),
            None
        );
    }

    #[test]
    fn a_rebuild_changes_one_entry_and_adds_one(
        made in images(bodies()),
        body in prop_oneof![bodies(), (0..1_400_000usize).prop_map(|n| vec![b'x'; n])],
        manifest in vec(any::<u8>(), 0..200),
    ) {
        let original = file_of(&made.image.bytes);
        let (layout, found) =
            find(&made.image.bytes[..], SCRIPT.as_bytes(), 0).unwrap();
        let found = found.unwrap();
        prop_assert_eq!(found.number as usize, made.target);
        let edit = Edit {
            entry: found.number,
            after: found.number,
            body: &body,
            added: &append::entry(&new_file(MANIFEST, &manifest)).unwrap(),
            label: LABEL,
        };
        let mut out = file_of(b"");
        rebuild(&original, &layout, &edit, &mut out, &|_| {}).unwrap();
        let image = read_all(&out);
        let length = image.len() as u64;
        let both = |rebuilt: &File| {
            let rebuilt = FileRange::new(rebuilt, 0, rebuilt.metadata().unwrap().len());
            compare(FileRange::new(&original, 0, layout.length), rebuilt, &edit, &|_| {})
        };
        both(&out).unwrap();

        let start = find_added(&out, length, LABEL, MANIFEST.as_bytes()).unwrap();
        let gzip_first = made.packed[0];
        prop_assert_eq!(
            start,
            if gzip_first { Start::Added(manifest.clone()) } else { Start::Unknown }
        );

        // Entry by entry: the target has its new body, the manifest stands behind it in its member.
        let (new_layout, mut entries) = unpack(&image).unwrap();
        let added = entries
            .iter()
            .position(|entry| entry.name == MANIFEST.as_bytes())
            .unwrap();
        let manifest_entry = entries.remove(added);
        prop_assert!(added > made.target);
        prop_assert_eq!(manifest_entry.member, found.member);
        prop_assert_eq!(manifest_entry.body, manifest);
        for (number, (entry, old)) in entries.iter().zip(&made.entries).enumerate() {
            prop_assert_eq!(entry.member, made.member[number]);
            if number == made.target {
                prop_assert_eq!(&entry.body, &body);
                let header = seen_head(old);
                prop_assert_eq!(&entry.raw[..54], &header[..54]);
                prop_assert_eq!(&entry.raw[62..102], &header[62..102]);
                prop_assert_eq!(&entry.raw[110..], &header[110..]);
            } else {
                prop_assert_eq!(&entry.raw, &seen_head(old));
                prop_assert!(entry.body == old.body);
            }
        }
        prop_assert_eq!(entries.len(), made.entries.len());

        // Member by member: the others are the same bytes, but for the label in the very first header.
        prop_assert_eq!(new_layout.members.len(), made.image.members.len());
        for (new, old) in new_layout.members.iter().zip(&made.image.members) {
            let new_bytes = &image[new.offset as usize..new.end() as usize];
            let old_bytes = &made.image.bytes[old.clone()];
            prop_assert_eq!(new.offset % 4, old.start as u64 % 4);
            if new.number == found.member {
                continue;
            } else if new.number == 0 && gzip_first {
                prop_assert_eq!(behind_header(new_bytes), behind_header(old_bytes));
            } else {
                prop_assert_eq!(new_bytes, old_bytes);
            }
        }

        // The proof is one: it does not accept the original, nor the rebuilt image with another edit.
        prop_assert!(both(&original).is_err());
        let other = Edit { added: b"", ..edit };
        let length = out.metadata().unwrap().len();
        let compared = compare(
                FileRange::new(&original, 0, layout.length),
                FileRange::new(&out, 0, length),
                &other, &|_| {}
            );
        prop_assert!(compared.is_err());
    }

    #[test]
    fn a_flipped_byte_in_a_gzip_image_is_an_error_or_says_nothing(
        made in images(bodies()).prop_filter("a raw archive has no checksum", |made| {
            made.packed.iter().all(|&packed| packed)
        }),
        flips in vec((any::<Index>(), 1..=255u8), 8),
    ) {
        let (_, before) = unpack(&made.image.bytes).unwrap();
        for (at, change) in flips {
            let mut bytes = made.image.bytes.clone();
            *at.get_mut(&mut bytes) ^= change;
            if let Ok((_, after)) = unpack(&bytes) {
                prop_assert!(before == after, "byte {}", at.index(bytes.len()));
            }
        }
    }

    #[test]
    fn damaged_and_random_bytes_never_panic(
        made in images(bodies()),
        random in vec(any::<u8>(), 0..3_000),
        flips in vec((any::<Index>(), any::<u8>()), 1..6),
        cut in any::<Index>(),
    ) {
        let digest = |bytes: &[u8]| {
            let file = file_of(bytes);
            let length = bytes.len() as u64;
            let _: Result<_, Error> = unpack(bytes);
            let _ = find_overlay(&file, length, LABEL);
            let _ = find_added(&file, length, LABEL, MANIFEST.as_bytes());
        };
        let mut damaged = made.image.bytes.clone();
        for (at, change) in &flips {
            *at.get_mut(&mut damaged) = *change;
        }
        digest(&damaged);
        digest(&damaged[..cut.index(damaged.len())]);
        // The same fault behind a checksum that is right, where only the archive's reader meets it.
        digest(&gzip_named(&damaged, Some(b"baleen-test@0000000000000000")));
        digest(&gzip_named(&random, Some(LABEL.as_bytes())));
        digest(&[b"\x1f\x8b\x08\x08\0\0\0\0\0\0baleen-test\0", &random[..]].concat());
        digest(&[b"07070", &random[..]].concat());
        digest(&random);
    }
}
