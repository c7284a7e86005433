//! The proxy settings of the Docker Engine.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{NoProxy, ProxyRef, ProxyUrl};

/// The proxies for one engine; at least one of them is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineProxy {
    http: Option<ProxyUrl>,
    https: Option<ProxyUrl>,
    no_proxy: NoProxy,
}

/// An [`EngineProxy`] without passwords, for display and storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields have their standard names")]
pub struct RedactedProxy {
    pub http: Option<ProxyRef>,
    pub https: Option<ProxyRef>,
    pub no_proxy: String,
}

/// The difference between the settings in place and the wanted ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// Another proxy; holds the wanted settings.
    Proxy(RedactedProxy),
    /// Another bypass list; holds the wanted one.
    Bypass(String),
    /// Nothing that is shown, so the password.
    Password,
}

impl EngineProxy {
    /// Creates the settings from the proxies for `http://` and `https://`; nothing if neither is given.
    pub fn new(http: Option<ProxyUrl>, https: Option<ProxyUrl>, no_proxy: NoProxy) -> Option<Self> {
        (http.is_some() || https.is_some()).then_some(Self {
            http,
            https,
            no_proxy,
        })
    }

    /// The proxy for `http://`.
    pub fn http(&self) -> Option<&ProxyUrl> {
        self.http.as_ref()
    }

    /// The proxy for `https://`.
    pub fn https(&self) -> Option<&ProxyUrl> {
        self.https.as_ref()
    }

    /// The no-proxy list.
    pub fn no_proxy(&self) -> &NoProxy {
        &self.no_proxy
    }

    /// Returns whether any of the proxies has a password.
    pub(crate) fn has_password(&self) -> bool {
        [&self.http, &self.https]
            .into_iter()
            .flatten()
            .any(ProxyUrl::has_password)
    }

    /// Returns the engine's environment variables, in upper case, with their values, including passwords.
    pub fn variables(&self) -> Vec<(&'static str, Zeroizing<String>)> {
        let mut variables = Vec::with_capacity(3);
        if let Some(http) = &self.http {
            variables.push(("HTTP_PROXY", http.for_engine()));
        }
        if let Some(https) = &self.https {
            variables.push(("HTTPS_PROXY", https.for_engine()));
        }
        variables.push(("NO_PROXY", Zeroizing::new(self.no_proxy.to_string())));
        variables
    }

    /// Returns the settings without passwords.
    pub fn shown(&self) -> RedactedProxy {
        RedactedProxy {
            http: self.http.as_ref().map(ProxyUrl::reference),
            https: self.https.as_ref().map(ProxyUrl::reference),
            no_proxy: self.no_proxy.to_string(),
        }
    }
}

impl RedactedProxy {
    /// Returns how `wanted` differs from these settings. The caller knows that it does.
    pub fn difference(&self, wanted: &Self) -> Difference {
        if (&wanted.http, &wanted.https) != (&self.http, &self.https) {
            Difference::Proxy(wanted.clone())
        } else if wanted.no_proxy != self.no_proxy {
            Difference::Bypass(wanted.no_proxy.clone())
        } else {
            Difference::Password
        }
    }

    /// Returns whether it is Baleen's relay, under whichever name the engine reaches this computer.
    pub fn is_relay(&self) -> bool {
        self.http == self.https && self.https.as_ref().is_some_and(ProxyRef::is_relay)
    }

    /// Returns the common proxy, or both proxies with their schemes.
    pub fn summary(&self) -> String {
        if let Some(relay) = self.https.as_ref().filter(|_| self.is_relay()) {
            return format!("Baleen's relay ({})", relay.authority());
        }
        summary(self.http.as_ref(), self.https.as_ref())
    }

    /// Returns whether any of the proxies had a password.
    pub fn had_password(&self) -> bool {
        let mut proxies = [&self.http, &self.https].into_iter().flatten();
        proxies.any(ProxyRef::has_password)
    }
}

/// Returns the common proxy, or both proxies with their schemes.
pub(crate) fn summary<T: fmt::Display + PartialEq>(http: Option<T>, https: Option<T>) -> String {
    match (http, https) {
        (Some(http), Some(https)) if http == https => http.to_string(),
        (Some(http), Some(https)) => format!("{http} for http and {https} for https"),
        (None, Some(https)) => format!("{https} for https"),
        (Some(http), None) => format!("{http} for http"),
        (None, None) => "none".to_owned(),
    }
}
