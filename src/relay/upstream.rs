//! One hop: a connection to a target, directly or through a proxy.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::net::http::{Head, Parsed, connect_request};
use crate::net::{HostPort, lookup};
use crate::proxy::route::{Hop, HopProxy, Protocol};

use super::access::is_own_address;
use super::login::Field;
use super::logins::{Challenge, Logins};
use super::stream::{Stream, Tls, tune};

/// Timeout for a connection. All addresses of a name share it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Timeout for the head of an answer. Apache and squid try to reach a target for 60 s before they say that they can't.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(75);
/// Maximum length of the head of an answer, and of the body of a 407, in bytes.
const MAX_ANSWER_LEN: usize = 64 << 10;

/// The way out: what each hop needs.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) logins: Logins,
    pub(crate) tls: Tls,
    /// The port of this relay. No hop may lead back to it; nothing in a program that is no relay.
    pub(crate) relay_port: Option<u16>,
}

/// A connection to a target.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The connection.
    pub(crate) stream: Stream,
    /// The first bytes of the target, which came together with the proxy's answer.
    pub(crate) early: Vec<u8>,
}

/// The reason why a hop leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HopFault {
    /// The name of the target or of the proxy has no address.
    #[error("{host} can't be looked up: {why}")]
    Lookup { host: String, why: io::Error },
    /// It can't be connected to.
    #[error("{place} can't be reached: {why}")]
    Connect { place: String, why: io::Error },
    /// The name stands for this computer.
    #[error("{host} is this computer itself")]
    OwnAddress { host: String },
    /// The proxy is this relay.
    #[error("the proxy {proxy} is this relay itself: the settings have its own address")]
    OwnRelay { proxy: String },
    /// The proxy closed the connection, or sent something else than an answer.
    #[error("the proxy {proxy} did not answer: {why}")]
    NoAnswer { proxy: String, why: io::Error },
    /// The proxy answered with an error.
    #[error("the proxy {proxy} answered {status}{}", reason_in_words(.reason))]
    Refused {
        proxy: String,
        status: u16,
        reason: String,
    },
    /// The proxy wants a login, which failed.
    #[error("the proxy {proxy} wants a login: {why}")]
    Login { proxy: String, why: String },
    /// TLS can't be started with the proxy.
    #[error("TLS with the proxy {proxy} failed: {why}")]
    Tls { proxy: String, why: io::Error },
    /// The proxy's certificate is not trusted.
    #[error("the proxy {proxy} has a certificate that this computer doesn't trust: {why}")]
    Certificate {
        proxy: String,
        why: rustls::CertificateError,
    },
}

fn reason_in_words(reason: &str) -> String {
    match reason {
        "" => String::new(),
        _ => format!(" ({reason})"),
    }
}

impl HopFault {
    /// Returns whether the next hop may be tried: nothing was said about the target yet.
    pub(crate) fn is_of_hop(&self) -> bool {
        match self {
            Self::Lookup { .. } | Self::Connect { .. } | Self::NoAnswer { .. } => true,
            Self::Tls { .. } | Self::Certificate { .. } | Self::OwnRelay { .. } => true,
            Self::OwnAddress { .. } | Self::Refused { .. } | Self::Login { .. } => false,
        }
    }

    /// Returns whether the proxy itself can't be reached. One that is silent or breaks off may do so for the target's sake.
    pub(crate) fn is_of_proxy(&self) -> bool {
        self.is_of_hop() && !matches!(self, Self::NoAnswer { .. })
    }

    /// Returns the status that the relay answers with.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::OwnAddress { .. } => 403,
            Self::Connect { why, .. } | Self::NoAnswer { why, .. } | Self::Tls { why, .. }
                if why.kind() == io::ErrorKind::TimedOut =>
            {
                504
            }
            _ => 502,
        }
    }
}

impl Upstream {
    /// Opens a connection to `target` by this hop. `may_be_own` says whether the target may be this computer.
    ///
    /// # Errors
    /// When the hop does not lead there.
    pub(crate) async fn open(
        &self,
        hop: &Hop,
        target: &HostPort,
        may_be_own: bool,
    ) -> Result<Opened, HopFault> {
        let proxy = match hop {
            Hop::Direct => {
                let stream = self.dial_target(target, may_be_own).await?;
                return Ok(Opened {
                    stream: Stream::Plain(stream),
                    early: Vec::new(),
                });
            }
            Hop::Through(proxy) => proxy,
        };
        match proxy.protocol {
            Protocol::Http | Protocol::Https => self.through_http(proxy, target).await,
            Protocol::Socks4 | Protocol::Socks5 => {
                let stream = self.dial_hop(proxy).await?;
                through_socks(stream, proxy, target).await
            }
        }
    }

    /// Connects to an HTTP proxy, with TLS if it wants that.
    pub(crate) async fn dial_proxy(&self, proxy: &HopProxy) -> Result<Stream, HopFault> {
        let stream = self.dial_hop(proxy).await?;
        if proxy.protocol != Protocol::Https {
            return Ok(Stream::Plain(stream));
        }
        let started = timeout(CONNECT_TIMEOUT, self.tls.start(stream, &proxy.host)).await;
        let started = started.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        started.map_err(|why| {
            let proxy = proxy.to_string();
            match why.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(rustls::Error::InvalidCertificate(why)) => HopFault::Certificate {
                    proxy,
                    why: why.clone(),
                },
                _ => HopFault::Tls { proxy, why },
            }
        })
    }

    async fn dial_target(
        &self,
        target: &HostPort,
        may_be_own: bool,
    ) -> Result<TcpStream, HopFault> {
        let addresses = addresses(&target.host).await?;
        let is_forbidden = match may_be_own {
            true => self.is_this_relay(&addresses, target.port),
            false => addresses.iter().any(|address| is_own_address(*address)),
        };
        match is_forbidden {
            true => Err(HopFault::OwnAddress {
                host: target.host.clone(),
            }),
            false => connect(&target.host, &addresses, target.port).await,
        }
    }

    async fn dial_hop(&self, proxy: &HopProxy) -> Result<TcpStream, HopFault> {
        let addresses = addresses(&proxy.host).await?;
        match self.is_this_relay(&addresses, proxy.port) {
            // Each request would come back to this relay, and again, until it has no connections left.
            true => Err(HopFault::OwnRelay {
                proxy: proxy.to_string(),
            }),
            false => connect(&proxy.host, &addresses, proxy.port).await,
        }
    }

    fn is_this_relay(&self, addresses: &[IpAddr], port: u16) -> bool {
        let is_here = |address: &IpAddr| {
            let address = address.to_canonical();
            address.is_loopback() || address.is_unspecified()
        };
        self.relay_port == Some(port) && addresses.iter().any(is_here)
    }

    /// Asks an HTTP proxy for a tunnel, and logs in where it wants that.
    async fn through_http(&self, proxy: &HopProxy, target: &HostPort) -> Result<Opened, HopFault> {
        let no_answer = |why| HopFault::NoAnswer {
            proxy: proxy.to_string(),
            why,
        };
        let mut stream = self.dial_proxy(proxy).await?;
        let target = target.to_string();
        let mut session = self.logins.session(proxy, "CONNECT", &target);
        let first = session.first().await;
        let mut field = first.map_err(|why| login_failed(proxy, &why))?;
        let mut is_fresh = true;
        loop {
            let sent = send_connect(&mut stream, &target, field.as_ref().map(Field::expose)).await;
            let answer = match sent {
                Ok(()) => read_answer(&mut stream).await,
                Err(error) => Err(error),
            };
            let answer = match answer {
                Ok(answer) => answer,
                // Some close a connection that they said they would keep.
                Err(error) if !is_fresh && error.kind() != io::ErrorKind::TimedOut => {
                    let again = session.cut().await;
                    let again = again.map_err(|why| login_failed(proxy, &why))?;
                    stream = self.dial_proxy(proxy).await?;
                    (field, is_fresh) = (Some(again.field), true);
                    continue;
                }
                Err(error) => return Err(no_answer(error)),
            };
            match answer.head.status {
                200..=299 => {
                    session.succeeded();
                    return Ok(Opened {
                        stream,
                        early: answer.early,
                    });
                }
                // tinyproxy refuses a wrong password like an origin.
                407 | 401 => {}
                status => {
                    return Err(HopFault::Refused {
                        proxy: proxy.to_string(),
                        status,
                        reason: shown(&answer.head.reason),
                    });
                }
            }
            let is_kept = answer.drain(&mut stream).await;
            let challenge = Challenge {
                fields: answer
                    .head
                    .values("proxy-authenticate")
                    .map(str::to_owned)
                    .collect(),
                is_kept,
            };
            let next = session.next(&challenge).await;
            let next = next.map_err(|why| login_failed(proxy, &why))?;
            is_fresh = !(next.is_same && is_kept);
            if is_fresh {
                stream = self.dial_proxy(proxy).await?;
            }
            field = Some(next.field);
        }
    }
}

/// Returns the addresses of a host.
async fn addresses(host: &str) -> Result<Vec<IpAddr>, HopFault> {
    let bare = host.trim_matches(['[', ']']);
    if let Ok(address) = bare.parse() {
        return Ok(vec![address]);
    }
    let name = bare.to_owned();
    let found = tokio::task::spawn_blocking(move || lookup::lookup(&name, lookup::TIMEOUT)).await;
    found
        .unwrap_or_else(|error| Err(io::Error::other(error)))
        .map_err(|why| HopFault::Lookup {
            host: bare.to_owned(),
            why,
        })
}

/// Connects to the first of a host's addresses that can be reached.
async fn connect(host: &str, addresses: &[IpAddr], port: u16) -> Result<TcpStream, HopFault> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    let share = CONNECT_TIMEOUT / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    for address in addresses {
        match timeout(share, TcpStream::connect(SocketAddr::new(*address, port))).await {
            Ok(Ok(stream)) => {
                tune(&stream);
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(HopFault::Connect {
        place: format!("{host}:{port}"),
        why: last,
    })
}

/// Returns the fault of a proxy at which no login succeeds.
pub(super) fn login_failed(proxy: &HopProxy, why: &dyn std::fmt::Display) -> HopFault {
    HopFault::Login {
        proxy: proxy.to_string(),
        why: why.to_string(),
    }
}

async fn send_connect(stream: &mut Stream, target: &str, field: Option<&str>) -> io::Result<()> {
    let login = field.map(|field| ("Proxy-Authorization", field));
    let request = connect_request(target, login.as_slice());
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await
}

/// An answer, up to the beginning of its body.
#[derive(Debug)]
struct Answer {
    head: Head,
    body: BodyLength,
    is_last: bool,
    early: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BodyLength {
    Bytes(usize),
    Chunks,
    UntilClose,
}

/// Reads the head of an answer, and what came with it.
async fn read_answer(stream: &mut Stream) -> io::Result<Answer> {
    let mut bytes = Vec::new();
    let read = async {
        loop {
            let mut part = [0; 4096];
            let read = match stream.read(&mut part).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => read,
            };
            let is_first = bytes.is_empty();
            bytes.extend_from_slice(&part[..read]);
            // Only a line's end can bring the head's end, so a proxy that sends byte by byte costs little.
            while is_first || part[..read].contains(&b'\n') {
                match Answer::parse(&bytes)? {
                    // What comes before the answer, such as 100 Continue (RFC 9110, section 15.2).
                    Some(answer) if matches!(answer.head.status, 100 | 102..=199) => {
                        bytes = answer.early;
                    }
                    Some(answer) => return Ok(answer),
                    None => break,
                }
            }
            if bytes.len() > MAX_ANSWER_LEN {
                return Err(io::Error::other("the head of its answer is too long"));
            }
        }
    };
    match timeout(ANSWER_TIMEOUT, read).await {
        Ok(answer) => answer,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

impl Answer {
    /// Parses the first bytes of an answer. Returns nothing as long as the head is not whole.
    fn parse(bytes: &[u8]) -> io::Result<Option<Self>> {
        let parsed = Head::parse(bytes)
            .map_err(|error| io::Error::other(format!("it is not HTTP: {error}")))?;
        let Some(Parsed { head, is_old, len }) = parsed else {
            return Ok(None);
        };
        let has = |name, word: &str| {
            head.values(name).any(|value| {
                value
                    .split(',')
                    .any(|it| it.trim().eq_ignore_ascii_case(word))
            })
        };
        let body = match (
            has("transfer-encoding", "chunked"),
            head.values("content-length").next(),
        ) {
            (true, _) => BodyLength::Chunks,
            (false, Some(length)) => length
                .parse()
                .map_or(BodyLength::UntilClose, BodyLength::Bytes),
            (false, None) => BodyLength::UntilClose,
        };
        let says_keep = has("connection", "keep-alive") || has("proxy-connection", "keep-alive");
        Ok(Some(Self {
            is_last: has("connection", "close")
                || has("proxy-connection", "close")
                || is_old && !says_keep,
            body,
            early: bytes[len..].to_vec(),
            head,
        }))
    }

    /// Reads the body of a refusal. Returns whether the connection can be used for another request.
    async fn drain(&self, stream: &mut Stream) -> bool {
        let mut body = self.early.clone();
        let read = async {
            while !self.is_whole(&body)? {
                let mut part = [0; 4096];
                match stream.read(&mut part).await.ok()? {
                    0 => return None,
                    read => body.extend_from_slice(&part[..read]),
                }
                if body.len() > MAX_ANSWER_LEN {
                    return None;
                }
            }
            Some(())
        };
        !self.is_last && matches!(timeout(CONNECT_TIMEOUT, read).await, Ok(Some(())))
    }

    /// Returns whether the body is whole; nothing if its end can't be found.
    fn is_whole(&self, body: &[u8]) -> Option<bool> {
        match self.body {
            BodyLength::Bytes(len) if body.len() > len => None,
            BodyLength::Bytes(len) => Some(body.len() == len),
            BodyLength::UntilClose => None,
            BodyLength::Chunks => {
                let mut at = 0;
                loop {
                    let rest = body.get(at..)?;
                    match httparse::parse_chunk_size(rest).ok()? {
                        httparse::Status::Partial => return Some(false),
                        httparse::Status::Complete((head, 0)) => {
                            let end = &rest[head..];
                            return match end {
                                b"\r\n" => Some(true),
                                b"" | b"\r" => Some(false),
                                // Trailers, or something else.
                                _ => None,
                            };
                        }
                        httparse::Status::Complete((head, len)) => {
                            at += head + usize::try_from(len).ok()?.checked_add(2)?;
                            if at > body.len() {
                                return Some(false);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Returns a proxy's text without control characters, and not too long.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(200).collect();
    short.replace(char::is_control, " ")
}

/// Asks a SOCKS proxy for a connection (RFC 1928, and SOCKS 4A). The proxy looks the name up.
async fn through_socks(
    mut stream: TcpStream,
    proxy: &HopProxy,
    target: &HostPort,
) -> Result<Opened, HopFault> {
    let ask = async {
        match proxy.protocol {
            Protocol::Socks4 => socks4(&mut stream, target).await,
            _ => socks5(&mut stream, target).await,
        }
    };
    let no_answer = |why| HopFault::NoAnswer {
        proxy: proxy.to_string(),
        why,
    };
    match timeout(ANSWER_TIMEOUT, ask).await {
        Err(_) => Err(no_answer(io::ErrorKind::TimedOut.into())),
        Ok(Err(error)) => Err(no_answer(error)),
        Ok(Ok(0)) => Ok(Opened {
            stream: Stream::Plain(stream),
            early: Vec::new(),
        }),
        Ok(Ok(code)) => Err(HopFault::Refused {
            proxy: proxy.to_string(),
            status: code.into(),
            reason: "a SOCKS code".to_owned(),
        }),
    }
}

async fn socks5(stream: &mut TcpStream, target: &HostPort) -> io::Result<u8> {
    // No login: macOS has no field for one that could be read.
    stream.write_all(&[5, 1, 0]).await?;
    let mut method = [0; 2];
    stream.read_exact(&mut method).await?;
    if method != [5, 0] {
        return Err(io::Error::other("it is not SOCKS 5 without a login"));
    }
    let mut request = vec![5, 1, 0];
    match target.host.parse() {
        Ok(IpAddr::V4(address)) => {
            request.push(1);
            request.extend(address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(4);
            request.extend(address.octets());
        }
        Err(_) => {
            let len = u8::try_from(target.host.len());
            request.extend([
                3,
                len.map_err(|_| io::Error::other("the name is too long"))?,
            ]);
            request.extend(target.host.as_bytes());
        }
    }
    request.extend(target.port.to_be_bytes());
    stream.write_all(&request).await?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await?;
    if answer[0] != 5 {
        return Err(io::Error::other("it is not SOCKS 5"));
    }
    let len = match answer[3] {
        1 => 4,
        4 => 16,
        3 => usize::from(stream.read_u8().await?),
        _ => return Err(io::Error::other("it is not SOCKS 5")),
    };
    let mut bound = vec![0; len + 2];
    stream.read_exact(&mut bound).await?;
    Ok(answer[1])
}

async fn socks4(stream: &mut TcpStream, target: &HostPort) -> io::Result<u8> {
    let mut request = vec![4, 1];
    request.extend(target.port.to_be_bytes());
    match target.host.parse() {
        Ok(IpAddr::V4(address)) => {
            request.extend(address.octets());
            request.push(0);
        }
        Ok(IpAddr::V6(_)) => return Err(io::Error::other("SOCKS 4 has no IPv6 addresses")),
        Err(_) => {
            request.extend([0, 0, 0, 1, 0]);
            request.extend(target.host.as_bytes());
            request.push(0);
        }
    }
    stream.write_all(&request).await?;
    let mut answer = [0; 8];
    stream.read_exact(&mut answer).await?;
    match answer {
        [0, 90, ..] => Ok(0),
        [0, code, ..] => Ok(code),
        _ => Err(io::Error::other("it is not SOCKS 4")),
    }
}
