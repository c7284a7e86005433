//! Notices for the user, as data. No notice is sent twice.
//!
//! A notice is the difference between the last report to the user and the current state at rest. So it
//! does not matter who made the change, or whether Baleen was running at the time.

use serde::Serialize;

use crate::backend::ProxyPane;
use crate::backend::Unpatched;
use crate::proxy::ProxyOrigin;
use crate::proxy::RedactedProxy;
use crate::reconcile::State;

use super::agent_state::{Reported, ReportedPatch};
use crate::backend::RestartScope;
use crate::desired::Setting;
use crate::error::Diagnostic;
use crate::reconcile::Reason;

/// A notice for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The question whether Docker should use this computer's proxy.
    AskUseProxy {
        /// The proxy, as Docker would use it.
        proxy: RedactedProxy,
    },
    /// The question whether Baleen should start at login.
    AskStartAtLogin,
    /// The question whether Baleen may change Docker, which the user answers in System Settings.
    AskAllowChanges,
    /// At the first run, this computer has no proxy that Docker could use.
    NothingToUse {
        /// The resolved settings.
        setting: Setting,
    },
    /// The proxy can't be switched on for the installed Docker.
    CannotUse {
        /// The proxy that this computer uses now.
        proxy: Option<RedactedProxy>,
        /// The reason.
        support: DockerSupport,
    },
    /// Docker was updated, and the proxy is in its boot image again.
    Updated {
        /// The old version of Docker.
        from: String,
        /// The new version of Docker.
        to: String,
        /// True if Docker's image is not the same as before.
        is_other_image: bool,
        /// The proxy.
        proxy: RedactedProxy,
        /// The running Docker's need for a restart.
        docker: RestartNeed,
    },
    /// Docker's own settings were reset, and the proxy is in them again.
    Repaired {
        /// The proxy.
        proxy: RedactedProxy,
    },
    /// The proxy in the boot image was replaced, added or removed.
    Changed {
        /// The previous proxy.
        from: Option<RedactedProxy>,
        /// The new proxy.
        to: Option<RedactedProxy>,
        /// The reason for a removal that the user did not ask for.
        no_proxy_by: Option<WhyNone>,
        /// The resolved settings, if a proxy named by hand takes precedence over them.
        settings: Option<Setting>,
        /// The proxy that someone else set in an image without Baleen's patch.
        by_hand: Unpatched,
        /// The running Docker's need for a restart.
        docker: RestartNeed,
    },
    /// The settings changed, but Docker keeps a proxy named by hand.
    SettingsChanged {
        /// The proxy named by hand.
        in_place: RedactedProxy,
        /// The resolved settings.
        settings: Setting,
    },
    /// A problem that Baleen can't fix by itself.
    Trouble {
        /// The state.
        state: State,
        /// The problem.
        reason: Reason,
    },
    /// The relay, whose address Docker has, does not run.
    RelayFailed {
        /// The reason.
        reason: String,
    },
    /// A restart of Docker failed.
    NotRestarted(Diagnostic),
    /// A live update of the running VM over its console failed.
    NotAppliedLive {
        /// The reason and the remedy.
        diagnostic: Diagnostic,
        /// True if Docker is being restarted instead.
        is_restarted: bool,
    },
    /// A choice of the user could not be saved.
    Refused(Diagnostic),
}

/// Baleen's support for the installed Docker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DockerSupport {
    /// Baleen writes the proxy into the boot image.
    Patched,
    /// Baleen only shows the values to enter in Docker's own settings.
    OwnSettings {
        /// Docker's version.
        version: String,
        /// Where they are.
        pane: ProxyPane,
    },
    /// There is no Docker.app.
    Missing,
    /// An administrator decides Docker's proxy.
    Locked(Diagnostic),
    /// Baleen can do nothing, for another reason.
    Unusable(Diagnostic),
}

impl DockerSupport {
    /// Returns the identifier in JSON output.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Patched => "patched",
            Self::OwnSettings { .. } => "own-settings",
            Self::Missing => "missing",
            Self::Locked(_) => "locked",
            Self::Unusable(_) => "unusable",
        }
    }
}

/// The running Docker's need for a restart after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartNeed {
    /// Nothing: Docker already uses the current boot image's proxy, or does not run.
    NotNeeded,
    /// A restart, for which the user is asked.
    Asks {
        /// True if a restart of the Engine is enough.
        can_apply_live: bool,
    },
    /// A restart of Docker or its Engine, which is in progress.
    Restarts(RestartScope),
    /// A restart, which is left to the user.
    Waits,
}

impl RestartNeed {
    /// Returns the identifier in JSON output.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::NotNeeded => "is-right",
            Self::Asks { .. } => "asks",
            Self::Restarts(RestartScope::Docker) => "restarts",
            Self::Restarts(RestartScope::Engine) => "engine-restarts",
            Self::Waits => "waits",
        }
    }
}

/// An action that a notice offers at one click.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeAction {
    /// Bring the running VM up to date, which restarts its Engine.
    RestartEngine,
    /// Restart Docker.
    RestartNow,
    /// Do nothing now.
    Later,
    /// Answer a question with no.
    NotNow,
    /// Switch the proxy on.
    UseProxy,
    /// Start Baleen at login.
    StartAtLogin,
    /// Adopt what someone else wrote.
    Adopt,
    /// Use the proxy of the settings, not the one named by hand.
    FollowSettings,
    /// Open the App Management pane of System Settings.
    OpenPrivacySettings,
    /// Open the config file.
    OpenSettingsFile,
    /// Try again.
    TryAgain,
    /// Copy the values for Docker's own proxy settings.
    CopyProxySettings,
    /// Open Docker's own proxy settings.
    OpenDockerSettings,
}

impl NoticeAction {
    /// All actions.
    pub const ALL: [Self; 13] = [
        Self::RestartEngine,
        Self::RestartNow,
        Self::Later,
        Self::NotNow,
        Self::UseProxy,
        Self::StartAtLogin,
        Self::Adopt,
        Self::FollowSettings,
        Self::OpenPrivacySettings,
        Self::OpenSettingsFile,
        Self::TryAgain,
        Self::CopyProxySettings,
        Self::OpenDockerSettings,
    ];

    /// Returns the identifier in JSON output.
    pub fn key(self) -> &'static str {
        match self {
            Self::RestartEngine => "restart-engine",
            Self::RestartNow => "restart-now",
            Self::Later => "later",
            Self::NotNow => "not-now",
            Self::UseProxy => "use-proxy",
            Self::StartAtLogin => "start-at-login",
            Self::Adopt => "adopt",
            Self::FollowSettings => "follow-settings",
            Self::OpenPrivacySettings => "open-privacy-settings",
            Self::OpenSettingsFile => "open-settings-file",
            Self::TryAgain => "try-again",
            Self::CopyProxySettings => "copy-proxy-settings",
            Self::OpenDockerSettings => "open-docker-settings",
        }
    }
}

impl Notice {
    /// Returns the notice's kind, an identifier for programs. At most one notice of each kind is on the
    /// screen.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::AskUseProxy { .. } => "ask-use-proxy",
            Self::AskStartAtLogin => "ask-start-at-login",
            Self::AskAllowChanges => "ask-allow-changes",
            Self::NothingToUse { .. } => "nothing-to-use",
            Self::CannotUse { .. } => "cannot-use",
            Self::Updated { .. } => "updated",
            Self::Repaired { .. } => "repaired",
            Self::Changed { .. } => "changed",
            Self::SettingsChanged { .. } => "settings-changed",
            Self::Trouble { .. } => "trouble",
            Self::RelayFailed { .. } => "relay-failed",
            Self::NotRestarted(_) => "not-restarted",
            Self::NotAppliedLive { .. } => "not-followed",
            Self::Refused(_) => "refused",
        }
    }
}

impl RestartNeed {
    /// Returns the actions that a notice offers for it.
    pub(crate) fn actions(self) -> Vec<NoticeAction> {
        match self {
            Self::Asks {
                can_apply_live: true,
            } => {
                // The slower way is in the menu.
                vec![NoticeAction::RestartEngine, NoticeAction::Later]
            }
            Self::Asks {
                can_apply_live: false,
            } => vec![NoticeAction::RestartNow, NoticeAction::Later],
            Self::NotNeeded | Self::Restarts(_) | Self::Waits => Vec::new(),
        }
    }
}

/// The reason for a missing proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyNone {
    /// The settings from this source name no proxy.
    By(ProxyOrigin),
    /// The PAC script can't be reached.
    ScriptUnreachable,
}

/// Returns a notice of the difference between the last report and the current state at rest.
pub fn notice(
    before: &Reported,
    now: &Reported,
    setting: &Setting,
    is_wanted: bool,
    docker: RestartNeed,
) -> Option<Notice> {
    let shown = |patch: &Option<ReportedPatch>| patch.as_ref().map(|patch| patch.proxy.clone());
    match (&before.patch, &now.patch) {
        // An update may come with the same image as before.
        (Some(was), Some(is)) if was.original != is.original || before.version != now.version => {
            Some(Notice::Updated {
                from: before.version.clone(),
                to: now.version.clone(),
                is_other_image: was.original != is.original || was.repairs != is.repairs,
                proxy: is.proxy.clone(),
                docker,
            })
        }
        (Some(was), Some(is)) if was.revision == is.revision && was.repairs != is.repairs => {
            Some(Notice::Repaired {
                proxy: is.proxy.clone(),
            })
        }
        (was, is) if was.as_ref().map(|p| p.revision) == is.as_ref().map(|p| p.revision) => None,
        (was, is) => Some(Notice::Changed {
            from: shown(was),
            to: shown(is),
            no_proxy_by: match setting {
                Setting::Direct { origin } if is_wanted => Some(WhyNone::By(origin.clone())),
                Setting::ScriptUnreachable if is_wanted => Some(WhyNone::ScriptUnreachable),
                _ => None,
            },
            settings: None,
            by_hand: Unpatched::Unchecked,
            docker,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{OriginalSha, Sha};

    fn told(version: &str, proxy: &str, original: &str) -> Reported {
        Reported {
            version: version.to_owned(),
            patch: Some(ReportedPatch {
                repairs: 0,
                revision: Sha::of(proxy.as_bytes()),
                proxy: RedactedProxy {
                    http: Some(format!("http://{proxy}:8080").parse().unwrap()),
                    https: Some(format!("http://{proxy}:8080").parse().unwrap()),
                    no_proxy: "localhost".to_owned(),
                },
                original: Some(OriginalSha(Sha::of(original.as_bytes()))),
            }),
        }
    }

    #[test]
    fn an_update_is_reported_also_when_it_brings_the_same_image() {
        let before = told("1.12.0", "a.corp", "image");
        let update = |now: &Reported| {
            let setting = Setting::Unknown;
            match notice(&before, now, &setting, true, RestartNeed::NotNeeded) {
                Some(Notice::Updated { is_other_image, .. }) => Some(is_other_image),
                Some(other) => panic!("{other:?}"),
                None => None,
            }
        };
        assert_eq!(update(&before), None);
        assert_eq!(update(&told("1.12.1", "a.corp", "image")), Some(false));
        assert_eq!(update(&told("1.12.1", "a.corp", "other")), Some(true));
        assert_eq!(update(&told("1.12.0", "a.corp", "other")), Some(true));
    }
}
