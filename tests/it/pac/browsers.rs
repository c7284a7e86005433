//! PAC scripts in a browser and in Baleen: one table of expressions, answers and files, which Chromium evaluates as the
//! script of its settings, and Baleen in its worker. The browser's own network log has its results, so no proxy is
//! needed, and nothing leaves this computer.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use baleen::proxy::pac::{Route, Routes, ScriptFault, fetch};
use serde_json::{Value, json};

use crate::common::tools::{said, tell, tool};

/// Both must use the same time zone.
const PLACE: &str = "Europe/Berlin";
/// A name with only an IPv6 address.
const SIX: &str = "six.test";
/// One start of the browser takes about a second, and longer where much else runs.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The route of every URL that is not a case: a port without a listener.
const NOWHERE: &str = "PROXY 127.0.0.1:1";

/// Expressions, one on each line: in both, each has the same value and type, or throws.
const EXPRESSIONS: &str = include_str!("../../pac/browsers.txt");

fn expressions() -> Vec<&'static str> {
    EXPRESSIONS
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("# "))
        .collect()
}

/// A script that evaluates the expression whose number the host begins with, and the answers likewise.
fn table(expressions: &[&str], answers: &[&str]) -> String {
    let functions: String = expressions
        .iter()
        .map(|expression| format!("function () {{ return {expression}; }},\n"))
        .collect();
    let answers = json!(answers);
    // Saves the state before the table begins, since a case may replace it.
    format!(
        "var cases = [{functions}], answers = {answers};\n\
         var write = JSON.stringify;\n\
         function value(at) {{\n\
           try {{ var found = cases[at](); return typeof found + ' ' + String(found); }}\n\
           catch (error) {{ return 'throws ' + (error.name || typeof error); }}\n\
         }}\n\
         function FindProxyForURL(url, host) {{\n\
           var part = /^(case|answer)([0-9]+)\\.invalid$/.exec(host);\n\
           if (part && part[1] == 'answer') return answers[part[2]];\n\
           if (part) return value(+part[2]);\n\
           if (host == 'table.invalid')\n\
             alert(write(cases.map(function (_, at) {{ return value(at); }})));\n\
           return '{NOWHERE}';\n\
         }}\n"
    )
}

/// Serves files on this computer, with their types, for as long as the tests run.
fn serve(files: Vec<(String, &'static str, Vec<u8>)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                request.push(byte[0]);
            }
            let request = String::from_utf8_lossy(&request).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            let Some((_, kind, body)) = files.iter().find(|(name, ..)| path == *name) else {
                continue;
            };
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(&[head.as_bytes(), body].concat());
        }
    });
    format!("http://{place}")
}

/// The browser's record of its proxies.
struct Log {
    /// For each URL, the proxies in the browser's own words; a code where the script failed.
    proxies: BTreeMap<String, String>,
    alerts: Vec<String>,
    errors: Vec<String>,
}

/// Opens a page with all of `urls` in it, by the script at `pac`.
fn browse(mut chromium: Command, pac: &str, urls: &[String]) -> Log {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("net.json");
    let images: String = urls.iter().map(|url| format!("<img src={url}>")).collect();
    let page = folder.path().join("page.html");
    fs::write(&page, images).unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let mut child = chromium
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", folder.path())
        .env("TZ", PLACE)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
        ])
        .args([
            "--no-first-run",
            "--disable-background-networking",
            "--disable-sync",
        ])
        .args(["--disable-component-update", "--disable-dev-shm-usage"])
        .arg(format!("--user-data-dir={}", path(folder.path())))
        .arg(format!("--proxy-pac-url={pac}"))
        // No name is asked for anywhere.
        .arg(format!(
            "--host-resolver-rules=MAP {SIX} [2001:db8::8], MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE 10.1.2.3"
        ))
        .arg(format!("--log-net-log={}", path(&log)))
        .arg("--dump-dom")
        .arg(format!("file://{}", path(&page)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > TIMEOUT {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the browser did not end");
        }
        thread::sleep(Duration::from_millis(20));
    }
    read_log(&fs::read_to_string(&log).unwrap())
}

fn read_log(text: &str) -> Log {
    let log: Value = serde_json::from_str(text).unwrap();
    let types = log["constants"]["logEventTypes"].as_object().unwrap();
    let kind = |name: &str| types[name].clone();
    let resolved = kind("PROXY_RESOLUTION_SERVICE_RESOLVED_PROXY_LIST");
    let (alert, error) = (kind("PAC_JAVASCRIPT_ALERT"), kind("PAC_JAVASCRIPT_ERROR"));
    let mut urls = BTreeMap::new();
    let mut found = Log {
        proxies: BTreeMap::new(),
        alerts: Vec::new(),
        errors: Vec::new(),
    };
    for event in log["events"].as_array().unwrap() {
        let (params, source) = (&event["params"], event["source"]["id"].to_string());
        if let Some(url) = params["url"].as_str() {
            urls.insert(source.clone(), url.to_owned());
        }
        let text = |name: &str| params[name].as_str().unwrap_or_default().to_owned();
        if event["type"] == alert {
            found.alerts.push(text("message"));
        } else if event["type"] == error {
            found.errors.push(text("message"));
        } else if event["type"] == resolved
            && let Some(url) = urls.get(&source)
        {
            let proxies = match params["proxy_info"].as_str() {
                Some(proxies) => proxies.to_owned(),
                None => format!("failed {}", params["net_error"]),
            };
            found.proxies.insert(url.clone(), proxies);
        }
    }
    found
}

/// The answers of Baleen's worker for each host; a sentence if the script fails.
fn worker(script: &str, hosts: &[String]) -> Result<Vec<String>, String> {
    let folder = tempfile::tempdir().unwrap();
    let names = folder.path().join("hosts");
    fs::write(&names, format!("2001:db8::8 {SIX}\n")).unwrap();
    let questions: Vec<[String; 2]> = hosts
        .iter()
        .map(|host| [format!("http://{host}/"), host.clone()])
        .collect();
    let job = json!({ "script": script, "questions": questions });
    let mut command = Command::new(env!("CARGO_BIN_EXE_baleen"));
    command
        .arg("pac-worker")
        .env_clear()
        .env("TZ", PLACE)
        .env("BALEEN_HOSTS_FILE", &names);
    let outcome: Value = serde_json::from_str(&said(&mut command, job.to_string().into())).unwrap();
    match outcome["Answered"]["texts"].as_array() {
        Some(texts) => Ok(texts
            .iter()
            .map(|text| text.as_str().unwrap().to_owned())
            .collect()),
        None => {
            let fault: ScriptFault = serde_json::from_value(outcome["Failed"].clone()).unwrap();
            Err(fault.to_string())
        }
    }
}

/// Routes in the browser's notation.
fn in_its_words(routes: &[Route]) -> String {
    let words: Vec<String> = routes
        .iter()
        .map(|route| match route {
            Route::Direct => "DIRECT".to_owned(),
            Route::Http { host, port } => format!("PROXY {host}:{port}"),
            Route::Https { host, port } => format!("HTTPS {host}:{port}"),
            // With plain SOCKS the browser speaks version 4, and calls it so; Go speaks version 5 only.
            Route::Socks { host, port } => format!("SOCKS5 {host}:{port}"),
            Route::Socks4 { host, port } => format!("SOCKS {host}:{port}"),
        })
        .collect();
    words.join(";")
}

#[test]
fn expressions_and_answers_mean_the_same() {
    let Some(chromium) = tool("chromium", "Chromium") else {
        return;
    };
    let expressions = expressions();
    let answers = [
        "DIRECT",
        "PROXY p:1",
        "proxy p.example:8080; direct",
        "PROXY p; HTTPS s; SOCKS5 t; SOCKS4 u",
        "  PROXY p:1 ;; DIRECT ; ",
        "PROXY\tp:1",
        "PROXY [2001:db8::1]:3128",
        "HTTP p:1; PROXY q:2",
        "HTTP p:1",
        "FOO p:1; PROXY q:2",
        "PROXY; PROXY q:2",
        "",
    ];
    let script = table(&expressions, &answers);
    let place = serve(vec![(
        "/proxy.pac".to_owned(),
        "application/x-ns-proxy-autoconfig; charset=utf-8",
        script.clone().into(),
    )]);
    let mut hosts: Vec<String> = (0..answers.len())
        .map(|at| format!("answer{at}.invalid"))
        .collect();
    hosts.push("table.invalid".to_owned());
    let urls: Vec<String> = hosts.iter().map(|host| format!("http://{host}/")).collect();
    let log = browse(chromium, &format!("{place}/proxy.pac"), &urls);
    assert_eq!(log.errors, [""; 0]);
    let theirs: Vec<String> = log
        .alerts
        .iter()
        .find_map(|alert| serde_json::from_str(alert).ok())
        .unwrap();

    let cases: Vec<String> = (0..expressions.len())
        .map(|at| format!("case{at}.invalid"))
        .collect();
    let ours = worker(&script, &cases).unwrap();
    let mut wrong = Vec::new();
    for (at, expression) in expressions.iter().enumerate() {
        if ours[at] != theirs[at] {
            wrong.push(format!(
                "{expression}\n  Chromium: {}\n  Baleen:   {}",
                theirs[at], ours[at]
            ));
        }
    }
    for (answer, url) in answers.iter().zip(&urls) {
        let theirs = &log.proxies[url];
        let ours = match Routes::parse(answer) {
            Ok(read) => in_its_words(&read.routes),
            Err(why) => why.to_string(),
        };
        if ours != *theirs {
            wrong.push(format!(
                "{answer}\n  Chromium: {theirs}\n  Baleen:   {ours}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    tell(&format!("{} expressions compared", expressions.len()));
}

#[test]
fn files_mean_the_same() {
    if tool("chromium", "Chromium").is_none() {
        return;
    }
    let plain =
        "function FindProxyForURL(url, host) { return 'PROXY p:' + '\u{fc}'.charCodeAt(0); }";
    let utf16 = |order: fn(u16) -> [u8; 2]| -> Vec<u8> {
        let marked = format!("\u{feff}{plain}");
        marked.encode_utf16().flat_map(order).collect()
    };
    let latin: Vec<u8> = plain
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    let pac = "application/x-ns-proxy-autoconfig";
    let latin_pac = "application/x-ns-proxy-autoconfig; charset=ISO-8859-1";
    let body = "{ return 'PROXY p:252'; }";
    // A script that the browser doesn't run is an error in Baleen: to go direct would be a guess.
    let files: Vec<(&str, &'static str, Vec<u8>, bool)> = vec![
        (
            "utf-8 with a mark",
            pac,
            format!("\u{feff}{plain}").into(),
            true,
        ),
        ("latin-1 by its type", latin_pac, latin.clone(), true),
        ("latin-1", pac, latin, true),
        (
            "utf-16, little end first",
            pac,
            utf16(u16::to_le_bytes),
            true,
        ),
        ("utf-16, big end first", pac, utf16(u16::to_be_bytes), true),
        (
            "comment",
            pac,
            format!("<!-- x\nfunction FindProxyForURL() {body}\n--> y").into(),
            true,
        ),
        (
            "var",
            pac,
            format!("var FindProxyForURL = function () {body}").into(),
            true,
        ),
        (
            "const",
            pac,
            format!("const FindProxyForURL = () => {body}").into(),
            false,
        ),
        (
            "Ex",
            pac,
            format!("function FindProxyForURLEx() {body}").into(),
            false,
        ),
        (
            "a name of the library",
            pac,
            format!("let months = 1; function FindProxyForURL() {body}").into(),
            false,
        ),
        (
            "null",
            pac,
            "function FindProxyForURL() { return null; }".into(),
            false,
        ),
    ];
    let place = serve(
        files
            .iter()
            .enumerate()
            .map(|(at, (_, kind, bytes, _))| (format!("/{at}"), *kind, bytes.clone()))
            .collect(),
    );
    let url = "http://a.invalid/".to_owned();
    let browsed = |at: usize| {
        let log = browse(
            Command::new("chromium"),
            &format!("{place}/{at}"),
            std::slice::from_ref(&url),
        );
        log.proxies[&url].clone()
    };
    // Two at a time: most of a start is waiting.
    let half = files.len() / 2;
    let theirs: Vec<String> = thread::scope(|scope| {
        let first = scope.spawn(|| (0..half).map(browsed).collect::<Vec<_>>());
        let second: Vec<String> = (half..files.len()).map(browsed).collect();
        [first.join().unwrap(), second].concat()
    });
    for (at, (name, _, _, runs)) in files.iter().enumerate() {
        let ours = fetch(&format!("{place}/{at}"))
            .map_err(|error| error.to_string())
            .and_then(|script| worker(&script.text, &["a.invalid".to_owned()]));
        if *runs {
            assert_eq!(theirs[at], "PROXY p:252", "{name}, in Chromium");
            assert_eq!(
                ours.as_deref(),
                Ok(&["PROXY p:252".to_owned()][..]),
                "{name}"
            );
        } else {
            assert!(
                theirs[at] == "DIRECT" || theirs[at].starts_with("failed"),
                "{name}, in Chromium: {}",
                theirs[at]
            );
            // Netscape's document takes `null` for "without a proxy", which is what the browser does.
            let direct = Ok(vec![String::new()]);
            assert!(ours.is_err() || ours == direct, "{name}: {ours:?}");
        }
    }
}
