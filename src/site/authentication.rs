//! `authentication`: how people prove who they are. Synapse documentation, "password_config".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How people prove who they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Authentication {
    /// Where passwords are kept. With `ldap` nobody can log in with a password of Synapse's own database.
    pub method: Method,
    /// What a local password has to look like.
    pub policy: PasswordPolicy,
    /// Whether local passwords are hashed together with the secret `password_pepper`. It can never be changed: every local
    /// password would be invalid.
    pub pepper: bool,
}

/// Where passwords are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// In Synapse's own database.
    Local,
    /// In the directory that the section `ldap` describes.
    Ldap,
}

/// What a local password has to look like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PasswordPolicy {
    /// Whether the rules below are applied.
    pub enabled: bool,
    /// Smallest number of characters.
    #[schemars(range(min = 0, max = 512))]
    pub minimum_length: u16,
    /// At least one digit.
    pub require_digit: bool,
    /// At least one character that is neither a letter nor a digit.
    pub require_symbol: bool,
    /// At least one lower-case letter.
    pub require_lowercase: bool,
    /// At least one upper-case letter.
    pub require_uppercase: bool,
}

impl Default for Authentication {
    fn default() -> Self {
        Self { method: Method::Local, policy: PasswordPolicy::default(), pepper: true }
    }
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self { enabled: true, minimum_length: 12, require_digit: false, require_symbol: false, require_lowercase: false, require_uppercase: false }
    }
}
