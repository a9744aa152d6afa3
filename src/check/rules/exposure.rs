//! S03xx: what the outside sees: names, ports, certificates, well-known documents.

use std::net::IpAddr;

use super::delegation::is_everybody;
use super::{Rule, Violation};
use crate::check::Severity::{Error, Warning};
use crate::deployment::Facts;
use crate::site::Site;
use crate::site::gateway::{Gateway, Tls};
use crate::site::text::Cidr;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "S0301",
        severity: Warning,
        options: &["server.public_baseurl"],
        reason: "Clients refuse to send passwords over plain HTTP to anything but localhost, and other servers always use TLS (Matrix specification).",
        violations: |loaded| {
            if loaded.site.server.public_baseurl.is_https() {
                return Vec::new();
            }
            vec![Violation::at(
                "server.public_baseurl",
                "is http://: passwords and messages cross the network in clear",
                "use https:// for anything but a test",
            )]
        },
    },
    Rule {
        code: "S0302",
        severity: Error,
        options: &[
            "gateway.http_port",
            "gateway.https_port",
            "gateway.federation_port",
            "turn.port",
            "turn.tls_port",
            "turn.min_port",
            "rtc.udp_port",
            "rtc.tcp_port",
            "rtc.relay_port",
            "rtc.relay_min_port",
        ],
        reason: "Two services cannot be published on one port of the target.",
        violations: super::calls::overlaps,
    },
    Rule {
        code: "S0303",
        severity: Error,
        options: &["gateway.federation_port", "gateway.tls"],
        reason: "A port for HTTPS needs certificates.",
        violations: |loaded| {
            let gateway = &loaded.site.gateway;
            if gateway.federation_port.is_none() || gateway.tls == Tls::Files {
                return Vec::new();
            }
            vec![Violation::at(
                "gateway.federation_port",
                "is set, but TLS ends at another proxy",
                "gateway.tls: files, or remove gateway.federation_port and let the proxy in front listen there",
            )]
        },
    },
    Rule {
        code: "S0304",
        severity: Error,
        options: &["well_known.support.contacts"],
        reason: "A support document has at least one contact or a page, and a contact has an address (Matrix specification 1.10, GET /.well-known/matrix/support).",
        violations: |loaded| {
            loaded
                .site
                .well_known
                .support
                .contacts
                .iter()
                .enumerate()
                .filter(|(_, contact)| contact.matrix_id.is_none() && contact.email_address.is_none())
                .map(|(at, _)| Violation::at(&format!("well_known.support.contacts.{at}"), "has neither matrix_id nor email_address", "add one of them"))
                .collect()
        },
    },
    Rule {
        code: "S0305",
        severity: Error,
        options: &["well_known.extra_client_content"],
        reason: "These members of the client document follow from other options, and Synapse refuses them too (config/server.py, extra_well_known_client_content).",
        violations: |loaded| {
            [("m.homeserver", "server.public_baseurl"), ("m.identity_server", "registration.default_identity_server")]
                .iter()
                .filter(|(name, _)| loaded.site.well_known.extra_client_content.contains_key(*name))
                .map(|(name, option)| {
                    Violation::at("well_known.extra_client_content", format!("holds {name}"), format!("remove it: {name} follows from {option}"))
                })
                .collect()
        },
    },
    Rule {
        code: "S0306",
        severity: Error,
        options: DOOR_OPTIONS,
        reason: "Other servers go where the server document says; to a server name with a port or to an address they go straight, and without a document to port 8448 (Matrix specification, Resolving server names). The gateway answers them under the host of public_baseurl only.",
        violations: |loaded| {
            let site = &loaded.site;
            let base = &site.server.public_baseurl;
            let Some(endpoint) = FederationEndpoint::of(site).filter(|endpoint| !is_same(endpoint.host, base.host()) && endpoint.is_shut(site)) else {
                return Vec::new();
            };
            let (message, remedy) = match endpoint.option {
                "server.server_name" => (
                    format!("sends other servers straight to {}, and the gateway answers them under {} only", endpoint.written(), base.host()),
                    format!("server.public_baseurl: https://{}/; or, before the first start, a server_name without a port", endpoint.authority(443)),
                ),
                "well_known.server" => (
                    format!("is false although {} is served under {}: no other server would find it", site.server.server_name, base.host()),
                    "leave well_known.server on, or turn listeners.federation off".to_owned(),
                ),
                _ => (
                    format!("sends other servers to {}, and the gateway answers them under {} only", endpoint.written(), base.host()),
                    "leave well_known.server_host out; a name of its own for other servers needs gateway.tls: off and a proxy of yours before the gateway, which answers under both names and passes requests on with the Host of server.public_baseurl".to_owned(),
                ),
            };
            vec![Violation::at(endpoint.option, message, remedy)]
        },
    },
    Rule {
        code: "S0307",
        severity: Warning,
        options: DOOR_OPTIONS,
        reason: "Where other servers go (see S0306) somebody has to listen, and a proxy in front of the gateway to pass them on under the name that it knows.",
        violations: |loaded| {
            let site = &loaded.site;
            let base = &site.server.public_baseurl;
            let Some(endpoint) = FederationEndpoint::of(site) else { return Vec::new() };
            let known = is_same(endpoint.host, base.host());
            if known && endpoint.is_listened_at(site) || !known && endpoint.is_shut(site) {
                return Vec::new();
            }
            let why = match endpoint.option {
                "server.server_name" => "sends other servers straight to",
                "well_known.server" => "is false, which sends other servers to",
                _ => "sends other servers to",
            };
            let missing = if known { "where nothing in this description listens" } else { "a name that the gateway does not answer under" };
            let message = format!("{why} {}, {missing}", endpoint.written());
            let remedy = if known && site.gateway.tls == Tls::Files {
                format!("gateway.federation_port: {}", endpoint.port)
            } else {
                format!("let the proxy in front pass {} on with Host: {}, and accept this warning", endpoint.written(), base.host())
            };
            vec![Violation::at(endpoint.option, message, remedy)]
        },
    },
    Rule {
        code: "S0308",
        severity: Warning,
        options: &["server.public_baseurl"],
        reason: "Clients keep this address, and few authorities sign a certificate for an address, for days only; a name can move to another machine (RFC 8738, Let's Encrypt, \"IP address certificates\").",
        violations: |loaded| {
            let server = &loaded.site.server;
            let host = server.public_baseurl.host();
            let parsed = |host: &str| host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
            // A server whose very name is the address has decided, and on a loopback address somebody tries something.
            let Some(address) = parsed(host).filter(|address| !address.is_loopback() && parsed(server.server_name.host()) != Some(*address)) else {
                return Vec::new();
            };
            let message = format!("has the address {address} in the place of a name");
            let remedy = format!("give the machine a name, such as https://matrix.{}/", server.server_name.host());
            vec![Violation::at("server.public_baseurl", message, remedy)]
        },
    },
    Rule {
        code: "S0310",
        severity: Warning,
        options: &["gateway.bind_address", "gateway.trusted_proxies", "gateway.tls"],
        reason: "Behind a proxy that the gateway does not believe everybody has the proxy's address and shares its rate limits; where everybody is believed, each request chooses an address of its own (Synapse documentation, Using a reverse proxy, X-Forwarded-For).",
        violations: |loaded| not_believed(&loaded.site.gateway).into_iter().collect(),
    },
];

/// What keeps the addresses of clients from being known.
fn not_believed(gateway: &Gateway) -> Option<Violation> {
    let proxies = &gateway.trusted_proxies;
    let at = |option: &str, message: String, remedy: &str| Some(Violation::at(option, message, remedy));
    if let Some((place, network)) = proxies.iter().enumerate().find(|(_, network)| is_everybody(network.as_str())) {
        let option = format!("gateway.trusted_proxies.{place}");
        return at(&option, format!("is {network}: whoever sends X-Forwarded-For chooses the address that is limited and logged"), "name the proxy's address");
    }
    let local = gateway.is_local();
    if proxies.is_empty() {
        // Without TLS of its own, or where only the target itself gets to it, there is somebody in front.
        let message = match (gateway.tls, local) {
            (Tls::Off, false) => {
                "lets a proxy on another machine in, and gateway.trusted_proxies is empty: everybody has that proxy's address and shares its rate limits"
            }
            (Tls::Files, true) => {
                "lets nobody in but a proxy on the target, and gateway.trusted_proxies is empty: everybody has that proxy's address and shares its rate limits"
            }
            _ => return None,
        };
        let remedy = if local {
            "name the engine's network, where a proxy on the target comes from: trusted_proxies: [172.16.0.0/12]"
        } else {
            "name the address that the proxy's requests come from: trusted_proxies: [192.0.2.10]; a proxy in a container on the target comes from an engine's network, such as 172.16.0.0/12"
        };
        return at("gateway.bind_address", message.to_owned(), remedy);
    }
    let loopback = |network: &Cidr| network.overlaps("127.0.0.0/8") || network.overlaps("::1/128");
    let of_engine = proxies.iter().any(|network| Facts::DOCKER.networks.iter().any(|engine| network.overlaps(engine)));
    if proxies.iter().all(loopback) || local && !of_engine {
        let message =
            "names no network that a proxy on the target comes from: the gateway sees it at an address of the engine's network, not of loopback".to_owned();
        let remedy = if local {
            "trusted_proxies: [172.16.0.0/12], or leave the list out"
        } else {
            "trusted_proxies: [172.16.0.0/12]; or the address of the proxy, if it is on another machine"
        };
        return at("gateway.trusted_proxies", message, remedy);
    }
    None
}

const DOOR_OPTIONS: &[&str] = &[
    "server.server_name",
    "server.public_baseurl",
    "well_known.server",
    "well_known.server_host",
    "well_known.server_port",
    "listeners.federation",
    "gateway.tls",
    "gateway.https_port",
    "gateway.federation_port",
    "gateway.trusted_proxies",
];

/// Where other servers come.
struct FederationEndpoint<'a> {
    /// The option that sends them there.
    option: &'static str,
    host: &'a str,
    port: u16,
}

impl<'a> FederationEndpoint<'a> {
    /// The place, unless the site is an island.
    fn of(site: &'a Site) -> Option<Self> {
        let (name, base, well_known) = (&site.server.server_name, &site.server.public_baseurl, &site.well_known);
        if !site.listeners.federation {
            return None;
        }
        let is_address = name.host().trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        let port = name.port().unwrap_or(8448);
        Some(if is_address || name.port().is_some() {
            Self { option: "server.server_name", host: name.host(), port }
        } else if !well_known.server {
            Self { option: "well_known.server", host: name.host(), port }
        } else {
            let option = if well_known.server_host.is_some() { "well_known.server_host" } else { "well_known.server_port" };
            let host = well_known.server_host.as_ref().map_or(base.host(), |host| host.as_str());
            Self { option, host, port: well_known.server_port.unwrap_or(base.port()) }
        })
    }

    /// Whether nobody between other servers and the gateway can pass them on under another name.
    fn is_shut(&self, site: &Site) -> bool {
        // A server document costs nothing, so without one there is no reason to leave this to a proxy.
        self.option == "well_known.server" || site.gateway.tls == Tls::Files && site.gateway.trusted_proxies.is_empty()
    }

    /// Whether the description says that there is something at the port: clients come there, or the gateway is published on it.
    fn is_listened_at(&self, site: &Site) -> bool {
        let gateway = &site.gateway;
        let published = gateway.tls == Tls::Files && (gateway.https_port == self.port || gateway.federation_port == Some(self.port));
        self.port == site.server.public_baseurl.port() || published
    }

    fn written(&self) -> String {
        self.authority(0)
    }

    /// Host and port, the port left out where it is that one.
    fn authority(&self, unsaid: u16) -> String {
        let host = if self.host.contains(':') && !self.host.starts_with('[') { format!("[{}]", self.host) } else { self.host.to_owned() };
        if self.port == unsaid { host } else { format!("{host}:{}", self.port) }
    }
}

/// Whether two texts are one host.
fn is_same(one: &str, other: &str) -> bool {
    one.trim_matches(['[', ']']).eq_ignore_ascii_case(other.trim_matches(['[', ']']))
}
