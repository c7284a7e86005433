//! Reads a text into a [`Config`], and locates errors in the text.

use std::borrow::Cow;
use std::path::Path;

use toml_edit::{Document, Item, Value};

use super::{Config, ConfigError, Expected, Key, Mistake, SourceSetting, ValueType, without_mark};

/// A mistake in a text, with its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Invalid {
    /// The byte offset at which the mistake begins, not counting the byte order mark.
    at: usize,
    mistake: Mistake,
}

impl Invalid {
    pub(super) fn new(at: usize, mistake: Mistake) -> Self {
        Self { at, mistake }
    }

    /// Returns the error for a `text` that was read from `path`.
    pub(super) fn in_file(self, path: &Path, text: &str) -> ConfigError {
        let (line, column) = position(without_mark(text), self.at);
        ConfigError::Invalid {
            path: path.to_owned(),
            line,
            column,
            source: self.mistake,
        }
    }

    /// Returns the error for a text that was not written to `path` because it has this mistake.
    pub(super) fn into_write_error(self, path: &Path) -> ConfigError {
        ConfigError::WouldBeInvalid {
            path: path.to_owned(),
            source: self.mistake,
        }
    }
}

/// Returns the line and the column, in characters, of the byte at `at`; both count from 1.
fn position(text: &str, at: usize) -> (usize, usize) {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    (
        before.matches('\n').count() + 1,
        before[line..].chars().count() + 1,
    )
}

/// Parses `text` as TOML.
pub(super) fn parse(text: &str) -> Result<Document<&str>, Invalid> {
    Document::parse(text).map_err(|error| {
        let at = error.span().map_or(text.len(), |span| span.start);
        let why = error.message().trim().replace('\n', ", ");
        Invalid::new(at, Mistake::NotToml { why })
    })
}

/// Reads `text`, and returns the config and the keys that are set.
pub(super) fn read(text: &str, home: Option<&Path>) -> Result<(Config, Vec<Key>), Invalid> {
    let document = parse(text)?;
    let (mut config, mut set) = (Config::default(), Vec::new());
    let mut source_at = 0;
    for (name, item) in document.iter() {
        let name_at = document
            .key(name)
            .and_then(toml_edit::Key::span)
            .map_or(0, |span| span.start);
        let key: Key = name
            .parse()
            .map_err(|unknown| Invalid::new(name_at, Mistake::UnknownKey(unknown)))?;
        let at = item.span().map_or(name_at, |span| span.start);
        for (text, at) in texts(key, item, at)? {
            key.put(&text, home, &mut config)
                .map_err(|source| Invalid::new(at, Mistake::Value { key, source }))?;
        }
        if key == Key::Source {
            source_at = at;
        }
        set.push(key);
    }
    let manual = config.http_proxy.is_some() || config.https_proxy.is_some();
    if config.source == SourceSetting::Manual && !manual {
        return Err(Invalid::new(source_at, Mistake::NoManualProxy));
    }
    Ok((config, set))
}

/// Returns the text of a value, or the texts of a list, each with its position.
fn texts(key: Key, item: &Item, at: usize) -> Result<Vec<(Cow<'_, str>, usize)>, Invalid> {
    let wrong = |at, expected, found| {
        let mistake = Mistake::OtherType {
            key,
            expected,
            found,
        };
        Invalid::new(at, mistake)
    };
    if key.is_boolean() {
        let value = item.as_bool();
        let value = value.ok_or_else(|| wrong(at, Expected::Boolean, type_of(item)))?;
        return Ok(vec![(if value { "true" } else { "false" }.into(), at)]);
    }
    if key.is_number() {
        let value = item.as_integer();
        let value = value.ok_or_else(|| wrong(at, Expected::Number, type_of(item)))?;
        return Ok(vec![(value.to_string().into(), at)]);
    }
    if !key.is_list() {
        let text = item
            .as_str()
            .ok_or_else(|| wrong(at, Expected::Text, type_of(item)))?;
        return Ok(vec![(text.into(), at)]);
    }
    let array = item
        .as_array()
        .ok_or_else(|| wrong(at, Expected::Texts, type_of(item)))?;
    array
        .iter()
        .map(|value| {
            let at = value.span().map_or(at, |span| span.start);
            let text = value
                .as_str()
                .ok_or_else(|| wrong(at, Expected::Entry, type_of_value(value)))?;
            Ok((text.into(), at))
        })
        .collect()
}

fn type_of(item: &Item) -> ValueType {
    item.as_value().map_or(ValueType::Table, type_of_value)
}

fn type_of_value(value: &Value) -> ValueType {
    match value {
        Value::String(_) => ValueType::Text,
        Value::Integer(_) | Value::Float(_) => ValueType::Number,
        Value::Boolean(_) => ValueType::Boolean,
        Value::Array(_) => ValueType::List,
        Value::Datetime(_) => ValueType::Date,
        Value::InlineTable(_) => ValueType::Table,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> (usize, usize, String) {
        let wrong = read(text, Some(Path::new("/home/me"))).unwrap_err();
        let (line, column) = position(text, wrong.at);
        (line, column, wrong.mistake.to_string())
    }

    #[test]
    fn what_is_wrong_and_where() {
        for (text, line, column, what) in [
            (
                "source = \"automatic\"",
                1,
                10,
                "auto, system, environment or manual",
            ),
            ("\n# ü\nsource = 'Auto'", 3, 10, "but is 'Auto'"),
            (
                "restart='ask' # ü\nsorce = 'auto'",
                2,
                1,
                "no key called 'sorce'",
            ),
            (
                "  restart = true",
                1,
                13,
                "restart should be a text in quotation marks, but is true or false",
            ),
            (
                "pac_unreachable = 'never'",
                1,
                19,
                "should be direct or keep, but is 'never'",
            ),
            ("source = 1", 1, 10, "but is a number"),
            ("source = 2026-11-23", 1, 10, "but is a date"),
            ("source = ['auto']", 1, 10, "but is a list"),
            ("source = { a = 1 }", 1, 10, "but is a table"),
            ("source.a = 1", 1, 1, "but is a table"),
            ("[source]\na = 1", 1, 1, "but is a table"),
            ("[proxy]\nhttp = 'x'", 1, 2, "no key called 'proxy'"),
            ("[[source]]\na = 1", 1, 1, "but is a table"),
            ("no_proxy = '.corp'", 1, 12, "no_proxy should be a list"),
            (
                "no_proxy = [\n  '.corp', # ü\n  5,\n]",
                3,
                3,
                "texts only, but is a number",
            ),
            (
                "no_proxy = [\n  '.corp', 'a b',\n]",
                2,
                12,
                "no_proxy has an entry that holds",
            ),
            ("pac_hosts = ['ü', 'x']", 1, 14, "HOST:PORT"),
            (
                "http_proxy = 'ü!:80'",
                1,
                14,
                "http_proxy can't be used: its host 'ü!'",
            ),
            (
                "http_proxy = 'http://me:s3cret@p:1'",
                1,
                14,
                "http_proxy should have no password",
            ),
            (
                "source = 'manual'",
                1,
                10,
                "neither http_proxy nor https_proxy",
            ),
            (
                "restart = 'ask'\nrestart = 'ask'",
                2,
                1,
                "not TOML: duplicate key",
            ),
            ("source = auto", 1, 10, "not TOML"),
            ("source = 'auto", 1, 15, "not TOML"),
            ("source", 1, 7, "not TOML"),
            ("\r\nsource = auto\r\n", 2, 10, "not TOML"),
            ("source = 'a\u{0}b'", 1, 12, "not TOML"),
        ] {
            let (found_line, found_column, found) = place(text);
            assert_eq!(
                (found_line, found_column),
                (line, column),
                "{text:?}: {found}"
            );
            assert!(found.contains(what), "{text:?}: {found}");
            assert!(
                !found.contains("s3cret") && !found.contains('\n'),
                "{found}"
            );
        }
    }

    #[test]
    fn what_is_set_is_reported_from_the_defaults() {
        let (config, set) = read("restart = 'ask' # as by default\n", None).unwrap();
        assert_eq!(config, Config::default());
        assert_eq!(set, [Key::Restart]);
        let text = "\"source\" = \"\"\"manual\"\"\"\nhttps_proxy = \"p:1\"\nno_proxy=[]";
        let (config, set) = read(text, None).unwrap();
        assert_eq!(config.source, SourceSetting::Manual);
        assert_eq!(set, [Key::Source, Key::HttpsProxy, Key::NoProxy]);
    }
}
