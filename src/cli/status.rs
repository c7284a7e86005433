//! `baleen status`.

use clap::Args;
use serde_json::{Value, json};

use crate::backend::docker_desktop::settings::LockedBy;
use crate::backend::{Depth, Engine, Installed, Layer};
use crate::desired::{ProxyQuery, Setting};
use crate::error::{Face, Result};
use crate::intent::Intent;
use crate::proxy::RedactedProxy;
use crate::reconcile::State;
use crate::service::{self, Status};
use crate::text::{remark, settings_clause, settings_json};

use super::args::{Global, ProxyArgs};
use super::doctor::by_script;
use super::output::{BAD, BOLD, GOOD, NOTE, Output, styled};
use super::proxy::pac_json;
use super::{config, find_backend, intents, is_relay_up, note_relay_down, request};

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
    let has_options = request.intent() == Intent::Named;
    let advice = status.reason.next_step(Face::CommandLine, has_options);
    let advice = advice.or_else(|| first_step(status.state, report.intent, &request));
    print(status, advice.as_deref(), args.verify, out)?;
    if report.intent == Some(Intent::Named)
        && let Some(in_use) = status.proxy()
    {
        out.line(by_hand(in_use, report.settings.as_ref()))?;
    }
    let relay = status.proxy().filter(|proxy| proxy.is_relay());
    if let Some(relay) = relay {
        note_relay_down(relay, out)?;
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
        advice.as_deref(),
        report.intent.and_then(Intent::source),
        report.settings.as_ref(),
    );
    object["relay"] = match relay {
        Some(relay) => json!({ "running": is_relay_up(relay) }),
        None => Value::Null,
    };
    object["pac"] = translation.map_or(Value::Null, pac_json);
    out.object(object)?;
    Ok(match status.state {
        State::Off | State::Direct | State::Current => 0,
        State::Stale | State::Wiped | State::RestartNeeded => 3,
        State::Foreign
        | State::Updating
        | State::Unsupported
        | State::Locked
        | State::NotAnswering
        | State::NoDocker => 4,
        State::NotPermitted => 5,
    })
}

/// Returns the advice for a user who has not chosen anything yet, if there is a proxy that Docker could have.
fn first_step(state: State, intent: Option<Intent>, request: &ProxyQuery) -> Option<String> {
    if state != State::Off || intent.is_some() {
        return None;
    }
    // What is wrong with settings that can't be read, `baleen proxy` and `baleen apply` say.
    let config = request.read().ok()?;
    let has_proxy = !config.proxies().is_empty() || by_script(&config);
    let with = match request.intent() {
        Intent::Named => " with the same options",
        Intent::Settings | Intent::Off => "",
    };
    has_proxy.then(|| {
        format!(
            "run `baleen apply`{with} to set the proxy of {} in Docker",
            config.origin
        )
    })
}

/// Returns the line about a proxy that was named by hand.
fn by_hand(in_use: &RedactedProxy, settings: Option<&Setting>) -> String {
    let clause = settings.and_then(|settings| settings_clause(in_use, settings));
    let clause = clause.map(|clause| format!("; {clause}"));
    format!(
        "  source    named by hand{} (`baleen apply --follow-settings` follows the settings)",
        clause.unwrap_or_default()
    )
}

/// Prints the state for a person: first the word and its meaning, then the next step, then the exceptions.
fn print(status: &Status, advice: Option<&str>, verified: bool, out: &mut Output) -> Result<()> {
    let docker = status.engine();
    let style = match status.state {
        // This Docker has its own proxy settings, so nothing is wrong.
        State::Unsupported if docker.is_some_and(|d| d.proxy_pane.is_some()) => NOTE,
        State::Current | State::Off | State::Direct => GOOD,
        State::Stale
        | State::Wiped
        | State::Updating
        | State::Foreign
        | State::Locked
        | State::NotAnswering
        | State::RestartNeeded => NOTE,
        State::Unsupported | State::NotPermitted | State::NoDocker => BAD,
    };
    out.line(format!(
        "{}: {}",
        styled(style, status.state.word()),
        status.reason.sentence()
    ))?;
    if let Some(advice) = advice {
        out.line(format!("  {} {advice}", styled(BOLD, "what to do:")))?;
    }
    if let Some(proxy) = status.proxy() {
        out.line(format!("  bypass    {}", proxy.no_proxy))?;
    }
    // To verify is to ask for the proof.
    if verified || out.is_verbose() {
        facts(status, verified, out)?;
    }
    if let Some(own) = status.installed().and_then(|it| it.own_settings.as_ref()) {
        if own.daemon_proxies {
            out.note(DAEMON_PROXIES.to_owned())?;
        }
        if own.containers_bypass {
            out.note(CONTAINERS_BYPASS.to_owned())?;
        }
    }
    Ok(())
}

/// Prints which Docker this is, where its proxy is kept, and the size, digest and method of its boot image.
fn facts(status: &Status, verified: bool, out: &mut Output) -> Result<()> {
    if let Some(docker) = status.engine() {
        out.line(format!(
            "  docker    {} (build {}, {}) at {}",
            docker.version,
            docker.build,
            docker.family,
            docker.path.display()
        ))?;
    }
    if let Some(installed) = status.installed()
        && let Some(own) = &installed.own_settings
    {
        let containers = own.containers_mode.as_ref();
        let containers = containers.map(|mode| format!(", containers' mode {mode:?}"));
        out.line(format!(
            "  settings  {} (mode {:?}{})",
            match own.layer {
                Layer::RunningDocker => "told by the running Docker".to_owned(),
                Layer::SettingsFile => installed.file.display().to_string(),
            },
            own.mode,
            containers.unwrap_or_default(),
        ))?;
    } else if let Some(installed) = status.installed() {
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
    Ok(())
}

/// The note about proxies in the daemon's own file.
const DAEMON_PROXIES: &str = "~/.docker/daemon.json has proxies, which Docker Desktop ignores from 4.35 on; before, they won";

/// The note about a containers' mode with which pulls were reported to fail.
pub(super) const CONTAINERS_BYPASS: &str = "with this containers' mode, pulls and builds were reported to bypass Docker's proxy; `baleen apply` sets it to \"same-as-host-proxy\" where Baleen sets the proxy";

pub(super) fn docker_json(engine: &Engine) -> Value {
    json!({
        "path": engine.path,
        "family": engine.family,
        "version": engine.version,
        "build": engine.build,
    })
}

/// Returns who has locked Docker's proxy, for programs and for people.
fn locked_json(by: &LockedBy) -> Value {
    let (layer, path) = match by {
        LockedBy::AdminSettings(path) => ("admin-settings", Some(path)),
        LockedBy::Profile(path) => ("profile", Some(path)),
        LockedBy::Organization => ("organization", None),
    };
    json!({ "layer": layer, "path": path })
}

/// Returns the engine's own settings: the layer that sets the value in force, and the modes.
fn docker_settings_json(status: &Status) -> Value {
    let Some(installed) = status.installed() else {
        return Value::Null;
    };
    let Some(own) = &installed.own_settings else {
        return Value::Null;
    };
    let mut object = json!(own);
    object["path"] = json!(installed.file);
    object
}

fn status_json(
    status: &Status,
    advice: Option<&str>,
    source: Option<&str>,
    settings: Option<&Setting>,
) -> Value {
    json!({
        "docker": status.engine().map(docker_json),
        "state": status.state,
        "sentence": status.reason.sentence(),
        "advice": advice,
        "image": status.installed().map(Installed::facts),
        "docker_settings": docker_settings_json(status),
        "locked_by": status.engine().and_then(|engine| engine.locked_by.as_ref()).map(locked_json),
        "proxy": status.proxy(),
        "source": source,
        "settings": settings.map_or(Value::Null, settings_json),
    })
}
