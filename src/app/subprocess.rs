//! What the app does in a separate process: checking the connection and uninstalling.

use crate::logs;
use crate::platform::{dialog, open};
use crate::service::ServiceError;
use crate::service::single_instance::{Claim, Instance};
use crate::text::notice::Problem;
use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Command as Process, Stdio};
use std::thread;
use std::time::Duration;

use super::dialog_text::{self, Planned};
use super::menu::can_uninstall;
use super::notification_text::{self, CheckResult, Uninstalled};
use super::opening::open_as_text;
use super::{APP, App, AppEvent, RunningAgent};

/// Timeout for running jobs to end before an uninstall, such as fetching and running a PAC script.
const QUIT_TIMEOUT: Duration = Duration::from_secs(20);
/// Time for a notification to appear.
const NOTIFICATION_TIMEOUT: Duration = Duration::from_secs(1);

impl App {
    /// Returns the path of the check's report.
    pub(super) fn report(&self) -> PathBuf {
        logs::report_beside(&self.log)
    }

    /// Returns the path of the page with the check's result.
    pub(super) fn report_page(&self) -> PathBuf {
        logs::page_beside(&self.log)
    }

    /// Opens the page with the check's result in the browser. Returns whether it could be opened.
    pub(super) fn open_report_page(&self) -> bool {
        let page = self.report_page();
        // The check may have ended before it was written.
        if !page.is_file() {
            return false;
        }
        let opened = open::open(page.as_os_str());
        if let Err(error) = &opened {
            tracing::warn!("{} could not be opened: {error}", page.display());
        }
        opened.is_ok()
    }

    /// Runs the doctor in a separate process: it loads much that the app does not need otherwise.
    pub(super) fn check_connection(&mut self) {
        self.context.is_checking = true;
        let (report, page) = (self.report(), self.report_page());
        let mut doctor = self.command(&["doctor", "--json", "--for-menu"]);
        doctor.arg("--report").arg(&report);
        doctor.arg("--html").arg(&page);
        let done = |result| AppEvent::Checked(CheckResult::of(result));
        let check = move || {
            // The new report replaces that of the last check. A page of that check is not shown for this one.
            let _ = fs::remove_file(&report);
            let _ = fs::remove_file(&page);
            done(printed(&mut doctor))
        };
        self.in_background("doctor", check, move |error| done(Err(error)));
    }

    /// Returns a command that runs this program in a separate process, with the same Docker.app and the same
    /// settings.
    pub(super) fn command(&self, arguments: &[&str]) -> Process {
        let mut command = Process::new(this_program());
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

    /// Finds out what an uninstall would remove, in order to ask the user.
    pub(super) fn ask_to_uninstall(&mut self) {
        // A question that waits in a notification is asked again, since the notification may be gone.
        if self.is_asking && dialog::AVAILABLE {
            return dialog::bring_to_front();
        }
        if !self.can_uninstall() {
            return;
        }
        self.is_asking = true;
        let mut plan = self.command(&["uninstall", "--dry-run", "--json", "--for-menu"]);
        let done = |result| AppEvent::UninstallPlanned(Planned::of(result));
        self.in_background(
            "uninstall-plan",
            move || done(printed(&mut plan)),
            move |error| done(Err(error)),
        );
    }

    /// Asks the user whether all this should be removed. Where there are no dialogs, a notification asks: nothing is removed
    /// before its button is pressed, and nothing at all where there are no notifications either.
    pub(super) fn uninstall_planned(&mut self, planned: &Planned) {
        let (steps, left) = match planned {
            Planned::Steps { steps, left } => (steps, left),
            Planned::Failed(why) => {
                self.is_asking = false;
                return self.not_uninstalled(why);
            }
        };
        let question = dialog_text::uninstall(steps, left);
        if dialog::AVAILABLE {
            let sender = self.sender.clone();
            dialog::ask(&question, move |agreed| {
                sender.send(AppEvent::UninstallAnswered(agreed));
            });
        } else {
            self.show_notification(&dialog_text::as_notification(&question));
        }
    }

    /// Uninstalls Baleen if the user agreed, unless a job has started since.
    pub(super) fn uninstall_answered(&mut self, agreed: bool) {
        self.is_asking = false;
        if !agreed {
            tracing::info!("not uninstalled: the answer was no");
        } else if self.can_uninstall() {
            self.uninstall();
            self.show_or_exit();
        } else {
            let why = Problem::new("Baleen is changing Docker or checking the connection");
            self.not_uninstalled(&why);
        }
    }

    fn not_uninstalled(&self, why: &Problem) {
        tracing::warn!("not uninstalled: {}", why.sentence);
        self.show_notification(&notification_text::not_uninstalled(why, &this_program()));
    }

    fn can_uninstall(&self) -> bool {
        let view = self.view.as_ref();
        self.running_agent.is_some() && view.is_some_and(|view| can_uninstall(view, self.context))
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
        let mut uninstall = self.command(&["uninstall", "--yes", "--json", "--for-menu"]);
        let done = |result| AppEvent::Uninstalled(Uninstalled::of(result));
        let wait_and_uninstall = move || {
            if agent.is_some_and(|agent| !agent.wait_idle(QUIT_TIMEOUT)) {
                tracing::warn!("something is still in progress, and may leave a file behind");
            }
            done(printed(&mut uninstall))
        };
        self.in_background("uninstall", wait_and_uninstall, move |error| {
            done(Err(error))
        });
    }

    /// Shows the result of an uninstall. If it failed, the app continues; otherwise it quits.
    pub(super) fn uninstalled(&mut self, result: &Uninstalled) {
        let (is_all, next, list) = match result {
            Uninstalled::Done { is_all, next, list } => (*is_all, next, list),
            Uninstalled::Failed(why) => {
                self.not_uninstalled(why);
                return self.restart_agent();
            }
        };
        self.show_notification(&notification_text::uninstalled(is_all, next));
        if let Err(error) = open_as_text("baleen-uninstalled-", list) {
            self.not_opened("the list of what was done", error);
        }
        self.quit_soon();
    }

    /// Quits after a notification, with a delay: macOS takes its time to accept and show it.
    pub(super) fn quit_soon(&self) {
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
    pub(super) fn restart_agent(&mut self) {
        self.context.is_uninstalling = false;
        let running_agent = match Instance::claim(&self.options.state, APP) {
            Ok(Claim::First(first)) => {
                RunningAgent::start(self.options.clone(), first, &self.sender)
            }
            Ok(Claim::Taken(who)) => Err(ServiceError::AlreadyRunning { who }.into()),
            Err(error) => Err(error.into()),
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

/// Returns this program's path.
fn this_program() -> PathBuf {
    env::current_exe().unwrap_or_else(|_| "baleen".into())
}

/// Runs a process, and returns what it printed.
pub(super) fn printed(process: &mut Process) -> io::Result<Vec<u8>> {
    process.output().map(|output| output.stdout)
}
