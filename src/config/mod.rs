//! The user's settings, in a file that is easy to read: TOML, flat, one key per line.
//!
//! ```text
//! config.toml --read--> Config, which is plain data        edit: one key, the rest to the byte
//! ```
//!
//! An invalid file is an error with its line and column: Baleen never guesses what was meant, and never
//! uses only a part of the file. The file has no passwords.

mod edit;
mod error;
mod key;
mod method;
mod read;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::IoError;
use crate::proxy::ProxyUrl;
use crate::proxy::pac::Unreachable;
use crate::storage::app_folder;

pub use edit::{Edit, check, make, set, set_all, unset};
pub use error::{ConfigError, Expected, InvalidEntry, InvalidValue, Mistake, ValueType};
pub use key::{Key, UnknownKey};
pub use method::{Method, UnknownMethod};

/// The user's settings. The default applies if there is no file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// The source of the proxy.
    pub source: SourceSetting,
    /// The proxy for `http://` of [`SourceSetting::Manual`]; it has no password.
    pub http_proxy: Option<ProxyUrl>,
    /// The proxy for `https://` of [`SourceSetting::Manual`]; it has no password.
    pub https_proxy: Option<ProxyUrl>,
    /// More hosts to reach without the proxy, in addition to those of the source, as the engine reads them.
    pub no_proxy: Vec<String>,
    /// The address or name under which the VM reaches this Mac's loopback, if it differs from the one that
    /// Baleen knows. An IPv6 address has brackets, as in [`ProxyUrl::host`].
    pub host_address: Option<String>,
    /// Registries to ask a PAC file about, in addition to Docker's own, as `HOST` or `HOST:PORT`.
    pub pac_hosts: Vec<String>,
    /// The policy for a PAC file that can't be reached.
    pub pac_unreachable: Unreachable,
    /// The policy for restarting Docker after a change of its proxy.
    pub restart: RestartPolicy,
    /// The method for patching a boot image, if the user prefers one.
    pub method: Option<Method>,
    /// True if containers and builds get the proxy, too.
    pub containers: bool,
    /// The absolute path of the Docker.app to use.
    pub docker_app: Option<PathBuf>,
    /// Whether Docker gets the address of Baleen's relay.
    pub relay: RelayPolicy,
    /// The port of the relay, if it is not [`Self::RELAY_PORT`].
    pub relay_port: Option<u16>,
    /// True if the relay never sends a password in clear.
    pub relay_without_basic: bool,
    /// Whether the app looks for newer versions of Baleen, if the user said so.
    pub update_check: Option<UpdateCheck>,
}

/// The source of the proxy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SourceSetting {
    /// The best source, which is the system.
    #[default]
    Auto,
    /// The system's settings.
    System,
    /// The variables `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`.
    Environment,
    /// This file.
    Manual,
}

/// The policy for restarting Docker after a change of its proxy, which stops the user's containers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Restart when the user agrees.
    #[default]
    Ask,
    /// Restart at once.
    Always,
    /// Never let Baleen restart Docker.
    Never,
}

/// Whether Docker gets the address of Baleen's relay instead of that of the proxy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RelayPolicy {
    /// As soon as the relay runs, which the app sees to.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Whether the app looks for newer versions of Baleen by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateCheck {
    /// Once a week.
    Weekly,
    /// Never.
    Off,
}

impl SourceSetting {
    /// All sources by name.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("auto", Self::Auto),
        ("system", Self::System),
        ("environment", Self::Environment),
        ("manual", Self::Manual),
    ];

    /// Its name in the file.
    pub fn name(self) -> &'static str {
        key::name_of(&Self::NAMES, self)
    }
}

impl RestartPolicy {
    /// All policies by name.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("ask", Self::Ask),
        ("always", Self::Always),
        ("never", Self::Never),
    ];

    /// Its name in the file.
    pub fn name(self) -> &'static str {
        key::name_of(&Self::NAMES, self)
    }
}

impl RelayPolicy {
    /// All policies by name.
    pub const NAMES: [(&'static str, Self); 3] =
        [("auto", Self::Auto), ("on", Self::On), ("off", Self::Off)];

    /// Its name in the file.
    pub fn name(self) -> &'static str {
        key::name_of(&Self::NAMES, self)
    }

    /// Returns the policy that this environment variable names.
    ///
    /// # Errors
    /// When it names none.
    pub(crate) fn of_variable(name: &'static str, value: &str) -> Result<Self, ConfigError> {
        key::named(&Self::NAMES, value).map_err(|source| ConfigError::Variable { name, source })
    }
}

impl UpdateCheck {
    /// All values by name.
    pub const NAMES: [(&'static str, Self); 2] = [("weekly", Self::Weekly), ("off", Self::Off)];

    /// Its name in the file.
    pub fn name(self) -> &'static str {
        key::name_of(&Self::NAMES, self)
    }

    /// Returns the value that this environment variable names.
    ///
    /// # Errors
    /// When it names none.
    pub(crate) fn of_variable(name: &'static str, value: &str) -> Result<Self, ConfigError> {
        key::named(&Self::NAMES, value).map_err(|source| ConfigError::Variable { name, source })
    }
}

/// The content of a config file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigReading {
    /// The settings, with defaults for the keys that are not set.
    pub config: Config,
    /// The keys that are set.
    pub set: Vec<Key>,
    /// True if there is a file.
    pub exists: bool,
}

impl Config {
    /// Default port of the relay. It is outside the ranges from which macOS (49152 to 65535) and Linux (32768 to 60999)
    /// take the ports of outgoing connections.
    pub const RELAY_PORT: u16 = 18128;

    /// Returns the port of the relay.
    pub fn relay_port(&self) -> u16 {
        self.relay_port.unwrap_or(Self::RELAY_PORT)
    }

    /// Reads the file at `path`; returns the default if there is none.
    ///
    /// # Errors
    /// As for [`ConfigReading::read`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        ConfigReading::read(path).map(|found| found.config)
    }
}

impl ConfigReading {
    /// Reads the file at `path`; returns all defaults if there is none.
    ///
    /// # Errors
    /// When the file has invalid content, or can't be read.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let Some(text) = text_of(path)? else {
            return Ok(Self::default());
        };
        let home = env::home_dir();
        let (config, set) = read::read(without_mark(&text), home.as_deref())
            .map_err(|wrong| wrong.in_file(path, &text))?;
        Ok(Self {
            config,
            set,
            exists: true,
        })
    }
}

/// Returns the path of the file: `BALEEN_CONFIG`, else `config.toml` in the platform's folder. Except on
/// macOS, that is `$XDG_CONFIG_HOME/baleen` or `~/.config/baleen` (see `app_folder`).
pub(crate) fn default_path(
    get: impl Fn(&str) -> Option<OsString>,
    home: &Path,
    macos: bool,
) -> PathBuf {
    match get("BALEEN_CONFIG").filter(|path| !path.is_empty()) {
        Some(chosen) => chosen.into(),
        None => app_folder(get, home, macos, ("XDG_CONFIG_HOME", ".config")).join("config.toml"),
    }
}

/// Returns the file that `path` leads to through symbolic links; nothing if nothing is at `path`.
fn resolve(path: &Path) -> Result<Option<PathBuf>, ConfigError> {
    let real = match path.canonicalize() {
        Ok(real) => real,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {
            return Ok(None);
        }
        Err(error) => return Err(IoError::new("read", path, error).into()),
    };
    let found = fs::metadata(&real).map_err(|error| IoError::new("read", path, error))?;
    // Reading a FIFO could block forever.
    if !found.is_file() {
        return Err(ConfigError::NotAFile {
            path: path.to_owned(),
            is_folder: found.is_dir(),
        });
    }
    Ok(Some(real))
}

/// Returns the text of the file at `path`; nothing if there is no file.
fn text_of(path: &Path) -> Result<Option<String>, ConfigError> {
    let Some(real) = resolve(path)? else {
        return Ok(None);
    };
    let bytes = fs::read(real).map_err(|error| IoError::new("read", path, error))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(&error.as_bytes()[..good]).into_owned();
        read::Invalid::new(without_mark(&text).len(), Mistake::NotUtf8).in_file(path, &text)
    })?;
    Ok(Some(text))
}

/// Returns `text` without the byte order mark that some Windows editors write.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_platform_has_its_place() {
        let home = Path::new("/home/me");
        for (name, value, macos, expected) in [
            (
                "",
                "",
                true,
                "/home/me/Library/Application Support/Baleen/config.toml",
            ),
            ("", "", false, "/home/me/.config/baleen/config.toml"),
            ("XDG_CONFIG_HOME", "/c", false, "/c/baleen/config.toml"),
            (
                "XDG_CONFIG_HOME",
                "c",
                false,
                "/home/me/.config/baleen/config.toml",
            ),
            (
                "XDG_CONFIG_HOME",
                "/c",
                true,
                "/home/me/Library/Application Support/Baleen/config.toml",
            ),
            ("BALEEN_CONFIG", "/b.toml", true, "/b.toml"),
            ("BALEEN_CONFIG", "b.toml", false, "b.toml"),
            (
                "BALEEN_CONFIG",
                "",
                false,
                "/home/me/.config/baleen/config.toml",
            ),
        ] {
            let get = |asked: &str| (asked == name).then(|| value.into());
            assert_eq!(
                default_path(get, home, macos),
                Path::new(expected),
                "{name}"
            );
        }
    }

    #[test]
    fn no_file_means_the_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("no/config.toml");
        assert_eq!(Config::load(&path).unwrap(), Config::default());
        assert_eq!(
            ConfigReading::read(&path).unwrap(),
            ConfigReading::default()
        );
    }
}
