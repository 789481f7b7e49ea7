//! The fields of a certificate that rustls does not expose, read by `x509-parser`.

use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use x509_parser::oid_registry::{
    OID_HASH_SHA1, OID_NIST_HASH_SHA256, OID_NIST_HASH_SHA384, OID_NIST_HASH_SHA512, OID_PKCS1_MD5WITHRSAENC,
    OID_PKCS1_RSASSAPSS, OID_PKCS1_SHA1WITHRSA, OID_PKCS1_SHA224WITHRSA, OID_PKCS1_SHA256WITHRSA,
    OID_PKCS1_SHA384WITHRSA, OID_PKCS1_SHA512WITHRSA, OID_SIG_ECDSA_WITH_SHA224, OID_SIG_ECDSA_WITH_SHA256,
    OID_SIG_ECDSA_WITH_SHA384, OID_SIG_ECDSA_WITH_SHA512, OID_X509_EXT_SUBJECT_ALT_NAME, Oid, asn1_rs::oid,
};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::signature_algorithm::RsaSsaPssParams;

/// The validity of a certificate and its name of last resort.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::postgres) struct Certificate {
    /// Seconds since 1970.
    pub(in crate::postgres) not_before: i64,
    /// Seconds since 1970.
    pub(in crate::postgres) not_after: i64,
    common_name: Option<String>,
    has_alternative_names: bool,
}

impl Certificate {
    /// Reads DER; `None` when it is not a certificate.
    pub(in crate::postgres) fn read(der: &[u8]) -> Option<Certificate> {
        let certificate = parse(der)?;
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
        let common_name = certificate.subject().iter_common_name().last().and_then(|name| text(name.as_slice()));
        Some(Certificate {
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
            // A zero byte inside makes one name look like another.
            common_name: common_name.filter(|name| !name.contains('\0')),
            has_alternative_names: certificate.extensions().iter().any(|e| e.oid == OID_X509_EXT_SUBJECT_ALT_NAME),
        })
    }

    /// Whether the common name matches `name`; never if there are alternative names. `*` matches the first label.
    pub(in crate::postgres) fn common_name_is(&self, name: &str) -> bool {
        let Some(own) = self.common_name.as_deref().filter(|_| !self.has_alternative_names) else { return false };
        let same = |left: &str, right: &str| left.eq_ignore_ascii_case(right);
        match own.strip_prefix("*.") {
            Some(rest) => {
                let is_address = name.parse::<std::net::IpAddr>().is_ok();
                !is_address && name.split_once('.').is_some_and(|(first, after)| !first.is_empty() && same(after, rest))
            }
            None => same(own, name),
        }
    }
}

/// The certificate hashed for channel binding `tls-server-end-point`: by the hash of its signature, SHA-256 instead of MD5
/// and SHA-1 (RFC 5929, section 4.1). `None` where the signature has no hash of its own, as with Ed25519.
pub(in crate::postgres) fn end_point_hash(der: &[u8]) -> Option<Vec<u8>> {
    let certificate = parse(der)?;
    let algorithm = &certificate.signature_algorithm;
    if algorithm.algorithm == OID_PKCS1_RSASSAPSS {
        let parameters = RsaSsaPssParams::try_from(algorithm.parameters.as_ref()?).ok()?;
        return hash_by(parameters.hash_algorithm_oid(), der);
    }
    hash_by(&algorithm.algorithm, der)
}

/// The size in bits of the RSA key in a certificate; `None` for a key of another kind.
pub(in crate::postgres) fn rsa_bits(der: &[u8]) -> Option<usize> {
    let certificate = parse(der)?;
    match certificate.public_key().parsed().ok()? {
        PublicKey::RSA(key) => Some(key.key_size()),
        _ => None,
    }
}

fn hash_by(algorithm: &Oid<'_>, der: &[u8]) -> Option<Vec<u8>> {
    /// ecdsa-with-SHA1 and id-sha224, which the registry of `x509-parser` lacks.
    const ECDSA_WITH_SHA1: Oid<'static> = oid!(1.2.840.10045.4.1);
    const SHA224: Oid<'static> = oid!(2.16.840.1.101.3.4.2.4);
    let is = |known: &[Oid<'_>]| known.contains(algorithm);
    if is(&[OID_PKCS1_MD5WITHRSAENC, OID_PKCS1_SHA1WITHRSA, ECDSA_WITH_SHA1, OID_HASH_SHA1])
        || is(&[OID_PKCS1_SHA256WITHRSA, OID_SIG_ECDSA_WITH_SHA256, OID_NIST_HASH_SHA256])
    {
        Some(Sha256::digest(der).to_vec())
    } else if is(&[OID_PKCS1_SHA224WITHRSA, OID_SIG_ECDSA_WITH_SHA224, SHA224]) {
        Some(Sha224::digest(der).to_vec())
    } else if is(&[OID_PKCS1_SHA384WITHRSA, OID_SIG_ECDSA_WITH_SHA384, OID_NIST_HASH_SHA384]) {
        Some(Sha384::digest(der).to_vec())
    } else if is(&[OID_PKCS1_SHA512WITHRSA, OID_SIG_ECDSA_WITH_SHA512, OID_NIST_HASH_SHA512]) {
        Some(Sha512::digest(der).to_vec())
    } else {
        None
    }
}

fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    let (rest, certificate) = X509Certificate::from_der(der).ok()?;
    rest.is_empty().then_some(certificate)
}

/// Reads a certificate as the verifier and the channel binding do.
#[cfg(feature = "fuzzing")]
pub fn fuzz_certificate(der: &[u8]) {
    if let Some(certificate) = Certificate::read(der) {
        let _ = certificate.common_name_is("db.example.org");
    }
    let _ = (end_point_hash(der), rsa_bits(der));
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::*;

    /// Made by `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 10000 -subj … -sha…` and the like.
    fn der(pem: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")
    }

    fn read(pem: &str) -> Certificate {
        Certificate::read(&der(pem)).expect("a certificate")
    }

    const PLAIN: &str = include_str!("test_certificates/ecdsa_sha256.pem");
    const WILDCARD: &str = include_str!("test_certificates/wildcard_sha512.pem");
    const ALTERNATIVE: &str = include_str!("test_certificates/alternative_sha384.pem");
    const SHA1: &str = include_str!("test_certificates/rsa_sha1.pem");
    const PSS: &str = include_str!("test_certificates/rsa_pss_sha384.pem");
    const ED25519: &str = include_str!("test_certificates/ed25519.pem");

    #[test]
    fn validity_and_common_name_are_read() {
        let plain = read(PLAIN);
        assert_eq!((plain.not_before, plain.not_after), (1_795_893_095, 2_659_893_095));
        assert!(plain.common_name_is("DB.example.org") && !plain.common_name_is("other.example.org"));
        let wildcard = read(WILDCARD);
        assert!(wildcard.common_name_is("db.example.org"));
        assert!(!wildcard.common_name_is("a.db.example.org") && !wildcard.common_name_is("example.org"));
    }

    #[test]
    fn a_wildcard_never_matches_an_address() {
        let wildcard = Certificate { common_name: Some("*.0.0.1".to_owned()), ..read(PLAIN) };
        assert!(wildcard.common_name_is("a.0.0.1") && !wildcard.common_name_is("127.0.0.1"));
    }

    #[test]
    fn the_common_name_does_not_count_beside_alternative_names() {
        assert!(!read(ALTERNATIVE).common_name_is("db.example.org"));
    }

    #[test]
    fn a_truncated_certificate_is_refused() {
        let whole = der(PLAIN);
        for end in 0..whole.len() {
            assert_eq!(Certificate::read(&whole[..end]), None, "{end}");
        }
        assert_eq!(Certificate::read(&[whole.as_ref(), b"x"].concat()), None);
    }

    #[test]
    fn the_end_point_is_hashed_as_the_certificate_is_signed() {
        let hash = |pem| end_point_hash(&der(pem));
        assert_eq!(hash(PLAIN), Some(Sha256::digest(der(PLAIN)).to_vec()));
        assert_eq!(hash(SHA1), Some(Sha256::digest(der(SHA1)).to_vec()), "SHA-1 is replaced by SHA-256");
        assert_eq!(hash(ALTERNATIVE), Some(Sha384::digest(der(ALTERNATIVE)).to_vec()));
        assert_eq!(hash(WILDCARD), Some(Sha512::digest(der(WILDCARD)).to_vec()));
        assert_eq!(hash(PSS), Some(Sha384::digest(der(PSS)).to_vec()));
        assert_eq!(hash(ED25519), None, "its signature has no hash of its own");
    }
}
