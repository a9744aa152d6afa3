//! `server_notices`: messages from the server itself. Synapse 1.163, config/server_notices.py; documentation, "Server Notices".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Line, Localpart, MxcUri};

/// The account that notices come from, and the room that each person gets them in. Notices are sent through the admin API, and
/// by Synapse itself when it asks for consent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{"system_mxid_localpart": "notices"}]))]
pub struct ServerNotices {
    /// The localpart of the account that notices come from. Nobody else's: Synapse makes the account, and nobody logs in with it.
    pub system_mxid_localpart: Localpart,
    /// The account's display name.
    #[serde(default = "server_notices")]
    pub system_mxid_display_name: Line,
    /// The account's avatar: the address of a picture that was uploaded in a room without encryption.
    #[serde(default)]
    pub system_mxid_avatar_url: Option<MxcUri>,
    /// The name of each person's room.
    #[serde(default = "server_notices")]
    pub room_name: Line,
    /// The avatar of each person's room; as above.
    #[serde(default)]
    pub room_avatar_url: Option<MxcUri>,
    /// What each person's room is about.
    #[serde(default)]
    pub room_topic: Option<Line>,
    /// Whether people are in the room at once, instead of invited to it.
    #[serde(default)]
    pub auto_join: bool,
}

fn server_notices() -> Line {
    Line::try_from("Server Notices".to_owned()).expect("a constant line")
}
