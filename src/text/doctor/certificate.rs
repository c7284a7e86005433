//! TLS with the registry in words.

use serde_json::{Value, json};

use crate::doctor::certificate::{
    CertificateFinding, CertificateVerdict, PrivateAuthority, TlsFailure, TlsFinding,
};
use crate::error::Face;
use crate::net::tls::Certificate;

use super::Words;
use super::answer::net;
use super::tunnel::reached_here;

pub(super) fn words(found: &TlsFinding, face: Face) -> Words {
    match found {
        TlsFinding::Failed { in_tunnel, why } => failed(*in_tunnel, why, face),
        TlsFinding::ReachedHere(found) => reached_here(found, None, face),
        TlsFinding::Certificate(found) => certificate(found),
    }
}

pub(super) fn facts(found: &TlsFinding) -> Value {
    match found {
        TlsFinding::Failed { .. } | TlsFinding::ReachedHere(_) => Value::Null,
        TlsFinding::Certificate(found) => {
            let one = |certificate: &Certificate| {
                json!({
                    "subject": certificate.subject,
                    "issuer": certificate.issuer,
                    "not_before": certificate.not_before,
                    "not_after": certificate.not_after,
                    "sha256": certificate.sha256,
                })
            };
            let chain: Vec<Value> = found.chain.iter().map(one).collect();
            json!({
                "chain": chain,
                "public": found.is_public,
                "trusted_here": found.is_trusted_here,
            })
        }
    }
}

fn failed(in_tunnel: bool, why: &TlsFailure, face: Face) -> Words {
    const AGAIN: &str =
        "try again; if it stays so, tell the administrator of the proxy or the registry";
    let behind = match in_tunnel {
        true => "the proxy opened the tunnel, but ",
        false => "",
    };
    match why {
        TlsFailure::NotTls => Words::new(
            format!("{behind}the server doesn't speak TLS"),
            "check the registry's port; in a network with a login page, log in there with a browser first",
        ),
        TlsFailure::Alert(alert) => Words::new(
            format!("{behind}the other side refused TLS with the alert {alert:?}"),
            AGAIN,
        ),
        TlsFailure::Incompatible(why) => Words::new(
            format!(
                "{behind}the other side knows only TLS older than 1.2, or none that Docker would use ({why:?})"
            ),
            AGAIN,
        ),
        // Traffic Server and V2Ray open the tunnel before they have reached the host.
        TlsFailure::Closed if in_tunnel => Words::new(
            format!(
                "{behind}it was closed as soon as TLS began: the host is blocked or not reachable"
            ),
            "check the registry's name; if that is right, ask the proxy's administrator to allow the registry",
        ),
        TlsFailure::Closed => Words::new(
            "the connection was closed as soon as TLS began",
            match face {
                Face::CommandLine => {
                    "firewalls do this with hosts that they block: in a network that needs a proxy, set it (in System Settings or with --https-proxy) and try again; else ask the network's administrator"
                }
                Face::Menu => {
                    "firewalls do this with hosts that they block: in a network that needs a proxy, set it in System Settings and try again; else ask the network's administrator"
                }
            },
        ),
        TlsFailure::Net(error) => Words::new(format!("{behind}TLS failed: {}", net(error)), AGAIN),
        TlsFailure::Other(words) => Words::new(format!("{behind}TLS failed: {words}"), AGAIN),
    }
}

fn certificate(found: &CertificateFinding) -> Words {
    const TELL: &str = "tell the administrator of the proxy or the registry";
    let unreadable = || Words::new("the server sent no certificate that can be read", TELL);
    let (Some(own), Some(top)) = (found.chain.first(), found.chain.last()) else {
        return unreadable();
    };
    let (subject, issuer) = (&own.subject, &top.issuer);
    match &found.verdict {
        CertificateVerdict::Unreadable => unreadable(),
        CertificateVerdict::Public => Words::good(format!(
            "the certificate is good, and public: issued by {issuer}"
        )),
        CertificateVerdict::Private(authority) => private(authority, found.is_trusted_here, top),
        CertificateVerdict::Expired => Words::new(
            format!(
                "the certificate of {subject}, issued by {issuer}, expired on {}",
                own.not_after
            ),
            "check this computer's date first; if that is right, the administrator of the server (or of the proxy, if it inspects TLS) has to renew the certificate",
        ),
        CertificateVerdict::NotYetValid => Words::new(
            format!(
                "the certificate of {subject}, issued by {issuer}, is not valid until {}",
                own.not_before
            ),
            "check this computer's date",
        ),
        CertificateVerdict::OtherName { host, presented } => Words::new(
            format!(
                "the certificate is not for {host}, but for {presented} (issued by {issuer}): something else answers in its place"
            ),
            "check the registry's name; in a network with a login page, log in there with a browser first",
        ),
        CertificateVerdict::Refused(why) => Words::new(
            format!("the certificate of {subject}, issued by {issuer}, is not accepted: {why}"),
            TELL,
        ),
    }
}

fn private(authority: &PrivateAuthority, is_trusted_here: bool, top: &Certificate) -> Words {
    let PrivateAuthority {
        registry,
        behind_proxy,
        is_hub,
    } = authority;
    let who = match (behind_proxy, is_hub) {
        (true, true) => "the proxy inspects TLS",
        (true, false) => "the proxy inspects TLS, or the registry has an authority of its own",
        (false, true) => "something between here and Docker Hub inspects TLS",
        (false, false) => {
            "the registry has an authority of its own, or something on the way inspects TLS"
        }
    };
    let here = match is_trusted_here {
        true => "this computer trusts it",
        false => "this computer does not trust it either",
    };
    let found = format!(
        "{who}: the certificate comes from an authority that is not public; {here}\n\
         authority: {}\n\
         last certificate sent: {}\n\
         its SHA-256: {}",
        top.issuer, top.subject, top.sha256
    );
    let place = match registry.port {
        443 => registry.host.clone(),
        _ => registry.to_string(),
    };
    let certs_d = match is_hub {
        true => "\n(For Docker Hub the engine does not look into certs.d, so a file there would not help.)".to_owned(),
        false => format!(
            "\nor, for this registry alone: put it into ~/.docker/certs.d/{place}/ca.crt, which Docker for Mac copies to /etc/docker/certs.d/{place}/ca.crt in its VM when it starts"
        ),
    };
    let remedy = match is_trusted_here {
        true => format!(
            "restart Docker if that authority came to the Keychain after Docker's start: it takes the Keychain's authorities into its VM when it starts (the betas of early 2016 did not). The engine says \"x509: certificate signed by unknown authority\" as long as it does not know it{certs_d}"
        ),
        false => format!(
            "get the authority's certificate from the administrator of the proxy or the registry, not from the network; then add it to the Keychain and restart Docker, which takes it into its VM:\n    \
             sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain ca.crt{certs_d}"
        ),
    };
    Words::new(found, remedy)
}
