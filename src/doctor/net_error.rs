//! Parts of requests, and network errors.

use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::error;
use crate::net::lookup::LookupError;
use crate::proxy::ProxyUrl;

/// The `User-Agent` of requests.
pub(super) const AGENT: &str = concat!("baleen/", env!("CARGO_PKG_VERSION"));

/// Returns the credentials of `proxy` in the form of Basic authentication (RFC 7617), if it has any.
///
/// Like Go, it also returns them for a user without a password.
pub(super) fn basic(proxy: &ProxyUrl) -> Option<Zeroizing<String>> {
    let user = proxy.user()?;
    let password = proxy.password().map_or(&b""[..], |p| p.expose());
    let mut plain = Zeroizing::new(Vec::with_capacity(user.len() + 1 + password.len()));
    plain.extend_from_slice(user.as_bytes());
    plain.push(b':');
    plain.extend_from_slice(password);
    Some(Zeroizing::new(STANDARD.encode(&*plain)))
}

/// A failed call on the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NetError {
    /// There was no answer within this time.
    Timeout(Duration),
    /// Nothing listens on the port.
    Refused,
    /// The peer or something on the way ended the connection.
    Cut,
    HostUnreachable,
    NetworkUnreachable,
    /// The host's address could not be looked up.
    Lookup(LookupError),
    /// Another error, in the system's words.
    Other(String),
}

impl NetError {
    /// `patience` is the timeout of the call that failed.
    pub(super) fn of(error: &io::Error, patience: Duration) -> Self {
        use io::ErrorKind as Kind;
        let lookup = || error.get_ref()?.downcast_ref::<LookupError>();
        match error.kind() {
            Kind::TimedOut | Kind::WouldBlock => Self::Timeout(patience),
            Kind::ConnectionRefused => Self::Refused,
            Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => Self::Cut,
            Kind::HostUnreachable => Self::HostUnreachable,
            Kind::NetworkUnreachable => Self::NetworkUnreachable,
            _ => match lookup() {
                Some(error) => Self::Lookup(error.clone()),
                None => Self::Other(error::plain(error)),
            },
        }
    }

    /// Returns the word for the error in the facts.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Timeout(_) => "timeout",
            Self::Refused => "refused",
            Self::HostUnreachable | Self::NetworkUnreachable => "unreachable",
            Self::Cut => "reset",
            Self::Lookup(_) | Self::Other(_) => "error",
        }
    }
}
