//! Baleen's own network access: look-ups of names, connections, the heads of HTTP responses, and TLS.
//! This module has no knowledge of proxy settings, images or bundles.

pub mod connect;
mod host_port;
pub mod http;
pub mod lookup;
pub mod tls;

pub use host_port::HostPort;
pub(crate) use host_port::{port_number, split as split_authority};
