//! `baleen watch`.

use std::sync::mpsc;

use serde_json::{Value, json};

use crate::agent::view::View;
use crate::agent::{Agent, AgentOutput};
use crate::app::quit_on_signals;
use crate::error::Result;
use crate::logs;
use crate::service::ServiceError;
use crate::service::single_instance::{Claim, Instance, Message};

use super::args::{Act, Global};
use super::options;
use super::output::{BOLD, Output, styled};

enum WatchEvent {
    Agent(AgentOutput),
    Quit,
}

pub(super) fn run(global: &Global, args: &Act, out: &mut Output) -> Result<u8> {
    let options = options(global, false);
    let instance = match Instance::claim(&options.state, "baleen watch")? {
        Claim::First(instance) => instance,
        Claim::Taken(who) => return Err(ServiceError::AlreadyRunning { who }.into()),
    };
    // An instance that doesn't run creates no log folder: the running Baleen may be removing it.
    logs::start(&logs::path(), args.verbose)?;
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
                out.line(format!(
                    "{}: {}",
                    styled(BOLD, &message.title),
                    message.body
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
    out.line(line)?;
    object["event"] = json!("state");
    out.object(object)
}
