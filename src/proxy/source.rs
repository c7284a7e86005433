//! The source of the proxy settings: the system, the environment, or the user.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{self, IoError};
use crate::property_list;

use super::environment::all_proxy;
use super::error::ProxyError;
use super::proxy_config::{ProxyConfig, ProxySettings, ProxyUrls};
use super::settings::SystemSettings;
use super::{NamedValue, ProxyOrigin, ProxyUrl, from_environment, no_proxy};

/// The source of the proxy settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProxySource {
    /// The system's settings, or the environment if the system has none (a Linux without a desktop).
    System,
    /// The variables of this process.
    Environment,
    /// Settings that the user named: the place, and the settings.
    Named(ProxyOrigin, Box<ProxyUrls>),
    /// A property list file with the dictionary that macOS returns.
    Dictionary(PathBuf),
}

impl ProxySource {
    /// Reads the current settings of this source. `system` reads the system's settings, `get` a variable.
    ///
    /// # Errors
    /// When the source can't be read, or its settings can't be used.
    pub(crate) fn read(
        &self,
        system: impl FnOnce() -> error::Result<Option<plist::Value>>,
        get: impl Fn(&str) -> Option<OsString>,
    ) -> error::Result<ProxyConfig> {
        match self {
            Self::System => match system()? {
                Some(dictionary) => Ok(ProxyConfig {
                    origin: ProxyOrigin::System,
                    settings: ProxySettings::Settings(SystemSettings::from_dictionary(&dictionary)),
                }),
                None => Ok(environment(get)?),
            },
            Self::Environment => Ok(environment(get)?),
            Self::Named(origin, urls) => Ok(ProxyConfig {
                origin: origin.clone(),
                settings: ProxySettings::Urls((**urls).clone()),
            }),
            Self::Dictionary(path) => Ok(ProxyConfig {
                origin: ProxyOrigin::File(path.clone()),
                settings: ProxySettings::Settings(SystemSettings::from_dictionary(
                    &read_dictionary(path)?,
                )),
            }),
        }
    }
}

/// Reads a proxy URL, given the name of its place and its text.
///
/// # Errors
/// When it can't be used.
pub fn url((name, text): &NamedValue) -> Result<ProxyUrl, ProxyError> {
    ProxyUrl::parse(text).map_err(|why| ProxyError::Url {
        place: name.clone(),
        why,
    })
}

/// Reads a no-proxy list, given the name of its place and its text.
///
/// # Errors
/// When it can't be used.
pub fn list((name, text): &NamedValue) -> Result<Vec<String>, ProxyError> {
    no_proxy::split(text).map_err(|why| ProxyError::NoProxy {
        place: name.clone(),
        why,
    })
}

fn environment(get: impl Fn(&str) -> Option<OsString>) -> Result<ProxyConfig, ProxyError> {
    let in_words = |found: Option<NamedValue>| {
        found.map(|(name, text)| (format!("the environment variable {name}"), text))
    };
    let unreadable = RefCell::new(None);
    let (http, https, listed) = from_environment(|name| {
        get(name)?
            .into_string()
            .map_err(|_| *unreadable.borrow_mut() = Some(name.to_owned()))
            .ok()
    });
    if let Some(name) = unreadable.into_inner() {
        return Err(ProxyError::NotUtf8(name));
    }
    let [http, https, listed] = [http, https, listed].map(in_words);
    // Without a proxy the list has no effect, so an invalid list is no error.
    let any = http.is_some() || https.is_some();
    let all = all_proxy(|name| get(name).map(|value| value.to_string_lossy().into_owned()));
    Ok(ProxyConfig {
        origin: ProxyOrigin::Environment,
        settings: ProxySettings::Urls(ProxyUrls {
            http: http.as_ref().map(url).transpose()?,
            https: https.as_ref().map(url).transpose()?,
            no_proxy: listed
                .filter(|_| any)
                .as_ref()
                .map(list)
                .transpose()?
                .unwrap_or_default(),
            // If there is a proxy for https, curl uses that one, too.
            ignored_variable: all.filter(|_| https.is_none()),
        }),
    })
}

fn read_dictionary(path: &Path) -> Result<plist::Value, ProxyError> {
    let failed = |error| IoError::new("read", path, error);
    let metadata = fs::metadata(path).map_err(failed)?;
    // Reading a FIFO could block forever.
    if !metadata.is_file() {
        return Err(ProxyError::NotAFile(path.to_owned()));
    }
    let read = property_list::read(path).map_err(failed)?;
    read.map_err(|why| ProxyError::NotAList {
        path: path.to_owned(),
        why,
    })
}
