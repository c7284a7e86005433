//! The choice of the proxy to test, and the routes of the engine and of this computer to a host. Pure functions.

use std::net::IpAddr;

use serde::Serialize;

use crate::net::HostPort;
use crate::net::lookup::is_loopback;
use crate::proxy::route::{self, Target};
use crate::proxy::{ClientDialect, EngineProxy, ProxyUrl};

use super::Options;

/// The origin of the tested proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Origin {
    /// Docker has it.
    Docker,
    /// The settings or the options name it.
    Settings,
}

/// The tested proxy and the engine that uses it.
#[derive(Debug)]
pub(super) struct TestedProxy<'a> {
    pub(super) origin: Origin,
    proxy: Option<&'a EngineProxy>,
    /// The proxy for `https://`, as this computer reaches it.
    here: Option<ProxyUrl>,
    engine: &'a ClientDialect,
}

/// The engine's route to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EngineRoute<'t> {
    /// There is no proxy.
    Direct,
    /// There is a proxy, but not for this host.
    Bypassed,
    /// The engine uses this proxy. The URL is the one by which this computer reaches it.
    Through(&'t ProxyUrl),
}

/// The Mac's addresses in the VM over the years (`VPNKIT_HOST` of [`ClientDialect`], and its successors). With all of
/// them, a boot image from an older Baleen or for another Docker is understood too.
const MAC_IN_VM: [&str; 5] = [
    "192.168.65.1",
    "192.168.65.2",
    "192.168.64.1",
    "host.docker.internal",
    "docker.for.mac.localhost",
];

impl<'a> TestedProxy<'a> {
    /// Returns Docker's proxy, unless the user named another one to test. `None` if that one can't be used.
    pub(super) fn of(options: &Options<'a>) -> Option<Self> {
        let translation = options.settings.translation;
        let (origin, proxy, here) = match (options.in_place, translation) {
            (Some(proxy), _) if !options.settings.named => {
                let own = translation
                    .ok()
                    .filter(|translation| translation.proxy.as_ref() == Some(proxy));
                let here = match own {
                    // The settings have this computer's name for the same proxy.
                    Some(translation) => translation.host_proxy.clone(),
                    None => route::engines_own(proxy, options.engine, true)
                        .map(|url| as_seen_from_mac(url, options.settings.host_address)),
                };
                (Origin::Docker, Some(proxy), here)
            }
            (_, Ok(translation)) => (
                Origin::Settings,
                translation.proxy.as_ref(),
                translation.host_proxy.clone(),
            ),
            (_, Err(_)) => return None,
        };
        Some(Self {
            origin,
            proxy,
            here,
            engine: options.engine,
        })
    }

    /// Returns whether it is Baleen's relay.
    pub(super) fn is_relay(&self) -> bool {
        self.proxy.is_some_and(|proxy| proxy.shown().is_relay())
    }

    /// Returns the proxy for `https://`, as this computer reaches it.
    pub(super) fn url(&self) -> Option<&ProxyUrl> {
        self.here.as_ref()
    }

    /// Returns the engine's route to `host` over `https://`.
    pub(super) fn route_to(&self, host: &HostPort) -> EngineRoute<'_> {
        let (Some(proxy), Some(here)) = (self.proxy, &self.here) else {
            return match self.proxy {
                Some(_) => EngineRoute::Bypassed,
                None => EngineRoute::Direct,
            };
        };
        // For the engine, an address of this computer itself means the VM. The proxy can be tested anyway.
        match route::engines_choice(proxy, self.engine, &target(host)) {
            None if !is_here(host) => EngineRoute::Bypassed,
            _ => EngineRoute::Through(here),
        }
    }
}

/// Returns whether `host` is this computer itself.
pub(super) fn is_here(host: &HostPort) -> bool {
    host.host == "localhost" || host.host.parse::<IpAddr>().is_ok_and(is_loopback)
}

/// Returns the target for `host` over `https://`.
pub(super) fn target(host: &HostPort) -> Target {
    Target {
        secure: true,
        host: host.host.clone(),
        port: host.port,
    }
}

/// Returns the URL by which this computer reaches the engine's proxy: the VM's address of the Mac becomes `localhost`.
fn as_seen_from_mac(url: &ProxyUrl, host_address: Option<&str>) -> ProxyUrl {
    let host = url.host().trim_matches(['[', ']']);
    let is_mac = MAC_IN_VM.contains(&host) || host_address == Some(host);
    match url.with_host("localhost") {
        Ok(here) if is_mac => here,
        _ => url.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mac_is_found_at_home() {
        for (url, expected) in [
            ("http://me:x@192.168.65.1:3128", "localhost:3128"),
            ("http://192.168.65.2:3128", "localhost:3128"),
            ("http://10.9.8.7:3128", "localhost:3128"),
            ("http://10.9.8.8:3128", "10.9.8.8:3128"),
            ("http://[fe80::1]:3128", "[fe80::1]:3128"),
            ("http://proxy.corp:3128", "proxy.corp:3128"),
        ] {
            let url = ProxyUrl::parse(url).unwrap();
            let here = as_seen_from_mac(&url, Some("10.9.8.7"));
            assert_eq!(
                (here.authority(), here.user()),
                (expected.to_owned(), url.user())
            );
        }
    }
}
