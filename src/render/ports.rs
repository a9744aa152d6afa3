//! Every port of the target that a site takes: for the manifest, for the rule that no two services want the same, and as the list
//! for a firewall.

use serde::Serialize;

use crate::site::Site;
use crate::site::gateway::{Gateway, Tls};
use crate::site::rtc::{Relay, RtcSource};
use crate::site::turn::TurnSource;

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
}

/// All ports that a site publishes, service by service.
pub fn all(site: &Site) -> Vec<Port> {
    let mut ports = gateway(&site.gateway);
    if site.turn.source == TurnSource::Bundled {
        let turn = &site.turn;
        let port = |option, first, last, transport, purpose| Port { service: "coturn", option, address: None, first, last, transport, purpose };
        ports.push(port("turn.port", turn.port, turn.port, Transport::Tcp, "calls of two: TURN"));
        ports.push(port("turn.port", turn.port, turn.port, Transport::Udp, "calls of two: TURN and STUN"));
        if turn.tls {
            ports.push(port("turn.tls_port", turn.tls_port, turn.tls_port, Transport::Tcp, "calls of two: TURN over TLS"));
        }
        ports.push(port("turn.min_port", turn.min_port, turn.max_port, Transport::Udp, "calls of two: relayed media"));
    }
    if site.rtc.source == RtcSource::Bundled {
        let rtc = &site.rtc;
        let port = |option, first, last, transport, purpose| Port { service: "livekit", option, address: None, first, last, transport, purpose };
        ports.push(port("rtc.tcp_port", rtc.tcp_port, rtc.tcp_port, Transport::Tcp, "calls of many: media where UDP is blocked"));
        ports.push(port("rtc.udp_port", rtc.udp_port, rtc.udp_port, Transport::Udp, "calls of many: media"));
        if rtc.relay == Relay::Livekit {
            ports.push(port("rtc.relay_port", rtc.relay_port, rtc.relay_port, Transport::Udp, "calls of many: TURN"));
            ports.push(port("rtc.relay_min_port", rtc.relay_min_port, rtc.relay_max_port, Transport::Udp, "calls of many: relayed media"));
        }
    }
    ports
}

fn gateway(gateway: &Gateway) -> Vec<Port> {
    // Behind another proxy the gateway is for the target itself.
    let address = gateway.bind_address.as_ref().map(ToString::to_string).or_else(|| (gateway.tls == Tls::Off).then(|| "127.0.0.1".to_owned()));
    let port = |option, number, purpose| Port {
        service: "gateway",
        option,
        address: address.clone(),
        first: number,
        last: number,
        transport: Transport::Tcp,
        purpose,
    };
    let mut ports =
        vec![port("gateway.http_port", gateway.http_port, if gateway.tls == Tls::Off { "HTTP, for the proxy in front" } else { "HTTP, redirects to HTTPS" })];
    if gateway.tls == Tls::Files {
        ports.push(port("gateway.https_port", gateway.https_port, "HTTPS: clients and other servers"));
        ports.extend(gateway.federation_port.map(|number| port("gateway.federation_port", number, "HTTPS: other servers")));
    }
    ports
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

    /// How it is published, for Compose; `inside` is the port of the container, for which a range is the same.
    pub fn published(&self, inside: Option<u16>) -> String {
        let address = match &self.address {
            Some(address) if address.contains(':') => format!("[{address}]:"),
            Some(address) => format!("{address}:"),
            None => String::new(),
        };
        let transport = match self.transport {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        };
        match inside {
            Some(inside) => format!("{address}{}:{inside}", self.numbers()),
            None => format!("{address}{0}:{0}/{transport}", self.numbers()),
        }
    }
}
