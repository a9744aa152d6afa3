//! `server`: who the server is. Synapse documentation, "Server" and "Signing Keys".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{BaseUrl, Line, ServerName};

/// The server's name and its place in the federation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// The part of every Matrix ID after the colon. It can never be changed once the server has run: `launch` refuses to
    /// start a server under another name on existing data.
    pub server_name: ServerName,
    /// The address at which clients find the server, usually a host of its own below the server name.
    pub public_baseurl: BaseUrl,
    /// Whether the server sends its size and memory use to matrix.org once a day.
    #[serde(default)]
    pub report_stats: bool,
    /// Servers that vouch for the keys of others. An empty list asks every server directly, which a closed or air-gapped
    /// federation wants.
    #[serde(default = "default_trusted_key_servers")]
    #[schemars(length(max = 100))]
    pub trusted_key_servers: Vec<TrustedKeyServer>,
}

/// A server that vouches for the keys of others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrustedKeyServer {
    /// Its server name.
    pub server_name: ServerName,
    /// Its own keys, by key identifier (`ed25519:auto`); without them they are fetched over TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_keys: Option<std::collections::BTreeMap<String, Line>>,
}

fn default_trusted_key_servers() -> Vec<TrustedKeyServer> {
    let server_name = ServerName::try_from("matrix.org".to_owned());
    server_name.into_iter().map(|server_name| TrustedKeyServer { server_name, verify_keys: None }).collect()
}
