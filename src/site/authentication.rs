//! `authentication`: how people prove who they are. Synapse documentation, "password_config".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::Duration;

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
    /// How much work a local password's hash is, as a power of two.
    #[schemars(range(min = 10, max = 20))]
    pub bcrypt_rounds: u8,
    /// How long somebody who proved who they are for one dangerous action need not prove it again for the next; 0 means each time.
    pub ui_auth: UiAuth,
    /// How long a login is valid, whatever happens; for ever when absent.
    pub session_lifetime: Option<Duration>,
    /// How long an access token is valid that a client can renew.
    pub refreshable_access_token_lifetime: Duration,
    /// How long a client may let pass before it renews its token; for ever when absent.
    pub refresh_token_lifetime: Option<Duration>,
    /// How long an access token is valid that a client cannot renew; for ever when absent.
    pub nonrefreshable_access_token_lifetime: Option<Duration>,
    /// Logging in another device with one that is logged in.
    pub login_via_existing_session: ExistingSession,
    /// Devices that were not used for so long are logged out, and the keys that only they had are lost; never when absent.
    pub delete_stale_devices_after: Option<Duration>,
}

/// Proving again who one is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UiAuth {
    /// How long it holds.
    pub session_timeout: Duration,
}

/// Logging in another device with one that is logged in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExistingSession {
    /// Whether it can be done.
    pub enabled: bool,
    /// Whether who does it has to prove again who they are.
    pub require_ui_auth: bool,
    /// How long the token for the other device is valid.
    pub token_timeout: Duration,
}

/// Where passwords are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// In Synapse's own database.
    Local,
    /// In the directory that the section `ldap` describes.
    Ldap,
    /// Nowhere: people come through the OpenID Connect providers of the section `oidc`, or through another way that is no password.
    None,
}

impl Authentication {
    /// Whether people log in with passwords in Synapse's own database.
    pub fn is_local(&self) -> bool {
        self.method == Method::Local
    }

    /// Whether local passwords are hashed with a pepper.
    pub fn has_pepper(&self) -> bool {
        self.is_local() && self.pepper
    }
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
        Self {
            method: Method::Local,
            policy: PasswordPolicy::default(),
            pepper: true,
            bcrypt_rounds: 12,
            ui_auth: UiAuth::default(),
            session_lifetime: None,
            refreshable_access_token_lifetime: time("5m"),
            refresh_token_lifetime: None,
            nonrefreshable_access_token_lifetime: None,
            login_via_existing_session: ExistingSession::default(),
            delete_stale_devices_after: None,
        }
    }
}

impl Default for UiAuth {
    fn default() -> Self {
        Self { session_timeout: time("0") }
    }
}

impl Default for ExistingSession {
    fn default() -> Self {
        Self { enabled: false, require_ui_auth: true, token_timeout: time("5m") }
    }
}

fn time(text: &str) -> Duration {
    Duration::new(text).expect("a constant duration")
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self { enabled: true, minimum_length: 12, require_digit: false, require_symbol: false, require_lowercase: false, require_uppercase: false }
    }
}
