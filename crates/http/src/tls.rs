//! TLS settings: whom to trust, and who we are where a certificate is asked for.
//!
//! The system's certificate authorities are read once and only when first needed: the client's own default reads
//! the bundle whenever a client is built and fails on a machine without one; a crawl of plain http needs neither.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

use seine_core::values::HttpChoice;

/// A PEM file that is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct PemError {
    path: PathBuf,
    problem: String,
}

/// How closely servers are looked at.
#[derive(Clone, Debug)]
pub(super) enum Checks {
    /// As everywhere.
    All,
    /// Any certificate will do; but this host, the proxy on the way, must have a good one.
    NoneBut(Option<String>),
}

/// Whom to trust. Every client's settings are made here and share one set of authorities.
#[derive(Clone, Debug)]
pub(super) struct Trust {
    verifier: Arc<LazyVerifier>,
}

impl Trust {
    /// Trust in what `system` returns, asked once it is needed, and in the authorities of the files `more`.
    ///
    /// # Errors
    /// If one of the files has no authorities.
    pub(super) fn new(system: fn() -> Arc<RootCertStore>, more: &[PathBuf]) -> Result<Self, PemError> {
        let mut own = Vec::new();
        for path in more {
            let certificates = certificates(path, &read(path)?)?;
            let mut usable = RootCertStore::empty();
            for certificate in &certificates {
                usable.add(certificate.clone()).map_err(|error| problem(path, error))?;
            }
            own.extend(certificates);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Ok(Self { verifier: Arc::new(LazyVerifier { provider, system, own, verifier: OnceLock::new() }) })
    }

    /// The settings of a client, offering the versions of `http`. Each client gets sessions of its own to resume.
    ///
    /// # Errors
    /// If the file `identity` does not hold a certificate chain and its key.
    pub(super) fn config(
        &self,
        checks: Checks,
        identity: Option<&Path>,
        http: HttpChoice,
    ) -> Result<ClientConfig, PemError> {
        let verifier: Arc<dyn ServerCertVerifier> = match checks {
            Checks::All => self.verifier.clone(),
            Checks::NoneBut(host) => {
                let proxy = host.and_then(|host| ServerName::try_from(host).ok());
                Arc::new(Indulgent { verifier: self.verifier.clone(), proxy })
            }
        };
        let builder = ClientConfig::builder_with_provider(self.verifier.provider.clone())
            .with_safe_default_protocol_versions()
            .expect("this provider supports both versions of TLS")
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let pem = read(path)?;
                let chain = certificates(path, &pem)?;
                let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| problem(path, error))?;
                builder.with_client_auth_cert(chain, key).map_err(|error| problem(path, error))?
            }
        };
        config.alpn_protocols = match http {
            HttpChoice::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            HttpChoice::One => vec![b"http/1.1".to_vec()],
            HttpChoice::Two => vec![b"h2".to_vec()],
        };
        Ok(config)
    }
}

fn problem(path: &Path, problem: impl ToString) -> PemError {
    PemError { path: path.to_owned(), problem: problem.to_string() }
}

fn read(path: &Path) -> Result<Vec<u8>, PemError> {
    std::fs::read(path).map_err(|error| problem(path, error))
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(problem(path, "no certificate in PEM form")),
        Ok(found) => Ok(found),
        Err(error) => Err(problem(path, error)),
    }
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

/// Whether all that is wrong with a server's certificate is that it is an authority's.
pub(super) fn is_of_authority(problem: &CertificateError) -> bool {
    // rustls has no name of its own for this.
    matches!(problem, CertificateError::Other(OtherError(cause)) if cause.to_string() == "CaUsedAsEndEntity")
}

/// The standard verifier, made at the first certificate.
#[derive(Debug)]
struct LazyVerifier {
    provider: Arc<CryptoProvider>,
    system: fn() -> Arc<RootCertStore>,
    own: Vec<CertificateDer<'static>>,
    verifier: OnceLock<Result<Arc<WebPkiServerVerifier>, Error>>,
}

impl LazyVerifier {
    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = (self.system)();
        if !self.own.is_empty() {
            Arc::make_mut(&mut roots).add_parsable_certificates(self.own.iter().cloned());
        }
        roots
    }
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
            WebPkiServerVerifier::builder_with_provider(self.roots(), self.provider.clone())
                .build()
                .map_err(|error| Error::General(error.to_string()))
        });
        let verifier = verifier.as_ref().map_err(Clone::clone)?;
        let verified = verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // A certificate that a server has signed for itself calls itself an authority as often as not. One that the
            // user has named is trusted as it is; its times were looked at before, and its name is left.
            Err(Error::InvalidCertificate(problem)) if is_of_authority(&problem) && self.own.contains(end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
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

/// Says yes to every certificate, for hosts whose user asked for that (`--insecure`); not to that of the proxy.
#[derive(Debug)]
struct Indulgent {
    verifier: Arc<LazyVerifier>,
    proxy: Option<ServerName<'static>>,
}

impl ServerCertVerifier for Indulgent {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.proxy.as_ref().is_some_and(|proxy| proxy == server_name) {
            return self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
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
        let config =
            Trust::new(|| panic!("read too early"), &[]).unwrap().config(Checks::All, None, HttpChoice::Auto).unwrap();
        assert_eq!(config.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
    }
}
