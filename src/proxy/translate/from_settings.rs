//! The proxies that the system settings name, as far as the engine's client can use them.

use crate::error::{Error, Kind, Result};
use crate::proxy::settings::{Server, SystemSettings};
use crate::proxy::url::Scheme;
use crate::proxy::{ClientDialect, InvalidUrl, ProxyUrl, redact};

use super::EffectiveProxies;
use super::entries::{EntryOutcome, TranslatedEntry, for_engine};

/// Chooses the proxies without a PAC script: the proxy for the scheme, else SOCKS, else none.
pub(super) fn by_settings(
    settings: &SystemSettings,
    engine: &ClientDialect,
    remarks: &mut Vec<String>,
) -> Result<EffectiveProxies> {
    let url = |server: &Option<Server>, scheme| {
        server
            .as_ref()
            .map(|server| {
                let (host, port) = (&server.host, server.port);
                ProxyUrl::from_parts(scheme, host, port, server.user.as_deref())
                    .map_err(|why| unusable(host, &why))
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
                return Err(Error::new(
                    Kind::Unsupported,
                    format!(
                        "this computer reaches the network through the SOCKS proxy {}, and this engine (built with {}) knows HTTP proxies only",
                        socks.authority(),
                        engine.in_words()
                    ),
                )
                .with_hint("name an HTTP proxy (in System Settings, or with `baleen config set https_proxy http://HOST:PORT` and then `baleen config set source manual`), or run one on this computer that forwards to it, such as privoxy"));
            }
            (Some(_), Some(_)) => {}
            (found, _) => {
                let (scheme, other) = if found.is_none() {
                    ("http", &https)
                } else {
                    ("https", &http)
                };
                if let Some(other) = other {
                    remarks.push(format!(
                        "this computer uses the SOCKS proxy {} for {scheme}, which this engine doesn't know; there it uses {} for both",
                        socks.authority(),
                        other.authority()
                    ));
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
            remarks.push(format!(
                "this computer reaches https directly, but this engine (built with {}) uses the HTTP proxy {} for it as well",
                engine.in_words(),
                proxy.authority()
            ));
            https = http.clone();
        } else {
            remarks.push(
                "this computer reaches https directly, and so will the engine; images are pulled over https"
                    .to_owned(),
            );
        }
    }

    if http.is_none() && https.is_none() && settings.is_broken {
        return Err(Error::new(
            Kind::Usage,
            format!(
                "a proxy is switched on, but can't be made out: {}",
                settings.trouble.join("; ")
            ),
        )
        .with_hint(
            "correct it in System Settings > Network > Details > Proxies, or switch it off",
        ));
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
            reason: Some("no engine can express that; add the hosts by name"),
        });
    }
    Ok(EffectiveProxies {
        http,
        https,
        entries,
    })
}

fn unusable(host: &str, why: &InvalidUrl) -> Error {
    Error::new(
        Kind::Usage,
        format!(
            "the proxy '{}' of the system's settings can't be used: {why}",
            redact(host)
        ),
    )
    .with_hint("correct it in System Settings > Network > Details > Proxies")
}
