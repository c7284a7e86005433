//! What the user has decided once for all, in a file that a person likes to read: TOML, flat, one key
//! a line.
//!
//! ```text
//! config.toml --read--> Config, which is plain data        edit: one key, the rest to the byte
//! ```
//!
//! A file that can't be understood is an error with its line and column: Baleen never guesses what
//! was meant, and never goes on with half of it. A password is none of this file's business.

mod edit;
mod key;
mod read;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};
use crate::patch::Method;
use crate::proxy::ProxyUrl;
use crate::proxy::pac::Unreachable;
use crate::storage::app_folder;

pub use edit::{make, set, unset};
pub use key::{Key, UnknownKey};

/// The user's decisions. The default is what holds where there is no file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// Where the proxy comes from.
    pub source: SourceSetting,
    /// The proxy for `http://` of [`SourceSetting::Manual`]; it has no password.
    pub http_proxy: Option<ProxyUrl>,
    /// The proxy for `https://` of [`SourceSetting::Manual`]; it has no password.
    pub https_proxy: Option<ProxyUrl>,
    /// Hosts to reach without the proxy, besides those that the source names; each as the engine reads it.
    pub no_proxy: Vec<String>,
    /// The address or name under which the VM reaches this Mac's loopback, where it is not the one that Baleen
    /// knows; an IPv6 address in brackets, as in [`ProxyUrl::host`].
    pub host_address: Option<String>,
    /// Registries to ask a PAC file about besides Docker's own, as `HOST` or `HOST:PORT`.
    pub pac_hosts: Vec<String>,
    /// What is to be done when a PAC file can't be reached.
    pub pac_unreachable: Unreachable,
    /// Whether Docker is restarted when its proxy has changed.
    pub restart: RestartPolicy,
    /// How an image is patched, where the user prefers one way.
    pub method: Option<Method>,
    /// The Docker.app that is meant, as an absolute path.
    pub docker_app: Option<PathBuf>,
}

/// Where the proxy comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SourceSetting {
    /// From the best place there is, which is the system.
    #[default]
    Auto,
    /// From the system's settings.
    System,
    /// From the variables `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`.
    Environment,
    /// From this file.
    Manual,
}

/// Whether Docker is restarted when its proxy has changed, which stops the user's containers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RestartPolicy {
    /// When the user says so.
    #[default]
    Ask,
    /// At once.
    Always,
    /// Not by Baleen.
    Never,
}

impl SourceSetting {
    /// All of them by name.
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
    /// All of them by name.
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

/// A config file as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigReading {
    /// What it says, with the default for all that it leaves open.
    pub config: Config,
    /// The keys that stand in it.
    pub set: Vec<Key>,
    /// Whether there is a file.
    pub exists: bool,
}

impl Config {
    /// Reads the file at `path`; the default when there is none.
    ///
    /// # Errors
    /// As [`ConfigReading::read`].
    pub fn load(path: &Path) -> Result<Self> {
        ConfigReading::read(path).map(|found| found.config)
    }
}

impl ConfigReading {
    /// Reads the file at `path`; all defaults when there is none.
    ///
    /// # Errors
    /// [`Kind::Usage`] when it says something that is not understood; others when it can't be read.
    pub fn read(path: &Path) -> Result<Self> {
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

/// Where the file is: `BALEEN_CONFIG`, else `config.toml` in the platform's place, which is
/// `$XDG_CONFIG_HOME/baleen` or `~/.config/baleen` but on macOS (`kept`).
pub fn default_path(get: impl Fn(&str) -> Option<OsString>, home: &Path, macos: bool) -> PathBuf {
    match get("BALEEN_CONFIG").filter(|path| !path.is_empty()) {
        Some(chosen) => chosen.into(),
        None => app_folder(get, home, macos, ("XDG_CONFIG_HOME", ".config")).join("config.toml"),
    }
}

/// The file that `path` leads to through symbolic links; nothing when there is nothing at `path`.
fn resolve(path: &Path) -> Result<Option<PathBuf>> {
    let real = match path.canonicalize() {
        Ok(real) => real,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {
            return Ok(None);
        }
        Err(error) => return Err(failed("read", path, &error)),
    };
    let found = fs::metadata(&real).map_err(|error| failed("read", path, &error))?;
    // Reading a FIFO would wait for ever.
    if !found.is_file() {
        let what = if found.is_dir() {
            "a folder"
        } else {
            "a special file"
        };
        return Err(Error::new(
            Kind::Unsupported,
            format!("{} should be a file, but is {what}", path.display()),
        )
        .with_hint("move it away, or name another file with --config FILE or in BALEEN_CONFIG"));
    }
    Ok(Some(real))
}

/// The text of the file at `path`; nothing when there is no file.
fn text_of(path: &Path) -> Result<Option<String>> {
    let Some(real) = resolve(path)? else {
        return Ok(None);
    };
    let bytes = fs::read(real).map_err(|error| failed("read", path, &error))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(&error.as_bytes()[..good]).into_owned();
        read::Invalid::new(
            without_mark(&text).len(),
            "here is a byte that is not UTF-8",
        )
        .with_hint("save the file as UTF-8")
        .in_file(path, &text)
    })?;
    Ok(Some(text))
}

/// `text` without the mark that some editors for Windows put before it.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// A system call on the config file or its folder that failed.
fn failed(tried: &str, path: &Path, error: &io::Error) -> Error {
    Error::io(tried, path, error).with_hint(match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room on that volume and try again; nothing was changed"
        }
        _ => {
            "check the file and its folder (ls -l shows whose they are), or name another file with --config FILE or in BALEEN_CONFIG"
        }
    })
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
