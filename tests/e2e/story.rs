//! The whole story, as its user lives it: the app's icon, menu and notifications, a Docker that is restarted and
//! updated, and the pulls that work at each step.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};

use crate::Case;
use crate::common::desktop::{Item, Notification, Notifications, Panel};
use crate::common::session::Session;
use crate::common::tools::has_tool;
use crate::lab::{Lab, Stock};
use crate::mac::{IN_THE_VM, LOCAL, Mac, NO_WAY, both_cases, install};
use crate::servers::PROXY;

const STOCK: Stock = Stock {
    members: 3,
    script: None,
};
/// The version that Docker is updated to.
const UPDATE: Stock = Stock {
    members: 2,
    script: None,
};

pub(crate) fn all() -> Vec<Case> {
    let case = |name: &str, what: &str, run: fn(&Lab)| Case {
        name: name.to_owned(),
        what: what.to_owned(),
        is_short: false,
        run: Box::new(run),
    };
    vec![
        case(
            "app",
            "all by the app: switched on, Docker restarted, updated, repaired, switched off",
            story,
        ),
        case(
            "live-app",
            "the app restarts the Engine alone: by its notification, and by its menu",
            live,
        ),
    ]
}

/// The desktop of a [`Mac`] with the app on it. The app ends with the desktop.
struct Desk {
    app: Child,
    item: Item,
    notes: Notifications,
    _panel: Panel,
    _session: Session,
}

impl Desk {
    fn start(lab: &Lab, mac: &Mac<'_>) -> Self {
        let dir = mac.app.dir.path();
        let session = Session::new(&dir.join("bus"), &dir.join("home"));
        let (panel, notes) = (Panel::start(&session), Notifications::start(&session));
        let run = |command: &mut Command| {
            mac.environment(command);
            session.environment(command);
            desktop(mac, command);
            command.spawn().unwrap()
        };
        set_proxy(lab, mac);
        lab.say("$ baleen app");
        let app = run(Command::new(env!("CARGO_BIN_EXE_baleen")).arg("app"));
        Self {
            app,
            item: panel.item(),
            notes,
            _panel: panel,
            _session: session,
        }
    }

    fn click(&self, lab: &Lab, line: &str) {
        self.item.wait_until(line, |item| {
            item.menu().find(&[line]).is_ok_and(|entry| entry.enabled)
        });
        lab.say(&format!("(click: {line})"));
        self.item.click(&[line]);
    }

    /// Waits for this notification.
    #[track_caller]
    fn told(&self, lab: &Lab, summary: &str, words: &str) -> Notification {
        let note = self.notes.wait_for(summary, |note| {
            note.summary == summary && note.body.contains(words)
        });
        lab.say(&format!("(notification: {}. {})", note.summary, note.body));
        note
    }

    /// Waits for this notification, and restarts Docker. This VM has a console, so *Restart Docker* would restart the Engine
    /// alone.
    #[track_caller]
    fn restart_when_told(&self, lab: &Lab, mac: &mut Mac<'_>, summary: &str, words: &str) {
        self.told(lab, summary, words);
        mac.is_restarted_by(|| self.click(lab, "Restart Docker Completely"));
    }

    #[track_caller]
    fn wait_for_line(&self, line: &str) {
        self.item.wait_until(line, |item| item.menu().has(&[line]));
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.app.kill();
        let _ = self.app.wait();
    }
}

fn needs_desktop(lab: &Lab) {
    for tool in ["dbus-daemon", "gsettings"] {
        if !has_tool(tool) {
            lab.skip("needs dbus-daemon, libglib2.0-bin and gsettings-desktop-schemas");
        }
    }
}

/// Title of the notification at the first start.
const FIRST_QUESTION: &str = "Use 192.168.65.1:3128 for Docker?";

fn story(lab: &Lab) {
    needs_desktop(lab);
    let mut mac = Mac::new(lab, &STOCK);
    mac.start();
    mac.engine_has(&[]);
    mac.finds_no_way(NO_WAY);

    let desk = Desk::start(lab, &mac);
    let question = desk.told(lab, FIRST_QUESTION, "Baleen keeps it set");
    lab.say("(click: Use Proxy)");
    desk.notes.press(&question, "Use Proxy");
    desk.restart_when_told(
        lab,
        &mut mac,
        "Docker now has the proxy",
        "Docker to use it.",
    );
    mac.engine_has(&both_cases(IN_THE_VM, LOCAL));
    mac.pulls_through_the_proxy();
    desk.wait_for_line("On: Docker uses the proxy");

    lab.say("(Docker updates itself, and starts again: the new one has its own image)");
    mac.quit();
    let bundle = mac.app.app();
    let new = mac.app.dir.path().join("new");
    install(lab, &UPDATE, &new, "17.06.0-ce-mac18", "18433");
    fs::rename(&bundle, mac.app.dir.path().join("old")).unwrap();
    fs::rename(&new, &bundle).unwrap();
    let own = mac.app.bytes();
    mac.open();
    desk.restart_when_told(
        lab,
        &mut mac,
        "Docker was updated",
        "Docker 17.06.0-ce-mac18 has 192.168.65.1:3128 again.",
    );
    mac.engine_has(&both_cases(IN_THE_VM, LOCAL));
    mac.pulls_through_the_proxy();

    desk.click(lab, "Use Proxy");
    desk.restart_when_told(lab, &mut mac, "Docker has its own boot image again", "");
    assert!(mac.app.bytes() == own, "it is not Docker's own image");
    mac.engine_has(&[]);
    mac.finds_no_way(NO_WAY);
    desk.wait_for_line("Off");
}

fn live(lab: &Lab) {
    needs_desktop(lab);
    let mut mac = Mac::new(lab, &STOCK);
    mac.start();
    mac.finds_no_way(NO_WAY);
    let before = (mac.docker_runs(), mac.qemu());

    let desk = Desk::start(lab, &mac);
    desk.told(lab, FIRST_QUESTION, "");
    desk.click(lab, "Use Proxy");
    let note = desk.told(lab, "Docker now has the proxy", "Restart Docker to use it.");
    lab.say("(click: Restart Docker)");
    desk.notes.press(&note, "Restart Docker");
    desk.wait_for_line("On: Docker uses the proxy");
    mac.engine_has_now(&both_cases(IN_THE_VM, LOCAL));
    mac.pulls_through_the_proxy();

    desk.click(lab, "Use Proxy");
    desk.told(
        lab,
        "Docker has its own boot image again",
        "Restart Docker to stop using it.",
    );
    desk.click(lab, "Restart Docker");
    desk.wait_for_line("Off");
    mac.engine_has_now(&[]);
    assert_eq!((mac.docker_runs(), mac.qemu()), before);
}

/// Further environment variables of programs on a desktop.
fn desktop(mac: &Mac<'_>, command: &mut Command) {
    command
        .env("XDG_CONFIG_HOME", mac.app.dir.path().join("home/config"))
        .env("GSETTINGS_BACKEND", "keyfile");
}

/// Sets the proxy in the desktop's settings.
fn set_proxy(lab: &Lab, mac: &Mac<'_>) {
    lab.say(&format!("(the desktop's proxy is 127.0.0.1:{PROXY})"));
    let port = PROXY.to_string();
    for (schema, key, value) in [
        ("org.gnome.system.proxy.http", "host", "127.0.0.1"),
        ("org.gnome.system.proxy.http", "port", &port),
        ("org.gnome.system.proxy.https", "host", "127.0.0.1"),
        ("org.gnome.system.proxy.https", "port", &port),
        ("org.gnome.system.proxy", "ignore-hosts", "[]"),
        ("org.gnome.system.proxy", "mode", "manual"),
    ] {
        let mut command = Command::new("gsettings");
        mac.environment(&mut command);
        desktop(mac, &mut command);
        let output = command.args(["set", schema, key, value]).output().unwrap();
        if !output.status.success() {
            lab.skip(&String::from_utf8_lossy(&output.stderr));
        }
    }
}

/// A shell beside such a Mac, whose desktop is the one that this program was started on.
pub(crate) fn shell(lab: &Lab) -> ExitCode {
    lab.begin("shell");
    let mac = Mac::new(lab, &STOCK);
    let dir = mac.app.dir.path();
    install(lab, &UPDATE, &dir.join("new"), "17.06.0-ce-mac18", "18433");
    if has_tool("gsettings") {
        set_proxy(lab, &mac);
    }
    let program = PathBuf::from(env!("CARGO_BIN_EXE_baleen"));
    let mut path = program.parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    let mut bash = Command::new("bash");
    bash.arg("--rcfile")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/shell.bash"));
    mac.environment(&mut bash);
    desktop(&mac, &mut bash);
    let proxy = format!("http://127.0.0.1:{PROXY}");
    // Without a desktop, the proxy is that of the environment.
    bash.env("PATH", path)
        .env("http_proxy", &proxy)
        .env("https_proxy", &proxy)
        .stdin(Stdio::inherit());
    for name in [
        "TERM",
        "DISPLAY",
        "WAYLAND_DISPLAY",
        "XAUTHORITY",
        "XDG_RUNTIME_DIR",
        "XDG_CURRENT_DESKTOP",
        "DBUS_SESSION_BUS_ADDRESS",
        "BALEEN_E2E_UID",
    ] {
        if let Some(value) = std::env::var_os(name) {
            bash.env(name, value);
        }
    }
    bash.status().unwrap();
    ExitCode::SUCCESS
}
