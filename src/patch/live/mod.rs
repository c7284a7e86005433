//! The running VM follows the image, without a restart of Docker: its script gets the block that the image's script has,
//! over the VM's console, and the Engine in it is started again.
//!
//! ```text
//! image --> block --\
//!                    +--> plan --> put, restart --> what the Engine has now
//! VM --> Seen ------/
//! ```
//!
//! What the VM prints on its console is logged on the Mac. So nothing is printed there that may hold a password: scripts and
//! variables come without it, beside a salted digest by which they are compared.

mod edits;
mod live_lock;
mod plan;
mod script_state;

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime};

use crate::docker::console::Console;
use crate::docker::{Bundle, Vm};
use crate::error::{Error, Kind, Result};
use crate::initrd::find;
use crate::patch::digest::Sha;
use crate::proxy::redact;

use super::image::{Image, Patched};
use super::plan::image_of;
use super::script::{self, MAX_SCRIPT_LEN, SCRIPT, Script};

pub use edits::{LiveEdit, LiveEdits};
pub use live_lock::LiveLock;
use plan::{Plan, plan};
use script_state::{MASKED, ScriptState};

/// How long the Engine may take to stop and to start: its script waits for it, and so do its containers.
const ENGINE_RESTART_TIMEOUT: Duration = Duration::from_secs(150);
/// How long it may take to be there after that.
const ENGINE_START_TIMEOUT: Duration = Duration::from_secs(30);
/// How many of the last lines of what the script said are told where it failed.
const MAX_REPORTED_LINES: usize = 3;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveOutcome {
    /// Whether the Engine was restarted; it is not where it has what it should have.
    pub restarted: bool,
    /// Digest of the block in the script; none where that is Docker's own.
    pub block: Option<Sha>,
    /// What the Engine has in its environment now, as `NAME=value`, without passwords.
    pub environment: Vec<String>,
}

/// Where things are in the VM.
#[derive(Debug, Clone, Copy)]
pub struct GuestPaths<'a> {
    /// The script that starts the Engine.
    pub script: &'a str,
    /// The file with the number of the Engine's process.
    pub pid: &'a str,
    /// What the Engine's program is called, by which it is found where there is no such file.
    pub programs: &'a [&'a str],
}

impl GuestPaths<'static> {
    /// In Moby's VM.
    pub const MOBY: Self = Self {
        script: "/etc/init.d/docker",
        pid: "/var/run/docker.pid",
        // From 1.12 on, and before.
        programs: &["dockerd", "docker"],
    };
}

/// Has the running `vm` of `bundle` follow the image: the same block in its script, or none, and the Engine started with it.
/// With `adopt` a proxy that someone else wrote into the VM's script is taken over. It is recorded in the file of
/// [`LiveEdits`] in `state`. With `cancel` set it stops at the next step.
///
/// # Errors
/// When the console can't be used, or the script in the VM is not one that is known. What was done is told.
pub fn apply_live(
    bundle: &Bundle,
    vm: &Vm,
    adopt: bool,
    state: &Path,
    cancel: &AtomicBool,
) -> Result<LiveOutcome> {
    follow_in(bundle, vm, GuestPaths::MOBY, adopt, state, cancel)
}

/// The same, of a VM that has its things at these places.
///
/// # Errors
/// See [`apply_live`].
pub fn follow_in(
    bundle: &Bundle,
    vm: &Vm,
    places: GuestPaths<'_>,
    adopt: bool,
    state: &Path,
    cancel: &AtomicBool,
) -> Result<LiveOutcome> {
    let block = block_of(bundle)?;
    let console = vm.console.as_deref().ok_or_else(|| {
        Error::new(
            Kind::Unsupported,
            format!(
                "the VM of Docker {} has no console that Baleen knows, so it can't be brought up to date while it runs",
                bundle.version
            ),
        )
        .with_hint("restart Docker instead")
    })?;
    let mut console = Console::open(console, cancel)?;
    let note = |is_open| {
        let edit = LiveEdit {
            block: block.as_deref().map(Sha::of),
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

/// Whether that the VM's Engine has `block` is to be seen without another note of it.
fn is_known(bundle: &Bundle, vm: &Vm, block: Option<Sha>, state: &Path) -> bool {
    match LiveEdits::in_folder(state).get(&bundle.path, vm) {
        Some(edit) => edit.gives(block),
        None => {
            let image = image_of(bundle).and_then(Image::open);
            image.is_ok_and(|image| vm.since.is_some_and(|since| since >= image.since()))
        }
    }
}

/// The block in the image's script.
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
        None => Err(Error::new(
            Kind::Unsupported,
            format!("/{SCRIPT} in the boot image should have the proxy in it, but has not"),
        )
        .with_hint("another tool changed it; apply again, or install Docker again")),
    }
}

/// The same at an open console.
///
/// # Errors
/// See [`apply_live`].
pub fn follow_at(
    console: &mut Console<'_>,
    places: GuestPaths<'_>,
    block: Option<&[u8]>,
    adopt: bool,
) -> Result<LiveOutcome> {
    follow_noting(console, places, block, adopt, &mut || {})
}

/// The same; `begin` is called before anything is changed.
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
            return Err(not_as_wanted(&now, &said));
        }
    }
}

/// Stops the Engine and starts it again; the last lines of what its script said.
fn restart(console: &mut Console<'_>, places: GuestPaths<'_>) -> Result<String> {
    let script = places.script;
    // Into a file, since what is started may keep the other end of a pipe open.
    let said = "/tmp/.baleen-said";
    console.stay()?;
    let answer = console
        .run(
            &format!(
                "{{ {script} stop;{script} start;}} >{said} 2>&1;tail -n {MAX_REPORTED_LINES} {said}|{MASKED};rm -f {said}"
            ),
            ENGINE_RESTART_TIMEOUT,
        )
        .map_err(|error| {
            error.context("its Engine was being stopped and started again, with the script up to date")
        })?;
    let said = String::from_utf8_lossy(&answer.text);
    let lines = said.lines().map(redact);
    Ok(lines.collect::<Vec<_>>().join("; "))
}

/// The error when the Engine has not what it should have after its restart.
fn not_as_wanted(now: &ScriptState, said: &str) -> Error {
    let found = match now.has_engine() {
        false => format!("it is not running (its script said: {said})"),
        true => match &*now.environment() {
            [] => "it has no proxy".to_owned(),
            environment => format!("it has {}", environment.join(", ")),
        },
    };
    Error::new(
        Kind::Failure,
        format!(
            "the script in the running VM was brought up to date and the Engine restarted, but it has not what the boot image says: {found}"
        ),
    )
    .with_hint("restart Docker, so that its VM starts from the boot image")
}
