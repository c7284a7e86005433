//! Reconciliation: a pure function from the observed and the desired state to the next action. It does no
//! I/O and never waits.
//!
//! It is level-triggered: it depends on the current state, never on events, so a lost event costs only
//! time.

use std::time::Instant;

use crate::config::RestartPolicy;
use crate::error::{Fix, Kind};
use crate::patch::Unpatched;
use crate::patch::intent::Intent;
use crate::patch::status::State;

use super::by_hand;
use super::observation::{
    BundleState, Diagnostic, EngineSync, Installed, Patch, RestartScope, Revision, Running, Setting,
};

/// The ways that were tried without success, each with the image that it was tried for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Attempts {
    /// The image for which a restart of the Engine was attempted.
    pub engine: Option<Revision>,
    /// The image for which a restart of Docker was attempted.
    pub docker: Option<Revision>,
}

/// A failed attempt, and the time before which it is not repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Backoff {
    /// The kind of failure.
    pub kind: Kind,
    /// The reason.
    pub diagnostic: Diagnostic,
    /// Time of the next attempt.
    pub until: Instant,
}

/// The inputs of [`reconcile`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inputs<'a> {
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
    pub overridden_settings: Option<&'a Setting>,
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
pub(crate) enum Action {
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
pub(crate) struct Decision {
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
pub(crate) fn reconcile(s: &Inputs<'_>) -> Decision {
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
    let (state, diagnostic, due) =
        judge_state(installed, s.intent, s.setting, s.overridden_settings);
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
    overridden_settings: Option<&Setting>,
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
            let settings =
                overridden_settings.and_then(|settings| by_hand::clause(&patch.proxy, settings));
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
                Setting::ScriptUnreachable => (
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
            Setting::ScriptUnreachable => (
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
                        "the engine gets {}{AFTER}whether that is right is unknown: {}",
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
mod tests;
