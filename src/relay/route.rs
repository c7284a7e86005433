//! The way of each connection, by the settings of this computer as they are now.

use std::collections::HashMap;
use std::env;
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::proxy::pac::{self, PacError, PacSource, PacWorker, Unreachable};
use crate::proxy::route::{Hop, HopProxy, Target, host_routes, is_bypassed};
use crate::proxy::{ProxyConfig, ProxySettings};
use crate::util::locked;

/// Maximum age of settings of which no change was reported.
const MAX_AGE: Duration = Duration::from_secs(60);
/// Maximum age of a failure to load a PAC script.
const MAX_FAILURE_AGE: Duration = Duration::from_secs(5);
/// Maximum age of a PAC script, and of its answers: a script may depend on the time.
const MAX_SCRIPT_AGE: Duration = Duration::from_secs(600);
const MAX_ANSWER_AGE: Duration = Duration::from_secs(60);
/// Maximum age of a script's failure to answer.
const MAX_FAULT_AGE: Duration = Duration::from_secs(15);
/// Maximum number of answers that are kept.
const MAX_ANSWERS: usize = 4096;
/// Time for which a proxy that could not be reached is tried last.
const DEAD_TIME: Duration = Duration::from_secs(30);

/// The settings by which connections go.
#[derive(Debug)]
pub struct Settings {
    /// The proxies.
    pub proxies: ProxyConfig,
    /// What to do while their PAC script can't be had.
    pub unreachable: Unreachable,
    /// Whether a password may be sent in clear, to a proxy that offers nothing else.
    pub allow_basic: bool,
}

/// Reads the settings.
pub type ReadSettings = dyn Fn() -> Result<Settings, Error> + Send + Sync;

/// The ways to a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ways {
    /// The hops, in the order in which they are tried.
    pub(crate) hops: Vec<Hop>,
    /// True if the user's bypass list names the target.
    pub(crate) is_bypassed: bool,
}

/// The reason why no way is known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RouteError {
    /// The settings can't be read.
    #[error("the proxy settings can't be read: {0}")]
    Settings(#[source] Arc<Error>),
    /// The PAC script can't be loaded or run.
    #[error("the PAC script can't be used: {0}")]
    Script(#[source] Arc<PacError>),
}

/// Finds the way of each connection.
pub(crate) struct Router {
    read: Box<ReadSettings>,
    /// The program that runs PAC scripts: this one.
    program: Option<PathBuf>,
    /// A file whose change changes the settings.
    config: PathBuf,
    is_changed: AtomicBool,
    /// What the settings say of passwords in clear, for the logins.
    allow_basic: Arc<AtomicBool>,
    snapshot: Mutex<Option<Arc<Snapshot>>>,
    /// Held while the settings are read, which may take as long as a PAC script takes to load.
    refresh: Mutex<()>,
    dead: Mutex<HashMap<String, Instant>>,
}

/// The settings as they were read.
struct Snapshot {
    taken: Instant,
    stamp: Stamp,
    settings: Result<ProxySettings, Arc<Error>>,
    unreachable: Unreachable,
    script: Option<LoadedScript>,
    answers: Mutex<HashMap<Target, (Instant, Answer)>>,
}

/// What is known of a target. An error is kept too, so that a script that hangs is not asked all the time.
type Answer = Result<Vec<Hop>, Arc<PacError>>;

struct LoadedScript {
    source: PacSource,
    loaded: Instant,
    /// The script's worker lives as long as the script is kept, so another network gets another one.
    script: Result<Arc<PacWorker>, Arc<PacError>>,
}

/// What tells one content of a file from another.
type Stamp = Option<(u64, u64, i64, i64)>;

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Router")
    }
}

impl Router {
    /// Creates a router that reads the settings with `read`, and again after each change of the file `config`. It sets
    /// `allow_basic` as they say.
    pub(crate) fn new(
        read: Box<ReadSettings>,
        config: PathBuf,
        allow_basic: Arc<AtomicBool>,
    ) -> Self {
        Self {
            read,
            program: env::current_exe().ok(),
            config,
            is_changed: AtomicBool::new(false),
            allow_basic,
            snapshot: Mutex::default(),
            refresh: Mutex::default(),
            dead: Mutex::default(),
        }
    }

    /// Has the next connection read the settings again.
    pub(crate) fn changed(&self) {
        self.is_changed.store(true, Ordering::Release);
        // Another network may reach what this one did not.
        locked(&self.dead).clear();
    }

    /// Returns the ways to a target if they are known without waiting.
    pub(crate) fn known(&self, target: &Target) -> Option<Ways> {
        let snapshot = self.current()?;
        let settings = snapshot.settings.as_ref().ok()?;
        let hops = match snapshot.script {
            None => host_routes(settings, None, target),
            Some(_) => snapshot.answer(target)?.ok()?,
        };
        Some(self.ways(settings, hops, target))
    }

    /// Returns the ways to a target. It may have to read the settings, to load a PAC script and to ask it, so it blocks.
    ///
    /// # Errors
    /// When no way is known.
    pub(crate) fn find(&self, target: &Target) -> Result<Ways, RouteError> {
        let snapshot = match self.current() {
            Some(snapshot) => snapshot,
            None => self.refresh(),
        };
        let settings = snapshot
            .settings
            .as_ref()
            .map_err(|error| RouteError::Settings(error.clone()))?;
        let hops = match &snapshot.script {
            None => host_routes(settings, None, target),
            Some(loaded) => self.by_script(&snapshot, loaded, settings, target)?,
        };
        Ok(self.ways(settings, hops, target))
    }

    /// Remembers that a proxy could not be reached.
    pub(crate) fn mark_dead(&self, proxy: &HopProxy) {
        locked(&self.dead).insert(proxy.to_string(), Instant::now() + DEAD_TIME);
    }

    fn ways(&self, settings: &ProxySettings, mut hops: Vec<Hop>, target: &Target) -> Ways {
        if hops.len() > 1 {
            let now = Instant::now();
            let mut dead = locked(&self.dead);
            dead.retain(|_, until| *until > now);
            hops.sort_by_key(|hop| match hop {
                Hop::Direct => false,
                Hop::Through(proxy) => dead.contains_key(&proxy.to_string()),
            });
        }
        Ways {
            hops,
            is_bypassed: is_bypassed(settings, &target.host),
        }
    }

    /// Returns the snapshot, if it is still good.
    fn current(&self) -> Option<Arc<Snapshot>> {
        if self.is_changed.load(Ordering::Acquire) {
            return None;
        }
        let snapshot = locked(&self.snapshot).clone()?;
        let failed = |loaded: &LoadedScript| loaded.script.is_err();
        let is_failure = snapshot.settings.is_err() || snapshot.script.as_ref().is_some_and(failed);
        let max = if is_failure { MAX_FAILURE_AGE } else { MAX_AGE };
        (snapshot.taken.elapsed() < max && snapshot.stamp == stamp(&self.config))
            .then_some(snapshot)
    }

    /// Reads the settings again. A script that stays keeps its worker, and is asked again. The snapshot is taken away while
    /// it reads, so that no connection goes by settings that have changed.
    fn refresh(&self) -> Arc<Snapshot> {
        let _alone = locked(&self.refresh);
        // Another connection may have done it in the meantime.
        if let Some(snapshot) = self.current() {
            return snapshot;
        }
        let is_changed = self.is_changed.swap(false, Ordering::AcqRel);
        let before = locked(&self.snapshot).take();
        // Read first, so that a change in between is noticed.
        let stamp = stamp(&self.config);
        let (settings, unreachable) = match (self.read)() {
            Ok(read) => {
                self.allow_basic.store(read.allow_basic, Ordering::Relaxed);
                (Ok(read.proxies.settings), read.unreachable)
            }
            Err(error) => (Err(Arc::new(error)), Unreachable::default()),
        };
        let source = match &settings {
            Ok(ProxySettings::Settings(settings)) => settings.pac.clone(),
            _ => None,
        };
        let known = before.as_ref().and_then(|before| before.script.as_ref());
        let script = source.and_then(|source| {
            let known = known.filter(|known| known.source == source);
            let fresh = known.filter(|known| {
                !is_changed && known.script.is_ok() && known.loaded.elapsed() < MAX_SCRIPT_AGE
            });
            let (loaded, script) = match fresh {
                Some(known) => (known.loaded, known.script.clone()),
                None => match pac::load(&source)? {
                    // The last script that could be had.
                    Err(_)
                        if unreachable == Unreachable::Keep
                            && known.is_some_and(|it| it.script.is_ok()) =>
                    {
                        let known = known?;
                        let script = known.script.as_ref().map_err(Arc::clone);
                        // On another network the script may compute something else when it is read.
                        let script = script.map(|worker| match is_changed {
                            true => Arc::new(worker.renewed()),
                            false => worker.clone(),
                        });
                        (known.loaded, script)
                    }
                    loaded => {
                        let worker = loaded.and_then(|script| self.worker(script));
                        (Instant::now(), worker.map(Arc::new).map_err(Arc::new))
                    }
                },
            };
            Some(LoadedScript {
                source,
                loaded,
                script,
            })
        });
        let snapshot = Arc::new(Snapshot {
            taken: Instant::now(),
            stamp,
            settings,
            unreachable,
            script,
            answers: Mutex::default(),
        });
        *locked(&self.snapshot) = Some(snapshot.clone());
        snapshot
    }

    fn by_script(
        &self,
        snapshot: &Snapshot,
        loaded: &LoadedScript,
        settings: &ProxySettings,
        target: &Target,
    ) -> Result<Vec<Hop>, RouteError> {
        let worker = match (&loaded.script, snapshot.unreachable) {
            (Ok(worker), _) => worker,
            (Err(_), Unreachable::Direct) => return Ok(vec![Hop::Direct]),
            (Err(error), Unreachable::Keep) => return Err(RouteError::Script(error.clone())),
        };
        if let Some(answer) = snapshot.answer(target) {
            return answer.map_err(RouteError::Script);
        }
        let turn = worker
            .turn()
            .map_err(|error| RouteError::Script(Arc::new(error)))?;
        // Another connection to the target may have asked in the meantime.
        let answer = snapshot.answer(target).unwrap_or_else(|| {
            let evaluated = turn.ask(&[target.url()]).map_err(Arc::new);
            let answer =
                evaluated.map(|evaluated| host_routes(settings, evaluated.answers.first(), target));
            let mut answers = locked(&snapshot.answers);
            if answers.len() >= MAX_ANSWERS {
                answers.clear();
            }
            answers.insert(target.clone(), (Instant::now(), answer.clone()));
            answer
        });
        answer.map_err(RouteError::Script)
    }

    fn worker(&self, script: pac::Script) -> Result<PacWorker, PacError> {
        let program = match &self.program {
            Some(program) => program.clone(),
            None => env::current_exe().map_err(PacError::OwnProgram)?,
        };
        Ok(PacWorker::new(program, script))
    }
}

impl Snapshot {
    fn answer(&self, target: &Target) -> Option<Answer> {
        let answers = locked(&self.answers);
        let (since, answer) = answers.get(target)?;
        let max = match answer {
            Ok(_) => MAX_ANSWER_AGE,
            Err(_) => MAX_FAULT_AGE,
        };
        (since.elapsed() < max).then(|| answer.clone())
    }
}

fn stamp(file: &Path) -> Stamp {
    let found = fs::metadata(file).ok()?;
    Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
}
