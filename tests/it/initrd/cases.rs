//! The cases of the kernel's buffer format, one test or more for each, named after its number.
//!
//! What the kernel does with each is in `init/initramfs.c` and `lib/decompress_inflate.c`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::common;

use std::alloc::{GlobalAlloc, Layout as Allocation, System};
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Write};

use crate::common::{
    Entry, Image, assert_entries, cpio, cpio_without_trailer, file_of, gzip, gzip_named, trailer,
    unpack,
};
use baleen::initrd::append::{self, MAX_OVERLAY_LEN, NewFile, find_overlay, overlay};
use baleen::initrd::find::{Found, copy_body, find, hard_link_data};
use baleen::initrd::rebuild::{Edit, Start, compare, find_added, rebuild};
use baleen::initrd::{
    Compression, Error, FileRange, FileType, Layout, MAX_MEMBERS, PATH_MAX, Part, walk,
};

const LABEL: &str = "baleen-test";
/// In the one folder for files that the kernel makes by itself.
const SCRIPT: &str = "root/docker";
const MANIFEST: &str = "root/baleen.json";

fn abc() -> [Entry; 3] {
    [
        Entry::directory("etc"),
        Entry::file("etc/a", b"first"),
        Entry::file("etc/b", b""),
    ]
}

fn script(body: &str) -> Entry {
    Entry::file(SCRIPT, body)
}

fn new_file<'a>(name: &'a str, body: &'a [u8]) -> NewFile<'a> {
    NewFile {
        name,
        mode: 0o100_755,
        uid: 0,
        gid: 0,
        mtime: 3,
        body,
    }
}

fn look_up(image: &[u8], name: &str) -> Option<Found> {
    find(image, name.as_bytes(), 1 << 20).unwrap().1
}

fn body_of(image: &[u8], name: &str) -> Option<Vec<u8>> {
    look_up(image, name).map(|found| found.body.unwrap())
}

#[track_caller]
fn refused(image: &[u8]) -> Error {
    unpack(image).expect_err("an image that has to be refused")
}

/// Rebuilds `image` with another body for the last entry called `name`, verifies the result, and returns it.
fn rebuilt(image: &[u8], name: &str, body: &[u8]) -> Result<Vec<u8>, Error> {
    let (layout, found) = find(image, name.as_bytes(), 0)?;
    let found = found.unwrap();
    rebuilt_at(image, &layout, found.number, body)
}

fn rebuilt_at(image: &[u8], layout: &Layout, entry: u64, body: &[u8]) -> Result<Vec<u8>, Error> {
    let member = layout
        .members
        .iter()
        .find(|member| (member.first_entry..member.first_entry + member.entries).contains(&entry))
        .unwrap();
    let edit = Edit {
        entry,
        after: member.first_entry + member.entries - 1,
        body,
        added: &append::entry(&new_file(MANIFEST, b"{}")).unwrap(),
        label: LABEL,
    };
    let original = file_of(image);
    let mut out = file_of(b"");
    rebuild(&original, layout, &edit, &mut out, &|_| {})?;
    let length = out.metadata()?.len();
    compare(
        FileRange::new(&original, 0, layout.length),
        FileRange::new(&out, 0, length),
        &edit,
        &|_| {},
    )?;
    read_all(&out)
}

fn read_all(file: &File) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    FileRange::new(file, 0, file.metadata()?.len()).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Counts the memory of each thread, so that a test knows how much its own calls took.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    // A thread that ends may free memory after its counters are gone.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + change);
        let _ = MOST.try_with(|most| most.set(most.get().max(held.get())));
    });
}

#[expect(unsafe_code, reason = "an allocator can't be written without")]
// SAFETY: every call goes on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, allocation: Allocation) -> *mut u8 {
        count(allocation.size() as isize);
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.alloc(allocation) }
    }

    unsafe fn dealloc(&self, at: *mut u8, allocation: Allocation) {
        count(-(allocation.size() as isize));
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.dealloc(at, allocation) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The most bytes that `f` held at once on this thread, in addition to what was held before.
fn memory_of<T>(f: impl FnOnce() -> T) -> (usize, T) {
    let before = HELD.get();
    MOST.set(before);
    let result = f();
    ((MOST.get() - before) as usize, result)
}

#[test]
fn the_memory_counter_counts() {
    let (most, ()) = memory_of(|| drop(vec![1u8; 3 << 20]));
    assert!((3 << 20..4 << 20).contains(&most), "{most}");
}

#[test]
fn case_01_gzip_members_with_zeros_between_at_every_alignment() {
    for zeros in 0..=9 {
        for more in [0, 1, 4, 511] {
            let image = Image::default()
                .packed(&abc())
                .zeros(zeros)
                .packed(&[script("second")])
                .zeros(more)
                .packed(&[script("third"), Entry::directory("dev")])
                .zeros(zeros);
            let (layout, entries) = unpack(&image.bytes).unwrap();
            let [a, b, c] = abc();
            assert_entries(
                &entries,
                &[
                    a,
                    b,
                    c,
                    script("second"),
                    script("third"),
                    Entry::directory("dev"),
                ],
            );
            let found: Vec<_> = layout
                .members
                .iter()
                .map(|m| m.offset as usize..m.end() as usize)
                .collect();
            assert_eq!(found, image.members);
            let padding: Vec<u64> = layout.members.iter().map(|m| m.padding).collect();
            assert_eq!(padding, [zeros as u64, more as u64, zeros as u64]);
            let counts: Vec<_> = layout
                .members
                .iter()
                .map(|m| (m.number, m.first_entry, m.entries, m.has_trailer))
                .collect();
            assert_eq!(counts, [(0, 0, 3, true), (1, 3, 1, true), (2, 4, 2, true)]);
            assert_eq!(body_of(&image.bytes, SCRIPT).unwrap(), b"third");
        }
    }
}

#[test]
fn case_01_the_number_of_members_has_an_end() {
    let member = gzip(&cpio(&[Entry::directory("a")]));
    let image = member.repeat(MAX_MEMBERS);
    assert_eq!(unpack(&image).unwrap().0.members.len(), MAX_MEMBERS);
    let image = member.repeat(MAX_MEMBERS + 1);
    assert!(matches!(refused(&image), Error::TooManyMembers));
}

#[test]
fn case_02_raw_and_gzip_members_in_any_order() {
    let [a, b, c] = abc();
    for kinds in 0..8 {
        let mut image = Image::default();
        for (bit, entry) in [&a, &b, &c].into_iter().enumerate() {
            let entry = std::slice::from_ref(entry);
            image = if kinds >> bit & 1 == 1 {
                image.packed(entry)
            } else {
                image.raw(entry)
            };
        }
        let (layout, entries) = unpack(&image.bytes).unwrap();
        assert_entries(&entries, &[a.clone(), b.clone(), c.clone()]);
        for (bit, member) in layout.members.iter().enumerate() {
            assert_eq!(
                member.compression == Compression::Gzip,
                kinds >> bit & 1 == 1
            );
            assert_eq!(
                member.offset as usize..member.end() as usize,
                image.members[bit]
            );
        }
    }
}

/// The kernel eats the zeros behind a raw archive as padding, and "broken padding" ends it all; behind
/// a gzip member it counts them one by one.
#[test]
fn case_02_after_a_raw_archive_everything_is_aligned() {
    for zeros in 0..=8usize {
        for raw_again in [false, true] {
            let image = Image::default().raw(&abc()).zeros(zeros);
            let next = cpio(&[script("x")]);
            let next = if raw_again { next } else { gzip(&next) };
            let image = image.member(&next).bytes;
            if zeros.is_multiple_of(4) {
                assert_eq!(unpack(&image).unwrap().1.len(), 4);
            } else {
                assert!(
                    matches!(refused(&image), Error::Misaligned { member: 1, .. }),
                    "{zeros} zeros"
                );
            }
        }
    }
    // The number of zeros at the very end is not limited.
    for zeros in 0..=8 {
        unpack(&Image::default().raw(&abc()).zeros(zeros).bytes).unwrap();
    }
}

#[test]
fn case_02_a_raw_archive_starts_at_a_multiple_of_four() {
    let packed = gzip(&cpio(&abc()));
    for zeros in 0..8 {
        let image = [&packed[..], &vec![0; zeros], &cpio(&[script("x")])].concat();
        if (packed.len() + zeros).is_multiple_of(4) {
            assert_eq!(body_of(&image, SCRIPT).unwrap(), b"x");
        } else {
            assert!(matches!(
                refused(&image),
                Error::Misaligned { member: 1, .. }
            ));
        }
    }
}

#[test]
fn case_03_zeros_before_between_and_after() {
    for zeros in [0, 1, 2, 3, 4, 5, 512, 300_000] {
        let image = Image::default().zeros(zeros).packed(&abc()).zeros(zeros);
        let (layout, entries) = unpack(&image.bytes).unwrap();
        assert_entries(&entries, &abc());
        assert_eq!(layout.leading, zeros as u64);
        assert_eq!(layout.members[0].padding, zeros as u64);

        let image = [vec![0; zeros], cpio(&abc())].concat();
        assert_eq!(unpack(&image).is_ok(), zeros % 4 == 0, "{zeros}");
    }
}

#[test]
fn case_03_zeros_inside_a_gzip_member() {
    let (first, second) = (cpio(&abc()), cpio(&[script("x")]));
    for zeros in 0..=512 {
        let inside = [&first[..], &vec![0; zeros], &second].concat();
        let image = gzip(&inside);
        if zeros % 4 == 0 {
            let (layout, entries) = unpack(&image).unwrap();
            assert_eq!(layout.members.len(), 1);
            assert_eq!(layout.members[0].unpacked, inside.len() as u64);
            assert_eq!(entries.len(), 4);
        } else {
            assert!(matches!(
                refused(&image),
                Error::Junk {
                    member: Some(0),
                    ..
                }
            ));
        }
        unpack(&gzip(&[&first[..], &vec![0; zeros]].concat())).unwrap();
    }
    // In the first member the kernel waits for a header, and zeros are none; later it takes them.
    let zeros_first = gzip(&[&[0; 4], &second[..]].concat());
    assert!(matches!(
        refused(&zeros_first),
        Error::NoMagic { member: 0, .. }
    ));
    let image = [gzip(&first), zeros_first].concat();
    assert_eq!(body_of(&image, SCRIPT).unwrap(), b"x");
}

#[test]
fn case_03_an_image_of_zeros_or_of_nothing_is_no_image() {
    for length in [0, 1, 110, 4096] {
        assert!(matches!(refused(&vec![0; length]), Error::Empty));
    }
    // The kernel finds its state not reset after these, and ignores the rest.
    for inside in [&b""[..], &[0; 8], &[0; 200]] {
        refused(&gzip(inside));
        refused(&[gzip(inside), gzip(&cpio(&abc()))].concat());
    }
    let image = [gzip(&cpio(&abc())), gzip(b""), gzip(&cpio(&[script("x")]))].concat();
    assert_eq!(body_of(&image, SCRIPT).unwrap(), b"x");
}

#[test]
fn case_04_any_byte_after_the_last_member_is_refused() {
    let packed = gzip(&cpio(&abc()));
    let raw = cpio(&abc());
    for junk in 1..=255 {
        for zeros in [0, 1, 4] {
            for member in [&packed, &raw] {
                let mut image = [&member[..], &vec![0; zeros]].concat();
                image.push(junk);
                refused(&image);
                image.extend_from_slice(&[0; 8]);
                refused(&image);
            }
            let mut inside = [&raw[..], &vec![0; zeros]].concat();
            inside.push(junk);
            refused(&gzip(&inside));
        }
    }
    let image = [&packed[..], b"\n"].concat();
    assert!(matches!(
        refused(&image),
        Error::Junk { member: Some(0), at, found } if at == packed.len() as u64 && found == b"\n"
    ));
}

#[test]
fn case_04_other_compressions_are_named() {
    for (magic, name) in [
        (&b"\xfd7zXZ\0"[..], "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\x02\x21\x4c\x18", "lz4"),
        (b"BZh9", "bzip2"),
    ] {
        let image = [&gzip(&cpio(&abc()))[..], magic, &[1; 64]].concat();
        assert!(
            matches!(refused(&image), Error::OtherCompression { member: 1, format, .. } if format == name)
        );
    }
}

/// "cpio_archive := cpio_file* + (<nothing>
///  cpio_trailer)": the kernel accepts every member without a trailer.
#[test]
fn case_05_missing_trailer() {
    let [a, b, c] = abc();
    let open = cpio_without_trailer(&[a.clone(), b.clone()]);
    let closed = cpio(std::slice::from_ref(&c));
    let aligned = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        common::align(&mut bytes);
        bytes
    };
    for (what, image, trailers) in [
        ("raw, alone", open.clone(), &[false][..]),
        ("gzip, alone", gzip(&open), &[false]),
        (
            "zeros behind raw",
            [&open[..], &[0; 512]].concat(),
            &[false],
        ),
        (
            "zeros within gzip",
            gzip(&[&open[..], &[0; 512]].concat()),
            &[false],
        ),
        (
            "last of two",
            [gzip(&closed), gzip(&open)].concat(),
            &[true, false],
        ),
        (
            "gzip, then gzip",
            [gzip(&open), gzip(&closed)].concat(),
            &[false, true],
        ),
        (
            "gzip, then raw",
            [aligned(&gzip(&open)), closed.clone()].concat(),
            &[false, true],
        ),
        (
            "raw, then gzip",
            [open.clone(), gzip(&closed)].concat(),
            &[false, true],
        ),
        (
            "raw, zeros, raw",
            [&open[..], &[0; 512], &closed].concat(),
            &[false, true],
        ),
        (
            "raw, then raw: one archive",
            [open.clone(), closed.clone()].concat(),
            &[true],
        ),
        (
            "zeros between two entries of a gzip member",
            gzip(&[&open[..], &[0; 8], &closed].concat()),
            &[true],
        ),
    ] {
        let (layout, entries) = unpack(&image).unwrap_or_else(|error| panic!("{what}: {error}"));
        let found: Vec<bool> = layout.members.iter().map(|m| m.has_trailer).collect();
        assert_eq!(found, trailers, "{what}");
        let mut names: Vec<&[u8]> = entries.iter().map(|entry| &entry.name[..]).collect();
        names.sort_unstable();
        assert!(
            names == [&a.name[..], &b.name, &c.name] || names == [&a.name[..], &b.name],
            "{what}: {names:?}"
        );
    }
}

#[test]
fn case_05_an_image_without_a_trailer_is_patched_either_way() {
    let entries = [Entry::directory("etc"), script("old")];
    for open in [
        cpio_without_trailer(&entries),
        gzip(&cpio_without_trailer(&entries)),
        [&gzip(&cpio_without_trailer(&entries))[..], &[0; 7]].concat(),
    ] {
        let member = overlay(LABEL, &[new_file(SCRIPT, b"new")]).unwrap();
        let image = [&open[..], &member].concat();
        assert_eq!(body_of(&image, SCRIPT).unwrap(), b"new");
        let found = find_overlay(&file_of(&image), image.len() as u64, LABEL);
        assert_eq!(found.unwrap().unwrap().offset, open.len() as u64);

        let image = rebuilt(&open, SCRIPT, b"new").unwrap();
        let (layout, read) = unpack(&image).unwrap();
        assert!(!layout.members[0].has_trailer);
        assert_eq!(read.last().unwrap().name, MANIFEST.as_bytes());
        assert_eq!(body_of(&image, SCRIPT).unwrap(), b"new");
    }
}

fn hard_links() -> [Entry; 4] {
    [
        Entry::name_of(9, 3, "root/one", b""),
        Entry::name_of(10, 1, "root/alone", b"alone"),
        Entry::name_of(9, 3, "root/two", b""),
        Entry::name_of(9, 3, "root/three", b"shared"),
    ]
}

fn carried(image: &[u8], name: &str) -> (u64, Vec<u8>) {
    let found = look_up(image, name).unwrap();
    let number = hard_link_data(image, &found).unwrap();
    let mut body = Vec::new();
    copy_body(image, &Found { number, ..found }, &mut body).unwrap();
    (number, body)
}

#[test]
fn case_06_hard_links_have_their_data_on_the_last_name() {
    for image in [cpio(&hard_links()), gzip(&cpio(&hard_links()))] {
        assert_entries(&unpack(&image).unwrap().1, &hard_links());
        for name in ["root/one", "root/two", "root/three"] {
            assert!(look_up(&image, name).unwrap().hard_linked, "{name}");
            assert_eq!(carried(&image, name), (3, b"shared".to_vec()), "{name}");
        }
        assert!(!look_up(&image, "root/alone").unwrap().hard_linked);
        assert_eq!(carried(&image, "root/alone"), (1, b"alone".to_vec()));
    }
}

#[test]
fn case_07_the_same_inode_after_a_trailer_is_another_file() {
    let first = cpio(&[
        Entry::name_of(9, 2, "a1", b""),
        Entry::name_of(9, 2, "a2", b"first"),
    ]);
    let second = cpio(&[
        Entry::name_of(9, 2, "b1", b""),
        Entry::name_of(9, 2, "b2", b"second"),
    ]);
    for image in [
        [gzip(&first), gzip(&second)].concat(),
        gzip(&[first.clone(), second.clone()].concat()),
        [first, second].concat(),
    ] {
        assert_eq!(carried(&image, "a1"), (1, b"first".to_vec()));
        assert_eq!(carried(&image, "a2"), (1, b"first".to_vec()));
        assert_eq!(carried(&image, "b1"), (3, b"second".to_vec()));
        assert_eq!(carried(&image, "b2"), (3, b"second".to_vec()));
    }
}

#[test]
fn case_07_an_empty_file_with_two_names_has_no_data_elsewhere() {
    let empty = cpio(&[
        Entry::name_of(9, 2, "a1", b""),
        Entry::name_of(9, 2, "a2", b""),
    ]);
    let other = [
        Entry::name_of(9, 2, "b1", b""),
        Entry::name_of(9, 2, "b2", b"other"),
    ];
    let image = [cpio(&other), empty, cpio_without_trailer(&other)].concat();
    assert_eq!(carried(&image, "a1"), (2, b"".to_vec()));
    assert_eq!(carried(&image, "a2"), (3, b"".to_vec()));
}

/// The kernel links a later name to the file that is there, cuts it to the new length and writes.
#[test]
fn case_06_of_several_names_with_data_the_last_one_counts() {
    let image = cpio(&[
        Entry::name_of(9, 3, "one", b"first and long"),
        Entry::name_of(9, 3, "two", b"last"),
        Entry::name_of(9, 3, "three", b""),
    ]);
    for name in ["one", "two", "three"] {
        assert_eq!(carried(&image, name), (1, b"last".to_vec()), "{name}");
    }
}

#[test]
fn case_07_without_a_trailer_the_names_are_one_file() {
    let first = [Entry::name_of(9, 2, "a", b"")];
    let second = [Entry::name_of(9, 2, "b", b"shared")];
    let image = [gzip(&cpio_without_trailer(&first)), gzip(&cpio(&second))].concat();
    assert_eq!(carried(&image, "a"), (1, b"shared".to_vec()));
}

#[test]
fn case_07_devices_and_types_keep_inodes_apart() {
    let other_device = Entry {
        dev: (0, 1),
        ..Entry::name_of(9, 2, "other", b"other")
    };
    let fifo = Entry {
        mode: 0o010_644,
        ..Entry::name_of(9, 2, "fifo", b"")
    };
    let image = cpio(&[
        Entry::name_of(9, 2, "one", b""),
        Entry::name_of(9, 2, "two", b"shared"),
        other_device,
        fifo,
    ]);
    assert_eq!(carried(&image, "one"), (1, b"shared".to_vec()));
    assert_eq!(carried(&image, "other"), (2, b"other".to_vec()));
    assert_eq!(carried(&image, "fifo").0, 3);
}

#[test]
fn case_08_a_target_that_shares_its_data_is_said_to() {
    let shared = [
        Entry::name_of(9, 2, SCRIPT, b""),
        Entry::name_of(9, 2, "etc/other", b"shared"),
    ];
    let image = Image::default().packed(&shared).packed(&abc());
    assert!(look_up(&image.bytes, SCRIPT).unwrap().hard_linked);
    // The file that a later entry opens is still the shared one.
    let image = image.packed(&[script("alone")]);
    assert!(look_up(&image.bytes, SCRIPT).unwrap().hard_linked);
}

#[test]
fn case_08_a_rebuild_changes_the_entry_with_the_data_and_no_other() {
    let image = Image::default().packed(&abc()).packed(&hard_links()).bytes;
    let (layout, before) = unpack(&image).unwrap();
    let found = look_up(&image, "root/one").unwrap();
    let number = hard_link_data(&image[..], &found).unwrap();
    let image = rebuilt_at(&image, &layout, number, b"changed").unwrap();
    for name in ["root/one", "root/two", "root/three"] {
        assert_eq!(carried(&image, name).1, b"changed", "{name}");
    }
    let (_, after) = unpack(&image).unwrap();
    for (before, after) in before.iter().zip(&after) {
        if before.number != number {
            assert_eq!(before, after);
        }
    }
}

#[test]
fn case_09_sums_are_checked() {
    let entries = [
        Entry::directory("etc").with_sum(),
        Entry::file("etc/a", vec![0xff; 70_001]).with_sum(),
        Entry::file("etc/b", b"").with_sum(),
        Entry::link("etc/c", "a").with_sum(),
        script("newc between them"),
    ];
    for pack in [|b: &[u8]| b.to_vec(), gzip] {
        let image = pack(&cpio(&entries));
        assert_entries(&unpack(&image).unwrap().1, &entries);
        for (wrong, name) in [(1, "etc/a"), (2, "etc/b")] {
            let mut entries = entries.clone();
            let sum = entries[wrong].fields()[12].wrapping_add(1);
            entries[wrong].claimed_sum = Some(sum);
            assert!(
                matches!(refused(&pack(&cpio(&entries))), Error::BadSum { name: n, expected, .. }
                    if n == name && expected == sum)
            );
        }
        // In `070701` the field has no meaning.
        let any = Entry {
            claimed_sum: Some(123),
            ..script("x")
        };
        assert_entries(
            &unpack(&pack(&cpio(std::slice::from_ref(&any)))).unwrap().1,
            [&any],
        );
    }
}

#[test]
fn case_09_what_is_no_regular_file_has_no_sum() {
    let any_sum = |entry: Entry| Entry {
        crc: true,
        claimed_sum: Some(123),
        ..entry
    };
    let entries = [
        any_sum(Entry::directory("etc")),
        any_sum(Entry::link("etc/link", "a")),
    ];
    let end = any_sum(Entry::file("TRAILER!!!", b""));
    let archive = [cpio_without_trailer(&entries), end.bytes()].concat();
    let (layout, read) = unpack(&archive).unwrap();
    assert_entries(&read, &entries);
    assert!(layout.members[0].has_trailer);
}

#[test]
fn case_09_a_rebuild_writes_the_right_sum() {
    let image = gzip(&cpio(&[Entry::directory("etc"), script("old").with_sum()]));
    for body in [&b""[..], b"a", &[0xff; 100_000]] {
        let image = rebuilt(&image, SCRIPT, body).unwrap();
        assert_eq!(body_of(&image, SCRIPT).unwrap(), body);
    }
}

#[test]
fn case_10_the_old_portable_format_is_refused() {
    for number in 0..2 {
        let mut archive = cpio(&abc());
        let at = if number == 0 {
            0
        } else {
            abc()[0].bytes().len()
        };
        archive[at..at + 6].copy_from_slice(b"070707");
        for image in [gzip(&archive), archive] {
            assert!(
                matches!(refused(&image), Error::OldCpio { member: 0, at: found } if found == at as u64)
            );
        }
    }
}

#[test]
fn case_11_fields_hold_hexadecimal_digits_and_nothing_else() {
    let entry = Entry {
        lower_case: true,
        ino: 0xabcd_ef01,
        ..script("x")
    };
    assert_entries(
        &unpack(&cpio(std::slice::from_ref(&entry))).unwrap().1,
        [&entry],
    );
    for field in 0..13 {
        for bad in [
            b"0x000001",
            b"+0000001",
            b"0000000g",
            b"       1",
            b"0000001\0",
        ] {
            let mut archive = cpio(&[script("x")]);
            archive[6 + 8 * field..14 + 8 * field].copy_from_slice(bad);
            assert!(
                matches!(refused(&gzip(&archive)), Error::BadField { found, .. } if found == bad),
                "field {field}"
            );
        }
    }
}

#[test]
fn case_12_names_and_bodies_of_every_length_modulo_four() {
    for name in 1..=9 {
        for body in 0..=9 {
            let entries = [
                Entry::file(vec![b'n'; name], vec![b'b'; body]),
                Entry::link(vec![b'l'; name], vec![b't'; body]),
                script("after"),
            ];
            for image in [cpio(&entries), gzip(&cpio(&entries))] {
                assert_entries(&unpack(&image).unwrap().1, &entries);
                let image = rebuilt(&image, SCRIPT, &vec![b'c'; body]).unwrap();
                assert_entries(&unpack(&image).unwrap().1[..2], &entries[..2]);
            }
            let name = String::from_utf8(vec![b'n'; name]).unwrap();
            let body = vec![b'b'; body];
            let member = overlay(LABEL, &[new_file(&name, &body), new_file(SCRIPT, b"x")]).unwrap();
            assert_eq!(body_of(&member, &name).unwrap(), body);
            assert_eq!(body_of(&member, SCRIPT).unwrap(), b"x");
        }
    }
}

#[test]
fn case_13_a_name_of_no_length_or_without_an_end() {
    let no_length = Entry {
        name_end: 0,
        ..Entry::file("", b"x")
    };
    let image = cpio(&[Entry::directory("etc"), no_length]);
    let at = Entry::directory("etc").bytes().len() as u64;
    assert!(matches!(refused(&image), Error::EmptyName { member: 0, at: a } if a == at));
    for name in ["a", "ab", "abc", "abcd", "TRAILER!!!"] {
        let no_end = Entry {
            name_end: 0,
            ..Entry::file(name, b"body")
        };
        let image = gzip(&cpio(&[no_end]));
        assert!(matches!(refused(&image), Error::UnterminatedName { name: n, .. } if n == name));
    }
    // An empty name is valid, though no entry that is searched for has it.
    let empty = Entry::file("", b"x");
    assert_entries(
        &unpack(&cpio(std::slice::from_ref(&empty))).unwrap().1,
        [&empty],
    );
}

#[test]
fn case_14_names_padded_with_zeros_are_kept_so() {
    for name_end in 1..=9 {
        let padded = Entry {
            name_end,
            ..script("old")
        };
        let other = Entry {
            name_end,
            ..Entry::file("etc/other", b"x")
        };
        let end = Entry {
            name_end,
            ..Entry::new(0, "TRAILER!!!", b"")
        };
        let entries = [padded.clone(), other.clone()];
        let archive = [cpio_without_trailer(&entries), end.bytes()].concat();
        let (layout, read) = unpack(&gzip(&archive)).unwrap();
        assert_entries(&read, &entries);
        assert!(layout.members[0].has_trailer);
        let image = rebuilt(&gzip(&archive), SCRIPT, b"new").unwrap();
        let padded = Entry {
            body: b"new".to_vec(),
            ..padded
        };
        assert_entries(&unpack(&image).unwrap().1[..2], [&padded, &other]);
    }
}

#[test]
fn case_15_names_as_long_as_a_path_may_be_and_longer() {
    let long = |size: u32| Entry::file(vec![b'n'; size as usize - 1], b"body");
    for pack in [|b: &[u8]| b.to_vec(), gzip] {
        let entries = [long(PATH_MAX), script("after")];
        assert_entries(&unpack(&pack(&cpio(&entries))).unwrap().1, &entries);

        for size in [
            PATH_MAX + 1,
            PATH_MAX + 2,
            PATH_MAX + 3,
            PATH_MAX + 4,
            70_001,
        ] {
            let image = pack(&cpio(&[long(size), script("after")]));
            let (_, read) = unpack(&image).unwrap();
            assert_eq!(read.len(), 2);
            assert!(!read[0].header.is_used_by_kernel());
            assert_eq!(
                (&read[0].name[..], &read[0].body[..]),
                (&b""[..], &b"body"[..])
            );
            assert_eq!(body_of(&image, SCRIPT).unwrap(), b"after");
            assert!(body_of(&image, std::str::from_utf8(&long(size).name).unwrap()).is_none());
            let image = rebuilt(&image, SCRIPT, b"new").unwrap();
            assert_eq!(body_of(&image, SCRIPT).unwrap(), b"new");
        }
    }
}

#[test]
fn case_16_a_directory_with_a_body_is_passed_over() {
    let odd = [
        Entry::new(0o040_755, SCRIPT, b"body"),
        Entry::new(0o020_644, SCRIPT, b"body"),
        Entry::link(SCRIPT, vec![b't'; PATH_MAX as usize + 1]),
    ];
    for odd in odd {
        let entries = [script("kept"), odd, Entry::file("root/after", b"after")];
        let image = gzip(&cpio(&entries));
        let (_, read) = unpack(&image).unwrap();
        assert_entries(&read, &entries);
        assert!(!read[1].header.is_used_by_kernel());
        assert_eq!(body_of(&image, SCRIPT).unwrap(), b"kept");
        assert_eq!(body_of(&image, "root/after").unwrap(), b"after");
        let image = rebuilt(&image, SCRIPT, b"new").unwrap();
        let (_, again) = unpack(&image).unwrap();
        assert_eq!(again[1..3], read[1..3]);
        assert_eq!(body_of(&image, SCRIPT).unwrap(), b"new");
    }
}

#[test]
fn case_17_many_entries() {
    for count in [1_000, 100_000] {
        let mut archive = Vec::new();
        for number in 0..count {
            let body = vec![number as u8; number % 11];
            archive.extend(Entry::file(format!("root/{number}"), body).bytes());
            if number == count / 2 {
                archive.extend(script("old").bytes());
            }
        }
        archive.extend(trailer());
        let image = gzip(&archive);
        drop(archive);
        let (memory, layout) = memory_of(|| walk(&image[..], &mut |_: Part<'_>| Ok(())).unwrap());
        assert_eq!(layout.entries(), count as u64 + 1);
        assert!(memory < 1 << 20, "{memory} bytes for {count} entries");
        let found = look_up(&image, SCRIPT).unwrap();
        assert_eq!(found.number, count as u64 / 2 + 1);
        let image = rebuilt(&image, SCRIPT, b"new").unwrap();
        assert_eq!(body_of(&image, SCRIPT).unwrap(), b"new");
        let last = format!("root/{}", count - 1);
        assert_eq!(
            body_of(&image, &last).unwrap(),
            vec![(count - 1) as u8; (count - 1) % 11]
        );
    }
}

fn special_files() -> Vec<Entry> {
    let device = |mode, name: &str, rdev| Entry {
        rdev,
        ..Entry::new(mode, name, b"")
    };
    vec![
        device(0o020_600, "dev/console", (5, 1)),
        device(0o060_660, "dev/sda", (8, 0)),
        device(0o010_644, "run/pipe", (0, 0)),
        device(0o140_777, "run/socket", (0, 0)),
        Entry {
            uid: 1000,
            gid: u32::MAX,
            ..Entry::new(0o106_755, "bin/su", b"setuid")
        },
        Entry::new(0o041_777, "tmp", b""),
        Entry::link("bin/sh", "busybox"),
        Entry::new(0, "unknown", b""),
        script("old"),
    ]
}

#[test]
fn case_18_devices_pipes_links_and_special_bits_are_preserved() {
    let entries = special_files();
    let types = [
        FileType::CharDevice,
        FileType::BlockDevice,
        FileType::Fifo,
        FileType::Socket,
        FileType::Regular,
        FileType::Directory,
        FileType::Symlink,
        FileType::Unknown,
        FileType::Regular,
    ];
    for image in [cpio(&entries), gzip(&cpio(&entries))] {
        let (_, read) = unpack(&image).unwrap();
        assert_entries(&read, &entries);
        let found: Vec<FileType> = read.iter().map(|e| e.header.file_type()).collect();
        assert_eq!(found, types);
        let image = rebuilt(&image, SCRIPT, b"new").unwrap();
        assert_entries(&unpack(&image).unwrap().1[..8], &entries[..8]);
    }
}

#[test]
fn case_19_untouched_entries_keep_every_byte_and_their_order() {
    let odd = |mtime, ino, name: &str, body: &str| Entry {
        mtime,
        ino,
        lower_case: true,
        claimed_sum: Some(5),
        ..Entry::file(name, body)
    };
    let first = [
        odd(0, 0, "etc/z", "z"),
        odd(u32::MAX, u32::MAX, "etc/a", "a"),
        odd(1, 0xabc, SCRIPT, "shadowed"),
    ];
    let second = [
        odd(2, 5, "etc/a", "again"),
        odd(3, 0xabc, SCRIPT, "shadowed again"),
        odd(4, 0xabc, SCRIPT, "the last one"),
        odd(5, 5, "etc/a", "and again"),
    ];
    let third = [odd(6, 1, "var/c", "c")];
    let image = Image::default()
        .packed(&first)
        .zeros(5)
        .packed(&second)
        .raw(&third);
    assert_eq!(look_up(&image.bytes, SCRIPT).unwrap().number, 5);
    let before: Vec<&Entry> = first.iter().chain(&second).chain(&third).collect();
    assert_entries(&unpack(&image.bytes).unwrap().1, before.iter().copied());

    let result = rebuilt(&image.bytes, SCRIPT, b"new and a bit longer").unwrap();
    let (layout, read) = unpack(&result).unwrap();
    // The header of the changed entry has another size, and only that, written in capitals.
    let changed = [first.len() + 2, first.len() + second.len()];
    assert_eq!(read[changed[0]].body, b"new and a bit longer");
    let head = before[5].head();
    assert_eq!(read[changed[0]].raw[..54], head[..54]);
    assert_eq!(read[changed[0]].raw[62..], head[62..]);
    assert_eq!(read[changed[1]].name, MANIFEST.as_bytes());
    let mut kept: Vec<_> = read.clone();
    kept.remove(changed[1]);
    for (number, (found, entry)) in kept.iter().zip(&before).enumerate() {
        if number != changed[0] {
            assert_eq!((&found.raw, &found.body), (&entry.head(), &entry.body));
        }
    }
    assert_eq!(kept.len(), before.len());
    let last = &layout.members[2];
    assert_eq!(
        result[last.offset as usize..last.end() as usize],
        image.bytes[image.members[2].clone()]
    );
}

#[test]
fn case_19_the_proof_of_a_rebuild_names_every_other_change() {
    let manifest = || {
        let file = append::entry(&new_file(MANIFEST, b"{}")).unwrap();
        let made = Entry {
            ino: 0,
            mtime: 3,
            lower_case: true,
            ..Entry::file(MANIFEST, b"{}")
        };
        assert_eq!(made.bytes(), file);
        made
    };
    let [a, b, c] = abc();
    let original = [a.clone(), script("old"), b.clone(), c.clone()];
    let right = [a, script("new"), b, c, manifest()];
    let changed = |number: usize, change: fn(&mut Entry)| {
        let mut entries = right.to_vec();
        change(&mut entries[number]);
        cpio(&entries)
    };
    let without = |number| {
        let mut entries = right.to_vec();
        entries.remove(number);
        cpio(&entries)
    };
    let edit = Edit {
        entry: 1,
        after: 1,
        body: b"new",
        added: &manifest().bytes(),
        label: LABEL,
    };
    let proof = |rebuilt: &[u8]| {
        let files = (file_of(&cpio(&original)), file_of(rebuilt));
        let all = |file: &File| file.metadata().unwrap().len();
        compare(
            FileRange::new(&files.0, 0, all(&files.0)),
            FileRange::new(&files.1, 0, all(&files.1)),
            &edit,
            &|_| {},
        )
    };
    proof(&cpio(&right)).unwrap();
    for (what, wrong) in [
        ("mode of the script", changed(1, |e| e.mode = 0o100_644)),
        ("owner of the script", changed(1, |e| e.uid = 1)),
        ("time of the script", changed(1, |e| e.mtime += 1)),
        ("name of the script", changed(1, |e| e.name.push(b'2'))),
        (
            "bytes of the script",
            changed(1, |e| e.body = b"neW".into()),
        ),
        ("mode of another", changed(2, |e| e.mode |= 0o4000)),
        ("time of another", changed(0, |e| e.mtime += 1)),
        ("bytes of another", changed(2, |e| e.body = b"First".into())),
        ("length of another", changed(3, |e| e.body = b"x".into())),
        (
            "case of another's digits",
            changed(2, |e| e.lower_case = true),
        ),
        (
            "bytes of the manifest",
            changed(4, |e| e.body = b"[]".into()),
        ),
        ("mode of the manifest", changed(4, |e| e.mode = 0o100_777)),
        ("no manifest", without(4)),
        ("an entry less", without(3)),
        ("no script", without(1)),
        ("no trailer", cpio_without_trailer(&right)),
        ("packed", gzip(&cpio(&right))),
        ("a member more", [cpio(&right), gzip(b"")].concat()),
        ("an entry more", cpio(&[&right[..], &abc()].concat())),
        ("not changed at all", cpio(&original)),
    ] {
        let error = proof(&wrong).expect_err(what);
        assert!(matches!(error, Error::OtherRebuilt(_)), "{what}: {error}");
    }
}

#[test]
fn case_20_cut_off_at_every_byte() {
    let entries = [
        Entry::directory("etc"),
        Entry::file("etc/a", b"first"),
        Entry::link("etc/link", "a"),
        script("#!/sbin/openrc-run\n").with_sum(),
    ];
    // Raw: a cut behind an entry leaves an archive without a trailer, which the kernel accepts too.
    let raw = cpio(&entries);
    let mut boundaries = vec![];
    let mut at = 0;
    for entry in &entries {
        at += entry.bytes().len();
        boundaries.push(at);
    }
    for length in 0..raw.len() {
        let cut = unpack(&raw[..length]);
        match boundaries.iter().position(|&at| at == length) {
            Some(entry) => {
                let (layout, read) = cut.unwrap();
                assert_entries(&read, &entries[..=entry]);
                assert!(!layout.members[0].has_trailer, "{length}");
            }
            None => {
                let error = cut.expect_err("a cut within an entry");
                assert!(error.is_truncation(), "{length}: {error}");
            }
        }
    }
    // The same cuts inside a complete gzip member.
    for length in 1..raw.len() {
        let whole = boundaries.contains(&length);
        assert_eq!(unpack(&gzip(&raw[..length])).is_ok(), whole, "{length}");
    }
    // Gzip: every cut, in the first or second member, is an error, except the one between them.
    let first = gzip_named(&raw, Some(b"initrd.img"));
    let two = [&first[..], &[0; 3], &gzip(&cpio(&abc()))].concat();
    for length in 0..two.len() {
        let cut = unpack(&two[..length]);
        if (first.len()..=first.len() + 3).contains(&length) {
            assert_entries(&cut.unwrap().1, &entries);
        } else {
            let error = cut.expect_err("a cut within a member");
            assert!(error.is_truncation(), "{length}: {error}");
        }
    }
}

#[test]
fn case_20_a_claim_of_four_gibibytes_takes_no_memory() {
    let claims = |size| Entry {
        claimed_size: Some(size),
        ..script("a body that is far too short")
    };
    let long_name = {
        let mut archive = cpio(&[script("x")]);
        archive[94..102].copy_from_slice(b"FFFFFFFF");
        archive
    };
    let link = Entry {
        mode: 0o120_777,
        ..claims(u32::MAX)
    };
    for archive in [
        cpio(&[claims(u32::MAX)]),
        cpio(&[claims(0x8000_0000)]),
        cpio(&[claims(u32::MAX).with_sum()]),
        cpio(&[link]),
        long_name,
    ] {
        for image in [gzip(&archive), archive.clone()] {
            let (memory, error) =
                memory_of(|| find(&image[..], SCRIPT.as_bytes(), usize::MAX).unwrap_err());
            let is_right = match error {
                // The member around it is complete, so the file is not one that is still being written.
                Error::EndsInEntry { .. } => image != archive,
                Error::TruncatedEntry { .. } => image == archive,
                _ => false,
            };
            assert!(is_right, "{error}");
            assert!(memory < 1 << 20, "{memory} bytes");
            assert!(matches!(
                find_overlay(&file_of(&image), image.len() as u64, LABEL),
                Ok(None)
            ));
        }
    }
}

#[test]
fn case_21_names_that_are_not_utf_8() {
    let names = [
        &b"root/\xff\xfe"[..],
        b"root/caf\xe9",
        b"\x01\x02\x03",
        b"root/new\nline",
        "root/gr\u{fc}n".as_bytes(),
        &[0x80; 200],
    ];
    let mut entries: Vec<Entry> = names
        .iter()
        .map(|name| Entry::file(name, b"body"))
        .collect();
    entries.push(script("old"));
    let image = gzip(&cpio(&entries));
    assert_entries(&unpack(&image).unwrap().1, &entries);
    for (number, name) in names.iter().enumerate() {
        let found = find(&image[..], name, 9).unwrap().1.unwrap();
        assert_eq!((found.number, &found.name[..]), (number as u64, *name));
    }
    let image = rebuilt(&image, SCRIPT, b"new").unwrap();
    assert_entries(
        &unpack(&image).unwrap().1[..names.len()],
        &entries[..names.len()],
    );
}

#[test]
fn case_22_names_are_looked_up_however_they_are_written() {
    for name in [
        "root/docker",
        "./root/docker",
        "/root/docker",
        "//root///./docker",
        "dev/../root/docker",
        "../root/docker",
    ] {
        let image = gzip(&cpio(&[
            script("shadowed"),
            Entry::file(name, b"counts"),
            Entry::file("root/docker2", b"other"),
            Entry::file("docker", b"other"),
            Entry::file("root/docker/../other", b"other"),
        ]));
        let found = look_up(&image, SCRIPT).unwrap();
        assert_eq!((found.number, &found.name[..]), (1, name.as_bytes()));
        // The name is written back unchanged.
        let image = rebuilt(&image, SCRIPT, b"new").unwrap();
        let (_, read) = unpack(&image).unwrap();
        assert_eq!(
            (&read[1].name[..], &read[1].body[..]),
            (name.as_bytes(), &b"new"[..])
        );
    }
}

#[test]
fn case_23_a_damaged_gzip_trailer_is_refused() {
    let good = gzip(&cpio(&abc()));
    let end = good.len();
    for byte in end - 8..end {
        for behind in [&b""[..], &[0; 9], &good] {
            let mut bad = [&good[..], behind].concat();
            bad[byte] ^= 1;
            match refused(&bad) {
                Error::BadCrc { member: 0 } => assert!(byte < end - 4),
                Error::BadLength { member: 0 } => assert!(byte >= end - 4),
                other => panic!("{other}"),
            }
        }
    }
}

#[test]
fn case_23_optional_parts_of_a_gzip_header() {
    let archive = cpio(&abc());
    for name in [&b""[..], b"initrd.img", &[b'x'; 4096]] {
        unpack(&gzip_named(&archive, Some(name))).unwrap();
    }
    assert!(matches!(
        refused(&gzip_named(&archive, Some(&[b'x'; 4097]))),
        Error::GzipHeader { .. }
    ));
    // The kernel would read each of these as the beginning of the compressed data.
    for flag in [2u8, 4, 16, 32, 64, 128] {
        let mut image = gzip(&archive);
        image[3] |= flag;
        assert!(
            matches!(refused(&image), Error::GzipHeader { member: 0, at: 0, flags } if flags == flag)
        );
    }
    let mut other_method = gzip(&archive);
    other_method[2] = 7;
    assert!(matches!(refused(&other_method), Error::GzipHeader { .. }));
}

/// A gzip member that unpacks to `head` and then to `pieces` times a megabyte of zeros.
fn bomb(head: &[u8], pieces: u32) -> Vec<u8> {
    let deflated = |bytes: &[u8]| {
        let mut out = Vec::with_capacity(1 << 20);
        flate2::Compress::new(flate2::Compression::best(), false)
            .compress_vec(bytes, &mut out, flate2::FlushCompress::Full)
            .unwrap();
        out
    };
    let zeros = vec![0; 1 << 20];
    let mut piece = flate2::Crc::new();
    piece.update(&zeros);
    let zeros = deflated(&zeros);
    let mut crc = flate2::Crc::new();
    crc.update(head);
    let mut member = b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec();
    member.extend(deflated(head));
    for _ in 0..pieces {
        crc.combine(&piece);
        member.extend_from_slice(&zeros);
    }
    member.extend_from_slice(&[3, 0]);
    let length = (head.len() as u32).wrapping_add(pieces << 20);
    member.extend(crc.sum().to_le_bytes());
    member.extend(length.to_le_bytes());
    member
}

#[test]
fn case_23_a_gzip_bomb_is_refused_within_little_memory() {
    // A file of three gigabytes, and then the zeros that may stand between archives.
    let head = Entry {
        claimed_size: Some(3 << 30),
        ..Entry::file("zeros", b"")
    };
    let image = bomb(&head.head(), 5 << 10);
    assert!(image.len() < 8 << 20);
    let (memory, error) = memory_of(|| walk(&image[..], &mut |_: Part<'_>| Ok(())).unwrap_err());
    assert!(matches!(error, Error::TooLarge { member: 0 }), "{error}");
    assert!(memory < 2 << 20, "{memory} bytes");
}

#[test]
fn case_23_members_are_counted_together() {
    let head = Entry {
        claimed_size: Some(2304 << 20),
        ..Entry::file("zeros", b"")
    };
    let member = bomb(&head.head(), 2304);
    let count = |image: &[u8]| walk(image, &mut |_: Part<'_>| Ok(()));
    let layout = count(&member).unwrap();
    assert_eq!(layout.unpacked(), (2304 << 20) + head.head().len() as u64);
    let error = count(&member.repeat(2)).unwrap_err();
    assert!(matches!(error, Error::TooLarge { member: 1 }), "{error}");
}

#[test]
fn case_23_an_overlay_that_is_a_bomb_is_not_kept() {
    let many_files: Vec<u8> = (0..40)
        .flat_map(|_| Entry::file("zeros", vec![0; MAX_OVERLAY_LEN - 1]).bytes())
        .collect();
    let many_names = Entry::file("e", b"").bytes().repeat(200_000);
    for entries in [many_files, many_names] {
        let member = gzip_named(&[&entries[..], &trailer()].concat(), Some(LABEL.as_bytes()));
        assert!(entries.len() > 20 << 20 && member.len() < MAX_OVERLAY_LEN);
        let image = [gzip(&cpio(&abc())), member].concat();
        let file = file_of(&image);
        let (memory, found) = memory_of(|| find_overlay(&file, image.len() as u64, LABEL));
        assert_eq!(found.unwrap(), None);
        assert!(memory < 8 << 20, "{memory} bytes");
    }
}

#[test]
fn case_23_no_overlay_is_made_that_is_not_found_again() {
    for length in [MAX_OVERLAY_LEN - 4096, MAX_OVERLAY_LEN, MAX_OVERLAY_LEN + 1] {
        let random: Vec<u8> = (0..length as u64)
            .map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
            .collect();
        for body in [random, vec![0; length]] {
            match overlay(LABEL, &[new_file(SCRIPT, &body)]) {
                Ok(member) => {
                    let image = [gzip(&cpio(&abc())), member].concat();
                    let found = find_overlay(&file_of(&image), image.len() as u64, LABEL);
                    assert!(found.unwrap().unwrap().files[0].body == body);
                    assert!(length < MAX_OVERLAY_LEN);
                }
                Err(error) => {
                    assert!(matches!(error, Error::OverlayTooLong { .. }), "{error}");
                    assert!(length >= MAX_OVERLAY_LEN);
                }
            }
        }
    }
}

fn stock_images() -> [Vec<u8>; 4] {
    let with_script = [
        Entry::directory("etc"),
        script("old"),
        Entry::file("z", b"z"),
    ];
    [
        Image::default().packed(&with_script).bytes,
        Image::default()
            .raw(&abc())
            .packed(&with_script)
            .zeros(3)
            .bytes,
        Image::default().packed(&with_script).raw(&abc()).bytes,
        Image::default()
            .zeros(2)
            .packed(&abc())
            .packed(&with_script)
            .zeros(512)
            .bytes,
    ]
}

#[test]
fn case_24_appending_twice_and_cutting_back() {
    for original in stock_images() {
        let patch = |image: &[u8]| {
            let length = image.len() as u64;
            let end = find_overlay(&file_of(image), length, LABEL)
                .unwrap()
                .map_or(length, |found| found.offset) as usize;
            let files = [new_file(SCRIPT, b"new"), new_file(MANIFEST, b"{}")];
            [&image[..end], &overlay(LABEL, &files).unwrap()].concat()
        };
        let once = patch(&original);
        assert_eq!(body_of(&once, SCRIPT).unwrap(), b"new");
        assert_eq!(patch(&once), once);
        let found = find_overlay(&file_of(&once), once.len() as u64, LABEL);
        let found = found.unwrap().unwrap();
        assert_eq!(once[..found.offset as usize], original);
        let files: Vec<_> = found
            .files
            .iter()
            .map(|file| (&file.name[..], &file.body[..]))
            .collect();
        assert_eq!(
            files,
            [
                (SCRIPT.as_bytes(), &b"new"[..]),
                (MANIFEST.as_bytes(), b"{}")
            ]
        );
        // A different label belongs to another program, and a member that isn't the last is no overlay.
        let other = find_overlay(&file_of(&once), once.len() as u64, "another");
        assert_eq!(other.unwrap(), None);
        let buried = [once, gzip(&cpio(&abc()))].concat();
        let found = find_overlay(&file_of(&buried), buried.len() as u64, LABEL);
        assert_eq!(found.unwrap(), None);
    }
}

#[test]
fn case_24_an_overlay_may_hold_its_own_label() {
    let manifest = format!("{{\"label\": \"{LABEL}\"}}\0{LABEL}\0").repeat(3);
    // Stored without compression, so that the label's bytes appear in it unchanged.
    let mut member = flate2::GzBuilder::new()
        .filename(LABEL)
        .write(Vec::new(), flate2::Compression::none());
    let archive = cpio(&[script("new"), Entry::file(MANIFEST, &manifest)]);
    member.write_all(&archive).unwrap();
    let member = member.finish().unwrap();
    for original in stock_images() {
        let mut image = original.clone();
        common::align(&mut image);
        let offset = image.len() as u64;
        image.extend_from_slice(&member);
        let found = find_overlay(&file_of(&image), image.len() as u64, LABEL);
        let found = found.unwrap().unwrap();
        assert_eq!(found.offset, offset);
        assert_eq!(found.files[1].body, manifest.as_bytes());
    }
}

#[test]
fn case_24_rebuilding_twice_makes_the_same_bytes() {
    for original in stock_images() {
        let once = rebuilt(&original, SCRIPT, b"new").unwrap();
        assert_eq!(rebuilt(&original, SCRIPT, b"new").unwrap(), once);
        assert_eq!(body_of(&once, SCRIPT).unwrap(), b"new");
        assert_eq!(body_of(&once, MANIFEST).unwrap(), b"{}");
    }
}

#[test]
fn case_24_the_label_of_a_rebuild_leads_to_what_was_added() {
    let start = |image: &[u8]| {
        find_added(
            &file_of(image),
            image.len() as u64,
            LABEL,
            MANIFEST.as_bytes(),
        )
    };
    for original in stock_images() {
        let gzip_first = original.iter().find(|&&b| b != 0) == Some(&0x1f);
        let image = rebuilt(&original, SCRIPT, b"new").unwrap();
        if gzip_first {
            assert_eq!(start(&original).unwrap(), Start::Unlabelled);
            assert_eq!(start(&image).unwrap(), Start::Added(b"{}".to_vec()));
        } else {
            assert_eq!(start(&original).unwrap(), Start::Unknown);
            assert_eq!(start(&image).unwrap(), Start::Unknown);
        }
    }
    for (label, labelled) in [
        ("baleen-test@0000000000000000", true),
        ("baleen-test@7fffffffffffffff", true),
        ("baleen-test@ffffffffffffffff", true),
        ("baleen-test@0", false),
        ("baleen-test@00000000000000000", false),
        ("baleen-test@000000000000000g", false),
        ("baleen-test", false),
        ("baleen-testing@0000000000000000", false),
    ] {
        let image = gzip_named(&cpio(&abc()), Some(label.as_bytes()));
        if labelled {
            assert!(
                matches!(start(&image), Err(Error::WrongLabel { .. })),
                "{label}"
            );
        } else {
            assert_eq!(start(&image).unwrap(), Start::Unlabelled, "{label}");
        }
    }
}

#[test]
fn a_reader_that_fails_is_an_error_and_not_the_end() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let image = gzip(&cpio(&abc()));
    for length in 0..image.len() {
        let error = walk(image[..length].chain(Failing), &mut |_: Part<'_>| Ok(())).unwrap_err();
        assert!(matches!(error, Error::Io(_)), "{length}: {error}");
    }
}

#[test]
fn a_reader_that_yields_byte_after_byte_makes_no_difference() {
    struct Slow<'a>(&'a [u8]);
    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = buffer.len().min(1);
            self.0.read(&mut buffer[..n])
        }
    }
    for image in stock_images() {
        let slow = walk(Slow(&image), &mut |_: Part<'_>| Ok(())).unwrap();
        assert_eq!(slow, unpack(&image).unwrap().0);
    }
}
