//! Whether a server's certificate is one that libpq would take (PostgreSQL documentation, "SSL Support"): an authority of a file has
//! signed it, and with `verify-full` it is for the host's name. Takes what the server sent, gives a reason in plain words.
//!
//! `webpki` checks chains. Two kinds of certificates that it takes for none are made by the commands in PostgreSQL's own documentation,
//! and libpq takes them: those of version 1, and those that may sign others. Of these only the shortest chain is taken: the one that a
//! certificate of the file itself has signed.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use x509_cert::Certificate;
use x509_cert::der::oid::db::rfc5912::{
    ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ECDSA_WITH_SHA_512, ID_KP_SERVER_AUTH, SHA_1_WITH_RSA_ENCRYPTION, SHA_256_WITH_RSA_ENCRYPTION,
    SHA_384_WITH_RSA_ENCRYPTION, SHA_512_WITH_RSA_ENCRYPTION,
};
use x509_cert::der::oid::db::{rfc4519::CN, rfc5280};
use x509_cert::der::{Decode as _, Encode as _, Header, Reader as _, SliceReader};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, NameConstraints, SubjectAltName};
use x509_cert::spki::AlgorithmIdentifierOwned;

/// Why a certificate is not taken, as the end of a sentence.
#[derive(Debug)]
pub struct Refused(pub String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// Certificates that a site trusts.
#[derive(Debug)]
pub struct Roots {
    anchors: RootCertStore,
    whole: Vec<(CertificateDer<'static>, Certificate)>,
}

impl Roots {
    /// Those among certificates that are valid now; what nobody can read among them signs nothing.
    pub fn new(certificates: impl Iterator<Item = CertificateDer<'static>>, now: UnixTime) -> Self {
        let mut roots = Self { anchors: RootCertStore::empty(), whole: Vec::new() };
        for der in certificates {
            match Certificate::from_der(&der) {
                Ok(parsed) if dates(&parsed, now).is_ok() => roots.whole.push((der.clone(), parsed)),
                Ok(_) => continue,
                Err(_) => {}
            }
            let _unreadable = roots.anchors.add(der);
        }
        roots
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty() && self.whole.is_empty()
    }
}

/// What is asked of a server's certificate.
#[derive(Debug)]
pub struct Check {
    /// Who has to have signed it; none where anybody may.
    pub roots: Option<Roots>,
    /// The host that it has to be for, if it matters.
    pub host: Option<String>,
    /// How signatures are checked.
    pub algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Check {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(roots) = &self.roots else { return Ok(ServerCertVerified::assertion()) };
        let certificate = parse(end_entity)?;
        let authority = certificate.tbs_certificate.get::<BasicConstraints>().is_ok_and(|found| found.is_some_and(|(_, limits)| limits.ca));
        if authority || certificate.tbs_certificate.version != x509_cert::Version::V3 {
            self.directly_signed(end_entity, &certificate, roots, now).map_err(refused)?;
        } else {
            let parsed = ParsedCertificate::try_from(end_entity)?;
            verify_server_cert_signed_by_trust_anchor(&parsed, &roots.anchors, intermediates, now, self.algorithms.all).map_err(explained)?;
        }
        if let Some(host) = &self.host {
            names(&certificate, host).map_err(refused)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    /// With the key alone, since `webpki` does not read every certificate that libpq takes.
    fn verify_tls12_signature(&self, message: &[u8], cert: &CertificateDer<'_>, signed: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
        let key = parse(cert)?.tbs_certificate.subject_public_key_info;
        let kind = identifier(&key.algorithm);
        let schemes = self.algorithms.mapping.iter().filter(|(scheme, _)| *scheme == signed.scheme);
        let algorithm = schemes.flat_map(|(_, algorithms)| *algorithms).find(|algorithm| kind.as_deref() == Some(algorithm.public_key_alg_id().as_ref()));
        let valid = algorithm.is_some_and(|algorithm| algorithm.verify_signature(key.subject_public_key.raw_bytes(), message, signed.signature()).is_ok());
        if valid { Ok(HandshakeSignatureValid::assertion()) } else { Err(CertificateError::BadSignature.into()) }
    }

    fn verify_tls13_signature(&self, message: &[u8], cert: &CertificateDer<'_>, signed: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
        let key = parse(cert)?.tbs_certificate.subject_public_key_info.to_der().map_err(|_| unreadable())?;
        verify_tls13_signature_with_raw_key(message, &SubjectPublicKeyInfoDer::from(key), signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl Check {
    /// Whether a certificate of the file has signed this one, or is this one.
    fn directly_signed(&self, der: &CertificateDer<'_>, certificate: &Certificate, roots: &Roots, now: UnixTime) -> Result<(), String> {
        let issuer = &certificate.tbs_certificate.issuer;
        let mut issuers = roots.whole.iter().filter(|(root, parsed)| parsed.tbs_certificate.subject == *issuer && (root == der || may_sign(parsed)));
        if !issuers.any(|(_, root)| self.signed_by(der, certificate, root)) {
            return Err(UNKNOWN.to_owned());
        }
        dates(certificate, now)?;
        for_servers(certificate)
    }

    fn signed_by(&self, der: &CertificateDer<'_>, certificate: &Certificate, root: &Certificate) -> bool {
        let (signature, key) = (identifier(&certificate.signature_algorithm), &root.tbs_certificate.subject_public_key_info);
        let kind = identifier(&key.algorithm);
        let fits = |algorithm: &&&dyn SignatureVerificationAlgorithm| {
            signature.as_deref() == Some(algorithm.signature_alg_id().as_ref()) && kind.as_deref() == Some(algorithm.public_key_alg_id().as_ref())
        };
        let Some(message) = signed_part(der) else { return false };
        self.algorithms
            .all
            .iter()
            .find(fits)
            .is_some_and(|algorithm| algorithm.verify_signature(key.subject_public_key.raw_bytes(), message, certificate.signature.raw_bytes()).is_ok())
    }
}

const UNKNOWN: &str = "no certificate authority of `server.ca_certificates` and none that is publicly known has signed its certificate";

fn refused(reason: String) -> Error {
    CertificateError::Other(OtherError(Arc::new(Refused(reason)))).into()
}

fn unreadable() -> Error {
    refused("its certificate cannot be read".to_owned())
}

fn parse(der: &CertificateDer<'_>) -> Result<Certificate, Error> {
    Certificate::from_der(der).map_err(|_| unreadable())
}

/// In plain words what people come across.
fn explained(error: Error) -> Error {
    let Error::InvalidCertificate(problem) = &error else { return error };
    match problem {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => refused(UNKNOWN.to_owned()),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => refused(EXPIRED.to_owned()),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => refused(NOT_YET.to_owned()),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => refused(NOT_FOR_SERVERS.to_owned()),
        _ => error,
    }
}

const EXPIRED: &str = "its certificate has expired";
const NOT_YET: &str = "its certificate is not valid yet; is the clock of this machine right?";
const NOT_FOR_SERVERS: &str = "its certificate is not for servers";

fn dates(certificate: &Certificate, now: UnixTime) -> Result<(), String> {
    let (validity, now) = (&certificate.tbs_certificate.validity, Duration::from_secs(now.as_secs()));
    if now < validity.not_before.to_unix_duration() {
        return Err(NOT_YET.to_owned());
    }
    if now > validity.not_after.to_unix_duration() { Err(EXPIRED.to_owned()) } else { Ok(()) }
}

/// Whether a certificate may sign others, without any limit of whom. One of version 1 says nothing, and is in the file.
fn may_sign(root: &Certificate) -> bool {
    let root = &root.tbs_certificate;
    let limits = root.get::<BasicConstraints>().map(|found| found.map(|(_, limits)| limits.ca));
    let authority = matches!(limits, Ok(Some(true))) || (matches!(limits, Ok(None)) && root.version == x509_cert::Version::V1);
    let usage = matches!(root.get::<KeyUsage>(), Ok(found) if found.as_ref().is_none_or(|(_, usage)| usage.key_cert_sign()));
    authority && usage && matches!(root.get::<NameConstraints>(), Ok(None))
}

/// Whether a certificate lets its owner be a server, and demands nothing that is not looked at here.
fn for_servers(certificate: &Certificate) -> Result<(), String> {
    let certificate = &certificate.tbs_certificate;
    let usage = matches!(certificate.get::<KeyUsage>(), Ok(found)
        if found.as_ref().is_none_or(|(_, usage)| usage.digital_signature() || usage.key_encipherment() || usage.key_agreement()));
    let extended = matches!(certificate.get::<ExtendedKeyUsage>(), Ok(found) if found.as_ref().is_none_or(|(_, usage)| usage.0.contains(&ID_KP_SERVER_AUTH)));
    let known = [rfc5280::ID_CE_BASIC_CONSTRAINTS, rfc5280::ID_CE_KEY_USAGE, rfc5280::ID_CE_EXT_KEY_USAGE, rfc5280::ID_CE_SUBJECT_ALT_NAME];
    let understood = certificate.extensions.iter().flatten().all(|extension| !extension.critical || known.contains(&extension.extn_id));
    if usage && extended && understood { Ok(()) } else { Err(NOT_FOR_SERVERS.to_owned()) }
}

/// The content of an AlgorithmIdentifier, as `webpki` has it.
fn identifier(algorithm: &AlgorithmIdentifierOwned) -> Option<Vec<u8>> {
    let der = algorithm.to_der().ok()?;
    let mut reader = SliceReader::new(&der).ok()?;
    Header::decode(&mut reader).ok()?;
    Some(der[usize::try_from(reader.position()).ok()?..].to_vec())
}

/// The part of a certificate that is signed, byte for byte.
fn signed_part(der: &[u8]) -> Option<&[u8]> {
    let mut reader = SliceReader::new(der).ok()?;
    Header::decode(&mut reader).ok()?;
    reader.tlv_bytes().ok()
}

/// Whether a certificate is for a host. The common name counts where no alternative name is of the host's kind.
fn names(certificate: &Certificate, host: &str) -> Result<(), String> {
    let address: Option<IpAddr> = host.parse().ok();
    let alternatives = match certificate.tbs_certificate.get::<SubjectAltName>() {
        Ok(found) => found.map(|(_, names)| names.0).unwrap_or_default(),
        Err(_) => return Err("the names in its certificate cannot be read".to_owned()),
    };
    let mut seen = Vec::new();
    let mut common_name_counts = true;
    for alternative in &alternatives {
        match alternative {
            GeneralName::DnsName(name) => {
                common_name_counts &= address.is_some();
                if same_name(name.as_str(), host) {
                    return Ok(());
                }
                seen.push(name.as_str().to_owned());
            }
            GeneralName::IpAddress(bytes) => {
                common_name_counts &= address.is_none();
                let found = <[u8; 4]>::try_from(bytes.as_bytes()).map(IpAddr::from).or_else(|_| <[u8; 16]>::try_from(bytes.as_bytes()).map(IpAddr::from));
                if found.is_ok() && found.ok() == address {
                    return Ok(());
                }
                seen.extend(found.map(|found| found.to_string()));
            }
            _ => {}
        }
    }
    if common_name_counts {
        let parts = certificate.tbs_certificate.subject.0.iter().flat_map(|parts| parts.0.iter());
        let common = parts.filter(|part| part.oid == CN).map(|part| String::from_utf8_lossy(part.value.value()).into_owned()).next();
        if common.as_ref().is_some_and(|name| same_name(name, host)) {
            return Ok(());
        }
        seen.extend(common);
    }
    let seen: Vec<String> = seen.iter().map(|name| name.chars().filter(|char| !char.is_control()).collect()).collect();
    let other = if seen.is_empty() { "no name".to_owned() } else { seen.join(", ") };
    Err(format!("its certificate is for {other}, and not for {host}"))
}

/// libpq's comparison: a `*` in front stands for one part of a name.
fn same_name(name: &str, host: &str) -> bool {
    if name.contains('\0') {
        return false;
    }
    if name.eq_ignore_ascii_case(host) {
        return true;
    }
    let (Some(rest), Some((first, after))) = (name.strip_prefix("*."), host.split_once('.')) else { return false };
    !rest.is_empty() && !first.is_empty() && rest.eq_ignore_ascii_case(after)
}

/// What ties a login to a connection (`tls-server-end-point`, RFC 5929): a hash of the server's certificate by the function of its
/// signature, or a better one. None where that is not clear.
pub fn end_point(der: &[u8]) -> Option<Vec<u8>> {
    match Certificate::from_der(der).ok()?.signature_algorithm.oid {
        SHA_1_WITH_RSA_ENCRYPTION | SHA_256_WITH_RSA_ENCRYPTION | ECDSA_WITH_SHA_256 => Some(Sha256::digest(der).to_vec()),
        SHA_384_WITH_RSA_ENCRYPTION | ECDSA_WITH_SHA_384 => Some(Sha384::digest(der).to_vec()),
        SHA_512_WITH_RSA_ENCRYPTION | ECDSA_WITH_SHA_512 => Some(Sha512::digest(der).to_vec()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_libpq_does() {
        for (name, host, expected) in [
            ("db.example.com", "DB.example.com", true),
            ("*.example.com", "db.example.com", true),
            ("*.example.com", "a.db.example.com", false),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*", "db", false),
            ("*.", "db.", false),
            ("db.*.com", "db.example.com", false),
            ("db.example.com\0.example.org", "db.example.com", false),
        ] {
            assert_eq!(same_name(name, host), expected, "{name:?} {host:?}");
        }
    }
}
