//! What would have to be done in a running VM: a pure function of what was seen there.

use zeroize::Zeroizing;

use crate::error::{Error, Fix, Kind, Result};
use crate::patch::script::{Script, SecretBytes};
use crate::patch::shell;

use super::script_state::{MASK, ScriptState, Variable};

/// What has to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Nothing: script and Engine are as they should be.
    Nothing,
    /// The script is as it should be, and the Engine was started by another.
    Restart,
    /// The script becomes this one, and the Engine is started by it.
    Edit(SecretBytes),
}

/// Makes the plan that gives the VM's script `block`, or none, and the Engine what that says.
///
/// # Errors
/// [`Kind::Unsupported`] when the script is not one that is known, or someone else's proxy is in it.
pub(super) fn plan(seen: &ScriptState, block: Option<&[u8]>, adopt: bool) -> Result<Plan> {
    // Between the marks may be a password, which has not been read.
    let present = with_block(&seen.stock, &seen.marks);
    let script = Script::parse(&present).map_err(in_the_vm)?;
    let foreign = script.foreign();
    let wanted = match block {
        // As for the image: a refusal that names the lines, unless they may be taken over.
        Some(block) => {
            let block = String::from_utf8_lossy(block);
            script.with_block(&block, adopt).map_err(in_the_vm)?
        }
        None => script.stock().clone(),
    };
    if seen.salt.digest(&wanted) != seen.digest {
        // What has to be written has to be known to the last byte.
        if seen.salt.digest(script.stock()) != seen.stock_digest {
            return Err(in_the_vm(Error::new(
                Kind::Unsupported,
                format!(
                    "it seems to have a password in it that Baleen did not write, where it shows {MASK}, and what it reads on the console is logged"
                ),
            )));
        }
        return Ok(Plan::Edit(wanted));
    }
    let variables = seen.variables.as_deref().unwrap_or_default();
    let is_right = match block {
        // The names in capitals: Go looks at them first, and nothing else in the script sets them.
        Some(block) => {
            let digests: Vec<String> = exported(block)
                .iter()
                .map(|line| seen.salt.digest(line.as_bytes()))
                .collect();
            let has = |digest: &String| variables.iter().any(|v| v.digest == *digest);
            let is_more = |v: &Variable| {
                ["HTTP_PROXY=", "HTTPS_PROXY=", "NO_PROXY="]
                    .iter()
                    .any(|name| v.shown.starts_with(name))
                    && !digests.contains(&v.digest)
            };
            digests.iter().all(has) && !variables.iter().any(is_more)
        }
        None => {
            let is_capital = |shown: &str| shown.starts_with(|c: char| c.is_ascii_uppercase());
            !foreign.is_empty() || !variables.iter().any(|v| is_capital(&v.shown))
        }
    };
    Ok(match seen.has_engine() && is_right {
        true => Plan::Nothing,
        false => Plan::Restart,
    })
}

/// The script with its block after the first line, where the image has it.
fn with_block(stock: &[u8], block: &[u8]) -> SecretBytes {
    let first = stock
        .iter()
        .position(|&byte| byte == b'\n')
        .map_or(stock.len(), |end| end + 1);
    [&stock[..first], block, &stock[first..]].concat().into()
}

/// The variables with names in capitals that a block exports, as `NAME=value`.
fn exported(block: &[u8]) -> Vec<Zeroizing<String>> {
    let block = String::from_utf8_lossy(block);
    let words = block.lines().filter_map(shell::plain_words).flatten();
    words
        .filter(|word| word.starts_with(|c: char| c.is_ascii_uppercase()) && word.contains('='))
        .map(Zeroizing::new)
        .collect()
}

/// The same refusal, of the script in the VM.
fn in_the_vm(error: Error) -> Error {
    let advice = match error.fix() {
        Some(Fix::Adopt) => {
            "apply with --adopt --live to have Baleen take these lines over, or restart Docker instead"
        }
        _ => "restart Docker instead, so that its VM starts from the boot image",
    };
    let what = "the script in the running VM was left as it is";
    error.context(what).with_hint(advice)
}
