//! `baleen restore`.

use clap::Args;
use serde_json::json;

use crate::docker::Bundle;
use crate::error::Result;
use crate::patch::image::image_of;
use crate::patch::intent::Intent;
use crate::patch::{RestoreOutcome, Unpatched};
use crate::service::{self, Recording};

use super::args::Global;
use super::live::LiveArgs;
use super::next_start::NextStart;
use super::output::{GOOD, Output, styled};
use super::status::docker_json;
use super::{config, find_bundle, intents, live};

/// `baleen restore`.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The running VM.
    #[command(flatten)]
    pub(super) live: LiveArgs,
}

pub(super) fn run(global: &Global, args: &RestoreArgs, out: &mut Output) -> Result<u8> {
    let bundle = find_bundle(global, &config(global)?)?;
    image_of(&bundle)?;
    let Some(agreed) = live::agree(&args.live, &bundle, out)? else {
        return Ok(0);
    };
    let intents = intents();
    let recording = Recording {
        intents: &intents,
        intent: Intent::Off,
    };
    let recorded = service::restore(&bundle, Some(recording))?;
    let restored = recorded.outcome;
    let has = restored.as_ref().map_or(NextStart::NoProxy, has);
    match &restored {
        Some(restored) => {
            let original = &restored.manifest.original;
            out.line(format!(
                "{} Docker {} has {} again: {} bytes, sha256 {} (verified).",
                styled(GOOD, "Done."),
                bundle.version,
                match restored.original {
                    Unpatched::Clean => "its original boot image",
                    _ => "the boot image that it had before Baleen",
                },
                original.bytes,
                original.sha256
            ))?;
            note_restored(&bundle, restored, out)?;
            if !args.live.live {
                out.line(has.when(&bundle.path))?;
            }
        }
        None => out.line(format!(
            "Nothing to do: Docker {} is not patched by Baleen.",
            bundle.version
        ))?,
    }
    if let Some(error) = recorded.not_recorded {
        out.note(format!(
            "could not note that the proxy is no longer wanted ({error}); status may say wiped instead of off"
        ))?;
    }
    let live = live::apply_live(&agreed, false, &bundle, has, out)?;
    out.object(json!({
        "docker": docker_json(&bundle),
        "live": live,
        "changed": restored.is_some(),
        "original_sha256": restored.as_ref().map(|restored| restored.manifest.original.sha256),
        "proxy_by_hand": restored.as_ref().and_then(|restored| restored.original.by_hand()),
    }))?;
    Ok(0)
}

/// Returns Docker's proxy with the restored boot image.
pub(super) fn has(restored: &RestoreOutcome) -> NextStart {
    match restored.original {
        Unpatched::ByHand { .. } => NextStart::ProxyByHand,
        Unpatched::Clean | Unpatched::Unchecked => NextStart::NoProxy,
    }
}

/// Reports remarks on the restored boot image, and records its original proxy for `status`.
pub(super) fn note_restored(
    bundle: &Bundle,
    restored: &RestoreOutcome,
    out: &mut Output,
) -> Result<()> {
    if let Some(note) = by_hand(&restored.original) {
        out.note(note)?;
    }
    if let Some(warning) = &restored.warning {
        out.note(warning.sentence())?;
    }
    let remembered = service::remember_original(bundle, &intents(), &restored.original);
    if let Err(error) = remembered {
        out.note(error.to_string())?;
    }
    Ok(())
}

/// Returns a note about a proxy that was set by hand in a boot image, and how to remove it.
pub(super) fn by_hand(found: &Unpatched) -> Option<String> {
    let (line, way_out) = (found.by_hand()?, found.way_out()?);
    Some(format!(
        "a proxy is set by hand in this boot image, which Baleen leaves as it is: {line}; {way_out}"
    ))
}
