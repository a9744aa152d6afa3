//! Calls of many: LiveKit and the authorisation service, from images of others. LiveKit reads its secrets from its configuration, which
//! `launch` completes in memory; the service reads one from a file. Names are LiveKit's (`config-sample.yaml`, pkg/config, 1.13) and
//! those of the service's README (0.4).

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::secrets::placeholder;
use super::{Foreign, Network, Rendered, Service, ports, synapse, yaml};
use crate::launch::{Escape, Health, RUN_DIR, Role, SECRETS_DIR, Template};
use crate::site::Site;
use crate::site::load::Loaded;
use crate::site::rtc::{Relay, RtcSource};
use crate::site::turn::{Turn, TurnSource};

/// LiveKit's service and the directory of its files.
pub const LIVEKIT: &str = "livekit";
/// The authorisation service.
pub const AUTHORISATION: &str = "livekit-authorisation";
/// LiveKit's port for signalling and its API.
pub const SIGNAL_PORT: u16 = 7880;
/// The authorisation service's port.
pub const AUTHORISATION_PORT: u16 = 8080;
/// The name of the key that both know; the secret belongs to it.
const KEY: &str = "synapse-site";
/// Numeric users of the containers, beside those of the site's own images.
const USERS: (u32, u32) = (10006, 10007);

pub(super) fn render(loaded: &Loaded, rendered: &mut Rendered) {
    let site = &loaded.site;
    let rtc = &site.rtc;
    let (RtcSource::Bundled, Some(livekit), Some(authorisation)) = (rtc.source, &rtc.livekit_image, &rtc.authorisation_image) else { return };
    let source = "/etc/livekit/livekit.yaml".to_owned();
    let completed = format!("{RUN_DIR}/livekit.yaml");
    let about = format!("LiveKit's configuration for {}, written by synapse-site.", site.server.server_name);
    rendered.add(LIVEKIT, &source, yaml::document(&about, &configuration(site)));
    let mut secrets = vec!["livekit_secret".to_owned()];
    if rtc.relay == Relay::Turn {
        secrets.push(site.turn.secret().to_owned());
    }
    let role = Role {
        secrets,
        files: vec![Template { source, target: completed.clone(), escape: Escape::Json }],
        exec: vec!["/livekit-server".to_owned(), "--config".to_owned(), completed],
        health: Some(Health::Http { port: SIGNAL_PORT, path: "/".to_owned() }),
        ..Role::default()
    };
    rendered.services.push(Service {
        name: LIVEKIT.to_owned(),
        image: LIVEKIT,
        from: Some(Foreign { reference: livekit.to_string(), user: Some(USERS.0) }),
        command: vec!["run".to_owned(), LIVEKIT.to_owned()],
        role: Some((LIVEKIT.to_owned(), role)),
        networks: vec![Network::Edge, Network::Front],
        ports: ports::all(site).iter().filter(|port| port.service == LIVEKIT).map(|port| port.published(None)).collect(),
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
        ("LIVEKIT_SECRET_FROM_FILE", format!("{SECRETS_DIR}/livekit_secret")),
        ("LIVEKIT_FULL_ACCESS_HOMESERVERS", servers.join(",")),
        ("LIVEKIT_JWT_BIND", format!(":{AUTHORISATION_PORT}")),
    ];
    for (path, content) in synapse::authority_files(loaded) {
        rendered.add(AUTHORISATION, &path, content);
    }
    let role = Role {
        secrets: vec!["livekit_secret".to_owned()],
        env: env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        exec: vec!["/lk-jwt-service".to_owned()],
        trust: synapse::trust(site),
        health: Some(Health::Http { port: AUTHORISATION_PORT, path: "/healthz".to_owned() }),
        ..Role::default()
    };
    rendered.services.push(Service {
        name: AUTHORISATION.to_owned(),
        image: AUTHORISATION,
        from: Some(Foreign { reference: authorisation.to_string(), user: Some(USERS.1) }),
        command: vec!["run".to_owned(), AUTHORISATION.to_owned()],
        role: Some((AUTHORISATION.to_owned(), role)),
        // Outward, because it asks each person's own server who that person is, and LiveKit under its public name.
        networks: vec![Network::Front, Network::Outbound],
        after: vec![LIVEKIT.to_owned()],
        stop_grace_seconds: 10,
        ..Service::default()
    });
}

fn configuration(site: &Site) -> Value {
    let rtc = &site.rtc;
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
        "keys": { (KEY): placeholder("livekit_secret") },
        // How the authorisation service learns that somebody has gone. Releases up to 0.5.0 have no such address and answer 404, which LiveKit
        // takes as heard.
        "webhook": { "api_key": KEY, "urls": [format!("http://{AUTHORISATION}:{AUTHORISATION_PORT}/sfu_webhook")] },
        "logging": { "level": "info", "json": true },
    });
    if let Some(address) = rtc.external_ip.as_ref().or(site.turn.external_ip.as_ref()) {
        config["rtc"]["node_ip"] = json!(address);
    }
    let stun = stun_servers(site);
    if !stun.is_empty() {
        config["rtc"]["stun_servers"] = json!(stun);
    }
    match rtc.relay {
        Relay::None => {}
        Relay::Turn => config["rtc"]["turn_servers"] = json!(turn_servers(&site.turn)),
        Relay::Livekit => {
            config["turn"] = json!({
                "enabled": true,
                "domain": site.rtc_host(),
                "udp_port": rtc.relay_port,
                "relay_range_start": rtc.relay_min_port,
                "relay_range_end": rtc.relay_max_port,
            });
            // Since 1.12 it relays to no private address, its own among them, unless it is named.
            if let Some(address) = rtc.external_ip.as_ref().or(site.turn.external_ip.as_ref()).filter(|address| is_private(address.as_str())) {
                config["turn"]["allow_restricted_peer_cidrs"] = json!([format!("{address}/32")]);
            }
        }
    }
    config
}

fn is_private(address: &str) -> bool {
    address.parse::<Ipv4Addr>().is_ok_and(|address| address.is_private() || address.is_loopback() || address.is_link_local())
}

fn stun_servers(site: &Site) -> Vec<String> {
    let turn = &site.turn;
    match (&turn.host, turn.source) {
        _ if !site.rtc.stun_servers.is_empty() => site.rtc.stun_servers.iter().map(ToString::to_string).collect(),
        (Some(host), TurnSource::Bundled) => vec![format!("{host}:{}", turn.port)],
        _ => Vec::new(),
    }
}

/// The TURN servers of the section `turn`, with credentials that LiveKit makes from the secret as Synapse does, or with those of the
/// one user that the server has.
fn turn_servers(turn: &Turn) -> Vec<Value> {
    let secret = placeholder(turn.secret());
    let server = |host: &str, port: u16, protocol: &str| {
        let mut server = json!({ "host": host, "port": port, "protocol": protocol });
        match turn.fixed_user() {
            Some(user) => (server["username"], server["credential"]) = (json!(user), json!(secret)),
            None => server["secret"] = json!(secret),
        }
        server
    };
    match (&turn.host, turn.source) {
        (Some(host), TurnSource::Bundled) => {
            let secure = turn.tls.then_some((turn.tls_port, "tls"));
            [(turn.port, "udp"), (turn.port, "tcp")].into_iter().chain(secure).map(|(port, protocol)| server(host.as_str(), port, protocol)).collect()
        }
        _ => turn
            .turn_uris
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
