//! Reconciliation: a pure function from the observed and the desired state to the next action. It does no
//! I/O and never waits.
//!
//! It is level-triggered: it depends on the current state, never on events, so a lost event costs only
//! time.

use std::path::PathBuf;
use std::time::{Instant, SystemTime};

use crate::config::RestartPolicy;
use crate::docker::{Bundle, Family};
use crate::error::{Error, Fix, Kind};
use crate::patch::Unpatched;
use crate::patch::digest::{OriginalSha, Sha};
use crate::patch::intent::Intent;
use crate::patch::live::LiveEdit;
use crate::patch::status::State;
use crate::proxy::RedactedProxy;

use super::by_hand;

/// A message for the user: a sentence without its period, and a remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The sentence.
    pub sentence: String,
    /// Advice on what to do.
    pub hint: Option<String>,
    /// The remedy, if a user interface can carry it out.
    pub fix: Option<Fix>,
}

impl Diagnostic {
    /// Creates a diagnostic with a sentence only.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            hint: None,
            fix: None,
        }
    }

    /// Adds advice on what to do.
    #[must_use]
    pub fn with_hint(mut self, advice: impl Into<String>) -> Self {
        self.hint = Some(advice.into());
        self
    }
}

impl From<&Error> for Diagnostic {
    fn from(error: &Error) -> Self {
        Self {
            sentence: error.to_string(),
            hint: error.hint().map(str::to_owned),
            fix: error.fix(),
        }
    }
}

/// The observed state of the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BundleState {
    /// There is no Docker.app.
    Missing(Diagnostic),
    /// Docker.app is incomplete.
    Incomplete(Diagnostic),
    /// Baleen does not patch this bundle, or may not read it.
    Unsupported(State, Diagnostic, Option<Bundle>),
    /// Docker.app has a boot image.
    Ready(Installed),
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
}

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
        may_pass: bool,
    },
    /// No proxy.
    Direct {
        /// The source that says so.
        origin: String,
    },
    /// A proxy.
    Proxy {
        /// Digest of the script block that sets this proxy.
        block: Sha,
        /// The proxy, without passwords.
        shown: RedactedProxy,
        /// The source that says so.
        origin: String,
        /// The kept answers of an unreachable PAC script, if the proxy comes from them.
        script: Option<KeptAnswers>,
    },
    /// The PAC script can't be reached, so no proxy is used.
    ScriptAway,
}

/// Kept answers of a PAC script that can't be reached now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptAnswers {
    /// Time of the oldest answer, if known.
    pub since: Option<SystemTime>,
    /// Time at which the answers expire. `None` if they count until the script can be reached again.
    pub until: Option<SystemTime>,
}

impl Installed {
    /// Digest of the block in the image; `None` for Docker's own image.
    pub fn block(&self) -> Option<Sha> {
        self.patch.as_ref().map(|patch| patch.block)
    }

    /// The revision of the image.
    pub fn revision(&self) -> Revision {
        Revision {
            block: self.block(),
            since: self.image_since,
        }
    }
}

/// The identity of a boot image, to distinguish it from earlier and later ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revision {
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

/// The Engine in the running VM, compared with the boot image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineSync {
    /// Same proxy as the image since the VM started.
    UpToDate,
    /// Same proxy as the image since a live update of the VM.
    Followed {
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
            Self::Followed { .. } => "followed",
            Self::OutOfDate => "out-of-date",
        }
    }
}

impl Running {
    /// Returns how the running engine compares with the image of `installed`.
    pub fn engine(&self, installed: &Installed) -> EngineSync {
        let block = installed.block();
        if let Some(edit) = &self.edit {
            return match edit.gives(block) {
                true => EngineSync::Followed { at: edit.at },
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
    pub fn can_apply_live(&self, installed: &Installed) -> bool {
        self.has_console && matches!(installed.bundle.family, Family::Moby { .. })
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

/// The ways that were tried without success, each with the image that it was tried for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempts {
    /// The image for which a restart of the Engine was attempted.
    pub engine: Option<Revision>,
    /// The image for which a restart of Docker was attempted.
    pub docker: Option<Revision>,
}

/// A failed attempt, and the time before which it is not repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    /// The kind of failure.
    pub kind: Kind,
    /// The reason.
    pub diagnostic: Diagnostic,
    /// Time of the next attempt.
    pub until: Instant,
}

/// The inputs of [`reconcile`].
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The user's recorded intent for this bundle.
    pub intent: Option<Intent>,
    /// The observed state of the bundle.
    pub bundle_state: &'a BundleState,
    /// True if the bundle's files changed and have not been at rest since.
    pub is_moving: bool,
    /// Time at which the files will have been at rest long enough to be changed.
    pub settled_at: Instant,
    /// The desired proxy.
    pub setting: &'a Setting,
    /// The resolved settings, if a proxy named by hand takes precedence over them.
    pub beside: Option<&'a Setting>,
    /// The failure of the last attempt, if nothing has changed since.
    pub backoff: Option<&'a Backoff>,
    /// The running Docker.
    pub running: Option<&'a Running>,
    /// The policy for restarts of Docker.
    pub restart: RestartPolicy,
    /// The user's consent to one restart in this way.
    pub consent: Option<RestartScope>,
    /// True while a `baleen` command in a terminal updates the running VM.
    pub is_live_locked: bool,
    /// The ways that were tried already.
    pub attempts: &'a Attempts,
    /// True if a live update has just failed, possibly because Docker is about to quit.
    pub may_be_ending: bool,
    /// The current time.
    pub now: Instant,
}

/// An action of the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Do nothing.
    Nothing,
    /// Write the proxy of the settings into the boot image.
    Apply,
    /// Restore the boot image that Docker had before Baleen.
    Restore,
    /// Bring the running engine up to date.
    Restart(RestartScope),
}

/// The result of [`reconcile`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The state in one word.
    pub state: State,
    /// The state in a sentence.
    pub diagnostic: Diagnostic,
    /// The action to take now.
    pub action: Action,
    /// The action to take once the files are at rest, or once another attempt is due.
    pub pending: Action,
}

/// Decides the state and the next action.
pub fn reconcile(s: &Inputs<'_>) -> Decision {
    let at_rest = |state, diagnostic: Diagnostic| Decision {
        state,
        diagnostic,
        action: Action::Nothing,
        pending: Action::Nothing,
    };
    let installed = match s.bundle_state {
        BundleState::Missing(diagnostic) => return at_rest(State::NoDocker, diagnostic.clone()),
        BundleState::Incomplete(diagnostic) => return at_rest(State::Updating, diagnostic.clone()),
        BundleState::Unsupported(state, diagnostic, _) => {
            return at_rest(*state, diagnostic.clone());
        }
        BundleState::Ready(installed) => installed,
    };
    let (state, diagnostic, due) = judge_state(installed, s.intent, s.setting, s.beside);
    if s.is_moving {
        return Decision {
            state: State::Updating,
            diagnostic: Diagnostic::new("Docker is being updated: its files still change"),
            action: Action::Nothing,
            pending: due,
        };
    }
    if due == Action::Nothing {
        return restart(s, installed, state, diagnostic);
    }
    let (state, diagnostic) = match s.backoff {
        Some(refusal) => refused(refusal, state),
        None => (state, diagnostic),
    };
    let is_time = s.now >= s.settled_at && s.backoff.is_none_or(|r| s.now >= r.until);
    Decision {
        state,
        diagnostic,
        action: if is_time { due } else { Action::Nothing },
        pending: due,
    }
}

/// Returns the state of a bundle at rest, and the action that would bring it to the desired state.
fn judge_state(
    installed: &Installed,
    intent: Option<Intent>,
    setting: &Setting,
    beside: Option<&Setting>,
) -> (State, Diagnostic, Action) {
    let version = &installed.bundle.version;
    let in_place =
        |patch: &Patch| Diagnostic::new(format!("the engine gets {}", patch.proxy.summary()));
    if let Some(line) = installed.unpatched.by_hand() {
        let is_due = matches!(intent, Some(Intent::Settings | Intent::Named))
            && matches!(setting, Setting::Proxy { .. });
        return (
            State::Foreign,
            Diagnostic::new(format!(
                "the boot image carries a proxy that was not put there by Baleen ({line})"
            )),
            if is_due {
                Action::Apply
            } else {
                Action::Nothing
            },
        );
    }
    match (intent, &installed.patch) {
        (None | Some(Intent::Off), None) => (
            State::Off,
            Diagnostic::new(without_patch(installed)),
            Action::Nothing,
        ),
        (Some(Intent::Off), Some(patch)) => (
            State::Stale,
            Diagnostic::new(format!(
                "the engine gets {}, but no proxy is wanted any more",
                patch.proxy.summary()
            )),
            Action::Restore,
        ),
        (None, Some(patch)) => (State::Current, in_place(patch), Action::Nothing),
        (Some(Intent::Named), Some(patch)) => {
            let settings = beside.and_then(|settings| by_hand::clause(&patch.proxy, settings));
            let settings = settings.map(|clause| format!("{AFTER}{clause}"));
            let diagnostic = format!(
                "the engine gets {}, which was named by hand{}",
                patch.proxy.summary(),
                settings.unwrap_or_default()
            );
            (State::Current, Diagnostic::new(diagnostic), Action::Nothing)
        }
        (Some(Intent::Settings | Intent::Named), None) => {
            let wiped = match installed.unpatched {
                Unpatched::Clean => {
                    format!("Docker {version} has its own boot image, without the proxy")
                }
                _ => format!("Docker {version} has a boot image without Baleen's proxy"),
            };
            match setting {
                Setting::Direct { origin } => (
                    State::Direct,
                    Diagnostic::new(format!(
                        "no proxy is set in {origin}, and the engine has none either"
                    )),
                    Action::Nothing,
                ),
                Setting::ScriptAway => (
                    State::Direct,
                    Diagnostic::new("the PAC script can't be reached, so the engine goes direct"),
                    Action::Nothing,
                ),
                Setting::Proxy { .. } => (State::Wiped, Diagnostic::new(wiped), Action::Apply),
                Setting::Unknown => (State::Wiped, Diagnostic::new(wiped), Action::Nothing),
                Setting::Offline => (
                    State::Wiped,
                    Diagnostic::new(format!(
                        "{wiped}; the network is down, so which one it should have is not known now"
                    )),
                    Action::Nothing,
                ),
                Setting::Failed { diagnostic, .. } => (
                    State::Wiped,
                    Diagnostic {
                        sentence: format!("{wiped}: {}", diagnostic.sentence),
                        ..diagnostic.clone()
                    },
                    Action::Nothing,
                ),
            }
        }
        (Some(Intent::Settings), Some(patch)) => match setting {
            Setting::Proxy { block, .. } if *block == patch.block => {
                (State::Current, in_place(patch), Action::Nothing)
            }
            Setting::Proxy { shown, .. } => {
                let difference = patch.proxy.difference(shown);
                (
                    State::Stale,
                    Diagnostic::new(format!(
                        "the engine gets {}, but {difference}",
                        patch.proxy.summary()
                    )),
                    Action::Apply,
                )
            }
            Setting::Direct { origin } => (
                State::Stale,
                Diagnostic::new(format!(
                    "the engine gets {}, but no proxy is set in {origin}",
                    patch.proxy.summary()
                )),
                Action::Restore,
            ),
            Setting::ScriptAway => (
                State::Stale,
                Diagnostic::new(format!(
                    "the engine gets {}, but the PAC script can't be reached, so it should go direct",
                    patch.proxy.summary()
                )),
                Action::Restore,
            ),
            // The proxy in place is the best known one.
            Setting::Unknown | Setting::Offline => {
                (State::Current, in_place(patch), Action::Nothing)
            }
            Setting::Failed { diagnostic, .. } => (
                State::Current,
                Diagnostic {
                    sentence: format!(
                        "the engine gets {}{AFTER}whether that is right can't be told: {}",
                        patch.proxy.summary(),
                        diagnostic.sentence
                    ),
                    ..diagnostic.clone()
                },
                Action::Nothing,
            ),
        },
    }
}

/// Separator between the engine's proxy and the remark about it.
const AFTER: &str = "; ";

/// Returns the sentence about an image without Baleen's patch.
fn without_patch(installed: &Installed) -> String {
    match &installed.unpatched {
        Unpatched::Clean => "Docker has its own boot image".to_owned(),
        Unpatched::Unchecked => "Docker's boot image is not patched by Baleen".to_owned(),
        Unpatched::ByHand { line, .. } => {
            format!("Docker's boot image has a proxy set by hand ({line})")
        }
    }
}

/// Returns the state and the diagnostic after a failed attempt.
fn refused(refusal: &Backoff, state: State) -> (State, Diagnostic) {
    let state = match refusal.kind {
        Kind::Busy => State::Updating,
        Kind::NotPermitted => State::NotPermitted,
        Kind::Unsupported if refusal.diagnostic.fix == Some(Fix::Adopt) => State::Foreign,
        Kind::Unsupported => State::Unsupported,
        Kind::Failure | Kind::Usage => state,
    };
    (state, refusal.diagnostic.clone())
}

/// Decides about a restart. The image is as desired; the running engine may not be.
fn restart(
    s: &Inputs<'_>,
    installed: &Installed,
    state: State,
    diagnostic: Diagnostic,
) -> Decision {
    let is_final = matches!(
        state,
        State::Current | State::Direct | State::Off | State::Foreign
    );
    let old = s
        .running
        .filter(|running| running.engine(installed) == EngineSync::OutOfDate);
    let Some(old) = old.filter(|_| is_final) else {
        return Decision {
            state,
            diagnostic,
            action: Action::Nothing,
            pending: Action::Nothing,
        };
    };
    if s.is_live_locked {
        // The engine does not have the image's proxy yet.
        let image = match state {
            State::Current => {
                diagnostic
                    .sentence
                    .replacen("the engine gets", "the boot image has", 1)
            }
            _ => without_patch(installed),
        };
        return Decision {
            state,
            diagnostic: Diagnostic {
                sentence: format!(
                    "{image}; `baleen` in a terminal is bringing the running VM up to date"
                ),
                ..diagnostic
            },
            action: Action::Nothing,
            pending: Action::Nothing,
        };
    }
    let way = restart_scope(s, old, installed);
    let sentence = match state {
        State::Current => {
            let (proxy, rest) = match diagnostic.sentence.split_once(AFTER) {
                Some((proxy, rest)) => (proxy, format!("{AFTER}{rest}")),
                None => (&*diagnostic.sentence, String::new()),
            };
            format!("{proxy}, from Docker's next start on{rest}")
        }
        // After an unfinished edit, the engine's proxy is unknown.
        _ if old.edit.is_some_and(|edit| edit.is_open) => format!(
            "{}, but a change of the running VM was not finished: restart {}",
            without_patch(installed),
            match old.can_apply_live(installed) {
                true => "the Engine or Docker",
                false => "Docker",
            }
        ),
        _ => {
            let image = without_patch(installed);
            let still = match installed.unpatched {
                Unpatched::Clean => "still runs with the proxy",
                Unpatched::Unchecked => "Docker still runs with the proxy",
                Unpatched::ByHand { .. } => "Docker still runs with another one",
            };
            format!("{image}, but {still} until it is restarted")
        }
    };
    Decision {
        state: State::RestartNeeded,
        diagnostic: Diagnostic {
            sentence,
            ..diagnostic
        },
        action: way.map_or(Action::Nothing, Action::Restart),
        pending: Action::Nothing,
    }
}

/// Returns the way to bring the running engine up to date now: the one that the user chose, or the
/// quickest one that has not failed yet.
fn restart_scope(s: &Inputs<'_>, old: &Running, installed: &Installed) -> Option<RestartScope> {
    let can_follow = old.can_apply_live(installed);
    match s.consent {
        Some(RestartScope::Engine) => can_follow.then_some(RestartScope::Engine),
        Some(RestartScope::Docker) => Some(RestartScope::Docker),
        None if s.restart != RestartPolicy::Always || s.may_be_ending => None,
        None if can_follow && s.attempts.engine != Some(installed.revision()) => {
            Some(RestartScope::Engine)
        }
        None => (s.attempts.docker != Some(installed.revision())).then_some(RestartScope::Docker),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::docker::Family;

    fn shown(name: &str) -> RedactedProxy {
        RedactedProxy {
            http: None,
            https: Some(format!("http://{name}:1")),
            no_proxy: String::new(),
        }
    }

    fn installed(patch: Option<&str>) -> BundleState {
        BundleState::Ready(Installed {
            bundle: Bundle {
                path: "/d".into(),
                version: "1.12.0".to_owned(),
                build: String::new(),
                family: Family::Moby {
                    image: "/d/i".into(),
                },
            },
            image: "/d/i".into(),
            patch: patch.map(|name| Patch {
                block: Sha::of(name.as_bytes()),
                proxy: shown(name),
                original: OriginalSha(Sha::of(b"image")),
            }),
            unpatched: Unpatched::Clean,
            image_since: SystemTime::UNIX_EPOCH + Duration::from_secs(100),
        })
    }

    fn proxy(name: &str) -> Setting {
        Setting::Proxy {
            block: Sha::of(name.as_bytes()),
            shown: shown(name),
            origin: "the system's settings".to_owned(),
            script: None,
        }
    }

    fn direct() -> Setting {
        Setting::Direct {
            origin: "the system's settings".to_owned(),
        }
    }

    fn broken() -> Setting {
        Setting::Failed {
            diagnostic: Diagnostic::new("the script can't be had"),
            may_pass: true,
        }
    }

    const NOTHING_TRIED: Attempts = Attempts {
        engine: None,
        docker: None,
    };

    fn situation<'a>(
        intent: Option<Intent>,
        bundle_state: &'a BundleState,
        setting: &'a Setting,
        now: Instant,
    ) -> Inputs<'a> {
        Inputs {
            intent,
            bundle_state,
            is_moving: false,
            settled_at: now,
            setting,
            beside: None,
            backoff: None,
            running: None,
            restart: RestartPolicy::Ask,
            consent: None,
            is_live_locked: false,
            attempts: &NOTHING_TRIED,
            may_be_ending: false,
            now,
        }
    }

    #[test]
    fn what_is_wanted_what_is_there_and_what_the_settings_say() {
        use Action::{Apply, Nothing, Restore};
        use Intent::{Named, Off, Settings};
        use State::{Current, Direct, Stale, Wiped};
        let now = Instant::now();
        for (intent, patch, setting, state, act) in [
            (None, None, proxy("a"), State::Off, Nothing),
            (None, Some("a"), proxy("b"), Current, Nothing),
            (Some(Off), None, proxy("a"), State::Off, Nothing),
            (Some(Off), Some("a"), proxy("a"), Stale, Restore),
            (Some(Off), Some("a"), broken(), Stale, Restore),
            (Some(Settings), None, proxy("a"), Wiped, Apply),
            (Some(Settings), None, direct(), Direct, Nothing),
            (Some(Settings), None, Setting::ScriptAway, Direct, Nothing),
            (Some(Settings), None, broken(), Wiped, Nothing),
            (Some(Settings), None, Setting::Offline, Wiped, Nothing),
            (Some(Settings), None, Setting::Unknown, Wiped, Nothing),
            (Some(Settings), Some("a"), proxy("a"), Current, Nothing),
            (Some(Settings), Some("a"), proxy("b"), Stale, Apply),
            (Some(Settings), Some("a"), direct(), Stale, Restore),
            (
                Some(Settings),
                Some("a"),
                Setting::ScriptAway,
                Stale,
                Restore,
            ),
            // An unknown setting is no reason to remove a proxy that works.
            (Some(Settings), Some("a"), broken(), Current, Nothing),
            (
                Some(Settings),
                Some("a"),
                Setting::Offline,
                Current,
                Nothing,
            ),
            (
                Some(Settings),
                Some("a"),
                Setting::Unknown,
                Current,
                Nothing,
            ),
            // A proxy named by hand is right, whatever the settings say.
            (Some(Named), Some("a"), proxy("b"), Current, Nothing),
            (Some(Named), Some("a"), direct(), Current, Nothing),
            (Some(Named), None, proxy("a"), Wiped, Apply),
        ] {
            let bundle_state = installed(patch);
            let case = format!("{intent:?} {patch:?} {setting:?}");
            let at_rest = situation(intent, &bundle_state, &setting, now);
            let decision = reconcile(&at_rest);
            assert_eq!(
                (decision.state, decision.action, decision.pending),
                (state, act, act),
                "{case}"
            );

            // Nothing is changed too early or while the files change, but the pending action is known.
            let early = Inputs {
                settled_at: now + Duration::from_millis(1),
                ..at_rest
            };
            let decision = reconcile(&early);
            assert_eq!(
                (decision.state, decision.action, decision.pending),
                (state, Nothing, act),
                "{case}"
            );
            let moving = Inputs {
                is_moving: true,
                ..early
            };
            let decision = reconcile(&moving);
            assert_eq!(
                (decision.state, decision.action),
                (State::Updating, Nothing),
                "{case}"
            );

            // A failed attempt is not repeated early.
            let refusal = Backoff {
                kind: Kind::NotPermitted,
                diagnostic: Diagnostic::new("no"),
                until: now + Duration::from_secs(1),
            };
            let refused = Inputs {
                backoff: Some(&refusal),
                ..at_rest
            };
            let decision = reconcile(&refused);
            let expected = if act == Nothing {
                state
            } else {
                State::NotPermitted
            };
            assert_eq!(
                (decision.state, decision.action),
                (expected, Nothing),
                "{case}"
            );
            let later = Inputs {
                now: refusal.until,
                ..refused
            };
            assert_eq!(reconcile(&later).action, act, "{case}");
        }
    }

    /// Times before and after the image of [`installed`] was put in place.
    const BEFORE: Option<u64> = Some(99);
    const AFTER: Option<u64> = Some(101);

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn block(name: &str) -> Option<Sha> {
        Some(Sha::of(name.as_bytes()))
    }

    /// The image of [`installed`], with another block or from another time.
    fn which(name: &str, since: u64) -> Revision {
        Revision {
            block: block(name),
            since: at(since),
        }
    }

    fn running(since: Option<u64>, seen: Option<Option<Sha>>) -> Running {
        Running {
            pid: 7,
            since: since.map(at),
            block: seen,
            ..Running::default()
        }
    }

    fn edited(running: &Running, block: Option<Sha>, is_open: bool) -> Running {
        Running {
            edit: Some(LiveEdit {
                block,
                at: at(200),
                is_open,
            }),
            ..running.clone()
        }
    }

    #[test]
    fn what_the_running_engine_has_beside_what_the_image_says() {
        use EngineSync::{Followed, OutOfDate, UpToDate};
        let (a, b, stock) = (Some(block("a")), Some(block("b")), Some(None));
        for (patch, since, seen, expected) in [
            // Started after the image was put in place.
            (Some("a"), AFTER, None, UpToDate),
            (Some("a"), AFTER, b, UpToDate),
            // Started before: it depends on the image that it started from.
            (Some("a"), BEFORE, a, UpToDate),
            (Some("a"), BEFORE, b, OutOfDate),
            (Some("a"), BEFORE, stock, OutOfDate),
            (Some("a"), BEFORE, None, OutOfDate),
            (None, BEFORE, a, OutOfDate),
            (None, BEFORE, stock, UpToDate),
            (None, BEFORE, None, UpToDate),
            // The system does not report the start time.
            (Some("a"), None, None, UpToDate),
            (Some("a"), None, b, OutOfDate),
        ] {
            let bundle_state = installed(patch);
            let BundleState::Ready(installed) = &bundle_state else {
                unreachable!()
            };
            let case = format!("{patch:?} {since:?} {seen:?}");
            let started = running(since, seen);
            assert_eq!(started.engine(installed), expected, "{case}");

            // A later edit counts, whatever the VM started from.
            let image = patch.and_then(block);
            for edit in [block("a"), block("b"), None] {
                let expected = match edit == image {
                    true => Followed { at: at(200) },
                    false => OutOfDate,
                };
                let case = format!("{case}, edited: {edit:?}");
                let whole = edited(&started, edit, false);
                assert_eq!(whole.engine(installed), expected, "{case}");
                let open = edited(&started, edit, true);
                assert_eq!(open.engine(installed), OutOfDate, "{case}, not to its end");
            }
        }
    }

    #[test]
    fn it_is_brought_up_to_date_only_when_it_may_be_and_by_the_quickest_way_that_works() {
        use RestartPolicy::{Always, Ask, Never};
        use RestartScope::{Docker, Engine};
        let now = Instant::now();
        let (bundle_state, setting) = (installed(Some("a")), proxy("a"));
        let old = running(BEFORE, Some(None));
        let states = [
            (old.clone(), true),
            (edited(&old, block("b"), false), true),
            (edited(&old, None, false), true),
            (edited(&old, block("a"), true), true),
            (edited(&old, block("a"), false), false),
            (running(AFTER, None), false),
        ];
        let no_and_yes = [false, true];
        let mut seen = Vec::new();
        for (restart, consent) in [Ask, Always, Never]
            .into_iter()
            .flat_map(|restart| [None, Some(Engine), Some(Docker)].map(|one| (restart, one)))
        {
            for (engine_tried, docker_tried, has_console, is_followed) in
                no_and_yes.into_iter().flat_map(|engine| {
                    no_and_yes.into_iter().flat_map(move |docker| {
                        no_and_yes.into_iter().flat_map(move |console| {
                            no_and_yes.map(|followed| (engine, docker, console, followed))
                        })
                    })
                })
            {
                let expected = match (consent, restart, has_console, engine_tried, docker_tried) {
                    (Some(Docker), ..) => Action::Restart(Docker),
                    (Some(Engine), _, true, ..) => Action::Restart(Engine),
                    (Some(Engine), _, false, ..) => Action::Nothing,
                    (None, Ask | Never, ..) => Action::Nothing,
                    (None, Always, true, false, _) => Action::Restart(Engine),
                    (None, Always, _, _, false) => Action::Restart(Docker),
                    (None, Always, _, _, true) => Action::Nothing,
                };
                let this = which("a", 100);
                let tried = Attempts {
                    engine: engine_tried.then_some(this),
                    docker: docker_tried.then_some(this),
                };
                for (running, is_old) in &states {
                    let running = Running {
                        has_console,
                        ..running.clone()
                    };
                    let situation = Inputs {
                        running: Some(&running),
                        restart,
                        consent,
                        is_live_locked: is_followed,
                        attempts: &tried,
                        ..situation(Some(Intent::Settings), &bundle_state, &setting, now)
                    };
                    let (state, act) = match *is_old && !is_followed {
                        true => (State::RestartNeeded, expected),
                        false => (State::Current, Action::Nothing),
                    };
                    let decision = reconcile(&situation);
                    assert_eq!(
                        (decision.state, decision.action, decision.pending),
                        (state, act, Action::Nothing),
                        "{situation:?}"
                    );
                    let is_told = decision.diagnostic.sentence.contains("in a terminal");
                    assert_eq!(is_told, *is_old && is_followed);
                    seen.push(act);
                    let without = Inputs {
                        running: None,
                        ..situation
                    };
                    assert_eq!(reconcile(&without).action, Action::Nothing, "nothing runs");
                    let may_be_ending = Inputs {
                        may_be_ending: true,
                        ..situation
                    };
                    let agreed = match consent {
                        Some(_) => act,
                        None => Action::Nothing,
                    };
                    assert_eq!(reconcile(&may_be_ending).action, agreed, "it may be ending");
                }
            }
        }
        assert_eq!(seen.len(), 9 * 16 * 6);
    }

    #[test]
    fn a_way_that_was_tried_for_another_image_is_tried_again() {
        let (now, setting) = (Instant::now(), proxy("a"));
        let bundle_state = installed(Some("a"));
        let running = Running {
            has_console: true,
            ..running(BEFORE, Some(None))
        };
        let (this, other, newer) = (which("a", 100), which("b", 100), which("a", 101));
        for (engine, docker, expected) in [
            (Some(this), None, Action::Restart(RestartScope::Docker)),
            (Some(other), None, Action::Restart(RestartScope::Engine)),
            (Some(newer), None, Action::Restart(RestartScope::Engine)),
            (None, Some(this), Action::Restart(RestartScope::Engine)),
            (Some(this), Some(this), Action::Nothing),
            (
                Some(this),
                Some(other),
                Action::Restart(RestartScope::Docker),
            ),
            (
                Some(this),
                Some(newer),
                Action::Restart(RestartScope::Docker),
            ),
        ] {
            let tried = Attempts { engine, docker };
            let situation = Inputs {
                running: Some(&running),
                restart: RestartPolicy::Always,
                attempts: &tried,
                ..situation(Some(Intent::Settings), &bundle_state, &setting, now)
            };
            assert_eq!(reconcile(&situation).action, expected, "{tried:?}");
        }
    }

    #[test]
    fn nothing_is_said_of_the_running_engine_that_is_not_known() {
        let now = Instant::now();
        let in_a_terminal = "`baleen` in a terminal is bringing the running VM up to date";
        let unfinished = "Docker has its own boot image, but a change of the running VM was not finished: restart";
        let old = running(BEFORE, Some(block("b")));
        let with_console = |running: &Running| Running {
            has_console: true,
            ..running.clone()
        };
        let open = edited(&old, block("b"), true);
        let (settings, off) = (Some(Intent::Settings), Some(Intent::Off));
        for (intent, patch, setting, running, is_followed, expected) in [
            (
                settings,
                Some("a"),
                proxy("a"),
                &old,
                true,
                format!("the boot image has http://a:1 for https; {in_a_terminal}"),
            ),
            (
                settings,
                Some("a"),
                broken(),
                &old,
                true,
                format!(
                    "the boot image has http://a:1 for https; whether that is right can't be told: the script can't be had; {in_a_terminal}"
                ),
            ),
            (
                settings,
                None,
                direct(),
                &old,
                true,
                format!("Docker has its own boot image; {in_a_terminal}"),
            ),
            (
                off,
                None,
                proxy("a"),
                &old,
                true,
                format!("Docker has its own boot image; {in_a_terminal}"),
            ),
            (
                settings,
                None,
                direct(),
                &old,
                false,
                "Docker has its own boot image, but still runs with the proxy until it is restarted"
                    .to_owned(),
            ),
            (
                settings,
                None,
                direct(),
                &open,
                false,
                format!("{unfinished} Docker"),
            ),
            (
                off,
                None,
                direct(),
                &with_console(&open),
                false,
                format!("{unfinished} the Engine or Docker"),
            ),
        ] {
            let bundle_state = installed(patch);
            let situation = Inputs {
                running: Some(running),
                is_live_locked: is_followed,
                ..situation(intent, &bundle_state, &setting, now)
            };
            assert_eq!(reconcile(&situation).diagnostic.sentence, expected);
        }
    }

    #[test]
    fn only_a_vm_of_the_moby_family_can_follow() {
        let BundleState::Ready(mut installed) = installed(None) else {
            unreachable!()
        };
        let running = Running {
            has_console: true,
            ..running(BEFORE, None)
        };
        assert!(running.can_apply_live(&installed));
        installed.bundle.family = Family::Unknown(vec!["vpnkit".to_owned()]);
        assert!(!running.can_apply_live(&installed));
    }

    #[test]
    fn what_a_refusal_makes_of_the_state() {
        let (bundle_state, setting, now) = (installed(None), proxy("a"), Instant::now());
        for (kind, remedy, expected) in [
            (Kind::Busy, None, State::Updating),
            (Kind::NotPermitted, None, State::NotPermitted),
            (Kind::Unsupported, None, State::Unsupported),
            (Kind::Unsupported, Some(Fix::Adopt), State::Foreign),
            (Kind::Failure, None, State::Wiped),
        ] {
            let refusal = Backoff {
                kind,
                diagnostic: Diagnostic {
                    fix: remedy,
                    ..Diagnostic::new("why")
                },
                until: now + Duration::from_secs(1),
            };
            let situation = Inputs {
                backoff: Some(&refusal),
                ..situation(Some(Intent::Settings), &bundle_state, &setting, now)
            };
            assert_eq!(reconcile(&situation).state, expected);
            assert_eq!(reconcile(&situation).diagnostic.sentence, "why");
        }
    }
}
