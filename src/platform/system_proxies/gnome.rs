//! The conversion of GNOME's proxy settings, as `gsettings list-recursively org.gnome.system.proxy`
//! prints them, to the form of macOS's dictionary.
//!
//! The schema (`org.gnome.system.proxy.gschema.xml`) defines the meaning of the keys: a proxy is on if
//! its host and port are set, and the HTTP proxy also serves HTTPS if no other proxy does. Values are
//! in GVariant's text format (<https://docs.gtk.org/glib/gvariant-text-format.html>).
//!
//! | GNOME's `ignore-hosts` | macOS's `ExceptionsList` | reason |
//! |---|---|---|
//! | `corp`, `.corp`, `*.corp` | `corp` and `*.corp` | GNOME covers subdomains; on macOS a plain name is exact |
//! | `10.0.0.1`, `::1`, `10.0.0.0/8`, `fe80::/10` | the same | |
//! | `corp:80`, `10.0.*`, a bare `*` | the same | macOS has no ports, GNOME no such patterns; readers report them |
//!
//! The settings may hold the HTTP proxy's password in clear text (`authentication-password`). This
//! module does not read it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use plist::{Dictionary, Value};

use super::{Expected, SettingError};

/// The schema with the settings. Each kind of proxy has a schema below it.
pub(super) const SCHEMA: &str = "org.gnome.system.proxy";

/// Converts the settings in `listing`.
///
/// # Errors
/// When a setting does not match the schema.
pub(super) fn dictionary(listing: &str) -> Result<Value, SettingError> {
    let settings = Settings::parse(listing);
    let mut proxies = Dictionary::new();
    match &*settings.string("mode")? {
        "none" => {}
        "manual" => {
            let http = settings.proxy("http")?;
            let https = settings.proxy("https")?;
            let user = settings.http_user()?;
            if let Some(http) = &http {
                put(&mut proxies, "HTTP", http, user.as_deref());
            }
            match (&https, &http) {
                (Some(https), _) => put(&mut proxies, "HTTPS", https, None),
                (None, Some(http)) => put(&mut proxies, "HTTPS", http, user.as_deref()),
                (None, None) => {}
            }
            if let Some(socks) = settings.proxy("socks")? {
                put(&mut proxies, "SOCKS", &socks, None);
            }
            let exceptions = settings.strings("ignore-hosts")?;
            let exceptions = exceptions.iter().flat_map(|entry| exceptions_of(entry));
            proxies.insert(
                "ExceptionsList".to_owned(),
                Value::Array(exceptions.map(Value::String).collect()),
            );
        }
        "auto" => {
            let url = settings.string("autoconfig-url")?;
            if url.is_empty() {
                proxies.insert("ProxyAutoDiscoveryEnable".to_owned(), 1.into());
            } else {
                proxies.insert("ProxyAutoConfigEnable".to_owned(), 1.into());
                proxies.insert("ProxyAutoConfigURLString".to_owned(), url.into());
            }
        }
        _ => return Err(settings.not("mode", Expected::Mode)),
    }
    Ok(Value::Dictionary(proxies))
}

fn put(proxies: &mut Dictionary, kind: &str, (host, port): &(String, i64), user: Option<&str>) {
    proxies.insert(format!("{kind}Enable"), 1.into());
    proxies.insert(format!("{kind}Proxy"), host.as_str().into());
    proxies.insert(format!("{kind}Port"), (*port).into());
    if let Some(user) = user {
        proxies.insert(format!("{kind}User"), user.into());
    }
}

/// Returns the entries of macOS's list that cover the same hosts as `entry` does in GNOME's. See the
/// table of the module.
fn exceptions_of(entry: &str) -> Vec<String> {
    let name = entry
        .strip_prefix("*.")
        .or_else(|| entry.strip_prefix('.'))
        .unwrap_or(entry);
    if name.is_empty() || name.contains(['*', '/', ':']) || entry.parse::<IpAddr>().is_ok() {
        return vec![entry.to_owned()];
    }
    vec![name.to_owned(), format!("*.{name}")]
}

/// The values in text format. The map's keys are schema and key, as in `.http port`, or only the key for
/// the top schema, as in `mode`.
struct Settings<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Settings<'a> {
    fn parse(listing: &'a str) -> Self {
        let value = |line: &'a str| {
            let line = line.strip_prefix(SCHEMA)?.trim_start_matches(' ');
            let key = line.find(' ')?;
            let end = if line.starts_with('.') {
                key + 1 + line[key + 1..].find(' ')?
            } else {
                key
            };
            Some((&line[..end], line[end..].trim()))
        };
        Self(listing.lines().filter_map(value).collect())
    }

    fn get(&self, key: &str) -> &'a str {
        self.0.get(key).copied().unwrap_or_default()
    }

    fn not(&self, key: &str, expected: Expected) -> SettingError {
        let is_there = self.0.contains_key(key);
        let key = written(key);
        match is_there {
            true => SettingError::Other { key, expected },
            false => SettingError::Missing { key },
        }
    }

    fn string(&self, key: &str) -> Result<String, SettingError> {
        match string(self.get(key)) {
            Some((text, "")) => Ok(text),
            _ => Err(self.not(key, Expected::Text)),
        }
    }

    fn strings(&self, key: &str) -> Result<Vec<String>, SettingError> {
        strings(self.get(key)).ok_or_else(|| self.not(key, Expected::List))
    }

    /// Returns the host and port of a proxy if it is on.
    fn proxy(&self, kind: &str) -> Result<Option<(String, i64)>, SettingError> {
        let host = self.string(&format!(".{kind} host"))?;
        let key = format!(".{kind} port");
        let port = self.get(&key);
        let port: i64 = port.parse().map_err(|_| self.not(&key, Expected::Number))?;
        Ok((!host.is_empty() && port != 0).then_some((host, port)))
    }

    fn http_user(&self) -> Result<Option<String>, SettingError> {
        let key = ".http use-authentication";
        match self.get(key) {
            "false" => Ok(None),
            "true" => {
                let user = self.string(".http authentication-user")?;
                Ok((!user.is_empty()).then_some(user))
            }
            _ => Err(self.not(key, Expected::Switch)),
        }
    }
}

/// Returns a key as `gsettings` expects it: schema, space, key.
fn written(key: &str) -> String {
    match key.starts_with('.') {
        true => format!("{SCHEMA}{key}"),
        false => format!("{SCHEMA} {key}"),
    }
}

/// Parses the string at the start of `text`. Returns it with the rest of `text`.
fn string(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut chars = text[1..].char_indices();
    let mut string = String::new();
    while let Some((at, c)) = chars.next() {
        let plain = match c {
            '\\' => match chars.next()?.1 {
                'a' => '\x07',
                'b' => '\x08',
                'f' => '\x0c',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'v' => '\x0b',
                'u' => code_point(&mut chars, 4)?,
                'U' => code_point(&mut chars, 8)?,
                other => other,
            },
            c if c == quote => return Some((string, &text[1 + at + 1..])),
            c => c,
        };
        string.push(plain);
    }
    None
}

fn code_point(chars: &mut impl Iterator<Item = (usize, char)>, digits: usize) -> Option<char> {
    let mut code = 0;
    for _ in 0..digits {
        code = code << 4 | chars.next()?.1.to_digit(16)?;
    }
    char::from_u32(code)
}

/// Parses a list of strings. An empty list has its type before it.
fn strings(text: &str) -> Option<Vec<String>> {
    let mut rest = text
        .strip_prefix("@as ")
        .unwrap_or(text)
        .strip_prefix('[')?;
    let mut list = Vec::new();
    while rest != "]" {
        let (one, after) = string(rest)?;
        list.push(one);
        rest = match after.strip_prefix(", ") {
            Some(more) if more.starts_with(['\'', '"']) => more,
            _ if after == "]" => after,
            _ => return None,
        };
    }
    Some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The output on Debian 12 when no setting was ever changed.
    const DEFAULTS: &str = "\
org.gnome.system.proxy autoconfig-url ''
org.gnome.system.proxy ignore-hosts ['localhost', '127.0.0.0/8', '::1']
org.gnome.system.proxy mode 'none'
org.gnome.system.proxy use-same-proxy true
org.gnome.system.proxy.ftp host ''
org.gnome.system.proxy.ftp port 0
org.gnome.system.proxy.http authentication-password ''
org.gnome.system.proxy.http authentication-user ''
org.gnome.system.proxy.http enabled false
org.gnome.system.proxy.http host ''
org.gnome.system.proxy.http port 8080
org.gnome.system.proxy.http use-authentication false
org.gnome.system.proxy.https host ''
org.gnome.system.proxy.https port 0
org.gnome.system.proxy.socks host ''
org.gnome.system.proxy.socks port 0
";

    /// Returns the defaults with other values for some keys. An empty value removes its key.
    fn with(changes: &[(&str, &str)]) -> String {
        let mut listing = String::new();
        for line in DEFAULTS.lines() {
            let change = changes
                .iter()
                .find(|(key, _)| line.starts_with(&format!("{SCHEMA}{key} ")));
            match change {
                Some((_, "")) => {}
                Some((key, value)) => listing += &format!("{SCHEMA}{key} {value}\n"),
                None => listing += &format!("{line}\n"),
            }
        }
        listing
    }

    /// Formats the keys and values in their order, as in `HTTPEnable=1 ExceptionsList=[a b]`.
    fn shown(changes: &[(&str, &str)]) -> String {
        let text = |value: &Value| match value {
            Value::Integer(number) => number.to_string(),
            Value::String(text) => text.clone(),
            other => panic!("{other:?}"),
        };
        let proxies = dictionary(&with(changes)).unwrap();
        let pairs = proxies.as_dictionary().unwrap().iter();
        let pairs = pairs.map(|(key, value)| match value {
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(text).collect();
                format!("{key}=[{}]", items.join(" "))
            }
            value => format!("{key}={}", text(value)),
        });
        pairs.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn modes_and_proxies() {
        let manual = (" mode", "'manual'");
        let auto = (" mode", "'auto'");
        for (changes, expected) in [
            (&[][..], ""),
            // The mode decides, not the host.
            (&[(".http host", "'proxy.corp'")], ""),
            (
                &[manual, (".http host", "'proxy.corp'")],
                "HTTPEnable=1 HTTPProxy=proxy.corp HTTPPort=8080 \
                 HTTPSEnable=1 HTTPSProxy=proxy.corp HTTPSPort=8080 \
                 ExceptionsList=[localhost *.localhost 127.0.0.0/8 ::1]",
            ),
            (
                &[
                    manual,
                    (".http host", "'proxy.corp'"),
                    (".http use-authentication", "true"),
                    (".http authentication-user", "'me'"),
                    (" ignore-hosts", "['corp']"),
                ],
                "HTTPEnable=1 HTTPProxy=proxy.corp HTTPPort=8080 HTTPUser=me \
                 HTTPSEnable=1 HTTPSProxy=proxy.corp HTTPSPort=8080 HTTPSUser=me \
                 ExceptionsList=[corp *.corp]",
            ),
            (
                &[
                    manual,
                    (" ignore-hosts", "@as []"),
                    (".http host", "'a.corp'"),
                    (".http use-authentication", "true"),
                    (".http authentication-user", "\"o'neil\""),
                    (".http authentication-password", "'Xq7needle'"),
                    (".https host", "'b.corp'"),
                    (".https port", "3128"),
                    (".socks host", "'c.corp'"),
                    (".socks port", "1080"),
                ],
                "HTTPEnable=1 HTTPProxy=a.corp HTTPPort=8080 HTTPUser=o'neil \
                 HTTPSEnable=1 HTTPSProxy=b.corp HTTPSPort=3128 \
                 SOCKSEnable=1 SOCKSProxy=c.corp SOCKSPort=1080 ExceptionsList=[]",
            ),
            (
                // A proxy without host or port is off, and a user without authentication does not count.
                &[
                    manual,
                    (" ignore-hosts", "@as []"),
                    (".http host", "'a.corp'"),
                    (".http port", "0"),
                    (".http authentication-user", "'me'"),
                    (".https host", "'b.corp'"),
                    (".https port", "1"),
                    (".socks port", "1080"),
                ],
                "HTTPSEnable=1 HTTPSProxy=b.corp HTTPSPort=1 ExceptionsList=[]",
            ),
            (
                &[auto, (" autoconfig-url", "'http://wpad.corp/x.pac'")],
                "ProxyAutoConfigEnable=1 ProxyAutoConfigURLString=http://wpad.corp/x.pac",
            ),
            (&[auto], "ProxyAutoDiscoveryEnable=1"),
        ] {
            assert_eq!(shown(changes), expected, "{changes:?}");
        }
    }

    #[test]
    fn what_is_not_as_the_schema_has_it_is_reported_without_its_value() {
        for (changes, expected) in [
            (
                &[(" mode", "")][..],
                "it lists no org.gnome.system.proxy mode",
            ),
            (
                &[(" mode", "'Xq7'")],
                "org.gnome.system.proxy mode is not 'none', 'manual' or 'auto'",
            ),
            (
                &[(" mode", "'manual'"), (".http port", "'Xq7'")],
                "org.gnome.system.proxy.http port is not a number",
            ),
            (
                &[(" mode", "'manual'"), (" ignore-hosts", "'Xq7'")],
                "org.gnome.system.proxy ignore-hosts is not a list of strings",
            ),
        ] {
            assert_eq!(
                dictionary(&with(changes)).unwrap_err().to_string(),
                expected
            );
        }
    }

    #[test]
    fn bypass_lists_mean_the_same() {
        for (entry, expected) in [
            ("corp", &["corp", "*.corp"][..]),
            (".corp", &["corp", "*.corp"]),
            ("*.corp", &["corp", "*.corp"]),
            ("10.0.0.1", &["10.0.0.1"]),
            ("::1", &["::1"]),
            ("10.0.0.0/8", &["10.0.0.0/8"]),
            ("fe80::/10", &["fe80::/10"]),
            ("corp:80", &["corp:80"]),
            ("10.0.*", &["10.0.*"]),
            ("*", &["*"]),
            ("*.", &["*."]),
            ("", &[""]),
        ] {
            assert_eq!(exceptions_of(entry), expected, "{entry:?}");
        }
    }

    #[test]
    fn strings_as_glib_writes_them() {
        for (text, expected) in [
            ("''", Some(("", ""))),
            ("'a' b", Some(("a", " b"))),
            (r#""it's""#, Some(("it's", ""))),
            (
                r"'a\\b\'\n\u00e9\U0001f40b'",
                Some(("a\\b'\n\u{e9}\u{1f40b}", "")),
            ),
            ("'ü'", Some(("ü", ""))),
            ("'a", None),
            (r"'\u00'", None),
            (r"'\Uffffffff'", None),
            ("a", None),
            ("", None),
        ] {
            let expected = expected.map(|(text, rest)| (text.to_owned(), rest));
            assert_eq!(string(text), expected, "{text}");
        }
        let list = |items: &[&str]| Some(items.iter().map(|&item| item.to_owned()).collect());
        for (text, expected) in [
            ("@as []", list(&[])),
            ("[]", list(&[])),
            (r#"['a', "b'", '']"#, list(&["a", "b'", ""])),
            ("['a'", None),
            ("['a', ]", None),
            ("['a'x]", None),
            ("[1]", None),
            ("['a'] ", None),
        ] {
            assert_eq!(strings(text), expected, "{text}");
        }
    }
}
