//! The menu-bar app, started for real and used as a person does: by its icon, its menu and its notifications, over the
//! message bus of a desktop that the test plays. Docker.app is that of `baleen demo`, whose program does nothing until
//! it is asked to quit; the test checks the image and the process on disk.

#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use baleen::backend::LiveEdit;
use baleen::backend::docker_desktop::initrd::image::Image;
use baleen::backend::docker_desktop::initrd::live::LiveEdits;
use baleen::backend::docker_desktop::{Vm, restart};
use baleen::platform::apps::{self, RunningApp};
use baleen::service::LiveLock;

use crate::common::app::{App, Snapshot};
use crate::common::desktop::{Item, Notification, Notifications, Panel};
use crate::common::network::Authority;
use crate::common::redact::{Transcript, redacted};
use crate::common::session::Session;
use crate::common::tools::has_tool;
use crate::common::{app, tty};
use crate::stand_in::{Shape, StandIn};

const PROXY: &str = "proxy.corp.example:8080";
const UPDATED: &str = "Docker was updated";
/// The titles of the questions at the first run.
const QUESTION: &str = "Use this Mac's proxy for Docker?";
const LOGIN_QUESTION: &str = "Start Baleen at login?";

/// A desktop with a Docker.app; the app may run on it or not.
struct Desk {
    app: App,
    session: Session,
    /// `None` while the desktop has no panel.
    panel: Option<Panel>,
    notes: Notifications,
    running: Option<Child>,
}

impl Desk {
    /// Makes a desktop whose settings name [`PROXY`]; `None` if the tools for it are missing.
    fn new() -> Option<Self> {
        if !(has_tool("dbus-daemon") && has_tool("gsettings")) {
            return None;
        }
        let app = App::new();
        let session = Session::new(&app.dir.path().join("bus"), &app.dir.path().join("home"));
        let (panel, notes) = (Panel::start(&session), Notifications::start(&session));
        let desk = Self {
            app,
            session,
            panel: Some(panel),
            notes,
            running: None,
        };
        fs::create_dir(desk.tools()).unwrap();
        desk.set_proxy(Some("proxy.corp.example"));
        Some(desk)
    }

    fn home(&self) -> PathBuf {
        self.app.dir.path().join("home")
    }

    /// Installs and starts a Docker Desktop that tells its settings in a way of the future.
    fn start_a_newer_docker(&self) -> StandIn {
        let docker = StandIn::start(&self.home(), (4, 84)).unwrap();
        docker.set(|state| state.shape = Shape::Unknown);
        self.app.install_with("4.84.0", BOOT_IMAGE);
        self.start_docker();
        docker
    }

    fn tools(&self) -> PathBuf {
        self.app.dir.path().join("tools")
    }

    fn environment(&self, command: &mut Command) {
        self.app.environment(command);
        self.session.environment(command);
        command
            .env("PATH", format!("{}:/usr/bin:/bin", self.tools().display()))
            .env("TMPDIR", self.tools())
            .env("XDG_CONFIG_HOME", self.app.dir.path().join("home/config"))
            .env("GSETTINGS_BACKEND", "keyfile");
    }

    fn baleen(&self, arguments: &[&str]) -> Command {
        self.command(Path::new(env!("CARGO_BIN_EXE_baleen")), arguments)
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        self.environment(&mut command);
        command.args(arguments);
        command
    }

    /// Sets the proxy of the desktop, or removes it.
    fn set_proxy(&self, host: Option<&str>) {
        match host {
            Some(host) => self.set_proxy_at(host, 8080),
            None => self.set("org.gnome.system.proxy", "mode", "none"),
        }
    }

    fn set_proxy_at(&self, host: &str, port: u16) {
        self.set("org.gnome.system.proxy.http", "host", host);
        self.set("org.gnome.system.proxy.http", "port", &port.to_string());
        self.set("org.gnome.system.proxy", "mode", "manual");
    }

    fn set(&self, schema: &str, key: &str, value: &str) {
        let mut command = Command::new("gsettings");
        self.environment(&mut command);
        let output = command.args(["set", schema, key, value]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// The app's icon in the panel.
    fn item(&self) -> Item {
        self.panel.as_ref().unwrap().item()
    }

    /// Starts the app, and waits for its icon.
    fn start(&mut self) -> Item {
        self.running = Some(self.baleen(&["app"]).spawn().unwrap());
        self.item()
    }

    /// Starts the app from a bundle in `folder`, below the desk's own, as macOS does.
    fn start_in(&mut self, folder: &str) -> Item {
        let bundle = self.app.dir.path().join(folder).join("Baleen.app");
        let program = bundle.join("Contents/MacOS/baleen");
        if !program.exists() {
            fs::create_dir_all(program.parent().unwrap()).unwrap();
            let built = Path::new(env!("CARGO_BIN_EXE_baleen"));
            if fs::hard_link(built, &program).is_err() {
                fs::copy(built, &program).unwrap();
            }
        }
        self.running = Some(self.command(&program, &["app"]).spawn().unwrap());
        self.item()
    }

    /// Starts the app, switches the proxy on, and waits until it is in place.
    fn start_switched_on(&mut self) -> Item {
        let item = self.start();
        item.wait_until("the proxy can be switched", |item| {
            item.menu()
                .find(&["Use Proxy"])
                .is_ok_and(|entry| entry.enabled)
        });
        item.click(&["Use Proxy"]);
        self.wait_for_state(&item, &format!("Proxy: {PROXY}"), "The engine gets");
        assert!(self.script().contains(PROXY));
        item
    }

    /// Waits until the tooltip begins with `tooltip`, and the menu has the line `line`.
    #[track_caller]
    fn wait_for_state(&self, item: &Item, line: &str, tooltip: &str) {
        item.wait_until(&format!("{line} and {tooltip}"), |item| {
            item.tooltip().starts_with(tooltip) && item.menu().to_string().contains(line)
        });
    }

    /// Records what is opened for the user: one path per line in the file that is returned.
    fn write_down_what_is_opened(&self) -> PathBuf {
        let opened = self.app.dir.path().join("opened");
        let xdg_open = self.tools().join("xdg-open");
        let script = format!("#!/bin/sh\necho \"$1\" >> {}\n", opened.display());
        fs::write(&xdg_open, script).unwrap();
        fs::set_permissions(&xdg_open, fs::Permissions::from_mode(0o755)).unwrap();
        opened
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Quits the app by its menu.
    fn quit(&mut self, item: &Item) {
        item.click(&["Quit Baleen"]);
        self.running.take().unwrap().wait().unwrap();
        item.wait_until_gone();
    }

    fn script(&self) -> String {
        self.app.script_text()
    }

    fn image(&self) -> Vec<u8> {
        self.app.bytes()
    }

    fn log(&self) -> String {
        // The log is gone once the app is uninstalled.
        fs::read_to_string(self.app.dir.path().join("state/baleen.log")).unwrap_or_default()
    }

    fn docker(&self) -> Option<RunningApp> {
        restart::running(&self.app.app())
    }

    /// Starts Docker as its user does.
    fn start_docker(&self) -> RunningApp {
        apps::open(&self.app.app()).unwrap();
        until("Docker runs", || self.docker())
    }

    /// Makes a console of its VM that never answers; returns the VM's side and the Mac's.
    fn make_console(&self) -> (File, PathBuf) {
        tty::console(&self.app.dir.path().join("home"))
    }

    /// Starts the desk with a Docker that runs, has a console, and needs a restart; returns the icon and the
    /// notification about that.
    fn start_out_of_date(&mut self, other: &str) -> (Item, Notification) {
        let item = self.start_switched_on();
        self.set_proxy(Some(other));
        let note = self.notes.wait_for("the other proxy", |note| {
            note.body.contains(&format!("{other}:8080"))
        });
        (item, note)
    }

    fn stop_docker(&self) {
        while let Some(docker) = self.docker() {
            apps::ask_to_quit(&docker);
            sleep(Duration::from_millis(20));
        }
    }

    /// Makes a new Docker.app beside the other one.
    fn new_version(&self, version: &str) -> PathBuf {
        let new = self.app.dir.path().join(format!("new-{version}"));
        baleen::demo::build(&new, version, "9999").unwrap();
        new
    }

    /// Waits for the notification about the update to `version`.
    #[track_caller]
    fn told_of_update(&self, from: &str, to: &str) -> Notification {
        let is_of_it = |note: &Notification| {
            note.body.starts_with(&format!("Docker {to} ")) && note.summary == UPDATED
        };
        let note = self.notes.wait_for(&format!("{from} → {to}"), is_of_it);
        assert!(note.body.contains(PROXY), "{}", note.body);
        note
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.kill();
        // Its child processes end with it, even after a kill.
        let home = format!("HOME={}", self.app.dir.path().join("home").display());
        until("nothing is left of it", || (!runs_in(&home)).then_some(()));
        if std::thread::panicking() {
            eprintln!("--- the app's log\n{}", self.log());
        }
        self.stop_docker();
    }
}

/// Returns whether a monitor of settings runs in this home.
fn runs_in(home: &str) -> bool {
    fs::read_dir("/proc").unwrap().flatten().any(|process| {
        let read = |name: &str| fs::read(process.path().join(name)).unwrap_or_default();
        read("cmdline").starts_with(b"gsettings")
            && read("environ")
                .split(|&byte| byte == 0)
                .any(|one| one == home.as_bytes())
    })
}

#[track_caller]
fn until<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "in vain: {what}"
        );
        sleep(Duration::from_millis(20));
    }
}

fn copy(from: &Path, to: &Path, pause: Duration) {
    fs::create_dir_all(to).unwrap();
    let mut entries: Vec<_> = fs::read_dir(from).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target, pause);
        } else {
            let bytes = fs::read(entry.path()).unwrap();
            // In two halves, like a copy in progress.
            fs::write(&target, &bytes[..bytes.len() / 2]).unwrap();
            sleep(pause);
            fs::write(&target, bytes).unwrap();
            fs::set_permissions(&target, entry.metadata().unwrap().permissions()).unwrap();
        }
    }
}

#[test]
fn every_line_of_the_menu_does_what_it_says() {
    let Some(mut desk) = Desk::new() else { return };
    let opened = desk.write_down_what_is_opened();
    let was_opened = |name: &str| {
        until(name, || {
            let all = fs::read_to_string(&opened).ok()?;
            all.lines()
                .last()
                .filter(|path| path.ends_with(name))
                .map(PathBuf::from)
        })
    };

    let stock = desk.image();
    let item = desk.start();
    assert!(item.title().starts_with("Baleen: "), "{}", item.title());
    let question = desk.notes.wait_for("the first note", |_| true);
    assert_eq!(question.summary, QUESTION);
    assert_eq!(
        desk.image(),
        stock,
        "nothing is changed before anybody says so"
    );
    assert!(item.menu().has(&["Off"]), "{}", item.menu());
    assert!(item.menu().to_string().contains("Docker 1.11.1-beta12"));
    let off = item.icon();

    // The button of the question switches it on, too; this test uses the menu.
    item.click(&["Use Proxy"]);
    desk.wait_for_state(&item, "On: Docker uses the proxy", "The engine gets");
    assert!(item.menu().entry(&["Use Proxy"]).is_checked());
    assert!(desk.script().contains(PROXY));
    assert_ne!(item.icon(), off);
    desk.notes.wait_for("the change", |note| {
        note.summary == "Docker now has the proxy"
    });

    item.click(&["Help", "Check and Repair Now"]);
    item.wait_until("the check is among the last events", |item| {
        item.menu().to_string().contains("Checked:")
    });

    // Decisions go to the settings file, and the menu shows changes made there.
    let config = desk.app.dir.path().join("home/config/baleen/config.toml");
    for (restart, text) in [
        ("Do Nothing", "never"),
        ("Restart Automatically", "always"),
        ("Ask Me", "ask"),
    ] {
        item.click(&["Settings", "When a Restart Is Needed", restart]);
        let line = format!("restart = \"{text}\"");
        until(&line, || {
            fs::read_to_string(&config)
                .ok()
                .filter(|all| all.contains(&line))
        });
        item.wait_until(restart, |item| {
            let menu = item.menu();
            let marks = ["Ask Me", "Restart Automatically", "Do Nothing"].map(|label| {
                menu.entry(&["Settings", "When a Restart Is Needed", label])
                    .is_checked()
            });
            marks.iter().filter(|mark| **mark).count() == 1
                && menu
                    .entry(&["Settings", "When a Restart Is Needed", restart])
                    .is_checked()
        });
    }
    // The app's environment has no proxy, so this source is offered only once it is chosen.
    let environment = ["Settings", "Proxy Source", "Environment"];
    assert!(!item.menu().has(&environment));
    let set = desk
        .baleen(&["config", "set", "source", "environment"])
        .output()
        .unwrap();
    assert!(set.status.success());
    item.wait_until("Environment is chosen", |item| {
        let menu = item.menu();
        menu.has(&environment) && menu.entry(&environment).is_checked()
    });
    desk.wait_for_state(
        &item,
        "On: no proxy set on this Mac",
        "No proxy is set in the environment",
    );
    assert_eq!(desk.image(), stock);
    // There is no panel on Linux: the settings file opens, and a notification says what to set in it.
    item.click(&["Proxy Source", "Manual…"]);
    was_opened("/config.toml");
    desk.notes.wait_for("what to do", |note| {
        note.summary == "Enter the proxy in the settings file"
    });
    assert!(!item.menu().entry(&["Proxy Source", "Manual…"]).is_checked());
    let set = desk
        .baleen(&["config", "set", "http_proxy", "http://manual.example:3128"])
        .output()
        .unwrap();
    assert!(set.status.success());
    // A file with a proxy in it is used at once.
    item.click(&["Proxy Source", "Manual…"]);
    desk.wait_for_state(
        &item,
        "Proxy: manual.example:3128",
        "The engine gets http://manual.example:3128",
    );
    item.click(&["Settings", "Proxy Source", "System"]);
    desk.wait_for_state(
        &item,
        &format!("Proxy: {PROXY}"),
        &format!("The engine gets http://{PROXY}"),
    );

    let autostart = desk
        .app
        .dir
        .path()
        .join("home/config/autostart/baleen.desktop");
    item.click(&["Settings", "Start at Login"]);
    until("it starts at login", || autostart.exists().then_some(()));
    item.wait_until("the mark", |item| {
        item.menu()
            .entry(&["Settings", "Start at Login"])
            .is_checked()
    });
    item.click(&["Settings", "Start at Login"]);
    until("it starts at login no more", || {
        (!autostart.exists()).then_some(())
    });
    item.wait_until("no mark", |item| {
        !item
            .menu()
            .entry(&["Settings", "Start at Login"])
            .is_checked()
    });

    item.click(&["Settings", "Open Settings File"]);
    was_opened("/config.toml");
    item.click(&["Help", "Open Log"]);
    let log = was_opened("/baleen.log");
    assert!(fs::read_to_string(log).unwrap().contains("notified:"));
    item.click(&["Help", "About Baleen"]);
    let version = concat!("Baleen ", env!("CARGO_PKG_VERSION"));
    desk.notes
        .wait_for("what Baleen is", |note| note.summary == version);
    // No program listens there.
    desk.set_proxy_at("127.0.0.1", 1);
    desk.wait_for_state(
        &item,
        "On: Docker uses the proxy",
        "The engine gets http://192.168.65.1:1",
    );
    item.click(&["Help", "Check Connection"]);
    let checked = desk.notes.wait_for("the check", |note| {
        note.summary == "Docker can't reach the registry"
    });
    assert!(checked.body.contains("127.0.0.1:1"), "{}", checked.body);
    let page = was_opened("/doctor-report.html");
    let mode = fs::metadata(&page).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = fs::read_to_string(&page).unwrap();
    assert!(
        text.contains("<li id=\"step-tcp\" class=\"bad\">"),
        "{text}"
    );
    // Without the page, the text is still there.
    fs::remove_file(&page).unwrap();
    desk.notes.press(&checked, "Open Report");
    let report = fs::read_to_string(was_opened("/doctor-report.md")).unwrap();
    assert!(report.contains("(`tcp`): bad"), "{report}");

    item.click(&["Use Proxy"]);
    desk.wait_for_state(&item, "Off", "Docker has its own boot image");
    assert_eq!(desk.image(), stock);
    assert_eq!(item.icon(), off);
    item.click(&["Quit Baleen"]);
    let ended = desk.running.take().unwrap().wait().unwrap();
    assert_eq!(ended.code(), Some(0));
    assert!(item.is_gone());
    assert!(!desk.log().contains("WARN"), "{}", desk.log());
}

/// Each of the ways in which a Docker.app can be replaced.
/// `baleen apply --http-proxy` came before the app.
#[test]
fn a_proxy_named_by_hand_is_reported_with_the_first_start_and_the_settings_beside_it() {
    let Some(mut desk) = Desk::new() else { return };
    let named = "named.example:3128";
    let url = format!("http://{named}");
    let applied = desk.baleen(&["apply", "--http-proxy", &url]).output();
    assert!(applied.unwrap().status.success());
    let image = desk.image();
    let item = desk.start();
    let first = desk.notes.wait_for("the first note", |_| true);
    let in_use = format!("Proxy: {named}, named by hand");
    let tooltip = format!("The engine gets {url}, which was named by hand; ");
    desk.wait_for_state(&item, &in_use, &tooltip);
    assert!(
        item.menu()
            .to_string()
            .contains(&format!("Settings: {PROXY}"))
    );

    desk.set_proxy(Some("other.example"));
    let changed = "The proxy settings changed";
    let note = desk
        .notes
        .wait_for("the change", |note| note.summary == changed);
    insta::assert_snapshot!(shown(&[first, note]));
    assert_eq!(desk.image(), image, "the named one is kept");
    desk.wait_for_state(&item, "Settings: other.example:8080", &tooltip);
    item.click(&["Help", "Check and Repair Now"]);
    sleep(Duration::from_secs(3));
    let told = desk.notes.all();
    let told = told.iter().filter(|note| note.summary == changed).count();
    assert_eq!(told, 1);

    item.click(&[&in_use, "Follow System Settings"]);
    desk.wait_for_state(
        &item,
        "Proxy: other.example:8080",
        "The engine gets http://other",
    );
    assert!(!item.menu().to_string().contains("Follow System Settings"));
    assert!(desk.script().contains("other.example:8080"));
}

#[test]
fn a_proxy_set_by_hand_that_comes_back_is_called_so() {
    let Some(mut desk) = Desk::new() else { return };
    let line = "export HTTP_PROXY=http://hand.example:1";
    let script = format!("#!/sbin/openrc-run\n{line}\ncommand=/usr/bin/docker\n");
    let by_hand = app::image_with(script.as_bytes());
    desk.app.replace_image(&by_hand);
    let item = desk.start();
    item.wait_until("the proxy can be switched", |item| {
        item.menu()
            .find(&["Use Proxy"])
            .is_ok_and(|entry| entry.enabled)
    });
    item.click(&["Use Proxy"]);
    item.wait_until("it is not taken over unasked", |item| {
        item.menu().has(&["Adopt Existing Proxy"])
    });
    item.click(&["Adopt Existing Proxy"]);
    desk.wait_for_state(&item, &format!("Proxy: {PROXY}"), "The engine gets");
    item.click(&["Use Proxy"]);
    desk.wait_for_state(
        &item,
        &format!("Proxy: set by hand ({line})"),
        "The boot image carries",
    );
    assert_eq!(desk.image(), by_hand);
    let note = desk.notes.wait_for("whose proxy is back", |note| {
        note.summary == "Docker has a proxy set by hand again"
    });
    assert!(note.body.contains(line), "{}", note.body);
    assert_eq!(state_of(&desk), ("foreign".to_owned(), 4));
    // One click restores Baleen's own block.
    item.click(&["Adopt Existing Proxy"]);
    desk.wait_for_state(&item, &format!("Proxy: {PROXY}"), "The engine gets");
}

#[test]
fn an_update_is_repaired_and_told_whichever_way_it_comes() {
    let Some(mut desk) = Desk::new() else { return };
    let item = desk.start_switched_on();
    let (place, aside) = (desk.app.app(), desk.app.dir.path().join("aside"));
    let mut from = "1.11.1-beta12".to_owned();
    for (number, way) in [
        "rename over",
        "exchange",
        "remove and copy",
        "in place",
        "downgrade",
    ]
    .iter()
    .enumerate()
    {
        let to = match *way {
            "downgrade" => "1.11.0-beta9".to_owned(),
            _ => format!("1.12.{number}"),
        };
        let new = desk.new_version(&to);
        let before = item.icon();
        match *way {
            "rename over" | "downgrade" => {
                fs::rename(&place, &aside).unwrap();
                fs::rename(&new, &place).unwrap();
                fs::remove_dir_all(&aside).unwrap();
            }
            "exchange" => {
                let flags = rustix::fs::RenameFlags::EXCHANGE;
                let here = rustix::fs::CWD;
                rustix::fs::renameat_with(here, &new, here, &place, flags).unwrap();
            }
            "remove and copy" => {
                fs::remove_dir_all(&place).unwrap();
                // Five files in two halves each take some seconds.
                copy(&new, &place, Duration::from_millis(700));
            }
            "in place" => {
                // Each file is overwritten in place; the backup stays behind.
                copy(&new, &place, Duration::from_millis(100));
            }
            other => unreachable!("{other}"),
        }
        desk.told_of_update(&from, &to);
        desk.wait_for_state(&item, &format!("Docker {to}"), "The engine gets");
        assert!(desk.script().contains(PROXY), "{way}");
        assert_eq!(item.icon(), before, "{way}");
        let (state, code) = state_of(&desk);
        assert_eq!((&*state, code), ("current", 0), "{way}");
        from = to;
        let _ = fs::remove_dir_all(new);
    }
    assert_eq!(desk.notes.count(|note| note.summary == UPDATED), 5);
    let patched = desk.image();
    let restored = desk.baleen(&["restore"]).output().unwrap();
    assert!(restored.status.success());
    assert!(patched.starts_with(&desk.image()));
}

/// The result of `baleen status --verify`, which reads every byte.
fn state_of(desk: &Desk) -> (String, i32) {
    let output = desk
        .baleen(&["status", "--verify", "--json"])
        .output()
        .unwrap();
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    (
        object["state"].as_str().unwrap().to_owned(),
        output.status.code().unwrap(),
    )
}

#[test]
fn docker_is_restarted_by_the_button_and_not_without_it() {
    let Some(mut desk) = Desk::new() else { return };
    let item = desk.start_switched_on();
    let before = desk.start_docker();
    item.click(&["Help", "Check and Repair Now"]);
    item.wait_until("no restart is needed", |item| {
        !item.menu().has(&["Restart Docker"])
    });

    // Docker updates itself and keeps running, until its user restarts it.
    let new = desk.new_version("1.12.0");
    let place = desk.app.app();
    fs::rename(&place, desk.app.dir.path().join("old")).unwrap();
    fs::rename(new, &place).unwrap();
    let note = desk.told_of_update("1.11.1-beta12", "1.12.0");
    // Docker started from an image with this very proxy.
    assert!(!note.body.contains("Restart"), "{}", note.body);
    assert_eq!(desk.docker().unwrap().pid, before.pid);

    // A different proxy does need a restart.
    desk.set_proxy(Some("other.example"));
    let note = desk.notes.wait_for("the other proxy", |note| {
        note.summary == "Docker's proxy has changed"
    });
    insta::assert_snapshot!(shown(std::slice::from_ref(&note)));
    desk.wait_for_state(
        &item,
        "Docker needs a restart",
        "The engine gets http://other.example:8080, the next time",
    );
    assert!(item.menu().entry(&["Restart Docker"]).enabled);
    sleep(Duration::from_secs(3));
    assert_eq!(
        desk.docker().unwrap().pid,
        before.pid,
        "no one allowed a restart"
    );
    desk.notes.press(&note, "Later");
    sleep(Duration::from_millis(500));
    assert_eq!(desk.docker().unwrap().pid, before.pid);

    // By the button of the next notification.
    desk.set_proxy(Some("third.example"));
    let note = desk.notes.wait_for("the third proxy", |note| {
        note.body.contains("third.example:8080")
    });
    desk.notes.press(&note, "Restart Docker");
    let after = until("another Docker", || {
        desk.docker().filter(|docker| docker.pid != before.pid)
    });
    desk.wait_for_state(
        &item,
        "On: Docker uses the proxy",
        "The engine gets http://third.example:8080",
    );
    assert!(!item.menu().has(&["Restart Docker"]));

    // By the menu.
    desk.set_proxy(Some("fourth.example"));
    item.wait_until("a restart is needed", |item| {
        item.menu().has(&["Restart Docker"])
    });
    item.click(&["Restart Docker"]);
    let later = until("yet another", || {
        desk.docker().filter(|docker| docker.pid != after.pid)
    });
    item.wait_until("it is done", |item| !item.menu().has(&["Restart Docker"]));

    // Always: by itself, and once.
    item.click(&[
        "Settings",
        "When a Restart Is Needed",
        "Restart Automatically",
    ]);
    desk.set_proxy(Some("fifth.example"));
    let last = until("by itself", || {
        desk.docker().filter(|docker| docker.pid != later.pid)
    });
    desk.wait_for_state(
        &item,
        "On: Docker uses the proxy",
        "The engine gets http://fifth.example:8080",
    );
    sleep(Duration::from_secs(3));
    assert_eq!(desk.docker().unwrap().pid, last.pid);

    // The user quits Docker: no restart is due then.
    item.click(&["Settings", "When a Restart Is Needed", "Ask Me"]);
    desk.set_proxy(Some("sixth.example"));
    item.wait_until("a restart is needed", |item| {
        item.menu().has(&["Restart Docker"])
    });
    desk.stop_docker();
    desk.wait_for_state(
        &item,
        "On: Docker uses the proxy",
        "The engine gets http://sixth.example:8080",
    );
}

#[test]
fn where_the_vm_has_a_console_its_engine_can_be_restarted_alone() {
    let Some(mut desk) = Desk::new() else { return };
    let before = desk.start_docker();
    let (_vm, device) = desk.make_console();
    let (item, note) = desk.start_out_of_date("other.example");
    let asks = note.clone();
    let engine = ["Restart Docker"];
    let completely = ["Help", "Restart Docker Completely"];
    item.wait_until("both can be chosen", |item| {
        let menu = item.menu();
        menu.has(&engine) && menu.has(&completely)
    });

    // Another process has the console open: the app reports that, and doesn't restart anything else instead.
    let mut screen = Command::new("sleep")
        .arg("600")
        .stdin(Stdio::from(tty::open(&device)))
        .spawn()
        .unwrap();
    desk.notes.press(&note, "Restart Docker");
    let note = desk.notes.wait_for("that it was not", |note| {
        note.summary == "The Docker Engine was not restarted"
    });
    let _ = screen.kill();
    screen.wait().unwrap();
    assert!(
        note.body.contains(&screen.id().to_string()),
        "{}",
        note.body
    );
    // The text is cut behind a number that has three digits or seven.
    let told = shown(&[asks, note]).replace("leaves it…", "leaves…");
    insta::assert_snapshot!(told);
    assert_eq!(desk.docker().unwrap().pid, before.pid);
    item.wait_until("a restart is needed all the same", |item| {
        let menu = item.menu();
        menu.has(&["Docker needs a restart"]) && menu.has(&engine)
    });

    // The console never answers, and the app is quit in the middle: it does not wait.
    item.click(&engine);
    item.wait_until("it is at it", |item| {
        item.menu().has(&["Restarting the Engine…"])
    });
    let asked = Instant::now();
    desk.quit(&item);
    assert!(asked.elapsed() < Duration::from_secs(20), "it hangs");
    assert_eq!(desk.docker().unwrap().pid, before.pid);

    // Docker's own restart works in any case.
    let item = desk.start();
    item.wait_until("a restart is needed", |item| item.menu().has(&completely));
    item.click(&completely);
    until("another Docker", || {
        desk.docker().filter(|docker| docker.pid != before.pid)
    });
    desk.wait_for_state(&item, "On: Docker uses the proxy", "The engine gets");
}

#[test]
fn always_tries_the_engine_first_and_restarts_docker_where_that_fails() {
    let Some(mut desk) = Desk::new() else { return };
    let set = desk
        .baleen(&["config", "set", "restart", "always"])
        .output();
    assert!(set.unwrap().status.success());
    let before = desk.start_docker();
    let (vm, _) = desk.make_console();
    // A VM that ends as soon as a process opens its console.
    std::thread::spawn(move || {
        let until = Instant::now() + Duration::from_secs(120);
        // Until a process opens the console, reading fails.
        while rustix::io::read(&vm, &mut [0; 8]).is_err() && Instant::now() < until {
            sleep(Duration::from_millis(10));
        }
    });
    let item = desk.start_switched_on();
    let note = desk.notes.wait_for("that the engine was not", |note| {
        note.summary == "The Docker Engine was not restarted"
    });
    insta::assert_snapshot!(shown(&[note]));
    until("another Docker", || {
        desk.docker().filter(|docker| docker.pid != before.pid)
    });
    desk.wait_for_state(&item, "On: Docker uses the proxy", "The engine gets");
}

#[test]
fn what_is_done_to_the_running_vm_in_a_terminal_is_seen() {
    let Some(mut desk) = Desk::new() else { return };
    let before = desk.start_docker();
    let (item, _) = desk.start_out_of_date("other.example");
    let needs = "Docker needs a restart";
    item.wait_until("a restart is needed", |item| item.menu().has(&[needs]));

    // In the form that `baleen apply --live` records when it is done.
    let state = desk.app.dir.path().join("state");
    let keep = || {
        let bundle = desk.app.app().canonicalize().unwrap();
        let vm = Vm::of(&bundle).unwrap();
        let patched = Image::open(&desk.app.image()).unwrap().patched().unwrap();
        let edit = LiveEdit {
            revision: patched.manifest().map(|manifest| manifest.block_sha256),
            at: SystemTime::now(),
            is_open: false,
        };
        LiveEdits::in_folder(&state)
            .set(&bundle, &vm, edit)
            .unwrap();
    };
    keep();
    let is_followed = |item: &Item| {
        let menu = item.menu();
        menu.to_string().contains("Running VM:") && !menu.has(&["Restart Docker"])
    };
    item.wait_until("that it was followed", is_followed);
    desk.wait_for_state(
        &item,
        "On: Docker uses the proxy",
        "The engine gets http://other.example:8080",
    );

    // While `--live` is at work, the app doesn't report the change of the image. First `--live` succeeds, then it
    // fails.
    let told = |note: &Notification| note.summary == "Docker's proxy has changed";
    let mut all = Vec::new();
    for (host, succeeds) in [("third.example", true), ("fourth.example", false)] {
        let before = desk.notes.count(told);
        let in_flight = LiveLock::begin(&state).unwrap();
        desk.set_proxy(Some(host));
        let tooltip = format!("The boot image has http://{host}:8080; `baleen` in a terminal is");
        desk.wait_for_state(&item, "On: Docker uses the proxy", &tooltip);
        sleep(Duration::from_secs(3));
        assert_eq!(desk.notes.count(told), before);
        assert!(!item.menu().has(&[needs]));
        if succeeds {
            keep();
        }
        drop(in_flight);
        let note = desk.notes.wait_for("what came of it", |note| {
            told(note) && note.body.contains(&format!("{host}:8080 "))
        });
        let offers_it = buttons(&note)
            .iter()
            .any(|label| label.starts_with("Restart Docker"));
        assert_eq!(offers_it, !succeeds, "{note}");
        all.push(note);
        item.wait_until("what it came to", |item| {
            is_followed(item) == succeeds && item.menu().has(&[needs]) != succeeds
        });
    }
    assert_eq!(desk.docker().unwrap().pid, before.pid);
    insta::assert_snapshot!(shown(&all));
}

#[test]
fn killed_at_any_time_it_puts_things_right_at_the_next_start() {
    let Some(mut desk) = Desk::new() else { return };
    desk.start_switched_on();
    for number in 0..6u64 {
        let new = desk.new_version(&format!("1.12.{number}"));
        let place = desk.app.app();
        fs::remove_dir_all(&place).unwrap();
        fs::rename(new, &place).unwrap();
        // Around the moment when the quiet time ends.
        sleep(Duration::from_millis(1990 + 8 * number));
        desk.kill();
        desk.running = Some(desk.baleen(&["app"]).spawn().unwrap());
        until("the proxy is in place", || {
            desk.script().contains(PROXY).then_some(())
        });
        let item = desk.item();
        desk.wait_for_state(&item, &format!("Docker 1.12.{number}"), "The engine gets");
    }
    assert_eq!(state_of(&desk), ("current".to_owned(), 0));
    assert_eq!(
        desk.app.overridden_settings(),
        ["initrd.img", "initrd.img-backup", "vmlinuz64"]
    );
    for number in 1..6 {
        let update = format!("Docker 1.12.{number} ");
        assert!(
            desk.notes.count(|note| note.body.contains(&update)) <= 1,
            "told twice"
        );
    }
}

#[test]
fn twenty_updates_in_a_row_are_repaired_and_none_is_reported_twice() {
    let Some(mut desk) = Desk::new() else { return };
    let item = desk.start_switched_on();
    let mut from = "1.11.1-beta12".to_owned();
    for number in 0..20 {
        let to = format!("1.12.{number}");
        let new = desk.new_version(&to);
        fs::remove_dir_all(desk.app.app()).unwrap();
        fs::rename(new, desk.app.app()).unwrap();
        desk.told_of_update(&from, &to);
        from = to;
    }
    desk.wait_for_state(&item, "Docker 1.12.19", "The engine gets");
    assert_eq!(desk.notes.count(|note| note.summary == UPDATED), 20);
    assert_eq!(state_of(&desk), ("current".to_owned(), 0));
    desk.notes.assert_no_more_for(Duration::from_secs(3));
}

#[test]
fn an_update_that_never_finishes_is_reported_and_one_that_does_after_all_is_repaired() {
    let Some(mut desk) = Desk::new() else { return };
    let item = desk.start_switched_on();
    let good = item.icon();
    let new = desk.new_version("1.12.0");
    let bytes = fs::read(new.join("Contents/Resources/moby/initrd.img")).unwrap();
    fs::remove_dir_all(desk.app.app()).unwrap();
    fs::write(
        new.join("Contents/Resources/moby/initrd.img"),
        &bytes[..bytes.len() / 2],
    )
    .unwrap();
    fs::rename(&new, desk.app.app()).unwrap();
    desk.wait_for_state(&item, "Docker is being updated…", "Docker is being updated");
    assert_ne!(item.icon(), good);
    let started = Instant::now();
    let note = until("it is told that the update is stuck", || {
        desk.notes
            .all()
            .into_iter()
            .find(|note| note.summary == "A Docker update seems to be stuck")
    });
    assert!(
        started.elapsed() > Duration::from_secs(30),
        "told too early: {}",
        note.body
    );
    assert_eq!(desk.image(), &bytes[..bytes.len() / 2], "it is left alone");
    fs::write(desk.app.image(), &bytes).unwrap();
    desk.told_of_update("1.11.1-beta12", "1.12.0");
    item.wait_until("the icon is as before", |item| item.icon() == good);
    assert_eq!(desk.notes.count(|note| note.summary.contains("stuck")), 1);
}

#[test]
fn a_proxy_that_flaps_changes_nothing_and_one_that_stays_away_does() {
    let Some(mut desk) = Desk::new() else { return };
    let item = desk.start_switched_on();
    desk.notes.wait_for("the first note", |_| true);
    let before = fs::metadata(desk.app.image()).unwrap();
    let told = desk.notes.all().len();
    for _ in 0..5 {
        desk.set("org.gnome.system.proxy", "mode", "none");
        desk.set("org.gnome.system.proxy", "mode", "manual");
    }
    sleep(Duration::from_secs(3));
    let after = fs::metadata(desk.app.image()).unwrap();
    assert_eq!(
        (before.ino(), before.ctime_nsec()),
        (after.ino(), after.ctime_nsec())
    );
    assert_eq!(desk.notes.all().len(), told);

    desk.set_proxy(None);
    desk.wait_for_state(&item, "On: no proxy set on this Mac", "No proxy is set");
    desk.notes.wait_for("it is gone", |note| {
        note.summary == "Docker has its own boot image again"
    });
    assert!(!desk.script().contains("baleen"));
    desk.set_proxy(Some("proxy.corp.example"));
    desk.wait_for_state(&item, "On: Docker uses the proxy", "The engine gets");
    assert!(desk.script().contains(PROXY));
}

/// A PAC script that can't be reached: first its last answers count, then the engine goes direct, until the script is
/// back.
#[test]
fn a_pac_script_that_goes_away_and_comes_back() {
    let Some(mut desk) = Desk::new() else {
        return;
    };
    let pac = desk.app.dir.path().join("proxy.pac");
    let text = format!("function FindProxyForURL() {{ return 'PROXY {PROXY}'; }}");
    fs::write(&pac, &text).unwrap();
    let url = format!("file://{}", pac.display());
    desk.set("org.gnome.system.proxy", "autoconfig-url", &url);
    desk.set("org.gnome.system.proxy", "mode", "auto");
    let item = desk.start_switched_on();

    let again = |item: &Item| item.click(&["Help", "Check and Repair Now"]);
    let by_script = "PAC script unavailable; using its answer from a moment ago";
    fs::remove_file(&pac).unwrap();
    again(&item);
    desk.wait_for_state(&item, by_script, "The engine gets");
    assert!(desk.script().contains(PROXY));

    // Pretends that this was a while ago.
    let file = desk.app.dir.path().join("state/pac.json");
    let mut kept: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    for script in kept["scripts"].as_object_mut().unwrap().values_mut() {
        let since = &mut script["unreachable_since"];
        *since = (since.as_u64().unwrap() - 301).into();
    }
    fs::write(&file, kept.to_string()).unwrap();
    again(&item);
    let direct = "Proxy: none, as the PAC script can't be reached";
    desk.wait_for_state(&item, direct, "The PAC script can't be reached");
    assert!(item.menu().has(&["On: Docker goes direct for now"]));
    assert!(!desk.script().contains(PROXY));

    fs::write(&pac, &text).unwrap();
    again(&item);
    desk.wait_for_state(&item, &format!("Proxy: {PROXY}"), "The engine gets");
    assert!(!item.menu().to_string().contains(by_script) && desk.script().contains(PROXY));
}

#[test]
fn a_second_one_hands_over_and_panels_come_and_go() {
    let Some(mut desk) = Desk::new() else { return };
    desk.panel = None;
    desk.running = Some(desk.baleen(&["app"]).spawn().unwrap());
    Panel::wait_until_awaited(&desk.session);
    desk.panel = Some(Panel::start(&desk.session));
    let item = desk.item();
    assert!(item.title().starts_with("Baleen: "), "{}", item.title());

    let second = desk.baleen(&["app"]).output().unwrap();
    assert_eq!(second.status.code(), Some(0));
    let said = String::from_utf8_lossy(&second.stdout).into_owned();
    insta::assert_snapshot!(redacted(&said));
    desk.notes.wait_for("the first shows itself", |note| {
        note.summary == "Baleen is already running"
    });
    // Two programs that act by themselves are one too many.
    let watch = desk.baleen(&["watch"]).output().unwrap();
    assert_eq!(watch.status.code(), Some(4));

    desk.panel = None;
    desk.panel = Some(Panel::start(&desk.session));
    let item = desk.item();
    item.wait_until("it can be used", |item| item.menu().has(&["Use Proxy"]));
    item.click(&["Use Proxy"]);
    desk.wait_for_state(&item, "On: Docker uses the proxy", "The engine gets");
}

#[test]
fn an_app_opened_where_it_can_not_stay_says_so_at_each_start() {
    let Some(mut desk) = Desk::new() else { return };
    let login = "Start at Login (move Baleen to Applications first)";
    let mut all = Vec::new();
    for starts in 1..=2 {
        let item = desk.start_in("var/folders/x/T/AppTranslocation/ABC/d");
        let told = |note: &Notification| note.summary == "Move Baleen to Applications";
        until("it is told", || {
            (desk.notes.count(told) == starts).then_some(())
        });
        let note = desk.notes.wait_for("the note", told);
        all.push(note);
        let menu = item.menu();
        let line = "Move Baleen to the Applications Folder";
        assert!(menu.has(&[line]), "{menu}");
        assert!(!menu.entry(&["Settings", login]).enabled, "{menu}");
        // Everything else works.
        item.wait_until("the proxy can be switched", |item| {
            item.menu()
                .find(&["Use Proxy"])
                .is_ok_and(|entry| entry.enabled)
        });
        desk.quit(&item);
    }
    insta::assert_snapshot!(shown(&all));
}

#[test]
fn an_app_in_a_folder_for_apps_says_nothing_of_it_and_one_in_another_folder_once() {
    let Some(mut desk) = Desk::new() else { return };
    let told = |note: &Notification| note.summary == "Move Baleen to Applications";
    for (folder, is_new, notes) in [
        ("home/Applications", true, 0),
        ("home/Downloads", true, 1),
        ("home/Downloads", false, 1),
    ] {
        if is_new {
            let _ = fs::remove_file(desk.app.dir.path().join("state/agent.json"));
        }
        let item = desk.start_in(folder);
        item.wait_until("the proxy can be switched", |item| {
            item.menu()
                .find(&["Use Proxy"])
                .is_ok_and(|entry| entry.enabled)
        });
        if is_new {
            if !item.menu().entry(&["Use Proxy"]).is_checked() {
                item.click(&["Use Proxy"]);
            }
            // It comes with the question for which the folder matters.
            desk.notes
                .wait_for("the question", |note| note.summary == LOGIN_QUESTION);
        }
        sleep(Duration::from_secs(3));
        assert_eq!(desk.notes.count(told), notes, "{folder}");
        let menu = item.menu();
        assert!(
            menu.entry(&["Settings", "Start at Login"]).enabled,
            "{menu}"
        );
        assert!(!menu.to_string().contains("Applications"), "{menu}");
        desk.quit(&item);
    }
    let note = desk.notes.wait_for("the note", told);
    insta::assert_snapshot!(shown(&[note]));
}

/// Uninstalls, once no work is in progress.
fn uninstall_now(item: &Item) {
    item.wait_until("it can be uninstalled", |item| {
        item.menu()
            .find(&["Uninstall Baleen…"])
            .is_ok_and(|entry| entry.enabled)
    });
    item.click(&["Uninstall Baleen…"]);
}

/// Uninstalls, and agrees when asked.
fn uninstall_and_agree(desk: &Desk, item: &Item) -> Notification {
    uninstall_now(item);
    let question = desk
        .notes
        .wait_for("the question", |note| note.summary == "Uninstall Baleen?");
    desk.notes.press(&question, "Uninstall");
    question
}

#[test]
fn uninstalled_from_the_menu_it_leaves_nothing_behind() {
    let Some(mut desk) = Desk::new() else { return };
    let opened = desk.write_down_what_is_opened();
    let home = desk.app.dir.path().join("home");
    fs::create_dir_all(home.join("config/autostart")).unwrap();
    let (stock, before) = (desk.image(), Snapshot::of(&home, false));
    let item = desk.start_switched_on();
    item.click(&["Settings", "Start at Login"]);
    item.click(&["Settings", "When a Restart Is Needed", "Do Nothing"]);
    let made = ["autostart/baleen.desktop", "baleen/config.toml"];
    let made = made.map(|name| home.join("config").join(name));
    until("there is something to remove", || {
        made.iter().all(|file| file.exists()).then_some(())
    });
    uninstall_now(&item);
    let question = desk
        .notes
        .wait_for("the question", |note| note.summary == "Uninstall Baleen?");
    desk.notes.press(&question, "Cancel");
    until("the answer is taken", || {
        desk.log().contains("the answer was no").then_some(())
    });
    assert!(item.menu().has(&["Use Proxy"]));
    assert!(made.iter().all(|file| file.exists()));

    let question = uninstall_and_agree(&desk, &item);
    for file in &made {
        assert!(question.body.contains(file.to_str().unwrap()));
    }
    let note = desk.notes.wait_for("that it is done", |note| {
        note.summary == "Baleen is uninstalled"
    });
    let list = until("the list", || fs::read_to_string(&opened).ok());
    let list = fs::read_to_string(list.trim()).unwrap();
    assert!(
        made.iter()
            .all(|file| list.contains(file.to_str().unwrap()))
    );
    let mut told = Transcript::default();
    told.text("the notification", shown(&[note]));
    told.text("the list", list);
    insta::assert_snapshot!(told);
    let ended = desk.running.take().unwrap().wait().unwrap();
    assert_eq!(ended.code(), Some(0));
    assert!(item.is_gone());
    assert_eq!(desk.image(), stock);
    before.is_still(&Snapshot::of(&home, false));
    assert!(!desk.app.dir.path().join("state").exists());
}

#[test]
fn an_uninstall_that_can_not_be_done_leaves_the_app_at_work() {
    let Some(mut desk) = Desk::new() else { return };
    let set = desk
        .baleen(&["config", "set", "method", "rebuild"])
        .output();
    assert!(set.unwrap().status.success());
    let item = desk.start_switched_on();
    let patched = desk.image();
    fs::remove_file(desk.app.backup()).unwrap();
    uninstall_now(&item);
    let note = desk.notes.wait_for("that it is not done", |note| {
        note.summary == "Baleen was not uninstalled"
    });
    assert!(note.body.contains("initrd.img-backup"), "{}", note.body);
    insta::assert_snapshot!(shown(&[note]));
    assert_eq!(desk.image(), patched);
    // The app is still the only one, listens, and manages Docker as before.
    item.wait_until("the menu is as before", |item| {
        item.menu().has(&["Use Proxy"])
    });
    let second = desk.baleen(&["app"]).output().unwrap();
    assert_eq!(second.status.code(), Some(0));
    let new = desk.new_version("1.12.0");
    fs::remove_dir_all(desk.app.app()).unwrap();
    fs::rename(new, desk.app.app()).unwrap();
    desk.told_of_update("1.11.1-beta12", "1.12.0");
    // With the new image the original is available again.
    uninstall_and_agree(&desk, &item);
    desk.notes.wait_for("that it is done", |note| {
        note.summary == "Baleen is uninstalled"
    });
    let ended = desk.running.take().unwrap().wait().unwrap();
    assert_eq!(ended.code(), Some(0));
    assert!(!desk.script().contains("baleen"));
}

#[test]
fn uninstalled_from_the_command_line_the_app_ends_first() {
    let Some(mut desk) = Desk::new() else { return };
    let stock = desk.image();
    let item = desk.start_switched_on();
    let said = desk.baleen(&["uninstall", "--yes"]).output().unwrap();
    assert!(said.status.success(), "{said:?}");
    let said = String::from_utf8(said.stdout).unwrap();
    insta::assert_snapshot!(redacted(&said));
    let ended = desk.running.take().unwrap().wait().unwrap();
    assert_eq!(ended.code(), Some(0));
    assert!(item.is_gone());
    assert_eq!(desk.image(), stock);
    assert!(!desk.app.dir.path().join("state").exists());
}

const BOOT_IMAGE: &[&str] = &["linuxkit/kernel", "linuxkit/boot.img"];

/// The notifications as their user sees them, without what differs between computers and runs.
fn shown(notes: &[Notification]) -> String {
    let mut told = Transcript::default();
    for note in notes {
        told.text(&note.summary, format!("{}\n{:?}", note.body, buttons(note)));
    }
    told.to_string()
}

fn buttons(note: &Notification) -> Vec<&str> {
    let buttons = note.actions.iter().filter(|(key, _)| key != "default");
    buttons.map(|(_, label)| label.as_str()).collect()
}

/// With a Docker that is newer than Baleen knows the app offers nothing impossible: it copies what to enter in Docker's own
/// settings, and opens them.
#[test]
fn a_newer_docker_desktop_gets_what_to_enter_in_its_own_settings_and_no_switch() {
    let Some(mut desk) = Desk::new() else { return };
    let opened = desk.write_down_what_is_opened();
    desk.set_proxy_at("127.0.0.1", 3128);
    let _docker = desk.start_a_newer_docker();
    let before = Snapshot::of(&desk.app.place(), true);
    // To this program it looks like a Wayland clipboard.
    let clipboard = desk.app.dir.path().join("clipboard");
    let wl_copy = desk.tools().join("wl-copy");
    fs::write(
        &wl_copy,
        format!("#!/bin/sh\ncat > {}\n", clipboard.display()),
    )
    .unwrap();
    fs::set_permissions(&wl_copy, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = desk.baleen(&["app"]);
    desk.running = Some(command.env("WAYLAND_DISPLAY", "wayland-0").spawn().unwrap());
    let item = desk.item();

    let welcome = desk.notes.wait_for("the first note", |_| true);
    let menu = item.menu();
    assert!(
        menu.has(&["This Docker has its own proxy settings"]),
        "{menu}"
    );
    assert!(menu.has(&["Proxy: 127.0.0.1:3128"]), "{menu}");
    assert!(!menu.has(&["Use Proxy"]), "{menu}");
    // An app that has changed nothing in Docker doesn't offer to undo it.
    let menu = menu.to_string();
    let uninstall = &menu[menu.find("Uninstall Baleen").unwrap()..];
    insta::assert_snapshot!("docker_desktop_uninstall", uninstall);

    // Each field separately, in the form by which Docker on the Mac reaches the proxy, and all of them.
    let is_copied = |text: &str| {
        until(text, || {
            fs::read_to_string(&clipboard)
                .ok()
                .filter(|copied| copied == text)
        })
    };
    item.click(&["Copy Proxy Settings", "Web Server (HTTP)"]);
    is_copied("http://127.0.0.1:3128");
    let copied = desk
        .notes
        .wait_for("that it was copied", |note| note.summary == "Copied");
    insta::assert_snapshot!(
        "docker_desktop_notifications",
        shown(&[welcome.clone(), copied])
    );
    item.click(&["Copy Proxy Settings", "Bypass these hosts"]);
    let bypass = until("the bypass list", || {
        fs::read_to_string(&clipboard)
            .ok()
            .filter(|copied| copied.starts_with("localhost"))
    });
    desk.notes.press(&welcome, "Copy Proxy Settings");
    is_copied(&format!(
        "Web Server (HTTP): http://127.0.0.1:3128\n\
         Secure Web Server (HTTPS): http://127.0.0.1:3128\n\
         Bypass these hosts: {bypass}\n"
    ));

    item.click(&["Open Docker's Settings"]);
    until("its settings are opened", || {
        let all = fs::read_to_string(&opened).ok()?;
        all.contains("docker-desktop://dashboard/open?path=settings/")
            .then_some(())
    });

    assert!(
        !desk.app.dir.path().join("state/state.json").exists(),
        "no wish is noted"
    );
    before.is_still(&Snapshot::of(&desk.app.place(), true));
    let troubles = |note: &Notification| buttons(note).contains(&"Try again");
    assert_eq!(desk.notes.count(troubles), 0);
    desk.quit(&item);
}

/// A button of an older notification, from when Docker could be patched, records no wish and promises nothing.
#[test]
fn a_button_that_can_not_be_obeyed_any_more_says_why() {
    let Some(mut desk) = Desk::new() else { return };
    let opened = desk.write_down_what_is_opened();
    let item = desk.start();
    let welcome = desk.notes.wait_for("the first note", |_| true);
    assert_eq!(buttons(&welcome), ["Use Proxy", "Not Now"]);
    let _docker = desk.start_a_newer_docker();
    item.wait_until("it is seen", |item| {
        item.menu().has(&["This Docker has its own proxy settings"])
    });
    desk.notes.press(&welcome, "Use Proxy");
    let note = desk.notes.wait_for("why not", |note| {
        note.summary == "This Docker has its own proxy settings"
    });
    assert_eq!(
        buttons(&note),
        ["Copy Proxy Settings", "Open Docker's Settings"]
    );
    assert!(note.body.len() < 250, "{}", note.body);
    assert!(
        !desk.app.dir.path().join("state/state.json").exists(),
        "no wish is noted"
    );

    // This computer has no clipboard, so a file opens.
    desk.notes.press(&note, "Copy Proxy Settings");
    let copied = desk.notes.wait_for("where it is", |note| {
        note.summary == "This computer has no clipboard"
    });
    let path = until("a file", || {
        let all = fs::read_to_string(&opened).ok()?;
        all.lines().last().map(PathBuf::from)
    });
    assert!(
        copied.body.contains(path.to_str().unwrap()),
        "{}",
        copied.body
    );
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.starts_with(&format!("Web Server (HTTP): http://{PROXY}\n")),
        "{text}"
    );
    desk.quit(&item);
}

/// The wish for a proxy outlives the kind of Docker.
#[test]
fn an_update_to_docker_desktop_is_kept_behind_the_proxy_and_one_back_as_well() {
    let Some(mut desk) = Desk::new() else { return };
    let item = desk.start_switched_on();
    let group = desk
        .home()
        .join("Library/Group Containers/group.com.docker");
    fs::create_dir_all(&group).unwrap();
    fs::write(group.join("settings-store.json"), "{}\n").unwrap();
    desk.app.install_with("4.84.0", BOOT_IMAGE);
    item.wait_until("Docker Desktop follows by itself", |item| {
        item.menu().has(&["Docker follows this Mac's proxy itself"])
    });
    desk.app.install("1.12.0", "1");
    desk.wait_for_state(&item, &format!("Proxy: {PROXY}"), "The engine gets");
    assert!(desk.script().contains(PROXY));
    desk.quit(&item);
}

/// The first run asks one question after the other, and no question again: not after a restart, and not when it was
/// ignored.
#[test]
fn the_first_run_asks_each_question_once() {
    let Some(mut desk) = Desk::new() else { return };
    let stock = desk.image();
    let mut all = Vec::new();
    let item = desk.start();
    let question = desk.notes.wait_for("the question", |_| true);
    assert_eq!(question.summary, QUESTION);
    assert_eq!(desk.image(), stock);
    desk.notes.press(&question, "Use Proxy");
    desk.wait_for_state(&item, "On: Docker uses the proxy", "The engine gets");
    assert!(desk.script().contains(PROXY));
    let login = desk
        .notes
        .wait_for("the next question", |note| note.summary == LOGIN_QUESTION);
    all.extend([question, login.clone()]);
    let autostart = desk
        .app
        .dir
        .path()
        .join("home/config/autostart/baleen.desktop");
    assert!(!autostart.exists());
    desk.notes.press(&login, "Start at Login");
    until("it starts at login", || autostart.exists().then_some(()));
    item.wait_until("the menu shows it", |item| {
        item.menu().entry(&["Start at Login"]).is_checked()
    });
    insta::assert_snapshot!(shown(&all));
    let asked = |note: &Notification| note.summary.ends_with('?');
    assert_eq!(desk.notes.count(asked), 2);

    // It is switched off and on again, by the menu and at the next start.
    desk.quit(&item);
    let item = desk.start();
    item.wait_until("it is on", |item| {
        item.menu().has(&["On: Docker uses the proxy"])
    });
    item.click(&["Start at Login"]);
    until("it does not start at login", || {
        (!autostart.exists()).then_some(())
    });
    item.click(&["Use Proxy"]);
    item.wait_until("it is off", |item| item.menu().has(&["Off"]));
    desk.kill();
    let item = desk.start();
    item.wait_until("it is off", |item| item.menu().has(&["Off"]));
    sleep(Duration::from_secs(4));
    assert_eq!(desk.notes.count(asked), 2);
}

/// A press beside the buttons of a question closes its notification, and is no answer.
#[test]
fn a_question_that_is_pressed_beside_its_buttons_is_asked_again() {
    let Some(mut desk) = Desk::new() else { return };
    let item = desk.start();
    for _ in 0..2 {
        let question = desk.notes.wait_for("the question", |_| true);
        assert_eq!(question.summary, QUESTION);
        // The notification itself has an action without a label.
        desk.notes.press(&question, "");
    }
    let question = desk.notes.wait_for("the question", |_| true);
    desk.notes.press(&question, "Use Proxy");
    desk.wait_for_state(&item, "On: Docker uses the proxy", "The engine gets");
}

#[test]
fn not_now_changes_nothing_and_is_not_asked_about_again() {
    let Some(mut desk) = Desk::new() else { return };
    let stock = desk.image();
    // First there is nothing to use, then there is.
    desk.set_proxy(None);
    let item = desk.start();
    let none = desk.notes.wait_for("that there is none", |_| true);
    desk.set_proxy(Some("proxy.corp.example"));
    let question = desk.notes.wait_for("the question", |_| true);
    assert_eq!(question.replaces, none.id, "it takes its place");
    insta::assert_snapshot!(shown(&[none, question.clone()]));
    desk.notes.press(&question, "Not Now");
    desk.quit(&item);
    for _ in 0..2 {
        let item = desk.start();
        item.wait_until("it can be switched on", |item| {
            item.menu()
                .find(&["Use Proxy"])
                .is_ok_and(|entry| entry.enabled)
        });
        sleep(Duration::from_secs(4));
        desk.quit(&item);
    }
    assert_eq!(desk.notes.all().len(), 2);
    assert_eq!(desk.image(), stock);
}

/// However often the proxy changes, its notification is on the screen once.
#[test]
fn a_repeated_notice_takes_the_place_of_the_last_one() {
    let Some(mut desk) = Desk::new() else { return };
    let item = desk.start_switched_on();
    let is_change = |note: &Notification| note.summary == "Docker's proxy has changed";
    let mut last = 0;
    for host in ["two.example", "three.example", "four.example"] {
        desk.set_proxy(Some(host));
        let is_of_it = |note: &Notification| is_change(note) && note.body.starts_with(host);
        let note = desk.notes.wait_for(host, is_of_it);
        assert_eq!(note.replaces, last, "{note}");
        last = note.id;
    }
    let open = desk.notes.all();
    let open = open
        .iter()
        .filter(|note| is_change(note) && desk.notes.is_open(note));
    assert_eq!(open.count(), 1);
    desk.quit(&item);
}

#[test]
fn without_docker_nothing_is_offered_that_needs_one() {
    let Some(mut desk) = Desk::new() else { return };
    desk.set_proxy_at("127.0.0.1", 3128);
    fs::remove_dir_all(desk.app.app()).unwrap();
    let item = desk.start();
    let welcome = desk.notes.wait_for("the first note", |_| true);
    // There is no VM in which the Mac would have another address.
    insta::assert_snapshot!(shown(&[welcome]));
    let menu = item.menu();
    assert!(!menu.entry(&["Use Proxy"]).enabled, "{menu}");
    assert!(
        !menu.has(&["Docker: not found"]),
        "it stands there once: {menu}"
    );
    desk.quit(&item);
}

/// `DBUS_SESSION_BUS_ADDRESS` is a list, whose first address may be dead.
#[test]
fn the_desktop_is_found_behind_any_address_of_the_list() {
    let Some(mut desk) = Desk::new() else { return };
    let list = format!("unix:path=/nonexistent/bus;{}", desk.session.address());
    let mut command = desk.baleen(&["app"]);
    let command = command.env("DBUS_SESSION_BUS_ADDRESS", list);
    desk.running = Some(command.spawn().unwrap());
    let item = desk.item();
    // Notifications, and the desktop's settings.
    let question = desk.notes.wait_for("the first note", |_| true);
    assert_eq!(question.summary, QUESTION);
    desk.set_proxy(Some("other.corp.example"));
    item.wait_until("the other proxy", |item| {
        item.menu().has(&["Proxy: other.corp.example:8080"])
    });
    desk.quit(&item);
}

#[test]
fn a_newer_version_is_announced_once_and_a_click_says_it_again() {
    if !has_tool("openssl") {
        return;
    }
    let Some(mut desk) = Desk::new() else { return };
    let opened = desk.write_down_what_is_opened();
    // The page is asked directly: the desktop's proxy does not exist.
    desk.set_proxy(None);
    let authority = Authority::new(desk.app.dir.path().join("authority"), "/CN=Corp");
    let latest = Arc::new(Mutex::new("v99.0.0".to_owned()));
    let asked = Arc::new(AtomicUsize::new(0));
    let (tag, count) = (latest.clone(), asked.clone());
    let port = authority.identity("DNS:localhost", 2099).answer(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        let tag = tag.lock().unwrap();
        format!("HTTP/1.1 302 x\r\nLocation: /o/r/releases/tag/{tag}\r\n\r\n").into_bytes()
    });
    let state = desk.app.dir.path().join("state");
    let file = state.join("update.json");
    fs::create_dir_all(&state).unwrap();
    let start = |desk: &mut Desk| {
        let mut command = desk.baleen(&["app"]);
        command
            .env("BALEEN_UPDATE_CHECK", "weekly")
            .env("BALEEN_REPOSITORY", format!("https://localhost:{port}/o/r"))
            .env("SSL_CERT_FILE", authority.certificate());
        desk.running = Some(command.spawn().unwrap());
        desk.item()
    };
    let schedule = || -> serde_json::Value {
        let bytes = fs::read(&file).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    };
    let now = || {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs()
    };
    const DAY: u64 = 24 * 60 * 60;

    // The first look is a day away.
    let item = start(&mut desk);
    let next = until("the first look is planned", || schedule()["next"].as_u64());
    assert!((now() + DAY - 100..=now() + DAY).contains(&next), "{next}");
    desk.quit(&item);
    assert_eq!(asked.load(Ordering::Relaxed), 0);

    // The computer was asleep for long.
    let due = |announced: &str| {
        let text = format!("{{\"schema\":1,\"next\":1000,\"announced\":{announced}}}");
        fs::write(&file, text).unwrap();
    };
    due("null");
    let item = start(&mut desk);
    let is_news = |note: &Notification| note.summary == "Baleen 99.0.0 is available";
    let note = desk.notes.wait_for("the newer version", is_news);
    assert!(note.body.starts_with("You have 0."), "{}", note.body);
    let found = schedule();
    assert_eq!(found["announced"], "99.0.0");
    assert!(found["next"].as_u64().unwrap() > now() + 6 * DAY, "{found}");
    desk.quit(&item);

    // The next week there is nothing new to say.
    due("\"99.0.0\"");
    let item = start(&mut desk);
    until("it has looked again", || {
        (schedule()["next"].as_u64()? > now() + 6 * DAY).then_some(())
    });
    assert_eq!(asked.load(Ordering::Relaxed), 2);

    // The user asks.
    item.click(&["Check for Updates…"]);
    let note = desk.notes.wait_for("the answer", is_news);
    desk.notes.press(&note, "Open Release Page");
    until("the page is open", || {
        let all = fs::read_to_string(&opened).ok()?;
        all.contains("https://github.com/baleen-app/baleen/releases/latest\n")
            .then_some(())
    });
    *latest.lock().unwrap() = "soon".to_owned();
    item.click(&["Check for Updates…"]);
    let note = desk.notes.wait_for("the failure", |note| {
        note.summary == "Could not check for updates"
    });
    assert!(note.body.contains("the tag 'soon'"), "{}", note.body);
    desk.quit(&item);
}

#[test]
fn without_a_session_the_app_says_what_to_do() {
    let app = App::new();
    let run = app.run(&["app"]);
    assert_eq!(run.code, 1, "{run}");
    // Why there is none is not the same on every computer.
    let said = run.err.lines().map(|line| line.split(" D-Bus").next());
    let said: Vec<&str> = said.flatten().collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn watch_says_what_it_sees_and_ends_when_it_is_asked_to() {
    let app = App::new();
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let mut command = app.command(&["watch", "--json"]);
        command.env("https_proxy", format!("http://{PROXY}"));
        let child = command.stdout(Stdio::piped()).spawn().unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        let applied = app
            .command(&["apply"])
            .env("https_proxy", format!("http://{PROXY}"))
            .output();
        assert!(applied.unwrap().status.success());
        app.install("1.12.0", "1");
        until("the proxy is in place again", || {
            app.script_text().contains(PROXY).then_some(())
        });
        sleep(Duration::from_millis(500));
        rustix::process::kill_process(pid, signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        let lines: Vec<serde_json::Value> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert!(lines.iter().all(|line| line["schema"] == 1));
        let states: Vec<&str> = lines
            .iter()
            .filter_map(|line| line["state"].as_str())
            .collect();
        assert_eq!(states.last(), Some(&"current"), "{lines:?}");
        // The text doesn't mention the menu bar, since there is no icon.
        assert!(lines.iter().all(|line| line["news"]["kind"] != "welcome"));
    }
}
