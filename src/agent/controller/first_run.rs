//! The first run: the facts on which its next step depends, and what follows from an answer.

use super::reporting::trouble_key;
use super::*;
use crate::agent::first_run::{Choice, Facts, Obstacle, Past, Readiness, Step, next};
use crate::error::Fix;

/// Time for which a question counts as one that the user is about to answer, so that the next one waits.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(60);
/// Time for which Baleen checks often whether the user has allowed it to change Docker.
const PERMISSION_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// Interval between these checks. No event announces the permission, and a check is an attempt to change Docker.
pub(super) const PERMISSION_POLL_INTERVAL: Duration = Duration::from_secs(10);

impl Controller {
    /// Returns the next step of the first run.
    pub(super) fn first_run_step(&mut self, decision: &Decision, now: Instant) -> Step {
        let is_recent = self.question_open_until().is_some_and(|until| now < until);
        let readiness = self.readiness();
        let choice = match self.intent {
            Some(Intent::Off) => Choice::Off,
            None if !self.is_on() => Choice::None,
            None | Some(_) => Choice::On,
        };
        let can_start_at_login = self.login_item == Some(LoginItem::Off);
        let is_denied = decision.state == State::NotPermitted
            && decision.reason.fix() == Some(Fix::AllowAppManagement);
        let kept = self.state.first_run();
        let past = |question| kept.past(question, is_recent);
        next(&Facts {
            is_over: kept.is_over(),
            readiness: match readiness {
                Readiness::Blocked { obstacle, .. } => Readiness::Blocked {
                    obstacle,
                    was_said: kept.was_said(obstacle),
                },
                other => other,
            },
            choice,
            can_start_at_login,
            is_denied,
            use_proxy: past(Question::UseProxy),
            start_at_login: past(Question::StartAtLogin),
            allow_changes: past(Question::AllowChanges),
        })
    }

    /// Returns what stands between the settings' proxy and Docker.
    fn readiness(&self) -> Readiness {
        let blocked = |obstacle| Readiness::Blocked {
            obstacle,
            was_said: false,
        };
        match self.support() {
            DockerSupport::Missing => return blocked(Obstacle::NoDocker),
            DockerSupport::Locked(_) => return blocked(Obstacle::Locked),
            DockerSupport::OwnSettings { .. } => return blocked(Obstacle::OwnSettings),
            // The user can grant the permission, and is asked to once the proxy is wanted.
            DockerSupport::Unusable(_) if !self.can_be_asked_for() => {
                return blocked(Obstacle::Unusable);
            }
            DockerSupport::Unusable(_) | DockerSupport::Patched => {}
        }
        match &self.setting {
            Setting::Proxy { .. } => Readiness::Ready,
            Setting::Direct { .. } => blocked(Obstacle::NoProxy),
            Setting::ScriptUnreachable => blocked(Obstacle::ScriptUnreachable),
            // A problem of the config file is reported as one.
            Setting::Failed {
                is_transient: false,
                ..
            } if self.config_trouble.is_none() => blocked(Obstacle::SettingsUnusable),
            Setting::Unknown | Setting::Offline | Setting::Failed { .. } => Readiness::Unknown,
        }
    }

    /// Records that the user reads now what stands between the settings' proxy and Docker.
    pub(super) fn was_said(&mut self) {
        if let Readiness::Blocked { obstacle, .. } = self.readiness() {
            self.state.first_run().say(obstacle);
        }
    }

    /// Records a step of the first run, and returns its notice.
    pub(super) fn take_step(
        &mut self,
        step: Step,
        decision: &Decision,
        now: Instant,
    ) -> Option<Notice> {
        let notice = match step {
            Step::Nothing | Step::Wait => return None,
            Step::Say(obstacle) => {
                self.state.first_run().say(obstacle);
                match obstacle {
                    Obstacle::NoDocker
                    | Obstacle::Locked
                    | Obstacle::OwnSettings
                    | Obstacle::Unusable => Notice::CannotUse {
                        proxy: self.proxy_here(),
                        support: self.support(),
                    },
                    Obstacle::NoProxy
                    | Obstacle::ScriptUnreachable
                    | Obstacle::SettingsUnusable => Notice::NothingToUse {
                        setting: self.setting.clone(),
                    },
                }
            }
            Step::Ask(question) => {
                self.state.first_run().ask(question);
                self.question_asked_at = Some(now);
                match question {
                    Question::UseProxy => Notice::AskUseProxy {
                        proxy: self.proxy_here()?,
                    },
                    Question::StartAtLogin => Notice::AskStartAtLogin,
                    Question::AllowChanges => {
                        // The question says what the problem is.
                        self.state.trouble = Some(trouble_key(decision.state, &decision.reason));
                        Notice::AskAllowChanges
                    }
                }
            }
        };
        self.state.welcomed = true;
        Some(notice)
    }

    /// Handles an answer to a question.
    pub(super) fn answered(
        &mut self,
        question: Question,
        is_yes: bool,
        now: Instant,
    ) -> Vec<Effect> {
        self.state.first_run().answer(question, is_yes);
        match (question, is_yes) {
            (Question::UseProxy, true) => return self.click(Click::UseProxy(true), now),
            (Question::AllowChanges, true) => self.await_permission(now),
            (Question::StartAtLogin, _) => self.observe_at = Some(now),
            (Question::UseProxy | Question::AllowChanges, false) => {}
        }
        Vec::new()
    }

    /// Checks often from now on whether the user has allowed Baleen to change Docker.
    pub(super) fn await_permission(&mut self, now: Instant) {
        self.permission_awaited_until = Some(now + PERMISSION_TIMEOUT);
        if let Some(backoff) = &mut self.backoff
            && backoff.kind == Kind::NotPermitted
        {
            backoff.until = backoff.until.min(now + PERMISSION_POLL_INTERVAL);
        }
        self.observe_by(now + PERMISSION_POLL_INTERVAL);
    }

    /// Returns whether the user may be about to allow Baleen to change Docker.
    pub(super) fn is_permission_awaited(&self, now: Instant) -> bool {
        self.permission_awaited_until
            .is_some_and(|until| now < until)
    }

    /// Returns the time until which the last question counts as one that the user is about to answer.
    pub(super) fn question_open_until(&self) -> Option<Instant> {
        let login = self.state.first_run.as_ref()?;
        let is_open = login.past(Question::StartAtLogin, true) == Past::Open;
        self.question_asked_at
            .filter(|_| is_open)
            .map(|at| at + QUESTION_TIMEOUT)
    }
}
