//! Certificate authorities of the site: one file in memory with those of the image and those of the description. OpenSSL, and with
//! it Python and Twisted, reads the file that `SSL_CERT_FILE` names in place of the image's own (OpenSSL documentation,
//! SSL_CTX_set_default_verify_paths); the image itself stays the same for all sites.

use std::path::Path;

use synapse_site::error::{Error, Result};
use synapse_site::files::{LARGEST, read};
use synapse_site::launch::Trust;

use crate::files;

/// Writes the list, and gives its path.
pub fn gather(trust: &Trust, run: &Path) -> Result<String> {
    let target = Path::new(&trust.target);
    if !target.starts_with(run) {
        return Err(Error::environment(
            format!("the plan writes {} outside of {}", trust.target, run.display()),
            "build the images again; this is a fault of synapse-site, please report it",
        ));
    }
    let mut all = Vec::new();
    for source in std::iter::once(&trust.bundle).chain(&trust.certificates) {
        let path = Path::new(source);
        let content = read(path, LARGEST).map_err(|problem| problem.error("read the certificates", path))?;
        all.extend_from_slice(&content);
        // A file without a line end at its end would spoil the first line of the next.
        if !content.ends_with(b"\n") {
            all.push(b'\n');
        }
    }
    if let Some(parent) = target.parent() {
        files::create_private_directories(run, parent)?;
    }
    files::replace(target, &all, files::Durable::No)?;
    Ok(trust.target.clone())
}
