//! Reporting: the notices to show, and the state for display.

use super::*;
use crate::agent::first_run::Step;
use crate::error::Fix;

impl Controller {
    /// Returns the notices that are due, and before them the job that saves the state.
    pub(super) fn report(&mut self, decision: &Decision, now: Instant) -> Vec<Effect> {
        let mut told = Vec::new();
        let is_known = self.setting != Setting::Unknown;
        // What Baleen can do for this Docker is known once an update has ended.
        let is_whole =
            !matches!(self.observation, Observation::Incomplete(_)) || self.is_stuck(now);
        let is_due =
            self.has_icon && is_known && is_whole && !self.is_live_locked && now >= self.settled_at;
        let step = match is_due {
            true => self.first_run_step(decision, now),
            false => Step::Nothing,
        };
        told.extend(self.take_step(step, decision, now));
        let is_settled = now >= self.settled_at
            && decision.pending == Action::Nothing
            && is_known
            && !self.is_live_locked
            && self.quit_grace_until.is_none();
        if let (Some(path), Observation::Ready(installed), true) =
            (&self.path, &self.observation, is_settled)
        {
            let (path, installed) = (path.clone(), installed.clone());
            told.extend(self.difference(&path, &installed, decision, now));
            let is_reported = !told.is_empty();
            told.extend(self.settings_changed(&path).filter(|_| !is_reported));
        }
        match self.problem(decision, now) {
            // A question about the permission follows.
            Some(reason)
                if reason.fix() == Some(Fix::AllowAppManagement)
                    && matches!(step, Step::Wait | Step::Ask(Question::StartAtLogin)) => {}
            Some(reason) => {
                let key = trouble_key(decision.state, &reason);
                if self.state.trouble.as_ref() != Some(&key) {
                    self.state.trouble = Some(key);
                    told.push(Notice::Trouble {
                        state: decision.state,
                        reason,
                    });
                }
            }
            // A problem that comes and goes with the settings is the same problem until a change is reported.
            None if told.is_empty() => {}
            None => self.state.trouble = None,
        }
        if self.asked && (is_settled || self.backoff.is_some()) {
            self.asked = false;
            if told.is_empty() {
                self.log(&PastEvent::Checked(&decision.reason));
            }
        }
        for notice in &told {
            self.log(&PastEvent::Notified(notice));
        }
        // The state is saved first: if Baleen is killed in between, a notice is lost rather than repeated.
        let mut effects = Vec::new();
        if self.state != self.stored {
            self.stored = self.state.clone();
            effects.push(Effect::Remember(Box::new(self.state.clone())));
        }
        effects.extend(told.into_iter().map(Effect::Notify));
        effects
    }

    /// Returns a notice of what differs from the last report to the user.
    pub(super) fn difference(
        &mut self,
        path: &Path,
        installed: &Installed,
        decision: &Decision,
        at: Instant,
    ) -> Option<Notice> {
        let now = Reported::of(installed);
        let named = self.intent == Some(Intent::Named);
        let docker = self.restart_need(decision);
        let known = self.state.known_mut(path);
        // A proxy named by hand that an update wiped must still be put back.
        if !named {
            known.named = None;
            known.settings = None;
        }
        let Some(before) = known.told.clone() else {
            known.told = Some(now);
            return None;
        };
        let is_wanted = self.intent == Some(Intent::Settings);
        let overridden_settings = self.overridden_settings.as_ref();
        let mut notice = notice(&before, &now, &self.setting, is_wanted, docker);
        if let Some(Notice::Changed {
            settings, by_hand, ..
        }) = &mut notice
        {
            // Another change may follow: where it ends is reported.
            if self
                .proxy_debounce
                .report_from()
                .is_some_and(|from| at < from)
            {
                return None;
            }
            *settings = overridden_settings.cloned();
            *by_hand = installed.unpatched.clone();
        }
        self.state.known_mut(path).told = Some(now);
        notice
    }

    /// The proxy named by hand, if it is in the image.
    pub(super) fn named_in_place(&self) -> Option<RedactedProxy> {
        let configured = self.installed()?.configured.as_ref()?;
        (self.intent == Some(Intent::Named)).then(|| configured.proxy.clone())
    }

    /// Returns a notice if the settings changed while a proxy named by hand is in place, so Docker keeps it.
    pub(super) fn settings_changed(&mut self, path: &Path) -> Option<Notice> {
        let in_place = self.named_in_place()?;
        let settings = self.overridden_settings.clone()?;
        let now = match &settings {
            Setting::Direct { .. } => None,
            Setting::Proxy { revision, .. } => Some(*revision),
            // The settings are only unavailable for now.
            Setting::Unknown
            | Setting::Offline
            | Setting::ScriptUnreachable
            | Setting::Failed { .. } => {
                return None;
            }
        };
        let before = self.state.known_mut(path).settings.replace(now)?;
        (before != now).then_some(Notice::SettingsChanged { in_place, settings })
    }

    /// Returns the running Docker's need for a restart.
    pub(super) fn restart_need(&self, decision: &Decision) -> RestartNeed {
        match (decision.state, decision.action) {
            (State::RestartNeeded, Action::Restart(way)) => RestartNeed::Restarts(way),
            (State::RestartNeeded, _) if self.config.restart == RestartPolicy::Never => {
                RestartNeed::Waits
            }
            (State::RestartNeeded, _) => RestartNeed::Asks {
                can_apply_live: self.can_apply_live(),
            },
            _ => RestartNeed::NotNeeded,
        }
    }

    /// Returns the problem that needs the user, if any.
    pub(super) fn problem(&self, decision: &Decision, now: Instant) -> Option<Reason> {
        if let Some(why) = &self.config_trouble {
            return Some(Reason::Config(why.clone()));
        }
        if matches!(self.intent, None | Some(Intent::Off)) && self.backoff.is_none() {
            return None;
        }
        let is_trouble = match decision.state {
            State::NotPermitted | State::Foreign | State::Unsupported | State::Locked => true,
            State::Updating => self.is_stuck(now),
            State::Wiped if decision.reason == Reason::PutBack => true,
            State::Wiped | State::Stale => {
                self.backoff.is_some() || matches!(self.setting, Setting::Failed { .. })
            }
            State::Current | State::RestartNeeded => {
                matches!(
                    self.setting,
                    Setting::Failed {
                        is_transient: false,
                        ..
                    }
                ) && self.intent == Some(Intent::Settings)
            }
            State::Off | State::Direct | State::NoDocker | State::NotAnswering => false,
        };
        is_trouble.then(|| decision.reason.clone())
    }

    pub(super) fn notify(&mut self, notice: Notice) -> Effect {
        self.log(&PastEvent::Notified(&notice));
        Effect::Notify(notice)
    }

    pub(super) fn log(&mut self, event: &PastEvent<'_>) {
        let line = (self.wording.history)(event);
        self.state.log((self.wall)(), line);
    }

    /// The proxy of the settings, as seen from this Docker.
    pub(super) fn proxy_here(&self) -> Option<RedactedProxy> {
        match &self.setting {
            Setting::Proxy { shown, .. } => Some(shown.clone()),
            _ => None,
        }
    }

    /// Returns Baleen's support for the installed Docker.
    pub(super) fn support(&self) -> DockerSupport {
        if let Observation::Blocked(why, _) = &self.observation
            && why.kind() == Kind::Locked
        {
            return DockerSupport::Locked(why.clone());
        }
        let own = self.facts().and_then(|engine| {
            Some(DockerSupport::OwnSettings {
                pane: engine.proxy_pane?,
                version: engine.version.clone(),
            })
        });
        match (&self.observation, own) {
            (Observation::Ready(_) | Observation::NotAnswering(..), _) => DockerSupport::Patched,
            (Observation::Missing(_), _) => DockerSupport::Missing,
            (_, Some(own)) => own,
            (Observation::Incomplete(diagnostic) | Observation::Blocked(diagnostic, _), None) => {
                DockerSupport::Unusable(diagnostic.clone())
            }
        }
    }

    /// Returns whether a request for the proxy can be recorded. It can also be recorded while Baleen may not
    /// change Docker: updates end, and the user can grant the permission.
    pub(super) fn can_be_asked_for(&self) -> bool {
        match &self.observation {
            Observation::Missing(_) => false,
            Observation::Blocked(why, _) => why.kind() == Kind::NotPermitted,
            Observation::Incomplete(_) | Observation::NotAnswering(..) | Observation::Ready(_) => {
                true
            }
        }
    }

    /// Returns whether the proxy is switched on. Without a recorded intent, it is on if the image has one.
    pub(super) fn is_on(&self) -> bool {
        match (self.intent, &self.observation) {
            (Some(intent), _) => intent != Intent::Off,
            (None, Observation::Ready(installed)) => installed.configured.is_some(),
            (None, _) => false,
        }
    }

    /// Returns the current state for display.
    pub fn view(&self, now: Instant) -> View {
        let decision = self.reconcile(now);
        let reason = match &self.config_trouble {
            Some(why) => Reason::Config(why.clone()),
            None => decision.reason,
        };
        let facts = self.facts();
        View {
            state: decision.state,
            reason,
            docker: facts.map(|engine| engine.version.clone()),
            family: facts.map(|engine| engine.family),
            proxy_pane: facts.and_then(|engine| engine.proxy_pane),
            containers: match &self.observation {
                Observation::Ready(installed) => installed
                    .own_settings
                    .as_ref()
                    .map(|_| self.config.containers),
                _ => None,
            },
            settings_url: facts.and_then(|engine| engine.settings_url),
            path: self.path.clone(),
            in_image: self.observation.proxy().cloned(),
            relay: self.has_relay().then(|| self.relay.clone()),
            setting: self.setting.clone(),
            overridden_settings: self.overridden_settings.clone(),
            by_hand: match &self.observation {
                Observation::Ready(installed) => installed.unpatched.by_hand().map(str::to_owned),
                _ => None,
            },
            intent: self.intent,
            is_on: self.is_on(),
            can_switch: self.can_be_asked_for(),
            is_running: self.running.is_some(),
            engine: self.engine(),
            can_apply_live: self.can_apply_live(),
            busy: self.busy,
            source: self.config.source,
            restart: self.config.restart,
            past: self.state.past.clone(),
        }
    }
}

/// Returns the identifier under which a problem is kept, so that it is reported once.
pub(super) fn trouble_key(state: State, reason: &Reason) -> String {
    format!("{}: {}", state.word(), reason.code())
}
