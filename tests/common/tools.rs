//! Real tools that tests compare with. Where one is missing the test says so and passes; but in CI on
//! Linux, where all of them are available, that is a failure, since it would take tests away unseen.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

/// Whether the tool `name` can be run. Says `skipped: NAME` where it can't.
pub(crate) fn has_tool(name: &str) -> bool {
    tool(name, "").is_some()
}

/// The tool `name`, whose version names it `word`, or nothing where that is not installed; the caller
/// then leaves its test.
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

/// Where the program `name` is.
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

/// Whether this process runs the test `name` of the module `module`, which is `module_path!()`, and no other. Where it
/// does not, one that does has run it by now, and the test is over.
///
/// For tests that let go of a file's lock and need it free right after that: a program that another test starts has a
/// copy of it until it is loaded.
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

/// Says something to who reads the run, also of a test that passes: what `println!` says is kept back then.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// What `command` prints when it is given `input`; it has to succeed.
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
