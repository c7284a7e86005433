//! A computer's proxy settings in the format of macOS: the dictionary of
//! `SCDynamicStoreCopyProxies`, which `scutil --proxy` shows. Its keys are those of
//! `SystemConfiguration/SCSchemaDefinitions.h` (`kSCPropNetProxies…`).
//!
//! Only getting the dictionary requires a Mac; this module reads it. It leaves out and reports an
//! invalid part, so that one broken value does not hide the rest.

use plist::{Dictionary, Value};

use super::pac::PacSource;

/// Default port of a proxy on macOS.
const DEFAULT_PORT: u16 = 80;

/// Default port of a SOCKS proxy (IANA: `socks`).
const DEFAULT_SOCKS_PORT: u16 = 1080;

/// The proxy settings. Several of them may be set at once: [`super::translate()`] decides which wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SystemSettings {
    /// The PAC script that decides for each URL; it takes precedence over the proxies.
    pub pac: Option<PacSource>,
    /// The proxy for `http://`.
    pub http: Option<Server>,
    /// The proxy for `https://`, which is an HTTP proxy as well, used with `CONNECT`.
    pub https: Option<Server>,
    /// The SOCKS proxy for schemes that have no proxy of their own.
    pub socks: Option<Server>,
    /// Hosts to reach directly, in macOS's own syntax (see [`super::bypass`]).
    pub exceptions: Vec<String>,
    /// True if names without a dot are reached directly.
    pub exclude_simple_hostnames: bool,
    /// The invalid parts of the settings.
    pub faults: Vec<SettingsFault>,
    /// Set when a proxy or a script is switched on but was left out.
    pub is_broken: bool,
}

/// An invalid part of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingsFault {
    /// The settings are not a dictionary.
    NotADictionary,
    /// The switch `key` is neither on nor off, so it counts as off.
    NotASwitch {
        /// The key.
        key: String,
        /// The value.
        found: ValueKind,
    },
    /// `key` is not a string.
    NotAString {
        /// The key.
        key: String,
        /// The value.
        found: ValueKind,
    },
    /// `key` is not a list.
    NotAList {
        /// The key.
        key: String,
        /// The value.
        found: ValueKind,
    },
    /// An entry of the list `key` is not a string.
    Entry {
        /// The key.
        key: String,
        /// The entry.
        found: ValueKind,
    },
    /// A proxy is switched on, but has no server.
    NoServer {
        /// The start of the proxy's keys, as in `HTTP`.
        prefix: &'static str,
    },
    /// `key` is not a port, so the proxy was left out.
    Port {
        /// The key.
        key: String,
        /// The value.
        found: InvalidPort,
    },
    /// A PAC script is switched on, but there is none.
    NoScript,
}

/// A value in the place of a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidPort {
    /// A number that is no port.
    Number(String),
    /// Something else.
    Other(ValueKind),
}

/// The kind of a value in a property list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the kinds have their usual names")]
pub enum ValueKind {
    Array,
    Dictionary,
    Boolean,
    Data,
    Date,
    Real,
    Integer,
    String,
    Other,
}

impl ValueKind {
    fn of(value: &Value) -> Self {
        match value {
            Value::Array(_) => Self::Array,
            Value::Dictionary(_) => Self::Dictionary,
            Value::Boolean(_) => Self::Boolean,
            Value::Data(_) => Self::Data,
            Value::Date(_) => Self::Date,
            Value::Real(_) => Self::Real,
            Value::Integer(_) => Self::Integer,
            Value::String(_) => Self::String,
            _ => Self::Other,
        }
    }
}

/// A proxy server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name or address; an IPv6 address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The user for the proxy; the password is in the Keychain.
    pub user: Option<String>,
}

impl SystemSettings {
    /// Reads the dictionary. It ignores `__SCOPED__`, which is for single interfaces.
    pub(crate) fn from_dictionary(value: &Value) -> Self {
        let mut settings = Self::default();
        let Some(dictionary) = value.as_dictionary() else {
            settings.faults.push(SettingsFault::NotADictionary);
            return settings;
        };
        let mut reader = Reader {
            dictionary,
            faults: &mut settings.faults,
            is_broken: &mut settings.is_broken,
        };
        settings.http = reader.server("HTTP", DEFAULT_PORT);
        settings.https = reader.server("HTTPS", DEFAULT_PORT);
        settings.socks = reader.server("SOCKS", DEFAULT_SOCKS_PORT);
        settings.exceptions = reader.strings("ExceptionsList");
        settings.exclude_simple_hostnames = reader.is_on("ExcludeSimpleHostnames");
        settings.pac = reader.pac();
        settings
    }
}

struct Reader<'a> {
    dictionary: &'a Dictionary,
    faults: &'a mut Vec<SettingsFault>,
    is_broken: &'a mut bool,
}

impl<'a> Reader<'a> {
    /// Returns whether a switch is on: a number other than 0, or `true`.
    fn is_on(&mut self, key: &str) -> bool {
        match self.dictionary.get(key) {
            None => false,
            Some(Value::Boolean(on)) => *on,
            Some(value) => match integer(value) {
                Some(number) => number != 0,
                None => {
                    *self.is_broken = true;
                    self.faults.push(SettingsFault::NotASwitch {
                        key: key.to_owned(),
                        found: ValueKind::of(value),
                    });
                    false
                }
            },
        }
    }

    /// Returns a string without spaces around it; nothing if it is missing or empty.
    fn string(&mut self, key: &str) -> Option<&'a str> {
        let value = self.dictionary.get(key)?;
        match value.as_string() {
            Some(text) => Some(text.trim()).filter(|text| !text.is_empty()),
            None => {
                self.faults.push(SettingsFault::NotAString {
                    key: key.to_owned(),
                    found: ValueKind::of(value),
                });
                None
            }
        }
    }

    fn strings(&mut self, key: &str) -> Vec<String> {
        let Some(value) = self.dictionary.get(key) else {
            return Vec::new();
        };
        let Some(list) = value.as_array() else {
            self.faults.push(SettingsFault::NotAList {
                key: key.to_owned(),
                found: ValueKind::of(value),
            });
            return Vec::new();
        };
        let mut strings = Vec::with_capacity(list.len());
        for value in list {
            match value.as_string() {
                Some(text) => strings.push(text.to_owned()),
                None => self.faults.push(SettingsFault::Entry {
                    key: key.to_owned(),
                    found: ValueKind::of(value),
                }),
            }
        }
        strings
    }

    /// Reads `<prefix>Enable`, `<prefix>Proxy`, `<prefix>Port` and `<prefix>User`. The switch decides:
    /// macOS keeps host and port when a proxy is switched off.
    fn server(&mut self, prefix: &'static str, default_port: u16) -> Option<Server> {
        if !self.is_on(&format!("{prefix}Enable")) {
            return None;
        }
        let Some(host) = self.string(&format!("{prefix}Proxy")) else {
            self.faults.push(SettingsFault::NoServer { prefix });
            *self.is_broken = true;
            return None;
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = self.port(&format!("{prefix}Port"), default_port)?;
        let user = self.string(&format!("{prefix}User")).map(str::to_owned);
        Some(Server {
            host: host.to_owned(),
            port,
            user,
        })
    }

    fn port(&mut self, key: &str, default: u16) -> Option<u16> {
        let Some(value) = self.dictionary.get(key) else {
            return Some(default);
        };
        let port = integer(value)
            .and_then(|number| u16::try_from(number).ok())
            .filter(|&port| port != 0);
        if port.is_none() {
            let found = match (integer(value), value) {
                (Some(number), _) => InvalidPort::Number(number.to_string()),
                // The number is too large for the type above.
                (None, Value::Integer(number)) => InvalidPort::Number(number.to_string()),
                (None, _) => InvalidPort::Other(ValueKind::of(value)),
            };
            *self.is_broken = true;
            let key = key.to_owned();
            self.faults.push(SettingsFault::Port { key, found });
        }
        port
    }

    /// Reads `ProxyAutoConfigEnable` with a script or its address, else `ProxyAutoDiscoveryEnable`. An
    /// address from the network (DHCP) is in `ProxyAutoConfigURLString` as well.
    fn pac(&mut self) -> Option<PacSource> {
        let discover = self.is_on("ProxyAutoDiscoveryEnable");
        if self.is_on("ProxyAutoConfigEnable") {
            if let Some(url) = self.string("ProxyAutoConfigURLString") {
                return Some(PacSource::Url(url.to_owned()));
            }
            if let Some(script) = self.string("ProxyAutoConfigJavaScript") {
                return Some(PacSource::Script(script.to_owned()));
            }
            if !discover {
                *self.is_broken = true;
                self.faults.push(SettingsFault::NoScript);
            }
        }
        if !discover {
            return None;
        }
        let known = self.string("ProxyAutoConfigURLString");
        Some(known.map_or(PacSource::Discover, |url| PacSource::Url(url.to_owned())))
    }
}

/// Reads a number. macOS writes it as an integer, handwritten settings may have a string.
fn integer(value: &Value) -> Option<i64> {
    value.as_signed_integer().or_else(|| {
        let text = value.as_string()?.trim();
        let digits = text.strip_prefix('-').unwrap_or(text);
        let plain = digits.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| text.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::error::joined;

    /// Builds a dictionary from entries as `scutil --proxy` shows them: `key : value`, one per line.
    fn dictionary(lines: &[(&str, Value)]) -> Value {
        let mut dictionary = Dictionary::new();
        for (key, value) in lines {
            dictionary.insert((*key).to_owned(), value.clone());
        }
        dictionary.into()
    }

    fn number(number: i64) -> Value {
        number.into()
    }

    fn text(text: &str) -> Value {
        text.into()
    }

    fn list(entries: &[&str]) -> Value {
        Value::Array(entries.iter().map(|&entry| entry.into()).collect())
    }

    fn server(host: &str, port: u16, user: Option<&str>) -> Option<Server> {
        Some(Server {
            host: host.into(),
            port,
            user: user.map(Into::into),
        })
    }

    #[test]
    fn dictionaries_as_macos_has_them() {
        let http = [
            ("HTTPEnable", number(1)),
            ("HTTPProxy", text("proxy.corp")),
            ("HTTPPort", number(8080)),
        ];
        let https = [
            ("HTTPSEnable", number(1)),
            ("HTTPSProxy", text("secure.corp")),
            ("HTTPSPort", number(8443)),
            ("HTTPSUser", text("me")),
        ];
        let socks = [("SOCKSEnable", number(1)), ("SOCKSProxy", text("::1"))];
        let defaults = [
            ("ExceptionsList", list(&["*.local", "169.254/16"])),
            ("FTPPassive", number(1)),
        ];
        let exceptions = || vec!["*.local".to_owned(), "169.254/16".to_owned()];
        let none = SystemSettings {
            exceptions: exceptions(),
            ..SystemSettings::default()
        };
        let cases = vec![
            ("nothing", vec![], SystemSettings::default()),
            ("none", defaults.to_vec(), none.clone()),
            (
                "switched off, but still there",
                [
                    &defaults[..],
                    &http[1..],
                    &[
                        ("HTTPEnable", number(0)),
                        ("SOCKSProxy", text("s")),
                        ("ProxyAutoConfigEnable", number(0)),
                        ("ProxyAutoConfigURLString", text("http://pac/")),
                        ("ProxyAutoDiscoveryEnable", number(0)),
                    ],
                ]
                .concat(),
                none.clone(),
            ),
            (
                "HTTP only",
                http.to_vec(),
                SystemSettings {
                    http: server("proxy.corp", 8080, None),
                    ..SystemSettings::default()
                },
            ),
            (
                "HTTPS only, with a user",
                https.to_vec(),
                SystemSettings {
                    https: server("secure.corp", 8443, Some("me")),
                    ..SystemSettings::default()
                },
            ),
            (
                "both, exceptions, simple names",
                [
                    &http[..],
                    &https,
                    &defaults,
                    &[("ExcludeSimpleHostnames", number(1))],
                ]
                .concat(),
                SystemSettings {
                    http: server("proxy.corp", 8080, None),
                    https: server("secure.corp", 8443, Some("me")),
                    exceptions: exceptions(),
                    exclude_simple_hostnames: true,
                    ..SystemSettings::default()
                },
            ),
            (
                "SOCKS without a port",
                socks.to_vec(),
                SystemSettings {
                    socks: server("::1", 1080, None),
                    ..SystemSettings::default()
                },
            ),
            (
                "HTTP without a port, an address in brackets, an empty user",
                vec![
                    ("HTTPEnable", number(1)),
                    ("HTTPProxy", text(" [fe80::1] ")),
                    ("HTTPUser", text("")),
                ],
                SystemSettings {
                    http: server("fe80::1", 80, None),
                    ..SystemSettings::default()
                },
            ),
            (
                "PAC by address, beside a proxy",
                [
                    &http[..],
                    &[
                        ("ProxyAutoConfigEnable", number(1)),
                        ("ProxyAutoConfigURLString", text("http://corp/proxy.pac")),
                    ],
                ]
                .concat(),
                SystemSettings {
                    pac: Some(PacSource::Url("http://corp/proxy.pac".into())),
                    http: server("proxy.corp", 8080, None),
                    ..SystemSettings::default()
                },
            ),
            (
                "PAC as a script",
                vec![
                    ("ProxyAutoConfigEnable", number(1)),
                    ("ProxyAutoConfigJavaScript", text("function x() {}")),
                ],
                SystemSettings {
                    pac: Some(PacSource::Script("function x() {}".into())),
                    ..SystemSettings::default()
                },
            ),
            (
                "WPAD",
                vec![("ProxyAutoDiscoveryEnable", number(1))],
                SystemSettings {
                    pac: Some(PacSource::Discover),
                    ..SystemSettings::default()
                },
            ),
            (
                "WPAD with an address from DHCP",
                vec![
                    ("ProxyAutoDiscoveryEnable", number(1)),
                    ("ProxyAutoConfigURLString", text("http://dhcp/wpad.dat")),
                ],
                SystemSettings {
                    pac: Some(PacSource::Url("http://dhcp/wpad.dat".into())),
                    ..SystemSettings::default()
                },
            ),
            (
                "single interfaces are not looked at",
                vec![("__SCOPED__", dictionary(&[("en0", dictionary(&http))]))],
                SystemSettings::default(),
            ),
            (
                "__SCOPED__ of a wrong type",
                [&http[..], &[("__SCOPED__", number(3))]].concat(),
                SystemSettings {
                    http: server("proxy.corp", 8080, None),
                    ..SystemSettings::default()
                },
            ),
            (
                "numbers as text, switches as booleans",
                vec![
                    ("HTTPEnable", Value::Boolean(true)),
                    ("HTTPProxy", text("p")),
                    ("HTTPPort", text("3128")),
                    ("HTTPSEnable", text("0")),
                ],
                SystemSettings {
                    http: server("p", 3128, None),
                    ..SystemSettings::default()
                },
            ),
        ];
        for (name, lines, expected) in cases {
            assert_eq!(
                SystemSettings::from_dictionary(&dictionary(&lines)),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn what_makes_no_sense_is_left_out_and_told() {
        let on = |key: &'static str, value: Value| {
            let base = [
                ("HTTPEnable", number(1)),
                ("HTTPProxy", text("p")),
                ("HTTPPort", number(1)),
                ("HTTPSEnable", number(1)),
                ("HTTPSProxy", text("q")),
            ];
            let mut lines: Vec<(&str, Value)> =
                base.into_iter().filter(|(name, _)| *name != key).collect();
            lines.push((key, value));
            SystemSettings::from_dictionary(&dictionary(&lines))
        };
        for (key, value, told) in [
            (
                "HTTPPort",
                number(0),
                "HTTPPort should be a number from 1 to 65535, but is 0",
            ),
            ("HTTPPort", number(65_536), "but is 65536"),
            ("HTTPPort", number(-1), "but is -1"),
            (
                "HTTPPort",
                Value::from(u64::MAX),
                "but is 18446744073709551615",
            ),
            ("HTTPPort", text("+80"), "but is a text"),
            ("HTTPPort", text("99999"), "but is 99999"),
            ("HTTPPort", Value::Real(1.5), "but is a fraction"),
            ("HTTPPort", list(&["1"]), "but is a list"),
            (
                "HTTPEnable",
                list(&[]),
                "HTTPEnable should be 0 or 1, but is a list",
            ),
            (
                "HTTPProxy",
                number(7),
                "HTTPProxy should be a string, but is a number",
            ),
            ("HTTPProxy", text(" "), "no server is named"),
        ] {
            let settings = on(key, value);
            assert_eq!(settings.http, None, "{key}");
            assert!(settings.is_broken, "{key}");
            assert!(settings.https.is_some(), "{key}");
            let trouble = joined(&settings.faults);
            assert!(trouble.contains(told), "{trouble}");
        }
        for (key, value, told) in [
            (
                "ExceptionsList",
                text("a,b"),
                "ExceptionsList should be a list, but is a text",
            ),
            ("HTTPUser", number(1), "HTTPUser should be a string"),
            (
                "ProxyAutoConfigEnable",
                number(1),
                "neither ProxyAutoConfigURLString",
            ),
        ] {
            let settings = on(key, value);
            assert!(settings.http.is_some(), "{key}");
            let trouble = joined(&settings.faults);
            assert!(trouble.contains(told), "{trouble}");
        }
        let entries = Value::Array(vec![text("a"), number(1), text("b")]);
        let settings = on("ExceptionsList", entries);
        assert_eq!(settings.exceptions, ["a", "b"]);
        assert_eq!(settings.faults.len(), 1);
        assert_eq!(
            SystemSettings::from_dictionary(&list(&[])).faults,
            [SettingsFault::NotADictionary]
        );
    }
}
