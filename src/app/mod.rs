//! The menu-bar app: the agent, with an icon, a menu and notifications.
//!
//! ```text
//! Agent --View, News--> App --Menu (plain data)--> Tray
//!   ^                   |  +--Note--------------> Notifier
//!   +------Click--------+ <--choices, buttons----/
//! ```
//!
//! All of it is one thread that takes one message after another; it decides what to show, and nothing else.

mod clock;
pub mod event_loop;
#[cfg(not(target_os = "macos"))]
mod event_loop_linux;
#[cfg(target_os = "macos")]
mod event_loop_macos;
mod icons;
pub mod instance;
pub mod login_item;
pub mod menu;
mod notes;
pub mod notifications;
pub mod place;
mod tray;

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::agent::mind::{Click, Event};
use crate::agent::news::{News, Offer};
use crate::agent::view::View;
use crate::agent::{Agent, Options, Report};
use crate::docker;
use crate::error::{Error, Kind, Result};
use crate::logs;
use crate::platform::{apps, open};

use clock::Clock;
use event_loop::{Flow, Sender};
use instance::{Claim, Instance};
use menu::{Besides, Command, Menu, headline, menu, tooltip};
use notes::{CheckResult, offer_of};
use notifications::{Note, Notifier};
use place::Place;
use tray::Tray;

/// What comes to the app's thread.
enum Message {
    /// The agent has something to say.
    Agent(Report),
    /// Something was chosen in the menu.
    Chosen(String),
    /// A button on a note was pressed, or the note itself.
    Pressed(String, String),
    /// Notes can't be shown.
    NoNotes(String),
    /// The connection was checked.
    Checked(CheckResult),
    /// A second Baleen was started.
    Hello,
    /// It is to end.
    Quit,
}

/// How the app came to its end.
pub enum End {
    /// It was quit.
    Quit,
    /// Another one runs, and shows itself.
    HandedOver(String),
}

/// Runs the app until it is quit.
///
/// # Errors
/// When it can't be shown, or may not run beside what runs already.
#[cfg_attr(
    target_os = "macos",
    allow(unreachable_code, reason = "there the loop ends the process")
)]
pub fn run(options: Options) -> Result<End> {
    let instance = match Instance::claim(&options.state, APP)? {
        Claim::First(instance) => instance,
        Claim::Taken(who) if !who.starts_with(APP) || !instance::hello(&options.state) => {
            return Err(taken(&who));
        }
        Claim::Taken(who) => return Ok(End::HandedOver(who)),
    };
    event_loop::run(
        move |sender| App::start(options, instance, sender).unwrap_or_else(|error| give_up(&error)),
        App::handle,
    );
    Ok(End::Quit)
}

/// Ends the program where it can't be shown, and there is no other place to say so.
fn give_up(error: &Error) -> ! {
    tracing::error!("{error}");
    #[allow(
        clippy::print_stderr,
        reason = "the app has nothing else to show it in"
    )]
    {
        eprintln!("error: {error}");
        if let Some(advice) = error.advice() {
            eprintln!("what to do: {advice}");
        }
    }
    std::process::exit(1)
}

const APP: &str = "the Baleen app";

/// The refusal beside another Baleen that acts by itself.
pub fn taken(who: &str) -> Error {
    Error::new(
        Kind::Busy,
        format!("{who} runs already, and two that act by themselves are one too many"),
    )
    .advise("end that one first")
}

/// Where things are that the app opens for the user.
struct Places {
    config: PathBuf,
    log: PathBuf,
    docker_app: Option<PathBuf>,
}

struct App {
    agent: Agent,
    sender: Sender<Message>,
    notifier: Option<Notifier>,
    tray: Option<Tray>,
    view: Option<View>,
    menu: Menu,
    besides: Besides,
    clock: Clock,
    places: Places,
    /// Where the system tells that Docker came or went.
    _docker: Option<apps::Watch>,
    _instance: Instance,
}

impl App {
    fn start(options: Options, instance: Instance, sender: Sender<Message>) -> Result<Self> {
        let to_app = |make: fn() -> Message| {
            let sender = sender.clone();
            move || sender.send(make())
        };
        instance.listen(to_app(|| Message::Hello));
        quit_on_signals(to_app(|| Message::Quit))?;
        let (pressed, refused) = (sender.clone(), sender.clone());
        let notifier = Notifier::new(
            move |note, button| pressed.send(Message::Pressed(note, button)),
            move |why| refused.send(Message::NoNotes(why)),
        );
        let places = Places {
            config: options.config.clone(),
            log: logs::path(),
            docker_app: options.docker_app.clone(),
        };
        let reports = sender.clone();
        let agent = Agent::start(options, move |report| reports.send(Message::Agent(report)))?;
        let listener = agent.clone();
        let place = Place::here();
        let app = Self {
            agent,
            sender,
            notifier,
            tray: None,
            view: None,
            menu: Menu::default(),
            besides: Besides {
                login_item: login_item::status(),
                is_checking: false,
                place,
            },
            clock: Clock::local(),
            places,
            _docker: docker::restart::watch(move || listener.tell(Event::Docker)),
            _instance: instance,
        };
        if place.is_passing() {
            tracing::warn!("Baleen was opened where it can't stay: {place:?}");
            app.note_place();
        }
        Ok(app)
    }

    fn handle(&mut self, message: Message) -> Flow {
        match message {
            Message::Agent(Report::View(view)) => {
                self.view = Some(*view);
                // It may have been changed elsewhere.
                self.besides.login_item = login_item::status();
                self.show_or_give_up();
            }
            Message::Agent(Report::News(news)) => self.tell(&news),
            Message::Chosen(id) => {
                let command = self.menu.command(&id);
                tracing::debug!("chosen: {id}");
                if let Some(command) = command
                    && self.obey(command) == Flow::Quit
                {
                    return self.quit();
                }
                // The mark of a line has changed by itself, whether or not anything else has.
                self.show_or_give_up();
            }
            Message::Pressed(note, button) => self.pressed(&note, &button),
            Message::NoNotes(why) => {
                tracing::warn!("a notification could not be shown: {why}");
            }
            Message::Checked(result) => {
                self.besides.is_checking = false;
                self.note(&notes::checked(&result));
                self.show_or_give_up();
            }
            Message::Hello => {
                if let Some(view) = &self.view {
                    self.note(&notes::here(&headline(view), &tooltip(view)));
                }
            }
            Message::Quit => return self.quit(),
        }
        Flow::Continue
    }

    /// Draws what there is to show.
    fn show(&mut self) -> Result<()> {
        let Some(view) = &self.view else {
            return Ok(());
        };
        let tooltip = tooltip(view);
        self.menu = menu(view, self.besides, &|seconds| self.clock.show(seconds));
        match &mut self.tray {
            Some(tray) => tray.show(view.state, &tooltip, self.menu.clone()),
            None => {
                let sender = self.sender.clone();
                let on_choice = move |id| sender.send(Message::Chosen(id));
                let tray = Tray::new(view.state, &tooltip, self.menu.clone(), on_choice)?;
                self.tray = Some(tray);
            }
        }
        Ok(())
    }

    /// Draws what there is to show, and ends the program where that can't be.
    fn show_or_give_up(&mut self) {
        if let Err(error) = self.show() {
            std::mem::forget(self.agent.stop());
            give_up(&error);
        }
    }

    fn quit(&mut self) -> Flow {
        tracing::info!("quitting");
        self.tray = None;
        // A change of the image that is under way is finished; none is begun after this.
        std::mem::forget(self.agent.stop());
        Flow::Quit
    }

    fn tell(&self, news: &News) {
        self.note(&notes::of_news(news));
        // It works there, so it is said once: with what is said once in any case.
        if matches!(news, News::Welcome { .. }) && self.besides.place == Place::Elsewhere {
            self.note_place();
        }
    }

    fn note_place(&self) {
        if let Some(note) = notes::misplaced(self.besides.place) {
            self.note(&note);
        }
    }

    fn note(&self, note: &Note) {
        match &self.notifier {
            Some(notifier) => notifier.show(note),
            None => tracing::info!("{}: {}", note.title, note.body),
        }
    }

    fn obey(&mut self, command: Command) -> Flow {
        match command {
            Command::Click(click) => self.agent.click(click),
            Command::CheckConnection => self.check_connection(),
            Command::OpenSettings => self.open_settings(),
            Command::OpenLog => self.open_text(&self.places.log.clone()),
            Command::StartAtLogin(on) => match login_item::set(on) {
                Ok(now) => {
                    self.besides.login_item = now;
                    #[cfg(target_os = "macos")]
                    if now == login_item::LoginItem::NeedsApproval {
                        login_item::login_item_macos::open_settings();
                    }
                }
                Err(error) => {
                    tracing::warn!("{error}");
                    self.besides.login_item = login_item::status();
                    self.note(&notes::failed("Start at login was not changed", &error));
                }
            },
            Command::About => self.note(&notes::about()),
            Command::Quit => return Flow::Quit,
        }
        Flow::Continue
    }

    fn pressed(&mut self, note: &str, button: &str) {
        tracing::debug!("pressed: {button} on {note}");
        if note == notes::CHECKED && button == notes::OPEN_REPORT {
            return self.open_text(&self.report());
        }
        match offer_of(button) {
            Some(Offer::RestartNow) => self.agent.click(Click::Restart),
            Some(Offer::UseProxy) => self.agent.click(Click::UseProxy(true)),
            Some(Offer::Adopt) => self.agent.click(Click::Adopt),
            Some(Offer::TryAgain) => self.agent.click(Click::Reapply),
            Some(Offer::OpenSettingsFile) => self.open_settings(),
            Some(Offer::OpenPrivacySettings) => self.open(OsStr::new(APP_MANAGEMENT)),
            Some(Offer::Later) | None => {}
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

    fn not_opened(&self, what: &str, why: &std::io::Error) {
        let error = Error::new(Kind::Failure, format!("could not open {what}: {why}"));
        tracing::warn!("{error}");
        self.note(&notes::failed("That could not be opened", &error));
    }

    fn open_settings(&self) {
        let path = &self.places.config;
        if let Err(error) = crate::config::make(path) {
            tracing::warn!("{error}");
            return self.note(&notes::failed("There is no settings file", &error));
        }
        self.open_text(path);
    }

    /// Where the report of a check goes.
    fn report(&self) -> PathBuf {
        self.places.log.with_file_name("doctor-report.md")
    }

    /// Has the doctor look, in a process of its own: it loads much that the app has no use for otherwise.
    fn check_connection(&mut self) {
        self.besides.is_checking = true;
        let report = self.report();
        let mut doctor = Process::new(env::current_exe().unwrap_or_else(|_| "baleen".into()));
        doctor.args(["doctor", "--json", "--report"]).arg(&report);
        // One that is named has to be there; without one, all is as by default.
        if self.places.config.exists() {
            doctor.arg("--config").arg(&self.places.config);
        }
        if let Some(docker_app) = &self.places.docker_app {
            doctor.arg("--docker-app").arg(docker_app);
        }
        doctor.stdin(Stdio::null()).stderr(Stdio::null());
        let sender = self.sender.clone();
        let spawned = thread::Builder::new()
            .name("doctor".to_owned())
            .spawn(move || {
                // The report of the last time gives way to a new one.
                let _ = fs::remove_file(&report);
                let result = doctor.output().map(|output| output.stdout);
                sender.send(Message::Checked(CheckResult::of(result)));
            });
        if let Err(error) = spawned {
            self.sender
                .send(Message::Checked(CheckResult::of(Err(error))));
        }
    }
}

/// The pane with App Management, by the name that System Settings have for it since macOS 13.
const APP_MANAGEMENT: &str =
    "x-apple.systempreferences:com.apple.preference.security?Privacy_AppBundles";

/// Calls `quit`, on a thread of its own, when the program is asked to end.
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
