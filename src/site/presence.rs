//! `presence`: who is shown as online. Synapse documentation, "presence".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Duration, RoomId};

/// Who is shown as online. It is the first thing to turn off on a busy server: every change goes to everybody who shares a room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Presence {
    /// Whether there is presence.
    pub enabled: bool,
    /// Whether only modules set it, and not what people do (Synapse's `enabled: untracked`).
    pub untracked: bool,
    /// Whether clients are also told who is offline when they begin to synchronise.
    pub include_offline_users_on_sync: bool,
    /// How long somebody who did something counts as active.
    pub last_active_granularity: Duration,
    /// How long somebody whose client no longer synchronises counts as online.
    pub sync_online_timeout: Duration,
    /// How long somebody who does nothing does not count as idle yet; longer than `last_active_granularity`.
    pub idle_timeout: Duration,
    /// Rooms whose members learn nothing about each other from sharing them, by room id.
    pub exclude_rooms_from_presence: Vec<RoomId>,
}

impl Default for Presence {
    fn default() -> Self {
        let time = |text| Duration::new(text).expect("a constant duration");
        Self {
            enabled: true,
            untracked: false,
            include_offline_users_on_sync: false,
            last_active_granularity: time("1m"),
            sync_online_timeout: time("30s"),
            idle_timeout: time("5m"),
            exclude_rooms_from_presence: Vec::new(),
        }
    }
}
