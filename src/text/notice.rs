//! The texts of the agent's notices.

use serde_json::{Value, json};

use crate::agent::notice::{DockerSupport, Notice, NoticeAction, RestartNeed, WhyNone};
use crate::backend::Unpatched;
use crate::backend::docker_desktop::{NotPatched, ProxyPane};
use crate::desired::Setting;
use crate::error::{Diagnostic, Error, Face, Fix};
use crate::proxy::RedactedProxy;
use crate::reconcile::Reason;
use crate::reconcile::State;

use super::by_hand::{self, clause};
use super::fit::fit;

impl RestartNeed {
    fn sentence(self, is_proxy: bool) -> &'static str {
        match (self, is_proxy) {
            (Self::NotNeeded, _) => "",
            // Which part is restarted is Baleen's affair.
            (Self::Asks { .. }, true) => " Restart Docker to use it.",
            (Self::Asks { .. }, false) => " Restart Docker to stop using it.",
            (Self::Restarts(_), _) => " Docker is being restarted now.",
            (Self::Waits, true) => " Docker will use it the next time it starts.",
            (Self::Waits, false) => " Docker stops using it the next time it starts.",
        }
    }
}

impl NoticeAction {
    /// Returns the label of the action's button.
    pub fn label(self) -> &'static str {
        match self {
            Self::RestartEngine | Self::RestartNow => "Restart Docker",
            Self::Later => "Later",
            Self::NotNow => "Not Now",
            Self::UseProxy => "Use Proxy",
            Self::StartAtLogin => "Start at Login",
            Self::Adopt => "Adopt It",
            Self::FollowSettings => "Follow Settings",
            Self::OpenPrivacySettings => "Open System Settings",
            Self::OpenSettingsFile => "Open Settings File",
            Self::TryAgain => "Try Again",
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
    /// Returns the title, the body and the offered actions.
    pub fn text(&self) -> NoticeText {
        match self {
            Self::AskUseProxy { proxy } => ask_use_proxy(proxy),
            Self::AskStartAtLogin => NoticeText {
                title: "Start Baleen at login?".to_owned(),
                body: "It has to run to keep the proxy set when Docker updates.".to_owned(),
                offers: vec![NoticeAction::StartAtLogin, NoticeAction::NotNow],
            },
            Self::AskAllowChanges => NoticeText {
                title: "Allow Baleen to change Docker?".to_owned(),
                body: ALLOW_CHANGES.to_owned(),
                offers: vec![NoticeAction::OpenPrivacySettings, NoticeAction::NotNow],
            },
            Self::NothingToUse { setting } => nothing_to_use(setting),
            Self::CannotUse { proxy, support } => {
                let (body, offers) = without_patch(support, proxy.as_ref().map(short).as_deref())
                    .unwrap_or_default();
                let title = cannot_use(support).to_owned();
                NoticeText {
                    title,
                    body,
                    offers,
                }
            }
            Self::Updated {
                from: _,
                to,
                is_other_image,
                proxy,
                docker,
            } => {
                let again = match is_other_image {
                    true => format!("has {} again", short(proxy)),
                    false => format!("still has {}", short(proxy)),
                };
                NoticeText {
                    title: "Docker was updated".to_owned(),
                    body: format!("Docker {to} {again}.{}", docker.sentence(true)),
                    offers: docker.actions(),
                }
            }
            Self::Repaired { proxy } => NoticeText {
                title: "Docker's settings were reset".to_owned(),
                body: format!("The proxy ({}) is in place again.", short(proxy)),
                offers: Vec::new(),
            },
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
            Self::Trouble { state, reason } => trouble(*state, reason),
            Self::RelayFailed { reason } => NoticeText {
                title: "Baleen's relay is not running".to_owned(),
                body: format!(
                    "Docker can't pull images without it: {reason}. Baleen tries again within a minute."
                ),
                offers: vec![NoticeAction::OpenSettingsFile, NoticeAction::Later],
            },
            Self::NotRestarted(diagnostic) => NoticeText {
                title: "Docker was not restarted".to_owned(),
                body: Problem::from(diagnostic).sentences(),
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
                            full(&diagnostic.sentence())
                        ),
                        offers: Vec::new(),
                    },
                    false => NoticeText {
                        title,
                        body: not_applied_live(diagnostic),
                        offers: vec![NoticeAction::RestartNow, NoticeAction::Later],
                    },
                }
            }
            Self::Refused(diagnostic) => NoticeText {
                title: "Your choice was not saved".to_owned(),
                body: Problem::from(diagnostic).sentences(),
                offers: Vec::new(),
            },
        }
    }

    /// Returns a short line for the history.
    pub fn headline(&self) -> String {
        match self {
            Self::AskUseProxy { proxy } => format!("Asked whether to use {}", short(proxy)),
            Self::AskStartAtLogin => "Asked whether to start at login".to_owned(),
            Self::AskAllowChanges => "macOS did not let Baleen change Docker".to_owned(),
            Self::NothingToUse { .. } => self.text().title,
            Self::CannotUse { support, .. } => cannot_use(support).to_owned(),
            Self::Updated { from, to, .. } if from == to => {
                format!("Docker {to} replaced its boot image; repaired")
            }
            Self::Updated { from, to, .. } => format!("Docker {from} → {to}; repaired"),
            Self::Repaired { .. } => "Docker's settings were reset; repaired".to_owned(),
            Self::Changed { to: Some(to), .. } => format!("The proxy is {}", short(to)),
            Self::Changed { to: None, .. } => "The proxy was taken out".to_owned(),
            Self::SettingsChanged { in_place, .. } => {
                format!("The settings changed; Docker keeps {}", short(in_place))
            }
            Self::Trouble { state, reason } => match state {
                State::NotPermitted => "macOS did not let Baleen change Docker".to_owned(),
                State::Updating => "A Docker update seems to be stuck".to_owned(),
                _ if reason.fix() == Some(Fix::DockerSettings) => OWN_SETTINGS.to_owned(),
                _ => cut(&reason.sentence()),
            },
            Self::RelayFailed { .. } => "The relay is not running".to_owned(),
            Self::NotRestarted(_) => "Docker was not restarted".to_owned(),
            Self::NotAppliedLive { .. } => "The Docker Engine was not restarted".to_owned(),
            Self::Refused(diagnostic) => cut(&diagnostic.sentence()),
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
            Self::Repaired { proxy } => object["to"] = json!(proxy),
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
            Self::CannotUse { support, .. } => object["support"] = json!(support.word()),
            Self::AskUseProxy { proxy } => object["to"] = json!(proxy),
            Self::NothingToUse { setting } => object["settings"] = by_hand::json(setting),
            Self::AskStartAtLogin | Self::AskAllowChanges => {}
            Self::RelayFailed { .. }
            | Self::NotRestarted(_)
            | Self::NotAppliedLive { .. }
            | Self::Refused(_) => {}
        }
        object
    }
}

/// Returns the sentences that say that a proxy was named by hand, and what the settings say.
fn named_by_hand(in_place: &RedactedProxy, settings: &Setting) -> String {
    match clause(in_place, settings) {
        Some(clause) => format!("It was named by hand. {}", full(&clause)),
        None => "It was named by hand.".to_owned(),
    }
}

/// Where the user allows Baleen to change Docker.
const ALLOW_CHANGES: &str =
    "Switch on Baleen in System Settings > Privacy & Security > App Management.";

fn ask_use_proxy(proxy: &RedactedProxy) -> NoticeText {
    const KEEPS: &str = "Baleen keeps it set when Docker updates.";
    /// Maximum length of a name that leaves room in the title for the question.
    const MAX_NAME: usize = 18;
    let name = short(proxy);
    let (title, body) = match name.chars().count() <= MAX_NAME {
        true => (format!("Use {name} for Docker?"), KEEPS.to_owned()),
        false => (
            "Use this Mac's proxy for Docker?".to_owned(),
            format!("{name} stays set when Docker updates."),
        ),
    };
    NoticeText {
        title,
        body,
        offers: vec![NoticeAction::UseProxy, NoticeAction::NotNow],
    }
}

fn nothing_to_use(setting: &Setting) -> NoticeText {
    let (title, body, offers) = match setting {
        Setting::Failed { diagnostic, .. } => {
            let (body, offer) = Problem::from(diagnostic).text_and_action();
            let offers = offer.into_iter().collect();
            ("This Mac's proxy can't be used", body, offers)
        }
        Setting::ScriptUnreachable => (
            "The PAC script can't be reached",
            "When it can, Baleen asks whether Docker should use its proxy.".to_owned(),
            Vec::new(),
        ),
        Setting::Direct { .. } | Setting::Proxy { .. } | Setting::Offline | Setting::Unknown => (
            "No proxy is set on this Mac",
            "When one is set, Baleen asks whether Docker should use it.".to_owned(),
            Vec::new(),
        ),
    };
    NoticeText {
        title: title.to_owned(),
        body,
        offers,
    }
}

fn cannot_use(support: &DockerSupport) -> &'static str {
    match support {
        DockerSupport::Missing => "No Docker.app found",
        DockerSupport::OwnSettings { .. } => OWN_SETTINGS,
        DockerSupport::Locked(_) => "An administrator decides Docker's proxy",
        DockerSupport::Patched | DockerSupport::Unusable(_) => "Baleen can't change this Docker",
    }
}

/// Title of notices about a Docker with its own proxy settings.
const OWN_SETTINGS: &str = "This Docker has its own proxy settings";

fn own_settings(version: &str, pane: ProxyPane) -> String {
    let version = version.to_owned();
    full(&NotPatched::OwnSettings { version, pane }.to_string())
}

/// Returns the body and the offered actions if the proxy can't be switched on; otherwise `None`.
fn without_patch(
    support: &DockerSupport,
    proxy: Option<&str>,
) -> Option<(String, Vec<NoticeAction>)> {
    Some(match (support, proxy) {
        (DockerSupport::Patched, _) => return None,
        (DockerSupport::OwnSettings { version, pane }, Some(proxy)) => (
            format!(
                "Enter {proxy} there, under {pane}. {}",
                own_settings(version, *pane)
            ),
            vec![
                NoticeAction::CopyProxySettings,
                NoticeAction::OpenDockerSettings,
            ],
        ),
        (DockerSupport::OwnSettings { version, pane }, None) => (
            format!(
                "When this Mac uses a proxy, Baleen's menu has the values to enter. {}",
                own_settings(version, *pane)
            ),
            vec![NoticeAction::OpenDockerSettings],
        ),
        (DockerSupport::Missing, _) => (
            "Install Docker, or set docker_app in the settings file.".to_owned(),
            vec![NoticeAction::OpenSettingsFile],
        ),
        (DockerSupport::Locked(diagnostic), _) => {
            (Problem::from(diagnostic).sentences(), Vec::new())
        }
        (DockerSupport::Unusable(diagnostic), _) => {
            let (why, offer) = Problem::from(diagnostic).text_and_action();
            (why, offer.into_iter().collect())
        }
    })
}

/// Returns the sentence about another proxy: without the previous one if there is no room for it beside what is to be
/// done.
fn changed_from(from: &str, to: &str, docker_does: &str) -> String {
    let whole = format!("{to} instead of {from}.");
    match fit("", &format!("{whole}{docker_does}")).details {
        None => whole,
        Some(_) => format!("{to} is in place."),
    }
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
            changed_from(&short(from), &short(to), docker.sentence(true)),
        ),
        (Some(from), Some(to)) if from.no_proxy != to.no_proxy => (
            "Docker's proxy was brought up to date",
            format!("The hosts that bypass {} have changed.", short(to)),
        ),
        (Some(_), Some(to)) => (
            "Docker's proxy was brought up to date",
            format!("{} has a new password.", short(to)),
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
            Unpatched::OwnSettings | Unpatched::InSettings { .. } => (
                "Docker has its own settings again",
                "The proxy was taken out.".to_owned(),
            ),
            Unpatched::Unchecked => (
                "Docker has its previous boot image again",
                "The proxy was taken out.".to_owned(),
            ),
            Unpatched::ByHand { line, .. } => (
                "Docker has a proxy set by hand again",
                format!("Its boot image sets one: {line}."),
            ),
        },
    };
    // What to do comes before the background, which may not fit.
    let docker_does = docker.sentence(to.is_some());
    let background = match (from, to) {
        (Some(from), Some(to)) if from.no_proxy != to.no_proxy => {
            Some(format!("These are {}.", to.no_proxy)).filter(|_| from.summary() == to.summary())
        }
        (_, None) => by_hand.way_out().map(|way_out| full(&way_out)),
        _ => None,
    };
    let first = match (&why, to) {
        (Some(why), None) => why.clone(),
        _ => body,
    };
    let why = why.filter(|_| to.is_some());
    let rest: String = [why, background]
        .into_iter()
        .flatten()
        .map(|sentence| format!(" {sentence}"))
        .collect();
    let body = format!("{first}{docker_does}{rest}");
    NoticeText {
        title: title.to_owned(),
        body,
        offers: docker.actions(),
    }
}

/// A problem as the users of the icon see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The sentence, without its period.
    pub sentence: String,
    /// The advice.
    pub hint: Option<String>,
    /// The remedy at one click.
    pub fix: Option<Fix>,
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        Self {
            sentence: error.to_string(),
            hint: error.hint(Face::Menu),
            fix: error.fix(),
        }
    }
}

impl From<&Diagnostic> for Problem {
    fn from(why: &Diagnostic) -> Self {
        Self {
            sentence: why.sentence(),
            hint: why.hint(Face::Menu),
            fix: why.fix(),
        }
    }
}

impl From<&Reason> for Problem {
    fn from(reason: &Reason) -> Self {
        Self {
            sentence: reason.sentence(),
            hint: reason.hint(Face::Menu),
            fix: reason.fix(),
        }
    }
}

impl Problem {
    /// Creates a problem with a sentence only.
    pub(crate) fn new(sentence: &str) -> Self {
        Self {
            sentence: sentence.to_owned(),
            hint: None,
            fix: None,
        }
    }

    /// Returns the sentence and the advice as full sentences.
    pub(crate) fn sentences(&self) -> String {
        let advice = self
            .hint
            .as_deref()
            .map(|advice| format!(" {}", full(advice)));
        format!("{}{}", full(&self.sentence), advice.unwrap_or_default())
    }

    /// Returns the text about the problem, and the action that helps at one click.
    pub(crate) fn text_and_action(&self) -> (String, Option<NoticeAction>) {
        let text = full(&self.sentence);
        match self.fix {
            Some(Fix::AllowAppManagement) => (
                format!("{ALLOW_CHANGES} {text}"),
                Some(NoticeAction::OpenPrivacySettings),
            ),
            Some(Fix::Adopt) => (text, Some(NoticeAction::Adopt)),
            Some(Fix::CorrectSettings) => (text, Some(NoticeAction::OpenSettingsFile)),
            Some(Fix::DockerSettings) => (text, Some(NoticeAction::OpenDockerSettings)),
            Some(Fix::LeaveImages) | None => (self.sentences(), None),
        }
    }
}

/// Returns the text about a failed live update. Adopting a proxy in the running VM works only from a terminal. A restart
/// of Docker, which is one click away, has the same result.
fn not_applied_live(why: &Diagnostic) -> String {
    let mut problem = Problem::from(why);
    if problem.fix == Some(Fix::Adopt) {
        problem.hint = Some("restart Docker instead".to_owned());
    }
    problem.sentences()
}

fn trouble(state: State, reason: &Reason) -> NoticeText {
    let problem = Problem::from(reason);
    let title = match state {
        _ if problem.fix == Some(Fix::CorrectSettings) => "Baleen's settings can't be used",
        _ if problem.fix == Some(Fix::DockerSettings) => OWN_SETTINGS,
        State::NotPermitted => "Baleen needs permission to change Docker",
        State::Foreign => "Docker has a proxy set by someone else",
        State::Updating => "A Docker update seems to be stuck",
        State::Unsupported => "Baleen can't change this Docker",
        _ => "The proxy could not be put in place",
    };
    if problem.fix == Some(Fix::DockerSettings) {
        let body = format!(
            "Copy the values and enter them there. {}",
            full(&problem.sentence)
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
    let (body, offer) = problem.text_and_action();
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
    match sentence {
        "" => String::new(),
        sentence => format!("{}.", capitalized(sentence)),
    }
}

/// Returns the sentence with a capital letter, if it begins with a word and not with a name or a URL.
pub(super) fn capitalized(sentence: &str) -> String {
    let end = sentence.find([' ', '\n', ';', ',', '\'']);
    let (word, rest) = sentence.split_at(end.unwrap_or(sentence.len()));
    if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return sentence.to_owned();
    }
    let (first, others) = word.split_at(1);
    format!("{}{others}{rest}", first.to_ascii_uppercase())
}

/// Returns the beginning of a text that is too long for one line.
pub(crate) fn cut(text: &str) -> String {
    shortened(full(text))
}

/// Returns the text without its end, if it is too long for one line.
pub(crate) fn shortened(text: String) -> String {
    const WIDTH: usize = 60;
    match text.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text,
    }
}
