//! `registration`: who may make an account, and what people may change. Synapse documentation, "Registration".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may make an account, and what people may change about theirs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Registration {
    /// Whether people can make accounts themselves.
    pub enable_registration: bool,
    /// Whether they can do so without proving anything. Such servers are found and abused within hours.
    pub enable_registration_without_verification: bool,
    /// Whether a token, handed out through the admin API, is needed.
    pub registration_requires_token: bool,
    /// Which third-party identifiers are needed.
    pub registrations_require_3pid: Vec<ThirdParty>,
    /// Whether guests without an account may read rooms that allow it.
    pub allow_guest_access: bool,
    /// Whether people may change their display name. Turn it off where a directory decides it.
    pub enable_set_displayname: bool,
    /// Whether people may change their avatar.
    pub enable_set_avatar_url: bool,
    /// Whether people may change their e-mail addresses and telephone numbers. Turn it off where a directory decides them.
    pub enable_3pid_changes: bool,
}

/// A kind of identifier outside Matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ThirdParty {
    /// An e-mail address.
    Email,
    /// A telephone number.
    Msisdn,
}

impl Default for Registration {
    fn default() -> Self {
        Self {
            enable_registration: false,
            enable_registration_without_verification: false,
            registration_requires_token: false,
            registrations_require_3pid: Vec::new(),
            allow_guest_access: false,
            enable_set_displayname: true,
            enable_set_avatar_url: true,
            enable_3pid_changes: true,
        }
    }
}
