//! `gateway`: nginx in front of Synapse and of the well-known documents, the only way in but for TURN.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Address, Cidr};

/// The reverse proxy in front of everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Gateway {
    /// Where TLS ends.
    pub tls: Tls,
    /// The address of the target that ports are published on. Absent: `127.0.0.1` when another proxy ends TLS, all addresses otherwise.
    pub bind_address: Option<Address>,
    /// The port that is published for HTTP. With TLS of its own the gateway only redirects from there.
    #[schemars(range(min = 1, max = 65535))]
    pub http_port: u16,
    /// The port that is published for HTTPS.
    #[schemars(range(min = 1, max = 65535))]
    pub https_port: u16,
    /// A further port for HTTPS, 8448 where other servers are not told a port.
    #[schemars(range(min = 1, max = 65535))]
    pub federation_port: Option<u16>,
    /// Networks of the proxies in front of the gateway, whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Cidr>,
}

/// Where TLS ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// At another proxy in front, which talks plain HTTP to the gateway.
    Off,
    /// At the gateway, with the certificate chain and key that are the secrets `tls_certificate` and `tls_certificate_key`.
    Files,
}

impl Gateway {
    /// Whether only programs on the target itself reach the gateway.
    pub fn is_local(&self) -> bool {
        let loopback = |address: &Address| address.as_str().parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
        self.bind_address.as_ref().map_or(self.tls == Tls::Off, loopback)
    }
}

impl Default for Gateway {
    fn default() -> Self {
        Self { tls: Tls::Off, bind_address: None, http_port: 8080, https_port: 443, federation_port: None, trusted_proxies: Vec::new() }
    }
}
