//! `baleen restore`.

use clap::Args;
use serde_json::json;

use crate::backend::{Backend, ChangedSince, Changes, PlanOptions, Unpatched};
use crate::error::Result;
use crate::intent::Intent;
use crate::service::{self, Recording};

use super::args::Global;
use super::live::LiveArgs;
use super::next_start::{NextStart, takes_effect};
use super::output::{GOOD, Output, styled};
use super::status::docker_json;
use super::{config, find_backend, intents, live, state_folder};

/// `baleen restore`.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// Bring back what Docker's own settings were before Baleen, although someone else changed them since
    #[arg(long)]
    pub(super) force: bool,
    /// The running VM.
    #[command(flatten)]
    pub(super) live: LiveArgs,
}

pub(super) fn run(global: &Global, args: &RestoreArgs, out: &mut Output) -> Result<u8> {
    let backend = find_backend(global, &config(global)?)?;
    let engine = backend.engine()?;
    engine.check_supported()?;
    let Some(agreed) = live::agree(&args.live, &*backend, out)? else {
        return Ok(0);
    };
    let intents = intents();
    let recording = Recording {
        intents: &intents,
        intent: Intent::Off,
    };
    let options = PlanOptions {
        changed_since: match args.force {
            true => ChangedSince::Replace,
            false => ChangedSince::Refuse,
        },
        may_quit: agreed.may_quit(),
        ..PlanOptions::default()
    };
    let restore = || service::restore(&*backend, options, Some(recording));
    let recorded = service::with_relay((&state_folder(), backend.place()), false, restore)?;
    let restored = Some(&recorded.changes).filter(|changes| changes.is_change);
    let has = restored.map_or(NextStart::NoProxy, has);
    match restored {
        Some(restored) => {
            out.line(format!(
                "{} Docker {} has {} again.",
                styled(GOOD, "Done."),
                engine.version,
                match restored.unpatched {
                    Unpatched::Clean => "its original boot image",
                    Unpatched::OwnSettings => "the proxy settings that it had before Baleen",
                    _ => "the boot image that it had before Baleen",
                },
            ))?;
            show_restored(&*backend, restored, out)?;
            if !args.live.live {
                out.line(has.after(restored, &*backend))?;
            }
        }
        None => {
            out.line(match recorded.changes.unpatched {
                Unpatched::OwnSettings => format!(
                    "Nothing to do: Docker {} does not have a proxy from Baleen.",
                    engine.version
                ),
                _ => format!(
                    "Nothing to do: Docker {} is not patched by Baleen.",
                    engine.version
                ),
            })?;
            if !args.live.live
                && let Some(still) = has.still_due(&*backend)
            {
                out.line(still)?;
            }
        }
    }
    if let Some(error) = &recorded.not_recorded {
        out.note(format!(
            "could not note that the proxy is no longer wanted ({error}); status may say wiped instead of off"
        ))?;
    }
    let live = live::apply_live(&agreed, false, &*backend, has, out)?;
    let original = restored.and_then(|it| it.original);
    out.object(json!({
        "docker": docker_json(&engine),
        "live": live,
        "changed": restored.is_some(),
        "removed": restored.and_then(|it| it.removed.as_ref()),
        "original_bytes": original.map(|original| original.bytes),
        "original_sha256": original.map(|original| original.sha256),
        "takes_effect": restored.map(|it| takes_effect(it.takes_effect)),
        "proxy_by_hand": restored.and_then(|it| it.unpatched.by_hand()),
    }))?;
    Ok(0)
}

/// Returns Docker's proxy with the restored boot image.
pub(super) fn has(restored: &Changes) -> NextStart {
    match restored.unpatched {
        Unpatched::ByHand { .. } => NextStart::ProxyByHand,
        Unpatched::Clean
        | Unpatched::Unchecked
        | Unpatched::OwnSettings
        | Unpatched::InSettings { .. } => NextStart::NoProxy,
    }
}

/// Reports what was removed and restored, with remarks, and records the proxy of the restored boot image for `status`.
pub(super) fn show_restored(
    backend: &dyn Backend,
    restored: &Changes,
    out: &mut Output,
) -> Result<()> {
    if let Some(removed) = &restored.removed {
        out.line(format!("  removed   {}", removed.summary()))?;
    }
    if let Some(original) = restored.original {
        out.detail(format!(
            "  original  {} bytes, sha256 {} (verified)",
            original.bytes, original.sha256
        ))?;
    }
    if let Some(note) = by_hand(&restored.unpatched) {
        out.note(note)?;
    }
    for warning in &restored.warnings {
        out.note(warning.sentence())?;
    }
    if let Err(error) = backend.remember_original(&restored.unpatched) {
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
