//! The gateway: nginx in front of Synapse, and a second one that serves the well-known documents. Rules for a proxy in front of
//! Synapse are from its documentation, "Using a reverse proxy"; the routes from [`crate::render::synapse::routes`].

pub mod delegation;

use std::net::IpAddr;

use minijinja::{Environment, UndefinedBehavior};
use serde_json::{Value, json};

use super::synapse::{self, routes};
use super::{Network, Rendered, Service, helpers, ports, rtc};
use crate::launch::{Health, Role, SCRATCH_DIR};
use crate::site::Site;
use crate::site::gateway::Tls;
use crate::site::load::Loaded;
use crate::site::rtc::RtcSource;

/// The image.
pub const IMAGE: &str = "gateway";
const WELL_KNOWN: &str = "well-known";
const CONFIG: &str = "/etc/nginx/nginx.conf";
const DOCUMENTS_CONFIG: &str = "/etc/nginx/well-known.conf";
const DOCUMENTS: &str = "/etc/nginx/well-known";
const ADMIN_UI: &str = "/etc/nginx/admin-ui";
/// Ports inside the container; a service that is not root has those above 1023.
const HTTP_PORT: u16 = 8080;
const HTTPS_PORT: u16 = 8443;
/// The largest body that Synapse takes where no media are uploaded: 200 events of 64 KiB (app/_base.py, max_request_body_size).
const JSON_LIMIT: u64 = 200 * 65_536;
/// Where container engines put their networks. When the gateway is published to the target itself only, whoever comes from
/// there is a proxy on the target.
pub const ENGINE_NETWORKS: [&str; 3] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

pub(super) fn render(loaded: &Loaded, rendered: &mut Rendered) {
    let site = &loaded.site;
    rendered.add(IMAGE, CONFIG, template("nginx.conf", include_str!("nginx.conf.j2"), variables(site)));
    if let Some(configuration) = helpers::page_configuration(site) {
        rendered.add(IMAGE, &format!("{ADMIN_UI}/config.json"), configuration.to_string() + "\n");
    }
    let names: Vec<String> = rendered.well_known.keys().cloned().collect();
    let documents = json!({ "server_name": site.server.server_name, "documents": names, "directory": DOCUMENTS });
    let config = template("well-known.conf", include_str!("well-known.conf.j2"), documents);
    for (name, content) in rendered.well_known.clone() {
        rendered.add(IMAGE, &format!("{DOCUMENTS}/{name}"), content);
    }
    rendered.add(IMAGE, DOCUMENTS_CONFIG, config);

    let role = |config: &str, secrets: Vec<String>| Role {
        secrets,
        writable: vec![SCRATCH_DIR.to_owned()],
        exec: ["nginx", "-e", "stderr", "-c", config].map(str::to_owned).to_vec(),
        health: Some(Health::Http { port: 8081, path: "/health".to_owned() }),
        ..Role::default()
    };
    if site.well_known.serve {
        rendered.services.push(Service {
            name: WELL_KNOWN.to_owned(),
            image: IMAGE,
            command: vec!["run".to_owned(), WELL_KNOWN.to_owned()],
            role: Some((WELL_KNOWN.to_owned(), role(DOCUMENTS_CONFIG, Vec::new()))),
            networks: vec![Network::Front],
            stop_signal: Some("SIGQUIT"),
            stop_grace_seconds: 10,
            ..Service::default()
        });
    }
    let secrets = match site.gateway.tls {
        Tls::Off => Vec::new(),
        Tls::Files => vec!["tls_certificate".to_owned(), "tls_certificate_key".to_owned()],
    };
    let mut main = role(CONFIG, secrets);
    if site.matrix_authentication_service.as_ref().is_some_and(|service| service.endpoint.is_https()) {
        main.trust = synapse::trust(site);
        for (path, content) in synapse::authority_files(loaded) {
            rendered.add(IMAGE, &path, content);
        }
    }
    let mut after = vec![synapse::SERVICE.to_owned()];
    after.extend(synapse::workers::generic(site));
    rendered.services.push(Service {
        name: IMAGE.to_owned(),
        image: IMAGE,
        command: vec!["run".to_owned(), IMAGE.to_owned()],
        role: Some((IMAGE.to_owned(), main)),
        networks: vec![Network::Edge, Network::Front],
        ports: published(site),
        after,
        stop_signal: Some("SIGQUIT"),
        stop_grace_seconds: 20,
        ..Service::default()
    });
}

fn published(site: &Site) -> Vec<String> {
    let ports = ports::all(site);
    let inside = |port: &ports::Port| if port.option == "gateway.http_port" { HTTP_PORT } else { HTTPS_PORT };
    ports.iter().filter(|port| port.service == IMAGE).map(|port| port.published(Some(inside(port)))).collect()
}

fn variables(site: &Site) -> Value {
    let (server, gateway) = (&site.server, &site.gateway);
    let (matrix, serve) = (server.public_baseurl.host(), site.well_known.serve);
    let host = |name: &&str| {
        json!({
            "name": name,
            "matrix": *name == matrix,
            "well_known": serve && *name == server.server_name.host(),
            "rtc": site.rtc_host() == Some(*name),
            "admin": false,
            "delegated": delegation::passed(site, name, *name == matrix),
        })
    };
    let mut names = people(site);
    let mut hosts: Vec<Value> = names.iter().map(host).collect();
    if let Some(page) = &site.admin_ui {
        hosts.push(json!({ "name": page.host, "matrix": false, "well_known": false, "rtc": false, "admin": true, "allow": page.allow, "delegated": delegation::passed(site, page.host.as_str(), true) }));
        names.push(page.host.as_str());
    }
    let workers = synapse::workers::generic(site);
    let groups: Vec<Value> = routes::GENERIC
        .iter()
        .filter(|group| site.listeners.federation || !group.federation)
        .map(|group| json!({ "name": group.name, "variable": variable(group), "paths": group.paths }))
        .collect();
    let trusted: Vec<&str> = match gateway.trusted_proxies.as_slice() {
        [] if gateway.tls == Tls::Off && gateway.is_local() => ENGINE_NETWORKS.to_vec(),
        networks => networks.iter().map(|network| network.as_str()).collect(),
    };
    json!({
        "server_name": server.server_name.as_str(),
        "scheme": if server.public_baseurl.is_https() { "https" } else { "http" },
        "tls": gateway.tls == Tls::Files,
        "http_port": HTTP_PORT,
        "https_port": HTTPS_PORT,
        "redirect_port": if gateway.https_port == 443 { String::new() } else { format!(":{}", gateway.https_port) },
        "trusted_proxies": trusted,
        // By default there is one proxy. Were its own clients' networks skipped, people on a private network could name any address.
        "several_proxies": !gateway.trusted_proxies.is_empty(),
        "federation": site.listeners.federation,
        "web_client": server.web_client_location.is_some(),
        "compress": site.listeners.compress,
        "hosts": hosts,
        // Who goes to an address names nobody before the certificate is shown (RFC 6066, section 3).
        "names_only": names.iter().all(|name| name.trim_matches(['[', ']']).parse::<IpAddr>().is_err()),
        "names": names,
        // Exactly Synapse's own. For nginx 0 means no limit; and it reads signed numbers.
        "upload_limit": site.media.max_upload_size.bytes().clamp(1, i64::MAX.unsigned_abs()),
        "json_limit": JSON_LIMIT,
        "main": synapse::SERVICE,
        "port": synapse::PORT,
        "well_known": WELL_KNOWN,
        "rtc": rtc_variables(site),
        "admin_ui": site.admin_ui.as_ref().map(|page| json!({
            "service": helpers::ADMIN_UI,
            "port": page.port,
            "directory": ADMIN_UI,
        })),
        "delegation": delegation::variables(site),
        "workers": !workers.is_empty(),
        "balances": [("by_device", "$device"), ("by_room", "$room"), ("by_origin", "$remote_addr"), ("any", "$request_id")],
        "shares": shares(&workers),
        "groups": groups,
    })
}

/// The host names that people, clients and other servers come to.
fn people(site: &Site) -> Vec<&str> {
    let mut names = vec![site.server.public_baseurl.host()];
    let served = Some(site.server.server_name.host()).filter(|_| site.well_known.serve);
    for name in served.into_iter().chain(site.rtc_host()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn rtc_variables(site: &Site) -> Value {
    json!({
        "bundled": site.rtc_host().is_some(),
        // An island answers this one question of the federation API: who somebody is.
        "openid": site.rtc.source != RtcSource::None && !site.listeners.federation,
        "authorisation": rtc::AUTHORISATION,
        "authorisation_port": rtc::AUTHORISATION_PORT,
        "livekit": rtc::LIVEKIT,
        "signal_port": rtc::SIGNAL_PORT,
    })
}

fn variable(group: &routes::Group) -> &'static str {
    match group.balance {
        _ if group.get_only => "by_method",
        routes::Balance::Token => "by_device",
        routes::Balance::Room => "by_room",
        routes::Balance::Origin => "by_origin",
        routes::Balance::Any => "any",
    }
}

/// Equal shares in hundredths of a percent, the last one taking the rest.
fn shares(workers: &[String]) -> Vec<(String, &String)> {
    let each = 10_000 / workers.len().max(1);
    let last = workers.len().saturating_sub(1);
    workers.iter().enumerate().map(|(at, worker)| (if at == last { "*".to_owned() } else { format!("{}.{:02}%", each / 100, each % 100) }, worker)).collect()
}

/// Fills a template of this room. The templates are part of the program, and every variable is given: a failure is a mistake
/// in them that the tests of this room find, and shows as a configuration that nginx refuses.
fn template(name: &str, source: &str, variables: Value) -> String {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    match environment.render_named_str(name, source, minijinja::value::Serde(variables)) {
        Ok(text) => text.trim_end().to_owned() + "\n",
        Err(error) => format!("# {error:#}\n"),
    }
}
