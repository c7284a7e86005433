//! The server: accepts connections, reads each request's head, and opens the way.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::net::HostPort;
use crate::proxy::route::{Hop, Target};

use super::access::{Token, is_own_host};
use super::head::{Head, MAX_HEAD_LEN, Request};
use super::plain;
use super::route::{RouteError, Router, Ways};
use super::status::Activity;
use super::stream::tune;
use super::tunnel;
use super::upstream::{HopFault, Opened, Upstream};

/// Timeout for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Timeout for the end of open connections when the relay ends.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum number of connections at a time. Each tunnel takes two descriptors.
const MAX_CONNECTIONS: usize = 1000;
/// Length of the queue of connections that are not accepted yet.
const BACKLOG: u32 = 1024;

/// What every connection needs.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) router: Arc<Router>,
    pub(crate) upstream: Upstream,
    /// The token of clients.
    pub(crate) token: Token,
    pub(crate) port: u16,
    pub(crate) activity: Activity,
}

impl Shared {
    /// Notes that a connection came through by this hop.
    pub(crate) fn came_through(&self, hop: &Hop) {
        let login = match hop {
            Hop::Direct => None,
            Hop::Through(proxy) => self.upstream.logins.scheme(proxy),
        };
        self.activity.came_through(hop, login);
    }

    /// Notes why a request got an error.
    pub(crate) fn note(&self, refusal: &Refusal) {
        match refusal {
            // Engines ask without a login first.
            Refusal::Token => tracing::debug!("{refusal}"),
            // The client asked for what it does not get.
            Refusal::Head(_) | Refusal::BrokenBody(_) | Refusal::OwnHost(_) => {
                tracing::info!("{refusal}");
            }
            // Each hop that was tried is in the log already.
            Refusal::Hop(fault) if fault.is_of_hop() => self.activity.failed(refusal.to_string()),
            Refusal::Route(_)
            | Refusal::Hop(_)
            | Refusal::Body
            | Refusal::Answer(_)
            | Refusal::Silence => {
                tracing::info!("{refusal}");
                self.activity.failed(refusal.to_string());
            }
        }
    }
}

/// The reason why a request gets an error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The request is not one for a proxy.
    #[error("the request can't be carried out: {0}")]
    Head(#[from] super::head::HeadFault),
    /// The request has no token, or another one.
    #[error(
        "this relay is for Docker on this computer; the address that Baleen shows has its token"
    )]
    Token,
    /// The target is the computer itself.
    #[error("{0} is this computer itself, which the relay does not lead to")]
    OwnHost(String),
    /// No way is known.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// No way leads to the target.
    #[error(transparent)]
    Hop(#[from] HopFault),
    /// The request's body is too long to be sent again after a login.
    #[error("the body is too long for a proxy that wants a login")]
    Body,
    /// The request's body does not come, or its length is written wrongly.
    #[error("the body of the request is broken: {0}")]
    BrokenBody(hyper::Error),
    /// The target's answer is no HTTP.
    #[error("no valid answer came: {0}")]
    Answer(hyper::Error),
    /// No answer came in time.
    #[error("no answer came")]
    Silence,
}

impl Refusal {
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Head(fault) => fault.status(),
            Self::Token => 407,
            Self::OwnHost(_) => 403,
            Self::Route(_) | Self::Answer(_) => 502,
            Self::Silence => 504,
            Self::Body => 413,
            Self::BrokenBody(_) => 400,
            Self::Hop(fault) => fault.status(),
        }
    }

    /// Returns the whole answer.
    fn answer(&self) -> String {
        let status = self.status();
        let words = match status {
            400 => "Bad Request",
            403 => "Forbidden",
            407 => "Proxy Authentication Required",
            413 => "Content Too Large",
            431 => "Request Header Fields Too Large",
            504 => "Gateway Timeout",
            _ => "Bad Gateway",
        };
        let login = match status {
            407 => "Proxy-Authenticate: Basic realm=\"Baleen\"\r\n",
            _ => "",
        };
        let body = format!("Baleen: {self}\n");
        let len = body.len();
        format!(
            "HTTP/1.1 {status} {words}\r\n{login}Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n{body}"
        )
    }
}

/// Listens at the port, on this computer's loopback address alone.
///
/// # Errors
/// When the port is taken.
pub(crate) fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // A relay that starts again need not wait for the connections of the one before.
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    socket.listen(BACKLOG)
}

/// Serves until `end` is true. Connections that are open then have [`DRAIN_TIMEOUT`].
pub(crate) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut end: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = end.wait_for(|is_over| *is_over) => break,
            Some(_) = connections.join_next() => continue,
        };
        let (stream, _) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Too many descriptors: some connections have to end first.
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        if connections.len() >= MAX_CONNECTIONS {
            // The client sees that at once, and tries again.
            drop(stream);
            continue;
        }
        let shared = shared.clone();
        connections.spawn(async move {
            shared.activity.open.fetch_add(1, Ordering::Relaxed);
            if let Err(error) = connection(stream, &shared).await {
                tracing::debug!("a connection broke: {error}");
            }
            shared.activity.open.fetch_sub(1, Ordering::Relaxed);
        });
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(DRAIN_TIMEOUT, drained).await;
}

/// Serves one connection, which carries one request.
async fn connection(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    tune(&stream);
    let mut bytes = Vec::new();
    let head = match timeout(HEAD_TIMEOUT, read_head(&mut stream, &mut bytes)).await {
        // Clients open connections that they don't need in the end.
        Err(_) | Ok(Ok(None)) => return Ok(()),
        Ok(Ok(Some(head))) => head,
        Ok(Err(error)) => return Err(error),
    };
    shared.activity.requests.fetch_add(1, Ordering::Relaxed);
    let carried = match head {
        Ok(head) => carry_out(&mut stream, &head, bytes, shared).await,
        Err(fault) => Err(fault.into()),
    };
    match carried {
        Ok(Carried::Done) => Ok(()),
        Ok(Carried::Tunnel(opened, after_head)) => {
            let mut other = opened.stream;
            stream
                .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
                .await?;
            stream.write_all(&opened.early).await?;
            other.write_all(&after_head).await?;
            other.flush().await?;
            let carried = tunnel::copy(stream, other).await?;
            let all = carried.up + carried.down;
            shared.activity.bytes.fetch_add(all, Ordering::Relaxed);
            Ok(())
        }
        Err(refusal) => {
            shared.note(&refusal);
            stream.write_all(refusal.answer().as_bytes()).await?;
            end(stream).await
        }
    }
}

enum Carried {
    /// The request was answered, or its client is gone.
    Done,
    /// The tunnel is open, and these bytes came behind the head.
    Tunnel(Opened, Vec<u8>),
}

async fn carry_out(
    stream: &mut TcpStream,
    head: &Head,
    bytes: Vec<u8>,
    shared: &Shared,
) -> Result<Carried, Refusal> {
    if !shared.token.is_in(head.authorization.as_deref()) {
        return Err(Refusal::Token);
    }
    let (is_tunnel, authority) = match &head.request {
        Request::Tunnel(authority) => (true, authority),
        Request::Plain(authority) => (false, authority),
    };
    let ways = ways(authority, is_tunnel, shared).await?;
    let is_relay = authority.port == shared.port && is_own_host(&authority.host);
    if is_own_host(&authority.host) && (is_relay || !ways.is_bypassed) {
        return Err(Refusal::OwnHost(authority.host.clone()));
    }
    if is_tunnel {
        // A proxy may take its time to answer. As in `plain::carry`, only a reset says that the client is gone.
        let opened = tokio::select! {
            opened = first_way(&ways, authority, shared) => opened?,
            _ = stream.ready(Interest::ERROR) => {
                tracing::debug!("a client gave up on its tunnel");
                return Ok(Carried::Done);
            }
        };
        return Ok(Carried::Tunnel(opened, bytes[head.len..].to_vec()));
    }
    plain::carry(stream, bytes, authority, &ways, shared).await;
    Ok(Carried::Done)
}

async fn ways(authority: &HostPort, is_tunnel: bool, shared: &Shared) -> Result<Ways, Refusal> {
    let target = Target {
        secure: is_tunnel,
        host: authority.host.clone(),
        port: authority.port,
    };
    if let Some(ways) = shared.router.known(&target) {
        return Ok(ways);
    }
    let router = shared.router.clone();
    let found = tokio::task::spawn_blocking(move || router.find(&target)).await;
    match found {
        Ok(found) => Ok(found?),
        Err(error) => Err(HopFault::Lookup {
            host: authority.host.clone(),
            why: io::Error::other(error),
        }
        .into()),
    }
}

/// Tries the ways in their order.
async fn first_way(ways: &Ways, authority: &HostPort, shared: &Shared) -> Result<Opened, HopFault> {
    let mut failed = None;
    for hop in &ways.hops {
        let opened = shared.upstream.open(hop, authority, ways.is_bypassed);
        match opened.await {
            Ok(opened) => {
                shared.came_through(hop);
                return Ok(opened);
            }
            Err(fault) if fault.is_of_hop() => {
                mark(hop, &fault, shared);
                failed = Some(fault);
            }
            Err(fault) => return Err(fault),
        }
    }
    Err(failed.unwrap_or(HopFault::OwnAddress {
        host: authority.host.clone(),
    }))
}

/// Remembers a proxy that did not lead on.
pub(crate) fn mark(hop: &Hop, fault: &HopFault, shared: &Shared) {
    tracing::info!("{fault}");
    if let Hop::Through(proxy) = hop
        && fault.is_of_proxy()
    {
        shared.router.mark_dead(proxy);
    }
}

/// Reads until the head is whole. Returns nothing if the client closes before.
async fn read_head(
    stream: &mut TcpStream,
    bytes: &mut Vec<u8>,
) -> io::Result<Option<Result<Head, super::head::HeadFault>>> {
    loop {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await?;
        if read == 0 {
            return Ok(None);
        }
        let is_first = bytes.is_empty();
        bytes.extend_from_slice(&part[..read]);
        // Only a line's end can bring the head's end, so a client that sends byte by byte costs little.
        if !is_first && !part[..read].contains(&b'\n') && bytes.len() <= MAX_HEAD_LEN {
            continue;
        }
        match Head::parse(bytes) {
            Ok(Some(head)) => return Ok(Some(Ok(head))),
            Ok(None) => {}
            Err(fault) => return Ok(Some(Err(fault))),
        }
    }
}

/// Ends a connection whose client may still be sending: closing it with unread bytes would reset it, and lose the answer.
async fn end(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    let rest = async {
        let mut part = [0; 4096];
        let mut all = 0;
        while all < (1 << 20) {
            match stream.read(&mut part).await {
                Ok(0) | Err(_) => return,
                Ok(read) => all += read,
            }
        }
    };
    let _ = timeout(Duration::from_secs(2), rest).await;
    Ok(())
}
