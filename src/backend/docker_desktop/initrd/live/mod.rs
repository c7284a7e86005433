//! Updates the running VM to match the image without restarting Docker: writes the image's block
//! into the VM's script, over the VM's console, and restarts the Engine.
//!
//! ```text
//! image --> block -----\
//!                       +--> plan --> put, restart --> LiveOutcome
//! VM --> ScriptState --/
//! ```
//!
//! The Mac logs everything that the VM prints on its console. So nothing that may hold a password
//! is printed there: scripts and variables are printed without passwords, with a salted digest to
//! compare them by.

mod edits;
pub(crate) mod error;
mod plan;
mod script_state;

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime};

use crate::backend::LiveEdit;
use crate::backend::docker_desktop::initrd::console::Console;
use crate::backend::docker_desktop::{Bundle, Vm};
use crate::digest::Sha;
use crate::initrd::find;
use crate::proxy::redact;

use super::image::image_of;
use super::image::{Image, Patched};
use super::script::{self, MAX_SCRIPT_LEN, SCRIPT, Script};

pub use edits::LiveEdits;
use error::Result;
pub use error::{EngineFound, LiveError};
use plan::{Plan, plan};
use script_state::{MASKED, ScriptState};

/// Timeout for stopping and starting the Engine: its script waits for it, and the Engine waits for
/// its containers.
const ENGINE_RESTART_TIMEOUT: Duration = Duration::from_secs(150);
/// Timeout for the Engine to appear after that.
const ENGINE_START_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum number of the script's last output lines that an error reports.
const MAX_REPORTED_LINES: usize = 3;

/// The result of a live update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveOutcome {
    /// True if the Engine was restarted. It is not restarted if it already has the right proxy.
    pub restarted: bool,
    /// Digest of the block in the script. `None` if the script is Docker's own.
    pub block: Option<Sha>,
    /// The proxy variables in the Engine's environment now, as `NAME=value`, without passwords.
    pub environment: Vec<String>,
}

/// The paths and names of files and programs in the VM.
#[derive(Debug, Clone, Copy)]
pub struct GuestPaths<'a> {
    /// The script that starts the Engine.
    pub script: &'a str,
    /// The file with the process ID of the Engine.
    pub pid: &'a str,
    /// Names of the Engine's program, used to find its process if that file does not exist.
    pub programs: &'a [&'a str],
}

impl GuestPaths<'static> {
    /// The paths in Moby's VM.
    pub(crate) const MOBY: Self = Self {
        script: "/etc/init.d/docker",
        pid: "/var/run/docker.pid",
        // The names from 1.12 on, and before.
        programs: &["dockerd", "docker"],
    };
}

/// Updates the running `vm` of `bundle` to match the image: its script gets the same block, or
/// none, and the Engine is restarted with it. With `adopt`, Baleen takes over a proxy that someone
/// else wrote into the VM's script. The edit is recorded in the file of [`LiveEdits`] in `state`.
/// If `cancel` is set, the update stops at the next step.
///
/// # Errors
/// When the console can't be used, or the script in the VM is unknown. The error says what was
/// done.
pub(crate) fn apply_live(
    bundle: &Bundle,
    vm: &Vm,
    adopt: bool,
    state: &Path,
    cancel: &AtomicBool,
) -> Result<LiveOutcome> {
    apply_live_in(bundle, vm, GuestPaths::MOBY, adopt, state, cancel)
}

/// Does the same for a VM with these paths.
///
/// # Errors
/// See `apply_live`.
pub fn apply_live_in(
    bundle: &Bundle,
    vm: &Vm,
    places: GuestPaths<'_>,
    adopt: bool,
    state: &Path,
    cancel: &AtomicBool,
) -> Result<LiveOutcome> {
    let block = block_of(bundle)?;
    let console = vm.console.as_deref().ok_or_else(|| LiveError::NoConsole {
        version: bundle.version.clone(),
    })?;
    let mut console = Console::open(console, cancel)?;
    let note = |is_open| {
        let edit = LiveEdit {
            revision: block.as_deref().map(Sha::of),
            at: SystemTime::now(),
            is_open,
        };
        if let Err(error) = LiveEdits::in_folder(state).set(&bundle.path, vm, edit) {
            tracing::warn!("could not note what was edited in the running VM: {error}");
        }
    };
    let begin = &mut || note(true);
    let followed = follow_noting(&mut console, places, block.as_deref(), adopt, begin)?;
    if followed.restarted || !is_known(bundle, vm, followed.block, state) {
        note(false);
    }
    Ok(followed)
}

/// Returns whether the VM is known to have `block` without another entry in the record.
fn is_known(bundle: &Bundle, vm: &Vm, block: Option<Sha>, state: &Path) -> bool {
    match LiveEdits::in_folder(state).get(&bundle.path, vm) {
        Some(edit) => edit.gives(block),
        None => {
            let image = image_of(bundle).and_then(Image::open);
            image.is_ok_and(|image| vm.since.is_some_and(|since| since >= image.since()))
        }
    }
}

/// Returns the block in the image's script.
fn block_of(bundle: &Bundle) -> Result<Option<script::SecretBytes>> {
    let image = Image::open(image_of(bundle)?)?;
    let script = match image.patched()? {
        Patched::No => return Ok(None),
        Patched::Appended { script, .. } => script,
        Patched::Rebuilt { .. } => {
            let found = find::find(image.section(), SCRIPT.as_bytes(), MAX_SCRIPT_LEN);
            let (_, found) = found.map_err(|error| image.damaged(error))?;
            found
                .and_then(|found| found.body)
                .unwrap_or_default()
                .into()
        }
    };
    match Script::parse(&script)?.block() {
        Some(block) => Ok(Some(block.to_vec().into())),
        None => Err(LiveError::NoBlock),
    }
}

/// Does the same with an open console.
///
/// # Errors
/// See `apply_live`.
pub fn apply_live_at(
    console: &mut Console<'_>,
    places: GuestPaths<'_>,
    block: Option<&[u8]>,
    adopt: bool,
) -> Result<LiveOutcome> {
    follow_noting(console, places, block, adopt, &mut || {})
}

/// Does the same, and calls `begin` before the first change.
fn follow_noting(
    console: &mut Console<'_>,
    places: GuestPaths<'_>,
    block: Option<&[u8]>,
    adopt: bool,
    begin: &mut dyn FnMut(),
) -> Result<LiveOutcome> {
    let seen = ScriptState::read(console, places)?;
    let done = |restarted, seen: &ScriptState| LiveOutcome {
        restarted,
        block: block.map(Sha::of),
        environment: seen.environment(),
    };
    let script = match plan(&seen, block, adopt)? {
        Plan::Nothing => return Ok(done(false, &seen)),
        Plan::Restart => None,
        Plan::Edit(script) => Some(script),
    };
    begin();
    if let Some(script) = script {
        console.stay()?;
        console.put(places.script, &script)?;
    }
    let said = restart(console, places)?;
    let until = Instant::now() + ENGINE_START_TIMEOUT;
    loop {
        let now = ScriptState::read(console, places)?;
        if now.has_engine() && plan(&now, block, adopt)? == Plan::Nothing {
            return Ok(done(true, &now));
        }
        if Instant::now() >= until {
            return Err(not_as_wanted(&now, said));
        }
    }
}

/// Stops and starts the Engine. Returns the last lines of the script's output.
fn restart(console: &mut Console<'_>, places: GuestPaths<'_>) -> Result<String> {
    let script = places.script;
    // The output goes into a file, since the started process may keep the other end of a pipe open.
    let said = "/tmp/.baleen-said";
    console.stay()?;
    let answer = console
        .run(
            &format!(
                "{{ {script} stop;{script} start;}} >{said} 2>&1;tail -n {MAX_REPORTED_LINES} {said}|{MASKED};rm -f {said}"
            ),
            ENGINE_RESTART_TIMEOUT,
        )
        .map_err(|source| LiveError::Restart { source })?;
    let said = String::from_utf8_lossy(&answer.text);
    let lines = said.lines().map(redact);
    Ok(lines.collect::<Vec<_>>().join("; "))
}

/// The error for an Engine that has the wrong proxy, or does not run, after its restart.
fn not_as_wanted(now: &ScriptState, said: String) -> LiveError {
    let environment = now.environment();
    LiveError::OtherProxy(match now.has_engine() {
        false => EngineFound::NotRunning { said },
        true if environment.is_empty() => EngineFound::NoProxy,
        true => EngineFound::Proxy(environment),
    })
}
