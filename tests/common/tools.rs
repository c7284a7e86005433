//! Real tools that tests compare with. Where one is missing the test says so and passes, but for
//! CI, which installs them all: there it fails.

use std::process::{Command, Stdio};

/// Whether `tool` can be run. Says `skipped: NAME` where it can't.
pub(crate) fn has_tool(tool: &str) -> bool {
    let found = Command::new(tool)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if found.is_ok() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "{tool} is not installed");
    println!("skipped: {tool}");
    false
}
