//! What answers mean, in words: of a proxy that opens no tunnel, of a certificate, of what should be a registry.

use std::io;
use std::time::Duration;

use rustls::CertificateError;

use crate::net::HostPort;
use crate::net::http::{Head, NoAnswer};
use crate::net::tls::{Certificate, NoTls};
use crate::proxy::ProxyUrl;

use super::Outcome;
use super::foreign::Censor;
use super::words::plain;

/// Where Docker Hub is. For it alone the engine does not look into `certs.d` (`lookupV2Endpoints` in
/// `registry/service_v2.go` of moby/moby).
const DOCKER_HUB: &str = "registry-1.docker.io";

/// How a step came out, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    pub(super) found: String,
    pub(super) remedy: Option<String>,
}

impl Verdict {
    fn good(found: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Good,
            found: found.into(),
            remedy: None,
        }
    }

    fn bad(found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Bad,
            found: found.into(),
            remedy: Some(remedy.into()),
        }
    }
}

/// A tunnel was asked for.
pub(super) struct Asked<'a> {
    /// Of whom.
    pub(super) proxy: &'a ProxyUrl,
    /// Where to.
    pub(super) registry: &'a HostPort,
    pub(super) censor: &'a Censor,
}

impl Asked<'_> {
    /// The proxy answered, but not with 200. `page` is the title of what it sent along.
    pub(super) fn refused(&self, head: &Head, schemes: &[String], page: Option<&str>) -> Verdict {
        let registry = self.registry;
        let said = said(head, page, self.censor);
        match head.status {
            // tinyproxy 1.11 asks with 407, but says 401 of a wrong password.
            401 | 407 => self.login(&said, schemes),
            403 => {
                let others = if registry.host == DOCKER_HUB {
                    " (and to auth.docker.io:443 and production.cloudflare.docker.com:443, which pulling needs as well)"
                } else if registry.port == 443 {
                    ""
                } else {
                    "; many proxies allow port 443 only"
                };
                Verdict::bad(
                    format!("the proxy forbids it ({said})"),
                    format!("ask whoever runs the proxy to allow CONNECT to {registry}{others}"),
                )
            }
            500 | 502..=504 => Verdict::bad(
                format!("the proxy is there, but could not reach {registry} ({said})"),
                "check the registry's name; if that is right, tell whoever runs the proxy; a host of your own network may belong to the no-proxy list instead",
            ),
            300..=399 => {
                let place = head.values("location").next().unwrap_or_default();
                Verdict::bad(
                    format!(
                        "instead of a tunnel it sends us to {} ({said})",
                        self.censor.clean(place)
                    ),
                    "open that page in a browser and log in to the network there, then ask again",
                )
            }
            400 | 404 | 405 | 501 => Verdict::bad(
                format!("it does not open tunnels ({said})"),
                "check host and port: this looks like a web server, not a proxy",
            ),
            _ => Verdict::bad(
                format!("it should answer 200, but says {said}"),
                "check host and port; if they are right, ask whoever runs the proxy",
            ),
        }
    }

    /// The proxy wants to know who asks. Go's client, so the engine, knows Basic and nothing else
    /// (`proxyAuth` in `net/http/transport.go`).
    fn login(&self, said: &str, schemes: &[String]) -> Verdict {
        if !schemes.is_empty() && !schemes.iter().any(|s| s.eq_ignore_ascii_case("basic")) {
            return Verdict::bad(
                format!(
                    "the proxy asks for a login and takes {} only ({said}); Docker's engine knows Basic and nothing else",
                    schemes.join(", ")
                ),
                "run a relay on this computer that logs in to the proxy for you, such as cntlm, px or Alpaca, and name that as the proxy; then the image needs no password either",
            );
        }
        let takes = match schemes {
            [] => "without saying of which kind".to_owned(),
            schemes => format!("it takes {}", schemes.join(", ")),
        };
        match (self.proxy.user(), self.proxy.has_password()) {
            (None, _) => Verdict::bad(
                format!("the proxy asks for user and password ({said}; {takes})"),
                "name the user (in System Settings, or as http://USER@HOST:PORT with `baleen config set https_proxy`), and store the password with `baleen credentials set`",
            ),
            (Some(user), true) => Verdict::bad(
                format!(
                    "the proxy does not accept this password of user '{}' ({said}; {takes})",
                    self.censor.clean(&user)
                ),
                "check user and password (has the password changed lately?) before you try again: some proxies lock a user out after a few wrong ones",
            ),
            (Some(user), false) => Verdict::bad(
                format!(
                    "the proxy asks for a password ({said}; {takes}), but only the user '{}' is set",
                    self.censor.clean(&user)
                ),
                "store it with `baleen credentials set`",
            ),
        }
    }

    /// There was no answer that could be read.
    pub(super) fn unanswered(&self, error: &NoAnswer, patience: Duration) -> Verdict {
        match error {
            NoAnswer::Closed => Verdict::bad(
                "the connection was closed at once, without an answer",
                "check that this is the port of an HTTP proxy (a SOCKS proxy does the same), and that it lets this computer in",
            ),
            NoAnswer::Half => Verdict::bad(
                "the connection was closed in the middle of the answer",
                "try again; if it stays so, tell whoever runs the proxy",
            ),
            NoAnswer::NotHttp(bytes) if is_tls(bytes) => Verdict::bad(
                "what listens there speaks TLS, not plain HTTP",
                "check the port: Docker's engine needs the proxy's plain HTTP port, also for https:// (what System Settings call a secure web proxy is one, too)",
            ),
            NoAnswer::NotHttp(bytes) => Verdict::bad(
                format!(
                    "what listens there is no HTTP proxy; it says \"{}\"",
                    self.censor.clean(&String::from_utf8_lossy(bytes))
                ),
                "check the proxy's port",
            ),
            NoAnswer::TooLong => Verdict::bad(error.to_string(), "check the proxy's port"),
            NoAnswer::Io(error) => Verdict::bad(
                format!(
                    "the connection was taken, but then: {}",
                    plain(error, patience)
                ),
                "the proxy may be overloaded, or stopped, or be something else than a proxy: try again, then ask whoever runs it",
            ),
        }
    }
}

/// Status, reason and title, as "403 Forbidden, \"Access denied\"".
fn said(head: &Head, page: Option<&str>, censor: &Censor) -> String {
    let mut said = head.status.to_string();
    let reason = censor.clean(&head.reason);
    if !reason.is_empty() {
        said.push(' ');
        said.push_str(&reason);
    }
    let page = page.map(|page| censor.clean(page)).unwrap_or_default();
    // Many a proxy only says it once more.
    if !page.is_empty() && page != said {
        said.push_str(&format!(", \"{page}\""));
    }
    said
}

/// Whether these are the first bytes of a TLS alert or handshake.
fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x15 | 0x16, 0x03, ..])
}

/// There is no TLS. `behind` says through what it was tried.
pub(super) fn no_tls(
    behind: &str,
    error: &NoTls,
    censor: &Censor,
    plain: impl Fn(&io::Error) -> String,
) -> Verdict {
    let again = "try again; if it stays so, tell whoever runs the proxy or the registry";
    match error {
        NoTls::Tls(rustls::Error::InvalidMessage(_)) => Verdict::bad(
            format!("{behind}what answers does not speak TLS"),
            "check the registry's port; in a network with a login page, log in there with a browser first",
        ),
        NoTls::Tls(rustls::Error::AlertReceived(alert)) => Verdict::bad(
            format!("{behind}the other side refused TLS with the alert {alert:?}"),
            again,
        ),
        NoTls::Tls(rustls::Error::PeerIncompatible(why)) => Verdict::bad(
            format!(
                "{behind}the other side knows only TLS older than 1.2, or none that Docker would use ({why:?})"
            ),
            again,
        ),
        NoTls::Io(error)
            if matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::BrokenPipe
            ) =>
        {
            Verdict::bad(
                format!("{behind}the connection was closed as soon as TLS began"),
                "proxies do this with hosts that they block: ask whoever runs the proxy to allow the registry",
            )
        }
        NoTls::Io(error) => Verdict::bad(format!("{behind}TLS failed: {}", plain(error)), again),
        error => Verdict::bad(
            format!("{behind}TLS failed: {}", censor.clean(&error.to_string())),
            again,
        ),
    }
}

/// The certificates that a server sent, and what is said of them.
pub(super) struct Chain<'a> {
    pub(super) certificates: &'a [Certificate],
    pub(super) registry: &'a HostPort,
    pub(super) behind_proxy: bool,
    /// By those who trust the public authorities, as the engine in its VM does.
    pub(super) public: Result<(), CertificateError>,
    /// By this computer.
    pub(super) computer: Result<(), CertificateError>,
    pub(super) censor: &'a Censor,
}

impl Chain<'_> {
    pub(super) fn verdict(&self) -> Verdict {
        use CertificateError as E;
        let (Some(own), Some(top)) = (self.certificates.first(), self.certificates.last()) else {
            return Verdict::bad(
                "the server sent no certificate that can be read",
                "tell whoever runs the proxy or the registry",
            );
        };
        let issuer = self.censor.clean(&top.issuer);
        // Of two complaints, that of the list which knows the authority says more.
        let complaint = match (&self.public, &self.computer) {
            (Ok(()), _) => {
                return Verdict::good(format!(
                    "the certificate is good, and public: issued by {issuer}"
                ));
            }
            (Err(E::UnknownIssuer), Err(other)) => other,
            (Err(other), _) => other,
        };
        let host = &self.registry.host;
        let subject = self.censor.clean(&own.subject);
        match complaint {
            E::UnknownIssuer => self.private(top),
            E::Expired | E::ExpiredContext { .. } => Verdict::bad(
                format!(
                    "the certificate of {subject}, issued by {issuer}, ran out: it held until {}",
                    own.not_after
                ),
                "check this computer's date first; if that is right, whoever runs the server (or the proxy, if it inspects TLS) has to renew the certificate",
            ),
            E::NotValidYet | E::NotValidYetContext { .. } => Verdict::bad(
                format!(
                    "the certificate of {subject}, issued by {issuer}, does not hold yet: it does from {} on",
                    own.not_before
                ),
                "check this computer's date",
            ),
            E::NotValidForName | E::NotValidForNameContext { .. } => {
                let presented = match complaint {
                    E::NotValidForNameContext { presented, .. } if !presented.is_empty() => {
                        self.censor.clean(&presented.join(", "))
                    }
                    _ => subject,
                };
                Verdict::bad(
                    format!(
                        "the certificate is not for {host}, but for {presented} (issued by {issuer}): something else answers in its place"
                    ),
                    "check the registry's name; in a network with a login page, log in there with a browser first",
                )
            }
            other => Verdict::bad(
                format!(
                    "the certificate of {subject}, issued by {issuer}, is not accepted: {}",
                    self.censor.clean(&other.to_string())
                ),
                "tell whoever runs the proxy or the registry",
            ),
        }
    }

    /// The authority is none of the public ones: that of a proxy that looks into TLS, or of the registry's owner.
    fn private(&self, top: &Certificate) -> Verdict {
        let registry = self.registry;
        let is_hub = registry.host == DOCKER_HUB;
        let who = match (self.behind_proxy, is_hub) {
            (true, true) => "the proxy inspects TLS",
            (true, false) => "the proxy inspects TLS, or the registry has an authority of its own",
            (false, true) => "something between here and Docker Hub inspects TLS",
            (false, false) => {
                "the registry has an authority of its own, or something on the way inspects TLS"
            }
        };
        let trusted = self.computer.is_ok();
        let here = if trusted {
            "this computer trusts it"
        } else {
            "this computer does not trust it either"
        };
        let found = format!(
            "{who}: the certificate comes from an authority that is not public; {here}\n\
             authority: {}\n\
             last certificate sent: {}\n\
             its SHA-256: {}",
            self.censor.clean(&top.issuer),
            self.censor.clean(&top.subject),
            top.sha256
        );
        let place = match registry.port {
            443 => registry.host.clone(),
            _ => registry.to_string(),
        };
        let alone = if is_hub {
            String::new()
        } else {
            format!(
                "\nor, for this registry alone: put it into ~/.docker/certs.d/{place}/ca.crt, which Docker for Mac copies to /etc/docker/certs.d/{place}/ca.crt in its VM when it starts"
            )
        };
        let hub = if is_hub {
            "\n(For Docker Hub the engine does not look into certs.d, so a file there would not help.)"
        } else {
            ""
        };
        if trusted {
            return Verdict {
                outcome: Outcome::Warning,
                found,
                remedy: Some(format!(
                    "restart Docker if that authority came to the Keychain after Docker's start: it takes the Keychain's authorities into its VM when it starts (the betas of early 2016 did not). The engine says \"x509: certificate signed by unknown authority\" as long as it does not know it{alone}{hub}"
                )),
            };
        }
        Verdict::bad(
            found,
            format!(
                "get the authority's certificate from whoever runs the proxy or the registry, not from the network; then add it to the Keychain and restart Docker, which takes it into its VM:\n    \
                 sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain ca.crt{alone}{hub}"
            ),
        )
    }
}

/// What answered `GET /v2/`.
pub(super) fn of_registry(head: &Head, page: Option<&str>, censor: &Censor) -> Verdict {
    let said = said(head, page, censor);
    let version = head
        .values("docker-distribution-api-version")
        .any(|value| value.contains("registry/2"));
    let asks = head.values("www-authenticate").next().is_some();
    match head.status {
        200 if version => Verdict::good("it is a registry, open to all (200)"),
        401 if version => {
            Verdict::good("it is a registry, and asks who pulls (401), as it should")
        }
        401 if asks => Verdict {
            outcome: Outcome::Warning,
            found: format!(
                "it asks who pulls ({said}), but does not say that it is a registry: the field Docker-Distribution-Api-Version is missing"
            ),
            remedy: Some("engines up to 2020 or so do not talk to such a registry: check its name, or ask whoever runs it".to_owned()),
        },
        300..=399 => {
            let place = head.values("location").next().unwrap_or_default();
            Verdict::bad(
                format!(
                    "a registry should answer 200 or 401, but this sends us to {} ({said})",
                    censor.clean(place)
                ),
                "this is how the login page of a network behaves: open a browser, log in, and ask again",
            )
        }
        200 => Verdict::bad(
            format!("what answers is no registry, but a page ({said}; Docker-Distribution-Api-Version is missing)"),
            "this is how the login page of a network behaves: open a browser, log in, and ask again; else check the registry's name",
        ),
        403 => Verdict::bad(
            format!("it is forbidden ({said})"),
            "the proxy may block this registry by its content: ask whoever runs it; else check the registry's name",
        ),
        500..=599 => Verdict::bad(
            format!("it fails ({said})"),
            "try again later; if it stays so, tell whoever runs the registry",
        ),
        _ => Verdict::bad(
            format!("a registry should answer 200 or 401, but this says {said}"),
            "check the registry's name",
        ),
    }
}
