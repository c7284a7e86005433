//! What the system keeps for the app by itself.

use std::process::{Command, Stdio};

/// Has the system forget it (`man 1 defaults`): it is kept in memory by a process of its own, which would write the file
/// again.
pub(super) fn forget(identifier: &str) {
    // Where there is nothing to forget that is an error, too. The file goes in any case.
    let _ = Command::new("/usr/bin/defaults")
        .args(["delete", identifier])
        .stdin(Stdio::null())
        .output();
}
