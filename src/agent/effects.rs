//! The jobs that take a while: resolving the settings, changing the boot image, and updating the running
//! VM to match it.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use crate::backend::{Activation, Backend, PlanOptions, Registry, RestartScope, Warning};
use crate::config::{self, Config, Key};
use crate::desired::{ProxyQuery, Setting, source_of};
use crate::error::{Diagnostic, Error};
use crate::proxy::{ClientDialect, ProxyOrigin, RedactedProxy, Translation};
use crate::service;

use super::AgentError;
use super::event::{ChangeOutcome, Click, Resolved};

/// The jobs, and the paths that they need.
#[derive(Debug, Clone)]
pub(crate) struct Effects {
    /// The kinds of engines.
    pub registry: Registry,
    /// The config file.
    pub config: PathBuf,
    /// The folder for Baleen's own files.
    pub state: PathBuf,
}

impl Effects {
    /// Resolves the settings for `engine`, and also the proxy that was `named` by hand, if any.
    pub(crate) fn resolve(
        &self,
        engine: &ClientDialect,
        named: Option<&RedactedProxy>,
    ) -> Resolved {
        let settings = self.resolve_one(engine, None);
        match named {
            None => settings.into(),
            Some(_) => Resolved {
                setting: self.resolve_one(engine, named),
                overridden_settings: Some(settings),
            },
        }
    }

    fn open(&self, path: &Path) -> Box<dyn Backend> {
        self.registry.open(path, &self.state)
    }

    fn resolve_one(&self, engine: &ClientDialect, named: Option<&RedactedProxy>) -> Setting {
        Setting::of(&self.translate(engine, named).map_err(Diagnostic::from))
    }

    fn query(&self, named: Option<&RedactedProxy>) -> Result<ProxyQuery, Error> {
        let config = Config::load(&self.config)?;
        let query = ProxyQuery::new(&config, self.state.clone());
        Ok(match named {
            Some(named) => query.named(source_of(named)),
            None => query,
        })
    }

    fn translate(
        &self,
        engine: &ClientDialect,
        named: Option<&RedactedProxy>,
    ) -> Result<(ProxyOrigin, Translation), Error> {
        let request = self.query(named)?.for_client(engine)?;
        let stated = request.read()?;
        let translation = request.translate(&stated, engine)?;
        let has_password = translation.proxy.as_ref().is_some_and(|p| p.has_password());
        if named.is_some_and(RedactedProxy::had_password)
            && !has_password
            && engine.takes_passwords()
        {
            return Err(AgentError::PasswordNotKept.into());
        }
        Ok((stated.origin, translation))
    }

    /// Writes the proxy into the boot image of the bundle at `path`, if the settings still resolve to
    /// `expected`.
    ///
    /// # Errors
    /// When the change is refused or fails. The image then stays unchanged.
    pub(crate) fn apply(
        &self,
        path: &Path,
        expected: &Setting,
        named: Option<&RedactedProxy>,
        adopt: bool,
    ) -> Result<ChangeOutcome, Error> {
        let backend = self.open(path);
        let engine = backend.engine()?;
        self.query(named)?.make_token()?;
        let (origin, translation) = self.translate(&engine.capabilities.client, named)?;
        let resolved = Ok((origin, translation));
        let is_expected = Setting::of(&resolved) == *expected;
        let proxy = resolved
            .as_ref()
            .ok()
            .and_then(|(_, found)| found.proxy.as_ref());
        let Some(proxy) = proxy.filter(|_| is_expected) else {
            return Err(AgentError::SettingsChanged.into());
        };
        let config = Config::load(&self.config)?;
        let options = PlanOptions {
            method: config.method,
            containers: config.containers,
            keeps_following: named.is_none()
                && expected.is_plain_system()
                && service::follows_by_itself(&*backend)?,
            adopt,
            ..PlanOptions::default()
        };
        let is_relay = matches!(&resolved, Ok((ProxyOrigin::Relay, _)));
        let apply = || service::apply(&*backend, proxy, options, None, &|_| {});
        let applied = service::with_relay((&self.state, path), is_relay, apply)?.changes;
        if !applied.is_change {
            return Ok(ChangeOutcome::Nothing);
        }
        applied.warnings.iter().for_each(log_warning);
        tracing::info!(
            "{} of Docker {} gets {}{}{}",
            applied.file.display(),
            engine.version,
            proxy.shown().summary(),
            applied
                .method
                .map_or(String::new(), |method| format!(", by {method}")),
            applied.original.map_or(String::new(), |original| format!(
                "; its original has the digest {}",
                original.sha256
            )),
        );
        Ok(ChangeOutcome::Changed)
    }

    /// Restores the boot image that the Docker at `path` had before Baleen.
    ///
    /// # Errors
    /// When the change is refused or fails. The image then stays unchanged.
    pub(crate) fn restore(&self, path: &Path) -> Result<ChangeOutcome, Error> {
        let backend = self.open(path);
        let restore = || service::restore(&*backend, PlanOptions::default(), None);
        let restored = service::with_relay((&self.state, path), false, restore)?.changes;
        if !restored.is_change {
            return Ok(ChangeOutcome::Nothing);
        }
        restored.warnings.iter().for_each(log_warning);
        let by_hand = restored.unpatched.by_hand();
        let by_hand = by_hand.map(|line| format!(", in which a proxy is set ({line})"));
        tracing::info!(
            "{} is as before again{}{}",
            restored.file.display(),
            restored.original.map_or(String::new(), |original| format!(
                ", with the digest {}",
                original.sha256
            )),
            by_hand.unwrap_or_default()
        );
        if let Err(error) = backend.remember_original(&restored.unpatched) {
            tracing::warn!("{error}");
        }
        Ok(ChangeOutcome::Changed)
    }

    /// Quits the Docker at `path` and opens it again.
    ///
    /// # Errors
    /// When it does not quit, or does not start again.
    pub(crate) fn restart(&self, path: &Path) -> Result<(), Error> {
        let backend = self.open(path);
        backend.activate(RestartScope::Docker, false, &AtomicBool::new(false))?;
        Ok(())
    }

    /// Updates the VM of the Docker at `path` to match the boot image. Stops at the next step once `cancel`
    /// is set.
    ///
    /// # Errors
    /// When the update is refused or fails.
    pub(crate) fn apply_live(
        &self,
        path: &Path,
        adopt: bool,
        cancel: &AtomicBool,
    ) -> Result<ChangeOutcome, Error> {
        let backend = self.open(path);
        let activation = service::apply_live(&*backend, adopt, cancel)?;
        let (outcome, environment) = match activation {
            // Docker gets the proxy at its next start.
            Activation::NotRunning => return Ok(ChangeOutcome::NoneRan),
            Activation::UpToDate { environment } => (ChangeOutcome::Nothing, environment),
            Activation::Restarted { environment } => (ChangeOutcome::Changed, environment),
        };
        tracing::info!(
            "the running VM of Docker is up to date, its Engine {}restarted; it has {}",
            if outcome == ChangeOutcome::Changed {
                ""
            } else {
                "not "
            },
            match &*environment {
                [] => "no proxy".to_owned(),
                all => all.join(", "),
            }
        );
        Ok(outcome)
    }

    /// Writes the user's choice into the config file.
    ///
    /// # Errors
    /// When the file can't be written. It then keeps its contents.
    pub(crate) fn configure(&self, click: Click) -> Result<(), Error> {
        let (key, value) = match click {
            Click::Source(source) => (Key::Source, source.name()),
            Click::WhenRestart(restart) => (Key::Restart, restart.name()),
            Click::Containers(true) => (Key::Containers, "true"),
            Click::Containers(false) => (Key::Containers, "false"),
            Click::UseProxy(_)
            | Click::Reapply
            | Click::Adopt
            | Click::FollowSettings
            | Click::Restart(_) => return Ok(()),
        };
        config::set(&self.config, key, value)?;
        Ok(())
    }
}

fn log_warning(warning: &Warning) {
    match warning {
        Warning::PatchNotFlushed(error) | Warning::RestoreNotFlushed(error) => {
            tracing::warn!("a power cut may bring the boot image of before back: {error}");
        }
        Warning::NotForContainers(entries) => {
            let entries: Vec<&str> = entries.iter().map(|(entry, _)| &**entry).collect();
            let entries = entries.join(", ");
            tracing::warn!("left out of the containers' no-proxy list: {entries}");
        }
        Warning::WrittenTo(image) => {
            tracing::warn!("{} was written to while it was replaced", image.display());
        }
    }
}
