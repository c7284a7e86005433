//! Connections to a host, directly or through a tunnel of a proxy. Other modules interpret the results.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use zeroize::Zeroizing;

use crate::net::connect::{self, Timed};
use crate::net::http::{self, Head, HttpError};
use crate::net::tls::{self, TlsError};
use crate::net::{HostPort, lookup};
use crate::proxy::ProxyUrl;

use super::net_error::{AGENT, basic};
use super::proxy_answer::{FollowUpProbes, ProbeResults};

pub(super) type Stream = Timed<TcpStream>;

/// Maximum length of the part read of a page that explains an error. The page is optional.
const MAX_PAGE_LEN: u64 = 64 * 1024;
/// Timeout for reading that page.
const PAGE_TIMEOUT: Duration = Duration::from_secs(1);

/// Timeout for a further connection to a proxy. Its response only explains another one.
const SECOND_TIMEOUT: Duration = Duration::from_secs(2);

/// A SOCKS 5 greeting (RFC 1928) that offers no login, or user and password.
const SOCKS_GREETING: [u8; 4] = [5, 2, 0, 2];

/// Returns the host and port of a proxy.
pub(super) fn place_of(proxy: &ProxyUrl) -> HostPort {
    HostPort {
        host: proxy.host().trim_matches(['[', ']']).to_owned(),
        port: proxy.port(),
    }
}

/// Asks the proxy for a tunnel to `host`, as the engine does.
pub(super) fn ask(
    stream: &mut Stream,
    host: &HostPort,
    proxy: &ProxyUrl,
) -> Result<Head, HttpError> {
    stream
        .write_all(request(host, proxy).as_bytes())
        .map_err(HttpError::Io)
        .and_then(|()| Head::read(stream))
}

/// Returns the request as the engine makes it: Go sends the URL's credentials with the first request.
fn request(host: &HostPort, proxy: &ProxyUrl) -> Zeroizing<String> {
    let login = basic(proxy).map(|login| Zeroizing::new(["Basic ", &login].concat()));
    let agent = ("User-Agent", AGENT);
    match &login {
        Some(login) => {
            let login = ("Proxy-Authorization", login.as_str());
            http::connect_request(&host.to_string(), &[agent, login])
        }
        None => http::connect_request(&host.to_string(), &[agent]),
    }
}

/// Reads the page after `head` and returns its title. `hurry` sets the timeout.
pub(super) fn page<S: Read>(
    head: &Head,
    stream: &mut S,
    patience: Duration,
    hurry: impl Fn(&mut S, Duration),
) -> Option<String> {
    hurry(stream, PAGE_TIMEOUT.min(patience));
    let body = http::body(head, stream, MAX_PAGE_LEN).ok()?;
    http::title(&body)
}

/// Makes the further connections to the proxy at `place`, in parallel.
pub(super) fn second(
    place: SocketAddr,
    proxy: &ProxyUrl,
    worthwhile: FollowUpProbes,
    provider: Option<&Arc<CryptoProvider>>,
    patience: Duration,
) -> ProbeResults {
    let patience = SECOND_TIMEOUT.min(patience);
    let dial = || {
        let stream = TcpStream::connect_timeout(&place, patience).ok()?;
        Some(Timed::new(stream, patience))
    };
    // The proxy's own address is no third party's server, needs no look-up, and something listens there.
    let own = HostPort {
        host: place.ip().to_string(),
        port: place.port(),
    };
    let connect = || ask(&mut dial()?, &own, proxy).ok().map(|head| head.status);
    let socks = || dial().is_some_and(|stream| speaks_socks(stream).unwrap_or(false));
    let speaks_tls = || match (provider, dial()) {
        (Some(provider), Some(stream)) => speaks_tls(stream, &own.host, provider),
        _ => false,
    };
    thread::scope(|scope| {
        let connect = worthwhile.connect.then(|| scope.spawn(connect));
        let socks = worthwhile.socks.then(|| scope.spawn(socks));
        let tls = worthwhile.tls.then(|| scope.spawn(speaks_tls));
        ProbeResults {
            connect: connect.and_then(|asked| asked.join().ok().flatten()),
            socks: socks.is_some_and(|asked| asked.join().unwrap_or(false)),
            tls: tls.is_some_and(|asked| asked.join().unwrap_or(false)),
        }
    })
}

fn speaks_socks(mut stream: Stream) -> io::Result<bool> {
    stream.write_all(&SOCKS_GREETING)?;
    let mut answer = [0; 2];
    stream.read_exact(&mut answer)?;
    Ok(matches!(answer, [5, 0 | 2 | 0xff]))
}

/// Returns whether the peer speaks TLS, whether or not the handshake succeeds.
fn speaks_tls(stream: Stream, host: &str, provider: &Arc<CryptoProvider>) -> bool {
    match tls::connect(stream, host, provider) {
        Ok(_) => true,
        Err(TlsError::Tls(error)) => !matches!(error, rustls::Error::InvalidMessage(_)),
        Err(_) => false,
    }
}

/// The result of trying a whole route to a host, up to TLS.
pub(super) enum Reached {
    /// The TLS handshake succeeded.
    Yes,
    /// The name could not be resolved.
    NoName(io::Error),
    /// The connection failed.
    NoConnection(io::Error),
    /// The proxy opened no tunnel.
    NoTunnel(Result<Head, HttpError>),
    /// The TLS handshake failed.
    NoTls(TlsError),
}

/// Tries the route to `host`, through `proxy` if there is one.
pub(super) fn reach(
    host: &HostPort,
    proxy: Option<&ProxyUrl>,
    provider: Option<&Arc<CryptoProvider>>,
    patience: Duration,
) -> Reached {
    let target = proxy.map_or_else(|| host.clone(), place_of);
    let addresses = match lookup::lookup(&target.host, patience) {
        Ok(addresses) => addresses,
        Err(error) => return Reached::NoName(error),
    };
    let stream = match connect::tcp(&addresses, target.port, patience) {
        Ok((stream, _)) => stream,
        Err(failed) => {
            let first = failed.into_iter().next().map(|(_, error)| error);
            return Reached::NoConnection(first.unwrap_or_else(|| io::ErrorKind::NotFound.into()));
        }
    };
    let mut stream = Timed::new(stream, patience);
    if let Some(proxy) = proxy {
        let answer = ask(&mut stream, host, proxy);
        if !matches!(&answer, Ok(head) if head.status == 200) {
            return Reached::NoTunnel(answer);
        }
    }
    let Some(provider) = provider else {
        return Reached::Yes;
    };
    stream.wait_again(patience);
    match tls::connect(stream, &host.host, provider) {
        Ok(_) => Reached::Yes,
        Err(error) => Reached::NoTls(error),
    }
}

/// Returns whether all of `addresses` lead to this computer.
pub(super) fn are_local(addresses: &[IpAddr]) -> bool {
    !addresses.is_empty()
        && addresses
            .iter()
            .all(|&address| lookup::is_loopback(address))
}
