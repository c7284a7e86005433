//! PAC scripts as a whole: run in the real program's child process, fetched from real servers on this computer,
//! remembered, and compared with another engine.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::iter;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::common::app;

use crate::common::redact::{Transcript, redacted};
use crate::common::tools::{tell, test_name, tool};
use baleen::error::{Error, Face, Failure, Kind};
use baleen::net::tls;
use baleen::proxy::pac::{
    AnswerCache, Evaluated, PacAnswers, PacRemark, PacSource, PacWorker, Route, Script,
    ScriptState, TIMEOUT, Unreachable, ask_through, evaluate_in_worker, fetch,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};

const CORPORATE: &str = include_str!("../../pac/corporate.pac");

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_baleen"))
}

fn evaluate(text: &str, urls: &[&str]) -> Result<Evaluated, Error> {
    let script = Script {
        name: "of the test".to_owned(),
        text: text.to_owned(),
    };
    let urls: Vec<String> = urls.iter().map(|url| (*url).to_owned()).collect();
    Ok(evaluate_in_worker(program(), &script, &urls)?)
}

/// The script's answer for one URL.
#[track_caller]
fn says(script: &str, url: &str) -> String {
    let mut evaluated = evaluate(script, &[url]).unwrap();
    evaluated.answers.remove(0).text
}

/// A script with `body` in its function.
fn function(body: &str) -> String {
    format!("function FindProxyForURL(url, host) {{ {body} }}")
}

#[test]
fn a_corporate_script() {
    let north = "PROXY proxy-n.corp.example:8080; PROXY proxy-s.corp.example:8080";
    let south = "PROXY proxy-s.corp.example:8080; PROXY proxy-n.corp.example:8080";
    for (url, expected) in [
        ("https://wiki/", "DIRECT"),
        ("https://printer.local/", "DIRECT"),
        ("https://www.corp.example/", "DIRECT"),
        ("https://corp.example/", "DIRECT"),
        ("https://10.20.30.40/", "DIRECT"),
        ("https://172.32.0.1/", north),
        ("https://ADS7.example.org/", "PROXY 127.0.0.1:9"),
        (
            "http://dl.example.org/update/x.msi",
            "PROXY cache.corp.example",
        ),
        // With TLS a script sees no path.
        ("https://dl.example.org/update/x.msi", south),
        (
            "ftp://ftp.example.org/",
            "SOCKS5 socks.corp.example:1080; DIRECT",
        ),
        (
            "https://registry-1.docker.io/",
            "PROXY docker.corp.example:3128",
        ),
        ("https://docker.io/", north),
    ] {
        let found = says(CORPORATE, url);
        // Which of the two it is, is the script's arithmetic; the comparison with pacparser checks that.
        if expected == north || expected == south {
            assert!(found == north || found == south, "{url}: {found}");
        } else {
            assert_eq!(found, expected, "{url}");
        }
    }
    let registry = evaluate(CORPORATE, &["https://registry.docker.example/"]).unwrap();
    assert!(matches!(&registry.answers[0].routes[0],
        Route::Https { host, port: 443 } if host == "secure.corp.example"));
    assert_eq!(registry.answers[0].routes.len(), 3);
    assert_eq!(registry.answers[0].host, "registry.docker.example");
}

#[test]
fn what_scripts_of_all_ages_do() {
    for (script, expected) in [
        (function("return null;"), ""),
        (function("return '';"), ""),
        (function("return ' DIRECT ';"), "DIRECT"),
        // An answer contains no password, no matter where it came from.
        (
            function("return 'PROXY me:s3cret@a:1; DIRECT';"),
            "PROXY me:***@a:1; DIRECT",
        ),
        (
            "FindProxyForURL = function (u, h) { return 'PROXY ' + h; }".to_owned(),
            "PROXY a.corp",
        ),
        (
            "var FindProxyForURL = (url, host) => `PROXY ${host}:1`;".to_owned(),
            "PROXY a.corp:1",
        ),
        (
            function("return 'PROXY a:1';")
                + "function FindProxyForURLEx() { return 'PROXY e:1'; }",
            "PROXY a:1",
        ),
        (
            "<!-- old\n".to_owned() + &function("return 'PROXY ' + url.substr(8, 1);"),
            "PROXY a",
        ),
        (
            "if (true) { function FindProxyForURL() { return unescape('PROXY%20a'); } }".to_owned(),
            "PROXY a",
        ),
        // The clock is the system's, in local time, for the helpers and for dates alike.
        (
            function(
                "var d = new Date(); var days = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT']; \
                 return weekdayRange(days[d.getDay()]) && dateRange(d.getFullYear()) \
                     && timeRange(d.getUTCHours(), 'GMT') && timeRange(d.getHours()) \
                     && d.getYear() == d.getFullYear() - 1900 ? 'PROXY now' : 'PROXY then';",
            ),
            "PROXY now",
        ),
        (
            function(
                "return dnsResolve('127.0.0.1') + ':1' == '127.0.0.1:1' ? 'PROXY y' : 'PROXY n';",
            ),
            "PROXY y",
        ),
        (
            function(
                "return isInNet(dnsResolve(''), '0.0.0.0', '0.0.0.0') ? 'PROXY y' : 'PROXY n';",
            ),
            "PROXY n",
        ),
        (
            function("return /^\\d+(\\.\\d+){3}$/.test(myIpAddress()) ? 'PROXY y' : 'PROXY n';"),
            "PROXY y",
        ),
    ] {
        assert_eq!(says(&script, "https://a.corp/"), expected, "{script}");
    }
}

#[test]
fn scripts_that_fail_say_why_and_where() {
    let mut told = Transcript::default();
    for script in [
        String::new(),
        // The browsers go direct in these cases; in Baleen that would be a guess.
        "const FindProxyForURL = (url, host) => 'PROXY a:1';".to_owned(),
        "function FindProxyForURLEx(u, h) { return 'PROXY e:1'; }".to_owned(),
        function("return timeRange(1, 2, 3);"),
        "var FindProxyForURL = 1;".to_owned(),
        "function (".to_owned(),
        "\n\nfunction f() { return }}".to_owned(),
        "var a;\nnull.x;".to_owned(),
        "function f() {\n  throw new Error('no \\x1b[1m idea');\n}\n".to_owned()
            + &function("f();"),
        function("throw 'text';"),
        "missing();".to_owned(),
        function("throw {};"),
        function(""),
        function("return 1;"),
        function("return {toString: 1};"),
        function("return '\\ud800';"),
        function("return 'x'.repeat(5000);"),
        function("return 'FOO a:1';"),
        function("return 'PROXY a:1\\nPROXY b:1';"),
        function("return 'PROXY me:s3cret@a:1';"),
    ] {
        let error = evaluate(&script, &["https://a.corp/"]).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), Kind::Failure);
        assert!(
            !text.contains(char::is_control) && !text.contains("s3cret"),
            "{text:?}"
        );
        told.text(&script, text);
    }
    insta::assert_snapshot!(told);
}

#[test]
fn hostile_scripts_are_ended() {
    let recursive_sort =
        "var n = 0; function f() { n++; [2, 1].sort(f); return 0; } f(); return 'DIRECT';";
    for (script, words) in [
        ("while (true) {}".to_owned(), &["iteration"][..]),
        (
            function("function f() { for (var i = 0; i < 1000000; i++); } for (;;) f();"),
            &["5 seconds"],
        ),
        (
            function("return FindProxyForURL(url, host);"),
            &["recursive"],
        ),
        (function(recursive_sort), &["evaluated"]),
        (
            function("return eval(Array(50000).join('(') + '1');"),
            &["evaluated"],
        ),
        (
            function("var a = []; for (;;) a.push([1, 2, 3, 4, 5, 6, 7, 8]);"),
            &["evaluated"],
        ),
        (function("var s = 'x'; for (;;) s += s;"), &["256 MB"]),
        (
            function("return /^(a+)+$/.test('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!');"),
            &["5 seconds"],
        ),
        (function("new ArrayBuffer(1e9)"), &["RangeError"]),
        (function("throw 'x'.repeat(10000000);"), &["..."]),
    ] {
        let error = evaluate(&script, &["https://a.corp/"]).unwrap_err();
        let text = error.to_string();
        assert!(text.len() < 1000, "{} bytes", text.len());
        for word in words {
            assert!(text.contains(word), "no {word:?} in {text:?} of {script}");
        }
    }
}

/// A worker for one question after the other.
fn worker(text: &str) -> PacWorker {
    let script = Script {
        name: "of the test".to_owned(),
        text: text.to_owned(),
    };
    PacWorker::new(program().to_owned(), script)
}

fn ask(worker: &PacWorker, url: &str) -> Result<String, Error> {
    let mut evaluated = worker.turn()?.ask(&[url.to_owned()])?;
    Ok(evaluated.answers.remove(0).text)
}

#[test]
fn a_worker_that_stays_answers_as_one_that_is_asked_once() {
    let staying = worker(CORPORATE);
    let mut process = None;
    for url in [
        "https://wiki/",
        "https://10.20.30.40/",
        "https://ADS7.example.org/",
        "http://dl.example.org/update/x.msi",
        "https://dl.example.org/update/x.msi",
        "ftp://ftp.example.org/",
        "https://registry-1.docker.io/",
        "https://docker.io/",
    ] {
        assert_eq!(ask(&staying, url).unwrap(), says(CORPORATE, url), "{url}");
        let id = staying.process_id();
        assert!(id.is_some() && process.is_none_or(|process| process == id));
        process = Some(id);
    }
    // An error of the script is an answer: the process stays, and so do the script's variables.
    let text = "var n = 0;".to_owned()
        + &function("n++; if (host == 'bad') throw 'no'; return 'PROXY p' + n;");
    let staying = worker(&text);
    assert_eq!(ask(&staying, "https://a/").unwrap(), "PROXY p1");
    let text = ask(&staying, "https://bad/").unwrap_err().to_string();
    assert!(text.contains("no"), "{text}");
    assert_eq!(ask(&staying, "https://a/").unwrap(), "PROXY p3");
    // The clock does not stand still.
    let staying = worker(&function("return 'PROXY p:' + Date.now() % 65536;"));
    let first = ask(&staying, "https://a/").unwrap();
    thread::sleep(Duration::from_millis(2));
    assert_ne!(ask(&staying, "https://a/").unwrap(), first);
}

#[test]
fn a_process_that_ended_is_replaced() {
    let staying = worker(&function("return 'PROXY ' + host;"));
    let mut seen = Vec::new();
    for host in ["a", "b", "c"] {
        let answer = ask(&staying, &format!("https://{host}/")).unwrap();
        assert_eq!(answer, format!("PROXY {host}"));
        let id = staying.process_id().unwrap();
        assert!(!seen.contains(&id));
        seen.push(id);
        let kill = Command::new("kill").args(["-9", &id.to_string()]).status();
        assert!(kill.unwrap().success());
    }
}

#[test]
fn what_one_question_did_ends_with_its_process() {
    let staying = worker(&function(
        "if (host == 'loop') /^(a+)+$/.test('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'); \
         if (host == 'grow') { var s = 'x'; for (;;) s += s; } \
         return 'PROXY ' + host;",
    ));
    assert_eq!(ask(&staying, "https://a/").unwrap(), "PROXY a");
    for (url, words) in [("https://loop/", "5 seconds"), ("https://grow/", "256 MB")] {
        let text = ask(&staying, url).unwrap_err().to_string();
        assert!(text.contains(words), "{text}");
        assert_eq!(staying.process_id(), None);
        assert_eq!(ask(&staying, "https://a/").unwrap(), "PROXY a");
    }
}

#[test]
fn the_memory_of_the_parent_does_not_count() {
    let large = vec![1_u8; 400 << 20];
    assert_eq!(says(&function("return 'DIRECT'"), "https://a/"), "DIRECT");
    drop(large);
}

#[test]
fn programs_that_are_no_worker_are_reported_from_scripts_that_fail() {
    let script = Script {
        name: "of the test".to_owned(),
        text: function("return 'DIRECT';"),
    };
    let dir = tempfile::tempdir().unwrap();
    let mut told = Transcript::default();
    for shell in [
        "exit 3",
        "kill -9 $$",
        "echo hello",
        "echo '{\"Answered\":{\"texts\":[],\"unanswered\":null,\"remarks\":[]}}'",
        "exec yes",
        "exec tr '\\0' y </dev/zero",
        "exec sleep 100",
        "exec sleep 100 >&-",
    ] {
        let path = dir.path().join("worker");
        fs::write(&path, format!("#!/bin/sh\nPATH=/usr/bin:/bin\n{shell}\n")).unwrap();
        app::set_mode(&path, 0o700);
        let error = evaluate_in_worker(&path, &script, &["https://a/".to_owned()]).unwrap_err();
        told.text(shell, error);
    }
    let none = dir.path().join("none");
    let error = evaluate_in_worker(&none, &script, &["https://a/".to_owned()]).unwrap_err();
    told.text("no such program", error);
    insta::assert_snapshot!(told);
}

#[test]
fn the_worker_takes_nothing_but_a_job() {
    for input in [&b""[..], b"hello", b"\xff\xfe", b"{\"script\":\"\"}"] {
        let mut child = Command::new(program())
            .arg("pac-worker")
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let run = app::Run::from(child.wait_with_output().unwrap());
        run.is_refusal(2, &["pac-worker"]);
    }
    let help = Command::new(program()).arg("--help").output().unwrap();
    assert!(!String::from_utf8_lossy(&help.stdout).contains("pac-worker"));
}

/// Serves each connection, and gives the place to connect to.
fn server_of(serve: impl Fn(&mut TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for connection in listener.incoming() {
            serve(&mut connection.unwrap());
        }
    });
    place
}

/// Answers each request, whose head it gets.
fn server(answer: impl Fn(&str, &mut TcpStream) + Send + 'static) -> String {
    server_of(move |connection| {
        let head = request(connection);
        answer(&head, connection);
    })
}

/// The head of a request.
fn request(connection: &mut impl Read) -> String {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && connection.read(&mut byte).unwrap_or(0) == 1 {
        request.push(byte[0]);
    }
    String::from_utf8(request).unwrap()
}

/// Writes an answer; the client may have gone.
fn reply(connection: &mut impl Write, status: &str, headers: &str, body: &[u8]) {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let _ = connection.write_all(head.as_bytes());
    let _ = connection.write_all(body);
}

#[test]
fn scripts_come_from_servers() {
    let place = server(|request, connection| {
        let path = request.split(' ').nth(1).unwrap();
        match path {
            "/proxy.pac" => reply(connection, "200 OK", "", b"// a script"),
            "/bom" => reply(connection, "200 OK", "", b"\xef\xbb\xbf// a script"),
            "/latin" => reply(
                connection,
                "200 OK",
                "Content-Type: text/html; charset=utf-8\r\n",
                b"// \xfc",
            ),
            "/moved" => reply(connection, "302 Found", "Location: /proxy.pac\r\n", b""),
            "/round" => reply(connection, "302 Found", "Location: /round\r\n", b""),
            "/file" => reply(
                connection,
                "302 Found",
                "Location: file:///etc/passwd\r\n",
                b"",
            ),
            "/missing" => reply(connection, "404 Not Found", "", b"// no script"),
            "/empty" => reply(connection, "204 No Content", "", b""),
            "/login" => reply(connection, "200 OK", "", b"<html>Log in"),
            "/zipped" => reply(
                connection,
                "200 OK",
                "Content-Encoding: gzip\r\n",
                b"\x1f\x8b",
            ),
            "/big" => reply(connection, "200 OK", "", &vec![b' '; (1 << 20) + 1]),
            "/largest" => reply(connection, "200 OK", "", &vec![b' '; 1 << 20]),
            "/cut" => {
                drop(connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nvar a"))
            }
            "/slow" => {
                let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
                while connection.write_all(b" ").is_ok() {
                    thread::sleep(Duration::from_millis(200));
                }
            }
            "/silent" => thread::sleep(Duration::from_secs(7)),
            "/user" => {
                // me:s3cret
                let known = request
                    .to_ascii_lowercase()
                    .contains("authorization: basic bwu6cznjcmv0");
                assert!(known, "{request}");
                reply(connection, "200 OK", "", b"// known");
            }
            _ => drop(connection.write_all(b"nonsense\r\n\r\n")),
        }
    });
    let of = |path: &str| fetch(&format!("http://{place}{path}"));
    for (path, expected) in [
        ("/proxy.pac", "// a script"),
        ("/bom", "// a script"),
        ("/latin", "// \u{fc}"),
        ("/moved", "// a script"),
    ] {
        assert_eq!(of(path).unwrap().text, expected, "{path}");
    }
    assert_eq!(of("/largest").unwrap().text.len(), 1 << 20);
    let mut told = Transcript::default();
    for path in [
        "/round",
        "/file",
        "/missing",
        "/empty",
        "/login",
        "/zipped",
        "/big",
        "/cut",
        "/nonsense",
        "/slow",
        "/silent",
    ] {
        told.text(path, of(path).unwrap_err());
    }
    let with_user = fetch(&format!("http://me:s3cret@{place}/user")).unwrap();
    assert_eq!(with_user.text, "// known");
    assert!(!with_user.name.contains("s3cret"));

    // A port whose listener has gone.
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    told.text(
        "no listener",
        fetch(&format!("http://{gone}/")).unwrap_err(),
    );
    insta::assert_snapshot!(told);
}

/// Runs the test `name` of this file, which is ignored, with `variables`: the environment of this
/// process can't be changed while other tests run.
#[track_caller]
fn run_with(name: &str, variables: &[(&str, &Path)]) {
    let output = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            &test_name(module_path!(), name),
            "--ignored",
            "--nocapture",
        ])
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn hosts() -> [String; 2] {
    [
        "registry-1.docker.io".to_owned(),
        "auth.corp:5000".to_owned(),
    ]
}

#[test]
fn the_last_answers_are_kept_and_said_to_be_that() {
    let dir = tempfile::tempdir().unwrap();
    let memory = AnswerCache::in_folder(&dir.path().join("state"));
    let path = dir.path().join("proxy.pac");
    let source = PacSource::Url(path.to_str().unwrap().to_owned());
    let ask = || ask_through(program(), &source, &hosts(), &memory, Unreachable::Keep);

    let mut told = Transcript::default();
    let mut tell = |heading, error: Error| {
        let hint = error.hint(Face::CommandLine).unwrap_or_default();
        told.text(heading, format!("{error}\n{hint}"));
    };
    tell("keep, and nothing is kept", ask().unwrap_err().into());
    let error =
        ask_through(program(), &source, &hosts(), &memory, Unreachable::Direct).unwrap_err();
    tell("go direct", error.into());

    fs::write(
        &path,
        function("return 'PROXY ' + (host == 'auth.corp' ? 'b' : 'a') + ':1';"),
    )
    .unwrap();
    let fresh = ask().unwrap();
    assert_eq!(fresh.script_state, ScriptState::Fresh);
    assert!(fresh.remarks.is_empty());
    let [first, second] = &fresh.answers[..] else {
        panic!("{fresh:?}");
    };
    assert_eq!(
        (&*first.host, &*first.text),
        ("registry-1.docker.io", "PROXY a:1")
    );
    assert_eq!(
        (&*second.host, &*second.text),
        ("auth.corp:5000", "PROXY b:1")
    );
    assert_eq!(second.url, "https://auth.corp:5000/");

    for broken in [Some("<html>"), Some("throw 1"), Some("while (1);"), None] {
        match broken {
            Some(text) => fs::write(&path, text).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let kept = ask().unwrap();
        assert_eq!(kept.answers, fresh.answers);
        assert!(kept.kept_since().is_some(), "{kept:?}");
        assert!(!kept.remarks.is_empty(), "{kept:?}");
    }
    // One more host takes nothing from the others, and each is found in every spelling.
    let more = [
        "Registry-1.docker.io:443",
        "new.corp",
        "https://auth.corp:5000/",
    ]
    .map(str::to_owned);
    let kept = ask_through(program(), &source, &more, &memory, Unreachable::Keep).unwrap();
    let known: Vec<_> = kept.answers.iter().map(|a| (&*a.host, &*a.text)).collect();
    assert_eq!(known, [(&*more[0], "PROXY a:1"), (&*more[2], "PROXY b:1")]);
    assert!(kept.of("new.corp").is_none() && kept.given(&more[2]).is_some());
    // So is the script.
    let url = format!("FILE://localhost{}", path.display());
    let other = PacSource::Url(url);
    let kept = ask_through(program(), &other, &hosts(), &memory, Unreachable::Keep).unwrap();
    assert_eq!(kept.answers, fresh.answers);

    // A local script has no remembered answer: it answers now, or is invalid.
    let script = |text: &str| {
        let source = PacSource::Script(text.to_owned());
        ask_through(program(), &source, &hosts(), &memory, Unreachable::Keep)
    };
    assert_eq!(
        script(&function("return 'PROXY c:1'")).unwrap().answers[0].text,
        "PROXY c:1"
    );
    tell("a local script", script("throw 1").unwrap_err().into());
    insta::assert_snapshot!(told);
}

/// A script that can't be reached counts as gone after a while; one that is there and fails doesn't.
#[test]
fn a_script_that_stays_away_means_direct() {
    let dir = tempfile::tempdir().unwrap();
    let memory = AnswerCache::in_folder(dir.path());
    let path = dir.path().join("proxy.pac");
    let url = path.to_str().unwrap();
    let source = PacSource::Url(url.to_owned());
    let ask =
        |unreachable| ask_through(program(), &source, &hosts(), &memory, unreachable).unwrap();
    let text = function("return 'PROXY a:1'");
    fs::write(&path, &text).unwrap();
    let fresh = ask(Unreachable::Direct);

    fs::remove_file(&path).unwrap();
    let before = SystemTime::now();
    let ScriptState::Kept {
        until: Some(until), ..
    } = ask(Unreachable::Direct).script_state
    else {
        panic!("not kept");
    };
    // Whole seconds are kept.
    let second = Duration::from_secs(1);
    assert!(until + second >= before + TIMEOUT && until <= SystemTime::now() + TIMEOUT);

    // Pretends that this was a while ago.
    let file = dir.path().join("pac.json");
    let text_of = || fs::read_to_string(&file).unwrap();
    let since = until - TIMEOUT;
    let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (now, past) = (seconds(since), seconds(since - TIMEOUT));
    let later = text_of().replace(
        &format!("\"unreachable_since\": {now}"),
        &format!("\"unreachable_since\": {past}"),
    );
    assert_ne!(later, text_of());
    fs::write(&file, &later).unwrap();
    let gone = ask(Unreachable::Direct);
    assert_eq!(gone.script_state, ScriptState::Direct);
    let [PacRemark::Failed(why)] = &*gone.remarks else {
        panic!("{gone:?}");
    };
    assert_eq!(why.code(), "not-found");
    let direct = |asked: &PacAnswers| {
        asked
            .answers
            .iter()
            .all(|answer| answer.routes == [Route::Direct])
    };
    assert_eq!(gone.answers.len(), 2);
    assert!(direct(&ask(Unreachable::Direct)));
    assert_eq!(text_of(), later, "written at every question");
    let kept = ask(Unreachable::Keep);
    assert!(matches!(
        &kept.script_state,
        ScriptState::Kept { until: None, .. }
    ));
    assert_eq!(kept.answers, fresh.answers);

    // The script exists but fails. It may work on the Mac, so nothing is concluded from that.
    fs::write(&path, "throw 1").unwrap();
    let broken = ask(Unreachable::Direct);
    assert!(
        matches!(&broken.script_state, ScriptState::Kept { until: None, .. }),
        "{broken:?}"
    );

    fs::write(&path, &text).unwrap();
    let again = ask(Unreachable::Direct);
    assert_eq!(again.script_state, ScriptState::Fresh);
    assert_eq!(again.answers, fresh.answers);
    assert!(!text_of().contains("unreachable_since"));
}

#[test]
fn a_folder_that_cannot_be_written_costs_the_memory_only() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("state"), "a file").unwrap();
    let path = dir.path().join("proxy.pac");
    fs::write(&path, function("return 'DIRECT'")).unwrap();
    let source = PacSource::Url(format!("file://{}", path.display()));
    let memory = AnswerCache::in_folder(&dir.path().join("state"));
    let asked = ask_through(program(), &source, &hosts(), &memory, Unreachable::Keep).unwrap();
    assert_eq!(asked.script_state, ScriptState::Fresh);
    assert!(
        matches!(&*asked.remarks, [PacRemark::NotKept(_)]),
        "{asked:?}"
    );
}

#[test]
fn names_are_looked_up_where_the_hosts_file_says() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hosts");
    fs::write(&file, "10.1.2.3 registry-1.docker.io\n").unwrap();
    run_with("with_hosts", &[("BALEEN_HOSTS_FILE", &file)]);
}

#[test]
#[ignore = "run by names_are_looked_up_where_the_hosts_file_says"]
fn with_hosts() {
    let inside =
        function("return isInNet(host, '10.0.0.0', '255.0.0.0') ? 'PROXY in:1' : 'PROXY out:1';");
    let evaluated = evaluate(
        &inside,
        &["https://registry-1.docker.io/", "https://no.corp/"],
    )
    .unwrap();
    let texts: Vec<&str> = evaluated
        .answers
        .iter()
        .map(|answer| &*answer.text)
        .collect();
    assert_eq!(texts, ["PROXY in:1", "PROXY out:1"]);
    assert_eq!(evaluated.unanswered, None);

    // A network without a host of that name has no script, which is a valid answer.
    let dir = tempfile::tempdir().unwrap();
    let memory = AnswerCache::in_folder(dir.path());
    let asked = ask_through(
        program(),
        &PacSource::Discover,
        &hosts(),
        &memory,
        Unreachable::Keep,
    )
    .unwrap();
    assert_eq!(asked.script_state, ScriptState::NotOffered);
    assert!(
        matches!(&*asked.remarks, [PacRemark::NotOffered(_)]),
        "{asked:?}"
    );
    assert!(
        asked
            .answers
            .iter()
            .all(|answer| answer.routes == [Route::Direct])
    );
}

#[test]
fn a_network_offers_a_script() {
    // Another address of this computer, whose port 80 no one uses.
    let Ok(listener) = TcpListener::bind("127.77.0.1:80") else {
        assert!(
            env::var_os("CI").is_none() || !cfg!(target_os = "linux"),
            "port 80 can't be used, and the tests need it in CI"
        );
        tell("skipped: WPAD (port 80 of 127.77.0.1)");
        return;
    };
    thread::spawn(move || {
        // From the second time on it is out of order.
        for (connection, status) in listener.incoming().zip(
            ["200 OK"]
                .into_iter()
                .chain(iter::repeat("503 Out of order")),
        ) {
            let mut connection = connection.unwrap();
            let head = request(&mut connection);
            assert!(head.starts_with("GET /wpad.dat HTTP/1.1\r\n"), "{head}");
            reply(
                &mut connection,
                status,
                "",
                function("return 'PROXY w:1'").as_bytes(),
            );
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hosts");
    fs::write(&file, "127.77.0.1 wpad\n").unwrap();
    run_with("with_wpad", &[("BALEEN_HOSTS_FILE", &file)]);
}

#[test]
#[ignore = "run by a_network_offers_a_script"]
fn with_wpad() {
    let dir = tempfile::tempdir().unwrap();
    let memory = AnswerCache::in_folder(dir.path());
    let ask = || -> PacAnswers {
        ask_through(
            program(),
            &PacSource::Discover,
            &hosts(),
            &memory,
            Unreachable::Keep,
        )
        .unwrap()
    };
    let (first, second) = (ask(), ask());
    assert!(
        first.kept_since().is_none() && first.answers[0].text == "PROXY w:1",
        "{first:?}"
    );
    assert!(
        second.kept_since().is_some() && second.answers == first.answers,
        "{second:?}"
    );
    let [PacRemark::Failed(why)] = &*second.remarks else {
        panic!("{second:?}");
    };
    assert!(why.to_string().contains("503"), "{why}");

    // The result stays the same, and then the rest of the settings counts.
    let ask = || {
        let source = PacSource::Discover;
        ask_through(program(), &source, &hosts(), &memory, Unreachable::Direct).unwrap()
    };
    assert!(matches!(
        ask().script_state,
        ScriptState::Kept { until: Some(_), .. }
    ));
    let file = dir.path().join("pac.json");
    let mut kept: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    for script in kept["scripts"].as_object_mut().unwrap().values_mut() {
        script["unreachable_since"] = 1.into();
    }
    fs::write(&file, kept.to_string()).unwrap();
    let gone = ask();
    assert_eq!(
        (gone.script_state, gone.answers),
        (ScriptState::NotOffered, Vec::new())
    );
}

/// A self-signed certificate for 127.0.0.1, and its key; nothing without openssl.
fn certificate(folder: &Path) -> Option<(PathBuf, PathBuf)> {
    tool("openssl", "")?;
    fs::create_dir(folder).unwrap();
    let config = folder.join("config");
    let text = "[req]\ndistinguished_name=dn\nx509_extensions=for_a_server\n[dn]\n[for_a_server]\n\
        subjectAltName=IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\n";
    fs::write(&config, text).unwrap();
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let output = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ])
        .args(["-nodes", "-subj", "/CN=127.0.0.1", "-days", "2", "-config"])
        .arg(&config)
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    Some((cert, key))
}

#[test]
fn tls_is_trusted_as_the_system_trusts() {
    let dir = tempfile::tempdir().unwrap();
    let Some((cert, key)) = certificate(&dir.path().join("server")) else {
        return;
    };
    let (stranger, _) = certificate(&dir.path().join("stranger")).unwrap();
    let plain = server(|_, connection| reply(connection, "200 OK", "", b"// not over TLS"));
    let config = ServerConfig::builder_with_provider(tls::provider().unwrap())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(&cert).unwrap()],
            PrivateKeyDer::from_pem_file(&key).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let place = server_of(move |connection| {
        let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = rustls::Stream::new(&mut tls, connection);
        let head = request(&mut stream);
        if head.starts_with("GET /down ") {
            let to = format!("Location: http://{plain}/\r\n");
            reply(&mut stream, "302 Found", &to, b"");
        } else {
            reply(&mut stream, "200 OK", "", b"// over TLS");
        }
    });
    let at = Path::new(&place);
    run_with("with_certificate", &[("SSL_CERT_FILE", &cert), (PLACE, at)]);
    run_with(
        "with_stranger",
        &[("SSL_CERT_FILE", &stranger), (PLACE, at)],
    );
}

const PLACE: &str = "BALEEN_TEST_PLACE";

#[test]
#[ignore = "run by tls_is_trusted_as_the_system_trusts"]
fn with_certificate() {
    let place = env::var(PLACE).unwrap();
    let script = fetch(&format!("https://{place}/")).unwrap();
    assert_eq!(script.text, "// over TLS");
    // Redirects from plain HTTP to TLS are followed, but not back.
    let to = format!("Location: https://{place}/\r\n");
    let up = server(move |_, connection| reply(connection, "301 Moved Permanently", &to, b""));
    assert_eq!(fetch(&format!("http://{up}/")).unwrap().text, "// over TLS");
    let error = fetch(&format!("https://{place}/down")).unwrap_err();
    insta::assert_snapshot!(redacted(&error.to_string()));
}

#[test]
#[ignore = "run by tls_is_trusted_as_the_system_trusts"]
fn with_stranger() {
    let place = env::var(PLACE).unwrap();
    let error = fetch(&format!("https://{place}/")).unwrap_err();
    insta::assert_snapshot!(redacted(&error.to_string()));
}

/// The Python that Debian's packages are for.
const PYTHON: &str = "/usr/bin/python3";

/// The answers of pacparser, whose engine and functions are independent of Baleen's; nothing if it is not installed.
fn pacparser(scripts: &[(String, Vec<String>)]) -> Option<Vec<Vec<String>>> {
    let there = Command::new(PYTHON)
        .args(["-W", "ignore", "-c", "import pacparser"])
        .output();
    if !there.is_ok_and(|run| run.status.success()) {
        assert!(
            env::var_os("CI").is_none() || !cfg!(target_os = "linux"),
            "python3-pacparser is not installed, and the tests need it in CI"
        );
        tell("skipped: python3-pacparser");
        return None;
    }
    let mut child = Command::new(PYTHON)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pac/compare.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = serde_json::to_vec(scripts).unwrap();
    child.stdin.take().unwrap().write_all(&input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn another_engine_says_the_same() {
    let hosts = [
        "www",
        "www.corp",
        "corp",
        "notcorp",
        "a.b.corp",
        "localhost",
        "10.1.2.3",
        "10.1.2.99",
        "172.31.255.255",
        "192.168.65.1",
        "127.0.0.1",
        "1.2.3.4",
        "registry-1.docker.io",
        "auth.docker.io",
        "docker.io",
        "x.local",
        "ads1.example.org",
        "www.example.org",
        "registry.docker.example",
        "proxy-1.corp",
    ];
    let urls: Vec<String> = hosts
        .iter()
        .flat_map(|host| {
            [
                format!("https://{host}/"),
                format!("http://{host}/a/b.msi?c=d"),
            ]
        })
        .collect();
    // None of these looks a name up.
    let address = "/^[0-9.]+$/.test(host) && ";
    let days = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
    let mut conditions: Vec<String> = [
        "isPlainHostName(host)",
        "dnsDomainIs(host, '.corp')",
        "dnsDomainIs(host, 'corp')",
        "dnsDomainIs(host, '')",
        "localHostOrDomainIs(host, 'www.corp')",
        "localHostOrDomainIs(host, 'corp')",
        "dnsDomainLevels(host) == 1",
        "dnsDomainLevels(host) > 2",
        "shExpMatch(host, '*.corp')",
        "shExpMatch(host, '*corp')",
        "shExpMatch(host, '*.*.corp')",
        "shExpMatch(host, 'www.*')",
        "shExpMatch(host, '?ww')",
        "shExpMatch(host, '10.1.2.*')",
        "shExpMatch(host, '[a-d]*')",
        "shExpMatch(host, '[^a-d]*')",
        "shExpMatch(host, '(*.docker.io|docker.io)')",
        "shExpMatch(url, 'https:*')",
        "shExpMatch(url, '*/a/*.msi*')",
        "shExpMatch(url, '*://*corp/')",
        "shExpMatch(host, '')",
        "convert_addr('10.1.2.3') == 167838211",
        "convert_addr('192.168.0.1') < 0",
        "weekdayRange('MON', 'FRI')",
        "weekdayRange('SUN', 'SAT')",
        "timeRange(0, 23)",
        "dateRange('JAN', 'DEC')",
        "dateRange(1, 31)",
        "dateRange(2000, 2999)",
        "dateRange(2000, 2001)",
        "timeRange(0, 0, 23, 59)",
        "timeRange(0, 0, 0, 23, 59, 59)",
        "dateRange(1, 'JAN', 31, 'DEC')",
    ]
    .map(str::to_owned)
    .to_vec();
    for (network, mask) in [
        ("10.0.0.0", "255.0.0.0"),
        ("10.1.2.3", "255.255.255.255"),
        ("10.1.2.0", "255.255.255.128"),
        ("172.16.0.0", "255.240.0.0"),
        ("192.168.65.9", "255.255.255.0"),
        ("0.0.0.0", "0.0.0.0"),
    ] {
        conditions.push(format!("{address}isInNet(host, '{network}', '{mask}')"));
    }
    for day in days {
        conditions.push(format!("weekdayRange('{day}')"));
        conditions.push(format!("weekdayRange('{day}', 'GMT')"));
    }
    let body: String = conditions
        .iter()
        .map(|condition| format!("({condition} ? 'y' : 'n') + "))
        .collect();
    let table = function(&format!("return 'PROXY p' + {body}'';"));
    let scripts = vec![(table, urls.clone()), (CORPORATE.to_owned(), urls)];

    let ours = || -> Vec<Vec<String>> {
        let evaluate = |(script, urls): &(String, Vec<String>)| {
            let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
            let answers = evaluate(script, &urls).unwrap().answers;
            answers.into_iter().map(|answer| answer.text).collect()
        };
        scripts.iter().map(evaluate).collect()
    };
    // The clock is the same for both unless midnight lies between; then the times on both sides are tried.
    let before = ours();
    let Some(theirs) = pacparser(&scripts) else {
        return;
    };
    let after = ours();
    for (script, theirs) in theirs.iter().enumerate() {
        for (at, theirs) in theirs.iter().enumerate() {
            let url = &scripts[script].1[at];
            let found = [&before[script][at], &after[script][at]];
            assert!(
                found.contains(&theirs),
                "{url}: pacparser says {theirs}, Baleen {}\n{conditions:#?}",
                found[1]
            );
        }
    }
}
