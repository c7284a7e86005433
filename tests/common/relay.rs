//! A running relay.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::app::App;
use super::network::{free_port, read_head};

/// A relay that runs until this is dropped.
pub(crate) struct Relay {
    pub(crate) app: App,
    pub(crate) port: u16,
    pub(crate) child: Child,
}

impl Relay {
    /// Starts `baleen relay` with these arguments, at a free port.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, |_| {})
    }

    /// Starts it after `prepare` has changed the command.
    pub(crate) fn start_with(arguments: &[&str], prepare: impl FnOnce(&mut Command)) -> Self {
        let app = App::new();
        let port = free_port();
        let text = port.to_string();
        let mut command = app.command(&[&["relay", "--port", &text], arguments].concat());
        prepare(&mut command);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(line.contains("listens at 127.0.0.1"), "{line}");
        Self { app, port, child }
    }

    /// The address of the relay, with its token.
    pub(crate) fn address(&self) -> String {
        let text = self.port.to_string();
        let out = self
            .app
            .ok(&["relay", "--port", &text, "--print-address", "local"]);
        out.lines().next().unwrap().to_owned()
    }

    /// The field that opens it.
    pub(crate) fn token(&self) -> String {
        let address = self.address();
        let login = address.strip_prefix("http://").unwrap();
        let login = login.split_once('@').unwrap().0;
        format!(
            "Proxy-Authorization: Basic {}\r\n",
            BASE64_STANDARD.encode(login)
        )
    }

    /// Connects to it.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
    }

    /// Asks for a tunnel. Returns the connection and the head of the answer.
    pub(crate) fn tunnel(&self, target: &str) -> (TcpStream, String) {
        let mut stream = self.connect();
        let token = self.token();
        let head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{token}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let answer = read_head(&mut stream);
        (stream, answer)
    }

    /// Asks for a tunnel that isn't opened. Returns the whole answer.
    pub(crate) fn refused_tunnel(&self, target: &str) -> String {
        self.request(&format!("CONNECT {target}"), target, "\r\n")
    }

    /// Sends a request in clear, and returns the whole answer.
    pub(crate) fn request(&self, first: &str, host: &str, rest: &str) -> String {
        let mut stream = self.connect();
        let token = self.token();
        let head = format!("{first} HTTP/1.1\r\nHost: {host}\r\n{token}{rest}");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The Mac's settings, in a file.
pub(crate) fn settings(app: &Path, pairs: &str) -> String {
    let path = app.join("system.plist");
    fs::write(
        &path,
        format!("<plist version=\"1.0\"><dict>{pairs}</dict></plist>"),
    )
    .unwrap();
    path.to_str().unwrap().to_owned()
}

/// Settings in which everything goes directly, also to this computer itself.
pub(crate) const ALL_DIRECT: &str =
    "<key>ExceptionsList</key><array><string>127.0.0.1</string></array>";
