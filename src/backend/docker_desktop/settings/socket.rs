//! The socket of Docker's backend, which holds the settings of a running Docker: HTTP/1.1 over a Unix socket. Docker does
//! not document it; what is known of it is in `docs/docker-desktop.md`. Whatever it answers, a request ends in time.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

use super::leaf::{Leaf, LeafValue, Spelling, Values};

/// The socket, in the user's home folder.
pub(crate) const SOCKET: &str = "Library/Containers/com.docker.docker/Data/backend.sock";

/// Maximum length of an answer, in bytes. The settings of a Docker with everything switched on have about 20,000.
const MAX_ANSWER_LEN: u64 = 1 << 20;
/// Timeout for reading the settings, with all requests for it. A command reads them up to three times and changes them once,
/// and takes 3 s at most.
pub(super) const READ_TIMEOUT: Duration = Duration::from_millis(600);
/// Timeout for a change.
const CHANGE_TIMEOUT: Duration = Duration::from_millis(800);
/// Time after which a policy has put back what it does not allow.
pub(super) const POLICY_DELAY: Duration = Duration::from_millis(250);

/// The reason why the socket did not tell Docker's settings, or did not change them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum SocketFault {
    #[error("the socket is not there")]
    Missing,
    #[error("the system does not allow Baleen to use it")]
    Denied,
    #[error("nothing listens at it")]
    Refused,
    #[error("there was no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error("the connection failed: {0}")]
    Broken(String),
    #[error("the answer to {request} should have the status 200, but has {status}")]
    Status { request: &'static str, status: u16 },
    #[error("the answer to {request} is longer than {MAX_ANSWER_LEN} bytes")]
    TooLong { request: &'static str },
    #[error("the answer to {request} should be JSON with the proxy settings, but {found}")]
    Shape {
        request: &'static str,
        found: UnknownShape,
    },
}

/// What is unknown about the shape of an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum UnknownShape {
    #[error("is no JSON")]
    NotJson,
    #[error("has no {0}")]
    Missing(String),
    #[error("has {0} in another form")]
    Form(String),
}

impl SocketFault {
    /// Returns whether Docker may answer a little later, and is not another Docker than Baleen knows.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Missing | Self::Refused | Self::TimedOut(_) | Self::Broken(_) => true,
            Self::Status { status, .. } => *status >= 500,
            Self::Denied | Self::TooLong { .. } | Self::Shape { .. } => false,
        }
    }
}

/// Docker's settings as the socket tells them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    /// The settings of the proxy that it tells.
    pub(super) values: Values,
    /// True if an administrator has locked the proxy.
    pub(super) is_locked: bool,
    /// True if an administrator has locked the containers' proxy.
    pub(super) containers_locked: bool,
}

/// The socket of the backend of this user's Docker.
#[derive(Debug, Clone)]
pub(super) struct BackendSocket {
    path: PathBuf,
}

impl BackendSocket {
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Reads the settings: grouped, or flat if this Docker groups them in a way that is not known.
    pub(super) fn read(&self) -> Result<Shown, SocketFault> {
        self.read_until(Instant::now() + READ_TIMEOUT)
    }

    /// Reads the settings before this time.
    pub(super) fn read_until(&self, until: Instant) -> Result<Shown, SocketFault> {
        self.request("GET /ping", until, None)?;
        const GROUPED: &str = "GET /app/settings";
        const FLAT: &str = "GET /app/settings/flat";
        let grouped = match self.settings(GROUPED, until, grouped) {
            Err(fault) if !fault.may_pass() => fault,
            found => return found,
        };
        // The first answer tells more about what is unknown.
        self.settings(FLAT, until, flat)
            .map_err(|fault| match fault.may_pass() {
                true => fault,
                false => grouped,
            })
    }

    fn settings(
        &self,
        request: &'static str,
        until: Instant,
        parse: fn(&Value) -> Result<Shown, UnknownShape>,
    ) -> Result<Shown, SocketFault> {
        let body = self.request(request, until, None)?;
        let answer = serde_json::from_slice(&body).map_err(|_| UnknownShape::NotJson);
        let shown = answer.and_then(|answer: Value| parse(&answer));
        shown.map_err(|found| SocketFault::Shape { request, found })
    }

    /// Changes these settings, and no others.
    pub(super) fn change(&self, values: &Values) -> Result<(), SocketFault> {
        let mut vm = Map::new();
        for (leaf, value) in values {
            let (group, name) = leaf.in_group();
            // A null would not be a string.
            let text = value.text(*leaf).unwrap_or_default();
            let group = vm.entry(group).or_insert_with(|| json!({}));
            group[name] = json!({ "value": text });
        }
        let body = json!({ "vm": vm }).to_string();
        let until = Instant::now() + CHANGE_TIMEOUT;
        self.request("POST /app/settings", until, Some(&body))?;
        Ok(())
    }

    /// Sends a request, and returns the body of the answer.
    fn request(
        &self,
        request: &'static str,
        until: Instant,
        body: Option<&str>,
    ) -> Result<Vec<u8>, SocketFault> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(SocketFault::TimedOut(READ_TIMEOUT));
        }
        let config = Config::builder()
            .proxy(None)
            .timeout_global(Some(left))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(concat!("baleen/", env!("CARGO_PKG_VERSION")))
            .build();
        let connector = SocketConnector(self.path.clone(), left);
        let agent = Agent::with_parts(config, connector, NoLookup);
        let path = request.split_once(' ').map_or("", |(_, path)| path);
        let url = format!("http://localhost{path}");
        let fault = |error: ureq::Error| fault(error, left);
        let mut response = match body {
            None => agent.get(&url).call(),
            Some(body) => agent.post(&url).content_type("application/json").send(body),
        }
        .map_err(fault)?;
        let status = response.status();
        if !status.is_success() {
            let status = status.as_u16();
            return Err(SocketFault::Status { request, status });
        }
        let mut bytes = Vec::new();
        let mut answer = response.body_mut().as_reader().take(MAX_ANSWER_LEN + 1);
        answer
            .read_to_end(&mut bytes)
            .map_err(|error| fault(error.into()))?;
        match bytes.len() as u64 > MAX_ANSWER_LEN {
            true => Err(SocketFault::TooLong { request }),
            false => Ok(bytes),
        }
    }
}

fn fault(error: ureq::Error, after: Duration) -> SocketFault {
    match error {
        ureq::Error::Timeout(_) => SocketFault::TimedOut(after),
        ureq::Error::Io(error) => match error.kind() {
            io::ErrorKind::NotFound => SocketFault::Missing,
            io::ErrorKind::PermissionDenied => SocketFault::Denied,
            io::ErrorKind::ConnectionRefused => SocketFault::Refused,
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => SocketFault::TimedOut(after),
            // A timeout while the body is read.
            _ => match error.downcast::<ureq::Error>() {
                Ok(ureq::Error::Timeout(_)) => SocketFault::TimedOut(after),
                Ok(error) => SocketFault::Broken(error.to_string()),
                Err(error) => SocketFault::Broken(crate::error::plain(&error)),
            },
        },
        other => SocketFault::Broken(other.to_string()),
    }
}

/// Returns the settings in an answer that has groups, whose leaves are bare or have a lock beside the value.
fn grouped(answer: &Value) -> Result<Shown, UnknownShape> {
    let missing = |what: &str| UnknownShape::Missing(what.to_owned());
    let vm = answer.get("vm").ok_or_else(|| missing("vm"))?;
    let shown = shown(|leaf| {
        let (group, name) = leaf.in_group();
        vm.get(group)?.get(name)
    })?;
    Ok(shown)
}

/// Returns the settings in an answer of one level.
fn flat(answer: &Value) -> Result<Shown, UnknownShape> {
    shown(|leaf| answer.get(leaf.key(Spelling::Camel)))
}

fn shown<'a>(find: impl Fn(Leaf) -> Option<&'a Value>) -> Result<Shown, UnknownShape> {
    let mut shown = Shown {
        values: Values::new(),
        is_locked: false,
        containers_locked: false,
    };
    for leaf in Leaf::ALL {
        let (group, name) = leaf.in_group();
        let name = || format!("vm.{group}.{name}");
        let Some(found) = find(leaf) else {
            if Leaf::NEEDED.contains(&leaf) {
                return Err(UnknownShape::Missing(name()));
            }
            continue;
        };
        let (value, is_locked) = match found {
            Value::Object(leaf) => {
                let value = leaf
                    .get("value")
                    .ok_or_else(|| UnknownShape::Form(name()))?;
                match leaf.get("locked") {
                    None => (value, false),
                    Some(Value::Bool(locked)) => (value, *locked),
                    Some(_) => return Err(UnknownShape::Form(name())),
                }
            }
            bare => (bare, false),
        };
        if !matches!(value, Value::String(_) | Value::Null) {
            return Err(UnknownShape::Form(name()));
        }
        match leaf {
            Leaf::ContainersMode => shown.containers_locked = is_locked,
            _ => shown.is_locked |= is_locked,
        }
        shown
            .values
            .insert(leaf, LeafValue(Some(value.to_string())));
    }
    Ok(shown)
}

/// Connects to the socket in this time, whatever the host in the URL is.
#[derive(Debug)]
struct SocketConnector(PathBuf, Duration);

impl Connector for SocketConnector {
    type Out = SocketTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _chained: Option<()>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let config = details.config;
        Ok(Some(SocketTransport {
            stream: connect(&self.0, self.1)?,
            buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
        }))
    }
}

/// Connects without waiting: a socket whose queue is full would block for as long as its program likes.
fn connect(path: &Path, timeout: Duration) -> io::Result<UnixStream> {
    crate::util::call_with_timeout("docker's socket", timeout, {
        let path = path.to_owned();
        move || UnixStream::connect(path)
    })?
}

/// HTTP over the socket. The time left for the whole request limits each step of it.
#[derive(Debug)]
struct SocketTransport {
    stream: UnixStream,
    buffers: LazyBuffers,
}

impl Transport for SocketTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.set_write_timeout(time_left(timeout)?)?;
        let output = &self.buffers.output()[..amount];
        self.stream
            .write_all(output)
            .map_err(|error| timed_out(error, timeout))?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.set_read_timeout(time_left(timeout)?)?;
        let input = self.buffers.input_append_buf();
        let read = self
            .stream
            .read(input)
            .map_err(|error| timed_out(error, timeout))?;
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    fn is_open(&mut self) -> bool {
        // Each request has a connection of its own.
        false
    }
}

/// Returns the time left. The system takes a timeout of zero for none at all.
fn time_left(timeout: NextTimeout) -> Result<Option<Duration>, ureq::Error> {
    match timeout.after {
        left if left.is_not_happening() => Ok(None),
        left if left.is_zero() => Err(ureq::Error::Timeout(timeout.reason)),
        left => Ok(Some((*left).max(Duration::from_millis(1)))),
    }
}

fn timed_out(error: io::Error, timeout: NextTimeout) -> ureq::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ureq::Error::Timeout(timeout.reason),
        _ => error.into(),
    }
}

/// Looks up nothing: the connector knows where to connect to.
#[derive(Debug)]
struct NoLookup;

impl Resolver for NoLookup {
    fn resolve(
        &self,
        _uri: &Uri,
        _config: &Config,
        _timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.empty();
        addresses.push(([127, 0, 0, 1], 80).into());
        Ok(addresses)
    }
}
