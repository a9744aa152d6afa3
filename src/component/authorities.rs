//! Certificate authorities of the site, which every image that asks other servers trusts beside its own.

use crate::checked::CheckedSite;
use crate::deployment::Part;
use crate::launch::Trust;
use crate::site::Site;

/// The certificate authorities that an image comes with.
const OWN: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The same and those of the description, which `launch` puts together.
const WHOLE: &str = "/run/synapse-site/ca-certificates.crt";

/// Where the description's certificate authorities lie in an image.
fn paths(number: usize) -> impl Iterator<Item = String> {
    (1..=number).map(|number| format!("/etc/matrix-synapse/authorities/{number}.pem"))
}

/// Puts the description's certificate authorities into an image.
pub(super) fn add(checked: &CheckedSite<'_>, image: &str, part: &mut Part) {
    for (path, content) in paths(checked.authorities.len()).zip(&checked.authorities) {
        part.add(image, &path, *content);
    }
}

/// What makes a service trust them.
pub(super) fn trust(site: &Site) -> Option<Trust> {
    let certificates: Vec<String> = paths(site.server.ca_certificates.len()).collect();
    (!certificates.is_empty()).then(|| Trust { bundle: OWN.to_owned(), certificates, target: WHOLE.to_owned() })
}

/// Every file with certificate authorities that a service trusts.
pub(super) fn files(site: &Site) -> Vec<String> {
    std::iter::once(OWN.to_owned()).chain(paths(site.server.ca_certificates.len())).collect()
}

/// The one file with all of them, which `launch` writes when it starts a service.
pub(super) fn bundle(site: &Site) -> &'static str {
    if site.server.ca_certificates.is_empty() { OWN } else { WHOLE }
}
