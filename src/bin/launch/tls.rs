//! TLS with a PostgreSQL server, by libpq's rules: what `sslmode` asks of the server's certificate.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use synapse_site::files;
use synapse_site::launch::Tls;
use synapse_site::site::database::SslMode;

use crate::certificate::{Check, Refused, Roots};
use crate::connection::{Failure, Timed};
use crate::probe::failed;

/// A connection that is encrypted.
pub type Secured = StreamOwned<ClientConnection, Timed>;

/// Encrypts a connection once the server has agreed to it.
///
/// # Errors
/// [`Failure::Server`] for a certificate that is refused, [`Failure::Handshake`] where no common way is found.
pub fn secure(mut stream: Timed, host: &str, tls: &Tls) -> Result<Secured, Failure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let host_counts = tls.mode == SslMode::VerifyFull;
    let check = Check { roots: roots(tls)?, host: host_counts.then(|| host.to_owned()), algorithms: provider.signature_verification_algorithms };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(check))
        .with_no_client_auth();
    // The name that the server is told; one that cannot be a name is not told, as an address is not.
    let name = ServerName::try_from(host.to_owned()).unwrap_or_else(|_| ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into()));
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).map_err(explained)?;
    }
    Ok(StreamOwned::new(connection, stream))
}

/// The authorities that count. libpq checks who has signed a certificate whenever it has a list, and demands one for `verify-ca`.
fn roots(tls: &Tls) -> Result<Option<Roots>, String> {
    if tls.roots.is_empty() && !tls.mode.verifies() {
        return Ok(None);
    }
    let mut certificates = Vec::new();
    for path in &tls.roots {
        let path = Path::new(path);
        let content = files::read(path, files::LARGEST).map_err(|problem| problem.error("read the certificates", path).to_string())?;
        for certificate in CertificateDer::pem_slice_iter(&content) {
            certificates.push(certificate.map_err(|error| format!("{} holds a certificate that cannot be read: {error:?}", path.display()))?);
        }
    }
    let roots = Roots::new(certificates.into_iter(), UnixTime::now());
    if roots.is_empty() { Err(format!("there is no valid certificate in {}", tls.roots.join(", "))) } else { Ok(Some(roots)) }
}

/// The reason why no handshake came about.
fn explained(error: std::io::Error) -> Failure {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other))) => match other.0.downcast_ref::<Refused>() {
            Some(reason) => Failure::Server(reason.0.clone()),
            None => Failure::Handshake(format!("its certificate is not understood: {}", other.0)),
        },
        Some(other) => Failure::Handshake(format!("there is no TLS with it: {other}")),
        None => Failure::Server(failed(error)),
    }
}
