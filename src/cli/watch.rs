//! `baleen watch`.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use crate::agent::notice::Notice;
use crate::agent::view::View;
use crate::agent::{Agent, AgentOutput};
use crate::app::quit_on_signals;
use crate::desired::Setting;
use crate::error::{Face, Result};
use crate::logs;
use crate::platform::time_zone;
use crate::service::ServiceError;
use crate::service::single_instance::{Claim, Instance, Message};
use crate::text::time::date_and_time;
use crate::util::unix_seconds;

use super::args::Global;
use super::output::{BOLD, DIM, Output, styled};
use super::{check_named_config, config, find_backend, options};

enum WatchEvent {
    Agent(AgentOutput),
    Quit,
}

pub(super) fn run(global: &Global, out: &mut Output) -> Result<u8> {
    check_named_config(global)?;
    let options = options(global, false);
    let instance = match Instance::claim(&options.state, "baleen watch")? {
        Claim::First(instance) => instance,
        Claim::Taken(who) => return Err(ServiceError::AlreadyRunning { who }.into()),
    };
    // An instance that doesn't run creates no log folder: the running Baleen may be removing it.
    logs::start(&logs::path(), global.verbose)?;
    tracing::info!(
        "Baleen {} starts, without an icon",
        env!("CARGO_PKG_VERSION")
    );
    let (sender, messages) = mpsc::channel();
    // If these fail, the receiver is gone.
    let quit = sender.clone();
    quit_on_signals(move || drop(quit.send(WatchEvent::Quit)))?;
    let quit = sender.clone();
    instance.listen(move |word| match word {
        // There is no icon or window to show.
        Message::Hello => {}
        Message::Goodbye => drop(quit.send(WatchEvent::Quit)),
    });
    out.line(watches(global))?;
    let agent = Agent::start(options, move |report| {
        let _ = sender.send(WatchEvent::Agent(report));
    })?;
    let mut printed = Ok(());
    let mut shown = None;
    let start = Instant::now();
    // The first state, as long as the settings that belong to it may still come.
    let mut first: Option<Box<View>> = None;
    while printed.is_ok() && !out.is_closed() {
        let message = match first {
            Some(_) => messages.recv_timeout(FIRST.saturating_sub(start.elapsed())),
            None => messages.recv().map_err(RecvTimeoutError::from),
        };
        let report = match message {
            Ok(WatchEvent::Agent(report)) => Some(report),
            Err(RecvTimeoutError::Timeout) => None,
            Ok(WatchEvent::Quit) | Err(RecvTimeoutError::Disconnected) => break,
        };
        let held = first.take();
        printed = match report {
            Some(AgentOutput::View(view)) if shown.is_none() && !is_complete(&view, start) => {
                first = Some(view);
                Ok(())
            }
            Some(AgentOutput::View(view)) => show(&view, &mut shown, out),
            Some(AgentOutput::Notice(notice)) => held
                .map_or(Ok(()), |view| show(&view, &mut shown, out))
                .and_then(|()| tell(&notice, out)),
            None => held.map_or(Ok(()), |view| show(&view, &mut shown, out)),
        };
    }
    tracing::info!("ending");
    // The agent first finishes a change of the boot image that is in progress, and begins no other.
    std::mem::forget(agent.stop());
    printed.map(|()| 0)
}

/// Time for the settings to be read before the first state is printed without them.
const FIRST: Duration = Duration::from_secs(2);

/// Returns whether the first state has its settings, or was waited for long enough.
fn is_complete(view: &View, start: Instant) -> bool {
    *view.settings() != Setting::Unknown || start.elapsed() >= FIRST
}

/// Returns what is watched, and how to stop.
fn watches(global: &Global) -> String {
    // The agent reports what can't be read, and why.
    let docker = match config(global).map(|config| find_backend(global, &config)) {
        Ok(Ok(backend)) => backend.place().display().to_string(),
        Ok(Err(_)) => "for Docker.app".to_owned(),
        Err(_) => "the config file".to_owned(),
    };
    format!("Watching {docker} and the proxy settings. Press Ctrl-C to stop.")
}

/// Returns the time that a clock on the wall shows now. The zone is read each time, since a Mac travels.
fn clock() -> String {
    date_and_time(SystemTime::now(), &time_zone::local())
}

/// Returns a line with its time.
fn at(time: &str, line: String) -> String {
    format!("{} {line}", styled(DIM, time))
}

/// Prints a notice.
fn tell(notice: &Notice, out: &mut Output) -> Result<()> {
    let message = notice.text();
    let title = styled(BOLD, &message.title);
    out.line(at(&clock(), format!("{title}: {}", message.body)))?;
    out.object(
        json!({ "event": "news", "time": unix_seconds(SystemTime::now()), "news": notice.json() }),
    )
}

/// Prints the state, unless it equals the last one printed.
fn show(view: &View, shown: &mut Option<Value>, out: &mut Output) -> Result<()> {
    let line = match view.busy {
        Some(busy) => busy.label().to_owned(),
        None => format!("{}: {}", view.state.word(), view.reason.sentence()),
    };
    let mut object = view.json();
    let now = match out.is_json() {
        true => object.clone(),
        false => json!(line),
    };
    if shown.as_ref() == Some(&now) {
        return Ok(());
    }
    *shown = Some(now);
    out.line(at(&clock(), line))?;
    if let Some(advice) = view
        .reason
        .hint(Face::CommandLine)
        .filter(|_| view.busy.is_none())
    {
        out.line(format!("  {} {advice}", styled(BOLD, "what to do:")))?;
    }
    object["event"] = json!("state");
    object["time"] = json!(unix_seconds(SystemTime::now()));
    out.object(object)
}
