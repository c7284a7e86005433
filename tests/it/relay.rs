//! The relay, as its clients and the proxies behind it meet it.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::common::app::App;
use crate::common::network::{dead_port, free_port, read_head};
use crate::common::relay::{ALL_DIRECT, Relay, settings};

#[cfg(target_os = "linux")]
mod kerberos;
#[cfg(target_os = "linux")]
mod squid;
#[cfg(target_os = "linux")]
mod tls;

/// A server that hands each connection to `serve`.
fn server(serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> SocketAddr {
    server_at("127.0.0.1:0", serve)
}

fn server_at(
    place: &str,
    serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind(place).unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let serve = serve.clone();
            // A client that gives up is no failure of the server.
            thread::spawn(move || drop(serve(stream)));
        }
    });
    address
}

/// A server that says what it got once the client has ended its direction, and then ends.
fn echo() -> SocketAddr {
    server(|mut stream| {
        let mut got = Vec::new();
        stream.read_to_end(&mut got)?;
        thread::sleep(Duration::from_millis(100));
        stream.write_all(b"got ")?;
        stream.write_all(&got)
    })
}

/// An upstream proxy for tunnels to one server: it wants this login, if any, and records the heads that it gets.
fn upstream(login: Option<&str>, target: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = heads.clone();
    let login = login.map(|login| BASE64_STANDARD.encode(login));
    let address = server(move |mut stream| {
        loop {
            let head = read_head(&mut stream);
            if head.is_empty() {
                return Ok(());
            }
            seen.lock().unwrap().push(head.clone());
            let is_in = login
                .as_ref()
                .is_none_or(|login| head.contains(&format!("Basic {login}\r\n")));
            if is_in {
                break;
            }
            stream.write_all(b"HTTP/1.1 407 x\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: Basic realm=\"corp, x\"\r\nContent-Length: 3\r\n\r\nno\n")?;
        }
        let other = TcpStream::connect(target)?;
        stream.write_all(b"HTTP/1.0 200 Connection established\r\nProxy-agent: x\r\n\r\n")?;
        let (mut from, mut to) = (stream.try_clone()?, other.try_clone()?);
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            to.shutdown(Shutdown::Write)
        });
        io::copy(&mut &other, &mut stream)?;
        stream.shutdown(Shutdown::Write)
    });
    (address, heads)
}

fn exchange(mut stream: TcpStream) -> String {
    stream.write_all(b"hello").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut got = String::new();
    stream.read_to_string(&mut got).unwrap();
    got
}

/// Each direction of a tunnel ends by itself, and bytes that came along with the request are not lost.
#[test]
fn a_direct_tunnel_carries_both_directions_to_their_ends() {
    let folder = tempfile::tempdir().unwrap();
    let relay = Relay::start(&["--system-proxies", &settings(folder.path(), ALL_DIRECT)]);
    let target = echo().to_string();
    let (stream, answer) = relay.tunnel(&target);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(exchange(stream), "got hello");

    let mut stream = relay.connect();
    let token = relay.token();
    let head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{token}\r\nearly ");
    stream.write_all(head.as_bytes()).unwrap();
    read_head(&mut stream);
    assert_eq!(exchange(stream), "got early hello");

    // More than any buffer holds, both ways at once.
    let many = server(|stream| {
        let (mut from, mut to) = (stream.try_clone()?, stream.try_clone()?);
        io::copy(&mut from, &mut to)?;
        stream.shutdown(Shutdown::Write)
    });
    let (stream, _) = relay.tunnel(&many.to_string());
    let bytes: Vec<u8> = (0..20_000_000_u32).map(|at| (at % 251) as u8).collect();
    let mut writer = stream.try_clone().unwrap();
    let sent = bytes.clone();
    let sender = thread::spawn(move || {
        writer.write_all(&sent).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut got = Vec::new();
    (&stream).read_to_end(&mut got).unwrap();
    sender.join().unwrap();
    assert!(got == bytes, "{} of {} bytes", got.len(), bytes.len());
}

/// Only who has the token may use it, and no loopback address of this computer is behind it.
#[test]
fn strangers_and_own_services_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let relay = Relay::start(&["--system-proxies", &settings(folder.path(), "")]);
    let target = echo();
    let token = relay.token();
    let ask = |head: &str| {
        let mut stream = relay.connect();
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    for field in ["", "Proxy-Authorization: Basic YmFsZWVuOnh4\r\n"] {
        let answer = ask(&format!(
            "CONNECT r.corp:443 HTTP/1.1\r\nHost: r.corp:443\r\n{field}\r\n"
        ));
        assert!(answer.starts_with("HTTP/1.1 407 "), "{answer}");
        assert!(
            answer.contains("Proxy-Authenticate: Basic realm="),
            "{answer}"
        );
    }
    for place in [
        target.to_string(),
        format!("localhost:{}", target.port()),
        format!("127.0.0.1:{}", relay.port),
        format!("[::1]:{}", target.port()),
        "169.254.169.254:80".to_owned(),
        "0.0.0.0:80".to_owned(),
    ] {
        let (_, answer) = relay.tunnel(&place);
        assert!(answer.starts_with("HTTP/1.1 403 "), "{place}: {answer}");
        let answer = relay.request(&format!("GET http://{place}/"), &place, "\r\n");
        assert!(answer.starts_with("HTTP/1.1 403 "), "{place}: {answer}");
    }
    // Neither the bypass list nor a proxy on the way changes that, except for what the list itself names.
    let (proxy, heads) = upstream(None, target);
    let others = tempfile::tempdir().unwrap();
    for file in [
        settings(folder.path(), ALL_DIRECT),
        script_settings(others.path(), &format!("PROXY {proxy}")),
    ] {
        let relay = Relay::start(&["--system-proxies", &file]);
        for place in [
            format!("127.0.0.1:{}", relay.port),
            format!("localhost:{}", target.port()),
            format!("[::1]:{}", target.port()),
            "169.254.169.254:80".to_owned(),
            "0.0.0.0:80".to_owned(),
        ] {
            let answer = relay.refused_tunnel(&place);
            assert!(answer.starts_with("HTTP/1.1 403 "), "{place}: {answer}");
            let answer = relay.request(&format!("GET http://{place}/"), &place, "\r\n");
            assert!(answer.starts_with("HTTP/1.1 403 "), "{place}: {answer}");
        }
    }
    assert_eq!(*heads.lock().unwrap(), Vec::<String>::new());
    for head in [
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        "CONNECT r.corp HTTP/1.1\r\nHost: r.corp\r\n",
        "GET http://r.corp/ HTTP/1.1\r\nHost: other\r\n",
        "GET http://r.corp/ HTTP/1.1\r\nHost: r.corp\r\nHost: r.corp\r\n",
        "GET http://r.corp/ HTTP/1.1\nHost: r.corp\n",
        "POST http://r.corp/ HTTP/1.1\r\nHost: r.corp\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "GET http://r.corp/ HTTP/1.1\r\nHost: r.corp\r\nHost: other\r\n",
        "GET http://r.corp/ HTTP/1.1\r\n",
        "GET http://r.corp/ HTTP/1.1\r\nHost: r.corp\r\nX: a\r\n folded\r\n",
        "GET http://r.corp/ HTTP/1.1\r\nHost : r.corp\r\n",
        "GET http://r.corp/ HTTP/1.1\r\nHost: r.corp\r\nX: a\nY: b\r\n",
        "GET http://r.corp/ HTTP/1.1\r\nHost: r.corp\r\nX: a\rY: b\r\n",
        "POST http://r.corp/ HTTP/1.1\r\nHost: r.corp\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
        "POST http://r.corp/ HTTP/1.1\r\nHost: r.corp\r\nContent-Length: +1\r\n",
        "POST http://r.corp/ HTTP/1.1\r\nHost: r.corp\r\nTransfer-Encoding: chunked, identity\r\n",
        "POST http://r.corp/ HTTP/1.1\r\nHost: r.corp\r\nTransfer-Encoding: xchunked\r\n",
        "POST http://r.corp/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n",
        "CONNECT r.corp:443 HTTP/1.1\r\nHost: r.corp:443\r\nContent-Length: 1\r\n",
        "CONNECT r.corp:443 HTTP/1.1\r\nHost: r.corp:443\r\nTransfer-Encoding: chunked\r\n",
        "CONNECT r.corp:443 HTTP/1.1\r\nHost: other:443\r\n",
    ] {
        let answer = ask(&format!("{head}{token}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 400 "), "{head}: {answer}");
    }
}

/// A pattern or a network of the bypass list says how hosts are reached, not that services of this computer are meant: macOS
/// has one of each in its list from the start. A name of its own is meant, but never the relay.
#[test]
fn only_an_entry_of_its_own_opens_a_service_of_this_computer() {
    let folder = tempfile::tempdir().unwrap();
    let hosts = folder.path().join("hosts");
    fs::write(&hosts, "127.0.0.1 mac.local named.corp\n").unwrap();
    let list = "<key>ExceptionsList</key><array><string>*.local</string><string>169.254/16</string><string>named.corp</string></array>";
    let file = settings(folder.path(), list);
    let relay = Relay::start_with(&["--system-proxies", &file], |command| {
        command.env("BALEEN_HOSTS_FILE", &hosts);
    });
    let port = echo().port();
    for place in [
        format!("mac.local:{port}"),
        "169.254.169.254:80".to_owned(),
        format!("named.corp:{}", relay.port),
    ] {
        let answer = relay.refused_tunnel(&place);
        assert!(answer.starts_with("HTTP/1.1 403 "), "{place}: {answer}");
        let answer = relay.request(&format!("GET http://{place}/"), &place, "\r\n");
        assert!(answer.starts_with("HTTP/1.1 403 "), "{place}: {answer}");
    }
    let (stream, answer) = relay.tunnel(&format!("named.corp:{port}"));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(exchange(stream), "got hello");
}

/// A shell that has the relay's address in its variables may start it: each request would come back to it.
#[test]
fn the_relay_as_its_own_proxy_is_an_error_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    fs::write(&config, "").unwrap();
    let relay = Relay::start(&["--config", config.to_str().unwrap()]);
    for host in ["127.0.0.1", "localhost"] {
        let address = format!("http://{host}:{}", relay.port);
        let text = format!("source = \"manual\"\nhttp_proxy = \"{address}\"\n");
        fs::write(&config, text).unwrap();
        let started = Instant::now();
        for answer in [
            relay.refused_tunnel("r.corp:443"),
            relay.request("GET http://r.corp/", "r.corp", "\r\n"),
        ] {
            assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
            assert!(answer.contains("is this relay itself"), "{answer}");
        }
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

/// A proxy that wants a login gets the stored one, on the same connection, and remembers nothing of the client's own.
#[test]
fn an_upstream_proxy_with_a_login() {
    let (address, heads) = upstream(Some("me:s3cret"), echo());
    let relay = Relay::start(&["--http-proxy", &format!("http://me:s3cret@{address}")]);
    for number in 0..3 {
        let (stream, answer) = relay.tunnel("r.corp:443");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(exchange(stream), "got hello");
        let heads = heads.lock().unwrap();
        // The first one asks, the others know.
        assert_eq!(heads.len(), 2 + number, "{heads:?}");
    }
    let heads = heads.lock().unwrap();
    let first = "CONNECT r.corp:443 HTTP/1.1\r\nHost: r.corp:443\r\n";
    assert_eq!(heads[0], format!("{first}\r\n"));
    let login = BASE64_STANDARD.encode("me:s3cret");
    for head in &heads[1..] {
        assert_eq!(
            *head,
            format!("{first}Proxy-Authorization: Basic {login}\r\n\r\n")
        );
    }
}

/// One wrong password is one attempt, however many tunnels are asked for.
#[test]
fn a_wrong_password_is_sent_once() {
    let (address, heads) = upstream(Some("me:right"), echo());
    let relay = Relay::start(&["--http-proxy", &format!("http://me:wr0ng@{address}")]);
    for _ in 0..4 {
        let answer = relay.refused_tunnel("r.corp:443");
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
        assert!(answer.contains("refused"), "{answer}");
        // Negotiate was on offer, too.
        assert!(
            answer.contains("; and there is no Kerberos ticket: "),
            "{answer}"
        );
        assert!(!answer.contains("wr0ng"), "{answer}");
    }
    let heads = heads.lock().unwrap();
    let sent = heads.iter().filter(|head| head.contains("Authorization"));
    assert_eq!(sent.count(), 1, "{heads:?}");
}

/// The next connection goes by the settings of its moment; a tunnel that is open lives on.
#[test]
fn a_change_of_the_settings_counts_for_the_next_connection() {
    let ((one, first), (two, second)) = (upstream(None, echo()), upstream(None, echo()));
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let names = |address: SocketAddr| {
        let text = format!("source = \"manual\"\nhttps_proxy = \"http://{address}\"\n");
        fs::write(&config, text).unwrap();
    };
    names(one);
    let relay = Relay::start(&["--config", config.to_str().unwrap()]);
    let (open, _) = relay.tunnel("r.corp:443");
    names(two);
    let (stream, _) = relay.tunnel("r.corp:443");
    assert_eq!(exchange(stream), "got hello");
    assert_eq!(exchange(open), "got hello");
    assert_eq!(first.lock().unwrap().len(), 1);
    assert_eq!(second.lock().unwrap().len(), 1);
}

/// The same for the key that forbids a password in clear, although Basic has worked before.
#[test]
fn a_password_in_clear_is_forbidden_from_the_next_connection_on() {
    let (address, heads) = upstream(Some("me:s3cret"), echo());
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let says = |allowed: bool| fs::write(&config, format!("relay_basic = {allowed}\n")).unwrap();
    says(true);
    let proxy = format!("http://me:s3cret@{address}");
    let config = config.to_str().unwrap();
    let relay = Relay::start(&["--config", config, "--http-proxy", &proxy]);
    let without_basic = || relay.app.json(&["relay", "status"]).1["without_basic"].clone();
    for is_allowed in [true, false, true] {
        says(is_allowed);
        let before = heads.lock().unwrap().len();
        match is_allowed {
            true => assert_eq!(exchange(relay.tunnel("r.corp:443").0), "got hello"),
            false => {
                let answer = relay.refused_tunnel("r.corp:443");
                assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
            }
        }
        let sent = heads.lock().unwrap()[before..]
            .iter()
            .any(|head| head.contains("Authorization: Basic"));
        assert_eq!(sent, is_allowed);
        assert_eq!(without_basic(), !is_allowed);
    }
}

/// A PAC script decides for each host, and its proxies are tried in their order.
#[test]
fn a_script_decides_for_each_host_and_a_dead_proxy_is_passed_over() {
    let ((one, first), (two, second)) = (upstream(None, echo()), upstream(None, echo()));
    let dead = dead_port();
    // It accepts, and closes without a byte.
    let closing = server(|stream| stream.shutdown(Shutdown::Both));
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("proxy.pac");
    let write = |two: SocketAddr| {
        let text = format!(
            "function FindProxyForURL(url, host) {{ return host == 'a.corp' ? 'PROXY 127.0.0.1:{dead}; PROXY {closing}; PROXY {one}' : 'PROXY {two}; DIRECT'; }}"
        );
        fs::write(&script, text).unwrap();
    };
    write(two);
    let pairs = format!(
        "<key>ProxyAutoConfigEnable</key><integer>1</integer><key>ProxyAutoConfigURLString</key><string>file://{}</string>",
        script.display()
    );
    let relay = Relay::start(&["--system-proxies", &settings(folder.path(), &pairs)]);
    for _ in 0..2 {
        let (stream, answer) = relay.tunnel("a.corp:443");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(exchange(stream), "got hello");
    }
    let (stream, _) = relay.tunnel("b.corp:443");
    assert_eq!(exchange(stream), "got hello");
    assert_eq!(first.lock().unwrap().len(), 2);
    assert_eq!(second.lock().unwrap().len(), 1);
}

/// The processes that this one started.
fn children(process: u32) -> Vec<String> {
    let found = Command::new("pgrep")
        .args(["-P", &process.to_string()])
        .output();
    let text = String::from_utf8(found.unwrap().stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn is_alive(process: &str) -> bool {
    let found = Command::new("ps")
        .args(["-o", "stat=", "-p", process])
        .output();
    let state = String::from_utf8(found.unwrap().stdout).unwrap();
    !state.trim().is_empty() && !state.contains('Z')
}

/// One process answers for all hosts; another script has another one, and none outlives the relay.
#[test]
fn a_script_has_one_process_as_long_as_the_relay_lives() {
    let (proxy, _) = upstream(None, echo());
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("proxy.pac");
    fs::write(
        &script,
        format!(
            "function FindProxyForURL(url, host) {{ return host == 'bad' ? 1 : 'PROXY {proxy}'; }}"
        ),
    )
    .unwrap();
    let pairs = format!(
        "<key>ProxyAutoConfigEnable</key><integer>1</integer><key>ProxyAutoConfigURLString</key><string>file://{}</string>",
        script.display()
    );
    let mut relay = Relay::start(&["--system-proxies", &settings(folder.path(), &pairs)]);
    let mut seen = Vec::new();
    for host in ["a.corp", "b.corp", "bad", "c.corp"] {
        let (_, answer) = relay.tunnel(&format!("{host}:443"));
        let expected = if host == "bad" { "502" } else { "200" };
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {expected} ")),
            "{answer}"
        );
        seen.push(children(relay.child.id()));
    }
    assert_eq!(seen[0].len(), 1);
    assert!(seen.iter().all(|now| *now == seen[0]), "{seen:?}");
    // As a crash would: the process itself has to notice.
    relay.child.kill().unwrap();
    relay.child.wait().unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while is_alive(&seen[0][0]) {
        assert!(
            Instant::now() < until,
            "the process of the script is still there"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// A script that can't be loaded: what the config says then, as it is at that moment.
#[test]
fn while_the_script_is_missing_the_config_decides() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("proxy.pac");
    let pairs = format!(
        "{ALL_DIRECT}<key>ProxyAutoConfigEnable</key><integer>1</integer><key>ProxyAutoConfigURLString</key><string>file://{}</string>",
        script.display()
    );
    let config = folder.path().join("config.toml");
    let says = |word: &str| fs::write(&config, format!("pac_unreachable = \"{word}\"\n")).unwrap();
    says("keep");
    let config = config.to_str().unwrap();
    let file = settings(folder.path(), &pairs);
    let relay = Relay::start(&["--config", config, "--system-proxies", &file]);
    let target = echo().to_string();
    let (_, answer) = relay.tunnel(&target);
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    says("direct");
    let (stream, answer) = relay.tunnel(&target);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(exchange(stream), "got hello");
    // A script that is there again decides again.
    let (proxy, heads) = upstream(None, echo());
    let text = format!("function FindProxyForURL(url, host) {{ return 'PROXY {proxy}'; }}");
    fs::write(&script, text).unwrap();
    says("keep");
    let (stream, _) = relay.tunnel("r.corp:443");
    assert_eq!(exchange(stream), "got hello");
    assert_eq!(heads.lock().unwrap().len(), 1);
}

/// A request in clear: what is about the connection stays with the connection, and a body is sent once to the origin.
#[test]
fn requests_in_clear_go_directly_and_through_a_proxy_with_a_login() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let origin = {
        let seen = seen.clone();
        server(move |mut stream| {
            let head = read_head(&mut stream);
            let is_allowed = head.contains("Proxy-Authorization: Basic bWU6cw==\r\n")
                || head.contains("proxy-authorization: Basic bWU6cw==\r\n");
            let is_proxy = head.contains(" http://");
            let mut body = [0; 5];
            stream.read_exact(&mut body)?;
            seen.lock()
                .unwrap()
                .push(format!("{head}{}", String::from_utf8_lossy(&body)));
            let answer: &[u8] = match is_proxy && !is_allowed {
                true => b"HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                false => b"HTTP/1.1 201 Made\r\nContent-Length: 2\r\nConnection: X-Secret, close\r\nX-Secret: 1\r\nX-Kept: 1\r\n\r\nok",
            };
            stream.write_all(answer)
        })
    };
    let folder = tempfile::tempdir().unwrap();
    let rest = "Content-Length: 5\r\nConnection: X-Mine\r\nX-Mine: 1\r\nTE: trailers\r\nX-Kept: 1\r\n\r\nhello";
    let relay = Relay::start(&["--system-proxies", &settings(folder.path(), ALL_DIRECT)]);
    let place = origin.to_string();
    let answer = relay.request(&format!("POST http://{place}/x?y"), &place, rest);
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let lower = answer.to_ascii_lowercase();
    assert!(
        lower.contains("x-kept: 1") && !lower.contains("x-secret"),
        "{answer}"
    );
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    {
        let mut seen = seen.lock().unwrap();
        assert_eq!(seen.len(), 1);
        let got = seen.remove(0).to_ascii_lowercase();
        assert!(got.starts_with("post /x?y http/1.1\r\n"), "{got}");
        assert!(got.contains("x-kept: 1") && got.ends_with("hello"), "{got}");
        for gone in [
            "x-mine",
            "te: trailers",
            "proxy-authorization",
            "connection: x",
        ] {
            assert!(!got.contains(gone), "{gone}: {got}");
        }
    }
    let relay = Relay::start(&["--http-proxy", &format!("http://me:s@{origin}")]);
    let answer = relay.request("POST http://o.corp/x", "o.corp", rest);
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(!seen[0].to_ascii_lowercase().contains("authorization"));
    assert!(
        seen.iter()
            .all(|got| got.starts_with("POST http://o.corp/x HTTP/1.1\r\n"))
    );
}

#[test]
fn a_taken_port_is_told_and_the_end_is_clean() {
    let folder = tempfile::tempdir().unwrap();
    let mut relay = Relay::start(&["--system-proxies", &settings(folder.path(), ALL_DIRECT)]);
    let port = relay.port.to_string();
    // Of another user, so to speak: there is one relay to a folder of state.
    let taken = App::new().run(&["relay", "--port", &port]);
    assert_eq!(taken.code, 4, "{taken}");
    let place = format!("127.0.0.1:{port}");
    assert!(
        taken.err.contains(&place) && taken.err.contains("--port"),
        "{taken}"
    );
    assert_eq!(relay.app.run(&["relay", "--port", "0"]).code, 2);
    // The token is for its owner's eyes only.
    let kept = relay.app.dir.path().join("state/relay.json");
    use std::os::unix::fs::PermissionsExt;
    relay.address();
    assert_eq!(
        fs::metadata(kept).unwrap().permissions().mode() & 0o777,
        0o600
    );
    // A tunnel that goes on for long does not hold the end up.
    let (_open, _) = relay.tunnel(&echo().to_string());
    let pid = rustix::process::Pid::from_child(&relay.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let started = Instant::now();
    let status = relay.child.wait().unwrap();
    assert!(status.success(), "{status}");
    assert!(started.elapsed() < Duration::from_secs(20));
}

/// A program that cleans up may remove the relay's files. Without its socket it could not be asked, and without its lock a
/// second one could start.
#[test]
fn a_relay_whose_files_are_removed_makes_its_socket_again_or_ends() {
    let mut relay = Relay::start(&[]);
    let state = relay.app.dir.path().join("state");
    fs::remove_file(state.join("relay.socket")).unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let run = relay.app.run(&["relay", "status", "--json"]);
        if run.code == 0 {
            assert_eq!(run.object()["pid"], relay.child.id());
            break;
        }
        assert!(Instant::now() < until, "{run}");
        thread::sleep(Duration::from_millis(100));
    }
    fs::remove_file(state.join("relay.lock")).unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    while relay.child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "it still runs");
        thread::sleep(Duration::from_millis(100));
    }
}

/// The address for each program has the token; uninstalling removes it.
#[test]
fn the_address_for_each_program_is_printed() {
    let app = App::new();
    let local = app.ok(&["relay", "--print-address", "local"]);
    let local = local.lines().next().unwrap();
    let login = local.strip_suffix("127.0.0.1:18128").unwrap();
    assert!(
        login.starts_with("http://baleen-relay:") && login.len() == 53,
        "{login}"
    );
    for (program, host, words) in [
        ("colima", "127.0.0.1", "colima.yaml"),
        ("lima", "127.0.0.1", "lima.yaml"),
        ("podman", "127.0.0.1", "podman machine start"),
        ("rancher", "host.lima.internal", "override.yaml"),
        ("orbstack", "127.0.0.1", "orb config set"),
    ] {
        let (code, told) = app.json(&["relay", "--port", "2000", "--print-address", program]);
        assert_eq!(code, 0, "{told}");
        assert_eq!(told["address"], format!("{login}{host}:2000"));
        assert!(told["place"].as_str().unwrap().contains(words), "{told}");
    }
    app.ok(&["uninstall", "--yes"]);
    assert!(!app.dir.path().join("state").exists());
}

/// A real proxy behind it, and a real client in front.
#[test]
fn curl_reaches_a_server_through_it_and_tinyproxy() {
    let has = |program: &str| Command::new(program).arg("--version").output().is_ok();
    let tinyproxy_is_there = || Command::new("tinyproxy").arg("-v").output().is_ok();
    // An address of this computer that is no loopback one: the way to the documentation's network leads from it.
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let own = socket
        .connect("192.0.2.1:9")
        .and_then(|()| socket.local_addr());
    let (true, Ok(own)) = (has("curl") && tinyproxy_is_there(), own) else {
        return;
    };
    let own = own.ip();
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let config = folder.path().join("tinyproxy.conf");
    let text =
        format!("Port {port}\nListen 127.0.0.1\nBasicAuth me s3cret\nTimeout 60\nMaxClients 20\n");
    fs::write(&config, text).unwrap();
    let mut tinyproxy = Command::new("tinyproxy")
        .args(["-d", "-c", config.to_str().unwrap()])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        thread::sleep(Duration::from_millis(20));
    }
    let origin = server_at("0.0.0.0:0", |mut stream| {
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nwhale")
    });
    let login = format!("http://me:s3cret@127.0.0.1:{port}");
    let relay = Relay::start(&["--http-proxy", &login]);
    let url = format!("http://{own}:{}/", origin.port());
    for more in [&["--proxytunnel"][..], &[]] {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--max-time", "20", "--noproxy", "", "-x"])
            .arg(relay.address())
            .args(more);
        let far = curl.arg(&url).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&far.stdout), "whale", "{far:?}");
    }
    let _ = tinyproxy.kill();
    let _ = tinyproxy.wait();
}

/// A PAC script that names these ways for every host, as the Mac's settings.
fn script_settings(folder: &Path, ways: &str) -> String {
    let script = folder.join("proxy.pac");
    let text = format!("function FindProxyForURL(url, host) {{ return '{ways}'; }}");
    fs::write(&script, text).unwrap();
    let pairs = format!(
        "<key>ProxyAutoConfigEnable</key><integer>1</integer><key>ProxyAutoConfigURLString</key><string>file://{}</string>",
        script.display()
    );
    settings(folder, &pairs)
}

/// An answer as bytes, and a proxy that gives it to every request before it ends the connection.
type Answers = Arc<Mutex<Vec<u8>>>;

/// A proxy that answers each request with what the test says at that moment, and then sends back what comes. It counts
/// the requests.
fn scripted(is_slow: bool) -> (SocketAddr, Answers, Arc<AtomicUsize>) {
    let (answer, count) = (Answers::default(), Arc::new(AtomicUsize::new(0)));
    let (now, counted) = (answer.clone(), count.clone());
    let address = server(move |mut stream| {
        stream.set_nodelay(true)?;
        // The head comes alone, and whole: several proxies lose what comes along with it.
        let mut head = [0; 65536];
        let read = stream.read(&mut head)?;
        if !head[..read].ends_with(b"\r\n\r\n") {
            return stream.write_all(b"HTTP/1.1 400 not a head alone\r\n\r\n");
        }
        counted.fetch_add(1, Ordering::Relaxed);
        let bytes = now.lock().unwrap().clone();
        match is_slow {
            true => bytes
                .iter()
                .try_for_each(|byte| stream.write_all(&[*byte]))?,
            false => stream.write_all(&bytes)?,
        }
        if !bytes.starts_with(b"HTTP/1.") || bytes.ends_with(b"closed") {
            return stream.shutdown(Shutdown::Both);
        }
        io::copy(&mut stream.try_clone()?, &mut stream)?;
        stream.shutdown(Shutdown::Write)
    });
    (address, answer, count)
}

/// Every form in which a proxy says that the tunnel is open, at once or byte by byte. What comes behind the head is the
/// target's, whatever lengths the head speaks of (RFC 9110, section 9.3.6).
#[test]
fn each_form_of_yes_opens_a_tunnel() {
    for is_slow in [false, true] {
        let (address, answer, _) = scripted(is_slow);
        let relay = Relay::start(&["--http-proxy", &format!("http://{address}")]);
        let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(60_000));
        for head in [
            "HTTP/1.0 200 Connection established\r\nProxy-agent: x\r\n\r\n",
            "HTTP/1.1 200\r\n\r\n",
            "HTTP/1.1 200 \r\nConnection: close\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 102 x\r\n\r\nHTTP/1.1 103 x\r\nLink: x\r\n\r\nHTTP/1.0 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\nX: y\n\n",
            "HTTP/1.1 200 OK\r\nX : y\r\nno field\r\n\r\n",
            &long,
        ] {
            for early in ["", "early "] {
                *answer.lock().unwrap() = format!("{head}{early}").into_bytes();
                let (stream, told) = relay.tunnel("r.corp:443");
                assert_eq!(
                    told, "HTTP/1.1 200 Connection established\r\n\r\n",
                    "{head:.99}"
                );
                assert_eq!(exchange(stream), format!("{early}hello"), "{head:.99}");
            }
        }
    }
}

/// A proxy's no is the answer, with its reason; the next proxy isn't asked. The same is true of a yes that is
/// followed by the end: some say yes before they know.
#[test]
fn a_proxy_that_answered_is_not_passed_over() {
    let (address, answer, asked) = scripted(false);
    let (other, heads) = upstream(None, echo());
    let folder = tempfile::tempdir().unwrap();
    let ways = format!("PROXY {address}; PROXY {other}");
    let relay = Relay::start(&["--system-proxies", &script_settings(folder.path(), &ways)]);
    for (count, (head, words)) in [
        (
            "HTTP/1.1 404 No such domain\r\n\r\n",
            "404 (No such domain)",
        ),
        ("HTTP/1.0 500 Unable to connect\r\n\r\n", "500"),
        (
            "HTTP/1.1 502 Success\r\nContent-Length: 4\r\n\r\nbody",
            "502",
        ),
        (
            "HTTP/1.1 503 \r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "503",
        ),
        ("HTTP/1.1 504 x\r\n\r\n", "504"),
        ("HTTP/1.1 597 UPSTREAM407\r\n\r\n", "597 (UPSTREAM407)"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "101"),
        ("HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n", "302"),
        (
            "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n",
            "Basic",
        ),
        ("HTTP/1.1 407 x\r\nContent-Length: 0\r\n\r\n", "login"),
        ("HTTP/1.1 401 x\r\nContent-Length: 0\r\n\r\n", "login"),
    ]
    .into_iter()
    .enumerate()
    {
        *answer.lock().unwrap() = head.into();
        let told = relay.refused_tunnel("r.corp:443");
        assert!(told.starts_with("HTTP/1.1 502 "), "{head}: {told}");
        assert!(told.contains(words), "{head}: {told}");
        assert_eq!(asked.load(Ordering::Relaxed), count + 1, "{head}");
    }
    *answer.lock().unwrap() = b"HTTP/1.1 200 OK\r\n\r\nclosed".to_vec();
    let (stream, told) = relay.tunnel("r.corp:443");
    assert!(told.starts_with("HTTP/1.1 200 "), "{told}");
    let mut rest = String::new();
    (&stream).read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "closed");
    assert_eq!(*heads.lock().unwrap(), Vec::<String>::new());
}

/// What is no answer at all lets the next proxy try.
#[test]
fn a_proxy_that_gives_no_answer_is_passed_over() {
    let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(80_000));
    for (what, bytes) in [
        ("nothing", &b""[..]),
        ("half a head", b"HTTP/1.1 200 OK\r\nX: closed"),
        ("SOCKS", b"\x05\xff"),
        ("TLS", b"\x15\x03\x01\x00\x02\x02\x46"),
        ("no HTTP", b"SSH-2.0-x\r\n"),
        ("a head without an end", endless.as_bytes()),
        ("a reset", b"reset"),
    ] {
        let (mut address, answer, _) = scripted(false);
        *answer.lock().unwrap() = bytes.to_vec();
        if bytes == b"reset" {
            // A connection that is closed with unread bytes is reset.
            address = server(|stream| stream.peek(&mut [0]).map(drop));
        }
        let (other, heads) = upstream(None, echo());
        let folder = tempfile::tempdir().unwrap();
        let ways = format!("PROXY {address}; PROXY {other}");
        let relay = Relay::start(&["--system-proxies", &script_settings(folder.path(), &ways)]);
        let (stream, told) = relay.tunnel("r.corp:443");
        assert!(told.starts_with("HTTP/1.1 200 "), "{what}: {told}");
        assert_eq!(exchange(stream), "got hello", "{what}");
        assert_eq!(heads.lock().unwrap().len(), 1, "{what}");
    }
}

/// A 407 may close the connection, say that it does, or neither; its body may have any form. Two requests are enough.
#[test]
fn each_form_of_407_is_logged_in_to() {
    let long = format!("Content-Length: 100000\r\n\r\n{}", "x".repeat(100_000));
    for (end, closes) in [
        ("Content-Length: 2\r\n\r\nno", false),
        ("Content-Length: 2\r\n\r\nno", true),
        ("Connection: keep-alive\r\nContent-Length: 0\r\n\r\n", true),
        ("Connection: close\r\nContent-Length: 2\r\n\r\nno", true),
        (
            "Proxy-Connection: close\r\nContent-Length: 2\r\n\r\nno",
            true,
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
            false,
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nno\r\n0\r\nA: b\r\n\r\n",
            false,
        ),
        ("Content-Length: 9\r\n\r\nno", true),
        ("\r\nno length", true),
        ("\r\n", true),
        (&long, true),
    ] {
        for version in ["1.0", "1.1"] {
            let heads = Arc::new(Mutex::new(Vec::new()));
            let seen = heads.clone();
            let refusal =
                format!("HTTP/{version} 407 x\r\nProxy-Authenticate: Basic realm=\"x\"\r\n{end}");
            let address = server(move |mut stream| {
                loop {
                    let head = read_head(&mut stream);
                    if head.is_empty() {
                        return Ok(());
                    }
                    seen.lock().unwrap().push(head.clone());
                    if head.contains("\r\nProxy-Authorization: Basic bWU6cw==\r\n") {
                        break;
                    }
                    stream.write_all(refusal.as_bytes())?;
                    if closes {
                        return stream.shutdown(Shutdown::Both);
                    }
                }
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
                io::copy(&mut stream.try_clone()?, &mut stream)?;
                stream.shutdown(Shutdown::Write)
            });
            let relay = Relay::start(&["--http-proxy", &format!("http://me:s@{address}")]);
            let (stream, told) = relay.tunnel("r.corp:443");
            assert!(told.starts_with("HTTP/1.1 200 "), "{end:.60}: {told}");
            assert_eq!(exchange(stream), "hello", "{end:.60}");
            let heads = heads.lock().unwrap();
            assert_eq!(heads.len(), 2, "HTTP/{version} {end:.60}: {heads:?}");
            assert!(!heads[0].contains("Authorization"), "{heads:?}");
        }
    }
}

/// What programs read alike goes on as it is: characters that RFC 3986 doesn't have, and as many fields as the relay takes.
#[test]
fn odd_addresses_and_many_fields_are_passed_on() {
    let fields: String = (0..120).map(|at| format!("X-{at}: y\r\n")).collect();
    let (send, heads) = mpsc::channel();
    let answer = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n");
    let proxy = server(move |mut stream| {
        let _ = send.send(read_head(&mut stream));
        stream.write_all(answer.as_bytes())
    });
    let relay = Relay::start(&["--http-proxy", &format!("http://{proxy}")]);
    let first = "GET http://o.corp/a^{b|c}?d^{e|f}";
    let told = relay.request(first, "o.corp", &format!("{fields}\r\n"));
    assert!(told.starts_with("HTTP/1.1 200 "), "{told}");
    let head = heads.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(head.starts_with(&format!("{first} HTTP/1.1\r\n")), "{head}");
    for text in [told, head] {
        assert!(text.to_ascii_lowercase().contains("x-119: y"), "{text}");
    }
}

/// A request in clear that a proxy doesn't answer is asked of the next one, unless it may have been carried out.
#[test]
fn only_what_changes_nothing_is_asked_twice() {
    let closed = Arc::new(AtomicUsize::new(0));
    let count = closed.clone();
    let closing = server(move |mut stream| {
        read_head(&mut stream);
        count.fetch_add(1, Ordering::Relaxed);
        stream.shutdown(Shutdown::Both)
    });
    let answered = Arc::new(AtomicUsize::new(0));
    let count = answered.clone();
    let other = server(move |mut stream| {
        read_head(&mut stream);
        count.fetch_add(1, Ordering::Relaxed);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    });
    let folder = tempfile::tempdir().unwrap();
    let ways = format!("PROXY {closing}; PROXY {other}");
    // A proxy that closes may do so for the target's sake, so it is asked first again.
    let relay = Relay::start(&["--system-proxies", &script_settings(folder.path(), &ways)]);
    for (method, rest, expected) in [
        ("GET", "\r\n", (1, 1)),
        ("POST", "Content-Length: 2\r\n\r\nhi", (1, 0)),
        ("POST", "Content-Length: 0\r\n\r\n", (1, 0)),
        ("POST", "\r\n", (1, 0)),
        ("DELETE", "\r\n", (1, 0)),
        (
            "POST",
            "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            (1, 0),
        ),
    ] {
        let told = relay.request(&format!("{method} http://o.corp/"), "o.corp", rest);
        let status = if expected.1 == 1 { "200" } else { "502" };
        assert!(
            told.starts_with(&format!("HTTP/1.1 {status} ")),
            "{method}: {told}"
        );
        let counts = (
            closed.swap(0, Ordering::Relaxed),
            answered.swap(0, Ordering::Relaxed),
        );
        assert_eq!(counts, expected, "{method} {rest:?}");
    }
}

/// A body that is too long to be kept goes through a proxy that wants no login; one that does gets no half of it twice.
#[test]
fn a_long_body_is_sent_once() {
    const LEN: usize = 5_000_000;
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let open = server(move |mut stream| {
        read_head(&mut stream);
        let read = io::copy(&mut (&mut stream).take(LEN as u64), &mut io::sink())?;
        count.fetch_add(usize::try_from(read).unwrap(), Ordering::Relaxed);
        stream.write_all(b"HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n")
    });
    let body = format!("Content-Length: {LEN}\r\n\r\n{}", "x".repeat(LEN));
    let relay = Relay::start(&["--http-proxy", &format!("http://{open}")]);
    let told = relay.request("POST http://o.corp/", "o.corp", &body);
    assert!(told.starts_with("HTTP/1.1 201 "), "{told}");
    assert_eq!(sent.load(Ordering::Relaxed), LEN);
    let (address, heads) = upstream(Some("me:s"), echo());
    let relay = Relay::start(&["--http-proxy", &format!("http://me:s@{address}")]);
    let told = relay.request("POST http://o.corp/", "o.corp", &body);
    assert!(
        told.starts_with("HTTP/1.1 413 ") || told.starts_with("HTTP/1.1 502 "),
        "{told}"
    );
    let heads = heads.lock().unwrap();
    let sent = heads.iter().filter(|head| head.starts_with("POST "));
    assert_eq!(sent.count(), 1, "{heads:?}");
    assert!(!heads[0].contains("uthorization"), "{heads:?}");
}

/// How many connections the relay has open.
fn open_connections(relay: &Relay) -> u64 {
    let (code, status) = relay.app.json(&["relay", "status"]);
    assert_eq!(code, 0, "{status}");
    status["open"].as_u64().unwrap()
}

/// Waits until the relay has that many connections open.
#[track_caller]
fn until_open(relay: &Relay, count: u64) {
    let until = Instant::now() + Duration::from_secs(20);
    while open_connections(relay) != count {
        assert!(Instant::now() < until, "not {count} connections");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Ends a connection with a reset, as a client does that crashed, or whose computer answers a probe after it has closed.
fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    drop(stream);
}

/// A server that never answers, and the heads that it gets.
fn silent() -> (String, Receiver<String>) {
    let (send, heads) = mpsc::channel();
    let held = Mutex::new(Vec::new());
    let address = server(move |mut stream| {
        let _ = send.send(read_head(&mut stream));
        held.lock().unwrap().push(stream);
        Ok(())
    });
    (address.to_string(), heads)
}

/// A server that stays silent takes no descriptors of the relay for longer than the client waits, also after the client
/// has ended its direction.
#[test]
fn a_client_that_is_gone_ends_its_connection_to_a_silent_server() {
    let (place, heads) = silent();
    let folder = tempfile::tempdir().unwrap();
    let relay = Relay::start(&["--system-proxies", &settings(folder.path(), ALL_DIRECT)]);
    for halves in [false, true] {
        let mut stream = relay.connect();
        let token = relay.token();
        let head = format!("GET http://{place}/ HTTP/1.1\r\nHost: {place}\r\n{token}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let (mut tunnel, _) = relay.tunnel(&place);
        tunnel.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        for _ in 0..2 {
            let head = heads.recv_timeout(Duration::from_secs(20)).unwrap();
            assert!(head.starts_with("GET / "), "{head}");
        }
        if halves {
            stream.shutdown(Shutdown::Write).unwrap();
            tunnel.shutdown(Shutdown::Write).unwrap();
        }
        until_open(&relay, 2);
        reset(stream);
        until_open(&relay, 1);
        reset(tunnel);
        until_open(&relay, 0);
    }
}

/// The same while the tunnel is being opened: a silent proxy has 75 seconds.
#[test]
fn a_client_that_is_gone_ends_the_opening_of_its_tunnel() {
    let (proxy, heads) = silent();
    let relay = Relay::start(&["--http-proxy", &format!("http://{proxy}")]);
    let mut stream = relay.connect();
    let token = relay.token();
    let head = format!("CONNECT r.corp:443 HTTP/1.1\r\nHost: r.corp:443\r\n{token}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    heads.recv_timeout(Duration::from_secs(20)).unwrap();
    until_open(&relay, 1);
    reset(stream);
    until_open(&relay, 0);
}

/// The kernel probes both ends of a tunnel, so that a peer that vanished is noticed.
#[cfg(target_os = "linux")]
#[test]
fn both_ends_of_a_tunnel_are_kept_alive() {
    let folder = tempfile::tempdir().unwrap();
    let relay = Relay::start(&["--system-proxies", &settings(folder.path(), ALL_DIRECT)]);
    let target = echo();
    let (stream, _) = relay.tunnel(&target.to_string());
    let client = stream.local_addr().unwrap().port();
    // Columns of proc(5): the addresses as hexadecimal digits, the state (1 is established), and the timer (2 is keep-alive).
    let timers = || {
        let text = fs::read_to_string("/proc/net/tcp").unwrap();
        let mut timers = [None, None];
        for line in text.lines().skip(1) {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let port = |at: usize| u16::from_str_radix(columns[at].split(':').nth(1).unwrap(), 16);
            let timer = columns[5].split(':').next().unwrap().to_owned();
            match (port(1).unwrap(), port(2).unwrap(), columns[3]) {
                (near, far, "01") if near == relay.port && far == client => {
                    timers[0] = Some(timer);
                }
                (_, far, "01") if far == target.port() => timers[1] = Some(timer),
                _ => {}
            }
        }
        timers.map(|timer| timer.unwrap())
    };
    // For a moment the timer is that of bytes without an acknowledgement.
    let until = Instant::now() + Duration::from_secs(20);
    while timers() != ["02", "02"] {
        assert!(Instant::now() < until, "{:?}", timers());
        thread::sleep(Duration::from_millis(20));
    }
}

/// launchd gives a program 256 descriptors, and each tunnel takes two.
#[cfg(target_os = "linux")]
#[test]
fn a_low_limit_of_descriptors_is_raised() {
    let folder = tempfile::tempdir().unwrap();
    let file = settings(folder.path(), ALL_DIRECT);
    let relay = Relay::start_with(&["--system-proxies", &file], |command| {
        let mut limited = Command::new("prlimit");
        limited.arg("--nofile=256:4096").arg(command.get_program());
        limited.args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => limited.env(key, value),
                None => limited.env_remove(key),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            limited.current_dir(folder);
        }
        *command = limited;
    });
    let target = echo().to_string();
    let token = relay.token();
    let head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{token}\r\n");
    let tunnels: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = relay.connect();
            stream.write_all(head.as_bytes()).unwrap();
            let answer = read_head(&mut stream);
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            stream
        })
        .collect();
    assert_eq!(open_connections(&relay), 200);
    for mut stream in &tunnels {
        stream.write_all(b"hello").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
    }
    for mut stream in tunnels {
        let mut got = String::new();
        stream.read_to_string(&mut got).unwrap();
        assert_eq!(got, "got hello");
    }
}
