//! `redis`: the message bus between Synapse's processes. Synapse documentation, "redis".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::database::Source;
use super::text::ServiceHost;

/// Redis, bundled or external.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Redis {
    /// Who runs Redis.
    pub source: Source,
    /// External only: host name or address.
    pub host: Option<ServiceHost>,
    /// External only: port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// External only: whether it asks for a password, which is then the secret `redis_password`. The bundled one always does.
    pub password: bool,
    /// External only: the number of the logical database.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub dbid: u32,
}

impl Default for Redis {
    fn default() -> Self {
        Self { source: Source::Bundled, host: None, port: 6379, password: true, dbid: 0 }
    }
}
