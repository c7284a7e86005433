//! TLS in Rust and assembly alone, with the roots that the system trusts.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;

use crate::error::{Error, Kind, Result};

/// The cryptography for TLS.
///
/// # Errors
/// When the processor is too old for it: what graviola builds on came with Intel's Broadwell (2014)
/// and AMD's Zen (2017), and it panics elsewhere. Every Mac with Apple's processors has it.
pub fn provider() -> Result<Arc<CryptoProvider>> {
    match missing() {
        None => Ok(Arc::new(rustls_graviola::default_provider())),
        Some(feature) => Err(Error::new(
            Kind::Failure,
            format!("this computer's processor is too old for Baleen's TLS: it has no {feature}"),
        )),
    }
}

/// What the processor lacks.
#[cfg(target_arch = "x86_64")]
fn missing() -> Option<&'static str> {
    [
        ("AES", is_x86_feature_detected!("aes")),
        ("PCLMULQDQ", is_x86_feature_detected!("pclmulqdq")),
        ("SSSE3", is_x86_feature_detected!("ssse3")),
        ("AVX", is_x86_feature_detected!("avx")),
        ("AVX2", is_x86_feature_detected!("avx2")),
        ("BMI1", is_x86_feature_detected!("bmi1")),
        ("BMI2", is_x86_feature_detected!("bmi2")),
        ("ADX", is_x86_feature_detected!("adx")),
    ]
    .into_iter()
    .find_map(|(name, there)| (!there).then_some(name))
}

/// What the processor lacks.
#[cfg(target_arch = "aarch64")]
fn missing() -> Option<&'static str> {
    use std::arch::is_aarch64_feature_detected;
    [
        ("NEON", is_aarch64_feature_detected!("neon")),
        ("AES", is_aarch64_feature_detected!("aes")),
        ("PMULL", is_aarch64_feature_detected!("pmull")),
        ("SHA2", is_aarch64_feature_detected!("sha2")),
    ]
    .into_iter()
    .find_map(|(name, there)| (!there).then_some(name))
}

/// The certificates of the authorities that the system trusts, or those of the file that
/// `SSL_CERT_FILE` names.
///
/// # Errors
/// When there is none.
pub fn native_roots() -> Result<Vec<CertificateDer<'static>>> {
    let found = rustls_native_certs::load_native_certs();
    if !found.certs.is_empty() {
        return Ok(found.certs);
    }
    let why = found.errors.first().map(|why| format!(": {why}"));
    Err(Error::new(
        Kind::Failure,
        format!(
            "found no certificate that the system trusts{}",
            why.unwrap_or_default()
        ),
    ))
}
