//! The agent's mind: events in, jobs out, and the time is an argument. It reads and writes nothing
//! itself, so that tests can run through a year of events in a second, in any order and with any of
//! them lost.
//!
//! Every event says no more than "look again". What is to be done is told by [`reconcile`] from what
//! was seen last, and only once the files of Docker.app have been at rest for [`DEBOUNCE`].

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

/// For how long the files of Docker.app have to be at rest before they are touched. An update copies
/// one file after another, with pauses well below this.
pub const DEBOUNCE: Duration = Duration::from_secs(2);
/// A bundle that is not whole, and of which nothing has changed for this long, is stuck.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(60);
/// No update takes as long as this.
pub const MAX_UPDATE_TIME: Duration = Duration::from_secs(15 * 60);
/// One click in System Settings makes several changes, and a network that comes up makes many.
pub const SETTINGS_DEBOUNCE: Duration = Duration::from_millis(500);
/// A setting that never comes to rest is looked at anyway.
pub const MAX_SETTINGS_DEBOUNCE: Duration = Duration::from_secs(5);
/// How often everything is looked at in any case.
pub const RESYNC_INTERVAL: Duration = Duration::from_secs(15 * 60);
/// When something that failed is tried again, if nothing changes before.
const RETRY_DELAY: Duration = Duration::from_secs(60);
/// A Docker that quits ends its VM first, and is to be seen for this long after that. It is not opened again.
const QUIT_GRACE: Duration = Duration::from_secs(5);
/// For this long after Docker was first seen its VM's console may still have to come.
const CONSOLE_TIMEOUT: Duration = Duration::from_secs(60);
/// How often it is looked for.
const CONSOLE_POLL_INTERVAL: Duration = Duration::from_secs(3);
/// What was seen this long ago is looked at again before the image is changed.
const MAX_AGE: Duration = Duration::from_secs(1);
/// How many changes may follow each other at once. Two may: the settings can change during the first.
const MAX_CHANGES_IN_A_ROW: u32 = 4;

/// Something happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// Something changed in or around Docker.app; this is what stands there now.
    Files(Fingerprint),
    /// The settings of this computer, or its network, may have changed.
    Settings,
    /// The config file, or what the user wants, may have changed.
    Decisions,
    /// Docker was started or has ended.
    Docker,
    /// The computer woke up.
    Woke,
    /// The user clicked.
    Click(Click),
    /// What was seen.
    Observed(Box<Snapshot>),
    /// What the settings come to.
    Resolved(ClientDialect, Box<Resolved>),
    /// A job that changes the image has ended, and this is what stands there now.
    Changed(Result<ChangeOutcome, ChangeError>, Fingerprint),
    /// Docker was restarted, or not.
    Restarted(Result<(), Diagnostic>),
    /// The running VM was made to follow the image, or not.
    AppliedLive(Result<ChangeOutcome, Diagnostic>),
    /// A click could not be obeyed.
    Refused(Diagnostic),
}

/// What the user can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Click {
    /// The proxy on or off.
    UseProxy(bool),
    /// Look at everything again and put it right.
    Reapply,
    /// Take over the proxy that someone else wrote into the script.
    Adopt,
    /// Have the proxy of the settings from now on, not the one that was named by hand.
    FollowSettings,
    /// Bring the running engine up to date in this way, if it needs to be.
    Restart(RestartScope),
    /// Where the proxy comes from.
    Source(SourceSetting),
    /// What is to be done when Docker needs a restart.
    WhenRestart(RestartPolicy),
}

/// What the settings come to for an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// What should be in place: the proxy that was named by hand, else that of the settings.
    pub setting: Setting,
    /// What the settings come to, where a proxy was named by hand instead.
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

/// What was seen at one look.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// What the config file says.
    pub config: Result<Config, Diagnostic>,
    /// Where Docker.app is.
    pub path: Option<PathBuf>,
    /// What the user was heard to want there.
    pub intent: Option<Intent>,
    /// The proxy that was named by hand for it, where that was noted.
    pub named: Option<RedactedProxy>,
    /// What is to be seen of it.
    pub bundle_state: BundleState,
    /// Which files stand there.
    pub fingerprint: Fingerprint,
    /// The Docker that runs from it.
    pub running: Option<Running>,
    /// Someone on the command line is having the running VM follow.
    pub is_live_locked: bool,
}

/// A change that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// The image was changed, or the running engine.
    Changed,
    /// It was as it should be.
    Nothing,
    /// There was no running engine that could have been changed.
    NoneRan,
}

/// A change that was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeError {
    /// What kind of failure it was.
    pub kind: Kind,
    /// Why.
    pub diagnostic: Diagnostic,
}

/// Something to be done for the mind.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Look, at once.
    Observe,
    /// Find out what the settings come to.
    Resolve {
        /// For this engine.
        engine: ClientDialect,
        /// Which proxy was named for this bundle, where that is the one that is wanted.
        named: Option<RedactedProxy>,
    },
    /// Put the proxy of the settings into the image.
    Apply {
        /// Of this bundle.
        path: PathBuf,
        /// What the settings come to, as far as is known.
        setting: Setting,
        /// As for [`Effect::Resolve`].
        named: Option<RedactedProxy>,
        /// Take over what someone else wrote.
        adopt: bool,
    },
    /// Give Docker the image back that it had before Baleen.
    Restore {
        /// This Docker.
        path: PathBuf,
    },
    /// Quit Docker and open it again.
    Restart {
        /// This Docker.
        path: PathBuf,
    },
    /// Have the running VM follow the image.
    ApplyLive {
        /// Of this Docker.
        path: PathBuf,
        /// Take over what someone else wrote.
        adopt: bool,
    },
    /// Note what the user wants.
    SetIntent {
        /// In this bundle.
        path: PathBuf,
        /// What that is.
        intent: Intent,
    },
    /// Write a decision of the user's into the config file.
    Configure(Click),
    /// Keep this across runs.
    Remember(Box<AgentState>),
    /// Tell the user.
    Notify(Notice),
}

/// The mind.
#[derive(Debug)]
pub struct Controller {
    /// The user sees an icon, and is told what it is.
    has_icon: bool,
    state: AgentState,
    /// What of it is kept already.
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
    /// What the settings come to, where a proxy was named by hand instead.
    beside: Option<Setting>,
    /// For which engine, and which proxy by name, that is.
    set_for: Option<(ClientDialect, Option<RedactedProxy>)>,
    /// When the files will have been at rest for long enough.
    settled_at: Instant,
    /// Since when they change, and when they last did.
    files_moving: Option<(Instant, Instant)>,
    /// Since when, and until when, the settings change.
    settings_moving: Option<(Instant, Instant)>,
    observe_at: Option<Instant>,
    resolve_at: Option<Instant>,
    resync_at: Instant,
    is_resolving: bool,
    busy: Option<Busy>,
    /// How many changes were made one after the other without coming to rest.
    changes: u32,
    backoff: Option<Backoff>,
    consent: Option<RestartScope>,
    adopt: bool,
    adopted: Option<Adopted>,
    attempts: Attempts,
    observed_at: Option<Instant>,
    /// Which Docker runs, and when it was first seen.
    first_seen: Option<(u32, Instant)>,
    /// The running VM did not follow, and nothing is concluded from that before this.
    quit_grace_until: Option<Instant>,
    /// Why the running VM was not brought up to date, until that is told.
    live_failure: Option<Diagnostic>,
    /// The user asked for a look, and is told what came of it.
    asked: bool,
    wall: fn() -> SystemTime,
}

/// What someone else wrote into an image was taken over, so it may be in the VM that started from it as well.
#[derive(Debug)]
struct Adopted {
    /// That VM.
    vm: KnownProcess,
    /// That image without the proxy, once it was seen.
    original: Option<OriginalSha>,
}

impl Adopted {
    /// Whether it still holds with this VM and this image.
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
    /// A mind that starts at `now` with this memory; `wall` is the clock on the wall, for the records.
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

    /// The same, without an icon that the user would have to be told of.
    #[must_use]
    pub fn without_icon(mut self) -> Self {
        self.has_icon = false;
        self
    }

    /// Takes notice of an event.
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
                    // What is to be said of it depends on what is seen then.
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
        // What changes during a job of Baleen's own is told when that is done.
        let is_news = self.fingerprint != Some(print) || self.files_moving.is_some();
        if self.busy.is_none() && is_news {
            self.files_changed(print, now);
        }
    }

    /// The files changed just now, to these.
    fn files_changed(&mut self, print: Fingerprint, now: Instant) {
        if self.fingerprint.replace(print) != Some(print) {
            // It was agreed to for what was there.
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
            // A notification stays on the screen when Docker.app becomes another one.
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
                    // Lines are taken over by the proxy that is put in their place.
                    (Some(path), None | Some(Intent::Off)) => vec![Effect::SetIntent {
                        path,
                        intent: Intent::Settings,
                    }],
                    _ => Vec::new(),
                }
            }
            Click::FollowSettings => self.follow_settings(now).into_iter().collect(),
            Click::Restart(way) => {
                // Not taken for a consent to any other restart later on.
                let is_needed = self.reconcile(now).state == State::RestartNeeded;
                if is_needed
                    && self.busy.is_none()
                    && way == RestartScope::Engine
                    && !self.can_apply_live()
                {
                    // A notification stays when the console goes.
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
                    // What was tried by hand is no part of that.
                    self.attempts = Attempts::default();
                }
                self.observe_at = Some(now);
                let mut effects = vec![Effect::Configure(click)];
                if matches!(click, Click::Source(_)) {
                    // Who says where the proxy comes from wants it from there.
                    effects.extend(self.follow_settings(now));
                }
                effects
            }
        }
    }

    /// The job that has the settings count again, where a proxy that was named by hand does.
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
                    // Where the proxy comes from may be another place.
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
        // What was not announced counts as seen now for the first time.
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
            // No one tells when that ends.
            self.observe_by(now + DEBOUNCE);
        }
        if self.waits_for_console(now) {
            // Nor when the console comes, from which on it is known since when the VM runs.
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

    /// Learns which proxy was named by hand: from the note about that, or, where an older Baleen made none, from the image.
    /// The settings are resolved for it, so it is learned before that.
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

    /// Sees to it that there is a look at this time, if not before.
    fn observe_by(&mut self, at: Instant) {
        self.observe_at = Some(self.observe_at.map_or(at, |before| before.min(at)));
    }

    /// Whether the VM that runs may get a console yet.
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

    /// For which engine the settings are to be read, and which proxy by name is wanted instead.
    fn desired_for(&self) -> (ClientDialect, Option<RedactedProxy>) {
        // Where there is no Docker, there is no VM either in which this computer would have another address.
        let has_vm = !matches!(self.bundle_state, BundleState::Missing(_));
        let engine = self
            .bundle()
            .map_or(ClientDialect::of("", has_vm), crate::desired::engine_of);
        (engine, self.named())
    }

    /// The proxy that was named for this bundle, where that is the one that is wanted.
    fn named(&self) -> Option<RedactedProxy> {
        let known = self.state.known(self.path.as_deref()?)?;
        known
            .named
            .clone()
            .filter(|_| self.intent == Some(Intent::Named))
    }

    /// Which image the running Docker started from: the present one, if it is older than Docker, and
    /// else the one that was there when Docker was seen before.
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
        // One that was asked for again in the meantime is out of date.
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
        // Old answers of a PAC script come to their end, or the script comes back; nothing tells of either.
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
                // It is right now, and if the next look finds that it is not, another try does not help either.
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

    /// What is to be done now. To be asked after every event, and at [`Self::deadline`].
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
        // Which image the running VM started from is known only if it was seen before that is changed.
        let is_stale = self.observed_at.is_none_or(|at| now > at + MAX_AGE);
        if is_stale && matches!(decision.action, Action::Apply | Action::Restore) {
            effects.push(Effect::Observe);
            return effects;
        }
        let path = self.path.clone().unwrap_or_default();
        if self.is_engine_right() {
            self.attempts = Attempts::default();
        }
        // It is for now, and for nothing that comes later.
        self.consent = None;
        effects.extend(self.notify_not_applied_live(&decision));
        if decision.pending == Action::Nothing {
            self.changes = 0;
            if self.observe_at.is_none() && self.resolve_at.is_none() && !self.is_resolving {
                // There was nothing to take over.
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

    /// That the running VM did not follow, as soon as it is to be seen what that comes to.
    fn notify_not_applied_live(&mut self, decision: &Decision) -> Option<Effect> {
        let is_restarted = decision.action == Action::Restart(RestartScope::Docker);
        if self.quit_grace_until.is_some() && !matches!(decision.action, Action::Restart(_)) {
            return None;
        }
        // It does not matter any more if Docker has ended, or has another try.
        let is_over = self.running.is_none()
            || self.is_engine_right()
            || decision.action == Action::Restart(RestartScope::Engine);
        // Else it is kept for when the files are at rest.
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

    /// When to be asked again, if nothing happens before.
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

    /// Whether an update that is under way seems to have come to a stop.
    fn is_stuck(&self, now: Instant) -> bool {
        self.files_moving.is_some_and(|(first, last)| {
            now >= last + STALL_TIMEOUT || now >= first + MAX_UPDATE_TIME
        })
    }

    /// What there is to tell, and to keep.
    fn report(&mut self, decision: &Decision, now: Instant) -> Vec<Effect> {
        let mut told = Vec::new();
        let is_known = self.setting != Setting::Unknown;
        // What can be offered is known once an update has ended.
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
            // Trouble that comes and goes with the settings is the same trouble, until something was changed.
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
        // Kept before it is told: what is lost by a kill in between is not told, rather than told twice.
        let mut effects = Vec::new();
        if self.state != self.stored {
            self.stored = self.state.clone();
            effects.push(Effect::Remember(Box::new(self.state.clone())));
        }
        effects.extend(told.into_iter().map(Effect::Notify));
        effects
    }

    /// What is so now, beside what the user was told last.
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
        // One that was named, but wiped, is still to be put back.
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

    /// The proxy that was named by hand, where it is in the image.
    fn named_in_place(&self) -> Option<RedactedProxy> {
        let patch = self.installed()?.patch.as_ref()?;
        (self.intent == Some(Intent::Named)).then(|| patch.proxy.clone())
    }

    /// That the settings changed while a proxy that was named by hand is in place, so that nothing follows from it.
    fn settings_changed(&mut self, path: &Path) -> Option<Notice> {
        let in_place = self.named_in_place()?;
        let settings = self.beside.clone()?;
        let now = match &settings {
            Setting::Direct { .. } => None,
            Setting::Proxy { block, .. } => Some(*block),
            // They come back.
            Setting::Unknown | Setting::Offline | Setting::ScriptAway | Setting::Failed { .. } => {
                return None;
            }
        };
        let before = self.state.known_mut(path).settings.replace(now)?;
        (before != now).then_some(Notice::SettingsChanged { in_place, settings })
    }

    /// What becomes of the running Docker.
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

    /// Which image there is, if there is one.
    fn revision(&self) -> Option<Revision> {
        self.installed().map(Installed::revision)
    }

    /// Whether an engine runs that is known to have what the image has.
    fn is_engine_right(&self) -> bool {
        self.engine()
            .is_some_and(|engine| engine != EngineSync::OutOfDate)
    }

    /// What the running engine has, where there is an image to compare it with.
    fn engine(&self) -> Option<EngineSync> {
        let (running, installed) = self.running.as_ref().zip(self.installed())?;
        Some(running.engine(installed))
    }

    /// Whether the running engine can be brought up to date without Docker being restarted.
    fn can_apply_live(&self) -> bool {
        self.running
            .as_ref()
            .zip(self.installed())
            .is_some_and(|(running, installed)| running.can_apply_live(installed))
    }

    /// What the user has to do something about.
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

    /// Docker.app as it was read, as far as it could be.
    fn bundle(&self) -> Option<&Bundle> {
        match &self.bundle_state {
            BundleState::Ready(installed) => Some(&installed.bundle),
            BundleState::Unsupported(_, _, bundle) => bundle.as_ref(),
            BundleState::Missing(_) | BundleState::Incomplete(_) => None,
        }
    }

    /// The proxy of the settings, as this Docker would have it.
    fn proxy_here(&self) -> Option<String> {
        match &self.setting {
            Setting::Proxy { shown, .. } => Some(short(shown)),
            _ => None,
        }
    }

    /// What can be done for the Docker that is there.
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

    /// Whether the wish for a proxy can be noted. It can for a Docker that may not be changed now: an update ends, and a
    /// permission is given.
    fn can_be_asked_for(&self) -> bool {
        !matches!(
            self.bundle_state,
            BundleState::Missing(_) | BundleState::Unsupported(State::Unsupported, ..)
        )
    }

    /// Whether the proxy is switched on. Where no one said, it is if one is there.
    fn is_on(&self) -> bool {
        match (self.intent, &self.bundle_state) {
            (Some(intent), _) => intent != Intent::Off,
            (None, BundleState::Ready(installed)) => installed.patch.is_some(),
            (None, _) => false,
        }
    }

    /// How things are, for all who show it.
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

/// A proxy that was named on the command line before Baleen could see which it was.
fn unknown_by_name() -> Setting {
    Setting::Failed {
        diagnostic: Diagnostic::new(
            "its proxy was named on the command line, and which one that was is not known",
        )
        .with_hint("name it again, or switch Use Proxy off and on to have that of the settings"),
        may_pass: false,
    }
}

/// The decisions that bear on which proxy it is.
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

    /// Nothing tells when a PAC script is back, or when its old answers have come to their end.
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
