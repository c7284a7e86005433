//! `baleen status`.

use clap::Args;
use serde_json::{Value, json};

use crate::backend::{Depth, Engine, Installed};
use crate::desired::Setting;
use crate::error::{Face, Result};
use crate::intent::Intent;
use crate::proxy::RedactedProxy;
use crate::reconcile::State;
use crate::service::{self, Status};
use crate::text::{remark, settings_clause, settings_json};

use super::args::{Global, ProxyArgs};
use super::output::{BAD, BOLD, GOOD, NOTE, Output, styled};
use super::proxy::pac_json;
use super::{config, find_backend, intents, request};

/// `baleen status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The proxy that should be in place.
    #[command(flatten)]
    pub(super) proxy: ProxyArgs,
    /// Read the whole boot image and verify every digest
    #[arg(long)]
    pub(super) verify: bool,
}

pub(super) fn run(global: &Global, args: &StatusArgs, out: &mut Output) -> Result<u8> {
    let config = config(global)?;
    let request = request(&args.proxy, &config)?;
    let depth = match args.verify {
        true => Depth::Deep,
        false => Depth::Quick,
    };
    let backend = find_backend(global, &config);
    let report = service::report(backend, &intents(), &request, depth, &|progress| {
        out.progress(progress)
    });
    let status = &report.status;
    print(status, args.verify, out)?;
    if report.intent == Some(Intent::Named)
        && let Some(in_use) = status.proxy()
    {
        out.line(by_hand(in_use, report.settings.as_ref()))?;
    }
    let translation = match &report.resolved {
        Some(Ok((_, translation))) => Some(translation),
        Some(Err(_)) | None => None,
    };
    if let Some(pac_unreachable) = translation.and_then(|found| found.pac_unreachable.as_ref()) {
        out.note(remark::pac_unreachable(pac_unreachable, Face::CommandLine))?;
    }
    let mut object = status_json(
        status,
        report.intent.and_then(Intent::source),
        report.settings.as_ref(),
    );
    object["pac"] = translation.map_or(Value::Null, pac_json);
    out.object(object)?;
    Ok(match status.state {
        State::Off | State::Direct | State::Current => 0,
        State::Stale | State::Wiped | State::RestartNeeded => 3,
        State::Foreign | State::Updating | State::Unsupported | State::NoDocker => 4,
        State::NotPermitted => 5,
    })
}

/// Returns the line about a proxy that was named by hand.
pub(super) fn by_hand(in_use: &RedactedProxy, settings: Option<&Setting>) -> String {
    let clause = settings.and_then(|settings| settings_clause(in_use, settings));
    let clause = clause.map(|clause| format!("; {clause}"));
    format!(
        "  source    named by hand{} (`baleen apply --follow-settings` follows the settings)",
        clause.unwrap_or_default()
    )
}

/// Prints the state for a person: first the word, then its meaning, then the facts.
pub(super) fn print(status: &Status, verified: bool, out: &mut Output) -> Result<()> {
    let docker = status.engine();
    let style = match status.state {
        // This Docker has its own proxy settings, so nothing is wrong.
        State::Unsupported if docker.is_some_and(|d| d.proxy_pane.is_some()) => NOTE,
        State::Current | State::Off | State::Direct => GOOD,
        State::Stale | State::Wiped | State::Updating | State::Foreign | State::RestartNeeded => {
            NOTE
        }
        State::Unsupported | State::NotPermitted | State::NoDocker => BAD,
    };
    out.line(format!(
        "{}: {}",
        styled(style, status.state.word()),
        status.reason.sentence()
    ))?;
    if let Some(advice) = status.reason.next_step(Face::CommandLine) {
        out.line(format!("  {} {advice}", styled(BOLD, "what to do:")))?;
    }
    if let Some(docker) = status.engine() {
        out.line(format!(
            "  docker    {} (build {}, {}) at {}",
            docker.version,
            docker.build,
            docker.family,
            docker.path.display()
        ))?;
    }
    if let Some(installed) = status.installed() {
        let method = match &installed.configured {
            Some(configured) => match configured.method {
                Some(method) => format!("patched by {method}"),
                None => "set by Baleen".to_owned(),
            },
            None if verified => "stock".to_owned(),
            None => "not patched by Baleen".to_owned(),
        };
        out.line(format!(
            "  image     {} ({} bytes, {method})",
            installed.file.display(),
            installed.bytes
        ))?;
        if let Some(sha) = &installed.original {
            let how = if verified { ", verified" } else { "" };
            out.line(format!("  original  sha256 {sha}{how}"))?;
        }
    }
    if let Some(proxy) = status.proxy() {
        out.line(format!("  no_proxy  {}", proxy.no_proxy))?;
    }
    Ok(())
}

pub(super) fn docker_json(engine: &Engine) -> Value {
    json!({
        "path": engine.path,
        "family": engine.family,
        "version": engine.version,
        "build": engine.build,
    })
}

fn status_json(status: &Status, source: Option<&str>, settings: Option<&Setting>) -> Value {
    json!({
        "docker": status.engine().map(docker_json),
        "state": status.state,
        "sentence": status.reason.sentence(),
        "advice": status.reason.next_step(Face::CommandLine),
        "image": status.installed().map(Installed::facts),
        "proxy": status.proxy(),
        "source": source,
        "settings": settings.map_or(Value::Null, settings_json),
    })
}
