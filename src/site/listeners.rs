//! `listeners`: what the HTTP listeners offer. Ports, addresses and `x_forwarded` are not a choice here: every process
//! listens inside its own container, behind the gateway.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the server's HTTP listeners offer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Listeners {
    /// Whether other servers can reach this one. Without it the server is an island: no federation resource, and the
    /// gateway answers 404 under `/_matrix/federation` and `/_matrix/key`.
    pub federation: bool,
    /// Whether Synapse compresses its answers. The gateway can do it more cheaply, and does.
    pub compress: bool,
    /// Whether Synapse serves Prometheus metrics on port 9000, reachable only inside the site's own network.
    pub metrics: bool,
}

impl Default for Listeners {
    fn default() -> Self {
        Self { federation: true, compress: false, metrics: false }
    }
}
