//! Docker's settings file is old or new, and what was there is given back, at whatever system call an `apply` or a
//! `restore` is killed. `strace` kills the program at one system call after another, one run each.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::common::app::App;
use crate::common::tools::has_tool;

/// Calls that change something.
const CALLS: &[&str] = &[
    "write",
    "copy_file_range",
    "ftruncate",
    "fsync",
    "rename",
    "renameat2",
    "linkat",
    "unlink",
    "mkdir",
    "fchmod",
    "fsetxattr",
];

const STORE: &str =
    "{\n  \"AutoStart\": false,\n  \"Odd\": 1e3,\n  \"ProxyHTTPMode\": \"system\"\n}\n";

/// A Docker Desktop that doesn't run.
struct Case {
    app: App,
}

impl Case {
    fn new(arguments: &[&[&str]]) -> Self {
        let app = App::new();
        app.install_with("4.84.0", &["linuxkit/kernel", "linuxkit/boot.img"]);
        let case = Self { app };
        case.begin(arguments);
        case
    }

    /// Gives Docker the settings of its first start, and runs the program with each of these.
    fn begin(&self, arguments: &[&[&str]]) {
        fs::create_dir_all(self.store().parent().unwrap()).unwrap();
        fs::write(self.store(), STORE).unwrap();
        let _ = fs::remove_dir_all(self.app.dir.path().join("state"));
        for arguments in arguments {
            self.app.ok(arguments);
        }
    }

    fn store(&self) -> PathBuf {
        let group = "home/Library/Group Containers/group.com.docker";
        self.app.dir.path().join(group).join("settings-store.json")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.store()).unwrap()
    }

    fn traced(&self, options: &[&str], arguments: &[&str]) -> String {
        let log = self.app.dir.path().join("calls");
        let mut command = Command::new("strace");
        self.app.environment(&mut command);
        let program = env!("CARGO_BIN_EXE_baleen");
        command
            .args(["-f", "-qq", "-o"])
            .arg(&log)
            .args(options)
            .arg(program)
            .args(arguments);
        let _ = command.output().unwrap();
        fs::read_to_string(log).unwrap()
    }
}

#[test]
fn killed_at_every_system_call() {
    if !has_tool("strace") {
        return;
    }
    const APPLY: &[&str] = &["apply", "--http-proxy", "http://proxy.corp:8080"];
    let (mut kills, mut new_files) = (0, 0);
    for (before, arguments) in [(&[][..], APPLY), (&[APPLY], &["restore"])] {
        let case = Case::new(before);
        let old = case.text();
        let trace = format!("trace=?{}", CALLS.join(",?"));
        let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
        for line in case.traced(&["-e", &trace], arguments).lines() {
            let mut words = line.split_whitespace();
            let thread = words.next().unwrap_or_default().to_owned();
            if let Some((name, _)) = words.next().and_then(|call| call.split_once('(')) {
                *counts.entry((thread, name.to_owned())).or_default() += 1;
            }
        }
        let new = case.text();
        assert_ne!(old, new);
        let mut most: BTreeMap<&str, usize> = BTreeMap::new();
        for ((_, name), count) in &counts {
            let known = most.entry(name).or_default();
            *known = (*known).max(*count);
        }
        for (call, count) in most {
            for when in 1..=count {
                case.begin(before);
                let inject = format!("inject={call}:signal=KILL:when={when}");
                case.traced(&["-e", &format!("trace={call}"), "-e", &inject], arguments);
                kills += 1;
                let left = case.text();
                let what = format!("{arguments:?}, killed at {call} number {when}");
                assert!(left == old || left == new, "{what}: {left}");
                new_files += usize::from(left == new);
                // What was there before Baleen is known, whatever happened.
                case.app.ok(APPLY);
                case.app.ok(&["restore"]);
                assert_eq!(case.text(), STORE, "{what}");
                let folder = fs::read_dir(case.store().parent().unwrap()).unwrap();
                assert_eq!(folder.count(), 1, "{what}: a temporary file is left");
            }
        }
    }
    println!("{kills} kills, the new file after {new_files}");
    assert!(
        kills > 20 && new_files > 5 && new_files < kills,
        "{kills} {new_files}"
    );
}
