//! Baleen's own connections, which go the way that the settings say, without a relay in between.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::net::HostPort;
use crate::proxy::route::{Hop, Target};

use super::logins::{FindCredentials, Logins};
use super::route::{ReadSettings, RouteError, Router};
use super::stream::Tls;
use super::upstream::{HopFault, Upstream};

/// Connects to targets as the relay would.
pub struct Dialer {
    router: Arc<Router>,
    upstream: Upstream,
}

/// The reason why a target was not reached.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct DialError(#[from] Fault);

#[derive(Debug, thiserror::Error)]
enum Fault {
    /// No way is known.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// No way leads to the target.
    #[error(transparent)]
    Hop(#[from] HopFault),
    /// The settings could not be asked.
    #[error("the proxy settings can't be read: {0}")]
    Thread(#[source] tokio::task::JoinError),
    /// Bytes came that the target can't have sent.
    #[error("{0} sent something before it was asked")]
    Early(HostPort),
}

impl Dialer {
    /// Creates a dialer. The arguments are those of the relay's [`Options`](super::Options).
    pub fn new(read: Box<ReadSettings>, config: PathBuf, find: Arc<FindCredentials>) -> Self {
        // The settings are read before anything is sent.
        let allow_basic = Arc::<AtomicBool>::default();
        Self {
            router: Arc::new(Router::new(read, config, allow_basic.clone())),
            upstream: Upstream {
                logins: Logins::new(find, allow_basic),
                tls: Tls::default(),
                relay_port: None,
            },
        }
    }

    /// Connects to a target that waits for the first byte, as a TLS server does. Tries the ways in their order.
    ///
    /// # Errors
    /// When no way leads there.
    pub(crate) async fn connect(
        &self,
        target: &Target,
    ) -> Result<impl AsyncRead + AsyncWrite + Unpin + use<>, DialError> {
        let (router, asked) = (self.router.clone(), target.clone());
        // It may load a PAC script and run it.
        let found = tokio::task::spawn_blocking(move || router.find(&asked)).await;
        let ways = found.map_err(Fault::Thread)?.map_err(Fault::Route)?;
        let place = HostPort {
            host: target.host.clone(),
            port: target.port,
        };
        let mut failed = None;
        for hop in &ways.hops {
            // Unlike the relay's clients, this program may reach this computer.
            match self.upstream.open(hop, &place, true).await {
                Ok(opened) if opened.early.is_empty() => return Ok(opened.stream),
                Ok(_) => return Err(Fault::Early(place).into()),
                Err(fault) if fault.is_of_hop() => {
                    tracing::info!("{fault}");
                    if let Hop::Through(proxy) = hop
                        && fault.is_of_proxy()
                    {
                        self.router.mark_dead(proxy);
                    }
                    failed = Some(fault);
                }
                Err(fault) => return Err(Fault::Hop(fault).into()),
            }
        }
        let none = || HopFault::Connect {
            place: place.to_string(),
            why: io::ErrorKind::NetworkUnreachable.into(),
        };
        Err(Fault::Hop(failed.unwrap_or_else(none)).into())
    }
}
