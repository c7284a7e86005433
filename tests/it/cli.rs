//! The program as its user sees it: its output, its exit code, and the files on disk afterwards.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::common::app::{
    App, OTHER_PROXY, PROXY, Run, image_with, mode, percent_decoded, set_mode,
};
use crate::common::redact::{Transcript, redacted};
use crate::common::{app, tools};
use baleen::digest::Sha;

/// A password with all characters that shells and URLs trip over; it contains `NEEDLE`, raw or encoded.
const PASSWORD: &str = "Xq7needle'$`% @#\"\\ü";
const NEEDLE: &str = "Xq7needle";
const STOCK_SCRIPT: &str = "#!/sbin/openrc-run\n\ncommand=/usr/bin/docker\n";

fn with_password() -> String {
    format!("http://me:{PASSWORD}@proxy.corp:8080")
}

fn sha(bytes: &[u8]) -> String {
    Sha::of(bytes).to_string()
}

#[test]
fn help_teaches_the_tool() {
    let app = App::new();
    let mut told = Transcript::default();
    told.ok(&app, &["--help"]);
    for command in [
        "apply",
        "restore",
        "status",
        "inspect",
        "demo",
        "credentials",
        "uninstall",
        "completions",
    ] {
        told.ok(&app, &[command, "--help"]);
    }
    insta::assert_snapshot!(told);
    let version = app.ok(&["--version"]);
    assert_eq!(version, concat!("baleen ", env!("CARGO_PKG_VERSION"), "\n"));
}

/// The manual has a page for each command that the help names, and groff accepts every page.
#[test]
fn the_manual_has_a_page_for_each_command() {
    let app = App::new();
    let folder = app.dir.path().join("manual/man1");
    app.ok(&["man", folder.to_str().unwrap()]);
    let help = app.ok(&["--help"]);
    let commands = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .map_while(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help");
    let mut pages: Vec<String> = commands
        .map(|command| format!("baleen-{command}.1"))
        .collect();
    assert!(pages.len() > 10, "{help}");
    pages.push("baleen.1".to_owned());
    for page in &pages {
        let path = folder.join(page);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
        assert!(text.contains(".SH SYNOPSIS"), "{page}: {text}");
        assert!(text.contains("\n.nh\n.ad l\n.SH NAME\n"), "{page}: {text}");
        if let Some(mut groff) = tools::tool("groff", "groff") {
            let seen = groff
                .args(["-man", "-ww", "-z", "-Tutf8"])
                .arg(&path)
                .output()
                .unwrap();
            let complaints = String::from_utf8_lossy(&seen.stderr);
            assert_eq!(complaints, "", "{page}");
            // On a terminal of the usual width no word is broken, and no line is cut off.
            let seen = tools::tool("groff", "groff")
                .unwrap()
                .args(["-man", "-Tascii", "-P-cbou", "-rLL=78n"])
                .arg(&path)
                .output()
                .unwrap();
            let seen = String::from_utf8_lossy(&seen.stdout);
            let widest = seen.lines().max_by_key(|line| line.len()).unwrap();
            assert!(widest.len() <= 80, "{page}: {widest}");
        }
    }
    let main = fs::read_to_string(folder.join("baleen.1")).unwrap();
    for section in ["EXAMPLES", "EXIT STATUS", "ENVIRONMENT", "FILES"] {
        assert_eq!(
            main.matches(&format!(".SH {section}\n")).count(),
            1,
            "{section} in {main}"
        );
    }
    assert!(!main.contains("EXTRA"), "{main}");
    let completions = fs::read_to_string(folder.join("baleen-completions.1")).unwrap();
    assert!(
        completions.contains(".SH FILES\n") && !completions.contains("EXTRA"),
        "{completions}"
    );
    // A cask names each page, and Homebrew installs no other.
    let written: BTreeSet<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let cask = include_str!("../../packaging/homebrew/baleen.rb");
    let named = cask
        .lines()
        .filter_map(|line| line.trim().strip_prefix("manpage "));
    let named: BTreeSet<_> = named
        .filter_map(|path| path.trim_matches('"').rsplit('/').next().map(str::to_owned))
        .collect();
    assert_eq!(named, written);
}

#[test]
fn what_is_not_understood_is_a_usage_error() {
    let app = App::new();
    let before = app.strict_snapshot();
    for arguments in [
        &[][..],
        &["patch"],
        &["apply", "--proxy", "x"],
        &["apply", "--method", "zip", "--http-proxy", PROXY],
        &["apply", "--http-proxy"],
        &["apply", "--no-proxy", "*"],
        &["apply", "--source", "magic"],
        &["apply", "--source", "manual"],
        &["apply", "--source", "system", "--http-proxy", PROXY],
        &["proxy", "test"],
        &["proxy", "test", "a b"],
        &["restore", "now"],
        &["inspect"],
        &["uninstall", "--dry-run", "--yes"],
        &["completions", "csh"],
        &["status", "--color", "often"],
        &["status", "--docker-app", ""],
    ] {
        let run = app.run(arguments);
        assert_eq!((run.code, &*run.out), (2, ""), "{arguments:?}: {run}");
        assert!(!run.err.is_empty(), "{arguments:?}");
    }
    before.is_still(&app.strict_snapshot());
}

#[test]
fn completions_are_printed_for_every_shell() {
    let app = App::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = app.ok(&["completions", shell]);
        assert!(
            script.contains("baleen") && script.contains("http-proxy"),
            "{shell}"
        );
    }
    if tools::has_tool("bash") {
        let file = app.dir.path().join("completion");
        fs::write(&file, app.ok(&["completions", "bash"])).unwrap();
        let output = Command::new("bash").arg("-n").arg(&file).output().unwrap();
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{output:?}"
        );
    }
}

/// Without a terminal, the places are in the help alone: the output is the script.
#[test]
fn completions_say_where_they_go() {
    let app = App::new();
    let help = app.ok(&["completions", "--help"]);
    for place in [
        "~/.local/share/bash-completion/completions/baleen",
        "~/.zfunc/_baleen",
        "~/.config/fish/completions/baleen.fish",
        "share/zsh/site-functions/_baleen",
    ] {
        assert!(help.contains(place), "{place} in {help}");
    }
    let run = app.run(&["completions", "zsh"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
}

#[test]
fn quiet_prints_errors_alone() {
    let app = App::new();
    let apply = ["apply", "--http-proxy", PROXY, "--quiet"];
    for (arguments, code) in [
        (&["-q", "status"][..], 0),
        (&apply, 0),
        (&apply, 0),
        (&["status", "-q", "--verify"], 0),
        (&["inspect", "-q", app.image().to_str().unwrap()], 0),
        (&["restore", "-q"], 0),
        (&["restore", "-q"], 0),
    ] {
        let run = app.run(arguments);
        assert_eq!(
            (run.code, run.out.as_str(), run.err.as_str()),
            (code, "", ""),
            "{arguments:?}"
        );
    }
    let refused = app.run(&["apply", "-q", "--http-proxy", "socks5://p:1"]);
    assert_eq!((refused.code, refused.out.as_str()), (2, ""));
    assert!(refused.err.starts_with("error: "), "{refused}");
    // Nothing is agreed to that was not shown.
    let asked = app.run(&["uninstall", "-q"]);
    assert_eq!((asked.code, asked.out.as_str()), (2, ""), "{asked}");
    for arguments in [
        &["-q", "status", "--json"][..],
        &["status", "-q", "-v"],
        &["completions", "zsh", "-q"],
        &["completions", "zsh", "--json"],
        &["config", "path", "-q"],
        &["relay", "--port", "1", "status"],
        &["proxy", "--http-proxy", PROXY, "test", "github.com"],
    ] {
        let run = app.run(arguments);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{run}");
        assert!(run.err.contains("cannot be used with"), "{run}");
    }
}

/// Sizes, digests and methods are for those who ask; `--json` has them always.
#[test]
fn verbose_adds_sizes_digests_and_methods() {
    let app = App::new();
    let mut told = Transcript::default();
    let apply = ["apply", "--http-proxy", PROXY];
    told.ok(&app, &[&apply[..], &["-v"]].concat());
    for arguments in [
        &["status"][..],
        &["status", "-v"],
        &["status", "--verify"],
        &["restore", "-v"],
    ] {
        told.ok(&app, arguments);
    }
    insta::assert_snapshot!(told);
}

#[test]
fn the_demo_tells_its_story_and_leaves_nothing_behind() {
    let app = App::new();
    let temporary = app.dir.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let before = app.snapshot();
    let run = |arguments: &[&str]| Run::of(app.command(arguments).env("TMPDIR", &temporary));
    let text = run(&["demo"]);
    assert_eq!((text.code, &*text.err), (0, ""), "{text}");
    let steps = run(&["demo", "--json"]).object();
    let steps = steps["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 8);
    let states: Vec<&Value> = steps
        .iter()
        .flat_map(|step| step["facts"].as_array().unwrap())
        .filter_map(|fact| fact.get("state"))
        .collect();
    assert_eq!(states, ["off", "current", "wiped", "current", "off"]);
    let claims: Vec<&Value> = steps
        .iter()
        .flat_map(|step| step["facts"].as_array().unwrap())
        .filter_map(|fact| fact.get("holds"))
        .collect();
    assert!(
        claims.len() > 3 && claims.iter().all(|holds| **holds == true),
        "{claims:?}"
    );
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
    before.is_still(&app.snapshot());

    let kept = app.dir.path().join("kept");
    let kept = kept.to_str().unwrap();
    app.ok(&["demo", "--keep", kept]);
    assert!(
        Path::new(kept)
            .join("Docker.app/Contents/Info.plist")
            .exists()
    );
    app.refused(&["demo", "--keep", kept], 4, &[kept]);
}

#[test]
fn apply_and_restore_say_what_they_did_and_do_it() {
    let app = App::new();
    let original = app.bytes();
    assert_eq!(app.state(&[]), ("off".into(), 0));

    let mut told = Transcript::default();
    let said = told.ok(&app, &["apply", "--http-proxy", PROXY, "-v"]);
    assert!(said.contains(&sha(&original)), "{said}");
    assert!(app.bytes().starts_with(&original));
    assert_eq!(fs::read(app.backup()).unwrap(), original);
    assert!(app.script_text().contains(&format!(
        "export HTTP_PROXY='{PROXY}' http_proxy='{PROXY}'\n"
    )));
    assert_eq!(app.state(&[]), ("current".into(), 0));
    assert_eq!(app.state(&["--verify"]), ("current".into(), 0));

    let said = told.ok(&app, &["restore", "-v"]);
    assert!(said.contains(&sha(&original)), "{said}");
    assert_eq!(app.bytes(), original);
    assert_eq!(app.overridden_settings(), ["initrd.img", "vmlinuz64"]);
    assert_eq!(app.state(&["--verify"]), ("off".into(), 0));

    let before = app.strict_snapshot();
    told.ok(&app, &["restore"]);
    before.is_still(&app.strict_snapshot());
    insta::assert_snapshot!(told);
}

#[test]
fn applying_twice_is_applying_once() {
    for method in ["append", "rebuild"] {
        let app = App::new();
        let arguments = ["apply", "--http-proxy", PROXY, "--method", method];
        app.ok(&arguments);
        let before = app.strict_snapshot();
        app.ok(&arguments);
        let (code, object) = app.json(&arguments);
        assert_eq!((code, &object["changed"]), (0, &json!(false)));
        // Without `--method`, the method in place is kept.
        app.apply(PROXY);
        let (_, object) = app.json(&["apply", "--http-proxy", PROXY]);
        assert_eq!(object["changed"], false);
        before.is_still(&app.strict_snapshot());
    }
}

#[test]
fn a_dry_run_shows_the_change_and_touches_nothing() {
    let app = App::new();
    let mut told = Transcript::default();
    for prepare in [
        &[][..],
        &["apply", "--http-proxy", OTHER_PROXY],
        &["apply", "--http-proxy", OTHER_PROXY, "--method", "rebuild"],
    ] {
        if !prepare.is_empty() {
            app.ok(prepare);
        }
        let before = app.strict_snapshot();
        for method in ["append", "rebuild"] {
            let arguments = [
                "apply",
                "--http-proxy",
                PROXY,
                "--dry-run",
                "--method",
                method,
            ];
            told.ok(&app, &arguments);
            let (code, object) = app.json(&arguments);
            assert_eq!(code, 0);
            assert_eq!(object["changed"], false);
            assert_eq!(object["would_change"], true);
            assert_eq!(object["image"]["method"], method);
            assert!(object["script_diff"].as_str().unwrap().contains("+export"));
            before.is_still(&app.strict_snapshot());
        }
    }
    told.ok(&app, &["apply", "--http-proxy", OTHER_PROXY, "--dry-run"]);
    insta::assert_snapshot!(told);
    let (_, object) = app.json(&["apply", "--http-proxy", OTHER_PROXY, "--dry-run"]);
    assert_eq!(object["would_change"], false);
}

#[test]
fn json_has_what_scripts_rely_on() {
    let app = App::new();
    let original = app.bytes();
    let path = app.app();
    let docker =
        json!({ "path": path, "family": "moby", "version": "1.11.1-beta12", "build": "7488" });
    let proxy = json!({ "http": "http://me:***@one:1", "https": "http://two:2", "no_proxy": "localhost,127.0.0.1,.corp" });

    let (code, status) = app.json(&["status"]);
    assert_eq!(
        (code, &status["state"], &status["docker"]),
        (0, &json!("off"), &docker)
    );
    assert_eq!(status["proxy"], Value::Null);
    let image = json!({ "path": app.image(), "bytes": original.len(), "original_sha256": null, "method": null });
    assert_eq!(status["image"], image);
    let (_, verified) = app.json(&["status", "--verify"]);
    assert_eq!(verified["image"]["original_sha256"], sha(&original));

    let arguments = [
        "apply",
        "--http-proxy",
        "http://me:x@one:1",
        "--https-proxy",
        "two:2",
        "--no-proxy",
        ".corp",
    ];
    let (code, applied) = app.json(&arguments);
    assert_eq!(
        (code, &applied["changed"], &applied["docker"]),
        (0, &json!(true), &docker)
    );
    assert_eq!(applied["proxy"], proxy);
    let length = app.bytes().len();
    let image = json!({ "path": app.image(), "bytes": length, "original_sha256": sha(&original), "method": "append" });
    assert_eq!(applied["image"], image);

    let (code, status) = app.json(&["status"]);
    assert_eq!(
        (code, &status["state"], &status["proxy"]),
        (0, &json!("current"), &proxy)
    );
    assert_eq!((&status["image"], &status["docker"]), (&image, &docker));

    let path = app.image();
    let (code, inspected) = app.json(&["inspect", path.to_str().unwrap()]);
    assert_eq!(code, 0);
    assert_eq!(inspected["image"]["bytes"], length);
    let members = inspected["members"].as_array().unwrap();
    assert_eq!(members.len(), 3);
    assert_eq!(members[2]["offset"], original.len());
    for field in ["offset", "bytes", "compression", "unpacked", "entries"] {
        assert!(
            members.iter().all(|member| !member[field].is_null()),
            "{field}"
        );
    }
    let entries = inspected["entries"].as_array().unwrap();
    let named = |name: &str| -> Vec<&Value> {
        entries
            .iter()
            .filter(|entry| entry["name"] == name)
            .collect()
    };
    let scripts = named("etc/init.d/docker");
    assert_eq!(scripts.len(), 2);
    assert_eq!(scripts[0]["mode"], scripts[1]["mode"]);
    assert_eq!(named("bin/sh")[0]["target"], "busybox");
    assert_eq!(named("bin/busybox")[0]["mode"], "4755");
    assert_eq!(named("dev/null")[0]["device"], json!([1, 3]));

    let (code, restored) = app.json(&["restore"]);
    assert_eq!(
        (code, &restored["changed"], &restored["docker"]),
        (0, &json!(true), &docker)
    );
    assert_eq!(restored["original_sha256"], sha(&original));
    assert_eq!(app.json(&["restore"]).1["changed"], false);

    // A failure is a JSON object as well, and is also printed on standard error.
    let refused = app.run(&["apply", "--json", "--http-proxy", "socks5://p:1"]);
    let error = &refused.object()["error"];
    assert_eq!((refused.code, &error["kind"]), (2, &json!("usage")));
    assert!(error["message"].as_str().unwrap().contains("socks5"));
    assert!(refused.err.starts_with("error: "), "{refused}");
}

#[test]
fn no_output_ever_holds_a_password() {
    let app = App::new();
    let (url, other) = (with_password(), format!("http://me:{NEEDLE}2@p:1"));
    let image = app.image();
    let image = image.to_str().unwrap();
    let bad_port = format!("http://me:{PASSWORD}@p:x");
    let bad_host = format!("http://me:{PASSWORD}@p q:1");
    let bad_scheme = format!("socks5://me:{PASSWORD}@p:1");
    let no_host = format!("http://me:{NEEDLE}");
    let no_host_path = format!("http://me:1#{NEEDLE}");
    let control = format!("http://me:{NEEDLE}%0a@p:1");
    let no_user = format!("http://:{NEEDLE}@p:1");
    let silent = |arguments: &[&str], codes: &[i32]| {
        for extra in [&[][..], &["--json"], &["--color", "always"]] {
            let arguments = [arguments, extra].concat();
            let run = app.run(&arguments);
            assert!(codes.contains(&run.code), "{arguments:?}: {run}");
            assert!(
                !run.out.contains(NEEDLE) && !run.err.contains(NEEDLE),
                "{arguments:?}: {run}"
            );
        }
    };
    silent(&["apply", "--http-proxy", &url, "--dry-run"], &[0]);
    silent(
        &[
            "apply",
            "--http-proxy",
            &url,
            "--https-proxy",
            &other,
            "--dry-run",
        ],
        &[0],
    );
    silent(&["apply", "--http-proxy", &url], &[0]);
    // The note says that the image holds the password.
    let arguments = ["apply", "--http-proxy", &url, "--https-proxy", &other];
    let run = app.run(&arguments);
    assert_eq!((run.code, &*run.err), (0, ""), "{run}");
    insta::assert_snapshot!(redacted(&run.out));
    silent(&["apply", "--http-proxy", &url, "--dry-run"], &[0]);
    silent(
        &[
            "apply",
            "--http-proxy",
            &url,
            "--method",
            "rebuild",
            "--dry-run",
        ],
        &[0],
    );
    silent(&["status"], &[0]);
    silent(&["status", "--verify"], &[0]);
    silent(&["status", "--http-proxy", &other], &[3]);
    silent(&["inspect", image], &[0]);
    for bad in [
        &bad_port,
        &bad_host,
        &bad_scheme,
        &no_host,
        &no_host_path,
        &control,
        &no_user,
    ] {
        silent(&["apply", "--http-proxy", bad], &[2]);
        silent(&["status", "--https-proxy", bad], &[2]);
        let run = Run::of(app.command(&["apply"]).env("https_proxy", bad));
        assert_eq!(run.code, 2, "{run}");
        assert!(!run.err.contains(NEEDLE), "{run}");
    }
    silent(&["restore"], &[0]);

    // A script into which someone else wrote a password.
    for value in [
        format!("http://me:{NEEDLE}@p:1"),
        format!("me:{NEEDLE}@p:1"),
        format!("'http://me:a@{NEEDLE}@p:1'"),
        format!("\"CORP\\\\me:a b{NEEDLE}@p:1\""),
    ] {
        let script = format!("#!/sbin/openrc-run\nexport http_proxy={value}\ncommand=x\n");
        app.replace_image(&image_with(script.as_bytes()));
        silent(&["apply", "--http-proxy", PROXY], &[4]);
        silent(
            &["apply", "--http-proxy", PROXY, "--adopt", "--dry-run"],
            &[0],
        );
        silent(&["status", "--verify"], &[4]);
        silent(&["apply", "--http-proxy", PROXY, "--adopt"], &[0]);
        silent(
            &["apply", "--http-proxy", OTHER_PROXY, "--adopt", "--dry-run"],
            &[0],
        );
    }
}

#[test]
fn the_image_holds_the_password_so_that_it_decodes_to_the_same() {
    let app = App::new();
    app.apply(&with_password());
    let script = app.script_text();
    assert!(!script.contains(PASSWORD));
    let line = script
        .lines()
        .find(|line| line.starts_with("export HTTPS_PROXY="))
        .unwrap();
    let quoted: Vec<&str> = line.split('\'').collect();
    assert_eq!(quoted.len(), 5, "{line}");
    assert_eq!(quoted[1], quoted[3]);
    let encoded = quoted[1].strip_prefix("http://me:").unwrap();
    let encoded = encoded.strip_suffix("@proxy.corp:8080").unwrap();
    assert_eq!(percent_decoded(encoded), PASSWORD.as_bytes());
    // No other entry of the image contains it, and no other file does.
    let manifest = app.ok(&[
        "inspect",
        "--entry",
        "etc/baleen.json",
        app.image().to_str().unwrap(),
    ]);
    assert!(!manifest.contains(NEEDLE), "{manifest}");
    let state = fs::read_to_string(app.dir.path().join("state/state.json")).unwrap();
    assert!(!state.contains(NEEDLE), "{state}");
    // The proxy that was named is noted, without its password.
    assert!(state.contains("http://me:***@proxy.corp:8080"), "{state}");
}

#[test]
fn proxies_come_from_the_environment_when_no_option_names_one() {
    let app = App::new();
    let dry = |variables: &[(&str, &str)], options: &[&str]| {
        let arguments = [&["apply", "--dry-run", "--json"], options].concat();
        let run = Run::of(app.command(&arguments).envs(variables.iter().copied()));
        assert_eq!(run.code, 0, "{run}");
        run.object()["proxy"].clone()
    };
    let list = "localhost,127.0.0.1";
    assert_eq!(
        dry(
            &[
                ("https_proxy", "a:1"),
                ("HTTP_PROXY", "b:2"),
                ("http_proxy", "c:3"),
                ("no_proxy", "x")
            ],
            &[]
        ),
        json!({ "http": "http://b:2", "https": "http://a:1", "no_proxy": format!("{list},x") })
    );
    assert_eq!(
        dry(&[("HTTPS_PROXY", ""), ("https_proxy", "a:1")], &[]),
        json!({ "http": null, "https": "http://a:1", "no_proxy": list })
    );
    // The option alone counts, even if variables are invalid.
    assert_eq!(
        dry(
            &[("https_proxy", "socks5://a:1"), ("no_proxy", "*")],
            &["--http-proxy", "d:4"]
        ),
        json!({ "http": "http://d:4", "https": "http://d:4", "no_proxy": list })
    );
}

#[test]
fn every_state_has_its_word_and_exit_code() {
    let app = App::new();
    assert_eq!(app.state(&[]), ("off".into(), 0));
    app.apply(PROXY);
    assert_eq!(app.state(&["--http-proxy", PROXY]), ("current".into(), 0));
    assert_eq!(
        app.state(&["--http-proxy", OTHER_PROXY]),
        ("stale".into(), 3)
    );
    // A different list or password makes a different proxy.
    assert_eq!(
        app.state(&["--http-proxy", PROXY, "--no-proxy", ".corp"]),
        ("stale".into(), 3)
    );
    app.apply("http://me:a@p:1");
    assert_eq!(
        app.state(&["--http-proxy", "http://me:a@p:1"]),
        ("current".into(), 0)
    );
    assert_eq!(
        app.state(&["--http-proxy", "http://me:b@p:1"]),
        ("stale".into(), 3)
    );

    app.install("1.11.1-beta13", "7975");
    assert_eq!(app.state(&[]), ("wiped".into(), 3));
    assert_eq!(app.state(&["--verify"]), ("wiped".into(), 3));
    app.apply(PROXY);
    assert_eq!(app.state(&[]), ("current".into(), 0));
    app.ok(&["restore"]);
    app.install("1.12.0", "10871");
    assert_eq!(app.state(&[]), ("off".into(), 0));

    let plist = fs::read(app.info_plist()).unwrap();
    fs::write(app.info_plist(), &plist[..plist.len() / 2]).unwrap();
    assert_eq!(app.state(&[]), ("updating".into(), 4));
    fs::write(app.info_plist(), &plist).unwrap();
    let image = app.bytes();
    app.replace_image(&image[..image.len() / 2]);
    assert_eq!(app.state(&["--verify"]), ("updating".into(), 4));
    app.replace_image(b"text");
    assert_eq!(app.state(&[]), ("unsupported".into(), 4));
    fs::remove_dir_all(app.app()).unwrap();
    assert_eq!(app.state(&[]), ("no-docker".into(), 4));
    assert_eq!(app.json(&["status"]).1["docker"], Value::Null);
}

#[test]
fn a_patch_that_was_tampered_with_is_seen_by_verify() {
    let app = App::new();
    app.apply(PROXY);
    let mut image = app.bytes();
    // A bit of the stock image: nothing the kernel would notice in this place.
    image[4] ^= 1;
    app.replace_image(&image);
    assert_eq!(app.state(&[]), ("current".into(), 0));
    let (code, status) = app.json(&["status", "--verify"]);
    assert_eq!((code, &status["state"]), (4, &json!("unsupported")));
    insta::assert_snapshot!(redacted(status["sentence"].as_str().unwrap()));
    // The backup is complete, so the original can still be restored.
    app.ok(&["restore"]);
    assert_eq!(app.state(&["--verify"]), ("off".into(), 0));
}

#[test]
fn exports_made_by_hand_are_taken_over_only_on_request() {
    let script = "#!/sbin/openrc-run\n\nexport http_proxy=http://hand.corp:1\ndepend() { need net; }\nstart() { start-stop-daemon --start; }\n";
    let mut told = Transcript::default();
    for method in ["append", "rebuild"] {
        let app = App::with_script(script.as_bytes());
        let original = app.bytes();
        assert_eq!(
            app.state(&[]).0,
            "off",
            "a cheap status does not look inside"
        );
        assert_eq!(app.state(&["--verify"]), ("foreign".into(), 4));
        let arguments = ["apply", "--http-proxy", PROXY, "--method", method];
        told.refused(&app, &arguments, 4);
        app.ok(&[&arguments[..], &["--adopt"]].concat());
        let patched = app.script_text();
        assert!(!patched.contains("hand.corp"), "{patched}");
        assert!(
            patched.contains("depend() { need net; }\nstart()"),
            "{patched}"
        );
        assert_eq!(app.state(&["--verify"]), ("current".into(), 0));
        // The restored image is not Docker's own, and no message says that it is.
        told.ok(&app, &["restore"]);
        assert_eq!(app.bytes(), original);
        for arguments in [&[][..], &["--verify"]] {
            let (code, status) = app.json(&[&["status"], arguments].concat());
            assert_eq!((code, &status["state"]), (4, &json!("foreign")), "{status}");
            let sentence = status["sentence"].as_str().unwrap();
            assert!(sentence.contains("http://hand.corp:1"), "{sentence}");
        }
        // An update of Docker brings another image, about which nothing is known.
        app.replace_image(&image_with(STOCK_SCRIPT.as_bytes()));
        assert_eq!(app.state(&[]), ("off".into(), 0));
    }
    insta::assert_snapshot!(told);
}

/// On a terminal lines are broken between words, and what is to be copied is whole.
#[test]
fn a_narrow_terminal_breaks_lines_between_words() {
    if !tools::has_tool("script") {
        return;
    }
    let app = App::new();
    let on_terminal = |columns: &str, arguments: &str| {
        let program = format!("{} {arguments}", env!("CARGO_BIN_EXE_baleen"));
        let mut script = Command::new("script");
        script.args(["-qec", &program, "/dev/null"]);
        app.environment(&mut script);
        script.env("COLUMNS", columns);
        tools::said(&mut script, Vec::new()).replace('\r', "")
    };
    let apply = format!("apply --http-proxy {PROXY} --no-proxy .corp.example,other.example");
    app.ok(&apply.split(' ').collect::<Vec<_>>());
    let piped = app.ok(&["status", "-v"]);
    assert!(piped.lines().any(|line| line.len() > 80), "{piped}");
    let words = |text: &str| {
        let text = text.split_whitespace().map(str::to_owned);
        text.collect::<Vec<_>>()
    };
    for columns in [40, 64, 100] {
        let broken = on_terminal(&columns.to_string(), "--color never status -v");
        // A list may be broken after a comma.
        assert_eq!(words(&broken).concat(), words(&piped).concat());
        for line in broken.lines() {
            let is_narrow = line.chars().count() <= columns;
            let is_path_or_command = line.trim_start().starts_with(['/', '`', '(']);
            let is_digest = words(line).iter().any(|word| word.len() == 64);
            assert!(
                is_narrow || is_path_or_command || is_digest || line.starts_with("  image "),
                "{columns}: {line:?}"
            );
        }
    }
    // More than a hundred columns are not easy to read.
    let wide = on_terminal("400", "--color never status -v");
    let widest = wide.lines().filter(|line| !line.contains('/'));
    assert!(widest.clone().all(|line| line.len() <= 100), "{wide}");
    let help = on_terminal("50", "status --help");
    assert!(
        help.lines().all(|line| line.chars().count() <= 50),
        "{help}"
    );

    // A completion script on a terminal is of no use without its place.
    let script = app.ok(&["completions", "zsh"]);
    let shown = on_terminal("100", "--color never completions zsh");
    let hint = shown.strip_prefix(&*script).unwrap();
    assert!(
        hint.contains("baleen completions zsh > ~/.zfunc/_baleen"),
        "{hint}"
    );
}

/// `watch` says what it watches, how to stop it, and when it saw what.
#[test]
fn watch_says_how_to_stop_it_and_when_it_saw_what() {
    let app = App::new();
    app.apply(PROXY);
    let mut watch = app.command(&["watch"]);
    // Two hours east of Greenwich.
    let mut child = watch
        .env("TZ", "CEST-2")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(
        next(),
        format!(
            "Watching {} and the proxy settings. Press Ctrl-C to stop.",
            app.app().display()
        )
    );
    let line = next();
    let (time, state) = line.split_at_checked(20).unwrap();
    let time = time.trim_end();
    let digits = time.replace(|letter: char| letter.is_ascii_digit(), "0");
    assert_eq!(digits, "0000-00-00 00:00:00", "{line}");
    let seconds = |time: std::time::SystemTime| {
        let since = time.duration_since(std::time::UNIX_EPOCH).unwrap();
        (since.as_secs() + 2 * 3600) / 3600 % 24
    };
    let hour: u64 = time[11..13].parse().unwrap();
    let now = seconds(std::time::SystemTime::now());
    assert!(
        hour == now || (hour + 1) % 24 == now,
        "{line}, and it is {now}"
    );
    assert!(state.starts_with("current: "), "{line}");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert!(child.wait().unwrap().success());
}

/// The recipe of 2016: the stock image is kept as `initrd.img-backup`, and the script in the other image is edited.
#[test]
fn the_stock_image_beside_one_with_a_proxy_set_by_hand_is_named() {
    let script = "#!/sbin/openrc-run\nexport HTTPS_PROXY=http://me:secret@hand.corp:1\ncommand=/usr/bin/docker\n";
    let app = App::with_script(script.as_bytes());
    let original = app.bytes();
    fs::write(app.backup(), image_with(STOCK_SCRIPT.as_bytes())).unwrap();
    let mut told = Transcript::default();
    let mut status = |arguments: &[&str], path: &Path| {
        let run = app.run(arguments);
        assert!(run.out.contains(path.to_str().unwrap()), "{run}");
        told.run(arguments, &run);
    };
    status(&["status", "--verify"], &app.backup());

    app.ok(&["apply", "--http-proxy", PROXY, "--adopt"]);
    let aside = app
        .overridden_settings()
        .into_iter()
        .find(|name| name.starts_with("initrd.img-backup-"));
    let aside = app.moby().join(aside.unwrap());
    status(&["uninstall", "--dry-run"], &aside);
    let (_, restored) = app.json(&["restore"]);
    assert_eq!(app.bytes(), original);
    assert_eq!(
        restored["proxy_by_hand"],
        "export HTTPS_PROXY=http://me:***@hand.corp:1"
    );
    let note = restored["notes"].to_string();
    assert!(note.contains(aside.to_str().unwrap()), "{restored}");
    assert_eq!(app.state(&[]), ("foreign".into(), 4));
    status(&["status"], &aside);
    told.text("a note of restore", note);
    let told = told.to_string();
    assert!(!told.contains("secret"), "{told}");
    insta::assert_snapshot!(told);
}

/// No proxy is set, and the image has one that someone wrote into it.
#[test]
fn the_engine_is_not_said_to_have_no_proxy_where_one_is_set_by_hand() {
    let script =
        "#!/sbin/openrc-run\nexport HTTPS_PROXY=http://hand.corp:1\ncommand=/usr/bin/docker\n";
    let app = App::with_script(script.as_bytes());
    let said = app.ok(&["apply"]);
    insta::assert_snapshot!(redacted(&said));
}

#[test]
fn a_proxy_named_by_hand_and_what_the_settings_say_are_reported_together() {
    let app = App::new();
    let mut told = Transcript::default();
    let with = |proxy: Option<&str>, arguments: &[&str]| {
        let mut command = app.command(arguments);
        if let Some(proxy) = proxy {
            command.env("HTTPS_PROXY", proxy).env("HTTP_PROXY", proxy);
        }
        let run = Run::of(&mut command);
        assert_eq!(run.code, 0, "{run}");
        run
    };
    let mut tell = |settings: Option<&str>, arguments: &[&str]| {
        let heading = format!("settings: {}", settings.unwrap_or("no proxy"));
        told.text(&heading, "");
        told.run(arguments, &with(settings, arguments));
    };
    tell(None, &["apply", "--http-proxy", PROXY]);
    for settings in [None, Some(PROXY), Some(OTHER_PROXY)] {
        tell(settings, &["status"]);
        let object = with(settings, &["status", "--json"]).object();
        assert_eq!(
            (&object["state"], &object["source"]),
            (&json!("current"), &json!("named"))
        );
        assert_eq!(object["settings"]["origin"], "the environment");
        assert_eq!(object["settings"]["proxy"]["https"], json!(settings));
        assert_eq!(object["settings"]["error"], Value::Null);

        tell(settings, &["proxy"]);
        let object = with(settings, &["proxy", "--json"]).object();
        assert_eq!(object["named"]["https"], PROXY);
        // The command answers for the proxy that the options name.
        tell(settings, &["proxy", "--http-proxy", OTHER_PROXY]);
    }
    tell(Some(OTHER_PROXY), &["proxy", "test", "a.example"]);
    tell(Some("http://a b:1"), &["status"]);

    tell(Some(OTHER_PROXY), &["apply", "--follow-settings"]);
    assert!(app.script_text().contains(OTHER_PROXY));
    let object = with(Some(OTHER_PROXY), &["status", "--json"]).object();
    assert_eq!(object["source"], "settings");
    assert_eq!(object["settings"]["proxy"]["https"], OTHER_PROXY);
    tell(Some(OTHER_PROXY), &["status"]);

    // The same proxy in both is no change of the image, and follows the settings anyway.
    app.apply(OTHER_PROXY);
    tell(Some(OTHER_PROXY), &["apply", "--follow-settings"]);
    insta::assert_snapshot!(told);
    let (_, object) = app.json(&["status"]);
    assert_eq!(object["source"], "settings");
    for option in ["--http-proxy", "--no-proxy"] {
        let run = app.run(&["apply", "--follow-settings", option, PROXY]);
        assert_eq!(run.code, 2, "{run}");
    }
}

/// The default of a Mac: no proxy, and a list of hosts that would bypass one.
#[test]
fn nothing_is_said_of_a_bypass_list_without_a_proxy() {
    let app = App::new();
    let plist = app.dir.path().join("settings.plist");
    let list = |more: &str| {
        let text = format!(
            "<?xml version=\"1.0\"?><plist version=\"1.0\"><dict><key>ExceptionsList</key><array><string>*.local</string><string>169.254/16</string><string>a,b</string></array><key>ExcludeSimpleHostnames</key><integer>1</integer>{more}</dict></plist>"
        );
        fs::write(&plist, text).unwrap();
    };
    let path = plist.to_str().unwrap();
    let script = "<key>ProxyAutoConfigEnable</key><integer>1</integer><key>ProxyAutoConfigJavaScript</key><string>function FindProxyForURL(u, h) { return 'DIRECT'; }</string>";
    for more in ["", script] {
        list(more);
        for arguments in [&["apply"][..], &["apply", "--dry-run"], &["proxy"]] {
            let named = [arguments, &["--system-proxies", path]].concat();
            app.ok(&named);
            let (_, object) = app.json(&named);
            assert_eq!(
                object["notes"].as_array().map_or(0, Vec::len),
                0,
                "{object}"
            );
        }
        let (_, object) = app.json(&["proxy", "--system-proxies", path]);
        assert_eq!(object["entries"], json!([]));
        // With an older kind of Docker that has settings of its own, too.
        let newer = [
            "proxy",
            "--docker-version",
            "4.0.0",
            "--system-proxies",
            path,
        ];
        assert_eq!(app.json(&newer).1["notes"], json!([]));
    }
    list(
        "<key>HTTPSEnable</key><integer>1</integer><key>HTTPSProxy</key><string>proxy.corp</string>",
    );
    // With a proxy, the list counts.
    let (_, object) = app.json(&["apply", "--system-proxies", path]);
    insta::assert_snapshot!(redacted(&format!("{:#}", object["notes"])));
}

#[test]
fn methods_can_be_changed_and_all_lead_back_to_the_original() {
    let app = App::new();
    let original = app.bytes();
    for method in [
        "rebuild", "append", "rebuild", "rebuild", "append", "append",
    ] {
        // A different proxy each time, so that there is a change to make.
        let proxy = format!("http://p:{}", 1000 + app.bytes().len() % 1000);
        for proxy in [&*proxy, PROXY] {
            app.ok(&["apply", "--http-proxy", proxy, "--method", method]);
            let (code, status) = app.json(&["status", "--verify", "--http-proxy", proxy]);
            assert_eq!((code, &status["state"]), (0, &json!("current")), "{status}");
            assert_eq!(status["image"]["method"], method);
            assert_eq!(status["image"]["original_sha256"], sha(&original));
            let script = app.script_text();
            assert_eq!(script.matches(">>> baleen").count(), 1, "{script}");
            assert_eq!(
                script.matches(&format!("HTTP_PROXY='{proxy}'")).count(),
                1,
                "{script}"
            );
        }
        assert_eq!(app.bytes().starts_with(&original), method == "append");
    }
    // Changing the proxy alone keeps the method.
    app.ok(&["apply", "--http-proxy", OTHER_PROXY, "--method", "rebuild"]);
    app.apply(PROXY);
    assert_eq!(app.json(&["status"]).1["image"]["method"], "rebuild");
    app.ok(&["restore"]);
    assert_eq!(app.bytes(), original);
    assert_eq!(app.overridden_settings(), ["initrd.img", "vmlinuz64"]);
}

#[test]
fn a_rebuilt_image_differs_in_the_script_and_the_manifest_alone() {
    let app = App::new();
    let list = || -> Vec<Value> {
        let (_, inspected) = app.json(&["inspect", app.image().to_str().unwrap()]);
        inspected["entries"].as_array().unwrap().clone()
    };
    let before = list();
    app.ok(&["apply", "--http-proxy", PROXY, "--method", "rebuild"]);
    let mut after = list();
    after.retain(|entry| entry["name"] != "etc/baleen.json");
    assert_eq!(after.len(), before.len());
    for (old, mut new) in before.into_iter().zip(after) {
        if old["name"] == "etc/init.d/docker" {
            assert_ne!(old["bytes"], new["bytes"]);
            new["bytes"] = old["bytes"].clone();
        }
        assert_eq!(old, new);
    }
}

#[test]
fn an_image_with_a_password_is_its_owners_alone_and_gets_its_mode_back() {
    for method in ["append", "rebuild"] {
        for (original, with_a_password) in [
            (0o644, 0o600),
            (0o664, 0o600),
            (0o755, 0o700),
            (0o600, 0o600),
            (0o444, 0o400),
        ] {
            let app = App::new();
            set_mode(&app.image(), original);
            app.ok(&[
                "apply",
                "--http-proxy",
                &with_password(),
                "--method",
                method,
            ]);
            assert_eq!(mode(&app.image()), with_a_password, "{original:o}");
            assert_eq!(mode(&app.backup()), original);
            // Without a password there is nothing to hide any more.
            app.apply(PROXY);
            assert_eq!(mode(&app.image()), original);
            app.apply(&with_password());
            assert_eq!(mode(&app.image()), with_a_password);
            app.ok(&["restore"]);
            assert_eq!(mode(&app.image()), original);
        }
        let app = App::new();
        set_mode(&app.image(), 0o644);
        app.apply(&with_password());
        fs::remove_file(app.backup()).unwrap();
        app.ok(&["restore"]);
        assert_eq!(mode(&app.image()), 0o644, "restored by cutting back");
    }
}

// The crate `xattr` is a dependency only where the program itself needs it.
#[cfg(not(target_os = "macos"))]
#[test]
fn extended_attributes_and_the_owner_are_kept() {
    for method in ["append", "rebuild"] {
        let app = App::new();
        if xattr::set(app.image(), "user.baleen.test", b"kept").is_err() {
            tools::tell(&format!(
                "skipped: extended attributes on {}",
                app.image().display()
            ));
            return;
        }
        let root = app.dir.path().metadata().unwrap().uid() == 0;
        if root {
            std::os::unix::fs::chown(app.image(), Some(501), Some(80)).unwrap();
        }
        let check = || {
            let value = xattr::get(app.image(), "user.baleen.test").unwrap();
            assert_eq!(value.as_deref(), Some(&b"kept"[..]), "{method}");
            let found = app.image().metadata().unwrap();
            assert!(!root || (found.uid(), found.gid()) == (501, 80), "{method}");
        };
        app.ok(&["apply", "--http-proxy", PROXY, "--method", method]);
        check();
        app.ok(&["apply", "--http-proxy", OTHER_PROXY, "--method", method]);
        check();
        if method == "append" {
            fs::remove_file(app.backup()).unwrap();
        }
        app.ok(&["restore"]);
        check();
    }
}

#[test]
fn the_backup_is_the_original_file_itself() {
    let app = App::new();
    let inode = |path: &Path| path.metadata().unwrap().ino();
    let (was, bytes) = (inode(&app.image()), app.bytes());
    app.apply(PROXY);
    assert_eq!(inode(&app.backup()), was, "a second name, not a copy");
    assert_ne!(inode(&app.image()), was);
    // Another proxy leaves the backup alone.
    let facts = app.backup().metadata().unwrap().modified().unwrap();
    app.apply(OTHER_PROXY);
    assert_eq!(inode(&app.backup()), was);
    assert_eq!(app.backup().metadata().unwrap().modified().unwrap(), facts);
    app.ok(&["restore"]);
    assert_eq!((inode(&app.image()), app.bytes()), (was, bytes));
}

#[test]
fn a_file_that_is_called_like_the_backup_is_never_lost() {
    let mut told = Transcript::default();
    for method in ["append", "rebuild"] {
        let app = App::new();
        let original = app.bytes();
        fs::write(app.backup(), b"the only copy of something").unwrap();
        let said = told.ok(&app, &["apply", "--http-proxy", PROXY, "--method", method]);
        assert_eq!(fs::read(app.backup()).unwrap(), original);
        let aside: Vec<String> = app
            .overridden_settings()
            .into_iter()
            .filter(|name| name.starts_with("initrd.img-backup-"))
            .collect();
        assert_eq!(aside.len(), 1);
        let aside = app.moby().join(&aside[0]);
        assert!(said.contains(aside.to_str().unwrap()), "{said}");
        let kept = || fs::read(&aside).unwrap() == b"the only copy of something";
        assert!(kept());
        app.apply(OTHER_PROXY);
        app.ok(&["restore"]);
        assert!(kept());
        assert_eq!(app.bytes(), original);
    }
    // An entry that is not a file can't be set aside without a guess.
    let app = App::new();
    fs::create_dir(app.backup()).unwrap();
    told.refused(&app, &["apply", "--http-proxy", PROXY], 4);
    fs::remove_dir(app.backup()).unwrap();
    symlink("/etc/hostname", app.backup()).unwrap();
    told.refused(&app, &["apply", "--http-proxy", PROXY], 4);
    insta::assert_snapshot!(told);
}

#[test]
fn another_programs_backup_of_the_right_bytes_is_used_but_not_its_mode() {
    let app = App::new();
    set_mode(&app.image(), 0o644);
    fs::write(app.backup(), app.bytes()).unwrap();
    set_mode(&app.backup(), 0o400);
    let original = app.bytes();
    app.apply(PROXY);
    assert_eq!(
        app.overridden_settings(),
        ["initrd.img", "initrd.img-backup", "vmlinuz64"]
    );
    app.ok(&["restore"]);
    assert_eq!((app.bytes(), mode(&app.image())), (original, 0o644));
}

#[test]
fn without_its_backup_an_appended_image_is_cut_back_and_a_rebuilt_one_refused() {
    let app = App::new();
    let original = app.bytes();
    app.apply(PROXY);
    fs::remove_file(app.backup()).unwrap();
    assert_eq!(app.state(&["--verify"]), ("current".into(), 0));
    // A change of the proxy makes the backup again.
    app.apply(OTHER_PROXY);
    assert_eq!(fs::read(app.backup()).unwrap(), original);
    fs::remove_file(app.backup()).unwrap();
    app.ok(&["restore"]);
    assert_eq!(app.bytes(), original);

    app.ok(&["apply", "--http-proxy", PROXY, "--method", "rebuild"]);
    fs::remove_file(app.backup()).unwrap();
    assert_eq!(app.state(&["--verify"]), ("unsupported".into(), 4));
    let mut told = Transcript::default();
    told.refused(&app, &["restore"], 4);
    told.refused(&app, &["apply", "--http-proxy", OTHER_PROXY], 4);
    insta::assert_snapshot!(told);
}

#[test]
fn a_stale_backup_is_never_restored() {
    for method in ["append", "rebuild"] {
        let app = App::new();
        let old = app.bytes();
        app.ok(&["apply", "--http-proxy", PROXY, "--method", method]);
        // The update replaces the image and leaves files that it does not know.
        let new = App::new();
        new.install("1.12.0", "10871");
        app.replace_image(&new.bytes());
        assert_eq!(fs::read(app.backup()).unwrap(), old);
        assert_eq!(app.json(&["restore"]).1["changed"], false);
        assert_eq!(app.bytes(), new.bytes());
        app.ok(&["apply", "--http-proxy", PROXY, "--method", method]);
        assert_eq!(fs::read(app.backup()).unwrap(), new.bytes());
        app.ok(&["restore"]);
        assert_eq!(app.bytes(), new.bytes());
    }
    // Of the same length, but with other bytes.
    let app = App::new();
    let original = app.bytes();
    app.ok(&["apply", "--http-proxy", PROXY, "--method", "rebuild"]);
    let mut stale = original.clone();
    stale[5000] ^= 1;
    fs::remove_file(app.backup()).unwrap();
    fs::write(app.backup(), &stale).unwrap();
    insta::assert_snapshot!(redacted(&app.refused(&["restore"], 4, &[]).err));
    app.refused(
        &["apply", "--http-proxy", OTHER_PROXY],
        4,
        &["initrd.img-backup"],
    );
}

#[test]
fn a_second_baleen_does_not_wait_and_breaks_nothing() {
    let app = App::new();
    app.apply(OTHER_PROXY);
    let folder = File::open(app.moby()).unwrap();
    folder.lock().unwrap();
    let mut told = Transcript::default();
    for arguments in [&["apply", "--http-proxy", PROXY][..], &["restore"]] {
        let before = app.snapshot();
        let (code, object) = app.json(arguments);
        assert_eq!((code, &object["error"]["kind"]), (4, &json!("busy")));
        before.is_still(&app.snapshot());
        told.refused(&app, arguments, 4);
    }
    insta::assert_snapshot!(told);
    // Commands that only read still work.
    assert_eq!(app.state(&["--verify"]), ("current".into(), 0));
    app.ok(&["apply", "--http-proxy", PROXY, "--dry-run"]);
    drop(folder);
    app.apply(PROXY);
}

#[test]
fn two_at_once_end_in_one_right_image() {
    let app = App::new();
    let original = app.bytes();
    let mut refused = 0;
    for round in 0..10 {
        let start = |proxy: &str| {
            app.command(&["apply", "--json", "--http-proxy", proxy])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        };
        let proxies = [
            format!("http://a:{}", 100 + round),
            format!("http://b:{}", 100 + round),
        ];
        let runs = [start(&proxies[0]), start(&proxies[1])]
            .map(|child| Run::from(child.wait_with_output().unwrap()));
        let done = runs.iter().filter(|run| run.code == 0).count();
        assert!(done >= 1, "{}{}", runs[0], runs[1]);
        for run in runs.iter().filter(|run| run.code != 0) {
            assert_eq!(run.code, 4, "{run}");
            assert_eq!(run.object()["error"]["kind"], "busy");
            refused += 1;
        }
        let script = app.script_text();
        let holds = |proxy: &String| script.contains(&format!("HTTP_PROXY='{proxy}'"));
        assert!(
            proxies
                .iter()
                .zip(&runs)
                .any(|(proxy, run)| run.code == 0 && holds(proxy)),
            "{script}"
        );
        assert_eq!(app.state(&["--verify"]), ("current".into(), 0));
        assert_eq!(
            app.overridden_settings(),
            ["initrd.img", "initrd.img-backup", "vmlinuz64"]
        );
        assert_eq!(fs::read(app.backup()).unwrap(), original);
    }
    tools::tell(&format!("{refused} of 20 found the other at work"));
    app.ok(&["restore"]);
    assert_eq!(app.bytes(), original);
}

#[test]
fn what_a_dead_run_left_is_cleared_away_and_nothing_else() {
    let app = App::new();
    for folder in [".baleen-x", ".other"] {
        fs::create_dir(app.moby().join(folder)).unwrap();
        fs::write(app.moby().join(folder).join("initrd.img"), b"half").unwrap();
    }
    fs::write(app.moby().join(".baleen-note"), b"a file of the user's").unwrap();
    app.apply(PROXY);
    assert_eq!(
        app.overridden_settings(),
        [
            ".baleen-note",
            ".other",
            "initrd.img",
            "initrd.img-backup",
            "vmlinuz64"
        ]
    );
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let app = App::new();
    let image = app.image();
    let image = image.to_str().unwrap();
    // More than a pipe holds, so that the program is still writing when the reader goes.
    let names: Vec<String> = (0..20_000)
        .map(|n| format!("some/file/number-{n}"))
        .collect();
    let entries: Vec<app::Entry<'_>> = names
        .iter()
        .map(|name| app::Entry::file(name, b""))
        .collect();
    app.replace_image(&app::member(&entries));
    for arguments in [
        &["inspect", image][..],
        &["inspect", "--json", image],
        &["--help"],
        &["completions", "bash"],
    ] {
        let mut child = app
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = Vec::new();
        let mut reader = BufReader::with_capacity(64, child.stdout.take().unwrap());
        reader.read_until(b'\n', &mut line).unwrap();
        drop(reader);
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        let code = child.wait().unwrap().code();
        assert_eq!((code, &*said), (Some(0), ""), "{arguments:?}");
    }
    // The entry of a demo image that is longer than a pipe.
    app.install("1.12.0", "1");
    let mut child = app
        .command(&["inspect", image, "--entry", "usr/bin/dockerd"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut some = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap();
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!((child.wait().unwrap().code(), &*said), (Some(0), ""));
}

#[test]
fn inspect_prints_the_entry_that_the_kernel_would_end_up_with() {
    let app = App::with_script(STOCK_SCRIPT.as_bytes());
    assert_eq!(app.script_text(), STOCK_SCRIPT);
    for name in ["./etc/init.d/docker", "/etc/init.d/docker"] {
        let printed = app.ok(&["inspect", app.image().to_str().unwrap(), "--entry", name]);
        assert_eq!(printed, STOCK_SCRIPT);
    }
    app.apply(PROXY);
    assert_ne!(app.script_text(), STOCK_SCRIPT);
    let image = app.image();
    let image = image.to_str().unwrap();
    app.refused(&["inspect", image, "--entry", "etc/none"], 4, &["etc/none"]);
    insta::assert_snapshot!(redacted(&app.ok(&["inspect", image])));
}

#[test]
fn colour_is_for_terminals_unless_asked_for() {
    let app = App::new();
    assert!(!app.ok(&["status"]).contains('\x1b'));
    assert!(app.ok(&["status", "--color", "always"]).contains('\x1b'));
    assert!(
        !app.ok(&["status", "--color", "always", "--json"])
            .contains('\x1b')
    );
}

/// The option overrides the variable, and another app never replaces a chosen one that is missing.
#[test]
fn the_app_that_was_named_is_the_one_that_is_changed() {
    let (app, other) = (App::new(), App::new());
    let path = other.app();
    let path = path.to_str().unwrap();
    app.ok(&["apply", "--http-proxy", PROXY, "--docker-app", path]);
    assert_ne!(other.bytes(), app.bytes());
    assert_eq!(app.overridden_settings(), ["initrd.img", "vmlinuz64"]);
    // Another path to the same app is the same entry in the memory.
    let link = other.dir.path().join("link");
    symlink(other.app(), &link).unwrap();
    other.install("1.12.0", "1");
    assert_eq!(
        app.state(&["--docker-app", link.to_str().unwrap()]),
        ("wiped".into(), 3)
    );
    let named = |path: &str| {
        let mut command = app.command(&["status", "--json"]);
        Run::of(command.env("BALEEN_DOCKER_APP", path)).object()
    };
    assert_eq!(named(path)["docker"]["path"], path);
    // An empty variable names no app.
    assert_ne!(named("")["docker"]["path"], path);
    let gone = app.dir.path().join("gone.app");
    app.refused(
        &[
            "apply",
            "--http-proxy",
            PROXY,
            "--docker-app",
            gone.to_str().unwrap(),
        ],
        4,
        &["gone.app"],
    );
}

#[test]
fn what_follows_the_patch_does_not_make_the_image_stock() {
    let app = App::new();
    let original = app.bytes();
    app.apply("http://me:s3cret@proxy.corp:8080");
    let more = [app.bytes(), original.clone()].concat();
    fs::write(app.image(), &more).unwrap();
    // The member behind brings its own script, which the kernel takes: Baleen's patch is not in force.
    assert_eq!(app.state(&["--verify"]).0, "wiped");
    // Now Baleen's script is still the last one.
    let padding = baleen::initrd::append::overlay("other", &[]).unwrap();
    app.ok(&["restore"]);
    fs::write(app.image(), &original).unwrap();
    app.apply(PROXY);
    let patched = app.bytes();
    let more = [patched, padding].concat();
    fs::write(app.image(), &more).unwrap();
    let mut told = Transcript::default();
    told.refused(&app, &["restore"], 4);
    told.refused(&app, &["apply", "--http-proxy", OTHER_PROXY], 4);
    insta::assert_snapshot!(told);
    assert_eq!(app.state(&["--verify"]), ("unsupported".into(), 4));
    assert_eq!(app.bytes(), more);
}

#[test]
fn verify_sees_any_byte_that_is_neither_the_original_nor_the_proxy() {
    use baleen::initrd::FileRange;
    use baleen::initrd::append::find_overlay;
    let app = App::new();
    app.apply(PROXY);
    let bytes = app.bytes();
    let file = fs::File::open(app.image()).unwrap();
    let length = bytes.len() as u64;
    let overlay = find_overlay(&file, length, "baleen-overlay")
        .unwrap()
        .unwrap();
    let files: Vec<_> = overlay
        .files
        .iter()
        .map(|file| {
            let text = String::from_utf8(file.body.clone()).unwrap();
            (
                String::from_utf8(file.name.clone()).unwrap(),
                text.replace("eend", "evil"),
            )
        })
        .collect();
    let files: Vec<_> = files
        .iter()
        .map(|(name, body)| baleen::initrd::append::NewFile {
            name,
            mode: 0o100_755,
            uid: 0,
            gid: 0,
            mtime: 0,
            body: body.as_bytes(),
        })
        .collect();
    let evil = baleen::initrd::append::overlay("baleen-overlay", &files).unwrap();
    fs::write(
        app.image(),
        [&bytes[..overlay.offset as usize], &evil].concat(),
    )
    .unwrap();
    assert_eq!(app.state(&[]).0, "current");
    assert_eq!(app.state(&["--verify"]), ("unsupported".into(), 4));

    let app = App::new();
    app.ok(&["apply", "--http-proxy", PROXY, "--method", "rebuild"]);
    assert_eq!(app.state(&["--verify"]).0, "current");
    // The second member, with another file in it.
    let file = fs::File::open(app.image()).unwrap();
    let length = app.bytes().len() as u64;
    let layout = baleen::initrd::walk(
        FileRange::new(&file, 0, length),
        &mut |_: baleen::initrd::Part<'_>| Ok(()),
    )
    .unwrap();
    let start = layout.members[1].offset as usize;
    let other = baleen::initrd::append::overlay("x", &files[1..]).unwrap();
    fs::write(app.image(), [&app.bytes()[..start], &other].concat()).unwrap();
    assert_eq!(app.state(&["--verify"]), ("unsupported".into(), 4));
}

#[test]
fn a_password_is_not_put_where_docker_could_not_read_it() {
    let app = App::new();
    let before = app.bytes();
    let run = Run::of(
        app.command(&["apply", "--http-proxy", "http://me:s3cret@proxy.corp:8080"])
            .env("SUDO_UID", "54321"),
    );
    assert_eq!(run.code, 4, "{run}");
    insta::assert_snapshot!(redacted(&run.err));
    assert_eq!(app.bytes(), before);
}

#[test]
fn an_image_whose_mode_was_loosened_is_not_in_place() {
    use std::os::unix::fs::PermissionsExt;
    let app = App::new();
    app.apply("http://me:s3cret@proxy.corp:8080");
    fs::set_permissions(app.image(), fs::Permissions::from_mode(0o644)).unwrap();
    app.apply("http://me:s3cret@proxy.corp:8080");
    assert_eq!(
        app.image().metadata().unwrap().permissions().mode() & 0o7777,
        0o600
    );
}

#[test]
fn a_url_whose_option_was_forgotten_does_not_show_its_password() {
    let app = App::new();
    for arguments in [
        &["apply", "http://me:s3cret@proxy.corp:8080"][..],
        &["apply", "--method", "http://me:s3cret@proxy.corp:8080"],
        &["http://me:s3cret@proxy.corp:8080"],
        &[
            "apply",
            "--http-proxy",
            PROXY,
            "--no-proxy",
            "http://me:s3cret@proxy.corp:8080",
        ],
    ] {
        let output = app.command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[test]
fn what_the_engine_can_not_be_told_is_noted() {
    let app = App::new();
    let said = app.ok(&[
        "apply",
        "--json",
        "--http-proxy",
        PROXY,
        "--no-proxy",
        "*.corp,10.0.0.0/8",
    ]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["proxy"]["no_proxy"], "localhost,127.0.0.1,.corp");
    insta::assert_snapshot!(redacted(&format!("{:#}", said["notes"])));
}

#[test]
fn the_docs_show_what_the_demo_prints() {
    let app = App::new();
    let said = app.ok(&["demo"]);
    let page = include_str!("../../docs/demo.md");
    assert!(
        page.contains(said.trim_end()),
        "update docs/demo.md with:\n{said}"
    );
}

/// A terminal of 80 columns is the usual one.
#[test]
fn the_examples_of_the_help_fit_80_columns() {
    let app = App::new();
    let run = Run::of(app.command(&["--help"]).env("COLUMNS", "80"));
    let (_, examples) = run.out.split_once("Examples:\n").unwrap();
    let (examples, codes) = examples.split_once("\n\nExit codes:\n").unwrap();
    for line in codes.lines() {
        assert!(
            line.starts_with("   ") || line.as_bytes()[2].is_ascii_digit(),
            "{line}"
        );
    }
    let examples: Vec<&str> = examples.lines().collect();
    for example in examples.chunks(2) {
        let [command, about] = example else {
            panic!("{examples:?}")
        };
        assert!(command.starts_with("  baleen "), "{command}");
        assert!(about.starts_with("      ") && about.len() <= 80, "{about}");
    }
}

#[test]
fn global_options_may_stand_before_the_second_command() {
    let app = App::new();
    let run = app.run(&["relay", "--json", "status"]);
    assert_eq!(
        (run.code, &run.object()["running"]),
        (3, &json!(false)),
        "{run}"
    );
    assert_eq!(app.run(&["relay", "-v", "status"]).code, 3);
    let run = app.run(&["proxy", "--json", "test", "github.com"]);
    assert_eq!(run.code, 0, "{run}");
    run.object();
}

#[test]
fn a_relay_that_does_not_run_is_not_said_to_have_ended() {
    let app = App::new();
    assert_eq!(app.ok(&["relay", "stop"]), "No relay is running.\n");
    assert_eq!(app.json(&["relay", "stop"]).1["running"], false);
}

#[test]
fn a_config_file_that_was_named_must_exist() {
    let app = App::new();
    for command in ["watch", "app", "status"] {
        app.refused(
            &[command, "--config", "/nope"],
            2,
            &["no config file at /nope"],
        );
    }
}

#[test]
fn a_refused_setting_leaves_no_folder_behind() {
    let app = App::new();
    let file = app.dir.path().join("nope/c.toml");
    let set = ["config", "set", "--config", file.to_str().unwrap()];
    // There is no proxy in the file that could be used.
    let refused = [&set[..], &["source", "manual"]].concat();
    app.refused(&refused, 2, &["was left as it is"]);
    app.ok(&[&set[..], &["restart", "never"]].concat());
}

#[cfg(target_os = "linux")]
#[test]
fn a_help_that_can_not_be_printed_is_a_failure() {
    let app = App::new();
    for arguments in [&["--help"][..], &["--version"], &["status", "--help"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let run = Run::of(app.command(arguments).stdout(full));
        run.is_refusal(1, &["could not print: No space left on device"]);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let run = Run::of(app.command(arguments).stdout(writer));
        assert_eq!((run.code, &*run.err), (0, ""), "{run}");
    }
}

/// Someone who has not chosen anything learns how to begin, if there is a proxy to begin with.
#[test]
fn the_first_status_names_the_first_step() {
    let app = App::new();
    let status = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = app.command(&[&["status", "--json"], arguments].concat());
        let run = Run::of(command.envs(variables.iter().copied()));
        assert_eq!(run.code, 0, "{run}");
        run.object()["advice"].clone()
    };
    let with = [("https_proxy", PROXY)];
    assert_eq!(status(&[], &[]), Value::Null);
    assert_eq!(
        status(&with, &[]),
        "run `baleen apply` to set the proxy of the environment in Docker"
    );
    assert_eq!(
        status(&[], &["--http-proxy", PROXY]),
        "run `baleen apply` with the same options to set the proxy of the command line in Docker"
    );
    // It was taken out on purpose.
    app.apply(PROXY);
    app.ok(&["restore"]);
    assert_eq!(status(&with, &[]), Value::Null);
}

#[test]
fn json_says_all_that_the_text_says() {
    let app = App::new();
    let stock = app.bytes();
    let (_, applied) = app.json(&["apply", "--http-proxy", PROXY]);
    assert_eq!(applied["original_bytes"], stock.len(), "{applied}");
    assert_eq!(applied["backup"], "initrd.img-backup", "{applied}");
    let (_, restored) = app.json(&["restore"]);
    assert_eq!(restored["removed"]["https"], PROXY, "{restored}");
    assert_eq!(restored["original_bytes"], stock.len(), "{restored}");
    assert_eq!(restored["original_sha256"], sha(&stock), "{restored}");
    assert_eq!(restored["takes_effect"], "next-start", "{restored}");
}

/// `apply` without a proxy does the same as `restore`, and says so.
#[test]
fn the_proxy_that_apply_takes_out_is_named() {
    let app = App::new();
    let removed = format!("  removed   {PROXY}\n");
    app.apply(PROXY);
    let told = app.ok(&["apply", "--follow-settings"]);
    assert!(told.contains(&removed), "{told}");
    app.apply(PROXY);
    let (_, object) = app.json(&["apply", "--follow-settings"]);
    assert_eq!(object["removed"]["https"], PROXY, "{object}");
}

/// A process that is asked to end when this is dropped, also by a test that fails.
#[cfg(target_os = "linux")]
struct Quit(std::process::Child);

#[cfg(target_os = "linux")]
impl Drop for Quit {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}

/// Nothing is left to do for Baleen, but for the user.
#[cfg(target_os = "linux")]
#[test]
fn the_second_apply_still_says_that_docker_has_to_be_restarted() {
    let app = App::new();
    let docker = Quit(
        Command::new(app.app().join("Contents/MacOS/Docker"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while baleen::backend::docker_desktop::restart::running(&app.app()).is_none() {
        assert!(std::time::Instant::now() < until, "Docker does not run");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let restart = "Restart Docker to use it";
    for _ in 0..2 {
        let told = app.apply(PROXY);
        assert!(told.contains(restart), "{told}");
    }
    drop(docker);
    let told = app.apply(PROXY);
    assert!(
        told.starts_with(&format!(
            "Docker is set to use {PROXY} already: nothing to do. "
        )),
        "{told}"
    );
    assert!(!told.contains(restart), "{told}");
}

/// The command at the end of the demo can be copied.
#[test]
fn the_demo_ends_with_a_command_that_works() {
    let app = App::new();
    for docker in ["moby", "desktop"] {
        let folder = app.dir.path().join(format!("a demo of {docker}"));
        let told = app.ok(&[
            "demo",
            "--docker",
            docker,
            "--keep",
            folder.to_str().unwrap(),
        ]);
        let command = told.lines().last().unwrap().trim();
        let program = env!("CARGO_BIN_EXE_baleen");
        let mut shell = Command::new("sh");
        app.environment(&mut shell);
        shell.args([
            "-c",
            &command.replace("baleen status", &format!("{program} status")),
        ]);
        let run = Run::of(&mut shell);
        assert_eq!((run.code, &*run.err), (0, ""), "{command}: {run}");
        assert!(run.out.starts_with("off: "), "{run}");
    }
}

/// A program that reads `watch` learns when it was, and each state once.
#[test]
fn watch_prints_the_first_state_once_and_each_event_with_its_time() {
    let app = App::new();
    app.apply(PROXY);
    let mut watch = app.command(&["watch", "--json"]);
    watch.env("https_proxy", OTHER_PROXY);
    let mut child = watch.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(1));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(first["state"], "current", "{first}");
    assert!(first["settings"].is_object(), "{first}");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let age = now.unwrap().as_secs() - first["time"].as_u64().unwrap();
    assert!(age < 120, "{first}");
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(
        !rest
            .iter()
            .any(|line| line.contains("\"state\":\"current\"")),
        "{rest:?}"
    );
}
