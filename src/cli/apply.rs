//! `baleen apply`.

use std::io;
use std::path::Path;

use clap::Args;
use serde_json::{Value, json};
use similar::TextDiff;

use crate::docker::Bundle;
use crate::error::{Face, Result};
use crate::patch::digest::OriginalSha;
use crate::patch::image::image_of;
use crate::patch::intent::Intent;
use crate::patch::plan::{BackupPlan, Change, Plan};
use crate::patch::restore::RestorePlan;
use crate::patch::script::{SCRIPT, shown};
use crate::patch::{
    self, ApplyOutcome, BACKUP_SUFFIX, Manifest, Method, RestoreOutcome, Unpatched,
};
use crate::proxy::{EngineProxy, RedactedProxy, Translation};
use crate::service::{Application, ApplicationOutcome, ApplicationPlan, ApplyOptions};
use crate::text::remark;

use super::args::{Global, ProxyArgs};
use super::live::Consent;
use super::live::LiveArgs;
use super::next_start::NextStart;
use super::output::{BOLD, DIM, GOOD, NOTE, Output, styled};
use super::restore::{by_hand, has, note_restored};
use super::status::docker_json;
use super::{config, docker_desktop, find_bundle, intents, live, note_translation, request};

/// `baleen apply`.
#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// The proxy.
    #[command(flatten)]
    pub(super) proxy: ProxyArgs,
    /// How to change the boot image: append a small archive (fast), or rebuild the archive with the script. The default
    /// is the method of the patch in place, then the config file's, then append
    #[arg(long, value_name = "append|rebuild")]
    pub(super) method: Option<Method>,
    /// Follow the settings from now on, instead of a proxy that was named by hand
    #[arg(long, conflicts_with_all = ["http_proxy", "https_proxy", "no_proxy", "source", "system_proxies"])]
    pub(super) follow_settings: bool,
    /// Take over a proxy that someone else wrote into the script
    #[arg(long)]
    pub(super) adopt: bool,
    /// Print the plan and the changes to the script, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// The running VM.
    #[command(flatten)]
    pub(super) live: LiveArgs,
}

pub(super) fn run(global: &Global, args: &ApplyArgs, out: &mut Output) -> Result<u8> {
    let config = config(global)?;
    let request = request(&args.proxy, &config)?;
    let bundle = find_bundle(global, &config)?;
    if let Some(pane) = bundle.family.proxy_pane() {
        return docker_desktop::print(&bundle, pane, &request, out);
    }
    let application = Application::prepare(bundle, &request)?;
    let options = ApplyOptions {
        method: args.method.or(config.method),
        adopt: args.adopt,
    };
    if args.dry_run {
        let plan = application.plan(options, &|progress| out.progress(progress))?;
        return match plan {
            ApplicationPlan::Apply(plan) => dry_run(&application, &plan, &args.live, out),
            ApplicationPlan::Restore(plan) => direct_dry_run(&application, plan, &args.live, out),
        };
    }
    let Some(agreed) = live::agree(&args.live, &application.bundle, out)? else {
        return Ok(0);
    };
    let recorded =
        application.carry_out(options, &intents(), &|progress| out.progress(progress))?;
    if let Some(error) = &recorded.not_recorded {
        out.note(not_recorded(error))?;
    }
    heading(&application.bundle, out)?;
    match &recorded.outcome {
        ApplicationOutcome::Applied(outcome) => {
            let manifest = match outcome {
                ApplyOutcome::InPlace(manifest) => manifest,
                ApplyOutcome::Applied(applied) => &applied.manifest,
            };
            let says = source_sentence(
                application.intent,
                recorded.named_before.as_ref(),
                &manifest.proxy,
                &application.proxy_config.origin,
            );
            report(&application, outcome, says, args, &agreed, out)?;
        }
        ApplicationOutcome::Restored(restored) => {
            direct(&application, restored.as_ref(), args, &agreed, out)?;
        }
    }
    Ok(0)
}

/// Returns a sentence about the source of the proxy, if the source has changed or is not the settings.
fn source_sentence(
    intent: Intent,
    before: Option<&RedactedProxy>,
    now: &RedactedProxy,
    origin: &str,
) -> Option<String> {
    match (intent, before) {
        (Intent::Named, _) => Some(
            "Docker keeps this proxy, whatever the settings say; `baleen apply --follow-settings` has it follow them."
                .to_owned(),
        ),
        (Intent::Settings, Some(before)) if before == now => Some(format!(
            "Docker follows {origin} again; the same proxy was named by hand before."
        )),
        (Intent::Settings, Some(before)) => Some(format!(
            "Docker follows {origin} again, and not {}, which was named by hand.",
            before.summary()
        )),
        (Intent::Settings | Intent::Off, _) => None,
    }
}

fn not_recorded(error: &io::Error) -> String {
    format!(
        "could not note that the proxy is wanted ({error}); after an update of Docker, status will say off instead of wiped"
    )
}

/// Reports that the engine has no proxy, since this computer uses none now.
fn direct(
    application: &Application,
    restored: Option<&RestoreOutcome>,
    args: &ApplyArgs,
    agreed: &Consent,
    out: &mut Output,
) -> Result<()> {
    let Application {
        bundle,
        translation,
        ..
    } = application;
    let no_proxy = why_direct(application);
    let has = restored.map_or(NextStart::NoProxy, has);
    match restored {
        None => nothing_to_restore(bundle, &no_proxy, out)?,
        Some(restored) => {
            out.line(format!(
                "{} Docker has {} again, since {no_proxy}.",
                styled(GOOD, "Done."),
                match &restored.original {
                    Unpatched::Clean => "its own boot image",
                    _ => "the boot image that it had before Baleen",
                },
            ))?;
            note_restored(bundle, restored, out)?;
            if !args.live.live {
                out.line(has.when(&bundle.path))?;
            }
        }
    }
    note_translation(translation, out)?;
    let live = live::apply_live(agreed, args.adopt, bundle, has, out)?;
    let original = restored.map(|restored| (restored.manifest.original.sha256, &restored.original));
    json_direct(bundle, original, restored.is_some(), live, out)
}

/// Prints what [`direct`] would report.
fn direct_dry_run(
    application: &Application,
    plan: RestorePlan,
    live: &LiveArgs,
    out: &mut Output,
) -> Result<u8> {
    let Application {
        bundle,
        translation,
        ..
    } = application;
    heading(bundle, out)?;
    let no_proxy = why_direct(application);
    let found = match plan {
        RestorePlan::Nothing => None,
        RestorePlan::Restore(found) => Some(found),
    };
    match &found {
        None => nothing_to_restore(bundle, &no_proxy, out)?,
        Some(found) => out.line(format!(
            "Apply gives Docker {}, since {no_proxy}; the engine has {}.",
            match &found.original {
                Unpatched::Clean => "its own boot image back".to_owned(),
                other => format!("back {}", other.in_words()),
            },
            found.manifest.proxy.summary()
        ))?,
    }
    note_translation(translation, out)?;
    live_plan(live, out)?;
    out.line("Nothing was changed (--dry-run).")?;
    let original = found
        .as_ref()
        .map(|found| (found.manifest.original.sha256, &found.original));
    json_direct(bundle, original, false, Value::Null, out)?;
    Ok(0)
}

fn why_direct(application: &Application) -> String {
    let origin = &application.proxy_config.origin;
    remark::why_direct(application.translation.why_direct(), origin)
}

fn nothing_to_restore(bundle: &Bundle, no_proxy: &str, out: &mut Output) -> Result<()> {
    match by_hand(&patch::read_unpatched(bundle)) {
        Some(note) => {
            out.line(format!(
                "Nothing was changed: {no_proxy}, and the boot image is not patched by Baleen."
            ))?;
            out.note(note)
        }
        None => {
            out.line(format!(
                "Nothing to do: {no_proxy}, and the engine has none either."
            ))?;
            out.line("To use one anyway, pass --http-proxy http://HOST:PORT")
        }
    }
}

/// Prints the JSON object about an engine without a proxy. `original` is the digest of the original image and the proxy
/// that it sets, if the image is or was patched.
fn json_direct(
    bundle: &Bundle,
    original: Option<(OriginalSha, &Unpatched)>,
    changed: bool,
    live: Value,
    out: &mut Output,
) -> Result<()> {
    out.object(json!({
        "live": live,
        "docker": docker_json(bundle),
        "changed": changed,
        "would_change": original.is_some(),
        "image": {
            "path": image_of(bundle)?,
            "original_sha256": original.map(|(sha, _)| sha),
        },
        "proxy": null,
        "proxy_by_hand": original.and_then(|(_, found)| found.by_hand()),
    }))
}

fn dry_run(
    application: &Application,
    plan: &Plan,
    live: &LiveArgs,
    out: &mut Output,
) -> Result<u8> {
    let Application {
        bundle,
        translation,
        ..
    } = application;
    heading(bundle, out)?;
    let change = match plan {
        Plan::Nothing(manifest) => {
            in_place(manifest, translation, out)?;
            live_plan(live, out)?;
            json_report(bundle, manifest, None, false, None, Value::Null, out)?;
            return Ok(0);
        }
        Plan::Change(change) => change,
    };
    let original = &change.manifest.original;
    out.line("This is what apply does:")?;
    if let BackupPlan::MoveAsideAndMake(aside) = &change.backup {
        out.note(moved_aside(aside))?;
    }
    if change.backup != BackupPlan::Keep {
        out.line(format!(
            "  keep the original as initrd.img{BACKUP_SUFFIX} ({} bytes, sha256 {})",
            original.bytes, original.sha256
        ))?;
    }
    out.line(format!(
        "  {} /{SCRIPT} with {} in it, no_proxy {}",
        match change.method() {
            Method::Append => "append an archive with",
            Method::Rebuild => "rebuild the archive that holds",
        },
        change.manifest.proxy.summary(),
        change.manifest.proxy.no_proxy
    ))?;
    out.line(format!(
        "  put the result in the place of {} (mode {:04o})",
        change.image().display(),
        change.mode
    ))?;
    live_plan(live, out)?;
    note_proxy(translation, out)?;
    let diff = script_difference(change);
    out.line("")?;
    for line in diff.lines() {
        let style = match line.as_bytes().first() {
            Some(b'+') => GOOD,
            Some(b'-') => NOTE,
            _ => DIM,
        };
        out.line(styled(style, line))?;
    }
    out.line("")?;
    out.line("Nothing was changed (--dry-run).")?;
    json_report(
        bundle,
        &change.manifest,
        None,
        true,
        Some(diff),
        Value::Null,
        out,
    )?;
    Ok(0)
}

/// Returns the difference between the current script in the boot image and the new one, without
/// passwords.
fn script_difference(change: &Change) -> String {
    let (old, new) = (shown(&change.old_script), shown(&change.new_script));
    TextDiff::from_lines(&old, &new)
        .unified_diff()
        .header(&format!("a/{SCRIPT}"), &format!("b/{SCRIPT}"))
        .to_string()
}

fn report(
    application: &Application,
    outcome: &ApplyOutcome,
    says: Option<String>,
    args: &ApplyArgs,
    agreed: &Consent,
    out: &mut Output,
) -> Result<()> {
    let Application {
        bundle,
        translation,
        ..
    } = application;
    let applied = match outcome {
        ApplyOutcome::InPlace(manifest) => {
            in_place(manifest, translation, out)?;
            if let Some(says) = says {
                out.line(says)?;
            }
            let live = live::apply_live(agreed, args.adopt, bundle, NextStart::Proxy, out)?;
            return json_report(bundle, manifest, None, false, None, live, out);
        }
        ApplyOutcome::Applied(applied) => applied,
    };
    let manifest = &applied.manifest;
    out.line(format!(
        "{} The proxy for Docker is {}. Bypassing it: {}.",
        styled(GOOD, "Done."),
        manifest.proxy.summary(),
        manifest.proxy.no_proxy
    ))?;
    out.line(format!(
        "  image     {} bytes, by {}",
        applied.bytes, manifest.method
    ))?;
    out.line(format!(
        "  original  {} bytes, sha256 {}, kept as initrd.img{BACKUP_SUFFIX}",
        manifest.original.bytes, manifest.original.sha256
    ))?;
    if let Some(aside) = &applied.moved_aside {
        out.note(moved_aside(aside))?;
    }
    for warning in &applied.warnings {
        out.note(warning.sentence())?;
    }
    note_proxy(translation, out)?;
    if let Some(says) = says {
        out.line(says)?;
    }
    if !args.live.live {
        out.line(NextStart::Proxy.when(&bundle.path))?;
    }
    let live = live::apply_live(agreed, args.adopt, bundle, NextStart::Proxy, out)?;
    json_report(bundle, manifest, Some(applied.bytes), true, None, live, out)
}

/// Prints what `--live` would also do.
fn live_plan(live: &LiveArgs, out: &mut Output) -> Result<()> {
    if !live.live {
        return Ok(());
    }
    out.line(format!(
        "  update the running VM over its console: the same change in its /{SCRIPT}, and a restart of the Engine (containers stop)"
    ))
}

fn in_place(manifest: &Manifest, translation: &Translation, out: &mut Output) -> Result<()> {
    out.line(format!(
        "The engine gets {} already: nothing to do.",
        manifest.proxy.summary()
    ))?;
    match &translation.pac_unreachable {
        Some(it) => out.note(remark::pac_unreachable(it, Face::CommandLine)),
        None => Ok(()),
    }
}

/// Reports remarks on the proxy, once.
fn note_proxy(translation: &Translation, out: &mut Output) -> Result<()> {
    note_translation(translation, out)?;
    if translation
        .proxy
        .as_ref()
        .is_some_and(EngineProxy::has_password)
    {
        out.note("the boot image holds the proxy's password, since the engine has to read it; only its owner can read the file".to_owned())?;
    }
    Ok(())
}

fn moved_aside(aside: &Path) -> String {
    format!(
        "initrd.img{BACKUP_SUFFIX} is another file than the original; it goes to {}",
        aside.display()
    )
}

fn heading(bundle: &Bundle, out: &mut Output) -> Result<()> {
    out.line(format!(
        "{} at {}",
        styled(BOLD, format!("Docker {}", bundle.version)),
        bundle.path.display()
    ))
}

/// Prints the JSON object. `written` is the length of the new boot image, if one was written.
fn json_report(
    bundle: &Bundle,
    manifest: &Manifest,
    written: Option<u64>,
    changes: bool,
    diff: Option<String>,
    live: Value,
    out: &mut Output,
) -> Result<()> {
    let image: &Path = image_of(bundle)?;
    out.object(json!({
        "docker": docker_json(bundle),
        "changed": written.is_some(),
        "would_change": changes,
        "image": {
            "path": image,
            "bytes": written,
            "original_sha256": manifest.original.sha256,
            "method": manifest.method,
        },
        "proxy": manifest.proxy,
        "script_diff": diff,
        "live": live,
    }))
}
