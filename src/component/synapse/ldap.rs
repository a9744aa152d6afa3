//! The module that asks the directory: matrix-synapse-ldap3 0.4, its README and `parse_config`.

use serde_json::{Value, json};

use super::secrets;
use crate::launch::secret_path;
use crate::site::ldap::{Ldap, Mode};

/// Where the program below lies: Synapse's image has the directory on Python's module path.
pub(super) const PROGRAM_PATH: &str = "/etc/matrix-synapse/python/synapse_site_directory.py";
/// What is loaded: matrix-synapse-ldap3's `LdapAuthProviderModule`, behind a look at the name that somebody logs in with. (The
/// module's class without `Module` at its end is for the old `password_providers`; under `modules` it registers nothing.)
pub(super) const PROGRAM: &str = include_str!("directory.py");

/// An entry of Synapse's `modules`.
pub(super) fn module(ldap: &Ldap, ca_certificates: &str) -> Value {
    let mut config = json!({
        "enabled": true,
        "mode": match ldap.mode {
            Mode::Search => "search",
            Mode::Simple => "simple",
        },
        "uri": ldap.uri,
        "start_tls": ldap.start_tls,
        "base": ldap.base,
        "attributes": ldap.attributes,
    });
    if let Some(filter) = &ldap.filter {
        config["filter"] = json!(filter);
    }
    if let Some(bind_dn) = &ldap.bind_dn {
        config["bind_dn"] = json!(bind_dn);
        config["bind_password_file"] = json!(secret_path(secrets::BIND_PASSWORD));
    }
    if !ldap.further_uris.is_empty() {
        config["uri"] = json!(ldap.uris().map(|(_, uri)| uri).collect::<Vec<_>>());
    }
    if ldap.start_tls || ldap.uris().any(|(_, uri)| uri.is_ldaps()) {
        // Python's ssl.CERT_REQUIRED; the module's own default accepts any certificate.
        config["tls_options"] = json!({ "validate": 2, "ca_certs_file": ca_certificates });
    }
    json!({ "module": "synapse_site_directory.Directory", "config": config })
}
