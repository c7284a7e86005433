//! Docker behind the relay: it gets the relay's address once, and nothing that happens to the network changes it again.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::app::{App, PROXY, Run};
use crate::docker_desktop::Desk;

/// A Docker.app, and settings of Baleen in which the relay has a port of its own.
struct Place {
    app: App,
    port: u16,
}

impl Place {
    fn new(more: &str) -> Self {
        let app = App::new();
        let port = free_port();
        let place = Self { app, port };
        place.configure(more);
        place
    }

    fn configure(&self, more: &str) {
        let folder = self.app.dir.path().join("home/.config/baleen");
        fs::create_dir_all(&folder).unwrap();
        let text = format!("relay_port = {}\n{more}", self.port);
        fs::write(folder.join("config.toml"), text).unwrap();
    }

    fn command(&self, relay: &str, arguments: &[&str]) -> Command {
        let mut command = self.app.command(arguments);
        command.env("BALEEN_RELAY", relay);
        command
    }

    fn run(&self, relay: &str, arguments: &[&str]) -> Run {
        Run::of(&mut self.command(relay, arguments))
    }

    #[track_caller]
    fn ok(&self, relay: &str, arguments: &[&str]) -> String {
        let run = self.run(relay, arguments);
        assert_eq!(run.code, 0, "{arguments:?}: {run}");
        run.out
    }

    fn state(&self, relay: &str) -> (String, i32) {
        let run = self.run(relay, &["status", "--json"]);
        let state = run.object()["state"].as_str().unwrap().to_owned();
        (state, run.code)
    }

    /// The token, as the relay keeps it.
    fn token(&self) -> String {
        let file = self.app.dir.path().join("state/relay.json");
        let stored: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        stored["token"].as_str().unwrap().to_owned()
    }

    /// The relay's address as the VM has to have it.
    fn address(&self) -> String {
        format!(
            "http://baleen-relay:{}@192.168.65.1:{}",
            self.token(),
            self.port
        )
    }

    /// Waits until the running relay says this of itself.
    fn wait_for_relay(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let run = self.run("auto", &["relay", "status", "--json"]);
            let status = run.object();
            if is_so(&status) {
                return status;
            }
            assert!(Instant::now() < deadline, "{what}: {status}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// `baleen watch`, which ends with this value, and its relay with it.
struct Watch<'p> {
    place: &'p Place,
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl<'p> Watch<'p> {
    fn start(place: &'p Place, relay: &str) -> Self {
        let mut command = place.command(relay, &["watch", "--json"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut printed = output.lines().map_while(Result::ok);
            printed.all(|line| sender.send(line).is_ok())
        });
        Self {
            place,
            child,
            lines,
        }
    }

    /// Reads what it prints until an event is so.
    fn wait(&mut self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(60));
            let line = line.unwrap_or_else(|why| panic!("{what}: {why} after {last}"));
            last = serde_json::from_str(&line).unwrap();
            if is_so(&last) {
                return last;
            }
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = self.place.run("auto", &["relay", "stop"]);
    }
}

#[test]
fn an_engine_with_the_relay_is_current_whatever_the_settings_say() {
    let manual = format!("source = \"manual\"\nhttp_proxy = \"{PROXY}\"\n");
    let place = Place::new(&manual);
    assert_eq!(place.state("on").0, "off");
    let out = place.ok("on", &["apply"]);
    assert!(out.contains("Baleen's relay"), "{out}");
    // What is printed has no token.
    assert!(!out.contains(&place.token()), "{out}");
    let script = place.app.script_text();
    assert!(script.contains(&place.address()), "{script}");
    assert!(!script.contains("proxy.corp"), "{script}");
    for other in [
        "source = \"manual\"\nhttp_proxy = \"http://other.corp:3128\"\n",
        "source = \"environment\"\n",
        &manual,
    ] {
        place.configure(other);
        for relay in ["on", "auto"] {
            assert_eq!(place.state(relay), ("current".to_owned(), 0), "{other}");
        }
    }
    // Without the relay it has the wrong one, and a normal apply changes it.
    assert_eq!(place.state("off"), ("stale".to_owned(), 3));
    place.ok("off", &["apply"]);
    assert!(place.app.script_text().contains(PROXY));
    assert_eq!(place.state("auto"), ("current".to_owned(), 0));
    // A proxy that is named by hand is not the relay's business.
    place.ok("on", &["apply", "--http-proxy", "http://by.hand:1"]);
    assert!(place.app.script_text().contains("http://by.hand:1"));
    place.ok("on", &["apply"]);
    place.ok("on", &["restore"]);
    assert!(!place.app.script_text().contains("192.168.65.1"));
    // Nothing has its address, and none runs.
    place.ok("auto", &["apply"]);
    assert!(place.app.script_text().contains(PROXY));
}

/// A token is made for what gets it, not by a look at what would.
#[test]
fn what_changes_nothing_makes_no_token() {
    let place = Place::new(&format!("source = \"manual\"\nhttp_proxy = \"{PROXY}\"\n"));
    place.ok("off", &["apply"]);
    assert_eq!(place.state("on"), ("stale".to_owned(), 3));
    let plan = place.ok("on", &["apply", "--dry-run"]);
    assert!(plan.contains("Baleen's relay"), "{plan}");
    assert!(!place.app.dir.path().join("state/relay.json").exists());
    place.ok("on", &["apply"]);
    assert!(place.app.script_text().contains(&place.address()));
}

/// The agent compares without a token at first, too, and gives Docker none but the relay's.
#[test]
fn the_agent_makes_the_token_that_it_gives() {
    let place = Place::new(&format!("source = \"manual\"\nhttp_proxy = \"{PROXY}\"\n"));
    place.ok("off", &["apply"]);
    let mut watch = Watch::start(&place, "on");
    watch.wait("the engine has the relay", |event| {
        event["relay"]["running"] == true && event["state"] == "current"
    });
    assert!(place.app.script_text().contains(&place.address()));
}

/// The relay is kept running for what has its address. An image that was restored before another one stopped the uninstallation
/// has it no longer.
#[test]
fn an_uninstall_that_stops_forgets_what_it_has_restored() {
    let place = Place::new(&format!("source = \"manual\"\nhttp_proxy = \"{PROXY}\"\n"));
    let folder = place.app.dir.path();
    let other = folder.join("other/Docker.app");
    fs::create_dir(other.parent().unwrap()).unwrap();
    baleen::demo::build(&other, "1.12.0", "1").unwrap();
    place.ok("on", &["apply"]);
    place.ok("on", &["apply", "--docker-app", other.to_str().unwrap()]);
    let given = || {
        let stored: Value =
            serde_json::from_slice(&fs::read(folder.join("state/relay.json")).unwrap()).unwrap();
        stored["given"].as_array().unwrap().clone()
    };
    assert_eq!(given().len(), 2);
    let mut command = place.command("on", &["uninstall", "--yes"]);
    if baleen::platform::user() == 0 {
        // root may write everywhere.
        let chown = Command::new("chown")
            .args(["-R", "65534:65534"])
            .arg(folder)
            .status();
        assert!(chown.unwrap().success());
        command.uid(65534).gid(65534);
    }
    let moby = other.join("Contents/Resources/moby");
    fs::set_permissions(&moby, Permissions::from_mode(0o555)).unwrap();
    let run = Run::of(&mut command);
    fs::set_permissions(&moby, Permissions::from_mode(0o755)).unwrap();
    assert_eq!(run.code, 5, "{run}");
    let other = other.canonicalize().unwrap();
    assert_eq!(given(), [other.to_str().unwrap()], "{run}");
}

/// Docker keeps the relay's address, so the relay runs on, with the token that is in that address.
#[test]
fn an_image_that_is_left_keeps_its_relay() {
    let place = Place::new(&format!("source = \"manual\"\nhttp_proxy = \"{PROXY}\"\n"));
    place.ok("on", &["apply"]);
    let address = place.address();
    let watch = Watch::start(&place, "on");
    let before = place.wait_for_relay("it runs", |status| status["running"] == true);
    let out = place.ok("on", &["uninstall", "--yes", "--leave-images"]);
    assert!(out.contains("until you log out"), "{out}");
    assert!(!out.contains(&place.token()), "{out}");
    let after = place.wait_for_relay("it still runs", |status| status["running"] == true);
    assert_eq!(after["pid"], before["pid"]);
    assert_eq!(place.address(), address);
    // Once nothing has its address, it goes with the rest.
    place.ok("on", &["restore"]);
    let out = place.ok("on", &["uninstall", "--yes"]);
    assert!(out.contains("ended the relay"), "{out}");
    assert!(
        out.contains("reaches nothing until you restart it"),
        "{out}"
    );
    assert!(!place.app.dir.path().join("state").exists());
    drop(watch);
}

#[test]
fn another_value_of_the_variable_is_an_error() {
    let place = Place::new("");
    let run = place.run("perhaps", &["apply"]);
    assert_eq!(run.code, 2, "{run}");
    let expected = "the environment variable BALEEN_RELAY should be auto, on or off";
    assert!(run.err.contains(expected), "{run}");
}

/// The agent starts the relay, gives its address to Docker, and starts another one when that is killed.
#[test]
fn the_agent_keeps_the_relay_running() {
    let manual = format!("source = \"manual\"\nhttp_proxy = \"{PROXY}\"\n");
    let place = Place::new(&manual);
    place.ok("auto", &["apply"]);
    let run = place.run("auto", &["relay", "status"]);
    assert_eq!((run.code, &*run.out), (3, "No relay is running.\n"));

    let mut watch = Watch::start(&place, "auto");
    let state = watch.wait("the engine has the relay", |event| {
        event["relay"]["running"] == true && event["state"] == "current"
    });
    assert_eq!(state["relay"]["status"]["port"], place.port, "{state}");
    assert!(place.app.script_text().contains(&place.address()));
    let first = place.wait_for_relay("it runs", |status| status["running"] == true);
    assert_eq!(first["port"], place.port);

    // A change of the settings changes nothing in the engine.
    let image = place.app.bytes();
    place.configure("source = \"environment\"\n");
    assert_eq!(place.state("auto"), ("current".to_owned(), 0));

    let kill = Command::new("kill")
        .args(["-9", &first["pid"].to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    let second = place.wait_for_relay("another one runs", |status| {
        status["running"] == true && status["pid"] != first["pid"]
    });
    assert_eq!(place.app.bytes(), image);

    // It outlives the agent, and the next agent finds it.
    drop(watch.child.kill());
    drop(watch.child.wait());
    let third = place.wait_for_relay("it still runs", |status| status["running"] == true);
    assert_eq!(third["pid"], second["pid"]);
    let mut again = Watch::start(&place, "auto");
    again.wait("the agent has found it", |event| {
        event["relay"]["status"]["pid"] == second["pid"]
    });
}

/// An editor empties the config file before it writes it. What the file then says counts for nothing: the relay's port would
/// be another one, and the tunnels of the relay that runs would end.
#[test]
fn a_config_file_that_is_being_written_ends_no_relay() {
    let manual = format!("source = \"manual\"\nhttp_proxy = \"{PROXY}\"\n");
    let place = Place::new(&manual);
    place.ok("auto", &["apply"]);
    let mut watch = Watch::start(&place, "auto");
    watch.wait("the engine has the relay", |event| {
        event["relay"]["running"] == true && event["state"] == "current"
    });
    let first = place.wait_for_relay("it runs", |status| status["running"] == true);

    let config = place.app.dir.path().join("home/.config/baleen/config.toml");
    fs::write(&config, "").unwrap();
    // A change of Docker's files has everything read at once.
    fs::write(place.app.image().with_extension("new"), "").unwrap();
    std::thread::sleep(Duration::from_millis(700));
    place.configure(&manual);
    std::thread::sleep(Duration::from_secs(4));
    let now = place.wait_for_relay("it runs", |status| status["running"] == true);
    assert_eq!(now["pid"], first["pid"]);

    // Another port that stays is another relay. That of an unreadable file counts for nothing either.
    fs::write(&config, "relay_port = 1x").unwrap();
    std::thread::sleep(Duration::from_secs(2));
    let other = free_port();
    fs::write(&config, format!("relay_port = {other}\n{manual}")).unwrap();
    let second = place.wait_for_relay("the other one runs", |status| status["port"] == other);
    assert_ne!(second["pid"], first["pid"]);
}

/// A port that another program has is said, and never changed in silence.
#[test]
fn a_taken_port_is_said() {
    let place = Place::new("source = \"environment\"\n");
    let _taken = TcpListener::bind(("127.0.0.1", place.port)).unwrap();
    let mut watch = Watch::start(&place, "on");
    place.ok("on", &["apply"]);
    let news = watch.wait("it is said", |event| event["event"] == "news");
    let news = &news["news"];
    assert_eq!(news["kind"], "relay-failed", "{news}");
    let body = news["body"].as_str().unwrap();
    assert!(
        body.contains(&format!("127.0.0.1:{}", place.port)),
        "{news}"
    );
}

/// Docker Desktop's own proxy runs on this computer, so it reaches the relay at the loopback address. A plain proxy of the
/// system is left to Docker, which follows it by itself, unless the relay is on.
#[test]
fn docker_desktop_gets_the_relay_in_its_own_settings() {
    let mut desk = Desk::stopped();
    let command = |desk: &Desk, relay: &str, arguments: &[&str]| {
        let mut command = desk.app.command(arguments);
        command.env("BALEEN_RELAY", relay);
        let run = Run::of(&mut command);
        assert_eq!(run.code, 0, "{arguments:?}: {run}");
        run.out
    };
    let before = fs::read(desk.store()).unwrap();
    let out = command(&desk, "on", &["apply"]);
    assert!(out.contains("Baleen's relay (127.0.0.1:18128)"), "{out}");
    let file = desk.app.dir.path().join("state/relay.json");
    let stored: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let token = stored["token"].as_str().unwrap().to_owned();
    let address = format!("http://baleen-relay:{token}@127.0.0.1:18128");
    let settings: Value = serde_json::from_slice(&fs::read(desk.store()).unwrap()).unwrap();
    for key in ["OverrideProxyHTTP", "OverrideProxyHTTPS"] {
        assert_eq!(settings[key], *address, "{settings}");
    }
    let status = command(&desk, "on", &["status", "--json"]);
    assert!(status.contains("\"state\":\"current\""), "{status}");
    assert!(!out.contains(&token) && !status.contains(&token));
    // Started, it says the same over its socket.
    let docker = desk.start((4, 84));
    let status = command(&desk, "auto", &["status", "--json"]);
    assert!(status.contains("\"state\":\"current\""), "{status}");
    drop(docker);
    desk.stop_process();
    command(&desk, "auto", &["restore"]);
    assert_eq!(fs::read(desk.store()).unwrap(), before);
}
