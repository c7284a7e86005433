//! `--live`: lets `apply` and `restore` update the running VM after the boot image.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;
use serde_json::{Value, json};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::backend::{Activation, Backend};
use crate::error::{Error, Face, Failure, Fix, Hint, Kind, Result};
use crate::service::{self, LiveLock};

use super::error::CliError;
use super::next_start::NextStart;
use super::output::{GOOD, Output, styled};
use super::state_folder;

/// Options for the running VM.
#[derive(Debug, Args)]
pub(crate) struct LiveArgs {
    /// Update the running VM too, through its console, and restart the Engine in it. This takes seconds, where a restart
    /// of Docker takes longer. Containers stop, so it asks first
    #[arg(long)]
    pub(super) live: bool,
    /// Don't ask for confirmation
    #[arg(long, requires = "live")]
    pub(super) yes: bool,
}

/// Question that the user must agree to.
const QUESTION: &str = "This restarts the Docker Engine if it needs the change; running containers will stop. Continue? [y/N] ";

/// The error of a live update, which follows a change of the boot image.
#[derive(Debug, thiserror::Error)]
#[error("the boot image is done, but the running VM is not: {0}")]
struct NotLive(#[source] Error);

impl Failure for NotLive {
    fn kind(&self) -> Kind {
        self.0.kind()
    }

    fn code(&self) -> &'static str {
        self.0.code()
    }

    fn fix(&self) -> Option<Fix> {
        self.0.fix()
    }
}

impl Hint for NotLive {
    fn hint(&self, face: Face) -> Option<String> {
        let advice = self.0.hint(face);
        advice.or_else(|| Some("restart Docker instead".to_owned()))
    }
}

/// The user's consent, which is asked for before any change.
#[derive(Debug)]
pub(super) struct Consent {
    /// True if the running VM should be updated.
    is_live: bool,
    /// True if its Engine may be restarted. Without a running VM, the user was not asked.
    may_restart: bool,
    /// The lock that shows the menu-bar app that both changes belong together. Without it, the app would
    /// report a restart as needed that is unnecessary a little later.
    _under_way: Option<LiveLock>,
}

impl Consent {
    /// Returns whether Docker may be quit, and opened again.
    pub(super) fn may_quit(&self) -> bool {
        self.is_live && self.may_restart
    }
}

/// Asks the user for consent; returns nothing if the user refuses.
pub(super) fn agree(
    args: &LiveArgs,
    backend: &dyn Backend,
    out: &mut Output,
) -> Result<Option<Consent>> {
    let agreed = |may_restart| {
        let sign = || LiveLock::begin(&state_folder()).ok();
        Some(Consent {
            is_live: args.live,
            may_restart,
            _under_way: args.live.then(sign).flatten(),
        })
    };
    if !args.live || args.yes {
        return Ok(agreed(args.yes));
    }
    let can_ask = out.can_ask();
    if !can_ask {
        return Err(CliError::NotConfirmed.into());
    }
    // What a running engine takes over its socket stops nothing.
    if backend
        .running()
        .is_none_or(|running| running.tells_settings)
    {
        return Ok(agreed(false));
    }
    if out.agrees(QUESTION)? {
        return Ok(agreed(true));
    }
    out.line("Nothing was changed.")?;
    Ok(None)
}

/// Returns whether the engine keeps its proxy in settings of its own, which a change has activated already.
fn has_own_settings(backend: &dyn Backend) -> bool {
    backend
        .engine()
        .is_ok_and(|engine| !engine.capabilities.live)
}

/// Updates the running VM to match the boot image, and returns the result for JSON.
pub(super) fn apply_live(
    agreed: &Consent,
    adopt: bool,
    backend: &dyn Backend,
    has: NextStart,
    out: &mut Output,
) -> Result<Value> {
    if !agreed.is_live {
        return Ok(Value::Null);
    }
    if backend.running().is_none() {
        out.line(has.sentence(false))?;
        return Ok(json!({ "running": false }));
    }

    if has_own_settings(backend) {
        return Ok(json!({ "running": true, "restarted": false, "environment": null }));
    }
    if !agreed.may_restart {
        out.line("Docker started in the meantime and may be using the old boot image. Run the command again, or restart Docker.")?;
        return Ok(json!({ "running": true, "restarted": false, "environment": null }));
    }
    out.line("Bringing the running VM up to date…")?;
    // On a signal, restore the terminal and log out of the VM before ending.
    let cancel = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        flag::register(signal, cancel.clone()).map_err(CliError::Signals)?;
    }
    let activation = service::apply_live(backend, adopt, &cancel).map_err(NotLive)?;
    let (restarted, environment) = match activation {
        Activation::NotRunning => {
            out.line(has.sentence(false))?;
            return Ok(json!({ "running": false }));
        }
        Activation::UpToDate { environment } => (false, environment),
        Activation::Restarted { environment } => (true, environment),
    };
    let done = styled(GOOD, "Done.");
    out.line(match restarted {
        true => format!("{done} The Engine was restarted; Docker and its VM went on running."),
        false => format!("{done} The running Engine was up to date already."),
    })?;
    match &*environment {
        [] => out.line("  it has no proxy now")?,
        variables => {
            for variable in variables {
                out.line(format!("  it has    {variable}"))?;
            }
        }
    }
    Ok(json!({
        "running": true,
        "restarted": restarted,
        "environment": environment,
    }))
}
