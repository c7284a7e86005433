//! `baleen apply` for a Docker that is newer than Baleen knows: prints the values to enter in its own window.

use serde_json::json;

use crate::backend::{Backend, Depth, Engine, ProxyPane};
use crate::desired::ProxyQuery;
use crate::error::{Error, Face, Result};
use crate::proxy::DockerFields;

use super::note_translation;
use super::output::{BOLD, Output, describe, styled};
use super::status::docker_json;

/// Exit code for a Docker that Baleen does not change, as for every other refusal.
const REFUSED: u8 = 4;

/// Prints the values for the fields in `pane`. It changes nothing, and records no intent.
///
/// # Errors
/// When the settings can't be read, or can't be translated for this Docker. The name of the pane is
/// printed before.
pub(super) fn print(
    backend: &dyn Backend,
    error: Error,
    request: &ProxyQuery,
    out: &mut Output,
) -> Result<u8> {
    let observed = backend.observe(Depth::Quick, &|_| {});
    let Some((engine, pane)) = observed.engine().and_then(|it| Some((it, it.proxy_pane?))) else {
        return Err(error);
    };
    out.line(format!(
        "{} at {}",
        styled(BOLD, format!("Docker {}", engine.version)),
        engine.path.display()
    ))?;
    out.line(format!("Nothing was changed: {error}."))?;
    let request = request.clone().without_passwords();
    let proxy_config = request.read()?;
    let translation = request.translate(&proxy_config, &engine.capabilities.client)?;
    let fields = translation
        .proxy
        .as_ref()
        .map(|proxy| DockerFields::of(&proxy.shown()));
    match &fields {
        None => out.line(format!(
            "No proxy is set in {}, so there is nothing to enter there.",
            proxy_config.origin
        ))?,
        Some(fields) => lines(engine, pane, fields, out)?,
    }
    note_translation(&translation, out)?;
    out.object(json!({
        "docker": docker_json(engine),
        "changed": false,
        "would_change": false,
        "origin": proxy_config.origin,
        "proxy": translation.proxy.as_ref().map(|proxy| proxy.shown()),
        "enter": { "pane": pane.title(), "fields": fields },
        "error": describe(&error, Face::CommandLine),
    }))?;
    Ok(REFUSED)
}

fn lines(engine: &Engine, pane: ProxyPane, fields: &DockerFields, out: &mut Output) -> Result<()> {
    out.line(format!(
        "In Docker, open {pane}, choose \"Manual proxy configuration\", and enter:"
    ))?;
    for (name, value) in fields.lines() {
        let value = if value.is_empty() {
            "(leave empty)"
        } else {
            &value
        };
        out.line(format!("  {name:27}{value}"))?;
    }
    for remark in fields.remarks(&engine.version) {
        out.note(remark.to_string())?;
    }
    Ok(())
}
