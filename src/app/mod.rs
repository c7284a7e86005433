//! The menu-bar app: the agent, with an icon, a menu and notifications.
//!
//! ```text
//! Agent --View, Notice--> App --Menu (plain data)--> Tray
//!   ^                     |  +--Notification------> Notifier
//!   +-------Click---------+ <--choices, buttons----/
//! ```
//!
//! The app is one thread that handles one message after another. It decides only what to show.

mod clock;
pub mod event_loop;
#[cfg(not(target_os = "macos"))]
mod event_loop_linux;
#[cfg(target_os = "macos")]
mod event_loop_macos;
mod icons;
pub mod install_location;
pub mod login_item;
pub mod menu;
mod notification_text;
pub mod notifications;
pub mod single_instance;
mod tray;

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::agent::event::{Click, Event};
use crate::agent::notice::{Notice, NoticeAction};
use crate::agent::observation::RestartScope;
use crate::agent::view::View;
use crate::agent::{Agent, AgentOutput, Options};
use crate::docker;
use crate::error::{Error, Kind, Result};
use crate::logs;
use crate::platform::{apps, clipboard, open};
use crate::proxy::Field;

use clock::Clock;
use event_loop::{Flow, Sender};
use install_location::InstallLocation;
use menu::{Command, Menu, MenuContext, can_uninstall, headline, menu, tooltip};
use notification_text::{CheckResult, Uninstalled, action_of};
use notifications::{Notification, Notifier};
use single_instance::{Claim, Instance};
use tray::Tray;

/// A message to the app's thread.
enum AppEvent {
    /// An output of the agent.
    Agent(AgentOutput),
    /// A menu item was chosen.
    Chosen(String),
    /// A notification or one of its buttons was pressed.
    Pressed(String, String),
    /// A notification can't be shown.
    NoNotes(String),
    /// The result of a connection check.
    Checked(CheckResult),
    /// A message of another Baleen process.
    Peer(single_instance::Message),
    /// The result of an uninstall.
    Uninstalled(Uninstalled),
    /// The app must quit.
    Quit,
}

/// The reason why the app ended.
pub enum AppExit {
    /// The app was quit.
    Quit,
    /// Another instance runs, and shows itself.
    HandedOver(String),
}

/// Runs the app until it is quit. Calls `start_log` once this is the only instance.
///
/// # Errors
/// When the app can't be shown, or may not run next to another instance.
#[cfg_attr(
    target_os = "macos",
    allow(unreachable_code, reason = "there the loop ends the process")
)]
pub fn run(options: Options, start_log: impl FnOnce() -> Result<()>) -> Result<AppExit> {
    let instance = match Instance::claim(&options.state, APP)? {
        Claim::First(instance) => instance,
        Claim::Taken(who)
            if !who.starts_with(APP)
                || !single_instance::send(&options.state, single_instance::Message::Hello) =>
        {
            return Err(taken(&who));
        }
        Claim::Taken(who) => return Ok(AppExit::HandedOver(who)),
    };
    start_log()?;
    event_loop::run(
        move |sender| {
            App::start(options, instance, sender).unwrap_or_else(|error| exit_with(&error))
        },
        App::handle,
    );
    Ok(AppExit::Quit)
}

/// Prints the error and ends the program, for an app that can't show itself.
fn exit_with(error: &Error) -> ! {
    tracing::error!("{error}");
    #[allow(
        clippy::print_stderr,
        reason = "the app has nothing else to show it in"
    )]
    {
        eprintln!("error: {error}");
        if let Some(advice) = error.hint() {
            eprintln!("what to do: {advice}");
        }
    }
    std::process::exit(1)
}

const APP: &str = "the Baleen app";

/// Returns the error for a start next to another Baleen that acts by itself.
pub fn taken(who: &str) -> Error {
    Error::new(
        Kind::Busy,
        format!("{who} is already running; only one can run at a time"),
    )
    .with_hint("end that one first")
}

/// Returns the path of a check's report, next to the log.
pub fn report_beside(log: &Path) -> PathBuf {
    log.with_file_name("doctor-report.md")
}

struct App {
    options: Options,
    log: PathBuf,
    /// The running agent. `None` while Baleen is being uninstalled.
    running_agent: Option<RunningAgent>,
    sender: Sender<AppEvent>,
    notifier: Option<Notifier>,
    tray: Option<Tray>,
    view: Option<View>,
    menu: Menu,
    context: MenuContext,
    clock: Clock,
}

/// The agent with its watch and its instance lock.
struct RunningAgent {
    agent: Agent,
    /// The watch for starts and exits of Docker.
    _docker: Option<apps::Watch>,
    /// The instance lock, which is dropped last.
    _instance: Instance,
}

impl RunningAgent {
    fn start(options: Options, instance: Instance, sender: &Sender<AppEvent>) -> Result<Self> {
        let said = sender.clone();
        instance.listen(move |word| said.send(AppEvent::Peer(word)));
        let reports = sender.clone();
        let agent = Agent::start(options, move |report| reports.send(AppEvent::Agent(report)))?;
        let listener = agent.clone();
        Ok(Self {
            agent,
            _docker: docker::restart::watch(move || listener.send(Event::Docker)),
            _instance: instance,
        })
    }

    /// Stops the agent. A change of the boot image in progress is finished; no other one starts.
    fn stop(&self) {
        std::mem::forget(self.agent.stop());
    }
}

impl App {
    fn start(options: Options, instance: Instance, sender: Sender<AppEvent>) -> Result<Self> {
        let quit = sender.clone();
        quit_on_signals(move || quit.send(AppEvent::Quit))?;
        let (pressed, refused) = (sender.clone(), sender.clone());
        let notifier = Notifier::new(
            move |notification, button| pressed.send(AppEvent::Pressed(notification, button)),
            move |why| refused.send(AppEvent::NoNotes(why)),
        );
        let running_agent = RunningAgent::start(options.clone(), instance, &sender)?;
        let location = InstallLocation::current();
        let app = Self {
            options,
            log: logs::path(),
            running_agent: Some(running_agent),
            sender,
            notifier,
            tray: None,
            view: None,
            menu: Menu::default(),
            context: MenuContext {
                login_item: login_item::status(),
                is_checking: false,
                location,
                is_uninstalling: false,
            },
            clock: Clock::local(),
        };
        if location.is_temporary() {
            tracing::warn!("Baleen was opened where it can't stay: {location:?}");
            app.note_place();
        }
        Ok(app)
    }

    fn handle(&mut self, message: AppEvent) -> Flow {
        match message {
            AppEvent::Agent(AgentOutput::View(view)) => {
                self.view = Some(*view);
                // The user may have changed the login item outside of Baleen.
                self.context.login_item = login_item::status();
                self.show_or_exit();
            }
            AppEvent::Agent(AgentOutput::Notice(notice)) => self.notify(&notice),
            AppEvent::Chosen(id) => {
                let command = self.menu.command(&id);
                tracing::debug!("chosen: {id}");
                if let Some(command) = command
                    && self.run(command) == Flow::Quit
                {
                    return self.quit();
                }
                // The check mark of the chosen line has already changed, so the menu must be drawn again.
                self.show_or_exit();
            }
            // A button of an older notification could recreate files that the uninstall removes.
            AppEvent::Pressed(..) if self.running_agent.is_none() => {}
            AppEvent::Pressed(notification, button) => self.pressed(&notification, &button),
            AppEvent::NoNotes(why) => {
                tracing::warn!("a notification could not be shown: {why}");
            }
            AppEvent::Checked(result) => {
                self.context.is_checking = false;
                self.show_notification(&notification_text::checked(&result));
                self.show_or_exit();
            }
            AppEvent::Peer(single_instance::Message::Hello) => {
                if let Some(view) = &self.view {
                    self.show_notification(&notification_text::simple(
                        &headline(view),
                        &tooltip(view),
                    ));
                }
            }
            AppEvent::Uninstalled(result) => self.uninstalled(&result),
            AppEvent::Peer(single_instance::Message::Goodbye) | AppEvent::Quit => {
                return self.quit();
            }
        }
        Flow::Continue
    }

    /// Draws the icon and the menu.
    fn show(&mut self) -> Result<()> {
        let Some(view) = &self.view else {
            return Ok(());
        };
        let tooltip = tooltip(view);
        self.menu = menu(view, self.context, &|seconds| self.clock.show(seconds));
        match &mut self.tray {
            Some(tray) => tray.show(view.state, &tooltip, self.menu.clone()),
            None => {
                let sender = self.sender.clone();
                let on_choice = move |id| sender.send(AppEvent::Chosen(id));
                let tray = Tray::new(view.state, &tooltip, self.menu.clone(), on_choice)?;
                self.tray = Some(tray);
            }
        }
        Ok(())
    }

    /// Draws the icon and the menu, and ends the program if it can't.
    fn show_or_exit(&mut self) {
        if let Err(error) = self.show() {
            self.quit();
            exit_with(&error);
        }
    }

    fn quit(&mut self) -> Flow {
        tracing::info!("quitting");
        self.tray = None;
        if let Some(running_agent) = &self.running_agent {
            running_agent.stop();
        }
        Flow::Quit
    }

    fn click(&self, click: Click) {
        if let Some(running_agent) = &self.running_agent {
            running_agent.agent.click(click);
        }
    }

    fn notify(&self, notice: &Notice) {
        self.show_notification(&notification_text::of_notice(notice));
        // Baleen works from such a folder, so one hint is enough: together with the welcome.
        if matches!(notice, Notice::Welcome { .. })
            && self.context.location == InstallLocation::Elsewhere
        {
            self.note_place();
        }
    }

    fn note_place(&self) {
        if let Some(notification) = notification_text::misplaced(self.context.location) {
            self.show_notification(&notification);
        }
    }

    fn show_notification(&self, notification: &Notification) {
        match &self.notifier {
            Some(notifier) => notifier.show(notification),
            None => tracing::info!("{}: {}", notification.title, notification.body),
        }
    }

    fn run(&mut self, command: Command) -> Flow {
        match command {
            Command::Click(click) => self.click(click),
            Command::CheckConnection => self.check_connection(),
            Command::CopyProxySettings(field) => self.copy_proxy_settings(field),
            Command::OpenDockerSettings => self.open_docker_settings(),
            Command::OpenSettings => self.open_settings(),
            Command::OpenLog => self.open_text(&self.log.clone()),
            Command::StartAtLogin(on) => match login_item::set(on) {
                Ok(now) => {
                    self.context.login_item = now;
                    #[cfg(target_os = "macos")]
                    if now == login_item::LoginItem::NeedsApproval {
                        login_item::login_item_macos::open_settings();
                    }
                }
                Err(error) => {
                    tracing::warn!("{error}");
                    self.context.login_item = login_item::status();
                    self.show_notification(&notification_text::failed(
                        "Start at Login was not changed",
                        &error,
                    ));
                }
            },
            // A job may have started since the menu was drawn.
            Command::Uninstall => {
                if let Some(view) = &self.view
                    && can_uninstall(view, self.context)
                {
                    self.uninstall();
                }
            }
            Command::About => self.show_notification(&notification_text::about()),
            Command::Quit => return Flow::Quit,
        }
        Flow::Continue
    }

    fn pressed(&mut self, notification: &str, button: &str) {
        tracing::debug!("pressed: {button} on {notification}");
        if notification == notification_text::CHECKED && button == notification_text::OPEN_REPORT {
            return self.open_text(&self.report());
        }
        match action_of(button) {
            Some(NoticeAction::RestartEngine) => self.click(Click::Restart(RestartScope::Engine)),
            Some(NoticeAction::RestartNow) => self.click(Click::Restart(RestartScope::Docker)),
            Some(NoticeAction::UseProxy) => self.click(Click::UseProxy(true)),
            Some(NoticeAction::Adopt) => self.click(Click::Adopt),
            Some(NoticeAction::FollowSettings) => self.click(Click::FollowSettings),
            Some(NoticeAction::TryAgain) => self.click(Click::Reapply),
            Some(NoticeAction::OpenSettingsFile) => self.open_settings(),
            Some(NoticeAction::CopyProxySettings) => self.copy_proxy_settings(Field::All),
            Some(NoticeAction::OpenDockerSettings) => self.open_docker_settings(),
            Some(NoticeAction::OpenPrivacySettings) => self.open(OsStr::new(APP_MANAGEMENT)),
            Some(NoticeAction::Later) | None => {}
        }
    }

    /// Copies the values for Docker's own proxy settings. Without a clipboard, opens a file with them.
    fn copy_proxy_settings(&self, field: Field) {
        let view = self.view.as_ref();
        let Some((view, fields)) = view.and_then(|view| Some((view, view.docker_fields()?))) else {
            return self.show_notification(&notification_text::nothing_to_copy());
        };
        let pane = view.proxy_pane().unwrap_or_default();
        let remarks = fields.remarks(view.docker.as_deref().unwrap_or_default());
        let why = match clipboard::copy(&fields.text(field)) {
            Ok(()) => {
                return self.show_notification(&notification_text::copied(pane, &remarks, None));
            }
            Err(why) => why,
        };
        tracing::info!("not copied: {why}");
        match write_text("baleen-proxy-settings-", &fields.text(Field::All)) {
            Ok(file) => {
                self.show_notification(&notification_text::copied(pane, &remarks, Some(&file)));
                self.open_text(&file);
            }
            Err(error) => self.not_opened("a file with Docker's proxy settings", &error),
        }
    }

    /// Opens Docker's own proxy settings, or at least Docker.
    fn open_docker_settings(&self) {
        let view = self.view.as_ref();
        let Some((docker, family)) = view.and_then(|v| v.path.as_ref().zip(v.family.as_ref()))
        else {
            return;
        };
        let is_running = docker::restart::running(docker).is_some();
        if let Some(url) = family.settings_url(is_running) {
            match open::open(OsStr::new(url)) {
                Ok(()) => return,
                Err(why) => tracing::info!("{url} was not opened: {why}"),
            }
        }
        if let Err(error) = apps::open(docker) {
            tracing::warn!("{error}");
            self.show_notification(&notification_text::failed(
                "Docker could not be opened",
                &error,
            ));
        }
    }

    fn open(&self, target: &OsStr) {
        if let Err(error) = open::open(target) {
            self.not_opened(&target.to_string_lossy(), &error);
        }
    }

    fn open_text(&self, path: &Path) {
        if let Err(error) = open::open_text(path) {
            self.not_opened(&path.to_string_lossy(), &error);
        }
    }

    fn not_opened(&self, what: &str, why: &io::Error) {
        let error = Error::new(Kind::Failure, format!("could not open {what}: {why}"));
        tracing::warn!("{error}");
        self.show_notification(&notification_text::failed(
            "That could not be opened",
            &error,
        ));
    }

    fn open_settings(&self) {
        let path = &self.options.config;
        if let Err(error) = crate::config::make(path) {
            tracing::warn!("{error}");
            return self.show_notification(&notification_text::failed(
                "There is no settings file",
                &error,
            ));
        }
        self.open_text(path);
    }

    /// Returns the path of the check's report.
    fn report(&self) -> PathBuf {
        report_beside(&self.log)
    }

    /// Runs the doctor in a separate process: it loads much that the app does not need otherwise.
    fn check_connection(&mut self) {
        self.context.is_checking = true;
        let report = self.report();
        let mut doctor = self.command(&["doctor", "--json"]);
        doctor.arg("--report").arg(&report);
        let sender = self.sender.clone();
        let spawned = thread::Builder::new()
            .name("doctor".to_owned())
            .spawn(move || {
                // The new report replaces that of the last check.
                let _ = fs::remove_file(&report);
                let result = doctor.output().map(|output| output.stdout);
                sender.send(AppEvent::Checked(CheckResult::of(result)));
            });
        if let Err(error) = spawned {
            self.sender
                .send(AppEvent::Checked(CheckResult::of(Err(error))));
        }
    }

    /// Returns a command that runs this program in a separate process, with the same Docker.app and the same
    /// settings.
    fn command(&self, arguments: &[&str]) -> Process {
        let mut command = Process::new(env::current_exe().unwrap_or_else(|_| "baleen".into()));
        command.args(arguments);
        // A config file given as an argument must exist. Without one, the defaults apply.
        if self.options.config.exists() {
            command.arg("--config").arg(&self.options.config);
        }
        if let Some(docker_app) = &self.options.docker_app {
            command.arg("--docker-app").arg(docker_app);
        }
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Removes everything that Baleen made, in a separate process. That process is then the only Baleen that
    /// acts.
    fn uninstall(&mut self) {
        tracing::info!("uninstalling");
        self.context.is_uninstalling = true;
        let agent = self.running_agent.take().map(|running_agent| {
            running_agent.stop();
            running_agent.agent.clone()
        });
        let mut uninstall = self.command(&["uninstall", "--yes", "--json"]);
        let sender = self.sender.clone();
        let spawned = thread::Builder::new()
            .name("uninstall".to_owned())
            .spawn(move || {
                if agent.is_some_and(|agent| !agent.wait_idle(QUIT_TIMEOUT)) {
                    tracing::warn!("something is still under way, and may leave a file behind");
                }
                let result = uninstall.output().map(|output| output.stdout);
                sender.send(AppEvent::Uninstalled(Uninstalled::of(result)));
            });
        if let Err(error) = spawned {
            let failed = Uninstalled::of(Err(error));
            self.sender.send(AppEvent::Uninstalled(failed));
        }
    }

    /// Shows the result of an uninstall. If it failed, the app continues; otherwise it quits.
    fn uninstalled(&mut self, result: &Uninstalled) {
        let (is_all, next, list) = match result {
            Uninstalled::Done { is_all, next, list } => (*is_all, next, list),
            Uninstalled::Failed(why) => {
                tracing::warn!("not uninstalled: {}", why.sentence);
                let program = env::current_exe().unwrap_or_else(|_| "baleen".into());
                self.show_notification(&notification_text::not_uninstalled(why, &program));
                return self.continue_uninstall();
            }
        };
        self.show_notification(&notification_text::uninstalled(is_all, next));
        if let Err(error) = open_as_text(list) {
            self.not_opened("the list of what was done", &error);
        }
        self.quit_soon();
    }

    /// Quits after a notification, with a delay: macOS takes its time to accept and show it.
    fn quit_soon(&self) {
        let sender = self.sender.clone();
        let wait_and_quit = move || {
            thread::sleep(NOTIFICATION_TIMEOUT);
            sender.send(AppEvent::Quit);
        };
        if thread::Builder::new().spawn(wait_and_quit).is_err() {
            self.sender.send(AppEvent::Quit);
        }
    }

    /// Restarts the agent after a failed uninstall.
    fn continue_uninstall(&mut self) {
        self.context.is_uninstalling = false;
        let running_agent = match Instance::claim(&self.options.state, APP) {
            Ok(Claim::First(first)) => {
                RunningAgent::start(self.options.clone(), first, &self.sender)
            }
            Ok(Claim::Taken(who)) => Err(taken(&who)),
            Err(error) => Err(error),
        };
        match running_agent {
            Ok(running_agent) => self.running_agent = Some(running_agent),
            Err(error) => {
                self.show_notification(&notification_text::failed("Baleen has ended", &error));
                self.quit_soon();
            }
        }
        self.show_or_exit();
    }
}

/// Timeout for running jobs to end before an uninstall, such as fetching and running a PAC script.
const QUIT_TIMEOUT: Duration = Duration::from_secs(20);
/// Time for a notification to appear.
const NOTIFICATION_TIMEOUT: Duration = Duration::from_secs(1);

/// Shows a text in a new file in the system's temporary folder.
fn open_as_text(text: &str) -> io::Result<()> {
    open::open_text(&write_text("baleen-uninstalled-", text)?)
}

/// Writes a text into a new file in the system's temporary folder. Its name begins with `prefix`.
fn write_text(prefix: &str, text: &str) -> io::Result<PathBuf> {
    let mut file = tempfile::Builder::new()
        .prefix(prefix)
        .suffix(".txt")
        .tempfile()?;
    file.write_all(text.as_bytes())?;
    let (_, path) = file.keep().map_err(|error| error.error)?;
    Ok(path)
}

/// The URL of the App Management pane in System Settings since macOS 13.
const APP_MANAGEMENT: &str =
    "x-apple.systempreferences:com.apple.preference.security?Privacy_AppBundles";

/// Calls `quit` on a separate thread when a signal asks the program to end.
///
/// # Errors
/// When signals can't be waited for.
pub fn quit_on_signals(quit: impl Fn() + Send + 'static) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::new(
            Kind::Failure,
            format!("could not wait for signals: {error}"),
        )
    };
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(failed)?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for _ in signals.forever() {
                quit();
            }
        })
        .map_err(failed)?;
    Ok(())
}
