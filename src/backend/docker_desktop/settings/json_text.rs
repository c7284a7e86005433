//! Changes of single members of a JSON object that keep every other byte of its text: the order, the numbers, the
//! escapes and the layout of its author.

use std::ops::Range;

use nojson::{JsonValueKind, RawJson, RawJsonValue};
use serde::de::IgnoredAny;

/// The reason why a text can't be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum InvalidJson {
    #[error("it begins with a byte order mark")]
    ByteOrderMark,
    #[error("it is not JSON: {0}")]
    Syntax(String),
    #[error("it should be a JSON object, but is {0}")]
    NotAnObject(&'static str),
    #[error("it has the key {0} twice")]
    Twice(String),
}

/// The text of a JSON object, whose syntax was checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JsonText<'t> {
    text: &'t str,
}

/// A member of the object, by the places of its parts in the text.
struct Member {
    key: String,
    key_at: Range<usize>,
    value_at: Range<usize>,
}

impl<'t> JsonText<'t> {
    /// Checks the syntax of `text`.
    ///
    /// # Errors
    /// When it is not a JSON object.
    pub(crate) fn parse(text: &'t str) -> Result<Self, InvalidJson> {
        if text.starts_with('\u{feff}') {
            return Err(InvalidJson::ByteOrderMark);
        }
        // This parser limits the depth, and the second one has the places.
        serde_json::from_str::<IgnoredAny>(text)
            .map_err(|error| InvalidJson::Syntax(error.to_string()))?;
        let raw = RawJson::parse(text).map_err(|error| InvalidJson::Syntax(error.to_string()))?;
        match raw.value().kind() {
            JsonValueKind::Object => Ok(Self { text }),
            other => Err(InvalidJson::NotAnObject(kind_name(other))),
        }
    }

    /// Returns the text of the value that `key` has: of the last member with this key, which is the one that counts for
    /// most programs.
    pub(crate) fn get(&self, key: &str) -> Option<&'t str> {
        let members = self.members();
        let last = members.into_iter().rfind(|member| member.key == key)?;
        Some(&self.text[last.value_at])
    }

    /// Returns the text with this value of `key`. A new member comes after the last one, in that one's layout.
    ///
    /// # Errors
    /// When the key is there twice.
    pub(crate) fn with(&self, key: &str, value: &str) -> Result<String, InvalidJson> {
        let members = self.members();
        if let Some(at) = position(&members, key)? {
            let at = members[at].value_at.clone();
            return Ok([&self.text[..at.start], value, &self.text[at.end..]].concat());
        }
        let key = serde_json::Value::from(key).to_string();
        let (at, new) = match members.last() {
            None => (self.inside(), format!("{key}: {value}")),
            Some(last) => {
                let gap = &self.text[self.gap_before(&members, members.len() - 1)];
                let colon = &self.text[last.key_at.end..last.value_at.start];
                (last.value_at.end, format!(",{gap}{key}{colon}{value}"))
            }
        };
        Ok([&self.text[..at], &new, &self.text[at..]].concat())
    }

    /// Returns the text without the member `key`: the reverse of [`Self::with`] for a new member.
    ///
    /// # Errors
    /// When the key is there twice.
    pub(crate) fn without(&self, key: &str) -> Result<String, InvalidJson> {
        let members = self.members();
        let Some(at) = position(&members, key)? else {
            return Ok(self.text.to_owned());
        };
        let member = &members[at];
        let place = match (
            at.checked_sub(1).map(|before| &members[before]),
            members.get(at + 1),
        ) {
            (Some(before), _) => before.value_at.end..member.value_at.end,
            (None, Some(after)) => member.key_at.start..after.key_at.start,
            (None, None) => member.key_at.start..member.value_at.end,
        };
        Ok([&self.text[..place.start], &self.text[place.end..]].concat())
    }

    /// Returns the keys, in their order.
    #[cfg(test)]
    pub(crate) fn keys(&self) -> Vec<String> {
        self.members()
            .into_iter()
            .map(|member| member.key)
            .collect()
    }

    fn members(&self) -> Vec<Member> {
        // The text was checked when it was parsed.
        let Ok(raw) = RawJson::parse(self.text) else {
            return Vec::new();
        };
        let Ok(members) = raw.value().to_object() else {
            return Vec::new();
        };
        let place = |value: RawJsonValue<'_, '_>| {
            let start = value.position();
            start..start + value.as_raw_str().len()
        };
        members
            .map(|(key, value)| Member {
                key: string_of(key.as_raw_str()).unwrap_or_default(),
                key_at: place(key),
                value_at: place(value),
            })
            .collect()
    }

    /// The place after the object's opening brace.
    fn inside(&self) -> usize {
        self.text.find('{').map_or(0, |brace| brace + 1)
    }

    /// The place between a member and what is before it: a comma or the brace.
    fn gap_before(&self, members: &[Member], at: usize) -> Range<usize> {
        let start = match at.checked_sub(1) {
            None => self.inside(),
            Some(before) => {
                let end = members[before].value_at.end;
                let comma = self.text[end..].find(',').map_or(0, |comma| comma + 1);
                end + comma
            }
        };
        start..members[at].key_at.start
    }
}

/// Returns the index of the only member with this key.
fn position(members: &[Member], key: &str) -> Result<Option<usize>, InvalidJson> {
    let mut found = (0..members.len()).filter(|&at| members[at].key == key);
    let first = found.next();
    match found.next() {
        Some(_) => Err(InvalidJson::Twice(key.to_owned())),
        None => Ok(first),
    }
}

/// Returns the string that this JSON text stands for.
pub(crate) fn string_of(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok()
}

fn kind_name(kind: JsonValueKind) -> &'static str {
    match kind {
        JsonValueKind::Null => "null",
        JsonValueKind::Boolean => "a boolean",
        JsonValueKind::Integer | JsonValueKind::Float => "a number",
        JsonValueKind::String => "a string",
        JsonValueKind::Array => "an array",
        JsonValueKind::Object => "an object",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with(text: &str, key: &str, value: &str) -> String {
        JsonText::parse(text).unwrap().with(key, value).unwrap()
    }

    fn without(text: &str, key: &str) -> String {
        JsonText::parse(text).unwrap().without(key).unwrap()
    }

    #[test]
    fn only_the_value_or_the_new_member_changes() {
        for (text, key, value, expected) in [
            ("{}", "a", "1", "{\"a\": 1}"),
            ("{\n}\n", "a", "1", "{\"a\": 1\n}\n"),
            ("{\"a\":1}", "b", "2", "{\"a\":1,\"b\":2}"),
            (
                "{\n  \"a\": 1\n}\n",
                "b",
                "2",
                "{\n  \"a\": 1,\n  \"b\": 2\n}\n",
            ),
            (
                "{\"a\" : 1 ,\r\n\t\"b\" : 2}",
                "c",
                "3",
                "{\"a\" : 1 ,\r\n\t\"b\" : 2,\r\n\t\"c\" : 3}",
            ),
            (
                "{\"n\": 1e3, \"a\": \"\\u00e9\\/\"}",
                "n",
                "2",
                "{\"n\": 2, \"a\": \"\\u00e9\\/\"}",
            ),
            ("{\"\\u0061\": null}", "a", "\"x\"", "{\"\\u0061\": \"x\"}"),
        ] {
            assert_eq!(with(text, key, value), expected, "{text}");
        }
        // What is inside another value is not a member.
        assert_eq!(
            with("{\"x\": {\"a\": 1}, \"a\": 2}", "a", "3"),
            "{\"x\": {\"a\": 1}, \"a\": 3}"
        );
    }

    #[test]
    fn a_member_goes_with_its_gap() {
        for (text, key, expected) in [
            ("{\"a\": 1}", "a", "{}"),
            ("{ \"a\": 1 }", "a", "{  }"),
            ("{\"a\": 1, \"b\": 2}", "a", "{\"b\": 2}"),
            ("{\n  \"a\": 1,\n  \"b\": 2\n}", "b", "{\n  \"a\": 1\n}"),
            (
                "{\"a\": 1, \"b\": 2, \"c\": 3}",
                "b",
                "{\"a\": 1, \"c\": 3}",
            ),
            ("{\"a\": 1}", "b", "{\"a\": 1}"),
        ] {
            assert_eq!(without(text, key), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_plain_object_is_refused() {
        let refused = |text: &str| JsonText::parse(text).err();
        assert_eq!(refused("\u{feff}{}"), Some(InvalidJson::ByteOrderMark));
        assert_eq!(refused("[1]"), Some(InvalidJson::NotAnObject("an array")));
        assert_eq!(refused("null"), Some(InvalidJson::NotAnObject("null")));
        for text in [
            "",
            "{",
            "{\"a\": 1,}",
            "{\"a\": 1} x",
            "{// c\n}",
            "{'a': 1}",
            "{\"a\": 01}",
        ] {
            assert!(
                matches!(refused(text), Some(InvalidJson::Syntax(_))),
                "{text}"
            );
        }
        let deep = format!("{{\"a\": {}1{}}}", "[".repeat(500), "]".repeat(500));
        assert!(matches!(refused(&deep), Some(InvalidJson::Syntax(_))));
    }

    #[test]
    fn the_last_of_equal_keys_is_read_and_none_is_written() {
        let twice = JsonText::parse("{\"a\": 1, \"b\": 2, \"\\u0061\": 3}").unwrap();
        assert_eq!(twice.get("a"), Some("3"));
        let error = InvalidJson::Twice("a".to_owned());
        assert_eq!(twice.with("a", "4"), Err(error.clone()));
        assert_eq!(twice.without("a"), Err(error));
        assert!(twice.with("b", "4").is_ok());
    }

    fn value() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            Just("1e3".to_owned()),
            Just("12345678901234567890".to_owned()),
            Just("\"\\u00e9\\/ü\"".to_owned()),
            "[a-z,:{}\\[\\]]{0,6}".prop_map(|text| format!("\"{text}\"")),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4)
                    .prop_map(|all| format!("[{}]", all.join(" ,"))),
                prop::collection::vec(("[a-z]{1,3}", inner), 0..4).prop_map(|all| {
                    let all: Vec<_> = all.iter().map(|(k, v)| format!("\"{k}\" :{v}")).collect();
                    format!("{{{}}}", all.join(",\n"))
                }),
            ]
        })
    }

    fn object() -> impl Strategy<Value = String> {
        let space = || prop_oneof![Just(""), Just(" "), Just("\n  "), Just("\r\n\t")];
        let member = ("[A-D]", value(), space(), space(), space(), space());
        (prop::collection::vec(member, 0..5), space(), space()).prop_map(|(all, end, after)| {
            let all: Vec<_> = all
                .iter()
                .map(|(k, v, a, b, c, d)| format!("{a}\"{k}\"{b}:{c}{v}{d}"))
                .collect();
            format!("{{{}{end}}}{after}", all.join(","))
        })
    }

    proptest! {
        #[test]
        fn setting_and_taking_back_gives_the_same_bytes(
            text in object(),
            changes in prop::collection::vec(("[A-F]", value()), 1..6),
        ) {
            let mut now = text.clone();
            let mut back: Vec<(String, Option<String>)> = Vec::new();
            for (key, value) in &changes {
                let json = JsonText::parse(&now).unwrap();
                let Ok(new) = json.with(key, value) else { continue };
                back.push((key.clone(), json.get(key).map(str::to_owned)));
                prop_assert_eq!(JsonText::parse(&new).unwrap().get(key), Some(&**value));
                now = new;
            }
            // The others have their values, in their order.
            let (before, after) = (JsonText::parse(&text).unwrap(), JsonText::parse(&now).unwrap());
            let after_keys = after.keys();
            prop_assert_eq!(&after_keys[..before.keys().len()], &before.keys()[..]);
            for key in before.keys() {
                if !changes.iter().any(|(changed, _)| *changed == key) {
                    prop_assert_eq!(before.get(&key), after.get(&key));
                }
            }
            for (key, old) in back.iter().rev() {
                let json = JsonText::parse(&now).unwrap();
                now = match old {
                    Some(old) => json.with(key, old),
                    None => json.without(key),
                }
                .unwrap();
            }
            prop_assert_eq!(now, text);
        }
    }
}
