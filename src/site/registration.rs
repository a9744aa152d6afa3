//! `registration`: who may make an account, and what people may change. Synapse documentation, "Registration".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{BaseUrl, Line};

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
    /// Whether a token makes those identifiers needless.
    pub enable_registration_token_3pid_bypass: bool,
    /// The only addresses that people of this server may have; any when empty.
    pub allowed_local_3pids: Vec<AllowedAddress>,
    /// Whether nobody is asked for a telephone number when they register, even if one could be given.
    pub disable_msisdn_registration: bool,
    /// Services that verify addresses in place of this server.
    pub account_threepid_delegates: Delegates,
    /// The identity server that clients are told, in the well-known document and after a login.
    pub default_identity_server: Option<BaseUrl>,
    /// Whether people can be found by their addresses at an identity server.
    pub enable_3pid_lookup: bool,
    /// Whether it is kept from those who ask that a name is taken, until they have proved the rest.
    pub inhibit_user_in_use_error: bool,
    /// Whether it is kept from those who ask that an address belongs to an account.
    pub request_token_inhibit_3pid_errors: bool,
    /// Whether guests without an account may read rooms that allow it.
    pub allow_guest_access: bool,
    /// Whether people may change their display name. Turn it off where a directory decides it.
    pub enable_set_displayname: bool,
    /// Whether people may change their avatar.
    pub enable_set_avatar_url: bool,
    /// Whether people may change their e-mail addresses and telephone numbers. Turn it off where a directory decides them.
    pub enable_3pid_changes: bool,
}

/// Addresses that people may have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowedAddress {
    /// The kind of address.
    pub medium: ThirdParty,
    /// A regular expression of Python's that is matched from the beginning; without a `$` something may follow.
    #[schemars(example = &r"^[^@]+@example\.com$")]
    pub pattern: Line,
}

/// Services that verify addresses in place of this server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Delegates {
    /// For telephone numbers, which Synapse cannot verify itself.
    pub msisdn: Option<BaseUrl>,
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
            enable_registration_token_3pid_bypass: false,
            allowed_local_3pids: Vec::new(),
            disable_msisdn_registration: false,
            account_threepid_delegates: Delegates::default(),
            default_identity_server: None,
            enable_3pid_lookup: true,
            inhibit_user_in_use_error: false,
            request_token_inhibit_3pid_errors: false,
            allow_guest_access: false,
            enable_set_displayname: true,
            enable_set_avatar_url: true,
            enable_3pid_changes: true,
        }
    }
}
