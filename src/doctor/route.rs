//! The steps on the route to the registry, as this computer sees it: the proxy's name, a connection, a tunnel through
//! it, TLS inside the tunnel, the registry's response, and the other hosts of a pull. Without a proxy, the same steps
//! test the direct route.

use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::{ClientConnection, StreamOwned};

use crate::error::Diagnostic;
use crate::net::connect::{self, Timed};
use crate::net::http::{self, Head, HttpError};
use crate::net::tls::{self, Peer, TlsError, Unsupported};
use crate::net::{HostPort, lookup};
use crate::proxy::route::{Hop as MacsWay, HopProxy};
use crate::proxy::translate::Remark;
use crate::proxy::{ProxyRef, ProxyUrl, Scheme};

use super::answer::{NoAnswer, Said};
use super::certificate::{Chain, TlsFailure, TlsFinding};
use super::engine_route::{EngineRoute, Origin, TestedProxy};
use super::net_error::{AGENT, NetError};
use super::proxy_answer::{self, Observed, ProbeResults};
use super::proxy_verdict::{Obstacle, TunnelAttempt, TunnelFinding};
use super::registry::RegistryFinding;
use super::tunnel::{self, Stream, are_local, page, place_of};
use super::untrusted_text::Redactor;
use super::{Finding, Options, Outcome, Skip, Step, Subject, hosts, settings};

type TlsStream = StreamOwned<ClientConnection, Stream>;

/// The result of a step, and the data that the next step needs.
type StepResult<T> = (Step, Option<T>);

/// The tested proxy.
#[derive(Debug, Clone)]
pub(crate) enum ProxyFinding {
    /// The settings can't be used, and Docker has no proxy.
    Unusable(Diagnostic),
    Tested {
        route: TestedRoute,
        origin: Origin,
        /// The settings that the engine can't follow.
        remarks: Vec<Remark>,
    },
}

/// The engine's route to the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TestedRoute {
    Through(ProxyRef),
    /// There is a proxy, but the no-proxy list has this registry.
    Bypassed(HostPort),
    /// There is a proxy, but not for `https://`.
    NotForHttps,
    /// There is no proxy.
    Direct,
}

/// The addresses of the first host.
#[derive(Debug, Clone)]
pub(crate) enum AddressFinding {
    /// The host is an address itself.
    Itself(IpAddr),
    Found(Vec<IpAddr>),
    NotFound {
        /// `None` if the look-up succeeded, but found no address.
        why: Option<NetError>,
        host: FirstHost,
        other_route: Option<OtherRoute>,
    },
}

/// The connection to the first host.
#[derive(Debug, Clone)]
pub(crate) enum ConnectionFinding {
    Made(SocketAddr),
    Failed {
        /// The error at each address.
        errors: Vec<(SocketAddr, NetError)>,
        host: FirstHost,
        /// True if all addresses are of this computer.
        is_local: bool,
        other_route: Option<OtherRoute>,
    },
}

/// The host to which the first connection goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FirstHost {
    Proxy,
    /// The registry, since the proxy is not for it.
    BypassedRegistry,
    /// The registry, since there is no proxy.
    Registry,
}

/// This computer's route to a registry to which the engine goes directly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtherRoute {
    pub(crate) registry: HostPort,
    pub(crate) proxy: HopProxy,
}

impl ProxyFinding {
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Unusable(_) => Outcome::Bad,
            Self::Tested { route, remarks, .. } => match route {
                TestedRoute::Bypassed(_) | TestedRoute::NotForHttps => Outcome::Warning,
                _ if !remarks.is_empty() => Outcome::Warning,
                _ => Outcome::Good,
            },
        }
    }
}

impl AddressFinding {
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Itself(_) | Self::Found(_) => Outcome::Good,
            Self::NotFound { .. } => Outcome::Bad,
        }
    }
}

impl ConnectionFinding {
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Made(_) => Outcome::Good,
            Self::Failed { .. } => Outcome::Bad,
        }
    }
}

/// Runs the seven steps.
pub(super) fn examine(
    options: &Options<'_>,
    tested: Option<&TestedProxy<'_>>,
    redactor: &Redactor,
    on_step: &mut dyn FnMut(Step),
) {
    let mut told = 0;
    let subjects = match tested {
        Some(tested) => {
            let way = RouteCheck {
                options,
                tested,
                engines: tested.route_to(options.registry),
                redactor,
                provider: tls::provider(),
            };
            on_step(way.proxy_step());
            way.run(&mut |step| {
                told += 1;
                on_step(step);
            });
            subjects(Some(&way.target()), options.registry)
        }
        None => {
            on_step(unusable(options));
            subjects(None, options.registry)
        }
    };
    for subject in subjects.into_iter().skip(told) {
        on_step(Step::skipped(subject, Skip::Earlier));
    }
}

/// Returns the step for settings that can't be used while Docker has no proxy.
fn unusable(options: &Options<'_>) -> Step {
    match options.settings.translation {
        Ok(_) => Step::skipped(Subject::Proxy, Skip::NoProxyToTest),
        Err(error) => Step::new(
            Subject::Proxy,
            Finding::Proxy(ProxyFinding::Unusable(error.clone())),
        ),
    }
}

/// Returns the subjects of the steps after the first, in order. The first connection goes to `first`.
fn subjects(first: Option<&HostPort>, registry: &HostPort) -> [Subject; 6] {
    [
        Subject::Address(first.map(|first| first.host.clone())),
        Subject::Connection(first.cloned()),
        Subject::Tunnel(registry.clone()),
        Subject::Tls(registry.clone()),
        Subject::Registry(registry.clone()),
        Subject::OtherHosts,
    ]
}

struct RouteCheck<'a> {
    options: &'a Options<'a>,
    tested: &'a TestedProxy<'a>,
    engines: EngineRoute<'a>,
    redactor: &'a Redactor,
    /// The cryptography, or the reason why there is none.
    provider: Result<Arc<CryptoProvider>, Unsupported>,
}

/// A connection and its address.
struct Connected {
    stream: TcpStream,
    place: SocketAddr,
}

/// A connection to the registry before TLS.
struct Opened {
    stream: Stream,
    /// The head of the proxy's response, if it looks like one of a web server.
    page: Option<Head>,
}

impl RouteCheck<'_> {
    fn run(&self, on_step: &mut dyn FnMut(Step)) -> Option<()> {
        let target = self.target();
        let (step, addresses) = self.name(&target);
        on_step(step);
        let (step, connected) = self.tcp(&target, &addresses?);
        on_step(step);
        let (step, opened) = self.connect(connected?);
        let Some(Opened { stream, page }) = opened else {
            on_step(step);
            return None;
        };
        let (tls_step, spoken) = self.tls(stream);
        if let Some(head) = page
            && spoken.is_none()
            && tls_step.outcome() == Outcome::Bad
        {
            let said = Said::of(&head, None, self.redactor);
            on_step(self.tunnel_step(TunnelFinding::PageInstead(said)));
            return None;
        }
        on_step(step);
        let is_tried = tls_step.outcome() != Outcome::Skipped;
        on_step(tls_step);
        let realm = match spoken {
            Some(stream) => {
                let (step, head) = self.registry(stream);
                let is_registry = step.outcome() != Outcome::Bad;
                on_step(step);
                if !is_registry {
                    return None;
                }
                head.as_ref().and_then(hosts::realm)
            }
            None if is_tried => return None,
            None => {
                let subject = Subject::Registry(self.options.registry.clone());
                on_step(Step::skipped(subject, Skip::Earlier));
                None
            }
        };
        let needed = hosts::needed(self.options.registry, realm);
        let provider = self.provider.as_ref().ok();
        on_step(hosts::examine(
            self.options,
            self.tested,
            &needed,
            provider,
            self.redactor,
        ));
        Some(())
    }

    fn proxy(&self) -> Option<&ProxyUrl> {
        match self.engines {
            EngineRoute::Through(proxy) => Some(proxy),
            EngineRoute::Direct | EngineRoute::Bypassed => None,
        }
    }

    fn first_host(&self) -> FirstHost {
        match self.engines {
            EngineRoute::Through(_) => FirstHost::Proxy,
            EngineRoute::Bypassed => FirstHost::BypassedRegistry,
            EngineRoute::Direct => FirstHost::Registry,
        }
    }

    /// Returns the target of the first connection.
    fn target(&self) -> HostPort {
        self.proxy()
            .map_or_else(|| self.options.registry.clone(), place_of)
    }

    fn tunnel_step(&self, found: TunnelFinding) -> Step {
        let subject = Subject::Tunnel(self.options.registry.clone());
        Step::new(subject, Finding::Tunnel(found))
    }

    fn tls_step(&self, found: TlsFinding) -> Step {
        let subject = Subject::Tls(self.options.registry.clone());
        Step::new(subject, Finding::Tls(found))
    }

    /// Returns the step that names the tested proxy and its origin.
    fn proxy_step(&self) -> Step {
        let origin = self.tested.origin;
        let route = match (self.engines, self.tested.url()) {
            (EngineRoute::Through(proxy), _) => TestedRoute::Through(proxy.reference()),
            (EngineRoute::Bypassed, Some(_)) => {
                TestedRoute::Bypassed(self.options.registry.clone())
            }
            (EngineRoute::Bypassed, None) => TestedRoute::NotForHttps,
            (EngineRoute::Direct, _) => TestedRoute::Direct,
        };
        // If Docker has its own proxy, the step about the settings has the remarks.
        let remarks = match origin {
            Origin::Docker => Vec::new(),
            Origin::Settings => settings::remarks(self.options, Some(self.tested)),
        };
        let found = ProxyFinding::Tested {
            route,
            origin,
            remarks,
        };
        Step::new(Subject::Proxy, Finding::Proxy(found))
    }

    fn name(&self, target: &HostPort) -> StepResult<Vec<IpAddr>> {
        let looked_up = lookup::lookup(&target.host, self.options.patience);
        let found = match &looked_up {
            Ok(addresses) => match **addresses {
                [] => self.no_address(None),
                [one] if one.to_string() == target.host => AddressFinding::Itself(one),
                _ => AddressFinding::Found(addresses.clone()),
            },
            Err(error) => self.no_address(Some(NetError::of(error, self.options.patience))),
        };
        let subject = Subject::Address(Some(target.host.clone()));
        let step = Step::new(subject, Finding::Address(found));
        (step, looked_up.ok().filter(|found| !found.is_empty()))
    }

    fn no_address(&self, why: Option<NetError>) -> AddressFinding {
        AddressFinding::NotFound {
            why,
            host: self.first_host(),
            other_route: self.other_route(),
        }
    }

    /// Returns this computer's route to the registry if that is a proxy, and the engine uses none for it.
    fn other_route(&self) -> Option<OtherRoute> {
        let registry = self.options.registry;
        match (self.options.here)(registry) {
            Some(MacsWay::Through(proxy)) if self.proxy().is_none() => Some(OtherRoute {
                registry: registry.clone(),
                proxy,
            }),
            _ => None,
        }
    }

    fn tcp(&self, target: &HostPort, addresses: &[IpAddr]) -> StepResult<Connected> {
        // Each address has a share of the time, but the user waits for the whole time.
        let patience = self.options.patience;
        let (found, connected) = match connect::tcp(addresses, target.port, patience) {
            Ok((stream, place)) => (
                ConnectionFinding::Made(place),
                Some(Connected { stream, place }),
            ),
            Err(failed) => {
                let errors = failed
                    .iter()
                    .map(|(place, error)| (*place, NetError::of(error, patience)));
                let found = ConnectionFinding::Failed {
                    errors: errors.collect(),
                    host: self.first_host(),
                    is_local: are_local(addresses),
                    other_route: self.other_route(),
                };
                (found, None)
            }
        };
        let subject = Subject::Connection(Some(target.clone()));
        (Step::new(subject, Finding::Connection(found)), connected)
    }

    fn connect(&self, connected: Connected) -> StepResult<Opened> {
        let patience = self.options.patience;
        let Connected { stream, place } = connected;
        let from = stream.local_addr().ok().map(|address| address.ip());
        let mut stream = Timed::new(stream, patience);
        let subject = Subject::Tunnel(self.options.registry.clone());
        let Some(proxy) = self.proxy() else {
            let step = Step::skipped(subject, Skip::NoTunnelNeeded);
            return (step, Some(Opened { stream, page: None }));
        };
        // Docker's later engines can use a SOCKS proxy.
        if proxy.scheme() == Scheme::Socks5 {
            return (Step::skipped(subject, Skip::Socks), None);
        }
        let answer = tunnel::ask(&mut stream, self.options.registry, proxy);
        let is_local = are_local(&[place.ip()]);
        let worthwhile = proxy_answer::worthwhile(&answer, is_local);
        let provider = self.provider.as_ref().ok();
        let second = match worthwhile == proxy_answer::FollowUpProbes::default() {
            true => ProbeResults::default(),
            false => tunnel::second(place, proxy, worthwhile, provider, patience),
        };
        let observed = Observed {
            answer: &answer,
            second,
            target: self.options.registry,
            is_local,
        };
        let Some(cause) = observed.cause() else {
            let page = answer.ok().filter(proxy_answer::is_page);
            let step = self.tunnel_step(TunnelFinding::Opened);
            return (step, Some(Opened { stream, page }));
        };
        let title = answer.as_ref().ok().and_then(|head| {
            page(head, &mut stream, patience, |stream, patience| {
                stream.wait_again(patience);
            })
        });
        let schemes = answer.as_ref().map(login_schemes).unwrap_or_default();
        let shown = schemes.iter().map(|s| self.redactor.clean(s)).collect();
        let refused = self.asked(proxy, from.filter(|_| !is_local)).refused(
            cause,
            &answer,
            shown,
            title.as_deref(),
        );
        let found = TunnelFinding::Refused(Box::new(refused));
        (self.tunnel_step(found), None)
    }

    fn asked<'s>(&'s self, proxy: &'s ProxyUrl, from: Option<IpAddr>) -> TunnelAttempt<'s> {
        TunnelAttempt {
            options: self.options,
            tested: self.tested,
            proxy,
            from,
            redactor: self.redactor,
        }
    }

    fn tls(&self, mut stream: Stream) -> StepResult<TlsStream> {
        let options = self.options;
        let provider = match &self.provider {
            Ok(provider) => provider,
            Err(error) => {
                let subject = Subject::Tls(options.registry.clone());
                let why = Skip::NoCryptography(error.clone());
                return (Step::skipped(subject, why), None);
            }
        };
        stream.wait_again(options.patience);
        match tls::connect(stream, &options.registry.host, provider) {
            Ok((stream, peer)) => (self.tls_step(self.certificate(&peer)), Some(stream)),
            Err(error) => (self.tls_step(self.no_tls(&error)), None),
        }
    }

    fn no_tls(&self, error: &TlsError) -> TlsFinding {
        let proxy = self.proxy();
        // This computer may not need the tunnel that leads nowhere.
        if matches!(error, TlsError::Io(_))
            && let Some(proxy) = proxy
            && let Some(found) = self.asked(proxy, None).reached_here(Obstacle::DeadTunnel)
        {
            return TlsFinding::ReachedHere(found);
        }
        TlsFinding::Failed {
            in_tunnel: proxy.is_some(),
            why: TlsFailure::of(error, self.options.patience, self.redactor),
        }
    }

    fn certificate(&self, peer: &Peer) -> TlsFinding {
        let trust = self.options.trust;
        let chain = Chain {
            certificates: peer.chain(),
            registry: self.options.registry,
            behind_proxy: self.proxy().is_some(),
            public: peer.verdict(&trust.public),
            computer: peer.verdict(&trust.computer),
            redactor: self.redactor,
        };
        TlsFinding::Certificate(Box::new(chain.finding()))
    }

    fn registry(&self, mut stream: TlsStream) -> StepResult<Head> {
        let patience = self.options.patience;
        stream.sock.wait_again(patience);
        let answer = stream
            .write_all(ping_request(self.options.registry).as_bytes())
            .map_err(HttpError::Io)
            .and_then(|()| Head::read(&mut stream));
        let found = match &answer {
            Ok(head) => {
                let title = page(head, &mut stream, patience, |stream, patience| {
                    stream.sock.wait_again(patience);
                });
                RegistryFinding::of(head, title.as_deref(), self.redactor)
            }
            Err(error) => RegistryFinding::NoAnswer(NoAnswer::of(error, patience, self.redactor)),
        };
        let subject = Subject::Registry(self.options.registry.clone());
        (Step::new(subject, Finding::Registry(found)), answer.ok())
    }
}

/// Returns the schemes of the login that a proxy requires. With 401, a proxy may name them as a server does.
fn login_schemes(head: &Head) -> Vec<String> {
    let own = http::schemes(head.values("proxy-authenticate"));
    match head.status {
        401 if own.is_empty() => http::schemes(head.values("www-authenticate")),
        _ => own,
    }
}

/// Returns the request that identifies a version 2 registry
/// (<https://distribution.github.io/distribution/spec/api/#api-version-check>).
fn ping_request(registry: &HostPort) -> String {
    let host = registry.to_string();
    let host = host.strip_suffix(":443").unwrap_or(&host);
    format!("GET /v2/ HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {AGENT}\r\nConnection: close\r\n\r\n")
}
