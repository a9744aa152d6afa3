//! OpenID Connect providers and what happens around a login with one: `oidc_providers` and `sso`.

use serde_json::{Value, json};

use crate::launch::secret_path;
use crate::site::Site;
use crate::site::oidc::OidcProvider;

pub(super) fn options(site: &Site) -> Option<Value> {
    let oidc = &site.oidc;
    if oidc.oidc_providers.is_empty() {
        return None;
    }
    let mut options = json!({ "oidc_providers": oidc.oidc_providers.iter().map(provider).collect::<Vec<_>>() });
    if !oidc.client_whitelist.is_empty() {
        options["sso"]["client_whitelist"] = json!(oidc.client_whitelist);
    }
    if oidc.update_profile_information {
        options["sso"]["update_profile_information"] = json!(true);
    }
    Some(options)
}

fn provider(provider: &OidcProvider) -> Value {
    let mut written = json!(provider);
    // Synapse's own mapping is the only one in the image.
    written["user_mapping_provider"] = json!({ "config": provider.user_mapping_provider });
    if let Some(secret) = provider.secret() {
        match &provider.client_secret_jwt_key {
            Some(_) => written["client_secret_jwt_key"]["key_file"] = json!(secret_path(&secret)),
            None => written["client_secret_path"] = json!(secret_path(&secret)),
        }
    }
    written
}
