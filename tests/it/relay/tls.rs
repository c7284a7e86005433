//! TLS to the proxy itself, which a PAC script can name: Apache, whose TLS is OpenSSL's.

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use super::{Relay, echo, exchange, read_head, server, settings, upstream};
use crate::common::network::{Authority, RealProxy};
use crate::common::tools;

/// The settings: a PAC script that names this proxy.
fn script(folder: &Path, proxy: &str) -> String {
    let script = folder.join("proxy.pac");
    let text = format!("function FindProxyForURL(url, host) {{ return 'HTTPS {proxy}'; }}");
    fs::write(&script, text).unwrap();
    let pairs = format!(
        "<key>ProxyAutoConfigEnable</key><integer>1</integer><key>ProxyAutoConfigURLString</key><string>file://{}</string>",
        script.display()
    );
    settings(folder, &pairs)
}

#[test]
fn a_proxy_with_tls_is_used_if_its_certificate_is_trusted() {
    if !tools::has_tool("apache2") || !tools::has_tool("openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let authority = Authority::new(folder.join("authority"), "/CN=Corp");
    authority.identity("DNS:localhost", 2099);
    let stranger = Authority::new(folder.join("stranger"), "/CN=Stranger");
    // Apache looks no name up: this one does.
    let (parent, heads) = upstream(None, echo());
    let apache = RealProxy::apache_with_tls(folder, &authority, parent.port());
    let by_name = script(folder, &format!("localhost:{}", apache.port));
    let relay = |settings: &str, trusted: &Authority| {
        Relay::start_with(&["--system-proxies", settings], |command| {
            command.env("SSL_CERT_FILE", trusted.certificate());
        })
    };

    let trusting = relay(&by_name, &authority);
    for _ in 0..3 {
        let (stream, answer) = trusting.tunnel("r.corp:443");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(exchange(stream), "got hello");
    }
    assert_eq!(heads.lock().unwrap().len(), 3);
    let many = vec![b'x'; 3_000_000];
    let (mut stream, _) = trusting.tunnel("r.corp:443");
    let mut writer = stream.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            writer.write_all(&many).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut got = Vec::new();
        stream.read_to_end(&mut got).unwrap();
        assert!(got[4..] == many[..], "{} bytes", got.len());
    });

    let refused = |relay: &Relay| {
        let (mut stream, head) = relay.tunnel("r.corp:443");
        let mut body = String::new();
        stream.read_to_string(&mut body).unwrap();
        head + &body
    };
    let answer = refused(&relay(&by_name, &stranger));
    let untrusted = "has a certificate that this computer doesn't trust: ";
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert!(
        answer.contains(&format!("{untrusted}UnknownIssuer")),
        "{answer}"
    );
    let by_address = script(folder, &format!("127.0.0.1:{}", apache.port));
    let answer = refused(&relay(&by_address, &authority));
    assert!(answer.contains(untrusted), "{answer}");
    let no_tls = server(|mut stream| stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    let answer = refused(&relay(&script(folder, &no_tls.to_string()), &authority));
    let expected = format!("TLS with the proxy https://{no_tls} failed");
    assert!(answer.contains(&expected), "{answer}");
    // Only those three and the long one went through.
    assert_eq!(heads.lock().unwrap().len(), 4);
}

#[test]
fn a_request_in_clear_goes_through_a_proxy_with_tls() {
    if !tools::has_tool("apache2") || !tools::has_tool("openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let authority = Authority::new(folder.join("authority"), "/CN=Corp");
    authority.identity("DNS:localhost", 2099);
    let parent = server(|mut stream| {
        let head = read_head(&mut stream);
        let first = head.lines().next().unwrap_or_default();
        let len = first.len();
        write!(
            stream,
            "HTTP/1.1 200 x\r\nContent-Length: {len}\r\n\r\n{first}"
        )
    });
    let apache = RealProxy::apache_with_tls(folder, &authority, parent.port());
    let settings = script(folder, &format!("localhost:{}", apache.port));
    let relay = Relay::start_with(&["--system-proxies", &settings], |command| {
        command.env("SSL_CERT_FILE", authority.certificate());
    });
    let answer = relay.request("GET http://r.corp/a", "r.corp", "\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with("GET http://r.corp/a HTTP/1.1"), "{answer}");
}

/// The end of what the proxy sends, without a word of TLS, is the end of that direction, and no failure of the other.
#[test]
fn a_proxy_that_just_closes_ends_one_direction() {
    if !tools::has_tool("openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let authority = Authority::new(folder.join("authority"), "/CN=Corp");
    let (sender, received) = mpsc::channel();
    let proxy = authority
        .identity("DNS:localhost", 2099)
        .serve_with(move |mut stream| {
            read_head(&mut stream);
            stream
                .write_all(b"HTTP/1.1 200 x\r\n\r\nall there is")
                .unwrap();
            stream.flush().unwrap();
            stream.sock.shutdown(Shutdown::Write).unwrap();
            let mut got = Vec::new();
            let _ = stream.read_to_end(&mut got);
            sender.send(got).unwrap();
        });
    let settings = script(folder, &format!("localhost:{proxy}"));
    let relay = Relay::start_with(&["--system-proxies", &settings], |command| {
        command.env("SSL_CERT_FILE", authority.certificate());
    });
    let (mut stream, answer) = relay.tunnel("r.corp:443");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let mut got = String::new();
    stream.read_to_string(&mut got).unwrap();
    assert_eq!(got, "all there is");
    stream.write_all(b"and this goes on").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let sent = received.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(sent, b"and this goes on");
}
