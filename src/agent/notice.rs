//! Notices for the user, in full sentences, as pure functions. No notice is sent twice.
//!
//! A notice is the difference between the last report to the user and the current state at rest. So it
//! does not matter who made the change, or whether Baleen was running at the time.

use serde::Serialize;
use serde_json::{Value, json};

use crate::error::Fix;
use crate::patch::Unpatched;
use crate::patch::status::State;
use crate::proxy::RedactedProxy;

use super::agent_state::{Reported, ReportedPatch};
use super::by_hand::{self, clause};
use super::observation::{Diagnostic, RestartScope, Setting};

/// A notice for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// An introduction to Baleen at the first start.
    Welcome {
        /// The resolved settings.
        setting: Setting,
        /// True if the proxy is switched on already.
        is_on: bool,
        /// The proxy in place, if it was named by hand.
        named: Option<RedactedProxy>,
        /// Baleen's support for the installed Docker.
        support: DockerSupport,
    },
    /// The user asked for the proxy, but it can't be switched on for the installed Docker.
    CannotUse {
        /// The proxy that this computer uses now.
        proxy: Option<String>,
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
        proxy: String,
        /// The running Docker's need for a restart.
        docker: RestartNeed,
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
        /// The problem and its remedy.
        diagnostic: Diagnostic,
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
}

/// Baleen's support for the installed Docker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DockerSupport {
    /// Baleen writes the proxy into the boot image.
    Patched,
    /// Baleen only shows the values to enter in Docker's own settings.
    OwnSettings {
        /// The sentence that explains this.
        sentence: String,
    },
    /// There is no Docker.app.
    Missing,
    /// Baleen can do nothing, for another reason.
    Unusable(Diagnostic),
}

impl DockerSupport {
    /// Returns the identifier in JSON output.
    fn word(&self) -> &'static str {
        match self {
            Self::Patched => "patched",
            Self::OwnSettings { .. } => "own-settings",
            Self::Missing => "missing",
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
    fn word(self) -> &'static str {
        match self {
            Self::NotNeeded => "is-right",
            Self::Asks { .. } => "asks",
            Self::Restarts(RestartScope::Docker) => "restarts",
            Self::Restarts(RestartScope::Engine) => "engine-restarts",
            Self::Waits => "waits",
        }
    }

    fn sentence(self, is_proxy: bool) -> &'static str {
        match (self, is_proxy) {
            (Self::NotNeeded, _) => "",
            (
                Self::Asks {
                    can_apply_live: false,
                },
                true,
            ) => " Restart Docker to use it.",
            (
                Self::Asks {
                    can_apply_live: false,
                },
                false,
            ) => " Restart Docker to stop using it.",
            (
                Self::Asks {
                    can_apply_live: true,
                },
                true,
            ) => " Restart the Engine or Docker to use it.",
            (
                Self::Asks {
                    can_apply_live: true,
                },
                false,
            ) => " Restart the Engine or Docker to stop using it.",
            (Self::Restarts(RestartScope::Docker), _) => " Docker is being restarted now.",
            (Self::Restarts(RestartScope::Engine), _) => " The Engine is being restarted now.",
            (Self::Waits, true) => " Docker will use it the next time it starts.",
            (Self::Waits, false) => " Docker stops using it the next time it starts.",
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
    /// Switch the proxy on.
    UseProxy,
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
    pub const ALL: [Self; 11] = [
        Self::RestartEngine,
        Self::RestartNow,
        Self::Later,
        Self::UseProxy,
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
            Self::UseProxy => "use-proxy",
            Self::Adopt => "adopt",
            Self::FollowSettings => "follow-settings",
            Self::OpenPrivacySettings => "open-privacy-settings",
            Self::OpenSettingsFile => "open-settings-file",
            Self::TryAgain => "try-again",
            Self::CopyProxySettings => "copy-proxy-settings",
            Self::OpenDockerSettings => "open-docker-settings",
        }
    }

    /// Returns the label of the action's button.
    pub fn label(self) -> &'static str {
        match self {
            Self::RestartEngine => "Restart Docker Engine",
            Self::RestartNow => "Restart Docker",
            Self::Later => "Later",
            Self::UseProxy => "Use Proxy",
            Self::Adopt => "Adopt It",
            Self::FollowSettings => "Follow Settings",
            Self::OpenPrivacySettings => "Open System Settings",
            Self::OpenSettingsFile => "Open Settings File",
            Self::TryAgain => "Try again",
            Self::CopyProxySettings => "Copy Proxy Settings",
            Self::OpenDockerSettings => "Open Docker's Settings",
        }
    }
}

/// The text of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeText {
    /// The subject of the notice.
    pub title: String,
    /// The message, in full sentences.
    pub body: String,
    /// The actions that the notice offers.
    pub offers: Vec<NoticeAction>,
}

impl Notice {
    /// Returns the notice's kind, an identifier for programs. At most one notice of each kind is on the
    /// screen.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Welcome { .. } => "welcome",
            Self::CannotUse { .. } => "cannot-use",
            Self::Updated { .. } => "updated",
            Self::Changed { .. } => "changed",
            Self::SettingsChanged { .. } => "settings-changed",
            Self::Trouble { .. } => "trouble",
            Self::NotRestarted(_) => "not-restarted",
            Self::NotAppliedLive { .. } => "not-followed",
        }
    }

    /// Returns the title, the body and the offered actions.
    pub fn text(&self) -> NoticeText {
        match self {
            Self::Welcome {
                setting,
                is_on,
                named,
                support,
            } => {
                let proxy = match setting {
                    Setting::Proxy { shown, .. } => Some(short(shown)),
                    _ => None,
                };
                let cannot = without_patch(support, proxy.as_deref());
                cannot.map_or_else(
                    || welcome(setting, *is_on, named.as_ref()),
                    welcome_without_patch,
                )
            }
            Self::CannotUse { proxy, support } => {
                let (body, offers) = without_patch(support, proxy.as_deref()).unwrap_or_default();
                let title = cannot_use(support).to_owned();
                NoticeText {
                    title,
                    body,
                    offers,
                }
            }
            Self::Updated {
                from,
                to,
                is_other_image,
                proxy,
                docker,
            } => {
                let (did, again) = match is_other_image {
                    true => (" removed the proxy", " again"),
                    false => ("", ""),
                };
                NoticeText {
                    title: "Docker was updated".to_owned(),
                    body: format!(
                        "Docker {}{did}. The proxy ({proxy}) is in place{again}.{}",
                        match from == to {
                            true => to.clone(),
                            false => format!("{from} → {to}"),
                        },
                        docker.sentence(true)
                    ),
                    offers: docker.actions(),
                }
            }
            Self::Changed {
                from,
                to,
                no_proxy_by,
                settings,
                by_hand,
                docker,
            } => {
                let settings = settings.as_ref().zip(to.as_ref());
                let why = match settings {
                    Some((settings, to)) => Some(named_by_hand(to, settings)),
                    None => no_proxy_by.as_ref().map(|why| match why {
                        WhyNone::By(origin) => format!("No proxy is set in {origin} any more."),
                        WhyNone::ScriptUnreachable => {
                            "The PAC script can't be reached, so Docker goes direct.".to_owned()
                        }
                    }),
                };
                changed(from.as_ref(), to.as_ref(), why, by_hand, *docker)
            }
            Self::SettingsChanged { in_place, settings } => NoticeText {
                title: "The proxy settings changed".to_owned(),
                body: format!(
                    "Docker keeps {}, which was named by hand. {}",
                    short(in_place),
                    full(&clause(in_place, settings).unwrap_or_default()),
                ),
                offers: vec![NoticeAction::FollowSettings, NoticeAction::Later],
            },
            Self::Trouble { state, diagnostic } => trouble(*state, diagnostic),
            Self::NotRestarted(diagnostic) => NoticeText {
                title: "Docker was not restarted".to_owned(),
                body: sentences(diagnostic),
                offers: vec![NoticeAction::RestartNow, NoticeAction::Later],
            },
            Self::NotAppliedLive {
                diagnostic,
                is_restarted,
            } => {
                let title = "The Docker Engine was not restarted".to_owned();
                match is_restarted {
                    true => NoticeText {
                        title,
                        body: format!(
                            "{} Docker is being restarted instead.",
                            full(&diagnostic.sentence)
                        ),
                        offers: Vec::new(),
                    },
                    false => NoticeText {
                        title,
                        body: sentences(&at_a_button(diagnostic)),
                        offers: vec![NoticeAction::RestartNow, NoticeAction::Later],
                    },
                }
            }
        }
    }

    /// Returns a short line for the history.
    pub fn headline(&self) -> String {
        match self {
            Self::Welcome { .. } => "Baleen was started for the first time".to_owned(),
            Self::CannotUse { support, .. } => cannot_use(support).to_owned(),
            Self::Updated { from, to, .. } if from == to => {
                format!("Docker {to} replaced its boot image; repaired")
            }
            Self::Updated { from, to, .. } => format!("Docker {from} → {to}; repaired"),
            Self::Changed { to: Some(to), .. } => format!("The proxy is {}", short(to)),
            Self::Changed { to: None, .. } => "The proxy was taken out".to_owned(),
            Self::SettingsChanged { in_place, .. } => {
                format!("The settings changed; Docker keeps {}", short(in_place))
            }
            Self::Trouble { state, diagnostic } => match state {
                State::NotPermitted => "macOS did not let Baleen change Docker".to_owned(),
                State::Updating => "A Docker update seems to be stuck".to_owned(),
                _ if diagnostic.fix == Some(Fix::DockerSettings) => OWN_SETTINGS.to_owned(),
                _ => cut(&diagnostic.sentence),
            },
            Self::NotRestarted(_) => "Docker was not restarted".to_owned(),
            Self::NotAppliedLive { .. } => "The Docker Engine was not restarted".to_owned(),
        }
    }

    /// Returns the notice as JSON.
    pub fn json(&self) -> Value {
        let message = self.text();
        let mut object = json!({
            "kind": self.kind(),
            "title": message.title,
            "body": message.body,
            "offers": message.offers,
        });
        match self {
            Self::Updated {
                from, to, docker, ..
            } => {
                object["from"] = json!(from);
                object["to"] = json!(to);
                object["docker"] = json!(docker.word());
            }
            Self::Changed {
                from, to, docker, ..
            } => {
                object["from"] = json!(from);
                object["to"] = json!(to);
                object["docker"] = json!(docker.word());
            }
            Self::SettingsChanged { in_place, settings } => {
                object["proxy"] = json!(in_place);
                object["settings"] = by_hand::json(settings);
            }
            Self::Trouble { state, .. } => object["state"] = json!(state),
            Self::Welcome { support, .. } | Self::CannotUse { support, .. } => {
                object["support"] = json!(support.word());
            }
            Self::NotRestarted(_) | Self::NotAppliedLive { .. } => {}
        }
        object
    }
}

impl RestartNeed {
    fn actions(self) -> Vec<NoticeAction> {
        match self {
            Self::Asks {
                can_apply_live: true,
            } => {
                vec![
                    NoticeAction::RestartEngine,
                    NoticeAction::RestartNow,
                    NoticeAction::Later,
                ]
            }
            Self::Asks {
                can_apply_live: false,
            } => vec![NoticeAction::RestartNow, NoticeAction::Later],
            Self::NotNeeded | Self::Restarts(_) | Self::Waits => Vec::new(),
        }
    }
}

/// Returns the sentences that say that a proxy was named by hand, and what the settings say.
fn named_by_hand(in_place: &RedactedProxy, settings: &Setting) -> String {
    match clause(in_place, settings) {
        Some(clause) => format!("It was named by hand. {}", full(&clause)),
        None => "It was named by hand.".to_owned(),
    }
}

fn welcome(setting: &Setting, is_on: bool, named: Option<&RedactedProxy>) -> NoticeText {
    let title = "Baleen is in the menu bar".to_owned();
    if let Some(named) = named {
        return NoticeText {
            title,
            body: format!(
                "It keeps Docker behind {}, also after each of Docker's updates. {}",
                short(named),
                named_by_hand(named, setting)
            ),
            offers: vec![NoticeAction::FollowSettings, NoticeAction::Later],
        };
    }
    let here = match setting {
        // A proxy on this computer itself has a different address in Docker's VM.
        Setting::Proxy { shown, .. } => format!("For Docker that is {}.", short(shown)),
        Setting::Direct { .. } => "This computer uses no proxy now.".to_owned(),
        Setting::ScriptUnreachable => "Its PAC script can't be reached now.".to_owned(),
        Setting::Offline | Setting::Unknown => {
            "While the network is down, Baleen can't tell which proxy that is.".to_owned()
        }
        Setting::Failed { diagnostic, .. } => {
            format!("Its settings can't be used now: {}.", diagnostic.sentence)
        }
    };
    let (what, offers) = match is_on {
        true => ("Docker follows it, also after each of its updates.", vec![]),
        false => (
            "Choose Use Proxy in Baleen's menu to have Docker use it too, also after each update of Docker.",
            vec![NoticeAction::UseProxy],
        ),
    };
    NoticeText {
        title,
        body: format!(
            "Baleen makes Docker use your Mac's proxy and keeps it that way when Docker updates. {here} {what}"
        ),
        offers,
    }
}

fn welcome_without_patch((body, offers): (String, Vec<NoticeAction>)) -> NoticeText {
    NoticeText {
        title: "Baleen is in the menu bar".to_owned(),
        body,
        offers,
    }
}

fn cannot_use(support: &DockerSupport) -> &'static str {
    match support {
        DockerSupport::Missing => "No Docker.app found",
        DockerSupport::OwnSettings { .. } => OWN_SETTINGS,
        DockerSupport::Patched | DockerSupport::Unusable(_) => "Baleen can't change this Docker",
    }
}

/// Title of notices about a Docker with its own proxy settings.
const OWN_SETTINGS: &str = "This Docker has its own proxy settings";

/// Returns the body and the offered actions if the proxy can't be switched on; otherwise `None`.
fn without_patch(
    support: &DockerSupport,
    proxy: Option<&str>,
) -> Option<(String, Vec<NoticeAction>)> {
    Some(match (support, proxy) {
        (DockerSupport::Patched, _) => return None,
        (DockerSupport::OwnSettings { sentence }, Some(proxy)) => (
            format!(
                "{} To use {proxy}, copy the values and enter them there.",
                full(sentence)
            ),
            vec![
                NoticeAction::CopyProxySettings,
                NoticeAction::OpenDockerSettings,
            ],
        ),
        (DockerSupport::OwnSettings { sentence }, None) => (
            format!(
                "{} When this computer uses a proxy, Baleen's menu has the values to enter there.",
                full(sentence)
            ),
            vec![NoticeAction::OpenDockerSettings],
        ),
        (DockerSupport::Missing, proxy) => {
            let proxy = proxy.map(|proxy| format!(" ({proxy})"));
            (
                format!(
                    "Baleen makes Docker use the proxy of this computer{}, but it found no Docker.app. Install Docker, or set docker_app in the settings file.",
                    proxy.unwrap_or_default()
                ),
                vec![NoticeAction::OpenSettingsFile],
            )
        }
        (DockerSupport::Unusable(diagnostic), _) => {
            let (why, offer) = hint_and_action(diagnostic);
            let body = format!("Baleen can't change this Docker. {why}");
            (body, offer.into_iter().collect())
        }
    })
}

/// The reason for a missing proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyNone {
    /// The settings from this source name no proxy.
    By(String),
    /// The PAC script can't be reached.
    ScriptUnreachable,
}

fn changed(
    from: Option<&RedactedProxy>,
    to: Option<&RedactedProxy>,
    why: Option<String>,
    by_hand: &Unpatched,
    docker: RestartNeed,
) -> NoticeText {
    let (title, body) = match (from, to) {
        (Some(from), Some(to)) if from.summary() != to.summary() => (
            "Docker's proxy has changed",
            format!("{} instead of {} is in place.", short(to), short(from)),
        ),
        (Some(from), Some(to)) if from.no_proxy != to.no_proxy => (
            "Docker's proxy was brought up to date",
            format!("These hosts now bypass {}: {}.", short(to), to.no_proxy),
        ),
        (Some(_), Some(to)) => (
            "Docker's proxy was brought up to date",
            format!("Docker now uses {} with the new password.", short(to)),
        ),
        (None, Some(to)) => (
            "Docker now has the proxy",
            format!("The proxy ({}) is in place.", short(to)),
        ),
        (_, None) => match by_hand {
            Unpatched::Clean => (
                "Docker has its own boot image again",
                "The proxy was taken out.".to_owned(),
            ),
            Unpatched::Unchecked => (
                "Docker has the boot image of before again",
                "The proxy was taken out.".to_owned(),
            ),
            Unpatched::ByHand { line, .. } => (
                "Docker has a proxy set by hand again",
                format!(
                    "Baleen's proxy was taken out. Docker has the boot image that it had before, in which a proxy is set by hand ({line}). {}",
                    full(&by_hand.way_out().unwrap_or_default())
                ),
            ),
        },
    };
    let body = match (why, to) {
        (Some(why), Some(_)) => format!("{body} {why}"),
        (Some(why), None) => format!("{why} {body}"),
        (None, _) => body,
    };
    NoticeText {
        title: title.to_owned(),
        body: format!("{body}{}", docker.sentence(to.is_some())),
        offers: docker.actions(),
    }
}

/// Returns the diagnostic with a hint that needs no typing. Adopting a proxy in the running VM works only
/// from a terminal. A restart of Docker, which is one click away, has the same result.
fn at_a_button(diagnostic: &Diagnostic) -> Diagnostic {
    match diagnostic.fix {
        Some(Fix::Adopt) => diagnostic.clone().with_hint("restart Docker instead"),
        _ => diagnostic.clone(),
    }
}

/// Returns the text about a failure for users of the icon, and the action that helps at one click.
pub(crate) fn hint_and_action(diagnostic: &Diagnostic) -> (String, Option<NoticeAction>) {
    match diagnostic.fix {
        Some(Fix::AllowAppManagement) => (
            format!(
                "{} Allow Baleen in System Settings > Privacy & Security > App Management.",
                full(&diagnostic.sentence)
            ),
            Some(NoticeAction::OpenPrivacySettings),
        ),
        Some(Fix::Adopt) => (full(&diagnostic.sentence), Some(NoticeAction::Adopt)),
        Some(Fix::CorrectSettings) => (
            full(&diagnostic.sentence),
            Some(NoticeAction::OpenSettingsFile),
        ),
        Some(Fix::DockerSettings) => (
            full(&diagnostic.sentence),
            Some(NoticeAction::OpenDockerSettings),
        ),
        None => (sentences(diagnostic), None),
    }
}

fn trouble(state: State, diagnostic: &Diagnostic) -> NoticeText {
    let title = match state {
        _ if diagnostic.fix == Some(Fix::CorrectSettings) => "Baleen's settings can't be used",
        _ if diagnostic.fix == Some(Fix::DockerSettings) => OWN_SETTINGS,
        State::NotPermitted => "Baleen needs permission to change Docker",
        State::Foreign => "Docker has a proxy set by someone else",
        State::Updating => "A Docker update seems to be stuck",
        State::Unsupported => "Baleen can't change this Docker",
        _ => "The proxy could not be put in place",
    };
    if diagnostic.fix == Some(Fix::DockerSettings) {
        let body = format!(
            "{} Copy the values and enter them there.",
            full(&diagnostic.sentence)
        );
        return NoticeText {
            title: title.to_owned(),
            body,
            offers: vec![
                NoticeAction::CopyProxySettings,
                NoticeAction::OpenDockerSettings,
            ],
        };
    }
    let (body, offer) = hint_and_action(diagnostic);
    NoticeText {
        title: title.to_owned(),
        body,
        offers: vec![offer.unwrap_or(NoticeAction::TryAgain)],
    }
}

/// Returns the proxy without `http://`, which every proxy URL has.
pub fn short(shown: &RedactedProxy) -> String {
    shown.summary().replace("http://", "")
}

/// Returns the sentence with a capital letter and a period.
pub fn full(sentence: &str) -> String {
    let mut chars = sentence.chars();
    // A URL keeps its spelling.
    if sentence
        .split(' ')
        .next()
        .is_some_and(|word| word.contains("://"))
    {
        return format!("{sentence}.");
    }
    match chars.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), chars.as_str()),
        None => String::new(),
    }
}

/// Returns the sentence and the advice as full sentences.
pub fn sentences(diagnostic: &Diagnostic) -> String {
    let advice = diagnostic
        .hint
        .as_deref()
        .map(|advice| format!(" {}", full(advice)));
    format!(
        "{}{}",
        full(&diagnostic.sentence),
        advice.unwrap_or_default()
    )
}

fn cut(text: &str) -> String {
    const WIDTH: usize = 60;
    let text = full(text);
    match text.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text,
    }
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
                is_other_image: was.original != is.original,
                proxy: short(&is.proxy),
                docker,
            })
        }
        (was, is) if was.as_ref().map(|p| p.block) == is.as_ref().map(|p| p.block) => None,
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
    use crate::patch::digest::{OriginalSha, Sha};

    fn told(version: &str, proxy: &str, original: &str) -> Reported {
        Reported {
            version: version.to_owned(),
            patch: Some(ReportedPatch {
                block: Sha::of(proxy.as_bytes()),
                proxy: RedactedProxy {
                    http: Some(format!("http://{proxy}:8080").parse().unwrap()),
                    https: Some(format!("http://{proxy}:8080").parse().unwrap()),
                    no_proxy: "localhost".to_owned(),
                },
                original: OriginalSha(Sha::of(original.as_bytes())),
            }),
        }
    }

    #[test]
    fn an_update_is_told_also_when_it_brings_the_same_image() {
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
