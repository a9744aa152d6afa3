//! `rooms`: the room directory, new rooms, rooms that people are put into, and how long messages are kept. Synapse documentation,
//! "Server", "Rooms", "Registration", "User Directory" and "Message retention policies".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Duration, Line, Localpart, RoomAlias};

/// Rooms, their directory, and how long messages are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rooms {
    /// Whether anybody can read the room directory without logging in.
    pub allow_public_rooms_without_auth: bool,
    /// Whether other servers can read the room directory, and so everybody in the world.
    pub allow_public_rooms_over_federation: bool,
    /// Whether people can search the room directory; without it, it is empty for them.
    pub enable_room_list_search: bool,
    /// Who may list a room in the directory: the first rule that matches decides. Nobody may when none does, so that the directory
    /// of a site without rules stays empty.
    pub room_list_publication_rules: Vec<DirectoryRule>,
    /// Who may give a room an alias: the first rule that matches decides. Everybody when absent.
    pub alias_creation_rules: Option<Vec<DirectoryRule>>,
    /// Whether somebody has to be in a room to give it an alias.
    pub require_membership_for_aliases: bool,
    /// The version of new rooms; what Synapse recommends when absent.
    pub default_room_version: Option<RoomVersion>,
    /// Which new rooms are end-to-end encrypted unless who makes them says otherwise.
    pub encryption_enabled_by_default_for_room_type: Encryption,
    /// Rooms that every new account is put into.
    pub auto_join_rooms: Vec<RoomAlias>,
    /// Whether those of this server are made when the first account is, if they are not there.
    pub autocreate_auto_join_rooms: bool,
    /// Whether people of other servers can join them.
    pub autocreate_auto_join_rooms_federated: bool,
    /// What kind of rooms they are.
    pub autocreate_auto_join_room_preset: Preset,
    /// The account that makes them and invites to them; the first new account when absent. Rooms that need an invitation need it.
    pub auto_join_mxid_localpart: Option<Localpart>,
    /// Whether guests are put into them, too.
    pub auto_join_rooms_for_guests: bool,
    /// Whether only administrators of the server may invite its people.
    pub block_non_admin_invites: bool,
    /// Whether messages can be searched; the index makes the database larger.
    pub enable_search: bool,
    /// How many messages of a room a client gets at once, whatever it asks for.
    #[schemars(range(min = 1, max = 100_000))]
    pub filter_timeline_limit: u32,
    /// Looking for people.
    pub user_directory: UserDirectory,
    /// How long messages are kept.
    pub retention: Retention,
    /// How long the content of a message that was removed stays in the database.
    pub redaction_retention_period: Duration,
}

/// A rule of the room directory. What it leaves out matches everything; `*` matches any text, `?` any character.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectoryRule {
    /// Who: `@*:example.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Line>,
    /// Which alias: `#team-*:example.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Line>,
    /// Which room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_id: Option<Line>,
    /// What is done.
    pub action: Action,
}

/// What a rule of the room directory does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is allowed.
    Allow,
    /// It is refused.
    Deny,
}

/// A stable version of rooms (Matrix specification, "Room Versions").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum RoomVersion {
    #[serde(rename = "1")]
    V1,
    #[serde(rename = "2")]
    V2,
    #[serde(rename = "3")]
    V3,
    #[serde(rename = "4")]
    V4,
    #[serde(rename = "5")]
    V5,
    #[serde(rename = "6")]
    V6,
    #[serde(rename = "7")]
    V7,
    #[serde(rename = "8")]
    V8,
    #[serde(rename = "9")]
    V9,
    #[serde(rename = "10")]
    V10,
    #[serde(rename = "11")]
    V11,
    #[serde(rename = "12")]
    V12,
}

/// Which new rooms are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encryption {
    /// All.
    All,
    /// Those that need an invitation.
    Invite,
    /// None. In YAML write `"off"`.
    Off,
}

/// A kind of room (Matrix specification, client-server API, `createRoom`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Anybody can join.
    PublicChat,
    /// Who is invited can join.
    PrivateChat,
    /// Who is invited can join, and everybody has the power of who made it.
    TrustedPrivateChat,
}

/// Looking for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UserDirectory {
    /// Whether people can be looked for.
    pub enabled: bool,
    /// Whether everybody can be found, and not only those in a common or public room.
    pub search_all_users: bool,
    /// Whether people of other servers cannot be found.
    pub exclude_remote_users: bool,
    /// Whether people of this server come first.
    pub prefer_local_users: bool,
    /// Whether locked accounts can be found.
    pub show_locked_users: bool,
}

/// How long messages are kept. Synapse documentation, "Message retention policies": rooms can ask for less or more with an
/// `m.room.retention` event.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Whether anything of this is done.
    pub enabled: bool,
    /// What holds in a room that says nothing; for ever when absent.
    pub default_policy: Option<Policy>,
    /// The shortest time that a room can ask for.
    pub allowed_lifetime_min: Option<Duration>,
    /// The longest time that a room can ask for.
    pub allowed_lifetime_max: Option<Duration>,
    /// When messages are removed; once a day, all rooms, when empty.
    pub purge_jobs: Vec<PurgeJob>,
}

/// How long messages are kept in a room.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// At least so long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_lifetime: Option<Duration>,
    /// Removed after so long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_lifetime: Option<Duration>,
}

/// A round of removals. What it leaves out has no bound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PurgeJob {
    /// How often.
    pub interval: Duration,
    /// Rooms that keep messages longer than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortest_max_lifetime: Option<Duration>,
    /// Rooms that keep messages at most so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_max_lifetime: Option<Duration>,
}

impl Default for Rooms {
    fn default() -> Self {
        Self {
            allow_public_rooms_without_auth: false,
            allow_public_rooms_over_federation: false,
            enable_room_list_search: true,
            room_list_publication_rules: Vec::new(),
            alias_creation_rules: None,
            require_membership_for_aliases: true,
            default_room_version: None,
            encryption_enabled_by_default_for_room_type: Encryption::Off,
            auto_join_rooms: Vec::new(),
            autocreate_auto_join_rooms: true,
            autocreate_auto_join_rooms_federated: true,
            autocreate_auto_join_room_preset: Preset::PublicChat,
            auto_join_mxid_localpart: None,
            auto_join_rooms_for_guests: true,
            block_non_admin_invites: false,
            enable_search: true,
            filter_timeline_limit: 100,
            user_directory: UserDirectory::default(),
            retention: Retention::default(),
            redaction_retention_period: Duration::new("7d").expect("a constant duration"),
        }
    }
}

impl Default for UserDirectory {
    fn default() -> Self {
        Self { enabled: true, search_all_users: false, exclude_remote_users: false, prefer_local_users: false, show_locked_users: false }
    }
}
