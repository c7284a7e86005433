//! Proxy settings: the form of proxy URLs, the sources of settings, and the translation for an engine.
//! This module knows nothing about boot images or bundles.
//!
//! ```
//! use baleen::proxy::{EngineProxy, NoProxy, ProxyUrl};
//!
//! let url = ProxyUrl::parse("http://me:secret@proxy.corp.example:8080")?;
//! assert_eq!(url.redacted(), "http://me:***@proxy.corp.example:8080");
//!
//! let bypass = NoProxy::new([".corp.example".to_owned()]);
//! let proxy = EngineProxy::new(Some(url.clone()), Some(url), bypass).unwrap();
//! assert_eq!(proxy.shown().no_proxy, "localhost,127.0.0.1,.corp.example");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod bypass;
mod client_dialect;
mod container_list;
mod docker_fields;
pub mod docker_hub;
mod docker_version;
mod engine_proxy;
mod environment;
mod error;
mod exports;
pub mod go;
mod idn;
pub(crate) mod no_host;
pub mod no_proxy;
mod origin;
pub mod pac;
mod password;
mod proxy_config;
mod proxy_ref;
pub mod route;
pub mod settings;
pub mod source;
pub mod translate;
mod url;

pub use client_dialect::ClientDialect;
pub(crate) use container_list::ContainerList;
pub use container_list::Unsafe;
pub(crate) use docker_fields::{DockerFields, Field, FieldRemark};
pub(crate) use docker_version::DockerVersion;
pub(crate) use engine_proxy::summary;
pub use engine_proxy::{Difference, EngineProxy, RedactedProxy};
pub use environment::is_in_environment;
pub(crate) use environment::{NamedValue, from_environment};
pub use error::ProxyError;
pub(crate) use error::{joined, listed};
pub use exports::exports;
pub use no_proxy::NoProxy;
pub use origin::ProxyOrigin;
pub use password::Password;
pub use proxy_config::{ProxyConfig, ProxySettings, ProxyUrls};
pub use proxy_ref::ProxyRef;
pub(crate) use proxy_ref::RELAY_USER;
pub use translate::from_pac::notes;
pub use translate::{Overrides, Resolvers, Translation, translate};
pub use url::ProxyUrl;
pub(crate) use url::{InvalidUrl, Scheme, redact};
