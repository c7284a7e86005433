//! The settings of Docker's proxy, with their names in the settings file and over the socket.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::json_text::string_of;

/// One setting of Docker's proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leaf {
    /// Whose proxy Docker uses.
    Mode,
    /// The address for `http://`.
    Http,
    /// The address for `https://`.
    Https,
    /// The hosts that bypass the proxy, as one string.
    Exclude,
    /// The address of a PAC script, which counts more than the addresses.
    Pac,
    /// A PAC script itself, which counts more than its address. Its name in the file is not known.
    EmbeddedPac,
    /// Whose proxy containers use. In versions with a page of its own for it, pulls and builds depend on it, too.
    ContainersMode,
}

/// The spelling of the keys in a settings file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spelling {
    /// Up to 4.34, `settings.json`: `overrideProxyHttp`.
    Camel,
    /// From 4.35 on, `settings-store.json`: `OverrideProxyHTTP`.
    Pascal,
}

impl Leaf {
    pub(super) const ALL: [Self; 7] = [
        Self::Mode,
        Self::Http,
        Self::Https,
        Self::Exclude,
        Self::Pac,
        Self::EmbeddedPac,
        Self::ContainersMode,
    ];

    /// The settings without which an answer is not understood.
    pub(super) const NEEDED: [Self; 4] = [Self::Mode, Self::Http, Self::Https, Self::Exclude];

    /// Returns its key in a settings file of this spelling. `/app/settings/flat` has the older one.
    pub fn key(self, spelling: Spelling) -> &'static str {
        match (self, spelling) {
            (Self::Mode, Spelling::Camel) => "proxyHttpMode",
            (Self::Mode, Spelling::Pascal) => "ProxyHTTPMode",
            (Self::Http, Spelling::Camel) => "overrideProxyHttp",
            (Self::Http, Spelling::Pascal) => "OverrideProxyHTTP",
            (Self::Https, Spelling::Camel) => "overrideProxyHttps",
            (Self::Https, Spelling::Pascal) => "OverrideProxyHTTPS",
            (Self::Exclude, Spelling::Camel) => "overrideProxyExclude",
            (Self::Exclude, Spelling::Pascal) => "OverrideProxyExclude",
            (Self::Pac, Spelling::Camel) => "overrideProxyPAC",
            (Self::Pac, Spelling::Pascal) => "OverrideProxyPAC",
            (Self::EmbeddedPac, Spelling::Camel) => "overrideProxyEmbeddedPAC",
            (Self::EmbeddedPac, Spelling::Pascal) => "OverrideProxyEmbeddedPAC",
            (Self::ContainersMode, Spelling::Camel) => "containersProxyHttpMode",
            (Self::ContainersMode, Spelling::Pascal) => "ContainersProxyHTTPMode",
        }
    }

    /// Returns its group and its name in the grouped settings, below `vm`.
    pub(super) fn in_group(self) -> (&'static str, &'static str) {
        match self {
            Self::Mode => ("proxy", "mode"),
            Self::Http => ("proxy", "http"),
            Self::Https => ("proxy", "https"),
            Self::Exclude => ("proxy", "exclude"),
            Self::Pac => ("proxy", "pac"),
            Self::EmbeddedPac => ("proxy", "embeddedPac"),
            Self::ContainersMode => ("containersProxy", "mode"),
        }
    }

    /// Returns what a missing value means to Docker.
    pub(super) fn default_text(self) -> &'static str {
        match self {
            Self::Mode => SYSTEM,
            _ => "",
        }
    }
}

/// The mode in which Docker follows the Mac's settings: the default.
pub(crate) const SYSTEM: &str = "system";
/// The mode in which Docker uses the addresses of its own settings.
pub(crate) const MANUAL: &str = "manual";
/// The mode of the window's *No proxy*.
pub(crate) const DISABLED: &str = "disabled";
/// The containers' mode in which they, and pulls, use Docker's own proxy.
pub(crate) const SAME_AS_HOST: &str = "same-as-host-proxy";

/// The value of a setting, as the text of its JSON; `None` if it is missing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeafValue(pub Option<String>);

impl LeafValue {
    /// Creates the value of a string.
    pub(super) fn of(text: &str) -> Self {
        Self(Some(serde_json::Value::from(text).to_string()))
    }

    /// Returns the string, if it is one. `null` counts as the empty string, and a missing value as Docker's default.
    pub(super) fn text(&self, leaf: Leaf) -> Option<String> {
        match self.0.as_deref() {
            None => Some(leaf.default_text().to_owned()),
            Some("null") => Some(String::new()),
            Some(raw) => string_of(raw),
        }
    }
}

/// Values may hold a password.
impl fmt::Debug for LeafValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.as_deref().map(crate::proxy::redact);
        f.debug_tuple("LeafValue").field(&shown).finish()
    }
}

/// Some settings with their values.
pub type Values = BTreeMap<Leaf, LeafValue>;

/// The proxy that Docker's settings set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InForce {
    /// Whose proxy Docker uses.
    pub mode: String,
    /// The address for `http://`, possibly with a password.
    pub http: String,
    /// The address for `https://`, possibly with a password.
    pub https: String,
    /// The bypass list.
    pub exclude: String,
    /// True if a PAC script is named, which counts more than the addresses.
    pub has_pac: bool,
    /// Whose proxy containers use, where this Docker has that setting.
    pub containers_mode: Option<String>,
}

impl InForce {
    /// Reads the values.
    ///
    /// # Errors
    /// The setting that is not a string.
    pub(crate) fn of(values: &Values) -> Result<Self, Leaf> {
        let text = |leaf: Leaf| {
            let missing = LeafValue(None);
            values.get(&leaf).unwrap_or(&missing).text(leaf).ok_or(leaf)
        };
        let mode = text(Leaf::Mode)?;
        let has = |leaf| Ok(!text(leaf)?.is_empty());
        Ok(Self {
            mode: match &*mode {
                "" => SYSTEM.to_owned(),
                _ => mode,
            },
            http: text(Leaf::Http)?,
            https: text(Leaf::Https)?,
            exclude: text(Leaf::Exclude)?,
            has_pac: has(Leaf::Pac)? | has(Leaf::EmbeddedPac)?,
            containers_mode: match values.contains_key(&Leaf::ContainersMode) {
                true => Some(text(Leaf::ContainersMode)?),
                false => None,
            },
        })
    }

    /// Returns whether Docker follows the Mac's settings.
    pub(crate) fn follows_system(&self) -> bool {
        self.mode == SYSTEM
    }

    /// Returns whether pulls and builds may bypass Docker's own proxy, because of the containers' mode.
    pub(crate) fn containers_bypass(&self) -> bool {
        matches!(self.containers_mode.as_deref(), Some("" | DISABLED))
    }
}
