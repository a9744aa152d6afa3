//! `rate_limits`: how much of something one may do. Synapse documentation, "Ratelimiting".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::Size;

/// How much of something one may do. What is absent has Synapse's own limit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimits {
    /// Messages that somebody sends.
    pub rc_message: Option<Rate>,
    /// Accounts made from one address.
    pub rc_registration: Option<Rate>,
    /// Registration tokens tried from one address.
    pub rc_registration_token_validity: Option<Rate>,
    /// Logins.
    pub rc_login: Login,
    /// Rooms joined.
    pub rc_joins: Joins,
    /// People who join one room.
    pub rc_joins_per_room: Option<Rate>,
    /// Invitations.
    pub rc_invites: Invites,
    /// Invitations by e-mail address or telephone number.
    pub rc_third_party_invite: Option<Rate>,
    /// Addresses of people that are verified.
    pub rc_3pid_validation: Option<Rate>,
    /// Rooms that somebody makes.
    pub rc_room_creation: Option<Rate>,
    /// Messages that administrators remove; as for everybody when absent.
    pub rc_admin_redaction: Option<Rate>,
    /// Media that somebody begins to upload.
    pub rc_media_create: Option<Rate>,
    /// Reports of content, rooms and people.
    pub rc_reports: Option<Rate>,
    /// Searches for people.
    pub rc_user_directory: Option<Rate>,
    /// Changes of one's name and picture.
    pub rc_profile: Option<Rate>,
    /// Delayed events that are changed; calls use them.
    pub rc_delayed_event_mgmt: Option<Rate>,
    /// Changes of presence.
    pub rc_presence: Presence,
    /// Requests of another server.
    pub rc_federation: Option<FromServers>,
    /// Read receipts a room and second that are sent to other servers.
    #[schemars(range(min = 1, max = 100_000))]
    pub federation_rr_transactions_per_room_per_second: Option<u32>,
    /// Media of other servers that one address may fetch a second. Synapse's own limit is 87K.
    pub remote_media_download_per_second: Option<Size>,
    /// Media of other servers that one address may fetch at once. Synapse's own limit is 500M.
    pub remote_media_download_burst_count: Option<Size>,
}

/// A limit: a bucket that holds `burst_count` and is filled again with `per_second`. The half that is absent is Synapse's own
/// (config/ratelimiting.py, `RatelimitSettings.parse`), or what [calls](calls.md) need.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rate {
    /// How many a second in the long run: 0.1 is one in ten seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.000_001, max = 1_000_000_000.0), example = 0.2)]
    pub per_second: Option<f64>,
    /// How many at once. A number that nobody reaches switches the limit off.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4_294_967_295_u32), example = 10)]
    pub burst_count: Option<u32>,
}

/// Logins.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Login {
    /// From one address.
    pub address: Option<Rate>,
    /// To one account.
    pub account: Option<Rate>,
    /// To one account with a wrong password.
    pub failed_attempts: Option<Rate>,
}

/// Rooms joined.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Joins {
    /// Rooms that the server is in.
    pub local: Option<Rate>,
    /// Rooms that it has to fetch.
    pub remote: Option<Rate>,
}

/// Invitations.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Invites {
    /// Into one room.
    pub per_room: Option<Rate>,
    /// To one person.
    pub per_user: Option<Rate>,
    /// By one person.
    pub per_issuer: Option<Rate>,
}

/// Changes of presence.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Presence {
    /// Of one person.
    pub per_user: Option<Rate>,
}

/// Requests of another server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FromServers {
    /// Milliseconds that are looked back on.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub window_size: u32,
    /// How many requests in that time before they are slowed down.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub sleep_limit: u32,
    /// Milliseconds that a request then waits.
    #[schemars(range(min = 0, max = 60_000))]
    pub sleep_delay: u32,
    /// How many may wait before they are refused.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub reject_limit: u32,
    /// How many are answered at once.
    #[schemars(range(min = 1, max = 10_000))]
    pub concurrent: u32,
}

impl Default for FromServers {
    fn default() -> Self {
        Self { window_size: 1000, sleep_limit: 10, sleep_delay: 500, reject_limit: 50, concurrent: 3 }
    }
}
