//! Verifies a server's certificate.
//!
//! As libpq does: a certificate that is itself in the file of root certificates is trusted (PostgreSQL's guide creates such
//! ones), and the common name counts where there are no alternative names. In every mode the server proves by its signature
//! in the handshake that it holds its certificate's key: otherwise a login bound to the certificate would prove nothing.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    AlertDescription, CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

use super::certificate::{Certificate, rsa_bits};

/// Verifies certificates as `sslmode` demands.
pub(in crate::postgres) struct Verifier {
    algorithms: WebPkiSupportedAlgorithms,
    checks: Option<Checks>,
}

struct Checks {
    roots: RootCertStore,
    /// The same roots, as in their file.
    certificates: Vec<CertificateDer<'static>>,
    check_name: bool,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({})", if self.checks.is_some() { "verifying" } else { "accepting all" })
    }
}

impl Verifier {
    /// Accepts every certificate whose key the server holds: TLS that only protects against eavesdroppers. Where the key
    /// cannot be read ([`key_is_provable`]), the signature is accepted, too.
    pub(in crate::postgres) fn accept_all(algorithms: WebPkiSupportedAlgorithms) -> Verifier {
        Verifier { algorithms, checks: None }
    }

    /// Accepts certificates signed by a root, for the server's name if `check_name`.
    pub(in crate::postgres) fn new(
        algorithms: WebPkiSupportedAlgorithms,
        roots: RootCertStore,
        certificates: Vec<CertificateDer<'static>>,
        check_name: bool,
    ) -> Verifier {
        Verifier { algorithms, checks: Some(Checks { roots, certificates, check_name }) }
    }

    fn accepts_without_proof(&self, certificate: &CertificateDer<'_>) -> bool {
        self.checks.is_none() && !key_is_provable(certificate)
    }
}

/// Whether the library can read the key in this certificate, and so verifies the server's signature with it. It cannot for
/// X.509 version 1, which is accepted without verification, but must not be what a login is bound to.
pub(in crate::postgres) fn key_is_provable(certificate: &CertificateDer<'_>) -> bool {
    ParsedCertificate::try_from(certificate).is_ok()
}

/// The smallest RSA key whose signatures the library verifies.
const LEAST_RSA_BITS: usize = 2048;

/// The server's RSA key is too short.
#[derive(Debug, thiserror::Error)]
#[error(
    "the server's certificate has an RSA key of {bits} bits, and signatures of less than {LEAST_RSA_BITS} are refused: create a \
     certificate with an RSA key of {LEAST_RSA_BITS} bits or more, or with an ECDSA key"
)]
struct ShortRsaKey {
    bits: usize,
}

/// The library's error of a signature, or that the key is too short for any: it calls both a bad signature.
fn explain_short_key(error: Error, certificate: &CertificateDer<'_>) -> Error {
    match rsa_bits(certificate) {
        Some(bits) if bits < LEAST_RSA_BITS => {
            CertificateError::Other(OtherError(Arc::new(ShortRsaKey { bits }))).into()
        }
        _ => error,
    }
}

impl Checks {
    fn check(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<(), Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        if self.certificates.iter().any(|root| root.as_ref() == certificate.as_ref()) {
            let own = Certificate::read(certificate).ok_or(CertificateError::BadEncoding)?;
            let seconds = |time: UnixTime| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
            if seconds(now) < own.not_before {
                return Err(CertificateError::NotValidYet.into());
            }
            if seconds(now) > own.not_after {
                return Err(CertificateError::Expired.into());
            }
        } else {
            verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, intermediates, now, algorithms.all)?;
        }
        if !self.check_name {
            return Ok(());
        }
        verify_server_name(&parsed, name).or_else(|error| {
            let own = Certificate::read(certificate).ok_or(CertificateError::BadEncoding)?;
            if own.common_name_is(&name.to_str()) { Ok(()) } else { Err(error) }
        })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(checks) = &self.checks {
            checks.check(certificate, intermediates, name, now, &self.algorithms)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.accepts_without_proof(certificate) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
            .map_err(|error| explain_short_key(error, certificate))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.accepts_without_proof(certificate) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
            .map_err(|error| explain_short_key(error, certificate))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What a failure means, and what to do.
pub(in crate::postgres) fn explain(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "no root certificate signed the server's certificate: check sslrootcert".to_owned()
        }
        Error::InvalidCertificate(CertificateError::NotValidForName) => {
            "the server's certificate is for another name: connect to the name it holds, or use sslmode=verify-ca"
                .to_owned()
        }
        Error::InvalidCertificate(CertificateError::NotValidForNameContext { expected, presented }) => format!(
            "the server's certificate is for {}, not for {:?}: connect to a name it holds, or use sslmode=verify-ca",
            if presented.is_empty() { "another name".to_owned() } else { presented.join(", ") },
            expected.to_str()
        ),
        Error::InvalidCertificate(CertificateError::BadSignature) => {
            "a signature does not fit: the server does not hold the certificate's key, or a certificate of its chain was not \
             signed by the next one, or by an RSA key of less than 2048 bits"
                .to_owned()
        }
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "the server requires a client certificate: name it with sslcert=FILE and sslkey=FILE".to_owned()
        }
        Error::AlertReceived(AlertDescription::UnknownCA) => {
            "the server does not trust the client certificate's issuer: check sslcert".to_owned()
        }
        Error::InvalidCertificate(CertificateError::Other(other)) => match other.to_string() {
            // The library's name for an authority's certificate where a server's is expected.
            reason if reason.contains("CaUsedAsEndEntity") => {
                "the server's certificate is signed by itself, and is not in the file of root certificates: \
                 check sslrootcert"
                    .to_owned()
            }
            reason if reason.contains("CertVersion") => {
                "the server's certificate is of X.509 version 1, which cannot be verified: create one of version 3, or use \
                 sslmode=require"
                    .to_owned()
            }
            reason => reason,
        },
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;
    use std::thread;

    use rustls::crypto::ring;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::pki_types::pem::PemObject;
    use rustls::server::ServerConfig;
    use rustls::sign::{CertifiedKey, SingleCertAndKey};
    use rustls::{ServerConnection, SupportedProtocolVersion, version};

    use crate::postgres::socket::PlainSocket;
    use crate::postgres::tls::tls_settings::{
        ChannelBindingMode, RootCertificates, SslMode, TlsFailure, TlsSettings, server_end_point,
    };

    const CERTIFICATE: &str = include_str!("test_certificates/server.pem");
    /// Holds the same key.
    const VERSION_1: &str = include_str!("test_certificates/x509_version_1.pem");
    const KEY: &str = include_str!("test_certificates/server_key.pem");
    const OTHER_KEY: &str = include_str!("test_certificates/other_key.pem");
    const TLS: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

    /// A handshake without verification with a server that signs with `key`; returns its end of the connection.
    fn end_point(
        version: &'static SupportedProtocolVersion,
        certificate: &str,
        key: &str,
    ) -> Result<Option<Vec<u8>>, String> {
        let provider = Arc::new(ring::default_provider());
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
        let key = provider.key_provider.load_private_key(key).expect("a key for signatures");
        let chain = vec![super::CertificateDer::from_pem_slice(certificate.as_bytes()).expect("a certificate")];
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .expect("a version that the provider supports")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key))));
        let (client, mut server) = UnixStream::pair().expect("sockets");
        thread::spawn(move || {
            let mut connection = ServerConnection::new(Arc::new(config)).expect("a valid configuration");
            // The client may refuse the handshake.
            while connection.is_handshaking() && connection.complete_io(&mut server).is_ok() {}
        });
        let settings = TlsSettings {
            mode: SslMode::Require,
            roots: RootCertificates::None,
            certificate: None,
            key: None,
            sni: true,
            channel_binding: ChannelBindingMode::Prefer,
        };
        match settings.handshake(PlainSocket::Unix(client), "db.example.org") {
            Ok(socket) => Ok(server_end_point(&socket.conn)),
            Err(TlsFailure::Refused(reason)) => Err(reason),
            Err(TlsFailure::Broken(error)) => panic!("the connection broke: {error}"),
        }
    }

    #[test]
    fn without_verification_the_server_still_proves_that_it_holds_its_key() {
        for version in TLS {
            assert!(end_point(version, CERTIFICATE, KEY).is_ok_and(|end_point| end_point.is_some()), "{version:?}");
            let refused = end_point(version, CERTIFICATE, OTHER_KEY).expect_err("the signature is another key's");
            assert!(refused.contains("does not hold the certificate's key"), "{refused}");
        }
    }

    #[test]
    fn a_short_rsa_key_is_named_with_its_size() {
        let read = |pem: &str| super::CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
        let bad = || super::Error::InvalidCertificate(super::CertificateError::BadSignature);
        let text = |pem| super::explain(&super::explain_short_key(bad(), &read(pem)));
        let short = text(include_str!("test_certificates/rsa_sha1.pem"));
        assert!(short.contains("RSA key of 1024 bits") && short.contains("RSA key of 2048 bits or more"), "{short}");
        for other in [CERTIFICATE, include_str!("test_certificates/ed25519.pem")] {
            assert!(text(other).contains("does not hold the certificate's key"), "{}", text(other));
        }
    }

    #[test]
    fn a_certificate_that_proves_nothing_is_accepted_but_binds_no_login() {
        for version in TLS {
            for key in [KEY, OTHER_KEY] {
                assert_eq!(end_point(version, VERSION_1, key), Ok(None), "{version:?}");
            }
        }
    }
}
