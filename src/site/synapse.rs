//! `synapse`: the door to every option that has no section of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::text::Line;

/// Names of members that hold secrets, wherever they stand (Synapse documentation, option by option, and of the modules). The
/// schema carries them, too: a Nix evaluation has to refuse a secret before it is in the store.
pub const SECRET_MEMBERS: &[&str] = &[
    "smtp_pass",
    "bind_password",
    "client_secret",
    "recaptcha_private_key",
    "as_token",
    "hs_token",
    "secret",
    "password",
    "secret_access_key",
    "access_token",
    "shared_secret",
    "pepper",
    "admin_token",
    "token",
    "api_key",
    "passwd",
    "passphrase",
];

/// Synapse's own options that hold secrets and are written from files of the target: here they would say them a second time, and
/// in the Nix store.
pub const SECRET_OPTIONS: &[&str] =
    &["form_secret", "macaroon_secret_key", "registration_shared_secret", "signing_key", "turn_password", "turn_shared_secret", "worker_replication_secret"];

/// How names of secrets end that are made of several words, however the words are joined: `matrix_token`, `clientSecret`.
pub const SECRET_ENDS: &[&str] = &["secret", "secretkey", "password", "privatekey", "token", "apikey", "passwd", "passphrase"];

/// How names of switches end that only sound like it: `registration_requires_token`.
pub const SWITCH_ENDS: &[&str] = &["requirestoken", "requiretoken"];

/// Options that load modules, each with a configuration of its own: lists of modules, or one module.
pub const LOADED: &[&str] = &["modules", "media_storage_providers", "password_providers", "spam_checker", "third_party_event_rules"];

/// Whether an option of that name holds a secret, however the words are joined. `modules/secrets.nix` says the same in Nix.
pub fn names_secret(name: &str) -> bool {
    let name = joined(name);
    static KNOWN: LazyLock<BTreeSet<String>> = LazyLock::new(|| SECRET_MEMBERS.iter().chain(SECRET_OPTIONS).map(|known| joined(known)).collect());
    let ends = |list: &[&str]| list.iter().any(|end| name.ends_with(end));
    KNOWN.contains(&name) || ends(SECRET_ENDS) && !ends(SWITCH_ENDS)
}

/// `access_token`, `access-token` and `accessToken` as one and the same.
fn joined(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether a text holds an address with a password: `http://user:password@proxy:3128`.
pub fn has_password(text: &str) -> bool {
    text.split("://").skip(1).any(|rest| {
        let authority = rest.split(|c: char| matches!(c, '/' | '?' | '#') || c.is_whitespace()).next().unwrap_or_default();
        let user = authority.rsplit_once('@').map(|(user, _)| user);
        user.and_then(|user| user.split_once(':')).is_some_and(|(_, password)| !password.is_empty())
    })
}

/// Whether somebody wrote a value that can be a secret; a number is one, too, if that is how somebody wrote a password.
pub fn is_written(value: &Value) -> bool {
    value.is_number() || value.as_str().is_some_and(|text| !text.is_empty())
}

/// What to do about one that no section has.
pub const SECRET_REMEDY: &str =
    "remove it: a description holds no secrets; `synapse-site secrets init` says which the site needs, and each is a file on the target";

/// Every other Synapse option.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Synapse {
    /// Options by Synapse's own top-level names, written to Synapse's configuration as they are. An option that a section
    /// also writes is an error. A value `{ _secret: NAME }` stands for the content of the secret NAME, which the
    /// administrator puts into `secrets/NAME` on the target: `recaptcha_private_key: { _secret: recaptcha_private_key }`.
    #[schemars(extend(
        "x-secret-members" = SECRET_MEMBERS,
        "x-secret-options" = SECRET_OPTIONS,
        "x-secret-ends" = SECRET_ENDS,
        "x-switch-ends" = SWITCH_ENDS,
        "x-modules" = LOADED
    ))]
    pub settings: BTreeMap<String, Value>,
    /// Options under `settings`, with dots, whose names and types are not compared with what the pinned Synapse reads:
    /// `experimental_features.msc9999_enabled`, for images that hold another version.
    pub unchecked: Vec<Line>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names_however_the_words_are_joined() {
        for name in ["accessToken", "clientSecret", "shared-secret", "APIKey", "db_PASSWORD", "privateKey", "matrix_token", "smtpPass", "passphrase"] {
            assert!(names_secret(name), "{name}");
        }
        let harmless = [
            "tokenLifetime",
            "token_uri",
            "secret_path",
            "introspection_token_endpoint",
            "maxTokens",
            "passwordFile",
            "registration_requires_token",
            "key",
            "",
        ];
        for name in harmless {
            assert!(!names_secret(name), "{name}");
        }
    }

    #[test]
    fn an_address_holds_a_password_behind_its_user_only() {
        for address in ["http://u:S3kr3t@p:3128", "see postgresql://u:a@b@db/x", "//a http://:p@h"] {
            assert!(has_password(address), "{address}");
        }
        for address in ["http://p:3128/", "http://u@p:3128", "http://u:@p", "https://a/x:y@z", "http://a:1 b:c@d", "@a:example.com", "u:p@h", ""] {
            assert!(!has_password(address), "{address}");
        }
    }
}
