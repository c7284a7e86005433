//! The identity of a proxy, which holds no password.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::url::{InvalidUrl, ProxyUrl, Scheme, encode};

/// The user as whom Docker comes to Baleen's relay. The password is the relay's token. A company's proxy may well have a user
/// `baleen`.
pub(crate) const RELAY_USER: &str = "baleen-relay";

/// A proxy without its password. Its text, also in files, is `http://me:***@proxy.corp:8080` if it had one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProxyRef(Arc<Parts>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Parts {
    scheme: Scheme,
    /// The user, decoded.
    user: Option<Vec<u8>>,
    host: String,
    port: u16,
    has_password: bool,
}

impl ProxyRef {
    pub(super) fn of(url: &ProxyUrl) -> Self {
        Self(Arc::new(Parts {
            scheme: url.scheme(),
            user: url.user_bytes().map(<[u8]>::to_vec),
            host: url.host().to_owned(),
            port: url.port(),
            has_password: url.has_password(),
        }))
    }

    /// Returns the proxy for a connection. It has no password: the store may have it.
    pub(crate) fn url(&self) -> ProxyUrl {
        let Parts {
            scheme,
            user,
            host,
            port,
            ..
        } = &*self.0;
        ProxyUrl::of_parts(*scheme, user.clone(), host.clone(), *port)
    }

    /// The protocol that the proxy speaks.
    pub fn scheme(&self) -> Scheme {
        self.0.scheme
    }

    /// Returns whether it is the address of Baleen's relay, with its token.
    pub(crate) fn is_relay(&self) -> bool {
        self.has_password() && self.0.user.as_deref() == Some(RELAY_USER.as_bytes())
    }

    /// Returns its host and port.
    pub(crate) fn authority(&self) -> String {
        self.url().authority()
    }

    /// Returns its URL without user and password.
    pub fn without_login(&self) -> String {
        ProxyUrl::of_parts(self.0.scheme, None, self.0.host.clone(), self.0.port).redacted()
    }

    /// Returns whether the proxy has a user.
    pub fn has_user(&self) -> bool {
        self.0.user.is_some()
    }

    /// Returns whether the proxy had a password.
    pub fn has_password(&self) -> bool {
        self.0.has_password
    }

    /// Returns the proxy as one that never had a password.
    #[must_use]
    pub(crate) fn without_password(&self) -> Self {
        Self(Arc::new(Parts {
            has_password: false,
            ..(*self.0).clone()
        }))
    }
}

impl fmt::Display for ProxyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = &*self.0;
        f.write_str(parts.scheme.prefix())?;
        if let Some(user) = &parts.user {
            let mut encoded = String::new();
            encode(user, &mut encoded);
            let password = if parts.has_password { ":***" } else { "" };
            write!(f, "{encoded}{password}@")?;
        }
        write!(f, "{}:{}", parts.host, parts.port)
    }
}

impl FromStr for ProxyRef {
    type Err = InvalidUrl;

    /// Reads the text of a proxy. A password in it is dropped.
    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        // A URL that a user writes may not name a SOCKS proxy, but the settings may.
        let Some(rest) = text.strip_prefix(Scheme::Socks5.prefix()) else {
            return Ok(Self::of(&ProxyUrl::parse(text)?));
        };
        let url = ProxyUrl::parse(&format!("{}{rest}", Scheme::Http.prefix()))?;
        let Self(mut parts) = Self::of(&url);
        Arc::make_mut(&mut parts).scheme = Scheme::Socks5;
        Ok(Self(parts))
    }
}

impl Serialize for ProxyRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ProxyRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::RedactedProxy;

    #[test]
    fn the_text_in_files_is_read_and_written_as_ever() {
        for (text, has_user, has_password) in [
            ("http://proxy.corp:8080", false, false),
            ("http://me@proxy.corp:8080", true, false),
            ("http://me:***@proxy.corp:8080", true, true),
            ("http://CORP%5Cm%40e:***@[fd00::1]:3128", true, true),
            ("http://100%25:***@p:1", true, true),
            ("http://%FF:***@p:1", true, true),
            ("socks5://me:***@127.0.0.1:1080", true, true),
        ] {
            let json = format!("\"{text}\"");
            let proxy: ProxyRef = serde_json::from_str(&json).unwrap();
            assert_eq!(serde_json::to_string(&proxy).unwrap(), json);
            assert_eq!(
                (proxy.has_user(), proxy.has_password()),
                (has_user, has_password),
                "{text}"
            );
            assert!(!proxy.url().has_password(), "{text}");
            assert_eq!(ProxyRef::of(&proxy.url()), proxy.without_password());
        }
        for text in ["", "none", "https://p:1/x", "http://p:0", "http://p:1\n"] {
            let read = text.parse::<ProxyRef>();
            assert_eq!(read.is_ok(), text == "none", "{text:?}: {read:?}");
        }
    }

    #[test]
    fn a_password_does_not_get_in() {
        let proxy: ProxyRef = "http://me:s3cret@p:1".parse().unwrap();
        assert_eq!(proxy.to_string(), "http://me:***@p:1");
        assert!(!format!("{proxy:?}").contains("s3cret"), "{proxy:?}");
    }

    /// A company's proxy may have a user who is called like this program.
    #[test]
    fn a_user_called_baleen_is_not_the_relay() {
        let url = ProxyUrl::parse("http://baleen:pw@proxy.corp:8080").unwrap();
        let shown = RedactedProxy {
            http: Some(ProxyRef::of(&url)),
            https: Some(ProxyRef::of(&url)),
            no_proxy: String::new(),
        };
        assert!(!shown.is_relay());
        assert_eq!(shown.summary(), "http://baleen:***@proxy.corp:8080");
    }
}
