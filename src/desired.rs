//! What an engine should get now: here the source, the resolver, the Keychain and the PAC script
//! meet the pure translation of [`crate::proxy::translate()`].

use std::cell::RefCell;
use std::env;
use std::path::{Path, PathBuf};

use crate::config::{self, Config};
use crate::credentials::{self, Account};
use crate::docker::{self, Bundle, Family, bundle};
use crate::error::{Error, Kind, Result};
use crate::net::lookup::{self, lookup};
use crate::patch::intent::Intent;
use crate::patch::status::Expected;
use crate::platform::{self, network};
use crate::proxy::pac::{self, AnswerCache, PacAnswers, PacSource, Unreachable};
use crate::proxy::settings::SystemSettings;
use crate::proxy::source::ProxySource;
use crate::proxy::translate::ProxySettings;
use crate::proxy::{
    ClientDialect, Overrides, ProxyConfig, ProxyUrl, ProxyUrls, RedactedProxy, Resolvers,
    Translation, translate,
};

/// Whose settings are asked, and what the user wants besides.
#[derive(Debug, Clone)]
pub struct ProxyQuery {
    source: ProxySource,
    overrides: Overrides,
    intent: Intent,
    state: PathBuf,
}

impl ProxyQuery {
    /// What the configuration asks for; in `state` is what the program has to remember.
    pub fn new(config: &Config, state: PathBuf) -> Self {
        let source = match config.source {
            config::SourceSetting::Auto | config::SourceSetting::System => ProxySource::System,
            config::SourceSetting::Environment => ProxySource::Environment,
            config::SourceSetting::Manual => ProxySource::Named(
                "the config file".to_owned(),
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
            state,
        }
    }

    /// The same, but with a source that was named for this one time.
    #[must_use]
    pub fn named(self, source: ProxySource) -> Self {
        Self { source, ..self }.for_once()
    }

    /// The same, but not what the configuration asks for: some of it was named for this one time.
    #[must_use]
    pub fn for_once(self) -> Self {
        Self {
            intent: Intent::Named,
            ..self
        }
    }

    /// The same, for the fields of Docker's own window, which get no password from Baleen. A locked Keychain
    /// is no obstacle then.
    #[must_use]
    pub fn without_passwords(mut self) -> Self {
        self.overrides.no_passwords = true;
        self
    }

    /// What the user is heard to want by asking for this.
    pub fn intent(&self) -> Intent {
        self.intent
    }

    /// Whether what is in place is to be compared with this, given what the user was heard to want: a
    /// proxy that was named for a bundle is right as long as no one names another, and where no one was
    /// heard, someone may have named the one that is there.
    pub fn is_compared(&self, intent: Option<Intent>) -> bool {
        intent == Some(Intent::Settings) || self.intent == Intent::Named
    }

    /// What should be in place.
    pub fn expected<'t>(
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

    /// What the source says now.
    ///
    /// # Errors
    /// When it can't be read, or says what can't be used.
    pub fn read(&self) -> Result<ProxyConfig> {
        self.source
            .read(platform::system_proxies::read, |name| env::var_os(name))
    }

    /// What `engine` is to get, given what the source says.
    ///
    /// # Errors
    /// See [`translate()`].
    pub fn translate(
        &self,
        proxy_config: &ProxyConfig,
        engine: &ClientDialect,
    ) -> Result<Translation> {
        let (translation, _) = self.translate_and_ask(proxy_config, engine, &[])?;
        Ok(translation)
    }

    /// The same, and what the PAC script, if there is one, says of each of these hosts: it is asked once for all.
    ///
    /// # Errors
    /// As for [`Self::translate`].
    pub fn translate_and_ask(
        &self,
        proxy_config: &ProxyConfig,
        engine: &ClientDialect,
        hosts: &[String],
    ) -> Result<(Translation, Option<PacAnswers>)> {
        let also = RefCell::new(None);
        let resolvers = Resolvers {
            addresses: &|host| lookup(host, lookup::TIMEOUT),
            password: &|proxy| match Account::of(proxy) {
                Some(account) => credentials::password_for(&account),
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

    /// What the PAC script, if there is one, says of each of these hosts.
    ///
    /// # Errors
    /// When it can't be had or run, and never could.
    pub fn ask_script(
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
        // Without a network nothing is learned about the script.
        let unreachable = match network::is_up() {
            true => self.overrides.pac_unreachable,
            false => Unreachable::Keep,
        };
        pac::ask(
            source,
            hosts,
            &AnswerCache::in_folder(&self.state),
            unreachable,
        )
    }

    /// Both at once, for the engine of `bundle`: who says it, and what it comes to.
    ///
    /// # Errors
    /// As for each.
    pub fn resolve(&self, bundle: &Bundle) -> Result<(String, Translation)> {
        let proxy_config = self.read()?;
        let translation = self.translate(&proxy_config, &engine_of(bundle))?;
        Ok((proxy_config.origin, translation))
    }
}

/// The Docker.app that someone chose: on the command line, in `BALEEN_DOCKER_APP`, or in the config file.
pub fn chosen_bundle(option: Option<&Path>, config: &Config) -> Option<PathBuf> {
    // An empty variable is how some shells say that there is none; an empty option is a slip.
    let variable = env::var_os("BALEEN_DOCKER_APP").filter(|path| !path.is_empty());
    option
        .map(Path::to_owned)
        .or(variable.map(PathBuf::from))
        .or(config.docker_app.clone())
}

/// The path of the bundle that is meant: the chosen one, else one in a usual place.
///
/// # Errors
/// When there is none.
pub fn bundle_path(option: Option<&Path>, config: &Config) -> Result<PathBuf> {
    let places = bundle::default_places(env::home_dir().as_deref());
    let chosen = chosen_bundle(option, config);
    docker::find(chosen.as_deref(), &places)?.ok_or_else(|| bundle::not_found(&places))
}

/// What stands for a password in a proxy that is shown.
pub const REDACTED: &str = ":***@";

/// The proxy that was named, out of what may be shown of it: all but its password, which the Keychain may have.
///
/// # Errors
/// When it can't be used.
pub fn source_of(named: &RedactedProxy) -> Result<ProxySource> {
    let url = |shown: &Option<String>| {
        let parse = |url: &String| {
            ProxyUrl::parse(&url.replace(REDACTED, "@")).map_err(|why| {
                Error::new(
                    Kind::Unsupported,
                    format!(
                        "the proxy {url}, which was named on the command line, can't be used: {why}"
                    ),
                )
            })
        };
        shown.as_ref().map(parse).transpose()
    };
    Ok(ProxySource::Named(
        "the command line".to_owned(),
        Box::new(ProxyUrls {
            http: url(&named.http)?,
            https: url(&named.https)?,
            no_proxy: named
                .no_proxy
                .split(',')
                .filter(|entry| !entry.is_empty())
                .map(str::to_owned)
                .collect(),
            ..ProxyUrls::default()
        }),
    ))
}

/// The engine in a bundle.
pub fn engine_of(bundle: &Bundle) -> ClientDialect {
    let patched = matches!(bundle.family, Family::Moby { .. });
    ClientDialect::of(&bundle.version, patched)
}
