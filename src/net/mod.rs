//! What Baleen itself asks of the network: addresses of names, and TLS. It knows nothing of
//! proxies' settings, images or bundles.

pub mod lookup;
pub mod tls;
