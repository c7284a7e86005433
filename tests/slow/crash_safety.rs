//! Nothing is ever lost: at whatever system call an `apply` or a `restore` is killed or fails, the
//! image is byte for byte the old one or the new one, and the next run tidies up. What the user wants is known as soon as
//! the image is the new one, so that an update of Docker is repaired or left alone.
//!
//! Debian's `strace` kills the program at, or fails, one system call after another, one run each.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::common::tools;

/// Calls that open, write, flush, rename or otherwise change something.
const CALLS: &[&str] = &[
    "openat",
    "write",
    "pwrite64",
    "copy_file_range",
    "sendfile",
    "ftruncate",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "rmdir",
    "mkdir",
    "chmod",
    "fchmod",
    "fchown",
    "fsetxattr",
    "lsetxattr",
    "flock",
];

const PROXY: &str = "http://proxy.corp:8080";

/// Number of parallel runs of the program. Each waits for the disk most of its time.
const WORKERS: usize = 2;

struct Case {
    dir: tempfile::TempDir,
    original: Vec<u8>,
}

/// Copies what is in `from`, folders and files, to the folder `to`.
fn copy_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&to).unwrap();
            copy_all(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

impl Case {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let image = baleen::demo::build(&dir.path().join("Docker.app"), "1.12.0", "1").unwrap();
        let original = fs::read(image).unwrap();
        let update = dir.path().join("newer/Docker.app");
        let update = baleen::demo::build(&update, "1.13.0", "2").unwrap();
        fs::rename(update, dir.path().join("update")).unwrap();
        fs::remove_dir_all(dir.path().join("newer")).unwrap();
        Self { dir, original }
    }

    /// Makes an identical copy.
    fn copy(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy_all(self.dir.path(), dir.path());
        Self {
            dir,
            original: self.original.clone(),
        }
    }

    fn image(&self) -> PathBuf {
        self.dir
            .path()
            .join("Docker.app/Contents/Resources/moby/initrd.img")
    }

    fn baleen(&self, before: &[&str], arguments: &[&str]) -> Output {
        let mut words = before.to_vec();
        words.push(env!("CARGO_BIN_EXE_baleen"));
        words.extend(arguments);
        Command::new(words[0])
            .args(&words[1..])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.dir.path())
            .env("BALEEN_STATE_DIR", self.dir.path().join("state"))
            .env("BALEEN_DOCKER_APP", self.dir.path().join("Docker.app"))
            .env(
                "BALEEN_HOSTS_FILE",
                concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/hosts"),
            )
            .output()
            .unwrap()
    }

    fn run(&self, arguments: &[&str]) {
        let output = self.baleen(&[], arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
    }

    /// The state that `baleen status` would give if an update replaced the image now.
    fn state_after_update(&self) -> String {
        let (image, aside) = (self.image(), self.dir.path().join("aside"));
        fs::rename(&image, &aside).unwrap();
        fs::copy(self.dir.path().join("update"), &image).unwrap();
        let output = self.baleen(&[], &["status", "--json"]);
        fs::rename(&aside, &image).unwrap();
        let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        object["state"].as_str().unwrap().to_owned()
    }

    /// The names beside the image, sorted.
    fn names(&self) -> Vec<String> {
        let folder = fs::read_dir(self.image().parent().unwrap()).unwrap();
        let mut names: Vec<String> = folder
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.image()).unwrap()
    }
}

/// One operation, from its start to its expected result.
struct Operation {
    name: &'static str,
    before: &'static [&'static [&'static str]],
    arguments: &'static [&'static str],
}

const APPLY: &[&str] = &["apply", "--http-proxy", PROXY];
const REBUILD: &[&str] = &["apply", "--http-proxy", PROXY, "--method", "rebuild"];
const OTHER: &[&str] = &["apply", "--http-proxy", "http://other:1"];
const DELETE_BACKUP: &[&str] = &["delete the backup"];

const OPERATIONS: &[Operation] = &[
    Operation {
        name: "apply",
        before: &[],
        arguments: APPLY,
    },
    Operation {
        name: "apply over another proxy",
        before: &[OTHER],
        arguments: APPLY,
    },
    Operation {
        name: "apply without the backup",
        before: &[OTHER, DELETE_BACKUP],
        arguments: APPLY,
    },
    Operation {
        name: "rebuild",
        before: &[],
        arguments: REBUILD,
    },
    Operation {
        name: "append to what was rebuilt",
        before: &[REBUILD],
        arguments: &["apply", "--http-proxy", PROXY, "--method", "append"],
    },
    Operation {
        name: "restore",
        before: &[APPLY],
        arguments: &["restore"],
    },
    Operation {
        name: "restore without the backup",
        before: &[APPLY, DELETE_BACKUP],
        arguments: &["restore"],
    },
    Operation {
        name: "restore what was rebuilt",
        before: &[REBUILD],
        arguments: &["restore"],
    },
];

impl Operation {
    fn prepare(&self) -> Case {
        let case = Case::new();
        for step in self.before {
            if *step == DELETE_BACKUP {
                fs::remove_file(case.image().with_file_name("initrd.img-backup")).unwrap();
            } else {
                case.run(step);
            }
        }
        case
    }
}

/// How often each call is made in one undisturbed run.
fn count_calls(operation: &Operation, case: &Case) -> (BTreeMap<String, usize>, Vec<u8>) {
    let log = case.dir.path().join("calls");
    // A call that this kind of processor does not have is no error.
    let trace = format!("trace=?{}", CALLS.join(",?"));
    let strace = [
        "strace",
        "-f",
        "-qq",
        "-e",
        &trace,
        "-o",
        log.to_str().unwrap(),
    ];
    let output = case.baleen(&strace, operation.arguments);
    assert!(output.status.success(), "{output:?}");
    // strace counts each thread's calls by themselves when it injects.
    let mut by_thread = BTreeMap::new();
    for line in fs::read_to_string(&log).unwrap().lines() {
        let mut words = line.split_whitespace();
        let (thread, call) = (words.next().unwrap_or_default(), words.next());
        if let Some((name, _)) = call.and_then(|call| call.split_once('(')) {
            *by_thread
                .entry((thread.to_owned(), name.to_owned()))
                .or_insert(0) += 1;
        }
    }
    let mut counts = BTreeMap::new();
    for ((_, name), count) in by_thread {
        let most = counts.entry(name).or_insert(0);
        *most = count.max(*most);
    }
    assert!(counts.contains_key("rename"), "{counts:?}");
    (counts, case.bytes())
}

/// Makes one run with one fault. The remains must be complete, and the next run must finish the
/// job. Returns whether the fault occurred.
fn with_fault(
    operation: &Operation,
    case: &Case,
    (call, when): (&str, usize),
    fault: &str,
    new: &[u8],
) -> bool {
    let old = case.bytes();
    let what = format!("{}: {fault} at {call} number {when}", operation.name);
    let inject = format!("inject={call}:{fault}:when={when}");
    let trace = format!("trace={call}");
    let log = case.dir.path().join("injected");
    let strace = [
        "strace",
        "-f",
        "-o",
        log.to_str().unwrap(),
        "-e",
        &trace,
        "-e",
        &inject,
    ];
    let output = case.baleen(&strace, operation.arguments);
    let left = case.bytes();
    assert!(
        left == old || left == new,
        "{what}: the image is neither old nor new"
    );
    if fault.starts_with("error=") {
        let code = output.status.code();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            matches!(code, Some(0 | 1 | 2 | 4 | 5 | 127)),
            "{what}: {code:?} {errors}"
        );
        if code == Some(0) {
            assert!(left == new, "{what}: it was not done, and not said");
        }
    }
    if fault == "signal=KILL" && left == new {
        // The intent was recorded first, so an update of Docker is repaired, or left alone.
        let expected = match operation.arguments {
            ["restore"] => "off",
            _ => "wiped",
        };
        assert_eq!(case.state_after_update(), expected, "{what}");
    }
    let log = fs::read_to_string(log).unwrap();
    let injected = log.contains("(INJECTED)") || log.contains("killed by SIGKILL");
    if !injected {
        // Which thread the C library has look up the number of processors is a matter of chance.
        assert_eq!(call, "openat", "{what}: not injected");
        assert!(output.status.success() && left == new, "{what}: {output:?}");
    }

    case.run(operation.arguments);
    assert!(
        case.bytes() == new,
        "{what}: the next run did not finish the job"
    );
    let patched = operation.arguments != ["restore"];
    let mut expected = vec!["initrd.img", "vmlinuz64"];
    if patched {
        expected.insert(1, "initrd.img-backup");
        let backup = fs::read(case.image().with_file_name("initrd.img-backup")).unwrap();
        assert!(
            backup == case.original,
            "{what}: the backup is not the original"
        );
    } else {
        assert!(case.bytes() == case.original, "{what}: not the original");
    }
    assert_eq!(case.names(), expected, "{what}");
    assert_eq!(mode(&case.image()), 0o644, "{what}");
    injected
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

fn every_call(fault: &str, calls: &[&str]) {
    if !tools::has_tool("strace") {
        return;
    }
    let injected = AtomicUsize::new(0);
    for operation in OPERATIONS {
        let prepared = operation.prepare();
        let (counts, new) = count_calls(operation, &prepared.copy());
        let faults: Vec<(&str, usize)> = counts
            .iter()
            .filter(|(call, _)| calls.contains(&call.as_str()))
            .flat_map(|(call, count)| (1..=*count).map(move |when| (call.as_str(), when)))
            .collect();
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    while let Some(at) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if with_fault(operation, &prepared.copy(), *at, fault, &new) {
                            injected.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
    }
    let injected = injected.into_inner();
    tools::tell(&format!("{injected} faults injected ({fault})"));
    assert!(injected > OPERATIONS.len() * 5, "only {injected} faults");
}

/// The calls that can run out of space or meet a bad disk.
const WRITING: &[&str] = &[
    "openat",
    "write",
    "copy_file_range",
    "sendfile",
    "ftruncate",
    "fsync",
    "fdatasync",
    "rename",
    "link",
    "linkat",
    "mkdir",
    "fchmod",
    "chmod",
];

#[test]
fn case_25_killed_at_every_system_call() {
    every_call("signal=KILL", CALLS);
}

#[test]
fn case_25_no_space_left_at_every_system_call() {
    every_call("error=ENOSPC", WRITING);
}

#[test]
fn case_25_input_output_error_at_every_system_call() {
    every_call("error=EIO", WRITING);
}
