//! Parts of requests, and network errors in plain words.

use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

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

/// Returns a system error in plain words. `patience` is the timeout of the call that failed.
pub(super) fn plain(error: &io::Error, patience: Duration) -> String {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::TimedOut | Kind::WouldBlock => {
            format!("no answer within {} s", patience.as_secs_f64())
        }
        Kind::ConnectionRefused => {
            "connection refused (nothing is listening on that port)".to_owned()
        }
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => {
            "the connection was cut".to_owned()
        }
        Kind::HostUnreachable => "host unreachable".to_owned(),
        Kind::NetworkUnreachable => "network unreachable".to_owned(),
        _ => {
            let text = error.to_string();
            match text.find(" (os error") {
                Some(end) => text[..end].to_owned(),
                None => text,
            }
        }
    }
}

/// Returns the word for an error in the facts.
pub(super) fn word(error: &io::Error) -> &'static str {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::TimedOut | Kind::WouldBlock => "timeout",
        Kind::ConnectionRefused => "refused",
        Kind::HostUnreachable | Kind::NetworkUnreachable => "unreachable",
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => "reset",
        _ => "error",
    }
}
