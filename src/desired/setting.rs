//! The resolved proxy settings, in a form that may be kept, compared and shown.

use std::time::SystemTime;

use crate::digest::Sha;
use crate::error::{Diagnostic, Kind};
use crate::platform::network;
use crate::proxy::{EngineProxy, ProxyOrigin, RedactedProxy, Translation};

/// The proxy settings, resolved for the installed engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// The settings are not resolved yet.
    Unknown,
    /// The network is down, so the settings say nothing.
    Offline,
    /// The settings can't be read now, which may pass, or can't be expressed for this engine, which won't.
    Failed {
        /// The reason.
        diagnostic: Diagnostic,
        /// True if the failure may pass by itself.
        is_transient: bool,
    },
    /// No proxy.
    Direct {
        /// The source that says so.
        origin: ProxyOrigin,
    },
    /// A proxy.
    Proxy {
        /// The [revision](EngineProxy::revision) of the proxy.
        revision: Sha,
        /// The proxy, without passwords.
        shown: RedactedProxy,
        /// The source that says so.
        origin: ProxyOrigin,
        /// The kept answers of an unreachable PAC script, if the proxy comes from them.
        script: Option<KeptAnswers>,
        /// True for a plain proxy of the system's settings, which Docker Desktop can follow by itself.
        is_plain_system: bool,
    },
    /// The PAC script can't be reached, so no proxy is used.
    ScriptUnreachable,
}

/// Kept answers of a PAC script that can't be reached now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptAnswers {
    /// Time of the oldest answer, if known.
    pub since: Option<SystemTime>,
    /// Time at which the answers expire. `None` if they count until the script can be reached again.
    pub until: Option<SystemTime>,
}

impl Setting {
    /// Returns the setting with this proxy.
    pub(crate) fn of_proxy(proxy: &EngineProxy, origin: &ProxyOrigin) -> Self {
        Self::proxy(proxy, origin, None, false)
    }

    fn proxy(
        proxy: &EngineProxy,
        origin: &ProxyOrigin,
        script: Option<KeptAnswers>,
        is_plain_system: bool,
    ) -> Self {
        Self::Proxy {
            revision: proxy.revision(),
            shown: proxy.shown(),
            origin: origin.clone(),
            script,
            is_plain_system,
        }
    }

    /// The revision of its proxy, if it has one.
    pub(crate) fn revision(&self) -> Option<Sha> {
        match self {
            Self::Proxy { revision, .. } => Some(*revision),
            _ => None,
        }
    }

    /// Returns whether Docker Desktop can follow it by itself.
    pub(crate) fn is_plain_system(&self) -> bool {
        matches!(
            self,
            Self::Proxy {
                is_plain_system: true,
                ..
            }
        )
    }

    /// Returns the setting for a translation and its origin.
    pub fn of(resolved: &Result<(ProxyOrigin, Translation), Diagnostic>) -> Self {
        match resolved {
            // The settings can come with the network, and are then missing without it.
            Ok((_, Translation { proxy: None, .. })) | Err(_) if !network::is_up() => Self::Offline,
            Ok((origin, translation)) => match &translation.proxy {
                Some(proxy) => Self::proxy(
                    proxy,
                    origin,
                    translation
                        .pac_unreachable
                        .as_ref()
                        .map(|pac_unreachable| KeptAnswers {
                            since: pac_unreachable.kept_since,
                            until: pac_unreachable.until,
                        }),
                    translation.is_plain_system,
                ),
                None if translation.pac_unreachable.is_some() => Self::ScriptUnreachable,
                None => Self::Direct {
                    origin: origin.clone(),
                },
            },
            Err(diagnostic) => Self::Failed {
                is_transient: diagnostic.kind() == Kind::Failure,
                diagnostic: diagnostic.clone(),
            },
        }
    }
}
