//! What real kernels make of Baleen's overlays: tiny images with nothing but busybox in them, which take
//! seconds each in QEMU.
//!
//! The `/init` of such an image reports every file that the kernel made, and what the kernel complained of.
//! What a patch changed is then seen by comparing whole reports. What Baleen refuses is booted as well,
//! with overlays made by hand, so that each refusal has its reason in what a kernel does.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::slice::from_ref;
use std::thread;
use std::time::{Duration, Instant};

use crate::app::{App, PROXY};
use crate::common::{Entry, Image, SCRIPT, align, cpio, cpio_without_trailer, gzip, gzip_named};
use crate::tools::sha256;

/// Where the tiny images are booted.
pub(crate) struct Machine {
    pub(crate) kernel: PathBuf,
    /// Linked statically: there is no library in the images.
    pub(crate) busybox: PathBuf,
    /// For this case alone. Images and consoles stay there as files.
    pub(crate) folder: PathBuf,
}

/// Something that has to hold on every kernel.
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

const STOCK_SCRIPT: &[u8] = include_bytes!("../scripts/2016-one-line-mobyconfig.openrc");
const LATER_SCRIPT: &[u8] = include_bytes!("../scripts/2017-startas.openrc");
/// Of an overlay made by hand: much shorter than what it overrides.
const SHORT: &[u8] = b"short\n";

/// Longer than any boot takes that ends at all.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reports line by line; the first letter says of what. One process looks at many files, since starting
/// one takes its time in an emulated machine.
const INIT: &str = r#"#!/bin/sh
b=/bin/busybox
$b find / -exec $b stat -c 'F %f %u:%g %h %s %t:%T %Y %n' {} +
$b find / -type l -exec $b stat -c 'L %N' {} +
$b find / -type f -exec $b sha256sum {} + | $b sed 's/^/D /'
if [ -f /etc/init.d/docker ]; then
	(. /etc/init.d/docker; $b env) | $b grep -i '_proxy=' | $b sed 's/^/V /'
fi
$b dmesg | $b grep -iE 'initramfs|rootfs image|initrd' |
	$b grep -vE 'Command line|command line|RAMDISK|Freeing|Trying to unpack' | $b sed 's/^/K /'
echo 'E that is all'
$b poweroff -f
"#;

/// A file as the kernel made it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Made {
    mode: u32,
    owner: (u32, u32),
    /// Seconds since 1970, as the archive has it. OpenRC looks at the times of its scripts, so they count.
    time: u32,
    /// What it holds, where it leads, which device it is; of a folder nothing.
    what: String,
}

type Files = BTreeMap<String, Made>;

impl Made {
    fn holding(entry: &Entry, links: u32, body: &[u8]) -> Self {
        Self {
            mode: entry.mode,
            owner: (entry.uid, entry.gid),
            time: entry.mtime,
            what: content(links, body.len() as u64, &sha256(body)),
        }
    }

    /// What is to become of an entry that stands alone.
    fn of(entry: &Entry) -> Self {
        match entry.mode & 0o170_000 {
            0o100_000 => Self::holding(entry, 1, &entry.body),
            0o120_000 => Self {
                mode: entry.mode,
                owner: (entry.uid, entry.gid),
                time: entry.mtime,
                what: format!("-> {}", String::from_utf8_lossy(&entry.body)),
            },
            _ => Self {
                mode: entry.mode,
                owner: (entry.uid, entry.gid),
                time: entry.mtime,
                what: String::new(),
            },
        }
    }

    fn shown(this: Option<&Self>) -> String {
        this.map_or("nothing".to_owned(), |made| {
            let (user, group) = made.owner;
            format!(
                "{:06o} {user}:{group} time {} {}",
                made.mode, made.time, made.what
            )
        })
    }
}

fn content(links: u32, size: u64, sha256: &str) -> String {
    format!("links {links}, {size} bytes, sha256 {sha256}")
}

/// What an image reported of itself.
struct Report {
    files: Files,
    /// What the kernel said of the image, without the time.
    complaints: Vec<String>,
    /// Variables that name a proxy, once the script was read by a shell.
    proxies: Vec<String>,
    /// For who wants to know more.
    console: PathBuf,
}

impl Report {
    fn read(console: &Path) -> Option<Self> {
        let text = String::from_utf8_lossy(&fs::read(console).ok()?).replace('\r', "");
        let of = |letter: &'static str| {
            text.lines()
                .filter_map(move |line| line.strip_prefix(letter)?.strip_prefix(' '))
        };
        of("E").next()?;
        let digests: BTreeMap<&str, &str> = of("D")
            .map(|line| line.split_once("  ").unwrap())
            .map(|(digest, name)| (name, digest))
            .collect();
        let targets: BTreeMap<&str, &str> = of("L")
            .map(|line| line.trim_matches('\'').split_once("' -> '").unwrap())
            .collect();
        let mut files = Files::new();
        for line in of("F") {
            let fields: Vec<&str> = line.splitn(7, ' ').collect();
            let &[mode, owner, links, size, device, time, name] = &fields[..] else {
                panic!("{line:?} in {}", console.display());
            };
            let mode = u32::from_str_radix(mode, 16).unwrap();
            let (user, group) = owner.split_once(':').unwrap();
            let what = match mode & 0o170_000 {
                0o100_000 => content(
                    links.parse().unwrap(),
                    size.parse().unwrap(),
                    digests.get(name).copied().unwrap_or("unread"),
                ),
                0o120_000 => format!("-> {}", targets[name]),
                0o040_000 => String::new(),
                _ => format!("device {device}"),
            };
            let made = Made {
                mode,
                owner: (user.parse().unwrap(), group.parse().unwrap()),
                time: match name {
                    // Changed by the boot, or made by the kernel itself.
                    "/" | "/root" | "/dev/console" => 0,
                    _ => time.parse().unwrap(),
                },
                what,
            };
            files.insert(name.to_owned(), made);
        }
        let complaints = of("K").map(|line| {
            let after_time = line.split_once("] ").map(|(_, said)| said);
            after_time.unwrap_or(line).trim().to_owned()
        });
        Some(Self {
            files,
            complaints: complaints.collect(),
            proxies: of("V").map(str::to_owned).collect(),
            console: console.to_owned(),
        })
    }

    /// Fails unless these and no other files are there, and the kernel had nothing to say.
    #[track_caller]
    fn is(&self, expected: &Files) {
        self.says(&[]);
        self.files_are(&self.files, expected);
    }

    /// Fails unless the kernel had this to say: a part of each line, in order.
    #[track_caller]
    fn says(&self, expected: &[&str]) {
        let as_expected = self.complaints.len() == expected.len()
            && self
                .complaints
                .iter()
                .zip(expected)
                .all(|(said, word)| said.contains(word));
        assert!(
            as_expected,
            "the kernel said {:?}, and should have said {expected:?} ({})",
            self.complaints,
            self.console.display()
        );
    }

    #[track_caller]
    fn files_are(&self, found: &Files, expected: &Files) {
        let mut names: Vec<&String> = found.keys().chain(expected.keys()).collect();
        names.sort();
        names.dedup();
        let differences: Vec<String> = names
            .into_iter()
            .map(|name| (name, found.get(name), expected.get(name)))
            .filter(|(_, is, wanted)| is != wanted)
            .map(|(name, is, wanted)| {
                format!(
                    "{name}\n  should be {}\n  but is    {}",
                    Made::shown(wanted),
                    Made::shown(is)
                )
            })
            .collect();
        assert!(
            differences.is_empty(),
            "{}\n({})",
            differences.join("\n"),
            self.console.display()
        );
    }
}

impl Machine {
    /// Boots `image` and returns what it says of itself.
    #[track_caller]
    fn boot(&self, name: &str, image: &[u8]) -> Report {
        fs::create_dir_all(&self.folder).unwrap();
        let initrd = self.folder.join(format!("{name}.img"));
        let console = self.folder.join(format!("{name}.console"));
        let errors = self.folder.join(format!("{name}.errors"));
        fs::write(&initrd, image).unwrap();
        // Of an earlier run: it must not be taken for this boot's.
        fs::write(&console, b"").unwrap();
        let mut qemu = Command::new("qemu-system-x86_64")
            .args(["-accel", "tcg", "-cpu", "max", "-M", "q35", "-m", "256"])
            .args(["-nodefaults", "-no-user-config", "-display", "none"])
            .args(["-no-reboot", "-nic", "none", "-serial"])
            .arg(format!("file:{}", console.display()))
            .arg("-kernel")
            .arg(&self.kernel)
            .arg("-initrd")
            .arg(&initrd)
            .args(["-append", "console=ttyS0 quiet panic=-1"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&errors).unwrap())
            .spawn()
            .expect("qemu-system-x86_64 should start (Debian: qemu-system-x86)");
        let ended = wait(&mut qemu);
        let shown = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        let fault = match ended {
            Some(status) if status.success() => {
                if let Some(report) = Report::read(&console) {
                    return report;
                }
                "it ended without a whole report".to_owned()
            }
            Some(status) => format!("QEMU ended with {status}"),
            None => format!("it was not done after {} s", PATIENCE.as_secs()),
        };
        panic!(
            "{name} on {}: {fault}\n--- console ({})\n{}\n--- QEMU\n{}---",
            self.kernel.display(),
            console.display(),
            shown(&console),
            shown(&errors)
        );
    }

    /// What an image needs to report.
    fn system(&self) -> Vec<Entry> {
        let busybox = fs::read(&self.busybox).unwrap();
        vec![
            Entry::directory("bin"),
            Entry::file("bin/busybox", busybox),
            Entry::link("bin/sh", "busybox"),
            Entry::directory("dev"),
            // Without it /init has no standard output.
            Entry {
                rdev: (5, 1),
                ..Entry::new(0o020_600, "dev/console", b"")
            },
            Entry::file("init", INIT),
        ]
    }

    /// An image like Docker's: two members, each padded to a multiple of four.
    fn stock(&self) -> Vec<u8> {
        let moby = [self.system(), unusual()].concat();
        let mut image = Image::default().packed(&moby);
        align(&mut image.bytes);
        let mut image = image.packed(&[
            Entry::directory("containers"),
            Entry::file("containers/dns", b"another program"),
        ]);
        align(&mut image.bytes);
        image.bytes
    }
}

/// The end of `qemu`, which is killed when it does not come.
fn wait(qemu: &mut Child) -> Option<ExitStatus> {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if let Some(status) = qemu.try_wait().unwrap() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(20));
    }
    qemu.kill().unwrap();
    qemu.wait().unwrap();
    None
}

/// Files with modes and owners that nobody would choose, so that it is seen where they come from.
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

/// What a patch is to make of `stock`, and nothing else: the script, `at` where it is, with another body, and
/// a manifest beside it. Bodies are those that Baleen says are there; that they hold the proxy is checked here.
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
    // It is what runs, too.
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"] {
        let wanted = format!("{name}={PROXY}");
        assert!(patched.proxies.contains(&wanted), "{:?}", patched.proxies);
    }
    stock
}

/// The flag that says that a name follows, and the name, of the gzip member at `offset`.
fn label(image: &[u8], offset: usize) -> (u8, String) {
    let member = &image[offset..];
    let name = member[10..].split(|&byte| byte == 0).next().unwrap();
    (member[3], String::from_utf8_lossy(name).into_owned())
}

fn appended(machine: &Machine) {
    let image = machine.stock();
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
    let image = machine.stock();
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

/// One image that holds many, each unpacked into a room of its own: before each `/etc` becomes a link to its
/// room, so that one boot is enough for all. Each starts at a multiple of four, as a whole image does.
struct Rooms(Vec<u8>);

impl Rooms {
    fn new(machine: &Machine) -> Self {
        let base = [machine.system(), vec![Entry::directory("rooms")]].concat();
        Self(Image::default().packed(&base).bytes)
    }

    /// A room with an empty `init.d` in it, and `image` unpacked there.
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

impl Report {
    /// What is in a room, without the room's own name.
    fn room(&self, name: &str) -> Files {
        let room = format!("/rooms/{name}/");
        let inside = |(path, made): (&String, &Made)| {
            let path = path.strip_prefix(&room)?;
            Some((path.to_owned(), made.clone()))
        };
        self.files.iter().filter_map(inside).collect()
    }
}

/// An image that is patched both ways.
struct Patchable {
    name: String,
    stock: Vec<u8>,
    /// The script that counts.
    script: Entry,
    /// Where the kernel puts it, within the room.
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

/// Boots all of `images` at once: each as it is, with an overlay and rebuilt.
fn both_methods(machine: &Machine, images: &[Patchable]) {
    let mut rooms = Rooms::new(machine);
    let mut apps = Vec::new();
    for image in images {
        rooms.add(&image.name, &image.stock);
        for method in ["append", "rebuild"] {
            let app = app_with(&image.stock);
            apply(&app, method);
            let name = format!("{}-{method}", image.name);
            rooms.add(&name, &app.bytes());
            apps.push((image, name, app));
        }
    }
    let report = machine.boot("rooms", &rooms.0);
    report.says(&[]);
    for (image, name, app) in apps {
        let stock = report.room(&image.name);
        let found = stock.get(image.at);
        assert_eq!(found, Some(&Made::of(&image.script)), "{}", image.name);
        let wanted = expected(&stock, image.at, "baleen.json", &app, &image.script.body);
        report.files_are(
            &prefixed(&name, report.room(&name)),
            &prefixed(&name, wanted),
        );
        app.ok(&["restore"]);
        assert!(app.bytes() == image.stock, "{name}: restore");
    }
}

/// With the room in each name, so that a difference says where it is; and without the times of folders, which
/// the kernel sets by name when it is done, and by then `/etc` leads to the last room.
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
        // The name in its header makes a member as long as it has to be.
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
        ("for-nobody", 0o100_000),
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

    // Which of two scripts counts.
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

    // A rebuilt member has another length, and a raw one behind it still has to be aligned.
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
    // What the kernel remembers of hard links goes on into the overlay, whose entries say that they have no others.
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

/// What Baleen refuses with exit code 4 and `words`, whichever way it is to patch; nothing is touched.
#[track_caller]
fn refused(image: &[u8], words: &[&str]) {
    let app = app_with(image);
    for method in ["append", "rebuild"] {
        let arguments = ["apply", "--http-proxy", PROXY, "--method", method];
        app.refused(&arguments, 4, words);
    }
}

/// An override made by hand, of the form of Baleen's.
fn by_hand(entries: &[Entry]) -> Vec<u8> {
    gzip_named(&cpio(entries), Some(b"by-hand"))
}

/// A room as it is to be: its `init.d`, and these files as they stand in an archive.
fn furnished(entries: &[Entry]) -> Files {
    let mut files = Files::new();
    for entry in [&[Entry::directory("etc/init.d")], entries].concat() {
        let name = String::from_utf8_lossy(&entry.name["etc/".len()..]).into_owned();
        files.insert(name, Made::of(&entry));
    }
    files
}

/// Images made by hand, and what is to be in their rooms.
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
            report.files_are(&prefixed(name, report.room(name)), &prefixed(name, files));
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

    // A later script of its own does not end that.
    let again = gzip(&cpio(from_ref(&script)));
    by_hand.add("hard-link-and-later", &[&linked, &again, &overlay], both);
    refused(
        &[&linked[..], &again].concat(),
        &["other names share its data there"],
    );

    // A symbolic link goes; where it led to, all stays as it was.
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

    // So does an empty folder.
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

    // Why an overlay brings no folders.
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

    // Why there has to be an entry of that name: nothing says that this one was dropped.
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

fn junk(machine: &Machine) {
    let image = machine.stock();
    let stock = Made::of(&unusual_script());
    let short = Entry {
        body: SHORT.to_vec(),
        ..unusual_script()
    };
    let overlay = by_hand(from_ref(&short));
    // Boots `parts` in a row; the kernel is to complain in `words`, and the script to be `script`.
    let fails = |name: &str, parts: &[&[u8]], script: &Made, words: &str| {
        let report = machine.boot(name, &parts.concat());
        report.says(&[&format!("Initramfs unpacking failed: {words}")]);
        let found = report.files.get(DOCKER);
        assert_eq!(found, Some(script), "{}", report.console.display());
    };

    // One byte, and all behind it might as well not be there.
    let magic = "invalid magic at start of compressed archive";
    fails("between", &[&image, b"X", &overlay], &stock, magic);
    refused(&[&image[..], b"X"].concat(), &["holds \"X\""]);

    // What another tool puts behind a patched image is no part of it.
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

    // Behind an uncompressed archive a single zero is as bad. Writing that archive anew would do.
    let raw = Image::default().raw(&[machine.system(), unusual()].concat());
    let raw = raw.zeros(1).bytes;
    fails("behind-raw", &[&raw, &overlay], &stock, "broken padding");
    let app = app_with(&raw);
    let append = ["apply", "--http-proxy", PROXY, "--method", "append"];
    app.refused(&append, 4, &["its length should be a multiple of 4"]);

    // A gzip header may hold a name, as the tests before show, and nothing else.
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

/// 5.10 does not know these, 6.1 does.
fn sums(machine: &Machine) {
    let short = |mode| Entry::new(mode, SCRIPT, SHORT);
    let with_sum = gzip(&cpio(&[short(0o100_644).with_sum()]));
    let behind = short(0o100_600);
    let overlay = by_hand(from_ref(&behind));
    let image = [machine.stock(), with_sum, overlay].concat();
    let report = machine.boot("sums", &image);
    let version = machine.kernel.file_name().unwrap().to_str().unwrap();
    let wanted = if version.starts_with("5.") {
        report.says(&["Initramfs unpacking failed: no cpio magic"]);
        Made::of(&unusual_script())
    } else {
        report.says(&[]);
        Made::of(&behind)
    };
    assert_eq!(report.files.get(DOCKER), Some(&wanted));
}
