//! The reason for a state, as data. `text::reason` has the sentences.

use crate::backend::Unpatched;
use crate::desired::Setting;
use crate::error::{Diagnostic, Fix};
use crate::proxy::ProxyOrigin;
use crate::proxy::RedactedProxy;

/// The reason for a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// There is no Docker.app.
    NoDocker(Diagnostic),
    /// Docker.app is incomplete.
    Incomplete(Diagnostic),
    /// The files of Docker.app still change.
    Moving,
    /// Docker.app has been incomplete for a while, for this reason.
    Stuck(Box<Reason>),
    /// Baleen does not patch this Docker, or may not read it.
    Blocked(Diagnostic),
    /// The config file can't be used.
    Config(Diagnostic),
    /// Someone else put a proxy into the script.
    ByHand(Unpatched),
    /// The image has no patch, and none is wanted.
    NotPatched(Unpatched),
    /// The image has a patch, but none is wanted any more.
    Unwanted(RedactedProxy),
    /// The image has the right proxy.
    InPlace(RedactedProxy),
    /// The image has the proxy that was named by hand.
    NamedInPlace {
        /// The proxy in the image.
        proxy: RedactedProxy,
        /// The resolved settings, which don't apply.
        settings: Option<Setting>,
    },
    /// The image has a proxy, and whether it is the right one is unknown.
    Unverified {
        /// The proxy in the image.
        proxy: RedactedProxy,
        /// Why the right one is unknown.
        why: Diagnostic,
    },
    /// The settings name no proxy, and the image has none.
    NoProxySet {
        /// The source of the settings.
        origin: ProxyOrigin,
    },
    /// The PAC script can't be reached, and the image has no proxy.
    ScriptUnreachable,
    /// The image has no patch, although one is wanted.
    Wiped {
        /// Docker's version.
        version: String,
        /// The proxy that the image sets without a patch.
        unpatched: Unpatched,
        /// True if the proxy was named by hand.
        is_named: bool,
        /// Why it can't be put back now.
        obstacle: Option<Obstacle>,
    },
    /// The image has another proxy than the settings.
    Different {
        /// The proxy in the image.
        in_place: RedactedProxy,
        /// The proxy of the settings.
        desired: RedactedProxy,
    },
    /// The image has a proxy, but the settings name none any more.
    NoProxySetAnyMore {
        /// The proxy in the image.
        in_place: RedactedProxy,
        /// The source of the settings.
        origin: ProxyOrigin,
    },
    /// The image has a proxy, but the PAC script can't be reached any more.
    ScriptUnreachableNow {
        /// The proxy in the image.
        in_place: RedactedProxy,
    },
    /// The engine follows this computer's settings by itself, and can.
    FollowsSystem(RedactedProxy),
    /// The engine follows this computer's settings by itself, but can't use them.
    CannotFollow(RedactedProxy),
    /// The engine had the proxy since its start, and something put its own setting back.
    PutBack,
    /// The engine is right, and what its containers get is not.
    Containers {
        /// True if they should get the proxy, too.
        desired: bool,
    },
    /// The engine is starting, or does not answer.
    NotAnswering(Diagnostic),
    /// The last attempt to change the image failed.
    Refused(Diagnostic),
    /// The image is right for this reason, and the running engine gets its proxy at Docker's next start.
    NextStart(Box<Reason>),
    /// The image has no patch, but the running engine still has the proxy of an earlier one.
    StillRuns(Unpatched),
    /// The image has no patch, and a change of the running VM was not finished.
    LiveUnfinished {
        /// The proxy that the image sets without a patch.
        unpatched: Unpatched,
        /// True if a restart of the Engine is enough.
        can_apply_live: bool,
    },
    /// A command in a terminal is bringing the running VM up to date with an image that is as this reason says.
    LiveInProgress(Box<Reason>),
}

/// The obstacle to putting a proxy back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// The network is down, so the right proxy is unknown.
    Offline,
    /// The settings can't be used.
    Settings(Diagnostic),
}

impl Reason {
    /// The failure behind the reason, if there is one.
    pub fn diagnostic(&self) -> Option<&Diagnostic> {
        match self {
            Self::NoDocker(why)
            | Self::Incomplete(why)
            | Self::Blocked(why)
            | Self::NotAnswering(why)
            | Self::Config(why)
            | Self::Refused(why)
            | Self::Unverified { why, .. }
            | Self::Wiped {
                obstacle: Some(Obstacle::Settings(why)),
                ..
            } => Some(why),
            Self::Stuck(reason) | Self::NextStart(reason) | Self::LiveInProgress(reason) => {
                reason.diagnostic()
            }
            Self::Moving
            | Self::FollowsSystem(_)
            | Self::CannotFollow(_)
            | Self::PutBack
            | Self::Containers { .. }
            | Self::ByHand(_)
            | Self::NotPatched(_)
            | Self::Unwanted(_)
            | Self::InPlace(_)
            | Self::NamedInPlace { .. }
            | Self::NoProxySet { .. }
            | Self::ScriptUnreachable
            | Self::Wiped { .. }
            | Self::Different { .. }
            | Self::NoProxySetAnyMore { .. }
            | Self::ScriptUnreachableNow { .. }
            | Self::StillRuns(_)
            | Self::LiveUnfinished { .. } => None,
        }
    }

    /// The remedy, if a user interface can carry it out.
    pub fn fix(&self) -> Option<Fix> {
        self.diagnostic().and_then(Diagnostic::fix)
    }

    /// Returns an identifier that does not change when the sentence does. Two problems with the same identifier are
    /// the same problem.
    pub(crate) fn code(&self) -> String {
        let own = match self {
            Self::NoDocker(_) => "no-docker",
            Self::Incomplete(_) => "incomplete",
            Self::Moving => "moving",
            Self::Stuck(_) => "stuck",
            Self::Blocked(_) => "blocked",
            Self::Config(_) => "config",
            Self::ByHand(_) => "by-hand",
            Self::NotPatched(_) => "not-patched",
            Self::Unwanted(_) => "unwanted",
            Self::InPlace(_) => "in-place",
            Self::NamedInPlace { .. } => "named-in-place",
            Self::Unverified { .. } => "unverified",
            Self::NoProxySet { .. } => "no-proxy-set",
            Self::ScriptUnreachable | Self::ScriptUnreachableNow { .. } => "script-unreachable",
            Self::Wiped { .. } => "wiped",
            Self::Different { .. } => "different",
            Self::NoProxySetAnyMore { .. } => "no-proxy-set-any-more",
            Self::FollowsSystem(_) => "follows-system",
            Self::CannotFollow(_) => "cannot-follow",
            Self::PutBack => "put-back",
            Self::Containers { .. } => "containers",
            Self::NotAnswering(_) => "not-answering",
            Self::Refused(_) => "refused",
            Self::NextStart(_) => "next-start",
            Self::StillRuns(_) => "still-runs",
            Self::LiveUnfinished { .. } => "live-unfinished",
            Self::LiveInProgress(_) => "live-in-progress",
        };
        match self.diagnostic() {
            Some(why) => format!("{own}/{}", why.code()),
            None => own.to_owned(),
        }
    }
}
