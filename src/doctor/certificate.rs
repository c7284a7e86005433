//! The results of TLS with the registry: a failed handshake, or a certificate.

use std::time::Duration;

use rustls::{AlertDescription, CertificateError, PeerIncompatible};

use crate::net::HostPort;
use crate::net::tls::{Certificate, TlsError};
use crate::proxy::docker_hub;

use super::Outcome;
use super::hosts::is_closed;
use super::net_error::NetError;
use super::proxy_verdict::ReachedHere;
use super::untrusted_text::Redactor;

/// TLS with the registry.
#[derive(Debug, Clone)]
pub(crate) enum TlsFinding {
    Failed {
        /// True if a proxy opened the tunnel.
        in_tunnel: bool,
        why: TlsFailure,
    },
    /// The proxy's tunnel leads nowhere, but this computer needs no tunnel.
    ReachedHere(ReachedHere),
    Certificate(Box<CertificateFinding>),
}

/// The reason why TLS failed.
#[derive(Debug, Clone)]
pub(crate) enum TlsFailure {
    /// The server speaks something else.
    NotTls,
    /// The other side refused with this alert.
    Alert(AlertDescription),
    /// The other side knows no version or no cipher that Docker would use.
    Incompatible(PeerIncompatible),
    /// The connection was closed as soon as TLS began.
    Closed,
    Net(NetError),
    /// Another error, in the words of the TLS library.
    Other(String),
}

/// The certificates that the server sent, and what they are worth.
#[derive(Debug, Clone)]
pub(crate) struct CertificateFinding {
    /// The server's own certificate and those behind it.
    pub(crate) chain: Vec<Certificate>,
    /// True if the public authorities vouch for it, which the engine in its VM trusts.
    pub(crate) is_public: bool,
    /// True if this computer trusts it.
    pub(crate) is_trusted_here: bool,
    pub(crate) verdict: CertificateVerdict,
}

/// The verdict about the server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CertificateVerdict {
    /// No certificate could be read.
    Unreadable,
    /// It is good, and issued by a public authority.
    Public,
    /// It comes from an authority that is not public: that of a proxy that inspects TLS, or of the registry's owner.
    Private(PrivateAuthority),
    Expired,
    NotYetValid,
    /// It is for other names.
    OtherName {
        host: String,
        presented: String,
    },
    /// It is not accepted for another reason, in the words of the TLS library.
    Refused(String),
}

/// An authority that is not public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PrivateAuthority {
    pub(crate) registry: HostPort,
    pub(crate) behind_proxy: bool,
    /// True for Docker Hub, for which alone the engine ignores `certs.d` (`lookupV2Endpoints` in
    /// `registry/service_v2.go` of moby/moby).
    pub(crate) is_hub: bool,
}

impl TlsFinding {
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Failed { .. } | Self::ReachedHere(_) => Outcome::Bad,
            Self::Certificate(found) => found.outcome(),
        }
    }
}

impl TlsFailure {
    /// `patience` is the timeout of the handshake.
    pub(super) fn of(error: &TlsError, patience: Duration, redactor: &Redactor) -> Self {
        match error {
            TlsError::Tls(rustls::Error::InvalidMessage(_)) => Self::NotTls,
            TlsError::Tls(rustls::Error::AlertReceived(alert)) => Self::Alert(*alert),
            TlsError::Tls(rustls::Error::PeerIncompatible(why)) => Self::Incompatible(why.clone()),
            TlsError::Io(error) if is_closed(error) => Self::Closed,
            TlsError::Io(error) => Self::Net(NetError::of(error, patience)),
            error => Self::Other(redactor.clean(&error.to_string())),
        }
    }
}

impl CertificateFinding {
    fn outcome(&self) -> Outcome {
        match self.verdict {
            CertificateVerdict::Public => Outcome::Good,
            CertificateVerdict::Private(_) if self.is_trusted_here => Outcome::Warning,
            _ => Outcome::Bad,
        }
    }
}

/// The certificates that a server sent, and the results of their verification.
pub(super) struct Chain<'a> {
    pub(super) certificates: Vec<Certificate>,
    pub(super) registry: &'a HostPort,
    pub(super) behind_proxy: bool,
    /// The result with the public authorities, which the engine in its VM trusts.
    pub(super) public: Result<(), CertificateError>,
    /// The result with the authorities of this computer.
    pub(super) computer: Result<(), CertificateError>,
    pub(super) redactor: &'a Redactor,
}

impl Chain<'_> {
    pub(super) fn finding(self) -> CertificateFinding {
        let verdict = self.verdict();
        let cleaned = |certificate: Certificate| Certificate {
            subject: self.redactor.clean(&certificate.subject),
            issuer: self.redactor.clean(&certificate.issuer),
            ..certificate
        };
        CertificateFinding {
            verdict,
            is_public: self.public.is_ok(),
            is_trusted_here: self.computer.is_ok(),
            chain: self.certificates.into_iter().map(cleaned).collect(),
        }
    }

    fn verdict(&self) -> CertificateVerdict {
        use CertificateError as E;
        let Some(own) = self.certificates.first() else {
            return CertificateVerdict::Unreadable;
        };
        // Of two errors, the one from the list that knows the authority says more.
        let complaint = match (&self.public, &self.computer) {
            (Ok(()), _) => return CertificateVerdict::Public,
            (Err(E::UnknownIssuer), Err(other)) => other,
            (Err(other), _) => other,
        };
        match complaint {
            E::UnknownIssuer => CertificateVerdict::Private(PrivateAuthority {
                registry: self.registry.clone(),
                behind_proxy: self.behind_proxy,
                is_hub: self.registry.host == docker_hub::REGISTRY,
            }),
            E::Expired | E::ExpiredContext { .. } => CertificateVerdict::Expired,
            E::NotValidYet | E::NotValidYetContext { .. } => CertificateVerdict::NotYetValid,
            E::NotValidForName | E::NotValidForNameContext { .. } => {
                let presented = match complaint {
                    E::NotValidForNameContext { presented, .. } if !presented.is_empty() => {
                        presented.join(", ")
                    }
                    _ => own.subject.clone(),
                };
                CertificateVerdict::OtherName {
                    host: self.registry.host.clone(),
                    presented: self.redactor.clean(&presented),
                }
            }
            other => CertificateVerdict::Refused(self.redactor.clean(&other.to_string())),
        }
    }
}
