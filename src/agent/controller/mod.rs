//! The agent's controller: it takes events and the time, and returns effects. It does no I/O itself, so
//! tests can run a year of events in a second, in any order, with any event lost.
//!
//! Every event means only "observe again". `reconcile` derives the action from the last observation,
//! once the files of Docker.app have been at rest for [`FILES_DEBOUNCE`].

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::backend::docker_desktop::KnownProcess;
use crate::backend::{
    Configured, Engine, EngineSync, Generation, Installed, Layer, Observation, RestartScope,
    Running, Unpatched,
};
use crate::config::{Config, RelayPolicy, RestartPolicy};
use crate::desired::Setting;
use crate::digest::OriginalSha;
use crate::error::{Diagnostic, Error, Kind};
use crate::intent::Intent;
use crate::proxy::{ClientDialect, ProxyOrigin, RedactedProxy};
use crate::reconcile::State;
use crate::reconcile::{Action, Attempts, Backoff, Decision, Inputs, Reason, reconcile};
use crate::service::login_item::LoginItem;

use super::AgentError;
use super::agent_state::{AgentState, EngineRecord, Reported};
use super::effect::Effect;
use super::event::{ChangeError, ChangeOutcome, Click, Event, Resolved};
use super::first_run::Question;
use super::notice::{DockerSupport, Notice, RestartNeed, notice};
use super::relay_keeper::{RelaySettings, RelayState};
use super::snapshot::{Fingerprint, Snapshot};
use super::view::{Busy, View};
use super::wording::{PastEvent, Wording};

mod attempts;
mod debounce;
mod first_run;
mod reporting;

use attempts::{Adopted, QUIT_GRACE, RETRY_DELAY};
use debounce::ProxyDebounce;
pub use debounce::{FILES_DEBOUNCE, RESYNC_INTERVAL};
pub(crate) use debounce::{MAX_SETTINGS_DEBOUNCE, SETTINGS_DEBOUNCE};
use first_run::PERMISSION_POLL_INTERVAL;

/// Timeout for the VM's console to appear after Docker was first seen.
const CONSOLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Interval between polls for the console.
const CONSOLE_POLL_INTERVAL: Duration = Duration::from_secs(3);
/// Maximum age of the observation on which a change of the boot image is based.
const MAX_AGE: Duration = Duration::from_secs(1);

/// The agent's state machine: [`Self::handle`] takes events, [`Self::poll`] returns effects.
#[derive(Debug)]
pub struct Controller {
    /// Set if the user sees an icon, which a welcome notice explains.
    has_icon: bool,
    state: AgentState,
    /// The state that was last saved.
    stored: AgentState,
    config: Config,
    /// False as long as the config file could not be read.
    has_config: bool,
    config_trouble: Option<Diagnostic>,
    /// The path of Docker.app as it was named or found, to which the user's intent belongs.
    place: Option<PathBuf>,
    path: Option<PathBuf>,
    intent: Option<Intent>,
    observation: Observation,
    /// What the engine last said about its own settings.
    own_state: Option<OwnState>,
    fingerprint: Option<Fingerprint>,
    running: Option<Running>,
    is_live_locked: bool,
    relay: RelayState,
    /// True if the user knows that the relay does not run.
    is_relay_failure_reported: bool,
    setting: Setting,
    /// The resolved settings, if a proxy named by hand takes precedence over them.
    overridden_settings: Option<Setting>,
    /// The engine, and the proxy named by hand if any, that `setting` was resolved for.
    set_for: Option<(ClientDialect, Option<RedactedProxy>)>,
    /// Time at which the files will have been at rest for [`FILES_DEBOUNCE`].
    settled_at: Instant,
    /// Times of the first and the latest change, while the files change.
    files_moving: Option<(Instant, Instant)>,
    /// Times of the first and the latest change of the settings, until they are resolved.
    settings_moving: Option<(Instant, Instant)>,
    proxy_debounce: ProxyDebounce,
    observe_at: Option<Instant>,
    resolve_at: Option<Instant>,
    resync_at: Instant,
    is_resolving: bool,
    busy: Option<Busy>,
    /// Number of consecutive changes after which more was still to do.
    changes: u32,
    backoff: Option<Backoff>,
    consent: Option<RestartScope>,
    adopt: bool,
    adopted: Option<Adopted>,
    attempts: Attempts,
    observed_at: Option<Instant>,
    /// The running Docker's process ID, and when it was first seen.
    first_seen: Option<(u32, Instant)>,
    /// End of the grace period after a failed live update ([`QUIT_GRACE`]).
    quit_grace_until: Option<Instant>,
    /// The reason for a failed live update, until it is reported.
    live_failure: Option<Diagnostic>,
    /// Set when the user asked for a check, until its result is reported.
    asked: bool,
    /// The state of the login item, where there can be one.
    login_item: Option<LoginItem>,
    /// Time at which the last question of the first run was asked in this run.
    question_asked_at: Option<Instant>,
    /// Time until which the user is expected to allow Baleen to change Docker.
    permission_awaited_until: Option<Instant>,
    wall: fn() -> SystemTime,
    wording: Wording,
}

impl Controller {
    /// Creates a controller that starts at `now` with this saved state. `wall` is the wall clock and
    /// `wording` the words for the history.
    pub fn new(
        mut state: AgentState,
        now: Instant,
        wall: fn() -> SystemTime,
        wording: Wording,
    ) -> Self {
        state.first_run();
        Self {
            has_icon: true,
            stored: state.clone(),
            state,
            config: Config::default(),
            has_config: false,
            config_trouble: None,
            place: None,
            path: None,
            intent: None,
            observation: Observation::Missing(why(AgentError::NotObserved)),
            own_state: None,
            fingerprint: None,
            running: None,
            is_live_locked: false,
            relay: RelayState::default(),
            is_relay_failure_reported: false,
            setting: Setting::Unknown,
            overridden_settings: None,
            set_for: None,
            settled_at: now + FILES_DEBOUNCE,
            files_moving: None,
            settings_moving: None,
            proxy_debounce: ProxyDebounce::default(),
            observe_at: Some(now),
            resolve_at: None,
            resync_at: now + RESYNC_INTERVAL,
            is_resolving: false,
            busy: None,
            changes: 0,
            backoff: None,
            consent: None,
            adopt: false,
            adopted: None,
            attempts: Attempts::default(),
            observed_at: None,
            first_seen: None,
            quit_grace_until: None,
            live_failure: None,
            asked: false,
            login_item: None,
            question_asked_at: None,
            permission_awaited_until: None,
            wall,
            wording,
        }
    }

    /// Returns the controller for an agent without an icon, which needs no welcome notice.
    #[must_use]
    pub(crate) fn without_icon(mut self) -> Self {
        self.has_icon = false;
        self
    }

    /// Handles an event.
    pub fn handle(&mut self, event: Event, now: Instant) -> Vec<Effect> {
        match event {
            Event::Files(print) => self.files(print, now),
            Event::Settings => {
                let first = self.settings_moving.map_or(now, |(first, _)| first);
                self.settings_moving = Some((first, now));
                self.resolve_at =
                    Some((now + SETTINGS_DEBOUNCE).min(first + MAX_SETTINGS_DEBOUNCE));
            }
            Event::Decisions | Event::Docker => self.observe_at = Some(now),
            Event::Woke => self.resync(now),
            Event::Click(click) => return self.click(click, now),
            Event::Observed(look) => self.observed(*look, now),
            Event::Resolved(engine, resolved) => self.resolved(engine, *resolved, now),
            Event::Changed(result, print) => self.changed(result, print, now),
            Event::Restarted(result) => {
                self.busy = None;
                self.consent = None;
                self.observe_at = Some(now);
                match result {
                    Ok(()) => self.log(&PastEvent::DockerRestarted),
                    Err(diagnostic) => return vec![self.notify(Notice::NotRestarted(diagnostic))],
                }
            }
            Event::AppliedLive(result) => {
                self.busy = None;
                self.consent = None;
                self.observe_at = Some(now);
                match result {
                    Ok(ChangeOutcome::Changed) => self.log(&PastEvent::EngineRestarted),
                    Ok(ChangeOutcome::Nothing) => self.log(&PastEvent::EngineUpToDate),
                    Ok(ChangeOutcome::NoneRan) => {}
                    // The report depends on the next observation.
                    Err(diagnostic) => {
                        self.live_failure = Some(diagnostic);
                        self.quit_grace_until = Some(now + QUIT_GRACE);
                    }
                }
            }
            Event::Relay(state) => self.relay_changed(state, now),
            Event::Answered(question, is_yes) => return self.answered(question, is_yes, now),
            Event::Refused(diagnostic) => return vec![self.notify(Notice::Refused(diagnostic))],
        }
        Vec::new()
    }

    /// Returns the settings of the relay that has to run.
    pub(crate) fn relay_wanted(&self) -> Option<RelaySettings> {
        let is_wanted = match self.config.relay {
            RelayPolicy::On => true,
            RelayPolicy::Off => false,
            RelayPolicy::Auto => self.intent == Some(Intent::Settings),
        };
        // What has its address reaches nothing without it.
        let is_needed = self
            .observation
            .proxy()
            .is_some_and(RedactedProxy::is_relay);
        // Without the config file, its port is not known: at another one the relay would be of no use to Docker.
        (self.has_config && (is_wanted || is_needed)).then(|| RelaySettings {
            port: self.config.relay_port(),
            without_basic: self.config.relay_without_basic,
        })
    }

    fn relay_changed(&mut self, state: RelayState, now: Instant) {
        let runs = |state: &RelayState| matches!(state, RelayState::Running(_));
        let before = std::mem::replace(&mut self.relay, state);
        if runs(&self.relay) && !runs(&before) {
            // The engine may get its address now.
            self.resolve_at = Some(now);
            self.is_relay_failure_reported = false;
        }
    }

    /// Returns a notice if the relay does not run and the engine needs it, whichever came first. There is one until it runs
    /// again.
    fn notify_relay_failed(&mut self) -> Option<Effect> {
        let RelayState::Failed { reason } = &self.relay else {
            return None;
        };
        if self.is_relay_failure_reported || !self.has_relay() {
            return None;
        }
        self.is_relay_failure_reported = true;
        let reason = reason.clone();
        Some(self.notify(Notice::RelayFailed { reason }))
    }

    /// Returns whether the engine has the relay's address, or is to get it.
    fn has_relay(&self) -> bool {
        let is_relay = |proxy: &RedactedProxy| proxy.is_relay();
        // The settings name the relay also while the proxy is switched off.
        let is_wanted = self.is_on()
            && matches!(&self.setting, Setting::Proxy { origin, .. } if *origin == ProxyOrigin::Relay);
        is_wanted || self.observation.proxy().is_some_and(is_relay)
    }

    fn click(&mut self, click: Click, now: Instant) -> Vec<Effect> {
        self.proxy_debounce.settle();
        match click {
            // The notification may be older than the current Docker.app.
            Click::UseProxy(true) if !self.can_be_asked_for() => {
                self.was_said();
                vec![self.notify(Notice::CannotUse {
                    proxy: self.proxy_here(),
                    support: self.support(),
                })]
            }
            Click::UseProxy(on) => {
                let Some(path) = self.place.clone() else {
                    return Vec::new();
                };
                self.state.trouble = None;
                self.state.first_run().answer(Question::UseProxy, on);
                self.resync(now);
                let intent = if on { Intent::Settings } else { Intent::Off };
                vec![Effect::SetIntent { path, intent }]
            }
            Click::Reapply => {
                self.asked = true;
                self.state.trouble = None;
                self.attempts = Attempts::default();
                self.resync(now);
                Vec::new()
            }
            Click::Adopt => {
                self.adopt = true;
                self.resync(now);
                match (self.place.clone(), self.intent) {
                    // Adopting lines means replacing them with Baleen's proxy.
                    (Some(path), None | Some(Intent::Off)) => vec![Effect::SetIntent {
                        path,
                        intent: Intent::Settings,
                    }],
                    _ => Vec::new(),
                }
            }
            Click::FollowSettings => self.follow_settings(now).into_iter().collect(),
            Click::Restart(way) => {
                // The click must not count as consent to a different, later restart.
                let is_needed = self.reconcile(now).state == State::RestartNeeded;
                if is_needed
                    && self.busy.is_none()
                    && way == RestartScope::Engine
                    && !self.can_apply_live()
                {
                    // The notification may be older than the loss of the console.
                    self.observe_at = Some(now);
                    return vec![self.notify(Notice::NotAppliedLive {
                        diagnostic: why(AgentError::NoConsole),
                        is_restarted: false,
                    })];
                }
                self.consent = is_needed.then_some(way);
                Vec::new()
            }
            Click::Source(_) | Click::WhenRestart(_) | Click::Containers(_) => {
                if matches!(click, Click::WhenRestart(_)) {
                    // Restarts that the user chose don't count as attempts of the new policy.
                    self.attempts = Attempts::default();
                }
                self.observe_at = Some(now);
                let mut effects = vec![Effect::Configure(click)];
                if matches!(click, Click::Source(_)) {
                    // A user who chooses a source wants the proxy from there, not the one named by hand.
                    effects.extend(self.follow_settings(now));
                }
                effects
            }
        }
    }

    /// Returns the job that switches from a proxy named by hand back to the settings.
    fn follow_settings(&mut self, now: Instant) -> Option<Effect> {
        let path = self.place.clone()?;
        if self.intent != Some(Intent::Named) {
            return None;
        }
        self.state.trouble = None;
        self.resync(now);
        Some(Effect::SetIntent {
            path,
            intent: Intent::Settings,
        })
    }

    fn observed(&mut self, look: Snapshot, now: Instant) {
        match look.config {
            Ok(config) => {
                self.config_trouble = None;
                self.has_config = true;
                if config != self.config {
                    // The source of the proxy may be another one now.
                    if without_restart(&config) != without_restart(&self.config) {
                        self.set_for = None;
                    }
                    self.config = config;
                }
            }
            Err(diagnostic) => self.config_trouble = Some(diagnostic),
        }
        self.place = look.place;
        if self.path != look.path {
            self.path = look.path;
            self.fingerprint = Some(look.fingerprint);
            self.settled_at = self.settled_at.max(now + FILES_DEBOUNCE);
            self.files_moving = None;
            self.backoff = None;
            self.running = None;
            self.adopt = false;
            self.own_state = None;
            self.attempts = Attempts::default();
            self.live_failure = None;
            self.quit_grace_until = None;
        }
        if self.intent != look.intent {
            self.intent = look.intent;
            self.backoff = None;
        }
        // A change without an event counts as a change at this moment.
        if self.fingerprint != Some(look.fingerprint) {
            self.files_changed(look.fingerprint, now);
        }
        if now < self.settled_at && self.files_moving.is_some() {
            self.observe_at = Some(self.settled_at);
        } else if matches!(look.observation, Observation::Incomplete(_)) {
            self.files_moving.get_or_insert((now, now));
            if !self.is_stuck(now) {
                self.observe_at = Some(now + FILES_DEBOUNCE);
            }
        } else if self.backoff.as_ref().is_none_or(|r| r.kind != Kind::Busy) {
            self.files_moving = None;
        }
        self.observed_at = Some(now);
        if let Some(own) = own_state(&look.observation) {
            let before = self.own_state.replace(own);
            if before.is_some() && before != self.own_state {
                self.backoff = None;
                // The user agreed to replace the previous values only.
                self.adopt = false;
            }
        }
        self.observation = look.observation;
        let was_running = self.running.as_ref().map(|running| running.pid);
        self.running = look.running.map(|running| self.identify(running));
        if self.own_state.is_some() && self.running.as_ref().map(|it| it.pid) != was_running {
            // An engine that has quit, or has started, may be changed in another way.
            self.backoff = None;
        }
        let (running, observation) = (self.running.as_ref(), &self.observation);
        self.adopted.take_if(|a| !a.holds(running, observation));
        self.login_item = look.login_item;
        self.is_live_locked = look.is_live_locked;
        if self.is_live_locked {
            // No event announces the end of that command.
            self.observe_by(now + FILES_DEBOUNCE);
        }
        let is_unreadable = matches!(&self.observation, Observation::Blocked(why, _) if why.kind() == Kind::NotPermitted);
        if is_unreadable && self.is_permission_awaited(now) {
            // No event announces a permission.
            self.observe_by(now + PERMISSION_POLL_INTERVAL);
        }
        let is_awaited = matches!(self.observation, Observation::NotAnswering(..));
        if self.is_starting(now) && (is_awaited || self.waits_for_console()) {
            // No event announces that Docker answers, or the console. Once that exists, the VM's start time is known.
            self.observe_by(now + CONSOLE_POLL_INTERVAL);
        }
        self.learn_name(look.named);
        let wanted_for = self.desired_for();
        if self.set_for.as_ref() != Some(&wanted_for) {
            self.setting = Setting::Unknown;
            self.overridden_settings = None;
            self.set_for = Some(wanted_for);
            self.resolve_at = Some(now);
        }
    }

    /// Learns which proxy was named by hand: from the record, or from the image if an older Baleen made no
    /// record. This comes before the settings are resolved, which needs the proxy.
    fn learn_name(&mut self, noted: Option<RedactedProxy>) {
        let (Some(path), Some(Intent::Named)) = (&self.path, self.intent) else {
            return;
        };
        let in_image = self.observation.proxy().cloned();
        if let Some(name) = in_image.or(noted) {
            self.state.known_mut(path).named = Some(name);
        }
    }

    /// Returns whether Docker was first seen running a short while ago.
    fn is_starting(&mut self, now: Instant) -> bool {
        let Some(running) = &self.running else {
            self.first_seen = None;
            return false;
        };
        let since = match self.first_seen {
            Some((pid, since)) if pid == running.pid => since,
            _ => now,
        };
        self.first_seen = Some((running.pid, since));
        now < since + CONSOLE_TIMEOUT
    }

    /// Returns whether the running VM may still get a console.
    fn waits_for_console(&self) -> bool {
        let has_none = self
            .running
            .as_ref()
            .is_some_and(|running| !running.has_console);
        let can_have_one = |installed: &Installed| installed.engine.capabilities.live;
        has_none && self.installed().is_some_and(can_have_one)
    }

    /// Returns the engine to resolve the settings for, and the proxy named by hand if the user wants that one.
    fn desired_for(&self) -> (ClientDialect, Option<RedactedProxy>) {
        // Only in a VM does this computer have a different address. Without Docker there is no VM.
        let has_vm = !matches!(self.observation, Observation::Missing(_));
        let engine = self
            .facts()
            .map_or(ClientDialect::of("", has_vm), |it| it.capabilities.client);
        (engine, self.named())
    }

    /// The proxy named by hand for this bundle, if the user wants that one.
    fn named(&self) -> Option<RedactedProxy> {
        let known = self.state.known(self.path.as_deref()?)?;
        known
            .named
            .clone()
            .filter(|_| self.intent == Some(Intent::Named))
    }

    /// Fills in which image the running Docker started from: the current one if it is older than this
    /// Docker process, otherwise the one recorded when this process was observed before.
    fn identify(&mut self, mut running: Running) -> Running {
        let (Some(path), Observation::Ready(installed)) = (self.path.as_deref(), &self.observation)
        else {
            return running;
        };
        let present = installed.revision();
        let known = self.state.known_mut(path);
        if running.since.is_some_and(|since| since >= installed.since) {
            running.revision = Some(present);
            let kept = known.running.as_ref().and_then(|k| k.revision_of(&running));
            if kept != Some(present) {
                known.running = EngineRecord::new(&running, present);
            }
        } else {
            running.revision = known.running.as_ref().and_then(|k| k.revision_of(&running));
        }
        running
    }

    fn resolved(&mut self, engine: ClientDialect, resolved: Resolved, now: Instant) {
        self.is_resolving = false;
        // The result is out of date if another resolution is due, or if it is for another engine.
        let is_asked_for = self.set_for.as_ref().is_some_and(|(e, _)| *e == engine);
        let is_due_again =
            self.settings_moving.is_some() || self.resolve_at.is_some_and(|at| at <= now);
        if is_due_again || !is_asked_for {
            return;
        }
        let Resolved {
            setting,
            overridden_settings,
        } = match self.intent {
            Some(Intent::Named) if self.named().is_none() => Resolved {
                setting: unknown_by_name(),
                overridden_settings: Some(resolved.setting),
            },
            _ => resolved,
        };
        if setting != self.setting {
            self.backoff = None;
        }
        // No event announces that kept answers of a PAC script expire, or that the script can be reached again.
        let is_transient = |setting: &Setting| match setting {
            Setting::Failed { is_transient, .. } => *is_transient,
            Setting::Proxy { script, .. } => script.is_some_and(|kept| kept.until.is_some()),
            _ => false,
        };
        if is_transient(&setting) || overridden_settings.as_ref().is_some_and(is_transient) {
            let again = now + RETRY_DELAY;
            self.resolve_at = Some(self.resolve_at.map_or(again, |at| at.min(again)));
        }
        self.proxy_debounce.resolved(&setting, now);
        self.setting = setting;
        self.overridden_settings = overridden_settings;
    }

    /// Returns the jobs to do now. Call it after every event, and at [`Self::deadline`].
    pub fn poll(&mut self, now: Instant) -> Vec<Effect> {
        if now >= self.resync_at {
            self.resync(now);
        }
        if self.busy.is_some() {
            return Vec::new();
        }
        if self.observe_at.is_some_and(|at| at <= now)
            || self.quit_grace_until.is_some_and(|at| at <= now)
        {
            self.observe_at = None;
            self.quit_grace_until.take_if(|at| *at <= now);
            return vec![Effect::Observe];
        }
        let mut effects = Vec::new();
        if !self.is_resolving && self.resolve_at.is_some_and(|at| at <= now) {
            self.resolve_at = None;
            self.settings_moving = None;
            let (engine, named) = self.desired_for();
            self.is_resolving = true;
            effects.push(Effect::Resolve { engine, named });
        }
        let decision = self.reconcile(now);
        // Which image the running VM started from is known only if the VM is observed before the image changes.
        let is_stale = self.observed_at.is_none_or(|at| now > at + MAX_AGE);
        if is_stale && matches!(decision.action, Action::Apply | Action::Restore) {
            effects.push(Effect::Observe);
            return effects;
        }
        let path = self.path.clone().unwrap_or_default();
        if self.is_engine_up_to_date() {
            self.attempts = Attempts::default();
        }
        // Consent applies to this decision only.
        self.consent = None;
        effects.extend(self.notify_not_applied_live(&decision));
        effects.extend(self.notify_relay_failed());
        if decision.pending == Action::Nothing {
            self.changes = 0;
            if self.observe_at.is_none() && self.resolve_at.is_none() && !self.is_resolving {
                // There was nothing to adopt.
                self.adopt = false;
            }
        }
        match decision.action {
            Action::Nothing => {}
            Action::Apply => {
                self.busy = Some(Busy::Applying);
                effects.push(Effect::Apply {
                    path,
                    setting: self.setting.clone(),
                    named: self.named(),
                    adopt: self.adopt,
                });
            }
            Action::Restore => {
                self.busy = Some(Busy::Restoring);
                effects.push(Effect::Restore { path });
            }
            Action::Restart(way) => {
                effects.extend(self.report(&decision, now));
                let (busy, job) = match way {
                    RestartScope::Engine => {
                        self.attempts.engine = self.generation();
                        let adopt = self.adopted.is_some();
                        (Busy::RestartingEngine, Effect::ApplyLive { path, adopt })
                    }
                    RestartScope::Docker => {
                        self.attempts.docker = self.generation();
                        (Busy::Restarting, Effect::Restart { path })
                    }
                };
                self.quit_grace_until = None;
                self.busy = Some(busy);
                effects.push(job);
                return effects;
            }
        }
        if self.busy.is_none() {
            effects.extend(self.report(&decision, now));
        }
        effects
    }

    fn inputs(&self, now: Instant) -> Inputs<'_> {
        Inputs {
            intent: self.intent,
            observation: &self.observation,
            is_moving: self.files_moving.is_some() && now < self.settled_at,
            settled_at: self.change_from(),
            restart_from: self.proxy_debounce.report_from(),
            setting: &self.setting,
            overridden_settings: self.overridden_settings.as_ref(),
            backoff: self.backoff.as_ref(),
            running: self.running.as_ref(),
            containers: Some(self.config.containers),
            restart: self.config.restart,
            consent: self.consent,
            is_asked: self.asked,
            is_live_locked: self.is_live_locked,
            attempts: &self.attempts,
            may_be_ending: self.quit_grace_until.is_some(),
            now,
        }
    }

    fn reconcile(&self, now: Instant) -> Decision {
        let mut decision = reconcile(&self.inputs(now));
        if decision.state == State::Updating && self.is_stuck(now) {
            decision.reason = Reason::Stuck(Box::new(decision.reason));
        }
        decision
    }

    fn installed(&self) -> Option<&Installed> {
        match &self.observation {
            Observation::Ready(installed) => Some(installed),
            _ => None,
        }
    }

    /// The facts about the engine, as far as it could be read.
    fn facts(&self) -> Option<&Engine> {
        self.observation.engine()
    }
}

fn why(error: AgentError) -> Diagnostic {
    Error::from(error).into()
}

/// The setting for a proxy that was named on the command line before Baleen could see which it was.
fn unknown_by_name() -> Setting {
    Setting::Failed {
        diagnostic: why(AgentError::NamedUnknown),
        is_transient: false,
    }
}

/// Returns the config without the restart policy: the part that determines the proxy.
fn without_restart(config: &Config) -> Config {
    Config {
        restart: RestartPolicy::default(),
        ..config.clone()
    }
}

/// What an engine says about its own settings: what Baleen records of them is left out.
type OwnState = (Option<Configured>, Unpatched, Layer, String, Option<String>);

/// Returns what an engine says about its own settings, if it has any and says it.
fn own_state(observation: &Observation) -> Option<OwnState> {
    let Observation::Ready(installed) = observation else {
        return None;
    };
    let own = installed.own_settings.as_ref()?;
    Some((
        installed.configured.clone(),
        installed.unpatched.clone(),
        own.layer,
        own.mode.clone(),
        own.containers_mode.clone(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::notice::Notice;
    use crate::desired::KeptAnswers;
    use crate::digest::Sha;
    use crate::error::made;

    const SILENT: Wording = Wording {
        history: |_| String::new(),
        state: |_, _| String::new(),
        notice: |_: &Notice| String::new(),
    };

    /// No event announces that a PAC script can be reached again, or that its kept answers expire.
    #[test]
    fn what_may_pass_by_itself_is_asked_again_soon() {
        let now = Instant::now();
        let proxy = |script| Setting::Proxy {
            is_plain_system: false,
            revision: Sha::of(b"x"),
            shown: RedactedProxy {
                http: None,
                https: Some("http://p:1".parse().unwrap()),
                no_proxy: String::new(),
            },
            origin: ProxyOrigin::Environment,
            script,
        };
        let kept = |until| {
            Some(KeptAnswers {
                since: Some(SystemTime::UNIX_EPOCH),
                until,
            })
        };
        let failed = |is_transient| Setting::Failed {
            diagnostic: made::diagnostic("x"),
            is_transient,
        };
        for (setting, is_asked_again) in [
            (failed(true), true),
            (failed(false), false),
            (proxy(None), false),
            (proxy(kept(None)), false),
            (proxy(kept(Some(SystemTime::UNIX_EPOCH))), true),
            (Setting::ScriptUnreachable, false),
        ] {
            let mut controller =
                Controller::new(AgentState::default(), now, SystemTime::now, SILENT);
            let engine = ClientDialect::of("", true);
            controller.set_for = Some((engine, None));
            controller.resolved(engine, setting.clone().into(), now);
            let again = is_asked_again.then(|| now + RETRY_DELAY);
            assert_eq!(controller.resolve_at, again, "{setting:?}");
            assert_eq!(controller.setting, setting);
        }
    }
}
