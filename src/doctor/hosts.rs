//! The step about the other hosts that a pull needs: the token server, which the registry names itself, and, for Docker
//! Hub, the hosts of the layers.

use std::io;
use std::sync::Arc;
use std::thread;

use rustls::crypto::CryptoProvider;
use serde_json::json;

use crate::net::HostPort;
use crate::net::http::Head;
use crate::net::tls::TlsError;
use crate::proxy::docker_hub;

use super::engine_route::{EngineRoute, TestedProxy};
use super::net_error::plain;
use super::proxy_answer::{Cause, Observed, ProbeResults};
use super::tunnel::{self, Reached};
use super::untrusted_text::Redactor;
use super::{Options, Outcome, Step};

pub(super) const ID: &str = "hosts";
pub(super) const TITLE: &str = "Other hosts of a pull";

/// Returns the host of a registry's token server: the host of the realm in a `Bearer` challenge
/// (<https://distribution.github.io/distribution/spec/auth/token/>). `None` if there is no realm with `https://`.
pub(super) fn realm(head: &Head) -> Option<HostPort> {
    head.values("www-authenticate").find_map(|challenge| {
        let (scheme, parameters) = challenge.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let mut quoted = false;
        let mut parts = parameters.split(|c| {
            quoted ^= c == '"';
            c == ',' && !quoted
        });
        let url = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            let is_realm = name.trim().eq_ignore_ascii_case("realm");
            is_realm.then(|| value.trim().trim_matches('"'))
        })?;
        let (scheme, rest) = url.split_once("://")?;
        if !scheme.eq_ignore_ascii_case("https") {
            return None;
        }
        // An invalid port is an error; the default port does not replace it.
        rest.split(['/', '?', '#']).next()?.parse().ok()
    })
}

/// Returns the other hosts that a pull from `registry` needs.
pub(super) fn needed(registry: &HostPort, realm: Option<HostPort>) -> Vec<HostPort> {
    let mut hosts: Vec<HostPort> = realm.into_iter().collect();
    if registry.host == docker_hub::REGISTRY {
        hosts.extend(docker_hub::HOSTS.map(|host| HostPort {
            host: host.to_owned(),
            port: 443,
        }));
    }
    let mut seen = vec![registry.clone()];
    hosts.retain(|host| {
        let is_new = !seen.contains(host);
        seen.push(host.clone());
        is_new
    });
    hosts
}

/// Tries to reach all `hosts` in parallel, each by the engine's route.
pub(super) fn examine(
    options: &Options<'_>,
    tested: &TestedProxy<'_>,
    hosts: &[HostPort],
    provider: Option<&Arc<CryptoProvider>>,
    redactor: &Redactor,
) -> Step {
    if hosts.is_empty() {
        return Step::needless(ID, TITLE, "the registry names none");
    }
    let patience = options.patience;
    let reached: Vec<Reached> = thread::scope(|scope| {
        let tried: Vec<_> = hosts
            .iter()
            .map(|host| {
                let proxy = match tested.route_to(host) {
                    EngineRoute::Through(proxy) => Some(proxy),
                    EngineRoute::Direct | EngineRoute::Bypassed => None,
                };
                scope.spawn(move || tunnel::reach(host, proxy, provider, patience))
            })
            .collect();
        let lost = || Reached::NoConnection(io::ErrorKind::Other.into());
        tried
            .into_iter()
            .map(|one| one.join().unwrap_or_else(|_| lost()))
            .collect()
    });
    let mut told = Told::default();
    let mut facts = Vec::new();
    for (host, reached) in hosts.iter().zip(&reached) {
        let through = matches!(tested.route_to(host), EngineRoute::Through(_));
        let why = trouble(host, reached, through, patience, redactor);
        facts.push(json!({ "host": host.to_string(), "through_proxy": through, "trouble": why }));
        told.add(host, why, forbids(reached));
    }
    told.step(options).with(json!({ "hosts": facts }))
}

/// Returns whether the proxy forbade the tunnel.
fn forbids(reached: &Reached) -> bool {
    matches!(reached, Reached::NoTunnel(Ok(head)) if head.status == 403)
}

/// Returns the reason why a host was not reached. `None` if it was reached.
fn trouble(
    host: &HostPort,
    reached: &Reached,
    through: bool,
    patience: std::time::Duration,
    redactor: &Redactor,
) -> Option<String> {
    Some(match reached {
        Reached::Yes => return None,
        Reached::NoName(error) => format!("can't be resolved: {}", plain(error, patience)),
        Reached::NoConnection(error) => plain(error, patience),
        Reached::NoTunnel(answer) => {
            let observed = Observed {
                answer,
                second: ProbeResults::default(),
                target: host,
                is_local: false,
            };
            let said = match answer {
                Ok(head) => redactor.clean(format!("{} {}", head.status, head.reason).trim()),
                Err(error) => match error {
                    crate::net::http::HttpError::Io(error) => plain(error, patience),
                    error => error.to_string(),
                },
            };
            match observed.cause() {
                Cause::Forbidden => format!("forbidden by the proxy ({said})"),
                Cause::Unreachable => format!("the proxy can't reach it ({said})"),
                _ => format!("the proxy opens no tunnel ({said})"),
            }
        }
        Reached::NoTls(TlsError::Io(error)) if is_closed(error) && through => {
            "blocked or not reachable (the proxy opens the tunnel, and closes it)".to_owned()
        }
        Reached::NoTls(TlsError::Io(error)) => format!("no TLS: {}", plain(error, patience)),
        Reached::NoTls(error) => format!("no TLS: {}", redactor.clean(&error.to_string())),
    })
}

/// Returns whether the peer closed the connection, whichever error the system reports.
pub(super) fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    )
}

/// The hosts, grouped by the result of trying to reach them.
#[derive(Default)]
struct Told {
    good: Vec<String>,
    /// Each reason once, with its hosts.
    bad: Vec<(String, Vec<String>)>,
    forbidden: Vec<String>,
}

impl Told {
    fn add(&mut self, host: &HostPort, why: Option<String>, is_forbidden: bool) {
        let host = host.to_string();
        if is_forbidden {
            self.forbidden.push(host.clone());
        }
        let Some(why) = why else {
            self.good.push(host);
            return;
        };
        match self.bad.iter_mut().find(|(there, _)| *there == why) {
            Some((_, hosts)) => hosts.push(host),
            None => self.bad.push((why, vec![host])),
        }
    }

    fn step(&self, options: &Options<'_>) -> Step {
        if self.bad.is_empty() {
            let found = format!("reached: {}", self.good.join(", "));
            return Step::new(ID, TITLE, Outcome::Good, found);
        }
        let failed: Vec<String> = self
            .bad
            .iter()
            .map(|(why, hosts)| format!("{}: {why}", hosts.join(", ")))
            .collect();
        let mut found = failed.join("\n");
        if !self.good.is_empty() {
            found.push_str(&format!("\nreached: {}", self.good.join(", ")));
        }
        let remedy = match &*self.forbidden {
            [] if options.registry.host == docker_hub::REGISTRY => {
                "a pull that needs one of them fails (Docker Hub chooses where layers come from): check that name and this network; if they are right, tell the proxy's administrator".to_owned()
            }
            [] => "a pull needs a token from there: tell the administrator of the registry or the proxy".to_owned(),
            hosts => format!(
                "ask the proxy's administrator to allow CONNECT to {}: a pull is sent there for its token or for layers",
                hosts.join(", ")
            ),
        };
        Step::new(ID, TITLE, Outcome::Bad, found).with_hint(Some(remedy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_names_a_host() {
        for (challenge, host) in [
            (
                "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\"",
                Some("auth.docker.io:443"),
            ),
            (
                "bearer service=\"x,realm=y\", Realm=\"https://gitlab.corp:8443/jwt/auth\"",
                Some("gitlab.corp:8443"),
            ),
            (
                "Bearer realm=https://[fe80::1]:5001/t",
                Some("[fe80::1]:5001"),
            ),
            (
                "Bearer realm=\"https://auth.corp?x\"",
                Some("auth.corp:443"),
            ),
            ("Bearer realm=\"https://auth.corp:65536/\"", None),
            ("Bearer realm=\"https://auth.corp:0/\"", None),
            ("Bearer realm=\"http://auth.corp/\"", None),
            ("Bearer realm=\"/token\"", None),
            ("Bearer realm=\"https://me:x@auth.corp/\"", None),
            ("Basic realm=\"https://auth.corp/\"", None),
            ("Bearer service=x", None),
            ("Bearer", None),
        ] {
            let answer = format!("HTTP/1.1 401 x\r\nWWW-Authenticate: {challenge}\r\n\r\n");
            let head = Head::read(&mut answer.as_bytes()).unwrap();
            let found = realm(&head).map(|host| host.to_string());
            assert_eq!(found.as_deref(), host, "{challenge}");
        }
    }

    #[test]
    fn each_host_is_asked_once_and_the_registry_not_again() {
        let host = |text: &str| text.parse::<HostPort>().unwrap();
        let hub = needed(&host("registry-1.docker.io"), Some(host("auth.docker.io")));
        assert_eq!(hub.len(), docker_hub::HOSTS.len() - 1);
        let corp = host("registry.corp:5000");
        assert_eq!(needed(&corp, Some(corp.clone())), []);
        let auth = host("auth.corp");
        assert_eq!(needed(&corp, Some(auth.clone())), [auth]);
        assert_eq!(needed(&corp, None), []);
    }
}
