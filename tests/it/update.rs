//! `baleen check-update`, with a releases page of the tests. No request leaves this computer.

use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::common::app::{App, Run};
use crate::common::network::{Authority, dead_port};
use crate::common::tools::has_tool;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// An authority that the program trusts, and the heads that its servers got.
struct Site {
    app: App,
    authority: Authority,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Site {
    fn new() -> Option<Self> {
        if !has_tool("openssl") {
            return None;
        }
        let app = App::new();
        let authority = Authority::new(app.dir.path().join("authority"), "/CN=Corp");
        Some(Self {
            app,
            authority,
            heads: Arc::default(),
        })
    }

    /// Starts a server that gives this answer; returns the address of its repository.
    fn page(&self, answer: impl Into<Vec<u8>>) -> String {
        let (heads, answer) = (self.heads.clone(), answer.into());
        let identity = self.authority.identity("DNS:localhost", 2099);
        let port = identity.answer(move |head| {
            heads.lock().unwrap().push(head.to_owned());
            answer.clone()
        });
        format!("https://localhost:{port}/o/r")
    }

    fn command(&self, repository: &str, arguments: &[&str]) -> Command {
        let mut command = self.app.command(&[&["check-update"], arguments].concat());
        command
            .env("BALEEN_REPOSITORY", repository)
            .env("SSL_CERT_FILE", self.authority.certificate());
        command
    }

    fn run(&self, repository: &str) -> Run {
        Run::of(&mut self.command(repository, &[]))
    }
}

/// The answer that leads to the page of this tag.
fn leads_to(tag: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: /o/r/releases/tag/{tag}\r\nContent-Length: 0\r\n\r\n")
}

#[test]
fn one_request_without_a_body_tells_the_latest_version() {
    let Some(site) = Site::new() else { return };
    for (tag, code, said) in [
        ("v99.1.2", 3, "Baleen 99.1.2 is available. You have"),
        (&format!("v{VERSION}"), 0, "Baleen is up to date"),
        ("v0.0.1", 0, "and the latest release is 0.0.1."),
        ("v99.1.2-rc.1", 0, "Baleen is up to date"),
    ] {
        site.heads.lock().unwrap().clear();
        let repository = site.page(leads_to(tag));
        let run = site.run(&repository);
        assert_eq!((run.code, &*run.err), (code, ""), "{run}");
        assert!(run.out.contains(said), "{run}");
        let page = format!("{repository}/releases/latest");
        assert_eq!(run.out.contains(&page), code == 3, "{run}");
        let host = repository.trim_start_matches("https://");
        let host = host.trim_end_matches("/o/r");
        let expected = format!(
            "HEAD /o/r/releases/latest HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Baleen/{VERSION}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(*site.heads.lock().unwrap(), [expected]);

        let run = Run::of(&mut site.command(&repository, &["--json"]));
        let object = run.object();
        assert_eq!(run.code, code, "{run}");
        assert_eq!(object["running"], VERSION);
        assert_eq!(object["latest"], tag.trim_start_matches('v'));
        assert_eq!(object["is_newer"], code == 3);
        assert_eq!(object["page"], page);
    }
    // It keeps nothing.
    assert!(!site.app.dir.path().join("state").exists());
}

#[test]
fn what_is_not_the_expected_answer_is_an_error_that_says_so() {
    let Some(site) = Site::new() else { return };
    let endless = [&b"HTTP/1.1 302 Found\r\nX: "[..], &[b'x'; 100_000]].concat();
    let many = format!("HTTP/1.1 302 Found\r\n{}\r\n", "A: b\r\n".repeat(10_000));
    for (answer, word) in [
        (
            b"HTTP/1.1 200 OK\r\n\r\n<title>Sign in</title>".to_vec(),
            "the server answered 200",
        ),
        (
            b"HTTP/1.1 404 Not Found\r\n\r\n".to_vec(),
            "the server answered 404",
        ),
        (
            b"HTTP/1.1 302 Found\r\nLocation: https://login.corp/\r\n\r\n".to_vec(),
            "led to https://login.corp/",
        ),
        (
            b"HTTP/1.1 302 Found\r\nLocation: /o/r/releases\r\n\r\n".to_vec(),
            "has no release",
        ),
        (
            leads_to("v99.0.0\t[31m").into_bytes(),
            "the tag 'v99.0.0 [31m'",
        ),
        (
            leads_to("latest").into_bytes(),
            "should be a version such as v1.2.3",
        ),
        (b"SSH-2.0-OpenSSH\r\n\r\n".to_vec(), "it is not HTTP"),
        (b"HTTP/1.1 302 Fou".to_vec(), "gave no valid answer"),
        (Vec::new(), "gave no valid answer"),
        (endless, "the answer is too long"),
        (many.into_bytes(), "gave no valid answer"),
    ] {
        let run = site.run(&site.page(answer));
        run.is_refusal(1, &["could not look for a newer version: ", word]);
    }
    for (repository, code, word) in [
        (
            format!("https://localhost:{}/o/r", dead_port()),
            1,
            "can't be reached",
        ),
        (
            "https://unknown.corp/o/r".to_owned(),
            1,
            "unknown.corp can't be looked up",
        ),
        (
            "http://localhost/o/r".to_owned(),
            2,
            "should begin with https://",
        ),
        (
            "https://localhost".to_owned(),
            2,
            "should begin with https://",
        ),
    ] {
        site.run(&repository).is_refusal(code, &[word]);
    }
}

#[test]
fn nothing_is_sent_to_a_server_that_is_not_trusted() {
    let Some(site) = Site::new() else { return };
    let repository = site.page(leads_to("v99.0.0"));
    let stranger = Authority::new(site.app.dir.path().join("stranger"), "/CN=Stranger");
    let mut command = site.command(&repository, &[]);
    command.env("SSL_CERT_FILE", stranger.certificate());
    Run::of(&mut command).is_refusal(1, &["localhost gave no valid answer", "certificate"]);
    // The right authority, but the name of another server.
    let other = repository.replace("localhost", "127.0.0.1");
    site.run(&other).is_refusal(1, &["certificate"]);
    assert!(site.heads.lock().unwrap().is_empty());
}

/// The desktop's settings name a script, which sends this host through a proxy and all others nowhere.
#[cfg(target_os = "linux")]
#[test]
fn a_pac_script_decides_the_way() {
    let Some(site) = Site::new().filter(|_| has_tool("gsettings")) else {
        return;
    };
    let heads = site.heads.clone();
    let identity = site.authority.identity("DNS:releases.example", 2099);
    let proxy = identity.answer_behind(
        move |head| {
            heads.lock().unwrap().push(head.to_owned());
            Ok(())
        },
        |_| leads_to("v99.0.0").into_bytes(),
    );
    let folder = site.app.dir.path();
    let script = folder.join("proxy.pac");
    let text = format!(
        "function FindProxyForURL(url, host) {{ return host == 'releases.example' ? 'PROXY 127.0.0.1:{}; PROXY 127.0.0.1:{proxy}' : 'PROXY 127.0.0.1:1'; }}",
        dead_port()
    );
    fs::write(&script, text).unwrap();
    let desktop = |command: &mut Command| {
        command
            .env("XDG_CONFIG_HOME", folder.join("home/config"))
            .env("GSETTINGS_BACKEND", "keyfile")
            // The settings are in a file; this only says that they belong to a session.
            .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent");
    };
    let url = format!("file://{}", script.display());
    for (key, value) in [("autoconfig-url", &*url), ("mode", "auto")] {
        let mut command = Command::new("gsettings");
        site.app.environment(&mut command);
        desktop(&mut command);
        command.args(["set", "org.gnome.system.proxy", key, value]);
        assert!(command.status().unwrap().success());
    }
    let run = |repository: &str| {
        let mut command = site.command(repository, &[]);
        desktop(&mut command);
        Run::of(&mut command)
    };
    let found = run("https://releases.example/o/r");
    // The first proxy of the script is dead.
    assert_eq!((found.code, &*found.err), (3, ""), "{found}");
    assert_eq!(site.heads.lock().unwrap().len(), 1);
    run("https://other.example/o/r").is_refusal(1, &["127.0.0.1:1 can't be reached"]);
}

#[test]
fn it_goes_through_the_proxy_and_logs_in_there() {
    let Some(site) = Site::new() else { return };
    let (asked, got) = (site.heads.clone(), Arc::new(Mutex::new(Vec::new())));
    let inside = got.clone();
    let proxy = site.authority.identity("DNS:releases.example", 2099).answer_behind(
        move |head| {
            asked.lock().unwrap().push(head.to_owned());
            // me:s3cret
            match head.contains("Proxy-Authorization: Basic bWU6czNjcmV0\r\n") {
                true => Ok(()),
                false => Err("HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned()),
            }
        },
        move |head| {
            inside.lock().unwrap().push(head.to_owned());
            leads_to("v99.0.0").into_bytes()
        },
    );
    let config = site.app.dir.path().join("config.toml");
    let path = config.to_str().unwrap();
    let run = |user: &str| {
        let mut command = site.command("https://releases.example/o/r", &["--config", path]);
        command.env("https_proxy", format!("http://{user}127.0.0.1:{proxy}"));
        Run::of(&mut command)
    };
    fs::write(&config, "source = \"environment\"\n").unwrap();
    let found = run("me:s3cret@");
    assert_eq!((found.code, &*found.err), (3, ""), "{found}");
    let heads = std::mem::take(&mut *site.heads.lock().unwrap());
    for head in &heads {
        let first = "CONNECT releases.example:443 HTTP/1.1\r\nHost: releases.example:443\r\n";
        assert!(head.starts_with(first), "{head}");
    }
    let inside = got.lock().unwrap();
    assert_eq!(inside.len(), 1);
    // The login is the proxy's alone.
    assert!(!inside[0].contains("Authorization"), "{}", inside[0]);
    drop(inside);

    run("").is_refusal(1, &["wants a login"]);
    fs::write(&config, "source = \"environment\"\nrelay_basic = false\n").unwrap();
    let refused = run("me:s3cret@");
    refused.is_refusal(1, &["wants a login"]);
    assert!(!refused.err.contains("s3cret"), "{refused}");
    assert_eq!(got.lock().unwrap().len(), 1);
}
