//! `baleen uninstall`. It has no log and no lock of its own, since it would have to remove them, too.

use std::env;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::backend::Unpatched;
use crate::error::{Face, Failure, Hint, Kind, Result};
use crate::text::uninstall as text;
use crate::uninstall::{
    ExecuteOutcome, Failed, LastStep, Left, Remark, Scope, UninstallPlan, UninstallStep,
};
use crate::uninstall::{execute, places, plan, scan};

use super::args::Global;
use super::next_start::NextStart;
use super::output::{BAD, BOLD, GOOD, Output, describe, styled};
use super::{REGISTRY, check_named_config, config, state_folder};

/// `baleen uninstall`.
#[derive(Debug, Args)]
pub(crate) struct UninstallArgs {
    /// List what would be removed and restored, and change nothing
    #[arg(long, conflicts_with = "yes")]
    pub(super) dry_run: bool,
    /// Don't ask for confirmation
    #[arg(long)]
    pub(super) yes: bool,
    /// Leave boot images as they are: Docker keeps the proxy until you reinstall it
    #[arg(long)]
    pub(super) leave_images: bool,
}

/// The name of this process for other Baleens.
const WHAT: &str = "`baleen uninstall`";

/// The user can't be asked whether all that should be removed.
#[derive(Debug, thiserror::Error)]
#[error("uninstall needs confirmation, and there is no terminal to ask on")]
struct NotConfirmed;

impl Failure for NotConfirmed {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn code(&self) -> &'static str {
        "not-confirmed"
    }
}

impl Hint for NotConfirmed {
    fn hint(&self, _face: Face) -> Option<String> {
        let advice = "`baleen uninstall --dry-run` lists it, `baleen uninstall --yes` removes it";
        Some(advice.to_owned())
    }
}

pub(super) fn run(global: &Global, args: &UninstallArgs, out: &mut Output) -> Result<u8> {
    check_named_config(global)?;
    // The user must see what they agree to.
    let can_ask = out.can_ask();
    if !args.dry_run && !args.yes && !can_ask {
        return Err(NotConfirmed.into());
    }
    let home = env::home_dir().unwrap_or_default();
    let scope = Scope {
        registry: REGISTRY,
        docker_app: global.docker_app.clone(),
        config: config::path(global),
        state: state_folder(),
        places: places(
            REGISTRY,
            |name| env::var_os(name),
            &home,
            cfg!(target_os = "macos"),
        ),
    };
    let planned = plan(scan(&scope)?, &scope.places, args.leave_images)?;
    if args.dry_run {
        return show_plan(&planned, out);
    }
    if planned.steps.is_empty() {
        let outcome = ExecuteOutcome::nothing(planned);
        return show_outcome(&outcome, out);
    }
    if !args.yes {
        show_plan(&planned, out)?;
        if !out.agrees("Remove all this? [y/N] ")? {
            out.line("Nothing was removed.")?;
            return Ok(0);
        }
    }
    let outcome = execute(&planned, &scope, args.leave_images, WHAT)?;
    show_outcome(&outcome, out)
}

fn show_plan(plan: &UninstallPlan, out: &mut Output) -> Result<u8> {
    show_heading(&plan.steps, &plan.failed, styled(BOLD, "To be done:"), out)?;
    for step in &plan.steps {
        out.line(format!("  {}", text::to_do(step)))?;
    }
    show_rest(&plan.left, &plan.failed, &plan.remarks, out)?;
    out.object(json!({
        "dry_run": true,
        "steps": steps(&plan.steps, text::to_do),
        "left": left(&plan.left),
        "failed": failed(&plan.failed, out.face()),
    }))?;
    Ok(code(&plan.failed))
}

fn show_outcome(outcome: &ExecuteOutcome, out: &mut Output) -> Result<u8> {
    show_heading(&outcome.done, &outcome.failed, styled(GOOD, "Done:"), out)?;
    for step in &outcome.done {
        out.line(format!("  {}", text::done(step)))?;
    }
    show_rest(&outcome.left, &outcome.failed, &outcome.remarks, out)?;
    let next = next(outcome);
    out.line(styled(BOLD, "Next steps:"))?;
    for step in &next {
        out.line(format!("  {step}"))?;
    }
    out.object(json!({
        "done": steps(&outcome.done, text::done),
        "left": left(&outcome.left),
        "failed": failed(&outcome.failed, out.face()),
        "next": next,
    }))?;
    Ok(code(&outcome.failed))
}

fn show_heading(
    steps: &[UninstallStep],
    failed: &[Failed],
    heading: String,
    out: &mut Output,
) -> Result<()> {
    match (steps.is_empty(), failed.is_empty()) {
        (false, _) => out.line(heading),
        (true, true) => out.line("There is nothing to remove."),
        // There is something to remove, but it failed.
        (true, false) => Ok(()),
    }
}

/// Returns the steps that the user must do.
fn next(outcome: &ExecuteOutcome) -> Vec<String> {
    let mut next = Vec::new();
    let restored = outcome.restored().map(|(bundle, original)| {
        let has = match original {
            Unpatched::ByHand { .. } => NextStart::ProxyByHand,
            Unpatched::Clean
            | Unpatched::Unchecked
            | Unpatched::OwnSettings
            | Unpatched::InSettings { .. } => NextStart::NoProxy,
        };
        (
            has,
            REGISTRY.open(bundle, &state_folder()).running().is_some(),
        )
    });
    // Prefer a running Docker, since that one still needs a restart.
    if let Some((has, is_running)) = restored.max_by_key(|(_, is_running)| *is_running) {
        next.push(has.sentence(is_running).to_owned());
    }
    let is_end = |step: &UninstallStep| matches!(step, UninstallStep::EndRelay(_));
    if outcome.done.iter().any(is_end) {
        let advice = "The relay has ended: a running Docker that uses it reaches nothing until you restart it.";
        next.push(advice.to_owned());
    }
    let whole = |path: PathBuf| path.canonicalize().unwrap_or(path);
    let program = env::current_exe().unwrap_or_else(|_| PathBuf::from("baleen"));
    let home = env::home_dir().unwrap_or_default();
    let last = LastStep::of(&whole(program), &whole(home), cfg!(target_os = "macos"));
    next.push(text::last_step(&last));
    next
}

fn show_rest(left: &[Left], failed: &[Failed], remarks: &[Remark], out: &mut Output) -> Result<()> {
    if !left.is_empty() {
        out.line(styled(BOLD, "Not removed:"))?;
    }
    for (what, why) in left.iter().map(text::left) {
        out.line(format!("  {what}: {why}"))?;
    }
    if !failed.is_empty() {
        out.line(styled(BAD, "Not done:"))?;
    }
    for Failed { action, error } in failed {
        let what = text::action(action);
        out.line(format!("  {what}: {error}"))?;
        if let Some(advice) = error.hint(Face::CommandLine) {
            out.line(format!("    what to do: {advice}"))?;
        }
    }
    for remark in remarks {
        out.note(text::remark(remark))?;
    }
    Ok(())
}

fn code(failed: &[Failed]) -> u8 {
    u8::from(!failed.is_empty())
}

fn steps(steps: &[UninstallStep], text: fn(&UninstallStep) -> String) -> Value {
    let one = |step: &UninstallStep| json!({ "kind": step.kind(), "what": step.what(), "text": text(step) });
    steps.iter().map(one).collect()
}

fn left(left: &[Left]) -> Value {
    let one = |(what, why)| json!({ "what": what, "why": why });
    left.iter().map(text::left).map(one).collect()
}

fn failed(failed: &[Failed], face: Face) -> Value {
    let one = |Failed { action, error }: &Failed| json!({ "what": text::action(action), "error": describe(error, face) });
    failed.iter().map(one).collect()
}
