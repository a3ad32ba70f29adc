//! TLS settings: the system's certificate authorities, read once and only when first needed.
//!
//! The client's own default reads the bundle whenever a client is built and fails on a machine without
//! one; a crawl of plain http needs neither.

use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// A client configuration that trusts what `roots` returns, offering HTTP/2 and HTTP/1.1.
///
/// # Errors
/// Only if the cryptography provider supports no common TLS version.
pub(super) fn config(roots: fn() -> Arc<RootCertStore>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(LazyVerifier { provider: provider.clone(), roots, verifier: OnceLock::new() });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The machine's certificate authorities (`SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured), or Mozilla's
/// built-in ones if the machine has none. Read once for the life of the process.
pub(super) fn system_roots() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    ROOTS
        .get_or_init(|| {
            let native = rustls_native_certs::load_native_certs();
            for error in &native.errors {
                tracing::debug!(%error, "cannot read some certificate authorities of this machine");
            }
            Arc::new(or_built_in(native.certs))
        })
        .clone()
}

fn or_built_in(native: Vec<CertificateDer<'static>>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // Bundles do contain certificates that today's rules refuse; the others are no worse for them.
    let (_, ignored) = roots.add_parsable_certificates(native);
    if roots.is_empty() {
        tracing::debug!(ignored, "no usable certificate authorities on this machine; using the built-in ones");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

/// The standard verifier, made at the first certificate.
#[derive(Debug)]
struct LazyVerifier {
    provider: Arc<CryptoProvider>,
    roots: fn() -> Arc<RootCertStore>,
    verifier: OnceLock<Result<Arc<WebPkiServerVerifier>, Error>>,
}

impl ServerCertVerifier for LazyVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verifier = self.verifier.get_or_init(|| {
            WebPkiServerVerifier::builder_with_provider((self.roots)(), self.provider.clone())
                .build()
                .map_err(|error| Error::General(error.to_string()))
        });
        let verifier = verifier.as_ref().map_err(Clone::clone)?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_authorities_gets_the_built_in_ones() {
        let roots = or_built_in(Vec::new());
        assert!(roots.len() > 50, "{}", roots.len());
        let unreadable = or_built_in(vec![CertificateDer::from(vec![0; 10])]);
        assert_eq!(unreadable.len(), roots.len());
    }

    #[test]
    fn a_configuration_reads_no_authorities_before_the_first_certificate() {
        let config = config(|| panic!("read too early")).unwrap();
        assert_eq!(config.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
    }
}
