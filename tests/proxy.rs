//! From the settings of the computer to the image: `baleen proxy`, `proxy test`, and what `apply` and
//! `status` make of the same settings.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

#[path = "common/app.rs"]
mod app;

use app::{App, PROXY, Run};

/// A dictionary as macOS gives it, in a file for `--system-proxies`.
fn dictionary(app: &App, keys: &Value) -> String {
    let path: PathBuf = app.dir.path().join("proxies.plist");
    property_list(keys).to_file_xml(&path).unwrap();
    path.to_str().unwrap().to_owned()
}

fn property_list(value: &Value) -> plist::Value {
    match value {
        Value::Number(number) => number.as_i64().unwrap().into(),
        Value::String(text) => text.as_str().into(),
        Value::Array(list) => plist::Value::Array(list.iter().map(property_list).collect()),
        Value::Object(keys) => {
            let mut dictionary = plist::Dictionary::new();
            for (key, value) in keys {
                dictionary.insert(key.clone(), property_list(value));
            }
            dictionary.into()
        }
        other => panic!("{other} is not in such settings"),
    }
}

fn behind_a_proxy(app: &App) -> String {
    dictionary(
        app,
        &json!({
            "HTTPEnable": 1, "HTTPProxy": "cntlm.corp", "HTTPPort": 3128,
            "HTTPSEnable": 1, "HTTPSProxy": "cntlm.corp", "HTTPSPort": 3128,
            "SOCKSEnable": 0, "SOCKSProxy": "old.corp",
            "ExceptionsList": ["*.local", "169.254/16", "corp.example", "*", "a, b"],
            "ExcludeSimpleHostnames": 1,
            "__SCOPED__": {"en0": {"HTTPEnable": 0}},
        }),
    )
}

#[test]
fn proxy_says_what_is_set_what_the_engine_gets_and_why() {
    let app = App::new();
    let file = behind_a_proxy(&app);
    let before = app.snapshot();
    let said = app.ok(&["proxy", "--system-proxies", &file]);
    for line in [
        "  https     cntlm.corp:3128\n",
        "The engine of Docker 1.11.1-beta12 (built with Go 1.5) gets\n",
        "  https     http://192.168.65.1:3128\n",
        "  no_proxy  localhost,127.0.0.1,.local,corp.example\n",
        "  169.254/16           -             left out: this engine knows no networks\n",
        "  corp.example         corp.example  widened: the engine also reaches directly what is below it\n",
        "  a, b                 -             refused: it has a comma",
        "  names without a dot  -             left out: no engine can be told that",
        "note: cntlm.corp:3128 is this computer itself, which the engine reaches as 192.168.65.1\n",
    ] {
        assert!(said.contains(line), "no {line:?} in:\n{said}");
    }
    let (code, object) = app.json(&["proxy", "--system-proxies", &file]);
    assert_eq!(code, 0);
    assert_eq!(object["proxy"]["https"], "http://192.168.65.1:3128");
    assert_eq!(object["here"]["https"]["host"], "cntlm.corp");
    assert_eq!(object["engine"]["rules"], "go1.10");
    let fates: Vec<&str> = object["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["fate"].as_str().unwrap())
        .collect();
    assert_eq!(
        fates,
        [
            "widened", "left-out", "widened", "left-out", "refused", "left-out"
        ]
    );
    before.is_still(&app.snapshot());
}

#[test]
fn another_version_of_docker_understands_other_things() {
    let app = App::new();
    let file = behind_a_proxy(&app);
    let said = app.ok(&[
        "proxy",
        "--system-proxies",
        &file,
        "--docker-version",
        "2.2.0",
    ]);
    for line in [
        "The engine of Docker 2.2.0 (built with Go 1.12) gets\n",
        "  https     http://cntlm.corp:3128\n",
        "  no_proxy  localhost,127.0.0.1,.local,169.254.0.0/16,corp.example\n",
        "note: this Docker gets its proxy from its own settings",
    ] {
        assert!(said.contains(line), "no {line:?} in:\n{said}");
    }
    let nowhere = app.dir.path().join("nowhere");
    let run = Run::of(
        app.command(&["proxy", "--docker-version", "17.06.0"])
            .env("BALEEN_DOCKER_APP", nowhere),
    );
    assert_eq!((run.code, &*run.err), (0, ""), "{run}");
    assert!(run.out.contains("built with Go 1.8"), "{run}");
}

#[test]
fn each_host_takes_its_way_here_and_in_the_engine() {
    let app = App::new();
    let file = behind_a_proxy(&app);
    let hosts = [
        (
            "registry-1.docker.io",
            Some("cntlm.corp:3128"),
            Some("192.168.65.1:3128"),
        ),
        ("corp.example", None, None),
        ("https://a.corp.example/v2/", Some("cntlm.corp:3128"), None),
        ("local", None, None),
        ("x.local:5000", None, None),
        ("169.254.1.1", None, Some("192.168.65.1:3128")),
        ("intranet", None, Some("192.168.65.1:3128")),
        ("localhost", None, None),
    ];
    let names: Vec<&str> = hosts.iter().map(|(host, ..)| *host).collect();
    let arguments = [&["proxy", "test", "--system-proxies", &file], &names[..]].concat();
    let (code, object) = app.json(&arguments);
    assert_eq!(code, 0);
    let expected: Vec<Value> = hosts
        .iter()
        .map(|(target, here, engine)| json!({ "target": target, "here": here, "engine": engine }))
        .collect();
    assert_eq!(object["hosts"], Value::Array(expected));
    let said = app.ok(&arguments);
    assert!(
        said.contains("past the proxy") && said.contains("all the same"),
        "{said}"
    );
    // What was set by hand goes by the rules of variables.
    let said = app.ok(&[
        "proxy",
        "test",
        "--http-proxy",
        PROXY,
        "--no-proxy",
        ".corp",
        "corp",
        "x.corp",
    ]);
    assert!(said.contains("corp    proxy.corp:8080"), "{said}");
}

#[test]
fn the_environment_is_asked_where_the_system_has_no_settings_of_its_own() {
    let app = App::new();
    let run = |arguments: &[&str]| {
        Run::of(
            app.command(arguments)
                .env("https_proxy", "http://me:s3cret@proxy.corp:8080")
                .env("no_proxy", "10.0.0.0/8,a.corp"),
        )
    };
    for arguments in [&["proxy"][..], &["proxy", "--source", "environment"]] {
        let run = run(arguments);
        assert_eq!((run.code, &*run.err), (0, ""), "{run}");
        assert!(run.out.contains("Here, by the environment"), "{run}");
        assert!(
            run.out.contains("https     http://me:***@proxy.corp:8080"),
            "{run}"
        );
        assert!(run.out.contains("10.0.0.0/8  -         left out"), "{run}");
        assert!(!run.out.contains("s3cret"), "{run}");
    }
    assert_eq!(run(&["apply"]).code, 0);
    assert!(app.script_text().contains("me:s3cret@proxy.corp:8080"));
    assert_eq!(run(&["status"]).code, 0);
}

#[test]
fn settings_that_make_no_sense_are_told() {
    let app = App::new();
    const TROUBLE: &str = "HTTPSPort should be a number from 1 to 65535, but is 65536";
    let broken = json!({ "HTTPSEnable": 1, "HTTPSProxy": "proxy.corp", "HTTPSPort": 65536 });
    let mut beside = broken.clone();
    beside["HTTPEnable"] = 1.into();
    beside["HTTPProxy"] = "other.corp".into();
    let file = dictionary(&app, &beside);
    let said = app.ok(&["proxy", "--system-proxies", &file]);
    assert!(said.contains(&format!("note: {TROUBLE}")), "{said}");
    // With nothing left, it must not be taken for a computer without a proxy.
    app.apply(PROXY);
    let file = dictionary(&app, &broken);
    for command in ["proxy", "apply"] {
        app.refused(&[command, "--system-proxies", &file], 2, &[TROUBLE]);
    }

    let socks = dictionary(
        &app,
        &json!({ "SOCKSEnable": 1, "SOCKSProxy": "proxy.corp" }),
    );
    for command in ["proxy", "apply"] {
        app.refused(
            &[command, "--system-proxies", &socks],
            4,
            &["SOCKS proxy proxy.corp:1080"],
        );
    }
    let broken = app.dir.path().join("broken.plist");
    for bytes in [&b""[..], b"<plist>", b"not a plist"] {
        fs::write(&broken, bytes).unwrap();
        let file = broken.to_str().unwrap();
        app.refused(
            &["apply", "--system-proxies", file],
            2,
            &["is not a property list"],
        );
    }
}

/// The story of a laptop: at the office, then at home, then in the office again with another proxy.
#[test]
fn apply_follows_the_settings_and_status_compares_with_them() {
    let app = App::new();
    let stock = app.bytes();
    let environment = |proxy: Option<&'static str>| {
        let app = &app;
        move |arguments: &[&str]| {
            let mut command = app.command(arguments);
            command.envs(proxy.map(|proxy| ("https_proxy", proxy)));
            Run::of(&mut command)
        }
    };
    let office = environment(Some(PROXY));
    let home = environment(None);
    let moved = environment(Some("http://cntlm.corp:3128"));
    let state = |run: Run| run.out.split(':').next().unwrap().to_owned();

    let run = home(&["apply"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(
        run.out
            .contains("Nothing to do: by the environment no proxy is set here now"),
        "{run}"
    );
    assert_eq!(state(home(&["status"])), "direct");

    assert_eq!(office(&["apply"]).code, 0);
    assert_eq!(state(office(&["status"])), "current");
    let run = home(&["status"]);
    assert_eq!(run.code, 3, "{run}");
    assert!(
        run.out.starts_with("stale: ") && run.out.contains("uses no proxy now"),
        "{run}"
    );
    let run = home(&["apply", "--dry-run"]);
    assert!(run.out.contains("gives Docker its own image back"), "{run}");
    assert_ne!(app.bytes(), stock);
    let run = home(&["apply"]);
    assert!(
        run.out.contains("Done. Docker has its own image again"),
        "{run}"
    );
    assert_eq!(app.bytes(), stock);
    assert_eq!(state(home(&["status"])), "direct");
    assert_eq!(state(office(&["status"])), "wiped");

    assert_eq!(moved(&["apply"]).code, 0);
    assert!(app.script_text().contains("http://192.168.65.1:3128"));
    assert_eq!(state(moved(&["status"])), "current");
    assert_eq!(state(office(&["status"])), "stale");

    // What was named on the command line stays right until somebody names something else.
    app.apply(PROXY);
    assert_eq!(state(home(&["status"])), "current");
    assert_eq!(state(moved(&["status"])), "current");
    assert_eq!(
        state(app.run(&["status", "--http-proxy", "http://other.corp:3128"])),
        "stale"
    );
}

const SCRIPT: &str = "function FindProxyForURL(url, host) {
  if (shExpMatch(host, '*.corp')) return 'DIRECT';
  if (isInNet(dnsResolve('cntlm.corp'), '127.0.0.0', '255.0.0.0')) return 'PROXY cntlm.corp:3128; DIRECT';
  return 'PROXY proxy.corp:8080';
}";

/// A script decides, also on the day when it can't be had.
#[test]
fn a_script_decides_and_is_remembered() {
    let app = App::new();
    let script = app.dir.path().join("proxy.pac");
    fs::write(&script, SCRIPT).unwrap();
    let url = format!("file://{}", script.display());
    let file = dictionary(
        &app,
        &json!({ "ProxyAutoConfigEnable": 1, "ProxyAutoConfigURLString": url }),
    );
    let config = app.dir.path().join("config.toml");
    fs::write(&config, "pac_hosts = [\"registry.corp\"]\n").unwrap();
    let with = |arguments: &[&str]| {
        let mut command = app.command(arguments);
        command.args(["--system-proxies", &file]);
        Run::of(command.env("BALEEN_CONFIG", &config))
    };
    let run = with(&["proxy"]);
    assert_eq!((run.code, &*run.err), (0, ""), "{run}");
    for line in [
        "https     http://192.168.65.1:3128",
        "no_proxy  localhost,127.0.0.1,registry.corp",
        "registry.corp  registry.corp  widened",
    ] {
        assert!(run.out.contains(line), "no {line:?} in: {run}");
    }
    let run = with(&["proxy", "test", "registry.corp", "a.corp", "docker.io"]);
    for line in [
        "registry.corp  directly         directly\n",
        "a.corp         directly         192.168.65.1:3128  through it all the same\n",
        "docker.io      cntlm.corp:3128  192.168.65.1:3128\n",
    ] {
        assert!(run.out.contains(line), "no {line:?} in: {run}");
    }
    assert_eq!(with(&["apply"]).code, 0);
    assert!(app.script_text().contains("http://192.168.65.1:3128"));

    // Gone: what it said counts, and that is told.
    fs::remove_file(&script).unwrap();
    let run = with(&["proxy"]);
    assert!(
        run.out.contains("https     http://192.168.65.1:3128"),
        "{run}"
    );
    assert!(
        run.out.contains("so what it said a moment ago counts"),
        "{run}"
    );
    assert_eq!(with(&["status"]).code, 0);

    // Gone, and nothing is remembered: nothing is guessed.
    fs::remove_file(app.dir.path().join("state/pac.json")).unwrap();
    let patched = app.bytes();
    for command in ["proxy", "apply"] {
        let run = with(&[command]);
        assert_eq!((run.code, &*run.out), (1, ""), "{run}");
        assert!(run.err.contains("proxy.pac"), "{run}");
    }
    assert_eq!(app.bytes(), patched);
}

/// A script's "DIRECT" behind a proxy that the engine doesn't know is no leave to go without one.
#[test]
fn what_an_engine_can_not_do_is_not_taken_for_direct() {
    let app = App::new();
    app.apply(PROXY);
    let script = app.dir.path().join("socks.pac");
    let url = format!("file://{}", script.display());
    let file = dictionary(
        &app,
        &json!({ "ProxyAutoConfigEnable": 1, "ProxyAutoConfigURLString": url }),
    );
    for said in [
        "SOCKS s.corp:1080; DIRECT",
        "HTTPS s.corp:443; DIRECT",
        "PROXY http://s.corp:80; DIRECT",
    ] {
        let text = format!("function FindProxyForURL(url, host) {{ return '{said}'; }}");
        fs::write(&script, text).unwrap();
        let patched = app.bytes();
        let run = app.run(&["apply", "--system-proxies", &file]);
        assert_eq!((run.code, &*run.out), (4, ""), "{run}");
        assert!(run.err.contains(said), "{run}");
        assert_eq!(app.bytes(), patched);
    }
    // It is asked for the very URL.
    fs::write(
        &script,
        "function FindProxyForURL(url, host) {
          var direct = url.substring(0, 5) == 'http:' || /:5000/.test(url) || host.indexOf('2001') >= 0;
          return direct ? 'DIRECT' : 'PROXY proxy.corp:8080';
        }",
    )
    .unwrap();
    let targets = ["x.corp", "http://x.corp", "x.corp:5000", "[2001:db8::5]"];
    let arguments = [&["proxy", "test", "--system-proxies", &file], &targets[..]].concat();
    let (_, object) = app.json(&arguments);
    let here: Vec<&Value> = object["hosts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|host| &host["here"])
        .collect();
    assert_eq!(
        here,
        [
            &json!("proxy.corp:8080"),
            &Value::Null,
            &Value::Null,
            &Value::Null
        ]
    );
}

#[test]
fn where_browsers_would_differ_proxy_test_says_so() {
    let app = App::new();
    let script = app.dir.path().join("browsers.pac");
    let url = format!("file://{}", script.display());
    let file = dictionary(
        &app,
        &json!({ "ProxyAutoConfigEnable": 1, "ProxyAutoConfigURLString": url }),
    );
    let hosts = app.dir.path().join("names");
    fs::write(&hosts, "2001:db8::8 six.corp\n").unwrap();
    for (body, notes) in [
        (
            "dnsResolve('six.corp'); return 'HTTP other:1; PROXY p:2';",
            &[
                "six.corp, which has IPv6 addresses only",
                "Firefox takes it for PROXY",
            ][..],
        ),
        (
            "if (typeof Intl != 'object') return 'PROXY p:2'; return 'DIRECT';",
            &["doesn't have as the browsers do", "there is no Intl"],
        ),
        ("/* Intl */ dnsResolve('no.corp'); return 'PROXY p:2';", &[]),
    ] {
        let text = format!("function FindProxyForURL(url, host) {{ {body} }}");
        fs::write(&script, text).unwrap();
        let args = ["proxy", "test", "--system-proxies", &file, "registry.corp"];
        let run = Run::of(app.command(&args).env("BALEEN_HOSTS_FILE", &hosts));
        let said = format!("{}{}", run.out, run.err);
        assert_eq!(run.code, 0, "{run}");
        assert!(run.out.contains("p:2"), "{run}");
        for note in notes {
            assert!(said.contains(note), "{note}\n{run}");
        }
        if notes.is_empty() {
            assert!(!said.contains("browsers"), "{run}");
        }
    }
}

#[test]
fn what_was_asked_for_once_stays_right_and_a_query_is_not_shown() {
    let app = App::new();
    let run = Run::of(
        app.command(&["apply", "--no-proxy", "reg.corp"])
            .env("https_proxy", PROXY),
    );
    assert_eq!(run.code, 0, "{run}");
    let run = Run::of(app.command(&["status"]).env("https_proxy", PROXY));
    assert_eq!(run.code, 0, "{run}");
    let run = Run::of(
        app.command(&["status", "--source", "environment"])
            .env("https_proxy", PROXY),
    );
    assert_eq!(run.code, 3, "{run}");
    assert!(
        run.out
            .contains("the hosts that it should reach without it"),
        "{run}"
    );

    let script = app.dir.path().join("s.pac");
    fs::write(&script, "function FindProxyForURL() { return 'DIRECT'; }").unwrap();
    let file = dictionary(
        &app,
        &json!({
            "ProxyAutoConfigEnable": 1,
            "ProxyAutoConfigURLString": "http://127.0.0.1:1/p.pac?user=me&key=s3cret",
            "HTTPEnable": 1, "HTTPProxy": "me:s3cret@proxy.corp",
            "ExceptionsList": ["me:s3cret@corp"],
        }),
    );
    for arguments in [
        &["proxy"][..],
        &["proxy", "--json"],
        &["apply"],
        &["doctor"],
    ] {
        let run = app.run(&[arguments, &["--system-proxies", &file]].concat());
        assert!(
            !run.out.contains("s3cret") && !run.err.contains("s3cret"),
            "{run}"
        );
    }
}
