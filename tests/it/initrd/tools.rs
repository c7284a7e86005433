//! Images made by common tools and read by Baleen, and images written by Baleen and read by those tools.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::common::{self, tools};

use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::common::{Image, SCRIPT, Unpacked, file_of, output, run, unpack};
use baleen::initrd::append::{self, NewFile, overlay};
use baleen::initrd::find::find;
use baleen::initrd::rebuild::{Edit, compare, rebuild};
use baleen::initrd::{Compression, FileRange, FileType, Layout, normalise};

const MANIFEST: &str = "etc/baleen.json";
const OLD: &str = "#!/sbin/openrc-run\nstart() { :; }\n";
const NEW: &str = "#!/sbin/openrc-run\nexport HTTP_PROXY='http://proxy:8080'\nstart() { :; }\n";

fn gnu_cpio() -> Option<Command> {
    tools::tool("cpio", "GNU cpio")
}

fn bsdcpio() -> Option<Command> {
    tools::tool("bsdcpio", "bsdcpio")
}

fn bsdtar() -> Option<Command> {
    tools::tool("bsdtar", "bsdtar")
}

fn gzip() -> Option<Command> {
    tools::tool("gzip", "gzip")
}

fn pigz() -> Option<Command> {
    tools::tool("pigz", "pigz")
}

/// A small root file system, with names and bodies of many lengths.
fn tree() -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    let root = tree.path();
    fs::create_dir_all(root.join("etc/init.d")).unwrap();
    fs::create_dir_all(root.join("usr/share/with a space")).unwrap();
    fs::write(root.join(SCRIPT), OLD).unwrap();
    fs::write(root.join("etc/zero"), "").unwrap();
    for length in 0..9 {
        let name = format!("usr/share/with a space/{}", "n".repeat(length + 1));
        fs::write(root.join(name), "b".repeat(length)).unwrap();
    }
    // Incompressible, and longer than what the rebuild packs at a time.
    let noise: Vec<u8> = (0..1_300_000u64)
        .map(|n| (n.wrapping_mul(n ^ 0x9e37_79b9_7f4a_7c15) >> 40) as u8)
        .collect();
    fs::write(root.join("usr/noise"), noise).unwrap();
    fs::write(root.join("usr/one"), "shared").unwrap();
    fs::hard_link(root.join("usr/one"), root.join("usr/two")).unwrap();
    symlink("noise", root.join("usr/link")).unwrap();
    tree
}

/// The paths below `root`, parents first, as `find` prints them.
fn paths(root: &Path) -> Vec<String> {
    let mut found = vec![];
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(folder).unwrap() {
            let item = item.unwrap();
            let below = item.path().strip_prefix(root).unwrap().to_path_buf();
            found.push(below.to_str().unwrap().to_owned());
            if item.file_type().unwrap().is_dir() {
                folders.push(item.path());
            }
        }
    }
    found.sort();
    found
}

/// The archive of all of `root` that `cpio` makes in `format`.
fn pack(mut cpio: Command, root: &Path, format: &str) -> Vec<u8> {
    let list = paths(root).join("\n") + "\n";
    cpio.args(["-o", "-H", format, "--quiet"]).current_dir(root);
    output(&mut cpio, list.as_bytes())
}

fn deflated(mut gzip: Command, archive: &[u8]) -> Vec<u8> {
    output(gzip.arg("-c"), archive)
}

fn lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// The listing by `cpio`, or nothing without it.
fn listed(cpio: Option<Command>, archive: &[u8]) -> Option<Vec<String>> {
    cpio.map(|mut cpio| lines(&output(cpio.args(["-it", "--quiet"]), archive)))
}

fn names(entries: &[Unpacked], member: usize) -> Vec<String> {
    entries
        .iter()
        .filter(|entry| entry.member == member)
        .map(|entry| String::from_utf8(entry.name.clone()).unwrap())
        .collect()
}

/// Fails unless the entries of `member` are the files below `root`.
fn assert_holds_tree(entries: &[Unpacked], member: usize, root: &Path) {
    let mut seen = vec![];
    for entry in entries.iter().filter(|entry| entry.member == member) {
        let name = String::from_utf8(normalise(&entry.name)).unwrap();
        if name.is_empty() {
            continue;
        }
        let path = root.join(&name);
        let type_of = fs::symlink_metadata(&path).unwrap().file_type();
        match entry.header.file_type() {
            FileType::Directory => assert!(type_of.is_dir(), "{name}"),
            FileType::Symlink => {
                assert_eq!(
                    fs::read_link(&path).unwrap().to_str().unwrap().as_bytes(),
                    entry.body
                );
            }
            FileType::Regular if entry.header.nlink > 1 && entry.body.is_empty() => {
                assert!(name == "usr/one" || name == "usr/two", "{name}");
            }
            FileType::Regular => assert!(fs::read(&path).unwrap() == entry.body, "{name}"),
            other => panic!("{name}: {}", other.name()),
        }
        seen.push(name);
    }
    seen.sort();
    assert_eq!(seen, paths(root));
}

/// The archive in each member, unpacked by `gzip` if it is packed, which must find no fault.
fn archives(gzip: fn() -> Option<Command>, image: &[u8], layout: &Layout) -> Option<Vec<Vec<u8>>> {
    layout
        .members
        .iter()
        .map(|member| {
            let bytes = &image[member.offset as usize..member.end() as usize];
            if member.compression == Compression::None {
                return Some(bytes.to_vec());
            }
            let tested = run(gzip()?.arg("-t"), bytes);
            assert!(tested.status.success() && tested.stderr.is_empty());
            Some(output(gzip()?.arg("-dc"), bytes))
        })
        .collect()
}

#[test]
fn archives_of_the_tools_are_read_as_they_list_them() {
    let tree = tree();
    let root = tree.path();
    let made = [
        (
            "cpio -H newc",
            gnu_cpio().map(|cpio| pack(cpio, root, "newc")),
        ),
        (
            "cpio -H crc",
            gnu_cpio().map(|cpio| pack(cpio, root, "crc")),
        ),
        ("bsdcpio", bsdcpio().map(|cpio| pack(cpio, root, "newc"))),
        (
            "bsdtar",
            bsdtar().map(|mut bsdtar| {
                bsdtar
                    .args(["--format", "newc", "-cf", "-", "-C"])
                    .arg(root)
                    .arg(".");
                output(&mut bsdtar, b"")
            }),
        ),
    ];
    for (maker, archive) in made {
        let Some(archive) = archive else { continue };
        let mut images = vec![archive.clone()];
        images.extend(gzip().map(|gzip| deflated(gzip, &archive)));
        images.extend(pigz().map(|pigz| deflated(pigz, &archive)));
        for image in images {
            let (layout, entries) = unpack(&image).unwrap();
            assert_eq!(layout.members.len(), 1, "{maker}");
            assert!(layout.members[0].has_trailer, "{maker}");
            assert_holds_tree(&entries, 0, root);
            for list in [listed(gnu_cpio(), &archive), listed(bsdcpio(), &archive)] {
                assert!(
                    list.is_none_or(|list| list == names(&entries, 0)),
                    "{maker}"
                );
            }
            let found = find(&image[..], SCRIPT.as_bytes(), 9999).unwrap().1;
            assert_eq!(found.unwrap().body.unwrap(), OLD.as_bytes());
        }
    }
}

#[test]
fn archives_of_the_old_format_are_refused() {
    let tree = tree();
    for (cpio, format) in [(gnu_cpio(), "odc"), (bsdcpio(), "odc")] {
        let Some(cpio) = cpio else { continue };
        let error = unpack(&pack(cpio, tree.path(), format)).unwrap_err();
        assert!(matches!(error, baleen::initrd::Error::OldCpio { .. }));
    }
}

/// One to three members of different makers, with zeros between them.
fn images(root: &Path) -> Option<Vec<Image>> {
    let newc = pack(gnu_cpio()?, root, "newc");
    let crc = pack(gnu_cpio()?, root, "crc");
    let bsd = pack(bsdcpio()?, root, "newc");
    let image = Image::default;
    Some(vec![
        image().member(&deflated(gzip()?, &newc)),
        image().member(&newc),
        image()
            .member(&deflated(pigz()?, &crc))
            .zeros(3)
            .member(&deflated(gzip()?, &newc)),
        image()
            .member(&crc)
            .member(&deflated(pigz()?, &bsd))
            .zeros(509),
        image()
            .zeros(5)
            .member(&deflated(gzip()?, &bsd))
            .member(&deflated(pigz()?, &newc))
            .zeros(1)
            .member(&deflated(gzip()?, &newc)),
    ])
}

/// Unpacks the archives one over the other, as the kernel does, and returns the result.
fn extract(cpio: fn() -> Option<Command>, archives: &[Vec<u8>]) -> Option<tempfile::TempDir> {
    let there = tempfile::tempdir().unwrap();
    for archive in archives {
        let mut cpio = cpio()?;
        cpio.args(["-idmu", "--quiet"]).current_dir(there.path());
        output(&mut cpio, archive);
    }
    Some(there)
}

fn file<'a>(name: &'a str, body: &'a str) -> NewFile<'a> {
    NewFile {
        name,
        mode: 0o100_755,
        uid: 0,
        gid: 0,
        mtime: 1_460_000_000,
        body: body.as_bytes(),
    }
}

/// Fails unless the tools find `image` sound and unpack it to the files below `root` with the new
/// script and the manifest.
fn assert_tools_read(image: &[u8], root: &Path) {
    let (layout, entries) = unpack(image).unwrap();
    for gzip in [gzip, pigz] {
        let Some(archives) = archives(gzip, image, &layout) else {
            continue;
        };
        for (member, archive) in archives.iter().enumerate() {
            for cpio in [gnu_cpio, bsdcpio] {
                if let Some(list) = listed(cpio(), archive) {
                    assert_eq!(list, names(&entries, member));
                }
            }
        }
    }
    let Some(archives) = archives(gzip, image, &layout) else {
        return;
    };
    for cpio in [gnu_cpio, bsdcpio] {
        let Some(there) = extract(cpio, &archives) else {
            continue;
        };
        let mut expected = paths(root);
        expected.push(MANIFEST.to_owned());
        expected.sort();
        assert_eq!(paths(there.path()), expected);
        for path in paths(root) {
            let (old, new) = (root.join(&path), there.path().join(&path));
            if path == SCRIPT {
                assert_eq!(fs::read_to_string(new).unwrap(), NEW);
            } else if old.is_file() {
                assert!(fs::read(old).unwrap() == fs::read(new).unwrap(), "{path}");
            }
        }
        let manifest = fs::read_to_string(there.path().join(MANIFEST)).unwrap();
        assert_eq!(manifest, "{}");
    }
}

#[test]
fn tools_read_what_is_appended() {
    let tree = tree();
    let Some(images) = images(tree.path()) else {
        return;
    };
    for mut image in images {
        let (layout, _) = unpack(&image.bytes).unwrap();
        if layout.members.last().unwrap().compression == Compression::None {
            common::align(&mut image.bytes);
        }
        let member = overlay("baleen-test", &[file(SCRIPT, NEW), file(MANIFEST, "{}")]);
        let image = image.member(&member.unwrap());
        assert_tools_read(&image.bytes, tree.path());
    }
}

#[test]
fn tools_read_what_is_rebuilt() {
    let tree = tree();
    let Some(images) = images(tree.path()) else {
        return;
    };
    for image in images {
        assert_tools_read(&rebuilt(&image.bytes), tree.path());
    }
}

/// `image` with the new script in the place of the old one, and the manifest.
fn rebuilt(image: &[u8]) -> Vec<u8> {
    let (layout, found) = find(image, SCRIPT.as_bytes(), 0).unwrap();
    let found = found.unwrap();
    let edit = Edit {
        entry: found.number,
        after: found.number,
        body: NEW.as_bytes(),
        added: &append::entry(&file(MANIFEST, "{}")).unwrap(),
        label: "baleen-test",
    };
    let original = file_of(image);
    let mut out = file_of(b"");
    rebuild(&original, &layout, &edit, &mut out, &|_| {}).unwrap();
    let mut section = FileRange::new(&out, 0, out.metadata().unwrap().len());
    compare(
        FileRange::new(&original, 0, layout.length),
        section.clone(),
        &edit,
        &|_| {},
    )
    .unwrap();
    let mut bytes = Vec::new();
    section.read_to_end(&mut bytes).unwrap();
    bytes
}

/// A known limit: what is added is `070701`, the only format that every kernel reads. Where the archive
/// around it has sums, the kernel and libarchive read both; GNU cpio takes the other format for junk.
#[test]
fn gnu_cpio_passes_over_what_is_added_to_an_archive_with_sums() {
    let tree = tree();
    let Some(cpio) = gnu_cpio() else { return };
    let archive = rebuilt(&pack(cpio, tree.path(), "crc"));
    let all = names(&unpack(&archive).unwrap().1, 0);
    assert_eq!(all.last().unwrap(), MANIFEST);
    if let Some(list) = listed(bsdcpio(), &archive) {
        assert_eq!(list, all);
    }
    let list = listed(gnu_cpio(), &archive).unwrap();
    assert_eq!(list, all[..all.len() - 1]);
}
