//! Docker's way to the registry as stations, for a drawing. A pure function of the steps.

use super::docker_app::BundleFinding;
use super::relay::RelayFinding;
use super::route::{ProxyFinding, TestedRoute};
use super::{Finding, Outcome, Report, Step, Subject};

/// A place on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Docker.app with its proxy setting.
    Docker,
    /// The engine in Docker's VM.
    Engine,
    /// Baleen's relay.
    Relay,
    Proxy,
    Registry,
}

/// A place on the way, and the steps that checked it.
#[derive(Debug, Clone)]
pub(crate) struct Station<'r> {
    pub(crate) place: Place,
    /// Docker's version, or the host and port of another place, if known.
    pub(crate) detail: Option<String>,
    pub(crate) steps: Vec<&'r Step>,
}

impl Station<'_> {
    /// Returns the worst outcome of its steps. A station of which nothing was tried is skipped.
    pub(crate) fn outcome(&self) -> Outcome {
        let has = |outcome| self.steps.iter().any(|step| step.outcome() == outcome);
        [Outcome::Bad, Outcome::Warning, Outcome::Good]
            .into_iter()
            .find(|outcome| has(*outcome))
            .unwrap_or(Outcome::Skipped)
    }

    /// Returns whether a step of it was needed and skipped.
    pub(crate) fn is_partly_checked(&self) -> bool {
        let skipped = |step: &&Step| step.outcome() == Outcome::Skipped && step.is_needed();
        self.steps.iter().any(skipped)
    }
}

impl Report {
    /// Returns the stations from Docker to the registry. Each step is at one of them.
    pub(crate) fn way(&self) -> Vec<Station<'_>> {
        let mut steps = self.steps.iter();
        let relay = steps.find(|step| step.subject == Subject::Relay);
        let beyond_relay = relay.and_then(|step| match &step.finding {
            Finding::Relay(RelayFinding::Running(status)) => status.way.as_ref()?.proxy.clone(),
            _ => None,
        });
        let has_relay = relay.is_some();
        // Settings that can't be used don't show whether there is a proxy, and the steps of one were skipped.
        let is_direct = self.steps.iter().any(|step| match &step.finding {
            Finding::Proxy(ProxyFinding::Tested { route, .. }) => {
                !matches!(route, TestedRoute::Through(_))
            }
            _ => false,
        });
        let place_of = |step: &Step| match &step.subject {
            Subject::Bundle
            | Subject::Family
            | Subject::Writable
            | Subject::Image
            | Subject::OwnSettings
            | Subject::DockerProxy
            | Subject::Settings => Place::Docker,
            Subject::Engine => Place::Engine,
            Subject::Relay => Place::Relay,
            // The step says why Docker uses none.
            Subject::Proxy if is_direct => Place::Docker,
            Subject::Address(_) | Subject::Connection(_) | Subject::Tunnel(_) if is_direct => {
                Place::Registry
            }
            Subject::Tunnel(_) if has_relay && beyond_relay.is_some() => Place::Proxy,
            Subject::Proxy | Subject::Address(_) | Subject::Connection(_) | Subject::Tunnel(_) => {
                match has_relay {
                    true => Place::Relay,
                    false => Place::Proxy,
                }
            }
            Subject::Tls(_) | Subject::Registry(_) | Subject::OtherHosts => Place::Registry,
        };
        let first_host = self.steps.iter().find_map(|step| match &step.subject {
            Subject::Connection(host) => host.as_ref().map(ToString::to_string),
            _ => None,
        });
        let all = [
            Place::Docker,
            Place::Engine,
            Place::Relay,
            Place::Proxy,
            Place::Registry,
        ];
        all.into_iter()
            .map(|place| Station {
                place,
                detail: match place {
                    Place::Docker => self.docker_version(),
                    Place::Engine => None,
                    Place::Proxy if has_relay => beyond_relay.clone(),
                    Place::Relay | Place::Proxy => first_host.clone(),
                    Place::Registry => self.registry(),
                },
                steps: self
                    .steps
                    .iter()
                    .filter(|step| place_of(step) == place)
                    .collect(),
            })
            .filter(|station| !station.steps.is_empty())
            .collect()
    }

    /// Returns the host and port of the tested registry.
    pub(crate) fn registry(&self) -> Option<String> {
        self.steps.iter().find_map(|step| match &step.subject {
            Subject::Registry(registry) => Some(registry.to_string()),
            _ => None,
        })
    }

    fn docker_version(&self) -> Option<String> {
        self.steps.iter().find_map(|step| match &step.finding {
            Finding::Bundle(BundleFinding::Found { version, .. }) => Some(version.clone()),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::engine_route::Origin;
    use super::super::net_error::NetError;
    use super::super::route::{AddressFinding, ConnectionFinding, FirstHost};
    use super::super::{NoSocket, Skip};
    use super::*;
    use crate::error::{Diagnostic, IoError};
    use crate::net::HostPort;
    use crate::proxy::ProxyUrl;
    use crate::relay::{Status, Way};

    fn host(text: &str) -> HostPort {
        text.parse().unwrap()
    }

    fn bundle() -> Step {
        let found = BundleFinding::Found {
            path: PathBuf::from("/Applications/Docker.app"),
            version: "1.12.0".to_owned(),
            build: "1".to_owned(),
        };
        Step::new(Subject::Bundle, Finding::Bundle(found))
    }

    fn proxy(route: TestedRoute) -> Step {
        let found = ProxyFinding::Tested {
            route,
            origin: Origin::Docker,
            remarks: Vec::new(),
        };
        Step::new(Subject::Proxy, Finding::Proxy(found))
    }

    fn through(url: &str) -> Step {
        let proxy_url = ProxyUrl::parse(url).unwrap();
        proxy(TestedRoute::Through(proxy_url.reference()))
    }

    fn engine() -> Step {
        Step::skipped(Subject::Engine, Skip::NoSocket(NoSocket::NotFound))
    }

    /// The steps to the first host, which fails, and those behind it.
    fn failing_at(first: &str) -> Vec<Step> {
        let failed = ConnectionFinding::Failed {
            errors: vec![("10.0.0.1:80".parse().unwrap(), NetError::Refused)],
            host: FirstHost::Proxy,
            is_local: false,
            other_route: None,
        };
        let address = AddressFinding::Found(vec!["10.0.0.1".parse().unwrap()]);
        let registry = || host("registry.corp");
        let mut steps = vec![
            Step::new(
                Subject::Address(Some(host(first).host)),
                Finding::Address(address),
            ),
            Step::new(
                Subject::Connection(Some(host(first))),
                Finding::Connection(failed),
            ),
        ];
        for subject in [
            Subject::Tunnel(registry()),
            Subject::Tls(registry()),
            Subject::Registry(registry()),
            Subject::OtherHosts,
        ] {
            steps.push(Step::skipped(subject, Skip::Earlier));
        }
        steps
    }

    fn relay(found: RelayFinding) -> Step {
        Step::new(Subject::Relay, Finding::Relay(found))
    }

    fn running(proxy: Option<&str>) -> RelayFinding {
        RelayFinding::Running(Box::new(Status {
            way: Some(Way {
                proxy: proxy.map(str::to_owned),
                login: None,
            }),
            ..Status::default()
        }))
    }

    #[test]
    fn the_way_has_the_places_that_a_pull_goes_through() {
        let registry = "Registry[registry.corp:443]";
        let no_docker = || {
            let missing = std::io::ErrorKind::NotFound.into();
            let error = Diagnostic::from(IoError::new("read", "/Docker.app".as_ref(), missing));
            Step::new(
                Subject::Bundle,
                Finding::Bundle(BundleFinding::Failed(error)),
            )
        };
        let with = |first: Vec<Step>, second: Vec<Step>, last: Vec<Step>| Report {
            steps: [first, second, last].concat(),
        };
        for (report, expected) in [
            (
                with(
                    vec![bundle(), through("http://proxy.corp:8080")],
                    failing_at("proxy.corp:8080"),
                    vec![engine()],
                ),
                format!(
                    "Docker[1.12.0] Good, Engine[] Skipped, Proxy[proxy.corp:8080] Bad, {registry} Skipped"
                ),
            ),
            (
                with(
                    vec![bundle(), proxy(TestedRoute::Direct)],
                    failing_at("registry.corp"),
                    vec![engine()],
                ),
                format!("Docker[1.12.0] Good, Engine[] Skipped, {registry} Bad"),
            ),
            (
                with(
                    vec![
                        bundle(),
                        proxy(TestedRoute::Bypassed(host("registry.corp"))),
                    ],
                    failing_at("registry.corp"),
                    vec![engine()],
                ),
                format!("Docker[1.12.0] Warning, Engine[] Skipped, {registry} Bad"),
            ),
            (
                with(
                    vec![bundle(), through("http://127.0.0.1:3129")],
                    failing_at("127.0.0.1:3129"),
                    vec![relay(running(Some("proxy.corp:8080"))), engine()],
                ),
                format!(
                    "Docker[1.12.0] Good, Engine[] Skipped, Relay[127.0.0.1:3129] Bad, Proxy[proxy.corp:8080] Skipped, {registry} Skipped"
                ),
            ),
            (
                with(
                    vec![bundle(), through("http://127.0.0.1:3129")],
                    failing_at("127.0.0.1:3129"),
                    vec![relay(running(None)), engine()],
                ),
                format!(
                    "Docker[1.12.0] Good, Engine[] Skipped, Relay[127.0.0.1:3129] Bad, {registry} Skipped"
                ),
            ),
            (
                with(
                    vec![bundle(), through("http://127.0.0.1:3129")],
                    failing_at("127.0.0.1:3129"),
                    vec![relay(RelayFinding::NotRunning), engine()],
                ),
                format!(
                    "Docker[1.12.0] Good, Engine[] Skipped, Relay[127.0.0.1:3129] Bad, {registry} Skipped"
                ),
            ),
            (
                with(
                    vec![
                        no_docker(),
                        Step::skipped(Subject::Family, Skip::NoDocker),
                        Step::skipped(Subject::Proxy, Skip::NoProxyToTest),
                        Step::skipped(Subject::Connection(None), Skip::Earlier),
                    ],
                    Vec::new(),
                    vec![
                        Step::skipped(Subject::Registry(host("registry.corp")), Skip::Earlier),
                        engine(),
                    ],
                ),
                format!("Docker[] Bad, Engine[] Skipped, Proxy[] Skipped, {registry} Skipped"),
            ),
        ] {
            let way = report.way();
            let shown: Vec<String> = way
                .iter()
                .map(|it| {
                    let detail = it.detail.as_deref().unwrap_or_default();
                    format!("{:?}[{detail}] {:?}", it.place, it.outcome())
                })
                .collect();
            assert_eq!(shown.join(", "), expected);
            let placed: usize = way.iter().map(|station| station.steps.len()).sum();
            assert_eq!(placed, report.steps.len());
        }
    }
}
