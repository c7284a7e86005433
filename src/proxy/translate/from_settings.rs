//! The proxies that the system settings name, as far as the engine's client can use them.

use crate::proxy::settings::{Server, SystemSettings};
use crate::proxy::url::Scheme;
use crate::proxy::{ClientDialect, ProxyError, ProxyUrl};

use super::entries::{EntryOutcome, EntryReason, TranslatedEntry, for_engine};
use super::{EffectiveProxies, Remark};

/// Chooses the proxies without a PAC script: the proxy for the scheme, else SOCKS, else none.
pub(super) fn by_settings(
    settings: &SystemSettings,
    engine: &ClientDialect,
    remarks: &mut Vec<Remark>,
) -> Result<EffectiveProxies, ProxyError> {
    let url = |server: &Option<Server>, scheme| {
        server
            .as_ref()
            .map(|server| {
                let (host, port) = (&server.host, server.port);
                ProxyUrl::from_parts(scheme, host, port, server.user.as_deref()).map_err(|why| {
                    let host = host.clone();
                    ProxyError::Server { host, why }
                })
            })
            .transpose()
    };
    let http = url(&settings.http, Scheme::Http)?;
    let https = url(&settings.https, Scheme::Http)?;
    let socks = url(&settings.socks, Scheme::Socks5)?;

    let known = socks.clone().filter(|_| engine.knows_socks);
    let (mut http, mut https) = (http.or(known.clone()), https.or(known));
    if let Some(socks) = &socks
        && !engine.knows_socks
    {
        match (&http, &https) {
            (None, None) => {
                return Err(ProxyError::SocksOnly {
                    proxy: socks.authority(),
                    built: engine.in_words(),
                });
            }
            (Some(_), Some(_)) => {}
            (found, _) => {
                let secure = found.is_some();
                if let Some(other) = if secure { &http } else { &https } {
                    remarks.push(Remark::UnknownSocks {
                        socks: socks.authority(),
                        secure,
                        uses: other.authority(),
                    });
                }
                http = http.or_else(|| https.clone());
                https = https.or_else(|| http.clone());
            }
        }
    }
    if https.is_none()
        && let Some(proxy) = &http
    {
        if engine.https_falls_back {
            remarks.push(Remark::HttpsThroughHttp {
                built: engine.in_words(),
                proxy: proxy.authority(),
            });
            https = http.clone();
        } else {
            remarks.push(Remark::HttpsDirect);
        }
    }

    if http.is_none() && https.is_none() && settings.is_broken {
        return Err(ProxyError::Broken(settings.faults.clone()));
    }

    let mut entries: Vec<TranslatedEntry> = settings
        .exceptions
        .iter()
        .filter(|entry| !entry.trim().is_empty())
        .map(|entry| for_engine(entry, engine.rules))
        .collect();
    if settings.exclude_simple_hostnames {
        entries.push(TranslatedEntry {
            from: "names without a dot".to_owned(),
            to: None,
            fate: EntryOutcome::LeftOut,
            reason: Some(EntryReason::SimpleNames),
        });
    }
    Ok(EffectiveProxies {
        http,
        https,
        entries,
    })
}
