//! `baleen watch`.

use std::sync::mpsc;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::agent::view::View;
use crate::agent::{Agent, AgentOutput};
use crate::app::quit_on_signals;
use crate::error::Result;
use crate::logs;
use crate::platform::time_zone;
use crate::service::ServiceError;
use crate::service::single_instance::{Claim, Instance, Message};
use crate::text::time::date_and_time;

use super::args::Global;
use super::output::{BOLD, DIM, Output, styled};
use super::{config, find_backend, options};

enum WatchEvent {
    Agent(AgentOutput),
    Quit,
}

pub(super) fn run(global: &Global, out: &mut Output) -> Result<u8> {
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
    for message in messages {
        let WatchEvent::Agent(report) = message else {
            break;
        };
        printed = match report {
            AgentOutput::View(view) => show(&view, &mut shown, out),
            AgentOutput::Notice(news) => {
                let message = news.text();
                out.line(at(
                    &clock(),
                    format!("{}: {}", styled(BOLD, &message.title), message.body),
                ))
                .and_then(|()| out.object(json!({ "event": "news", "news": news.json() })))
            }
        };
        // The reader wants no more output.
        if printed.is_err() || out.is_closed() {
            break;
        }
    }
    tracing::info!("ending");
    // The agent first finishes a change of the boot image that is in progress, and begins no other.
    std::mem::forget(agent.stop());
    printed.map(|()| 0)
}

/// Returns what is watched, and how to stop.
fn watches(global: &Global) -> String {
    // The agent reports what can't be read.
    let backend = config(global).and_then(|config| find_backend(global, &config));
    let docker = match backend {
        Ok(backend) => backend.place().display().to_string(),
        Err(_) => "for Docker.app".to_owned(),
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
    object["event"] = json!("state");
    out.object(object)
}
