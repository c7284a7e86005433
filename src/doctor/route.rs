//! The steps on the way out, as this computer sees it: the proxy's name, a connection, a tunnel through it, TLS in
//! that, and the registry's answer. Without a proxy the same way is gone directly.

use std::io::{self, Write};
use std::net::{IpAddr, TcpStream};
use std::time::Duration;

use rustls::{ClientConnection, StreamOwned};
use serde_json::json;
use zeroize::Zeroizing;

use crate::net::connect::{self, Timed};
use crate::net::http::{self, Head, NoAnswer};
use crate::net::tls::{self, NoTls, Peer};
use crate::net::{HostPort, lookup};
use crate::patch::status::Expected;
use crate::proxy::ProxyUrl;

use super::foreign::Censor;
use super::verdict::{self, Chain, Verdict};
use super::words::{AGENT, basic, plain, word};
use super::{Outcome, Question, Step};

type Stream = Timed<TcpStream>;
type TlsStream = StreamOwned<ClientConnection, Stream>;

/// A step, and what the next one stands on.
type Taken<T> = (Step, Option<T>);

/// What is read of a page that explains an error, and for how long: it is a courtesy.
const LONGEST_PAGE: u64 = 64 * 1024;
const PATIENCE_FOR_PAGE: Duration = Duration::from_secs(1);

/// The ids of the steps behind the first, in their order.
const IDS: [&str; 5] = ["name", "tcp", "connect", "tls", "registry"];

/// Tells the six steps.
pub(super) fn examine(question: &Question<'_>, tell: &mut dyn FnMut(Step)) {
    let way = Way {
        question,
        proxy: question.proxy.ok().flatten(),
        censor: question.censor(),
    };
    if question.by_hand && matches!(question.proxy, Ok(None)) {
        tell(way.elsewhere());
        for id in IDS {
            let why = "not tried, since it is not the engine's way";
            tell(Step::new(id, way.title(id), Outcome::Skipped, why));
        }
        return;
    }
    tell(way.setting());
    let mut told = 0;
    if question.proxy.is_ok() {
        way.go(&mut |step| {
            told += 1;
            tell(step);
        });
    }
    for id in &IDS[told..] {
        let why = "not tried, since the step before it has to work first";
        tell(Step::new(id, way.title(id), Outcome::Skipped, why));
    }
}

struct Way<'a> {
    question: &'a Question<'a>,
    proxy: Option<&'a ProxyUrl>,
    censor: Censor,
}

impl Way<'_> {
    fn go(&self, tell: &mut dyn FnMut(Step)) -> Option<()> {
        let target = self.target();
        let (step, addresses) = self.name(&target);
        tell(step);
        let (step, stream) = self.tcp(&target, &addresses?);
        tell(step);
        let (step, stream) = self.connect(stream?);
        tell(step);
        let (step, stream) = self.tls(stream?);
        tell(step);
        tell(self.registry(stream?));
        Some(())
    }

    /// Where the first connection goes.
    fn target(&self) -> HostPort {
        match self.proxy {
            Some(proxy) => HostPort {
                host: proxy.host().trim_matches(['[', ']']).to_owned(),
                port: proxy.port(),
            },
            None => self.question.registry.clone(),
        }
    }

    /// Whether there is a proxy, but not on the way to this registry.
    fn is_bypassed(&self) -> bool {
        matches!(self.question.proxy, Ok(None))
            && matches!(self.question.expected, Expected::Proxy(_))
    }

    fn title(&self, id: &str) -> String {
        let registry = self.question.registry;
        match id {
            "proxy" => "Proxy".to_owned(),
            "name" => format!("Address of {}", self.target().host),
            "tcp" => format!("Connection to {}", self.target()),
            "connect" => format!("Tunnel to {registry}"),
            "tls" => format!("TLS with {registry}"),
            _ => format!("Answer of {registry}"),
        }
    }

    fn step(&self, id: &'static str, outcome: Outcome, found: impl Into<String>) -> Step {
        Step::new(id, self.title(id), outcome, found)
    }

    fn bad(&self, id: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Step {
        self.step(id, Outcome::Bad, found).advise(Some(remedy))
    }

    fn judged(&self, id: &'static str, verdict: Verdict) -> Step {
        self.step(id, verdict.outcome, verdict.found)
            .advise(verdict.remedy)
    }

    /// Where a way without a proxy says nothing of the engine, which goes through its own.
    fn elsewhere(&self) -> Step {
        let found =
            "none is set on this computer; the engine's was named by hand, and is not tested here";
        self.step("proxy", Outcome::Warning, found).advise(Some(
            "to test it, name it here, too, as in `baleen doctor --http-proxy http://HOST:PORT`",
        ))
    }

    fn setting(&self) -> Step {
        let proxy = match self.question.proxy {
            Ok(proxy) => proxy,
            Err(error) => {
                let correct = "correct it: expected http://HOST:PORT";
                let advice = error.advice().unwrap_or(correct);
                return self.bad("proxy", error.to_string(), advice);
            }
        };
        let remarks = self.question.remarks;
        let found = match proxy {
            Some(proxy) => proxy.redacted(),
            None if self.is_bypassed() => {
                "not on the way; the registry is tried directly".to_owned()
            }
            None => "none is set; the registry is tried directly".to_owned(),
        };
        let outcome = match remarks {
            [] => Outcome::Good,
            _ => Outcome::Warning,
        };
        self.step("proxy", outcome, [&[found], remarks].concat().join("; "))
            .with(json!({
                "proxy": proxy.map(ProxyUrl::redacted),
                "remarks": remarks,
            }))
    }

    fn name(&self, target: &HostPort) -> Taken<Vec<IpAddr>> {
        match lookup::lookup(&target.host, self.question.patience) {
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
                    Err(error) => plain(&error, self.question.patience),
                    Ok(_) => "it has none".to_owned(),
                };
                let remedy = match self.proxy {
                    Some(_) => {
                        "check the proxy's name for a slip; a name of a company's network resolves only in that network or with its VPN on"
                    }
                    None if self.is_bypassed() => {
                        "check the registry's name for a slip; if only the proxy knows it, take it off the bypass list or the no-proxy list"
                    }
                    None => {
                        "check that this computer is online; in a network that needs a proxy, set it (in System Settings or with --https-proxy) and ask again"
                    }
                };
                let found = format!(
                    "the name could not be resolved: {}",
                    self.censor.clean(&why)
                );
                (self.bad("name", found, remedy), None)
            }
        }
    }

    fn tcp(&self, target: &HostPort, addresses: &[IpAddr]) -> Taken<TcpStream> {
        let patience = self.question.patience;
        match connect::tcp(addresses, target.port, patience) {
            Ok((stream, place)) => {
                let step = self
                    .step("tcp", Outcome::Good, format!("{place} takes connections"))
                    .with(json!({ "address": place.to_string() }));
                (step, Some(stream))
            }
            Err(failed) => {
                // Each address had its share of the time, but the user waited for all of it.
                let each: Vec<String> = failed
                    .iter()
                    .map(|(place, error)| format!("{place}: {}", plain(error, patience)))
                    .collect();
                let kind = failed
                    .first()
                    .map_or(io::ErrorKind::Other, |(_, e)| e.kind());
                let local = addresses
                    .iter()
                    .all(|&address| lookup::is_loopback(address));
                let remedy = match (self.proxy, kind) {
                    (None, _) if self.is_bypassed() => {
                        "check the registry's name and port; if only the proxy reaches it, take it off the bypass list or the no-proxy list"
                    }
                    (Some(_), io::ErrorKind::ConnectionRefused) if local => {
                        "start the proxy that should run on this computer, or correct its port"
                    }
                    (Some(_), io::ErrorKind::ConnectionRefused) => {
                        "check the proxy's port (often 8080, 3128 or 80)"
                    }
                    (Some(_), _) => {
                        "check the proxy's host and port; a proxy of a company's network is reached only in that network or with its VPN on"
                    }
                    (None, _) => {
                        "this network may let nobody out but through a proxy: set it (in System Settings or with --https-proxy) and ask again"
                    }
                };
                let facts: Vec<_> = failed
                    .iter()
                    .map(|(place, error)| json!({ "address": place.to_string(), "error": word(error) }))
                    .collect();
                let step = self
                    .bad("tcp", each.join("; "), remedy)
                    .with(json!({ "failed": facts }));
                (step, None)
            }
        }
    }

    fn connect(&self, stream: TcpStream) -> Taken<Stream> {
        let mut stream = Timed::new(stream, self.question.patience);
        let Some(proxy) = self.proxy else {
            let why = if self.is_bypassed() {
                "not needed, since there is no proxy on the way"
            } else {
                "not needed, since there is no proxy"
            };
            return (self.step("connect", Outcome::Skipped, why), Some(stream));
        };
        let registry = self.question.registry;
        let asked = verdict::Asked {
            proxy,
            registry,
            censor: &self.censor,
        };
        let answer = stream
            .write_all(tunnel_request(registry, proxy).as_bytes())
            .map_err(NoAnswer::Io)
            .and_then(|()| Head::read(&mut stream));
        match answer {
            Ok(head) if head.status == 200 => {
                let step = self
                    .step("connect", Outcome::Good, "the proxy opens it")
                    .with(json!({ "status": 200 }));
                (step, Some(stream))
            }
            Ok(head) => {
                let page = page(&head, &mut stream, |stream| {
                    stream.wait_again(PATIENCE_FOR_PAGE.min(self.question.patience));
                });
                let schemes = http::schemes(head.values("proxy-authenticate"));
                let shown: Vec<String> = schemes.iter().map(|s| self.censor.clean(s)).collect();
                let step = self
                    .judged("connect", asked.refused(&head, &shown, page.as_deref()))
                    .with(json!({ "status": head.status, "schemes": shown }));
                (step, None)
            }
            Err(error) => {
                let verdict = asked.unanswered(&error, self.question.patience);
                (self.judged("connect", verdict), None)
            }
        }
    }

    fn tls(&self, mut stream: Stream) -> Taken<TlsStream> {
        let question = self.question;
        let provider = match tls::provider() {
            Ok(provider) => provider,
            Err(error) => {
                let found = format!(
                    "not tried: {error}; that says nothing about Docker, which has TLS of its own"
                );
                return (self.step("tls", Outcome::Skipped, found), None);
            }
        };
        stream.wait_again(question.patience);
        match tls::connect(stream, &question.registry.host, &provider) {
            Ok((stream, peer)) => (self.certificate(&peer), Some(stream)),
            Err(error) => (self.judged("tls", self.no_tls(&error)), None),
        }
    }

    fn no_tls(&self, error: &NoTls) -> Verdict {
        let behind = match self.proxy {
            Some(_) => "the proxy opened the tunnel, but ",
            None => "",
        };
        let patience = self.question.patience;
        verdict::no_tls(behind, error, &self.censor, |error| plain(error, patience))
    }

    fn certificate(&self, peer: &Peer) -> Step {
        let trust = self.question.trust;
        let chain: Vec<_> = peer.chain();
        let judged = Chain {
            certificates: &chain,
            registry: self.question.registry,
            behind_proxy: self.proxy.is_some(),
            public: peer.verdict(&trust.public),
            computer: peer.verdict(&trust.computer),
            censor: &self.censor,
        };
        let facts: Vec<_> = chain
            .iter()
            .map(|certificate| {
                json!({
                    "subject": self.censor.clean(&certificate.subject),
                    "issuer": self.censor.clean(&certificate.issuer),
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

    fn registry(&self, mut stream: TlsStream) -> Step {
        let patience = self.question.patience;
        stream.sock.wait_again(patience);
        let answer = stream
            .write_all(ping_request(self.question.registry).as_bytes())
            .map_err(NoAnswer::Io)
            .and_then(|()| Head::read(&mut stream));
        match answer {
            Ok(head) => {
                let page = page(&head, &mut stream, |stream| {
                    stream.sock.wait_again(PATIENCE_FOR_PAGE.min(patience));
                });
                let judged = verdict::of_registry(&head, page.as_deref(), &self.censor);
                self.judged("registry", judged)
                    .with(json!({ "status": head.status }))
            }
            Err(error) => {
                let why = match &error {
                    NoAnswer::Io(error) => plain(error, patience),
                    error => error.to_string(),
                };
                self.bad(
                    "registry",
                    format!("GET /v2/ got no answer: {why}"),
                    "try again; if it stays so, tell whoever runs the proxy or the registry",
                )
            }
        }
    }
}

/// The title of the page behind `head`, read within the time that `hurry` sets.
fn page<S: io::Read>(head: &Head, stream: &mut S, hurry: impl Fn(&mut S)) -> Option<String> {
    hurry(stream);
    let body = http::body(head, stream, LONGEST_PAGE).ok()?;
    http::title(&body)
}

/// The request that the engine makes as well: Go sends the credentials of the URL at once.
fn tunnel_request(registry: &HostPort, proxy: &ProxyUrl) -> Zeroizing<String> {
    let credentials = basic(proxy);
    let room = 256 + 2 * registry.host.len() + credentials.as_ref().map_or(0, |c| c.len());
    // Room for all of it: a string that grows leaves its old bytes behind.
    let mut request = Zeroizing::new(String::with_capacity(room));
    request.push_str("CONNECT ");
    request.push_str(&registry.to_string());
    request.push_str(" HTTP/1.1\r\nHost: ");
    request.push_str(&registry.to_string());
    request.push_str("\r\nUser-Agent: ");
    request.push_str(AGENT);
    if let Some(credentials) = credentials {
        request.push_str("\r\nProxy-Authorization: Basic ");
        request.push_str(&credentials);
    }
    request.push_str("\r\n\r\n");
    request
}

/// The question by which a registry of the second version is told
/// (<https://distribution.github.io/distribution/spec/api/#api-version-check>).
fn ping_request(registry: &HostPort) -> String {
    let host = registry.to_string();
    let host = host.strip_suffix(":443").unwrap_or(&host);
    format!("GET /v2/ HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {AGENT}\r\nConnection: close\r\n\r\n")
}
