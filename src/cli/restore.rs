//! `baleen restore`.

use serde_json::json;

use crate::error::Result;
use crate::patch;
use crate::patch::intent::Intent;
use crate::patch::plan;

use super::args::{Global, Restore};
use super::output::{GOOD, Output, styled};
use super::status::docker_json;
use super::{config, find_bundle, intents, live};

/// What to do when Docker has its own image again.
pub(super) const RESTART_TO_BE_RID: &str =
    "Restart Docker to be rid of the proxy: quit it from its menu and open it again.";

pub(super) fn run(global: &Global, args: &Restore, out: &mut Output) -> Result<u8> {
    let bundle = find_bundle(global, &config(global)?)?;
    plan::image_of(&bundle)?;
    let Some(agreed) = live::agree(&args.live, &bundle, out)? else {
        return Ok(0);
    };
    let restored = patch::take_out(&bundle)?;
    let recorded = intents().set(&bundle.path, Intent::Off);
    match &restored {
        Some(restored) => {
            let original = &restored.manifest.original;
            out.line(format!(
                "{} Docker {} has its original image again: {} bytes, sha256 {} (computed anew, as recorded).",
                styled(GOOD, "Done."),
                bundle.version,
                original.bytes,
                original.sha256
            ))?;
            if let Some(warning) = &restored.warning {
                out.note(warning.clone())?;
            }
            if !args.live.live {
                out.line(RESTART_TO_BE_RID)?;
            }
        }
        None => out.line(format!(
            "Nothing to do: the image of Docker {} carries no patch of Baleen's.",
            bundle.version
        ))?,
    }
    if let Err(error) = recorded {
        out.note(format!(
            "could not note that the proxy is no longer wanted ({error}); status may say wiped instead of off"
        ))?;
    }
    let live = live::follow(&agreed, false, &bundle, out)?;
    out.object(json!({
        "docker": docker_json(&bundle),
        "live": live,
        "changed": restored.is_some(),
        "original_sha256": restored.as_ref().map(|restored| restored.manifest.original.sha256),
    }))?;
    Ok(0)
}
