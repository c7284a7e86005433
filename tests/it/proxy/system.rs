//! The desktop's proxy settings, read and watched through GNOME's own `gsettings`, in a separate home.
//!
//! And property lists, the format of such settings on macOS, read as Python's `plistlib` reads them.
//!
//! The library asks `gsettings` for the settings of its process's own environment, so it is called in separate
//! processes: those are the ignored tests below.

#![cfg(not(target_os = "macos"))]

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use baleen::platform::system_proxies::{read, watch};

use crate::common::tools::{has_tool, said, test_name};

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
        // The settings are in a file; this only says that they belong to a session.
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
    command.args([
        "--exact",
        &test_name(module_path!(), test),
        "--ignored",
        "--nocapture",
    ]);
    command
}

/// The output of a process with these settings.
fn said_in(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("1 passed"), "{text}");
    text
}

/// The dictionary that `read` returns in a process with the settings in `home`.
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

/// Scripts in the place of `gsettings` do what a real one hardly ever does.
#[test]
fn a_gsettings_that_fails_or_hangs_is_reported() {
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
fn changes_are_reported_until_the_watch_ends() {
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
    // There is no sign that a monitor has begun to watch, so settings change until it reports one.
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
    // There is no sign that a monitor has begun to watch, so the port changes until it reports that.
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
    // A killed program can't end its monitors; they notice that it is gone.
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while monitors(home) > 0 && std::time::Instant::now() < until {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(monitors(home), 0);
}

/// The values of property lists, one per line, as JSON; `null` for an invalid one.
const PLISTLIB: &str = r#"
import json, plistlib, sys, datetime

def plain(value):
    if isinstance(value, bytes):
        return {"data": list(value)}
    if isinstance(value, datetime.datetime):
        return {"date": True}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return value

for line in sys.stdin:
    try:
        document = bytes.fromhex(line)
        form = plistlib.FMT_BINARY if document.startswith(b"bplist") else plistlib.FMT_XML
        value = {"value": plain(plistlib.loads(document, fmt=form))}
    except Exception:
        value = None
    print(json.dumps(value))
"#;

/// The same form of a property list that Baleen has read.
fn plain(value: &plist::Value) -> serde_json::Value {
    use plist::Value;
    match value {
        Value::Array(list) => list.iter().map(plain).collect(),
        Value::Dictionary(dictionary) => dictionary
            .iter()
            .map(|(key, value)| (key.to_owned(), plain(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Boolean(on) => (*on).into(),
        Value::Data(data) => serde_json::json!({ "data": data }),
        Value::Date(_) => serde_json::json!({ "date": true }),
        Value::Integer(number) => number
            .as_signed()
            .map_or_else(|| number.as_unsigned().into(), Into::into),
        Value::Real(number) => (*number).into(),
        Value::String(text) => text.as_str().into(),
        other => panic!("{other:?}"),
    }
}

/// Property lists written by hand, and whether Baleen can read them. Baleen reads the same values as `plistlib`;
/// `plistlib` also reads some of those that Baleen refuses, and loses parts of them.
#[test]
fn property_lists_are_what_plistlib_reads() {
    let in_plist = |inside: &str| {
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n{inside}\n</plist>\n")
            .into_bytes()
    };
    let mut documents: Vec<(Vec<u8>, bool)> = [
        ("<string>a<![CDATA[ < b && c ]]>d</string>", true),
        ("<string><![CDATA[proxy.corp]]></string>", true),
        ("<string><![CDATA[a]]]]><![CDATA[>]]></string>", true),
        (
            "<dict><key>a<![CDATA[<]]></key><string>b</string></dict>",
            true,
        ),
        (
            "<dict><key>a</key><integer>1</integer><key>a</key><integer>2</integer></dict>",
            true,
        ),
        (
            "<dict><!-- <key>x</key> --><key>a</key><?b c?><true/></dict>",
            true,
        ),
        ("<string>a<!-- - > <x> -->b</string>", true),
        (
            "<string>&lt;&#65;&#x42;&amp;amp;&quot;&apos;&gt;</string>",
            true,
        ),
        ("<string>&#9;&#10;&#13;</string>", true),
        ("<string>a\r\nb\rc\td</string>", true),
        ("<string>  </string>", true),
        ("<string/>", true),
        ("<string></string>", true),
        ("<string>\u{1f40b} \u{fc}</string>", true),
        ("<integer> 8080\n</integer>", true),
        ("<integer><![CDATA[3128]]></integer>", true),
        ("<integer>0x1F</integer>", true),
        ("<integer>-1</integer>", true),
        ("<integer>18446744073709551615</integer>", true),
        ("<real> 1.5 </real>", true),
        ("<data>\n  AQID\n  BA==\n</data>", true),
        ("<date>2026-11-28T01:02:03Z</date>", true),
        ("<array><true/><false></false><array/><dict/></array>", true),
        ("<array \n><string >a</string ></array\t>", true),
        ("<array><![CDATA[ ]]><true/></array>", true),
        ("<string>&nbsp;</string>", false),
        ("<string>a &unknown; b</string>", false),
        ("<string>a && b</string>", false),
        ("<string>&#0;</string>", false),
        ("<string>&#1;</string>", false),
        ("<string>&#x110000;</string>", false),
        ("<string>\u{1}</string>", false),
        ("<string>a<b></string>", false),
        ("<string><![CDATA[a</string>", false),
        ("<string>a</string", false),
        ("<dict><key>a</key></dict>", false),
        ("<dict><key>a</key><key>b</key><true/></dict>", false),
        ("<dict><string>a</string><true/></dict>", false),
        ("<array><key>a</key></array>", false),
        ("<integer>x</integer>", false),
        ("<array></dict>", false),
        // Python accepts these: the last of two values, an unknown element as nothing, and text without a value.
        ("<true/><false/>", false),
        ("<array><unknown/></array>", false),
        ("<array><![CDATA[a]]></array>", false),
        ("<string>a<true/>b</string>", false),
    ]
    .map(|(inside, good)| (in_plist(inside), good))
    .to_vec();
    let text = "<plist><string>b\u{fc}</string></plist>";
    let utf_16 = format!("\u{feff}<?xml version=\"1.0\" encoding=\"UTF-16\"?>{text}");
    documents.extend([
        (text.as_bytes().to_vec(), true),
        (format!("\u{feff}{text}").into_bytes(), true),
        (
            utf_16.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            true,
        ),
        (
            utf_16.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            true,
        ),
        (
            b"<dict><key>a</key><string>b</string></dict>".to_vec(),
            true,
        ),
        // An encoding that Python converts, and Baleen refuses with its name.
        (
            b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><plist><string>\xfc</string></plist>"
                .to_vec(),
            false,
        ),
        (
            b"<!DOCTYPE plist [<!ENTITY a \"b\">]><plist><string>&a;</string></plist>".to_vec(),
            false,
        ),
    ]);
    let mut binary = Vec::new();
    let list = plist::Value::Array(vec!["a<![CDATA[b]]>".into(), 5.into(), true.into()]);
    list.to_writer_binary(&mut binary).unwrap();
    documents.push((binary, true));

    let read: Vec<Option<serde_json::Value>> = documents
        .iter()
        .map(|(bytes, good)| {
            let read = baleen::property_list::parse(bytes.clone()).unwrap();
            let shown = String::from_utf8_lossy(bytes);
            assert_eq!(read.is_ok(), *good, "{shown}: {read:?}");
            read.ok().map(|value| plain(&value))
        })
        .collect();
    if !has_tool("python3") {
        return;
    }
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let lines: Vec<String> = documents.iter().map(|(bytes, _)| hex(bytes)).collect();
    let mut python = Command::new("python3");
    let answers = said(python.args(["-c", PLISTLIB]), lines.join("\n").into_bytes());
    assert_eq!(answers.lines().count(), documents.len());
    for ((line, read), (bytes, _)) in answers.lines().zip(read).zip(&documents) {
        let python: serde_json::Value = serde_json::from_str(line).unwrap();
        if let Some(read) = read {
            let shown = String::from_utf8_lossy(bytes);
            assert_eq!(python["value"], read, "{shown}");
        }
    }
}
