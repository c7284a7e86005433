//! Replacing this process with another executable.

use std::env;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Replaces this process with the program at `path`, with the same arguments (`man 2 execve`). Returns only on
/// failure, and then nothing has changed.
pub(crate) fn reexec(path: &Path) {
    let mut arguments = env::args_os();
    let mut command = Command::new(path);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    let _ = command.args(arguments).exec();
}
