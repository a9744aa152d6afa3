//! `well_known`: the documents under `/.well-known/matrix/` of the server name. Matrix specification, client-server API
//! "Server Discovery" and "Server Support", server-server API "Resolving server names".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

use super::text::{HostName, Line};

/// The documents under `/.well-known/matrix/`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WellKnown {
    /// Whether the gateway answers for the server name itself. When another web server does, put the files of `well-known/`
    /// there.
    pub serve: bool,
    /// Whether there is a `client` document.
    pub client: bool,
    /// Whether there is a `server` document.
    pub server: bool,
    /// The host name at which other servers reach this one; absent means that of `public_baseurl`.
    pub server_host: Option<HostName>,
    /// The port at which other servers reach this one; absent means that of `public_baseurl`. It is always written, because
    /// without it servers look for an SRV record and then try 8448.
    #[schemars(range(min = 1, max = 65535))]
    pub server_port: Option<u16>,
    /// Whom to turn to about this server.
    pub support: Support,
    /// Further members of the `client` document.
    pub extra_client_content: BTreeMap<String, Value>,
}

/// Whom to turn to about this server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Support {
    /// People and mailboxes.
    pub contacts: Vec<Contact>,
    /// A page with help.
    #[schemars(regex(pattern = r"^https?://"), extend("x-form" = "an http:// or https:// address"), example = "https://example.com/help")]
    pub support_page: Option<Line>,
}

/// A person or a mailbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// What they are there for.
    pub role: Role,
    /// Their Matrix ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^@[^:]+:.+$"), extend("x-form" = "a whole Matrix ID with its server"), example = "@admin:example.com")]
    pub matrix_id: Option<Line>,
    /// Their e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[^@\s]+@[^@\s]+$"), extend("x-form" = "an e-mail address alone"), example = "admin@example.com")]
    pub email_address: Option<Line>,
}

/// What a contact is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Role {
    /// Anything about the server.
    #[serde(rename = "m.role.admin")]
    Admin,
    /// Security.
    #[serde(rename = "m.role.security")]
    Security,
}

impl Default for WellKnown {
    fn default() -> Self {
        Self {
            serve: true,
            client: true,
            server: true,
            server_host: None,
            server_port: None,
            support: Support::default(),
            extra_client_content: BTreeMap::new(),
        }
    }
}
