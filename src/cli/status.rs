//! `baleen status`.

use serde_json::{Value, json};

use crate::agent::by_hand;
use crate::agent::observation::Setting;
use crate::docker::Bundle;
use crate::error::{Face, Result};
use crate::patch::intent::Intent;
use crate::patch::status::{self, Expected, State, Status, StatusQuery};
use crate::proxy::RedactedProxy;
use crate::text::remark;

use super::args::{Global, Status as Args};
use super::output::{BAD, BOLD, GOOD, NOTE, Output, styled};
use super::proxy::pac_json;
use super::{bundle_path, config, intents, request};

pub(super) fn run(global: &Global, args: &Args, out: &mut Output) -> Result<u8> {
    let config = config(global)?;
    let request = request(&args.proxy, &config)?;
    let (mut unknown, mut pac_unreachable, mut pac) = (None, None, Value::Null);
    let (mut source, mut settings) = (None, None);
    let status = match bundle_path(global, &config) {
        Err(error) => status::without_docker(&error),
        Ok(path) => {
            let path = path.canonicalize().unwrap_or(path);
            let intents = intents();
            let intent = intents.get(&path);
            source = intent.and_then(Intent::source);
            let question = |expected| StatusQuery {
                expected,
                intent,
                verify: args.verify,
            };
            // The boot image shows whether the settings matter. Reading the settings may take a while.
            let cheap = StatusQuery {
                verify: false,
                ..question(Expected::Unknown)
            };
            let seen = status::status(&path, cheap, &|_| {});
            let matters = (request.is_compared(intent) || intent == Some(Intent::Named))
                && (seen.proxy.is_some() || intent == Some(Intent::Settings));
            let resolved = match &seen.docker {
                Some(bundle) if matters && seen.image.is_some() => Some(request.resolve(bundle)),
                _ => None,
            };
            // A proxy that was named for this run only says nothing about the settings.
            settings = resolved
                .as_ref()
                .filter(|_| request.intent() == Intent::Settings)
                .map(Setting::of);
            if let Some(Ok((_, translation))) = &resolved {
                pac = pac_json(translation);
                pac_unreachable = translation.pac_unreachable.clone();
            }
            let translation = match resolved {
                Some(Ok((_, translation))) => Some(translation),
                Some(Err(error)) if request.is_compared(intent) => {
                    unknown = Some(error);
                    None
                }
                Some(Err(_)) | None => None,
            };
            let expected = request.expected(intent, translation.as_ref());
            let found = if translation.is_none() && !args.verify {
                seen
            } else {
                let report = |progress| out.progress(progress);
                status::status(&path, question(expected), &report)
            };
            status::with_history(found, &path, &intents)
        }
    };
    print(&status, args.verify, out)?;
    if source == Intent::Named.source()
        && let Some(in_use) = &status.proxy
    {
        out.line(by_hand(in_use, settings.as_ref()))?;
    }
    if let Some(error) = unknown {
        out.note(format!(
            "could not check whether this is the right proxy: {error}"
        ))?;
    }
    if let Some(it) = pac_unreachable {
        out.note(remark::pac_unreachable(&it, Face::CommandLine))?;
    }
    let mut object = status_json(&status, source, settings.as_ref());
    object["pac"] = pac;
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
    let clause = settings.and_then(|settings| by_hand::clause(in_use, settings));
    let clause = clause.map(|clause| format!("; {clause}"));
    format!(
        "  source    named by hand{} (`baleen apply --follow-settings` follows the settings)",
        clause.unwrap_or_default()
    )
}

/// Prints the state for a person: first the word, then its meaning, then the facts.
pub(super) fn print(status: &Status, verified: bool, out: &mut Output) -> Result<()> {
    let docker = status.docker.as_ref();
    let style = match status.state {
        // This Docker has its own proxy settings, so nothing is wrong.
        State::Unsupported if docker.is_some_and(|d| d.family.proxy_pane().is_some()) => NOTE,
        State::Current | State::Off | State::Direct => GOOD,
        State::Stale | State::Wiped | State::Updating | State::Foreign | State::RestartNeeded => {
            NOTE
        }
        State::Unsupported | State::NotPermitted | State::NoDocker => BAD,
    };
    out.line(format!(
        "{}: {}",
        styled(style, status.state.word()),
        status.sentence
    ))?;
    if let Some(advice) = &status.advice {
        out.line(format!("  {} {advice}", styled(BOLD, "what to do:")))?;
    }
    if let Some(docker) = &status.docker {
        out.line(format!(
            "  docker    {} (build {}, {}) at {}",
            docker.version,
            docker.build,
            docker.family.id(),
            docker.path.display()
        ))?;
    }
    if let Some(image) = &status.image {
        let method = match image.method {
            Some(method) => format!("patched by {method}"),
            None if verified => "stock".to_owned(),
            None => "not patched by Baleen".to_owned(),
        };
        out.line(format!(
            "  image     {} ({} bytes, {method})",
            image.path.display(),
            image.bytes
        ))?;
        if let Some(sha) = &image.original_sha256 {
            let how = if verified { ", verified" } else { "" };
            out.line(format!("  original  sha256 {sha}{how}"))?;
        }
    }
    if let Some(proxy) = &status.proxy {
        out.line(format!("  no_proxy  {}", proxy.no_proxy))?;
    }
    Ok(())
}

pub(super) fn docker_json(bundle: &Bundle) -> Value {
    json!({
        "path": bundle.path,
        "family": bundle.family.id(),
        "version": bundle.version,
        "build": bundle.build,
    })
}

fn status_json(status: &Status, source: Option<&str>, settings: Option<&Setting>) -> Value {
    json!({
        "docker": status.docker.as_ref().map(docker_json),
        "state": status.state,
        "sentence": status.sentence,
        "advice": status.advice,
        "image": status.image,
        "proxy": status.proxy,
        "source": source,
        "settings": settings.map_or(Value::Null, by_hand::json),
    })
}
