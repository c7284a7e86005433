//! What is said to others, and how system errors are said to people.

use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::proxy::ProxyUrl;

/// What requests say of who asks.
pub(super) const AGENT: &str = concat!("baleen/", env!("CARGO_PKG_VERSION"));

/// The credentials of `proxy` as Basic authentication sends them (RFC 7617), if it has any.
///
/// Go sends them with a user alone as well, so this does.
pub(super) fn basic(proxy: &ProxyUrl) -> Option<Zeroizing<String>> {
    let user = proxy.user()?;
    let password = proxy.password().map_or(&b""[..], |p| p.expose());
    let mut plain = Zeroizing::new(Vec::with_capacity(user.len() + 1 + password.len()));
    plain.extend_from_slice(user.as_bytes());
    plain.push(b':');
    plain.extend_from_slice(password);
    Some(Zeroizing::new(STANDARD.encode(&*plain)))
}

/// A system's error in plain words, for who asked `host` and waited for `patience`.
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

/// The word for an error in the facts.
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
