//! The effect of Baleen's overlays on real kernels: tiny images with nothing but busybox in them, which take seconds
//! each in QEMU.
//!
//! The `/init` of such an image reports every file that the kernel made, and the kernel's complaints. Comparing whole
//! reports then shows what a patch changed. Images that Baleen refuses are booted as well, with overlays made by hand,
//! to show that each refusal has its reason in what a kernel does.

use std::slice::from_ref;

use super::machine::{Files, Machine, Made, Report, content};
use crate::common::app::{App, PROXY};
use crate::common::tools::sha256;
use crate::common::{Entry, Image, SCRIPT, align, cpio, cpio_without_trailer, gzip, gzip_named};

/// A fact that holds on every kernel.
pub(crate) struct Fact {
    pub(crate) name: &'static str,
    /// One line.
    pub(crate) what: &'static str,
    pub(crate) check: fn(&Machine),
}

pub(crate) const FACTS: &[Fact] = &[
    Fact {
        name: "kernel-append",
        what: "an appended overlay changes the script and adds the manifest; all else is as with Docker's image",
        check: appended,
    },
    Fact {
        name: "kernel-rebuild",
        what: "so does a rebuilt member, and restore gives back what was there before",
        check: rebuilt,
    },
    Fact {
        name: "kernel-padding",
        what: "the overlay is found behind an image of any length, with any number of zeros at its end",
        check: padding,
    },
    Fact {
        name: "kernel-members",
        what: "it wins, and keeps mode and owner, however names, members and archives are written",
        check: members,
    },
    Fact {
        name: "kernel-in-the-way",
        what: "links and folders in the script's place change more than the script: Baleen refuses them",
        check: in_the_way,
    },
    Fact {
        name: "kernel-file-alone",
        what: "an override takes the place of all of the old file, mode and owner included; so do parents that come with it",
        check: file_alone,
    },
    Fact {
        name: "kernel-dropped",
        what: "an entry of the right name need not be the file: Baleen sees what becomes of each",
        check: dropped,
    },
    Fact {
        name: "kernel-junk",
        what: "the kernel ignores what stands behind junk: Baleen refuses such an image",
        check: junk,
    },
    Fact {
        name: "kernel-sums",
        what: "an archive with sums (070702) is read by new kernels; old ones ignore it, and all behind it",
        check: sums,
    },
];

const MANIFEST: &str = "etc/baleen.json";
const DOCKER: &str = "/etc/init.d/docker";

const STOCK_SCRIPT: &[u8] = include_bytes!("../../scripts/2016-one-line-mobyconfig.openrc");
const LATER_SCRIPT: &[u8] = include_bytes!("../../scripts/2017-startas.openrc");
/// The body in an overlay made by hand: much shorter than what it overrides.
const SHORT: &[u8] = b"short\n";

/// An image like Docker's: two members, each padded to a multiple of four.
fn stock(machine: &Machine) -> Vec<u8> {
    let moby = [machine.system(), unusual()].concat();
    let mut image = Image::default().packed(&moby);
    align(&mut image.bytes);
    let mut image = image.packed(&[
        Entry::directory("containers"),
        Entry::file("containers/dns", b"another program"),
    ]);
    align(&mut image.bytes);
    image.bytes
}

/// Files with modes and owners that are never chosen by chance, so that their origin is visible.
fn unusual() -> Vec<Entry> {
    vec![
        Entry {
            uid: 3,
            gid: 4,
            ..Entry::new(0o040_750, "etc", b"")
        },
        Entry {
            uid: 5,
            gid: 6,
            ..Entry::new(0o040_711, "etc/init.d", b"")
        },
        unusual_script(),
        Entry::link("etc/runlevel", "init.d"),
        Entry::name_of(21, 2, "etc/hostname", b""),
        Entry::name_of(21, 2, "etc/hostname.default", b"moby\n"),
        Entry {
            uid: 7,
            ..Entry::new(0o104_755, "bin/su", b"a program with more rights")
        },
        Entry::new(0o041_777, "tmp", b""),
        Entry::new(0o010_622, "etc/pipe", b""),
        Entry {
            rdev: (1, 3),
            ..Entry::new(0o020_666, "dev/null", b"")
        },
    ]
}

fn unusual_script() -> Entry {
    Entry {
        uid: 1000,
        gid: 50,
        mtime: 1_450_000_001,
        ..Entry::new(0o100_700, SCRIPT, STOCK_SCRIPT)
    }
}

fn app_with(image: &[u8]) -> App {
    let app = App::with_script(STOCK_SCRIPT);
    app.replace_image(image);
    app
}

fn apply(app: &App, method: &str) {
    app.ok(&["apply", "--http-proxy", PROXY, "--method", method]);
}

/// A file in the image, as Baleen reads it.
fn entry_in(app: &App, name: &str) -> Vec<u8> {
    let mut command = app.command(&["inspect", "--entry", name]);
    let output = command.arg(app.image()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

/// The expected result of a patch of `stock`: the script, at `at`, with another body, and a manifest beside it. The
/// bodies are those that Baleen reads back; this also checks that they contain the proxy.
#[track_caller]
fn expected(stock: &Files, at: &str, manifest_at: &str, app: &App, stock_script: &[u8]) -> Files {
    let (script, manifest) = (entry_in(app, SCRIPT), entry_in(app, MANIFEST));
    let text = String::from_utf8_lossy(&script);
    assert!(text.contains(&format!("HTTP_PROXY='{PROXY}'")), "{text}");
    let first = stock_script.iter().position(|&byte| byte == b'\n').unwrap();
    assert!(script.ends_with(&stock_script[first..]), "{text}");
    assert!(String::from_utf8_lossy(&manifest).contains(PROXY));

    let mut files = stock.clone();
    let changed = files.get_mut(at).expect("a script");
    let mtime = changed.time;
    changed.what = content(1, script.len() as u64, &sha256(&script));
    let manifest = Entry {
        mtime,
        ..Entry::new(0o100_644, MANIFEST, manifest)
    };
    let before = files.insert(manifest_at.to_owned(), Made::of(&manifest));
    assert_eq!(before, None);
    files
}

/// Docker's image and the patched one, booted and compared.
#[track_caller]
fn override_of_whole_images(machine: &Machine, app: &App, method: &str) -> Report {
    let image = app.bytes();
    let stock = machine.boot("stock", &image);
    stock.says(&[]);
    for entry in unusual() {
        let name = format!("/{}", String::from_utf8_lossy(&entry.name));
        let made = &stock.files[&name];
        let wanted = (entry.mode, (entry.uid, entry.gid));
        assert_eq!((made.mode, made.owner), wanted, "{name}");
    }
    assert_eq!(stock.files[DOCKER], Made::of(&unusual_script()));
    assert_eq!(stock.proxies, [""; 0]);

    apply(app, method);
    let patched = machine.boot("patched", &app.bytes());
    let manifest_at = format!("/{MANIFEST}");
    patched.is(&expected(
        &stock.files,
        DOCKER,
        &manifest_at,
        app,
        STOCK_SCRIPT,
    ));
    // The script that runs has the proxy, too.
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"] {
        let wanted = format!("{name}={PROXY}");
        assert!(patched.proxies.contains(&wanted), "{:?}", patched.proxies);
    }
    stock
}

/// The flag for a name in the header of the gzip member at `offset`, and the name.
fn label(image: &[u8], offset: usize) -> (u8, String) {
    let member = &image[offset..];
    let name = member[10..].split(|&byte| byte == 0).next().unwrap();
    (member[3], String::from_utf8_lossy(name).into_owned())
}

fn appended(machine: &Machine) {
    let image = stock(machine);
    let app = app_with(&image);
    override_of_whole_images(machine, &app, "append");
    let patched = app.bytes();
    assert!(patched.starts_with(&image));
    // The kernel has just read a header with a name in it.
    let found = label(&patched, image.len());
    assert_eq!(found, (0x08, "baleen-overlay".to_owned()));
    app.ok(&["restore"]);
    assert!(app.bytes() == image, "restore gives other bytes");
}

fn rebuilt(machine: &Machine) {
    let image = stock(machine);
    let app = app_with(&image);
    let stock = override_of_whole_images(machine, &app, "rebuild");
    let (flags, name) = label(&app.bytes(), 0);
    assert_eq!(flags, 0x08);
    assert!(name.starts_with("baleen-rebuilt@"), "{name}");
    app.ok(&["restore"]);
    let restored = machine.boot("restored", &app.bytes());
    restored.is(&stock.files);
    assert_eq!(restored.proxies, [""; 0]);
}

/// The folders that a script needs, which each room has.
fn folders() -> Vec<u8> {
    cpio(&["etc", "etc/init.d"].map(Entry::directory))
}

/// A Docker.app with an image for a room, and the folders that are there already.
fn app_with_room(image: &[u8]) -> App {
    app_with(&[&folders(), image].concat())
}

/// One image that contains many, each unpacked into its own room: before each image `/etc` becomes a link to its room,
/// so that one boot is enough for all. Each starts at a multiple of four, as a whole image does.
struct Rooms(Vec<u8>);

impl Rooms {
    fn new(machine: &Machine) -> Self {
        let base = [machine.system(), vec![Entry::directory("rooms")]].concat();
        Self(Image::default().packed(&base).bytes)
    }

    /// Adds a room with an empty `init.d` in it, and `image` unpacked there.
    fn add(&mut self, name: &str, image: &[u8]) {
        let room = format!("rooms/{name}");
        align(&mut self.0);
        self.0.extend(gzip(&cpio(&[
            Entry::directory(&room),
            Entry::directory(format!("{room}/init.d")),
            Entry::link("etc", &room),
        ])));
        align(&mut self.0);
        self.0.extend_from_slice(image);
    }
}

/// The files of a room, without the room's own name.
fn room(report: &Report, name: &str) -> Files {
    let room = format!("/rooms/{name}/");
    let inside = |(path, made): (&String, &Made)| {
        let path = path.strip_prefix(&room)?;
        Some((path.to_owned(), made.clone()))
    };
    report.files.iter().filter_map(inside).collect()
}

/// An image that is patched both ways.
struct Patchable {
    name: String,
    stock: Vec<u8>,
    /// The script in force.
    script: Entry,
    /// The path where the kernel puts it, within the room.
    at: &'static str,
}

impl Patchable {
    fn new(name: impl Into<String>, stock: Vec<u8>, script: &Entry) -> Self {
        Self {
            name: name.into(),
            stock,
            script: script.clone(),
            at: "init.d/docker",
        }
    }
}

/// Boots all of `images` at once: each unchanged, with an overlay, and rebuilt.
fn both_methods(machine: &Machine, images: &[Patchable]) {
    let mut rooms = Rooms::new(machine);
    let mut apps = Vec::new();
    for image in images {
        rooms.add(&image.name, &image.stock);
        for method in ["append", "rebuild"] {
            let app = app_with_room(&image.stock);
            apply(&app, method);
            let name = format!("{}-{method}", image.name);
            // An uncompressed archive has no label and stays as it is.
            let patched = app.bytes();
            rooms.add(&name, patched.strip_prefix(&folders()[..]).unwrap());
            apps.push((image, name, app));
        }
    }
    let report = machine.boot("rooms", &rooms.0);
    report.says(&[]);
    for (image, name, app) in apps {
        let stock = room(&report, &image.name);
        let found = stock.get(image.at);
        assert_eq!(found, Some(&Made::of(&image.script)), "{}", image.name);
        let wanted = expected(&stock, image.at, "baleen.json", &app, &image.script.body);
        report.files_are(
            &prefixed(&name, room(&report, &name)),
            &prefixed(&name, wanted),
        );
        app.ok(&["restore"]);
        assert!(app.bytes().ends_with(&image.stock), "{name}: restore");
        assert_eq!(app.bytes().len(), folders().len() + image.stock.len());
    }
}

/// Adds the room to each name, so that a difference shows its place, and drops the times of folders. The kernel sets
/// those by name at the end, when `/etc` leads to the last room.
fn prefixed(room: &str, files: Files) -> Files {
    let with_room = |(path, made): (String, Made)| {
        let is_folder = made.mode & 0o170_000 == 0o040_000;
        let time = if is_folder { 0 } else { made.time };
        (format!("{room}: {path}"), Made { time, ..made })
    };
    files.into_iter().map(with_room).collect()
}

fn hostname() -> Entry {
    Entry::file("etc/hostname", b"moby\n")
}

fn padding(machine: &Machine) {
    let script = unusual_script();
    let bytes = cpio(&[hostname(), script.clone()]);
    let mut images = Vec::new();
    for remainder in 0..4 {
        // The name in its header makes a member as long as needed.
        let stock = (1..5)
            .map(|length| gzip_named(&bytes, Some(&vec![b'n'; length])))
            .find(|member| member.len() % 4 == remainder)
            .unwrap();
        images.push(Patchable::new(
            format!("length-{remainder}"),
            stock,
            &script,
        ));
    }
    for zeros in [1, 2, 3, 4, 7, 512, 4096] {
        let stock = Image::default().member(&gzip(&bytes)).zeros(zeros).bytes;
        images.push(Patchable::new(format!("zeros-{zeros}"), stock, &script));
    }
    both_methods(machine, &images);
}

fn members(machine: &Machine) {
    let script = Entry::file(SCRIPT, STOCK_SCRIPT);
    let later = Entry {
        uid: 8,
        ..Entry::new(0o100_744, SCRIPT, LATER_SCRIPT)
    };
    let other = [Entry::file("etc/other", b"of another member\n")];
    let both = [hostname(), script.clone()];
    let mut images = Vec::new();
    let mut add = |name: &str, image: Image, script: &Entry| {
        images.push(Patchable::new(name, image.bytes, script));
    };
    for (name, written) in [
        ("dot-slash", "./etc/init.d/docker"),
        ("absolute", "/etc/init.d/docker"),
        ("more-slashes", "etc//init.d/./docker"),
        ("two-dots", "etc/init.d/../init.d/docker"),
    ] {
        let script = Entry::file(written, STOCK_SCRIPT);
        add(
            name,
            Image::default().packed(&[hostname(), script.clone()]),
            &script,
        );
    }
    for (name, mode) in [
        ("set-user-id", 0o104_711),
        ("set-group-id", 0o102_750),
        ("for-no-one", 0o100_000),
    ] {
        let script = Entry {
            uid: 1000,
            gid: 50,
            ..Entry::new(mode, SCRIPT, STOCK_SCRIPT)
        };
        add(
            name,
            Image::default().packed(&[hostname(), script.clone()]),
            &script,
        );
    }
    let lower = Entry {
        lower_case: true,
        name_end: 6,
        ..script.clone()
    };
    add(
        "written-otherwise",
        Image::default().packed(&[lower, hostname()]),
        &script,
    );

    // Longer than the pieces in which the kernel unpacks, and hardly compressible.
    let noise: String = (0..1500)
        .map(|n| format!("# {}\n", sha256(&[n as u8, (n >> 8) as u8])))
        .collect();
    let long = Entry::file(SCRIPT, [STOCK_SCRIPT, noise.as_bytes()].concat());
    add(
        "long",
        Image::default().packed(&[hostname(), long.clone()]),
        &long,
    );

    // Tests which of two scripts counts.
    let twice = [script.clone(), hostname(), later.clone()];
    add("twice-in-one", Image::default().packed(&twice), &later);
    let image = Image::default().packed(&both).packed(from_ref(&later));
    add("in-two-members", image, &later);
    let image = Image::default().packed(from_ref(&later)).packed(&both);
    add("in-two-the-other-way", image, &script);
    let image = Image::default().packed(&both).zeros(2);
    let image = image.packed(from_ref(&later)).zeros(5).packed(&other);
    add("in-the-first-two-of-three", image, &later);
    let image = Image::default().packed(&both).packed(&other);
    add(
        "in-the-first-of-three",
        image.packed(&[Entry::directory("etc/x")]),
        &script,
    );

    // A rebuilt member has another length, and a raw one behind it must still be aligned.
    add(
        "raw-then-gzip",
        Image::default().raw(&other).packed(&both),
        &script,
    );
    add(
        "raw-script-then-gzip",
        Image::default().raw(&both).packed(&other),
        &script,
    );
    add(
        "gzip-then-raw",
        Image::default().packed(&both).raw(&other),
        &script,
    );
    add(
        "gzip-then-raw-script",
        Image::default().packed(&other).raw(&both),
        &script,
    );
    add("raw-alone", Image::default().raw(&both), &script);

    let open = cpio_without_trailer(&both);
    add("no-trailer", Image::default().member(&gzip(&open)), &script);
    let image = Image::default().member(&gzip(&open)).packed(&other);
    add("no-trailer-then-more", image, &script);
    // The kernel's memory of hard links extends into the overlay, whose entries say that they have no others.
    let links = [
        script.clone(),
        Entry::name_of(0, 2, "etc/hostname", b""),
        Entry::name_of(0, 2, "etc/hostname.default", b"moby\n"),
    ];
    let open = cpio_without_trailer(&links);
    add(
        "no-trailer-but-links",
        Image::default().member(&gzip(&open)),
        &script,
    );
    let inside = [cpio(&both), vec![0; 8], cpio(from_ref(&later))].concat();
    add(
        "two-archives-in-one",
        Image::default().member(&gzip(&inside)),
        &later,
    );

    let really = [
        Entry::directory("etc/really"),
        Entry::link("etc/init.d", "really"),
        script.clone(),
    ];
    images.push(Patchable {
        at: "really/docker",
        ..Patchable::new("parent-is-a-link", gzip(&cpio(&really)), &script)
    });
    both_methods(machine, &images);
}

/// Asserts that Baleen refuses `image` with exit code 4 and `words` by either method, and touches nothing.
#[track_caller]
fn refused(image: &[u8], words: &[&str]) {
    refused_by(&app_with_room(image), words);
}

#[track_caller]
fn refused_by(app: &App, words: &[&str]) {
    for method in ["append", "rebuild"] {
        let arguments = ["apply", "--http-proxy", PROXY, "--method", method];
        app.refused(&arguments, 4, words);
    }
}

/// An override made by hand, in the form of Baleen's.
fn by_hand(entries: &[Entry]) -> Vec<u8> {
    gzip_named(&cpio(entries), Some(b"by-hand"))
}

/// The expected room: its `init.d`, and these files as the archive has them.
fn furnished(entries: &[Entry]) -> Files {
    let mut files = Files::new();
    for entry in [&[Entry::directory("etc/init.d")], entries].concat() {
        let name = String::from_utf8_lossy(&entry.name["etc/".len()..]).into_owned();
        files.insert(name, Made::of(&entry));
    }
    files
}

/// Images made by hand, and the expected contents of their rooms.
struct ByHand {
    rooms: Rooms,
    expected: Vec<(&'static str, Files)>,
}

impl ByHand {
    fn new(machine: &Machine) -> Self {
        Self {
            rooms: Rooms::new(machine),
            expected: Vec::new(),
        }
    }

    fn add(&mut self, name: &'static str, parts: &[&[u8]], files: Files) {
        self.rooms.add(name, &parts.concat());
        self.expected.push((name, files));
    }

    #[track_caller]
    fn check(self, machine: &Machine) {
        let report = machine.boot("rooms", &self.rooms.0);
        report.says(&[]);
        for (name, files) in self.expected {
            report.files_are(&prefixed(name, room(&report, name)), &prefixed(name, files));
        }
    }
}

fn in_the_way(machine: &Machine) {
    let script = Entry::file(SCRIPT, STOCK_SCRIPT);
    let short = Entry::file(SCRIPT, SHORT);
    let overlay = by_hand(from_ref(&short));
    let mut by_hand = ByHand::new(machine);

    // Two names of one file: both change.
    let copy = "etc/init.d/docker.copy";
    let linked = gzip(&cpio(&[
        Entry::name_of(21, 2, copy, b""),
        Entry::name_of(21, 2, SCRIPT, STOCK_SCRIPT),
    ]));
    let mut both = furnished(&[]);
    for name in ["init.d/docker", "init.d/docker.copy"] {
        both.insert(name.to_owned(), Made::holding(&short, 2, SHORT));
    }
    by_hand.add("hard-link", &[&linked, &overlay], both.clone());
    refused(&linked, &["other names share its data there"]);

    // A later script of its own doesn't end that sharing.
    let again = gzip(&cpio(from_ref(&script)));
    by_hand.add("hard-link-and-later", &[&linked, &again, &overlay], both);
    refused(
        &[&linked[..], &again].concat(),
        &["other names share its data there"],
    );

    // A symbolic link is replaced; its target stays unchanged.
    let real = Entry::file("etc/init.d/real", STOCK_SCRIPT);
    let link = gzip(&cpio(&[real.clone(), Entry::link(SCRIPT, "real")]));
    by_hand.add(
        "symlink",
        &[&link, &overlay],
        furnished(&[real, short.clone()]),
    );
    refused(
        &link,
        &[
            "should hold /etc/init.d/docker as a file of its own",
            "symbolic link",
        ],
    );

    // So is an empty folder.
    let folder = gzip(&cpio(&[Entry::directory(SCRIPT)]));
    by_hand.add("folder", &[&folder, &overlay], furnished(from_ref(&short)));
    refused(&folder, &["directory"]);

    // Through a link in the script's path another file would change.
    let really = [
        Entry::directory("etc/really"),
        Entry::link("etc/init.d", "really"),
        Entry::file("etc/really/docker", STOCK_SCRIPT),
    ];
    let elsewhere = gzip(&cpio(&really));
    let changed = Entry::file("etc/really/docker", SHORT);
    let [folder, link, _] = really;
    by_hand.add(
        "parent-is-a-link",
        &[&elsewhere, &overlay],
        furnished(&[folder, link, changed]),
    );
    refused(&elsewhere, &["has no entry of that name"]);
    by_hand.check(machine);
}

fn file_alone(machine: &Machine) {
    let script = unusual_script();
    let stock = gzip(&cpio(&[hostname(), script.clone()]));
    let mut rooms = ByHand::new(machine);

    let short = Entry {
        body: SHORT.to_vec(),
        ..script.clone()
    };
    let overlay = by_hand(from_ref(&short));
    rooms.add(
        "no-tail",
        &[&stock, &overlay],
        furnished(&[hostname(), short.clone()]),
    );

    let other = Entry {
        uid: 8,
        gid: 9,
        ..Entry::new(0o100_644, SCRIPT, SHORT)
    };
    let overlay = by_hand(from_ref(&other));
    rooms.add(
        "own-mode",
        &[&stock, &overlay],
        furnished(&[hostname(), other]),
    );

    // The reason why an overlay brings no folders.
    let parent = Entry {
        uid: 8,
        gid: 9,
        ..Entry::new(0o040_700, "etc/init.d", b"")
    };
    let overlay = by_hand(&[parent.clone(), short.clone()]);
    rooms.add(
        "with-parent",
        &[&stock, &overlay],
        furnished(&[hostname(), script.clone(), short, parent]),
    );

    // The reason why an entry of that name must exist: nothing shows that this one was dropped.
    let lost = Entry::file("etc/conf.d/docker", b"DOCKER_OPTS=\n");
    let overlay = by_hand(from_ref(&lost));
    let nothing_new = furnished(&[hostname(), script.clone()]);
    rooms.add("no-parent", &[&stock, &overlay], nothing_new);
    let folder = Entry::directory("etc/conf.d");
    let overlay = by_hand(&[folder.clone(), lost.clone()]);
    rooms.add(
        "parent-in-the-overlay",
        &[&stock, &overlay],
        furnished(&[hostname(), script, folder, lost]),
    );
    let none = gzip(&cpio(&[hostname()]));
    refused(&none, &["has no entry of that name"]);
    rooms.check(machine);
}

/// The script's entry is dropped, or its file removed again; whole images, since a room has its folders.
fn dropped(machine: &Machine) {
    let folders = || ["etc", "etc/init.d"].map(Entry::directory).to_vec();
    let script = || vec![Entry::file(SCRIPT, STOCK_SCRIPT)];
    let really = [
        Entry::directory("etc"),
        Entry::directory("etc/really"),
        Entry::link("etc/init.d", "really"),
    ];
    for (name, entries, words) in [
        (
            "before-its-folder",
            [script(), folders()].concat(),
            "a folder in its path does not exist at that point of the archive",
        ),
        (
            "link-becomes-folder",
            [
                really.to_vec(),
                script(),
                vec![Entry::directory("etc/init.d")],
            ]
            .concat(),
            "the entry 'etc/init.d' behind it takes its place away",
        ),
        (
            "folder-with-files-in-its-place",
            [
                folders(),
                vec![
                    Entry::directory(SCRIPT),
                    Entry::file("etc/init.d/docker/x", ""),
                ],
                script(),
            ]
            .concat(),
            "a folder that is not empty is in its place",
        ),
        (
            "removed-later",
            [folders(), script(), vec![Entry::new(0, SCRIPT, "")]].concat(),
            "without a file type it removes what is there",
        ),
    ] {
        let image = Image::default()
            .packed(&machine.system())
            .packed(&entries)
            .bytes;
        let report = machine.boot(name, &image);
        report.says(&[]);
        let found = report.files.get(DOCKER);
        let is_folder = found.is_some_and(|made| made.mode & 0o170_000 == 0o040_000);
        assert!(
            found.is_none() || is_folder,
            "{name}: {}",
            Made::shown(found)
        );
        refused_by(&app_with(&image), &[words]);
    }

    // A later entry with a path that doesn't exist changes nothing, so the first is the script.
    let lost = Entry::file("etc/none/../init.d/docker", LATER_SCRIPT);
    let both = [folders(), script(), vec![lost]].concat();
    let image = Image::default()
        .packed(&machine.system())
        .packed(&both)
        .bytes;
    let report = machine.boot("by-no-way", &image);
    report.says(&[]);
    assert_eq!(report.files.get(DOCKER), Some(&Made::of(&script()[0])));
    refused_by(&app_with(&image), &["a folder in its path does not exist"]);
}

fn junk(machine: &Machine) {
    let image = stock(machine);
    let stock = Made::of(&unusual_script());
    let short = Entry {
        body: SHORT.to_vec(),
        ..unusual_script()
    };
    let overlay = by_hand(from_ref(&short));
    // Boots `parts` in a row; the kernel must complain in `words`, and the script must be `script`.
    let fails = |name: &str, parts: &[&[u8]], script: &Made, words: &str| {
        let report = machine.boot(name, &parts.concat());
        report.says(&[&format!("Initramfs unpacking failed: {words}")]);
        let found = report.files.get(DOCKER);
        assert_eq!(found, Some(script), "{}", report.console.display());
    };

    // After one byte of junk, the kernel ignores all that follows.
    let magic = "invalid magic at start of compressed archive";
    fails("between", &[&image, b"X", &overlay], &stock, magic);
    refused(&[&image[..], b"X"].concat(), &["holds \"X\""]);

    // What another tool appends to a patched image is not part of the patch.
    fails(
        "behind",
        &[&image, &overlay, b"XYZ!"],
        &Made::of(&short),
        magic,
    );
    let app = app_with(&image);
    apply(&app, "append");
    app.replace_image(&[&app.bytes()[..], b"XYZ!"].concat());
    app.refused(&["apply", "--http-proxy", PROXY], 4, &["XYZ!"]);

    // Behind an uncompressed archive a single zero is as bad. Writing that archive again would help.
    let raw = Image::default().raw(&[machine.system(), unusual()].concat());
    let raw = raw.zeros(1).bytes;
    fails("behind-raw", &[&raw, &overlay], &stock, "broken padding");
    let app = app_with(&raw);
    let append = ["apply", "--http-proxy", PROXY, "--method", "append"];
    app.refused(&append, 4, &["its length should be a multiple of 4"]);

    // A gzip header may contain a name, as the tests before show, and nothing else.
    for (name, flag, extra) in [
        ("gzip-extra", 0x04, &b"\x02\0ab"[..]),
        ("gzip-comment", 0x10, b"a comment\0"),
    ] {
        let mut member = gzip(&cpio(from_ref(&short)));
        member[3] = flag;
        member.splice(10..10, extra.iter().copied());
        fails(name, &[&image, &member], &stock, "uncompression error");
        refused(
            &[&image[..], &member].concat(),
            &["has parts that the kernel's reader does not understand"],
        );
    }
}

/// Archives with sums, which 5.10 does not know and 6.1 does.
fn sums(machine: &Machine) {
    let short = |mode| Entry::new(mode, SCRIPT, SHORT);
    let with_sum = gzip(&cpio(&[short(0o100_644).with_sum()]));
    let behind = short(0o100_600);
    let overlay = by_hand(from_ref(&behind));
    let image = [stock(machine), with_sum, overlay].concat();
    let report = machine.boot("sums", &image);
    let wanted = if machine.kernel.version().starts_with("5.") {
        report.says(&["Initramfs unpacking failed: no cpio magic"]);
        Made::of(&unusual_script())
    } else {
        report.says(&[]);
        Made::of(&behind)
    };
    assert_eq!(report.files.get(DOCKER), Some(&wanted));
}
