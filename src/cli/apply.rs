//! `baleen apply`.

use std::path::Path;

use serde_json::json;
use similar::TextDiff;

use crate::docker::Bundle;
use crate::error::{Error, Kind, Result};
use crate::patch::plan::{self, Backup, Change, Plan, Wanted};
use crate::patch::script::{SCRIPT, shown};
use crate::patch::{self, BACKUP_SUFFIX, Manifest, Method, Outcome};

use crate::proxy::EngineProxy;

use super::args::{Apply, Global};
use super::output::{BOLD, DIM, GOOD, NOTE, Output, styled};
use super::status::docker_json;
use super::{config, find_bundle, intents, proxy};

pub(super) fn run(global: &Global, args: &Apply, out: &mut Output) -> Result<u8> {
    let config = config(global)?;
    let Some(proxy) = proxy(&args.proxy)? else {
        return Err(Error::new(
            Kind::Usage,
            "no proxy was given: neither --http-proxy nor --https-proxy, nor HTTP_PROXY or HTTPS_PROXY in the environment",
        )
        .advise("baleen apply --http-proxy http://HOST:PORT (`baleen restore` takes the proxy out)"));
    };
    let bundle = find_bundle(global, &config)?;
    let wanted = Wanted {
        proxy: &proxy,
        method: args.method.or(config.method),
        adopt: args.adopt,
    };
    if args.dry_run {
        let plan = plan::plan(&bundle, wanted, &|progress| out.progress(progress))?;
        return dry_run(&bundle, &plan, &proxy, out);
    }
    let outcome = patch::put_in(&bundle, wanted, &|progress| out.progress(progress))?;
    if let Err(error) = intents().set(&bundle.path, true) {
        out.note(format!(
            "could not note that the proxy is wanted ({error}); after an update of Docker, status will say off instead of wiped"
        ))?;
    }
    report(&bundle, &outcome, &proxy, out)?;
    Ok(0)
}

fn dry_run(bundle: &Bundle, plan: &Plan, proxy: &EngineProxy, out: &mut Output) -> Result<u8> {
    heading(bundle, out)?;
    let change = match plan {
        Plan::Nothing(manifest) => return in_place(bundle, manifest, out).map(|()| 0),
        Plan::Change(change) => change,
    };
    let original = &change.manifest.original;
    out.line("This is what apply does:")?;
    if let Backup::MoveAsideAndMake(aside) = &change.backup {
        out.note(moved_aside(aside))?;
    }
    if change.backup != Backup::Keep {
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
    note_proxy(proxy, out)?;
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
    json_report(bundle, &change.manifest, None, true, Some(diff), out)?;
    Ok(0)
}

/// The difference between the script that is in the image and the one that is to be, without passwords.
fn script_difference(change: &Change) -> String {
    let (old, new) = (shown(&change.old_script), shown(&change.new_script));
    TextDiff::from_lines(&old, &new)
        .unified_diff()
        .header(&format!("a/{SCRIPT}"), &format!("b/{SCRIPT}"))
        .to_string()
}

fn report(bundle: &Bundle, outcome: &Outcome, proxy: &EngineProxy, out: &mut Output) -> Result<()> {
    heading(bundle, out)?;
    let applied = match outcome {
        Outcome::InPlace(manifest) => return in_place(bundle, manifest, out),
        Outcome::Applied(applied) => applied,
    };
    let manifest = &applied.manifest;
    out.line(format!(
        "{} The engine gets {} from its next start on, and reaches {} without it.",
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
        out.note(warning.clone())?;
    }
    note_proxy(proxy, out)?;
    out.line("Restart Docker to use it: quit it from its menu and open it again.")?;
    json_report(bundle, manifest, Some(applied.bytes), true, None, out)
}

fn in_place(bundle: &Bundle, manifest: &Manifest, out: &mut Output) -> Result<()> {
    out.line(format!(
        "The engine gets {} already: nothing to do.",
        manifest.proxy.summary()
    ))?;
    json_report(bundle, manifest, None, false, None, out)
}

/// What the user should know of the proxy, once.
fn note_proxy(proxy: &EngineProxy, out: &mut Output) -> Result<()> {
    let left_out = proxy.no_proxy().left_out();
    if !left_out.is_empty() {
        out.note(format!(
            "left out of the no-proxy list, since engines of this family know neither networks nor such wildcards: {}; these hosts are reached through the proxy, name each of them to avoid that",
            left_out.join(", ")
        ))?;
    }
    if proxy.has_password() {
        out.note("the image holds the proxy's password, since the engine has to read it; only its owner can read the file".to_owned())?;
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

/// `written` is the length of the new image, where one was written.
fn json_report(
    bundle: &Bundle,
    manifest: &Manifest,
    written: Option<u64>,
    changes: bool,
    diff: Option<String>,
    out: &mut Output,
) -> Result<()> {
    let image: &Path = plan::image_of(bundle)?;
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
    }))
}
