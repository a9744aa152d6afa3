//! S03xx: what the outside sees: names, ports, certificates, well-known documents.

use super::{Breach, Rule};
use crate::check::Severity::{Error, Warning};
use crate::site::gateway::Tls;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "S0301",
        severity: Warning,
        options: &["server.public_baseurl"],
        reason: "Clients refuse to send passwords over plain HTTP to anything but localhost, and other servers always use TLS (Matrix specification).",
        breaches: |loaded| {
            if loaded.site.server.public_baseurl.is_https() {
                return Vec::new();
            }
            vec![Breach::at("server.public_baseurl", "is http://: passwords and messages cross the network in clear", "use https:// for anything but a test")]
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
        breaches: super::calls::overlaps,
    },
    Rule {
        code: "S0303",
        severity: Error,
        options: &["gateway.federation_port", "gateway.tls"],
        reason: "A port for HTTPS needs certificates.",
        breaches: |loaded| {
            let gateway = &loaded.site.gateway;
            if gateway.federation_port.is_none() || gateway.tls == Tls::Files {
                return Vec::new();
            }
            vec![Breach::at(
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
        breaches: |loaded| {
            loaded
                .site
                .well_known
                .support
                .contacts
                .iter()
                .enumerate()
                .filter(|(_, contact)| contact.matrix_id.is_none() && contact.email_address.is_none())
                .map(|(at, _)| Breach::at(&format!("well_known.support.contacts.{at}"), "has neither matrix_id nor email_address", "add one of them"))
                .collect()
        },
    },
    Rule {
        code: "S0305",
        severity: Error,
        options: &["well_known.extra_client_content"],
        reason: "These members of the client document follow from other options, and Synapse refuses them too (config/server.py, extra_well_known_client_content).",
        breaches: |loaded| {
            ["m.homeserver", "m.identity_server"]
                .iter()
                .filter(|name| loaded.site.well_known.extra_client_content.contains_key(**name))
                .map(|name| {
                    Breach::at("well_known.extra_client_content", format!("holds {name}"), "remove it; m.homeserver follows from server.public_baseurl")
                })
                .collect()
        },
    },
    Rule {
        code: "S0306",
        severity: Error,
        options: &["well_known.server", "server.server_name", "server.public_baseurl", "listeners.federation"],
        reason: "Without the server document other servers look for the server name itself on port 8448 (Matrix specification, Resolving server names).",
        breaches: |loaded| {
            let (site, server) = (&loaded.site, &loaded.site.server);
            let same = server.server_name.host() == server.public_baseurl.host();
            if !site.listeners.federation || site.well_known.server || same || server.server_name.port().is_some() {
                return Vec::new();
            }
            vec![Breach::at(
                "well_known.server",
                format!("is false although {} is served under {}: no other server would find it", server.server_name, server.public_baseurl.host()),
                "leave well_known.server on, or turn listeners.federation off",
            )]
        },
    },
];
