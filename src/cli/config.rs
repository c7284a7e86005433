//! `baleen config`.

use std::env;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use serde_json::{Map, Value, json};

use crate::config::{self, ConfigReading, Key, SourceSetting};
use crate::error::Result;
use crate::text::config_key;

use super::args::Global;
use super::output::{BOLD, DIM, GOOD, Output, styled};

/// Returns the path of the config file, which may not exist.
pub(super) fn path(global: &Global) -> PathBuf {
    let home = env::home_dir().unwrap_or_default();
    global.config.clone().unwrap_or_else(|| {
        config::default_path(|name| env::var_os(name), &home, cfg!(target_os = "macos"))
    })
}

/// `baleen config`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the path of the config file
    Path,
    /// Print each key, its value, and whether that is the default
    Show,
    /// Set a key; the rest of the file, including comments, stays the same
    Set {
        /// The key
        #[arg(value_parser = keys())]
        key: Key,
        /// Its value; the entries of a list are separated by commas
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Remove a key, so that its default applies
    Unset {
        /// The key
        #[arg(value_parser = keys())]
        key: Key,
    },
}

/// Returns a parser for the names of the keys, which shells can complete.
fn keys() -> impl TypedValueParser<Value = Key> {
    let names = Key::ALL.map(|key| PossibleValue::new(key.name()).help(config_key::about(key)));
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Key>())
}

pub(super) fn run(global: &Global, command: &ConfigCommand, out: &mut Output) -> Result<u8> {
    let path = path(global);
    match command {
        ConfigCommand::Path => {
            out.line(path.display())?;
            out.object(json!({ "file": shown(&path), "exists": path.exists() }))?;
        }
        ConfigCommand::Show => show(&path, &ConfigReading::read(&path)?, out)?,
        ConfigCommand::Set { key, value } => {
            let changed = config::set(&path, *key, value)?;
            report(&path, *key, changed, out)?;
        }
        ConfigCommand::Unset { key } => {
            let changed = config::unset(&path, *key)?;
            report(&path, *key, changed, out)?;
        }
    }
    Ok(0)
}

fn show(path: &Path, found: &ConfigReading, out: &mut Output) -> Result<()> {
    let there = if found.exists { "" } else { " (not there)" };
    out.line(format!("{}{there}", styled(BOLD, path.display())))?;
    let mut keys = Map::new();
    for key in Key::ALL {
        let set = found.set.contains(&key);
        let values = key.values(&found.config);
        let text = match values.is_empty() {
            true if set => "none".to_owned(),
            true => config_key::without(key).to_owned(),
            false => values.join(","),
        };
        let (style, whence) = if set { (GOOD, "set") } else { (DIM, "default") };
        let line = format!("  {:15}  {whence:7}  {text}", key.name());
        out.line(styled(style, line))?;
        keys.insert(
            key.name().to_owned(),
            json!({ "value": value(key, values), "set": set }),
        );
    }
    out.object(json!({ "file": shown(path), "exists": found.exists, "keys": keys }))
}

/// Reports the change of a key: its value now, and the file.
fn report(path: &Path, key: Key, changed: bool, out: &mut Output) -> Result<()> {
    let found = ConfigReading::read(path)?;
    let set = found.set.contains(&key);
    let values = key.values(&found.config);
    let now = match (set, changed) {
        (true, true) => format!("{} {key} is {}", styled(GOOD, "Done."), listed(&values)),
        (true, false) => format!("Nothing to do: {key} is {} already", listed(&values)),
        (false, true) => format!("{} {key} is not set any more", styled(GOOD, "Done.")),
        (false, false) => format!("Nothing to do: {key} is not set"),
    };
    let default = if set {
        String::new()
    } else {
        format!("; back to the default: {}", config_key::without(key))
    };
    out.line(format!("{now} in {}{default}.", path.display()))?;
    let is_proxy = matches!(key, Key::HttpProxy | Key::HttpsProxy);
    if set && is_proxy && found.config.source != SourceSetting::Manual {
        out.note(format!(
            "{key} is used only where source is manual, which it is not: `baleen config set source manual`"
        ))?;
    }
    out.object(json!({
        "file": shown(path),
        "changed": changed,
        "key": key.name(),
        "set": set,
        "value": value(key, values),
    }))
}

/// Returns the entries in the form that `config set` reads.
fn listed(values: &[String]) -> String {
    match values {
        [] => "an empty list".to_owned(),
        _ => values.join(","),
    }
}

/// Returns a value for JSON: an array for a list, else a string, or null if there is none.
fn value(key: Key, values: Vec<String>) -> Value {
    if key.is_list() {
        return values.into();
    }
    values.into_iter().next().into()
}

/// Returns a path for JSON, which can't represent bytes that are not UTF-8.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
