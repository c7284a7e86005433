//! A small imitation of a Docker.app of 2016, for `baleen demo` and for experiments.
//!
//! Its boot image has the form of Moby's (two gzip members padded to four bytes, with devices, links and
//! setuid files) and an init script in the style of the time. The program that runs as Docker does nothing.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use cpio::NewcBuilder;
use cpio::newc::ModeFileType;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};

use crate::error::IoError;

/// The init script, which reads the proxy from Docker's own setting, as scripts since May 2016 did.
const SCRIPT: &str = r#"#!/sbin/openrc-run

depend()
{
	need networking
}

start()
{
	ebegin "Docker Engine"
	if mobyconfig exists proxy
	then
		export http_proxy="$(mobyconfig get proxy/http)"
		export https_proxy="$(mobyconfig get proxy/https)"
		export no_proxy="$(mobyconfig get proxy/exclude)"
	fi
	start-stop-daemon --start --background --pidfile /run/docker.pid \
		--exec /usr/bin/dockerd -- -H unix:///var/run/docker.sock
	eend $?
}
"#;

/// The program that runs as Docker. It does nothing until it is asked to end.
const PROGRAM: &str = r#"#!/bin/sh
trap 'kill "$sleep"; exit 0' TERM INT
while :
do
	sleep 3600 &
	sleep=$!
	wait "$sleep"
done
"#;

/// Creates a Docker.app of `version` at `path`, and replaces an existing one, as an update does.
///
/// # Errors
/// When the bundle can't be written.
pub fn build(path: &Path, version: &str, build: &str) -> Result<PathBuf, IoError> {
    let moby = path.join("Contents/Resources/moby");
    let image = moby.join("initrd.img");
    let bytes = image_bytes(version).map_err(|error| IoError::new("write", &image, error))?;
    let files = [
        (moby.join("vmlinuz64"), noise(version, 4096)),
        (image.clone(), bytes),
    ];
    bundle(path, version, build, &files)?;
    Ok(image)
}

/// Does the same for a Docker Desktop of today, which keeps its proxy in its own settings.
///
/// # Errors
/// When the bundle can't be written.
pub fn build_desktop(path: &Path, version: &str, build: &str) -> Result<(), IoError> {
    let linuxkit = path.join("Contents/Resources/linuxkit");
    let files = ["kernel", "boot.img"].map(|name| (linuxkit.join(name), noise(version, 4096)));
    bundle(path, version, build, &files)
}

/// Creates a Docker.app with these files in it.
fn bundle(
    path: &Path,
    version: &str,
    build: &str,
    files: &[(PathBuf, Vec<u8>)],
) -> Result<(), IoError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| IoError::new("write", &path, error)
    };
    if path.exists() {
        fs::remove_dir_all(path).map_err(failed(path))?;
    }
    let program = path.join("Contents/MacOS/Docker");
    let all = files.iter().map(|(file, _)| file).chain([&program]);
    for folder in all.filter_map(|file| file.parent()) {
        fs::create_dir_all(folder).map_err(failed(folder))?;
    }
    let mut info = plist::Dictionary::new();
    for (key, value) in [
        ("CFBundleExecutable", "Docker"),
        ("CFBundleIdentifier", "com.docker.docker"),
        ("CFBundleName", "Docker"),
        ("CFBundleShortVersionString", version),
        ("CFBundleVersion", build),
    ] {
        info.insert(key.into(), value.into());
    }
    let mut plist = Vec::new();
    plist::Value::from(info)
        .to_writer_xml(&mut plist)
        .map_err(|error| failed(path)(io::Error::other(error)))?;
    let own = [
        (path.join("Contents/Info.plist"), plist),
        (program.clone(), PROGRAM.into()),
    ];
    for (file, bytes) in own.iter().chain(files) {
        fs::write(file, bytes).map_err(failed(file))?;
    }
    fs::set_permissions(&program, Permissions::from_mode(0o755)).map_err(failed(&program))
}

fn image_bytes(version: &str) -> io::Result<Vec<u8>> {
    use ModeFileType::{Char, Directory, Regular, Symlink};
    let mut image = Vec::new();
    let programs = noise(version, 300_000);
    let mut moby = Packer::new();
    for folder in ["bin", "dev", "etc", "etc/init.d", "usr", "usr/bin", "var"] {
        moby.add(folder, Directory, 0o755, b"")?;
    }
    moby.add("bin/busybox", Regular, 0o4755, &programs[..200_000])?;
    moby.add("bin/sh", Symlink, 0o777, b"busybox")?;
    moby.device("dev/console", Char, 0o600, 5, 1)?;
    moby.device("dev/null", Char, 0o666, 1, 3)?;
    moby.add("etc/hostname", Regular, 0o644, b"moby\n")?;
    moby.add("etc/moby-version", Regular, 0o644, version.as_bytes())?;
    moby.add("etc/init.d/docker", Regular, 0o755, SCRIPT.as_bytes())?;
    moby.add("usr/bin/dockerd", Regular, 0o755, &programs)?;
    moby.add(
        "init",
        Regular,
        0o755,
        b"#!/bin/sh\nexec switch_root /mnt /sbin/init\n",
    )?;
    let mut containers = Packer::new();
    containers.add("containers", Directory, 0o755, b"")?;
    containers.add("containers/dns", Regular, 0o755, &programs[200_000..])?;
    for member in [moby.finish()?, containers.finish()?] {
        image.extend_from_slice(&member);
        image.resize(image.len().next_multiple_of(4), 0);
    }
    Ok(image)
}

/// The writer of one gzip member.
struct Packer {
    out: GzEncoder<Vec<u8>>,
    entries: u32,
}

impl Packer {
    fn new() -> Self {
        Self {
            out: GzBuilder::new()
                .mtime(0)
                .write(Vec::new(), Compression::best()),
            entries: 0,
        }
    }

    fn add(&mut self, name: &str, kind: ModeFileType, mode: u32, body: &[u8]) -> io::Result<()> {
        let entry = self.entry(name, kind, mode);
        self.write(entry, body)
    }

    fn device(
        &mut self,
        name: &str,
        kind: ModeFileType,
        mode: u32,
        major: u32,
        minor: u32,
    ) -> io::Result<()> {
        let entry = self
            .entry(name, kind, mode)
            .rdev_major(major)
            .rdev_minor(minor);
        self.write(entry, b"")
    }

    fn entry(&mut self, name: &str, kind: ModeFileType, mode: u32) -> NewcBuilder {
        self.entries += 1;
        // 2016-05-12, when such images were made.
        NewcBuilder::new(name)
            .ino(self.entries)
            .mode(mode)
            .set_mode_file_type(kind)
            .mtime(1_463_011_200)
    }

    fn write(&mut self, entry: NewcBuilder, body: &[u8]) -> io::Result<()> {
        let mut writer = entry.write(&mut self.out, body.len() as u32);
        writer.write_all(body)?;
        writer.finish().map(drop)
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        cpio::newc::trailer(self.out)?.finish()
    }
}

/// Returns meaningless bytes in place of programs: the same for the same `seed`, and about as compressible
/// as programs.
fn noise(seed: &str, length: usize) -> Vec<u8> {
    let mut state = seed.bytes().fold(0x2545_f491_4f6c_dd1d_u64, |state, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (0..length)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 60) as u8 * 16
        })
        .collect()
}
