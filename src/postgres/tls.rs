//! TLS around a connection, as safe as asked for (PostgreSQL, libpq-ssl).

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::socket::Plain;
use super::verify::{Verifier, explain};

/// How safe the connection must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SslMode {
    /// Never TLS.
    Disable,
    /// TLS only when the server refuses anything else.
    Allow,
    /// TLS when the server has it.
    Prefer,
    /// TLS, whoever the server is; with a file of roots as `VerifyCa`.
    Require,
    /// TLS, with a certificate of a trusted authority.
    VerifyCa,
    /// TLS, with such a certificate in the server's name.
    VerifyFull,
}

impl SslMode {
    pub(super) fn parse(text: &str) -> Result<SslMode, String> {
        Ok(match text {
            "disable" => SslMode::Disable,
            "allow" => SslMode::Allow,
            "prefer" => SslMode::Prefer,
            "require" => SslMode::Require,
            "verify-ca" => SslMode::VerifyCa,
            "verify-full" => SslMode::VerifyFull,
            _ => return Err("sslmode is disable, allow, prefer, require, verify-ca or verify-full".to_owned()),
        })
    }
}

/// Which authorities are trusted.
#[derive(Clone, Debug)]
pub(super) enum Roots {
    /// None was named, and there is no home to look in.
    None,
    /// Those of a PEM file.
    File(PathBuf),
    /// The machine's own.
    System,
}

/// What TLS needs to know.
#[derive(Clone, Debug)]
pub(super) struct TlsSettings {
    pub(super) mode: SslMode,
    pub(super) roots: Roots,
    /// The client's certificate.
    pub(super) certificate: Option<PathBuf>,
    /// Its key.
    pub(super) key: Option<PathBuf>,
    /// Whether the server is told which name was asked for.
    pub(super) sni: bool,
}

/// Why there is no TLS.
pub(super) enum TlsFailure {
    /// Files, certificates or the protocol: another try gives the same.
    Refused(String),
    /// The connection broke meanwhile.
    Broken(io::Error),
}

type Tls = StreamOwned<ClientConnection, Plain>;

impl TlsSettings {
    /// Shakes hands with the server that `name` stands for.
    pub(super) fn shake_hands(&self, mut plain: Plain, name: &str) -> Result<Tls, TlsFailure> {
        let config = self.config().map_err(TlsFailure::Refused)?;
        let server = ServerName::try_from(name.to_owned())
            .map_err(|_| TlsFailure::Refused(format!("{name:?} cannot stand in a certificate")))?;
        let mut connection =
            ClientConnection::new(Arc::new(config), server).map_err(|error| TlsFailure::Refused(explain(&error)))?;
        while connection.is_handshaking() {
            if let Err(error) = connection.complete_io(&mut plain) {
                let said = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()).map(explain);
                return Err(said.map_or(TlsFailure::Broken(error), TlsFailure::Refused));
            }
        }
        Ok(StreamOwned::new(connection, plain))
    }

    fn config(&self) -> Result<ClientConfig, String> {
        let provider = Arc::new(ring::default_provider());
        let verifier = self.verifier(&provider)?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &self.certificate {
            None => config.with_no_client_auth(),
            Some(certificate) => {
                let (chain, key) = self.client_certificate(certificate)?;
                config.with_client_auth_cert(chain, key).map_err(|error| {
                    format!("the certificate {} and its key do not fit together: {error}", certificate.display())
                })?
            }
        };
        config.enable_sni = self.sni;
        Ok(config)
    }

    fn verifier(&self, provider: &CryptoProvider) -> Result<Verifier, String> {
        let algorithms = provider.signature_verification_algorithms;
        let file = match &self.roots {
            Roots::File(path) if path.exists() => Some(path),
            _ => None,
        };
        let (with_name, must) = match self.mode {
            SslMode::VerifyFull => (true, true),
            SslMode::VerifyCa => (false, true),
            SslMode::Require => (false, file.is_some()),
            SslMode::Disable | SslMode::Allow | SslMode::Prefer => (false, false),
        };
        if !must {
            return Ok(Verifier::trusting(algorithms));
        }
        let certificates = match (&self.roots, file) {
            (Roots::System, _) => system_roots()?,
            (_, Some(path)) => read_certificates(path)?,
            (Roots::File(path), None) => {
                return Err(format!(
                    "the file {} with the root certificates is not there: name another with sslrootcert=FILE, \
                     take the machine's own with sslrootcert=system, or do not ask for sslmode=verify-…",
                    path.display()
                ));
            }
            (Roots::None, None) => {
                return Err("sslmode=verify-… needs root certificates: name a file with sslrootcert=FILE, or \
                            take the machine's own with sslrootcert=system"
                    .to_owned());
            }
        };
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(certificates.iter().cloned());
        if added == 0 {
            return Err("none of the root certificates can be used".to_owned());
        }
        Ok(Verifier::checking(algorithms, roots, certificates, with_name))
    }

    fn client_certificate(
        &self,
        certificate: &Path,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
        let chain = read_certificates(certificate)?;
        let path = self.key.as_deref().ok_or("there is a client certificate, but no key: name it with sslkey=FILE")?;
        let about = fs::metadata(path).map_err(|error| {
            format!("the client certificate {} needs its key {}: {error}", certificate.display(), path.display())
        })?;
        // Root's own keys may be read by a group, as in libpq.
        let others = if about.uid() == 0 { 0o027 } else { 0o077 };
        if about.permissions().mode() & others != 0 {
            return Err(format!("others may read the key {}: run chmod 600 on it", path.display()));
        }
        let key = PrivateKeyDer::from_pem_file(path).map_err(|error| {
            format!("could not read the key {}: {error}; a key with a passphrase is not supported", path.display())
        })?;
        Ok((chain, key))
    }
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |error: String| format!("could not read certificates from {}: {error}", path.display());
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).and_then(|certificates| certificates.collect());
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(wrong("there are none".to_owned())),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(wrong(error.to_string())),
    }
}

fn system_roots() -> Result<Vec<CertificateDer<'static>>, String> {
    let found = rustls_native_certs::load_native_certs();
    match (found.certs.is_empty(), found.errors.first()) {
        (false, _) => Ok(found.certs),
        (true, Some(error)) => Err(format!("could not read this machine's root certificates: {error}")),
        (true, None) => Err("this machine has no root certificates".to_owned()),
    }
}
