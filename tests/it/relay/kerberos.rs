//! Logins with Kerberos.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Relay, echo, server, settings};
use crate::common::kerberos::{REALM, Realm, environment, write_config};

/// The name that only squid knows.
const TARGET: &str = "registry.example";

/// A relay whose way is `settings`, with this configuration of Kerberos.
fn start(realm: &Realm, config: &str, settings: &str) -> Relay {
    Relay::start_with(&["--system-proxies", settings], |command| {
        environment(command, realm.folder.path()).env("KRB5_CONFIG", realm.path(config));
    })
}

/// The settings: that proxy for all but this computer's address.
fn settings_of(realm: &Realm, host: &str, port: u16) -> String {
    let pairs: String = ["HTTP", "HTTPS"]
        .map(|kind| {
            format!(
                "<key>{kind}Enable</key><integer>1</integer><key>{kind}Proxy</key><string>{host}</string><key>{kind}Port</key><integer>{port}</integer>"
            )
        })
        .concat();
    settings(realm.folder.path(), &(pairs + super::ALL_DIRECT))
}

/// The whole answer to a request for a tunnel that is refused.
fn refusal(relay: &Relay, target: &str) -> String {
    let (mut stream, head) = relay.tunnel(target);
    let mut body = String::new();
    stream.read_to_string(&mut body).unwrap();
    head + &body
}

/// A server that says hello first: squid passes no end of one direction on.
fn greeter() -> u16 {
    server(|mut stream| stream.write_all(b"hello")).port()
}

fn is_open(mut stream: TcpStream) -> bool {
    let mut got = String::new();
    stream.read_to_string(&mut got).unwrap();
    got == "hello"
}

#[test]
fn a_ticket_opens_each_connection_and_without_one_the_answer_says_why() {
    let Some(realm) = Realm::start() else { return };
    let squid = realm.squid(&format!("127.0.0.1 {TARGET}\n"));
    let denials = || squid.log().matches("TCP_DENIED/407").count();
    let target = format!("{TARGET}:{}", greeter());

    realm.log_in();
    let relay = start(
        &realm,
        "krb5.conf",
        &settings_of(&realm, "localhost", squid.port),
    );
    // Each with a token of its own: squid's helper refuses one that comes again.
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let (stream, answer) = relay.tunnel(&target);
                assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
                assert!(is_open(stream));
            });
        }
    });
    squid.saw_times(&format!("jane@{REALM}"), 8);
    let asked = denials();
    assert!((1..=8).contains(&asked), "{}", squid.log());
    // From then on it is sent at once.
    let (stream, answer) = relay.tunnel(&target);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(is_open(stream));
    let page = server(|mut stream| {
        super::read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    });
    let place = format!("{TARGET}:{}", page.port());
    for _ in 0..2 {
        let answer = relay.request(&format!("GET http://{place}/"), &place, "\r\n");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    squid.saw_times("GET http://", 2);
    assert_eq!(denials(), asked, "{}", squid.log());

    // A name for which there is no ticket.
    let by_address = start(
        &realm,
        "krb5.conf",
        &settings_of(&realm, "127.0.0.1", squid.port),
    );
    let answer = refusal(&by_address, &target);
    for part in [
        "HTTP/1.1 502 ",
        "not found in Kerberos database",
        "(asked for HTTP@127.0.0.1, and there is rarely a ticket for an address",
    ] {
        assert!(answer.contains(part), "{answer}");
    }

    realm.log_out();
    let before = denials();
    let relay = start(
        &realm,
        "krb5.conf",
        &settings_of(&realm, "localhost", squid.port),
    );
    for number in 1..=2 {
        let answer = refusal(&relay, &target);
        for part in [
            "HTTP/1.1 502 ",
            "there is no Kerberos ticket for the proxy: ",
            "No Kerberos credentials available",
            "(asked for HTTP@localhost)",
        ] {
            assert!(answer.contains(part), "{answer}");
        }
        squid.saw_times("TCP_DENIED/407", before + number);
        assert_eq!(denials(), before + number, "{}", squid.log());
    }
}

/// The library waits for half a minute, and the relay has two threads.
#[test]
fn a_silent_kdc_holds_up_nothing_else() {
    let Some(realm) = Realm::start() else { return };
    let squid = realm.squid(&format!("127.0.0.1 {TARGET}\n"));
    realm.log_in();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    write_config(
        &realm.path("silent.conf"),
        silent.local_addr().unwrap().port(),
    );
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    thread::spawn(move || {
        let mut open = Vec::new();
        while let Ok((stream, _)) = silent.accept() {
            count.fetch_add(1, Ordering::Relaxed);
            open.push(stream);
        }
    });
    let relay = start(
        &realm,
        "silent.conf",
        &settings_of(&realm, "localhost", squid.port),
    );
    let target = format!("{TARGET}:443");
    let token = relay.token();
    let head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{token}\r\n");
    let mut waiting: Vec<TcpStream> = (0..6)
        .map(|_| {
            let mut stream = relay.connect();
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    let deadline = Instant::now() + Duration::from_secs(30);
    while asked.load(Ordering::Relaxed) == 0 {
        assert!(Instant::now() < deadline, "the KDC is not asked");
        thread::sleep(Duration::from_millis(5));
    }
    let other = echo().to_string();
    for _ in 0..20 {
        let (stream, answer) = relay.tunnel(&other);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        drop(stream);
    }
    for stream in &waiting {
        stream.set_nonblocking(true).unwrap();
        let answered = stream.peek(&mut [0]);
        assert_eq!(answered.unwrap_err().kind(), ErrorKind::WouldBlock);
        stream.set_nonblocking(false).unwrap();
    }
    for stream in &mut waiting {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
        assert!(
            answer.contains("did not answer within 5 seconds"),
            "{answer}"
        );
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1, "one question for all");
}
