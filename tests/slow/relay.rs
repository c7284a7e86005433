//! The relay under clients and servers that break off, wait, and end one direction before the other: nothing is left of them.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::network::read_head;
use crate::common::relay::{ALL_DIRECT, Relay, settings};

/// A small generator of numbers, so that a run can be repeated.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % end
    }
}

const CLIENTS: u64 = 12;
static NEXT: AtomicUsize = AtomicUsize::new(0);
const TIME: Duration = Duration::from_secs(16);

/// How often each POST came to a proxy, by its number.
type Posts = Arc<Mutex<HashMap<String, u32>>>;

#[test]
fn random_clients_and_servers_leave_nothing_behind() {
    // For a longer run.
    let time = env::var("BALEEN_RELAY_SECONDS").ok();
    let time = time.map_or(TIME, |text| Duration::from_secs(text.parse().unwrap()));
    let posts = Posts::default();
    let listen = |serve: fn(TcpStream, Numbers, &Posts) -> io::Result<()>| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap().to_string();
        let posts = posts.clone();
        thread::spawn(move || {
            let mut seed = 1;
            while let Ok((stream, _)) = listener.accept() {
                seed += 1;
                let posts = posts.clone();
                thread::spawn(move || serve(stream, Numbers(seed), &posts));
            }
        });
        place
    };
    let target = listen(|stream, numbers, _| serve(stream, numbers));
    let (one, two) = (listen(be_proxy), listen(be_proxy));
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("proxy.pac");
    let text = format!(
        "function FindProxyForURL(url, host) {{ return host == 'r.corp' ? 'PROXY {one}; PROXY {two}' : 'DIRECT'; }}"
    );
    fs::write(&script, text).unwrap();
    let pairs = format!(
        "{ALL_DIRECT}<key>ProxyAutoConfigEnable</key><integer>1</integer><key>ProxyAutoConfigURLString</key><string>file://{}</string>",
        script.display()
    );
    let relay = Relay::start(&["--system-proxies", &settings(folder.path(), &pairs)]);
    let (port, field, child) = (relay.port, relay.token(), &relay.child);
    let of_process = |what: &str| {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(what)).unwrap();
        let number = line.split_whitespace().nth(1).unwrap();
        number.parse::<u64>().unwrap()
    };
    let descriptors = || {
        fs::read_dir(format!("/proc/{}/fd", child.id()))
            .unwrap()
            .count()
    };
    let carried = AtomicUsize::new(0);
    let run = |time: Duration, seed: u64| {
        let until = Instant::now() + time;
        thread::scope(|scope| {
            for number in 0..CLIENTS {
                let (field, target, carried) = (&field, &*target, &carried);
                scope.spawn(move || {
                    let mut numbers = Numbers(seed + number);
                    while Instant::now() < until {
                        let target = match numbers.below(2) {
                            0 => target,
                            _ => "r.corp:5000",
                        };
                        // A connection that breaks off is one of the cases.
                        if ask(port, target, field, &mut numbers).unwrap_or(false) {
                            carried.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
    };
    let settle = |before: usize| {
        let until = Instant::now() + Duration::from_secs(60);
        while descriptors() > before && Instant::now() < until {
            thread::sleep(Duration::from_millis(100));
        }
        descriptors()
    };
    // The process that runs the script stays, with a pipe in each direction.
    let before = descriptors() + 2;
    let mut first = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = format!("CONNECT r.corp:5000 HTTP/1.1\r\nHost: r.corp:5000\r\n{field}\r\n");
    first.write_all(head.as_bytes()).unwrap();
    let _ = first.read(&mut [0; 1024]);
    drop(first);
    run(time / 4, 100);
    assert_eq!(settle(before), before, "descriptors after a warm-up");
    let memory = of_process("VmRSS:");
    run(time, 200);
    assert_eq!(settle(before), before, "descriptors");
    let now = of_process("VmRSS:");
    assert!(now < memory + 8 * 1024, "{memory} kB, and {now} kB later");
    assert!(
        carried.load(Ordering::Relaxed) > 100,
        "{carried:?} went through"
    );
    let posts = posts.lock().unwrap();
    let most = posts.values().max();
    assert_eq!(most, Some(&1), "a POST was sent twice");
    println!(
        "{carried:?} tunnels, {} POSTs, {before} descriptors, {memory} kB, and {now} kB later",
        posts.len()
    );
}

/// A proxy that opens a tunnel to itself, or breaks off, refuses, waits, or asks for a login without end.
fn be_proxy(mut stream: TcpStream, mut numbers: Numbers, posts: &Posts) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    loop {
        // A connection that is closed with unread bytes is reset.
        if numbers.below(12) == 0 {
            return stream.peek(&mut [0]).map(drop);
        }
        let head = read_head(&mut stream);
        if head.is_empty() {
            return Ok(());
        }
        if let Some((_, rest)) = head.split_once("x-id: ") {
            let id = rest.lines().next().unwrap_or_default().to_owned();
            *posts.lock().unwrap().entry(id).or_default() += 1;
        }
        let refusal: &[u8] = match numbers.below(12) {
            0 => return Ok(()),
            1 => b"HTTP/1.1 200 OK\r\nX: half",
            2 => b"HTTP/1.1 502 Bad\r\nContent-Length: 10\r\n\r\nbody",
            3 => b"\x05\xff",
            4 => b"HTTP/1.1 503 x\r\nConnection: close\r\n\r\n",
            5 | 6 => {
                stream.write_all(b"HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 2\r\n\r\nno")?;
                continue;
            }
            7 => {
                for byte in b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" {
                    stream.write_all(&[*byte])?;
                    thread::sleep(Duration::from_millis(numbers.below(3)));
                }
                return serve(stream, numbers);
            }
            8 if !head.starts_with("CONNECT") => {
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"
            }
            _ if !head.starts_with("CONNECT") => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            _ => {
                stream.write_all(b"HTTP/1.0 200 Connection established\r\n\r\n")?;
                return serve(stream, numbers);
            }
        };
        stream.write_all(refusal)?;
        return stream.shutdown(Shutdown::Both);
    }
}

/// A server that answers, waits, breaks off or ends its direction.
fn serve(mut stream: TcpStream, mut numbers: Numbers) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut part = [0; 65536];
    loop {
        let read = stream.read(&mut part)?;
        if read == 0 {
            return stream.shutdown(Shutdown::Both);
        }
        match numbers.below(12) {
            0 => return Ok(()),
            1 => return stream.shutdown(Shutdown::Write),
            2 => thread::sleep(Duration::from_millis(numbers.below(50))),
            _ => {}
        }
        stream.write_all(&part[..read])?;
    }
}

/// A client: a tunnel, a request in clear, or something that is none. Returns whether it got what it sent.
fn ask(port: u16, target: &str, field: &str, numbers: &mut Numbers) -> io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    // Different for each request, also between clients.
    let id = format!(
        "{}-{}",
        stream.local_addr()?.port(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    );
    let head = match numbers.below(10) {
        0 => format!("GET http://{target}/ HTTP/1.1\r\nHost: {target}\r\n{field}\r\n"),
        1 => format!(
            "POST http://{target}/ HTTP/1.1\r\nHost: {target}\r\n{field}x-id: {id}\r\nContent-Length: 1000\r\n\r\n{}",
            "x".repeat(1000)
        ),
        2 => "GET / HTTP/1.1\r\n\r\n".to_owned(),
        3 => format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n"),
        4 => format!("CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: 127.0.0.1:1\r\n{field}\r\n"),
        _ => format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{field}\r\n"),
    };
    let sent = match numbers.below(20) {
        0 => &head[..head.len() / 2],
        _ => &head,
    };
    stream.write_all(sent.as_bytes())?;
    if numbers.below(20) == 0 {
        return Ok(false);
    }
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        if sent.len() < head.len() || stream.read(&mut byte)? == 0 {
            return Ok(false);
        }
        answer.push(byte[0]);
    }
    if !answer.starts_with(b"HTTP/1.1 200") || !head.starts_with("CONNECT") {
        let _ = stream.read_to_end(&mut answer);
        let heads = answer.windows(9).filter(|bytes| *bytes == b"HTTP/1.1 ");
        assert_eq!(heads.count(), 1, "{}", String::from_utf8_lossy(&answer));
        return Ok(false);
    }
    let bytes = vec![7; usize::try_from(1 + numbers.below(200_000)).unwrap()];
    let mut writer = stream.try_clone()?;
    let (count, is_early) = (bytes.len(), numbers.below(3) == 0);
    let sender = thread::spawn(move || {
        let sent = writer.write_all(&bytes);
        if is_early {
            let _ = writer.shutdown(Shutdown::Write);
        }
        sent
    });
    let mut got = 0;
    let mut part = [0; 65536];
    while got < count {
        match stream.read(&mut part) {
            Ok(read) if read > 0 => got += read,
            _ => break,
        }
    }
    // What waits for the other side is let go.
    let _ = stream.shutdown(Shutdown::Both);
    let _ = sender.join();
    Ok(got == count)
}
