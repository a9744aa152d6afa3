//! `workers`: Synapse processes beside the main one. Synapse documentation, "Scaling synapse via workers".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Synapse's worker processes. Each takes about 130 MB of memory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Workers {
    /// Processes that answer clients and other servers; the gateway spreads requests over them.
    #[schemars(range(min = 0, max = 64))]
    pub generic: u16,
    /// Processes that send to other servers.
    #[schemars(range(min = 0, max = 64))]
    pub federation_senders: u16,
}
