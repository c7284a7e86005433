//! The step about the other hosts that a pull needs: the token server, which the registry names itself, and, for Docker
//! Hub, the hosts of the layers.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::crypto::CryptoProvider;

use crate::net::HostPort;
use crate::net::http::Head;
use crate::net::tls::TlsError;
use crate::proxy::docker_hub;

use super::answer::{Answer, NoAnswer, Said};
use super::engine_route::{EngineRoute, TestedProxy};
use super::net_error::NetError;
use super::proxy_answer::{Cause, Observed, ProbeResults};
use super::tunnel::{self, Reached};
use super::untrusted_text::Redactor;
use super::{Finding, Options, Outcome, Skip, Step, Subject};

/// The other hosts that a pull needs, at least one.
#[derive(Debug, Clone)]
pub(crate) struct HostsFinding {
    pub(crate) hosts: Vec<HostFinding>,
    /// True if the registry is Docker Hub, which chooses where layers come from.
    pub(crate) is_hub: bool,
}

/// One of the other hosts.
#[derive(Debug, Clone)]
pub(crate) struct HostFinding {
    pub(crate) host: HostPort,
    pub(crate) through_proxy: bool,
    /// The reason why it was not reached.
    pub(crate) trouble: Option<Trouble>,
}

/// The reason why a host was not reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Its name, or the proxy's, can't be resolved.
    NoName(NetError),
    NoConnection(NetError),
    /// The proxy opened no tunnel.
    NoTunnel {
        why: NoTunnelTo,
        answer: Answer,
    },
    /// The proxy opened the tunnel, and closed it.
    Closed,
    NoTls(NetError),
    /// TLS failed, in the words of the TLS library.
    Tls(String),
}

/// The reason why a proxy opened no tunnel to one of the other hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoTunnelTo {
    Forbidden,
    Unreachable,
    Other,
}

impl HostsFinding {
    pub(super) fn outcome(&self) -> Outcome {
        match self.hosts.iter().all(|host| host.trouble.is_none()) {
            true => Outcome::Good,
            false => Outcome::Bad,
        }
    }
}

impl HostFinding {
    /// Returns whether the proxy forbade the tunnel.
    pub(crate) fn is_forbidden(&self) -> bool {
        let answer = match &self.trouble {
            Some(Trouble::NoTunnel { answer, .. }) => answer,
            _ => return false,
        };
        answer.as_ref().is_ok_and(|said| said.status == 403)
    }
}

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
        return Step::skipped(Subject::OtherHosts, Skip::NoOtherHosts);
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
    let found = |(host, reached): (&HostPort, &Reached)| {
        let through_proxy = matches!(tested.route_to(host), EngineRoute::Through(_));
        HostFinding {
            host: host.clone(),
            through_proxy,
            trouble: trouble(host, reached, through_proxy, patience, redactor),
        }
    };
    let finding = HostsFinding {
        hosts: hosts.iter().zip(&reached).map(found).collect(),
        is_hub: options.registry.host == docker_hub::REGISTRY,
    };
    Step::new(Subject::OtherHosts, Finding::OtherHosts(finding))
}

/// Returns the reason why a host was not reached. `None` if it was reached.
fn trouble(
    host: &HostPort,
    reached: &Reached,
    through: bool,
    patience: Duration,
    redactor: &Redactor,
) -> Option<Trouble> {
    Some(match reached {
        Reached::Yes => return None,
        Reached::NoName(error) => Trouble::NoName(NetError::of(error, patience)),
        Reached::NoConnection(error) => Trouble::NoConnection(NetError::of(error, patience)),
        Reached::NoTunnel(answer) => {
            let observed = Observed {
                answer,
                second: ProbeResults::default(),
                target: host,
                is_local: false,
            };
            Trouble::NoTunnel {
                why: match observed.cause() {
                    Some(Cause::Forbidden) => NoTunnelTo::Forbidden,
                    Some(Cause::Unreachable) => NoTunnelTo::Unreachable,
                    _ => NoTunnelTo::Other,
                },
                answer: match answer {
                    Ok(head) => Ok(Said::of(head, None, redactor)),
                    Err(error) => Err(NoAnswer::of(error, patience, redactor)),
                },
            }
        }
        Reached::NoTls(TlsError::Io(error)) if is_closed(error) && through => Trouble::Closed,
        Reached::NoTls(TlsError::Io(error)) => Trouble::NoTls(NetError::of(error, patience)),
        Reached::NoTls(error) => Trouble::Tls(redactor.clean(&error.to_string())),
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
