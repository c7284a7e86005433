//! Diagnoses in words for a proxy that opens no tunnel.

use std::net::IpAddr;

use crate::net::HostPort;
use crate::net::http::{Head, HttpError};
use crate::proxy::ProxyUrl;
use crate::proxy::docker_hub;
use crate::proxy::go::NoProxyRules;
use crate::proxy::route::Hop;

use super::Options;
use super::diagnosis::{Diagnosis, said};
use super::engine_route::{Origin, TestedProxy, is_here};
use super::net_error::plain;
use super::proxy_answer::{Cause, relays_for};
use super::untrusted_text::Redactor;

/// The context of a request for a tunnel.
pub(super) struct TunnelAttempt<'a> {
    pub(super) options: &'a Options<'a>,
    pub(super) tested: &'a TestedProxy<'a>,
    /// The proxy that was asked.
    pub(super) proxy: &'a ProxyUrl,
    /// The address of this computer as the proxy sees it. `None` if the proxy is on this computer.
    pub(super) from: Option<IpAddr>,
    pub(super) redactor: &'a Redactor,
}

impl TunnelAttempt<'_> {
    /// Returns the diagnosis for `cause`. `schemes` are those of the login, and `page` is the title of the page
    /// that the proxy sent.
    pub(super) fn verdict(
        &self,
        cause: Cause,
        answer: &Result<Head, HttpError>,
        schemes: &[String],
        page: Option<&str>,
    ) -> Diagnosis {
        let registry = &self.options.registry;
        let patience = self.options.patience;
        let said = match answer {
            Ok(head) => said(head, page, self.redactor),
            Err(HttpError::Io(error)) => plain(error, patience),
            Err(error) => error.to_string(),
        };
        if let Some(what) = obstacle(cause)
            && let Some(verdict) = self.bypassed_here(&format!("{what} ({said})"))
        {
            return verdict;
        }
        match cause {
            Cause::Opened => Diagnosis::good("the proxy opens it"),
            Cause::Login => self.login(&said, schemes),
            Cause::Forbidden => self.forbidden(&said),
            Cause::Unknown => Diagnosis::bad(
                format!("the proxy can't resolve {} ({said})", registry.host),
                "check the registry's name; if that is right, tell the proxy's administrator; a host of your own network may belong to the no-proxy list instead",
            ),
            Cause::Unreachable => Diagnosis::bad(
                format!("the proxy is there, but could not reach {registry} ({said})"),
                "check the registry's name; if that is right, tell the proxy's administrator; a host of your own network may belong to the no-proxy list instead",
            ),
            Cause::UnreachableFromRelay => Diagnosis::bad(
                format!("the proxy on this computer could not reach {registry} ({said})"),
                "if it hands on to another proxy, as cntlm, px and Alpaca do, check that one first: its name, its port, the company's network or VPN; else check the registry's name",
            ),
            Cause::UpstreamDown => Diagnosis::bad(
                format!("the proxy on this computer can't reach anything ({said})"),
                "what it hands on to is not there: check the proxy that it has in its own settings, and the company's network or VPN; the registry's name is not the reason",
            ),
            Cause::Redirect => {
                let place = answer
                    .as_ref()
                    .ok()
                    .and_then(|head| head.values("location").next());
                Diagnosis::bad(
                    format!(
                        "instead of a tunnel it sends us to {} ({said})",
                        self.redactor.clean(place.unwrap_or_default())
                    ),
                    "open that page in a browser and log in to the network there, then try again",
                )
            }
            Cause::Refused => Diagnosis::bad(
                format!("the proxy refuses {registry} ({said}), though it opens other tunnels"),
                "check the registry's name and port; if they are right, ask the proxy's administrator",
            ),
            Cause::WebServer => Diagnosis::bad(
                format!("it does not open tunnels ({said})"),
                "check host and port: this looks like a web server, not a proxy",
            ),
            Cause::Unexpected => Diagnosis::bad(
                format!("it should answer 200, but says {said}"),
                "check host and port; if they are right, ask the proxy's administrator",
            ),
            Cause::Socks => Diagnosis::bad(
                "what listens there is a SOCKS proxy, not an HTTP proxy",
                "name the port of an HTTP proxy: many programs have one of each kind; where there is only SOCKS, privoxy makes an HTTP proxy of it",
            ),
            Cause::Tls => Diagnosis::bad(
                "what listens there speaks TLS, not plain HTTP",
                "check the port: Docker's engine needs the proxy's plain HTTP port, also for https:// (what System Settings call a secure web proxy is one, too)",
            ),
            Cause::DropsHost => Diagnosis::bad(
                format!(
                    "the proxy closes the connection when it is asked for {registry}; for another host it answers"
                ),
                "some proxies close it where a name is unknown or a host is down: check the registry's name; if that is right, tell the proxy's administrator",
            ),
            Cause::DropsIpv6 => Diagnosis::bad(
                format!(
                    "the proxy closes the connection when it is asked for {registry}; for another host it answers"
                ),
                "some proxies, such as cntlm, can't take an IPv6 address: use the registry's name, or an IPv4 address",
            ),
            Cause::DropsAll => Diagnosis::bad(
                "the connection was closed without an answer, for another host as well; it speaks neither SOCKS nor TLS",
                "check that this is the port of an HTTP proxy, and that it lets this computer in; a relay that can't reach the proxy it hands on to may do this as well",
            ),
            Cause::Truncated => Diagnosis::bad(
                "the connection was closed in the middle of the answer",
                "try again; if it stays so, tell the proxy's administrator",
            ),
            Cause::NotHttp => {
                let bytes = match answer {
                    Err(HttpError::NotHttp(bytes)) => String::from_utf8_lossy(bytes),
                    _ => "".into(),
                };
                Diagnosis::bad(
                    format!(
                        "what listens there is no HTTP proxy; it says \"{}\"",
                        self.redactor.clean(&bytes)
                    ),
                    "check the proxy's port",
                )
            }
            Cause::TooLong => Diagnosis::bad(said, "check the proxy's port"),
            Cause::SilentForHost => Diagnosis::bad(
                format!("{said} for {registry}; for another host the proxy answers"),
                "the proxy waits for the registry, which does not answer it: check the registry's name and port; if they are right, tell the proxy's administrator",
            ),
            Cause::Silent => Diagnosis::bad(
                format!("the connection was taken, but then: {said}"),
                "the proxy may be overloaded, or stopped, or be something else than a proxy: try again, then ask its administrator",
            ),
        }
    }

    /// Returns the diagnosis if this computer reaches the registry without the proxy. Then the engine should not use
    /// the proxy either, and the fault is the route, not the proxy.
    pub(super) fn bypassed_here(&self, what: &str) -> Option<Diagnosis> {
        let registry = self.options.registry;
        // An address of this computer itself means another host in the VM.
        if is_here(registry) || (self.options.here)(registry) != Some(Hop::Direct) {
            return None;
        }
        Some(Diagnosis::bad(
            format!(
                "this Mac reaches {registry} directly, as its settings say, but Docker goes through the proxy, and that {what}"
            ),
            let_bypass(self.options, self.tested),
        ))
    }

    fn forbidden(&self, said: &str) -> Diagnosis {
        let registry = &self.options.registry;
        let others = if registry.host == docker_hub::REGISTRY {
            let others: Vec<String> = docker_hub::HOSTS[1..]
                .iter()
                .map(|host| format!("{host}:443"))
                .collect();
            format!(
                " (and to the other hosts that a pull needs: {})",
                others.join(", ")
            )
        } else if registry.port == 443 {
            String::new()
        } else {
            "; many proxies allow port 443 only".to_owned()
        };
        // tinyproxy and others send this to clients that they don't know; squid sends it for any reason.
        let caller = match self.from {
            _ if !said.to_ascii_lowercase().contains("access denied") => String::new(),
            Some(address) => {
                format!("; it may also be this computer ({address}) that it does not let in")
            }
            None => "; it may also be this computer that it does not let in".to_owned(),
        };
        Diagnosis::bad(
            format!("the proxy forbids it ({said})"),
            format!("ask the proxy's administrator to allow CONNECT to {registry}{others}{caller}"),
        )
    }

    /// Returns the diagnosis for a proxy that requires a login. Go's client, and so the engine, supports only
    /// Basic (`proxyAuth` in `net/http/transport.go`).
    fn login(&self, said: &str, schemes: &[String]) -> Diagnosis {
        if !schemes.is_empty() && !schemes.iter().any(|s| s.eq_ignore_ascii_case("basic")) {
            let remedy = match &*relays_for(schemes) {
                [] => "ask the proxy's administrator to offer Basic as well: no relay is known that logs in this way".to_owned(),
                relays => format!(
                    "run a relay on this computer that logs in to the proxy for you, and name that as the proxy; then Docker needs no password either. {} can do {}",
                    listed(relays),
                    schemes.join(" or ")
                ),
            };
            return Diagnosis::bad(
                format!(
                    "the proxy asks for a login and takes {} only ({said}); Docker's engine knows Basic and nothing else",
                    schemes.join(", ")
                ),
                remedy,
            );
        }
        let takes = match schemes {
            [] => "without saying of which kind".to_owned(),
            schemes => format!("it takes {}", schemes.join(", ")),
        };
        match (self.proxy.user(), self.proxy.has_password()) {
            (None, _) => Diagnosis::bad(
                format!("the proxy asks for user and password ({said}; {takes})"),
                "name the user (in System Settings, or as http://USER@HOST:PORT with `baleen config set https_proxy`), and store the password with `baleen credentials set`",
            ),
            (Some(user), true) => Diagnosis::bad(
                format!(
                    "the proxy does not accept this password of user '{}' ({said}; {takes})",
                    self.redactor.clean(&user)
                ),
                "check user and password (has the password changed lately?) before you try again: some proxies lock a user out after a few wrong ones",
            ),
            (Some(user), false) => Diagnosis::bad(
                format!(
                    "the proxy asks for a password ({said}; {takes}), but only the user '{}' is set",
                    self.redactor.clean(&user)
                ),
                "store it with `baleen credentials set`",
            ),
        }
    }
}

/// Returns what the proxy does with the host, if the cause depends on the host.
fn obstacle(cause: Cause) -> Option<&'static str> {
    match cause {
        Cause::Forbidden => Some("forbids it"),
        Cause::Unknown => Some("can't resolve it"),
        Cause::Unreachable | Cause::UnreachableFromRelay => Some("can't reach it"),
        Cause::Refused => Some("refuses it"),
        Cause::DropsHost | Cause::DropsIpv6 => Some("closes the connection"),
        Cause::SilentForHost => Some("does not answer"),
        _ => None,
    }
}

/// Returns the remedy that makes Docker reach the registry directly, as this computer does.
fn let_bypass(options: &Options<'_>, tested: &TestedProxy<'_>) -> String {
    let registry = options.registry;
    let (no_proxy, pac_hosts) = options.settings.listed;
    let with = |listed: &[String], host: String| {
        let mut listed = listed.to_vec();
        listed.push(host);
        listed.join(",")
    };
    let is_by_hand = match tested.origin {
        Origin::Docker => options.is_by_hand(),
        Origin::Settings => options.settings.by_option,
    };
    // Up to Go 1.10 an IPv6 address needs brackets; later it must not have them.
    let host = match (registry.host.contains(':'), options.engine.rules) {
        (true, NoProxyRules::UpTo1_10) => format!("[{}]", registry.host),
        _ => registry.host.clone(),
    };
    if is_by_hand {
        return format!(
            "name the proxy again with `baleen apply`, and {host} with it as --no-proxy"
        );
    }
    if options.settings.by_script {
        let place = without_443(registry);
        return format!(
            "have the PAC script asked about it as well: `baleen config set pac_hosts {}`, then `baleen apply`",
            with(pac_hosts, place)
        );
    }
    format!(
        "let Docker bypass the proxy for it as well: `baleen config set no_proxy {}`, then `baleen apply`",
        with(no_proxy, host)
    )
}

fn without_443(place: &HostPort) -> String {
    let text = place.to_string();
    text.strip_suffix(":443")
        .map_or(text.clone(), str::to_owned)
}

/// Joins names for use in a sentence.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}
