//! The observed state of Docker.app and of the running Engine.

use std::path::PathBuf;
use std::time::SystemTime;

use crate::docker::{Bundle, Family};
use crate::error::Diagnostic;
use crate::patch::digest::{OriginalSha, Sha};
use crate::patch::live::LiveEdit;
use crate::patch::{Method, Unpatched};
use crate::proxy::RedactedProxy;

/// The observed state of the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BundleState {
    /// There is no Docker.app.
    Missing(Diagnostic),
    /// Docker.app is incomplete.
    Incomplete(Diagnostic),
    /// Baleen does not patch this bundle, or may not read it.
    Blocked(Diagnostic, Option<Bundle>),
    /// Docker.app has a boot image.
    Ready(Box<Installed>),
}

impl BundleState {
    /// The bundle, as far as it could be read.
    pub(crate) fn bundle(&self) -> Option<&Bundle> {
        match self {
            Self::Ready(installed) => Some(&installed.bundle),
            Self::Blocked(_, bundle) => bundle.as_ref(),
            Self::Missing(_) | Self::Incomplete(_) => None,
        }
    }

    /// The proxy that the image sets by Baleen's patch.
    pub(crate) fn proxy(&self) -> Option<&RedactedProxy> {
        match self {
            Self::Ready(installed) => installed.patch.as_ref().map(|patch| &patch.proxy),
            _ => None,
        }
    }
}

/// An installed bundle with a boot image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The bundle.
    pub bundle: Bundle,
    /// The path of the boot image.
    pub image: PathBuf,
    /// Baleen's patch in the image, if it has one.
    pub patch: Option<Patch>,
    /// The proxy that someone else set in an image without Baleen's patch, as far as it is known.
    pub unpatched: Unpatched,
    /// Time at which the image was put in place.
    pub image_since: SystemTime,
    /// Length of the image, in bytes.
    pub bytes: u64,
    /// The digest of the image without the patch, if it is known.
    pub original: Option<OriginalSha>,
}

impl Installed {
    /// Digest of the block in the image; `None` for Docker's own image.
    pub fn block(&self) -> Option<Sha> {
        self.patch.as_ref().map(|patch| patch.block)
    }

    /// The facts about the image, for programs.
    pub(crate) fn facts(&self) -> serde_json::Value {
        serde_json::json!({
            "path": self.image,
            "bytes": self.bytes,
            "original_sha256": self.original,
            "method": self.patch.as_ref().map(|patch| patch.method),
        })
    }

    /// The revision of the image.
    pub(crate) fn revision(&self) -> Revision {
        Revision {
            block: self.block(),
            since: self.image_since,
        }
    }
}

/// Baleen's patch in a boot image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Digest of the block in the script.
    pub block: Sha,
    /// The proxy, without passwords.
    pub proxy: RedactedProxy,
    /// The digest of the image without the patch.
    pub original: OriginalSha,
    /// The patch method.
    pub method: Method,
}

/// The identity of a boot image, to distinguish it from earlier and later ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Revision {
    /// Digest of the block in the image; `None` for Docker's own image.
    pub block: Option<Sha>,
    /// Time at which the image was put in place.
    pub since: SystemTime,
}

/// The running Docker, and the proxy state of its engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Running {
    /// Process ID of Docker.
    pub pid: u32,
    /// Start time of the VM, if the system reports it.
    pub since: Option<SystemTime>,
    /// The block in the image that Docker started from, if that image was observed.
    pub block: Option<Option<Sha>>,
    /// True if the VM has a console, over which it can be brought up to date.
    pub has_console: bool,
    /// The last edit of the running VM since its start.
    pub edit: Option<LiveEdit>,
}

impl Running {
    /// Returns how the running engine compares with the image of `installed`.
    pub fn engine(&self, installed: &Installed) -> EngineSync {
        let block = installed.block();
        if let Some(edit) = &self.edit {
            return match edit.gives(block) {
                true => EngineSync::UpdatedLive { at: edit.at },
                false => EngineSync::OutOfDate,
            };
        }
        let is_older = self.since.is_none_or(|since| since < installed.image_since);
        let is_other = match self.block {
            Some(seen) => seen != block,
            // For a stock image it is unknown whether the previous image was different.
            None => block.is_some() && self.since.is_some(),
        };
        match is_older && is_other {
            true => EngineSync::OutOfDate,
            false => EngineSync::UpToDate,
        }
    }

    /// Returns whether the engine can be brought up to date without a restart of Docker.
    pub(crate) fn can_apply_live(&self, installed: &Installed) -> bool {
        self.has_console && matches!(installed.bundle.family, Family::Moby { .. })
    }
}

/// The Engine in the running VM, compared with the boot image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineSync {
    /// Same proxy as the image since the VM started.
    UpToDate,
    /// Same proxy as the image since a live update of the VM.
    UpdatedLive {
        /// Time of the live update.
        at: SystemTime,
    },
    /// Not the proxy of the image.
    OutOfDate,
}

impl EngineSync {
    /// Returns the state's identifier in JSON output.
    pub fn word(self) -> &'static str {
        match self {
            Self::UpToDate => "up-to-date",
            Self::UpdatedLive { .. } => "followed",
            Self::OutOfDate => "out-of-date",
        }
    }
}

/// The way to bring a running engine up to date. Its containers stop either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartScope {
    /// Update the VM over its console to match the image, and restart only the Engine in it.
    Engine,
    /// Restart Docker, and the VM with it.
    Docker,
}
