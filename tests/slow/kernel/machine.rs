//! Tiny images with nothing but busybox in them, booted by real kernels: by Debian's `user-mode-linux`, which is an
//! ordinary process and takes a second, or by any kernel in QEMU, which takes several.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::tools::{self, sha256};
use crate::common::{Entry, cpio, gzip};

const UML: &str = "linux.uml";

/// Timeout for a boot, longer than any boot that ends.
const LONGEST_BOOT: Duration = Duration::from_secs(60);

#[derive(Debug, Clone)]
pub(crate) enum Kernel {
    UserMode,
    /// The file of a kernel for x86-64.
    Qemu(PathBuf),
}

/// A machine that boots the tiny images.
pub(crate) struct Machine {
    pub(crate) kernel: Kernel,
    /// Linked statically, since the images have no libraries.
    pub(crate) busybox: PathBuf,
    /// The folder of this case alone. Images and consoles stay there as files.
    pub(crate) folder: PathBuf,
}

impl Kernel {
    /// The version as in `uname -r`.
    pub(crate) fn version(&self) -> String {
        match self {
            Self::UserMode => {
                let said = Command::new(UML).arg("--version").output().unwrap().stdout;
                String::from_utf8(said).unwrap().trim().to_owned()
            }
            Self::Qemu(path) => path.file_name().unwrap().to_str().unwrap().to_owned(),
        }
    }
}

impl Machine {
    /// A machine with the kernel that is an ordinary process, or with the one that `BALEEN_KERNEL` names where that can't
    /// run on this processor. Returns nothing, with a message, if there is neither or a busybox without libraries is not
    /// installed; in CI on Linux that is a failure.
    pub(crate) fn any(folder: &Path) -> Option<Self> {
        if !cfg!(target_os = "linux") {
            return None;
        }
        tools::tool(UML, "")?;
        // Debian's busybox-static has it there.
        let busybox = PathBuf::from("/bin/busybox");
        let is_static = fs::read(&busybox).is_ok_and(|bytes| {
            // A program that needs a dynamic loader names it.
            !bytes.windows(8).any(|window| window == b"/ld-linu")
        });
        if is_static {
            let folder = folder.to_owned();
            static RUNS: OnceLock<bool> = OnceLock::new();
            let machine = Self {
                kernel: Kernel::UserMode,
                busybox,
                folder,
            };
            if *RUNS.get_or_init(|| machine.runs_programs()) {
                return Some(machine);
            }
            if let Some(kernel) = std::env::var_os("BALEEN_KERNEL") {
                tools::tool("qemu-system-x86_64", "")?;
                let kernel = Kernel::Qemu(kernel.into());
                return Some(Self { kernel, ..machine });
            }
            assert!(
                std::env::var_os("CI").is_none(),
                "{UML} runs no programs on this processor, and BALEEN_KERNEL names no other kernel"
            );
            tools::tell(
                "skipped: a kernel that runs on this processor (BALEEN_KERNEL may name one)",
            );
            return None;
        }
        assert!(
            std::env::var_os("CI").is_none(),
            "busybox-static is not installed, and the tests need it in CI"
        );
        tools::tell("skipped: busybox-static");
        None
    }

    /// Returns whether programs run on the kernel that is a process. Linux 6.1 as such a process has too little room for the
    /// registers of processors with AMX (Intel, since 2023), and ends with the first program.
    fn runs_programs(&self) -> bool {
        fs::create_dir_all(&self.folder).unwrap();
        let image = self.folder.join("probe.img");
        let console = self.folder.join("probe.console");
        fs::write(&image, gzip(&cpio(&self.system()))).unwrap();
        user_mode(&image, &console);
        !text(&console).contains("ptrace set fp regs failed")
    }

    /// Boots `image` and returns its report.
    #[track_caller]
    pub(crate) fn boot(&self, name: &str, image: &[u8]) -> Report {
        let console = self.console(name, image);
        Report::read(&console)
            .unwrap_or_else(|| self.failed(&console, "it ended without a whole report"))
    }

    /// Boots `image`, which must end by itself, and returns the path of the console output.
    #[track_caller]
    pub(crate) fn console(&self, name: &str, image: &[u8]) -> PathBuf {
        fs::create_dir_all(&self.folder).unwrap();
        let initrd = self.folder.join(format!("{name}.img"));
        let console = self.folder.join(format!("{name}.console"));
        fs::write(&initrd, image).unwrap();
        // Each process of user-mode Linux is one of the host's. When the host is out of processes, the kernel ends.
        for _ in 0..4 {
            // The file of an earlier run must not be taken for this boot's.
            fs::write(&console, b"").unwrap();
            let ended = match &self.kernel {
                Kernel::UserMode => user_mode(&initrd, &console),
                Kernel::Qemu(kernel) => qemu(kernel, &initrd, &console),
            };
            match ended {
                Some(status) if status.success() => return console,
                None => self.failed(&console, "it did not end in time"),
                Some(status) if !text(&console).contains("Resource temporarily unavailable") => {
                    self.failed(&console, &format!("it ended with {status}"))
                }
                Some(_) => thread::sleep(Duration::from_secs(1)),
            }
        }
        self.failed(&console, "it got no processes from the host")
    }

    #[track_caller]
    fn failed(&self, console: &Path, why: &str) -> ! {
        panic!(
            "on Linux {}: {why}\n--- console ({})\n{}---",
            self.kernel.version(),
            console.display(),
            text(console)
        );
    }

    /// The entries that an image needs to report.
    pub(crate) fn system(&self) -> Vec<Entry> {
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
}

/// Reports line by line; the first letter gives the kind. One process handles many files, since starting one is slow in
/// an emulated machine.
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
pub(crate) struct Made {
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
    /// Seconds since 1970, as the archive has it. OpenRC looks at the times of its scripts, so they count.
    pub(crate) time: u32,
    /// Its content, link target or device; empty for a folder.
    pub(crate) what: String,
}

pub(crate) type Files = BTreeMap<String, Made>;

impl Made {
    pub(crate) fn holding(entry: &Entry, links: u32, body: &[u8]) -> Self {
        Self {
            mode: entry.mode,
            owner: (entry.uid, entry.gid),
            time: entry.mtime,
            what: content(links, body.len() as u64, &sha256(body)),
        }
    }

    /// The expected result of an entry that stands alone.
    pub(crate) fn of(entry: &Entry) -> Self {
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

    pub(crate) fn shown(this: Option<&Self>) -> String {
        this.map_or("nothing".to_owned(), |made| {
            let (user, group) = made.owner;
            format!(
                "{:06o} {user}:{group} time {} {}",
                made.mode, made.time, made.what
            )
        })
    }
}

pub(crate) fn content(links: u32, size: u64, sha256: &str) -> String {
    format!("links {links}, {size} bytes, sha256 {sha256}")
}

/// The report of an image.
pub(crate) struct Report {
    pub(crate) files: Files,
    /// The kernel's complaints about the image, without the times.
    complaints: Vec<String>,
    /// Variables that name a proxy, after a shell has read the script.
    pub(crate) proxies: Vec<String>,
    /// The console output, for details.
    pub(crate) console: PathBuf,
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

    /// Fails unless exactly these files exist, and the kernel had no complaint.
    #[track_caller]
    pub(crate) fn is(&self, expected: &Files) {
        self.says(&[]);
        self.files_are(&self.files, expected);
    }

    /// Fails unless the kernel had these complaints: a part of each line, in order.
    #[track_caller]
    pub(crate) fn says(&self, expected: &[&str]) {
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
    pub(crate) fn files_are(&self, found: &Files, expected: &Files) {
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

fn text(console: &Path) -> String {
    String::from_utf8_lossy(&fs::read(console).unwrap()).replace('\r', "")
}

fn user_mode(initrd: &Path, console: &Path) -> Option<ExitStatus> {
    // Its memory is a file there: on a disk each boot would take several times as long.
    let memory = if Path::new("/dev/shm").is_dir() {
        PathBuf::from("/dev/shm")
    } else {
        std::env::temp_dir()
    };
    let own = tempfile::tempdir_in(&memory).unwrap();
    let mut uml = Command::new(UML);
    uml.arg("mem=96M")
        .arg(format!("initrd={}", initrd.display()))
        .arg(format!("uml_dir={}/", own.path().display()))
        .args(["con=null", "con0=null,fd:1", "console=tty0", "quiet"])
        .args(["rdinit=/init", "selinux=0", "panic=-1"])
        .env("TMPDIR", own.path())
        .stdout(File::create(console).unwrap())
        .stderr(Stdio::null());
    run(uml)
}

fn qemu(kernel: &Path, initrd: &Path, console: &Path) -> Option<ExitStatus> {
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args(["-accel", "tcg", "-cpu", "max", "-M", "q35", "-m", "256"])
        .args(["-nodefaults", "-no-user-config", "-display", "none"])
        .args(["-no-reboot", "-nic", "none", "-serial"])
        .arg(format!("file:{}", console.display()))
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(initrd)
        .args(["-append", "console=ttyS0 quiet panic=-1"])
        .stdout(Stdio::null());
    run(qemu)
}

/// Waits for the end of `machine`. On a timeout kills it, with all that it started.
fn run(mut machine: Command) -> Option<ExitStatus> {
    let program = machine.get_program().to_owned();
    let mut machine = machine
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
    ended(&mut machine).or_else(|| {
        let group = format!("-{}", machine.id());
        let killed = Command::new("kill").args(["-KILL", "--", &group]).status();
        assert!(killed.is_ok_and(|status| status.success()));
        machine.wait().unwrap();
        None
    })
}

fn ended(machine: &mut Child) -> Option<ExitStatus> {
    let started = Instant::now();
    while started.elapsed() < LONGEST_BOOT {
        if let Some(status) = machine.try_wait().unwrap() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(20));
    }
    None
}
