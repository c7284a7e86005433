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
mod dialog_text;
mod error;
pub(crate) mod event_loop;
#[cfg(not(target_os = "macos"))]
mod event_loop_linux;
#[cfg(target_os = "macos")]
mod event_loop_macos;
mod icons;
mod manual;
pub mod menu;
mod notification_text;
pub(crate) mod notifications;
mod opening;
mod subprocess;
mod tray;
#[cfg(not(target_os = "macos"))]
mod tray_linux;
#[cfg(target_os = "macos")]
mod tray_macos;
mod updates;

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::agent::event::{Click, Event};
use crate::agent::first_run::Question;
use crate::agent::notice::{Notice, NoticeAction};
use crate::agent::view::View;
use crate::agent::{Agent, AgentOutput, Options};
use crate::backend::RestartScope;
use crate::error::{Error, Face, Result};
use crate::logs;
use crate::platform::{apps, dialog};
use crate::proxy::{Field, is_in_environment};
use crate::service::manual_proxy::{ManualProxy, Saved};
use crate::service::single_instance::{self, Claim, Instance};
use crate::service::{ServiceError, login_item};

use crate::service::install_location::InstallLocation;
use clock::Clock;
use dialog_text::Planned;
pub use error::AppError;
use event_loop::{Flow, Sender};
use manual::Entry;
use menu::{Command, Menu, MenuContext, Shape, headline, menu, title, tooltip};
use notification_text::{CheckResult, Uninstalled, action_of, answer};
use notifications::{Notification, Notifier, PRESSED, SHOW_DETAILS};

use tray::{Face as TrayFace, Tray};
use updates::{AskedBy, Looked};

/// A message to the app's thread.
enum AppEvent {
    /// An output of the agent.
    Agent(AgentOutput),
    /// A menu item was chosen.
    Chosen(String),
    /// A notification or one of its buttons was pressed.
    Pressed(String, String),
    /// The icon's menu is about to be opened.
    Approached,
    /// The notification with this id can't be shown, for this reason.
    NotShown(String, String),
    /// The dialog that took the place of the notification with this id was answered by this button.
    QuestionAnswered(String, String),
    /// The result of a connection check.
    Checked(CheckResult),
    /// It may be time to look for a newer version.
    UpdateTick,
    /// The result of a look for a newer version.
    Looked(AskedBy, Looked),
    /// A message of another Baleen process.
    Peer(single_instance::Message),
    /// What an uninstall would do.
    UninstallPlanned(Planned),
    /// The answer to the question before an uninstall.
    UninstallAnswered(bool),
    /// The result of an uninstall.
    Uninstalled(Uninstalled),
    /// The proxy of the config file was read for the panel.
    ManualProxy(Result<Box<ManualProxy>>),
    /// The panel was closed; with this, if it was accepted.
    ManualProxyEntered(Option<Box<Entry>>),
    /// This was saved, or was not.
    ManualProxySaved(Box<Entry>, Result<Saved>),
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
            return Err(ServiceError::AlreadyRunning { who }.into());
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
        if let Some(advice) = error.hint(Face::Menu) {
            eprintln!("what to do: {advice}");
        }
    }
    std::process::exit(1)
}

const APP: &str = "the Baleen app";

struct App {
    options: Options,
    log: PathBuf,
    /// The running agent. `None` while Baleen is being uninstalled.
    running_agent: Option<RunningAgent>,
    sender: Sender<AppEvent>,
    notifier: Option<Notifier>,
    /// The last notification with each id.
    shown: RefCell<HashMap<String, Notification>>,
    tray: Option<Tray>,
    view: Option<View>,
    menu: Menu,
    context: MenuContext,
    /// True from the command that opens a dialog until the dialog is closed.
    is_asking: bool,
    clock: Clock,
}

/// The agent with its watch and its instance lock.
struct RunningAgent {
    agent: Agent,
    /// The watch for starts and exits of Docker.
    _docker: Vec<apps::Watch>,
    /// The instance lock, which is dropped last.
    _instance: Instance,
}

impl RunningAgent {
    fn start(options: Options, instance: Instance, sender: &Sender<AppEvent>) -> Result<Self> {
        let said = sender.clone();
        instance.listen(move |word| said.send(AppEvent::Peer(word)));
        let reports = sender.clone();
        let registry = options.registry;
        let agent = Agent::start(options, move |report| reports.send(AppEvent::Agent(report)))?;
        let listener = agent.clone();
        let watches = registry.watch_running(move || listener.send(Event::Docker));
        Ok(Self {
            agent,
            _docker: watches,
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
            move |notification, why| refused.send(AppEvent::NotShown(notification, why)),
        );
        let running_agent = RunningAgent::start(options.clone(), instance, &sender)?;
        let location = InstallLocation::current();
        let app = Self {
            options,
            log: logs::path(),
            running_agent: Some(running_agent),
            sender,
            notifier,
            shown: RefCell::default(),
            tray: None,
            view: None,
            menu: Menu::default(),
            context: MenuContext {
                login_item: login_item::status(),
                is_checking: false,
                has_environment: is_in_environment(),
                is_looking: false,
                location,
                is_uninstalling: false,
            },
            is_asking: false,
            clock: Clock::local(),
        };
        if location.is_temporary() {
            tracing::warn!("Baleen was opened where it can't stay: {location:?}");
            app.note_place();
        }
        updates::tick(app.sender.clone());
        Ok(app)
    }

    fn handle(&mut self, message: AppEvent) -> Flow {
        match message {
            AppEvent::Agent(AgentOutput::View(view)) => {
                self.view = Some(*view);
                self.refresh();
            }
            AppEvent::Approached => self.refresh(),
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
            AppEvent::NotShown(notification, why) => {
                tracing::warn!("a notification could not be shown: {why}");
                if notification == notification_text::LOOKED {
                    self.update_not_shown();
                } else if dialog::AVAILABLE {
                    self.ask_again(&notification);
                }
            }
            AppEvent::QuestionAnswered(notification, button) => {
                self.is_asking = false;
                self.pressed(&notification, &button);
            }
            AppEvent::Checked(result) => {
                self.context.is_checking = false;
                self.show_notification(&notification_text::checked(&result));
                self.open_report_page();
                self.show_or_exit();
            }
            AppEvent::UpdateTick => {
                self.look_if_due();
                self.show_or_exit();
            }
            AppEvent::Looked(by, result) => {
                self.looked(by, &result);
                self.show_or_exit();
            }
            AppEvent::Peer(single_instance::Message::Hello) => {
                if let Some(view) = &self.view {
                    self.show_notification(&notification_text::already_running(&headline(view)));
                }
            }
            AppEvent::UninstallPlanned(planned) => self.uninstall_planned(&planned),
            AppEvent::UninstallAnswered(agreed) => self.uninstall_answered(agreed),
            AppEvent::Uninstalled(result) => self.uninstalled(&result),
            AppEvent::ManualProxy(proxy) => self.show_manual_proxy(proxy),
            AppEvent::ManualProxyEntered(entry) => self.save_manual_proxy(entry),
            AppEvent::ManualProxySaved(entry, saved) => self.manual_proxy_saved(&entry, saved),
            AppEvent::Peer(single_instance::Message::Goodbye) | AppEvent::Quit => {
                return self.quit();
            }
        }
        Flow::Continue
    }

    /// Draws the icon and the menu with what may have changed outside of Baleen: the login item, and the day.
    fn refresh(&mut self) {
        self.context.login_item = login_item::status();
        self.show_or_exit();
    }

    /// Draws the icon and the menu.
    fn show(&mut self) -> Result<()> {
        let Some(view) = &self.view else {
            return Ok(());
        };
        let face = TrayFace {
            shape: Shape::of(view),
            title: title(view),
            tooltip: tooltip(view),
        };
        self.menu = menu(view, self.context, &|seconds| self.clock.show(seconds));
        match &mut self.tray {
            Some(tray) => tray.show(face, self.menu.clone()),
            None => {
                let (choices, approaches) = (self.sender.clone(), self.sender.clone());
                let tray = Tray::new(
                    face,
                    self.menu.clone(),
                    move |id| choices.send(AppEvent::Chosen(id)),
                    move || approaches.send(AppEvent::Approached),
                )?;
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

    fn answered(&self, question: Question, is_yes: bool) {
        if let Some(running_agent) = &self.running_agent {
            let answer = Event::Answered(question, is_yes);
            running_agent.agent.send(answer);
        }
    }

    /// Asks a question again whose notification could not be shown, or is gone because it was pressed beside its buttons.
    fn ask_again(&mut self, notification: &str) {
        let asked = self.shown.borrow().get(notification).cloned();
        let Some((asked, question)) =
            asked.and_then(|it| Some((dialog_text::as_question(&it)?, it)))
        else {
            return;
        };
        if !dialog::AVAILABLE {
            return self.show_notification(&question);
        }
        // One dialog at a time. What it asks is in the menu as well.
        if std::mem::replace(&mut self.is_asking, true) {
            return;
        }
        let (sender, id) = (self.sender.clone(), question.id);
        let (yes, no) = (asked.yes, asked.no);
        dialog::ask(&asked.question, move |is_yes| {
            let button = if is_yes { yes } else { no };
            sender.send(AppEvent::QuestionAnswered(id, button));
        });
    }

    /// Opens the whole text of a notification that shows only a part.
    fn show_details(&self, notification: &str) {
        let shown = self.shown.borrow();
        let text = shown.get(notification).and_then(|it| it.details.clone());
        drop(shown);
        let Some(text) = text else { return };
        if let Err(error) = opening::open_as_text("baleen-details-", &text) {
            self.not_opened("the details", error);
        }
    }

    fn notify(&self, notice: &Notice) {
        self.show_notification(&notification_text::of_notice(notice));
        // Baleen works from such a folder, so one hint is enough: together with the question for which it matters.
        if matches!(notice, Notice::AskStartAtLogin)
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
        let mut shown = self.shown.borrow_mut();
        shown.insert(notification.id.clone(), notification.clone());
        drop(shown);
        match &self.notifier {
            Some(notifier) => notifier.show(notification),
            None => tracing::info!("{}: {}", notification.title, notification.body),
        }
    }

    /// Runs `call` on a thread of its own, and sends its message to the app; without a thread, that of `failed`.
    fn in_background(
        &self,
        name: &str,
        call: impl FnOnce() -> AppEvent + Send + 'static,
        failed: impl FnOnce(io::Error) -> AppEvent,
    ) {
        let sender = self.sender.clone();
        let spawned = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || sender.send(call()));
        if let Err(error) = spawned {
            self.sender.send(failed(error));
        }
    }

    fn run(&mut self, command: Command) -> Flow {
        match command {
            Command::Click(click) => self.click(click),
            Command::AllowChanges => self.allow_changes(),
            Command::CheckConnection => self.check_connection(),
            Command::CopyProxyAddress => self.copy_proxy_address(),
            Command::CheckForUpdates => self.look(AskedBy::User),
            Command::CopyProxySettings(field) => self.copy_proxy_settings(field),
            Command::OpenDockerSettings => self.open_docker_settings(),
            Command::OpenSettings => self.open_settings(),
            Command::OpenLog => self.open_text(&self.log.clone()),
            Command::OpenDocumentation => self.open(OsStr::new(DOCUMENTATION)),
            Command::ReportProblem => self.open(OsStr::new(NEW_ISSUE)),
            Command::StartAtLogin(on) => self.start_at_login(on),
            Command::EditManualProxy => self.edit_manual_proxy(),
            Command::Uninstall => self.ask_to_uninstall(),
            Command::About if dialog::AVAILABLE => dialog::show_about(),
            Command::About => self.show_notification(&notification_text::about()),
            Command::Quit => return Flow::Quit,
        }
        Flow::Continue
    }

    fn start_at_login(&mut self, on: bool) {
        match login_item::set(on) {
            Ok(now) => {
                self.answered(Question::StartAtLogin, on);
                self.context.login_item = now;
                #[cfg(target_os = "macos")]
                if now == login_item::LoginItem::NeedsApproval {
                    login_item::open_settings();
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
        }
    }

    /// Opens the pane in which the user allows Baleen to change Docker, and has the agent look for the permission.
    fn allow_changes(&self) {
        self.answered(Question::AllowChanges, true);
        self.open(OsStr::new(APP_MANAGEMENT));
    }

    fn pressed(&mut self, notification: &str, button: &str) {
        tracing::debug!("pressed: {button} on {notification}");
        if notification == notification_text::CHECKED && button == notification_text::OPEN_REPORT {
            if !self.open_report_page() {
                self.open_text(&self.report());
            }
            return;
        }
        if [PRESSED, SHOW_DETAILS].contains(&button) {
            self.show_details(notification);
            if button == PRESSED {
                self.ask_again(notification);
            }
            return;
        }
        if notification == dialog_text::UNINSTALL {
            // Each question is answered once.
            if std::mem::take(&mut self.is_asking) {
                self.uninstall_answered(button == dialog_text::UNINSTALL_NOW);
            }
            return;
        }
        if notification == notification_text::LOOKED && button == notification_text::OPEN_PAGE {
            return self.open_release_page();
        }
        let action = action_of(button);
        if let Some((question, is_yes)) = action.and_then(|action| answer(notification, action)) {
            self.answered(question, is_yes);
        }
        match action {
            Some(NoticeAction::RestartEngine) => self.click(Click::Restart(RestartScope::Engine)),
            Some(NoticeAction::RestartNow) => self.click(Click::Restart(RestartScope::Docker)),
            Some(NoticeAction::StartAtLogin) => {
                self.start_at_login(true);
                self.show_or_exit();
            }
            Some(NoticeAction::Adopt) => self.click(Click::Adopt),
            Some(NoticeAction::FollowSettings) => self.click(Click::FollowSettings),
            Some(NoticeAction::TryAgain) => self.click(Click::Reapply),
            Some(NoticeAction::OpenSettingsFile) => self.open_settings(),
            Some(NoticeAction::CopyProxySettings) => self.copy_proxy_settings(Field::All),
            Some(NoticeAction::OpenDockerSettings) => self.open_docker_settings(),
            Some(NoticeAction::OpenPrivacySettings) => self.allow_changes(),
            // The answer is all that is to be done.
            Some(NoticeAction::UseProxy | NoticeAction::NotNow | NoticeAction::Later) | None => {}
        }
    }
}

/// The URL of the App Management pane in System Settings since macOS 13.
const APP_MANAGEMENT: &str =
    "x-apple.systempreferences:com.apple.preference.security?Privacy_AppBundles";

/// The documentation of the app.
const DOCUMENTATION: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/app.md");
/// The form for reporting a problem, which asks for the report of a check.
const NEW_ISSUE: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/issues/new?template=bug.yml");

/// Calls `quit` on a separate thread when a signal asks the program to end.
///
/// # Errors
/// When signals can't be waited for.
pub(crate) fn quit_on_signals(
    quit: impl Fn() + Send + 'static,
) -> std::result::Result<(), AppError> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(AppError::Signals)?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for _ in signals.forever() {
                quit();
            }
        })
        .map_err(AppError::Signals)?;
    Ok(())
}
