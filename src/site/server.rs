//! `server`: who the server is. Synapse documentation, "Server" and "Signing Keys".

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{BaseUrl, Duration, FilePath, HttpUrl, Line, ServerName};

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
    /// Certificate authorities that Synapse trusts besides those that the world knows, PEM files: the organisation's own, which
    /// signs its identity provider, mail server, directory, database or the servers of a closed federation.
    #[serde(default)]
    pub ca_certificates: Vec<FilePath>,
    /// Keys that this server signed with before, by key identifier (`ed25519:a_old`). Keep them for ever: they prove old events.
    #[serde(default)]
    pub old_signing_keys: BTreeMap<String, OldSigningKey>,
    /// How long other servers may believe the answer when they ask for this one's key.
    #[serde(default = "default_key_refresh_interval")]
    pub key_refresh_interval: Duration,
    /// The web client that people are sent to who open the server's address in a browser.
    #[serde(default)]
    pub web_client_location: Option<HttpUrl>,
    /// What the server adds to its name when it asks others.
    #[serde(default)]
    pub user_agent_suffix: Option<Line>,
    /// How long it is remembered which addresses people came from.
    #[serde(default = "default_user_ips_max_age")]
    pub user_ips_max_age: Duration,
}

/// A key that this server signed with before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OldSigningKey {
    /// Its public half, base64.
    #[schemars(example = &"Noi6WqcDj0QmPxCNQqgezwTlBKrfqehY1u2FyWP9uYw")]
    pub key: Line,
    /// When it was last used, in milliseconds since 1970.
    #[schemars(range(min = 1, max = 9_999_999_999_999_u64), example = 1_700_000_000_000_u64)]
    pub expired_ts: u64,
}

/// A server that vouches for the keys of others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrustedKeyServer {
    /// Its server name.
    pub server_name: ServerName,
    /// Its own keys, by key identifier (`ed25519:auto`); without them they are fetched over TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_keys: Option<BTreeMap<String, Line>>,
}

fn default_key_refresh_interval() -> Duration {
    Duration::new("1d").expect("a constant duration")
}

fn default_user_ips_max_age() -> Duration {
    Duration::new("28d").expect("a constant duration")
}

fn default_trusted_key_servers() -> Vec<TrustedKeyServer> {
    let server_name = ServerName::try_from("matrix.org".to_owned());
    server_name.into_iter().map(|server_name| TrustedKeyServer { server_name, verify_keys: None }).collect()
}
