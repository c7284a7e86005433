//! `baleen apply` for a Docker that has its own proxy settings: prints the values to enter there.

use serde_json::{Value, json};

use crate::backend::{Engine, ProxyPane};
use crate::desired::ProxyQuery;
use crate::error::{Face, Result};
use crate::proxy::{DockerFields, ProxyConfig, Translation};

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
    engine: &Engine,
    pane: ProxyPane,
    request: &ProxyQuery,
    out: &mut Output,
) -> Result<u8> {
    out.line(format!(
        "{} at {}",
        styled(BOLD, format!("Docker {}", engine.version)),
        engine.path.display()
    ))?;
    out.line(format!(
        "This Docker has its own proxy settings ({pane}), which Baleen doesn't change yet."
    ))?;
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
    out.object(object(
        engine,
        pane,
        &proxy_config,
        &translation,
        fields.as_ref(),
    ))?;
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

fn object(
    engine: &Engine,
    pane: ProxyPane,
    proxy_config: &ProxyConfig,
    translation: &Translation,
    fields: Option<&DockerFields>,
) -> Value {
    json!({
        "docker": docker_json(engine),
        "changed": false,
        "would_change": false,
        "origin": proxy_config.origin,
        "proxy": translation.proxy.as_ref().map(|proxy| proxy.shown()),
        "enter": { "pane": pane.title(), "fields": fields },
        "error": engine.refusal.clone().map(|refusal| describe(&refusal.into_error(), Face::CommandLine)),
    })
}
