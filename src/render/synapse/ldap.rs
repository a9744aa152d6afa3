//! The module that asks the directory: matrix-synapse-ldap3 0.4, its README and `parse_config`.

use serde_json::{Value, json};

use super::secret_path;
use crate::site::ldap::{Ldap, Mode};

/// An entry of Synapse's `modules`. The class is `LdapAuthProviderModule`: the one without `Module` at its end is for the
/// old `password_providers`, and under `modules` it registers nothing.
pub(super) fn module(ldap: &Ldap, ca_certificate: Option<&str>) -> Value {
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
        config["bind_password_file"] = json!(secret_path("ldap_bind_password"));
    }
    if ldap.start_tls || ldap.uri.as_str().starts_with("ldaps://") {
        // Python's ssl.CERT_REQUIRED; the module's own default accepts any certificate.
        config["tls_options"] = json!({ "validate": 2, "ca_certs_file": ca_certificate.unwrap_or("/etc/ssl/certs/ca-certificates.crt") });
    }
    json!({ "module": "ldap_auth_provider.LdapAuthProviderModule", "config": config })
}
