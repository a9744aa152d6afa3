//! Calls of many: LiveKit and the authorisation service, from images of others. LiveKit reads its secrets from its configuration, which
//! `launch` completes in memory; the service reads one from a file. Names are LiveKit's (`config-sample.yaml`, pkg/config, 1.13) and
//! those of the service's README (0.4).

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::authorities;
use crate::checked::{CheckedSite, Relay, Rtc, Turn};
use crate::deployment::{ExternalImage, Network, Part, Port, Service, Transport};
use crate::launch::{Escape, Health, Make, RUN_DIR, Role, Secret, Template, placeholder, secret_path};
use crate::site::rtc;
use crate::site::text::RelayAddress;
use crate::yaml;

/// LiveKit's service and the directory of its files.
pub const LIVEKIT: &str = "livekit";
/// The authorisation service.
pub const AUTHORISATION: &str = "livekit-authorisation";
/// LiveKit's port for signalling and its API.
pub const SIGNAL_PORT: u16 = 7880;
/// The authorisation service's port.
pub const AUTHORISATION_PORT: u16 = 8080;
/// The secret that both know.
const SECRET: &str = "livekit_secret";
/// The name of the key that both know; the secret belongs to it.
const KEY: &str = "synapse-site";
/// Numeric users of the containers, beside those of the site's own images.
const USERS: (u32, u32) = (10006, 10007);

pub(super) fn resolve(checked: &CheckedSite<'_>) -> Option<Part> {
    let Rtc::Bundled { livekit, authorisation, host, address, relay } = checked.rtc else { return None };
    let (site, rtc) = (checked.site, &checked.site.rtc);
    let mut part = Part { secrets: vec![Secret::new(SECRET, "lets the authorisation service let people into calls", Make::Random)], ..Part::default() };
    let source = "/etc/livekit/livekit.yaml".to_owned();
    let completed = format!("{RUN_DIR}/livekit.yaml");
    let about = format!("LiveKit's configuration for {}, written by synapse-site.", site.server.server_name);
    part.add(LIVEKIT, &source, yaml::document(&about, &configuration(checked, host, address, relay)));
    let mut secrets = vec![SECRET.to_owned()];
    if relay == Relay::Turn {
        secrets.push(site.turn.secret().to_owned());
    }
    let role = Role {
        secrets,
        files: vec![Template { source, target: completed.clone(), escape: Escape::Json }],
        exec: vec!["/livekit-server".to_owned(), "--config".to_owned(), completed],
        health: Some(Health::Http { port: SIGNAL_PORT, path: "/".to_owned() }),
        ..Role::default()
    };
    part.services.push(Service {
        name: LIVEKIT.to_owned(),
        image: LIVEKIT,
        external: Some(ExternalImage { reference: livekit.to_string(), user: Some(USERS.0) }),
        command: vec!["run".to_owned(), LIVEKIT.to_owned()],
        role: Some((LIVEKIT.to_owned(), role)),
        networks: vec![Network::Edge, Network::Front],
        ports: ports(rtc, relay),
        stop_grace_seconds: 20,
        ..Service::default()
    });

    // One's own server at least: without a name the service does not start.
    let mut servers: Vec<&str> = rtc.full_access_homeservers.iter().map(|server| server.as_str()).collect();
    if servers.is_empty() {
        servers.push(site.server.server_name.as_str());
    }
    let env = [
        ("LIVEKIT_URL", format!("{}/livekit/sfu", site.rtc_origin("ws"))),
        ("LIVEKIT_KEY", KEY.to_owned()),
        ("LIVEKIT_SECRET_FROM_FILE", secret_path(SECRET)),
        ("LIVEKIT_FULL_ACCESS_HOMESERVERS", servers.join(",")),
        ("LIVEKIT_JWT_BIND", format!(":{AUTHORISATION_PORT}")),
    ];
    authorities::add(checked, AUTHORISATION, &mut part);
    let role = Role {
        secrets: vec![SECRET.to_owned()],
        env: env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        exec: vec!["/lk-jwt-service".to_owned()],
        trust: authorities::trust(site),
        health: Some(Health::Http { port: AUTHORISATION_PORT, path: "/healthz".to_owned() }),
        ..Role::default()
    };
    part.services.push(Service {
        name: AUTHORISATION.to_owned(),
        image: AUTHORISATION,
        external: Some(ExternalImage { reference: authorisation.to_string(), user: Some(USERS.1) }),
        command: vec!["run".to_owned(), AUTHORISATION.to_owned()],
        role: Some((AUTHORISATION.to_owned(), role)),
        // Outward, because it asks each person's own server who that person is, and LiveKit under its public name.
        networks: vec![Network::Front, Network::Outbound],
        after: vec![LIVEKIT.to_owned()],
        stop_grace_seconds: 10,
        ..Service::default()
    });
    Some(part)
}

fn ports(rtc: &rtc::Rtc, relay: Relay) -> Vec<Port> {
    let port = |option, first, last, transport, purpose| Port { service: LIVEKIT, option, address: None, first, last, transport, purpose, inside: None };
    let mut ports = vec![
        port("rtc.tcp_port", rtc.tcp_port, rtc.tcp_port, Transport::Tcp, "calls of many: media where UDP is blocked"),
        port("rtc.udp_port", rtc.udp_port, rtc.udp_port, Transport::Udp, "calls of many: media"),
    ];
    if relay == Relay::Livekit {
        ports.push(port("rtc.relay_port", rtc.relay_port, rtc.relay_port, Transport::Udp, "calls of many: TURN"));
        ports.push(port("rtc.relay_min_port", rtc.relay_min_port, rtc.relay_max_port, Transport::Udp, "calls of many: relayed media"));
    }
    ports
}

fn configuration(checked: &CheckedSite<'_>, host: &str, address: Option<&RelayAddress>, relay: Relay) -> Value {
    let rtc = &checked.site.rtc;
    let mut config = json!({
        "port": SIGNAL_PORT,
        "rtc": {
            "tcp_port": rtc.tcp_port,
            // One port for everybody. With it a range of ports must not be given.
            "udp_port": rtc.udp_port,
            // Asking for it would mean asking somebody outside.
            "use_external_ip": false,
        },
        // Rooms are made by the authorisation service, for people who may; otherwise its refusal has no effect.
        "room": { "auto_create": false },
        "keys": { (KEY): placeholder(SECRET) },
        // How the authorisation service learns that somebody has gone. Releases up to 0.5.0 have no such address and answer 404, which LiveKit
        // takes as heard.
        "webhook": { "api_key": KEY, "urls": [format!("http://{AUTHORISATION}:{AUTHORISATION_PORT}/sfu_webhook")] },
        "logging": { "level": "info", "json": true },
    });
    if let Some(address) = address {
        config["rtc"]["node_ip"] = json!(address);
    }
    let stun = stun_servers(checked);
    if !stun.is_empty() {
        config["rtc"]["stun_servers"] = json!(stun);
    }
    match relay {
        Relay::None => {}
        Relay::Turn => config["rtc"]["turn_servers"] = json!(turn_servers(checked)),
        Relay::Livekit => {
            config["turn"] = json!({
                "enabled": true,
                "domain": host,
                "udp_port": rtc.relay_port,
                "relay_range_start": rtc.relay_min_port,
                "relay_range_end": rtc.relay_max_port,
            });
            // Since 1.12 it relays to no private address, its own among them, unless it is named.
            if let Some(address) = address.filter(|address| is_private(address.as_str())) {
                config["turn"]["allow_restricted_peer_cidrs"] = json!([format!("{address}/32")]);
            }
        }
    }
    config
}

fn is_private(address: &str) -> bool {
    address.parse::<Ipv4Addr>().is_ok_and(|address| address.is_private() || address.is_loopback() || address.is_link_local())
}

fn stun_servers(checked: &CheckedSite<'_>) -> Vec<String> {
    let site = checked.site;
    match checked.turn {
        _ if !site.rtc.stun_servers.is_empty() => site.rtc.stun_servers.iter().map(ToString::to_string).collect(),
        Turn::Bundled { host, .. } => vec![format!("{host}:{}", site.turn.port)],
        Turn::None | Turn::External { .. } => Vec::new(),
    }
}

/// The TURN servers of the section `turn`, with credentials that LiveKit makes from the secret as Synapse does, or with those of the
/// one user that the server has.
fn turn_servers(checked: &CheckedSite<'_>) -> Vec<Value> {
    let turn = &checked.site.turn;
    let secret = placeholder(turn.secret());
    let server = |host: &str, port: u16, protocol: &str| {
        let mut server = json!({ "host": host, "port": port, "protocol": protocol });
        match checked.turn {
            Turn::External { user: Some(user), .. } => (server["username"], server["credential"]) = (json!(user), json!(secret)),
            Turn::None | Turn::Bundled { .. } | Turn::External { .. } => server["secret"] = json!(secret),
        }
        server
    };
    match checked.turn {
        Turn::None => Vec::new(),
        Turn::Bundled { host, .. } => {
            let secure = turn.tls.then_some((turn.tls_port, "tls"));
            [(turn.port, "udp"), (turn.port, "tcp")].into_iter().chain(secure).map(|(port, protocol)| server(host.as_str(), port, protocol)).collect()
        }
        Turn::External { uris, .. } => uris
            .iter()
            .map(|uri| {
                let protocol = match (uri.is_tls(), uri.is_tcp()) {
                    (true, _) => "tls",
                    (false, true) => "tcp",
                    (false, false) => "udp",
                };
                server(uri.host(), uri.port(), protocol)
            })
            .collect(),
    }
}
