//! The agent's mind: events in, jobs out, and the time is an argument. It reads and writes nothing
//! itself, so that tests can run through a year of events in a second, in any order and with any of
//! them lost.
//!
//! Every event says no more than "look again". What is to be done is told by [`decide`] from what
//! was seen last, and only once the files of Docker.app have been at rest for [`QUIET`].

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::config::{Config, Restart, Source};
use crate::docker::{Bundle, Family, KnownProcess};
use crate::error::Kind;
use crate::patch::digest::OriginalSha;
use crate::patch::intent::Intent;
use crate::patch::status::State;
use crate::proxy::{Engine, Shown};

use super::decide::{
    Act, Decision, EngineNow, Refusal, Running, Setting, Sight, Situation, Stand, Tried, Way,
    Which, Words, decide,
};
use super::look::Fingerprint;
use super::memory::{KnownRunning, Memory, Told};
use super::news::{DockerNow, DockerSupport, News, news, short};
use super::view::{Busy, View};

/// For how long the files of Docker.app have to be at rest before they are touched. An update copies
/// one file after another, with pauses well below this.
pub const QUIET: Duration = Duration::from_secs(2);
/// A bundle that is not whole, and of which nothing has changed for this long, is stuck.
pub const STUCK: Duration = Duration::from_secs(60);
/// No update takes as long as this.
pub const NO_UPDATE_TAKES: Duration = Duration::from_secs(15 * 60);
/// One click in System Settings makes several changes, and a network that comes up makes many.
pub const SETTINGS_QUIET: Duration = Duration::from_millis(500);
/// A setting that never comes to rest is looked at anyway.
pub const SETTINGS_AT_LAST: Duration = Duration::from_secs(5);
/// How often everything is looked at in any case.
pub const SLOWLY: Duration = Duration::from_secs(15 * 60);
/// When something that failed is tried again, if nothing changes before.
const AFTER_FAILURE: Duration = Duration::from_secs(60);
/// A Docker that quits ends its VM first, and is to be seen for this long after that. It is not opened again.
const QUITS: Duration = Duration::from_secs(5);
/// For this long after Docker was first seen its VM's console may still have to come.
const CONSOLE_COMES: Duration = Duration::from_secs(60);
/// How often it is looked for.
const CONSOLE_LOOK: Duration = Duration::from_secs(3);
/// What was seen this long ago is looked at again before the image is changed.
const FRESH: Duration = Duration::from_secs(1);
/// How many changes may follow each other at once. Two may: the settings can change during the first.
const PATIENCE: u32 = 4;

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
    Looked(Box<Look>),
    /// What the settings come to.
    Resolved(Engine, Box<Resolved>),
    /// A job that changes the image has ended, and this is what stands there now.
    Worked(Result<Done, Failed>, Fingerprint),
    /// Docker was restarted, or not.
    Restarted(Result<(), Words>),
    /// The running VM was made to follow the image, or not.
    Followed(Result<Done, Words>),
    /// A click could not be obeyed.
    Refused(Words),
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
    Restart(Way),
    /// Where the proxy comes from.
    Source(Source),
    /// What is to be done when Docker needs a restart.
    WhenRestart(Restart),
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
pub struct Look {
    /// What the config file says.
    pub config: Result<Config, Words>,
    /// Where Docker.app is.
    pub path: Option<PathBuf>,
    /// What the user was heard to want there.
    pub wanted: Option<Intent>,
    /// The proxy that was named by hand for it, where that was noted.
    pub named: Option<Shown>,
    /// What is to be seen of it.
    pub sight: Sight,
    /// Which files stand there.
    pub print: Fingerprint,
    /// The Docker that runs from it.
    pub running: Option<Running>,
    /// Someone on the command line is having the running VM follow.
    pub is_followed: bool,
}

/// A change that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// The image was changed, or the running engine.
    Changed,
    /// It was as it should be.
    Nothing,
    /// There was no running engine that could have been changed.
    NoneRan,
}

/// A change that was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// What kind of failure it was.
    pub kind: Kind,
    /// Why.
    pub words: Words,
}

/// Something to be done for the mind.
#[derive(Debug, Clone, PartialEq)]
pub enum Job {
    /// Look, at once.
    Look,
    /// Find out what the settings come to.
    Resolve {
        /// For this engine.
        engine: Engine,
        /// Which proxy was named for this bundle, where that is the one that is wanted.
        named: Option<Shown>,
    },
    /// Put the proxy of the settings into the image.
    Apply {
        /// Of this bundle.
        path: PathBuf,
        /// What the settings come to, as far as is known.
        setting: Setting,
        /// As for [`Job::Resolve`].
        named: Option<Shown>,
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
    Follow {
        /// Of this Docker.
        path: PathBuf,
        /// Take over what someone else wrote.
        adopt: bool,
    },
    /// Note what the user wants.
    Want {
        /// In this bundle.
        path: PathBuf,
        /// What that is.
        intent: Intent,
    },
    /// Write a decision of the user's into the config file.
    Configure(Click),
    /// Keep this across runs.
    Remember(Box<Memory>),
    /// Tell the user.
    Tell(News),
}

/// The mind.
#[derive(Debug)]
pub struct Mind {
    /// The user sees an icon, and is told what it is.
    has_icon: bool,
    memory: Memory,
    /// What of it is kept already.
    remembered: Memory,
    config: Config,
    config_trouble: Option<Words>,
    path: Option<PathBuf>,
    wanted: Option<Intent>,
    sight: Sight,
    print: Option<Fingerprint>,
    running: Option<Running>,
    is_followed: bool,
    setting: Setting,
    /// What the settings come to, where a proxy was named by hand instead.
    beside: Option<Setting>,
    /// For which engine, and which proxy by name, that is.
    set_for: Option<(Engine, Option<Shown>)>,
    /// When the files will have been at rest for long enough.
    settled_at: Instant,
    /// Since when they change, and when they last did.
    unrest: Option<(Instant, Instant)>,
    /// Since when, and until when, the settings change.
    flapping: Option<(Instant, Instant)>,
    look_at: Option<Instant>,
    resolve_at: Option<Instant>,
    slow_at: Instant,
    is_resolving: bool,
    busy: Option<Busy>,
    /// How many changes were made one after the other without coming to rest.
    changes: u32,
    refusal: Option<Refusal>,
    consent: Option<Way>,
    adopt: bool,
    adopted: Option<Adopted>,
    tried: Tried,
    looked_at: Option<Instant>,
    /// Which Docker runs, and when it was first seen.
    first_seen: Option<(u32, Instant)>,
    /// The running VM did not follow, and nothing is concluded from that before this.
    ends_by: Option<Instant>,
    /// Why the running VM was not brought up to date, until that is told.
    not_followed: Option<Words>,
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
    fn holds(&mut self, running: Option<&Running>, sight: &Sight) -> bool {
        let is_this_vm = running.is_some_and(|running| self.vm.is(running.pid, running.since));
        let original = match sight {
            Sight::Open(stand) => stand.patch.as_ref().map(|patch| patch.original),
            _ => None,
        };
        is_this_vm && original.is_some_and(|now| *self.original.get_or_insert(now) == now)
    }
}

impl Mind {
    /// A mind that starts at `now` with this memory; `wall` is the clock on the wall, for the records.
    pub fn new(memory: Memory, now: Instant, wall: fn() -> SystemTime) -> Self {
        Self {
            has_icon: true,
            remembered: memory.clone(),
            memory,
            config: Config::default(),
            config_trouble: None,
            path: None,
            wanted: None,
            sight: Sight::Missing(Words::new("nothing was looked at yet")),
            print: None,
            running: None,
            is_followed: false,
            setting: Setting::Unknown,
            beside: None,
            set_for: None,
            settled_at: now + QUIET,
            unrest: None,
            flapping: None,
            look_at: Some(now),
            resolve_at: None,
            slow_at: now + SLOWLY,
            is_resolving: false,
            busy: None,
            changes: 0,
            refusal: None,
            consent: None,
            adopt: false,
            adopted: None,
            tried: Tried::default(),
            looked_at: None,
            first_seen: None,
            ends_by: None,
            not_followed: None,
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
    pub fn hear(&mut self, event: Event, now: Instant) -> Vec<Job> {
        match event {
            Event::Files(print) => self.files(print, now),
            Event::Settings => {
                let first = self.flapping.map_or(now, |(first, _)| first);
                self.flapping = Some((first, now));
                self.resolve_at = Some((now + SETTINGS_QUIET).min(first + SETTINGS_AT_LAST));
            }
            Event::Decisions | Event::Docker => self.look_at = Some(now),
            Event::Woke => self.look_at_everything(now),
            Event::Click(click) => return self.click(click, now),
            Event::Looked(look) => self.looked(*look, now),
            Event::Resolved(engine, resolved) => self.resolved(engine, *resolved, now),
            Event::Worked(result, print) => self.worked(result, print, now),
            Event::Restarted(result) => {
                self.busy = None;
                self.consent = None;
                self.look_at = Some(now);
                match result {
                    Ok(()) => self.note("Docker was restarted"),
                    Err(words) => return vec![self.tell(News::NotRestarted(words))],
                }
            }
            Event::Followed(result) => {
                self.busy = None;
                self.consent = None;
                self.look_at = Some(now);
                match result {
                    Ok(Done::Changed) => self.note("The Engine was restarted"),
                    Ok(Done::Nothing) => self.note("The running Engine was up to date already"),
                    Ok(Done::NoneRan) => {}
                    // What is to be said of it depends on what is seen then.
                    Err(words) => {
                        self.not_followed = Some(words);
                        self.ends_by = Some(now + QUITS);
                    }
                }
            }
            Event::Refused(words) => self.note(super::news::full(&words.sentence)),
        }
        Vec::new()
    }

    fn files(&mut self, print: Fingerprint, now: Instant) {
        // What changes during a job of Baleen's own is told when that is done.
        let is_news = self.print != Some(print) || self.unrest.is_some();
        if self.busy.is_none() && is_news {
            self.moved(print, now);
        }
    }

    /// The files changed just now, to these.
    fn moved(&mut self, print: Fingerprint, now: Instant) {
        if self.print.replace(print) != Some(print) {
            // It was agreed to for what was there.
            self.adopt = false;
        }
        let first = self.unrest.map_or(now, |(first, _)| first);
        self.unrest = Some((first, now));
        self.settled_at = now + QUIET;
        self.look_at = Some(self.settled_at);
        self.refusal = None;
    }

    fn look_at_everything(&mut self, now: Instant) {
        self.slow_at = now + SLOWLY;
        self.refusal = None;
        self.look_at = Some(now);
        self.resolve_at = Some(now);
    }

    fn click(&mut self, click: Click, now: Instant) -> Vec<Job> {
        match click {
            // A notification stays on the screen when Docker.app becomes another one.
            Click::UseProxy(true) if !self.can_be_asked_for() => vec![self.tell(News::CannotUse {
                proxy: self.proxy_here(),
                support: self.support(),
            })],
            Click::UseProxy(on) => {
                let Some(path) = self.path.clone() else {
                    return Vec::new();
                };
                self.memory.trouble = None;
                self.look_at_everything(now);
                let intent = if on { Intent::Settings } else { Intent::Off };
                vec![Job::Want { path, intent }]
            }
            Click::Reapply => {
                self.asked = true;
                self.memory.trouble = None;
                self.tried = Tried::default();
                self.look_at_everything(now);
                Vec::new()
            }
            Click::Adopt => {
                self.adopt = true;
                self.look_at_everything(now);
                match (self.path.clone(), self.wanted) {
                    // Lines are taken over by the proxy that is put in their place.
                    (Some(path), None | Some(Intent::Off)) => vec![Job::Want {
                        path,
                        intent: Intent::Settings,
                    }],
                    _ => Vec::new(),
                }
            }
            Click::FollowSettings => self.follow_settings(now).into_iter().collect(),
            Click::Restart(way) => {
                // Not taken for a consent to any other restart later on.
                let is_needed = self.decide(now).state == State::RestartNeeded;
                if is_needed && self.busy.is_none() && way == Way::Engine && !self.can_follow() {
                    // A notification stays when the console goes.
                    self.look_at = Some(now);
                    return vec![
                        self.tell(News::NotFollowed {
                            words: Words::new("the VM has no console now")
                                .advise("restart Docker instead"),
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
                    self.tried = Tried::default();
                }
                self.look_at = Some(now);
                let mut jobs = vec![Job::Configure(click)];
                if matches!(click, Click::Source(_)) {
                    // Who says where the proxy comes from wants it from there.
                    jobs.extend(self.follow_settings(now));
                }
                jobs
            }
        }
    }

    /// The job that has the settings count again, where a proxy that was named by hand does.
    fn follow_settings(&mut self, now: Instant) -> Option<Job> {
        let path = self.path.clone()?;
        if self.wanted != Some(Intent::Named) {
            return None;
        }
        self.memory.trouble = None;
        self.look_at_everything(now);
        Some(Job::Want {
            path,
            intent: Intent::Settings,
        })
    }

    fn looked(&mut self, look: Look, now: Instant) {
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
            Err(words) => self.config_trouble = Some(words),
        }
        if self.path != look.path {
            self.path = look.path;
            self.print = Some(look.print);
            self.settled_at = self.settled_at.max(now + QUIET);
            self.unrest = None;
            self.refusal = None;
            self.running = None;
            self.adopt = false;
            self.tried = Tried::default();
            self.not_followed = None;
            self.ends_by = None;
        }
        if self.wanted != look.wanted {
            self.wanted = look.wanted;
            self.refusal = None;
        }
        // What was not announced counts as seen now for the first time.
        if self.print != Some(look.print) {
            self.moved(look.print, now);
        }
        if now < self.settled_at && self.unrest.is_some() {
            self.look_at = Some(self.settled_at);
        } else if matches!(look.sight, Sight::Unfinished(_)) {
            self.unrest.get_or_insert((now, now));
            if !self.is_stuck(now) {
                self.look_at = Some(now + QUIET);
            }
        } else if self.refusal.as_ref().is_none_or(|r| r.kind != Kind::Busy) {
            self.unrest = None;
        }
        self.looked_at = Some(now);
        self.sight = look.sight;
        self.running = look.running.map(|running| self.know(running));
        let (running, sight) = (self.running.as_ref(), &self.sight);
        self.adopted.take_if(|a| !a.holds(running, sight));
        self.is_followed = look.is_followed;
        if self.is_followed {
            // No one tells when that ends.
            self.look_again(now + QUIET);
        }
        if self.waits_for_console(now) {
            // Nor when the console comes, from which on it is known since when the VM runs.
            self.look_again(now + CONSOLE_LOOK);
        }
        self.learn_name(look.named);
        let wanted_for = self.wanted_for();
        if self.set_for.as_ref() != Some(&wanted_for) {
            self.setting = Setting::Unknown;
            self.beside = None;
            self.set_for = Some(wanted_for);
            self.resolve_at = Some(now);
        }
    }

    /// Learns which proxy was named by hand: from the note about that, or, where an older Baleen made none, from the image.
    /// The settings are resolved for it, so it is learned before that.
    fn learn_name(&mut self, noted: Option<Shown>) {
        let (Some(path), Some(Intent::Named)) = (&self.path, self.wanted) else {
            return;
        };
        let in_image = match &self.sight {
            Sight::Open(stand) => stand.patch.as_ref().map(|patch| patch.proxy.clone()),
            _ => None,
        };
        if let Some(name) = in_image.or(noted) {
            self.memory.known_mut(path).named = Some(name);
        }
    }

    /// Sees to it that there is a look at this time, if not before.
    fn look_again(&mut self, at: Instant) {
        self.look_at = Some(self.look_at.map_or(at, |before| before.min(at)));
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
            .stand()
            .is_some_and(|stand| matches!(stand.bundle.family, Family::Moby { .. }));
        is_moby && !running.has_console && now < since + CONSOLE_COMES
    }

    /// For which engine the settings are to be read, and which proxy by name is wanted instead.
    fn wanted_for(&self) -> (Engine, Option<Shown>) {
        // Where there is no Docker, there is no VM either in which this computer would have another address.
        let has_vm = !matches!(self.sight, Sight::Missing(_));
        let engine = self
            .bundle()
            .map_or(Engine::of("", has_vm), crate::wanted::engine_of);
        (engine, self.named())
    }

    /// The proxy that was named for this bundle, where that is the one that is wanted.
    fn named(&self) -> Option<Shown> {
        let known = self.memory.known(self.path.as_deref()?)?;
        known
            .named
            .clone()
            .filter(|_| self.wanted == Some(Intent::Named))
    }

    /// Which image the running Docker started from: the present one, if it is older than Docker, and
    /// else the one that was there when Docker was seen before.
    fn know(&mut self, mut running: Running) -> Running {
        let (Some(path), Sight::Open(stand)) = (self.path.as_deref(), &self.sight) else {
            return running;
        };
        let present = stand.block();
        let known = self.memory.known_mut(path);
        if running
            .since
            .is_some_and(|since| since >= stand.image_since)
        {
            running.block = Some(present);
            let kept = known.running.as_ref().and_then(|k| k.block_of(&running));
            if kept != Some(present) {
                known.running = KnownRunning::new(&running, present);
            }
        } else {
            running.block = known.running.as_ref().and_then(|k| k.block_of(&running));
        }
        running
    }

    fn resolved(&mut self, engine: Engine, resolved: Resolved, now: Instant) {
        self.is_resolving = false;
        // One that was asked for again in the meantime is out of date.
        let is_asked_for = self.set_for.as_ref().is_some_and(|(e, _)| *e == engine);
        let is_due_again = self.flapping.is_some() || self.resolve_at.is_some_and(|at| at <= now);
        if is_due_again || !is_asked_for {
            return;
        }
        let Resolved { setting, beside } = match self.wanted {
            Some(Intent::Named) if self.named().is_none() => Resolved {
                setting: unknown_by_name(),
                beside: Some(resolved.setting),
            },
            _ => resolved,
        };
        if setting != self.setting {
            self.refusal = None;
        }
        // Old answers of a PAC script come to their end, or the script comes back; nothing tells of either.
        let may_pass = |setting: &Setting| match setting {
            Setting::Failed { may_pass, .. } => *may_pass,
            Setting::Proxy { script, .. } => script.is_some_and(|kept| kept.until.is_some()),
            _ => false,
        };
        if may_pass(&setting) || beside.as_ref().is_some_and(may_pass) {
            let again = now + AFTER_FAILURE;
            self.resolve_at = Some(self.resolve_at.map_or(again, |at| at.min(again)));
        }
        self.setting = setting;
        self.beside = beside;
    }

    fn worked(&mut self, result: Result<Done, Failed>, print: Fingerprint, now: Instant) {
        self.busy = None;
        if self.adopt && result.is_ok() {
            let vm = self.running.as_ref();
            let vm = vm.and_then(|vm| KnownProcess::new(vm.pid, vm.since));
            self.adopted = vm.map(|vm| Adopted { vm, original: None });
        }
        self.adopt = false;
        self.look_at = Some(now);
        self.changes += 1;
        let failed = match result {
            Ok(done) => {
                self.print = Some(print);
                self.unrest = None;
                // It is right now, and if the next look finds that it is not, another try does not help either.
                (done != Done::Changed || self.changes >= PATIENCE).then(|| Failed {
                    kind: Kind::Failure,
                    words: Words::new(
                        "the boot image was changed, but is still not as it should be",
                    ),
                })
            }
            Err(failed) => Some(failed),
        };
        self.refusal = failed.map(|Failed { kind, words }| {
            let pause = match kind {
                Kind::Busy if !self.is_stuck(now) => {
                    self.unrest.get_or_insert((now, now));
                    QUIET
                }
                Kind::Failure => AFTER_FAILURE,
                Kind::Busy | Kind::NotPermitted | Kind::Refused | Kind::Usage => SLOWLY,
            };
            Refusal {
                kind,
                words,
                until: now + pause,
            }
        });
        if self.refusal.as_ref().is_some_and(|r| r.kind == Kind::Busy) {
            self.resolve_at = Some(now);
        }
    }

    /// What is to be done now. To be asked after every event, and at [`Self::deadline`].
    pub fn next(&mut self, now: Instant) -> Vec<Job> {
        if now >= self.slow_at {
            self.look_at_everything(now);
        }
        if self.busy.is_some() {
            return Vec::new();
        }
        if self.look_at.is_some_and(|at| at <= now) || self.ends_by.is_some_and(|at| at <= now) {
            self.look_at = None;
            self.ends_by.take_if(|at| *at <= now);
            return vec![Job::Look];
        }
        let mut jobs = Vec::new();
        if !self.is_resolving && self.resolve_at.is_some_and(|at| at <= now) {
            self.resolve_at = None;
            self.flapping = None;
            let (engine, named) = self.wanted_for();
            self.is_resolving = true;
            jobs.push(Job::Resolve { engine, named });
        }
        let decision = self.decide(now);
        // Which image the running VM started from is known only if it was seen before that is changed.
        let is_stale = self.looked_at.is_none_or(|at| now > at + FRESH);
        if is_stale && matches!(decision.act, Act::Apply | Act::Restore) {
            jobs.push(Job::Look);
            return jobs;
        }
        let path = self.path.clone().unwrap_or_default();
        if self.is_engine_right() {
            self.tried = Tried::default();
        }
        // It is for now, and for nothing that comes later.
        self.consent = None;
        jobs.extend(self.tell_not_followed(&decision));
        if decision.later == Act::Nothing {
            self.changes = 0;
            if self.look_at.is_none() && self.resolve_at.is_none() && !self.is_resolving {
                // There was nothing to take over.
                self.adopt = false;
            }
        }
        match decision.act {
            Act::Nothing => {}
            Act::Apply => {
                self.busy = Some(Busy::Applying);
                jobs.push(Job::Apply {
                    path,
                    setting: self.setting.clone(),
                    named: self.named(),
                    adopt: self.adopt,
                });
            }
            Act::Restore => {
                self.busy = Some(Busy::Restoring);
                jobs.push(Job::Restore { path });
            }
            Act::Restart(way) => {
                jobs.extend(self.report(&decision, now));
                let (busy, job) = match way {
                    Way::Engine => {
                        self.tried.engine = self.which();
                        let adopt = self.adopted.is_some();
                        (Busy::RestartingEngine, Job::Follow { path, adopt })
                    }
                    Way::Docker => {
                        self.tried.docker = self.which();
                        (Busy::Restarting, Job::Restart { path })
                    }
                };
                self.ends_by = None;
                self.busy = Some(busy);
                jobs.push(job);
                return jobs;
            }
        }
        if self.busy.is_none() {
            jobs.extend(self.report(&decision, now));
        }
        jobs
    }

    /// That the running VM did not follow, as soon as it is to be seen what that comes to.
    fn tell_not_followed(&mut self, decision: &Decision) -> Option<Job> {
        let is_restarted = decision.act == Act::Restart(Way::Docker);
        if self.ends_by.is_some() && !matches!(decision.act, Act::Restart(_)) {
            return None;
        }
        // It does not matter any more if Docker has ended, or has another try.
        let is_over = self.running.is_none()
            || self.is_engine_right()
            || decision.act == Act::Restart(Way::Engine);
        // Else it is kept for when the files are at rest.
        if !is_over && decision.state != State::RestartNeeded {
            return None;
        }
        let news = News::NotFollowed {
            words: self.not_followed.take()?,
            is_restarted,
        };
        if is_over {
            self.note(news.headline());
            return None;
        }
        Some(self.tell(news))
    }

    /// When to be asked again, if nothing happens before.
    pub fn deadline(&self, now: Instant) -> Instant {
        if self.busy.is_some() {
            return self.slow_at;
        }
        let mut at = self.slow_at;
        at = at.min(self.look_at.unwrap_or(at));
        at = at.min(self.ends_by.unwrap_or(at));
        if !self.is_resolving {
            at = at.min(self.resolve_at.unwrap_or(at));
        }
        if self.decide(now).later != Act::Nothing {
            let retry = self.refusal.as_ref().map_or(now, |refusal| refusal.until);
            at = at.min(retry.max(self.settled_at));
        } else if now < self.settled_at {
            at = at.min(self.settled_at);
        }
        if self.unrest.is_some() && !self.is_stuck(now) {
            at = at.min(now + QUIET);
        }
        at
    }

    fn situation(&self, now: Instant) -> Situation<'_> {
        Situation {
            wanted: self.wanted,
            sight: &self.sight,
            is_moving: self.unrest.is_some() && now < self.settled_at,
            settled_at: self.settled_at,
            setting: &self.setting,
            beside: self.beside.as_ref(),
            refusal: self.refusal.as_ref(),
            running: self.running.as_ref(),
            restart: self.config.restart,
            consent: self.consent,
            is_followed: self.is_followed,
            tried: &self.tried,
            may_be_ending: self.ends_by.is_some(),
            now,
        }
    }

    fn decide(&self, now: Instant) -> Decision {
        let mut decision = decide(&self.situation(now));
        if decision.state == State::Updating && self.is_stuck(now) {
            decision.words = Words {
                sentence: format!(
                    "Docker.app is not whole, and nothing has changed in it for a while: {}",
                    decision.words.sentence
                ),
                ..decision.words
            }
            .advise("if no update is under way, install Docker again");
        }
        decision
    }

    /// Whether an update that is under way seems to have come to a stop.
    fn is_stuck(&self, now: Instant) -> bool {
        self.unrest
            .is_some_and(|(first, last)| now >= last + STUCK || now >= first + NO_UPDATE_TAKES)
    }

    /// What there is to tell, and to keep.
    fn report(&mut self, decision: &Decision, now: Instant) -> Vec<Job> {
        let mut told = Vec::new();
        let is_known = self.setting != Setting::Unknown;
        // What can be offered is known once an update has ended.
        let is_whole = !matches!(self.sight, Sight::Unfinished(_)) || self.is_stuck(now);
        let is_due = self.has_icon && !self.memory.welcomed && is_known && is_whole;
        if is_due && now >= self.settled_at {
            self.memory.welcomed = true;
            told.push(News::Welcome {
                setting: self.beside.as_ref().unwrap_or(&self.setting).clone(),
                is_on: self.is_on(),
                named: self.named_in_place(),
                support: self.support(),
            });
        }
        let is_settled = now >= self.settled_at
            && decision.later == Act::Nothing
            && is_known
            && !self.is_followed
            && self.ends_by.is_none();
        if let (Some(path), Sight::Open(stand), true) = (&self.path, &self.sight, is_settled) {
            let (path, stand) = (path.clone(), stand.clone());
            told.extend(self.difference(&path, &stand, decision));
            let is_told = !told.is_empty();
            told.extend(self.settings_changed(&path).filter(|_| !is_told));
        }
        match self.trouble(decision, now) {
            Some(words) => {
                let key = format!("{}: {}", decision.state.word(), words.sentence);
                if self.memory.trouble.as_ref() != Some(&key) {
                    self.memory.trouble = Some(key);
                    told.push(News::Trouble {
                        state: decision.state,
                        words,
                    });
                }
            }
            // Trouble that comes and goes with the settings is the same trouble, until something was changed.
            None if told.is_empty() => {}
            None => self.memory.trouble = None,
        }
        if self.asked && (is_settled || self.refusal.is_some()) {
            self.asked = false;
            if told.is_empty() {
                self.note(format!(
                    "Checked: {}",
                    super::news::full(&decision.words.sentence)
                ));
            }
        }
        for news in &told {
            self.note(news.headline());
        }
        // Kept before it is told: what is lost by a kill in between is not told, rather than told twice.
        let mut jobs = Vec::new();
        if self.memory != self.remembered {
            self.remembered = self.memory.clone();
            jobs.push(Job::Remember(Box::new(self.memory.clone())));
        }
        jobs.extend(told.into_iter().map(Job::Tell));
        jobs
    }

    /// What is so now, beside what the user was told last.
    fn difference(&mut self, path: &Path, stand: &Stand, decision: &Decision) -> Option<News> {
        let now = Told::of(stand);
        let named = self.wanted == Some(Intent::Named);
        let docker = self.docker_now(decision);
        let known = self.memory.known_mut(path);
        // One that was named, but wiped, is still to be put back.
        if !named {
            known.named = None;
            known.settings = None;
        }
        let before = known.told.replace(now.clone())?;
        let is_wanted = self.wanted == Some(Intent::Settings);
        let beside = self.beside.as_ref();
        let mut news = news(&before, &now, &self.setting, is_wanted, docker)?;
        if let News::Changed {
            settings, by_hand, ..
        } = &mut news
        {
            *settings = beside.cloned();
            *by_hand = stand.unpatched.clone();
        }
        Some(news)
    }

    /// The proxy that was named by hand, where it is in the image.
    fn named_in_place(&self) -> Option<Shown> {
        let patch = self.stand()?.patch.as_ref()?;
        (self.wanted == Some(Intent::Named)).then(|| patch.proxy.clone())
    }

    /// That the settings changed while a proxy that was named by hand is in place, so that nothing follows from it.
    fn settings_changed(&mut self, path: &Path) -> Option<News> {
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
        let before = self.memory.known_mut(path).settings.replace(now)?;
        (before != now).then_some(News::SettingsChanged { in_place, settings })
    }

    /// What becomes of the running Docker.
    fn docker_now(&self, decision: &Decision) -> DockerNow {
        match (decision.state, decision.act) {
            (State::RestartNeeded, Act::Restart(way)) => DockerNow::Restarts(way),
            (State::RestartNeeded, _) if self.config.restart == Restart::Never => DockerNow::Waits,
            (State::RestartNeeded, _) => DockerNow::Asks {
                can_follow: self.can_follow(),
            },
            _ => DockerNow::IsRight,
        }
    }

    fn stand(&self) -> Option<&Stand> {
        match &self.sight {
            Sight::Open(stand) => Some(stand),
            _ => None,
        }
    }

    /// Which image there is, if there is one.
    fn which(&self) -> Option<Which> {
        self.stand().map(Stand::which)
    }

    /// Whether an engine runs that is known to have what the image has.
    fn is_engine_right(&self) -> bool {
        self.engine()
            .is_some_and(|engine| engine != EngineNow::OutOfDate)
    }

    /// What the running engine has, where there is an image to compare it with.
    fn engine(&self) -> Option<EngineNow> {
        let (running, stand) = self.running.as_ref().zip(self.stand())?;
        Some(running.engine(stand))
    }

    /// Whether the running engine can be brought up to date without Docker being restarted.
    fn can_follow(&self) -> bool {
        self.running
            .as_ref()
            .zip(self.stand())
            .is_some_and(|(running, stand)| running.can_follow(stand))
    }

    /// What the user has to do something about.
    fn trouble(&self, decision: &Decision, now: Instant) -> Option<Words> {
        if let Some(words) = &self.config_trouble {
            return Some(words.clone());
        }
        if matches!(self.wanted, None | Some(Intent::Off)) && self.refusal.is_none() {
            return None;
        }
        let is_trouble = match decision.state {
            State::NotPermitted | State::Foreign | State::Unsupported => true,
            State::Updating => self.is_stuck(now),
            State::Wiped | State::Stale => {
                self.refusal.is_some() || matches!(self.setting, Setting::Failed { .. })
            }
            State::Current | State::RestartNeeded => {
                matches!(
                    self.setting,
                    Setting::Failed {
                        may_pass: false,
                        ..
                    }
                ) && self.wanted == Some(Intent::Settings)
            }
            State::Off | State::Direct | State::NoDocker => false,
        };
        is_trouble.then(|| decision.words.clone())
    }

    fn tell(&mut self, news: News) -> Job {
        self.note(news.headline());
        Job::Tell(news)
    }

    fn note(&mut self, what: impl Into<String>) {
        self.memory.note((self.wall)(), what);
    }

    /// Docker.app as it was read, as far as it could be.
    fn bundle(&self) -> Option<&Bundle> {
        match &self.sight {
            Sight::Open(stand) => Some(&stand.bundle),
            Sight::Closed(_, _, bundle) => bundle.as_ref(),
            Sight::Missing(_) | Sight::Unfinished(_) => None,
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
        match (&self.sight, own) {
            (Sight::Open(_), _) => DockerSupport::Patched,
            (Sight::Missing(_), _) => DockerSupport::Missing,
            (_, Some(sentence)) => DockerSupport::OwnSettings { sentence },
            (Sight::Unfinished(words) | Sight::Closed(_, words, _), None) => {
                DockerSupport::Unusable(words.clone())
            }
        }
    }

    /// Whether the wish for a proxy can be noted. It can for a Docker that may not be changed now: an update ends, and a
    /// permission is given.
    fn can_be_asked_for(&self) -> bool {
        !matches!(
            self.sight,
            Sight::Missing(_) | Sight::Closed(State::Unsupported, ..)
        )
    }

    /// Whether the proxy is switched on. Where no one said, it is if one is there.
    fn is_on(&self) -> bool {
        match (self.wanted, &self.sight) {
            (Some(intent), _) => intent != Intent::Off,
            (None, Sight::Open(stand)) => stand.patch.is_some(),
            (None, _) => false,
        }
    }

    /// How things are, for all who show it.
    pub fn view(&self, now: Instant) -> View {
        let decision = self.decide(now);
        let words = match &self.config_trouble {
            Some(words) => words.clone(),
            None => decision.words,
        };
        let bundle = self.bundle();
        View {
            state: decision.state,
            words,
            docker: bundle.map(|bundle| bundle.version.clone()),
            family: bundle.map(|bundle| bundle.family.clone()),
            path: self.path.clone(),
            in_image: match &self.sight {
                Sight::Open(stand) => stand.patch.as_ref().map(|patch| patch.proxy.clone()),
                _ => None,
            },
            setting: self.setting.clone(),
            beside: self.beside.clone(),
            by_hand: match &self.sight {
                Sight::Open(stand) => stand.unpatched.by_hand().map(str::to_owned),
                _ => None,
            },
            wanted: self.wanted,
            is_on: self.is_on(),
            can_switch: matches!(self.sight, Sight::Open(_)),
            is_running: self.running.is_some(),
            engine: self.engine(),
            can_follow: self.can_follow(),
            busy: self.busy,
            source: self.config.source,
            restart: self.config.restart,
            has_manual: self.config.http_proxy.is_some() || self.config.https_proxy.is_some(),
            past: self.memory.past.clone(),
        }
    }
}

/// A proxy that was named on the command line before Baleen could see which it was.
fn unknown_by_name() -> Setting {
    Setting::Failed {
        words: Words::new(
            "its proxy was named on the command line, and which one that was is not known",
        )
        .advise("name it again, or switch Use Proxy off and on to have that of the settings"),
        may_pass: false,
    }
}

/// The decisions that bear on which proxy it is.
fn without_restart(config: &Config) -> Config {
    Config {
        restart: Restart::default(),
        ..config.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::decide::KeptAnswers;
    use crate::patch::digest::Sha;

    /// Nothing tells when a PAC script is back, or when its old answers have come to their end.
    #[test]
    fn what_may_pass_by_itself_is_asked_again_soon() {
        let now = Instant::now();
        let proxy = |script| Setting::Proxy {
            block: Sha::of(b"x"),
            shown: Shown {
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
            words: Words::new("x"),
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
            let mut mind = Mind::new(Memory::default(), now, SystemTime::now);
            let engine = Engine::of("", true);
            mind.set_for = Some((engine, None));
            mind.resolved(engine, setting.clone().into(), now);
            let again = is_asked_again.then(|| now + AFTER_FAILURE);
            assert_eq!(mind.resolve_at, again, "{setting:?}");
            assert_eq!(mind.setting, setting);
        }
    }
}
