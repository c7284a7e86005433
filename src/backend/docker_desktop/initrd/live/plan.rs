//! Plans the update of a running VM: a pure function of the state that was read from it.

use zeroize::Zeroizing;

use crate::backend::docker_desktop::initrd::script::{Script, SecretBytes};
use crate::backend::docker_desktop::initrd::shell;

use super::error::{LiveError, Result};
use super::script_state::{ScriptState, Variable};

/// The action that the VM needs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// None: the script and the Engine are up to date.
    Nothing,
    /// Restart the Engine: the script is up to date, but another version of it started the Engine.
    Restart,
    /// Replace the script by this one, and restart the Engine.
    Edit(SecretBytes),
}

/// Plans the update that gives the VM's script `block`, or none, and the Engine the proxy in it.
///
/// # Errors
/// When the script is unknown, or holds someone else's proxy.
pub(super) fn plan(seen: &ScriptState, block: Option<&[u8]>, adopt: bool) -> Result<Plan> {
    let in_vm = |source| LiveError::Script { source };
    // The lines between the markers were not read, because they may hold a password.
    let present = with_block(&seen.stock, &seen.marks);
    let script = Script::parse(&present).map_err(in_vm)?;
    let foreign = script.foreign();
    let wanted = match block {
        // As for the image: the error names the foreign lines unless Baleen may take them over.
        Some(block) => {
            let block = String::from_utf8_lossy(block);
            script.with_block(&block, adopt).map_err(in_vm)?
        }
        None => script.stock().clone(),
    };
    if seen.salt.digest(&wanted) != seen.digest {
        // A script can only be rewritten if every byte of it is known.
        if seen.salt.digest(script.stock()) != seen.stock_digest {
            return Err(LiveError::ForeignPassword);
        }
        return Ok(Plan::Edit(wanted));
    }
    let variables = seen.variables.as_deref().unwrap_or_default();
    let is_right = match block {
        // Only upper-case names count: Go reads them first, and nothing else in the script sets
        // them.
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

/// Inserts the block after the script's first line, where the image has it.
fn with_block(stock: &[u8], block: &[u8]) -> SecretBytes {
    let first = stock
        .iter()
        .position(|&byte| byte == b'\n')
        .map_or(stock.len(), |end| end + 1);
    [&stock[..first], block, &stock[first..]].concat().into()
}

/// Returns the variables with upper-case names that a block exports, as `NAME=value`.
fn exported(block: &[u8]) -> Vec<Zeroizing<String>> {
    let block = String::from_utf8_lossy(block);
    let words = block.lines().filter_map(shell::plain_words).flatten();
    words
        .filter(|word| word.starts_with(|c: char| c.is_ascii_uppercase()) && word.contains('='))
        .map(Zeroizing::new)
        .collect()
}
