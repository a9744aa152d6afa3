//! `limits`: what the server refuses and forgets as a whole. Synapse documentation, "Homeserver blocking".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::registration::ThirdParty;
use super::text::{ContactUri, Duration, Line, MediaType, Size};

/// What the server refuses and forgets as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Where people turn to when the server refuses them; clients show it as a link, so it has a scheme.
    pub admin_contact: Option<ContactUri>,
    /// Whether the people who were active within a month are counted, for statistics and metrics, without any limit.
    pub mau_stats_only: bool,
    /// Whether nobody new is let in beyond `max_mau_value` people who were active within a month.
    pub limit_usage_by_mau: bool,
    /// How many active people there may be.
    pub max_mau_value: u32,
    /// Days that an account has to be used before it counts.
    #[schemars(range(min = 0, max = 365))]
    pub mau_trial_days: u16,
    /// People who are let in whatever the count is, by the addresses of their accounts.
    pub mau_limit_reserved_threepids: Vec<Reserved>,
    /// Whether a notice in their rooms tells people that the limit is reached; it needs server notices.
    pub mau_limit_alerting: bool,
    /// Whether the server refuses everybody.
    pub hs_disabled: bool,
    /// What people are told then.
    pub hs_disabled_message: Option<Line>,
    /// The largest picture that somebody may have as an avatar; any size when absent.
    pub max_avatar_size: Option<Size>,
    /// The media types that an avatar may have; any when absent. Current clients upload `image/webp`, too.
    pub allowed_avatar_mimetypes: Option<Vec<MediaType>>,
    /// How long rooms that everybody here has forgotten are kept in the database; for ever when absent.
    pub forgotten_room_retention_period: Option<Duration>,
    /// Whether leaving a room is forgetting it.
    pub forget_rooms_on_leave: bool,
    /// Which rooms of other servers are too much work to be joined.
    pub limit_remote_rooms: RemoteRooms,
}

/// Somebody who is let in whatever the count is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reserved {
    /// The kind of address.
    pub medium: ThirdParty,
    /// The address.
    #[schemars(example = &"director@example.com")]
    pub address: Line,
}

/// Which rooms of other servers are too much work to be joined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RemoteRooms {
    /// Whether there is a limit.
    pub enabled: bool,
    /// How much is too much: a room's events of state, divided by 500.
    #[schemars(range(min = 0, max = 10000))]
    pub complexity: f64,
    /// What people are told then; Synapse's own words when absent.
    pub complexity_error: Option<Line>,
    /// Whether administrators of the server may join such rooms.
    pub admins_can_join: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            admin_contact: None,
            mau_stats_only: false,
            limit_usage_by_mau: false,
            max_mau_value: 0,
            mau_trial_days: 0,
            mau_limit_reserved_threepids: Vec::new(),
            mau_limit_alerting: true,
            hs_disabled: false,
            hs_disabled_message: None,
            max_avatar_size: None,
            allowed_avatar_mimetypes: None,
            forgotten_room_retention_period: None,
            forget_rooms_on_leave: false,
            limit_remote_rooms: RemoteRooms::default(),
        }
    }
}

impl Default for RemoteRooms {
    fn default() -> Self {
        Self { enabled: false, complexity: 1.0, complexity_error: None, admins_can_join: false }
    }
}
