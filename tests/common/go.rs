//! The answers of real Go: Debian's `go`, asked through the program in `tests/rules/go`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::common::tools;

/// The variables of an environment, with their values.
pub(crate) type Env = Vec<(&'static str, String)>;

/// Returns, for each environment and each of its URLs, the proxy that `net/http` takes, or nothing for a direct
/// connection. Returns nothing at all, with a message, if Go is not installed.
///
/// Debian 12 has Go 1.19: its rules are those since 1.11, except for `https://` without `HTTPS_PROXY`, which fell back
/// to `HTTP_PROXY` until 1.15.
pub(crate) fn judge(cases: &[(Env, Vec<String>)]) -> Option<Vec<Vec<Option<String>>>> {
    let program = program()?;
    let mut input = Vec::new();
    for (env, urls) in cases {
        let env: serde_json::Map<String, Value> = env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone().into()))
            .collect();
        serde_json::to_writer(&mut input, &json!({ "env": env, "urls": urls })).unwrap();
        input.push(b'\n');
    }
    let said = tools::said(&mut Command::new(program), input);
    let answers: Vec<Vec<Option<String>>> = said
        .lines()
        .map(|line| {
            serde_json::from_str(line).unwrap_or_else(|_| panic!("Go refused a URL: {line}"))
        })
        .collect();
    assert_eq!(answers.len(), cases.len());
    Some(answers)
}

/// The program, built once per process.
fn program() -> Option<&'static Path> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    let build = || {
        if !tools::has_tool("go") {
            return None;
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go");
        std::fs::create_dir_all(&folder).unwrap();
        // Another process may be building the same program, so each builds its own file.
        let program = folder.join(format!("judge-{}", std::process::id()));
        let output = Command::new("go")
            .args(["build", "-o"])
            .arg(&program)
            .arg(".")
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules/go"))
            .env("GOCACHE", folder.join("cache"))
            .env("GOPATH", folder.join("path"))
            .env("GOENV", "off")
            .env("GOFLAGS", "-mod=mod")
            .env("GOPROXY", "off")
            .env("CGO_ENABLED", "0")
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "go build: {errors}");
        let built = folder.join("judge");
        std::fs::rename(program, &built).unwrap();
        Some(built)
    };
    PROGRAM.get_or_init(build).as_deref()
}
