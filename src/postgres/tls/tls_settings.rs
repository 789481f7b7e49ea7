//! The TLS settings of libpq, and the handshake that follows them (PostgreSQL, libpq-ssl).

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use super::certificate::end_point_hash;
use super::verify::{Verifier, explain, key_is_provable};
use crate::postgres::socket::PlainSocket;

/// Whether TLS is used, and how the server's certificate is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::postgres) enum SslMode {
    /// Never TLS.
    Disable,
    /// TLS only if the server refuses a plain connection.
    Allow,
    /// TLS if the server offers it.
    Prefer,
    /// TLS without verification; like `VerifyCa` if there is a file of root certificates.
    Require,
    /// TLS with a certificate signed by a trusted authority.
    VerifyCa,
    /// TLS with such a certificate for the server's name.
    VerifyFull,
}

impl SslMode {
    pub(in crate::postgres) fn parse(text: &str) -> Result<SslMode, String> {
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

/// Whether SCRAM authentication is bound to the TLS connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::postgres) enum ChannelBindingMode {
    /// Never.
    Disable,
    /// If the server and its certificate allow it.
    Prefer,
    /// Always; otherwise the login is refused.
    Require,
}

/// Which authorities are trusted.
#[derive(Clone, Debug)]
pub(in crate::postgres) enum RootCertificates {
    /// None is configured, and there is no home folder to search.
    None,
    /// Those of a PEM file.
    File(PathBuf),
    /// Those of this machine.
    System,
}

/// The TLS settings of a connection.
#[derive(Clone, Debug)]
pub(in crate::postgres) struct TlsSettings {
    pub(in crate::postgres) mode: SslMode,
    pub(in crate::postgres) roots: RootCertificates,
    /// The client's certificate.
    pub(in crate::postgres) certificate: Option<PathBuf>,
    /// Its key.
    pub(in crate::postgres) key: Option<PathBuf>,
    /// Whether the handshake sends the server's name.
    pub(in crate::postgres) sni: bool,
    pub(in crate::postgres) channel_binding: ChannelBindingMode,
}

/// Why a TLS handshake failed.
pub(in crate::postgres) enum TlsFailure {
    /// Files, certificates or the protocol: a retry gives the same.
    Refused(String),
    /// The connection broke.
    Broken(io::Error),
}

impl From<io::Error> for TlsFailure {
    fn from(error: io::Error) -> TlsFailure {
        let reason = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()).map(explain);
        reason.map_or(TlsFailure::Broken(error), TlsFailure::Refused)
    }
}

/// A socket with TLS.
pub(in crate::postgres) type TlsSocket = StreamOwned<ClientConnection, PlainSocket>;

impl TlsSettings {
    /// Performs the handshake with the server of this name, on a blocking socket.
    pub(in crate::postgres) fn handshake(&self, mut plain: PlainSocket, name: &str) -> Result<TlsSocket, TlsFailure> {
        let config = self.config().map_err(TlsFailure::Refused)?;
        let mut connection = ClientConnection::new(Arc::new(config), server_name(name)?)
            .map_err(|error| TlsFailure::Refused(explain(&error)))?;
        while connection.is_handshaking() {
            connection.complete_io(&mut plain)?;
        }
        Ok(StreamOwned::new(connection, plain))
    }

    /// [`TlsSettings::handshake`] on a socket of a runtime.
    pub(in crate::postgres) async fn handshake_async<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        plain: S,
        name: &str,
    ) -> Result<tokio_rustls::client::TlsStream<S>, TlsFailure> {
        let config = self.config().map_err(TlsFailure::Refused)?;
        Ok(TlsConnector::from(Arc::new(config)).connect(server_name(name)?, plain).await?)
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
            RootCertificates::File(path) if path.exists() => Some(path),
            _ => None,
        };
        let (check_name, verify) = match self.mode {
            SslMode::VerifyFull => (true, true),
            SslMode::VerifyCa => (false, true),
            SslMode::Require => (false, file.is_some()),
            SslMode::Disable | SslMode::Allow | SslMode::Prefer => (false, false),
        };
        if !verify {
            return Ok(Verifier::accept_all(algorithms));
        }
        let certificates = match (&self.roots, file) {
            (RootCertificates::System, _) => system_roots()?,
            (_, Some(path)) => read_certificates(path)?,
            (RootCertificates::File(path), None) => {
                return Err(format!(
                    "there is no file {} with root certificates: name one with sslrootcert=FILE, \
                     use those of this machine with sslrootcert=system, or choose another sslmode than verify-…",
                    path.display()
                ));
            }
            (RootCertificates::None, None) => {
                return Err("sslmode=verify-… needs root certificates: name a file with sslrootcert=FILE, or \
                            use those of this machine with sslrootcert=system"
                    .to_owned());
            }
        };
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(certificates.iter().cloned());
        if added == 0 {
            return Err("none of the root certificates can be used".to_owned());
        }
        Ok(Verifier::new(algorithms, roots, certificates, check_name))
    }

    fn client_certificate(
        &self,
        certificate: &Path,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
        let chain = read_certificates(certificate)?;
        let path = self.key.as_deref().ok_or("there is a client certificate, but no key: name it with sslkey=FILE")?;
        let metadata = fs::metadata(path).map_err(|error| {
            format!("the client certificate {} needs its key {}: {error}", certificate.display(), path.display())
        })?;
        // As in libpq: a group may read a key that belongs to root.
        let others = if metadata.uid() == 0 { 0o027 } else { 0o077 };
        if metadata.permissions().mode() & others != 0 {
            return Err(format!("others may read the key {}: run chmod 600 on it", path.display()));
        }
        let key = PrivateKeyDer::from_pem_file(path).map_err(|error| {
            format!("could not read the key {}: {error}; a key with a passphrase is not supported", path.display())
        })?;
        Ok((chain, key))
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, TlsFailure> {
    ServerName::try_from(name.to_owned())
        .map_err(|_| TlsFailure::Refused(format!("{name:?} is not a name that a certificate can hold")))
}

/// The server's end of the connection for channel binding; `None` where its certificate's algorithm defines none, and where
/// the server did not prove that it holds the certificate's key: anyone can present a public certificate.
pub(in crate::postgres) fn server_end_point(connection: &ClientConnection) -> Option<Vec<u8>> {
    let certificate = connection.peer_certificates()?.first()?;
    if key_is_provable(certificate) { end_point_hash(certificate) } else { None }
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |error: String| format!("could not read certificates from {}: {error}", path.display());
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).and_then(|certificates| certificates.collect());
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(wrong("it holds none".to_owned())),
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
