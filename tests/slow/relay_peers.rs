//! The relay between real proxies: behind it, as what it asks, and before it, as what asks it.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::common::network::{RealProxy, read_head};
use crate::common::relay::{ALL_DIRECT, Relay, settings};

/// Number of bytes of a long body, and of each direction of a tunnel.
const LEN: usize = 5_000_000;

/// An address of this computer that is no loopback one, to which the relay leads: the way to the documentation's network
/// leads from it.
fn own_address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("192.0.2.1:9").unwrap();
    socket.local_addr().unwrap().ip()
}

fn serve(
    address: IpAddr,
    serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let place = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let serve = serve.clone();
            thread::spawn(move || drop(serve(stream)));
        }
    });
    place
}

/// A server that sends back what comes, and something more after its end.
fn echo(address: IpAddr) -> SocketAddr {
    serve(address, |mut stream| {
        io::copy(&mut stream.try_clone()?, &mut stream)?;
        stream.write_all(b"end")?;
        stream.shutdown(Shutdown::Write)
    })
}

/// The method of each request, and the length of its body.
type Requests = Arc<Mutex<Vec<(String, usize)>>>;

/// A web server that answers with the length of the body.
fn origin(address: IpAddr) -> (SocketAddr, Requests) {
    let requests = Requests::default();
    let seen = requests.clone();
    let place = serve(address, move |mut stream| {
        let head = read_head(&mut stream);
        let lower = head.to_ascii_lowercase();
        let number = |text: &str, base| usize::from_str_radix(text.trim(), base).unwrap_or(0);
        let read = |stream: &mut TcpStream, len: usize| -> io::Result<usize> {
            let read = io::copy(&mut stream.take(len as u64), &mut io::sink())?;
            Ok(usize::try_from(read).unwrap())
        };
        let field = |name: &str| {
            let mut lines = lower.lines();
            lines
                .find_map(|line| line.strip_prefix(name))
                .map(str::to_owned)
        };
        let mut len = 0;
        if field("transfer-encoding:").is_some() {
            loop {
                let mut line = Vec::new();
                while !line.ends_with(b"\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte)?;
                    line.push(byte[0]);
                }
                let chunk = number(&String::from_utf8_lossy(&line), 16);
                len += read(&mut stream, chunk)?;
                read(&mut stream, 2)?;
                if chunk == 0 {
                    break;
                }
            }
        } else if let Some(text) = field("content-length:") {
            len = read(&mut stream, number(&text, 10))?;
        }
        let method = head.split(' ').next().unwrap_or_default().to_owned();
        seen.lock().unwrap().push((method, len));
        let text = format!("got {len}");
        let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ";
        write!(stream, "{head}{}\r\n\r\n{text}", text.len())
    });
    (place, requests)
}

/// Asks the proxy at `port` for everything that is asked of a relay. `login` opens it, if it has one.
fn goes_through(what: &str, port: u16, login: &str, late: bool) {
    let own = own_address();
    let ask = |first: &str, host: SocketAddr, rest: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let head = format!("{first} HTTP/1.1\r\nHost: {host}\r\n{login}{rest}");
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    let (server, requests) = origin(own);
    let long = format!("Content-Length: {LEN}\r\n\r\n{}", "x".repeat(LEN));
    for (method, rest, len) in [
        ("GET", "\r\n", 0),
        ("POST", "Content-Length: 5\r\n\r\nhello", 5),
        ("POST", "Content-Length: 0\r\n\r\n", 0),
        (
            "POST",
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n2\r\nhi\r\n0\r\n\r\n",
            7,
        ),
        ("POST", &long, LEN),
    ] {
        // tinyproxy 1.11.1 and cntlm know no chunks in a request; only the relay can be asked like this through them.
        if rest.starts_with("Transfer") && !late && login.is_empty() {
            continue;
        }
        let rest = format!("Connection: close\r\n{rest}");
        let mut stream = ask(&format!("{method} http://{server}/"), server, &rest);
        let mut answer = Vec::new();
        // Some reset the connection behind the answer.
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.ends_with(&format!("got {len}")),
            "{what}: {method} {len}: {answer}"
        );
        let requests = std::mem::take(&mut *requests.lock().unwrap());
        assert_eq!(requests, [(method.to_owned(), len)], "{what}");
    }

    let target = echo(own);
    let mut stream = ask(&format!("CONNECT {target}"), target, "\r\n");
    let head = read_head(&mut stream);
    assert!(head.contains(" 200"), "{what}: {head}");
    let bytes: Vec<u8> = (0..LEN).map(|at| (at % 251) as u8).collect();
    let (sent, mut writer) = (bytes.clone(), stream.try_clone().unwrap());
    let sender = thread::spawn(move || writer.write_all(&sent).unwrap());
    let mut got = vec![0; LEN];
    stream.read_exact(&mut got).unwrap();
    sender.join().unwrap();
    assert!(got == bytes, "{what}");
    // Not every proxy passes on what comes after the end of the other direction, but each ends the tunnel.
    stream.shutdown(Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    match late {
        true => assert_eq!(rest, b"end", "{what}"),
        false => assert!(b"end".starts_with(&rest), "{what}"),
    }
}

#[test]
fn real_proxies_behind_the_relay() {
    let me = Some(("me", "s3cret"));
    type Start = fn(&Path) -> RealProxy;
    let proxies: [(&str, Start, bool, bool); 6] = [
        (
            "squid",
            |dir| RealProxy::squid(dir, None, true),
            false,
            false,
        ),
        (
            "squid with a login",
            |dir| RealProxy::squid(dir, Some(("me", "s3cret")), true),
            false,
            true,
        ),
        ("tinyproxy", RealProxy::tinyproxy_open, false, false),
        ("privoxy", RealProxy::privoxy, false, false),
        ("cntlm", RealProxy::cntlm_alone, false, false),
        ("Traffic Server", RealProxy::traffic_server, true, false),
    ];
    for (what, start, late, has_login) in proxies {
        let dir = tempfile::tempdir().unwrap();
        let proxy = start(dir.path());
        let login = me.filter(|_| has_login);
        let login = login.map_or(String::new(), |(user, password)| {
            format!("{user}:{password}@")
        });
        let relay = Relay::start(&[
            "--http-proxy",
            &format!("http://{login}127.0.0.1:{}", proxy.port),
        ]);
        goes_through(what, relay.port, &relay.token(), late);
    }
}

#[test]
fn real_proxies_before_the_relay() {
    type Start = fn(&Path, u16, &str) -> RealProxy;
    let proxies: [(&str, Start); 2] = [
        ("squid", RealProxy::squid_before),
        ("tinyproxy", RealProxy::tinyproxy_before),
    ];
    for (what, start) in proxies {
        let dir = tempfile::tempdir().unwrap();
        let relay = Relay::start(&["--system-proxies", &settings(dir.path(), ALL_DIRECT)]);
        let address = relay.address();
        let login = address.strip_prefix("http://").unwrap();
        let proxy = start(dir.path(), relay.port, login.split_once('@').unwrap().0);
        goes_through(what, proxy.port, "", false);
    }
}
