//! The proxy configuration of this computer, and its origin.

use super::pac::PacSource;
use super::settings::{Server, SystemSettings};
use super::url::Scheme;
use super::{ProxyOrigin, ProxyUrl};

/// The proxy configuration that a source gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyConfig {
    /// The source.
    pub origin: ProxyOrigin,
    /// The settings it gives.
    pub settings: ProxySettings,
}

/// A source's settings, in the source's own format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxySettings {
    /// The format of macOS.
    Settings(SystemSettings),
    /// The format of environment variables: URLs, and a bypass list as Go reads it.
    Urls(ProxyUrls),
}

impl ProxyConfig {
    /// Returns the configured proxies, as this computer reaches them; none if a PAC script decides.
    pub fn proxies(&self) -> Vec<ProxyUrl> {
        match &self.settings {
            ProxySettings::Urls(urls) => [&urls.http, &urls.https]
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
            ProxySettings::Settings(SystemSettings {
                pac: Some(PacSource::Url(_) | PacSource::Script(_)),
                ..
            }) => Vec::new(),
            ProxySettings::Settings(settings) => [
                (Scheme::Http, &settings.http),
                (Scheme::Http, &settings.https),
                (Scheme::Socks5, &settings.socks),
            ]
            .into_iter()
            .filter_map(|(scheme, server)| {
                let Server { host, port, user } = server.as_ref()?;
                ProxyUrl::from_parts(scheme, host, *port, user.as_deref()).ok()
            })
            .collect(),
        }
    }
}

/// Proxy URLs from environment variables, options or the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyUrls {
    /// The proxy for `http://`, and for `https://` if no other is given.
    pub http: Option<ProxyUrl>,
    /// The proxy for `https://`.
    pub https: Option<ProxyUrl>,
    /// Hosts to reach directly.
    pub no_proxy: Vec<String>,
    /// A variable that the user may expect to apply but that doesn't.
    pub ignored_variable: Option<&'static str>,
}
