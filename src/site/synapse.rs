//! `synapse`: the door to every option that has no section of its own.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Every other Synapse option.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Synapse {
    /// Options by Synapse's own top-level names, written to Synapse's configuration as they are. An option that a section
    /// also writes is an error. A value `{ _secret: NAME }` stands for the content of the secret NAME, which the
    /// administrator puts into `secrets/NAME` on the target: `email.smtp_pass: { _secret: smtp_password }`.
    pub settings: BTreeMap<String, Value>,
}
