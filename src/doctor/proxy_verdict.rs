//! The result of asking the proxy for a tunnel to the registry.

use std::net::IpAddr;

use crate::net::HostPort;
use crate::net::http::{Head, HttpError};
use crate::proxy::ProxyUrl;
use crate::proxy::docker_hub;
use crate::proxy::go::NoProxyRules;
use crate::proxy::route::Hop;

use super::answer::{Answer, NoAnswer, Said};
use super::engine_route::{Origin, TestedProxy, is_here};
use super::proxy_answer::{Cause, relay_logs_in};
use super::untrusted_text::Redactor;
use super::{Options, Outcome};

/// The proxy's tunnel to the registry.
#[derive(Debug, Clone)]
pub(crate) enum TunnelFinding {
    Opened,
    /// The proxy answered like a web server that was asked for a page, and there is no tunnel.
    PageInstead(Said),
    Refused(Box<NoTunnel>),
}

/// A tunnel that the proxy did not open.
#[derive(Debug, Clone)]
pub(crate) struct NoTunnel {
    pub(crate) registry: HostPort,
    pub(crate) cause: Cause,
    pub(crate) answer: Answer,
    /// The schemes of the login that the proxy requires.
    pub(crate) schemes: Vec<String>,
    /// The user that is set for the proxy.
    user: Option<String>,
    has_password: bool,
    /// The address of this computer as the proxy sees it. `None` if the proxy is on this computer.
    from: Option<IpAddr>,
    /// The way past the proxy, if this computer uses that.
    pub(crate) reached_here: Option<ReachedHere>,
}

/// A registry that this computer reaches without the proxy. Then the engine should not use the proxy either, and the
/// fault is the route, not the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReachedHere {
    pub(crate) registry: HostPort,
    pub(crate) obstacle: Obstacle,
    pub(crate) remedy: Bypass,
}

/// What keeps the proxy from a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    Forbids,
    CantResolve,
    CantReach,
    Refuses,
    Closes,
    Silent,
    /// The tunnel that it opens carries nothing.
    DeadTunnel,
}

/// The change that makes Docker reach a registry directly, as this computer does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bypass {
    /// Name the proxy again, and this host with it.
    NameAgain { host: String },
    /// Have the PAC script asked about these hosts.
    AskScript { hosts: Vec<String> },
    /// Bypass the proxy for these hosts.
    List { hosts: Vec<String> },
}

/// The problem with the login that a proxy requires. Go's client, and so the engine, supports only Basic
/// (`proxyAuth` in `net/http/transport.go`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Login {
    /// The proxy takes none of the engine's schemes; the relay may know one of them.
    OtherScheme {
        relay_can: bool,
    },
    /// Neither user nor password is set.
    NoUser,
    NoPassword {
        user: String,
    },
    /// The proxy does not accept the password.
    Denied {
        user: String,
    },
}

/// What else a proxy that forbids the registry may not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AlsoForbidden {
    /// The other hosts that a pull needs.
    Hosts(Vec<HostPort>),
    /// A port other than 443.
    Port,
    Nothing,
}

/// This computer, if it may be what the proxy does not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caller(pub(crate) Option<IpAddr>);

impl TunnelFinding {
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Opened => Outcome::Good,
            Self::PageInstead(_) | Self::Refused(_) => Outcome::Bad,
        }
    }
}

impl NoTunnel {
    /// Returns the problem with the login.
    pub(crate) fn login(&self) -> Login {
        let offers_basic = self.schemes.iter().any(|s| s.eq_ignore_ascii_case("basic"));
        match (&self.user, self.has_password) {
            _ if !self.schemes.is_empty() && !offers_basic => Login::OtherScheme {
                relay_can: relay_logs_in(&self.schemes),
            },
            (None, _) => Login::NoUser,
            (Some(user), false) => Login::NoPassword { user: user.clone() },
            (Some(user), true) => Login::Denied { user: user.clone() },
        }
    }

    /// Returns what else the proxy may not allow.
    pub(crate) fn also_forbidden(&self) -> AlsoForbidden {
        if self.registry.host == docker_hub::REGISTRY {
            let others = docker_hub::HOSTS[1..].iter().map(|&host| HostPort {
                host: host.to_owned(),
                port: 443,
            });
            AlsoForbidden::Hosts(others.collect())
        } else if self.registry.port == 443 {
            AlsoForbidden::Nothing
        } else {
            AlsoForbidden::Port
        }
    }

    /// Returns this computer if the proxy may not let it in: tinyproxy and others say so to clients that they don't
    /// know; squid says it for any reason.
    pub(crate) fn caller(&self) -> Option<Caller> {
        let said = self.answer.as_ref().ok()?;
        let says_so = |text: &str| text.to_ascii_lowercase().contains("access denied");
        let is_denied = says_so(&said.reason) || said.page.as_deref().is_some_and(says_so);
        is_denied.then_some(Caller(self.from))
    }
}

impl Obstacle {
    /// Returns what the proxy does with the host, if the cause depends on the host.
    fn of(cause: Cause) -> Option<Self> {
        match cause {
            Cause::Forbidden => Some(Self::Forbids),
            Cause::Unknown => Some(Self::CantResolve),
            Cause::Unreachable | Cause::UnreachableFromRelay => Some(Self::CantReach),
            Cause::Refused => Some(Self::Refuses),
            Cause::DropsHost | Cause::DropsIpv6 => Some(Self::Closes),
            Cause::SilentForHost => Some(Self::Silent),
            _ => None,
        }
    }
}

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
    /// Returns the finding for `cause`. `schemes` are those of the login, and `page` is the title of the page
    /// that the proxy sent.
    pub(super) fn refused(
        &self,
        cause: Cause,
        answer: &Result<Head, HttpError>,
        schemes: Vec<String>,
        page: Option<&str>,
    ) -> NoTunnel {
        let reached_here = Obstacle::of(cause).and_then(|obstacle| self.reached_here(obstacle));
        NoTunnel {
            registry: self.options.registry.clone(),
            cause,
            answer: match answer {
                Ok(head) => Ok(Said::of(head, page, self.redactor)),
                Err(error) => Err(NoAnswer::of(error, self.options.patience, self.redactor)),
            },
            schemes,
            user: self.proxy.user().map(|user| self.redactor.clean(&user)),
            has_password: self.proxy.has_password(),
            from: self.from,
            reached_here,
        }
    }

    /// Returns the finding if this computer reaches the registry without the proxy.
    pub(super) fn reached_here(&self, obstacle: Obstacle) -> Option<ReachedHere> {
        let registry = self.options.registry;
        // An address of this computer itself means another host in the VM.
        if is_here(registry) || (self.options.here)(registry) != Some(Hop::Direct) {
            return None;
        }
        Some(ReachedHere {
            registry: registry.clone(),
            obstacle,
            remedy: Bypass::of(self.options, self.tested),
        })
    }
}

impl Bypass {
    fn of(options: &Options<'_>, tested: &TestedProxy<'_>) -> Self {
        let registry = options.registry;
        let (no_proxy, pac_hosts) = options.settings.listed;
        let with = |listed: &[String], host: String| [listed, &[host]].concat();
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
            return Self::NameAgain { host };
        }
        if options.settings.by_script {
            let place = without_443(registry);
            return Self::AskScript {
                hosts: with(pac_hosts, place),
            };
        }
        Self::List {
            hosts: with(no_proxy, host),
        }
    }
}

fn without_443(place: &HostPort) -> String {
    let text = place.to_string();
    text.strip_suffix(":443")
        .map_or(text.clone(), str::to_owned)
}
