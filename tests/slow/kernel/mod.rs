//! Baleen's model of what the kernel makes of an image, compared with a real kernel.
//!
//! The kernel is Debian's `user-mode-linux`, or the one that `BALEEN_KERNEL` names, in QEMU, on a processor that is too new
//! for the former. `tests/e2e` checks the same [`facts`] on others.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod facts;
mod machine;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::fs;

use crate::common::{Entry, Image, cpio, cpio_without_trailer, gzip};
use baleen::initrd::{FileType, Tree, walk};
use machine::Machine;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Number of small cases in one boot.
const ROOMS: usize = 1_000;

/// Reports every file line by line; the first letter gives the kind.
const INIT: &str = r#"#!/bin/busybox sh
b=/bin/busybox
$b find / -xdev -path '/r[0-9]*' -exec $b stat -c 'F %f %h %n' {} +
$b find / -xdev -path '/r[0-9]*' -type l -exec $b stat -c 'L %N' {} +
$b find / -xdev -path '/r[0-9]*' -type f -exec $b grep -H '' {} + | $b sed 's/^/B /'
$b dmesg | $b grep -i 'initramfs unpacking failed' | $b sed 's/^/K /'
echo 'E that is all'
$b poweroff -f
"#;

fn system(busybox: &[u8]) -> Vec<Entry> {
    vec![
        Entry::directory("bin"),
        Entry::file("bin/busybox", busybox),
        Entry::file("init", INIT),
    ]
}

/// Archives that are unpacked in order; a trailer ends each.
type Archives = Vec<Vec<Entry>>;

/// A file, as far as both sides know it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    /// The file type as in `ls -l`.
    letter: char,
    /// `None` for a link, whose permissions mean nothing, and for a folder, whose permissions change if a device fails
    /// in its place.
    permissions: Option<u32>,
    names: Option<u32>,
    /// Bytes of a file, target of a link.
    content: String,
}

type Files = BTreeMap<String, Seen>;

/// Identifies entries by their permissions, and files by their content.
fn permissions(number: usize) -> u32 {
    number as u32 & 0o777
}

/// Gives each entry its own permissions and body, unless the body was chosen.
fn numbered(archives: &[Archives]) -> Vec<Vec<Entry>> {
    let mut number = 0;
    let mut all = Vec::new();
    for archive in archives.iter().flatten() {
        let mut numbered = Vec::new();
        for entry in archive {
            let kind = entry.mode & 0o170_000;
            let mut entry = Entry {
                mode: kind | permissions(number),
                ..entry.clone()
            };
            if kind == 0o100_000 && entry.body == b"?" {
                entry.body = format!("{number}\n").into_bytes();
            }
            number += 1;
            numbered.push(entry);
        }
        all.push(numbered);
    }
    all
}

/// The files that a kernel makes of `archives`, about which it must not complain.
fn by_kernel(machine: &Machine, archives: &[Vec<Entry>]) -> Files {
    let mut image = Image::default().packed(&system(&fs::read(&machine.busybox).unwrap()));
    let inside: Vec<u8> = archives.iter().flat_map(|archive| cpio(archive)).collect();
    image = image.member(&gzip(&inside));
    let console = machine.console("random", &image.bytes);
    let text = String::from_utf8_lossy(&fs::read(console).unwrap()).replace('\r', "");
    let of = |letter: &'static str| {
        text.lines()
            .filter_map(move |line| line.strip_prefix(letter)?.strip_prefix(' '))
    };
    assert!(of("E").next().is_some(), "no whole report:\n{text}");
    assert_eq!(of("K").collect::<Vec<_>>(), [""; 0]);
    let targets: HashMap<&str, &str> = of("L")
        .map(|line| {
            let both = line[1..line.len() - 1].split_once("' -> '");
            both.unwrap_or_else(|| panic!("{line}"))
        })
        .collect();
    let mut bodies: HashMap<&str, String> = HashMap::new();
    for (name, line) in of("B").map(|line| line.split_once(':').unwrap()) {
        writeln!(bodies.entry(name).or_default(), "{line}").unwrap();
    }
    let mut files = Files::new();
    for line in of("F") {
        let fields: Vec<&str> = line.splitn(3, ' ').collect();
        let &[mode, names, name] = &fields[..] else {
            panic!("{line}")
        };
        let mode = u32::from_str_radix(mode, 16).unwrap();
        let letter = match mode & 0o170_000 {
            0o100_000 => '-',
            0o040_000 => 'd',
            0o120_000 => 'l',
            0o010_000 => 'p',
            0o140_000 => 's',
            _ => '?',
        };
        let seen = Seen {
            letter,
            permissions: (!"ld".contains(letter)).then_some(mode & 0o777),
            names: (letter != 'd').then(|| names.parse().unwrap()),
            content: match letter {
                '-' => bodies.remove(name).unwrap_or_default(),
                'l' => targets[name].to_owned(),
                _ => String::new(),
            },
        };
        files.insert(name[1..].to_owned(), seen);
    }
    files
}

/// The files that Baleen's model makes of the same; it keeps only the bytes of files.
fn by_model(archives: &[Vec<Entry>]) -> Files {
    let mut tree = Tree::new();
    let entries: Vec<&Entry> = archives.iter().flatten().collect();
    let mut targets: HashMap<usize, String> = HashMap::new();
    let mut content: HashMap<usize, String> = HashMap::new();
    let mut modes: HashMap<usize, u32> = HashMap::new();
    let mut number = 0;
    for archive in archives {
        let mut sets = HashSet::new();
        for entry in archive {
            let bytes = cpio_without_trailer(std::slice::from_ref(entry));
            let mut header = None;
            walk(&bytes[..], &mut |part: baleen::initrd::Part<'_>| {
                if let baleen::initrd::Part::Entry(entry) = part {
                    header = Some(entry.header);
                }
                Ok(())
            })
            .unwrap();
            let effect = tree
                .entry(number, &header.unwrap(), &entry.name, &entry.body)
                .unwrap();
            let key = (entry.ino, entry.mode & 0o170_000);
            let is_another = entry.nlink > 1 && !sets.insert(key);
            if effect == baleen::initrd::Effect::Made {
                let at = tree.at(&entry.name).unwrap();
                let body = String::from_utf8_lossy(&entry.body).into_owned();
                match at.file_type {
                    FileType::Regular if body.is_empty() && is_another => {}
                    FileType::Regular => drop(content.insert(at.file, body)),
                    FileType::Symlink => {
                        let end = body.split('\0').next().unwrap();
                        targets.insert(at.file, end.to_owned());
                    }
                    _ => {}
                }
                // A further name of an entry that isn't a regular file changes nothing about it.
                if !is_another || entry.mode & 0o170_000 == 0o100_000 {
                    modes.insert(at.file, entry.mode & 0o777);
                }
                assert_eq!(at.entry, Some(number));
            }
            number += 1;
        }
        tree.trailer();
    }
    // All possible paths: each last part of a name in each folder.
    let mut parts: Vec<&[u8]> = Vec::new();
    for entry in &entries {
        parts.extend(entry.name.split(|&byte| byte == b'/'));
    }
    // A file may also be made through a link.
    for target in targets.values() {
        parts.extend(target.as_bytes().split(|&byte| byte == b'/'));
    }
    parts.retain(|part| !matches!(*part, b"" | b"." | b".."));
    parts.sort_unstable();
    parts.dedup();
    let rooms: Vec<&[u8]> = parts
        .iter()
        .copied()
        .filter(|part| part[0] == b'r' && part[1..].iter().all(u8::is_ascii_digit))
        .collect();
    let inner: Vec<&[u8]> = parts
        .iter()
        .copied()
        .filter(|part| !rooms.contains(part))
        .collect();
    let mut files = Files::new();
    let mut folders: Vec<Vec<u8>> = Vec::new();
    let mut see = |path: Vec<u8>, folders: &mut Vec<Vec<u8>>| {
        let Some(at) = tree.at(&path) else { return };
        let is_folder = at.file_type == FileType::Directory;
        let is_link = at.file_type == FileType::Symlink;
        let seen = Seen {
            letter: at.file_type.letter(),
            permissions: (!is_link && !is_folder).then(|| modes[&at.file]),
            names: (!is_folder).then_some(at.names),
            content: match at.file_type {
                FileType::Regular => content[&at.file].clone(),
                FileType::Symlink => targets[&at.file].clone(),
                _ => String::new(),
            },
        };
        files.insert(String::from_utf8(path.clone()).unwrap(), seen);
        if is_folder {
            folders.push(path);
        }
    };
    for room in rooms {
        see(room.to_vec(), &mut folders);
    }
    while let Some(folder) = folders.pop() {
        for part in &inner {
            see([&folder, &b"/"[..], part].concat(), &mut folders);
        }
    }
    files
}

#[track_caller]
fn assert_same(kernel: &Files, model: &Files, archives: &[Vec<Entry>]) {
    let names: std::collections::BTreeSet<&String> = kernel.keys().chain(model.keys()).collect();
    let mut said = String::new();
    let mut rooms = std::collections::BTreeSet::new();
    for name in names {
        let (is, thought) = (kernel.get(name), model.get(name));
        if is != thought {
            writeln!(said, "{name}\n  kernel {is:?}\n  Baleen {thought:?}").unwrap();
            rooms.insert(name.split('/').next().unwrap().to_owned());
        }
    }
    for room in rooms.iter().take(3) {
        writeln!(said, "--- {room}").unwrap();
        for entry in archives.iter().flatten() {
            let name = String::from_utf8_lossy(&entry.name);
            if name.split('/').next() == Some(room) {
                let body = String::from_utf8_lossy(&entry.body);
                writeln!(
                    said,
                    "{:06o} ino {} links {} {name:?} {body:?}",
                    entry.mode, entry.ino, entry.nlink
                )
                .unwrap();
            }
        }
    }
    assert!(said.is_empty(), "{said}");
}

/// A few names that get in each other's way, in many spellings.
const NAMES: &[&str] = &[
    "a",
    "a/b",
    "a/b/c",
    "b",
    "b/c",
    "b/c/a",
    "c",
    "c/a",
    "a/../b/c",
    "a/./b",
    "a//b/c",
    "a/b/../c",
    "b/../a/b",
    "c/../b",
    "a/",
    "a/b/",
    "c/",
    "a/.",
    "a/..",
    "b/c/../../a",
    "c/a/b",
    "a/b/c/..",
];

const TARGETS: &[&str] = &[
    "a",
    "b",
    "c",
    "a/b",
    "b/c",
    "../ROOM/b",
    "/ROOM/a",
    "/ROOM/c/a",
    "..",
    ".",
    "b/",
    "./b",
    "../a",
    "nowhere",
    "a\0\0",
    "b\0/c",
    "",
    "\0a",
    "c/..",
];

/// One room's entries, and where an archive ends among them.
fn rooms() -> impl Strategy<Value = Vec<(Entry, bool)>> {
    let entry = (
        prop_oneof![
            6 => Just(0o100_000u32),
            6 => Just(0o040_000),
            4 => Just(0o120_000),
            1 => Just(0o010_000),
            1 => Just(0o140_000),
            2 => Just(0),
        ],
        prop_oneof![
            3 => prop::sample::select(&NAMES[..8]),
            2 => prop::sample::select(NAMES),
        ],
        prop::sample::select(TARGETS),
        (1..3u32, prop_oneof![2 => Just(1u32), 1 => Just(2u32)]),
        (
            prop::bool::weighted(0.2),
            1..4usize,
            prop::bool::weighted(0.1),
        ),
    )
        .prop_map(
            |(kind, name, target, (ino, nlink), (empty, name_end, ends))| {
                let body = match kind {
                    0o100_000 if empty => "",
                    0o100_000 => "?",
                    0o120_000 => target,
                    _ => "",
                };
                let entry = Entry {
                    ino,
                    nlink: if kind == 0o040_000 || kind == 0o120_000 {
                        1
                    } else {
                        nlink
                    },
                    name_end,
                    ..Entry::new(kind, name, body)
                };
                (entry, ends)
            },
        );
    (any::<bool>(), prop::collection::vec(entry, 3..20)).prop_map(|(furnished, mut entries)| {
        // With both, a kernel waits in vain for something that doesn't affect where files end up.
        if entries.iter().any(|(entry, _)| entry.nlink > 1) {
            for (entry, _) in &mut entries {
                if entry.mode & 0o170_000 == 0o010_000 {
                    entry.mode = 0o140_000;
                }
            }
        }
        if furnished {
            for name in ["b", "a/b", "a"] {
                entries.insert(0, (Entry::directory(name), false));
            }
        }
        entries
    })
}

/// The same entries in the folder `room`.
fn in_room(room: &str, entries: &[(Entry, bool)]) -> Archives {
    let mut archives = vec![vec![Entry::directory(room)]];
    for (entry, ends) in entries {
        let mut entry = entry.clone();
        entry.name = [room.as_bytes(), b"/", &entry.name].concat();
        if entry.mode & 0o170_000 == 0o120_000 {
            let target = String::from_utf8(entry.body).unwrap();
            entry.body = target.replace("ROOM", room).into_bytes();
        }
        archives.last_mut().unwrap().push(entry);
        if *ends {
            archives.push(Vec::new());
        }
    }
    archives.retain(|archive| !archive.is_empty());
    archives
}

#[test]
fn what_has_to_hold_on_every_kernel_holds() {
    let folder = tempfile::tempdir().unwrap();
    for fact in facts::FACTS {
        let Some(machine) = Machine::any(&folder.path().join(fact.name)) else {
            return;
        };
        println!("{}: {}", fact.name, fact.what);
        (fact.check)(&machine);
    }
}

/// Thousands of short archives that no tool would make. One boot is enough for a thousand: each has its own folder, and
/// all names in it begin with that folder.
#[test]
fn the_kernel_makes_of_random_entries_what_baleen_says() {
    let folder = tempfile::tempdir().unwrap();
    let Some(machine) = Machine::any(folder.path()) else {
        return;
    };
    let seed = std::env::var("BALEEN_SEED").map_or(1, |seed| seed.parse().unwrap());
    let boots = std::env::var("BALEEN_BOOTS").map_or(3, |boots| boots.parse().unwrap());
    for seed in seed..seed + boots {
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let all: Vec<Archives> = (0..ROOMS)
            .map(|room| {
                let entries = rooms().new_tree(&mut runner).unwrap().current();
                in_room(&format!("r{room}"), &entries)
            })
            .collect();
        let archives = numbered(&all);
        let model = by_model(&archives);
        assert!(model.len() > 4 * ROOMS, "{} files", model.len());
        assert_same(&by_kernel(&machine, &archives), &model, &archives);
    }
}
