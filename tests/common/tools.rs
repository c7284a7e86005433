//! Real tools that tests compare with. If one is missing, the test says so and passes. In CI on Linux, where all of
//! them are available, that is a failure, since tests would be skipped unnoticed.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

/// Returns whether the tool `name` can be run. Prints `skipped: NAME` if it can't.
pub(crate) fn has_tool(name: &str) -> bool {
    tool(name, "").is_some()
}

/// The tool `name`, whose version output contains `word`, or `None` if it is not installed; the caller then skips its
/// test.
pub(crate) fn tool(name: &str, word: &str) -> Option<Command> {
    let version = Command::new(name)
        .arg("--version")
        .stdin(Stdio::null())
        .output();
    if version.is_ok_and(|version| {
        let said = [version.stdout, version.stderr].concat();
        String::from_utf8_lossy(&said).contains(word)
    }) {
        return Some(Command::new(name));
    }
    let shown = if word.is_empty() { name } else { word };
    assert!(
        std::env::var_os("CI").is_none() || !cfg!(target_os = "linux"),
        "{shown} is not installed, and the tests need it in CI"
    );
    tell(&format!("skipped: {shown}"));
    None
}

/// The path of the program `name`.
pub(crate) fn which(name: &str) -> PathBuf {
    std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("no {name}"))
}

/// The digest, in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The name of the test `name` in the module `module`, which is `module_path!()`, as the test binary lists it.
pub(crate) fn test_name(module: &str, name: &str) -> String {
    let (_binary, path) = module.split_once("::").unwrap();
    format!("{path}::{name}")
}

/// Returns whether this process runs only the test `name` of the module `module`, which is `module_path!()`. If not, it
/// first runs that test in a separate process, and the caller is done.
///
/// For tests that release a file's lock and need it free right after that: a program that another test starts holds a
/// copy of the lock until it is loaded.
#[track_caller]
pub(crate) fn is_alone(module: &str, name: &str) -> bool {
    const ALONE: &str = "BALEEN_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &test_name(module, name), "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

/// Prints a message for the reader of the run, even if the test passes: `println!` output is hidden then.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The output of `command` when it is given `input`; it must succeed.
#[track_caller]
pub(crate) fn said(command: &mut Command, input: Vec<u8>) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(&input).unwrap());
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "{command:?}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}
