//! Kerberos tickets by the system's GSS-API: <https://www.rfc-editor.org/rfc/rfc2744>.
//!
//! Every type and call here is that document's, which the libraries of MIT and of Heimdal both follow. Only the first token
//! of a context is made: what a proxy answers to it is not needed.

mod calls;
mod error;
#[cfg(not(target_os = "macos"))]
mod gss_linux;
#[cfg(target_os = "macos")]
mod gss_macos;

pub use calls::token;
pub use error::GssError;

/// Returns the name of a proxy's service, as RFC 4559, section 4, and RFC 2743, section 4.1, have it. The library adds the realm.
pub fn service(host: &str) -> String {
    format!("HTTP@{host}")
}
