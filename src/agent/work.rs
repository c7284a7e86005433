//! The jobs that take a while: finding out what the settings come to, and changing the image.

use std::path::{Path, PathBuf};

use crate::config::{self, Config, Key};
use crate::docker::Bundle;
use crate::error::{Error, Kind, Result};
use crate::patch::digest::Sha;
use crate::patch::plan::Wanted;
use crate::patch::{self, Outcome, script};
use crate::platform::network;
use crate::proxy::source::Source;
use crate::proxy::{Engine, ProxyUrl, Shown, Translation, Urls};
use crate::wanted::{Request, engine_of};

use super::decide::{Setting, Words};
use super::mind::{Click, Done};

/// What the jobs need to know.
#[derive(Debug, Clone)]
pub struct Worker {
    /// The config file.
    pub config: PathBuf,
    /// Where the program keeps what it has to remember.
    pub state: PathBuf,
}

impl Worker {
    /// What the settings come to for `engine`, or the proxy that was `named` does.
    pub fn resolve(&self, engine: &Engine, named: Option<&Shown>) -> Setting {
        match self.translate(engine, named) {
            Ok((origin, translation)) => setting(origin, &translation),
            Err(_) if !network::is_up() => Setting::Offline,
            Err(error) => Setting::Failed {
                may_pass: error.kind() == Kind::Failure,
                words: Words::from(&error),
            },
        }
    }

    fn translate(&self, engine: &Engine, named: Option<&Shown>) -> Result<(String, Translation)> {
        let config = Config::load(&self.config)?;
        let mut request = Request::new(&config, self.state.clone());
        if let Some(named) = named {
            request = request.named(source_of(named)?);
        }
        let stated = request.read()?;
        let translation = request.translate(&stated, engine)?;
        let has_password = translation.proxy.as_ref().is_some_and(|p| p.has_password());
        if named.is_some_and(had_password) && !has_password {
            return Err(Error::new(
                Kind::Refused,
                "the proxy that was named on the command line had a password, which is not kept",
            )
            .advise(
                "store it with `baleen credentials set USER@HOST:PORT`, or name the proxy again",
            ));
        }
        Ok((stated.origin, translation))
    }

    /// Puts the proxy into the image of the bundle at `path`, provided that it is still the one of `setting`.
    ///
    /// # Errors
    /// Whatever forbids or stops the change; the image is then as it was.
    pub fn apply(
        &self,
        path: &Path,
        expected: &Setting,
        named: Option<&Shown>,
        adopt: bool,
    ) -> Result<Done> {
        let bundle = Bundle::read(path)?;
        let (origin, translation) = self.translate(&engine_of(&bundle), named)?;
        let now = setting(origin, &translation);
        let Some(proxy) = translation.proxy.as_ref().filter(|_| now == *expected) else {
            return Err(Error::new(
                Kind::Busy,
                "the proxy settings changed while Baleen was about to write them into the image",
            ));
        };
        let wanted = Wanted {
            proxy,
            method: Config::load(&self.config)?.method,
            adopt,
        };
        Ok(match patch::put_in(&bundle, wanted, &|_| {})? {
            Outcome::InPlace(_) => Done::Nothing,
            Outcome::Applied(applied) => {
                for warning in &applied.warnings {
                    tracing::warn!("{warning}");
                }
                tracing::info!(
                    "the image of Docker {} gets {}, by {}; its original has the digest {}",
                    bundle.version,
                    applied.manifest.proxy.summary(),
                    applied.manifest.method,
                    applied.manifest.original.sha256
                );
                Done::Changed
            }
        })
    }

    /// Gives the Docker at `path` its own image back.
    ///
    /// # Errors
    /// Whatever forbids or stops it; the image is then as it was.
    pub fn restore(&self, path: &Path) -> Result<Done> {
        let bundle = Bundle::read(path)?;
        Ok(match patch::take_out(&bundle)? {
            None => Done::Nothing,
            Some(restored) => {
                if let Some(warning) = &restored.warning {
                    tracing::warn!("{warning}");
                }
                tracing::info!(
                    "Docker {} has its own image again, with the digest {}",
                    bundle.version,
                    restored.manifest.original.sha256
                );
                Done::Changed
            }
        })
    }

    /// Writes a decision of the user's into the config file.
    ///
    /// # Errors
    /// When it can't be written; it is then as it was.
    pub fn configure(&self, click: Click) -> Result<()> {
        let (key, value) = match click {
            Click::Source(source) => (Key::Source, source.name()),
            Click::WhenRestart(restart) => (Key::Restart, restart.name()),
            Click::UseProxy(_) | Click::Reapply | Click::Adopt | Click::Restart => return Ok(()),
        };
        config::set(&self.config, key, value).map(drop)
    }
}

/// What a translation comes to, as it may be kept and shown.
fn setting(origin: String, translation: &Translation) -> Setting {
    match &translation.proxy {
        Some(proxy) => Setting::Proxy {
            block: Sha::of(script::block(proxy).as_bytes()),
            shown: proxy.shown(),
            origin,
        },
        // Where the settings come with the network, they are gone with it.
        None if !network::is_up() => Setting::Offline,
        None => Setting::Direct { origin },
    }
}

/// What stands for a password in a proxy that is shown.
const REDACTED: &str = ":***@";

fn had_password(shown: &Shown) -> bool {
    [&shown.http, &shown.https]
        .into_iter()
        .flatten()
        .any(|url| url.contains(REDACTED))
}

/// The proxy that was named, out of what may be shown of it: all but its password, which the Keychain may have.
fn source_of(named: &Shown) -> Result<Source> {
    let url = |shown: &Option<String>| {
        let parse = |url: &String| {
            ProxyUrl::parse(&url.replace(REDACTED, "@")).map_err(|why| {
                Error::new(
                    Kind::Refused,
                    format!(
                        "the proxy {url}, which was named on the command line, can't be used: {why}"
                    ),
                )
            })
        };
        shown.as_ref().map(parse).transpose()
    };
    Ok(Source::Named(
        "the command line".to_owned(),
        Urls {
            http: url(&named.http)?,
            https: url(&named.https)?,
            no_proxy: named
                .no_proxy
                .split(',')
                .filter(|entry| !entry.is_empty())
                .map(str::to_owned)
                .collect(),
        },
    ))
}
