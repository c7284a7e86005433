//! Changes one key of the file and leaves the rest unchanged to the byte: comments, order, line ends.
//!
//! The new text replaces only the bytes of the value. It is written to a temporary file beside the old
//! one, flushed, and renamed into its place, so that at any time the file is either the old one or the
//! new one. Concurrent instances of Baleen take turns by the system's lock on the folder. A lock on the
//! file itself would not survive the rename.

use std::env;
use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, Write};
use std::iter;
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use toml_edit::{Array, Value};

use crate::error::IoError;
use crate::storage::TEMP_PREFIX;

use super::read::{Invalid, parse, read};
use super::{ConfigError, Key, Mistake, resolve, text_of, without_mark};

/// Returns the prefix for the names of temporary files of the config file.
fn unfinished() -> String {
    format!("{TEMP_PREFIX}config-")
}

/// Timeout for the lock of another Baleen, a thousand times what it needs, and interval between attempts.
const TIMEOUT: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Sets `key` to `text` in the file at `path`; commas separate the entries of a list. Creates the file
/// and its folder if they are missing. Returns whether the file was changed.
///
/// # Errors
/// When the key can't have this value, the file would be invalid with it, or it can't be written. The
/// file is unchanged then.
pub fn set(path: &Path, key: Key, text: &str) -> Result<bool, ConfigError> {
    let entries: Vec<String> = if key.is_list() {
        let entries = text.split(',').map(str::trim);
        let entries = entries.filter(|entry| !entry.is_empty());
        entries.map(str::to_owned).collect()
    } else {
        vec![text.to_owned()]
    };
    set_all(path, &[Edit::set(key, entries)])
}

/// A change of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    key: Key,
    /// One text, or the entries of a list. `None` removes the key.
    values: Option<Vec<String>>,
}

impl Edit {
    /// Returns the edit that sets `key` to one text, or to the entries of a list.
    pub fn set(key: Key, values: Vec<String>) -> Self {
        let values = Some(values);
        Self { key, values }
    }

    /// Returns the edit that removes `key`, so that its default applies.
    pub fn unset(key: Key) -> Self {
        Self { key, values: None }
    }

    /// Returns the new value in TOML, or nothing if the key is removed.
    fn value(&self) -> Result<Option<Value>, ConfigError> {
        let (key, Some(values)) = (self.key, &self.values) else {
            return Ok(None);
        };
        for value in values {
            key.check(value)
                .map_err(|source| ConfigError::Value { key, source })?;
        }
        let text = values.first().map(String::as_str).unwrap_or_default();
        Ok(Some(if key.is_list() {
            Value::Array(Array::from_iter(values.iter().map(String::as_str)))
        } else if key.is_boolean() {
            Value::from(text == "true")
        } else if key.is_number() {
            text.parse::<i64>()
                .map_or_else(|_| text.into(), Value::from)
        } else {
            Value::from(text)
        }))
    }
}

/// Makes all these changes in the file at `path`, or none of them: the file is replaced once. Creates the
/// file and its folder if they are missing. Returns whether the file was changed.
///
/// # Errors
/// When a key can't have its new value, the file would be invalid, or it can't be written. The file is
/// unchanged then.
pub fn set_all(path: &Path, edits: &[Edit]) -> Result<bool, ConfigError> {
    let edits = with_values(edits)?;
    change(path, &edits)
}

/// Checks that [`set_all`] can make these changes in the file as it is now, and writes nothing.
///
/// # Errors
/// When the file can't be read, or as for [`set_all`].
pub fn check(path: &Path, edits: &[Edit]) -> Result<(), ConfigError> {
    let edits = with_values(edits)?;
    let text = text_of(path)?.unwrap_or_default();
    edited_and_read(path, &text, &edits).map(|_| ())
}

fn with_values(edits: &[Edit]) -> Result<Vec<(Key, Option<Value>)>, ConfigError> {
    let edits = edits.iter();
    edits.map(|edit| Ok((edit.key, edit.value()?))).collect()
}

/// Removes `key` from the file at `path`, so that its default applies. Returns whether the file was
/// changed.
///
/// # Errors
/// When the file would be invalid without it, or can't be written. The file is unchanged then.
pub fn unset(path: &Path, key: Key) -> Result<bool, ConfigError> {
    if resolve(path)?.is_none() {
        return Ok(false);
    }
    set_all(path, &[Edit::unset(key)])
}

/// Creates the file at `path` with this text, if there is none.
///
/// # Errors
/// When it can't be written.
pub fn make(path: &Path, text: &str) -> Result<(), ConfigError> {
    if resolve(path)?.is_some() {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|error| IoError::new("make", folder, error))?;
    match File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes())) {
        // Another program has just created it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => Ok(made.map_err(|error| IoError::new("write", path, error))?),
    }
}

fn change(path: &Path, edits: &[(Key, Option<Value>)]) -> Result<bool, ConfigError> {
    let target = resolve(path)?.unwrap_or_else(|| path.to_owned());
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    if !folder.exists() {
        // A refused change leaves no folder behind.
        edited_and_read(path, "", edits)?;
    }
    fs::create_dir_all(&folder).map_err(|error| IoError::new("make", &folder, error))?;
    let lock = lock(&folder)?;
    let old = text_of(&target)?;
    let text = old.clone().unwrap_or_default();
    let body = without_mark(&text);
    let changed = edited_and_read(path, &text, edits)?;
    if old.is_some() && changed == body {
        return Ok(false);
    }
    let mark = &text[..text.len() - body.len()];
    replace(&target, &folder, &format!("{mark}{changed}"))
        .and_then(|()| lock.sync_all())
        .map_err(|error| IoError::new("write", path, error))?;
    Ok(true)
}

/// Returns `text`, which is that of the file at `path`, without its byte order mark and with these changes.
fn edited_and_read(
    path: &Path,
    text: &str,
    edits: &[(Key, Option<Value>)],
) -> Result<String, ConfigError> {
    let mut changed = without_mark(text).to_owned();
    for (key, value) in edits {
        changed =
            edited(&changed, *key, value.as_ref()).map_err(|wrong| wrong.in_file(path, text))?;
    }
    read(&changed, env::home_dir().as_deref()).map_err(|wrong| wrong.into_write_error(path))?;
    Ok(changed)
}

/// Waits for the lock on `folder`. The lock ends when its file is closed, so a Baleen that was killed
/// holds no lock.
fn lock(folder: &Path) -> Result<File, ConfigError> {
    let handle = File::open(folder).map_err(|error| IoError::new("open", folder, error))?;
    for _ in 0..TIMEOUT.as_millis() / POLL_INTERVAL.as_millis() {
        match handle.try_lock() {
            Ok(()) => {
                // Files that can't be removed do no harm.
                let _ = sweep(folder);
                return Ok(handle);
            }
            Err(TryLockError::WouldBlock) => thread::sleep(POLL_INTERVAL),
            Err(TryLockError::Error(error)) => {
                return Err(IoError::new("lock", folder, error).into());
            }
        }
    }
    Err(ConfigError::Locked {
        folder: folder.to_owned(),
    })
}

/// Removes temporary files. This Baleen holds the lock, so they are from one that was killed.
fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if name.as_encoded_bytes().starts_with(unfinished().as_bytes()) {
            fs::remove_file(folder.join(name))?;
        }
    }
    Ok(())
}

/// Replaces `target` with a file with `text`, and keeps the owner and the permissions of the old file.
fn replace(target: &Path, folder: &Path, text: &str) -> io::Result<()> {
    let mut file = tempfile::Builder::new()
        .prefix(&unfinished())
        .tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    match target.metadata() {
        Ok(old) => {
            let own = file.as_file().metadata()?;
            if (own.uid(), own.gid()) != (old.uid(), old.gid()) {
                fchown(file.as_file(), Some(old.uid()), Some(old.gid()))?;
            }
            let mode = Permissions::from_mode(old.mode() & 0o7777);
            file.as_file().set_permissions(mode)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    file.as_file().sync_all()?;
    file.persist(target)?;
    Ok(())
}

/// Returns `text` with `key` set to `value`, or without `key`. Comments inside a removed value are moved
/// before its line.
fn edited(text: &str, key: Key, value: Option<&Value>) -> Result<String, Invalid> {
    let document = parse(text)?;
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let found = document
        .key(key.name())
        .and_then(toml_edit::Key::span)
        .zip(document.get(key.name()));
    let Some((name, item)) = found else {
        let Some(value) = value else {
            return Ok(text.to_owned());
        };
        let ended = text.is_empty() || text.ends_with('\n');
        let gap = if ended { "" } else { line_end };
        return Ok(format!("{text}{gap}{key} = {value}{line_end}"));
    };
    let Some(old) = item.span().filter(|_| item.is_value()) else {
        return Err(Invalid::new(name.start, Mistake::Table { key }));
    };
    let mut saved = String::new();
    for comment in comments(text, &old, item) {
        saved += &format!("{comment}{line_end}");
    }
    let (before, after) = (&text[..name.start], &text[old.end..]);
    if let Some(value) = value {
        let up_to_value = &text[name.start..old.start];
        return Ok(format!("{before}{saved}{up_to_value}{value}{after}"));
    }
    // A comment after the value becomes a separate line; a line with nothing left is removed.
    let end_of_line = after.find('\n').map_or(after.len(), |end| end + 1);
    let (rest, below) = after.split_at(end_of_line);
    let rest = rest.trim_start_matches([' ', '\t']);
    let rest = if rest.trim().is_empty() { "" } else { rest };
    let indent = before.rfind('\n').map_or(0, |end| end + 1);
    Ok(format!("{}{saved}{rest}{below}", &before[..indent]))
}

/// Returns the comments between the entries of the list at `place`.
fn comments<'a>(text: &'a str, place: &Range<usize>, item: &toml_edit::Item) -> Vec<&'a str> {
    let entries = item.as_array().into_iter().flatten();
    let ends = entries
        .filter_map(Value::span)
        .chain(iter::once(place.end..place.end));
    let mut at = place.start;
    let mut found = Vec::new();
    for entry in ends {
        for line in text[at..entry.start].lines() {
            if let Some(start) = line.find('#') {
                found.push(line[start..].trim_end());
            }
        }
        at = entry.end;
    }
    // A value that is not a list can't contain comments.
    if item.is_array() { found } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change_of(text: &str, key: Key, value: Option<&str>) -> String {
        let value = value.map(|value| {
            if key.is_list() {
                Value::Array(value.split(',').collect())
            } else {
                value.into()
            }
        });
        edited(text, key, value.as_ref()).unwrap()
    }

    #[test]
    fn only_the_value_changes() {
        for (old, key, value, new) in [
            ("", Key::Source, Some("auto"), "source = \"auto\"\n"),
            ("# a", Key::Source, Some("auto"), "# a\nsource = \"auto\"\n"),
            (
                "# a\r\n",
                Key::Source,
                Some("auto"),
                "# a\r\nsource = \"auto\"\r\n",
            ),
            (
                "\n source='auto'# why\n# b",
                Key::Source,
                Some("system"),
                "\n source=\"system\"# why\n# b",
            ),
            (
                "\"source\"\t=\t\"\"\"auto\"\"\"\r\n\r\nrestart = 'ask'\r\n",
                Key::Source,
                Some("system"),
                "\"source\"\t=\t\"system\"\r\n\r\nrestart = 'ask'\r\n",
            ),
            (
                "no_proxy = [ # a\r\n  \"x#y\", # b\r\n  # c\r\n] # d\r\n",
                Key::NoProxy,
                Some("p,q"),
                "# a\r\n# b\r\n# c\r\nno_proxy = [\"p\", \"q\"] # d\r\n",
            ),
            (
                "source = 'a#b'\n",
                Key::Source,
                Some("x"),
                "source = \"x\"\n",
            ),
            (
                "docker_app = 5\n",
                Key::DockerApp,
                Some("/a\\b\"c"),
                "docker_app = '/a\\b\"c'\n",
            ),
            ("# a\n", Key::Source, None, "# a\n"),
            ("# a\nsource = 'x'\n# b\n", Key::Source, None, "# a\n# b\n"),
            ("source = 'x' # a\r\n# b", Key::Source, None, "# a\r\n# b"),
            ("# a\n  source = 'x'", Key::Source, None, "# a\n"),
            (
                "no_proxy = [\n 'x', # a\n]  # b\n",
                Key::NoProxy,
                None,
                "# a\n# b\n",
            ),
        ] {
            assert_eq!(change_of(old, key, value), new, "{old:?}");
        }
    }

    #[test]
    fn a_table_in_the_place_of_a_value_is_left_alone() {
        for text in ["source.a = 1\n", "[source]\n", "[[source]]\n"] {
            let value = Value::from("auto");
            assert!(edited(text, Key::Source, Some(&value)).is_err(), "{text}");
        }
    }
}
