//! Connections to proxies and targets, and TLS to a proxy.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustix::net::sockopt;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::net::tls;

/// Maximum age of the list of trusted authorities. No change of it is reported.
const MAX_AGE: Duration = Duration::from_secs(60);

/// Silence after which a peer is probed, the time between two probes, and the number of probes without an answer after
/// which it is gone. Two minutes are enough to notice that a laptop has changed its network, and NAT tables forget a silent
/// connection after four or more.
const KEEP_ALIVE: (Duration, Duration, u32) = (Duration::from_secs(60), Duration::from_secs(10), 6);

/// Sets the options of a connection, to a client or to a proxy or target. What can't be set does no harm.
pub(crate) fn tune(stream: &TcpStream) {
    // A tunnel carries short messages of a handshake.
    let _ = stream.set_nodelay(true);
    // A tunnel has no timeout, so a peer that vanished would hold its descriptors forever.
    let (idle, interval, count) = KEEP_ALIVE;
    let _ = sockopt::set_tcp_keepidle(stream, idle);
    let _ = sockopt::set_tcp_keepintvl(stream, interval);
    let _ = sockopt::set_tcp_keepcnt(stream, count);
    let _ = sockopt::set_socket_keepalive(stream, true);
}

/// A connection to a proxy or a target.
#[derive(Debug)]
pub(crate) enum Stream {
    /// In clear.
    Plain(TcpStream),
    /// With TLS to the proxy.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    fn inner(self: Pin<&mut Self>) -> Pin<&mut (dyn Duplex + '_)> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream),
            Self::Tls(stream) => Pin::new(&mut **stream),
        }
    }
}

/// Both directions.
trait Duplex: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.inner().poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_shutdown(context)
    }
}

/// Starts TLS with proxies whose certificates this computer trusts.
#[derive(Debug, Default)]
pub(crate) struct Tls {
    /// Locked while the authorities are read, by one connection for all.
    config: Mutex<Option<(Instant, Arc<ClientConfig>)>>,
}

impl Tls {
    /// Starts TLS with the proxy `host`.
    ///
    /// # Errors
    /// When the connection breaks, or its certificate isn't trusted; the latter is a [`rustls::Error`] inside.
    pub(crate) async fn start(&self, stream: TcpStream, host: &str) -> io::Result<Stream> {
        let name = host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(name)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let connector = TlsConnector::from(self.config().await?);
        let stream = connector.connect(name, stream).await?;
        Ok(Stream::Tls(Box::new(stream)))
    }

    async fn config(&self) -> io::Result<Arc<ClientConfig>> {
        let mut kept = self.config.lock().await;
        if let Some((taken, config)) = &*kept
            && taken.elapsed() < MAX_AGE
        {
            return Ok(config.clone());
        }
        // It reads files, or asks the Keychain.
        let made = tokio::task::spawn_blocking(tls::trusting_config).await;
        let config = Arc::new(made.map_err(io::Error::other)??);
        *kept = Some((Instant::now(), config.clone()));
        Ok(config)
    }
}
