//! Logins with squid's own helpers.

use std::fs;
use std::io::{Read, Write};

use super::{Relay, read_head, server};
use crate::common::network::{RealProxy, open_to_all};
use crate::common::tools;

/// The name that only squid knows.
const TARGET: &str = "registry.example";

/// Two tunnels and two requests in clear through a squid that wants this login. `denied` is the number of its refusals.
fn logs_in(login: &str, rules: impl FnOnce(&std::path::Path) -> String, denied: usize) {
    if !tools::has_tool("squid") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let hosts = folder.path().join("hosts");
    fs::write(&hosts, format!("127.0.0.1 {TARGET}\n")).unwrap();
    open_to_all(&hosts, 0o644);
    let rules = format!(
        "{}\nhosts_file {}\nacl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all",
        rules(folder.path()),
        hosts.display()
    );
    let squid = RealProxy::squid_with(folder.path(), &rules, |_| {});
    let relay = Relay::start(&[
        "--http-proxy",
        &format!("http://{login}@127.0.0.1:{}", squid.port),
    ]);
    let greeter = server(|mut stream| stream.write_all(b"hello"));
    for _ in 0..2 {
        let (mut stream, answer) = relay.tunnel(&format!("{TARGET}:{}", greeter.port()));
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let mut got = String::new();
        stream.read_to_string(&mut got).unwrap();
        assert_eq!(got, "hello");
    }
    let page = server(|mut stream| {
        read_head(&mut stream);
        let mut body = [0; 5];
        stream.read_exact(&mut body)?;
        stream.write_all(b"HTTP/1.1 200 x\r\nContent-Length: 5\r\nConnection: close\r\n\r\n")?;
        stream.write_all(&body)
    });
    let place = format!("{TARGET}:{}", page.port());
    for _ in 0..2 {
        let first = format!("POST http://{place}/?x");
        let answer = relay.request(&first, &place, "Content-Length: 5\r\n\r\nwhale");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.ends_with("whale"), "{answer}");
    }
    // The user that squid knows is the one of the login.
    squid.saw_times(" jane ", 4);
    let log = squid.log();
    assert_eq!(log.matches(" jane ").count(), 4, "{log}");
    assert_eq!(log.matches("TCP_DENIED/407").count(), denied, "{log}");
}

/// The first request asks for a nonce, and the others count it on.
#[test]
fn digest_as_squid_checks_it() {
    let rules = |folder: &std::path::Path| {
        let users = folder.join("users");
        fs::write(&users, "jane:s3cret\n").unwrap();
        open_to_all(&users, 0o644);
        let helper = RealProxy::squid_helper("digest_file_auth");
        format!(
            "auth_param digest program {} {}\nauth_param digest children 1\nauth_param digest realm corp",
            helper.display(),
            users.display()
        )
    };
    logs_in("jane:s3cret", rules, 1);
}

/// Each connection asks for a challenge, and the first one of all asks whether there is one.
#[test]
fn ntlm_as_squid_reads_it() {
    let rules = |_: &std::path::Path| {
        let helper = RealProxy::squid_helper("ntlm_fake_auth");
        format!(
            "auth_param ntlm program {}\nauth_param ntlm children 1",
            helper.display()
        )
    };
    logs_in("jane:s3cret", rules, 5);
}
