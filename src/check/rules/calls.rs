//! S025x to S027x: calls of many, and the programs of others that help to run a server.

use serde_json::Value;

use super::delegation::is_everybody;
use super::{Rule, Violation};
use crate::check::Severity::{Error, Warning};
use crate::check::unchecked;
use crate::component;
use crate::component::draupnir::{DRAUPNIR_OWNED, antispam_authorization};
use crate::component::synapse::rtc::FEATURES;
use crate::site::draupnir::DRAUPNIR_SECRETS;
use crate::site::load::Loaded;
use crate::site::rtc::{Relay, RtcSource};
use crate::site::schema;
use crate::site::secret::reference;
use crate::site::synapse::{has_password, is_written, names_secret};
use crate::site::turn::TurnSource;

/// The member of the `client` document that says where calls are.
const FOCI: &str = "org.matrix.msc4143.rtc_foci";

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "S0250",
        severity: Error,
        options: &["rtc.source", "rtc.livekit_image", "rtc.authorisation_image", "rtc.external_ip", "turn.external_ip"],
        reason: "LiveKit and its authorisation service are not built here, and media go to an address that the world reaches (LiveKit, rtc.node_ip).",
        violations: |loaded| {
            let (rtc, turn) = (&loaded.site.rtc, &loaded.site.turn);
            if rtc.source != RtcSource::Bundled {
                return Vec::new();
            }
            let missing = [
                ("rtc.livekit_image", rtc.livekit_image.is_none(), "livekit_image: docker.io/livekit/livekit-server:v1.13.0"),
                ("rtc.authorisation_image", rtc.authorisation_image.is_none(), "authorisation_image: ghcr.io/element-hq/lk-jwt-service:0.4.4"),
                ("rtc.external_ip", rtc.external_ip.is_none() && turn.external_ip.is_none(), "external_ip: 203.0.113.10"),
            ];
            let missing = missing.into_iter().filter(|(_, missing, _)| *missing);
            missing.map(|(option, _, remedy)| Violation::at(option, "is missing although rtc.source is \"bundled\"", remedy)).collect()
        },
    },
    Rule {
        code: "S0251",
        severity: Error,
        options: &["rtc.source", "rtc.livekit_service_url"],
        reason: "Clients find calls by this address; Synapse takes no transport of LiveKit without one: livekit_service_url, which it calls deprecated, or url (config/matrixrtc.py).",
        violations: |loaded| {
            let rtc = &loaded.site.rtc;
            match (rtc.source, &rtc.livekit_service_url) {
                (RtcSource::External, None) => vec![Violation::at(
                    "rtc.livekit_service_url",
                    "is missing although rtc.source is \"external\"",
                    "livekit_service_url: https://matrix-rtc.example.com/livekit/jwt",
                )],
                (RtcSource::External, Some(url)) if !url.is_https() && loaded.site.server.public_baseurl.is_https() => {
                    vec![Violation::at("rtc.livekit_service_url", "is http://, which web clients do not call from a page with https", "use https://")]
                }
                (RtcSource::None | RtcSource::Bundled, Some(_)) => {
                    vec![Violation::at(
                        "rtc.livekit_service_url",
                        "is set, but the service is not external",
                        "rtc.source: external, or remove rtc.livekit_service_url",
                    )]
                }
                _ => Vec::new(),
            }
        },
    },
    Rule {
        code: "S0252",
        severity: Error,
        options: &["rtc.source", "synapse.settings.experimental_features"],
        reason: "Without these features clients do not find where calls are, or lose who is in one (Synapse, rest/client/matrixrtc.py; Element Call, Self-Hosting).",
        violations: |loaded| {
            let site = &loaded.site;
            let Some(features) = site.synapse.settings.get("experimental_features").filter(|_| site.rtc.source != RtcSource::None) else { return Vec::new() };
            FEATURES
                .iter()
                .filter(|name| features.get(**name).is_some_and(|value| value != true))
                .map(|name| {
                    Violation::at(
                        &format!("synapse.settings.experimental_features.{name}"),
                        "is not true, and calls need it",
                        "remove it: it follows from rtc.source",
                    )
                })
                .collect()
        },
    },
    Rule {
        code: "S0253",
        severity: Error,
        options: &["rtc.source", "well_known.extra_client_content"],
        reason: "The address in the client document, the one that Synapse tells and the gateway's route are one; two that differ send clients to different calls.",
        violations: |loaded| {
            let site = &loaded.site;
            if site.rtc.source == RtcSource::None || !site.well_known.extra_client_content.contains_key(FOCI) {
                return Vec::new();
            }
            vec![Violation::at("well_known.extra_client_content", format!("holds {FOCI}, which follows from the section rtc"), format!("remove {FOCI}"))]
        },
    },
    Rule {
        code: "S0254",
        severity: Error,
        options: &["rtc.relay", "rtc.external_ip", "turn.source", "turn.external_ip"],
        reason: "A relay that is shared has to be there, and under an address of its own: what coturn is to send to its own public address it sends to itself (external-ip).",
        violations: |loaded| {
            let site = &loaded.site;
            if site.rtc.source != RtcSource::Bundled || site.rtc.relay != Relay::Turn {
                return Vec::new();
            }
            let calls = site.rtc.external_ip.as_ref().or(site.turn.external_ip.as_ref());
            // An address that is missing is S0250's.
            if site.turn.source == TurnSource::Bundled && calls.is_some() && calls == site.turn.external_ip.as_ref() {
                let message = "is \"turn\", and the bundled TURN server has LiveKit's address, which it cannot relay to";
                return vec![Violation::at("rtc.relay", message, "rtc.relay: livekit; or another address of this host in rtc.external_ip")];
            }
            if site.turn.source != TurnSource::None {
                return Vec::new();
            }
            vec![Violation::at("rtc.relay", "is \"turn\", but turn.source is \"none\"", "turn.source: bundled (or external); or rtc.relay: livekit (or none)")]
        },
    },
    Rule {
        code: "S0255",
        severity: Error,
        options: &["rtc.relay_min_port", "rtc.relay_max_port"],
        reason: "A range goes from its smaller to its larger end (LiveKit, turn.relay_range_start and relay_range_end).",
        violations: |loaded| {
            let rtc = &loaded.site.rtc;
            if rtc.source != RtcSource::Bundled || rtc.relay != Relay::Livekit || rtc.relay_min_port <= rtc.relay_max_port {
                return Vec::new();
            }
            let message = format!("is {}, more than relay_max_port ({})", rtc.relay_min_port, rtc.relay_max_port);
            vec![Violation::at("rtc.relay_min_port", message, "exchange the two")]
        },
    },
    Rule {
        code: "S0256",
        severity: Warning,
        options: &["rtc.stun_servers", "rtc.relay", "turn.source"],
        reason: "LiveKit sends people's clients to STUN servers of Google when it has neither a relay for them nor STUN servers of its own (pkg/service/roommanager.go).",
        violations: |loaded| {
            let site = &loaded.site;
            let own = site.turn.source == TurnSource::Bundled || site.rtc.relay != Relay::None || !site.rtc.stun_servers.is_empty();
            if site.rtc.source != RtcSource::Bundled || own {
                return Vec::new();
            }
            vec![Violation::at(
                "rtc.stun_servers",
                "is empty, and there is neither a bundled coturn nor a relay: clients would ask Google for their address",
                "stun_servers: [\"stun.example.com:3478\"]",
            )]
        },
    },
    Rule {
        code: "S0257",
        severity: Error,
        options: &["rtc.stun_servers"],
        reason: "LiveKit puts stun: before each of these and gives them to clients (pkg/rtc), which takes a host and a port.",
        violations: |loaded| {
            let servers = loaded.site.rtc.stun_servers.iter().enumerate();
            let good = |text: &str| {
                text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0))
                    && crate::site::text::check_format("server-name", text).is_ok()
            };
            servers
                .filter(|(_, server)| !good(server.as_str()))
                .map(|(at, server)| {
                    let message = format!("{:?} is not a host and a port", server.as_str());
                    Violation::at(&format!("rtc.stun_servers.{at}"), message, "write it as stun.example.com:3478")
                })
                .collect()
        },
    },
    Rule {
        code: "S0260",
        severity: Error,
        options: &["draupnir.settings"],
        reason: "These options of Draupnir follow from the description: one written here would take its place, accessToken would yield to the file, and with initialManager beside managementRoom Draupnir does not start (apps/draupnir/src/config.ts).",
        violations: |loaded| {
            let Some(draupnir) = &loaded.site.draupnir else { return Vec::new() };
            let owned = draupnir.settings.keys().filter(|name| DRAUPNIR_OWNED.contains(&name.as_str()));
            owned
                .map(|name| {
                    let remedy = if name == "accessToken" { "remove it; it is the secret draupnir_access_token" } else { "remove it" };
                    Violation::at(&format!("draupnir.settings.{name}"), "follows from the description", remedy)
                })
                .collect()
        },
    },
    Rule {
        code: "S0261",
        severity: Error,
        options: &["draupnir.settings"],
        reason: "What a description says lies on the target beside the manifest, readable for everybody there.",
        violations: |loaded| {
            let Some(draupnir) = &loaded.site.draupnir else { return Vec::new() };
            let mut violations = Vec::new();
            // What S0260 wants removed is said once.
            for (name, value) in draupnir.settings.iter().filter(|(name, _)| !DRAUPNIR_OWNED.contains(&name.as_str())) {
                secrets(&format!("draupnir.settings.{name}"), name, value, antispam_authorization(draupnir), &mut violations);
            }
            violations
        },
    },
    Rule {
        code: "S0265",
        severity: Error,
        options: &["admin_ui.host", "server.public_baseurl", "server.server_name", "rtc.host"],
        reason: "Under the page's host name the gateway answers administrators' networks only; a name that people use would shut them out.",
        violations: |loaded| {
            let site = &loaded.site;
            let Some(page) = &site.admin_ui else { return Vec::new() };
            let others = [
                ("server.public_baseurl", Some(site.server.public_baseurl.host())),
                ("server.server_name", Some(site.server.server_name.host())),
                ("rtc.host", site.rtc_host()),
            ];
            let taken = others.into_iter().find(|(_, host)| *host == Some(page.host.as_str()));
            taken
                .map(|(option, _)| {
                    Violation::at("admin_ui.host", format!("is the host of {option}, too"), "give the page a name of its own, such as admin.example.com")
                })
                .into_iter()
                .collect()
        },
    },
    Rule {
        code: "S0266",
        severity: Error,
        options: &["admin_ui.allow"],
        reason: "The admin API reads everything, changes everything and becomes anybody; it is not for the public internet (Synapse documentation, Reverse proxy).",
        violations: |loaded| {
            let Some(page) = &loaded.site.admin_ui else { return Vec::new() };
            let remedy = "name the networks of administrators, such as allow: [192.0.2.0/24]";
            if page.allow.is_empty() {
                return vec![Violation::at("admin_ui.allow", "is empty, so nobody could use the page", remedy)];
            }
            let open = page.allow.iter().enumerate().filter(|(_, network)| is_everybody(network.as_str()));
            open.map(|(at, network)| Violation::at(&format!("admin_ui.allow.{at}"), format!("{network} is everybody"), remedy)).collect()
        },
    },
];

/// Members that hold secrets, Draupnir's own names among them, and references to secrets anywhere but in the one place that Draupnir
/// takes from a file.
fn secrets(path: &str, name: &str, value: &Value, file: Option<&Value>, violations: &mut Vec<Violation>) {
    let from_file = file.is_some_and(|file| std::ptr::eq(file, value));
    let remedy = if from_file {
        "write { _secret: NAME } with a name of a-z, 0-9 and _: authorization: { _secret: draupnir_antispam }"
    } else {
        "remove it; of these settings Draupnir takes only web.synapseHTTPAntispam.authorization from a file, { _secret: NAME }"
    };
    match value {
        _ if is_written(value) && (names_secret(name) || DRAUPNIR_SECRETS.contains(&name)) || value.as_str().is_some_and(has_password) => {
            violations.push(Violation::at(path, "is a secret, written into the description", remedy));
        }
        Value::Object(members) if members.contains_key("_secret") => {
            if !from_file {
                violations.push(Violation::at(path, "names a secret where Draupnir reads none", remedy));
            } else if !matches!(reference(value), Some(Ok(_))) {
                violations.push(Violation::at(path, "does not name a secret", remedy));
            }
        }
        Value::Object(members) => members.iter().for_each(|(key, member)| secrets(&format!("{path}.{key}"), key, member, file, violations)),
        Value::Array(elements) => elements.iter().enumerate().for_each(|(at, element)| secrets(&format!("{path}.{at}"), name, element, file, violations)),
        _ => {}
    }
}

/// Two services on one port of the target.
pub(super) fn overlaps(loaded: &Loaded) -> Vec<Violation> {
    let ports = component::ports(&unchecked(loaded));
    let said = serde_json::to_value(&loaded.site).unwrap_or_default();
    let pointer = |option: &str| format!("/{}", option.replace('.', "/"));
    let mut violations: Vec<Violation> = Vec::new();
    for (at, port) in ports.iter().enumerate() {
        // What coturn's own ports may be is S0207's.
        let other = ports[..at].iter().find(|other| port.meets(other) && !(port.service == "coturn" && other.service == "coturn"));
        if let Some(other) = other {
            // Of one that somebody chose and one that nobody said, the former can be mended.
            let is_chosen = |option: &str| schema::at(option).is_none_or(|schema| said.pointer(&pointer(option)) != schema.get("default"));
            let (port, other) = if is_chosen(other.option) && !is_chosen(port.option) { (other, port) } else { (port, other) };
            let message = format!("{} is also taken by {} ({})", port.numbers(), other.option, other.numbers());
            violations.push(Violation::at(port.option, message, format!("write another {}", port.option)));
        }
    }
    violations
}
