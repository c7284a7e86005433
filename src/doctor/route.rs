//! The steps on the route to the registry, as this computer sees it: the proxy's name, a connection, a tunnel through
//! it, TLS inside the tunnel, the registry's response, and the other hosts of a pull. Without a proxy, the same steps
//! test the direct route.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::{ClientConnection, StreamOwned};
use serde_json::json;

use crate::net::connect::{self, Timed};
use crate::net::http::{self, Head, HttpError};
use crate::net::tls::{self, Peer, TlsError};
use crate::net::{HostPort, lookup};
use crate::proxy::route::Hop as MacsWay;
use crate::proxy::{ProxyUrl, Scheme};

use super::diagnosis::{self, Chain, Diagnosis};
use super::engine_route::{EngineRoute, Origin, TestedProxy};
use super::net_error::{AGENT, plain, word};
use super::proxy_answer::{self, Cause, Observed, ProbeResults};
use super::proxy_verdict::TunnelAttempt;
use super::tunnel::{self, Stream, are_local, page, place_of};
use super::untrusted_text::Redactor;
use super::{Options, Outcome, Step, hosts, settings};

type TlsStream = StreamOwned<ClientConnection, Stream>;

/// The result of a step, and the data that the next step needs.
type StepResult<T> = (Step, Option<T>);

/// The IDs of the steps after the first, in order.
const IDS: [&str; 6] = ["name", "tcp", "connect", "tls", "registry", hosts::ID];

const ABOVE: &str = "skipped (an earlier step failed)";

/// Runs the seven steps.
pub(super) fn examine(
    options: &Options<'_>,
    tested: Option<&TestedProxy<'_>>,
    redactor: &Redactor,
    on_step: &mut dyn FnMut(Step),
) {
    let mut told = 0;
    let title = match tested {
        Some(tested) => {
            let way = RouteCheck {
                options,
                tested,
                engines: tested.route_to(options.registry),
                redactor,
                provider: tls::provider().map_err(|error| error.to_string()),
            };
            on_step(way.proxy_step());
            way.run(&mut |step| {
                told += 1;
                on_step(step);
            });
            Some(way.titles())
        }
        None => {
            on_step(unusable(options));
            None
        }
    };
    let titles = title.unwrap_or_else(|| titles(None, options.registry));
    for (id, title) in IDS.into_iter().zip(titles).skip(told) {
        on_step(Step::new(id, title, Outcome::Skipped, ABOVE));
    }
}

/// Returns the step for settings that can't be used while Docker has no proxy.
fn unusable(options: &Options<'_>) -> Step {
    let Err(error) = options.settings.translation else {
        return Step::new("proxy", PROXY, Outcome::Skipped, "there is none to test");
    };
    let step = Step::from_error("proxy", PROXY, error);
    match step.remedy {
        Some(_) => step,
        None => step.with_hint(Some("correct it: expected http://HOST:PORT")),
    }
}

const PROXY: &str = "Proxy";

/// Returns the titles of [`IDS`]. The first connection goes to `first`.
fn titles(first: Option<&HostPort>, registry: &HostPort) -> [String; 6] {
    let (address, connection) = match first {
        Some(first) => (
            format!("Address of {}", first.host),
            format!("Connection to {first}"),
        ),
        None => ("Address".to_owned(), "Connection".to_owned()),
    };
    [
        address,
        connection,
        format!("Tunnel to {registry}"),
        format!("TLS with {registry}"),
        format!("Answer of {registry}"),
        hosts::TITLE.to_owned(),
    ]
}

struct RouteCheck<'a> {
    options: &'a Options<'a>,
    tested: &'a TestedProxy<'a>,
    engines: EngineRoute<'a>,
    redactor: &'a Redactor,
    /// The cryptography, or the reason why there is none.
    provider: Result<Arc<CryptoProvider>, String>,
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
            && tls_step.outcome == Outcome::Bad
        {
            on_step(self.judged("connect", self.no_tunnel(&head)));
            return None;
        }
        on_step(step);
        let is_tried = tls_step.outcome != Outcome::Skipped;
        on_step(tls_step);
        let realm = match spoken {
            Some(stream) => {
                let (step, head) = self.registry(stream);
                let is_registry = step.outcome != Outcome::Bad;
                on_step(step);
                if !is_registry {
                    return None;
                }
                head.as_ref().and_then(hosts::realm)
            }
            None if is_tried => return None,
            None => {
                let title = self.title("registry");
                on_step(Step::new("registry", title, Outcome::Skipped, ABOVE));
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

    /// Returns whether there is a proxy, but not for this registry.
    fn is_bypassed(&self) -> bool {
        self.engines == EngineRoute::Bypassed
    }

    /// Returns the target of the first connection.
    fn target(&self) -> HostPort {
        self.proxy()
            .map_or_else(|| self.options.registry.clone(), place_of)
    }

    fn titles(&self) -> [String; 6] {
        titles(Some(&self.target()), self.options.registry)
    }

    fn title(&self, id: &str) -> String {
        let at = IDS.iter().position(|known| *known == id);
        let mut titles = self.titles();
        at.map_or_else(String::new, |at| std::mem::take(&mut titles[at]))
    }

    fn step(&self, id: &'static str, outcome: Outcome, found: impl Into<String>) -> Step {
        Step::new(id, self.title(id), outcome, found)
    }

    fn bad(&self, id: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Step {
        self.step(id, Outcome::Bad, found).with_hint(Some(remedy))
    }

    fn judged(&self, id: &'static str, verdict: Diagnosis) -> Step {
        self.step(id, verdict.outcome, verdict.found)
            .with_hint(verdict.remedy)
    }

    /// Returns the step that names the tested proxy and its origin.
    fn proxy_step(&self) -> Step {
        let registry = self.options.registry;
        let in_docker = self.tested.origin == Origin::Docker;
        let found = match (self.engines, self.tested.url()) {
            (EngineRoute::Through(proxy), _) if in_docker => {
                format!("{}, which Docker has", proxy.redacted())
            }
            (EngineRoute::Through(proxy), _) => proxy.redacted(),
            (EngineRoute::Bypassed, Some(_)) => format!(
                "not on the way: Docker reaches {registry} without it, since its no-proxy list says so; the registry is tried directly"
            ),
            (EngineRoute::Bypassed, None) => {
                "none for https://; the registry is tried directly".to_owned()
            }
            (EngineRoute::Direct, _) => "none is set; the registry is tried directly".to_owned(),
        };
        // If Docker has its own proxy, the step about the settings has the remarks.
        let remarks = match in_docker {
            true => Vec::new(),
            false => settings::remarks(self.options, Some(self.tested)),
        };
        let outcome = match (&*remarks, self.is_bypassed()) {
            ([], false) => Outcome::Good,
            _ => Outcome::Warning,
        };
        let facts = json!({
            "proxy": self.proxy().map(ProxyUrl::redacted),
            "of": self.tested.origin,
            "remarks": remarks,
        });
        let found = [&[found], &*remarks].concat().join("; ");
        Step::new("proxy", PROXY, outcome, found).with(facts)
    }

    fn name(&self, target: &HostPort) -> StepResult<Vec<IpAddr>> {
        match lookup::lookup(&target.host, self.options.patience) {
            Ok(addresses) if !addresses.is_empty() => {
                let listed: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                let found = if listed == [target.host.as_str()] {
                    "it is an address already".to_owned()
                } else {
                    listed.join(", ")
                };
                let step = self
                    .step("name", Outcome::Good, found)
                    .with(json!({ "addresses": listed }));
                (step, Some(addresses))
            }
            other => {
                let why = match other {
                    Err(error) => plain(&error, self.options.patience),
                    Ok(_) => "it has no address".to_owned(),
                };
                let remedy = match self.proxy() {
                    Some(_) => {
                        "check the spelling; company names resolve only on the company network or VPN"
                    }
                    None if self.is_bypassed() => {
                        "check the spelling of the registry's name; if only the proxy knows it, take it off the bypass list or the no-proxy list"
                    }
                    None => {
                        "check that this computer is online; in a network that needs a proxy, set it (in System Settings or with --https-proxy) and try again"
                    }
                };
                let found = format!(
                    "can't resolve it: {}{}",
                    self.redactor.clean(&why),
                    self.other_way_here()
                );
                (self.bad("name", found, remedy), None)
            }
        }
    }

    /// Returns a remark if this computer uses a proxy for the registry, but the engine does not.
    fn other_way_here(&self) -> String {
        match (self.options.here)(self.options.registry) {
            Some(MacsWay::Through(proxy)) if self.proxy().is_none() => format!(
                "; this Mac reaches {} through {proxy}, Docker directly",
                self.options.registry
            ),
            _ => String::new(),
        }
    }

    fn tcp(&self, target: &HostPort, addresses: &[IpAddr]) -> StepResult<Connected> {
        let patience = self.options.patience;
        match connect::tcp(addresses, target.port, patience) {
            Ok((stream, place)) => {
                let step = self
                    .step("tcp", Outcome::Good, format!("{place} takes connections"))
                    .with(json!({ "address": place.to_string() }));
                (step, Some(Connected { stream, place }))
            }
            Err(failed) => {
                let kind = failed
                    .first()
                    .map_or(io::ErrorKind::Other, |(_, e)| e.kind());
                let remedy = match (self.proxy(), kind) {
                    (None, _) if self.is_bypassed() => {
                        "check the registry's name and port; if only the proxy reaches it, take it off the bypass list or the no-proxy list"
                    }
                    (Some(_), io::ErrorKind::ConnectionRefused) if are_local(addresses) => {
                        "start the proxy that should run on this computer, or correct its port"
                    }
                    (Some(_), io::ErrorKind::ConnectionRefused) => {
                        "check the proxy's port (often 8080, 3128 or 80)"
                    }
                    (Some(_), _) => {
                        "check the proxy's host and port; a proxy of a company's network is reached only in that network or with its VPN on"
                    }
                    (None, _) => {
                        "this network may allow connections through a proxy only: set it (in System Settings or with --https-proxy) and try again"
                    }
                };
                let facts: Vec<_> = failed
                    .iter()
                    .map(|(place, error)| json!({ "address": place.to_string(), "error": word(error) }))
                    .collect();
                // Each address had a share of the time, but the user waited for the whole time.
                let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
                for (place, error) in &failed {
                    let why = plain(error, patience);
                    match reasons.iter_mut().find(|(there, _)| *there == why) {
                        Some((_, places)) => places.push(place.to_string()),
                        None => reasons.push((why, vec![place.to_string()])),
                    }
                }
                let each: Vec<String> = reasons
                    .iter()
                    .map(|(why, places)| format!("{}: {why}", places.join(", ")))
                    .collect();
                let found = format!("{}{}", each.join("; "), self.other_way_here());
                let step = self
                    .bad("tcp", found, remedy)
                    .with(json!({ "failed": facts }));
                (step, None)
            }
        }
    }

    fn connect(&self, connected: Connected) -> StepResult<Opened> {
        let patience = self.options.patience;
        let Connected { stream, place } = connected;
        let from = stream.local_addr().ok().map(|address| address.ip());
        let mut stream = Timed::new(stream, patience);
        let Some(proxy) = self.proxy() else {
            let why = "not needed, since there is no proxy on the way";
            let step = Step::needless("connect", self.title("connect"), why);
            return (step, Some(Opened { stream, page: None }));
        };
        // Docker's later engines can use a SOCKS proxy.
        if proxy.scheme() == Scheme::Socks5 {
            let why = "skipped (this check can't go through a SOCKS proxy; Docker's engine may)";
            return (self.step("connect", Outcome::Skipped, why), None);
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
        let cause = observed.cause();
        if cause == Cause::Opened {
            let step = self
                .step("connect", Outcome::Good, "the proxy opens it")
                .with(json!({ "status": 200 }));
            let page = answer.ok().filter(proxy_answer::is_page);
            return (step, Some(Opened { stream, page }));
        }
        let title = answer.as_ref().ok().and_then(|head| {
            page(head, &mut stream, patience, |stream, patience| {
                stream.wait_again(patience);
            })
        });
        let schemes = answer.as_ref().map(login_schemes).unwrap_or_default();
        let shown: Vec<String> = schemes.iter().map(|s| self.redactor.clean(s)).collect();
        let verdict = self.asked(proxy, from.filter(|_| !is_local)).verdict(
            cause,
            &answer,
            &shown,
            title.as_deref(),
        );
        let step = self.judged("connect", verdict);
        let step = match &answer {
            Ok(head) => step.with(json!({ "status": head.status, "schemes": shown })),
            Err(_) => step,
        };
        (step, None)
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

    /// Returns the diagnosis for a 200 without a tunnel.
    fn no_tunnel(&self, head: &Head) -> Diagnosis {
        let said = diagnosis::said(head, None, self.redactor);
        Diagnosis::bad(
            format!("it answers {said} as to a request for a page, and opens no tunnel"),
            "check host and port: this looks like a web server, not a proxy",
        )
    }

    fn tls(&self, mut stream: Stream) -> StepResult<TlsStream> {
        let options = self.options;
        let provider = match &self.provider {
            Ok(provider) => provider,
            Err(error) => {
                let found = format!(
                    "skipped: {error}; that says nothing about Docker, which has TLS of its own"
                );
                return (self.step("tls", Outcome::Skipped, found), None);
            }
        };
        stream.wait_again(options.patience);
        match tls::connect(stream, &options.registry.host, provider) {
            Ok((stream, peer)) => (self.certificate(&peer), Some(stream)),
            Err(error) => (self.judged("tls", self.no_tls(&error)), None),
        }
    }

    fn no_tls(&self, error: &TlsError) -> Diagnosis {
        let patience = self.options.patience;
        let Some(proxy) = self.proxy() else {
            return diagnosis::no_tls("", error, self.redactor, |error| plain(error, patience));
        };
        // This computer may not need the tunnel that leads nowhere.
        let dead = matches!(error, TlsError::Io(_));
        let bypassed = || {
            let what = "opens a tunnel that leads nowhere";
            self.asked(proxy, None).bypassed_here(what)
        };
        dead.then(bypassed).flatten().unwrap_or_else(|| {
            let behind = "the proxy opened the tunnel, but ";
            diagnosis::no_tls(behind, error, self.redactor, |error| plain(error, patience))
        })
    }

    fn certificate(&self, peer: &Peer) -> Step {
        let trust = self.options.trust;
        let chain: Vec<_> = peer.chain();
        let judged = Chain {
            certificates: &chain,
            registry: self.options.registry,
            behind_proxy: self.proxy().is_some(),
            public: peer.verdict(&trust.public),
            computer: peer.verdict(&trust.computer),
            redactor: self.redactor,
        };
        let facts: Vec<_> = chain
            .iter()
            .map(|certificate| {
                json!({
                    "subject": self.redactor.clean(&certificate.subject),
                    "issuer": self.redactor.clean(&certificate.issuer),
                    "not_before": certificate.not_before,
                    "not_after": certificate.not_after,
                    "sha256": certificate.sha256,
                })
            })
            .collect();
        self.judged("tls", judged.verdict()).with(json!({
            "chain": facts,
            "public": judged.public.is_ok(),
            "trusted_here": judged.computer.is_ok(),
        }))
    }

    fn registry(&self, mut stream: TlsStream) -> StepResult<Head> {
        let patience = self.options.patience;
        stream.sock.wait_again(patience);
        let answer = stream
            .write_all(ping_request(self.options.registry).as_bytes())
            .map_err(HttpError::Io)
            .and_then(|()| Head::read(&mut stream));
        match answer {
            Ok(head) => {
                let title = page(&head, &mut stream, patience, |stream, patience| {
                    stream.sock.wait_again(patience);
                });
                let judged = diagnosis::of_registry(&head, title.as_deref(), self.redactor);
                let step = self
                    .judged("registry", judged)
                    .with(json!({ "status": head.status }));
                (step, Some(head))
            }
            Err(error) => {
                let why = match &error {
                    HttpError::Io(error) => plain(error, patience),
                    error => error.to_string(),
                };
                let step = self.bad(
                    "registry",
                    format!("GET /v2/ got no answer: {why}"),
                    "try again; if it stays so, tell the administrator of the proxy or the registry",
                );
                (step, None)
            }
        }
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
