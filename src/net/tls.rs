//! TLS. Connections for diagnosis accept and keep any certificate, so that it can be checked against several lists of
//! authorities afterwards; nothing secret may be sent over them. `trusting_config` is for all others.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore,
    SignatureScheme, StreamOwned,
};
use sha2::{Digest, Sha256};
use thiserror::Error;
use x509_cert::Certificate as X509;
use x509_cert::der::Decode;

use crate::util::hex;
use crate::util::locked;

/// The error for a processor without the instructions that the cryptography needs.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "this computer's processor lacks instructions that Baleen's TLS is built on ({})", .0.join(", ")
)]
pub struct Unsupported(Vec<&'static str>);

/// Returns the cryptography of all TLS connections: Graviola, whose core is formally verified. It needs no toolchain
/// apart from the compiler.
///
/// # Errors
/// On processors from before 2015 or so, where Graviola would stop the program.
pub fn provider() -> Result<Arc<CryptoProvider>, Unsupported> {
    all_there(&features())?;
    Ok(Arc::new(rustls_graviola::default_provider()))
}

fn all_there(features: &[(&'static str, bool)]) -> Result<(), Unsupported> {
    let missing: Vec<&str> = features
        .iter()
        .filter(|(_, there)| !there)
        .map(|&(name, _)| name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Unsupported(missing))
}

/// Returns the processor features that Graviola uses without a check, each with whether it is present.
#[cfg(target_arch = "x86_64")]
fn features() -> Vec<(&'static str, bool)> {
    vec![
        ("aes", is_x86_feature_detected!("aes")),
        ("pclmulqdq", is_x86_feature_detected!("pclmulqdq")),
        ("ssse3", is_x86_feature_detected!("ssse3")),
        ("avx", is_x86_feature_detected!("avx")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("bmi1", is_x86_feature_detected!("bmi1")),
        ("bmi2", is_x86_feature_detected!("bmi2")),
        ("adx", is_x86_feature_detected!("adx")),
    ]
}

/// Returns the processor features that Graviola uses without a check, each with whether it is present. Every Mac
/// with this architecture has all of them.
#[cfg(target_arch = "aarch64")]
fn features() -> Vec<(&'static str, bool)> {
    use std::arch::is_aarch64_feature_detected;
    vec![
        ("neon", is_aarch64_feature_detected!("neon")),
        ("aes", is_aarch64_feature_detected!("aes")),
        ("pmull", is_aarch64_feature_detected!("pmull")),
        ("sha2", is_aarch64_feature_detected!("sha2")),
    ]
}

/// Returns the authorities that Mozilla's programs trust. The lists of Linux systems, including that of Docker's VM,
/// are based on them.
pub(crate) fn public_roots() -> RootCertStore {
    RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    }
}

/// Returns the authorities that this computer trusts. On Linux `SSL_CERT_FILE` and `SSL_CERT_DIR` can replace them.
/// Leaves out certificates that can't be read: it may be one odd certificate among hundreds.
pub(crate) fn native_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(native_certificates());
    roots
}

/// Returns the certificates of the authorities that this computer trusts. Empty if the system has no such list.
pub(crate) fn native_certificates() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}

/// Returns the settings of connections over which something may be sent: only to servers that this computer trusts.
///
/// # Errors
/// When the processor lacks instructions, see [`Unsupported`].
pub(crate) fn trusting_config() -> io::Result<ClientConfig> {
    let provider = provider().map_err(io::Error::other)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    Ok(config
        .with_root_certificates(native_roots())
        .with_no_client_auth())
}

/// The identity that a server claims.
#[derive(Debug)]
pub struct Peer {
    name: ServerName<'static>,
    chain: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

/// The fields of a certificate that Baleen shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its owner, as in `CN=registry.corp,O=Corp`.
    pub subject: String,
    /// The authority that signed it.
    pub issuer: String,
    /// The start of its validity.
    pub not_before: String,
    /// The end of its validity.
    pub not_after: String,
    /// Its SHA-256 digest, which distinguishes two certificates with the same name.
    pub sha256: String,
}

/// The reason why a connection failed.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum TlsError {
    #[error("{0} is neither a host's name nor an address")]
    Name(String),
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    #[error(transparent)]
    Io(io::Error),
}

/// Starts TLS with the server `host` over `stream`. Accepts any certificate.
///
/// # Errors
/// See [`TlsError`]. The owner of the certificate never causes one.
pub fn connect<S: Read + Write>(
    mut stream: S,
    host: &str,
    provider: &Arc<CryptoProvider>,
) -> Result<(StreamOwned<ClientConnection, S>, Peer), TlsError> {
    let name =
        ServerName::try_from(host.to_owned()).map_err(|_| TlsError::Name(host.to_owned()))?;
    let witness = Arc::new(RecordingVerifier {
        provider: Arc::clone(provider),
        chain: Mutex::default(),
    });
    let config = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&witness) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let mut connection = ClientConnection::new(Arc::new(config), name.clone())?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).map_err(|error| {
            match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(error) => TlsError::Tls(rustls::Error::clone(error)),
                None => TlsError::Io(error),
            }
        })?;
    }
    let chain = locked(&witness.chain);
    let peer = Peer {
        name,
        chain: chain.clone(),
        provider: Arc::clone(provider),
    };
    drop(chain);
    Ok((StreamOwned::new(connection, stream), peer))
}

impl Peer {
    /// Checks whether a client that trusts `roots` would accept the server now.
    ///
    /// # Errors
    /// The reason why the client would refuse the server.
    pub(crate) fn verdict(&self, roots: &RootCertStore) -> Result<(), CertificateError> {
        let Some((own, others)) = self.chain.split_first() else {
            return Err(CertificateError::BadEncoding);
        };
        let judged = ParsedCertificate::try_from(own).and_then(|certificate| {
            verify_server_cert_signed_by_trust_anchor(
                &certificate,
                roots,
                others,
                UnixTime::now(),
                self.provider.signature_verification_algorithms.all,
            )?;
            verify_server_name(&certificate, &self.name)
        });
        judged.map_err(|error| match error {
            rustls::Error::InvalidCertificate(why) => why,
            _ => CertificateError::ApplicationVerificationFailure,
        })
    }

    /// Returns the certificates that the server sent, its own first. Leaves out those that can't be read.
    pub fn chain(&self) -> Vec<Certificate> {
        self.chain.iter().filter_map(read).collect()
    }
}

fn read(der: &CertificateDer<'_>) -> Option<Certificate> {
    let certificate = X509::from_der(der).ok()?;
    let content = certificate.tbs_certificate();
    let sha256 = Sha256::digest(der);
    Some(Certificate {
        subject: content.subject().to_string(),
        issuer: content.issuer().to_string(),
        not_before: content.validity().not_before.to_string(),
        not_after: content.validity().not_after.to_string(),
        sha256: hex(&sha256),
    })
}

/// A verifier that keeps the server's certificates and accepts all of them.
struct RecordingVerifier {
    provider: Arc<CryptoProvider>,
    chain: Mutex<Vec<CertificateDer<'static>>>,
}

impl fmt::Debug for RecordingVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Witness")
    }
}

impl ServerCertVerifier for RecordingVerifier {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let mut chain = locked(&self.chain);
        *chain = [own]
            .into_iter()
            .chain(others)
            .map(|certificate| certificate.clone().into_owned())
            .collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_that_is_too_old_is_reported_what_it_lacks() {
        assert_eq!(all_there(&[("aes", true), ("adx", true)]), Ok(()));
        let error = all_there(&[("aes", true), ("avx2", false), ("adx", false)]).unwrap_err();
        assert!(error.to_string().contains("(avx2, adx)"), "{error}");
    }
}
