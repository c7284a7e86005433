//! What is to be seen of the script and the Engine in a running VM.

use std::time::Duration;

use crate::docker::console::{Console, Salt};
use crate::error::{Error, Kind, Result};

use super::GuestPaths;

/// How long a look at something may take in a VM that is busy.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What stands for something that may be a password.
pub(super) const MASK: &str = "***";

/// `sed` without what may be a password in a URL, or before the host of a proxy without one; lines that go on in the next are
/// one, and a byte is a letter, whatever language the VM speaks.
pub(super) const MASKED: &str = r"LC_ALL=C sed -e :a -e '/\\$/{' -e '$!{' -e N -e ba -e '}' -e '}' -e '/_[pP][rR][oO][xX][yY]=/s#=\([^a-zA-Z0-9]*[a-zA-Z0-9]*://\)\{0,1\}.*@#=\1***@#' -e 's#//.*@#//***@#'";
/// `sed` without Baleen's block.
const STOCK: &str = r"LC_ALL=C sed '/^[[:space:]]*# >>> baleen/,/^[[:space:]]*# <<< baleen/d'";

/// What was seen.
#[derive(Debug)]
pub(super) struct ScriptState {
    pub(super) salt: Salt,
    /// The script without Baleen's block, and without passwords.
    pub(super) stock: Vec<u8>,
    /// The first and the last line of the block, with nothing between.
    pub(super) marks: Vec<u8>,
    /// Digest of the script without the block, as it is.
    pub(super) stock_digest: String,
    /// Digest of the whole script.
    pub(super) digest: String,
    /// The variables of the Engine; nothing where none runs.
    pub(super) variables: Option<Vec<Variable>>,
}

/// A variable in the Engine's environment that makes a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    /// Digest of `NAME=value`.
    pub(super) digest: String,
    /// The same, without a password.
    pub(super) shown: String,
}

impl ScriptState {
    /// Looks at a VM.
    pub(super) fn read(console: &mut Console<'_>, places: GuestPaths<'_>) -> Result<Self> {
        let script = places.script;
        let salt = Salt::random()?;
        let stock = console.run(&format!("{STOCK} {script}|{MASKED}"), TIMEOUT)?;
        let there = console.run(&format!("test -f {script} -a ! -h {script}"), TIMEOUT)?;
        if there.code != 0 {
            return Err(Error::new(
                Kind::Unsupported,
                format!("the running VM should have {script} as a file, but has not"),
            )
            .with_hint("it is not a VM that Baleen knows; restart Docker instead"));
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

    /// Whether there is an Engine.
    pub(super) fn has_engine(&self) -> bool {
        self.variables.is_some()
    }

    /// The Engine's variables, as they may be shown.
    pub(super) fn environment(&self) -> Vec<String> {
        let variables = self.variables.iter().flatten();
        variables.map(|variable| variable.shown.clone()).collect()
    }
}

/// The variables of the Engine that make a proxy, from `/proc`; nothing where none runs.
fn variables(
    console: &mut Console<'_>,
    places: GuestPaths<'_>,
    salt: &Salt,
) -> Result<Option<Vec<Variable>>> {
    // Its own file says which process it is: in a container may run another one of its name. But the number of one that
    // ended without a word may be another's by now. The file ends with no line.
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
