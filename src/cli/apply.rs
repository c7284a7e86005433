//! `baleen apply`.

use std::io;
use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use crate::backend::{Backend, ChangeStep, Changes, Engine, PlanOptions, Unpatched};
use crate::config::{Config, Method};
use crate::desired::ProxyQuery;
use crate::error::{Face, Fix, Result};
use crate::intent::Intent;
use crate::proxy::{DockerFields, EngineProxy, ProxyOrigin, RedactedProxy, Translation};
use crate::service::Application;
use crate::text::remark;

use super::args::{Global, ProxyArgs};
use super::live::Consent;
use super::live::LiveArgs;
use super::next_start::{NextStart, takes_effect};
use super::output::{BOLD, DIM, GOOD, NOTE, Output, styled};
use super::restore::{by_hand, has, show_restored};
use super::status::docker_json;
use super::{
    config, docker_desktop, find_backend, intents, live, note_relay_down, note_translation, request,
};

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
    let backend = find_backend(global, &config)?;
    match change(&*backend, &request, &config, args, out) {
        // Its own window can do what Baleen can't.
        Err(error) if error.fix() == Some(Fix::DockerSettings) => {
            docker_desktop::print(&*backend, error, &request, out)
        }
        other => other,
    }
}

/// Plans and carries out the change.
fn change(
    backend: &dyn Backend,
    request: &ProxyQuery,
    config: &Config,
    args: &ApplyArgs,
    out: &mut Output,
) -> Result<u8> {
    if !args.dry_run {
        request.make_token()?;
    }
    let application = Application::prepare(backend, request)?;
    let options = PlanOptions {
        method: args.method.or(config.method),
        adopt: args.adopt,
        containers: config.containers,
        ..PlanOptions::default()
    };
    if args.dry_run {
        let plan = application.plan(options, &|progress| out.progress(progress))?;
        return dry_run(&application, plan.changes(), &args.live, out);
    }
    let Some(agreed) = live::agree(&args.live, backend, out)? else {
        return Ok(0);
    };
    let options = PlanOptions {
        may_quit: agreed.may_quit(),
        ..options
    };
    let recorded =
        application.carry_out(options, &intents(), &|progress| out.progress(progress))?;
    if let Some(error) = &recorded.not_recorded {
        out.note(not_recorded(error))?;
    }
    if out.is_verbose() {
        heading(&application.engine, out)?;
    }
    let changes = &recorded.changes;
    match &changes.proxy {
        Some(proxy) => {
            let says = source_sentence(
                application.intent,
                recorded.named_before.as_ref(),
                proxy,
                &application.proxy_config.origin,
            );
            report(&application, changes, proxy, says, args, &agreed, out)?;
        }
        None => direct(&application, changes, args, &agreed, out)?,
    }
    Ok(0)
}

/// Returns a sentence about the source of the proxy, if the source has changed or is not the settings.
fn source_sentence(
    intent: Intent,
    before: Option<&RedactedProxy>,
    now: &RedactedProxy,
    origin: &ProxyOrigin,
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
    application: &Application<'_>,
    changes: &Changes,
    args: &ApplyArgs,
    agreed: &Consent,
    out: &mut Output,
) -> Result<()> {
    let backend = application.backend();
    let no_proxy = why_direct(application);
    let restored = Some(changes).filter(|changes| changes.is_change);
    let has = restored.map_or(NextStart::NoProxy, has);
    match restored {
        None => nothing_to_restore(application, &no_proxy, out)?,
        Some(restored) => {
            out.line(format!(
                "{} Docker has {} again, since {no_proxy}.",
                styled(GOOD, "Done."),
                match &restored.unpatched {
                    Unpatched::Clean => "its own boot image",
                    Unpatched::OwnSettings => "the proxy settings that it had before Baleen",
                    _ => "the boot image that it had before Baleen",
                },
            ))?;
            show_restored(backend, restored, out)?;
            if !args.live.live {
                out.line(has.after(restored, backend))?;
            }
        }
    }
    note_translation(&application.translation, out)?;
    let live = live::apply_live(agreed, args.adopt, backend, has, out)?;
    json_report(application, changes, changes.is_change, live, out)
}

/// Prints what `apply` would do.
fn dry_run(
    application: &Application<'_>,
    changes: &Changes,
    live: &LiveArgs,
    out: &mut Output,
) -> Result<u8> {
    heading(&application.engine, out)?;
    match &changes.proxy {
        None => direct_steps(application, changes, live, out)?,
        Some(proxy) if !changes.is_change && application.follows_by_itself => {
            follows_by_itself(changes, proxy, out)?;
        }
        Some(proxy) if !changes.is_change => {
            in_place(proxy, &application.translation, out)?;
            live_plan(live, out)?;
        }
        Some(proxy) => steps(application, changes, proxy, live, out)?,
    }
    json_report(application, changes, false, Value::Null, out)?;
    Ok(0)
}

/// Prints what [`direct`] would report.
fn direct_steps(
    application: &Application<'_>,
    changes: &Changes,
    live: &LiveArgs,
    out: &mut Output,
) -> Result<()> {
    let no_proxy = why_direct(application);
    match &changes.removed {
        None => nothing_to_restore(application, &no_proxy, out)?,
        Some(removed) => out.line(format!(
            "Apply gives Docker {}, since {no_proxy}; the engine has {}.",
            match &changes.unpatched {
                Unpatched::Clean => "its own boot image back".to_owned(),
                other => format!("back {}", other.in_words()),
            },
            removed.summary()
        ))?,
    }
    note_translation(&application.translation, out)?;
    live_plan(live, out)?;
    out.line("Nothing was changed (--dry-run).")
}

/// Prints the steps of a change, and the difference of the script.
fn steps(
    application: &Application<'_>,
    changes: &Changes,
    proxy: &RedactedProxy,
    live: &LiveArgs,
    out: &mut Output,
) -> Result<()> {
    out.line("This is what apply does:")?;
    for step in &changes.steps {
        match step {
            ChangeStep::MoveAside { name, to } => out.note(moved_aside(name, to))?,
            ChangeStep::KeepOriginal(name) => {
                let original = changes.original.filter(|_| out.is_verbose());
                let original = original.map_or(String::new(), |original| {
                    format!(" ({} bytes, sha256 {})", original.bytes, original.sha256)
                });
                out.line(format!("  keep the original as {name}{original}"))?;
            }
            ChangeStep::Edit { text, .. } => out.line(format!(
                "  {} with {} in it, no_proxy {}",
                match changes.method {
                    Some(Method::Append) => format!("append an archive with /{text}"),
                    Some(Method::Rebuild) => format!("rebuild the archive that holds /{text}"),
                    None => format!("write {text}"),
                },
                proxy.summary(),
                proxy.no_proxy
            ))?,
            ChangeStep::Replace { mode } => out.line(format!(
                "  put the result in the place of {} (mode {mode:04o})",
                changes.file.display(),
            ))?,
        }
    }
    live_plan(live, out)?;
    note_proxy(application, out)?;
    out.line("")?;
    for line in changes.difference().unwrap_or_default().lines() {
        let style = match line.as_bytes().first() {
            Some(b'+') => GOOD,
            Some(b'-') => NOTE,
            _ => DIM,
        };
        out.verbatim(styled(style, line))?;
    }
    out.line("")?;
    out.line("Nothing was changed (--dry-run).")
}

fn why_direct(application: &Application<'_>) -> String {
    let origin = &application.proxy_config.origin;
    remark::why_direct(application.translation.why_direct(), origin)
}

fn nothing_to_restore(
    application: &Application<'_>,
    no_proxy: &str,
    out: &mut Output,
) -> Result<()> {
    match by_hand(&application.backend().read_unpatched()) {
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

/// Reports that the engine has the proxy.
fn report(
    application: &Application<'_>,
    changes: &Changes,
    proxy: &RedactedProxy,
    says: Option<String>,
    args: &ApplyArgs,
    agreed: &Consent,
    out: &mut Output,
) -> Result<()> {
    let backend = application.backend();
    if application.follows_by_itself {
        follows_by_itself(changes, proxy, out)?;
    } else if changes.is_change {
        applied(application, changes, proxy, out)?;
    } else {
        in_place(proxy, &application.translation, out)?;
        if !args.live.live
            && let Some(still) = NextStart::Proxy.still_due(backend)
        {
            out.line(still)?;
        }
    }
    if let Some(says) = says {
        out.line(says)?;
    }
    if changes.is_change && !args.live.live && !application.follows_by_itself {
        out.line(NextStart::Proxy.after(changes, backend))?;
    }
    let live = live::apply_live(agreed, args.adopt, backend, NextStart::Proxy, out)?;
    json_report(application, changes, changes.is_change, live, out)
}

fn applied(
    application: &Application<'_>,
    changes: &Changes,
    proxy: &RedactedProxy,
    out: &mut Output,
) -> Result<()> {
    out.line(format!(
        "{} The proxy for Docker is {}. Bypassing it: {}.",
        styled(GOOD, "Done."),
        proxy.summary(),
        proxy.no_proxy
    ))?;
    if let (Some(bytes), Some(method)) = (changes.bytes, changes.method) {
        out.detail(format!("  image     {bytes} bytes, by {method}"))?;
    }
    if let (Some(original), Some(backup)) = (changes.original, &changes.backup) {
        out.detail(format!(
            "  original  {} bytes, sha256 {}, kept as {backup}",
            original.bytes, original.sha256
        ))?;
    }
    for step in &changes.steps {
        if let ChangeStep::MoveAside { name, to } = step {
            out.note(moved_aside(name, to))?;
        }
    }
    for warning in &changes.warnings {
        out.note(warning.sentence())?;
    }
    note_proxy(application, out)
}

/// Prints what `--live` would also do.
fn live_plan(live: &LiveArgs, out: &mut Output) -> Result<()> {
    if !live.live {
        return Ok(());
    }
    out.line("  update the running VM over its console: the same change in its script, and a restart of the Engine (containers stop)")
}

fn in_place(proxy: &RedactedProxy, translation: &Translation, out: &mut Output) -> Result<()> {
    out.line(format!(
        "Docker is set to use {} already: nothing to do. Bypassing it: {}.",
        proxy.summary(),
        proxy.no_proxy
    ))?;
    if proxy.is_relay() {
        return note_relay_down(proxy, out);
    }
    match &translation.pac_unreachable {
        Some(it) => out.note(remark::pac_unreachable(it, Face::CommandLine)),
        None => Ok(()),
    }
}

fn follows_by_itself(changes: &Changes, proxy: &RedactedProxy, out: &mut Output) -> Result<()> {
    let begins = match changes.is_change {
        true => styled(GOOD, "Done.").to_string(),
        false => "Nothing to do:".to_owned(),
    };
    out.line(format!(
        "{begins} Docker follows the proxy of this computer's settings by itself ({}).",
        proxy.summary()
    ))?;
    for step in &changes.steps {
        if let ChangeStep::Edit { text, .. } = step {
            out.line(format!("  written   {text}"))?;
        }
    }
    for warning in &changes.warnings {
        out.note(warning.sentence())?;
    }
    Ok(())
}

/// Reports remarks on the proxy, once.
fn note_proxy(application: &Application<'_>, out: &mut Output) -> Result<()> {
    if application.proxy_config.origin == ProxyOrigin::Relay {
        out.line("  relay     each connection goes the way that this computer's settings say at that moment; the token in the address opens the relay only")?;
        let proxy = application.translation.proxy.as_ref();
        return proxy.map_or(Ok(()), |proxy| note_relay_down(&proxy.shown(), out));
    }
    let translation = &application.translation;
    note_translation(translation, out)?;
    let engine = &application.engine;
    if !engine.capabilities.client.takes_passwords()
        && let Some(proxy) = &translation.proxy
    {
        for remark in DockerFields::of(&proxy.shown()).remarks(&engine.version) {
            out.note(remark.to_string())?;
        }
    }
    if translation
        .proxy
        .as_ref()
        .is_some_and(EngineProxy::has_password)
    {
        out.note("the boot image holds the proxy's password, since the engine has to read it; only its owner can read the file".to_owned())?;
    }
    Ok(())
}

fn moved_aside(name: &str, to: &Path) -> String {
    format!(
        "{name} is another file than the original; it goes to {}",
        to.display()
    )
}

fn heading(engine: &Engine, out: &mut Output) -> Result<()> {
    out.line(format!(
        "{} at {}",
        styled(BOLD, format!("Docker {}", engine.version)),
        engine.path.display()
    ))
}

/// Prints the JSON object. `is_done` tells whether the changes were made, and are not only planned.
fn json_report(
    application: &Application<'_>,
    changes: &Changes,
    is_done: bool,
    live: Value,
    out: &mut Output,
) -> Result<()> {
    let mut object = json!({
        "docker": docker_json(&application.engine),
        "changed": is_done,
        "would_change": changes.is_change,
        "proxy": changes.proxy,
        "original_bytes": changes.original.map(|original| original.bytes),
        "backup": changes.backup,
        "live": live,
    });
    let has_own_settings = matches!(changes.unpatched, Unpatched::OwnSettings);
    object[if has_own_settings {
        "docker_settings"
    } else {
        "image"
    }] = json!({
        "path": changes.file,
        "original_sha256": changes.original.map(|original| original.sha256),
    });
    match changes.proxy {
        Some(_) if has_own_settings => {
            object["docker_settings"]["takes_effect"] = json!(takes_effect(changes.takes_effect));
            object["docker_settings"]["difference"] = json!(changes.difference());
        }
        Some(_) => {
            object["image"]["bytes"] = json!(changes.bytes);
            object["image"]["method"] = json!(changes.method);
            object["script_diff"] = json!(changes.difference());
        }
        None => {
            object["removed"] = json!(changes.removed);
            object["proxy_by_hand"] = json!(changes.unpatched.by_hand());
        }
    }
    out.object(object)
}
