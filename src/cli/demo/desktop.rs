//! The story of a Docker Desktop of today, which doesn't run: its proxy is kept in its settings file.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use similar::TextDiff;

use crate::backend::PlanOptions;
use crate::demo;
use crate::digest::Sha;
use crate::error::{IoError, Result};
use crate::intent::Intent;
use crate::reconcile::State;
use crate::service;

use super::Story;

pub(super) const BEFORE: (&str, &str) = ("4.84.0", "234980");
const AFTER: (&str, &str) = ("4.93.0", "240920");

/// The settings file, in the user's home folder.
const FILE: &str = "home/Library/Group Containers/group.com.docker/settings-store.json";

/// The settings of a Docker that was started once.
const STOCK: &str = r#"{
  "AutoStart": false,
  "DisplayedOnboarding": true,
  "LicenseTermsVersion": 2,
  "SettingsVersion": 46,
  "UseContainerdSnapshotter": true
}
"#;

/// The settings after a reset to factory defaults.
const RESET: &str = "{\n  \"SettingsVersion\": 46\n}\n";

impl Story<'_> {
    pub(super) fn tell_desktop(&mut self) -> Result<()> {
        let file = self.app.with_file_name(FILE);
        self.step(&format!("A Docker Desktop, {}, that doesn't run", BEFORE.0))?;
        demo::build_desktop(&self.app, BEFORE.0, BEFORE.1)?;
        let bundle = self.bundle_digest()?;
        write(&file, STOCK)?;
        self.fact("its settings file has no proxy", json!({ "file": file }))?;
        self.show_state(State::Off)?;

        self.show_settings("System Settings, and what this Docker can express")?;

        self.step("baleen apply")?;
        self.intent = Intent::Settings;
        self.apply()?;
        self.show_state(State::Current)?;

        self.fact(
            "Docker asks for the user and the password itself",
            json!({ "password": "asked for by Docker" }),
        )?;

        self.step("What changed: these lines of the settings file, and nothing else")?;
        let applied = read(&file)?;
        let diff = TextDiff::from_lines(STOCK, &applied)
            .unified_diff()
            .header("before", "after")
            .to_string();
        self.show_difference(&diff)?;

        self.step("The same apply once more")?;
        self.apply()?;
        self.check("not a byte has changed", read(&file)? == applied)?;

        self.step("Docker is reset to factory defaults, and the proxy is gone")?;
        write(&file, RESET)?;
        self.show_state(State::Wiped)?;

        self.step("The repair")?;
        self.apply()?;
        self.show_state(State::Current)?;
        let is_same = self.bundle_digest()? == bundle;
        self.check("nothing in Docker.app has changed", is_same)?;

        self.step(&format!(
            "Docker updates itself to {}, and keeps its settings",
            AFTER.0
        ))?;
        demo::build_desktop(&self.app, AFTER.0, AFTER.1)?;
        self.show_state(State::Current)?;

        self.step("baleen restore")?;
        self.intent = Intent::Off;
        service::restore(&*self.backend(), PlanOptions::default(), None)?;
        self.check(
            "the settings file is Docker's own again, byte for byte",
            read(&file)? == RESET,
        )?;
        self.show_state(State::Off)
    }

    /// Returns the digest of all files in Docker.app.
    fn bundle_digest(&self) -> Result<Sha> {
        let mut folders = vec![self.app.clone()];
        let mut files: Vec<PathBuf> = Vec::new();
        while let Some(folder) = folders.pop() {
            let failed = |error| IoError::new("read", &folder, error);
            for entry in fs::read_dir(&folder).map_err(failed)? {
                let path = entry.map_err(failed)?.path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => files.push(path),
                }
            }
        }
        files.sort();
        let mut all = Vec::new();
        for file in files {
            all.extend(file.as_os_str().as_encoded_bytes());
            all.extend(fs::read(&file).map_err(|error| IoError::new("read", &file, error))?);
        }
        Ok(Sha::of(&all))
    }
}

fn write(file: &Path, text: &str) -> Result<()> {
    let folder = file.parent().unwrap_or(file);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(file, text))
        .map_err(|error| IoError::new("write", file, error))?;
    Ok(())
}

fn read(file: &Path) -> Result<String> {
    Ok(fs::read_to_string(file).map_err(|error| IoError::new("read", file, error))?)
}
