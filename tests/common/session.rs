//! A desktop session without a desktop: its own message bus, on which no service starts by itself, and GNOME's keyring
//! on that bus.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::tools::has_tool;

/// Returns whether the tools for a session with a keyring are installed.
pub(crate) fn has_keyring() -> bool {
    [
        "dbus-daemon",
        "gnome-keyring-daemon",
        "gdbus",
        "secret-tool",
    ]
    .into_iter()
    .all(has_tool)
}

/// A session, whose processes end when it is dropped.
pub(crate) struct Session {
    folder: PathBuf,
    home: PathBuf,
    address: String,
    bus: Child,
    keyring: Option<Child>,
}

impl Session {
    /// Starts a bus in the new folder `folder`, for programs whose home is `home`.
    pub(crate) fn new(folder: &Path, home: &Path) -> Self {
        fs::create_dir_all(home).unwrap();
        fs::create_dir(folder).unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
        let config = folder.join("bus.conf");
        fs::write(
            &config,
            format!(
                "<busconfig><type>session</type><listen>unix:dir={}</listen>\
                 <policy context=\"default\">\
                 <allow send_destination=\"*\"/><allow own=\"*\"/><allow eavesdrop=\"true\"/></policy></busconfig>",
                folder.display()
            ),
        )
        .unwrap();
        let mut bus = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--print-address=1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut address = String::new();
        let mut out = BufReader::new(bus.stdout.take().unwrap());
        out.read_line(&mut address).unwrap();
        Self {
            folder: folder.to_owned(),
            home: home.to_owned(),
            address: address.trim().to_owned(),
            bus,
            keyring: None,
        }
    }

    /// The address of the bus, for a test that connects to it directly.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Sets the environment of a program in this session.
    pub(crate) fn environment(&self, command: &mut Command) {
        command
            .env("HOME", &self.home)
            .env("XDG_RUNTIME_DIR", &self.folder)
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address)
            .env_remove("DISPLAY");
    }

    /// A tool in this session, with nothing else in its environment.
    pub(crate) fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(tool);
        command.env_clear().env("PATH", "/usr/bin:/bin");
        self.environment(&mut command);
        command
    }

    /// Starts the keyring again and unlocks it.
    pub(crate) fn start_keyring(&mut self) {
        self.stop_keyring();
        let mut keyring = self
            .command("gnome-keyring-daemon")
            .args(["--foreground", "--unlock", "--components=secrets"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = keyring.stdin.take().unwrap();
        stdin.write_all(b"login password").unwrap();
        drop(stdin);
        self.keyring = Some(keyring);
        let started = Instant::now();
        while !self
            .call(
                "org.freedesktop.DBus",
                "/",
                "org.freedesktop.DBus.NameHasOwner",
                "org.freedesktop.secrets",
            )
            .contains("true")
        {
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "no keyring came up"
            );
            sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn stop_keyring(&mut self) {
        if let Some(mut keyring) = self.keyring.take() {
            keyring.kill().unwrap();
            keyring.wait().unwrap();
        }
    }

    pub(crate) fn lock_keyring(&self) {
        let said = self.call(
            "org.freedesktop.secrets",
            "/org/freedesktop/secrets",
            "org.freedesktop.Secret.Service.Lock",
            "['/org/freedesktop/secrets/collection/login']",
        );
        assert!(said.contains("collection/login"), "{said}");
    }

    fn call(&self, name: &str, path: &str, method: &str, argument: &str) -> String {
        let output = self
            .command("gdbus")
            .args([
                "call",
                "--session",
                "-d",
                name,
                "-o",
                path,
                "-m",
                method,
                argument,
            ])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The password that the keyring has for `account` of `service`, read with one of GNOME's tools.
    pub(crate) fn lookup(&self, service: &str, account: &str) -> Option<Vec<u8>> {
        let output = self
            .command("secret-tool")
            .args(["lookup", "service", service, "username", account])
            .output()
            .unwrap();
        output.status.success().then_some(output.stdout)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.stop_keyring();
        let _ = self.bus.kill();
        let _ = self.bus.wait();
    }
}
