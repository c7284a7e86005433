//! The steps of `baleen doctor` in words, and as JSON.

mod answer;
mod certificate;
mod docker_app;
mod docker_proxy;
mod engine;
mod hosts;
mod html;
mod registry;
mod relay;
mod report;
mod route;
mod settings;
mod tunnel;

use serde::Serialize;
use serde_json::{Value, json};

use crate::doctor::{Finding, NoSocket, Outcome, Report, Skip, Step, Subject};
use crate::error::{Diagnostic, Face};

pub(crate) use html::html;
pub(crate) use report::{Anonymous, page};

/// A step in words.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct StepText {
    /// Its name for scripts.
    id: &'static str,
    /// The title, which names the checked item.
    pub(crate) title: String,
    outcome: Outcome,
    pub(crate) found: String,
    /// A line that begins with four spaces is a command.
    pub(crate) remedy: Option<String>,
    /// The finding for programs.
    facts: Value,
}

/// What was found, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
struct Words {
    found: String,
    remedy: Option<String>,
}

impl Words {
    /// The words for a finding that needs no remedy.
    fn good(found: impl Into<String>) -> Self {
        Self {
            found: found.into(),
            remedy: None,
        }
    }

    fn new(found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            found: found.into(),
            remedy: Some(remedy.into()),
        }
    }

    fn of_error(error: &Diagnostic, face: Face) -> Self {
        Self {
            found: error.sentence(),
            remedy: error.hint(face),
        }
    }
}

impl StepText {
    pub(crate) fn of(step: &Step, face: Face) -> Self {
        let Words { found, remedy } = words(&step.finding, face);
        Self {
            id: step.id(),
            title: title(&step.subject),
            outcome: step.outcome(),
            found,
            remedy,
            facts: facts(&step.finding),
        }
    }
}

fn words(finding: &Finding, face: Face) -> Words {
    match finding {
        Finding::Skipped(why) => Words::good(skipped(why)),
        Finding::Bundle(found) => docker_app::bundle(found, face),
        Finding::Family(found) => docker_app::family(found, face),
        Finding::Writable(found) => docker_app::writable(found, face),
        Finding::Image(found) => docker_app::image(found, face),
        Finding::Proxy(found) => route::proxy(found, face),
        Finding::Address(found) => route::address(found, face),
        Finding::Connection(found) => route::connection(found, face),
        Finding::Tunnel(found) => tunnel::words(found, face),
        Finding::Tls(found) => certificate::words(found, face),
        Finding::Registry(found) => registry::words(found),
        Finding::OtherHosts(found) => hosts::words(found),
        Finding::Relay(found) => relay::words(found, face),
        Finding::DockerProxy(found) => docker_proxy::words(found),
        Finding::Engine(found) => engine::words(found),
        Finding::Settings(found) => settings::words(found, face),
    }
}

fn facts(finding: &Finding) -> Value {
    match finding {
        Finding::Skipped(_) | Finding::Writable(_) => Value::Null,
        Finding::Bundle(found) => docker_app::bundle_facts(found),
        Finding::Family(found) => json!({ "family": found.id }),
        Finding::Image(found) => docker_app::image_facts(found),
        Finding::Proxy(found) => route::proxy_facts(found),
        Finding::Address(found) => route::address_facts(found),
        Finding::Connection(found) => route::connection_facts(found),
        Finding::Tunnel(found) => tunnel::facts(found),
        Finding::Tls(found) => certificate::facts(found),
        Finding::Registry(found) => registry::facts(found),
        Finding::OtherHosts(found) => hosts::facts(found),
        Finding::Relay(found) => relay::facts(found),
        Finding::DockerProxy(found) => docker_proxy::facts(found),
        Finding::Engine(found) => engine::facts(found),
        Finding::Settings(found) => settings::facts(found),
    }
}

fn title(subject: &Subject) -> String {
    let short = short_title(subject);
    match subject {
        Subject::Address(Some(host)) => format!("{short} of {host}"),
        Subject::Connection(Some(place)) => format!("{short} to {place}"),
        Subject::Tunnel(registry) => format!("{short} to {registry}"),
        Subject::Tls(registry) => format!("{short} with {registry}"),
        Subject::Registry(registry) => format!("{short} of {registry}"),
        _ => short.to_owned(),
    }
}

/// Returns the number of problems, and where to begin. If there are none, it mentions skipped steps. `styled` sets off
/// a part of the sentence by the outcome that it reports.
pub(crate) fn summary(report: &Report, styled: impl Fn(Outcome, String) -> String) -> String {
    let (bad, warnings) = (report.count(Outcome::Bad), report.count(Outcome::Warning));
    let many = |count: usize, one: &str| match count {
        1 => format!("1 {one}"),
        n => format!("{n} {one}s"),
    };
    let warned = (warnings > 0).then(|| many(warnings, "warning"));
    let first = match bad {
        0 => {
            let missed = match report.missed() {
                0 => "as far as this computer can tell".to_owned(),
                1 => "but 1 step was skipped".to_owned(),
                n => format!("but {n} steps were skipped"),
            };
            let found = styled(Outcome::Good, "No problems found".to_owned());
            let found = format!("{found}, {missed}.");
            return match warned {
                Some(warned) => format!("{found} {}.", styled(Outcome::Warning, warned)),
                None => found,
            };
        }
        1 => "",
        _ => " Fix the first one first.",
    };
    let counted = [Some(many(bad, "problem")), warned];
    let counted: Vec<String> = counted.into_iter().flatten().collect();
    let counted = styled(Outcome::Bad, format!("{}.", counted.join(", ")));
    format!("{counted}{first}")
}

/// Returns the title without the host.
pub(crate) fn short_title(subject: &Subject) -> &'static str {
    match subject {
        Subject::Bundle => "Docker.app",
        Subject::Family => "Kind of Docker",
        Subject::Writable => "Permission to change it",
        Subject::Image => "Boot image",
        Subject::OwnSettings => "Docker's settings",
        Subject::Proxy => "Proxy",
        Subject::Address(_) => "Address",
        Subject::Connection(_) => "Connection",
        Subject::Tunnel(_) => "Tunnel",
        Subject::Tls(_) => "TLS",
        Subject::Registry(_) => "Answer",
        Subject::OtherHosts => "Other hosts of a pull",
        Subject::Relay => "Baleen's relay",
        Subject::DockerProxy => "Docker's own proxy",
        Subject::Engine => "Running engine",
        Subject::Settings => "Settings",
    }
}

fn skipped(why: &Skip) -> String {
    let found = match why {
        Skip::NoDocker => "skipped (there is no Docker.app)",
        Skip::NotWhole => "skipped (Docker.app is incomplete)",
        Skip::NotPatched => "skipped (Baleen changes no Docker of this kind)",
        Skip::Earlier => "skipped (an earlier step failed)",
        Skip::NoProxyToTest => "there is none to test",
        Skip::NoTunnelNeeded => "not needed, since there is no proxy on the way",
        Skip::Socks => "skipped (this check can't go through a SOCKS proxy; Docker's engine may)",
        Skip::NoCryptography(error) => {
            return format!(
                "skipped: {error}; that says nothing about Docker, which has TLS of its own"
            );
        }
        Skip::NoOtherHosts => "the registry names none",
        Skip::NoSocket(NoSocket::OtherEngine) => {
            "DOCKER_HOST points to another engine, not this Docker.app's"
        }
        Skip::NoSocket(NoSocket::NotFound) => "Docker is not running (it has no socket)",
        Skip::NotRunning(socket) => {
            return format!(
                "Docker isn't running (nothing is listening at {})",
                socket.display()
            );
        }
        Skip::SettingsTested => "they are what was tested",
    };
    found.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::certificate::TlsFinding;
    use crate::doctor::proxy_verdict::{Bypass, Obstacle, ReachedHere};
    use crate::doctor::route::{AddressFinding, ConnectionFinding, FirstHost};
    use crate::doctor::settings::{Comparison, DifferenceReason, SetProxy, SettingsFinding};
    use crate::net::HostPort;
    use crate::proxy::ProxyOrigin;

    fn registry() -> HostPort {
        "registry.corp".parse().unwrap()
    }

    #[test]
    fn the_menu_names_no_command_and_no_option() {
        let compared = |reason| {
            Finding::Settings(SettingsFinding::Compared {
                origin: Some(ProxyOrigin::System),
                proxy: None,
                by_hand: false,
                comparison: Comparison::Different {
                    set: SetProxy::None,
                    reason,
                },
                remarks: Vec::new(),
            })
        };
        let reached_here = |remedy| {
            Finding::Tls(TlsFinding::ReachedHere(ReachedHere {
                registry: registry(),
                obstacle: Obstacle::DeadTunnel,
                remedy,
            }))
        };
        let hosts = || vec!["a".to_owned(), "registry.corp".to_owned()];
        for finding in [
            compared(DifferenceReason::NamedByHand),
            compared(DifferenceReason::Unknown),
            reached_here(Bypass::NameAgain {
                host: "registry.corp".to_owned(),
            }),
            reached_here(Bypass::AskScript { hosts: hosts() }),
            reached_here(Bypass::List { hosts: hosts() }),
            Finding::Address(AddressFinding::NotFound {
                why: None,
                host: FirstHost::Registry,
                other_route: None,
            }),
            Finding::Connection(ConnectionFinding::Failed {
                errors: Vec::new(),
                host: FirstHost::Registry,
                is_local: false,
                other_route: None,
            }),
        ] {
            let of = |face| words(&finding, face).remedy.unwrap();
            let (here, there) = (of(Face::Menu), of(Face::CommandLine));
            assert_ne!(here, there);
            for word in ["`baleen", "--", "BALEEN_"] {
                assert!(!here.contains(word), "{here}");
            }
        }
        let listed = words(&reached_here(Bypass::List { hosts: hosts() }), Face::Menu);
        let remedy = listed.remedy.unwrap();
        assert!(
            remedy.ends_with("set no_proxy to [\"a\", \"registry.corp\"]"),
            "{remedy}"
        );
    }

    #[test]
    fn the_title_of_several_steps_names_no_host() {
        for (subject, long, short) in [
            (
                Subject::Address(Some("localhost".to_owned())),
                "Address of localhost",
                "Address",
            ),
            (Subject::Connection(None), "Connection", "Connection"),
            (
                Subject::Tunnel(registry()),
                "Tunnel to registry.corp:443",
                "Tunnel",
            ),
        ] {
            assert_eq!((&*title(&subject), short_title(&subject)), (long, short));
        }
    }
}
