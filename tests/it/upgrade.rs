//! An update of Baleen itself: this version reads what earlier releases wrote, and has nothing to do.
//!
//! `tests/upgrade/VERSION` holds the files exactly as that version wrote them, but for the path of Docker.app. They were
//! made by `make_the_folder_of_this_version` below, run with that version, and are never changed after its release:
//!
//! ```text
//! config.toml                                     the settings
//! settings.json                                   what `baleen config show --json` said of them
//! state/{state,agent,pac}.json                    what is wanted, what was told, what a script answered
//! {append,rebuild}/{initrd.img,initrd.img-backup} an image patched by each method, and its original
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::common::app::{App, PROXY, Run, Snapshot, set_mode};
#[cfg(target_os = "linux")]
use crate::common::tampering;
use baleen::agent::agent_state::{AgentStateFile, EngineRecord};
use baleen::backend::LiveEdit;
use baleen::backend::Running;
use baleen::backend::docker_desktop::Vm;
use baleen::backend::docker_desktop::initrd::live::LiveEdits;
use baleen::intent::{Intent, Intents};
use baleen::proxy::RedactedProxy;
use baleen::proxy::pac::{AnswerCache, IgnoredEntry, InvalidEntry, PacAnswer, Route};

/// The path of Docker.app in the files.
const DOCKER_APP: &str = "/Applications/Docker.app";
const SCRIPT: &[u8] = b"#!/sbin/openrc-run\n\ncommand=/usr/bin/docker\n";
const METHODS: [&str; 2] = ["append", "rebuild"];
const STATE: [&str; 3] = ["state.json", "agent.json", "pac.json"];

/// All keys except `method` and `docker_app`, which each case sets by itself.
const SETTINGS: [(&str, &str); 7] = [
    ("http_proxy", "http://me@proxy.corp.example:8080"),
    ("https_proxy", "http://proxy.corp.example:8443"),
    ("source", "manual"),
    ("no_proxy", ".corp.example,10.0.0.5"),
    ("host_address", "192.168.65.1"),
    (
        "pac_hosts",
        "registry-1.docker.io,registry.corp.example:5000",
    ),
    ("restart", "never"),
];

const PAC_URL: &str = "http://proxy.corp.example/proxy.pac";

fn pac_hosts() -> Vec<String> {
    ["registry-1.docker.io", "registry.corp.example:5000"]
        .map(str::to_owned)
        .to_vec()
}

fn pac_answers() -> Vec<PacAnswer> {
    let host = || "proxy.corp.example".to_owned();
    let [plain, tls, socks, socks4] = [8080, 8443, 1080, 1081];
    let every = vec![
        Route::Http {
            host: host(),
            port: plain,
        },
        Route::Https {
            host: host(),
            port: tls,
        },
        Route::Socks {
            host: host(),
            port: socks,
        },
        Route::Socks4 {
            host: host(),
            port: socks4,
        },
        Route::Direct,
    ];
    let text = "PROXY proxy.corp.example:8080; HTTPS proxy.corp.example:8443; SOCKS proxy.corp.example:1080; SOCKS4 proxy.corp.example:1081; QUIC q:1; DIRECT";
    let answer =
        |(host, (text, routes, ignored)): (String, (&str, _, Vec<IgnoredEntry>))| PacAnswer {
            url: format!("https://{host}/"),
            host,
            text: text.to_owned(),
            routes,
            ignored,
        };
    // The release wrote a sentence; the entry and the reason follow from the text.
    let ignored = vec![IgnoredEntry {
        entry: "QUIC q:1".to_owned(),
        why: InvalidEntry::Kind,
    }];
    let answers = [
        (text, every, ignored),
        ("DIRECT", vec![Route::Direct], Vec::new()),
    ];
    pac_hosts().into_iter().zip(answers).map(answer).collect()
}

fn folders() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upgrade")
}

fn state(app: &App) -> PathBuf {
    app.dir.path().join("state")
}

fn run(app: &App, arguments: &[&str]) -> Run {
    let mut command = app.command(arguments);
    command.env("BALEEN_CONFIG", app.dir.path().join("config.toml"));
    Run::of(&mut command)
}

#[track_caller]
fn ok(app: &App, arguments: &[&str]) -> String {
    let run = run(app, arguments);
    assert_eq!(run.code, 0, "{arguments:?}: {run}");
    run.out
}

#[track_caller]
fn word(app: &App, arguments: &[&str]) -> String {
    let run = run(app, &[&["status", "--json"], arguments].concat());
    run.object()["state"].as_str().unwrap().to_owned()
}

/// Runs the agent until the proxy is in place and three seconds more, and returns all its output.
#[track_caller]
fn watch(app: &App) -> Vec<Value> {
    let said = app.dir.path().join("said");
    let mut command = app.command(&["watch", "--json"]);
    command.env("BALEEN_CONFIG", app.dir.path().join("config.toml"));
    command.stdout(File::create(&said).unwrap());
    let mut child = command.stderr(Stdio::inherit()).spawn().unwrap();
    let started = Instant::now();
    while !fs::read_to_string(&said)
        .unwrap()
        .contains("\"state\":\"current\"")
    {
        if started.elapsed() > Duration::from_secs(120) {
            child.kill().unwrap();
            panic!("it is not in place: {}", fs::read_to_string(&said).unwrap());
        }
        sleep(Duration::from_millis(20));
    }
    // Longer than the agent waits for things to settle before it reports news.
    sleep(Duration::from_secs(3));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let said_all = fs::read_to_string(&said).unwrap();
    fs::remove_file(said).unwrap();
    said_all
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Asserts that the agent found all well, and reported nothing else.
#[track_caller]
fn told_nothing(said: &[Value]) {
    for line in said {
        assert_eq!(
            (&line["event"], &line["state"]),
            (&"state".into(), &"current".into()),
            "{said:?}"
        );
    }
}

/// Each release, and each of its images, laid out as that version left them.
fn all() -> Vec<(String, &'static str, App)> {
    let mut versions: Vec<String> = fs::read_dir(folders())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    versions.sort();
    let of_version = |version: String| {
        METHODS.map(|method| {
            let from = folders().join(&version);
            let app = App::with_script(SCRIPT);
            for name in ["initrd.img", "initrd.img-backup"] {
                fs::copy(from.join(method).join(name), app.moby().join(name)).unwrap();
                // A checkout has its own mode.
                set_mode(&app.moby().join(name), 0o644);
            }
            fs::copy(from.join("config.toml"), app.dir.path().join("config.toml")).unwrap();
            fs::create_dir(state(&app)).unwrap();
            for name in STATE {
                fs::write(state(&app).join(name), kept(&app, &version, name)).unwrap();
            }
            (version.clone(), method, app)
        })
    };
    versions.into_iter().flat_map(of_version).collect()
}

/// The state that this version kept for the Docker.app of `app`.
fn kept(app: &App, version: &str, name: &str) -> String {
    let path = folders().join(version).join("state").join(name);
    let path_of_app = app.app().canonicalize().unwrap();
    fs::read_to_string(path)
        .unwrap()
        .replace(DOCKER_APP, path_of_app.to_str().unwrap())
}

/// Fails unless all that is in `part` is in `whole` as well.
#[track_caller]
fn holds(whole: &Value, part: &Value) {
    match part {
        Value::Object(fields) => {
            for (name, value) in fields {
                holds(
                    whole
                        .get(name)
                        .unwrap_or_else(|| panic!("no {name} in {whole}")),
                    value,
                );
            }
        }
        value => assert_eq!(whole, value),
    }
}

#[test]
fn this_version_has_its_folder() {
    assert!(
        folders().join(env!("CARGO_PKG_VERSION")).is_dir(),
        "a release has its files: cargo test --test it upgrade::make -- --ignored"
    );
}

#[test]
fn what_each_release_was_told_and_remembers_is_known() {
    for (version, method, app) in all() {
        let settings = fs::read(folders().join(&version).join("settings.json")).unwrap();
        let settings: Value = serde_json::from_slice(&settings).unwrap();
        let found: Value = serde_json::from_str(&ok(&app, &["config", "show", "--json"])).unwrap();
        holds(&found["keys"], &settings["keys"]);
        for (key, value) in SETTINGS {
            let found = match &found["keys"][key]["value"] {
                Value::Array(all) => all
                    .iter()
                    .map(|one| one.as_str().unwrap())
                    .collect::<Vec<_>>()
                    .join(","),
                one => one.as_str().unwrap().to_owned(),
            };
            assert_eq!(found, value, "{version}: {key}");
        }

        let bundle = app.app().canonicalize().unwrap();
        let intent = Intents::in_folder(&state(&app)).get(&bundle);
        assert_eq!(intent, Some(Intent::Settings), "{version}");

        let memory = AgentStateFile::in_folder(&state(&app)).read();
        let mut written: BTreeMap<String, Value> =
            serde_json::from_str(&kept(&app, &version, "agent.json")).unwrap();
        written.remove("schema");
        holds(
            &serde_json::to_value(&memory).unwrap(),
            &serde_json::to_value(written).unwrap(),
        );
        let known = memory.known(&bundle).unwrap();
        assert!(
            memory.welcomed && memory.trouble.is_some() && memory.past.len() == 2,
            "{version}"
        );
        assert!(known.told.as_ref().unwrap().patch.is_some(), "{version}");
        assert!(
            known.running.is_some() && known.named.is_some(),
            "{version}"
        );

        let known: Vec<_> = pac_answers()
            .into_iter()
            .map(|answer| Some((answer, at(300))))
            .collect();
        let found = AnswerCache::in_folder(&state(&app)).get(PAC_URL, &pac_hosts());
        assert_eq!(found, known, "{version} {method}");
    }
}

#[test]
fn the_images_of_each_release_are_in_place_and_lead_back_to_the_original() {
    for (version, method, app) in all() {
        let stock = fs::read(app.backup()).unwrap();
        for arguments in [&[][..], &["--verify"]] {
            assert_eq!(word(&app, arguments), "current", "{version} {method}");
        }
        let before = app.snapshot();
        let said = ok(&app, &["apply", "--json"]);
        let object: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(object["changed"], false, "{version} {method}: {said}");
        before.is_still(&app.snapshot());

        let place = Snapshot::of(&app.place(), false);
        told_nothing(&watch(&app));
        place.is_still(&Snapshot::of(&app.place(), false));

        // An update of Docker after that of Baleen.
        let patched = app.bytes();
        app.replace_image(&stock);
        assert_eq!(word(&app, &[]), "wiped", "{version} {method}");
        ok(&app, &["apply"]);
        assert_eq!(word(&app, &["--verify"]), "current", "{version} {method}");

        app.replace_image(&patched);
        if method == "append" {
            fs::remove_file(app.backup()).unwrap();
        }
        ok(&app, &["restore"]);
        assert!(app.bytes() == stock, "{version} {method}");
    }
}

/// A newer version was in use before, and will be again.
#[test]
fn what_a_newer_version_kept_is_there_when_it_comes_back() {
    let app = App::with_script(SCRIPT);
    let newer = "{\"schema\": 9, \"everything\": [\"is\", \"different\"]}";
    fs::create_dir(state(&app)).unwrap();
    for name in ["state.json", "agent.json", "live.json"] {
        fs::write(state(&app).join(name), newer).unwrap();
    }
    let settings = [("http_proxy", PROXY), ("source", "manual")];
    for (key, value) in settings {
        ok(&app, &["config", "set", key, value]);
    }
    assert_eq!(word(&app, &[]), "off");
    ok(&app, &["apply"]);
    told_nothing(&watch(&app));
    assert_eq!(word(&app, &["--verify"]), "current");
    for name in ["state.json", "agent.json"] {
        let aside = fs::read_to_string(state(&app).join(format!("{name}.schema-9")));
        assert_eq!(aside.unwrap(), newer, "{name}");
        let now = fs::read_to_string(state(&app).join(name)).unwrap();
        assert!(now.contains("Docker.app"), "{now}");
    }
    // None of these versions records which VM was edited.
    let vm = Vm {
        pid: 4242,
        since: Some(at(50)),
        console: None,
    };
    let edit = LiveEdit {
        revision: None,
        at: at(60),
        is_open: false,
    };
    let (edits, bundle) = (LiveEdits::in_folder(&state(&app)), app.app());
    assert_eq!(edits.get(&bundle, &vm), None);
    edits.set(&bundle, &vm, edit).unwrap();
    assert_eq!(edits.get(&bundle, &vm), Some(edit));
    let aside = fs::read_to_string(state(&app).join("live.json.schema-9"));
    assert_eq!(aside.unwrap(), newer);
    // A newer version's key is not guessed to be a proxy: Baleen reports it with its place, and does nothing.
    let config = app.dir.path().join("config.toml");
    let known = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{known}proxy_of_tomorrow = \"x\"\n")).unwrap();
    let before = app.snapshot();
    let refused = run(&app, &["apply"]);
    refused.is_refusal(2, &["config.toml:3:1", "'proxy_of_tomorrow'"]);
    before.is_still(&app.snapshot());
}

/// Docker runs with an image that an older Baleen patched: the newer one neither changes nor restarts nor reports
/// anything.
#[cfg(target_os = "linux")]
#[test]
fn an_update_of_baleen_is_no_reason_to_do_anything() {
    use baleen::backend::docker_desktop::restart::running;
    use baleen::platform::apps;

    let forgery = tampering::Forgery::new();
    let app = &forgery.app;
    let version = concat!("\"baleen\": \"", env!("CARGO_PKG_VERSION"), "\"");
    let older = forgery.manifest.replace(version, "\"baleen\": \"0.0.9\"");
    assert_ne!(older, forgery.manifest);
    forgery.put(&older, &[]);
    for (key, value) in [
        ("http_proxy", PROXY),
        ("https_proxy", PROXY),
        ("source", "manual"),
        ("restart", "always"),
    ] {
        ok(app, &["config", "set", key, value]);
    }
    let place = Snapshot::of(&app.place(), false);
    assert_eq!(word(app, &["--verify"]), "current");
    let said = ok(app, &["apply", "--json"]);
    let object: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(object["changed"], false, "{said}");

    apps::open(&app.app()).unwrap();
    let started = Instant::now();
    let docker = loop {
        if let Some(docker) = running(&app.app()) {
            break docker;
        }
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "Docker does not run"
        );
        sleep(Duration::from_millis(20));
    };
    // Without a memory, and with one.
    let said = [watch(app), watch(app)];
    let after = running(&app.app());
    let asked = Instant::now();
    while let Some(docker) = running(&app.app()) {
        if asked.elapsed() > Duration::from_secs(120) {
            // It must not outlive the test.
            let kill = std::process::Command::new("kill")
                .args(["-KILL", &docker.pid.to_string()])
                .status();
            panic!("Docker does not quit, and was killed: {kill:?}");
        }
        apps::ask_to_quit(&docker);
        sleep(Duration::from_millis(20));
    }
    said.iter().for_each(|said| told_nothing(said));
    assert_eq!(after.map(|docker| docker.pid), Some(docker.pid));
    place.is_still(&Snapshot::of(&app.place(), false));
    let manifest = app.image();
    let manifest = [
        "inspect",
        "--entry",
        "etc/baleen.json",
        manifest.to_str().unwrap(),
    ];
    assert_eq!(ok(app, &manifest), older);
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_750_000_000 + seconds)
}

/// Run once for each release, before it is tagged: `cargo test --test it upgrade::make -- --ignored`.
#[test]
#[ignore = "makes the folder of this version"]
fn make_the_folder_of_this_version() {
    let to = folders().join(env!("CARGO_PKG_VERSION"));
    assert!(!to.exists(), "{} is there already", to.display());
    fs::create_dir_all(to.join("state")).unwrap();
    for method in METHODS {
        let app = App::with_script(SCRIPT);
        for (key, value) in SETTINGS {
            ok(&app, &["config", "set", key, value]);
        }
        ok(&app, &["apply", "--method", method]);
        fs::create_dir(to.join(method)).unwrap();
        for name in ["initrd.img", "initrd.img-backup"] {
            fs::copy(app.moby().join(name), to.join(method).join(name)).unwrap();
        }
        told_nothing(&watch(&app));
        if method != METHODS[0] {
            continue;
        }

        // Further contents of the file, with the same times on every run.
        let bundle = app.app().canonicalize().unwrap();
        let file = AgentStateFile::in_folder(&state(&app));
        let mut memory = file.read();
        memory.welcomed = true;
        memory.trouble = Some("stale: no room is left".to_owned());
        memory.past.clear();
        memory.log(at(100), "The proxy is proxy.corp.example:8080");
        memory.log(at(200), "Docker 1.11.1 → 1.12.0; repaired");
        let known = memory.known_mut(&bundle);
        let block = known
            .told
            .as_ref()
            .unwrap()
            .patch
            .as_ref()
            .map(|patch| patch.revision);
        let docker = Running {
            pid: 4242,
            since: Some(at(50)),
            ..Running::default()
        };
        known.running = EngineRecord::new(&docker, block);
        known.named = Some(RedactedProxy {
            http: Some("http://me:***@proxy.corp.example:8080".parse().unwrap()),
            https: None,
            no_proxy: "localhost,127.0.0.1".to_owned(),
        });
        file.write(&memory).unwrap();
        AnswerCache::in_folder(&state(&app))
            .set(PAC_URL, &pac_answers(), at(300))
            .unwrap();
        for name in STATE {
            let text = fs::read_to_string(state(&app).join(name)).unwrap();
            let text = text.replace(bundle.to_str().unwrap(), DOCKER_APP);
            fs::write(to.join("state").join(name), text).unwrap();
        }
        fs::copy(app.dir.path().join("config.toml"), to.join("config.toml")).unwrap();
        let shown: Value = serde_json::from_str(&ok(&app, &["config", "show", "--json"])).unwrap();
        let keys = serde_json::json!({ "keys": shown["keys"] });
        let text = serde_json::to_string_pretty(&keys).unwrap() + "\n";
        fs::write(to.join("settings.json"), text).unwrap();
    }
}
