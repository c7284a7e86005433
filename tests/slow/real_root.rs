//! A real root file system of some 200 MB: `tests/image/build.sh` makes images out of Debian's
//! packages, with one and with three members, and this test does to them what users do.
//!
//! `BALEEN_REAL_IMAGES` names the images, with colons between them; CI always has them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::tools;

const SCRIPT: &str = "etc/init.d/docker";

fn images() -> Vec<PathBuf> {
    let named = std::env::var_os("BALEEN_REAL_IMAGES").unwrap_or_default();
    let images: Vec<PathBuf> = std::env::split_paths(&named)
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    if images.is_empty() {
        assert!(
            std::env::var_os("CI").is_none() || !cfg!(target_os = "linux"),
            "BALEEN_REAL_IMAGES is not set"
        );
        tools::tell("skipped: BALEEN_REAL_IMAGES is not set");
    }
    images
}

fn baleen(app: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_baleen"))
        .args(arguments)
        .env("BALEEN_DOCKER_APP", app)
        .env("BALEEN_STATE_DIR", app.with_file_name("state"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    output.stdout
}

fn entries(app: &Path, image: &Path) -> (Vec<Value>, usize) {
    let json = baleen(app, &["inspect", "--json", image.to_str().unwrap()]);
    let json: Value = serde_json::from_slice(&json).unwrap();
    let members = json["members"].as_array().unwrap().len();
    (json["entries"].as_array().unwrap().clone(), members)
}

/// The listing by GNU cpio of each member, which `gzip` unpacks.
fn listed_by_cpio(image: &Path, members: &Value) -> Vec<String> {
    let bytes = fs::read(image).unwrap();
    let mut names = Vec::new();
    for member in members.as_array().unwrap() {
        let at = |key: &str| usize::try_from(member[key].as_u64().unwrap()).unwrap();
        let part = image.with_file_name("member");
        fs::write(&part, &bytes[at("offset")..at("offset") + at("bytes")]).unwrap();
        let mut gzip = Command::new("gzip")
            .arg("-dc")
            .stdin(fs::File::open(&part).unwrap())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let cpio = Command::new("cpio")
            .args(["-it", "--quiet"])
            .stdin(gzip.stdout.take().unwrap())
            .output()
            .unwrap();
        assert!(gzip.wait().unwrap().success());
        assert!(
            cpio.status.success(),
            "{}",
            String::from_utf8_lossy(&cpio.stderr)
        );
        names.extend(
            String::from_utf8(cpio.stdout)
                .unwrap()
                .lines()
                .map(str::to_owned),
        );
        fs::remove_file(part).unwrap();
    }
    names
}

#[test]
fn a_real_root_file_system_is_patched_by_both_methods_and_had_back() {
    if !tools::has_tool("cpio") || !tools::has_tool("gzip") {
        return;
    }
    for real in images() {
        let dir = tempfile::tempdir().unwrap();
        let app = dir.path().join("Docker.app");
        let image = baleen::demo::build(&app, "17.03.0-ce-mac1", "15583").unwrap();
        fs::copy(&real, &image).unwrap();
        let original = fs::read(&image).unwrap();
        let (stock, members) = entries(&app, &image);
        tools::tell(&format!(
            "{}: {} entries in {members} members",
            real.display(),
            stock.len()
        ));
        assert!(stock.len() > 300, "this is no root file system");
        let script = baleen(
            &app,
            &["inspect", image.to_str().unwrap(), "--entry", SCRIPT],
        );

        for (method, more_members) in [("append", 1), ("rebuild", 0)] {
            let apply = [
                "apply",
                "--http-proxy",
                "http://proxy.corp:8080",
                "--method",
                method,
            ];
            baleen(&app, &apply);
            let patched = fs::read(&image).unwrap();
            baleen(&app, &apply);
            assert!(
                fs::read(&image).unwrap() == patched,
                "{method}: applied twice"
            );
            baleen(&app, &["status", "--verify"]);

            let (now, now_members) = entries(&app, &image);
            assert_eq!(now_members, members + more_members, "{method}");
            let others = |entries: &[Value]| -> Vec<Value> {
                let ours = |entry: &Value| {
                    let name = entry["name"].as_str().unwrap();
                    name.ends_with(SCRIPT) || name.ends_with("etc/baleen.json")
                };
                entries
                    .iter()
                    .filter(|entry| !ours(entry))
                    .cloned()
                    .collect()
            };
            assert_eq!(others(&now), others(&stock), "{method}: other entries");

            let json = baleen(&app, &["inspect", "--json", image.to_str().unwrap()]);
            let json: Value = serde_json::from_slice(&json).unwrap();
            let listed = listed_by_cpio(&image, &json["members"]);
            let ours: Vec<&str> = now.iter().map(|e| e["name"].as_str().unwrap()).collect();
            // GNU cpio shows `./name` and `name` as they are, and so does Baleen.
            assert_eq!(listed, ours, "{method}: what GNU cpio lists");

            let edited = baleen(
                &app,
                &["inspect", image.to_str().unwrap(), "--entry", SCRIPT],
            );
            let edited = String::from_utf8(edited).unwrap();
            let rest = String::from_utf8(script.clone()).unwrap();
            let (first, after) = rest.split_once('\n').unwrap();
            assert!(
                edited.starts_with(first) && edited.ends_with(after),
                "{edited}"
            );
            assert!(edited.contains("export HTTPS_PROXY='http://proxy.corp:8080'"));
        }
        baleen(&app, &["restore"]);
        assert!(fs::read(&image).unwrap() == original, "restored");
    }
}
