//! Today's Docker Desktop: its proxy set, kept and given back in its own settings, over the socket of a running one
//! (which `tests/desktop/stand_in` stands for) and in the settings file of one that doesn't run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::app::{App, OTHER_PROXY, PROXY};
use crate::stand_in::{Fault, Shape, StandIn};

pub(crate) const BOOT_IMAGE: &[&str] = &["linuxkit/kernel", "linuxkit/boot.img"];

/// A settings file as a Docker of 2025 wrote it, with things that no JSON library keeps.
const STORE: &str = "{\n  \"AutoStart\": false,\n  \"DisplayedOnboarding\": true,\n  \"DockerAppLaunchPath\": \"\\/Applications\\/Docker.app\",\n  \"EnableDockerAI\": true,\n  \"LastContainerdSnapshotterEnable\": 1e3,\n  \"LicenseTermsVersion\": 12345678901234567890,\n  \"SettingsVersion\": 43,\n  \"UserName\": \"\\u00e9\"\n}\n";

/// A Docker Desktop in a folder of its own.
pub(crate) struct Desk {
    pub(crate) app: App,
    process: Option<Child>,
}

impl Desk {
    pub(crate) fn new(version: &str) -> Self {
        let app = App::new();
        app.install_with(version, BOOT_IMAGE);
        let desk = Self { app, process: None };
        fs::create_dir_all(desk.group()).unwrap();
        desk
    }

    /// A 4.84 that was started once and does not run.
    pub(crate) fn stopped() -> Self {
        let desk = Self::new("4.84.0");
        fs::write(desk.store(), STORE).unwrap();
        desk
    }

    /// A 4.84 that runs, with its stand-in.
    fn running() -> (Self, StandIn) {
        let mut desk = Self::stopped();
        let stand_in = desk.start((4, 84));
        (desk, stand_in)
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.app.dir.path().join("home")
    }

    fn group(&self) -> PathBuf {
        self.home()
            .join("Library/Group Containers/group.com.docker")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.group().join("settings-store.json")
    }

    fn older(&self) -> PathBuf {
        self.group().join("settings.json")
    }

    fn store_text(&self) -> String {
        fs::read_to_string(self.store()).unwrap()
    }

    /// Starts the process alone.
    pub(crate) fn start_process(&mut self) {
        let program = self.app.app().join("Contents/MacOS/Docker");
        let child = Command::new(program).stdout(Stdio::null()).spawn().unwrap();
        self.process = Some(child);
    }

    pub(crate) fn start(&mut self, version: (u32, u32)) -> StandIn {
        let stand_in = StandIn::start(&self.home(), version).unwrap();
        self.start_process();
        stand_in
    }

    pub(crate) fn stop_process(&mut self) {
        if let Some(mut process) = self.process.take() {
            let pid = rustix::process::Pid::from_child(&process);
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
            process.wait().unwrap();
        }
    }

    fn system_root(&self) -> PathBuf {
        self.app.dir.path().join("root")
    }

    /// Runs the program with machine-wide files below [`Self::system_root`].
    fn json_with_root(&self, arguments: &[&str]) -> (i32, Value) {
        let mut command = self.app.command(&[arguments, &["--json"]].concat());
        command
            .env("BALEEN_SYSTEM_ROOT", self.system_root())
            .env("USER", "me");
        let output = command.output().unwrap();
        let object = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), object)
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.stop_process();
    }
}

/// Runs a command that may take only so long, whatever the socket does.
fn quick<T>(run: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let found = run();
    let took = started.elapsed();
    assert!(took < Duration::from_secs(10), "took {took:?}");
    found
}

#[test]
fn a_stopped_docker_gets_the_proxy_in_its_file_and_its_own_bytes_back() {
    let desk = Desk::stopped();
    let bundle = crate::common::app::Snapshot::of(&desk.app.app(), true);
    fs::set_permissions(desk.store(), fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(desk.app.state(&[]), ("off".into(), 0));
    let before = desk.app.snapshot();
    desk.app.ok(&["apply", "--http-proxy", PROXY, "--dry-run"]);
    before.is_still(&desk.app.snapshot());

    desk.app.apply(PROXY);
    let expected = STORE.replace(
        "\"\\u00e9\"\n",
        "\"\\u00e9\",\n  \"ProxyHTTPMode\": \"manual\",\n  \"OverrideProxyHTTP\": \"http://proxy.corp:8080\",\n  \"OverrideProxyHTTPS\": \"http://proxy.corp:8080\",\n  \"OverrideProxyExclude\": \"localhost,127.0.0.1\",\n  \"ContainersProxyHTTPMode\": \"same-as-host-proxy\"\n",
    );
    assert_eq!(desk.store_text(), expected);
    let mode = fs::metadata(desk.store()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o640);
    assert_eq!(desk.app.state(&[]), ("current".into(), 0));
    let (_, again) = desk.app.json(&["apply", "--http-proxy", PROXY]);
    assert_eq!(again["changed"], false);
    desk.app.apply(OTHER_PROXY);
    assert!(desk.store_text().contains("http://other.corp:3128"));
    desk.app.ok(&["restore"]);
    assert_eq!(desk.store_text(), STORE);
    assert_eq!(desk.app.state(&[]), ("off".into(), 0));
    desk.app.ok(&["restore"]);
    assert_eq!(desk.store_text(), STORE);
    bundle.is_still(&crate::common::app::Snapshot::of(&desk.app.app(), true));
}

#[test]
fn a_running_docker_takes_it_at_once_with_one_post_of_the_proxys_leaves() {
    for shape in [Shape::Bare, Shape::Locked, Shape::Mixed, Shape::Flat] {
        let (desk, docker) = Desk::running();
        docker.set(|state| state.shape = shape);
        let file = desk.store_text();
        assert_eq!(desk.app.state(&[]), ("off".into(), 0), "{shape:?}");
        let (code, applied) = desk.app.json(&["apply", "--http-proxy", PROXY]);
        assert_eq!((code, &applied["changed"]), (0, &json!(true)), "{shape:?}");
        assert_eq!(applied["docker_settings"]["takes_effect"], "at-once");
        let value = |value: &str| json!({ "value": value });
        let expected = json!({ "vm": {
            "proxy": {
                "mode": value("manual"), "http": value(PROXY), "https": value(PROXY),
                "exclude": value("localhost,127.0.0.1"),
            },
            "containersProxy": { "mode": value("same-as-host-proxy") },
        } });
        assert_eq!(docker.state.lock().unwrap().posts, [expected], "{shape:?}");
        assert_eq!(desk.store_text(), file, "the file of a running Docker");
        assert_eq!(desk.app.state(&[]), ("current".into(), 0));
        desk.app.ok(&["restore"]);
        assert_eq!(docker.value("proxy.mode"), "system");
        assert_eq!(docker.value("proxy.http"), "");
        assert_eq!(docker.value("containersProxy.mode"), "");
        assert_eq!(desk.app.state(&[]), ("off".into(), 0));
    }
}

#[test]
fn before_4_29_nothing_is_written_about_containers() {
    let mut desk = Desk::new("4.28.0");
    fs::write(desk.older(), "{\"proxyHttpMode\": \"system\"}").unwrap();
    let docker = desk.start((4, 28));
    desk.app.apply(PROXY);
    assert_eq!(
        docker.state.lock().unwrap().posts[0]["vm"]["containersProxy"],
        Value::Null
    );
}

/// Each version has its file, and a file that has not been migrated yet is the one that counts.
#[test]
fn each_version_reads_its_own_file() {
    for (version, there, expected) in [
        (
            "4.84.0",
            &["settings-store.json"][..],
            "settings-store.json",
        ),
        (
            "4.84.0",
            &["settings.json", "settings-store.json"],
            "settings-store.json",
        ),
        ("4.84.0", &["settings.json"], "settings.json"),
        (
            "4.34.3",
            &["settings.json", "settings-store.json"],
            "settings.json",
        ),
        ("4.30.0", &["settings.json"], "settings.json"),
        ("2.1.0.5", &["settings.json"], "settings.json"),
        ("17.12.0-ce-mac55", &["settings.json"], "settings.json"),
    ] {
        let desk = Desk::new(version);
        let old = "{\n  \"settingsVersion\" : 1,\n  \"proxyHttpMode\" : \"system\"\n}";
        for name in there {
            fs::write(desk.group().join(name), old).unwrap();
        }
        desk.app.apply(PROXY);
        for name in ["settings.json", "settings-store.json"] {
            let text = fs::read_to_string(desk.group().join(name));
            match (there.contains(&name), name == expected) {
                (false, _) => assert!(text.is_err(), "{version} {there:?}: {name}"),
                (true, is_changed) => {
                    assert_eq!(
                        text.unwrap() != old,
                        is_changed,
                        "{version} {there:?}: {name}"
                    );
                }
            }
        }
        let key = if expected == "settings.json" {
            "overrideProxyHttps"
        } else {
            "OverrideProxyHTTPS"
        };
        let text = fs::read_to_string(desk.group().join(expected)).unwrap();
        assert!(
            text.contains(&format!("\"{key}\" : \"{PROXY}\"")),
            "{version}: {text}"
        );
        desk.app.ok(&["restore"]);
        assert_eq!(
            fs::read_to_string(desk.group().join(expected)).unwrap(),
            old
        );
    }
}

/// Whatever the socket does: one sentence, the exit code, nothing changed, and an end in time.
#[test]
fn a_socket_that_answers_oddly_changes_nothing() {
    for (fault, at, state, code) in [
        (Fault::Hang, "", "not-answering", 4),
        (Fault::Hang, "GET /app", "not-answering", 4),
        (
            Fault::Slow(Duration::from_millis(5)),
            "",
            "not-answering",
            4,
        ),
        (Fault::CloseEarly, "GET /app", "not-answering", 4),
        (Fault::Status(500), "GET /app", "not-answering", 4),
        (Fault::Status(404), "GET /app", "unsupported", 4),
        (Fault::Html, "GET /app", "unsupported", 4),
        (Fault::HalfJson, "GET /app", "unsupported", 4),
        (
            Fault::LockedAsString,
            "GET /app/settings ",
            "unsupported",
            4,
        ),
        (Fault::Long(50_000_000), "GET /app", "unsupported", 4),
    ] {
        let (desk, docker) = Desk::running();
        docker.set(|state| {
            (state.fault, state.fault_at) = (Some(fault), at);
            if fault == Fault::LockedAsString {
                state.shape = Shape::Locked;
            }
        });
        if fault == Fault::LockedAsString {
            // The flat settings are understood.
            assert_eq!(quick(|| desk.app.state(&[])), ("off".into(), 0));
            continue;
        }
        let found = quick(|| desk.app.state(&[]));
        assert_eq!(found, (state.into(), code), "{fault:?}");
        let run = quick(|| desk.app.run(&["apply", "--http-proxy", PROXY]));
        assert_eq!(run.code, 4, "{fault:?}: {run}");
        assert!(docker.state.lock().unwrap().posts.is_empty(), "{fault:?}");
        assert_eq!(desk.store_text(), STORE);
    }
    for shape in [Shape::Unknown, Shape::Missing] {
        let (desk, docker) = Desk::running();
        docker.set(|state| state.shape = shape);
        assert_eq!(desk.app.state(&[]), ("unsupported".into(), 4));
        let (code, told) = desk.app.json(&["apply", "--http-proxy", PROXY]);
        assert_eq!(
            (code, &told["error"]["remedy"]),
            (4, &json!("docker-settings"))
        );
        assert_eq!(told["enter"]["fields"]["https"], PROXY);
        assert!(docker.state.lock().unwrap().posts.is_empty(), "{shape:?}");
    }
}

#[test]
fn a_docker_without_its_socket_is_starting_and_a_socket_without_a_docker_counts_for_nothing() {
    let mut desk = Desk::stopped();
    desk.start_process();
    assert_eq!(desk.app.state(&[]), ("not-answering".into(), 4));
    let run = desk
        .app
        .refused(&["apply", "--http-proxy", PROXY], 4, &["not answering"]);
    assert!(run.err.contains("wait until Docker has started"), "{run}");
    desk.stop_process();
    // A crash leaves the socket.
    let docker = StandIn::start(&desk.home(), (4, 84)).unwrap();
    drop(docker);
    desk.app.apply(PROXY);
    assert!(desk.store_text().contains(PROXY));
}

#[test]
fn a_lock_is_respected_and_named() {
    let (desk, docker) = Desk::running();
    docker.set(|state| state.locked = true);
    let (code, status) = desk.json_with_root(&["status"]);
    assert_eq!((code, &status["state"]), (4, &json!("locked")));
    assert_eq!(status["locked_by"]["layer"], "organization");
    let (code, _) = desk.json_with_root(&["apply", "--http-proxy", PROXY]);
    assert_eq!(code, 4);
    assert!(docker.state.lock().unwrap().posts.is_empty());
    let admin = desk
        .system_root()
        .join("Library/Application Support/com.docker.docker");
    fs::create_dir_all(&admin).unwrap();
    let admin = admin.join("admin-settings.json");
    fs::write(&admin, "{\"proxy\": {\"locked\": true}}").unwrap();
    let (_, status) = desk.json_with_root(&["status"]);
    assert_eq!(status["locked_by"]["path"], json!(admin));
    // The running Docker knows best: the file is ignored unless its user has signed in.
    docker.set(|state| state.locked = false);
    assert_eq!(desk.json_with_root(&["status"]).1["state"], "off");

    let desk = Desk::stopped();
    let profile = desk
        .system_root()
        .join("Library/Managed Preferences/me/com.docker.config.plist");
    fs::create_dir_all(profile.parent().unwrap()).unwrap();
    let plist = "<plist version=\"1.0\"><dict><key>overrideProxyHTTP</key><string>http://p:1</string></dict></plist>";
    fs::write(&profile, plist).unwrap();
    let (code, status) = desk.json_with_root(&["status"]);
    assert_eq!((code, &status["state"]), (4, &json!("locked")));
    assert_eq!(
        status["locked_by"],
        json!({ "layer": "profile", "path": profile })
    );
    let (code, applied) = desk.json_with_root(&["apply", "--http-proxy", PROXY]);
    assert_eq!((code, &applied["error"]["kind"]), (4, &json!("locked")));
    assert_eq!(desk.store_text(), STORE);
}

#[test]
fn what_a_policy_puts_back_is_told_and_not_fought() {
    for after in [Duration::ZERO, Duration::from_millis(120)] {
        let (desk, docker) = Desk::running();
        docker.set(|state| {
            state.policy.puts_back = vec![("proxy", "mode", "system".to_owned())];
            state.policy.after = after;
        });
        let run = desk.app.run(&["apply", "--http-proxy", PROXY]);
        assert_eq!(run.code, 4, "{run}");
        assert!(run.err.contains("put back"), "{run}");
        assert_eq!(docker.state.lock().unwrap().posts.len(), 1);
        desk.app.ok(&["restore"]);
        assert_eq!(docker.value("proxy.http"), "");
    }
}

/// A change that the running Docker refuses, or does not answer in time.
#[test]
fn a_change_that_is_not_taken_is_told_as_what_it_is_and_can_be_repeated() {
    for (fault, kind) in [
        (Fault::Status(403), "locked"),
        (Fault::Status(404), "refused"),
        (Fault::Status(500), "unavailable"),
    ] {
        let (desk, docker) = Desk::running();
        docker.set(|state| (state.fault, state.fault_at) = (Some(fault), "POST"));
        let (code, told) = quick(|| desk.app.json(&["apply", "--http-proxy", PROXY]));
        assert_eq!((code, &told["error"]["kind"]), (4, &json!(kind)), "{told}");
        assert_eq!(docker.value("proxy.mode"), "system");
        docker.set(|state| state.fault = None);
        assert_eq!(desk.app.state(&[]), ("off".into(), 0), "{fault:?}");
        desk.app.apply(PROXY);
        assert_eq!(docker.value("proxy.http"), PROXY);
    }
    // Docker has taken it although its answer did not come.
    let (desk, docker) = Desk::running();
    docker.set(|state| (state.fault, state.fault_at) = (Some(Fault::Hang), "POST"));
    quick(|| desk.app.apply(PROXY));
    assert_eq!(desk.app.state(&[]), ("current".into(), 0));
}

/// A Docker that needs most of the time for each answer does not add the times up.
#[test]
fn a_slow_docker_ends_a_command_in_time() {
    let (desk, docker) = Desk::running();
    let plain = system(&desk, STATIC);
    let slow = Fault::Delay(Duration::from_millis(290));
    docker.set(|state| {
        state.fault = Some(slow);
        state
            .leaves
            .insert("proxy.mode".to_owned(), "disabled".into());
    });
    let started = Instant::now();
    desk.app
        .run(&["apply", "--system-proxies", &plain, "--adopt"]);
    let took = started.elapsed();
    assert!(took < Duration::from_millis(3500), "took {took:?}");
}

/// What Docker had before Baleen is given back, although a reset has put Docker's defaults there since.
#[test]
fn a_reset_does_not_lose_what_was_there_before() {
    let desk = Desk::stopped();
    let theirs = STORE.replace(
        "{\n",
        "{\n  \"OverrideProxyHTTP\": \"http://theirs:1\",\n  \"ProxyHTTPMode\": \"manual\",\n",
    );
    fs::write(desk.store(), &theirs).unwrap();
    desk.app.ok(&["apply", "--http-proxy", PROXY, "--adopt"]);
    fs::write(desk.store(), STORE).unwrap();
    assert_eq!(desk.app.state(&[]), ("wiped".into(), 3));
    desk.app.ok(&["restore"]);
    let restored: Value = serde_json::from_str(&desk.store_text()).unwrap();
    let before: Value = serde_json::from_str(&theirs).unwrap();
    assert_eq!(restored, before);
}

/// What GET does not show is not written, also when it is given back.
#[test]
fn a_setting_that_a_later_docker_does_not_show_is_left_out() {
    let mut desk = Desk::stopped();
    let theirs = STORE.replace(
        "{\n",
        "{\n  \"OverrideProxyPAC\": \"http://p/x.pac\",\n  \"ProxyHTTPMode\": \"manual\",\n",
    );
    fs::write(desk.store(), &theirs).unwrap();
    desk.app.ok(&["apply", "--http-proxy", PROXY, "--adopt"]);
    let docker = desk.start((4, 84));
    docker.set(|state| {
        let hidden = ["proxy.pac", "containersProxy.mode"];
        state.hidden.extend(hidden.map(str::to_owned));
    });
    desk.app.ok(&["restore"]);
    let posted = docker.state.lock().unwrap().posts[0]["vm"].clone();
    assert_eq!(
        (&posted["proxy"]["pac"], &posted["containersProxy"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(posted["proxy"]["http"]["value"], "");
    // The script is given back as soon as that can be done, and is not forgotten before.
    desk.stop_process();
    desk.app.ok(&["restore"]);
    assert!(desk.store_text().contains("http://p/x.pac"));
    assert!(!desk.store_text().contains("same-as-host-proxy"));
}

/// Baleen's own earlier proxy stays Baleen's while the next one is not in place.
#[test]
fn a_change_that_fails_does_not_make_the_proxy_before_someone_elses() {
    for fault in [Fault::Status(500), Fault::Status(403)] {
        let (desk, docker) = Desk::running();
        desk.app.apply(PROXY);
        let refuse = |fault| docker.set(|state| (state.fault, state.fault_at) = (fault, "POST"));
        refuse(Some(fault));
        let run = desk.app.run(&["apply", "--http-proxy", OTHER_PROXY]);
        assert_eq!(run.code, 4, "{run}");
        refuse(None);
        assert_eq!(docker.value("proxy.http"), PROXY);
        assert_eq!(desk.app.state(&[]), ("current".into(), 0));
        desk.app.apply(OTHER_PROXY);
        assert_eq!(docker.value("proxy.http"), OTHER_PROXY);
        refuse(Some(fault));
        let run = desk.app.run(&["apply", "--http-proxy", PROXY]);
        assert_eq!(run.code, 4, "{run}");
        refuse(None);
        desk.app.ok(&["uninstall", "--yes"]);
        assert_eq!(docker.value("proxy.mode"), "system");
        assert_eq!(docker.value("proxy.http"), "");
    }
}

/// A Docker that follows the Mac now, but did not before Baleen, goes on following it, and what was there before stays known.
#[test]
fn what_was_there_before_is_not_put_into_a_docker_that_follows_the_mac() {
    let desk = Desk::stopped();
    let theirs = STORE.replace(
        "{\n",
        "{\n  \"OverrideProxyHTTP\": \"http://theirs:1\",\n  \"ProxyHTTPMode\": \"manual\",\n",
    );
    fs::write(desk.store(), &theirs).unwrap();
    desk.app.ok(&["apply", "--http-proxy", PROXY, "--adopt"]);
    fs::write(desk.store(), STORE).unwrap();
    let plain = system(&desk, STATIC);
    desk.app.ok(&["apply", "--system-proxies", &plain]);
    assert_eq!(desk.store_text(), STORE);
    desk.app.ok(&["restore"]);
    assert!(desk.store_text().contains("http://theirs:1"));
}

#[test]
fn someone_elses_proxy_is_shown_taken_over_only_on_request_and_given_back() {
    let theirs = STORE.replace(
        "  \"SettingsVersion\"",
        "  \"OverrideProxyHTTP\": \"http:\\/\\/theirs.corp:1\",\n  \"OverrideProxyExclude\": null,\n  \"ProxyHTTPMode\": \"manual\",\n  \"SettingsVersion\"",
    );
    let desk = Desk::stopped();
    fs::write(desk.store(), &theirs).unwrap();
    assert_eq!(desk.app.state(&[]), ("foreign".into(), 4));
    let run = desk
        .app
        .refused(&["apply", "--http-proxy", PROXY], 4, &["theirs.corp"]);
    assert!(run.err.contains("--adopt"), "{run}");
    desk.app.ok(&["apply", "--http-proxy", PROXY, "--adopt"]);
    assert_eq!(desk.app.state(&[]), ("current".into(), 0));
    desk.app.apply(OTHER_PROXY);
    desk.app.ok(&["restore"]);
    assert_eq!(desk.store_text(), theirs);

    // What someone changed since is theirs.
    let desk = Desk::stopped();
    desk.app.apply(PROXY);
    let changed = desk.store_text().replace(
        "\"OverrideProxyHTTPS\": \"http://proxy.corp:8080\"",
        "\"OverrideProxyHTTPS\": \"http://mine:1\"",
    );
    fs::write(desk.store(), &changed).unwrap();
    assert_eq!(desk.app.state(&[]), ("foreign".into(), 4));
    let run = desk.app.refused(&["restore"], 4, &["mine:1"]);
    assert!(run.err.contains("--force"), "{run}");
    desk.app.ok(&["restore", "--force"]);
    assert_eq!(desk.store_text(), STORE);
}

/// What was there before Baleen stays known when a later value of someone else is taken over.
#[test]
fn taking_over_a_later_value_forgets_nothing_of_before() {
    let desk = Desk::stopped();
    desk.app.apply(PROXY);
    let edited = desk
        .store_text()
        .replace("localhost,127.0.0.1", "mine.corp");
    fs::write(desk.store(), edited).unwrap();
    desk.app
        .ok(&["apply", "--http-proxy", OTHER_PROXY, "--adopt"]);
    desk.app.ok(&["restore"]);
    let text = desk.store_text();
    assert!(
        text.contains("mine.corp") && !text.contains("corp:"),
        "{text}"
    );
    assert!(
        !text.contains("\"manual\"") && !text.contains("same-as"),
        "{text}"
    );
}

/// A reset to factory defaults, a purge, or an update that puts `system` back.
#[test]
fn a_reset_wipes_it_and_apply_puts_it_back() {
    let desk = Desk::stopped();
    desk.app.apply(PROXY);
    fs::write(desk.store(), "{\n  \"SettingsVersion\": 46\n}\n").unwrap();
    assert_eq!(desk.app.state(&[]), ("wiped".into(), 3));
    desk.app.apply(PROXY);
    assert_eq!(desk.app.state(&[]), ("current".into(), 0));
    let system = desk.store_text().replace("\"manual\"", "\"system\"");
    fs::write(desk.store(), system).unwrap();
    assert_eq!(desk.app.state(&[]), ("wiped".into(), 3));
    desk.app.ok(&["restore"]);
    let text = desk.store_text();
    assert!(!text.contains("OverrideProxy"), "{text}");
}

#[test]
fn a_restart_of_docker_keeps_it_and_restore_works_over_the_socket_too() {
    let mut desk = Desk::stopped();
    desk.app.apply(PROXY);
    let docker = desk.start((4, 84));
    assert_eq!(docker.value("proxy.http"), PROXY);
    assert_eq!(desk.app.state(&[]), ("current".into(), 0));
    desk.stop_process();
    docker.quit().unwrap();
    assert_eq!(desk.app.state(&[]), ("current".into(), 0));
    let docker = desk.start((4, 84));
    desk.app.ok(&["restore"]);
    assert_eq!(
        (docker.value("proxy.mode"), docker.value("proxy.https")),
        ("system".into(), String::new())
    );
    assert_eq!(docker.value("containersProxy.mode"), "");
}

#[test]
fn a_settings_file_that_docker_would_not_take_is_left_alone() {
    let bom = format!("\u{feff}{STORE}");
    let twice = STORE.replace(
        "  \"SettingsVersion\"",
        "  \"ProxyHTTPMode\": \"system\",\n  \"ProxyHTTPMode\": \"system\",\n  \"SettingsVersion\"",
    );
    for (text, words) in [
        (&*bom, "byte order mark"),
        ("{\n  \"SettingsVersion\": 43,\n}\n", "not JSON"),
        ("[]\n", "an array"),
        ("", "not JSON"),
        (&*twice, "ProxyHTTPMode twice"),
    ] {
        let desk = Desk::stopped();
        fs::write(desk.store(), text).unwrap();
        desk.app.refused(
            &["apply", "--http-proxy", PROXY],
            4,
            &["settings-store.json", words],
        );
    }
    let desk = Desk::stopped();
    let real = desk.group().join("real.json");
    fs::rename(desk.store(), &real).unwrap();
    std::os::unix::fs::symlink(&real, desk.store()).unwrap();
    desk.app
        .refused(&["apply", "--http-proxy", PROXY], 4, &["symbolic link"]);
    fs::remove_file(desk.store()).unwrap();
    desk.app
        .refused(&["apply", "--http-proxy", PROXY], 4, &["never started"]);
    fs::rename(&real, desk.store()).unwrap();
    fs::set_permissions(desk.store(), fs::Permissions::from_mode(0o444)).unwrap();
    desk.app
        .refused(&["apply", "--http-proxy", PROXY], 4, &["may not write"]);
}

/// The Mac's settings, as a property list.
fn system(desk: &Desk, pairs: &str) -> String {
    let path = desk.app.dir.path().join("system.plist");
    let text = format!("<plist version=\"1.0\"><dict>{pairs}</dict></plist>");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

const STATIC: &str = "<key>HTTPEnable</key><integer>1</integer><key>HTTPProxy</key><string>proxy.corp</string><key>HTTPPort</key><integer>8080</integer><key>HTTPSEnable</key><integer>1</integer><key>HTTPSProxy</key><string>proxy.corp</string><key>HTTPSPort</key><integer>8080</integer>";

#[test]
fn docker_follows_a_plain_proxy_of_the_mac_itself() {
    let desk = Desk::stopped();
    let plain = system(&desk, STATIC);
    let arguments = ["--system-proxies", &*plain];
    assert_eq!(desk.app.state(&arguments), ("current".into(), 0));
    let out = desk.app.ok(&["apply", "--system-proxies", &plain]);
    assert!(out.contains("by itself"), "{out}");
    assert_eq!(desk.store_text(), STORE);
    assert_eq!(desk.app.state(&arguments), ("current".into(), 0));
    let (_, told) = desk
        .app
        .json(&["doctor", "--timeout", "1", "--system-proxies", &plain]);
    let steps = told["steps"].as_array().unwrap();
    let image = steps.iter().find(|step| step["id"] == "image").unwrap();
    assert_eq!(
        (&image["outcome"], &image["facts"]["state"]),
        (&json!("good"), &json!("current"))
    );

    let login = format!(
        "{STATIC}<key>HTTPUser</key><string>me</string><key>HTTPSUser</key><string>me</string>"
    );
    let login = system(&desk, &login);
    let out = desk.app.run(&["apply", "--system-proxies", &login]);
    assert_eq!(out.code, 0, "{out}");
    let text = desk.store_text();
    assert!(
        text.contains("\"ProxyHTTPMode\": \"manual\"") && !text.contains("me@"),
        "{text}"
    );
}

/// Docker 2 and 3 tell nothing over a socket, and write their own settings when they quit.
#[test]
fn an_older_docker_is_changed_while_it_does_not_run() {
    let mut desk = Desk::new("3.6.0");
    fs::write(desk.older(), "{\n  \"proxyHttpMode\": \"system\"\n}").unwrap();
    desk.start_process();
    assert_eq!(desk.app.state(&[]), ("off".into(), 0));
    let run = desk
        .app
        .refused(&["apply", "--http-proxy", PROXY], 4, &["is running"]);
    assert!(run.err.contains("--live"), "{run}");
    let run = desk
        .app
        .run(&["apply", "--http-proxy", PROXY, "--live", "--yes"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(fs::read_to_string(desk.older()).unwrap().contains(PROXY));
    assert_eq!(desk.app.state(&[]), ("current".into(), 0));
    // Docker was opened again, by another process.
    drop(desk.process.take());
    let again = Command::new("pkill")
        .args(["-f", desk.app.app().to_str().unwrap()])
        .status();
    assert!(again.unwrap().success());
}

#[test]
fn no_password_is_written_anywhere() {
    let secret = "http://them:s3cret@theirs.corp:1";
    let desk = Desk::stopped();
    let theirs = STORE.replace("  \"SettingsVersion\"", &format!("  \"OverrideProxyHTTP\": \"{secret}\",\n  \"ProxyHTTPMode\": \"manual\",\n  \"SettingsVersion\""));
    fs::write(desk.store(), &theirs).unwrap();
    let (_, status) = desk.app.json(&["status"]);
    assert_eq!(status["state"], "foreign");
    assert!(!status.to_string().contains("s3cret"), "{status}");
    // There is no password store here, so it can't be given back later, and is not taken away.
    let run = desk.app.run(&["apply", "--http-proxy", PROXY, "--adopt"]);
    assert_eq!(run.code, 1, "{run}");
    assert!(
        !run.err.contains("s3cret") && !run.out.contains("s3cret"),
        "{run}"
    );
    assert_eq!(desk.store_text(), theirs);
    let state = desk.app.dir.path().join("state");
    for entry in fs::read_dir(state).into_iter().flatten().flatten() {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        assert!(!text.contains("s3cret"), "{text}");
    }
}

/// The doctor tells apart what is wrong with Docker's own proxy, by asking it.
#[test]
fn the_doctor_asks_dockers_own_proxy() {
    let (mut desk, docker) = Desk::running();
    let (open, login) = (
        upstream("HTTP/1.1 200 OK\r\n\r\n"),
        upstream("HTTP/1.1 407 x\r\nContent-Length: 0\r\n\r\n"),
    );
    let step = |desk: &Desk| {
        let (_, told) =
            desk.app
                .json(&["doctor", "--timeout", "2", "--registry", "registry.corp:9"]);
        let steps = told["steps"].as_array().unwrap();
        let step = steps
            .iter()
            .find(|step| step["id"] == "docker-proxy")
            .unwrap();
        (
            step["outcome"].as_str().unwrap().to_owned(),
            step["facts"]["answer"].clone(),
        )
    };
    for (upstream, outcome, answer) in [
        (format!("http://{open}"), "good", "open"),
        (format!("http://{login}"), "bad", "login"),
        ("http://127.0.0.1:1".to_owned(), "bad", "upstream"),
    ] {
        desk.app.apply(&upstream);
        assert_eq!(
            step(&desk),
            (outcome.to_owned(), json!(answer)),
            "{upstream}"
        );
    }
    desk.app.apply(&format!("http://{open}"));
    docker.set(|state| {
        drop(
            state
                .leaves
                .insert("containersProxy.mode".to_owned(), "disabled".into()),
        )
    });
    assert_eq!(step(&desk), ("warning".to_owned(), json!("open")));
    fs::remove_file(
        desk.home()
            .join("Library/Containers/com.docker.docker/Data/httpproxy.sock"),
    )
    .unwrap();
    assert_eq!(step(&desk), ("bad".to_owned(), json!("dead")));
    desk.stop_process();
    assert_eq!(step(&desk).0, "skipped");
}

/// A proxy that gives every request this answer.
fn upstream(answer: &'static str) -> std::net::SocketAddr {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

/// Waits for something that a `baleen watch` does.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "waited for {what}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The settings change, Docker starts, is reset, quits, and is put back by a policy: `baleen watch` sees each.
#[test]
fn what_watches_keeps_the_proxy_in_a_docker_that_comes_and_goes() {
    let mut desk = Desk::stopped();
    let config = desk.app.dir.path().join("config.toml");
    let names = |host: &str| {
        let line = format!("source = \"manual\"\nhttps_proxy = \"http://{host}:3128\"\n");
        fs::write(&config, line).unwrap();
    };
    names("one.corp");
    let option = config.to_str().unwrap().to_owned();
    desk.app.ok(&["--config", &option, "apply"]);
    assert!(desk.store_text().contains("one.corp"));
    let mut watch = desk.app.command(&["--config", &option, "watch", "-v"]);
    let log = fs::File::create(desk.app.dir.path().join("watch.log")).unwrap();
    let mut watch = watch
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();

    // A reset to factory defaults is repaired, and told.
    let remembered = desk.app.dir.path().join("state/agent.json");
    until("what it remembers", || {
        fs::read_to_string(&remembered).is_ok_and(|text| text.contains("one.corp"))
    });
    fs::write(desk.store(), "{\n  \"SettingsVersion\": 45\n}\n").unwrap();
    until("the first repair", || {
        desk.store_text().contains("one.corp")
    });
    let log = desk.app.dir.path().join("watch.log");
    until("its notification", || {
        fs::read_to_string(&log)
            .unwrap()
            .contains("Docker's settings were reset")
    });
    names("two.corp");
    until("the file to change", || {
        desk.store_text().contains("two.corp")
    });
    let docker = desk.start((4, 84));
    assert_eq!(docker.value("proxy.https"), "http://two.corp:3128");
    // Containers get it as well, once the config file says so, and no more when it doesn't.
    let client = desk.home().join(".docker/config.json");
    let line = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{line}containers = true\n")).unwrap();
    until("containers to get it", || {
        fs::read_to_string(&client).is_ok_and(|text| text.contains("two.corp"))
    });
    fs::write(&config, &line).unwrap();
    until("containers to lose it", || !client.exists());
    names("three.corp");
    until("the running Docker to change", || {
        docker.value("proxy.https").contains("three.corp")
    });
    desk.stop_process();
    docker.quit().unwrap();
    until("the copy of the file", || {
        desk.store_text().contains("three.corp")
    });
    // A reset to factory defaults.
    fs::write(desk.store(), "{\n  \"SettingsVersion\": 46\n}\n").unwrap();
    until("the repair", || desk.store_text().contains("three.corp"));
    // An update puts the mode back, and Docker starts with it.
    let system = desk.store_text().replace("\"manual\"", "\"system\"");
    desk.start_process();
    fs::write(desk.store(), system).unwrap();
    let docker = StandIn::start(&desk.home(), (4, 84)).unwrap();
    until("the repair of a running Docker", || {
        docker.value("proxy.mode") == "manual"
    });
    // Now a policy puts it back: that is reported, and not fought.
    let posts = docker.state.lock().unwrap().posts.len();
    docker.set(|state| {
        drop(
            state
                .leaves
                .insert("proxy.mode".to_owned(), "system".into()),
        )
    });
    fs::write(desk.store(), desk.store_text() + "\n").unwrap();
    let (_, status) = desk.app.json(&["--config", &option, "status"]);
    assert_eq!(status["state"], "wiped", "{status}");
    std::thread::sleep(Duration::from_secs(2));
    // Where nothing happens, nothing is asked until the slow timer.
    let requests = docker.state.lock().unwrap().requests.len();
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(docker.state.lock().unwrap().requests.len(), requests);
    assert_eq!(docker.state.lock().unwrap().posts.len(), posts);
    assert_eq!(docker.value("proxy.mode"), "system");
    watch.kill().unwrap();
    watch.wait().unwrap();
}

/// The proxies of `daemon.json` have no effect, and are named.
#[test]
fn proxies_of_the_daemon_are_reported() {
    let desk = Desk::stopped();
    assert_eq!(
        desk.app.json(&["status"]).1["docker_settings"]["daemon_proxies"],
        false
    );
    fs::create_dir(desk.home().join(".docker")).unwrap();
    fs::write(desk.home().join(".docker/daemon.json"), "{\"proxies\": {}}").unwrap();
    assert_eq!(
        desk.app.json(&["status"]).1["docker_settings"]["daemon_proxies"],
        true
    );
}

/// Figures for `benches/README.md`, each of the same run: `cargo test --release --test it -- --ignored --nocapture how_long`
#[test]
#[ignore = "prints figures, and proves nothing"]
fn how_long_a_running_docker_takes() {
    let (desk, docker) = Desk::running();
    let median = |mut run: Box<dyn FnMut() -> Duration + '_>| {
        let mut all: Vec<Duration> = (0..21).map(|_| run()).collect();
        all.sort();
        all[10]
    };
    let timed = |arguments: &[&str]| {
        let started = Instant::now();
        desk.app.run(arguments);
        started.elapsed()
    };
    let start = median(Box::new(|| timed(&["--version"])));
    let status = median(Box::new(|| timed(&["status"])));
    println!("--version {start:?}, status of a running Docker {status:?}");
    let config = desk.app.dir.path().join("config.toml");
    let names = |number: usize| {
        let line =
            format!("source = \"manual\"\nhttps_proxy = \"http://proxy{number}.corp:3128\"\n");
        fs::write(&config, line).unwrap();
    };
    names(0);
    let option = config.to_str().unwrap().to_owned();
    desk.app.ok(&["--config", &option, "apply"]);
    let mut watch = desk.app.command(&["--config", &option, "watch"]);
    let mut watch = watch
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(4));
    for number in 1..=5 {
        // Longer than a change that quickly follows another is waited out.
        std::thread::sleep(Duration::from_secs(16));
        let started = Instant::now();
        names(number);
        let wanted = format!("http://proxy{number}.corp:3128");
        until("the change", || docker.value("proxy.https") == wanted);
        println!(
            "the upstream changed {:?} after the settings",
            started.elapsed()
        );
    }
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn uninstalling_gives_docker_its_own_settings_back() {
    let desk = Desk::stopped();
    desk.app.apply(PROXY);
    desk.app.ok(&["uninstall", "--yes"]);
    assert_eq!(desk.store_text(), STORE);
    assert!(!desk.app.dir.path().join("state").exists());

    // An update has put the mode back, and left the addresses.
    desk.app.apply(PROXY);
    let system = desk.store_text().replace("\"manual\"", "\"system\"");
    fs::write(desk.store(), system).unwrap();
    desk.app.ok(&["uninstall", "--yes"]);
    assert!(!desk.store_text().contains("OverrideProxy"));

    // What someone else has set since stays.
    fs::write(desk.store(), STORE).unwrap();
    desk.app.apply(PROXY);
    let theirs = STORE.replace(
        "{\n",
        "{\n  \"OverrideProxyHTTP\": \"http://mine:1\",\n  \"ProxyHTTPMode\": \"manual\",\n",
    );
    fs::write(desk.store(), &theirs).unwrap();
    desk.app.ok(&["uninstall", "--yes"]);
    assert_eq!(desk.store_text(), theirs);
}

/// Containers and builds get the proxy only on request, at an address that they reach, and without a trace afterwards.
#[test]
fn containers_get_the_proxy_on_request() {
    let desk = Desk::stopped();
    let client = desk.home().join(".docker/config.json");
    let own = "{\n\t\"auths\": {},\n\t\"credsStore\": \"desktop\"\n}\n";
    fs::create_dir(client.parent().unwrap()).unwrap();
    fs::write(&client, own).unwrap();
    let config = desk.app.dir.path().join("config.toml");
    let option = config.to_str().unwrap().to_owned();
    let apply = [
        "--config",
        &*option,
        "apply",
        "--http-proxy",
        "http://127.0.0.1:3128",
        "--no-proxy",
        ".corp,10.0.0.0/8",
    ];
    fs::write(&config, "").unwrap();
    let run = desk.app.run(&apply);
    assert_eq!(run.code, 0, "{run}");
    assert_eq!(fs::read_to_string(&client).unwrap(), own);

    desk.app
        .ok(&["--config", &option, "config", "set", "containers", "true"]);
    assert_eq!(fs::read_to_string(&config).unwrap(), "containers = true\n");
    let run = desk.app.run(&apply);
    assert_eq!(run.code, 0, "{run}");
    assert!(
        run.out.contains("10.0.0.0/8") && run.out.contains("containers"),
        "{run}"
    );
    let text = fs::read_to_string(&client).unwrap();
    let proxies = &serde_json::from_str::<Value>(&text).unwrap()["proxies"]["default"];
    assert_eq!(proxies["httpsProxy"], "http://host.docker.internal:3128");
    assert_eq!(proxies["noProxy"], "localhost,127.0.0.1,::1,corp,.corp");
    assert_eq!(desk.app.json(&apply).1["changed"], false);
    desk.app
        .ok(&["--config", &option, "config", "set", "containers", "false"]);
    desk.app.ok(&apply);
    assert_eq!(fs::read_to_string(&client).unwrap(), own);
    desk.app
        .ok(&["--config", &option, "config", "set", "containers", "true"]);
    desk.app.run(&apply);
    desk.app.ok(&["restore"]);
    assert_eq!(fs::read_to_string(&client).unwrap(), own);
    assert_eq!(desk.store_text(), STORE);
}

/// Containers get the proxy from Baleen where Docker itself follows the Mac.
#[test]
fn containers_get_the_proxy_of_a_docker_that_follows_the_mac() {
    let desk = Desk::stopped();
    let client = desk.home().join(".docker/config.json");
    let plain = system(&desk, STATIC);
    let apply = ["apply", "--system-proxies", &*plain];
    desk.app.ok(&["config", "set", "containers", "true"]);
    let out = desk.app.ok(&apply);
    assert!(
        out.contains("by itself") && out.contains("config.json"),
        "{out}"
    );
    assert_eq!(desk.store_text(), STORE);
    let text = fs::read_to_string(&client).unwrap();
    assert!(text.contains("http://proxy.corp:8080"), "{text}");
    assert_eq!(
        desk.app.state(&["--system-proxies", &plain]),
        ("current".into(), 0)
    );
    assert_eq!(desk.app.json(&apply).1["changed"], false);
    desk.app.ok(&["config", "set", "containers", "false"]);
    desk.app.ok(&apply);
    assert!(!client.exists());

    // A proxy of another kind before leaves nothing in Docker's own settings.
    desk.app.apply(PROXY);
    desk.app.ok(&["restore"]);
    desk.app.apply(OTHER_PROXY);
    let system = desk.store_text().replace("\"manual\"", "\"system\"");
    fs::write(desk.store(), system).unwrap();
    desk.app.ok(&["config", "set", "containers", "true"]);
    desk.app.ok(&apply);
    assert!(!desk.store_text().contains("OverrideProxy"));
    assert!(client.exists());
    desk.app.ok(&["restore"]);
    assert_eq!(desk.store_text(), STORE);
    assert!(!client.exists());
}

/// The files of a killed Baleen are removed by the next one that watches.
#[test]
fn what_a_killed_baleen_left_is_removed() {
    let desk = Desk::stopped();
    let app = App::new();
    app.install("1.12.0", "1");
    let moby = app.app().join("Contents/Resources/moby/.baleen-x");
    fs::create_dir(&moby).unwrap();
    fs::write(moby.join("initrd.img"), "x").unwrap();
    fs::create_dir_all(desk.home().join(".docker")).unwrap();
    for (app, left) in [
        (
            &desk.app,
            vec![
                desk.group().join(".baleen-1"),
                desk.home().join(".docker/.baleen-2"),
            ],
        ),
        (&app, vec![moby]),
    ] {
        for left in &left {
            if !left.exists() {
                fs::write(left, "x").unwrap();
            }
        }
        let mut watch = app
            .command(&["watch"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        until("the files to go", || left.iter().all(|left| !left.exists()));
        watch.kill().unwrap();
        watch.wait().unwrap();
    }
}

/// A value with a password goes to the password store, and comes back byte for byte.
#[cfg(not(target_os = "macos"))]
#[test]
fn a_password_that_was_there_comes_back_from_the_password_store() {
    use crate::common::session::{Session, has_keyring};
    if !has_keyring() {
        return;
    }
    let desk = Desk::stopped();
    let mut session = Session::new(&desk.app.dir.path().join("session"), &desk.home());
    session.start_keyring();
    let run = |arguments: &[&str]| {
        let mut command = desk.app.command(arguments);
        session.environment(&mut command);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let theirs = STORE.replace("  \"SettingsVersion\"", "  \"OverrideProxyHTTP\": \"http:\\/\\/them:s3cret@theirs.corp:1\",\n  \"ProxyHTTPMode\": \"manual\",\n  \"SettingsVersion\"");
    fs::write(desk.store(), &theirs).unwrap();
    run(&["apply", "--http-proxy", PROXY, "--adopt"]);
    assert!(desk.store_text().contains(PROXY) && !desk.store_text().contains("s3cret"));
    let record = desk.app.dir.path().join("state/docker-settings.json");
    assert!(!fs::read_to_string(record).unwrap().contains("s3cret"));
    // Another proxy of someone else is not what was there before.
    let ours = desk.store_text();
    fs::write(desk.store(), ours.replace(PROXY, "http://else.corp:1")).unwrap();
    assert_eq!(desk.app.state(&[]), ("foreign".into(), 4));
    let with_script = theirs.replace("{\n", "{\n  \"OverrideProxyPAC\": \"http://p\",\n");
    fs::write(desk.store(), with_script).unwrap();
    assert_eq!(desk.app.state(&[]), ("foreign".into(), 4));
    fs::write(desk.store(), &theirs).unwrap();
    assert_eq!(desk.app.state(&[]), ("wiped".into(), 3));
    fs::write(desk.store(), ours).unwrap();
    // A second change keeps what was there before the first one.
    run(&["apply", "--http-proxy", OTHER_PROXY]);
    run(&["restore"]);
    assert_eq!(desk.store_text(), theirs);
}

#[test]
fn another_baleen_at_work_is_waited_for_by_its_user() {
    let desk = Desk::stopped();
    let held = fs::File::open(desk.group()).unwrap();
    held.lock().unwrap();
    desk.app
        .refused(&["apply", "--http-proxy", PROXY], 4, &["another Baleen"]);
    drop(held);
    desk.app.apply(PROXY);
}

/// macOS 15 protects the folder of the settings: `Operation not permitted`, while the socket still answers.
#[test]
fn a_protected_folder_is_told_and_the_socket_needs_none() {
    let mut desk = Desk::stopped();
    let nobody = 65534;
    let own = |command: &mut Command| {
        use std::os::unix::process::CommandExt;
        if rustix::process::getuid().is_root() {
            command.uid(nobody).gid(nobody);
        }
    };
    // Everything but that folder is open to all.
    for folder in [desk.app.dir.path().to_owned(), desk.home()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
    }
    fs::set_permissions(desk.group(), fs::Permissions::from_mode(0o000)).unwrap();
    let status = |desk: &Desk| {
        let mut command = desk.app.command(&["status", "--json"]);
        own(&mut command);
        let output = command.output().unwrap();
        let object: Value = serde_json::from_slice(&output.stdout).unwrap();
        (
            object["state"].as_str().unwrap().to_owned(),
            output.status.code(),
        )
    };
    assert_eq!(status(&desk), ("not-permitted".to_owned(), Some(5)));
    fs::set_permissions(desk.group(), fs::Permissions::from_mode(0o755)).unwrap();
    let docker = StandIn::start(&desk.home(), (4, 84)).unwrap();
    let program = desk.app.app().join("Contents/MacOS/Docker");
    let mut command = Command::new(program);
    own(&mut command);
    desk.process = Some(command.stdout(Stdio::null()).spawn().unwrap());
    let socket = desk
        .home()
        .join("Library/Containers/com.docker.docker/Data/backend.sock");
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(desk.group(), fs::Permissions::from_mode(0o000)).unwrap();
    assert_eq!(status(&desk), ("off".to_owned(), Some(0)));
    let mut command = desk.app.command(&["apply", "--http-proxy", PROXY]);
    own(&mut command);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(docker.value("proxy.http"), PROXY);
    fs::set_permissions(desk.group(), fs::Permissions::from_mode(0o755)).unwrap();
}
