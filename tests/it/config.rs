//! The config file as its user sees it: shown, changed, and invalid in every possible way.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use baleen::config::{self, ConfigReading, Key};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::common::app::{App, PROXY, Run, mode, set_mode};
use crate::common::redact::{Transcript, redacted};
use crate::common::tools;

const STOCK_SCRIPT: &[u8] = b"#!/sbin/openrc-run\n\ncommand=/usr/bin/docker\n";

/// The path of `app`'s config file, which need not exist.
fn file(app: &App) -> PathBuf {
    PathBuf::from(app.ok(&["config", "path"]).trim_end())
}

/// Writes the file of `app`.
fn write(app: &App, text: impl AsRef<[u8]>) -> PathBuf {
    let file = file(app);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, text).unwrap();
    file
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Makes `command` run as an unprivileged user if this is root, whom no mode would stop.
fn as_another_user(app: &App, command: &mut Command) {
    if app.dir.path().metadata().unwrap().uid() == 0 {
        set_mode(app.dir.path(), 0o755);
        command.uid(65534).gid(65534);
    }
}

#[test]
fn each_place_of_the_file() {
    let app = App::with_script(STOCK_SCRIPT);
    let home = app.dir.path().join("home");
    let usual = if cfg!(target_os = "macos") {
        home.join("Library/Application Support/Baleen/config.toml")
    } else {
        home.join(".config/baleen/config.toml")
    };
    let path = |arguments: &[&str], variable: Option<&str>| {
        let mut command = app.command(&["config", "path"]);
        command.args(arguments);
        command.envs(variable.map(|value| ("BALEEN_CONFIG", value)));
        Run::of(&mut command).out
    };
    assert_eq!(path(&[], None), format!("{}\n", usual.display()));
    assert_eq!(path(&[], Some("")), format!("{}\n", usual.display()));
    assert_eq!(path(&[], Some("/v.toml")), "/v.toml\n");
    let both = path(&["--config", "/o.toml"], Some("/v.toml"));
    assert_eq!(both, "/o.toml\n");
    assert!(!home.exists(), "asking made something");
}

#[test]
fn show_tells_what_is_set_from_what_is_not() {
    let app = App::with_script(STOCK_SCRIPT);
    let (_, defaults) = app.json(&["config", "show"]);
    assert_eq!(defaults["exists"], false);
    assert_eq!(defaults["keys"].as_object().unwrap().len(), Key::ALL.len());
    let default = |value: Value| json!({ "value": value, "set": false });
    assert_eq!(defaults["keys"]["source"], default(json!("auto")));
    assert_eq!(defaults["keys"]["method"], default(json!(null)));
    assert_eq!(defaults["keys"]["no_proxy"], default(json!([])));

    let file = write(
        &app,
        "restart = 'ask'\nno_proxy = []\npac_hosts = ['a', 'b']\n",
    );
    let (_, shown) = app.json(&["config", "show"]);
    assert_eq!(shown["file"], file.to_str().unwrap());
    assert_eq!(shown["exists"], true);
    let set = |value: Value| json!({ "value": value, "set": true });
    assert_eq!(shown["keys"]["restart"], set(json!("ask")));
    assert_eq!(shown["keys"]["no_proxy"], set(json!([])));
    assert_eq!(shown["keys"]["pac_hosts"], set(json!(["a", "b"])));
    assert_eq!(shown["keys"]["source"], defaults["keys"]["source"]);
    let text = app.ok(&["config", "show"]);
    for line in [
        "restart          set      ask",
        "no_proxy         set      none",
        "pac_hosts        set      a,b",
        "source           default  auto",
        "method           default  append",
    ] {
        assert!(text.contains(line), "no {line:?} in:\n{text}");
    }
}

#[test]
fn set_and_unset_make_change_and_leave_the_file() {
    let app = App::with_script(STOCK_SCRIPT);
    let file = file(&app);
    let (_, object) = app.json(&["config", "set", "http_proxy", "proxy.corp:8080"]);
    assert_eq!(object["value"], "http://proxy.corp:8080");
    app.ok(&["config", "set", "source", "manual"]);
    let (_, object) = app.json(&["config", "set", "no_proxy", " .corp, 10.0.0.5 ,"]);
    assert_eq!(object["value"], json!([".corp", "10.0.0.5"]));
    assert_eq!(
        (&object["changed"], &object["set"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        "http_proxy = \"proxy.corp:8080\"\nsource = \"manual\"\nno_proxy = [\".corp\", \"10.0.0.5\"]\n"
    );
    assert_eq!(mode(&file), 0o600);

    // Setting the same value again touches nothing, nor does unsetting a missing key.
    let before = app.strict_snapshot();
    let (_, object) = app.json(&["config", "set", "no_proxy", ".corp,10.0.0.5"]);
    assert_eq!(object["changed"], false);
    let (_, object) = app.json(&["config", "unset", "restart"]);
    assert_eq!(
        (&object["changed"], &object["set"]),
        (&json!(false), &json!(false))
    );
    before.is_still(&app.strict_snapshot());

    // A key can't be unset while another key needs it.
    let run = app.refused(&["config", "unset", "http_proxy"], 2, &[]);
    insta::assert_snapshot!(redacted(&run.err));
    app.ok(&["config", "unset", "source"]);
    app.ok(&["config", "unset", "http_proxy"]);
    app.ok(&["config", "set", "no_proxy", ""]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "no_proxy = []\n");
    assert_eq!(names(file.parent().unwrap()), ["config.toml"]);
}

#[test]
fn unset_makes_no_file() {
    let app = App::with_script(STOCK_SCRIPT);
    app.ok(&["config", "unset", "source"]);
    assert!(!app.dir.path().join("home").exists());
}

#[test]
fn what_set_refuses_changes_nothing() {
    let app = App::with_script(STOCK_SCRIPT);
    let mut told = Transcript::default();
    for (text, key, value) in [
        ("", "source", "automatic"),
        ("", "source", "manual"),
        ("", "http_proxy", "http://me:Xq7needle@p:1"),
        ("", "no_proxy", ".corp,http://me:Xq7needle@p:1"),
        ("", "host_address", "127.0.0.1"),
        ("", "method", "-x"),
        // A file that isn't valid TOML is not touched, nor is one that would still be invalid after the change.
        ("a = [1,\n", "source", "auto"),
        ("sorce = 'a'\n", "source", "auto"),
        ("[proxy]\nhttp = 'a'\n", "source", "auto"),
        ("source.a = 1\n", "source", "auto"),
    ] {
        let file = write(&app, text);
        let run = app.refused(&["config", "set", key, value], 2, &[]);
        told.text(&format!("{text}{key}"), &run.err);
        assert!(!run.err.contains("Xq7needle"), "{run}");
        assert_eq!(fs::read_to_string(file).unwrap(), text);
    }
    insta::assert_snapshot!(told);
    // An invalid value can be corrected.
    let file = write(&app, "source = 5 # a\n");
    app.ok(&["config", "set", "source", "auto"]);
    assert_eq!(fs::read_to_string(file).unwrap(), "source = \"auto\" # a\n");
    for arguments in [
        &["config"][..],
        &["config", "set"],
        &["config", "set", "source"],
        &["config", "set", "sorce", "auto"],
        &["config", "unset", "no-proxy"],
    ] {
        let run = app.run(arguments);
        assert_eq!((run.code, &*run.out), (2, ""), "{arguments:?}: {run}");
    }
}

#[test]
fn a_file_that_is_wrong_stops_every_command_that_reads_it() {
    let app = App::with_script(STOCK_SCRIPT);
    let mut told = String::new();
    for (text, place) in [
        (&b"source = 'auto'\nno-proxy = []\n"[..], "2:1"),
        (b"# \xc3\xbc\r\n  restart = 'of\xc3\xbc' # x\r\n", "2:13"),
        (b"\xef\xbb\xbfsource = auto", "1:10"),
        (b"# \xc3\xbc\nsource = '\xff'\n", "2:11"),
        (b"\xff\xfes\0", "1:1"),
        (b"https_proxy = 'http://me:Xq7needle@p:1'\n", "1:15"),
        (b"https_proxy = 'http://me:Xq7needle'\n", "1:15"),
        (b"no_proxy = ['http://me:Xq7needle@p']\n", "1:13"),
        (b"source = 'http://me:Xq7needle@p'\n", "1:10"),
        (b"'http://me:Xq7needle@p' = 1\n", "1:1"),
    ] {
        let file = write(&app, text);
        let place = format!("{}:{place}: ", file.display());
        let shown = app.run(&["status"]).err;
        told += &shown;
        for arguments in [
            &["status"][..],
            &["apply", "--http-proxy", PROXY],
            &["restore"],
            &["config", "show"],
        ] {
            let run = app.refused(arguments, 2, &[&place]);
            assert_eq!(run.err, shown, "{arguments:?}");
            assert!(!run.err.contains("Xq7needle"), "{run}");
        }
        let (code, object) = app.json(&["status"]);
        assert_eq!(code, 2);
        assert_eq!(object["error"]["kind"], "usage");
        assert!(!object.to_string().contains("Xq7needle"), "{object}");
    }
    insta::assert_snapshot!(redacted(&told));
    // Commands that don't need the file go on.
    app.ok(&["config", "path"]);
    app.ok(&["completions", "bash"]);
}

#[test]
fn a_named_file_that_is_missing_is_no_default() {
    let app = App::with_script(STOCK_SCRIPT);
    let named = app.dir.path().join("new/folder/c.toml");
    let named = named.to_str().unwrap();
    app.refused(&["status", "--config", named], 2, &[named]);
    let (_, shown) = app.json(&["config", "show", "--config", named]);
    assert_eq!(shown["exists"], false);
    app.ok(&["config", "set", "restart", "never", "--config", named]);
    app.ok(&["status", "--config", named]);
    assert!(!file(&app).exists());
    // A bare name is a file in the working directory.
    let mut command = app.command(&["config", "set", "source", "system", "--config", "bare.toml"]);
    let run = Run::of(command.current_dir(app.dir.path()));
    assert_eq!(run.code, 0, "{run}");
    let bare = fs::read_to_string(app.dir.path().join("bare.toml"));
    assert_eq!(bare.unwrap(), "source = \"system\"\n");
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    let app = App::with_script(STOCK_SCRIPT);
    let file = write(&app, "");
    fs::remove_file(&file).unwrap();
    let status = Command::new("mkfifo").arg(&file).status();
    assert!(status.unwrap().success());
    let both = [
        &["config", "show"][..],
        &["config", "set", "source", "auto"],
    ];
    let mut told = Transcript::default();
    for arguments in both {
        told.refused(&app, arguments, 4);
    }
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    for arguments in both {
        told.refused(&app, arguments, 4);
    }
    fs::remove_dir(&file).unwrap();
    symlink(app.dir.path().join("nowhere"), &file).unwrap();
    for arguments in both {
        told.refused(&app, arguments, 1);
    }
    insta::assert_snapshot!(told);
}

#[test]
fn what_may_not_be_read_or_written_is_reported_and_left() {
    let app = App::with_script(STOCK_SCRIPT);
    let file = write(&app, "# mine\n");
    let folder = file.parent().unwrap();
    let uid = file.metadata().unwrap().uid();
    let usual = mode(&file);
    set_mode(folder, 0o555);
    let before = app.snapshot();
    let mut told = Transcript::default();
    let mut refused = |arguments: &[&str]| {
        let mut command = app.command(arguments);
        as_another_user(&app, &mut command);
        let run = Run::of(&mut command);
        run.is_refusal(5, &["config.toml"]);
        told.run(arguments, &run);
    };
    refused(&["config", "set", "source", "auto"]);
    // The owner may not read it either, if the owner runs the test.
    set_mode(&file, if uid == 0 { 0o600 } else { 0 });
    refused(&["config", "show"]);
    refused(&["status"]);
    set_mode(&file, usual);
    before.is_still(&app.snapshot());
    set_mode(folder, 0o755);
    insta::assert_snapshot!(told);
}

#[test]
fn a_link_is_followed_and_mode_and_owner_stay() {
    let app = App::with_script(STOCK_SCRIPT);
    let link = write(&app, "");
    fs::remove_file(&link).unwrap();
    let dotfiles = app.dir.path().join("dotfiles");
    fs::create_dir(&dotfiles).unwrap();
    let real = dotfiles.join("baleen.toml");
    fs::write(&real, "# mine\n").unwrap();
    set_mode(&real, 0o640);
    let is_root = real.metadata().unwrap().uid() == 0;
    if is_root {
        std::os::unix::fs::chown(&real, Some(12345), Some(54321)).unwrap();
    }
    symlink("../../../dotfiles/baleen.toml", &link).unwrap();
    app.ok(&["config", "set", "source", "auto"]);
    assert!(link.is_symlink());
    assert_eq!(
        fs::read_to_string(&real).unwrap(),
        "# mine\nsource = \"auto\"\n"
    );
    assert_eq!(mode(&real), 0o640);
    let facts = real.metadata().unwrap();
    if is_root {
        assert_eq!((facts.uid(), facts.gid()), (12345, 54321));
    }
    assert_eq!(names(&dotfiles), ["baleen.toml"]);
    assert_eq!(names(link.parent().unwrap()), ["config.toml"]);
}

#[test]
fn the_file_says_which_docker_and_which_method() {
    let app = App::with_script(STOCK_SCRIPT);
    let other = App::with_script(STOCK_SCRIPT);
    let place = fs::canonicalize(other.app()).unwrap();
    write(
        &app,
        format!("docker_app = '{}'\nmethod = 'rebuild'\n", place.display()),
    );
    let apply = |arguments: &[&str], variable: Option<&Path>| {
        let mut command = app.command(&["apply", "--dry-run", "--json", "--http-proxy", PROXY]);
        command.args(arguments).env_remove("BALEEN_DOCKER_APP");
        command.envs(variable.map(|path| ("BALEEN_DOCKER_APP", path)));
        let object = Run::of(&mut command).object();
        let path = object["docker"]["path"].as_str().unwrap().to_owned();
        let method = object["image"]["method"].as_str().unwrap().to_owned();
        (PathBuf::from(path), method)
    };
    let own = fs::canonicalize(app.app()).unwrap();
    assert_eq!(apply(&[], None), (place.clone(), "rebuild".to_owned()));
    assert_eq!(
        apply(&["--method", "append"], None),
        (place, "append".to_owned())
    );
    assert_eq!(apply(&[], Some(&own)).0, own);
    let option = ["--docker-app", own.to_str().unwrap()];
    assert_eq!(apply(&option, None).0, own);

    write(&app, "docker_app = '~/no/Docker.app'\n");
    let mut command = app.command(&["restore"]);
    let run = Run::of(command.env_remove("BALEEN_DOCKER_APP"));
    let missing = app.dir.path().join("home/no/Docker.app");
    run.is_refusal(4, &[missing.to_str().unwrap()]);
    insta::assert_snapshot!(redacted(&run.err));
}

#[test]
fn shells_know_the_keys() {
    let app = App::with_script(STOCK_SCRIPT);
    let help = app.ok(&["config", "set", "--help"]);
    for shell in ["bash", "zsh"] {
        let script = app.ok(&["completions", shell]);
        for key in Key::ALL {
            assert!(script.contains(key.name()), "{shell} does not know {key}");
            assert!(
                help.contains(&format!("{key}:")),
                "{key} is not in:\n{help}"
            );
        }
    }
}

#[test]
fn the_example_and_the_table_of_the_manual_hold() {
    let app = App::with_script(STOCK_SCRIPT);
    let manual = include_str!("../../docs/config.md");
    let (_, rest) = manual.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    write(&app, example);
    let (_, shown) = app.json(&["config", "show"]);
    for (key, value) in [
        (Key::Source, json!("manual")),
        (Key::HttpProxy, json!("http://me@proxy.corp:8080")),
        (Key::HttpsProxy, json!("http://proxy.corp:8443")),
        (Key::NoProxy, json!([".corp", "10.0.0.5"])),
        (Key::HostAddress, json!("192.168.64.1")),
        (Key::PacHosts, json!(["registry.corp:5000"])),
        (Key::PacUnreachable, json!("keep")),
        (Key::Restart, json!("never")),
        (Key::Method, json!("rebuild")),
        (Key::Relay, json!("on")),
        (Key::RelayPort, json!("18129")),
        (Key::RelayBasic, json!("false")),
        (Key::UpdateCheck, json!("off")),
        (
            Key::DockerApp,
            json!(app.dir.path().join("home/Applications/Docker.app")),
        ),
    ] {
        let expected = json!({ "value": value, "set": true });
        assert_eq!(shown["keys"][key.name()], expected, "{key}");
    }
    let mut rows: Vec<&str> = manual
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(key, _)| key)
        .collect();
    rows.dedup();
    assert_eq!(rows, Key::ALL.map(Key::name));
}

/// Eight programs at once, each with its own key: none loses what another writes.
#[test]
fn who_writes_at_the_same_time_loses_nothing() {
    let values = [
        ("http_proxy", "p:1"),
        ("https_proxy", "p:2"),
        ("no_proxy", ".corp"),
        ("host_address", "192.168.65.1"),
        ("pac_hosts", "registry.corp"),
        ("pac_unreachable", "keep"),
        ("restart", "never"),
        ("method", "rebuild"),
        ("docker_app", "/Docker.app"),
    ];
    let app = App::with_script(STOCK_SCRIPT);
    for _ in 0..5 {
        let file = write(&app, "# mine\n");
        let children: Vec<Child> = values
            .iter()
            .map(|(key, value)| {
                let mut command = app.command(&["config", "set", key, value]);
                command.stdout(Stdio::null()).spawn().unwrap()
            })
            .collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("# mine\n"), "{text}");
        assert_eq!(text.lines().count(), values.len() + 1, "{text}");
        let found = ConfigReading::read(&file).unwrap();
        assert_eq!(found.set.len(), values.len(), "{text}");
        assert_eq!(names(file.parent().unwrap()), ["config.toml"]);
    }
}

#[test]
fn a_lock_that_is_held_is_reported() {
    let app = App::with_script(STOCK_SCRIPT);
    let file = write(&app, "# mine\n");
    let folder = fs::File::open(file.parent().unwrap()).unwrap();
    folder.lock().unwrap();
    let run = app.refused(&["config", "set", "source", "auto"], 4, &[]);
    insta::assert_snapshot!(redacted(&run.err));
    let (_, object) = app.json(&["config", "set", "source", "auto"]);
    assert_eq!(object["error"]["kind"], "busy");
    drop(folder);
    app.ok(&["config", "set", "source", "auto"]);
}

/// Debian's `strace` kills the program at one system call after another, one run each, or makes the call fail.
#[test]
fn killed_anywhere_it_leaves_the_old_file_or_the_new() {
    if !tools::has_tool("strace") {
        return;
    }
    const CALLS: &str =
        "openat,write,fsync,?rename,renameat,renameat2,fchmod,flock,unlinkat,?unlink";
    const OLD: &str = "# mine\r\nsource = 'system' # why\r\n";
    const NEW: &str = "# mine\r\nsource = \"auto\" # why\r\n";
    let app = App::with_script(STOCK_SCRIPT);
    let file = write(&app, OLD);
    let strace = |options: &[&str]| {
        let log = app.dir.path().join("log");
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o"]).arg(&log).args(options);
        command.arg(env!("CARGO_BIN_EXE_baleen"));
        command.args(["config", "set", "source", "auto"]);
        app.environment(&mut command);
        let run = Run::of(&mut command);
        (run, fs::read_to_string(log).unwrap())
    };
    let (run, log) = strace(&["-e", &format!("trace={CALLS}")]);
    assert_eq!(run.code, 0, "{run}");
    assert_eq!(fs::read_to_string(&file).unwrap(), NEW);
    let mut counts = BTreeMap::new();
    for line in log.lines() {
        let call = line
            .split_whitespace()
            .nth(1)
            .and_then(|c| c.split_once('('));
        if let Some((name, _)) = call {
            *counts.entry(name.to_owned()).or_insert(0) += 1;
        }
    }
    assert!(
        counts.keys().any(|call| call.starts_with("rename")),
        "{counts:?}"
    );
    let mut injected = 0;
    for (call, count) in &counts {
        for (fault, when) in
            (1..=*count).flat_map(|when| [("signal=KILL", when), ("error=ENOSPC", when)])
        {
            fs::write(&file, OLD).unwrap();
            let inject = format!("inject={call}:{fault}:when={when}");
            let (run, log) = strace(&["-e", &format!("trace={call}"), "-e", &inject]);
            let text = fs::read_to_string(&file).unwrap();
            assert!(text == OLD || text == NEW, "{inject}: {text:?}");
            assert!(
                run.code != 0 || text == NEW,
                "{inject}: not done, and not said"
            );
            injected += usize::from(log.contains("INJECTED") || log.contains("SIGKILL"));
            app.ok(&["config", "set", "source", "auto"]);
            assert_eq!(fs::read_to_string(&file).unwrap(), NEW, "{inject}");
            if text == OLD {
                assert_eq!(names(file.parent().unwrap()), ["config.toml"], "{inject}");
            }
        }
    }
    tools::tell(&format!("{injected} faults injected"));
    assert!(injected > 20, "only {injected} faults");
}

/// Values that each key can have, and how each looks when it is read.
fn values(key: Key) -> Vec<(&'static str, Vec<&'static str>)> {
    match key {
        Key::Source => vec![("auto", vec!["auto"]), ("environment", vec!["environment"])],
        Key::HttpProxy | Key::HttpsProxy => vec![
            ("proxy.corp", vec!["http://proxy.corp:80"]),
            ("http://CORP\\me@p:1", vec!["http://CORP%5Cme@p:1"]),
            ("http://it's@p:1", vec!["http://it%27s@p:1"]),
            ("http://\u{fc}@p:1", vec!["http://%C3%BC@p:1"]),
        ],
        Key::NoProxy => vec![
            ("", vec![]),
            (".corp", vec![".corp"]),
            (" a , 10.0.0.0/8,#x", vec!["a", "10.0.0.0/8", "#x"]),
        ],
        Key::HostAddress => vec![("fd00::1", vec!["[fd00::1]"]), ("vm", vec!["vm"])],
        Key::PacHosts => vec![("a:5000,b", vec!["a:5000", "b"])],
        Key::PacUnreachable => vec![("keep", vec!["keep"]), ("direct", vec!["direct"])],
        Key::Restart => vec![("never", vec!["never"]), ("ask", vec!["ask"])],
        Key::Method => vec![("append", vec!["append"]), ("rebuild", vec!["rebuild"])],
        Key::Containers => vec![("true", vec!["true"]), ("false", vec!["false"])],
        Key::Relay => vec![("on", vec!["on"]), ("off", vec!["off"])],
        Key::RelayPort => vec![("1024", vec!["1024"]), ("18128", vec!["18128"])],
        Key::RelayBasic => vec![("false", vec!["false"]), ("true", vec!["true"])],
        Key::UpdateCheck => vec![("weekly", vec!["weekly"]), ("off", vec!["off"])],
        Key::DockerApp => vec![("/a \"b\"\\#c", vec!["/a \"b\"\\#c"])],
    }
}

/// One line, or a few that belong together, of a file that someone wrote; without the final line break.
fn piece(key: Option<Key>, style: u8, comment: &str) -> String {
    let Some(key) = key else {
        let plain = ["", "  ", "\t"][style as usize % 3];
        return match style % 2 {
            0 => format!("{plain}# {comment}"),
            _ => plain.to_owned(),
        };
    };
    let quoted = |text: &str| match style % 3 {
        0 => toml_quoted(text),
        1 if !text.contains('\'') => format!("'{text}'"),
        _ => format!(
            "\"\"\"{}\"\"\"",
            text.replace('\\', "\\\\").replace('"', "\\\"")
        ),
    };
    let choices = values(key);
    let (value, _) = &choices[style as usize % choices.len()];
    let value = if key.is_list() {
        let entries = value.split(',').map(str::trim).filter(|e| !e.is_empty());
        let entries: Vec<String> = entries.map(quoted).collect();
        match style % 4 {
            0 => format!("[{}]", entries.join(", ")),
            1 => format!("[ # {comment} 1\n  {}\n]", entries.join(",\n  ")),
            _ => {
                let lines = entries.iter().map(|e| format!("  {e}, # {comment} 2\n"));
                format!("[\n{}  # {comment} 3\n]", lines.collect::<String>())
            }
        }
    } else if key.is_boolean() || key.is_number() {
        (*value).to_owned()
    } else {
        quoted(value)
    };
    let behind = if style & 64 == 0 {
        String::new()
    } else {
        format!(" # {comment} 4")
    };
    let name = if style & 128 == 0 {
        key.name().to_owned()
    } else {
        toml_quoted(key.name())
    };
    format!(
        "{}{name} = {value}{behind}",
        if style & 32 == 0 { "" } else { "  " }
    )
}

fn toml_quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The comments of a text that [`piece`] wrote, sorted.
fn comments(text: &str) -> Vec<&str> {
    let mut comments: Vec<&str> = text
        .lines()
        .filter_map(|line| line.find("# ").map(|at| line[at..].trim_end()))
        .collect();
    comments.sort_unstable();
    comments
}

fn read(path: &Path) -> ConfigReading {
    ConfigReading::read(path).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_change_is_what_it_says_and_nothing_else(
        order in Just(Key::ALL.to_vec()).prop_shuffle(),
        keys in 0..=Key::ALL.len(),
        styles in prop::collection::vec((any::<u8>(), any::<u8>(), "[a-z\u{fc}'\"\\[=,]{0,6}"), 20),
        chosen in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        (crlf, mark, ended) in any::<(bool, bool, bool)>(),
    ) {
        let mut pieces = Vec::new();
        for (number, (style, other, comment)) in styles.iter().enumerate() {
            pieces.push(piece(None, *style, &format!("{number} {comment}")));
            if let Some(key) = order[..keys].get(number) {
                pieces.push(piece(Some(*key), *other, &format!("{number}b {comment}")));
            }
        }
        let mut text = pieces.join("\n");
        if ended {
            text.push('\n');
        }
        if crlf {
            text = text.replace('\n', "\r\n");
        }
        let text = format!("{}{text}", if mark { "\u{feff}" } else { "" });
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        fs::write(&path, &text).unwrap();
        let old = read(&path);
        prop_assert_eq!(old.set.len(), keys);

        let key = Key::ALL[chosen.0.index(Key::ALL.len())];
        let choices = values(key);
        let (value, expected) = &choices[chosen.1.index(choices.len())];
        config::set(&path, key, value).unwrap();
        let changed = fs::read_to_string(&path).unwrap();
        let new = read(&path);
        prop_assert_eq!(&key.values(&new.config), expected, "{}", changed);
        prop_assert!(new.set.contains(&key));
        prop_assert_eq!(comments(&changed), comments(&text), "{}", changed);
        prop_assert_eq!(changed.starts_with('\u{feff}'), mark);
        if crlf {
            prop_assert!(!changed.replace("\r\n", "").contains('\n'), "{:?}", changed);
        } else {
            prop_assert!(!changed.contains('\r'));
        }
        prop_assert!(!config::set(&path, key, value).unwrap());

        config::unset(&path, key).unwrap();
        let without = fs::read_to_string(&path).unwrap();
        let last = read(&path);
        prop_assert!(!last.set.contains(&key));
        prop_assert_eq!(comments(&without), comments(&text), "{}", without);
        // All other keys and pieces are unchanged, in the same order.
        let mut at = 0;
        for (number, piece) in pieces.iter().enumerate() {
            if order[..keys].contains(&key) && piece.trim_start().trim_start_matches('"').starts_with(&format!("{key}")) {
                continue;
            }
            let piece = if crlf { piece.replace('\n', "\r\n") } else { piece.clone() };
            let found = without[at..].find(&piece);
            prop_assert!(found.is_some(), "piece {} is gone: {:?} from {:?}", number, piece, without);
            at += found.unwrap() + piece.len();
        }
        for other in Key::ALL.into_iter().filter(|other| *other != key) {
            prop_assert_eq!(other.values(&last.config), other.values(&old.config));
            prop_assert_eq!(last.set.contains(&other), old.set.contains(&other));
        }
        if !old.set.contains(&key) && ended {
            prop_assert_eq!(&without, &text);
        }
    }

    /// No text makes the reader panic, and every error names a place in the text.
    #[test]
    fn any_bytes_are_read_or_refused_with_a_place(bytes in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        "(source|no_proxy|x)? ?=? ?['\"\\[]{0,3}[a-z\u{fc}\n,#]{0,9}['\"\\]\n]{0,4}".prop_map(String::into_bytes),
    ]) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        fs::write(&path, &bytes).unwrap();
        if let Err(error) = ConfigReading::read(&path) {
            let message = error.to_string();
            let place = message.strip_prefix(&format!("{}:", path.display())).unwrap();
            let mut numbers = place.split(':').map(|number| number.parse::<usize>().ok());
            let (line, column) = (numbers.next().flatten().unwrap(), numbers.next().flatten().unwrap());
            let lines = bytes.split(|byte| *byte == b'\n').count();
            prop_assert!(line >= 1 && line <= lines && column >= 1, "{}", message);
            prop_assert!(column <= bytes.len() + 1, "{}", message);
        }
    }
}

#[test]
fn a_file_in_the_place_of_the_folder_is_left_alone() {
    let app = App::with_script(STOCK_SCRIPT);
    let file = file(&app);
    let folder = file.parent().unwrap();
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    fs::write(folder, "mine").unwrap();
    app.refused(
        &["config", "set", "source", "auto"],
        1,
        &[folder.to_str().unwrap()],
    );
}
