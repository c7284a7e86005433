//! The agent's controller in a simulated world with a simulated clock: from any state, with any order and loss of
//! events, everything comes to rest in the right state, and the agent does nothing forbidden.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::common::failure::diagnostic;
use baleen::agent::RelayState;
use baleen::agent::agent_state::AgentState;
use baleen::agent::controller::{Controller, FILES_DEBOUNCE, RESYNC_INTERVAL};
use baleen::agent::effect::Effect;
use baleen::agent::event::{ChangeError, ChangeOutcome, Click, Event, Resolved};
use baleen::agent::first_run::Question;
use baleen::agent::notice::{Notice, RestartNeed};
use baleen::agent::snapshot::Fingerprint;
use baleen::agent::snapshot::Snapshot;
use baleen::agent::view::Busy;
use baleen::backend::{
    BackendId, Capabilities, Configured, Engine, EngineSync, Installed, LiveEdit, Observation,
    RestartScope, Running, Unpatched,
};
use baleen::config::{Config, Method, RestartPolicy};
use baleen::desired::Setting;
use baleen::digest::{OriginalSha, Sha};
use baleen::error::{Fix, Kind};
use baleen::intent::Intent;
use baleen::proxy::{ClientDialect, ProxyOrigin, RedactedProxy};
use baleen::reconcile::State;
use baleen::service::login_item::LoginItem;
use baleen::service::{Status, StatusQuery};
use baleen::text::WORDING;
use proptest::prelude::*;

/// An event in the world, some milliseconds after the one before.
#[derive(Debug, Clone)]
enum Happening {
    /// An update begins: the bundle is replaced in `steps` steps, with pauses of `pause` milliseconds.
    Update { version: u8, steps: u8, pause: u16 },
    /// An update stops halfway and is finished much later.
    Stalled { version: u8 },
    /// Docker.app is removed.
    Removed,
    /// The computer's proxy changes, or goes away.
    Proxy(Option<u8>),
    /// The network goes down or comes up.
    Network(bool),
    /// The user clicks on an entry.
    Click(u8),
    /// A user runs the command line.
    CommandLine(bool),
    /// The same with `--live`, which takes some milliseconds and may fail.
    Live {
        puts_in: bool,
        takes: u16,
        fails: bool,
    },
    /// The VM's console is free (`Some(true)`), in use (`Some(false)`) or missing (`None`).
    Console(Option<bool>),
    /// Docker starts its VM again, and keeps running.
    VmStarts,
    /// The user starts or quits Docker.
    Docker(bool),
    /// The system forbids changes, or allows them again.
    Permission(bool),
    /// The computer wakes up.
    Woke,
    /// The agent is killed and started again.
    Killed,
    /// A file in the bundle that doesn't matter is written.
    Noise,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => (0..3u8, 1..6u8, 10..3000u16)
            .prop_map(|(version, steps, pause)| Happening::Update { version, steps, pause }),
        1 => (0..3u8).prop_map(|version| Happening::Stalled { version }),
        1 => Just(Happening::Removed),
        3 => proptest::option::of(0..3u8).prop_map(Happening::Proxy),
        1 => any::<bool>().prop_map(Happening::Network),
        4 => (0..9u8).prop_map(Happening::Click),
        1 => any::<bool>().prop_map(Happening::CommandLine),
        2 => (any::<bool>(), 10..6000u16, any::<bool>())
            .prop_map(|(puts_in, takes, fails)| Happening::Live { puts_in, takes, fails }),
        2 => proptest::option::of(any::<bool>()).prop_map(Happening::Console),
        1 => Just(Happening::VmStarts),
        2 => any::<bool>().prop_map(Happening::Docker),
        1 => any::<bool>().prop_map(Happening::Permission),
        1 => Just(Happening::Woke),
        1 => Just(Happening::Killed),
        1 => Just(Happening::Noise),
    ]
}

/// The Docker.app of the world.
#[derive(Debug, Clone, PartialEq)]
struct App {
    version: u8,
    is_whole: bool,
    block: Option<u8>,
}

/// The basis of a consent: the time of the image, the proxy of the settings, and whether there is a network.
type Basis = (u64, Option<u8>, bool);

struct World {
    start: Instant,
    /// Milliseconds since the start.
    now: u64,
    app: Option<App>,
    /// The fingerprint, which grows with each change of the files.
    print: u64,
    /// The time of the last change of the files that Baleen didn't make.
    foreign_change: u64,
    image_since: u64,
    proxy: Option<u8>,
    is_online: bool,
    intent: Option<Intent>,
    restart: RestartPolicy,
    may_write: bool,
    /// Where the settings' proxy comes from.
    origin: ProxyOrigin,
    docker: Option<Docker>,
    pids: u32,
    /// Whether Docker keeps a console for its VM, and whether it works.
    console: Option<bool>,
    /// Time from Docker's start until its VM and the console are there, in milliseconds.
    vm_starts_after: u64,
    /// Number of `--live` commands at work.
    at_work: u32,
    memory: AgentState,
    loses_events: bool,
    dice: u64,
    /// The work in progress: when it is done, and what it is.
    pending: VecDeque<(u64, Pending)>,
    /// The restart that the user agreed to, and the image and settings at that time.
    consent: Option<(RestartScope, Basis)>,
    restarts: u32,
    follows: u32,
    /// Set if the last change adopted what someone else wrote, into the image or the running VM.
    adopts: bool,
    effects: u32,
    /// Number of changes of the image that Baleen made.
    writes: u32,
    updates: u32,
    /// The notices so far; `None` marks a reason to send the same notice again.
    notice: Vec<Option<Notice>>,
}

/// The running Docker.
#[derive(Debug, Clone, Copy)]
struct Docker {
    pid: u32,
    since: u64,
    /// Set once its VM runs; until then Docker's start time stands for that of the VM.
    has_vm: bool,
    /// The proxy of its engine.
    has: Option<u8>,
    /// The last edit of its VM.
    edit: Option<LiveEdit>,
}

#[derive(Debug, Clone)]
enum Pending {
    Resolve(baleen::proxy::ClientDialect, Option<RedactedProxy>),
    Apply {
        print: u64,
        block: u8,
    },
    Restore {
        print: u64,
    },
    Restart,
    Follow,
    /// The VM of this Docker starts.
    VmIsThere(u32),
    /// `--live` on the command line ends.
    Live {
        fails: bool,
    },
    /// The next step of an update.
    Step {
        version: u8,
        left: u8,
        pause: u64,
    },
}

fn shown(proxy: u8) -> RedactedProxy {
    RedactedProxy {
        http: Some(format!("http://proxy{proxy}:80").parse().unwrap()),
        https: Some(format!("http://proxy{proxy}:80").parse().unwrap()),
        no_proxy: "localhost".to_owned(),
    }
}

fn block(proxy: u8) -> Sha {
    Sha::of(&[proxy])
}

fn proxy_of(setting: &Setting) -> Option<u8> {
    (0..3)
        .find(|&proxy| matches!(setting, Setting::Proxy { revision: b, .. } if *b == block(proxy)))
}

impl World {
    fn instant(&self) -> Instant {
        self.start + Duration::from_millis(self.now)
    }

    fn wall(at: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(1_000_000_000 + at)
    }

    fn random(&mut self, below: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice % below
    }

    fn look(&self) -> Snapshot {
        let path = PathBuf::from("/Applications/Docker.app");
        let observation = match &self.app {
            None => Observation::Missing(diagnostic("found no Docker.app", None, None)),
            Some(app) if !app.is_whole => {
                Observation::Incomplete(diagnostic("it is not whole", None, None))
            }
            Some(app) => Observation::Ready(Box::new(Installed {
                own_settings: None,
                engine: Engine {
                    locked_by: None,
                    backend: BackendId("docker-desktop"),
                    path: path.clone(),
                    named: path.clone(),
                    version: format!("1.12.{}", app.version),
                    build: String::new(),
                    family: "moby",
                    capabilities: Capabilities {
                        client: ClientDialect::of("1.12.0", true),
                        live: true,
                    },
                    proxy_pane: None,
                    settings_url: None,
                    refusal: None,
                },
                file: path.clone(),
                configured: app.block.map(|proxy| Configured {
                    revision: block(proxy),
                    proxy: shown(proxy),
                    method: Some(Method::Append),
                }),
                unpatched: Unpatched::Clean,
                since: Self::wall(self.image_since),
                bytes: 1,
                original: Some(OriginalSha(Sha::of(&[100 + app.version]))),
            })),
        };
        Snapshot {
            config: Ok(Config {
                restart: self.restart,
                ..Config::default()
            }),
            intent: self.intent.filter(|_| self.app.is_some()),
            named: None,
            place: self.app.is_some().then(|| path.clone()),
            path: self.app.is_some().then_some(path),
            observation,
            fingerprint: Fingerprint(self.print),
            running: self.docker.map(|docker| Running {
                tells_settings: false,
                pid: docker.pid,
                since: Some(Self::wall(docker.since)),
                revision: None,
                has_console: self.console.is_some() && docker.has_vm,
                edit: docker.edit,
            }),
            is_live_locked: self.at_work > 0,
            login_item: Some(LoginItem::Off),
        }
    }

    /// Sends the controller an event, unless that gets lost.
    fn tell(&mut self, controller: &mut Controller, event: Event) {
        if self.loses_events && self.random(3) == 0 {
            return;
        }
        let effects = controller.handle(event, self.instant());
        self.take(controller, effects);
    }

    fn changed(&mut self, controller: &mut Controller) {
        self.print += 1;
        self.foreign_change = self.now;
        self.tell(controller, Event::Files(Fingerprint(self.print)));
    }

    fn take(&mut self, controller: &mut Controller, effects: Vec<Effect>) {
        for job in effects {
            self.effects += 1;
            let pause = 1 + self.random(900);
            match job {
                Effect::Observe => {
                    let look = Box::new(self.look());
                    let effects = controller.handle(Event::Observed(look), self.instant());
                    self.take(controller, effects);
                }
                Effect::Resolve { engine, named } => {
                    self.later(pause * 3, Pending::Resolve(engine, named));
                }
                Effect::Apply { setting, adopt, .. } => {
                    self.may_begin();
                    self.adopts = adopt;
                    let block = proxy_of(&setting).expect("a proxy to apply");
                    self.later(
                        pause,
                        Pending::Apply {
                            print: self.print,
                            block,
                        },
                    );
                }
                Effect::Restore { .. } => {
                    self.may_begin();
                    self.later(pause, Pending::Restore { print: self.print });
                }
                Effect::Restart { .. } => {
                    self.restarts += 1;
                    self.may_restart(RestartScope::Docker);
                    self.later(pause * 10, Pending::Restart);
                }
                Effect::ApplyLive { adopt, .. } => {
                    self.follows += 1;
                    self.adopts = adopt;
                    self.may_restart(RestartScope::Engine);
                    assert!(self.docker.is_some() || self.loses_events, "nothing runs");
                    self.later(pause * 5, Pending::Follow);
                }
                Effect::SetIntent { intent, .. } => self.intent = Some(intent),
                Effect::Configure(Click::WhenRestart(restart)) => self.restart = restart,
                Effect::Configure(_) => {}
                Effect::Remember(memory) => self.memory = *memory,
                Effect::Notify(notice) => self.notice.push(Some(notice)),
            }
        }
    }

    /// Work must not begin while the files change, as far as the agent could know.
    fn may_begin(&self) {
        let quiet = FILES_DEBOUNCE.as_millis() as u64;
        assert!(
            self.loses_events || self.now >= self.foreign_change + quiet,
            "work begun {} ms after a change",
            self.now - self.foreign_change
        );
    }

    /// Containers may stop only if the user agreed to this very kind of restart, on the current basis.
    fn may_restart(&mut self, way: RestartScope) {
        let needed = Some((way, self.basis()));
        assert!(
            self.restart == RestartPolicy::Always || self.consent == needed,
            "a restart without consent: {way:?}"
        );
        self.consent = None;
    }

    /// The basis of a consent given now.
    fn basis(&self) -> Basis {
        (self.image_since, self.proxy, self.is_online)
    }

    /// A click agrees to a restart only where one is needed.
    fn agree(&mut self, controller: &Controller, click: Click) {
        if let Click::Restart(way) = click {
            let is_needed = controller.view(self.instant()).state == State::RestartNeeded;
            self.consent = is_needed.then(|| (way, self.basis()));
        }
    }

    /// Updates the running VM from the image, or fails; returns whether it worked.
    fn follow(&mut self, works: bool) -> bool {
        let block = self.app.as_ref().and_then(|app| app.block);
        let has_console = |docker: &&mut Docker| docker.has_vm && self.console.is_some();
        let Some(docker) = self.docker.as_mut().filter(has_console) else {
            return false;
        };
        // A failure may come before any change, or in the middle.
        let is_touched = works || self.dice.is_multiple_of(2);
        if is_touched {
            docker.has = block.filter(|_| works);
            docker.edit = Some(LiveEdit {
                revision: block.map(self::block),
                at: UNIX_EPOCH,
                is_open: !works,
            });
        }
        works
    }

    fn start_docker(&mut self) {
        let has = self.app.as_ref().and_then(|app| app.block);
        self.pids += 1;
        self.docker = Some(Docker {
            pid: self.pids,
            since: self.now,
            has_vm: self.vm_starts_after == 0,
            has,
            edit: None,
        });
        if self.vm_starts_after > 0 {
            self.later(self.vm_starts_after, Pending::VmIsThere(self.pids));
        }
    }

    /// Acts as `baleen apply` and `restore` do: records the intent first, then changes the image.
    fn command_line(&mut self, controller: &mut Controller, puts_in: bool) {
        let proxy = self.proxy.filter(|_| puts_in);
        if self.app.as_ref().is_none_or(|app| !app.is_whole) {
            return;
        }
        self.intent = Some(match puts_in {
            true => Intent::Settings,
            false => Intent::Off,
        });
        self.tell(controller, Event::Decisions);
        if let Some(app) = self.app.as_mut().filter(|app| app.block != proxy) {
            app.block = proxy;
            self.image_since = self.now;
            self.changed(controller);
        }
    }

    fn later(&mut self, pause: u64, what: Pending) {
        self.pending.push_back((self.now + pause, what));
        self.pending.make_contiguous().sort_by_key(|(at, _)| *at);
    }

    /// Ends a piece of work.
    fn end(&mut self, controller: &mut Controller, what: Pending) {
        let event = match what {
            Pending::Resolve(engine, named) => {
                let proxy = |proxy, origin: &ProxyOrigin| Setting::Proxy {
                    is_plain_system: false,
                    revision: block(proxy),
                    shown: shown(proxy),
                    origin: origin.clone(),
                    script: None,
                };
                let origin = &self.origin;
                let settings = match self.proxy {
                    _ if !self.is_online => Setting::Offline,
                    Some(number) => proxy(number, origin),
                    None => Setting::Direct {
                        origin: origin.clone(),
                    },
                };
                let named = named.and_then(|named| (0..3).find(|&one| shown(one) == named));
                let resolved = match named {
                    Some(number) => Resolved {
                        setting: proxy(number, &ProxyOrigin::CommandLine),
                        overridden_settings: Some(settings),
                    },
                    None => settings.into(),
                };
                Event::Resolved(engine, Box::new(resolved))
            }
            Pending::Apply { print, block } => self.write(print, Some(block)),
            Pending::Restore { print } => self.write(print, None),
            Pending::Restart => {
                self.start_docker();
                Event::Restarted(Ok(()))
            }
            Pending::Follow => {
                let works = self.console == Some(true);
                Event::AppliedLive(match (self.docker, self.follow(works)) {
                    (None, _) => Ok(ChangeOutcome::NoneRan),
                    (_, true) => Ok(ChangeOutcome::Changed),
                    (_, false) => Err(diagnostic(&format!("in use {}", self.follows), None, None)),
                })
            }
            Pending::VmIsThere(pid) => {
                let has = self.app.as_ref().and_then(|app| app.block);
                let dates = self.console.is_some();
                if let Some(docker) = self.docker.as_mut().filter(|docker| docker.pid == pid) {
                    docker.has_vm = true;
                    // Without a console there is nothing to date it by.
                    if dates {
                        docker.since = self.now;
                        docker.has = has;
                    }
                }
                return;
            }
            Pending::Live { fails } => {
                let works = !fails && self.console == Some(true);
                self.follow(works);
                self.at_work -= 1;
                self.notice.push(None);
                // May get lost, as may the event of a file that was written.
                self.tell(controller, Event::Decisions);
                return;
            }
            Pending::Step {
                version,
                left,
                pause,
            } => {
                self.app = Some(App {
                    version,
                    is_whole: left == 0,
                    block: None,
                });
                self.image_since = self.now;
                self.changed(controller);
                if left > 0 {
                    self.later(
                        pause,
                        Pending::Step {
                            version,
                            left: left - 1,
                            pause,
                        },
                    );
                }
                return;
            }
        };
        // The end of a job is never lost: it comes over the program's own channel.
        let effects = controller.handle(event, self.instant());
        self.take(controller, effects);
    }

    fn write(&mut self, print: u64, block: Option<u8>) -> Event {
        let failed = |kind| {
            Err(ChangeError {
                kind,
                diagnostic: diagnostic(
                    &format!("{kind:?}"),
                    None,
                    (kind == Kind::NotPermitted).then_some(Fix::AllowAppManagement),
                ),
            })
        };
        let is_same = print == self.print;
        let may_write = self.may_write;
        let now = self.now;
        let result = match &mut self.app {
            Some(app) if is_same && app.is_whole && may_write => {
                if app.block == block {
                    Ok(ChangeOutcome::Nothing)
                } else {
                    app.block = block;
                    self.image_since = now;
                    self.print += 1;
                    self.writes += 1;
                    Ok(ChangeOutcome::Changed)
                }
            }
            Some(app) if is_same && app.is_whole => failed(Kind::NotPermitted),
            _ => failed(Kind::Busy),
        };
        Event::Changed(result, Fingerprint(self.print))
    }

    fn happen(&mut self, controller: &mut Controller, what: &Happening) {
        // These events are a reason to send the same notice again.
        let is_new_reason = matches!(
            what,
            Happening::Click(0..=4 | 8)
                | Happening::CommandLine(_)
                | Happening::Live { .. }
                | Happening::Permission(_)
                | Happening::Update { .. }
                | Happening::Stalled { .. }
        );
        if is_new_reason {
            self.notice.push(None);
        }
        match what {
            Happening::Update {
                version,
                steps,
                pause,
            } => {
                self.updates += 1;
                self.pending
                    .retain(|(_, p)| !matches!(p, Pending::Step { .. }));
                self.app = None;
                self.changed(controller);
                let pause = u64::from(*pause);
                self.later(
                    pause,
                    Pending::Step {
                        version: *version,
                        left: *steps - 1,
                        pause,
                    },
                );
            }
            Happening::Stalled { version } => {
                self.updates += 1;
                self.pending
                    .retain(|(_, p)| !matches!(p, Pending::Step { .. }));
                self.app = Some(App {
                    version: *version,
                    is_whole: false,
                    block: None,
                });
                self.changed(controller);
                self.later(
                    200_000,
                    Pending::Step {
                        version: *version,
                        left: 0,
                        pause: 0,
                    },
                );
            }
            Happening::Removed => {
                self.pending
                    .retain(|(_, p)| !matches!(p, Pending::Step { .. }));
                self.app = None;
                self.changed(controller);
            }
            Happening::Proxy(proxy) => {
                self.proxy = *proxy;
                self.tell(controller, Event::Settings);
            }
            Happening::Network(is_online) => {
                self.is_online = *is_online;
                self.tell(controller, Event::Settings);
            }
            Happening::Click(what) => {
                let click = match what {
                    0..=2 => Click::UseProxy(true),
                    3 => Click::UseProxy(false),
                    4 => Click::Reapply,
                    5 => Click::Restart(RestartScope::Docker),
                    8 => Click::Restart(RestartScope::Engine),
                    6 => Click::WhenRestart(RestartPolicy::Always),
                    _ => Click::WhenRestart(RestartPolicy::Ask),
                };
                self.click(controller, click);
            }
            Happening::CommandLine(puts_in) => {
                self.command_line(controller, *puts_in);
            }
            Happening::Live {
                puts_in,
                takes,
                fails,
            } => {
                self.at_work += 1;
                self.command_line(controller, *puts_in);
                self.later(u64::from(*takes), Pending::Live { fails: *fails });
            }
            Happening::Console(console) => self.console = *console,
            Happening::VmStarts => {
                let has = self.app.as_ref().and_then(|app| app.block);
                if let Some(docker) = &mut self.docker {
                    docker.since = self.now;
                    docker.has = has;
                    docker.has_vm = true;
                    docker.edit = None;
                }
                self.pending
                    .retain(|(_, p)| !matches!(p, Pending::VmIsThere(_)));
            }
            Happening::Docker(starts) => {
                match (&self.app, starts) {
                    (Some(app), true) if app.is_whole && self.docker.is_none() => {
                        self.start_docker();
                    }
                    (_, false) => self.docker = None,
                    _ => {}
                }
                self.tell(controller, Event::Docker);
            }
            Happening::Permission(may_write) => self.may_write = *may_write,
            Happening::Woke => self.tell(controller, Event::Woke),
            Happening::Noise => self.tell(controller, Event::Files(Fingerprint(self.print))),
            Happening::Killed => {
                let goes_on = |pending: &Pending| {
                    matches!(
                        pending,
                        Pending::Step { .. } | Pending::Live { .. } | Pending::VmIsThere(_)
                    )
                };
                self.pending.retain(|(_, p)| goes_on(p));
                self.consent = None;
                *controller = self.controller();
            }
        }
    }

    fn controller(&self) -> Controller {
        Controller::new(self.memory.clone(), self.instant(), || UNIX_EPOCH, WORDING)
    }

    /// Lets the time pass.
    fn run(&mut self, controller: &mut Controller, until: u64) {
        loop {
            let mut rounds = 0;
            loop {
                let effects = controller.poll(self.instant());
                if effects.is_empty() {
                    break;
                }
                rounds += 1;
                assert!(rounds < 50, "no end of jobs at one instant: {effects:?}");
                self.take(controller, effects);
            }
            let deadline = controller
                .deadline(self.instant())
                .saturating_duration_since(self.start);
            let deadline = (deadline.as_nanos().div_ceil(1_000_000) as u64).max(self.now + 1);
            let pending = self.pending.front().map_or(u64::MAX, |(at, _)| *at);
            let next = deadline.min(pending);
            if next > until {
                self.now = until;
                return;
            }
            self.now = next;
            if pending <= next
                && let Some((_, what)) = self.pending.pop_front()
            {
                self.end(controller, what);
            }
        }
    }
}

fn world(dice: u64, loses_events: bool, app: Option<App>, intent: Option<Intent>) -> World {
    World {
        start: Instant::now(),
        now: 0,
        app,
        print: 1,
        foreign_change: 0,
        image_since: 0,
        proxy: Some(0),
        origin: ProxyOrigin::System,
        is_online: true,
        intent,
        restart: RestartPolicy::Ask,
        may_write: true,
        docker: None,
        pids: 10,
        console: None,
        vm_starts_after: 0,
        at_work: 0,
        memory: AgentState::default(),
        loses_events,
        dice: dice | 1,
        pending: VecDeque::new(),
        consent: None,
        restarts: 0,
        follows: 0,
        adopts: false,
        effects: 0,
        writes: 0,
        updates: 0,
        notice: Vec::new(),
    }
}

fn app() -> impl Strategy<Value = Option<App>> {
    let app = (0..3u8, any::<bool>(), proptest::option::of(0..3u8)).prop_map(
        |(version, is_whole, block)| App {
            version,
            is_whole,
            block: block.filter(|_| is_whole),
        },
    );
    proptest::option::weighted(0.9, app)
}

fn intent() -> impl Strategy<Value = Option<Intent>> {
    prop_oneof![
        Just(None),
        Just(Some(Intent::Off)),
        Just(Some(Intent::Settings)),
        Just(Some(Intent::Settings)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_everything_comes_to_rest_where_it_should(
        dice in any::<u64>(),
        loses_events in any::<bool>(),
        app in app(),
        intent in intent(),
        vm_starts_after in prop_oneof![Just(0), 1..9000u64],
        story in proptest::collection::vec((0..8000u64, happening()), 0..25),
    ) {
        let mut world = world(dice, loses_events, app, intent);
        world.vm_starts_after = vm_starts_after;
        let mut controller = world.controller();
        for (pause, what) in &story {
            let until = world.now + pause;
            world.run(&mut controller, until);
            world.happen(&mut controller, what);
        }
        // Longer than the slow timer, so that missed events are noticed.
        let slowly = RESYNC_INTERVAL.as_millis() as u64;
        let until = world.now + 3 * slowly;
        world.run(&mut controller, until);
        // The state at rest doesn't change any more.
        let (effects, before) = (world.effects, world.app.clone());
        let until = world.now + 10 * slowly;
        world.run(&mut controller, until);
        prop_assert!(world.effects - effects <= 10 * 15, "{} jobs in ten rounds of the timer", world.effects - effects);
        prop_assert_eq!(&world.app, &before);

        // A forbidden change is retried now and then; wait until such a try ends.
        while controller.view(world.instant()).busy.is_some() {
            let until = world.now + 1000;
            world.run(&mut controller, until);
        }
        let view = controller.view(world.instant());
        let state = view.state;
        // `baleen status` looks neither at the running engine nor at an attempt that was refused.
        if !matches!(state, State::RestartNeeded | State::NotPermitted) {
            let seen = world.look();
            let query = StatusQuery {
                intent: seen.intent,
                setting: view.setting.clone(),
            };
            prop_assert_eq!(Status::of(seen.observation, &query).state, state);
        }
        match &world.app {
            None => prop_assert_eq!(state, State::NoDocker),
            Some(app) if !app.is_whole => prop_assert_eq!(state, State::Updating),
            Some(app) => {
                let due = match (world.intent, world.proxy) {
                    (None, _) => app.block,
                    (Some(Intent::Off), _) => None,
                    (_, _) if !world.is_online => app.block,
                    (_, proxy) => proxy,
                };
                if !world.may_write && app.block != due {
                    prop_assert_eq!(state, State::NotPermitted);
                } else {
                    prop_assert_eq!(app.block, due, "state {:?}", state);
                    let image = match (world.intent, app.block) {
                        (_, Some(_)) => State::Current,
                        (None | Some(Intent::Off), None) => State::Off,
                        (_, None) if !world.is_online => State::Wiped,
                        (_, None) => State::Direct,
                    };
                    let runs_other = world.docker.is_some_and(|docker| docker.has != app.block);
                    // What was edited in the running VM is known for certain.
                    if let Some(edit) = world.docker.and_then(|docker| docker.edit)
                        && image != State::Wiped
                    {
                        let is_right = edit.gives(app.block.map(block));
                        prop_assert_eq!(state != State::RestartNeeded, is_right, "{:?}", edit);
                    }
                    if state == State::RestartNeeded {
                        prop_assert!(world.docker.is_some());
                        prop_assert!(world.restart != RestartPolicy::Always);
                    } else {
                        prop_assert_eq!(state, image);
                        // A Docker that was started before the agent saw it may have had any proxy. The agent knows
                        // only that the image has the proxy now and didn't have it then.
                        prop_assert!(!(runs_other && app.block.is_some() && !loses_events && image != State::Wiped
                            && world.docker.is_some_and(|docker| docker.since < world.image_since)),
                            "Docker runs without the proxy, and no one is told");
                    }
                }
            }
        }

        // No notice is repeated without a reason.
        for pair in world.notice.windows(2) {
            prop_assert!(pair[0].is_none() || pair[0] != pair[1], "{:?}", pair);
        }
        let told = || world.notice.iter().flatten();
        // Nothing is asked twice, also not after a restart.
        for kind in ["ask-use-proxy", "ask-start-at-login", "ask-allow-changes"] {
            prop_assert!(told().filter(|notice| notice.kind() == kind).count() <= 1, "{}", kind);
        }
        let updated = told().filter(|n| matches!(n, Notice::Updated { .. })).count();
        prop_assert!(updated <= world.updates as usize);
    }
}

/// Docker runs with its own image.
fn with_own_image(restart: RestartPolicy, console: Option<bool>) -> (World, Controller) {
    let app = App {
        version: 0,
        is_whole: true,
        block: None,
    };
    let mut world = world(1, false, Some(app), Some(Intent::Off));
    world.restart = restart;
    world.console = console;
    world.start_docker();
    let mut controller = world.controller();
    world.run(&mut controller, 10_000);
    (world, controller)
}

/// Docker runs with its own image, and then the proxy is put into it.
fn out_of_date(restart: RestartPolicy, console: Option<bool>) -> (World, Controller) {
    let (mut world, mut controller) = with_own_image(restart, console);
    world.intent = Some(Intent::Settings);
    world.tell(&mut controller, Event::Decisions);
    world.run(&mut controller, 10_000 + FILES_DEBOUNCE.as_millis() as u64);
    (world, controller)
}

impl World {
    /// Lets all work in progress end, and returns the state.
    fn settled(&mut self, controller: &mut Controller) -> (State, Option<EngineSync>) {
        self.run(controller, self.now + 60_000);
        let view = controller.view(self.instant());
        assert_eq!(view.busy, None);
        (view.state, view.engine)
    }

    fn click(&mut self, controller: &mut Controller, click: Click) {
        self.agree(controller, click);
        let effects = controller.handle(Event::Click(click), self.instant());
        self.take(controller, effects);
    }

    /// The last notice.
    fn last_news(&self) -> Option<&Notice> {
        self.notice.iter().flatten().last()
    }
}

const NEEDED: (State, Option<EngineSync>) = (State::RestartNeeded, Some(EngineSync::OutOfDate));
const FOLLOWED: (State, Option<EngineSync>) = (
    State::Current,
    Some(EngineSync::UpdatedLive { at: UNIX_EPOCH }),
);
const UP_TO_DATE: (State, Option<EngineSync>) = (State::Current, Some(EngineSync::UpToDate));

#[test]
fn what_was_agreed_to_is_done_and_nothing_else() {
    for (console, asks_for_either) in [(None, false), (Some(false), true), (Some(true), true)] {
        let (mut world, mut controller) = out_of_date(RestartPolicy::Ask, console);
        assert_eq!(world.settled(&mut controller), NEEDED);
        assert_eq!((world.follows, world.restarts), (0, 0));
        let asks = RestartNeed::Asks {
            can_apply_live: asks_for_either,
        };
        let is_asked = matches!(
            world.last_news(),
            Some(Notice::Changed { docker, .. }) if *docker == asks
        );
        assert!(is_asked, "{:?}", world.notice);

        world.click(&mut controller, Click::Restart(RestartScope::Engine));
        let expected = match console {
            Some(true) => FOLLOWED,
            _ => NEEDED,
        };
        assert_eq!(world.settled(&mut controller), expected, "{console:?}");
        let follows = u32::from(console.is_some());
        assert_eq!((world.follows, world.restarts), (follows, 0), "{console:?}");
        let is_reported = matches!(
            world.last_news(),
            Some(Notice::NotAppliedLive {
                is_restarted: false,
                ..
            })
        );
        assert_eq!(is_reported, console != Some(true), "{:?}", world.notice);

        world.click(&mut controller, Click::Restart(RestartScope::Docker));
        let (expected, restarts) = match console {
            Some(true) => (FOLLOWED, 0),
            _ => (UP_TO_DATE, 1),
        };
        assert_eq!(world.settled(&mut controller), expected, "{console:?}");
        assert_eq!((world.follows, world.restarts), (follows, restarts));
    }
}

/// With `relay = "on"` the settings name the relay also while the proxy is switched off. A relay that does not run is no
/// concern of such a Docker.
#[test]
fn a_relay_that_does_not_run_is_reported_only_where_docker_is_to_get_it() {
    for (intent, expected) in [(Intent::Off, 0), (Intent::Settings, 1)] {
        let (mut world, mut controller) = with_own_image(RestartPolicy::Ask, None);
        world.intent = Some(intent);
        world.origin = ProxyOrigin::Relay;
        world.tell(&mut controller, Event::Decisions);
        world.set_proxy(&mut controller, Some(1));
        world.settled(&mut controller);
        let reason = "the port is taken".to_owned();
        let failed = RelayState::Failed { reason };
        // It is said once, and again only after the relay ran.
        for _ in 0..2 {
            world.tell(&mut controller, Event::Relay(failed.clone()));
            world.settled(&mut controller);
        }
        let is_reported = |notice: &&Notice| matches!(notice, Notice::RelayFailed { .. });
        let reported = world.notice.iter().flatten().filter(is_reported).count();
        assert_eq!(reported, expected, "{intent:?}");
        let view = controller.view(world.instant());
        assert_eq!(view.relay.is_some(), expected == 1, "{intent:?}");
        // Switched on later, Docker misses it too.
        world.click(&mut controller, Click::UseProxy(true));
        world.settled(&mut controller);
        let reported = world.notice.iter().flatten().filter(is_reported).count();
        assert_eq!(reported, 1, "{intent:?}");
    }
}

/// What the user chose, and what could not be saved, is said and not only noted.
#[test]
fn a_choice_that_could_not_be_saved_is_reported() {
    let (mut world, mut controller) = with_own_image(RestartPolicy::Ask, None);
    let why = diagnostic("could not write state.json: the disk is full", None, None);
    world.tell(&mut controller, Event::Refused(why.clone()));
    assert_eq!(world.last_news(), Some(&Notice::Refused(why)));
}

#[test]
fn a_needless_click_is_no_consent_to_a_restart_later_on() {
    for way in [RestartScope::Engine, RestartScope::Docker] {
        let (mut world, mut controller) = out_of_date(RestartPolicy::Ask, Some(true));
        assert_eq!(world.settled(&mut controller), NEEDED);
        world.click(&mut controller, Click::Restart(RestartScope::Engine));
        assert_eq!(world.settled(&mut controller), FOLLOWED);
        world.click(&mut controller, Click::Restart(way));
        assert_eq!(world.settled(&mut controller), FOLLOWED);
        world.set_proxy(&mut controller, Some(1));
        let until = world.now + 10_000;
        while controller.view(world.instant()).busy != Some(Busy::Applying) {
            assert!(world.now < until);
            world.run(&mut controller, world.now + 1);
        }
        world.click(&mut controller, Click::Restart(way));
        assert_eq!(world.settled(&mut controller), NEEDED);
        assert_eq!((world.follows, world.restarts), (1, 0));
    }
}

#[test]
fn always_takes_the_engine_first_and_docker_where_that_does_not_work() {
    for (console, settled, follows, restarts) in [
        (Some(true), FOLLOWED, 1, 0),
        (Some(false), UP_TO_DATE, 1, 1),
        (None, UP_TO_DATE, 0, 1),
    ] {
        let (mut world, mut controller) = out_of_date(RestartPolicy::Always, console);
        assert_eq!(world.settled(&mut controller), settled, "{console:?}");
        assert_eq!((world.follows, world.restarts), (follows, restarts));
        let is_reported = matches!(
            world.last_news(),
            Some(Notice::NotAppliedLive {
                is_restarted: true,
                ..
            })
        );
        assert_eq!(is_reported, console == Some(false), "{:?}", world.notice);

        // For the next proxy everything is tried again.
        world.proxy = Some(1);
        world.tell(&mut controller, Event::Settings);
        assert_eq!(world.settled(&mut controller), settled, "{console:?}");
        let expected = (2 * follows, 2 * restarts);
        assert_eq!((world.follows, world.restarts), expected, "{console:?}");
    }
}

impl World {
    /// Changes the proxy of the settings.
    fn set_proxy(&mut self, controller: &mut Controller, proxy: Option<u8>) {
        self.proxy = proxy;
        self.tell(controller, Event::Settings);
    }

    /// The same, and adopts what someone else wrote as well.
    fn take_over(&mut self, controller: &mut Controller, proxy: u8) {
        self.set_proxy(controller, Some(proxy));
        self.click(controller, Click::Adopt);
        assert_eq!(self.settled(controller), NEEDED);
        assert!(self.adopts, "in the boot image");
    }

    /// Updates the running VM, and returns whether that adopts what someone else wrote.
    fn follows_with_it(&mut self, controller: &mut Controller) -> bool {
        self.click(controller, Click::Restart(RestartScope::Engine));
        assert_eq!(self.settled(controller), FOLLOWED);
        self.adopts
    }
}

/// The running VM started from the image, so it has the same lines in its script.
#[test]
fn what_was_taken_over_in_the_image_is_taken_over_in_the_running_vm() {
    let (mut world, mut controller) = out_of_date(RestartPolicy::Ask, Some(true));
    assert_eq!(world.settled(&mut controller), NEEDED);
    assert!(!world.follows_with_it(&mut controller));
    world.take_over(&mut controller, 1);
    assert!(world.follows_with_it(&mut controller));
    world.set_proxy(&mut controller, Some(2));
    assert_eq!(world.settled(&mut controller), NEEDED);
    assert!(world.follows_with_it(&mut controller));
}

#[test]
fn what_was_taken_over_is_taken_over_in_no_other_image_and_no_other_vm() {
    let update = Happening::Update {
        version: 1,
        steps: 3,
        pause: 100,
    };
    for what in [update, Happening::VmStarts] {
        let (mut world, mut controller) = out_of_date(RestartPolicy::Ask, Some(true));
        world.take_over(&mut controller, 1);
        world.happen(&mut controller, &what);
        world.happen(&mut controller, &Happening::Woke);
        world.settled(&mut controller);
        world.set_proxy(&mut controller, Some(2));
        assert_eq!(world.settled(&mut controller), NEEDED, "{what:?}");
        assert!(!world.follows_with_it(&mut controller), "{what:?}");
    }
}

#[test]
fn to_take_over_what_is_not_there_is_agreed_to_for_nothing_later() {
    let (mut world, mut controller) = out_of_date(RestartPolicy::Ask, Some(true));
    assert_eq!(world.settled(&mut controller), NEEDED);
    world.click(&mut controller, Click::Adopt);
    assert_eq!(world.settled(&mut controller), NEEDED);
    world.set_proxy(&mut controller, Some(1));
    assert_eq!(world.settled(&mut controller), NEEDED);
    assert!(!world.adopts, "in the boot image");
    assert!(!world.follows_with_it(&mut controller));
}

#[test]
fn a_docker_that_has_ended_is_no_reason_to_tell_anything() {
    let (mut world, mut controller) = out_of_date(RestartPolicy::Ask, Some(false));
    assert_eq!(world.settled(&mut controller), NEEDED);
    world.click(&mut controller, Click::Restart(RestartScope::Engine));
    world.run(&mut controller, world.now + 1);
    let busy = controller.view(world.instant()).busy;
    assert_eq!(busy, Some(Busy::RestartingEngine));
    world.docker = None;
    world.pending.clear();
    let error = diagnostic("the VM ended in the middle of the work", None, None);
    let effects = controller.handle(Event::AppliedLive(Err(error)), world.instant());
    world.take(&mut controller, effects);
    assert_eq!(world.settled(&mut controller), (State::Current, None));
    let is_reported = |notice: &Notice| matches!(notice, Notice::NotAppliedLive { .. });
    assert!(!world.notice.iter().flatten().any(is_reported));
    assert_eq!((world.follows, world.restarts), (1, 0));
}

/// A Docker that quits ends its VM first, so the dialogue with the VM fails while Docker still seems to run.
#[test]
fn a_docker_that_its_user_quits_is_not_opened_again() {
    for restart in [RestartPolicy::Ask, RestartPolicy::Always] {
        let (mut world, mut controller) = out_of_date(restart, Some(false));
        if restart == RestartPolicy::Ask {
            assert_eq!(world.settled(&mut controller), NEEDED);
            world.click(&mut controller, Click::Restart(RestartScope::Engine));
        }
        while world.follows == 0 {
            assert!(world.now < 100_000);
            world.run(&mut controller, world.now + 1);
        }
        world.pending.clear();
        let error = diagnostic("the VM ended in the middle of the work", None, None);
        let effects = controller.handle(Event::AppliedLive(Err(error)), world.instant());
        world.take(&mut controller, effects);
        for event in [Event::Docker, Event::Decisions] {
            world.run(&mut controller, world.now + 1500);
            world.tell(&mut controller, event);
        }
        world.run(&mut controller, world.now + 1500);
        world.docker = None;
        assert_eq!(world.settled(&mut controller), (State::Current, None));
        let is_reported = |notice: &Notice| matches!(notice, Notice::NotAppliedLive { .. });
        assert!(
            !world.notice.iter().flatten().any(is_reported),
            "{restart:?}"
        );
        assert_eq!((world.follows, world.restarts), (1, 0), "{restart:?}");
    }
}

#[test]
fn that_the_vm_did_not_follow_is_reported_after_a_moment_of_noise_as_well() {
    let (mut world, mut controller) = out_of_date(RestartPolicy::Ask, Some(false));
    assert_eq!(world.settled(&mut controller), NEEDED);
    world.click(&mut controller, Click::Restart(RestartScope::Engine));
    world.run(&mut controller, world.now + 1);
    while controller.view(world.instant()).busy.is_some() {
        world.run(&mut controller, world.now + 10);
    }
    // At each of the next checks, the files aren't at rest.
    for _ in 0..10 {
        world.changed(&mut controller);
        world.run(&mut controller, world.now + 1000);
        assert_eq!(controller.view(world.instant()).state, State::Updating);
    }
    assert_eq!(world.settled(&mut controller), NEEDED);
    let is_reported = |notice: &&Notice| matches!(notice, Notice::NotAppliedLive { .. });
    assert_eq!(world.notice.iter().flatten().filter(is_reported).count(), 1);
}

#[test]
fn a_docker_that_ended_before_its_engine_was_asked_is_not_said_to_be_up_to_date() {
    let (mut world, mut controller) = out_of_date(RestartPolicy::Ask, Some(true));
    assert_eq!(world.settled(&mut controller), NEEDED);
    world.click(&mut controller, Click::Restart(RestartScope::Engine));
    world.run(&mut controller, world.now + 1);
    assert_eq!(world.follows, 1);
    world.docker = None;
    assert_eq!(world.settled(&mut controller), (State::Current, None));
    let past = controller.view(world.instant()).past;
    let past: Vec<&str> = past.iter().map(|past| &*past.what).collect();
    insta::assert_snapshot!(past.join("\n"));
}

/// As after the clock was set back: each Docker seems to be older than the image.
#[test]
fn an_image_from_the_future_has_docker_restarted_once() {
    let (mut world, mut controller) = out_of_date(RestartPolicy::Ask, None);
    assert_eq!(world.settled(&mut controller), NEEDED);
    world.image_since = 100_000_000;
    world.click(&mut controller, Click::WhenRestart(RestartPolicy::Always));
    for _ in 0..3 {
        assert_eq!(world.settled(&mut controller), NEEDED);
        world.happen(&mut controller, &Happening::Woke);
        world.changed(&mut controller);
    }
    assert_eq!(world.restarts, 1);
}

/// The hypervisor makes the console when it starts the VM, some seconds after Docker's start.
#[test]
fn what_the_engine_has_is_known_although_its_vm_started_after_the_first_look() {
    for vm_starts_after in [5_000, 90_000] {
        let app = App {
            version: 0,
            is_whole: true,
            block: Some(0),
        };
        let mut world = world(1, false, Some(app), Some(Intent::Settings));
        world.console = Some(true);
        world.vm_starts_after = vm_starts_after;
        let mut controller = world.controller();
        world.run(&mut controller, 20_000);
        world.happen(&mut controller, &Happening::Docker(true));
        world.run(&mut controller, world.now + vm_starts_after + 1);
        world.set_proxy(&mut controller, None);
        let (state, engine) = world.settled(&mut controller);
        assert_eq!((state, engine), NEEDED, "{vm_starts_after}");
        assert!(world.app.is_some_and(|app| app.block.is_none()));
    }
}

#[test]
fn the_console_is_seen_soon_after_it_came_and_not_looked_for_forever() {
    let (mut world, mut controller) = out_of_date(RestartPolicy::Ask, Some(true));
    world.vm_starts_after = 8_000;
    world.happen(&mut controller, &Happening::Docker(false));
    world.settled(&mut controller);
    world.happen(&mut controller, &Happening::Docker(true));
    let started = world.now;
    for (seconds, can_apply_live) in [(7, false), (13, true)] {
        world.run(&mut controller, started + seconds * 1000);
        let view = controller.view(world.instant());
        assert_eq!(view.can_apply_live, can_apply_live, "after {seconds} s");
    }

    let (mut world, mut controller) = out_of_date(RestartPolicy::Ask, None);
    world.run(&mut controller, 120_000);
    let effects = world.effects;
    world.run(&mut controller, 120_000 + 10 * 60_000);
    assert_eq!(world.effects, effects);
}

/// A failed click on "restart the Engine" is no reason to restart Docker instead when the policy changes later.
#[test]
fn always_begins_with_the_engine_although_a_click_on_it_failed() {
    let (mut world, mut controller) = out_of_date(RestartPolicy::Ask, Some(false));
    assert_eq!(world.settled(&mut controller), NEEDED);
    world.click(&mut controller, Click::Restart(RestartScope::Engine));
    assert_eq!(world.settled(&mut controller), NEEDED);
    assert_eq!((world.follows, world.restarts), (1, 0));
    world.console = Some(true);
    world.click(&mut controller, Click::WhenRestart(RestartPolicy::Always));
    assert_eq!(world.settled(&mut controller), FOLLOWED);
    assert_eq!((world.follows, world.restarts), (2, 0));
}

#[test]
fn a_vm_that_is_started_again_has_what_the_image_has() {
    let (mut world, mut controller) = out_of_date(RestartPolicy::Ask, Some(true));
    world.click(&mut controller, Click::Restart(RestartScope::Engine));
    assert_eq!(world.settled(&mut controller), FOLLOWED);
    world.happen(&mut controller, &Happening::VmStarts);
    world.happen(&mut controller, &Happening::Woke);
    assert_eq!(world.settled(&mut controller), UP_TO_DATE);
    assert_eq!((world.follows, world.restarts), (1, 0));
}

/// With `--live` the image is changed seconds before the running VM is.
#[test]
fn nothing_is_reported_nor_done_before_a_command_in_a_terminal_has_ended() {
    for restart in [
        RestartPolicy::Ask,
        RestartPolicy::Always,
        RestartPolicy::Never,
    ] {
        for fails in [false, true] {
            let (mut world, mut controller) = with_own_image(restart, Some(true));
            let told = world.notice.len();
            let live = Happening::Live {
                puts_in: true,
                takes: 20_000,
                fails,
            };
            world.happen(&mut controller, &live);
            world.run(&mut controller, 29_000);
            let view = controller.view(world.instant());
            assert_eq!(view.state, State::Current, "{restart:?}");
            assert_eq!(world.notice[told..].iter().flatten().count(), 0);
            assert_eq!((world.follows, world.restarts), (0, 0));

            let settled = world.settled(&mut controller);
            let docker = match world.last_news() {
                Some(Notice::Changed { docker, .. }) => *docker,
                other => panic!("{other:?}"),
            };
            let expected = match (fails, restart) {
                (false, _) => (FOLLOWED, RestartNeed::NotNeeded),
                (true, RestartPolicy::Ask) => (
                    NEEDED,
                    RestartNeed::Asks {
                        can_apply_live: true,
                    },
                ),
                (true, RestartPolicy::Never) => (NEEDED, RestartNeed::Waits),
                (true, RestartPolicy::Always) => {
                    (FOLLOWED, RestartNeed::Restarts(RestartScope::Engine))
                }
            };
            assert_eq!((settled, docker), expected, "{restart:?} {fails}");
        }
    }
}

/// The state after `baleen apply --http-proxy` named proxy 2 before the app's first start.
fn named_before_the_first_start(settings: Option<u8>) -> (World, Controller) {
    let app = App {
        version: 0,
        is_whole: true,
        block: Some(2),
    };
    let mut world = world(1, false, Some(app), Some(Intent::Named));
    world.proxy = settings;
    let mut controller = world.controller();
    world.run(&mut controller, 30_000);
    (world, controller)
}

fn told(world: &World) -> Vec<&Notice> {
    world.notice.iter().flatten().collect()
}

#[test]
fn a_proxy_named_by_hand_is_known_from_the_image_before_anything_is_said() {
    let mut all = String::new();
    for settings in [None, Some(0), Some(2)] {
        let (world, controller) = named_before_the_first_start(settings);
        let view = controller.view(world.instant());
        assert_eq!(view.state, State::Current);
        assert_eq!(proxy_of(&view.setting), Some(2), "{:?}", view.setting);
        assert_eq!(proxy_of(view.settings()), settings);
        let told = told(&world);
        assert_eq!(told.len(), 1, "{told:?}");
        all += &format!("== {}\n{}\n", view.reason.sentence(), told[0].text().body);
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_change_of_the_settings_is_reported_once_while_a_named_proxy_is_in_place() {
    let (mut world, mut controller) = named_before_the_first_start(None);
    let before = told(&world).len();
    let mut all = String::new();
    for (settings, online, more) in [
        (Some(0), true, 1),
        // The same settings as before, and settings that come back when the network does.
        (Some(0), true, 0),
        (Some(0), false, 0),
        (Some(0), true, 0),
        (None, true, 1),
        (Some(2), true, 1),
    ] {
        let count = told(&world).len();
        world.is_online = online;
        world.set_proxy(&mut controller, settings);
        world.run(&mut controller, world.now + 60_000);
        let told = &told(&world)[count..];
        assert_eq!(told.len(), more, "{settings:?}: {told:?}");
        for notice in told {
            assert!(
                matches!(notice, Notice::SettingsChanged { .. }),
                "{notice:?}"
            );
            all += &format!("{}\n", notice.text().body);
        }
        assert!(world.app.as_ref().is_some_and(|app| app.block == Some(2)));
    }
    assert_eq!(told(&world).len(), before + 3);
    insta::assert_snapshot!(all);
    // A restart of Baleen doesn't repeat the notice.
    world.happen(&mut controller, &Happening::Killed);
    world.run(&mut controller, world.now + 60_000);
    assert_eq!(told(&world).len(), before + 3);
}

#[test]
fn one_click_goes_back_to_following_the_settings() {
    for click in [
        Click::FollowSettings,
        Click::Source(baleen::config::SourceSetting::System),
    ] {
        let (mut world, mut controller) = named_before_the_first_start(Some(0));
        world.click(&mut controller, click);
        world.run(&mut controller, world.now + 30_000);
        assert_eq!(world.intent, Some(Intent::Settings), "{click:?}");
        assert!(world.app.as_ref().is_some_and(|app| app.block == Some(0)));
        let view = controller.view(world.instant());
        assert_eq!((view.state, view.is_named()), (State::Current, false));

        // A click on an outdated notification switches nothing on.
        world.click(&mut controller, Click::UseProxy(false));
        world.run(&mut controller, world.now + 30_000);
        world.click(&mut controller, Click::FollowSettings);
        world.run(&mut controller, world.now + 30_000);
        assert_eq!(world.intent, Some(Intent::Off));
    }
}

/// A different proxy was named on the command line while Baleen did not run.
#[test]
fn the_name_in_the_image_counts_and_not_the_one_that_was_seen_before() {
    let (mut world, _) = named_before_the_first_start(None);
    world.app.as_mut().unwrap().block = Some(1);
    world.image_since = world.now;
    world.print += 1;
    let mut controller = world.controller();
    world.run(&mut controller, world.now + 5_000);
    let view = controller.view(world.instant());
    assert_eq!(proxy_of(&view.setting), Some(1), "{:?}", view.setting);
}

/// The settings name a proxy, which is in the image, and nothing runs.
fn with_the_proxy() -> (World, Controller) {
    let app = App {
        version: 0,
        is_whole: true,
        block: Some(0),
    };
    let mut world = world(1, false, Some(app), Some(Intent::Settings));
    world.proxy = Some(0);
    let mut controller = world.controller();
    world.run(&mut controller, 30_000);
    assert_eq!(
        (world.settled(&mut controller).0, world.writes),
        (State::Current, 0)
    );
    world.notice.clear();
    (world, controller)
}

#[test]
fn a_proxy_that_changes_ten_times_in_ten_seconds_is_written_at_most_twice_and_reported_once() {
    for (sequence, ends, notices) in [
        ([Some(1), Some(0)], Some(0), 0),
        ([None, Some(0)], Some(0), 0),
        ([Some(0), Some(1)], Some(1), 1),
        ([Some(0), None], None, 1),
        ([Some(1), None], None, 1),
    ] {
        let (mut world, mut controller) = with_the_proxy();
        for flip in 0..10 {
            world.set_proxy(&mut controller, sequence[flip % 2]);
            world.run(&mut controller, world.now + 1000);
        }
        let state = world.settled(&mut controller).0;
        let case = format!("{sequence:?}: {:?}", world.notice);
        assert_eq!(world.app.as_ref().unwrap().block, ends, "{case}");
        assert!(matches!(state, State::Current | State::Direct), "{case}");
        assert!(world.writes <= 2, "{} writes, {case}", world.writes);
        assert_eq!(told(&world).len(), notices, "{case}");
        if let Some(Notice::Changed { to, .. }) = world.last_news() {
            assert_eq!(to.clone(), ends.map(shown), "{case}");
        }
    }
}

#[test]
fn a_single_change_of_the_proxy_is_written_at_once_and_reported_soon() {
    let (mut world, mut controller) = with_the_proxy();
    world.set_proxy(&mut controller, Some(1));
    world.run(&mut controller, world.now + 5000);
    assert_eq!(world.writes, 1);
    world.run(&mut controller, world.now + 5000);
    assert_eq!(told(&world).len(), 1);
}

/// A proxy that never comes to rest is followed once in a while.
#[test]
fn changes_without_end_are_written_now_and_then() {
    let (mut world, mut controller) = with_the_proxy();
    for flip in 0..100_u8 {
        world.set_proxy(&mut controller, Some(flip % 2));
        world.run(&mut controller, world.now + 7000);
    }
    let minutes = 700 / 60;
    assert!(
        (minutes / 3..=2 * minutes).contains(&world.writes),
        "{}",
        world.writes
    );
    assert!(told(&world).len() <= world.writes as usize);
}

#[test]
fn an_update_amid_changes_of_the_proxy_is_repaired_and_reported_at_once() {
    let (mut world, mut controller) = with_the_proxy();
    for flip in 0..6_u8 {
        world.set_proxy(&mut controller, Some(flip % 2));
        world.run(&mut controller, world.now + 1000);
    }
    let update = Happening::Update {
        version: 1,
        steps: 1,
        pause: 1,
    };
    world.happen(&mut controller, &update);
    world.run(&mut controller, world.now + 6000);
    assert_eq!(world.app.as_ref().unwrap().block, world.proxy);
    let is_update = |notice: &&Notice| matches!(notice, Notice::Updated { .. });
    assert_eq!(
        told(&world).into_iter().filter(is_update).count(),
        1,
        "{:?}",
        world.notice
    );
}

/// The kinds of the notices since the last call.
fn kinds(world: &mut World) -> Vec<&'static str> {
    let kinds = world.notice.iter().flatten().map(Notice::kind).collect();
    world.notice.clear();
    kinds
}

impl World {
    fn answer(&mut self, controller: &mut Controller, question: Question, is_yes: bool) {
        let effects = controller.handle(Event::Answered(question, is_yes), self.instant());
        self.take(controller, effects);
    }
}

fn first_start(may_write: bool) -> (World, Controller) {
    let app = App {
        version: 0,
        is_whole: true,
        block: None,
    };
    let mut world = world(1, false, Some(app), None);
    world.proxy = Some(1);
    world.is_online = true;
    world.may_write = may_write;
    let controller = world.controller();
    (world, controller)
}

#[test]
fn the_first_run_asks_one_question_after_the_other() {
    let (mut world, mut controller) = first_start(false);
    world.run(&mut controller, 10_000);
    assert_eq!(kinds(&mut world), ["ask-use-proxy"]);
    world.run(&mut controller, 600_000);
    assert_eq!(kinds(&mut world), [""; 0], "no answer, no next question");
    world.answer(&mut controller, Question::UseProxy, true);
    world.run(&mut controller, 630_000);
    // The permission is needed, but the user may be about to answer.
    assert_eq!(kinds(&mut world), ["ask-start-at-login"]);
    world.answer(&mut controller, Question::StartAtLogin, false);
    world.run(&mut controller, 640_000);
    assert_eq!(kinds(&mut world), ["ask-allow-changes"]);
    // The pane is opened, and what the user allows there counts within seconds.
    world.answer(&mut controller, Question::AllowChanges, true);
    world.run(&mut controller, 700_000);
    assert_eq!(kinds(&mut world), [""; 0]);
    world.may_write = true;
    world.run(&mut controller, 715_000);
    assert_eq!(kinds(&mut world), ["changed"]);
    assert_eq!(controller.view(world.instant()).state, State::Current);
}

#[test]
fn a_question_that_is_not_answered_does_not_hold_up_the_permission_for_long() {
    let (mut world, mut controller) = first_start(false);
    world.run(&mut controller, 10_000);
    world.answer(&mut controller, Question::UseProxy, true);
    world.run(&mut controller, 60_000);
    assert_eq!(kinds(&mut world), ["ask-use-proxy", "ask-start-at-login"]);
    world.run(&mut controller, 90_000);
    assert_eq!(kinds(&mut world), ["ask-allow-changes"]);
    // A restart asks nothing again, and neither does a long time.
    for hours in 1..4 {
        world.pending.clear();
        controller = world.controller();
        world.run(&mut controller, hours * 3_600_000);
        assert_eq!(kinds(&mut world), [""; 0]);
    }
}

#[test]
fn a_user_of_an_older_version_is_asked_nothing() {
    let (mut world, _) = first_start(true);
    world.memory.welcomed = true;
    let mut controller = world.controller();
    world.run(&mut controller, 60_000);
    assert_eq!(kinds(&mut world), [""; 0]);
    world.click(&mut controller, Click::UseProxy(true));
    world.run(&mut controller, 120_000);
    assert_eq!(kinds(&mut world), ["changed"]);
}

#[test]
fn what_can_not_be_used_is_said_once_and_the_question_follows_when_it_can() {
    let (mut world, _) = first_start(true);
    let app = world.app.take();
    world.proxy = None;
    let mut controller = world.controller();
    world.run(&mut controller, 10_000);
    assert_eq!(kinds(&mut world), ["cannot-use"]);
    controller = world.controller();
    world.run(&mut controller, 60_000);
    assert_eq!(kinds(&mut world), [""; 0], "not after a restart");
    world.app = app;
    world.changed(&mut controller);
    world.run(&mut controller, 90_000);
    assert_eq!(kinds(&mut world), ["nothing-to-use"]);
    world.happen(&mut controller, &Happening::Network(false));
    world.happen(&mut controller, &Happening::Proxy(Some(1)));
    world.run(&mut controller, 120_000);
    assert_eq!(kinds(&mut world), [""; 0], "the network is down");
    world.happen(&mut controller, &Happening::Network(true));
    world.run(&mut controller, 150_000);
    assert_eq!(kinds(&mut world), ["ask-use-proxy"]);
    world.answer(&mut controller, Question::UseProxy, false);
    for hours in 1..4 {
        controller = world.controller();
        world.run(&mut controller, hours * 3_600_000);
        assert_eq!(kinds(&mut world), [""; 0]);
    }
    assert_eq!(world.intent, None, "no is not the same as off");
}
