//! Diagnoses in words: of a failed TLS handshake, of a certificate, and of a registry's response.

use std::io;

use rustls::CertificateError;

use crate::net::HostPort;
use crate::net::http::Head;
use crate::net::tls::{Certificate, TlsError};
use crate::proxy::docker_hub;

use super::Outcome;
use super::hosts::is_closed;
use super::untrusted_text::Redactor;

/// The outcome of a step, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Diagnosis {
    pub(super) outcome: Outcome,
    pub(super) found: String,
    pub(super) remedy: Option<String>,
}

impl Diagnosis {
    pub(super) fn good(found: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Good,
            found: found.into(),
            remedy: None,
        }
    }

    pub(super) fn bad(found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Bad,
            found: found.into(),
            remedy: Some(remedy.into()),
        }
    }
}

/// Formats status, reason and page title, as in "403 Forbidden, \"Access denied\"".
pub(super) fn said(head: &Head, page: Option<&str>, redactor: &Redactor) -> String {
    let mut said = head.status.to_string();
    let reason = redactor.clean(&head.reason);
    if !reason.is_empty() {
        said.push(' ');
        said.push_str(&reason);
    }
    let page = page.map(|page| redactor.clean(page)).unwrap_or_default();
    // The title of many proxies' pages only repeats the status.
    if !page.is_empty() && page != said {
        said.push_str(&format!(", \"{page}\""));
    }
    said
}

/// Returns the diagnosis of a failed TLS handshake. `behind` is the beginning of the sentence, which names the
/// tunnel if there is one.
pub(super) fn no_tls(
    behind: &str,
    error: &TlsError,
    redactor: &Redactor,
    plain: impl Fn(&io::Error) -> String,
) -> Diagnosis {
    let again = "try again; if it stays so, tell the administrator of the proxy or the registry";
    match error {
        TlsError::Tls(rustls::Error::InvalidMessage(_)) => Diagnosis::bad(
            format!("{behind}the server doesn't speak TLS"),
            "check the registry's port; in a network with a login page, log in there with a browser first",
        ),
        TlsError::Tls(rustls::Error::AlertReceived(alert)) => Diagnosis::bad(
            format!("{behind}the other side refused TLS with the alert {alert:?}"),
            again,
        ),
        TlsError::Tls(rustls::Error::PeerIncompatible(why)) => Diagnosis::bad(
            format!(
                "{behind}the other side knows only TLS older than 1.2, or none that Docker would use ({why:?})"
            ),
            again,
        ),
        // Traffic Server and V2Ray open the tunnel before they have reached the host.
        TlsError::Io(error) if is_closed(error) && !behind.is_empty() => Diagnosis::bad(
            format!(
                "{behind}it was closed as soon as TLS began: the host is blocked or not reachable"
            ),
            "check the registry's name; if that is right, ask the proxy's administrator to allow the registry",
        ),
        TlsError::Io(error) if is_closed(error) => Diagnosis::bad(
            "the connection was closed as soon as TLS began",
            "firewalls do this with hosts that they block: in a network that needs a proxy, set it (in System Settings or with --https-proxy) and try again; else ask the network's administrator",
        ),
        TlsError::Io(error) => {
            Diagnosis::bad(format!("{behind}TLS failed: {}", plain(error)), again)
        }
        error => Diagnosis::bad(
            format!("{behind}TLS failed: {}", redactor.clean(&error.to_string())),
            again,
        ),
    }
}

/// The certificates that a server sent, and the results of their verification.
pub(super) struct Chain<'a> {
    pub(super) certificates: &'a [Certificate],
    pub(super) registry: &'a HostPort,
    pub(super) behind_proxy: bool,
    /// The result with the public authorities, which the engine in its VM trusts.
    pub(super) public: Result<(), CertificateError>,
    /// The result with the authorities of this computer.
    pub(super) computer: Result<(), CertificateError>,
    pub(super) redactor: &'a Redactor,
}

impl Chain<'_> {
    pub(super) fn verdict(&self) -> Diagnosis {
        use CertificateError as E;
        let (Some(own), Some(top)) = (self.certificates.first(), self.certificates.last()) else {
            return Diagnosis::bad(
                "the server sent no certificate that can be read",
                "tell the administrator of the proxy or the registry",
            );
        };
        let issuer = self.redactor.clean(&top.issuer);
        // Of two errors, the one from the list that knows the authority says more.
        let complaint = match (&self.public, &self.computer) {
            (Ok(()), _) => {
                return Diagnosis::good(format!(
                    "the certificate is good, and public: issued by {issuer}"
                ));
            }
            (Err(E::UnknownIssuer), Err(other)) => other,
            (Err(other), _) => other,
        };
        let host = &self.registry.host;
        let subject = self.redactor.clean(&own.subject);
        match complaint {
            E::UnknownIssuer => self.private(top),
            E::Expired | E::ExpiredContext { .. } => Diagnosis::bad(
                format!(
                    "the certificate of {subject}, issued by {issuer}, expired on {}",
                    own.not_after
                ),
                "check this computer's date first; if that is right, the administrator of the server (or of the proxy, if it inspects TLS) has to renew the certificate",
            ),
            E::NotValidYet | E::NotValidYetContext { .. } => Diagnosis::bad(
                format!(
                    "the certificate of {subject}, issued by {issuer}, is not valid until {}",
                    own.not_before
                ),
                "check this computer's date",
            ),
            E::NotValidForName | E::NotValidForNameContext { .. } => {
                let presented = match complaint {
                    E::NotValidForNameContext { presented, .. } if !presented.is_empty() => {
                        self.redactor.clean(&presented.join(", "))
                    }
                    _ => subject,
                };
                Diagnosis::bad(
                    format!(
                        "the certificate is not for {host}, but for {presented} (issued by {issuer}): something else answers in its place"
                    ),
                    "check the registry's name; in a network with a login page, log in there with a browser first",
                )
            }
            other => Diagnosis::bad(
                format!(
                    "the certificate of {subject}, issued by {issuer}, is not accepted: {}",
                    self.redactor.clean(&other.to_string())
                ),
                "tell the administrator of the proxy or the registry",
            ),
        }
    }

    /// Returns the diagnosis of a certificate from an authority that is not public: that of a proxy that inspects TLS,
    /// or of the registry's owner.
    fn private(&self, top: &Certificate) -> Diagnosis {
        let registry = self.registry;
        // Only for Docker Hub does the engine ignore `certs.d` (`lookupV2Endpoints` in `registry/service_v2.go` of
        // moby/moby).
        let is_hub = registry.host == docker_hub::REGISTRY;
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
            self.redactor.clean(&top.issuer),
            self.redactor.clean(&top.subject),
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
            return Diagnosis {
                outcome: Outcome::Warning,
                found,
                remedy: Some(format!(
                    "restart Docker if that authority came to the Keychain after Docker's start: it takes the Keychain's authorities into its VM when it starts (the betas of early 2016 did not). The engine says \"x509: certificate signed by unknown authority\" as long as it does not know it{alone}{hub}"
                )),
            };
        }
        Diagnosis::bad(
            found,
            format!(
                "get the authority's certificate from the administrator of the proxy or the registry, not from the network; then add it to the Keychain and restart Docker, which takes it into its VM:\n    \
                 sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain ca.crt{alone}{hub}"
            ),
        )
    }
}

/// Returns the diagnosis of the response to `GET /v2/`.
pub(super) fn of_registry(head: &Head, page: Option<&str>, redactor: &Redactor) -> Diagnosis {
    let said = said(head, page, redactor);
    let version = head
        .values("docker-distribution-api-version")
        .any(|value| value.contains("registry/2"));
    let asks = head.values("www-authenticate").next().is_some();
    match head.status {
        200 if version => Diagnosis::good("it is a registry, open to all (200)"),
        401 if version => {
            Diagnosis::good("it is a registry and requires authentication (401), as expected")
        }
        401 if asks => Diagnosis {
            outcome: Outcome::Warning,
            found: format!(
                "it asks who pulls ({said}), but does not say that it is a registry: the field Docker-Distribution-Api-Version is missing"
            ),
            remedy: Some("engines up to 2020 or so do not talk to such a registry: check its name, or ask its administrator".to_owned()),
        },
        300..=399 => {
            let place = head.values("location").next().unwrap_or_default();
            Diagnosis::bad(
                format!(
                    "a registry should answer 200 or 401, but this sends us to {} ({said})",
                    redactor.clean(place)
                ),
                "this is how the login page of a network behaves: open a browser, log in, and try again",
            )
        }
        200 => Diagnosis::bad(
            format!("what answers is no registry, but a page ({said}; Docker-Distribution-Api-Version is missing)"),
            "this is how the login page of a network behaves: open a browser, log in, and try again; else check the registry's name",
        ),
        403 => Diagnosis::bad(
            format!("it is forbidden ({said})"),
            "the proxy may block this registry by its content: ask its administrator; else check the registry's name",
        ),
        500..=599 => Diagnosis::bad(
            format!("it fails ({said})"),
            "try again later; if it stays so, tell the registry's administrator",
        ),
        _ => Diagnosis::bad(
            format!("a registry should answer 200 or 401, but this says {said}"),
            "check the registry's name",
        ),
    }
}
