//! The description of a site: one struct a section, the only declaration of what a site may say. Doc comments become option
//! descriptions, serde defaults become option defaults, and the types of [`text`] become formats of the JSON Schema, which the
//! loader checks a description against before it is deserialised. Fields that are Synapse options have Synapse's names.

pub mod authentication;
pub mod database;
pub mod gateway;
pub mod images;
pub mod ldap;
pub mod listeners;
pub mod load;
pub mod logging;
pub mod media;
pub mod nix;
mod position;
pub mod redis;
pub mod registration;
pub mod schema;
pub mod server;
pub mod synapse;
pub mod text;
pub mod turn;
pub mod well_known;
pub mod workers;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use text::Localpart;

/// The description of a Matrix site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// The server's name and its place in the federation.
    pub server: server::Server,
    /// What the server's HTTP listeners offer.
    #[serde(default)]
    pub listeners: listeners::Listeners,
    /// PostgreSQL, bundled or external.
    #[serde(default)]
    pub database: database::Database,
    /// Redis, bundled or external.
    #[serde(default)]
    pub redis: redis::Redis,
    /// How people prove who they are.
    #[serde(default)]
    pub authentication: authentication::Authentication,
    /// The directory; needed when `authentication.method` is `ldap`.
    #[serde(default)]
    pub ldap: Option<ldap::Ldap>,
    /// Localparts of the people who administer the server. `docker compose run --rm admin` makes their accounts, or makes
    /// existing accounts administrators; on a site with a directory they are users of the directory.
    #[serde(default)]
    pub administrators: Vec<Localpart>,
    /// Who may make an account, and what people may change about theirs.
    #[serde(default)]
    pub registration: registration::Registration,
    /// The media store.
    #[serde(default)]
    pub media: media::Media,
    /// The TURN server for one-to-one calls.
    #[serde(default)]
    pub turn: turn::Turn,
    /// The documents under `/.well-known/matrix/`.
    #[serde(default)]
    pub well_known: well_known::WellKnown,
    /// The reverse proxy in front of everything.
    #[serde(default)]
    pub gateway: gateway::Gateway,
    /// What is logged, and how.
    #[serde(default)]
    pub logging: logging::Logging,
    /// Synapse's worker processes.
    #[serde(default)]
    pub workers: workers::Workers,
    /// The container images.
    #[serde(default)]
    pub images: images::Images,
    /// Every other Synapse option.
    #[serde(default)]
    pub synapse: synapse::Synapse,
}
