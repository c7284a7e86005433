//! A made-up Docker.app in its own folder, the real program run on it, and snapshots of the disk, with which a test
//! shows that nothing was touched.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use cpio::NewcBuilder;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

pub(crate) const PROXY: &str = "http://proxy.corp:8080";
pub(crate) const OTHER_PROXY: &str = "http://other.corp:3128";

/// A folder with `place/Docker.app` and `state` in it.
pub(crate) struct App {
    pub(crate) dir: tempfile::TempDir,
}

/// The result of one run of the program.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl App {
    pub(crate) fn new() -> Self {
        let app = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(app.dir.path().join("place")).unwrap();
        app.install("1.11.1-beta12", "7488");
        app
    }

    /// A Docker.app with a small image, in which `script` is; quicker than [`App::new`].
    pub(crate) fn with_script(script: &[u8]) -> Self {
        let app = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        fs::create_dir_all(app.moby()).unwrap();
        let info = [
            "Identifier",
            "com.docker.docker",
            "ShortVersionString",
            "1.12.0",
            "Version",
            "10871",
        ];
        let info: String = info
            .chunks(2)
            .map(|pair| format!("<key>CFBundle{}</key><string>{}</string>", pair[0], pair[1]))
            .collect();
        let plist =
            format!("<?xml version=\"1.0\"?><plist version=\"1.0\"><dict>{info}</dict></plist>");
        fs::write(app.info_plist(), plist).unwrap();
        fs::write(app.moby().join("vmlinuz64"), b"a kernel").unwrap();
        fs::write(app.image(), image_with(script)).unwrap();
        app
    }

    /// Installs a fresh Docker.app, as an update of Docker does.
    pub(crate) fn install(&self, version: &str, build: &str) {
        baleen::demo::build(&self.app(), version, build).unwrap();
    }

    /// Installs a fresh Docker.app whose VM consists of these files below `Contents/Resources`.
    pub(crate) fn install_with(&self, version: &str, files: &[&str]) {
        self.install(version, "236816");
        fs::remove_dir_all(self.resources()).unwrap();
        for file in files {
            let path = self.resources().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, image_with(b"#!/sbin/openrc-run\n")).unwrap();
        }
    }

    pub(crate) fn place(&self) -> PathBuf {
        self.dir.path().join("place")
    }

    pub(crate) fn app(&self) -> PathBuf {
        self.place().join("Docker.app")
    }

    pub(crate) fn resources(&self) -> PathBuf {
        self.app().join("Contents/Resources")
    }

    pub(crate) fn info_plist(&self) -> PathBuf {
        self.app().join("Contents/Info.plist")
    }

    pub(crate) fn moby(&self) -> PathBuf {
        self.resources().join("moby")
    }

    pub(crate) fn image(&self) -> PathBuf {
        self.moby().join("initrd.img")
    }

    pub(crate) fn backup(&self) -> PathBuf {
        self.moby().join("initrd.img-backup")
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        fs::read(self.image()).unwrap()
    }

    /// Replaces the image, as an update does.
    pub(crate) fn replace_image(&self, bytes: &[u8]) {
        let new = self.place().join("new");
        fs::write(&new, bytes).unwrap();
        fs::rename(new, self.image()).unwrap();
    }

    /// The names of the files beside the image.
    pub(crate) fn overridden_settings(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.moby())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_baleen"));
        command.args(arguments);
        self.environment(&mut command);
        command
    }

    /// The clean environment of every run: no proxy, and no real user's home.
    pub(crate) fn environment(&self, command: &mut Command) {
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.dir.path().join("home"))
            .env("BALEEN_STATE_DIR", self.dir.path().join("state"))
            .env("BALEEN_DOCKER_APP", self.app())
            // A relay would take the same port in each test.
            .env("BALEEN_RELAY", "off")
            // No test asks the real releases page, not even with a click.
            .env("BALEEN_UPDATE_CHECK", "off")
            .env("BALEEN_REPOSITORY", "https://127.0.0.1:1/o/r")
            // Proxies of tests get none of the user's tickets.
            .env("KRB5CCNAME", "FILE:/nowhere/tickets")
            .env(
                "BALEEN_HOSTS_FILE",
                concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/hosts"),
            )
            .stdin(Stdio::null());
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        Run::of(&mut self.command(arguments))
    }

    /// Runs the program, which must succeed.
    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let run = self.run(arguments);
        assert_eq!((run.code, &*run.err), (0, ""), "{arguments:?}: {run}");
        run.out
    }

    #[track_caller]
    pub(crate) fn apply(&self, proxy: &str) -> String {
        self.ok(&["apply", "--http-proxy", proxy])
    }

    /// Runs the program with `--json`; returns the exit code and the one object on standard output.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let run = self.run(&[arguments, &["--json"]].concat());
        (run.code, run.object())
    }

    /// The state and the exit code of `status`.
    #[track_caller]
    pub(crate) fn state(&self, arguments: &[&str]) -> (String, i32) {
        let (code, object) = self.json(&[&["status"], arguments].concat());
        (object["state"].as_str().unwrap().to_owned(), code)
    }

    /// The script that the kernel would end up with.
    #[track_caller]
    pub(crate) fn script(&self) -> Vec<u8> {
        let image = self.image();
        let output = self
            .command(&["inspect", "--entry", "etc/init.d/docker"])
            .arg(image)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    }

    pub(crate) fn script_text(&self) -> String {
        String::from_utf8(self.script()).unwrap()
    }

    /// A snapshot of the folder. The modification time of a folder is left out, since a staging folder may come and go.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot::of(self.dir.path(), false)
    }

    /// A snapshot of the folder, the times of folders included.
    pub(crate) fn strict_snapshot(&self) -> Snapshot {
        Snapshot::of(self.dir.path(), true)
    }

    /// Runs the program, which must refuse with `code` and one `error:` line that contains all of `words`, and leave
    /// every file as it was.
    #[track_caller]
    pub(crate) fn refused(&self, arguments: &[&str], code: i32, diagnostic: &[&str]) -> Run {
        let before = self.snapshot();
        let run = self.run(arguments);
        run.is_refusal(code, diagnostic);
        before.is_still(&self.snapshot());
        run
    }
}

impl Run {
    pub(crate) fn of(command: &mut Command) -> Self {
        command.output().unwrap().into()
    }

    /// The one object of `--json`, which is one line.
    #[track_caller]
    pub(crate) fn object(&self) -> Value {
        assert_eq!(self.out.matches('\n').count(), 1, "{self}");
        assert!(self.out.ends_with('\n'), "{self}");
        let object: Value = serde_json::from_str(&self.out).unwrap();
        assert_eq!(object["schema"], 1, "{self}");
        object
    }

    #[track_caller]
    pub(crate) fn is_refusal(&self, code: i32, diagnostic: &[&str]) {
        assert_eq!((self.code, &*self.out), (code, ""), "{self}");
        let errors: Vec<&str> = self
            .err
            .lines()
            .filter(|line| line.contains("error:"))
            .collect();
        assert_eq!(errors.len(), 1, "{self}");
        assert!(errors[0].starts_with("error: "), "{self}");
        for word in diagnostic {
            assert!(errors[0].contains(word), "no {word:?} in: {self}");
        }
        // Apart from the error there may be one word of advice only.
        let rest = self.err.lines().filter(|line| *line != errors[0]);
        for line in rest {
            assert!(line.starts_with("what to do: "), "{self}");
        }
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "exit code {}\n--- stdout\n{}--- stderr\n{}---",
            self.code, self.out, self.err
        )
    }
}

/// A snapshot of what is on disk below a folder.
#[derive(PartialEq)]
pub(crate) struct Snapshot(BTreeMap<PathBuf, (String, Vec<u8>)>);

impl Snapshot {
    pub(crate) fn of(root: &Path, times_of_folders: bool) -> Self {
        let mut found = BTreeMap::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let facts = path.symlink_metadata().unwrap();
                let mut text = format!(
                    "mode {:o}, owner {}:{}, inode {}",
                    facts.mode(),
                    facts.uid(),
                    facts.gid(),
                    facts.ino()
                );
                if !facts.is_dir() || times_of_folders {
                    text += &format!(", modified {}.{:09}", facts.mtime(), facts.mtime_nsec());
                }
                let bytes = if facts.is_file() {
                    fs::read(&path).unwrap()
                } else if facts.is_symlink() {
                    let target = fs::read_link(&path).unwrap();
                    target.into_os_string().into_encoded_bytes()
                } else {
                    Vec::new()
                };
                if facts.is_dir() {
                    folders.push(path.clone());
                }
                found.insert(path, (text, bytes));
            }
        }
        Self(found)
    }

    #[track_caller]
    pub(crate) fn is_still(&self, now: &Self) {
        let mut differences = Vec::new();
        for path in self.0.keys().chain(now.0.keys()) {
            let (was, is) = (self.0.get(path), now.0.get(path));
            if was != is {
                let shown = |facts: Option<&(String, Vec<u8>)>| match facts {
                    None => "nothing".to_owned(),
                    Some((text, bytes)) => format!("{text}, {} bytes", bytes.len()),
                };
                differences.push(format!(
                    "{}: was {}, is {}",
                    path.display(),
                    shown(was),
                    shown(is)
                ));
            }
        }
        differences.dedup();
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }
}

/// One entry of an archive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) name: &'a str,
    pub(crate) mode: u32,
    pub(crate) ino: u32,
    pub(crate) links: u32,
    pub(crate) body: &'a [u8],
}

impl<'a> Entry<'a> {
    pub(crate) fn file(name: &'a str, body: &'a [u8]) -> Self {
        Self {
            name,
            mode: 0o100_755,
            ino: 7,
            links: 1,
            body,
        }
    }

    pub(crate) fn folder(name: &'a str) -> Self {
        Self {
            mode: 0o040_755,
            ..Self::file(name, b"")
        }
    }
}

/// A gzip member with these entries and a trailer, and with the folders that their names need before them.
pub(crate) fn member(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut folders: Vec<&str> = Vec::new();
    for entry in entries {
        for (end, _) in entry.name.match_indices('/') {
            let folder = &entry.name[..end];
            if !folders.contains(&folder) && entries.iter().all(|entry| entry.name != folder) {
                folders.push(folder);
            }
        }
    }
    let folders = folders.into_iter().map(Entry::folder);
    bare_member(&folders.chain(entries.iter().copied()).collect::<Vec<_>>())
}

/// A gzip member with these entries and a trailer, and nothing else.
pub(crate) fn bare_member(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::default());
    for entry in entries {
        let mut writer = NewcBuilder::new(entry.name)
            .mode(entry.mode)
            .ino(entry.ino)
            .nlink(entry.links)
            .mtime(1_463_011_200)
            .write(&mut out, entry.body.len() as u32);
        writer.write_all(entry.body).unwrap();
        writer.finish().unwrap();
    }
    cpio::newc::trailer(out).unwrap().finish().unwrap()
}

/// A small image with `script` in it.
pub(crate) fn image_with(script: &[u8]) -> Vec<u8> {
    member(&[
        Entry::file("etc/hostname", b"moby\n"),
        Entry {
            ino: 8,
            ..Entry::file("etc/init.d/docker", script)
        },
        Entry {
            ino: 9,
            ..Entry::file("init", b"#!/bin/sh\n")
        },
    ])
}

pub(crate) fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().mode() & 0o7777
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Decodes percent-encoding, as Go's `net/url` does.
pub(crate) fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            let digits = &text[at + 1..at + 3];
            decoded.push(u8::from_str_radix(digits, 16).unwrap());
            at += 3;
        } else {
            decoded.push(bytes[at]);
            at += 1;
        }
    }
    decoded
}
