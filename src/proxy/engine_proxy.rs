//! What the Docker Engine is to use.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{NoProxy, ProxyUrl};

/// The proxies for one engine; at least one of them is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineProxy {
    http: Option<ProxyUrl>,
    https: Option<ProxyUrl>,
    no_proxy: NoProxy,
}

/// An [`EngineProxy`] as it may be shown and stored: without passwords.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields have their standard names")]
pub struct RedactedProxy {
    pub http: Option<String>,
    pub https: Option<String>,
    pub no_proxy: String,
}

impl EngineProxy {
    /// The proxies for `http://` and `https://`; nothing when neither is given.
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

    /// Whether any of the proxies needs a password.
    pub fn has_password(&self) -> bool {
        [&self.http, &self.https]
            .into_iter()
            .flatten()
            .any(ProxyUrl::has_password)
    }

    /// The environment variables the engine has to have, upper case, with their values: passwords included.
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

    /// What may be shown.
    pub fn shown(&self) -> RedactedProxy {
        RedactedProxy {
            http: self.http.as_ref().map(ProxyUrl::redacted),
            https: self.https.as_ref().map(ProxyUrl::redacted),
            no_proxy: self.no_proxy.to_string(),
        }
    }
}

impl RedactedProxy {
    /// In what `wanted`, which is known to be another one, differs from this, in words.
    pub fn difference(&self, wanted: &Self) -> String {
        if wanted.summary() != self.summary() {
            format!("it should be {}", wanted.summary())
        } else if wanted.no_proxy != self.no_proxy {
            format!("the bypass list should be {}", wanted.no_proxy)
        } else {
            "its password has changed".to_owned()
        }
    }

    /// The one proxy, or both with what each is for.
    pub fn summary(&self) -> String {
        match (&self.http, &self.https) {
            (Some(http), Some(https)) if http == https => http.clone(),
            (Some(http), Some(https)) => format!("{http} for http and {https} for https"),
            (None, Some(https)) => format!("{https} for https"),
            (Some(http), None) => format!("{http} for http"),
            (None, None) => "none".to_owned(),
        }
    }
}
