//! `baleen uninstall`: removes what was made, keeps what was there before, and stops at no half-way
//! state.

#![cfg(not(target_os = "macos"))]

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use baleen::backend::Registry;
use baleen::backend::docker_desktop::initrd::Lock;
use baleen::credentials::SERVICE;
use baleen::service::LiveLock;
use baleen::service::single_instance::{Claim, Instance};
use baleen::uninstall::{Artifacts, places};
use serde_json::{Value, json};

use crate::common::app::{App, OTHER_PROXY, PROXY, Run, set_mode};
use crate::common::redact::{Transcript, redacted, without_typed};
use crate::common::session::{Session, has_keyring};
use crate::common::tools;

/// A home as every desktop has it, with some files of its user.
fn home(app: &App) -> PathBuf {
    let home = app.dir.path().join("home");
    for folder in [".config/autostart", ".local/state"] {
        fs::create_dir_all(home.join(folder)).unwrap();
    }
    fs::write(home.join(".config/other.toml"), "mine = true\n").unwrap();
    home
}

/// The program with all of its files in that home.
fn command(app: &App, arguments: &[&str]) -> Command {
    let mut command = app.command(arguments);
    command.env_remove("BALEEN_STATE_DIR");
    command
}

#[track_caller]
fn ok(command: &mut Command) -> String {
    let run = Run::of(command);
    assert_eq!((run.code, &*run.err), (0, ""), "{run}");
    run.out
}

fn known_places(home: &Path) -> Artifacts {
    places(Registry::BUILT_IN, |_| None, home, false)
}

#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "in vain: {what}"
        );
        sleep(Duration::from_millis(20));
    }
}

fn texts(array: &Value, key: &str) -> Vec<String> {
    let all = array.as_array().unwrap().iter();
    all.map(|one| one[key].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn nothing_is_left_of_all_that_it_does() {
    let app = App::new();
    let home = home(&app);
    let before = app.snapshot();

    ok(&mut command(&app, &["config", "set", "http_proxy", PROXY]));
    ok(&mut command(&app, &["config", "set", "source", "manual"]));
    ok(&mut command(&app, &["apply"]));
    let watch = command(&app, &["watch"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let known = known_places(&home);
    let is_there = |name: &str| {
        known
            .files
            .iter()
            .any(|file| file.ends_with(name) && file.exists())
    };
    until("it runs, and keeps what it has to", || {
        ["agent.json", "agent.lock", "agent.socket", "baleen.log"]
            .into_iter()
            .all(is_there)
    });
    // Makes the files that appear over time, or that the app makes.
    for file in known.files.iter().filter(|file| !file.exists()) {
        fs::write(file, "x").unwrap();
    }
    // The remains of a program that was killed.
    for folder in &known.folders {
        fs::write(folder.join(".baleen-x7"), "x").unwrap();
    }
    let staging = app.moby().join(".baleen-x7");
    fs::create_dir(&staging).unwrap();
    fs::write(staging.join("initrd.img"), "secret").unwrap();

    let mut told = Transcript::default();
    told.text("first", ok(&mut command(&app, &["uninstall", "--yes"])));
    assert_eq!(watch.wait_with_output().unwrap().status.code(), Some(0));
    before.is_still(&app.snapshot());

    told.text("again", ok(&mut command(&app, &["uninstall", "--yes"])));
    insta::assert_snapshot!(told);
    before.is_still(&app.snapshot());
}

#[test]
fn where_there_is_nothing_nothing_is_made() {
    let app = App::new();
    fs::remove_dir_all(app.app()).unwrap();
    let before = app.strict_snapshot();
    let (code, object) = app.json(&["uninstall", "--yes"]);
    assert_eq!(code, 0);
    assert_eq!(object["done"], json!([]));
    assert_eq!(object["left"], json!([]));
    let next = object["next"].as_array().unwrap();
    assert_eq!(next.len(), 1, "{object}");
    let program = env!("CARGO_BIN_EXE_baleen");
    assert!(next[0].as_str().unwrap().contains(program), "{object}");
    app.ok(&["uninstall", "--dry-run"]);
    before.is_still(&app.strict_snapshot());
}

#[test]
fn a_dry_run_lists_it_and_touches_nothing() {
    let app = App::new();
    app.apply(PROXY);
    let before = app.strict_snapshot();
    let (code, object) = app.json(&["uninstall", "--dry-run"]);
    assert_eq!((code, &object["dry_run"]), (0, &json!(true)));
    let state = app.dir.path().join("state");
    assert_eq!(
        texts(&object["steps"], "what"),
        [app.app(), state.join("state.json"), state.clone()].map(|path| path.display().to_string())
    );
    assert_eq!(texts(&object["steps"], "kind"), ["image", "file", "folder"]);
    insta::assert_snapshot!(redacted(&app.ok(&["uninstall", "--dry-run"])));
    before.is_still(&app.strict_snapshot());
}

#[test]
fn it_asks_before_it_removes_anything() {
    let app = App::new();
    app.apply(PROXY);
    let mut told = Transcript::default();
    for arguments in [&["uninstall"][..], &["uninstall", "--leave-images"]] {
        told.refused(&app, arguments, 2);
    }
    insta::assert_snapshot!("it_asks_before_it_removes_anything_by_a_script", told);
    if !tools::has_tool("script") {
        return;
    }
    // `script` gives the program a terminal.
    let answered_by = |answer: &str, rest: &str| {
        let program = format!("{} uninstall{rest}", env!("CARGO_BIN_EXE_baleen"));
        let mut script = Command::new("script");
        script.args(["-E", "never", "-qec", &program, "/dev/null"]);
        app.environment(&mut script);
        without_typed(&tools::said(&mut script, answer.into()), answer)
    };
    let answered = |answer: &str| answered_by(answer, "");
    let before = app.snapshot();
    // With output to a pipe the user can't see the question.
    let mut told = Transcript::default();
    told.text("to a pipe", answered_by("y\n", " | cat; true"));
    before.is_still(&app.snapshot());
    for answer in ["\n", "n\n", "no\n"] {
        told.text(&format!("answer: {}", answer.trim()), answered(answer));
        before.is_still(&app.snapshot());
    }
    told.text("answer: y", answered("y\n"));
    insta::assert_snapshot!("it_asks_before_it_removes_anything_in_a_terminal", told);
    assert!(!app.dir.path().join("state").exists());
    assert_eq!(app.state(&[]), ("off".into(), 0));
}

/// In any such case Baleen stays, to try again.
#[test]
fn an_image_that_can_not_be_given_back_leaves_everything() {
    type Damage = fn(&App);
    let cases: [(&str, Damage); 4] = [
        ("rebuild", |app| fs::remove_file(app.backup()).unwrap()),
        ("append", |app| {
            fs::remove_file(app.backup()).unwrap();
            let mut bytes = app.bytes();
            bytes[1000] ^= 1;
            app.replace_image(&bytes);
        }),
        ("append", |app| {
            let bytes = app.bytes();
            app.replace_image(&bytes[..bytes.len() - 100]);
        }),
        ("append", |app| {
            fs::write(app.info_plist(), "<?xml version=\"1.0\"?><plist><di").unwrap()
        }),
    ];
    let mut told = Transcript::default();
    for (method, damage) in cases {
        let app = App::new();
        app.ok(&["apply", "--http-proxy", PROXY, "--method", method]);
        damage(&app);
        for arguments in [&["uninstall", "--yes"][..], &["uninstall", "--dry-run"]] {
            told.refused(&app, arguments, 4);
        }
        let image = app.bytes();
        let (code, object) = app.json(&["uninstall", "--yes", "--leave-images"]);
        assert_eq!(code, 0, "{object}");
        assert_eq!(
            texts(&object["left"], "what"),
            [app.app().display().to_string()]
        );
        assert_eq!(app.bytes(), image);
        assert!(!app.dir.path().join("state").exists());
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_folder_that_may_not_be_written_leaves_everything() {
    let app = App::new();
    app.apply(PROXY);
    set_mode(&app.moby(), 0o555);
    set_mode(app.dir.path(), 0o755);
    let mut command = app.command(&["uninstall", "--yes"]);
    if is_root() {
        command.uid(65534).gid(65534);
    }
    let before = app.snapshot();
    let run = Run::of(&mut command);
    run.is_refusal(5, &[app.moby().to_str().unwrap()]);
    insta::assert_snapshot!(redacted(&run.err));
    before.is_still(&app.snapshot());
    set_mode(&app.moby(), 0o755);
}

fn is_root() -> bool {
    baleen::platform::user() == 0
}

#[test]
fn images_that_are_left_keep_the_proxy_and_it_is_said() {
    let app = App::new();
    app.apply(PROXY);
    let image = app.bytes();
    let said = app.ok(&["uninstall", "--yes", "--leave-images"]);
    insta::assert_snapshot!(redacted(&said));
    assert_eq!(app.bytes(), image);
    assert!(!app.dir.path().join("state").exists());
}

#[test]
fn each_docker_that_was_ever_patched_gets_its_own_image_back() {
    let app = App::new();
    let stock = app.bytes();
    app.apply(PROXY);
    let other = app.dir.path().join("other/Docker.app");
    let unpatched = app.dir.path().join("unpatched/Docker.app");
    for path in [&other, &unpatched] {
        fs::create_dir(path.parent().unwrap()).unwrap();
        baleen::demo::build(path, "1.12.0", "1").unwrap();
    }
    let image = other.join("Contents/Resources/moby/initrd.img");
    let others = fs::read(&image).unwrap();
    let named = other.to_str().unwrap();
    app.ok(&["apply", "--http-proxy", OTHER_PROXY, "--docker-app", named]);
    app.ok(&["restore", "--docker-app", unpatched.to_str().unwrap()]);
    // An image in the usual place that Baleen's records don't have any more.
    let usual = app.dir.path().join("home/Applications/Docker.app");
    fs::create_dir_all(usual.parent().unwrap()).unwrap();
    baleen::demo::build(&usual, "1.12.0", "1").unwrap();
    let mut command = app.command(&["apply", "--http-proxy", PROXY, "--docker-app"]);
    let forgetful = app.dir.path().join("forgetful");
    ok(command.arg(&usual).env("BALEEN_STATE_DIR", &forgetful));
    let (code, object) = app.json(&["uninstall", "--yes"]);
    assert_eq!(code, 0, "{object}");
    let mut restored: Vec<String> = texts(&object["done"], "what");
    restored.truncate(3);
    assert_eq!(
        restored,
        [app.app(), usual, other].map(|path| path.display().to_string())
    );
    assert_eq!(app.bytes(), stock);
    assert_eq!(fs::read(&image).unwrap(), others);
    assert_eq!(app.overridden_settings(), ["initrd.img", "vmlinuz64"]);
}

#[test]
fn what_is_not_baleens_is_left_and_named() {
    let app = App::new();
    let home = home(&app);
    let settings = home.join(".config/baleen");
    let named = app.dir.path().join("work.toml");
    ok(&mut command(&app, &["config", "set", "restart", "never"]));
    fs::write(settings.join("notes.txt"), "mine").unwrap();
    fs::create_dir(settings.join("old")).unwrap();
    fs::write(&named, "source = \"nonsense\"\n").unwrap();
    // An unreadable config file is no reason to keep Baleen.
    let mut command = command(&app, &["uninstall", "--yes", "--json"]);
    let run = Run::of(command.env("BALEEN_CONFIG", &named));
    let object = run.object();
    assert_eq!(run.code, 0, "{run}");
    assert_eq!(
        texts(&object["left"], "what"),
        [&settings, &named].map(|path| path.display().to_string())
    );
    insta::assert_snapshot!(texts(&object["left"], "why").join("\n"));
    assert!(
        object["notes"][0].as_str().unwrap().contains("nonsense"),
        "{run}"
    );
    assert!(named.exists() && settings.join("notes.txt").exists() && settings.join("old").exists());
    assert!(!settings.join("config.toml").exists());
    // The file in the default place is Baleen's, even if `--config` names it.
    ok(&mut self::command(
        &app,
        &["config", "set", "restart", "never"],
    ));
    let config = settings.join("config.toml");
    let mut command = self::command(&app, &["uninstall", "--yes", "--config"]);
    ok(command.arg(&config));
    assert!(!config.exists());
}

#[test]
fn a_stray_backup_is_left_and_named() {
    let app = App::new();
    app.apply(PROXY);
    app.replace_image(&fs::read(app.backup()).unwrap());
    fs::write(app.backup(), "of some other day").unwrap();
    let (code, object) = app.json(&["uninstall", "--yes"]);
    assert_eq!(code, 0);
    assert_eq!(
        texts(&object["left"], "what"),
        [app.backup().display().to_string()]
    );
    assert!(app.backup().exists());
}

/// A Baleen was killed after it had made the backup, and before it changed the image.
#[test]
fn a_backup_that_is_the_unchanged_image_goes() {
    type Make = fn(&App);
    let cases: [Make; 2] = [
        |app| fs::hard_link(app.image(), app.backup()).unwrap(),
        |app| {
            fs::copy(app.image(), app.backup()).unwrap();
        },
    ];
    for make in cases {
        let app = App::new();
        let stock = app.bytes();
        make(&app);
        let (code, object) = app.json(&["uninstall", "--yes", "--leave-images"]);
        assert_eq!((code, &object["left"]), (0, &json!([])), "{object}");
        assert_eq!(texts(&object["done"], "kind"), ["leftover-backup"]);
        assert_eq!(app.overridden_settings(), ["initrd.img", "vmlinuz64"]);
        assert_eq!(app.bytes(), stock);
    }
}

/// The other Baleen may be about to change the image, and the backup may be the original.
#[test]
fn another_baleen_at_work_on_an_image_leaves_everything() {
    if !tools::is_alone(
        module_path!(),
        "another_baleen_at_work_on_an_image_leaves_everything",
    ) {
        return;
    }
    type Make = fn(&App);
    let cases: [Make; 2] = [
        |app| fs::create_dir(app.moby().join(".baleen-x7")).unwrap(),
        |app| fs::hard_link(app.image(), app.backup()).unwrap(),
    ];
    let mut told = Transcript::default();
    for make in cases {
        let app = App::new();
        app.ok(&["restore"]);
        let lock = Lock::acquire(&app.image()).unwrap();
        make(&app);
        let before = app.snapshot();
        told.refused(&app, &["uninstall", "--yes"], 4);
        let (_, object) = app.json(&["uninstall", "--yes"]);
        assert_eq!(object["error"]["kind"], "busy");
        before.is_still(&app.snapshot());
        drop(lock);
        app.ok(&["uninstall", "--yes"]);
        assert!(!app.dir.path().join("state").exists());
        assert_eq!(app.overridden_settings(), ["initrd.img", "vmlinuz64"]);
    }
    insta::assert_snapshot!(told);
}

/// The edit would give the running VM what the uninstallation takes out of the image.
#[test]
fn a_live_edit_in_a_terminal_leaves_everything() {
    if !tools::is_alone(
        module_path!(),
        "a_live_edit_in_a_terminal_leaves_everything",
    ) {
        return;
    }
    let app = App::new();
    app.apply(PROXY);
    let live = LiveLock::begin(&app.dir.path().join("state")).unwrap();
    let before = app.snapshot();
    let run = app.refused(&["uninstall", "--yes"], 4, &[]);
    insta::assert_snapshot!(redacted(&run.err));
    let (_, object) = app.json(&["uninstall", "--yes"]);
    assert_eq!(object["error"]["kind"], "busy");
    before.is_still(&app.snapshot());
    drop(live);
    app.ok(&["uninstall", "--yes"]);
    assert!(!app.dir.path().join("state").exists());
}

#[test]
fn a_docker_that_is_not_there_is_reported_where_the_proxy_was_wanted() {
    let app = App::new();
    for (intent, name) in [("apply", "patched"), ("restore", "unpatched")] {
        let path = app.dir.path().join(name).join("Docker.app");
        fs::create_dir(path.parent().unwrap()).unwrap();
        baleen::demo::build(&path, "1.12.0", "1").unwrap();
        let mut command = app.command(&[intent, "--docker-app"]);
        command.arg(&path);
        if intent == "apply" {
            command.args(["--http-proxy", PROXY]);
        }
        ok(&mut command);
        fs::remove_dir_all(path).unwrap();
    }
    let (code, object) = app.json(&["uninstall", "--dry-run"]);
    assert_eq!(code, 0, "{object}");
    insta::assert_snapshot!(redacted(&format!("{:#}", object["notes"])));
}

#[test]
fn what_a_link_leads_to_is_left_and_named() {
    let app = App::new();
    let home = home(&app);
    ok(&mut command(&app, &["config", "set", "restart", "never"]));
    let config = home.join(".config/baleen/config.toml");
    let own = app.dir.path().canonicalize().unwrap().join("dotfiles.toml");
    fs::rename(&config, &own).unwrap();
    std::os::unix::fs::symlink(&own, &config).unwrap();
    let mut command = command(&app, &["uninstall", "--yes", "--json"]);
    let object = Run::of(&mut command).object();
    assert_eq!(
        texts(&object["left"], "what"),
        [own.display().to_string()],
        "{object}"
    );
    assert!(own.exists() && !config.parent().unwrap().exists());
}

#[test]
fn a_config_file_that_was_named_has_to_be_there() {
    let app = App::new();
    app.apply(PROXY);
    let before = app.snapshot();
    app.refused(
        &["uninstall", "--yes", "--config", "/nowhere.toml"],
        2,
        &["/nowhere.toml"],
    );
    before.is_still(&app.snapshot());
}

#[test]
fn what_can_not_be_removed_is_reported_and_the_rest_goes() {
    let app = App::new();
    let home = home(&app);
    ok(&mut command(&app, &["config", "set", "restart", "never"]));
    ok(&mut command(&app, &["restore"]));
    let known = known_places(&home);
    let (settings, state) = (&known.folders[0], &known.folders[1]);
    set_mode(app.dir.path(), 0o755);
    set_mode(state, 0o555);
    set_mode(settings, 0o777);
    let mut command = command(&app, &["uninstall", "--yes", "--json"]);
    if is_root() {
        command.uid(65534).gid(65534);
    }
    let run = Run::of(&mut command);
    let object = run.object();
    assert_eq!(run.code, 1, "{run}");
    // None of it is Docker's, and the advice says so.
    insta::assert_snapshot!(redacted(&format!("{:#}", object["failed"][0])));
    assert!(!settings.join("config.toml").exists());
    assert!(state.join("state.json").exists());
    set_mode(state, 0o755);
}

#[test]
fn one_that_does_not_end_stops_it() {
    let app = App::new();
    app.apply(PROXY);
    // It never listens.
    let state = app.dir.path().join("state");
    let Claim::First(deaf) = Instance::claim(&state, "the Baleen app").unwrap() else {
        panic!("no one else is there");
    };
    let run = app.refused(&["uninstall", "--yes"], 4, &[]);
    insta::assert_snapshot!(redacted(&run.err));
    drop(deaf);
    app.ok(&["uninstall", "--yes"]);
    assert!(!state.exists());
}

/// All passwords, also those of proxies that are no longer used.
#[test]
fn passwords_go_from_a_real_keyring() {
    if !has_keyring() {
        return;
    }
    let app = App::new();
    let mut session = Session::new(
        &app.dir.path().join("session"),
        &app.dir.path().join("home"),
    );
    session.start_keyring();
    let run = |arguments: &[&str]| {
        let mut command = app.command(arguments);
        session.environment(&mut command);
        command
    };
    let accounts = ["me@proxy.corp:8080", "you@old.corp:80"];
    for account in accounts {
        let mut set = run(&["credentials", "set", account]);
        tools::said(&mut set, b"Xq7needle".to_vec());
        assert!(session.lookup(SERVICE, account).is_some());
    }
    let mut other = session.command("secret-tool");
    other.args([
        "store",
        "--label=x",
        "service",
        "another",
        "username",
        accounts[0],
    ]);
    tools::said(&mut other, b"not Baleen's".to_vec());

    let plan = Run::of(&mut run(&["uninstall", "--dry-run", "--json"])).object();
    let steps = texts(&plan["steps"], "what");
    for account in accounts {
        let at = steps.iter().position(|what| what == account).unwrap();
        assert_eq!(plan["steps"][at]["kind"], "password");
        assert!(session.lookup(SERVICE, account).is_some());
    }
    let mut told = Transcript::default();
    let said = ok(&mut run(&["uninstall", "--yes"]));
    assert!(!said.contains("Xq7needle"), "{said}");
    told.text("two passwords", said);
    for account in accounts {
        assert_eq!(session.lookup(SERVICE, account), None);
    }
    assert!(session.lookup("another", accounts[0]).is_some());
    told.text("no password", ok(&mut run(&["uninstall", "--yes"])));

    // A locked keyring that can't ask is reported, and stops nothing else.
    let mut set = run(&["credentials", "set", accounts[0]]);
    tools::said(&mut set, b"Xq7needle".to_vec());
    app.apply(PROXY);
    session.lock_keyring();
    let locked = Run::of(&mut run(&["uninstall", "--yes"]));
    assert_eq!(locked.code, 1, "{locked}");
    told.text("a locked keyring", &locked);
    assert!(!app.dir.path().join("state").exists());
    assert_eq!(app.overridden_settings(), ["initrd.img", "vmlinuz64"]);
    let locked = Run::of(&mut run(&["uninstall", "--yes"]));
    told.text("again", &locked);
    insta::assert_snapshot!(told);
}
