//! The desktop's proxy settings, read and watched by way of GNOME's own `gsettings`, in a home of their own.
//!
//! The library asks `gsettings` for the settings of its process's own environment, so it is called in
//! processes of its own: those are the ignored tests below.

#![cfg(not(target_os = "macos"))]

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use baleen::platform::system_proxies::{read, watch};

#[path = "common/tools.rs"]
mod tools;

use tools::has_tool;

const SCHEMA: &str = "org.gnome.system.proxy";

/// A tool that finds the settings in `home` and nowhere else.
fn command(tool: impl AsRef<std::ffi::OsStr>, home: &Path) -> Command {
    let mut command = Command::new(tool);
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("GSETTINGS_BACKEND", "keyfile")
        // The settings are in a file; this only says that there is a session that they belong to.
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
        .stdin(Stdio::null());
    command
}

fn set(home: &Path, below: &str, key: &str, value: &str) {
    let schema = format!("{SCHEMA}{below}");
    let arguments = ["set", &schema, key, value];
    let output = command("gsettings", home).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// This program, to run one of its ignored tests.
fn inner(home: &Path, test: &str) -> Command {
    let mut command = command(env::current_exe().unwrap(), home);
    command.args(["--exact", test, "--ignored", "--nocapture"]);
    command
}

/// What `read` gives in a process with these settings.
fn said_in(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("1 passed"), "{text}");
    text
}

/// The dictionary that `read` gives in a process with the settings in `home`.
fn read_in(home: &Path) -> plist::Dictionary {
    let text = said_in(&mut inner(home, "reads"));
    let start = text.find("<?xml").expect(&text);
    let end = text.find("</plist>").unwrap() + "</plist>".len();
    let proxies = plist::Value::from_reader_xml(&text.as_bytes()[start..end]);
    proxies.unwrap().into_dictionary().unwrap()
}

#[test]
#[ignore = "run by the others, in an environment of theirs"]
fn reads() {
    match read() {
        Ok(Some(proxies)) => {
            let mut text = Vec::new();
            proxies.to_writer_xml(&mut text).unwrap();
            println!("{}", String::from_utf8(text).unwrap());
        }
        Ok(None) => println!("nothing"),
        Err(error) => println!("error: {error}"),
    }
}

#[test]
#[ignore = "run by the others, in an environment of theirs"]
fn watches() {
    let watch = watch(|| println!("\nchanged")).unwrap().unwrap();
    println!("\nwatching");
    std::io::stdin().lines().for_each(drop);
    drop(watch);
    println!("\ndone");
}

#[test]
fn settings_are_read() {
    if !has_tool("gsettings") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let reads = || read_in(home);
    assert!(said_in(&mut inner(home, "reads")).contains("nothing"));

    set(home, "", "mode", "manual");
    set(home, ".http", "host", "proxy.corp");
    set(home, ".http", "port", "3128");
    set(home, ".http", "use-authentication", "true");
    set(
        home,
        ".http",
        "authentication-user",
        "o'neil \\ \u{fc}\u{7}",
    );
    set(home, ".http", "authentication-password", "Xq7needle");
    set(
        home,
        "",
        "ignore-hosts",
        r#"['corp', "it's", '10.0.0.0/8']"#,
    );
    let proxies = reads();
    for (key, expected) in [
        ("HTTPEnable", "1"),
        ("HTTPProxy", "proxy.corp"),
        ("HTTPPort", "3128"),
        ("HTTPUser", "o'neil \\ \u{fc}\u{7}"),
        ("HTTPSPort", "3128"),
    ] {
        let value = &proxies[key];
        let number = value.as_signed_integer().map(|number| number.to_string());
        assert_eq!(
            number.as_deref().or(value.as_string()),
            Some(expected),
            "{key}"
        );
    }
    let exceptions = proxies["ExceptionsList"].as_array().unwrap();
    let exceptions: Vec<_> = exceptions
        .iter()
        .filter_map(plist::Value::as_string)
        .collect();
    assert_eq!(
        exceptions,
        ["corp", "*.corp", "it's", "*.it's", "10.0.0.0/8"]
    );
    assert!(!format!("{proxies:?}").contains("Xq7needle"));

    set(home, "", "ignore-hosts", "[]");
    assert_eq!(reads()["ExceptionsList"].as_array().unwrap().len(), 0);
    set(home, "", "mode", "auto");
    assert!(reads().contains_key("ProxyAutoDiscoveryEnable"));
    set(home, "", "autoconfig-url", "http://wpad.corp/x.pac");
    assert_eq!(
        reads()["ProxyAutoConfigURLString"].as_string(),
        Some("http://wpad.corp/x.pac")
    );
}

#[test]
fn without_gsettings_a_session_or_the_schema_there_is_no_setting() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let nothing = |command: &mut Command| said_in(command).contains("\nnothing\n");
    let reads = || inner(home, "reads");
    assert!(nothing(reads().env("PATH", "/nonexistent")));
    assert!(nothing(reads().env_remove("DBUS_SESSION_BUS_ADDRESS")));
    if has_tool("gsettings") {
        assert!(nothing(reads().env("XDG_DATA_DIRS", "/nonexistent")));
        assert!(nothing(&mut reads()));
        set(home, "", "mode", "auto");
        assert!(!nothing(&mut reads()));
    }
}

/// What real ones hardly ever do is done by scripts in the place of `gsettings`.
#[test]
fn a_gsettings_that_fails_or_hangs_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let tool = folder.path().join("gsettings");
    for (script, expected) in [
        (
            "echo 'out of order' >&2; exit 1",
            "gsettings failed: out of order",
        ),
        ("exit 1", "gsettings failed: it gave no reason"),
        (
            "echo nonsense",
            "in what gsettings prints, it lists no org.gnome.system.proxy mode",
        ),
        ("sleep 60", "gsettings did not answer within 5 seconds"),
    ] {
        std::fs::write(&tool, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/bin:/bin", folder.path().display());
        let said = said_in(inner(folder.path(), "reads").env("PATH", path));
        let expected = format!("error: could not read the desktop's proxy settings: {expected}");
        assert!(said.contains(&expected), "{script}: {said}");
    }
}

/// The processes that have `home` in their environment, by their arguments.
fn monitors(home: &Path) -> usize {
    let home = format!("HOME={}\0", home.display()).into_bytes();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|process| {
            let read = |name| std::fs::read(process.path().join(name)).unwrap_or_default();
            let environment = read("environ");
            environment.windows(home.len()).any(|window| window == home)
                && read("cmdline").starts_with(b"gsettings\0monitor\0")
        })
        .count()
}

#[test]
fn changes_are_told_until_the_watch_ends() {
    if !has_tool("gsettings") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let mut child = inner(home, "watches")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut wait_for = |word: &str| lines.by_ref().any(|line| line.unwrap() == word);
    assert!(wait_for("watching"));
    // Nothing tells when a monitor has begun to look: settings change until one of them is told.
    for (below, key, values) in [
        ("", "mode", ["manual", "auto"]),
        (".http", "host", ["a.corp", "b.corp"]),
        (".https", "port", ["1", "2"]),
        (".socks", "host", ["c.corp", "d.corp"]),
    ] {
        let told = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for value in values.iter().cycle() {
                    if told.load(std::sync::atomic::Ordering::Relaxed) {
                        break;
                    }
                    set(home, below, key, value);
                }
            });
            let changed = wait_for("changed");
            told.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(changed, "{below} {key}");
        });
    }
    assert_eq!(monitors(home), 4);
    child.stdin.take().unwrap().write_all(b"enough\n").unwrap();
    assert!(wait_for("done"));
    assert!(child.wait().unwrap().success());
    assert_eq!(monitors(home), 0);
}

#[test]
fn proxy_goes_on_and_says_what_changed() {
    if !has_tool("gsettings") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    std::fs::write(home.join("hosts"), "10.0.0.1 a.corp b.corp\n").unwrap();
    for (below, key, value) in [
        ("", "mode", "manual"),
        (".http", "port", "8080"),
        (".http", "host", "a.corp"),
    ] {
        set(home, below, key, value);
    }
    let mut child = command(env!("CARGO_BIN_EXE_baleen"), home)
        .args(["proxy", "--watch", "--json", "--docker-version", "17.06.0"])
        .env("BALEEN_HOSTS_FILE", home.join("hosts"))
        .env("BALEEN_CONFIG", home.join("config.toml"))
        .env("BALEEN_STATE_DIR", home.join("state"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = lines.map(|line| {
        let object: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        object["proxy"]["https"].as_str().unwrap().to_owned()
    });
    assert_eq!(said.next().as_deref(), Some("http://a.corp:8080"));
    // Nothing tells when a monitor has begun to look: the port changes until that is told.
    let told = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            set(home, ".http", "host", "b.corp");
            for port in (1..1000).cycle() {
                set(home, ".http", "port", &port.to_string());
                std::thread::sleep(std::time::Duration::from_millis(700));
                if told.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
            }
        });
        let now = said.next().unwrap();
        told.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(now.starts_with("http://b.corp:"), "{now}");
    });
    assert_eq!(monitors(home), 4);
    child.kill().unwrap();
    child.wait().unwrap();
    // Killed, it can't end them itself; they notice that it is gone.
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while monitors(home) > 0 && std::time::Instant::now() < until {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(monitors(home), 0);
}
