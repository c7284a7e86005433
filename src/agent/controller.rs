//! The agent's controller: it takes events and the time, and returns effects. It does no I/O itself, so
//! tests can run a year of events in a second, in any order, with any event lost.
//!
//! Every event means only "observe again". [`reconcile`] derives the action from the last observation,
//! once the files of Docker.app have been at rest for [`DEBOUNCE`].

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::config::{Config, RestartPolicy, SourceSetting};
use crate::docker::{Bundle, Family, KnownProcess};
use crate::error::Kind;
use crate::patch::digest::OriginalSha;
use crate::patch::intent::Intent;
use crate::patch::status::State;
use crate::proxy::{ClientDialect, RedactedProxy};

use super::agent_state::{AgentState, EngineRecord, Reported};
use super::notice::{DockerSupport, Notice, RestartNeed, notice, short};
use super::observe::Fingerprint;
use super::reconcile::{
    Action, Attempts, Backoff, BundleState, Decision, Diagnostic, EngineSync, Inputs, Installed,
    RestartScope, Revision, Running, Setting, reconcile,
};
use super::view::{Busy, View};

/// Time that the files of Docker.app must be at rest before Baleen changes them. An update copies one
/// file after another, with pauses well below this.
pub const DEBOUNCE: Duration = Duration::from_secs(2);
/// Time without a change after which an incomplete bundle counts as stuck.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Maximum duration of an update.
pub const MAX_UPDATE_TIME: Duration = Duration::from_secs(15 * 60);
/// Debounce time for the settings: one click in System Settings makes several changes, and a network
/// that comes up makes many.
pub const SETTINGS_DEBOUNCE: Duration = Duration::from_millis(500);
/// Maximum delay by [`SETTINGS_DEBOUNCE`], for settings that keep changing.
pub const MAX_SETTINGS_DEBOUNCE: Duration = Duration::from_secs(5);
/// Interval between full checks, which need no event.
pub const RESYNC_INTERVAL: Duration = Duration::from_secs(15 * 60);
/// Delay before a failed attempt is repeated, if nothing changes before.
const RETRY_DELAY: Duration = Duration::from_secs(60);
/// Grace period after a failed live update. A Docker that quits ends its VM first and stays visible for
/// up to this long. It must not be opened again.
const QUIT_GRACE: Duration = Duration::from_secs(5);
/// Timeout for the VM's console to appear after Docker was first seen.
const CONSOLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Interval between polls for the console.
const CONSOLE_POLL_INTERVAL: Duration = Duration::from_secs(3);
/// Maximum age of the observation on which a change of the boot image is based.
const MAX_AGE: Duration = Duration::from_secs(1);
/// Maximum number of consecutive changes. A second one can be needed: the settings can change during
/// the first.
const MAX_CHANGES_IN_A_ROW: u32 = 4;

/// An input of the controller.
#[derive(Debug, Clone)]
pub enum Event {
    /// Something changed in or around Docker.app; carries its new fingerprint.
    Files(Fingerprint),
    /// The system's proxy settings or the network may have changed.
    Settings,
    /// The config file or the user's intent may have changed.
    Decisions,
    /// Docker was started or has quit.
    Docker,
    /// The computer woke up.
    Woke,
    /// The user clicked a menu item or a button.
    Click(Click),
    /// The result of [`Effect::Observe`].
    Observed(Box<Snapshot>),
    /// The result of [`Effect::Resolve`].
    Resolved(ClientDialect, Box<Resolved>),
    /// A job that changes the boot image has ended; carries the bundle's new fingerprint.
    Changed(Result<ChangeOutcome, ChangeError>, Fingerprint),
    /// The result of [`Effect::Restart`].
    Restarted(Result<(), Diagnostic>),
    /// The result of [`Effect::ApplyLive`].
    AppliedLive(Result<ChangeOutcome, Diagnostic>),
    /// A click could not be carried out.
    Refused(Diagnostic),
}

/// A request of the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Click {
    /// Switch the proxy on or off.
    UseProxy(bool),
    /// Check everything again and repair it.
    Reapply,
    /// Adopt the proxy that someone else wrote into the script.
    Adopt,
    /// Use the proxy of the settings from now on, not the one named by hand.
    FollowSettings,
    /// Bring the running engine up to date in this way, if it is out of date.
    Restart(RestartScope),
    /// Set the source of the proxy.
    Source(SourceSetting),
    /// Set the policy for restarts of Docker.
    WhenRestart(RestartPolicy),
}

/// The proxy settings, resolved for an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The desired proxy: the one named by hand, otherwise that of the settings.
    pub setting: Setting,
    /// The resolved settings, if a proxy named by hand takes precedence over them.
    pub beside: Option<Setting>,
}

impl From<Setting> for Resolved {
    fn from(setting: Setting) -> Self {
        Self {
            setting,
            beside: None,
        }
    }
}

/// The result of one observation.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The contents of the config file.
    pub config: Result<Config, Diagnostic>,
    /// The path of Docker.app.
    pub path: Option<PathBuf>,
    /// The user's recorded intent for this bundle.
    pub intent: Option<Intent>,
    /// The proxy named by hand for this bundle, if it was recorded.
    pub named: Option<RedactedProxy>,
    /// The observed state of the bundle.
    pub bundle_state: BundleState,
    /// The fingerprint of the bundle's files.
    pub fingerprint: Fingerprint,
    /// The Docker that runs from this bundle.
    pub running: Option<Running>,
    /// True while a `baleen` command in a terminal updates the running VM.
    pub is_live_locked: bool,
}

/// The outcome of a change that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// The boot image or the running engine was changed.
    Changed,
    /// No change was needed.
    Nothing,
    /// No engine was running.
    NoneRan,
}

/// The error of a failed change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeError {
    /// The kind of failure.
    pub kind: Kind,
    /// The reason.
    pub diagnostic: Diagnostic,
}

/// A job that the controller requests.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Observe at once.
    Observe,
    /// Resolve the settings.
    Resolve {
        /// The engine to resolve them for.
        engine: ClientDialect,
        /// The proxy named by hand for this bundle, if the user wants that one.
        named: Option<RedactedProxy>,
    },
    /// Write the proxy of the settings into the boot image.
    Apply {
        /// The bundle with the image.
        path: PathBuf,
        /// The resolved settings, as far as they are known.
        setting: Setting,
        /// As for [`Effect::Resolve`].
        named: Option<RedactedProxy>,
        /// Adopt what someone else wrote.
        adopt: bool,
    },
    /// Restore the boot image that Docker had before Baleen.
    Restore {
        /// The bundle.
        path: PathBuf,
    },
    /// Quit Docker and open it again.
    Restart {
        /// The bundle.
        path: PathBuf,
    },
    /// Update the running VM to match the boot image.
    ApplyLive {
        /// The bundle.
        path: PathBuf,
        /// Adopt what someone else wrote.
        adopt: bool,
    },
    /// Record the user's intent.
    SetIntent {
        /// The bundle that it applies to.
        path: PathBuf,
        /// The intent.
        intent: Intent,
    },
    /// Write the user's choice into the config file.
    Configure(Click),
    /// Save the state across runs.
    Remember(Box<AgentState>),
    /// Notify the user.
    Notify(Notice),
}

/// The agent's state machine: [`Self::handle`] takes events, [`Self::poll`] returns effects.
#[derive(Debug)]
pub struct Controller {
    /// Set if the user sees an icon, which a welcome notice explains.
    has_icon: bool,
    state: AgentState,
    /// The state that was last saved.
    stored: AgentState,
    config: Config,
    config_trouble: Option<Diagnostic>,
    path: Option<PathBuf>,
    intent: Option<Intent>,
    bundle_state: BundleState,
    fingerprint: Option<Fingerprint>,
    running: Option<Running>,
    is_live_locked: bool,
    setting: Setting,
    /// The resolved settings, if a proxy named by hand takes precedence over them.
    beside: Option<Setting>,
    /// The engine, and the proxy named by hand if any, that `setting` was resolved for.
    set_for: Option<(ClientDialect, Option<RedactedProxy>)>,
    /// Time at which the files will have been at rest for [`DEBOUNCE`].
    settled_at: Instant,
    /// Times of the first and the latest change, while the files change.
    files_moving: Option<(Instant, Instant)>,
    /// Times of the first and the latest change of the settings, until they are resolved.
    settings_moving: Option<(Instant, Instant)>,
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
    wall: fn() -> SystemTime,
}

/// A record that Baleen adopted what someone else wrote into a boot image. The VM that started from this
/// image may contain it too.
#[derive(Debug)]
struct Adopted {
    /// The VM.
    vm: KnownProcess,
    /// The image without the proxy, once it was observed.
    original: Option<OriginalSha>,
}

impl Adopted {
    /// Returns whether the record still applies to this VM and this image.
    fn holds(&mut self, running: Option<&Running>, bundle_state: &BundleState) -> bool {
        let is_this_vm = running.is_some_and(|running| self.vm.is(running.pid, running.since));
        let original = match bundle_state {
            BundleState::Ready(installed) => installed.patch.as_ref().map(|patch| patch.original),
            _ => None,
        };
        is_this_vm && original.is_some_and(|now| *self.original.get_or_insert(now) == now)
    }
}

impl Controller {
    /// Creates a controller that starts at `now` with this saved state. `wall` is the wall clock for the
    /// history.
    pub fn new(state: AgentState, now: Instant, wall: fn() -> SystemTime) -> Self {
        Self {
            has_icon: true,
            stored: state.clone(),
            state,
            config: Config::default(),
            config_trouble: None,
            path: None,
            intent: None,
            bundle_state: BundleState::Missing(Diagnostic::new("nothing was looked at yet")),
            fingerprint: None,
            running: None,
            is_live_locked: false,
            setting: Setting::Unknown,
            beside: None,
            set_for: None,
            settled_at: now + DEBOUNCE,
            files_moving: None,
            settings_moving: None,
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
            wall,
        }
    }

    /// Returns the controller for an agent without an icon, which needs no welcome notice.
    #[must_use]
    pub fn without_icon(mut self) -> Self {
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
                    Ok(()) => self.log("Docker was restarted"),
                    Err(diagnostic) => return vec![self.notify(Notice::NotRestarted(diagnostic))],
                }
            }
            Event::AppliedLive(result) => {
                self.busy = None;
                self.consent = None;
                self.observe_at = Some(now);
                match result {
                    Ok(ChangeOutcome::Changed) => self.log("The Engine was restarted"),
                    Ok(ChangeOutcome::Nothing) => {
                        self.log("The running Engine was up to date already")
                    }
                    Ok(ChangeOutcome::NoneRan) => {}
                    // The report depends on the next observation.
                    Err(diagnostic) => {
                        self.live_failure = Some(diagnostic);
                        self.quit_grace_until = Some(now + QUIT_GRACE);
                    }
                }
            }
            Event::Refused(diagnostic) => self.log(super::notice::full(&diagnostic.sentence)),
        }
        Vec::new()
    }

    fn files(&mut self, print: Fingerprint, now: Instant) {
        // Baleen's own jobs report their changes when they end.
        let is_news = self.fingerprint != Some(print) || self.files_moving.is_some();
        if self.busy.is_none() && is_news {
            self.files_changed(print, now);
        }
    }

    /// Records that the files have just changed to this fingerprint.
    fn files_changed(&mut self, print: Fingerprint, now: Instant) {
        if self.fingerprint.replace(print) != Some(print) {
            // The user agreed to adopt the previous contents only.
            self.adopt = false;
        }
        let first = self.files_moving.map_or(now, |(first, _)| first);
        self.files_moving = Some((first, now));
        self.settled_at = now + DEBOUNCE;
        self.observe_at = Some(self.settled_at);
        self.backoff = None;
    }

    fn resync(&mut self, now: Instant) {
        self.resync_at = now + RESYNC_INTERVAL;
        self.backoff = None;
        self.observe_at = Some(now);
        self.resolve_at = Some(now);
    }

    fn click(&mut self, click: Click, now: Instant) -> Vec<Effect> {
        match click {
            // The notification may be older than the current Docker.app.
            Click::UseProxy(true) if !self.can_be_asked_for() => {
                vec![self.notify(Notice::CannotUse {
                    proxy: self.proxy_here(),
                    support: self.support(),
                })]
            }
            Click::UseProxy(on) => {
                let Some(path) = self.path.clone() else {
                    return Vec::new();
                };
                self.state.trouble = None;
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
                match (self.path.clone(), self.intent) {
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
                    return vec![
                        self.notify(Notice::NotAppliedLive {
                            diagnostic: Diagnostic::new("the VM has no console now")
                                .with_hint("restart Docker instead"),
                            is_restarted: false,
                        }),
                    ];
                }
                self.consent = is_needed.then_some(way);
                Vec::new()
            }
            Click::Source(_) | Click::WhenRestart(_) => {
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
        let path = self.path.clone()?;
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
        if self.path != look.path {
            self.path = look.path;
            self.fingerprint = Some(look.fingerprint);
            self.settled_at = self.settled_at.max(now + DEBOUNCE);
            self.files_moving = None;
            self.backoff = None;
            self.running = None;
            self.adopt = false;
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
        } else if matches!(look.bundle_state, BundleState::Incomplete(_)) {
            self.files_moving.get_or_insert((now, now));
            if !self.is_stuck(now) {
                self.observe_at = Some(now + DEBOUNCE);
            }
        } else if self.backoff.as_ref().is_none_or(|r| r.kind != Kind::Busy) {
            self.files_moving = None;
        }
        self.observed_at = Some(now);
        self.bundle_state = look.bundle_state;
        self.running = look.running.map(|running| self.identify(running));
        let (running, bundle_state) = (self.running.as_ref(), &self.bundle_state);
        self.adopted.take_if(|a| !a.holds(running, bundle_state));
        self.is_live_locked = look.is_live_locked;
        if self.is_live_locked {
            // No event announces the end of that command.
            self.observe_by(now + DEBOUNCE);
        }
        if self.waits_for_console(now) {
            // No event announces the console. Once it exists, the VM's start time is known.
            self.observe_by(now + CONSOLE_POLL_INTERVAL);
        }
        self.learn_name(look.named);
        let wanted_for = self.desired_for();
        if self.set_for.as_ref() != Some(&wanted_for) {
            self.setting = Setting::Unknown;
            self.beside = None;
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
        let in_image = match &self.bundle_state {
            BundleState::Ready(installed) => {
                installed.patch.as_ref().map(|patch| patch.proxy.clone())
            }
            _ => None,
        };
        if let Some(name) = in_image.or(noted) {
            self.state.known_mut(path).named = Some(name);
        }
    }

    /// Schedules an observation for this time at the latest.
    fn observe_by(&mut self, at: Instant) {
        self.observe_at = Some(self.observe_at.map_or(at, |before| before.min(at)));
    }

    /// Returns whether the running VM may still get a console.
    fn waits_for_console(&mut self, now: Instant) -> bool {
        let Some(running) = &self.running else {
            self.first_seen = None;
            return false;
        };
        let since = match self.first_seen {
            Some((pid, since)) if pid == running.pid => since,
            _ => now,
        };
        self.first_seen = Some((running.pid, since));
        let is_moby = self
            .installed()
            .is_some_and(|installed| matches!(installed.bundle.family, Family::Moby { .. }));
        is_moby && !running.has_console && now < since + CONSOLE_TIMEOUT
    }

    /// Returns the engine to resolve the settings for, and the proxy named by hand if the user wants that one.
    fn desired_for(&self) -> (ClientDialect, Option<RedactedProxy>) {
        // Only in a VM does this computer have a different address. Without Docker there is no VM.
        let has_vm = !matches!(self.bundle_state, BundleState::Missing(_));
        let engine = self
            .bundle()
            .map_or(ClientDialect::of("", has_vm), crate::desired::engine_of);
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
        let (Some(path), BundleState::Ready(installed)) =
            (self.path.as_deref(), &self.bundle_state)
        else {
            return running;
        };
        let present = installed.block();
        let known = self.state.known_mut(path);
        if running
            .since
            .is_some_and(|since| since >= installed.image_since)
        {
            running.block = Some(present);
            let kept = known.running.as_ref().and_then(|k| k.block_of(&running));
            if kept != Some(present) {
                known.running = EngineRecord::new(&running, present);
            }
        } else {
            running.block = known.running.as_ref().and_then(|k| k.block_of(&running));
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
        let Resolved { setting, beside } = match self.intent {
            Some(Intent::Named) if self.named().is_none() => Resolved {
                setting: unknown_by_name(),
                beside: Some(resolved.setting),
            },
            _ => resolved,
        };
        if setting != self.setting {
            self.backoff = None;
        }
        // No event announces that kept answers of a PAC script expire, or that the script can be reached again.
        let may_pass = |setting: &Setting| match setting {
            Setting::Failed { may_pass, .. } => *may_pass,
            Setting::Proxy { script, .. } => script.is_some_and(|kept| kept.until.is_some()),
            _ => false,
        };
        if may_pass(&setting) || beside.as_ref().is_some_and(may_pass) {
            let again = now + RETRY_DELAY;
            self.resolve_at = Some(self.resolve_at.map_or(again, |at| at.min(again)));
        }
        self.setting = setting;
        self.beside = beside;
    }

    fn changed(
        &mut self,
        result: Result<ChangeOutcome, ChangeError>,
        print: Fingerprint,
        now: Instant,
    ) {
        self.busy = None;
        if self.adopt && result.is_ok() {
            let vm = self.running.as_ref();
            let vm = vm.and_then(|vm| KnownProcess::new(vm.pid, vm.since));
            self.adopted = vm.map(|vm| Adopted { vm, original: None });
        }
        self.adopt = false;
        self.observe_at = Some(now);
        self.changes += 1;
        let failed = match result {
            Ok(done) => {
                self.fingerprint = Some(print);
                self.files_moving = None;
                // The image should be right now. If the next observation disagrees, another attempt won't help.
                (done != ChangeOutcome::Changed || self.changes >= MAX_CHANGES_IN_A_ROW).then(
                    || ChangeError {
                        kind: Kind::Failure,
                        diagnostic: Diagnostic::new(
                            "the boot image was changed, but is still not as it should be",
                        ),
                    },
                )
            }
            Err(failed) => Some(failed),
        };
        self.backoff = failed.map(|ChangeError { kind, diagnostic }| {
            let pause = match kind {
                Kind::Busy if !self.is_stuck(now) => {
                    self.files_moving.get_or_insert((now, now));
                    DEBOUNCE
                }
                Kind::Failure => RETRY_DELAY,
                Kind::Busy | Kind::NotPermitted | Kind::Unsupported | Kind::Usage => {
                    RESYNC_INTERVAL
                }
            };
            Backoff {
                kind,
                diagnostic,
                until: now + pause,
            }
        });
        if self.backoff.as_ref().is_some_and(|r| r.kind == Kind::Busy) {
            self.resolve_at = Some(now);
        }
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
        if self.is_engine_right() {
            self.attempts = Attempts::default();
        }
        // Consent applies to this decision only.
        self.consent = None;
        effects.extend(self.notify_not_applied_live(&decision));
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
                        self.attempts.engine = self.revision();
                        let adopt = self.adopted.is_some();
                        (Busy::RestartingEngine, Effect::ApplyLive { path, adopt })
                    }
                    RestartScope::Docker => {
                        self.attempts.docker = self.revision();
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

    /// Returns a notice of a failed live update, once its consequences are known.
    fn notify_not_applied_live(&mut self, decision: &Decision) -> Option<Effect> {
        let is_restarted = decision.action == Action::Restart(RestartScope::Docker);
        if self.quit_grace_until.is_some() && !matches!(decision.action, Action::Restart(_)) {
            return None;
        }
        // The failure no longer matters if Docker has quit, the engine is up to date, or another attempt starts.
        let is_over = self.running.is_none()
            || self.is_engine_right()
            || decision.action == Action::Restart(RestartScope::Engine);
        // Otherwise it is kept until the files are at rest.
        if !is_over && decision.state != State::RestartNeeded {
            return None;
        }
        let notice = Notice::NotAppliedLive {
            diagnostic: self.live_failure.take()?,
            is_restarted,
        };
        if is_over {
            self.log(notice.headline());
            return None;
        }
        Some(self.notify(notice))
    }

    /// Returns the time of the next [`Self::poll`], if no event comes before.
    pub fn deadline(&self, now: Instant) -> Instant {
        if self.busy.is_some() {
            return self.resync_at;
        }
        let mut at = self.resync_at;
        at = at.min(self.observe_at.unwrap_or(at));
        at = at.min(self.quit_grace_until.unwrap_or(at));
        if !self.is_resolving {
            at = at.min(self.resolve_at.unwrap_or(at));
        }
        if self.reconcile(now).pending != Action::Nothing {
            let retry = self.backoff.as_ref().map_or(now, |refusal| refusal.until);
            at = at.min(retry.max(self.settled_at));
        } else if now < self.settled_at {
            at = at.min(self.settled_at);
        }
        if self.files_moving.is_some() && !self.is_stuck(now) {
            at = at.min(now + DEBOUNCE);
        }
        at
    }

    fn inputs(&self, now: Instant) -> Inputs<'_> {
        Inputs {
            intent: self.intent,
            bundle_state: &self.bundle_state,
            is_moving: self.files_moving.is_some() && now < self.settled_at,
            settled_at: self.settled_at,
            setting: &self.setting,
            beside: self.beside.as_ref(),
            backoff: self.backoff.as_ref(),
            running: self.running.as_ref(),
            restart: self.config.restart,
            consent: self.consent,
            is_live_locked: self.is_live_locked,
            attempts: &self.attempts,
            may_be_ending: self.quit_grace_until.is_some(),
            now,
        }
    }

    fn reconcile(&self, now: Instant) -> Decision {
        let mut decision = reconcile(&self.inputs(now));
        if decision.state == State::Updating && self.is_stuck(now) {
            decision.diagnostic = Diagnostic {
                sentence: format!(
                    "Docker.app is not whole, and nothing has changed in it for a while: {}",
                    decision.diagnostic.sentence
                ),
                ..decision.diagnostic
            }
            .with_hint("if no update is under way, install Docker again");
        }
        decision
    }

    /// Returns whether an update in progress seems to be stuck.
    fn is_stuck(&self, now: Instant) -> bool {
        self.files_moving.is_some_and(|(first, last)| {
            now >= last + STALL_TIMEOUT || now >= first + MAX_UPDATE_TIME
        })
    }

    /// Returns the notices that are due, and before them the job that saves the state.
    fn report(&mut self, decision: &Decision, now: Instant) -> Vec<Effect> {
        let mut told = Vec::new();
        let is_known = self.setting != Setting::Unknown;
        // What Baleen can do for this Docker is known once an update has ended.
        let is_whole =
            !matches!(self.bundle_state, BundleState::Incomplete(_)) || self.is_stuck(now);
        let is_due = self.has_icon && !self.state.welcomed && is_known && is_whole;
        if is_due && now >= self.settled_at {
            self.state.welcomed = true;
            told.push(Notice::Welcome {
                setting: self.beside.as_ref().unwrap_or(&self.setting).clone(),
                is_on: self.is_on(),
                named: self.named_in_place(),
                support: self.support(),
            });
        }
        let is_settled = now >= self.settled_at
            && decision.pending == Action::Nothing
            && is_known
            && !self.is_live_locked
            && self.quit_grace_until.is_none();
        if let (Some(path), BundleState::Ready(installed), true) =
            (&self.path, &self.bundle_state, is_settled)
        {
            let (path, installed) = (path.clone(), installed.clone());
            told.extend(self.difference(&path, &installed, decision));
            let is_told = !told.is_empty();
            told.extend(self.settings_changed(&path).filter(|_| !is_told));
        }
        match self.problem(decision, now) {
            Some(diagnostic) => {
                let key = format!("{}: {}", decision.state.word(), diagnostic.sentence);
                if self.state.trouble.as_ref() != Some(&key) {
                    self.state.trouble = Some(key);
                    told.push(Notice::Trouble {
                        state: decision.state,
                        diagnostic,
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
                self.log(format!(
                    "Checked: {}",
                    super::notice::full(&decision.diagnostic.sentence)
                ));
            }
        }
        for notice in &told {
            self.log(notice.headline());
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
    fn difference(
        &mut self,
        path: &Path,
        installed: &Installed,
        decision: &Decision,
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
        let before = known.told.replace(now.clone())?;
        let is_wanted = self.intent == Some(Intent::Settings);
        let beside = self.beside.as_ref();
        let mut notice = notice(&before, &now, &self.setting, is_wanted, docker)?;
        if let Notice::Changed {
            settings, by_hand, ..
        } = &mut notice
        {
            *settings = beside.cloned();
            *by_hand = installed.unpatched.clone();
        }
        Some(notice)
    }

    /// The proxy named by hand, if it is in the image.
    fn named_in_place(&self) -> Option<RedactedProxy> {
        let patch = self.installed()?.patch.as_ref()?;
        (self.intent == Some(Intent::Named)).then(|| patch.proxy.clone())
    }

    /// Returns a notice if the settings changed while a proxy named by hand is in place, so Docker keeps it.
    fn settings_changed(&mut self, path: &Path) -> Option<Notice> {
        let in_place = self.named_in_place()?;
        let settings = self.beside.clone()?;
        let now = match &settings {
            Setting::Direct { .. } => None,
            Setting::Proxy { block, .. } => Some(*block),
            // The settings are only unavailable for now.
            Setting::Unknown | Setting::Offline | Setting::ScriptAway | Setting::Failed { .. } => {
                return None;
            }
        };
        let before = self.state.known_mut(path).settings.replace(now)?;
        (before != now).then_some(Notice::SettingsChanged { in_place, settings })
    }

    /// Returns the running Docker's need for a restart.
    fn restart_need(&self, decision: &Decision) -> RestartNeed {
        match (decision.state, decision.action) {
            (State::RestartNeeded, Action::Restart(way)) => RestartNeed::Restarts(way),
            (State::RestartNeeded, _) if self.config.restart == RestartPolicy::Never => {
                RestartNeed::Waits
            }
            (State::RestartNeeded, _) => RestartNeed::Asks {
                can_follow: self.can_apply_live(),
            },
            _ => RestartNeed::IsRight,
        }
    }

    fn installed(&self) -> Option<&Installed> {
        match &self.bundle_state {
            BundleState::Ready(installed) => Some(installed),
            _ => None,
        }
    }

    /// The revision of the boot image, if there is one.
    fn revision(&self) -> Option<Revision> {
        self.installed().map(Installed::revision)
    }

    /// Returns whether an engine runs and is known to match the image.
    fn is_engine_right(&self) -> bool {
        self.engine()
            .is_some_and(|engine| engine != EngineSync::OutOfDate)
    }

    /// The sync state of the running engine, if there is an image to compare it with.
    fn engine(&self) -> Option<EngineSync> {
        let (running, installed) = self.running.as_ref().zip(self.installed())?;
        Some(running.engine(installed))
    }

    /// Returns whether the running engine can be brought up to date without a restart of Docker.
    fn can_apply_live(&self) -> bool {
        self.running
            .as_ref()
            .zip(self.installed())
            .is_some_and(|(running, installed)| running.can_apply_live(installed))
    }

    /// Returns the problem that needs the user, if any.
    fn problem(&self, decision: &Decision, now: Instant) -> Option<Diagnostic> {
        if let Some(diagnostic) = &self.config_trouble {
            return Some(diagnostic.clone());
        }
        if matches!(self.intent, None | Some(Intent::Off)) && self.backoff.is_none() {
            return None;
        }
        let is_trouble = match decision.state {
            State::NotPermitted | State::Foreign | State::Unsupported => true,
            State::Updating => self.is_stuck(now),
            State::Wiped | State::Stale => {
                self.backoff.is_some() || matches!(self.setting, Setting::Failed { .. })
            }
            State::Current | State::RestartNeeded => {
                matches!(
                    self.setting,
                    Setting::Failed {
                        may_pass: false,
                        ..
                    }
                ) && self.intent == Some(Intent::Settings)
            }
            State::Off | State::Direct | State::NoDocker => false,
        };
        is_trouble.then(|| decision.diagnostic.clone())
    }

    fn notify(&mut self, notice: Notice) -> Effect {
        self.log(notice.headline());
        Effect::Notify(notice)
    }

    fn log(&mut self, what: impl Into<String>) {
        self.state.log((self.wall)(), what);
    }

    /// Docker.app, as far as it could be read.
    fn bundle(&self) -> Option<&Bundle> {
        match &self.bundle_state {
            BundleState::Ready(installed) => Some(&installed.bundle),
            BundleState::Unsupported(_, _, bundle) => bundle.as_ref(),
            BundleState::Missing(_) | BundleState::Incomplete(_) => None,
        }
    }

    /// The proxy of the settings, as seen from this Docker.
    fn proxy_here(&self) -> Option<String> {
        match &self.setting {
            Setting::Proxy { shown, .. } => Some(short(shown)),
            _ => None,
        }
    }

    /// Returns Baleen's support for the installed Docker.
    fn support(&self) -> DockerSupport {
        let docker = |bundle: &Bundle| format!("Docker {}", bundle.version);
        let own = self
            .bundle()
            .and_then(|bundle| bundle.family.own_settings(&docker(bundle)));
        match (&self.bundle_state, own) {
            (BundleState::Ready(_), _) => DockerSupport::Patched,
            (BundleState::Missing(_), _) => DockerSupport::Missing,
            (_, Some(sentence)) => DockerSupport::OwnSettings { sentence },
            (
                BundleState::Incomplete(diagnostic) | BundleState::Unsupported(_, diagnostic, _),
                None,
            ) => DockerSupport::Unusable(diagnostic.clone()),
        }
    }

    /// Returns whether a request for the proxy can be recorded. It can also be recorded while Baleen may not
    /// change Docker: updates end, and the user can grant the permission.
    fn can_be_asked_for(&self) -> bool {
        !matches!(
            self.bundle_state,
            BundleState::Missing(_) | BundleState::Unsupported(State::Unsupported, ..)
        )
    }

    /// Returns whether the proxy is switched on. Without a recorded intent, it is on if the image has one.
    fn is_on(&self) -> bool {
        match (self.intent, &self.bundle_state) {
            (Some(intent), _) => intent != Intent::Off,
            (None, BundleState::Ready(installed)) => installed.patch.is_some(),
            (None, _) => false,
        }
    }

    /// Returns the current state for display.
    pub fn view(&self, now: Instant) -> View {
        let decision = self.reconcile(now);
        let diagnostic = match &self.config_trouble {
            Some(diagnostic) => diagnostic.clone(),
            None => decision.diagnostic,
        };
        let bundle = self.bundle();
        View {
            state: decision.state,
            diagnostic,
            docker: bundle.map(|bundle| bundle.version.clone()),
            family: bundle.map(|bundle| bundle.family.clone()),
            path: self.path.clone(),
            in_image: match &self.bundle_state {
                BundleState::Ready(installed) => {
                    installed.patch.as_ref().map(|patch| patch.proxy.clone())
                }
                _ => None,
            },
            setting: self.setting.clone(),
            beside: self.beside.clone(),
            by_hand: match &self.bundle_state {
                BundleState::Ready(installed) => installed.unpatched.by_hand().map(str::to_owned),
                _ => None,
            },
            intent: self.intent,
            is_on: self.is_on(),
            can_switch: matches!(self.bundle_state, BundleState::Ready(_)),
            is_running: self.running.is_some(),
            engine: self.engine(),
            can_follow: self.can_apply_live(),
            busy: self.busy,
            source: self.config.source,
            restart: self.config.restart,
            has_manual: self.config.http_proxy.is_some() || self.config.https_proxy.is_some(),
            past: self.state.past.clone(),
        }
    }
}

/// The setting for a proxy that was named on the command line before Baleen could see which it was.
fn unknown_by_name() -> Setting {
    Setting::Failed {
        diagnostic: Diagnostic::new(
            "its proxy was named on the command line, and which one that was is not known",
        )
        .with_hint("name it again, or switch Use Proxy off and on to have that of the settings"),
        may_pass: false,
    }
}

/// Returns the config without the restart policy: the part that determines the proxy.
fn without_restart(config: &Config) -> Config {
    Config {
        restart: RestartPolicy::default(),
        ..config.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::reconcile::KeptAnswers;
    use crate::patch::digest::Sha;

    /// No event announces that a PAC script can be reached again, or that its kept answers expire.
    #[test]
    fn what_may_pass_by_itself_is_asked_again_soon() {
        let now = Instant::now();
        let proxy = |script| Setting::Proxy {
            block: Sha::of(b"x"),
            shown: RedactedProxy {
                http: None,
                https: Some("http://p:1".to_owned()),
                no_proxy: String::new(),
            },
            origin: "a test".to_owned(),
            script,
        };
        let kept = |until| {
            Some(KeptAnswers {
                since: Some(SystemTime::UNIX_EPOCH),
                until,
            })
        };
        let failed = |may_pass| Setting::Failed {
            diagnostic: Diagnostic::new("x"),
            may_pass,
        };
        for (setting, is_asked_again) in [
            (failed(true), true),
            (failed(false), false),
            (proxy(None), false),
            (proxy(kept(None)), false),
            (proxy(kept(Some(SystemTime::UNIX_EPOCH))), true),
            (Setting::ScriptAway, false),
        ] {
            let mut controller = Controller::new(AgentState::default(), now, SystemTime::now);
            let engine = ClientDialect::of("", true);
            controller.set_for = Some((engine, None));
            controller.resolved(engine, setting.clone().into(), now);
            let again = is_asked_again.then(|| now + RETRY_DELAY);
            assert_eq!(controller.resolve_at, again, "{setting:?}");
            assert_eq!(controller.setting, setting);
        }
    }
}
