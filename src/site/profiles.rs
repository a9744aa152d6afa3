//! `profiles`: who sees whose name and picture. Synapse documentation, "Server" and "Federation".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who sees whose name and picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Profiles {
    /// Whether only those who are logged in can look up names and pictures. Without it anybody can try which accounts exist.
    pub require_auth_for_profile_requests: bool,
    /// Whether only people who share a room can look up each other; needs `require_auth_for_profile_requests`.
    pub limit_profile_requests_to_users_who_share_rooms: bool,
    /// Whether an invitation shows the name and picture of who is invited.
    pub include_profile_data_on_invite: bool,
    /// Whether people can have another name and picture in a room.
    pub allow_per_room_profiles: bool,
    /// Whether other servers can look up names and pictures.
    pub allow_profile_lookup_over_federation: bool,
}

impl Default for Profiles {
    fn default() -> Self {
        Self {
            require_auth_for_profile_requests: false,
            limit_profile_requests_to_users_who_share_rooms: false,
            include_profile_data_on_invite: true,
            allow_per_room_profiles: true,
            allow_profile_lookup_over_federation: true,
        }
    }
}
