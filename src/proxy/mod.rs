//! Proxy settings: what a proxy URL may look like, where settings come from, and what an engine is
//! to be given. It knows nothing of images or bundles.

mod engine;
mod environment;
mod no_proxy;
mod password;
mod url;

pub mod pac;

pub use engine::{EngineProxy, Shown};
pub use environment::{Variable, from_environment};
pub use no_proxy::{InvalidNoProxy, NoProxy};
pub use password::Password;
pub use url::{InvalidUrl, ProxyUrl, redact};
