//! The outside parties of a site, as they are written down: providers, another service for logging in, calls of many, helpers.

use crate::common;
use serde_json::{Value, json};
use synapse_site::check::rules;
use synapse_site::check::unchecked;
use synapse_site::component;
use synapse_site::deploy::compose;
use synapse_site::deployment::{Deployment, Port};
use synapse_site::launch::Plan;
use synapse_site::site::load::{self, Loaded};

const SERVER: &str = "server: {server_name: example.com, public_baseurl: 'https://matrix.example.com/'}\n";
const COTURN: &str = "turn: {source: bundled, host: turn.example.com, external_ip: 203.0.113.10}\n";
const LIVEKIT: &str =
    "  source: bundled\n  livekit_image: docker.io/livekit/livekit-server:v1.13.0\n  authorisation_image: ghcr.io/element-hq/lk-jwt-service:0.4.4\n";

fn loaded(text: &str) -> Loaded {
    whole(&format!("{SERVER}{text}"))
}

fn whole(text: &str) -> Loaded {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("site.yaml");
    std::fs::write(&file, text).expect("written");
    let loaded = load::load(&file).unwrap_or_else(|error| panic!("{error}"));
    let found = rules::apply(&loaded);
    assert!(!found.has_errors(), "{found}");
    loaded
}

fn rendered(text: &str) -> Deployment {
    common::deployment(&loaded(text))
}

fn text(rendered: &Deployment, image: &str, path: &str) -> String {
    String::from_utf8(rendered.images[image].get(path).unwrap_or_else(|| panic!("{path} in {image}")).clone()).expect("text")
}

fn yaml(rendered: &Deployment, image: &str, path: &str) -> Value {
    serde_yaml::from_str(&text(rendered, image, path)).expect("YAML")
}

fn well_known(rendered: &Deployment) -> Value {
    serde_json::from_slice(&rendered.well_known["client"]).expect("JSON")
}

#[test]
fn a_provider_is_written_as_synapse_reads_it_and_its_secret_is_a_file() {
    let site = rendered(
        "oidc:\n  oidc_providers:\n    - {idp_id: Our.Accounts, idp_name: Ours, issuer: 'https://id.example.com/', client_id: matrix}\n    - {idp_id: public, idp_name: Theirs, issuer: 'https://p.example.com/', client_id: m, client_auth_method: none}\n    - {idp_id: apple, idp_name: Apple, issuer: 'https://a.example.com/', client_id: m, client_auth_method: client_secret_post, client_secret_jwt_key: {jwt_header: {alg: ES256}}}\n  client_whitelist: ['https://app.example.com/']\n",
    );
    let options = yaml(&site, "synapse", "/etc/matrix-synapse/conf.d/oidc.yaml");
    let [ours, public, apple] = options["oidc_providers"].as_array().expect("a list").as_slice() else { panic!("three") };
    // Two names that differ in their case or their signs only have different files.
    assert_eq!(ours["client_secret_path"], "/run/secrets/oidc_client_secret__4fur_2e_41ccounts");
    assert_eq!(public.get("client_secret_path"), None);
    assert_eq!(apple["client_secret_jwt_key"]["key_file"], "/run/secrets/oidc_client_key_apple");
    assert_eq!(ours["user_mapping_provider"], json!({ "config": { "confirm_localpart": false } }));
    assert_eq!(options["sso"], json!({ "client_whitelist": ["https://app.example.com/"] }));
    let names: Vec<&str> = site.secrets.iter().map(|secret| secret.name.as_str()).filter(|name| name.starts_with("oidc")).collect();
    assert_eq!(names, ["oidc_client_key_apple", "oidc_client_secret__4fur_2e_41ccounts"]);
}

#[test]
fn authorities_of_the_site_are_trusted_by_every_process_of_synapse() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("site.yaml");
    std::fs::write(dir.path().join("authority.pem"), "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n").expect("written");
    let server = SERVER.replace("}", ", ca_certificates: [authority.pem]}");
    let ldap = "authentication: {method: ldap}\nldap: {uri: 'ldaps://ldap.example.com', base: 'dc=example'}\n";
    std::fs::write(&file, format!("{server}{ldap}workers: {{generic: 1}}\n")).expect("written");
    let site = common::deployment(&load::load(&file).unwrap_or_else(|error| panic!("{error}")));
    let plan: Plan = serde_json::from_str(&text(&site, "synapse", "/etc/synapse-site/launch.json")).expect("a plan");
    for (name, role) in &plan.roles {
        let trust = role.trust.as_ref().unwrap_or_else(|| panic!("{name} trusts nobody"));
        assert!(trust.certificates.iter().all(|path| site.images["synapse"].contains_key(path)), "{name}");
        // The directory's module is told a file, and does not ask for the variable.
        let modules = text(&site, "synapse", "/etc/matrix-synapse/conf.d/modules.yaml");
        assert!(modules.contains(&trust.target), "{modules}");
    }
}

#[test]
fn another_service_for_logging_in_is_agreed_with_everywhere() {
    let site = rendered(
        "authentication: {method: none}\nmatrix_authentication_service: {endpoint: 'https://mas.internal.example.com/', issuer: 'https://account.example.com/', allow: [192.0.2.10]}\nworkers: {generic: 2}\n",
    );
    let options = yaml(&site, "synapse", "/etc/matrix-synapse/conf.d/delegation.yaml");
    let written =
        json!({ "enabled": true, "endpoint": "https://mas.internal.example.com/", "secret_path": "/run/secrets/matrix_authentication_service_secret" });
    assert_eq!(options["matrix_authentication_service"], written);
    // Synapse's default is another one then, and only that is accepted.
    assert_eq!(yaml(&site, "synapse", "/etc/matrix-synapse/conf.d/registration.yaml").get("enable_3pid_changes"), None);
    let passwords = yaml(&site, "synapse", "/etc/matrix-synapse/conf.d/authentication.yaml");
    assert_eq!(passwords["password_config"], json!({ "enabled": false, "localdb_enabled": false }));
    let authentication = json!({ "issuer": "https://account.example.com/", "account": "https://account.example.com/account/" });
    assert_eq!(well_known(&site)["org.matrix.msc2965.authentication"], authentication);
    let nginx = text(&site, "gateway", "/etc/nginx/nginx.conf");
    // Before the workers' routes: nginx takes the first expression that matches.
    let (theirs, ours) = (nginx.find("(login|logout|refresh)(/|$)").expect("a route"), nginx.find("# logging in").expect("workers"));
    assert!(theirs < ours);
    assert!(nginx.contains("proxy_ssl_verify on;") && nginx.contains("proxy_pass https://$delegated;"));
    let inside = &nginx[nginx.find("location /_synapse/mas/").expect("a route")..];
    let inside = &inside[..inside.find('}').expect("its end")];
    assert!(inside.contains("allow 192.0.2.10;") && inside.contains("deny all;"), "{inside}");
}

#[test]
fn calls_of_many_agree_about_one_address() {
    let site = loaded(&format!("{COTURN}rtc:\n{LIVEKIT}  host: calls.example.com\n  external_ip: 203.0.113.11\n  relay: turn\n"));
    let rendered = common::deployment(&site);
    let url = "https://calls.example.com/livekit/jwt";
    let focus = json!([{ "type": "livekit", "livekit_service_url": url }]);
    assert_eq!(well_known(&rendered)["org.matrix.msc4143.rtc_foci"], focus);
    let options = yaml(&rendered, "synapse", "/etc/matrix-synapse/conf.d/rtc.yaml");
    assert_eq!(options["matrix_rtc"]["transports"], focus);
    assert_eq!(options["max_event_delay_duration"], "24h");
    let features = yaml(&rendered, "synapse", "/etc/matrix-synapse/conf.d/settings.yaml");
    assert_eq!(features["experimental_features"], json!({ "msc4143_enabled": true, "msc4222_enabled": true }));

    let livekit = yaml(&rendered, "livekit", "/etc/livekit/livekit.yaml");
    assert_eq!(livekit["room"]["auto_create"], false);
    assert_eq!(livekit["rtc"]["node_ip"], "203.0.113.11");
    assert_eq!(livekit["rtc"]["stun_servers"], json!(["turn.example.com:3478"]));
    let relays: Vec<&Value> = livekit["rtc"]["turn_servers"].as_array().expect("two").iter().map(|server| &server["protocol"]).collect();
    assert_eq!(relays, ["udp", "tcp"]);
    assert!(livekit.get("turn").is_none() && livekit["rtc"].get("port_range_start").is_none());

    let plan: Plan = serde_json::from_str(&text(&rendered, "livekit-authorisation", "/etc/synapse-site/launch.json")).expect("a plan");
    let role = &plan.roles["livekit-authorisation"];
    assert_eq!(role.env["LIVEKIT_URL"], "wss://calls.example.com/livekit/sfu");
    assert_eq!(role.env["LIVEKIT_FULL_ACCESS_HOMESERVERS"], "example.com");
    assert!(role.env.values().all(|value| !value.contains("@@secret")), "a secret is read from its file");
    assert!(plan.secrets.is_empty());

    let nginx = text(&rendered, "gateway", "/etc/nginx/nginx.conf");
    let host = &nginx[nginx.find("server_name calls.example.com;").expect("a host")..];
    assert!(host.contains("location ~ ^/livekit/jwt") && host.contains("location ~ ^/livekit/sfu"));
    assert!(!nginx.contains("sfu_webhook"), "what LiveKit tells the service stays inside");
}

#[test]
fn livekit_hands_out_every_way_to_the_relay_that_synapse_hands_out() {
    let relays = |turn: &str| {
        let site = rendered(&format!("{turn}rtc:\n{LIVEKIT}  host: calls.example.com\n  external_ip: 203.0.113.11\n  relay: turn\n"));
        let livekit = yaml(&site, "livekit", "/etc/livekit/livekit.yaml");
        let servers = livekit["rtc"]["turn_servers"].as_array().expect("a list").clone();
        assert!(servers.iter().all(|server| server["secret"] == "@@secret:turn_shared_secret@@"), "{servers:?}");
        // How LiveKit puts the address together (pkg/service/roommanager.go, iceServersForParticipant).
        let told: Vec<String> = servers
            .iter()
            .map(|server| {
                let (scheme, transport) = match server["protocol"].as_str() {
                    Some("tls") => ("turns", "tcp"),
                    Some("udp") => ("turn", "udp"),
                    _ => ("turn", "tcp"),
                };
                format!("{scheme}:{}:{}?transport={transport}", server["host"].as_str().unwrap_or_default(), server["port"])
            })
            .collect();
        let synapse = yaml(&site, "synapse", "/etc/matrix-synapse/conf.d/turn.yaml")["turn_uris"].clone();
        (told, synapse)
    };
    let (told, synapse) = relays("turn: {source: bundled, host: turn.example.com, external_ip: 203.0.113.10, tls: true}\n");
    assert_eq!(told, ["turn:turn.example.com:3478?transport=udp", "turn:turn.example.com:3478?transport=tcp", "turns:turn.example.com:5349?transport=tcp"]);
    assert_eq!(synapse, json!(["turn:turn.example.com?transport=udp", "turn:turn.example.com?transport=tcp", "turns:turn.example.com?transport=tcp"]));
    let external = json!(["turn:turn.example.com:3479?transport=udp", "turns:[2001:db8::7]:443?transport=tcp"]);
    let (told, synapse) = relays(&format!("turn: {{source: external, turn_uris: {external}}}\n"));
    assert_eq!((json!(told), &synapse), (external.clone(), &external));
}

#[test]
fn a_relay_with_one_user_for_everybody_is_told_to_synapse_and_to_livekit() {
    let turn = "turn: {source: external, turn_uris: ['turn:turn.example.com'], turn_username: matrix}\n";
    let site = rendered(&format!("{turn}rtc:\n{LIVEKIT}  external_ip: 203.0.113.11\n  relay: turn\n"));
    let options = yaml(&site, "synapse", "/etc/matrix-synapse/templates/turn.yaml");
    assert_eq!((&options["turn_username"], &options["turn_password"]), (&json!("matrix"), &json!("@@secret:turn_password@@")));
    assert_eq!(options.get("turn_shared_secret_path"), None, "Synapse would take that one first");
    let livekit = yaml(&site, "livekit", "/etc/livekit/livekit.yaml");
    let server = json!({ "host": "turn.example.com", "port": 3478, "protocol": "udp", "username": "matrix", "credential": "@@secret:turn_password@@" });
    assert_eq!(livekit["rtc"]["turn_servers"], json!([server]));
    for (image, role) in [("synapse", "main"), ("livekit", "livekit")] {
        let plan: Plan = serde_json::from_str(&text(&site, image, "/etc/synapse-site/launch.json")).expect("a plan");
        assert!(plan.roles[role].secrets.iter().any(|name| name == "turn_password"), "{role}");
    }
    let names: Vec<&str> = site.secrets.iter().map(|secret| secret.name.as_str()).filter(|name| name.starts_with("turn")).collect();
    assert_eq!(names, ["turn_password"]);
}

#[test]
fn of_several_databases_the_one_that_takes_writes_is_used() {
    let args = |host: &str| {
        let site = rendered(&format!("database: {{source: external, host: '{host}'}}\n"));
        let options = yaml(&site, "synapse", "/etc/matrix-synapse/conf.d/database.yaml");
        options["database"]["args"].clone()
    };
    let several = args("pg1.example.com,pg2.example.com");
    assert_eq!((&several["host"], &several["target_session_attrs"]), (&json!("pg1.example.com,pg2.example.com"), &json!("read-write")));
    assert_eq!(args("pg1.example.com").get("target_session_attrs"), None);
}

/// What the rules say about a section `rtc`.
fn found(text: &str) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("site.yaml");
    std::fs::write(&file, format!("{SERVER}{text}")).expect("written");
    let found = rules::apply(&load::load(&file).unwrap_or_else(|error| panic!("{error}")));
    found.list.into_iter().map(|finding| format!("{} {}", finding.code, finding.option)).collect()
}

#[test]
fn livekit_asks_google_only_where_it_hands_out_no_relay() {
    let rtc = |more: &str| found(&format!("{more}rtc:\n{LIVEKIT}  external_ip: 203.0.113.11\n"));
    assert_eq!(rtc(""), ["S0256 rtc.stun_servers"]);
    let relay = |turn: &str, relay: &str| found(&format!("{turn}rtc:\n{LIVEKIT}  external_ip: 203.0.113.11\n  relay: {relay}\n"));
    assert_eq!(relay("", "livekit"), Vec::<String>::new());
    assert_eq!(relay("turn: {source: external, turn_uris: ['turn:turn.example.com']}\n", "turn"), Vec::<String>::new());
}

#[test]
fn an_address_that_is_missing_is_not_compared() {
    let rtc = found(&format!("turn: {{source: bundled, host: turn.example.com}}\nrtc:\n{LIVEKIT}  relay: turn\n"));
    assert_eq!(rtc, ["S0205 turn.external_ip", "S0250 rtc.external_ip"]);
}

#[test]
fn an_island_still_says_who_somebody_is() {
    let external = "rtc: {source: external, livekit_service_url: 'https://calls.example.com/livekit/jwt'}\n";
    let with = |more: &str| rendered(&format!("{external}{more}"));
    let resources = |site: &Deployment| yaml(site, "synapse", "/etc/matrix-synapse/homeserver.yaml")["listeners"][0]["resources"][0]["names"].clone();
    let island = with("listeners: {federation: false}\n");
    assert_eq!(resources(&island), json!(["client", "openid"]));
    let nginx = text(&island, "gateway", "/etc/nginx/nginx.conf");
    assert!(nginx.contains("location = /_matrix/federation/v1/openid/userinfo"));
    assert_eq!(resources(&with("")), json!(["client", "federation"]));
    // The service of the calls looks for this server as other servers do.
    let document: Value = serde_json::from_slice(&island.well_known["server"]).expect("JSON");
    assert_eq!(document, json!({ "m.server": "matrix.example.com:443" }));
}

#[test]
fn images_of_others_start_with_launch_and_files_beside_the_manifest() {
    let site = loaded(&format!(
        "{COTURN}rtc:\n{LIVEKIT}  relay: livekit\nadmin_ui: {{image: 'ghcr.io/etkecc/ketesa:v1.0.0', host: admin.example.com, allow: [192.0.2.0/24]}}\ndraupnir: {{image: 'docker.io/gnuxie/draupnir:v2.7.0', management_room: '#m:example.com'}}\n"
    ));
    let rendered = common::deployment(&site);
    let manifest: Value = serde_yaml::from_str(&compose::manifest(&rendered, &common::images(&rendered)).expect("a manifest")).expect("YAML");
    let livekit = &manifest["services"]["livekit"];
    assert_eq!(livekit["image"], "docker.io/livekit/livekit-server:v1.13.0");
    assert_eq!(livekit["entrypoint"], json!(["/launch"]));
    assert_eq!(livekit["user"], "10006:10006");
    assert_eq!(livekit["secrets"], json!(["livekit_secret"]));
    assert_eq!(livekit["ports"], json!(["7881:7881/tcp", "7882:7882/udp", "3479:3479/udp", "30000-30019:30000-30019/udp"]));
    let volumes = livekit["volumes"].as_array().expect("volumes");
    for mounted in ["./services/launch:/launch:ro", "./services/livekit/etc/livekit/livekit.yaml:/etc/livekit/livekit.yaml:ro"] {
        assert!(volumes.iter().any(|volume| volume == mounted), "{mounted} in {volumes:?}");
    }
    let beside = rendered.beside();
    for volume in manifest["services"].as_object().expect("services").values().flat_map(|service| service["volumes"].as_array().into_iter().flatten()) {
        let source = volume.as_str().expect("text").split(':').next().expect("a source");
        let file = source.strip_prefix("./services/");
        assert!(file.is_none_or(|file| file == "launch" || beside.contains_key(file)), "{source} is not written");
    }
    // Its own entry point, and its token from a file.
    let draupnir = &manifest["services"]["draupnir"];
    assert!(draupnir.get("entrypoint").is_none() && draupnir.get("user").is_none());
    assert_eq!(draupnir["command"][4], "/run/secrets/draupnir_access_token");
    assert_eq!(rendered.external_images().len(), 4);
    for service in ["livekit", "livekit-authorisation", "draupnir", "admin-ui"] {
        assert_eq!(manifest["services"][service]["read_only"], true, "{service}");
        assert_eq!(manifest["services"][service]["cap_drop"], json!(["ALL"]), "{service}");
    }
    let synapse: Plan = serde_json::from_str(&text(&rendered, "synapse", "/etc/synapse-site/launch.json")).expect("a plan");
    let theirs = |name: &&String| name.starts_with("livekit") || name.starts_with("draupnir");
    assert_eq!(synapse.roles["main"].secrets.iter().find(theirs), None, "a process has no secret that it does not need");
    let made: Vec<&str> = synapse.admin.iter().flat_map(|admin| &admin.users).map(|user| user.localpart.as_str()).collect();
    assert_eq!(made, ["draupnir"], "nobody would make the bot's account");
    assert!(synapse.admin.iter().flat_map(|admin| &admin.users).all(|user| user.bot));
    assert!(rendered.secrets.iter().any(|secret| secret.name == "administrator_password_draupnir"));
}

#[test]
fn a_relay_of_a_closed_network_may_relay_to_itself() {
    let turn = |address: &str| {
        let rendered = rendered(&format!("rtc:\n{LIVEKIT}  external_ip: {address}\n  relay: livekit\n  stun_servers: ['stun.example.com:3478']\n"));
        yaml(&rendered, "livekit", "/etc/livekit/livekit.yaml")["turn"]["allow_restricted_peer_cidrs"].clone()
    };
    assert_eq!(turn("10.1.0.5"), json!(["10.1.0.5/32"]));
    assert_eq!(turn("203.0.113.5"), Value::Null);
}

#[test]
fn no_two_services_take_one_port() {
    let found = |rtc: &str| found(&format!("{COTURN}rtc:\n{LIVEKIT}{rtc}"));
    assert_eq!(found(""), Vec::<String>::new());
    assert_eq!(found("  relay: turn\n"), ["S0254 rtc.relay"]);
    assert_eq!(found("  relay: turn\n  external_ip: 203.0.113.11\n"), Vec::<String>::new());
    assert_eq!(found("  udp_port: 3478\n"), ["S0302 rtc.udp_port"]);
    assert_eq!(found("  udp_port: 49160\n"), ["S0302 rtc.udp_port"]);
    assert_eq!(found("  relay: livekit\n  relay_min_port: 49200\n  relay_max_port: 49300\n"), ["S0302 rtc.relay_min_port"]);
    assert_eq!(found("  relay: livekit\n  relay_port: 3478\n"), ["S0302 rtc.relay_port"]);
    assert_eq!(found("  relay: livekit\n  udp_port: 30005\n"), ["S0302 rtc.udp_port"]);
    let with_relay = loaded(COTURN);
    // TCP and UDP do not meet, and neither do two addresses.
    assert_eq!(found("  tcp_port: 49160\n"), Vec::<String>::new());
    let ports = component::ports(&unchecked(&with_relay));
    let port = |address: Option<&str>| Port { address: address.map(str::to_owned), ..ports[1].clone() };
    assert!(port(None).meets(&port(Some("192.0.2.1"))) && port(Some("::")).meets(&port(Some("192.0.2.1"))));
    assert!(!port(Some("192.0.2.1")).meets(&port(Some("192.0.2.2"))));
}

#[test]
fn a_bot_with_a_room_is_not_told_to_make_one() {
    // Draupnir 3.1 ends at its start when it is told both (apps/draupnir/src/config.ts).
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("site.yaml");
    let bot = "draupnir: {image: 'docker.io/gnuxie/draupnir:v3.1.0', management_room: '#m:example.com', settings: {initialManager: '@a:example.com'}}\n";
    std::fs::write(&file, format!("{SERVER}{bot}")).expect("written");
    let found = rules::apply(&load::load(&file).unwrap_or_else(|error| panic!("{error}")));
    let found: Vec<String> = found.list.into_iter().map(|finding| format!("{} {}", finding.code, finding.option)).collect();
    assert_eq!(found, ["S0260 draupnir.settings.initialManager"]);
}

fn bot(settings: &str) -> String {
    format!("draupnir: {{image: 'docker.io/gnuxie/draupnir:v2.7.0', management_room: '#m:example.com', settings: {settings}}}\n")
}

#[test]
fn draupnirs_antispam_password_is_a_file_that_both_ends_can_share() {
    let settings = "{web: {enabled: true, synapseHTTPAntispam: {enabled: true, authorization: {_secret: draupnir_antispam}}}}";
    let alone = loaded(&bot(settings));
    let site = common::deployment(&alone);
    let manifest: Value = serde_yaml::from_str(&compose::manifest(&site, &common::images(&site)).expect("a manifest")).expect("YAML");
    let draupnir = &manifest["services"]["draupnir"];
    assert_eq!(draupnir["secrets"], json!(["draupnir_access_token", "draupnir_antispam"]));
    let command: Vec<&str> = draupnir["command"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert_eq!(command[5..], ["--http-antispam-authorization-path", "/run/secrets/draupnir_antispam"]);
    let written = yaml(&site, "draupnir", "/etc/draupnir/production.yaml");
    assert_eq!(written["web"]["synapseHTTPAntispam"], json!({ "enabled": true }));
    assert!(site.secrets.iter().any(|secret| secret.name == "draupnir_antispam"));

    let main = |site: &Deployment| {
        let plan: Plan = serde_json::from_str(&text(site, "synapse", "/etc/synapse-site/launch.json")).expect("a plan");
        plan.roles["main"].secrets.clone()
    };
    // Whatever its name: a process has no secret that it does not need, and has those that it needs.
    let named = |name: &str, more: &str| main(&rendered(&format!("{}{more}", bot(&settings.replace("draupnir_antispam", name))))).iter().any(|one| one == name);
    let module = |name: &str| {
        let config = format!("{{base_url: 'http://draupnir:8080', authorization: {{_secret: {name}}}}}");
        format!("synapse: {{settings: {{modules: [{{module: synapse_http_antispam.HTTPAntispam, config: {config}}}]}}}}\n")
    };
    for name in ["draupnir_antispam", "antispam"] {
        assert!(!named(name, "") && named(name, &module(name)), "{name}");
    }
}

#[test]
fn a_secret_of_draupnir_is_told_once_and_where_it_can_stand() {
    let told = |settings: &str| {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("site.yaml");
        std::fs::write(&file, format!("{SERVER}{}", bot(settings))).expect("written");
        let found = rules::apply(&load::load(&file).unwrap_or_else(|error| panic!("{error}")));
        found.list.into_iter().map(|finding| (finding.code, finding.option, finding.remedy.unwrap_or_default())).collect::<Vec<_>>()
    };
    let one = |settings: &str, code: &str, option: &str| {
        let found = told(settings);
        let [(found_code, found_option, remedy)] = found.as_slice() else { panic!("{settings}: {found:?}") };
        assert_eq!((*found_code, found_option.as_str()), (code, &*format!("draupnir.settings.{option}")));
        remedy.clone()
    };
    assert!(one("{accessToken: x}", "S0260", "accessToken").contains("draupnir_access_token"));
    let antispam = "web.synapseHTTPAntispam.authorization";
    let remedy = one("{web: {synapseHTTPAntispam: {authorization: x}}}", "S0261", antispam);
    assert!(remedy.contains("authorization: { _secret: ") && !remedy.contains("access"), "{remedy}");
    one("{web: {synapseHTTPAntispam: {authorization: {_secret: ../x}}}}", "S0261", antispam);
    for (settings, option) in [
        ("{health: {sentry: {dsn: 'https://key@sentry.example.com/1'}}}", "health.sentry.dsn"),
        ("{health: {sentry: {dsn: {_secret: x}}}}", "health.sentry.dsn"),
        ("{pantalaimon: {password: {_secret: x}}}", "pantalaimon.password"),
        ("{authorization: {_secret: x}}", "authorization"),
    ] {
        let remedy = one(settings, "S0261", option);
        assert!(remedy.contains(antispam) && !remedy.contains("access"), "{remedy}");
    }
}

#[test]
fn the_admin_api_is_for_administrators_networks_only() {
    let site = rendered("admin_ui: {image: 'ghcr.io/etkecc/ketesa:v1.0.0', host: admin.example.com, allow: [192.0.2.0/24, '2001:db8::/32']}\n");
    let nginx = text(&site, "gateway", "/etc/nginx/nginx.conf");
    let (others, page) = nginx.split_at(nginx.find("server_name admin.example.com;").expect("a host"));
    assert!(!others.contains("_synapse/admin"));
    let allowed = page.find("allow 192.0.2.0/24;").expect("allowed");
    assert!(allowed < page.find("deny all;").expect("denied") && page.contains("allow 2001:db8::/32;"));
    let configuration: Value = serde_json::from_str(&text(&site, "gateway", "/etc/nginx/admin-ui/config.json")).expect("JSON");
    // What the well-known document names has no admin API.
    assert_eq!(configuration, json!({ "restrictBaseUrl": "https://admin.example.com", "wellKnownDiscovery": false }));
    assert!(!page.contains("return 200"), "nginx answers that before it looks who asks");
}

#[test]
fn administrators_are_logged_in_by_the_service_that_logs_in_everybody() {
    let page = "admin_ui: {image: 'ghcr.io/etkecc/ketesa:v1.0.0', host: admin.example.com, allow: [192.0.2.0/24]}\n";
    let delegated = "authentication: {method: none}\nmatrix_authentication_service: {endpoint: 'http://mas.internal.example.com:8080/', issuer: 'https://account.example.com/', allow: [192.0.2.10]}\n";
    let host = |more: &str| {
        let nginx = text(&rendered(&format!("{page}{more}")), "gateway", "/etc/nginx/nginx.conf");
        nginx[nginx.find("server_name admin.example.com;").expect("a host")..].to_owned()
    };
    let with = host(delegated);
    // nginx takes the first expression that matches.
    let theirs = with.find("(login|logout|refresh)(/|$)").expect("a route");
    assert!(theirs < with.find("(_synapse/admin|_matrix)").expect("Synapse"));
    assert!(with[theirs..].contains("proxy_pass http://$delegated;"));
    assert!(!with.contains("/_synapse/mas/"), "that is for the other service, under the usual name");
    assert!(!host("").contains("(login|logout|refresh)"));
}

#[test]
fn whoever_goes_to_an_address_is_shown_a_certificate() {
    let nginx = |server: &str| text(&common::deployment(&whole(&format!("{server}gateway: {{tls: files}}\n"))), "gateway", "/etc/nginx/nginx.conf");
    let address = "server: {server_name: 192.0.2.7, public_baseurl: 'https://192.0.2.7/'}\n";
    assert!(!nginx(address).contains("ssl_reject_handshake"));
    assert!(nginx("server: {server_name: example.com, public_baseurl: 'https://matrix.example.com/'}\n").contains("ssl_reject_handshake on;"));
}
