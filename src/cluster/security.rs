//! What protects the connections between processes: a shared secret, and TLS in which both sides show a certificate.

use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use sha2::Sha256;

use super::ClusterError;

/// The fewest bytes of a secret.
const LEAST_SECRET: usize = 16;

/// What protects the connections between processes.
#[derive(Clone, Default)]
pub struct LinkSecurity {
    secret: Option<Arc<[u8]>>,
    tls: Option<TlsConfigs>,
}

#[derive(Clone)]
struct TlsConfigs {
    dialing: Arc<ClientConfig>,
    accepting: Arc<ServerConfig>,
}

impl fmt::Debug for LinkSecurity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkSecurity {{ secret: {}, tls: {} }}", self.secret.is_some(), self.tls.is_some())
    }
}

impl LinkSecurity {
    /// With the secret in a file; blanks around it do not count.
    ///
    /// # Errors
    /// [`ClusterError::SecurityFile`] when the file cannot be read, or the secret is too short.
    pub fn with_secret(mut self, path: &Path) -> Result<LinkSecurity, ClusterError> {
        let wrong = |message: String| unusable("--cluster-token-file", path, message);
        let bytes = fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let secret = bytes.trim_ascii();
        if secret.len() < LEAST_SECRET {
            return Err(wrong(format!("a secret has at least {LEAST_SECRET} bytes, this one {}", secret.len())));
        }
        self.secret = Some(secret.into());
        Ok(self)
    }

    /// With TLS: the certificate of this process, its key, and those whose signature is trusted on the certificates of others.
    ///
    /// # Errors
    /// [`ClusterError::SecurityFile`] when a file cannot be read or does not fit.
    pub fn with_tls(mut self, cert: &Path, key: &Path, ca: &Path) -> Result<LinkSecurity, ClusterError> {
        let certificates = |flag, path: &Path| {
            let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            match read {
                Ok(read) if read.is_empty() => {
                    Err(unusable(flag, path, "it has no certificate in PEM form".to_owned()))
                }
                Ok(read) => Ok(read),
                Err(error) => Err(unusable(flag, path, error.to_string())),
            }
        };
        let own = certificates("--cluster-cert", cert)?;
        let key_der =
            || PrivateKeyDer::from_pem_file(key).map_err(|error| unusable("--cluster-key", key, error.to_string()));
        let mut roots = RootCertStore::empty();
        for root in certificates("--cluster-ca", ca)? {
            roots.add(root).map_err(|error| unusable("--cluster-ca", ca, error.to_string()))?;
        }
        let roots = Arc::new(roots);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let no_fit = |error: rustls::Error| unusable("--cluster-key", key, error.to_string());
        let dialing = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder.with_root_certificates(Arc::clone(&roots)).with_client_auth_cert(
                    own.clone(),
                    key_der().map_err(|error| rustls::Error::General(error.to_string()))?,
                )
            })
            .map_err(no_fit)?;
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .build()
            .map_err(|error| unusable("--cluster-ca", ca, error.to_string()))?;
        let accepting = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(no_fit)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(own, key_der()?)
            .map_err(no_fit)?;
        self.tls = Some(TlsConfigs { dialing: Arc::new(dialing), accepting: Arc::new(accepting) });
        Ok(self)
    }

    /// Refuses connections to other machines that would be plain.
    ///
    /// # Errors
    /// [`ClusterError::Plain`] names the first such address.
    pub fn expect_encrypted(&self, addresses: &[String]) -> Result<(), ClusterError> {
        match addresses.iter().find(|address| self.tls.is_none() && !is_loopback(address)) {
            Some(address) => Err(ClusterError::Plain { address: address.clone() }),
            None => Ok(()),
        }
    }

    /// Whether the processes share a secret.
    pub(super) fn has_secret(&self) -> bool {
        self.secret.is_some()
    }

    /// What only who has the secret can compute of a text; empty without a secret.
    pub(super) fn proof(&self, text: &[&[u8]]) -> Vec<u8> {
        self.mac(text).map_or_else(Vec::new, |mac| mac.finalize().into_bytes().to_vec())
    }

    /// Whether a proof of a text is right; compared in constant time.
    pub(super) fn is_proof(&self, text: &[&[u8]], proof: &[u8]) -> bool {
        self.mac(text).is_none_or(|mac| mac.verify_slice(proof).is_ok())
    }

    fn mac(&self, text: &[&[u8]]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_ref()?).expect("HMAC takes keys of any length");
        for part in text {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        Some(mac)
    }

    /// The TLS state of a process that dials an address; `None` without TLS.
    pub(super) fn dialing(&self, address: &str) -> Result<Option<rustls::Connection>, String> {
        let Some(tls) = &self.tls else { return Ok(None) };
        let name = ServerName::try_from(host_of(address).to_owned()).map_err(|error| error.to_string())?;
        let connection = ClientConnection::new(Arc::clone(&tls.dialing), name).map_err(|error| error.to_string())?;
        Ok(Some(connection.into()))
    }

    /// The TLS state of a process that was dialled; `None` without TLS.
    pub(super) fn accepting(&self) -> Result<Option<rustls::Connection>, String> {
        let Some(tls) = &self.tls else { return Ok(None) };
        let connection = ServerConnection::new(Arc::clone(&tls.accepting)).map_err(|error| error.to_string())?;
        Ok(Some(connection.into()))
    }
}

fn unusable(flag: &'static str, path: &Path, message: String) -> ClusterError {
    ClusterError::SecurityFile { flag, path: path.display().to_string(), message }
}

/// The host of `host:port`, without the brackets of an IPv6 address.
fn host_of(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn is_loopback(address: &str) -> bool {
    let host = host_of(address);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn with_secret(secret: &str) -> Result<LinkSecurity, ClusterError> {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(secret.as_bytes()).expect("it can be written");
        LinkSecurity::default().with_secret(file.path())
    }

    #[test]
    fn only_who_has_the_secret_can_prove_it() {
        let (one, other) =
            (with_secret("0123456789abcdef\n").expect("16 bytes"), with_secret("0123456789abcdeF").expect("16"));
        let text: [&[u8]; 2] = [b"ab", b"c"];
        let proof = one.proof(&text);
        assert!(one.is_proof(&text, &proof));
        assert!(with_secret(" 0123456789abcdef").expect("16 bytes").is_proof(&text, &proof));
        assert!(!other.is_proof(&text, &proof));
        assert!(!one.is_proof(&[b"a", b"bc"], &proof), "the same bytes, divided otherwise, are another text");
        assert!(!one.is_proof(&text, b""));
        assert!(LinkSecurity::default().proof(&text).is_empty());
        let error = with_secret("short\n").expect_err("too short").to_string();
        assert!(error.contains("at least 16 bytes, this one 5"), "{error}");
    }

    #[test]
    fn plain_connections_stay_on_this_machine() {
        let plain = |addresses: &[&str]| {
            let addresses: Vec<String> = addresses.iter().map(|address| (*address).to_owned()).collect();
            LinkSecurity::default().expect_encrypted(&addresses).map_err(|error| error.to_string())
        };
        assert_eq!(plain(&["127.0.0.1:1", "[::1]:2", "localhost:3", "127.8.0.1:4"]), Ok(()));
        for address in ["10.0.0.1:1", "node1:2", "[fe80::1]:3", "localhost.example:4", "0.0.0.0:5"] {
            assert!(plain(&["127.0.0.1:1", address]).expect_err("beyond this machine").contains(address));
        }
    }
}
