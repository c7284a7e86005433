//! The facts about an engine that do not change while it is installed.

use std::path::PathBuf;

use serde::Serialize;

use crate::error::{Diagnostic, Error};
use crate::proxy::ClientDialect;

use super::docker_desktop::ProxyPane;
use super::docker_desktop::settings::LockedBy;

/// The identifier of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct BackendId(pub &'static str);

/// An engine on this computer, at the moment it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// The backend that keeps its proxy.
    pub backend: BackendId,
    /// Its path, with links resolved.
    pub path: PathBuf,
    /// Its path as it was named or found. The user's intent belongs to it.
    pub named: PathBuf,
    /// Its version, as in `17.06.0-ce-mac18`.
    pub version: String,
    /// Its build number.
    pub build: String,
    /// The variant of its kind, as a word for programs.
    pub family: &'static str,
    /// What it can do.
    pub capabilities: Capabilities,
    /// The pane of its own window that sets its proxy, if Baleen leaves the proxy to that.
    pub proxy_pane: Option<ProxyPane>,
    /// The address of that pane, while the engine's app runs.
    pub settings_url: Option<&'static str>,
    /// Who has locked its proxy, if it is locked.
    pub locked_by: Option<LockedBy>,
    /// The reason why Baleen does not change it, if so.
    pub refusal: Option<Diagnostic>,
}

/// What an engine can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// How its client reads proxies and no-proxy lists, and how it reaches this computer.
    pub client: ClientDialect,
    /// True if the running engine can get another proxy without a restart of the app around it.
    pub live: bool,
}

impl Engine {
    /// Fails for an engine that Baleen does not change.
    ///
    /// # Errors
    /// The refusal.
    pub fn check_supported(&self) -> Result<(), Error> {
        match &self.refusal {
            Some(refusal) => Err(refusal.clone().into_error()),
            None => Ok(()),
        }
    }
}
