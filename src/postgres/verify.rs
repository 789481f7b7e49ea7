//! Whether a server's certificate is believed.
//!
//! As libpq does: a certificate that stands itself in the file of roots is trusted (PostgreSQL's own guide makes such
//! ones), and the common name counts where no alternative name does.

use std::fmt;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{AlertDescription, CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::certificate::Certificate;

/// Believes a certificate, or not.
pub(super) struct Verifier {
    algorithms: WebPkiSupportedAlgorithms,
    checks: Option<Checks>,
}

struct Checks {
    roots: RootCertStore,
    /// The same roots as they stand in their file.
    certificates: Vec<CertificateDer<'static>>,
    with_name: bool,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({})", if self.checks.is_some() { "checking" } else { "trusting" })
    }
}

impl Verifier {
    /// Believes anybody: TLS against those who only listen.
    pub(super) fn trusting(algorithms: WebPkiSupportedAlgorithms) -> Verifier {
        Verifier { algorithms, checks: None }
    }

    /// Believes those whom a root vouches for, and the name if that is wanted.
    pub(super) fn checking(
        algorithms: WebPkiSupportedAlgorithms,
        roots: RootCertStore,
        certificates: Vec<CertificateDer<'static>>,
        with_name: bool,
    ) -> Verifier {
        Verifier { algorithms, checks: Some(Checks { roots, certificates, with_name }) }
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
            if now.as_secs() < own.not_before {
                return Err(CertificateError::NotValidYet.into());
            }
            if now.as_secs() > own.not_after {
                return Err(CertificateError::Expired.into());
            }
        } else {
            verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, intermediates, now, algorithms.all)?;
        }
        if !self.with_name {
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
        match self.checks {
            Some(_) => verify_tls12_signature(message, certificate, signed, &self.algorithms),
            // Who may be anybody needs no proof of being somebody, and old certificates cannot give one here.
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.checks {
            Some(_) => verify_tls13_signature(message, certificate, signed, &self.algorithms),
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What a failure means, in words that say what to do.
pub(super) fn explain(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "no root certificate vouches for the server's certificate: check sslrootcert".to_owned()
        }
        Error::InvalidCertificate(CertificateError::NotValidForName) => {
            "the server's certificate is for another name: connect to the name it holds, or ask for sslmode=verify-ca"
                .to_owned()
        }
        Error::InvalidCertificate(CertificateError::NotValidForNameContext { expected, presented }) => format!(
            "the server's certificate is for {}, not for {:?}: connect to a name it holds, or ask for sslmode=verify-ca",
            if presented.is_empty() { "another name".to_owned() } else { presented.join(", ") },
            expected.to_str()
        ),
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "the server wants a client certificate: name it with sslcert=FILE and sslkey=FILE".to_owned()
        }
        Error::AlertReceived(AlertDescription::UnknownCA) => {
            "the server does not trust the client certificate's issuer: check sslcert".to_owned()
        }
        Error::InvalidCertificate(CertificateError::Other(other)) => match other.to_string() {
            // The library's own word for a certificate of an authority where a server's is expected.
            reason if reason.contains("CaUsedAsEndEntity") => {
                "the server's certificate vouches for itself, and does not stand in the file of root certificates: \
                 check sslrootcert"
                    .to_owned()
            }
            reason if reason.contains("CertVersion") => {
                "the server's certificate is of X.509 version 1, which cannot be checked: make one of version 3, or ask \
                 for sslmode=require"
                    .to_owned()
            }
            reason => reason,
        },
        error => error.to_string(),
    }
}
