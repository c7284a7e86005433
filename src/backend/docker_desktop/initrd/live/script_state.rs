//! The observed state of the script and the Engine in a running VM.

use std::time::Duration;

use crate::backend::docker_desktop::initrd::console::{Console, Salt};

use super::GuestPaths;
use super::error::{LiveError, Result};

/// Timeout for one read in a busy VM.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Placeholder for text that may be a password.
pub(super) const MASK: &str = "***";

/// A `sed` command that hides a possible password in a URL, or before the host of a proxy without a
/// scheme. It joins lines that continue in the next one, and treats each byte as a letter, whatever
/// the VM's locale is.
pub(super) const MASKED: &str = r"LC_ALL=C sed -e :a -e '/\\$/{' -e '$!{' -e N -e ba -e '}' -e '}' -e '/_[pP][rR][oO][xX][yY]=/s#=\([^a-zA-Z0-9]*[a-zA-Z0-9]*://\)\{0,1\}.*@#=\1***@#' -e 's#//.*@#//***@#'";
/// A `sed` command that removes Baleen's block.
const STOCK: &str = r"LC_ALL=C sed '/^[[:space:]]*# >>> baleen/,/^[[:space:]]*# <<< baleen/d'";

/// The observed state.
#[derive(Debug)]
pub(super) struct ScriptState {
    pub(super) salt: Salt,
    /// The script without Baleen's block, and without passwords.
    pub(super) stock: Vec<u8>,
    /// The first and last line of the block, without the lines between them.
    pub(super) marks: Vec<u8>,
    /// Digest of the script without the block, but with passwords.
    pub(super) stock_digest: String,
    /// Digest of the whole script.
    pub(super) digest: String,
    /// The proxy variables of the Engine. `None` if no Engine runs.
    pub(super) variables: Option<Vec<Variable>>,
}

/// A proxy variable in the Engine's environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    /// Digest of `NAME=value`.
    pub(super) digest: String,
    /// The variable as `NAME=value`, without a password.
    pub(super) shown: String,
}

impl ScriptState {
    /// Reads the state from a VM.
    pub(super) fn read(console: &mut Console<'_>, places: GuestPaths<'_>) -> Result<Self> {
        let script = places.script;
        let salt = Salt::random()?;
        let stock = console.run(&format!("{STOCK} {script}|{MASKED}"), TIMEOUT)?;
        let there = console.run(&format!("test -f {script} -a ! -h {script}"), TIMEOUT)?;
        if there.code != 0 {
            let script = script.to_owned();
            return Err(LiveError::NoScript { script });
        }
        let marks = console.run(
            &format!("grep -E '^[[:space:]]*# (>>>|<<<) baleen' {script}|{MASKED}"),
            TIMEOUT,
        )?;
        let stock_digest = console.digest(&salt, &format!("{STOCK} {script}"))?;
        let digest = console.digest(&salt, &format!("cat {script}"))?;
        let variables = variables(console, places, &salt)?;
        Ok(Self {
            salt,
            stock: stock.text,
            marks: marks.text,
            stock_digest,
            digest,
            variables,
        })
    }

    /// Returns whether an Engine runs.
    pub(super) fn has_engine(&self) -> bool {
        self.variables.is_some()
    }

    /// Returns the Engine's variables, without passwords.
    pub(super) fn environment(&self) -> Vec<String> {
        let variables = self.variables.iter().flatten();
        variables.map(|variable| variable.shown.clone()).collect()
    }
}

/// Reads the Engine's proxy variables from `/proc`. Returns `None` if no Engine runs.
fn variables(
    console: &mut Console<'_>,
    places: GuestPaths<'_>,
    salt: &Salt,
) -> Result<Option<Vec<Variable>>> {
    // Prefer the PID file: a container may run another process of the same name. But if the Engine
    // crashed, another process may have its number by now. The file has no newline at its end.
    let found: String = places
        .programs
        .iter()
        .map(|name| format!(";echo;pidof {name}"))
        .collect();
    let engine = format!(
        "n=;for n in $({{ cat {}{found};}} 2>/dev/null);do grep -qxE '{}' /proc/$n/comm&&break;n=;done;e=/proc/$n/environ",
        places.pid,
        places.programs.join("|"),
    );
    let lines = "tr '\\0' '\\n' <$e|grep -iE '^(https?|no|all)_proxy='|LC_ALL=C sort";
    let shown = console.run(
        &format!("{engine};test -r $e&&{{ {lines}|{MASKED};:;}}"),
        TIMEOUT,
    )?;
    if shown.code != 0 {
        return Ok(None);
    }
    let shown = String::from_utf8_lossy(&shown.text).into_owned();
    let mut variables = Vec::new();
    for (index, shown) in shown.lines().enumerate() {
        let line = format!("{engine};{lines}|sed -n {}p|tr -d '\\n'", index + 1);
        variables.push(Variable {
            digest: console.digest(salt, &line)?,
            shown: shown.to_owned(),
        });
    }
    Ok(Some(variables))
}
