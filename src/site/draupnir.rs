//! `draupnir`: a bot that moderates rooms, by image reference. Draupnir's documentation, "Setting up Draupnir with Docker" and
//! `config/default.yaml`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::text::{ImageReference, Line, Localpart};

/// Members of Draupnir's configuration that hold secrets and do not sound like it: the password of its web API, and the address of
/// Sentry, which holds a key (`config/default.yaml`).
pub const DRAUPNIR_SECRETS: &[&str] = &["authorization", "dsn"];

/// A bot that moderates rooms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Draupnir {
    /// Its image, with a tag or a digest.
    #[schemars(example = "docker.io/gnuxie/draupnir:v2.7.0")]
    pub image: ImageReference,
    /// The room from which moderators command it, its alias or its identifier. Everybody in it is a moderator.
    #[schemars(
        regex(pattern = r"^[#!][^:\s]+(:.+)?$"),
        extend("x-form" = "the alias of a room, with a # before it, or its identifier, with a !"),
        example = "#moderators:example.com"
    )]
    pub management_room: Line,
    /// The localpart of its account, which `docker compose run --rm admin` makes as an administrator without rate limits. Its access
    /// token is the secret `draupnir_access_token`.
    #[serde(default = "draupnir")]
    pub localpart: Localpart,
    /// Further options of its own `production.yaml`, by its own names. What it says here about `homeserverUrl`, `accessToken` and
    /// the other options that follow from this description is refused. `web.synapseHTTPAntispam.authorization` can be a
    /// `{ _secret: NAME }`, the content of `secrets/NAME` on the target.
    #[serde(default)]
    #[schemars(extend("x-secret-members" = DRAUPNIR_SECRETS))]
    pub settings: BTreeMap<String, Value>,
}

fn draupnir() -> Localpart {
    Localpart::try_from("draupnir".to_owned()).expect("a constant localpart")
}
