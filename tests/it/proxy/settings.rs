//! From the settings of the computer to the image: `baleen proxy`, `proxy test`, and the results of `apply` and
//! `status` for the same settings.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::common::app::{App, PROXY, Run};
use crate::common::redact::{Transcript, redacted};

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
    insta::assert_snapshot!(redacted(&said));
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
    let mut told = Transcript::default();
    told.text("with a network in the list", said);
    let nowhere = app.dir.path().join("nowhere");
    let run = Run::of(
        app.command(&["proxy", "--docker-version", "17.06.0"])
            .env("BALEEN_DOCKER_APP", nowhere),
    );
    assert_eq!((run.code, &*run.err), (0, ""), "{run}");
    told.text("without a Docker.app", &run.out);
    insta::assert_snapshot!(told);
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
    let mut told = Transcript::default();
    told.ok(&app, &arguments);
    // A list set by hand follows the rules of the environment variables.
    let arguments = [
        "proxy",
        "test",
        "--http-proxy",
        PROXY,
        "--no-proxy",
        ".corp",
        "corp",
        "x.corp",
    ];
    told.ok(&app, &arguments);
    insta::assert_snapshot!(told);
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
    let mut told = Transcript::default();
    for arguments in [&["proxy"][..], &["proxy", "--source", "environment"]] {
        let run = run(arguments);
        assert_eq!((run.code, &*run.err), (0, ""), "{run}");
        told.run(arguments, &run);
        assert!(!run.out.contains("s3cret"), "{run}");
    }
    insta::assert_snapshot!(told);
    assert_eq!(run(&["apply"]).code, 0);
    assert!(app.script_text().contains("me:s3cret@proxy.corp:8080"));
    assert_eq!(run(&["status"]).code, 0);
}

#[test]
fn settings_that_make_no_sense_are_reported() {
    let app = App::new();
    let mut told = Transcript::default();
    let broken = json!({ "HTTPSEnable": 1, "HTTPSProxy": "proxy.corp", "HTTPSPort": 65536 });
    let mut overridden_settings = broken.clone();
    overridden_settings["HTTPEnable"] = 1.into();
    overridden_settings["HTTPProxy"] = "other.corp".into();
    let file = dictionary(&app, &overridden_settings);
    told.ok(&app, &["proxy", "--system-proxies", &file]);
    // An empty result must not be taken for a computer without a proxy.
    app.apply(PROXY);
    let file = dictionary(&app, &broken);
    for command in ["proxy", "apply"] {
        told.refused(&app, &[command, "--system-proxies", &file], 2);
    }

    let socks = dictionary(
        &app,
        &json!({ "SOCKSEnable": 1, "SOCKSProxy": "proxy.corp" }),
    );
    for command in ["proxy", "apply"] {
        told.refused(&app, &[command, "--system-proxies", &socks], 4);
    }
    let broken = app.dir.path().join("broken.plist");
    for bytes in [&b""[..], b"<plist>", b"not a plist"] {
        fs::write(&broken, bytes).unwrap();
        let file = broken.to_str().unwrap();
        told.refused(&app, &["apply", "--system-proxies", file], 2);
    }
    insta::assert_snapshot!(told);
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

    let mut told = Transcript::default();
    let run = home(&["apply"]);
    assert_eq!(run.code, 0, "{run}");
    told.run(&["apply"], &run);
    assert_eq!(state(home(&["status"])), "direct");

    assert_eq!(office(&["apply"]).code, 0);
    assert_eq!(state(office(&["status"])), "current");
    let run = home(&["status"]);
    assert_eq!(run.code, 3, "{run}");
    told.run(&["status"], &run);
    assert_eq!(state(run), "stale");
    told.run(&["apply", "--dry-run"], &home(&["apply", "--dry-run"]));
    assert_ne!(app.bytes(), stock);
    told.run(&["apply"], &home(&["apply"]));
    insta::assert_snapshot!(told);
    assert_eq!(app.bytes(), stock);
    assert_eq!(state(home(&["status"])), "direct");
    assert_eq!(state(office(&["status"])), "wiped");

    assert_eq!(moved(&["apply"]).code, 0);
    assert!(app.script_text().contains("http://192.168.65.1:3128"));
    assert_eq!(state(moved(&["status"])), "current");
    assert_eq!(state(office(&["status"])), "stale");

    // A proxy named on the command line stays valid until a user names another.
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

/// A script decides, also while it is unavailable.
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
    let mut told = Transcript::default();
    let mut tell = |arguments: &[&str], code: i32| {
        let run = with(arguments);
        assert_eq!(run.code, code, "{arguments:?}: {run}");
        told.run(arguments, &run);
    };
    tell(&["proxy"], 0);
    tell(
        &["proxy", "test", "registry.corp", "a.corp", "docker.io"],
        0,
    );
    assert_eq!(with(&["apply"]).code, 0);
    assert!(app.script_text().contains("http://192.168.65.1:3128"));

    // The script is gone: its last answers count, for each host separately, and Baleen says so.
    fs::remove_file(&script).unwrap();
    fs::write(&config, "pac_hosts = [\"registry.corp\", \"new.corp\"]\n").unwrap();
    for arguments in [
        &["proxy"][..],
        &["proxy", "test", "Registry.corp:443", "else.corp"],
        &["apply"],
        &["status"],
    ] {
        tell(arguments, 0);
        if arguments == ["apply"] {
            continue;
        }
        let json = with(&[arguments, &["--json"]].concat()).object();
        assert_eq!(json["pac"]["reachable"], false, "{arguments:?}: {json}");
        assert!(json["pac"]["kept_since"].is_u64(), "{arguments:?}: {json}");
    }
    // Gone for longer: direct, as on macOS, unless the user has chosen otherwise.
    let memory = app.dir.path().join("state/pac.json");
    let mut kept: Value = serde_json::from_slice(&fs::read(&memory).unwrap()).unwrap();
    let scripts = kept["scripts"].as_object_mut().unwrap();
    let since = &mut scripts.values_mut().next().unwrap()["unreachable_since"];
    *since = json!(since.as_u64().unwrap() - 301);
    fs::write(&memory, kept.to_string()).unwrap();
    tell(&["proxy", "test", "docker.io"], 0);
    tell(&["status"], 3);
    tell(&["apply", "--dry-run"], 0);
    fs::write(&config, "pac_unreachable = \"keep\"\n").unwrap();
    tell(&["proxy"], 0);
    // Gone just now, and nothing remembered: Baleen doesn't guess.
    fs::remove_file(&config).unwrap();
    fs::remove_file(app.dir.path().join("state/pac.json")).unwrap();
    let patched = app.bytes();
    for command in ["proxy", "apply"] {
        tell(&[command], 1);
    }
    insta::assert_snapshot!(told);
    assert_eq!(app.bytes(), patched);
}

/// A script's "DIRECT" behind a proxy that the engine doesn't know is no permission to go without a proxy.
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
    let mut told = Transcript::default();
    for body in [
        "dnsResolve('six.corp'); return 'HTTP other:1; PROXY p:2';",
        "if (typeof Intl != 'object') return 'PROXY p:2'; return 'DIRECT';",
        "/* Intl */ dnsResolve('no.corp'); return 'PROXY p:2';",
    ] {
        let text = format!("function FindProxyForURL(url, host) {{ {body} }}");
        fs::write(&script, text).unwrap();
        let args = ["proxy", "test", "--system-proxies", &file, "registry.corp"];
        let run = Run::of(app.command(&args).env("BALEEN_HOSTS_FILE", &hosts));
        assert_eq!(run.code, 0, "{run}");
        told.text(body, "");
        told.run(&args, &run);
    }
    insta::assert_snapshot!(told);
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
    insta::assert_snapshot!(redacted(&run.out));

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

/// Settings by hand, with CDATA in a host, an exception and a script: nothing of them is lost.
#[test]
fn what_stands_in_cdata_counts() {
    let app = App::new();
    let file = app.dir.path().join("proxies.plist");
    let with = |inside: &str| {
        fs::write(
            &file,
            format!("<plist version=\"1.0\"><dict>{inside}</dict></plist>"),
        )
        .unwrap();
        app.json(&["proxy", "--system-proxies", file.to_str().unwrap()])
            .1["proxy"]
            .clone()
    };
    let proxy = with(
        "<key>HTTPSEnable</key><integer> 1 </integer><key>HTTPSProxy</key><string><![CDATA[proxy.corp]]></string>
         <key>ExceptionsList</key><array><string>*.<![CDATA[corp]]>.example</string></array>",
    );
    assert_eq!(proxy["https"], "http://proxy.corp:80");
    assert_eq!(proxy["no_proxy"], "localhost,127.0.0.1,.corp.example");
    let proxy = with(
        "<key>ProxyAutoConfigEnable</key><integer>1</integer><key>ProxyAutoConfigJavaScript</key>
         <string>function FindProxyForURL(url, host) {<![CDATA[
           if (host.length > 2 && host.indexOf('docker') >= 0) return 'PROXY proxy.corp:8080';
         ]]>return 'DIRECT'; }</string>",
    );
    assert_eq!(proxy["https"], "http://proxy.corp:8080");

    fs::write(
        &file,
        "<plist><dict><key>HTTPProxy</key><string>&host;</string></dict></plist>",
    )
    .unwrap();
    app.refused(
        &["proxy", "--system-proxies", file.to_str().unwrap()],
        2,
        &["&host;"],
    );
}

/// Variables as people write them.
#[test]
fn variables_are_understood_before_they_are_judged() {
    let app = App::new();
    let run = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = app.command(arguments);
        command.envs(variables.iter().copied());
        Run::of(&mut command)
    };
    let list = "::1,::ffff:10.0.0.5,/var/run/docker.sock,http://corp.example/,bücher.example,2.3";
    let said = run(&[("https_proxy", PROXY), ("no_proxy", list)], &["proxy"]);
    assert_eq!(said.code, 0, "{said}");
    let mut told = Transcript::default();
    told.run(&["proxy"], &said);
    let said = run(
        &[("https_proxy", PROXY), ("no_proxy", "bücher.example")],
        &["proxy", "test", "bücher.example", "xn--bcher-kva.example"],
    );
    assert_eq!(
        said.out.matches("directly         directly").count()
            + said.out.matches("directly  directly").count(),
        2,
        "{said}"
    );

    // A SOCKS proxy is not advised to become an HTTP proxy.
    let said = run(&[("https_proxy", "socks5://p.corp:1080")], &["proxy"]);
    assert_eq!(said.code, 2, "{said}");
    told.run(&["proxy"], &said);

    // Neither Go nor Docker reads curl's variable.
    for name in ["ALL_PROXY", "all_proxy"] {
        for command in ["proxy", "apply"] {
            let said = run(&[(name, "socks5://me:s3cret@p.corp:1080")], &[command]);
            assert!(!said.to_string().contains("s3cret"), "{said}");
            told.run(&[command], &said);
        }
    }
    insta::assert_snapshot!(told);
    let said = run(&[("ALL_PROXY", PROXY), ("https_proxy", PROXY)], &["proxy"]);
    assert!(
        !said.out.contains("ALL_PROXY") && !said.err.contains("ALL_PROXY"),
        "{said}"
    );
}

/// An invalid port is not replaced by the scheme's default.
#[test]
fn a_script_is_fetched_from_the_port_that_is_named_or_from_none() {
    let app = App::new();
    for (port, shown) in [("65536", "'65536'"), ("99999", "'99999'"), ("0", "'0'")] {
        let url = format!("http://127.0.0.1:{port}/proxy.pac");
        let file = dictionary(
            &app,
            &json!({ "ProxyAutoConfigEnable": 1, "ProxyAutoConfigURLString": url }),
        );
        let run = app.run(&["proxy", "--system-proxies", &file]);
        assert_eq!((run.code, &*run.out), (1, ""), "{run}");
        assert!(run.err.contains(shown), "{run}");
    }
}
