//! Keeps the relay running, in a process of its own: a fault in it costs a tunnel, not the menu, and open tunnels outlive
//! a restart of the app.

use std::fmt;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::relay;
use crate::util::locked;
use crate::util::poll_until;

use super::event::Event;

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Time after which a relay that was started has to answer.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// Interval between looks for its answer.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Time that a relay with other settings has to end. Its tunnels have five seconds.
const END_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for which other settings have to be wanted before they end a relay that runs. An editor that rewrites the config
/// file leaves it empty for a moment.
const SETTLED_AFTER: Duration = Duration::from_secs(3);
/// Time after which a relay that runs is taken for a steady one.
const STEADY_AFTER: Duration = Duration::from_secs(5);
/// Pause after the first failure. Each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Maximum pause after a failure.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// Maximum length of what a relay says when it can't start, in bytes.
const MAX_REASON_LEN: u64 = 2000;

/// The settings with which a relay runs. Everything else it reads itself, at each change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelaySettings {
    /// The port.
    pub port: u16,
    /// True if no password may be sent in clear.
    pub without_basic: bool,
}

/// Returns the command that runs a relay with these settings.
#[derive(Clone)]
pub struct RelayCommand(pub Arc<dyn Fn(RelaySettings) -> Command + Send + Sync>);

impl fmt::Debug for RelayCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RelayCommand")
    }
}

/// The state of the relay that the agent keeps running.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RelayState {
    /// The agent keeps none running, or has not heard of it yet.
    #[default]
    Unknown,
    /// It runs.
    Running(Box<relay::Status>),
    /// It does not run.
    Failed {
        /// The reason.
        reason: String,
    },
}

/// Keeps the relay running as long as one is wanted. The relay outlives it.
#[derive(Debug)]
pub(crate) struct RelayKeeper {
    wanted: Arc<Wanted>,
    state: PathBuf,
}

#[derive(Debug, Default)]
struct Wanted {
    state: Mutex<WantedState>,
    changed: Condvar,
    /// Held by what ends a relay, so that no two of them take the new one for the old one.
    ending: Mutex<()>,
}

#[derive(Debug, Default)]
struct WantedState {
    settings: Option<RelaySettings>,
    /// True once no relay may be started.
    is_over: bool,
}

impl Wanted {
    fn lock(&self) -> MutexGuard<'_, WantedState> {
        locked(&self.state)
    }

    /// Waits until a relay is wanted. Returns nothing if none is from now on.
    fn wait(&self) -> Option<RelaySettings> {
        let is_idle = |state: &mut WantedState| state.settings.is_none() && !state.is_over;
        let state = self.changed.wait_while(self.lock(), is_idle);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        state.settings.filter(|_| !state.is_over)
    }

    fn is_still(&self, settings: RelaySettings) -> bool {
        let state = self.lock();
        state.settings == Some(settings) && !state.is_over
    }

    /// Waits for this time, or until something else is wanted.
    fn pause(&self, pause: Duration, settings: RelaySettings) {
        let is_same = |state: &mut WantedState| state.settings == Some(settings) && !state.is_over;
        let _ = self.changed.wait_timeout_while(self.lock(), pause, is_same);
    }

    /// Ends the running relay, if it is one that an earlier Baleen left, or has other settings than these, which are wanted.
    fn end_other(&self, folder: &Path, settings: RelaySettings) {
        let _ending = locked(&self.ending);
        let Some(who) = relay::running(folder) else {
            return;
        };
        let is_other = match relay::status(folder) {
            Ok(running) => is_other(&running, settings),
            Err(error) => error.kind() == io::ErrorKind::InvalidData,
        };
        if !is_other {
            return;
        }
        self.pause(SETTLED_AFTER, settings);
        if self.is_still(settings)
            && let Err(error) = relay::end_process(folder, &who, END_TIMEOUT)
        {
            tracing::warn!("{error}");
        }
    }
}

/// What the keeper needs to start a relay.
struct Keeper {
    command: RelayCommand,
    state: PathBuf,
    wanted: Arc<Wanted>,
}

impl RelayKeeper {
    /// Starts a thread that runs a relay when one is wanted, and calls `report` with its state.
    pub(crate) fn new(
        command: RelayCommand,
        state: PathBuf,
        report: impl Fn(Event) + Send + 'static,
    ) -> io::Result<Self> {
        let wanted = Arc::<Wanted>::default();
        let keeper = Keeper {
            command,
            state: state.clone(),
            wanted: wanted.clone(),
        };
        thread::Builder::new()
            .name("relay".to_owned())
            .spawn(move || keeper.run(&|state| report(Event::Relay(state))))?;
        Ok(Self { wanted, state })
    }

    /// Sets which relay is wanted. One that is not wanted any more runs on: the running Docker may still use it.
    pub(crate) fn want(&self, settings: Option<RelaySettings>) {
        let before = std::mem::replace(&mut self.wanted.lock().settings, settings);
        if before == settings {
            return;
        }
        self.wanted.changed.notify_all();
        let Some(settings) = settings else { return };
        let (state, wanted) = (self.state.clone(), self.wanted.clone());
        // If no thread can be started, they count from the relay's next start on.
        let _ = thread::Builder::new().spawn(move || wanted.end_other(&state, settings));
    }
}

/// From then on no relay is started. The one that runs goes on: Docker may need it.
impl Drop for RelayKeeper {
    fn drop(&mut self) {
        self.wanted.lock().is_over = true;
        self.wanted.changed.notify_all();
    }
}

impl Keeper {
    fn run(&self, report: &dyn Fn(RelayState)) {
        let mut pause = FIRST_PAUSE;
        while let Some(settings) = self.wanted.wait() {
            let started = Instant::now();
            let kept = self.keep(settings, report);
            if !self.wanted.is_still(settings) {
                report(RelayState::Unknown);
                continue;
            }
            let reason = match kept {
                // One that had run is started again before anyone misses it.
                Ok(()) if started.elapsed() > STEADY_AFTER => continue,
                Ok(()) => "the relay ended right after its start".to_owned(),
                Err(reason) => reason,
            };
            tracing::warn!("the relay does not run: {reason}");
            report(RelayState::Failed { reason });
            if started.elapsed() > MAX_PAUSE {
                pause = FIRST_PAUSE;
            }
            self.wanted.pause(pause, settings);
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    /// Follows the relay that runs until it ends, or starts one.
    fn keep(&self, settings: RelaySettings, report: &dyn Fn(RelayState)) -> Result<(), String> {
        self.wanted.end_other(&self.state, settings);
        if relay::running(&self.state).is_none() {
            self.start(settings)?;
        }
        if !self.wanted.is_still(settings) {
            return Ok(());
        }
        let followed = relay::follow(&self.state, |status| {
            report(RelayState::Running(Box::new(status)));
        });
        followed.map_err(|error| error.to_string())
    }

    /// Starts a relay, and waits until it answers.
    fn start(&self, settings: RelaySettings) -> Result<(), String> {
        let mut command = (self.command.0)(settings);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Neither the end of a terminal session nor Ctrl-C in it ends the tunnels.
            .process_group(0);
        let mut child = {
            // What ends the agent knows then whether a relay was started.
            let wanted = self.wanted.lock();
            if wanted.is_over || wanted.settings != Some(settings) {
                return Err("it is no longer wanted".to_owned());
            }
            command.spawn().map_err(|error| error.to_string())?
        };
        let errors = child.stderr.take();
        let mut has_ended = false;
        let answers = poll_until(Instant::now() + START_TIMEOUT, POLL_INTERVAL, || {
            has_ended = child.try_wait().is_ok_and(|status| status.is_some());
            has_ended || relay::status(&self.state).is_ok()
        });
        if answers && !has_ended {
            tracing::info!("started the relay (process {})", child.id());
            // Without this, the system would keep a record of it after its end.
            let _ = thread::Builder::new().spawn(move || child.wait());
            return Ok(());
        }
        let _ = child.kill();
        let _ = child.wait();
        let mut said = Vec::new();
        if let Some(errors) = errors {
            let _ = errors.take(MAX_REASON_LEN).read_to_end(&mut said);
        }
        Err(reason(&String::from_utf8_lossy(&said)))
    }
}

/// Returns whether a relay with these settings has to take the place of the one that runs.
fn is_other(running: &relay::Status, settings: RelaySettings) -> bool {
    running.port != settings.port
        || running.without_basic != settings.without_basic
        || running.version != VERSION
}

/// Returns the error that a relay printed before it ended.
fn reason(said: &str) -> String {
    let line = said.lines().find_map(|line| line.strip_prefix("error: "));
    line.unwrap_or("the relay did not answer in time")
        .to_owned()
}
