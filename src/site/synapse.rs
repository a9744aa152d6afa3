//! `synapse`: the door to every option that has no section of its own.

use std::collections::BTreeMap;

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
    &["form_secret", "macaroon_secret_key", "registration_shared_secret", "signing_key", "turn_shared_secret", "worker_replication_secret"];

/// How names of secrets end that are made of several words.
const ENDS: &[&str] = &["_secret", "_secret_key", "_password", "_private_key", "_token", "_api_key", "_passwd", "_passphrase"];

/// Whether an option of that name holds a secret, however the words are joined.
pub fn names_secret(name: &str) -> bool {
    let name = name.replace('-', "_");
    let known = |list: &[&str]| list.contains(&name.as_str());
    // `registration_requires_token` is a switch.
    let ends = || ENDS.iter().any(|end| name.ends_with(end)) && !name.ends_with("_requires_token") && !name.ends_with("_require_token");
    known(SECRET_MEMBERS) || known(SECRET_OPTIONS) || ends()
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
    #[schemars(extend("x-secret-members" = SECRET_MEMBERS, "x-secret-options" = SECRET_OPTIONS))]
    pub settings: BTreeMap<String, Value>,
    /// Options under `settings`, with dots, whose names and types are not compared with what the pinned Synapse reads:
    /// `experimental_features.msc9999_enabled`, for images that hold another version.
    pub unchecked: Vec<Line>,
}
