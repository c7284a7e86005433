//! `baleen restore`.

use serde_json::json;

use crate::error::Result;
use crate::patch;

use super::args::Global;
use super::output::{GOOD, NOTE, Output, styled};
use super::status::docker_json;
use super::{find_bundle, intents};

pub(super) fn run(global: &Global, out: &mut Output) -> Result<u8> {
    let bundle = find_bundle(global)?;
    let restored = patch::take_out(&bundle)?;
    let recorded = intents().set(&bundle.path, false);
    match &restored {
        Some(manifest) => {
            out.line(format!(
                "{} Docker {} has its original image again: {} bytes, sha256 {} (computed anew, as recorded).",
                styled(GOOD, "Done."),
                bundle.version,
                manifest.original.bytes,
                manifest.original.sha256
            ))?;
            out.line(
                "Restart Docker to be rid of the proxy: quit it from its menu and open it again.",
            )?;
        }
        None => out.line(format!(
            "Nothing to do: the image of Docker {} carries no patch of Baleen's.",
            bundle.version
        ))?,
    }
    if let Err(error) = recorded {
        out.line(format!(
            "{} could not note that the proxy is no longer wanted ({error}); status may say wiped instead of off",
            styled(NOTE, "note:")
        ))?;
    }
    out.object(json!({
        "docker": docker_json(&bundle),
        "changed": restored.is_some(),
        "original_sha256": restored.as_ref().map(|manifest| manifest.original.sha256),
    }))?;
    Ok(0)
}
