//! `turn`: the relay for one-to-one calls. Synapse documentation, "TURN"; coturn's turnserver.conf for the bundled one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Cidr, Duration, HostName, Line, RelayAddress, TurnUri};

/// The TURN server for one-to-one calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Turn {
    /// Who runs the TURN server.
    pub source: TurnSource,
    /// Bundled only: the host name that clients are told. Its address record is the target's own.
    pub host: Option<HostName>,
    /// Bundled only: the address that the rest of the world sees this target under; relayed media go there.
    pub external_ip: Option<RelayAddress>,
    /// Bundled only: UDP and TCP port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// Bundled only: whether clients can reach the relay over TLS, too, which gets through more firewalls. The certificate with
    /// its chain and the key are the secrets `turn_tls_certificate` and `turn_tls_certificate_key`.
    pub tls: bool,
    /// Bundled only: TCP port for TLS.
    #[schemars(range(min = 1, max = 65535))]
    pub tls_port: u16,
    /// Bundled only: first UDP port of the relay. Every port is published one by one, so a short range starts faster.
    #[schemars(range(min = 1024, max = 65535))]
    pub min_port: u16,
    /// Bundled only: last UDP port of the relay. One call needs up to four.
    #[schemars(range(min = 1024, max = 65535))]
    pub max_port: u16,
    /// Bundled only: networks that may be relayed to although they are private.
    pub allowed_peer_ip: Vec<Cidr>,
    /// Bundled only: networks that nothing is relayed to, beyond the private and reserved ones.
    pub denied_peer_ip: Vec<Cidr>,
    /// External only: the addresses that clients are told. The secret it shares with Synapse is `turn_shared_secret`.
    pub turn_uris: Vec<TurnUri>,
    /// External only: the one user that everybody is told, for a relay that shares no secret. Its password is the secret
    /// `turn_password`.
    pub turn_username: Option<Line>,
    /// How long credentials are valid.
    pub turn_user_lifetime: Duration,
    /// Whether guests get credentials.
    pub turn_allow_guests: bool,
}

/// Who runs the TURN server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TurnSource {
    /// There is none; calls work between people whose networks let them.
    None,
    /// coturn runs in a container of this site.
    Bundled,
    /// Somebody else runs one.
    External,
}

impl Turn {
    /// The one user of an external relay that shares no secret.
    pub fn fixed_user(&self) -> Option<&Line> {
        self.turn_username.as_ref().filter(|_| self.source == TurnSource::External)
    }

    /// The secret that credentials for an external or a bundled relay come from.
    pub fn secret(&self) -> &'static str {
        if self.fixed_user().is_some() { "turn_password" } else { "turn_shared_secret" }
    }
}

impl Default for Turn {
    fn default() -> Self {
        Self {
            source: TurnSource::None,
            host: None,
            external_ip: None,
            port: 3478,
            tls: false,
            tls_port: 5349,
            min_port: 49152,
            max_port: 49251,
            allowed_peer_ip: Vec::new(),
            denied_peer_ip: Vec::new(),
            turn_uris: Vec::new(),
            turn_username: None,
            turn_user_lifetime: Duration::new("1h").expect("a constant duration"),
            turn_allow_guests: true,
        }
    }
}
