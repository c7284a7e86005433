//! What Baleen itself asks of the network: addresses of names, connections, the heads of HTTP answers, and TLS.
//! It knows nothing of proxies' settings, images or bundles.

pub mod connect;
mod host_port;
pub mod http;
pub mod lookup;
pub mod tls;

pub use host_port::{HostPort, InvalidHostPort};
