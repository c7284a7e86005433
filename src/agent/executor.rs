//! The agent's threads: one with the controller, and one for each job that takes a while.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::backend::Registry;
use crate::config::Config;
use crate::error::{Diagnostic, Error, Kind, Result, same};
use crate::intent::Intents;
use crate::platform::apps::{self, RunningApp};
use crate::platform::{system_proxies, wake};
use crate::util::locked;

use super::AgentError;
use super::agent_state::AgentStateFile;
use super::controller::Controller;
use super::effect::Effect;
use super::effects::Effects;
use super::event::{ChangeError, ChangeOutcome, Click, Event};
use super::notice::Notice;
use super::observe::Observer;
use super::relay_keeper::{RelayCommand, RelayKeeper};
use super::view::View;
use super::watcher::{FileWatch, Files, folders_above};
use super::wording::Wording;

/// The options of the agent.
#[derive(Debug, Clone)]
pub struct Options {
    /// The kinds of engines.
    pub registry: Registry,
    /// The path of Docker.app, if it was given on the command line.
    pub docker_app: Option<PathBuf>,
    /// The config file.
    pub config: PathBuf,
    /// The folder for Baleen's own files.
    pub state: PathBuf,
    /// True if the user sees an icon.
    pub has_icon: bool,
    /// The words for the history and the log.
    pub wording: Wording,
    /// What runs the relay that the agent keeps running; nothing if it keeps none.
    pub relay: Option<RelayCommand>,
}

/// An output of the agent.
#[derive(Debug, Clone)]
pub enum AgentOutput {
    /// The current state.
    View(Box<View>),
    /// A notice for the user.
    Notice(Box<Notice>),
}

enum Message {
    Event(Event),
    /// Stop, and confirm it once everything that the agent started has stopped.
    Stop(Sender<()>),
}

/// Timeout for the agent to stop what it started.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A handle to the agent. Dropping it does not stop the agent; [`Agent::stop`] does.
#[derive(Clone)]
pub struct Agent {
    sender: Sender<Message>,
    writing: Arc<Mutex<()>>,
    in_flight: Arc<InFlight>,
    /// Cancels jobs that can stop at any step.
    cancel: Arc<AtomicBool>,
}

/// The number of running threads: the agent's own, and those of its jobs.
#[derive(Default)]
struct InFlight {
    number: Mutex<usize>,
    changed: Condvar,
}

/// A guard that counts one running thread until it is dropped.
struct InFlightGuard(Arc<InFlight>);

impl InFlight {
    fn begin(self: &Arc<Self>) -> InFlightGuard {
        *locked(&self.number) += 1;
        InFlightGuard(self.clone())
    }

    /// Waits until no thread runs, but at most for `patience`. Returns whether it succeeded.
    fn wait_idle(&self, patience: Duration) -> bool {
        let number = locked(&self.number);
        let waited = self
            .changed
            .wait_timeout_while(number, patience, |number| *number > 0);
        let (number, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *number == 0
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        *locked(&self.0.number) -= 1;
        self.0.changed.notify_all();
    }
}

impl Agent {
    /// Starts the agent, which calls `report` on its own thread.
    ///
    /// # Errors
    /// When the system can't start a thread.
    pub fn start(
        options: Options,
        report: impl FnMut(AgentOutput) + Send + 'static,
    ) -> Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let agent = Self {
            sender,
            writing: Arc::default(),
            in_flight: Arc::default(),
            cancel: Arc::default(),
        };
        let executor = Executor::new(agent.clone(), options);
        let begun = agent.in_flight.begin();
        thread::Builder::new()
            .name("agent".to_owned())
            .spawn(move || {
                executor.run(&receiver, report);
                drop(begun);
            })
            .map_err(|error| no_thread(&error))?;
        Ok(agent)
    }

    /// Sends a click of the user to the agent.
    pub fn click(&self, click: Click) {
        self.send(Event::Click(click));
    }

    /// Sends an event to the agent.
    pub fn send(&self, event: Event) {
        // The receiver is gone when the program ends.
        let _ = self.sender.send(Message::Event(event));
    }

    /// Stops the agent. A change of an image in progress is finished first, and an update of the running VM
    /// stops at its next step. No change starts while the returned guard is held, so the caller can end the
    /// program then. That also ends all other jobs; to let them finish, use `wait_idle`.
    pub fn stop(&self) -> MutexGuard<'_, ()> {
        self.cancel.store(true, Ordering::Relaxed);
        let (ended, all_ended) = mpsc::channel();
        if self.sender.send(Message::Stop(ended)).is_ok() {
            // The agent's thread only finishes its current step. It writes no image itself.
            let _ = all_ended.recv_timeout(TIMEOUT);
        }
        locked(&self.writing)
    }

    /// Waits until a stopped agent has finished all jobs, even the resolution of the settings, but at most
    /// for `patience`. Returns whether it succeeded.
    pub(crate) fn wait_idle(&self, patience: Duration) -> bool {
        self.in_flight.wait_idle(patience)
    }
}

fn no_thread(error: &io::Error) -> Error {
    AgentError::NoThread(same(error)).into()
}

/// The executor of the controller's effects.
struct Executor {
    agent: Agent,
    observer: Observer,
    worker: Effects,
    memory: AgentStateFile,
    files: Option<(Files, Option<FileWatch>)>,
    /// Watches for the exit of the running Docker.
    attention: apps::ExitWatcher,
    has_icon: bool,
    wording: Wording,
    relay: Option<RelayKeeper>,
}

impl Executor {
    fn new(agent: Agent, options: Options) -> Self {
        let Options {
            registry,
            docker_app,
            config,
            state,
            has_icon,
            wording,
            relay,
        } = options;
        // A missing folder can't be watched.
        for folder in [config.parent(), Some(&*state)].into_iter().flatten() {
            if let Err(error) = fs::create_dir_all(folder) {
                tracing::warn!("{} can't be made: {error}", folder.display());
            }
        }
        let relay = relay.and_then(|command| {
            let listener = agent.clone();
            RelayKeeper::new(command, state.clone(), move |event| listener.send(event))
                .map_err(|error| tracing::warn!("the relay can't be started: {error}"))
                .ok()
        });
        let listener = agent.clone();
        Self {
            relay,
            attention: apps::ExitWatcher::new(move || listener.send(Event::Docker)),
            agent,
            memory: AgentStateFile::in_folder(&state),
            worker: Effects {
                registry,
                config: config.clone(),
                state: state.clone(),
            },
            observer: Observer {
                registry,
                docker_app,
                last: Config::load(&config).unwrap_or_default(),
                has_icon,
                swept: None,
                config,
                state,
            },
            files: None,
            has_icon,
            wording,
        }
    }

    fn run(mut self, receiver: &Receiver<Message>, mut report: impl FnMut(AgentOutput)) {
        // The watches start before the first observation, so that no change in between is missed.
        self.watch_files();
        let agent = self.agent.clone();
        let settings = system_proxies::watch(move || agent.send(Event::Settings));
        if let Err(error) = &settings {
            tracing::warn!("{error}; changes are noticed late");
        }
        let agent = self.agent.clone();
        let _wake = wake::watch(move || agent.send(Event::Woke));

        let mut controller = Controller::new(
            self.memory.read(),
            Instant::now(),
            SystemTime::now,
            self.wording,
        );
        if !self.has_icon {
            controller = controller.without_icon();
        }
        let mut shown: Option<View> = None;
        loop {
            self.poll(&mut controller, &mut report);
            if let Some(relay) = &self.relay {
                relay.want(controller.relay_wanted());
            }
            let view = controller.view(Instant::now());
            if shown.as_ref() != Some(&view) {
                if shown.as_ref().map(|shown| &shown.reason) != Some(&view.reason) {
                    tracing::info!("{}", (self.wording.state)(view.state, &view.reason));
                }
                shown = Some(view.clone());
                report(AgentOutput::View(Box::new(view)));
            }
            let now = Instant::now();
            let wait = controller.deadline(now).saturating_duration_since(now);
            let mut next = receiver.recv_timeout(wait);
            loop {
                match next {
                    Ok(Message::Event(event)) => {
                        let effects = controller.handle(event, Instant::now());
                        self.execute(effects, &mut controller, &mut report);
                    }
                    Ok(Message::Stop(ended)) => {
                        drop(settings);
                        // If this fails, the caller has stopped waiting.
                        let _ = ended.send(());
                        return;
                    }
                    Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout) => break,
                }
                next = receiver.try_recv().map_err(|_| RecvTimeoutError::Timeout);
            }
        }
    }

    /// Polls the controller and executes its effects until none is left that can be executed at once.
    fn poll(&mut self, controller: &mut Controller, report: &mut impl FnMut(AgentOutput)) {
        loop {
            let effects = controller.poll(Instant::now());
            if effects.is_empty() {
                return;
            }
            self.execute(effects, controller, report);
        }
    }

    fn execute(
        &mut self,
        effects: Vec<Effect>,
        controller: &mut Controller,
        report: &mut impl FnMut(AgentOutput),
    ) {
        for job in effects {
            if let Some(event) = self.begin(job, report) {
                let effects = controller.handle(event, Instant::now());
                self.execute(effects, controller, report);
            }
        }
    }

    /// Executes a short job, or starts a long one on its own thread. Returns the event of a job that is done
    /// at once.
    fn begin(&mut self, job: Effect, report: &mut impl FnMut(AgentOutput)) -> Option<Event> {
        let worker = self.worker.clone();
        match job {
            Effect::Observe => {
                let look = self.observer.observe();
                self.watch_files();
                if let Some(running) = &look.running {
                    self.attention.watch(&RunningApp {
                        pid: running.pid,
                        since: running.since,
                    });
                }
                return Some(Event::Observed(Box::new(look)));
            }
            Effect::Resolve { engine, named } => self.spawn("settings", move || {
                Event::Resolved(engine, Box::new(worker.resolve(&engine, named.as_ref())))
            }),
            Effect::Apply {
                path,
                setting,
                named,
                adopt,
            } => self.change(move || worker.apply(&path, &setting, named.as_ref(), adopt)),
            Effect::Restore { path } => self.change(move || worker.restore(&path)),
            Effect::Restart { path } => {
                tracing::info!("restarting Docker");
                self.spawn("restart", move || {
                    let result = worker.restart(&path);
                    Event::Restarted(result.map_err(|error| failed(error).diagnostic))
                });
            }
            Effect::ApplyLive { path, adopt } => {
                tracing::info!("bringing the running VM up to date");
                let agent = self.agent.clone();
                self.spawn("engine", move || {
                    let _writing = agent.writing.lock();
                    let result = worker.apply_live(&path, adopt, &agent.cancel);
                    Event::AppliedLive(result.map_err(|error| failed(error).diagnostic))
                });
            }
            Effect::SetIntent { path, intent } => {
                tracing::info!("wanted in {}: {intent:?}", path.display());
                if let Err(error) = Intents::in_folder(&self.worker.state).set(&path, intent) {
                    let error = Error::from(AgentError::IntentNotNoted(error));
                    return Some(Event::Refused(error.into()));
                }
            }
            Effect::Configure(click) => {
                tracing::info!("decided: {click:?}");
                if let Err(error) = worker.configure(click) {
                    return Some(Event::Refused(failed(error).diagnostic));
                }
            }
            Effect::Remember(memory) => {
                if let Err(error) = self.memory.write(&memory) {
                    tracing::warn!("could not save what was reported: {error}");
                }
            }
            Effect::Notify(notice) => {
                tracing::info!("notified: {}", (self.wording.notice)(&notice));
                report(AgentOutput::Notice(Box::new(notice)));
            }
        }
        None
    }

    /// Starts a job that changes the boot image. The program waits for it before it ends.
    fn change(&self, change: impl FnOnce() -> Result<ChangeOutcome> + Send + 'static) {
        let (agent, observer) = (self.agent.clone(), self.observer.clone());
        self.spawn("image", move || {
            let _writing = agent.writing.lock();
            let result = change().map_err(failed);
            Event::Changed(result, observer.fingerprint())
        });
    }

    /// Runs a job on its own thread. If none can be started, the job runs on this thread and blocks it.
    fn spawn(&self, name: &str, job: impl FnOnce() -> Event + Send + 'static) {
        let agent = self.agent.clone();
        let job = Arc::new(Mutex::new(Some((job, self.agent.in_flight.begin()))));
        let run = {
            let job = job.clone();
            move || {
                let job = locked(&job).take();
                if let Some((job, _begun)) = job {
                    agent.send(job());
                }
            }
        };
        if let Err(error) = thread::Builder::new()
            .name(name.to_owned())
            .spawn(run.clone())
        {
            tracing::warn!("could not start the thread {name}: {error}");
            run();
        }
    }

    /// Watches the relevant files. The config file can change which ones these are.
    fn watch_files(&mut self) {
        let state_files = self.observer.registry.state_files();
        let state_files = [Intents::FILE].into_iter().chain(state_files);
        let elsewhere = self.observer.elsewhere();
        let files = Files {
            places: self.observer.places(),
            above_elsewhere: folders_above(&elsewhere),
            elsewhere,
            decisions: [self.observer.config.clone()]
                .into_iter()
                .chain(state_files.map(|name| self.observer.state.join(name)))
                .collect(),
        };
        if self
            .files
            .as_ref()
            .is_some_and(|(watched, _)| *watched == files)
        {
            return;
        }
        let agent = self.agent.clone();
        let observer = self.observer.clone();
        let fingerprint = move || observer.fingerprint();
        let watch = FileWatch::new(&files, fingerprint, move |event| agent.send(event));
        self.files = Some((files, watch));
    }
}

fn failed(error: Error) -> ChangeError {
    // A temporary failure would fill the log, since it is tried again and again.
    match error.kind() {
        Kind::Busy => tracing::debug!("{error}"),
        _ => tracing::warn!("{error}"),
    }
    ChangeError {
        kind: error.kind(),
        diagnostic: Diagnostic::from(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_is_waited_for_but_not_for_ever() {
        let in_flight = Arc::new(InFlight::default());
        assert!(in_flight.wait_idle(Duration::ZERO));
        let (first, second) = (in_flight.begin(), in_flight.begin());
        drop(first);
        assert!(!in_flight.wait_idle(Duration::from_millis(10)));
        let (sender, receiver) = mpsc::channel();
        let job = thread::spawn(move || {
            receiver.recv().unwrap();
            drop(second);
        });
        sender.send(()).unwrap();
        assert!(in_flight.wait_idle(TIMEOUT * 60));
        job.join().unwrap();
    }
}
