//! Looking for a newer version of Baleen: when the user asks, and once a week. A process of its own makes the request.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::config::{Config, UpdateCheck};
use crate::error::Result;
use crate::platform::network;
use crate::service::InstalledBy;
use crate::update::{self, Schedule, ScheduleFile, Version};

use super::event_loop::Sender;
use super::notification_text::object_of;
use super::subprocess::printed;
use super::{App, AppEvent, notification_text};

/// Interval at which the app asks the schedule whether a look is due.
const TICK: Duration = Duration::from_secs(60 * 60);
/// Time before the first of these questions: at login there is more to do.
const FIRST_TICK: Duration = Duration::from_secs(10);

/// Who wants to know whether there is a newer version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AskedBy {
    /// The user.
    User,
    /// The schedule.
    Schedule,
}

/// The latest release, or the reason why it is not known.
pub(super) type Looked = std::result::Result<Version, String>;

/// Has the app ask the schedule from time to time. A computer that sleeps makes this late, never forgotten.
pub(super) fn tick(sender: Sender<AppEvent>) {
    let ticks = thread::Builder::new().name("updates".to_owned());
    let spawned = ticks.spawn(move || {
        thread::sleep(FIRST_TICK);
        loop {
            sender.send(AppEvent::UpdateTick);
            thread::sleep(TICK);
        }
    });
    if let Err(error) = spawned {
        tracing::warn!("newer versions are not looked for: {error}");
    }
}

/// Returns whether the app looks by itself.
fn policy(configured: Option<UpdateCheck>) -> Result<UpdateCheck> {
    // Some shells set an empty variable to unset it.
    let name = "BALEEN_UPDATE_CHECK";
    let value = env::var_os(name).filter(|value| !value.is_empty());
    let value = value.map(|value| UpdateCheck::of_variable(name, &value.to_string_lossy()));
    Ok(InstalledBy::current().update_check(value.transpose()?, configured))
}

/// Parses the output of `baleen check-update --json`.
fn result_of(printed: io::Result<Vec<u8>>) -> Looked {
    let ended = "the check ended before it was done";
    let object = object_of(printed, ended).map_err(|problem| problem.sentence)?;
    let latest = object["latest"].as_str().unwrap_or_default();
    latest.parse().map_err(|_| ended.to_owned())
}

impl App {
    /// Looks for a newer version if that is due.
    pub(super) fn look_if_due(&mut self) {
        // Without a network a look would fail, and the next one would be a day later.
        if self.running_agent.is_none() || self.context.is_looking || !network::is_up() {
            return;
        }
        let config = Config::load(&self.options.config).map_err(Into::into);
        let policy = config.and_then(|config| policy(config.update_check));
        match policy {
            Ok(UpdateCheck::Weekly) => {}
            Ok(UpdateCheck::Off) => return,
            Err(error) => return tracing::warn!("newer versions are not looked for: {error}"),
        }
        let now = SystemTime::now();
        if self.schedule(|schedule| schedule.is_due(now)) == Some(true) {
            self.look(AskedBy::Schedule);
        }
    }

    /// Looks for a newer version in a separate process, as for the doctor.
    pub(super) fn look(&mut self, by: AskedBy) {
        tracing::info!("looking for a newer version, asked by: {by:?}");
        self.context.is_looking = true;
        let mut command = self.command(&["check-update", "--json", "--for-menu"]);
        let done = move |result| AppEvent::Looked(by, result_of(result));
        self.in_background(
            "check-update",
            move || done(printed(&mut command)),
            move |error| done(Err(error)),
        );
    }

    /// Says what a look found: always to the user who asked, and else only of a new version, once.
    pub(super) fn looked(&mut self, by: AskedBy, result: &Looked) {
        self.context.is_looking = false;
        // Nothing is kept while Baleen is being uninstalled.
        let (Ok(running), Some(_)) = (update::running(), &self.running_agent) else {
            return;
        };
        let is_news = match result {
            Ok(latest) => {
                tracing::info!("the latest release is {latest}, this is {running}");
                self.schedule(|schedule| {
                    schedule.looked(SystemTime::now());
                    schedule.announces(&running, latest)
                }) == Some(true)
            }
            Err(why) => {
                tracing::warn!("{why}");
                false
            }
        };
        if by == AskedBy::User || is_news {
            let installed_by = InstalledBy::current();
            self.show_notification(&notification_text::looked(&running, result, installed_by));
        }
    }

    /// Has the next look announce the version again whose notice could not be shown.
    pub(super) fn update_not_shown(&self) {
        self.schedule(Schedule::not_shown);
    }

    pub(super) fn open_release_page(&self) {
        self.open(OsStr::new(&update::page(update::REPOSITORY)));
    }

    /// Changes the schedule. Returns nothing if it can't be kept.
    fn schedule<T>(&self, change: impl FnOnce(&mut Schedule) -> T) -> Option<T> {
        let changed = ScheduleFile::in_folder(&self.options.state).update(change);
        changed
            .map_err(|error| {
                tracing::warn!("the next look for a newer version can't be noted: {error}")
            })
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_check_printed_is_read() {
        let failed = |why: &str| Err(why.to_owned());
        let ended = failed("the check ended before it was done");
        for (printed, expected) in [
            (
                r#"{"schema":1,"latest":"0.2.0","is_newer":true}"#,
                Ok("0.2.0".parse().unwrap()),
            ),
            (r#"{"error":{"message":"no way"}}"#, failed("no way")),
            (r#"{"latest":"new"}"#, ended.clone()),
            ("{}", ended.clone()),
            ("", ended),
        ] {
            assert_eq!(result_of(Ok(printed.into())), expected, "{printed}");
        }
        assert_eq!(
            result_of(Err(io::Error::other("no program"))),
            failed("no program")
        );
    }
}
