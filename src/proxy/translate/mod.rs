//! Translates this computer's proxy settings into the form that one engine understands. The
//! translation is pure, except for the calls to the [`Resolvers`].
//!
//! It keeps two promises. It reports each entry that the engine can't express, with the reason. And
//! the engine never reaches directly what this computer reaches through a proxy, unless the entry is
//! reported as [`EntryOutcome::Widened`]. The reverse may happen.

use std::io;
use std::net::IpAddr;

use crate::error::Result;

use super::pac::{PacAnswers, PacSource, Unreachable};
use super::proxy_config::{ProxyConfig, ProxySettings};
use super::{ClientDialect, EngineProxy, NoProxy, Password, ProxyUrl};

mod entries;
pub mod from_pac;
mod from_settings;
mod reachability;
pub mod remark;

use entries::for_go;
pub use entries::{EntryOutcome, EntryReason, TranslatedEntry};
use from_pac::by_script;
use from_settings::by_settings;
use reachability::{add_password, reachable};
pub(crate) use remark::WhyDirect;
pub use remark::{Explanation, HostRemark, PacUnreachable, Remark};

/// The user's additions to the source's settings.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// More hosts that the engine reaches directly, as Go reads them.
    pub no_proxy: Vec<String>,
    /// The address at which the VM reaches this computer's loopback, if the user overrides the default.
    pub host_address: Option<String>,
    /// Set when passwords are of no use, so that none is looked up: the values are for the fields of
    /// Docker's own window.
    pub no_passwords: bool,
    /// Registries that a PAC script is asked about, in addition to Docker's own.
    pub pac_hosts: Vec<String>,
    /// The policy for a PAC script that can't be reached.
    pub pac_unreachable: Unreachable,
}

/// The lookups that a translation needs.
pub struct Resolvers<'a> {
    /// Looks up the addresses of a host.
    pub addresses: &'a dyn Fn(&str) -> io::Result<Vec<IpAddr>>,
    /// Looks up the password for a proxy that has a user and no password.
    pub password: &'a dyn Fn(&ProxyUrl) -> Result<Option<Password>>,
    /// Asks a PAC script about `https://HOST/` for each host, or about each URL.
    pub pac: &'a dyn Fn(&PacSource, &[String]) -> Result<PacAnswers>,
}

/// The result of a translation.
#[derive(Debug, Clone)]
pub struct Translation {
    /// The engine's proxy settings; none if the engine should reach everything directly.
    pub proxy: Option<EngineProxy>,
    /// The proxy for `https://`, as this computer reaches it.
    pub host_proxy: Option<ProxyUrl>,
    /// The outcome for each entry of the bypass list; empty if there is no proxy.
    pub entries: Vec<TranslatedEntry>,
    /// Settings that the engine can't follow.
    pub remarks: Vec<Remark>,
    /// Settings that the engine follows in another form.
    pub explanations: Vec<Explanation>,
    /// Set when the PAC script can't be asked now; one of the remarks says so.
    pub pac_unreachable: Option<PacUnreachable>,
    /// True for plain proxies of the system's settings, without a script, a login or SOCKS, and without additions of the
    /// user. Docker Desktop can follow these by itself.
    pub is_plain_system: bool,
}

impl Translation {
    /// Returns the reason why the engine gets no proxy.
    pub(crate) fn why_direct(&self) -> WhyDirect {
        match &self.pac_unreachable {
            Some(_) => WhyDirect::PacUnreachable,
            None => WhyDirect::NoProxy,
        }
    }
}

/// Translates a source's proxy configuration for `engine`.
///
/// # Errors
/// When this computer uses a proxy that the engine can't use at all, so that neither a proxy nor
/// direct access is right.
pub fn translate(
    proxy_config: &ProxyConfig,
    engine: &ClientDialect,
    overrides: &Overrides,
    resolvers: &Resolvers<'_>,
) -> Result<Translation> {
    let is_plain_system = is_plain_system(proxy_config, overrides);
    let (mut remarks, mut explanations) = (Vec::new(), Vec::new());
    let mut pac_unreachable = None;
    let chosen = match &proxy_config.settings {
        ProxySettings::Settings(settings) => {
            remarks.extend(settings.faults.iter().cloned().map(Remark::Settings));
            let by_script = match &settings.pac {
                Some(source) => by_script(source, engine, overrides, resolvers, &mut remarks)?,
                None => None,
            };
            match by_script {
                Some(found) => {
                    explanations = found.explanations;
                    pac_unreachable = found.pac_unreachable;
                    found.chosen
                }
                None => by_settings(settings, engine, &mut remarks)?,
            }
        }
        ProxySettings::Urls(urls) => {
            remarks.extend(urls.ignored_variable.map(Remark::IgnoredVariable));
            EffectiveProxies {
                http: urls.http.clone(),
                // A user who names one proxy means both.
                https: urls.https.clone().or_else(|| urls.http.clone()),
                entries: urls
                    .no_proxy
                    .iter()
                    .map(|e| for_go(e, engine.rules))
                    .collect(),
            }
        }
    };
    let EffectiveProxies {
        http,
        https,
        mut entries,
    } = chosen;
    entries.extend(overrides.no_proxy.iter().map(|e| for_go(e, engine.rules)));
    if http.is_none() && https.is_none() {
        return Ok(Translation {
            proxy: None,
            host_proxy: None,
            // Without a proxy, the bypass list has no effect.
            entries: Vec::new(),
            remarks,
            explanations,
            pac_unreachable,
            is_plain_system: false,
        });
    }

    let mut with_password = |url: Option<ProxyUrl>| match url {
        Some(url) if !overrides.no_passwords => {
            add_password(url, resolvers, &mut remarks).map(Some)
        }
        // Also one that was named by hand.
        url => Ok(url.map(|url| url.reference().url())),
    };
    let same = http == https;
    let http = with_password(http)?;
    let https = if same {
        http.clone()
    } else {
        with_password(https)?
    };
    let here = https.clone();

    // Docker's own proxy runs on the Mac, so its `127.0.0.1` is the Mac, whatever address the VM uses.
    let address = engine
        .host_address
        .map(|of_vm| overrides.host_address.as_deref().unwrap_or(of_vm));
    let mut from_vm = |url: Option<ProxyUrl>| {
        url.map(|url| reachable(url, address, resolvers, &mut remarks, &mut explanations))
            .transpose()
    };
    let http = from_vm(http)?;
    let https = if same { http.clone() } else { from_vm(https)? };

    let no_proxy = NoProxy::new(entries.iter().filter_map(|entry| entry.to.clone()));
    Ok(Translation {
        proxy: EngineProxy::new(http, https, no_proxy),
        host_proxy: here,
        entries,
        remarks,
        explanations,
        pac_unreachable,
        is_plain_system,
    })
}

fn is_plain_system(proxy_config: &ProxyConfig, overrides: &Overrides) -> bool {
    let ProxySettings::Settings(settings) = &proxy_config.settings else {
        return false;
    };
    let mut servers = [&settings.http, &settings.https].into_iter().flatten();
    settings.pac.is_none()
        && settings.faults.is_empty()
        && overrides.no_proxy.is_empty()
        && (settings.http.is_some() || settings.https.is_some())
        && servers.all(|server| server.user.is_none())
}

/// The proxies as this computer reaches them, and the outcomes for the hosts it reaches directly.
pub(super) struct EffectiveProxies {
    pub(super) http: Option<ProxyUrl>,
    pub(super) https: Option<ProxyUrl>,
    pub(super) entries: Vec<TranslatedEntry>,
}

#[cfg(test)]
mod tests;
