//! The preferences that macOS keeps for the app.

use std::process::{Command, Stdio};

/// Deletes the preferences with the system's `defaults` (`man 1 defaults`): a system process keeps
/// them in memory, and would write the file again if only the file were deleted.
pub(super) fn forget(identifier: &str) {
    // This fails if there are no preferences. The file is removed in any case.
    let _ = Command::new("/usr/bin/defaults")
        .args(["delete", identifier])
        .stdin(Stdio::null())
        .output();
}
