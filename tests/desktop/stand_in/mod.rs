//! A stand-in for the backend of today's Docker Desktop: what is known of it from outside, as `docs/docker-desktop.md`
//! lists it. It keeps settings in memory, tells and changes them over a socket, forwards what comes to its own proxy by
//! these settings, writes the settings file late, and has the policies and the faults that a test gives it.
//!
//! Guessed: which status a locked setting answers a POST with; what happens to an unknown leaf (ignored here); that a
//! proxy that can't be reached is answered with 502.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value, json};

/// The settings of the proxy by their names in the grouped answer, in the flat one, and in the file, with the defaults.
const LEAVES: [(&str, &str, &str, &str, &str); 12] = [
    ("proxy", "mode", "proxyHttpMode", "ProxyHTTPMode", "system"),
    (
        "proxy",
        "http",
        "overrideProxyHttp",
        "OverrideProxyHTTP",
        "",
    ),
    (
        "proxy",
        "https",
        "overrideProxyHttps",
        "OverrideProxyHTTPS",
        "",
    ),
    (
        "proxy",
        "exclude",
        "overrideProxyExclude",
        "OverrideProxyExclude",
        "",
    ),
    ("proxy", "pac", "overrideProxyPAC", "OverrideProxyPAC", ""),
    ("proxy", "tcp", "overrideProxyTCP", "OverrideProxyTCP", ""),
    (
        "containersProxy",
        "mode",
        "containersProxyHttpMode",
        "ContainersProxyHTTPMode",
        "",
    ),
    (
        "containersProxy",
        "http",
        "containersOverrideProxyHttp",
        "ContainersOverrideProxyHTTP",
        "",
    ),
    (
        "containersProxy",
        "https",
        "containersOverrideProxyHttps",
        "ContainersOverrideProxyHTTPS",
        "",
    ),
    (
        "containersProxy",
        "exclude",
        "containersOverrideProxyExclude",
        "ContainersOverrideProxyExclude",
        "",
    ),
    (
        "containersProxy",
        "pac",
        "containersOverrideProxyPAC",
        "ContainersOverrideProxyPAC",
        "",
    ),
    (
        "containersProxy",
        "transparentPorts",
        "containersOverrideProxyTransparentPorts",
        "ContainersOverrideProxyTransparentPorts",
        "",
    ),
];

/// The form of a leaf in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `"mode": "system"`.
    Bare,
    /// `"mode": {"locked": false, "value": "system"}`.
    Locked,
    /// Some like this, some like that.
    Mixed,
    /// Only `/app/settings/flat` has the proxy.
    Flat,
    /// A shape of the future.
    Unknown,
    /// The grouped and the flat settings have no proxy.
    Missing,
}

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing is answered.
    Hang,
    /// The answer comes this much later.
    Delay(Duration),
    /// One byte in a while.
    Slow(Duration),
    /// The connection ends in the middle of the answer.
    CloseEarly,
    /// A web page.
    Html,
    /// An error of the server.
    Status(u16),
    /// Half of an answer, as JSON.
    HalfJson,
    /// `locked` is a string.
    LockedAsString,
    /// An answer of this many bytes.
    Long(usize),
}

/// What a policy does after a POST, or at the start.
#[derive(Debug, Clone, Default)]
pub(crate) struct Policy {
    /// Leaves that are put to these values after a change, this much later.
    pub(crate) puts_back: Vec<(&'static str, &'static str, String)>,
    pub(crate) after: Duration,
}

/// The state of the stand-in.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) leaves: Map<String, Value>,
    pub(crate) shape: Shape,
    pub(crate) locked: bool,
    pub(crate) fault: Option<Fault>,
    /// The fault is for requests that begin like this.
    pub(crate) fault_at: &'static str,
    pub(crate) policy: Policy,
    /// The first lines of the requests.
    pub(crate) requests: Vec<String>,
    /// The bodies of the changes.
    pub(crate) posts: Vec<Value>,
    /// The requests that came to Docker's own proxy.
    pub(crate) proxied: Vec<String>,
    /// This Mac reaches nothing without a proxy.
    pub(crate) is_isolated: bool,
    /// The leaves that no answer has.
    pub(crate) hidden: std::collections::BTreeSet<String>,
    has_containers: bool,
}

/// A running stand-in. It ends when it is dropped, as in a crash: the sockets stay, and the file is not written.
pub(crate) struct StandIn {
    pub(crate) state: Arc<Mutex<State>>,
    home: PathBuf,
    socket: PathBuf,
    listener: Arc<UnixListener>,
}

fn name(group: &str, leaf: &str) -> String {
    format!("{group}.{leaf}")
}

impl StandIn {
    /// Starts a Docker of this version for the user with this home folder: migrates the older settings file, reads the
    /// settings, applies the policy, and listens.
    pub(crate) fn start(home: &Path, version: (u32, u32)) -> io::Result<Self> {
        let data = home.join("Library/Containers/com.docker.docker/Data");
        let group = home.join("Library/Group Containers/group.com.docker");
        fs::create_dir_all(&data)?;
        fs::create_dir_all(&group)?;
        let (older, newer) = (
            group.join("settings.json"),
            group.join("settings-store.json"),
        );
        let is_newer = version >= (4, 35);
        let text = match (is_newer, newer.exists()) {
            (true, true) => fs::read_to_string(&newer).ok(),
            _ => fs::read_to_string(&older).ok(),
        };
        let file: Value = text
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_else(|| json!({}));
        let mut leaves = Map::new();
        for (group, leaf, camel, pascal, default) in LEAVES {
            let found = file.get(pascal).or_else(|| file.get(camel));
            let value = found.filter(|value| !value.is_null()).cloned();
            leaves.insert(name(group, leaf), value.unwrap_or_else(|| default.into()));
        }
        let socket = data.join("backend.sock");
        let _ = fs::remove_file(&socket);
        let listener = Arc::new(UnixListener::bind(&socket)?);
        let state = Arc::new(Mutex::new(State {
            leaves,
            shape: Shape::Locked,
            locked: false,
            fault: None,
            fault_at: "",
            policy: Policy::default(),
            requests: Vec::new(),
            posts: Vec::new(),
            proxied: Vec::new(),
            is_isolated: false,
            hidden: std::collections::BTreeSet::new(),
            has_containers: version >= (4, 29),
        }));
        let stand_in = Self {
            state: state.clone(),
            home: home.to_owned(),
            socket,
            listener: listener.clone(),
        };
        thread::spawn({
            let state = state.clone();
            move || {
                while let Ok((stream, _)) = listener.accept() {
                    let state = state.clone();
                    // A client that gives up is no failure of the stand-in.
                    thread::spawn(move || drop(serve(stream, &state)));
                }
            }
        });
        let proxy = data.join("httpproxy.sock");
        let _ = fs::remove_file(&proxy);
        let proxy = UnixListener::bind(&proxy)?;
        thread::spawn(move || {
            while let Ok((stream, _)) = proxy.accept() {
                let state = state.clone();
                thread::spawn(move || {
                    let reader = stream.try_clone()?;
                    forward(reader, stream, &state)
                });
            }
        });
        if is_newer && !stand_in.newer().exists() && older.exists() {
            stand_in.write_file()?;
        }
        Ok(stand_in)
    }

    fn newer(&self) -> PathBuf {
        self.home
            .join("Library/Group Containers/group.com.docker/settings-store.json")
    }

    /// Also listens as Docker's own proxy on this address, as `http.docker.internal:3128` is in the VM.
    pub(crate) fn listen(&self, address: &str) -> io::Result<u16> {
        let listener = TcpListener::bind(address)?;
        let port = listener.local_addr()?.port();
        let state = self.state.clone();
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let state = state.clone();
                thread::spawn(move || {
                    let reader = stream.try_clone()?;
                    forward(reader, stream, &state)
                });
            }
        });
        Ok(port)
    }

    /// Changes the state.
    pub(crate) fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    /// Returns the value of a leaf, as in `proxy.mode`.
    pub(crate) fn value(&self, leaf: &str) -> String {
        let state = self.state.lock().unwrap();
        state.leaves[leaf].as_str().unwrap_or_default().to_owned()
    }

    /// Quits: the settings that differ from the defaults are written, in the order of their keys, beside the others.
    pub(crate) fn quit(self) -> io::Result<()> {
        self.write_file()?;
        fs::remove_file(&self.socket)
    }

    fn write_file(&self) -> io::Result<()> {
        let path = self.newer();
        let old = fs::read_to_string(&path).ok();
        let old = old.and_then(|text| serde_json::from_str::<Map<String, Value>>(&text).ok());
        let mut file = old.unwrap_or_default();
        let state = self.state.lock().unwrap();
        for (group, leaf, _, pascal, default) in LEAVES {
            let value = state.leaves[&name(group, leaf)].clone();
            match value == default && !file.contains_key(pascal) {
                true => {}
                false => drop(file.insert(pascal.to_owned(), value)),
            }
        }
        let sorted: std::collections::BTreeMap<_, _> = file.into_iter().collect();
        fs::write(&path, serde_json::to_string_pretty(&sorted)? + "\n")
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        // Nothing new is accepted: the thread sees it at the next connection.
        let _ = self.listener.set_nonblocking(true);
        drop(UnixStream::connect(&self.socket));
    }
}

fn settings(state: &State) -> Value {
    let mut vm = json!({ "resources": { "cpus": { "value": 4, "max": 8 } } });
    for (number, (group, leaf, ..)) in LEAVES.into_iter().enumerate() {
        let is_hidden = state.hidden.contains(&name(group, leaf));
        if is_hidden || group == "containersProxy" && !state.has_containers {
            continue;
        }
        let value = state.leaves[&name(group, leaf)].clone();
        let with_lock = match state.shape {
            Shape::Bare => false,
            Shape::Mixed => number % 2 == 0,
            _ => true,
        };
        vm[group][leaf] = match (state.shape, with_lock) {
            (Shape::Unknown, _) => json!({ "current": value }),
            (_, true) => json!({ "locked": state.locked, "value": value }),
            (_, false) => value,
        };
    }
    if matches!(state.shape, Shape::Flat | Shape::Missing) {
        vm.as_object_mut().unwrap().remove("proxy");
    }
    json!({ "desktop": { "theme": "dark" }, "vm": vm, "cli": {} })
}

fn flat(state: &State) -> Value {
    let mut all = json!({ "swapMiB": 1024, "kubernetesEnabled": false });
    if !matches!(state.shape, Shape::Unknown | Shape::Missing) {
        for (group, leaf, camel, ..) in LEAVES {
            all[camel] = state.leaves[&name(group, leaf)].clone();
        }
    }
    all
}

fn serve(mut stream: UnixStream, state: &Arc<Mutex<State>>) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let Some((request, body)) = read_request(&mut reader)? else {
            return Ok(());
        };
        let (fault, answer) = {
            let mut state = state.lock().unwrap();
            state.requests.push(request.clone());
            let fault = state.fault.filter(|_| request.starts_with(state.fault_at));
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            let answer = match (request.split(' ').next(), &*path) {
                (Some("GET"), "/ping") => (200, String::new()),
                (Some("GET"), "/app/settings") => (200, settings(&state).to_string()),
                (Some("GET"), "/app/settings/flat") => (200, flat(&state).to_string()),
                (Some("POST"), "/app/settings") => match fault {
                    // What is refused is not taken.
                    Some(Fault::Status(status)) => (status, String::new()),
                    _ => (post(&mut state, &body), String::new()),
                },
                _ => (404, "{\"message\":\"not found\"}".to_owned()),
            };
            (fault, answer)
        };
        if request.starts_with("POST") {
            let policy = state.lock().unwrap().policy.clone();
            let state = state.clone();
            thread::spawn(move || {
                thread::sleep(policy.after);
                let mut state = state.lock().unwrap();
                for (group, leaf, value) in &policy.puts_back {
                    state.leaves.insert(name(group, leaf), value.clone().into());
                }
            });
        }
        let (status, text) = answer;
        let whole = |status: u16, kind: &str, text: &str| {
            let length = text.len();
            format!(
                "HTTP/1.1 {status} x\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{text}"
            )
        };
        let json = "application/json";
        match fault {
            None => stream.write_all(whole(status, json, &text).as_bytes())?,
            Some(Fault::Delay(time)) => {
                thread::sleep(time);
                stream.write_all(whole(status, json, &text).as_bytes())?;
            }
            Some(Fault::Hang) => {
                thread::sleep(Duration::from_secs(30));
                return Ok(());
            }
            Some(Fault::Slow(pause)) => {
                for byte in whole(status, json, &text).bytes() {
                    stream.write_all(&[byte])?;
                    thread::sleep(pause);
                }
            }
            Some(Fault::CloseEarly) => {
                let text = whole(status, json, &format!("{text}{}", " ".repeat(1000)));
                stream.write_all(&text.as_bytes()[..text.len() / 2])?;
                return Ok(());
            }
            Some(Fault::Html) => {
                stream.write_all(
                    whole(200, "text/html", "<html><body>Hello</body></html>").as_bytes(),
                )?;
            }
            Some(Fault::Status(status)) => {
                stream.write_all(whole(status, json, "{\"message\":\"x\"}").as_bytes())?;
            }
            Some(Fault::HalfJson) => {
                let half: String = text.chars().take(text.len() / 2).collect();
                stream.write_all(whole(200, json, &half).as_bytes())?;
            }
            Some(Fault::LockedAsString) => {
                let text = text.replace("\"locked\":false", "\"locked\":\"no\"");
                stream.write_all(whole(200, json, &text).as_bytes())?;
            }
            Some(Fault::Long(bytes)) => {
                let head = format!(
                    "HTTP/1.1 200 x\r\nContent-Type: {json}\r\nContent-Length: {bytes}\r\n\r\n"
                );
                stream.write_all(head.as_bytes())?;
                let block = vec![b' '; 1 << 16];
                for _ in 0..bytes / block.len() {
                    stream.write_all(&block)?;
                }
            }
        }
    }
}

fn post(state: &mut State, body: &[u8]) -> u16 {
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return 400;
    };
    state.posts.push(body.clone());
    if state.locked {
        return 403;
    }
    for (group, leaf, ..) in LEAVES {
        if let Some(value) = body["vm"][group][leaf].get("value") {
            if !value.is_string() {
                return 400;
            }
            state.leaves.insert(name(group, leaf), value.clone());
        }
    }
    204
}

fn read_request(reader: &mut impl BufRead) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some((first.trim_end().to_owned(), body)))
}

/// Docker's own proxy: `CONNECT` and absolute URLs, direct or through the upstream that the settings name.
fn forward(
    client: impl Read,
    mut answers: impl Write + Send + 'static,
    state: &Arc<Mutex<State>>,
) -> io::Result<()> {
    let mut reader = BufReader::new(client);
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let first = head.lines().next().unwrap_or_default().to_owned();
    let mut words = first.split(' ');
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let is_tunnel = method == "CONNECT";
    let authority = match is_tunnel {
        true => target.to_owned(),
        false => {
            let rest = target.trim_start_matches("http://");
            let host = rest.split('/').next().unwrap_or_default();
            match host.contains(':') {
                true => host.to_owned(),
                false => format!("{host}:80"),
            }
        }
    };
    let (upstream, is_isolated) = {
        let mut state = state.lock().unwrap();
        state.proxied.push(first.clone());
        let leaf = |leaf: &str| state.leaves[leaf].as_str().unwrap_or_default().to_owned();
        let host = authority
            .rsplit_once(':')
            .map_or(&*authority, |(host, _)| host);
        let is_excluded = leaf("proxy.exclude").split(',').any(|entry| entry == host);
        let url = leaf(if is_tunnel {
            "proxy.https"
        } else {
            "proxy.http"
        });
        let upstream = (leaf("proxy.mode") == "manual" && !url.is_empty() && !is_excluded)
            .then(|| url.trim_start_matches("http://").to_owned());
        (upstream, state.is_isolated)
    };
    let connected = match &upstream {
        None if is_isolated => Err(io::ErrorKind::NetworkUnreachable.into()),
        None => TcpStream::connect(&authority),
        Some(upstream) => TcpStream::connect(upstream),
    };
    let Ok(mut server) = connected else {
        return answers.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
    };
    match (&upstream, is_tunnel) {
        (None, true) => answers.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?,
        (None, false) => {
            let path = target.trim_start_matches("http://");
            let path = path.find('/').map_or("/", |at| &path[at..]);
            let rest = head.split_once("\r\n").map_or("", |(_, rest)| rest);
            write!(
                server,
                "{method} {path} HTTP/1.1\r\nConnection: close\r\n{rest}\r\n"
            )?;
        }
        (Some(_), _) => write!(server, "{head}\r\n")?,
    }
    let mut back = server.try_clone()?;
    let answering = thread::spawn(move || drop(io::copy(&mut back, &mut answers)));
    drop(io::copy(&mut reader, &mut server));
    drop(server.shutdown(std::net::Shutdown::Write));
    drop(answering.join());
    Ok(())
}
