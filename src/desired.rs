//! The proxy that an engine should get now. This module connects the source, the resolver, the
//! Keychain and the PAC script with the pure translation in [`crate::proxy::translate()`].

mod setting;

use std::cell::RefCell;
use std::env;
use std::path::{Path, PathBuf};

use crate::config::{self, Config, RelayPolicy};
use crate::credentials::{self, Account};
use crate::error::Result;
use crate::intent::Intent;
use crate::net::lookup::{self, lookup};
use crate::platform::{self, network};
use crate::proxy::ProxySettings;
use crate::proxy::pac::{self, AnswerCache, PacAnswers, PacSource, Unreachable};
use crate::proxy::settings::SystemSettings;
use crate::proxy::source::ProxySource;
use crate::proxy::{
    ClientDialect, EngineProxy, Overrides, ProxyConfig, ProxyOrigin, ProxyRef, ProxyUrls,
    RedactedProxy, Resolvers, Translation, translate,
};
use crate::relay;

pub use setting::{KeptAnswers, Setting};

/// The source of the proxy settings, and the user's own settings.
#[derive(Debug, Clone)]
pub(crate) struct ProxyQuery {
    source: ProxySource,
    overrides: Overrides,
    intent: Intent,
    relay: RelayPolicy,
    relay_port: u16,
    state: PathBuf,
}

impl ProxyQuery {
    /// Creates the query for the configuration. Baleen keeps its state in `state`.
    pub(crate) fn new(config: &Config, state: PathBuf) -> Self {
        let source = match config.source {
            config::SourceSetting::Auto | config::SourceSetting::System => ProxySource::System,
            config::SourceSetting::Environment => ProxySource::Environment,
            config::SourceSetting::Manual => ProxySource::Named(
                ProxyOrigin::ConfigFile,
                Box::new(ProxyUrls {
                    http: config.http_proxy.clone(),
                    https: config.https_proxy.clone(),
                    ..ProxyUrls::default()
                }),
            ),
        };
        Self {
            source,
            overrides: Overrides {
                no_proxy: config.no_proxy.clone(),
                host_address: config.host_address.clone(),
                pac_hosts: config.pac_hosts.clone(),
                no_passwords: false,
                pac_unreachable: config.pac_unreachable,
            },
            intent: Intent::Settings,
            relay: config.relay,
            relay_port: config.relay_port(),
            state,
        }
    }

    /// Replaces the source by one that was named for this run only.
    #[must_use]
    pub(crate) fn named(self, source: ProxySource) -> Self {
        Self { source, ..self }.for_once()
    }

    /// Marks the query as one for this run only, since some of its values were named instead of
    /// configured.
    #[must_use]
    pub(crate) fn for_once(self) -> Self {
        Self {
            intent: Intent::Named,
            ..self
        }
    }

    /// Leaves out passwords, for the fields of Docker's own window, which get no password from
    /// Baleen. A locked Keychain is then no obstacle.
    #[must_use]
    pub(crate) fn without_passwords(mut self) -> Self {
        self.overrides.no_passwords = true;
        self
    }

    /// Returns the query for an engine: the relay if the engine gets its address, else the settings without the passwords
    /// that this client gets from someone else.
    ///
    /// # Errors
    /// As for [`relay_policy`].
    pub(crate) fn for_client(&self, client: &ClientDialect) -> Result<Self> {
        if self.gives_relay()? {
            let url = relay::url(&self.state, self.relay_port)?;
            let urls = ProxyUrls {
                https: Some(url.clone()),
                http: Some(url),
                ..ProxyUrls::default()
            };
            return Ok(Self {
                source: ProxySource::Named(ProxyOrigin::Relay, Box::new(urls)),
                ..self.clone()
            });
        }
        Ok(match client.takes_passwords() {
            true => self.clone(),
            false => self.clone().without_passwords(),
        })
    }

    /// Makes the relay's token if [`Self::for_client`] returns the relay. This comes before what an engine gets; what is only
    /// shown or compared needs no token.
    ///
    /// # Errors
    /// When the token can't be kept.
    pub(crate) fn make_token(&self) -> Result<()> {
        if self.gives_relay()? {
            relay::make_token(&self.state)?;
        }
        Ok(())
    }

    fn gives_relay(&self) -> Result<bool> {
        Ok(self.intent == Intent::Settings && self.uses_relay()?)
    }

    /// Returns whether engines that follow the settings get the relay's address.
    ///
    /// # Errors
    /// As for [`relay_policy`].
    pub(crate) fn uses_relay(&self) -> Result<bool> {
        Ok(match relay_policy(self.relay)? {
            RelayPolicy::On => true,
            RelayPolicy::Off => false,
            // What an engine has stays, whatever happens to the relay: a change would cost a restart.
            RelayPolicy::Auto => {
                relay::is_given(&self.state) || relay::is_up(&self.state, self.relay_port)
            }
        })
    }

    /// The folder for Baleen's own files.
    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    /// Returns the intent that the user expresses with this query.
    pub(crate) fn intent(&self) -> Intent {
        self.intent
    }

    /// Returns whether the proxy in place is compared with this query, given the user's recorded
    /// intent. A proxy that was named for a bundle stays right until another is named. Without a
    /// recorded intent, the proxy in place may have been named by hand.
    pub(crate) fn is_compared(&self, intent: Option<Intent>) -> bool {
        intent == Some(Intent::Settings) || self.intent == Intent::Named
    }

    /// Returns the proxy that should be in place.
    pub(crate) fn expected<'t>(
        &self,
        intent: Option<Intent>,
        translation: Option<&'t Translation>,
    ) -> Expected<'t> {
        match translation {
            Some(translation) if self.is_compared(intent) => match &translation.proxy {
                Some(proxy) => Expected::Proxy(proxy),
                None => Expected::Direct,
            },
            _ => Expected::Unknown,
        }
    }

    /// Reads the current settings of the source.
    ///
    /// # Errors
    /// When the source can't be read, or its settings can't be used.
    pub(crate) fn read(&self) -> Result<ProxyConfig> {
        self.source.read(
            || Ok(platform::system_proxies::read()?),
            |name| env::var_os(name),
        )
    }

    /// Returns the proxy for `engine`, given the settings of the source.
    ///
    /// # Errors
    /// See [`translate()`].
    pub(crate) fn translate(
        &self,
        proxy_config: &ProxyConfig,
        engine: &ClientDialect,
    ) -> Result<Translation> {
        let (translation, _) = self.translate_and_ask(proxy_config, engine, &[])?;
        Ok(translation)
    }

    /// Translates the settings, and also returns the answers of the PAC script, if there is one,
    /// for these hosts. The script is asked only once.
    ///
    /// # Errors
    /// The same as for [`Self::translate`].
    pub(crate) fn translate_and_ask(
        &self,
        proxy_config: &ProxyConfig,
        engine: &ClientDialect,
        hosts: &[String],
    ) -> Result<(Translation, Option<PacAnswers>)> {
        let also = RefCell::new(None);
        let resolvers = Resolvers {
            addresses: &|host| lookup(host, lookup::TIMEOUT),
            password: &|proxy| match Account::of(proxy) {
                Some(account) => Ok(credentials::password_for(&account)?),
                None => Ok(None),
            },
            pac: &|source, own| {
                let asked = self.ask(source, &[own, hosts].concat())?;
                also.replace(Some(asked.about(hosts)));
                Ok(asked.about(own))
            },
        };
        let translation = translate(proxy_config, engine, &self.overrides, &resolvers)?;
        Ok((translation, also.into_inner()))
    }

    /// Returns the answers of the PAC script, if there is one, for these hosts.
    ///
    /// # Errors
    /// When the script can't be loaded or run, and no earlier answer is known.
    pub(crate) fn ask_script(
        &self,
        proxy_config: &ProxyConfig,
        hosts: &[String],
    ) -> Result<Option<PacAnswers>> {
        match &proxy_config.settings {
            ProxySettings::Settings(SystemSettings {
                pac: Some(source), ..
            }) => self.ask(source, hosts).map(Some),
            _ => Ok(None),
        }
    }

    fn ask(&self, source: &PacSource, hosts: &[String]) -> Result<PacAnswers> {
        // Without a network, a failure says nothing about the script.
        let unreachable = match network::is_up() {
            true => self.overrides.pac_unreachable,
            false => Unreachable::Keep,
        };
        let memory = AnswerCache::in_folder(&self.state);
        Ok(pac::ask(source, hosts, &memory, unreachable)?)
    }

    /// Reads the source and translates its settings for `engine`. Returns the origin
    /// of the settings and the translation.
    ///
    /// # Errors
    /// The same as for [`Self::read`] and [`Self::translate`].
    pub(crate) fn resolve(&self, engine: &ClientDialect) -> Result<(ProxyOrigin, Translation)> {
        let proxy_config = self.read()?;
        let translation = self.translate(&proxy_config, engine)?;
        Ok((proxy_config.origin, translation))
    }
}

/// The proxy that should be in place.
#[derive(Debug, Clone, Copy)]
pub enum Expected<'a> {
    /// Unknown, so it is not compared.
    Unknown,
    /// No proxy: this computer uses none now.
    Direct,
    /// This proxy.
    Proxy(&'a EngineProxy),
}

impl Expected<'_> {
    /// Returns the setting with this proxy, as `origin` has it.
    pub fn setting(self, origin: &ProxyOrigin) -> Setting {
        match self {
            Self::Unknown => Setting::Unknown,
            Self::Direct => Setting::Direct {
                origin: origin.clone(),
            },
            Self::Proxy(proxy) => Setting::of_proxy(proxy, origin),
        }
    }
}

/// Returns whether engines get the relay's address: by `BALEEN_RELAY`, else as the config file says.
///
/// # Errors
/// When the variable has another value than the key may have.
pub(crate) fn relay_policy(configured: RelayPolicy) -> Result<RelayPolicy> {
    // Some shells set an empty variable to unset it.
    let name = "BALEEN_RELAY";
    match env::var_os(name).filter(|value| !value.is_empty()) {
        Some(value) => Ok(RelayPolicy::of_variable(name, &value.to_string_lossy())?),
        None => Ok(configured),
    }
}

/// Returns the path of the engine that the user chose: on the command line, in `BALEEN_DOCKER_APP`, or in
/// the config file.
pub(crate) fn chosen_path(option: Option<&Path>, config: &Config) -> Option<PathBuf> {
    // Some shells set an empty variable to unset it; an empty option is a mistake.
    let variable = env::var_os("BALEEN_DOCKER_APP").filter(|path| !path.is_empty());
    option
        .map(Path::to_owned)
        .or(variable.map(PathBuf::from))
        .or(config.docker_app.clone())
}

/// Returns the source for a proxy that was named earlier, from its form without a password. The
/// Keychain may have the password.
pub(crate) fn source_of(named: &RedactedProxy) -> ProxySource {
    ProxySource::Named(
        ProxyOrigin::CommandLine,
        Box::new(ProxyUrls {
            http: named.http.as_ref().map(ProxyRef::url),
            https: named.https.as_ref().map(ProxyRef::url),
            no_proxy: named
                .no_proxy
                .split(',')
                .filter(|entry| !entry.is_empty())
                .map(str::to_owned)
                .collect(),
            ..ProxyUrls::default()
        }),
    )
}
