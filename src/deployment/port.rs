//! A port of the target that a service takes: for the manifest, for the rule that no two services want the same, and for the list
//! of what a firewall lets in.

use serde::Serialize;

/// A transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A port, or a range of them, that a service is published on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Port {
    /// The service of the manifest.
    pub service: &'static str,
    /// The option that sets it; for a range the one with its first port.
    pub option: &'static str,
    /// The address of the target that it is published on; none means all.
    pub address: Option<String>,
    /// The first port.
    pub first: u16,
    /// The last port.
    pub last: u16,
    /// The transport.
    pub transport: Transport,
    /// What it is for.
    pub purpose: &'static str,
    /// The port inside of the container; none means that it is the same.
    #[serde(skip)]
    pub inside: Option<u16>,
}

impl Port {
    /// Whether two services would want the same.
    pub fn meets(&self, other: &Self) -> bool {
        let wild = |address: &Option<String>| address.as_deref().is_none_or(|address| matches!(address, "0.0.0.0" | "::"));
        let shared = wild(&self.address) || wild(&other.address) || self.address == other.address;
        shared && self.transport == other.transport && self.first <= other.last && other.first <= self.last
    }

    /// `3478`, or `49152-49251`.
    pub fn numbers(&self) -> String {
        if self.first == self.last { self.first.to_string() } else { format!("{}-{}", self.first, self.last) }
    }
}
