//! The keys of the config file: their names, descriptions and valid values.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

use crate::net::lookup::is_loopback;
use crate::net::port_number;
use crate::proxy::pac::Unreachable;
use crate::proxy::{ProxyUrl, go, redact};

use super::error::{InvalidEntry, InvalidValue};
use super::{Config, Method, RelayPolicy, RestartPolicy, SourceSetting, UpdateCheck};

/// A key of the config file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is described in `text::config_key`")]
pub enum Key {
    Source,
    HttpProxy,
    HttpsProxy,
    NoProxy,
    HostAddress,
    PacHosts,
    PacUnreachable,
    Restart,
    Method,
    Containers,
    DockerApp,
    Relay,
    RelayPort,
    RelayBasic,
    UpdateCheck,
}

/// The error for a name that is not a key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no key called '{}'", redact(.0))]
pub struct UnknownKey(String);

impl Key {
    /// All keys, in the order in which they are shown.
    pub const ALL: [Self; 15] = [
        Self::Source,
        Self::HttpProxy,
        Self::HttpsProxy,
        Self::NoProxy,
        Self::HostAddress,
        Self::PacHosts,
        Self::PacUnreachable,
        Self::Restart,
        Self::Method,
        Self::Containers,
        Self::DockerApp,
        Self::Relay,
        Self::RelayPort,
        Self::RelayBasic,
        Self::UpdateCheck,
    ];

    /// Returns its name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::HttpProxy => "http_proxy",
            Self::HttpsProxy => "https_proxy",
            Self::NoProxy => "no_proxy",
            Self::HostAddress => "host_address",
            Self::PacHosts => "pac_hosts",
            Self::PacUnreachable => "pac_unreachable",
            Self::Restart => "restart",
            Self::Method => "method",
            Self::Containers => "containers",
            Self::DockerApp => "docker_app",
            Self::Relay => "relay",
            Self::RelayPort => "relay_port",
            Self::RelayBasic => "relay_basic",
            Self::UpdateCheck => "update_check",
        }
    }

    /// Returns whether its value is true or false.
    pub fn is_boolean(self) -> bool {
        matches!(self, Self::Containers | Self::RelayBasic)
    }

    /// Returns whether its value is a number.
    pub fn is_number(self) -> bool {
        self == Self::RelayPort
    }

    /// Returns whether its value is a list.
    pub fn is_list(self) -> bool {
        matches!(self, Self::NoProxy | Self::PacHosts)
    }

    /// Returns its value in `config`: one text, or the entries of a list; empty if `config` has no value.
    pub fn values(self, config: &Config) -> Vec<String> {
        let one = |value: Option<String>| value.into_iter().collect();
        match self {
            Self::Source => one(Some(config.source.name().to_owned())),
            Self::HttpProxy => one(config.http_proxy.as_ref().map(ProxyUrl::redacted)),
            Self::HttpsProxy => one(config.https_proxy.as_ref().map(ProxyUrl::redacted)),
            Self::NoProxy => config.no_proxy.clone(),
            Self::HostAddress => one(config.host_address.clone()),
            Self::PacHosts => config.pac_hosts.clone(),
            Self::PacUnreachable => {
                let name = name_of(&Unreachable::NAMES, config.pac_unreachable);
                one(Some(name.to_owned()))
            }
            Self::Restart => one(Some(config.restart.name().to_owned())),
            Self::Method => one(config.method.map(|method| method.to_string())),
            Self::Containers => one(Some(config.containers.to_string())),
            Self::DockerApp => one(config
                .docker_app
                .as_ref()
                .map(|path| path.display().to_string())),
            Self::Relay => one(Some(config.relay.name().to_owned())),
            Self::RelayPort => one(Some(config.relay_port().to_string())),
            Self::RelayBasic => one(Some((!config.relay_without_basic).to_string())),
            Self::UpdateCheck => one(config.update_check.map(|check| check.name().to_owned())),
        }
    }

    /// Checks that the value, or an entry of the list, can be `text`.
    ///
    /// # Errors
    /// When it can't.
    pub fn check(self, text: &str) -> Result<(), InvalidValue> {
        let home = std::env::home_dir();
        self.put(text, home.as_deref(), &mut Config::default())
    }

    /// Sets the value in `config` to `text`. If the value is a list, it adds `text` to the list.
    pub(super) fn put(
        self,
        text: &str,
        home: Option<&Path>,
        config: &mut Config,
    ) -> Result<(), InvalidValue> {
        match self {
            Self::Source => config.source = named(&SourceSetting::NAMES, text)?,
            Self::HttpProxy => config.http_proxy = Some(proxy(text)?),
            Self::HttpsProxy => config.https_proxy = Some(proxy(text)?),
            Self::NoProxy => add(&mut config.no_proxy, no_proxy_entry(text)?),
            Self::HostAddress => config.host_address = Some(host_address(text)?),
            Self::PacHosts => add(&mut config.pac_hosts, registry(text)?),
            Self::PacUnreachable => config.pac_unreachable = named(&Unreachable::NAMES, text)?,
            Self::Restart => config.restart = named(&RestartPolicy::NAMES, text)?,
            Self::Method => {
                let methods = [Method::Append, Method::Rebuild];
                let names = ["append", "rebuild"];
                let names: Vec<_> = names.into_iter().zip(methods).collect();
                config.method = Some(named(&names, text)?);
            }
            Self::Containers => {
                config.containers = named(&BOOLEANS, text)?;
            }
            Self::DockerApp => config.docker_app = Some(absolute(text, home)?),
            Self::Relay => config.relay = named(&RelayPolicy::NAMES, text)?,
            Self::RelayPort => config.relay_port = Some(port(text)?),
            Self::RelayBasic => config.relay_without_basic = !named(&BOOLEANS, text)?,
            Self::UpdateCheck => config.update_check = Some(named(&UpdateCheck::NAMES, text)?),
        }
        Ok(())
    }
}

const BOOLEANS: [(&str, bool); 2] = [("true", true), ("false", false)];

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Key {
    type Err = UnknownKey;

    fn from_str(name: &str) -> Result<Self, UnknownKey> {
        Self::ALL
            .into_iter()
            .find(|key| key.name() == name)
            .ok_or_else(|| UnknownKey(name.to_owned()))
    }
}

impl UnknownKey {
    /// Returns the key that was probably meant.
    pub(crate) fn near(&self) -> Option<Key> {
        let name = self.0.to_lowercase().replace('-', "_");
        Key::ALL
            .into_iter()
            .map(|key| (strsim::damerau_levenshtein(key.name(), &name), key))
            .min_by_key(|(distance, _)| *distance)
            .filter(|(distance, key)| *distance <= key.name().len() / 3)
            .map(|(_, key)| key)
    }
}

/// Adds `entry`, unless the list has it already.
fn add(list: &mut Vec<String>, entry: String) {
    if !list.contains(&entry) {
        list.push(entry);
    }
}

/// Returns the name of a value; empty if it has none.
pub(super) fn name_of<T: PartialEq>(names: &[(&'static str, T)], value: T) -> &'static str {
    names
        .iter()
        .find(|(_, named)| *named == value)
        .map_or("", |(name, _)| name)
}

pub(super) fn named<T: Copy>(names: &[(&'static str, T)], text: &str) -> Result<T, InvalidValue> {
    let named = names.iter().find(|(name, _)| *name == text);
    named
        .map(|(_, value)| *value)
        .ok_or_else(|| InvalidValue::OtherWord {
            names: names.iter().map(|(name, _)| *name).collect(),
            found: redact(text),
        })
}

fn proxy(text: &str) -> Result<ProxyUrl, InvalidValue> {
    let url = ProxyUrl::parse(text)?;
    match url.has_password() {
        true => Err(InvalidValue::Password),
        false => Ok(url),
    }
}

/// Checks one entry for the variable `NO_PROXY`.
fn no_proxy_entry(text: &str) -> Result<String, InvalidEntry> {
    // Check this before any error that shows the entry, which may hold a password.
    if text.contains('@') || text.contains("://") {
        return Err(InvalidEntry::Url);
    }
    if text.is_empty() {
        return Err(InvalidEntry::Empty);
    }
    if text.contains(|c: char| c.is_control() || c.is_whitespace() || ",\"'".contains(c)) {
        return Err(InvalidEntry::Characters);
    }
    if text == "*" {
        return Err(InvalidEntry::Everything);
    }
    // A malformed entry can crash engines built with Go up to 1.8 (golang/go#19536).
    if go::split_host_port(text).is_some_and(|(host, _)| host.is_empty()) {
        return Err(InvalidEntry::NoHost);
    }
    Ok(text.to_owned())
}

/// Checks the address at which the VM reaches the Mac, and adds brackets to an IPv6 address.
fn host_address(text: &str) -> Result<String, InvalidValue> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    match bare.parse::<IpAddr>() {
        Ok(address) if is_loopback(address) => Err(InvalidValue::Loopback),
        Ok(IpAddr::V6(address)) => Ok(format!("[{address}]")),
        Ok(IpAddr::V4(address)) if bare == text => Ok(address.to_string()),
        _ if text.eq_ignore_ascii_case("localhost") => Err(InvalidValue::Loopback),
        _ if is_name(text) => Ok(text.to_owned()),
        _ => Err(InvalidValue::HostAddress {
            found: redact(text),
        }),
    }
}

/// Checks a registry, as in the name of a container image.
fn registry(text: &str) -> Result<String, InvalidValue> {
    let host = match text.rsplit_once(':') {
        Some((host, port)) if port_number(port).is_some() => host,
        _ => text,
    };
    let is_ipv6 = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok());
    if is_ipv6 || is_name(host) {
        return Ok(text.to_owned());
    }
    Err(InvalidValue::Registry {
        found: redact(text),
    })
}

/// Returns whether `text` can be a host name or an IPv4 address.
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !text.is_empty()
        && text
            .split('.')
            .all(|label| !label.is_empty() && !label.starts_with('-') && label.chars().all(plain))
}

/// Checks a port at which a program can listen without being root.
fn port(text: &str) -> Result<u16, InvalidValue> {
    let number = port_number(text).filter(|port| *port >= 1024);
    number.ok_or_else(|| InvalidValue::Port {
        found: redact(text),
    })
}

/// Returns an absolute path. `~` is the home folder.
fn absolute(text: &str, home: Option<&Path>) -> Result<PathBuf, InvalidValue> {
    let path = match (text.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            home.join(rest.trim_start_matches('/'))
        }
        _ => PathBuf::from(text),
    };
    if !path.is_absolute() || text.contains('\0') {
        return Err(InvalidValue::Path {
            found: redact(text),
        });
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: Key, text: &str) -> Result<Vec<String>, String> {
        let mut config = Config::default();
        key.put(text, Some(Path::new("/home/me")), &mut config)
            .map(|()| key.values(&config))
            .map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn values_that_are_taken() {
        use Key as K;
        for (key, text, value) in [
            (K::Source, "auto", "auto"),
            (K::Source, "system", "system"),
            (K::Source, "environment", "environment"),
            (K::Source, "manual", "manual"),
            (K::HttpProxy, "proxy.corp:8080", "http://proxy.corp:8080"),
            (K::HttpsProxy, "http://CORP\\me@p", "http://CORP%5Cme@p:80"),
            (K::NoProxy, ".corp", ".corp"),
            (K::NoProxy, "10.0.0.0/8", "10.0.0.0/8"),
            (K::NoProxy, "fe80::1", "fe80::1"),
            (K::NoProxy, "*.corp", "*.corp"),
            (K::NoProxy, "::1", "::1"),
            (K::HostAddress, "192.168.65.1", "192.168.65.1"),
            (K::HostAddress, "fd00::1", "[fd00::1]"),
            (K::HostAddress, "[fd00::1]", "[fd00::1]"),
            (
                K::HostAddress,
                "host.docker.internal",
                "host.docker.internal",
            ),
            (K::PacHosts, "registry.corp", "registry.corp"),
            (K::PacHosts, "registry.corp:5000", "registry.corp:5000"),
            (K::PacHosts, "[fd00::1]:5000", "[fd00::1]:5000"),
            (K::PacHosts, "10.0.0.5:5000", "10.0.0.5:5000"),
            (K::PacUnreachable, "direct", "direct"),
            (K::PacUnreachable, "keep", "keep"),
            (K::Restart, "ask", "ask"),
            (K::Restart, "always", "always"),
            (K::Restart, "never", "never"),
            (K::Method, "append", "append"),
            (K::Method, "rebuild", "rebuild"),
            (K::Relay, "on", "on"),
            (K::RelayPort, "1024", "1024"),
            (K::RelayBasic, "false", "false"),
            (K::UpdateCheck, "weekly", "weekly"),
            (K::UpdateCheck, "off", "off"),
            (K::Containers, "true", "true"),
            (K::Containers, "false", "false"),
            (
                K::DockerApp,
                "~/Applications/Docker.app",
                "/home/me/Applications/Docker.app",
            ),
            (K::DockerApp, "~", "/home/me/"),
            (K::DockerApp, "/My Apps/Docker.app", "/My Apps/Docker.app"),
        ] {
            assert_eq!(put(key, text).unwrap(), [value], "{key} {text}");
        }
    }

    #[test]
    fn values_that_are_refused_with_what_was_expected() {
        use Key as K;
        for (key, text, expected) in [
            (K::Source, "Auto", "auto, system, environment or manual"),
            (K::Source, "", "but is ''"),
            (K::PacUnreachable, "Direct", "should be direct or keep"),
            (K::PacUnreachable, "", "but is ''"),
            (K::Restart, "yes", "ask, always or never"),
            (K::Method, "zip", "append or rebuild"),
            (K::UpdateCheck, "daily", "weekly or off"),
            (K::UpdateCheck, "", "but is ''"),
            (K::Containers, "yes", "true or false"),
            (K::HttpProxy, "socks5://p:1", "socks5"),
            (K::HttpProxy, "", "empty"),
            (K::HttpsProxy, "http://me:s3cret@p:1", "no password"),
            (K::HttpsProxy, "http://me:@p:1", "no password"),
            (K::NoProxy, "", "empty"),
            (K::NoProxy, "*", "everything"),
            (K::NoProxy, "a b", "space"),
            (K::NoProxy, "a,b", "comma"),
            (K::NoProxy, "a\u{1}", "control"),
            (K::NoProxy, "[]:80", "without a host"),
            (K::NoProxy, "http://me:s3cret@p:1", "is a URL"),
            (K::NoProxy, "me:s3cret@p", "is a URL"),
            (K::HostAddress, "127.0.0.1", "VM's own"),
            (K::HostAddress, "::1", "VM's own"),
            (K::HostAddress, "0.0.0.0", "VM's own"),
            (K::HostAddress, "LocalHost", "VM's own"),
            (K::HostAddress, "a b", "'a b'"),
            (K::HostAddress, "http://me:s3cret@h", "***"),
            (K::HostAddress, "h:80", "'h:80'"),
            (K::HostAddress, "[10.0.0.1]", "[10.0.0.1]"),
            (K::HostAddress, "a..b", "a..b"),
            (K::HostAddress, "", "''"),
            (K::PacHosts, "registry.corp:0", "HOST:PORT"),
            (K::PacHosts, "registry.corp:65536", "HOST:PORT"),
            (K::PacHosts, "registry.corp:99999", "HOST:PORT"),
            (K::PacHosts, "registry.corp:+5000", "HOST:PORT"),
            (K::PacHosts, "registry.corp:", "HOST:PORT"),
            (K::PacHosts, "https://me:s3cret@registry.corp", "***"),
            (K::PacHosts, "registry.corp/team", "HOST:PORT"),
            (K::PacHosts, "", "''"),
            (K::DockerApp, "Docker.app", "whole path"),
            (K::DockerApp, "~me/Docker.app", "whole path"),
            (K::DockerApp, "", "whole path"),
            (K::DockerApp, "/a\0b", "whole path"),
        ] {
            let why = put(key, text).unwrap_err();
            assert!(why.contains(expected), "{key} {text:?}: {why}");
            assert!(!why.contains("s3cret"), "{key}: {why}");
        }
    }

    #[test]
    fn a_list_has_each_entry_once() {
        let mut config = Config::default();
        for text in [".corp", "a", ".corp"] {
            Key::NoProxy.put(text, None, &mut config).unwrap();
        }
        assert_eq!(config.no_proxy, [".corp", "a"]);
    }

    #[test]
    fn without_a_home_a_tilde_is_just_a_character() {
        let refused = Key::DockerApp.put("~/Docker.app", None, &mut Config::default());
        assert!(refused.is_err());
    }

    #[test]
    fn the_key_that_was_probably_meant() {
        for (name, near) in [
            ("no-proxy", Some(Key::NoProxy)),
            ("noproxy", Some(Key::NoProxy)),
            ("HTTP_PROXY", Some(Key::HttpProxy)),
            ("https_porxy", Some(Key::HttpsProxy)),
            ("sorce", Some(Key::Source)),
            ("docker-app", Some(Key::DockerApp)),
            ("pac-unreacheable", Some(Key::PacUnreachable)),
            ("proxy", None),
            ("colour", None),
            ("", None),
        ] {
            let unknown = name.parse::<Key>().unwrap_err();
            assert_eq!(unknown.near(), near, "{name}");
        }
    }
}
