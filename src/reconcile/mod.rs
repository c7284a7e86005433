//! Reconciliation: a pure function from the observed and the desired state to the next action. It does no
//! I/O and never waits.
//!
//! It is level-triggered: it depends on the current state, never on events, so a lost event costs only
//! time.

mod reason;
mod state;

use std::time::Instant;

use crate::backend::{
    Configured, EngineSync, Generation, Installed, Observation, RestartScope, Running, Unpatched,
};
use crate::config::RestartPolicy;
use crate::desired::Setting;
use crate::error::{Diagnostic, Fix, Kind};
use crate::intent::Intent;

pub use reason::{Obstacle, Reason};
pub use state::State;

/// The ways that were tried without success, each with the image that it was tried for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Attempts {
    /// The image for which a restart of the Engine was attempted.
    pub engine: Option<Generation>,
    /// The image for which a restart of Docker was attempted.
    pub docker: Option<Generation>,
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
    pub observation: &'a Observation,
    /// True if the bundle's files changed and have not been at rest since.
    pub is_moving: bool,
    /// Time at which the files will have been at rest long enough to be changed.
    pub settled_at: Instant,
    /// Time from which Docker may be restarted without being asked, if there is one to wait for.
    pub restart_from: Option<Instant>,
    /// The desired proxy.
    pub setting: &'a Setting,
    /// The resolved settings, if a proxy named by hand takes precedence over them.
    pub overridden_settings: Option<&'a Setting>,
    /// The failure of the last attempt, if nothing has changed since.
    pub backoff: Option<&'a Backoff>,
    /// The running Docker.
    pub running: Option<&'a Running>,
    /// Whether containers should get the proxy, too; nothing if that is not compared.
    pub containers: Option<bool>,
    /// The policy for restarts of Docker.
    pub restart: RestartPolicy,
    /// The user's consent to one restart in this way.
    pub consent: Option<RestartScope>,
    /// True if the user has asked for a check and repair, until its result is reported.
    pub is_asked: bool,
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
    /// The reason for the state.
    pub reason: Reason,
    /// The action to take now.
    pub action: Action,
    /// The action to take once the files are at rest, or once another attempt is due.
    pub pending: Action,
}

impl Decision {
    fn at_rest(state: State, reason: Reason) -> Self {
        Self {
            state,
            reason,
            action: Action::Nothing,
            pending: Action::Nothing,
        }
    }
}

/// Decides the state and the next action.
pub(crate) fn reconcile(s: &Inputs<'_>) -> Decision {
    let installed = match s.observation {
        Observation::Missing(why) => {
            return Decision::at_rest(State::NoDocker, Reason::NoDocker(why.clone()));
        }
        Observation::Incomplete(why) => {
            return Decision::at_rest(State::Updating, Reason::Incomplete(why.clone()));
        }
        Observation::Blocked(why, _) => {
            let state = match why.kind() {
                Kind::NotPermitted => State::NotPermitted,
                Kind::Locked => State::Locked,
                _ => State::Unsupported,
            };
            return Decision::at_rest(state, Reason::Blocked(why.clone()));
        }
        Observation::NotAnswering(why, _) => {
            return Decision::at_rest(State::NotAnswering, Reason::NotAnswering(why.clone()));
        }
        Observation::Ready(installed) => installed,
    };
    let judged = judge_state(s, installed);
    let (state, reason, due) = judge_containers(s, installed, judged);
    if s.is_moving {
        return Decision {
            pending: due,
            ..Decision::at_rest(State::Updating, Reason::Moving)
        };
    }
    if due == Action::Nothing {
        return restart(s, installed, state, reason);
    }
    let (state, reason) = match s.backoff {
        Some(refusal) => refused(refusal, state),
        None => (state, reason),
    };
    let is_time = s.now >= s.settled_at && s.backoff.is_none_or(|r| s.now >= r.until);
    Decision {
        state,
        reason,
        action: if is_time { due } else { Action::Nothing },
        pending: due,
    }
}

/// Returns the state of a bundle at rest, and the action that would bring it to the desired state.
fn judge_state(s: &Inputs<'_>, installed: &Installed) -> (State, Reason, Action) {
    let (intent, setting) = (s.intent, s.setting);
    if installed.unpatched.by_hand().is_some() {
        let is_due = matches!(intent, Some(Intent::Settings | Intent::Named))
            && matches!(setting, Setting::Proxy { .. });
        return (
            State::Foreign,
            Reason::ByHand(installed.unpatched.clone()),
            if is_due {
                Action::Apply
            } else {
                Action::Nothing
            },
        );
    }
    if let Some(decided) = judge_own_settings(s, installed) {
        return decided;
    }
    let in_place = |it: &Configured| it.proxy.clone();
    match (intent, &installed.configured) {
        (None | Some(Intent::Off), None) => (
            State::Off,
            Reason::NotPatched(installed.unpatched.clone()),
            match intent {
                Some(_) => restore_the_rest(installed),
                None => Action::Nothing,
            },
        ),
        (Some(Intent::Off), Some(configured)) => (
            State::Stale,
            Reason::Unwanted(in_place(configured)),
            Action::Restore,
        ),
        (None, Some(configured)) => (
            State::Current,
            Reason::InPlace(in_place(configured)),
            Action::Nothing,
        ),
        (Some(Intent::Named), Some(configured)) => (
            State::Current,
            Reason::NamedInPlace {
                proxy: in_place(configured),
                settings: s.overridden_settings.cloned(),
            },
            Action::Nothing,
        ),
        (Some(intent), None) => without_patch(installed, intent, setting),
        (Some(Intent::Settings), Some(configured)) => match setting {
            Setting::Proxy { revision, .. } if *revision == configured.revision => (
                State::Current,
                Reason::InPlace(in_place(configured)),
                Action::Nothing,
            ),
            Setting::Proxy { shown, .. } => (
                State::Stale,
                Reason::Different {
                    in_place: in_place(configured),
                    desired: shown.clone(),
                },
                Action::Apply,
            ),
            Setting::Direct { origin } => (
                State::Stale,
                Reason::NoProxySetAnyMore {
                    in_place: in_place(configured),
                    origin: origin.clone(),
                },
                Action::Restore,
            ),
            Setting::ScriptUnreachable => (
                State::Stale,
                Reason::ScriptUnreachableNow {
                    in_place: in_place(configured),
                },
                Action::Restore,
            ),
            // The proxy in place is the best known one.
            Setting::Unknown | Setting::Offline => (
                State::Current,
                Reason::InPlace(in_place(configured)),
                Action::Nothing,
            ),
            Setting::Failed { diagnostic, .. } => (
                State::Current,
                Reason::Unverified {
                    proxy: in_place(configured),
                    why: diagnostic.clone(),
                },
                Action::Nothing,
            ),
        },
    }
}

/// Returns the same, unless the engine itself is right and what containers get is not.
fn judge_containers(
    s: &Inputs<'_>,
    installed: &Installed,
    judged: (State, Reason, Action),
) -> (State, Reason, Action) {
    let own = installed.own_settings.as_ref();
    let (Some(own), Some(desired)) = (own, s.containers) else {
        return judged;
    };
    // The proxy of the settings can only be put there while it is known.
    let is_known = matches!(s.setting, Setting::Proxy { .. });
    let is_followed = matches!(judged.1, Reason::FollowsSystem(_));
    let has_proxy = installed.configured.is_some() || is_followed;
    let is_right = judged.0 == State::Current && has_proxy;
    let is_other = own.containers != desired
        || is_followed && desired && own.containers_revision != s.setting.revision();
    match is_right && is_known && s.intent.is_some() && is_other {
        true => (State::Stale, Reason::Containers { desired }, Action::Apply),
        false => judged,
    }
}

/// Returns the state of an engine with settings of its own that Baleen's proxy is not in, where that differs from others.
fn judge_own_settings(s: &Inputs<'_>, installed: &Installed) -> Option<(State, Reason, Action)> {
    let own = installed.own_settings.as_ref()?;
    let intent = s.intent;
    let Setting::Proxy {
        shown,
        is_plain_system,
        ..
    } = s.setting
    else {
        return None;
    };
    if installed.configured.is_some() || intent == Some(Intent::Off) {
        return None;
    }
    if own.follows_system && *is_plain_system && intent != Some(Intent::Named) {
        let reason = Reason::FollowsSystem(shown.clone());
        // What Baleen has changed in it is taken back, if it followed this computer before, too.
        let has_rest = own.was_configured && own.followed_before && own.can_restore;
        let may_try = !own.was_put_back || s.is_asked;
        let action = match intent.is_some() && has_rest && may_try {
            true => Action::Apply,
            false => Action::Nothing,
        };
        return Some((State::Current, reason, action));
    }
    intent?;
    // What put it back would do so again: one attempt for each start of the engine, unless the user asks for another.
    if own.was_put_back && !s.is_asked {
        return Some((State::Wiped, Reason::PutBack, Action::Nothing));
    }
    (own.follows_system && !own.was_configured && intent == Some(Intent::Settings)).then(|| {
        let reason = Reason::CannotFollow(shown.clone());
        (State::Stale, reason, Action::Apply)
    })
}

/// Returns what takes back the rest of a change, after something else has taken the proxy out.
fn restore_the_rest(installed: &Installed) -> Action {
    let own = installed.own_settings.as_ref();
    let is_others = matches!(installed.unpatched, Unpatched::InSettings { .. });
    match own.is_some_and(|own| own.can_restore) && !is_others {
        true => Action::Restore,
        false => Action::Nothing,
    }
}

/// Returns the state of an image without a patch in which a proxy is wanted.
fn without_patch(
    installed: &Installed,
    intent: Intent,
    setting: &Setting,
) -> (State, Reason, Action) {
    let wiped = |obstacle, action| {
        let reason = Reason::Wiped {
            version: installed.engine.version.clone(),
            unpatched: installed.unpatched.clone(),
            is_named: intent == Intent::Named,
            obstacle,
        };
        (State::Wiped, reason, action)
    };
    match setting {
        Setting::Direct { origin } => (
            State::Direct,
            Reason::NoProxySet {
                origin: origin.clone(),
            },
            restore_the_rest(installed),
        ),
        Setting::ScriptUnreachable => (
            State::Direct,
            Reason::ScriptUnreachable,
            restore_the_rest(installed),
        ),
        Setting::Proxy { .. } => wiped(None, Action::Apply),
        Setting::Unknown => wiped(None, Action::Nothing),
        Setting::Offline => wiped(Some(Obstacle::Offline), Action::Nothing),
        Setting::Failed { diagnostic, .. } => wiped(
            Some(Obstacle::Settings(diagnostic.clone())),
            Action::Nothing,
        ),
    }
}

/// Returns the state and the reason after a failed attempt.
fn refused(refusal: &Backoff, state: State) -> (State, Reason) {
    let state = match refusal.kind {
        Kind::Busy => State::Updating,
        Kind::NotPermitted => State::NotPermitted,
        Kind::Unsupported if refusal.diagnostic.fix() == Some(Fix::Adopt) => State::Foreign,
        Kind::Unsupported => State::Unsupported,
        Kind::Locked => State::Locked,
        Kind::Failure | Kind::Usage | Kind::Unavailable => state,
    };
    (state, Reason::Refused(refusal.diagnostic.clone()))
}

/// Decides about a restart. The image is as desired; the running engine may not be.
fn restart(s: &Inputs<'_>, installed: &Installed, state: State, reason: Reason) -> Decision {
    let is_final = matches!(
        state,
        State::Current | State::Direct | State::Off | State::Foreign
    );
    let old = s
        .running
        .filter(|running| running.engine(installed) == EngineSync::OutOfDate);
    let Some(old) = old.filter(|_| is_final) else {
        return Decision::at_rest(state, reason);
    };
    if s.is_live_locked {
        // The engine does not have the image's proxy yet.
        let image = match state {
            State::Current => reason,
            _ => Reason::NotPatched(installed.unpatched.clone()),
        };
        return Decision::at_rest(state, Reason::LiveInProgress(Box::new(image)));
    }
    let way = restart_scope(s, old, installed);
    let reason = match state {
        State::Current => Reason::NextStart(Box::new(reason)),
        _ if old.edit.is_some_and(|edit| edit.is_open) => Reason::LiveUnfinished {
            unpatched: installed.unpatched.clone(),
            can_apply_live: old.can_apply_live(installed),
        },
        _ => Reason::StillRuns(installed.unpatched.clone()),
    };
    Decision {
        action: way.map_or(Action::Nothing, Action::Restart),
        ..Decision::at_rest(State::RestartNeeded, reason)
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
        // Each change of the proxy would need another restart.
        None if s.restart_from.is_some_and(|from| s.now < from) => None,
        None if can_follow && s.attempts.engine != Some(installed.generation()) => {
            Some(RestartScope::Engine)
        }
        None => (s.attempts.docker != Some(installed.generation())).then_some(RestartScope::Docker),
    }
}

#[cfg(test)]
mod tests;
