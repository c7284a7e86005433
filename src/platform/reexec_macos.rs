//! This program once more, by another name.

use std::env;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Goes on as the program at `path`, with the same arguments: the same process, from the start (`man 2 execve`). It
/// returns only where that can't be, and then all is as before.
pub(crate) fn reexec(path: &Path) {
    let mut arguments = env::args_os();
    let mut command = Command::new(path);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    let _ = command.args(arguments).exec();
}
