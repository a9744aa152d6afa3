//! The gateway: nginx in front of Synapse. Rules for a proxy in front of
//! Synapse are from its documentation, "Using a reverse proxy"; the routes from [`crate::component::synapse::routes`].

pub mod delegation;

use std::net::IpAddr;

use minijinja::{Environment, UndefinedBehavior};
use serde_json::{Value, json};

use super::synapse::{self, routes};
use super::{admin_ui, authorities, livekit, well_known};
use crate::checked::{CheckedSite, Rtc};
use crate::deployment::{Facts, Network, Part, Port, Service, Transport};
use crate::error::{Error, Result};
use crate::launch::{Health, Make, Role, SCRATCH_DIR, Secret};
use crate::site::Site;
use crate::site::gateway::{Gateway, Tls};

/// The image.
pub const IMAGE: &str = "gateway";
const CONFIG: &str = "/etc/nginx/nginx.conf";
const CERTIFICATE: &str = "tls_certificate";
const CERTIFICATE_KEY: &str = "tls_certificate_key";
/// Ports inside the container; a service that is not root has those above 1023.
const HTTP_PORT: u16 = 8080;
const HTTPS_PORT: u16 = 8443;
/// The largest body that Synapse takes where no media are uploaded: 200 events of 64 KiB (app/_base.py, max_request_body_size).
const JSON_LIMIT: u64 = 200 * 65_536;

pub(super) fn resolve(checked: &CheckedSite<'_>, facts: &Facts) -> Result<Part> {
    let site = checked.site;
    let mut part = Part::default();
    part.add(IMAGE, CONFIG, template("nginx.conf", include_str!("nginx.conf.j2"), variables(checked, facts))?);
    let mut secrets = Vec::new();
    if site.gateway.tls == Tls::Files {
        part.secrets.push(Secret::new(CERTIFICATE, "the gateway's certificate with its chain, PEM", Make::Bring));
        part.secrets.push(Secret::new(CERTIFICATE_KEY, "the private key of the gateway's certificate, PEM", Make::Bring));
        secrets.extend([CERTIFICATE.to_owned(), CERTIFICATE_KEY.to_owned()]);
    }
    let mut role = role(CONFIG, secrets);
    if site.matrix_authentication_service.as_ref().is_some_and(|service| service.endpoint.is_https()) {
        role.trust = authorities::trust(site);
        authorities::add(checked, IMAGE, &mut part);
    }
    let mut after = vec![synapse::SERVICE.to_owned()];
    after.extend(synapse::workers::generic(site));
    part.services.push(Service {
        name: IMAGE.to_owned(),
        image: IMAGE,
        command: vec!["run".to_owned(), IMAGE.to_owned()],
        role: Some((IMAGE.to_owned(), role)),
        networks: vec![Network::Edge, Network::Front],
        ports: ports(&site.gateway),
        after,
        stop_signal: Some("SIGQUIT"),
        stop_grace_seconds: 20,
        ..Service::default()
    });
    Ok(part)
}

/// An nginx with that configuration.
pub(super) fn role(config: &str, secrets: Vec<String>) -> Role {
    Role {
        secrets,
        writable: vec![SCRATCH_DIR.to_owned()],
        exec: ["nginx", "-e", "stderr", "-c", config].map(str::to_owned).to_vec(),
        health: Some(Health::Http { port: 8081, path: "/health".to_owned() }),
        ..Role::default()
    }
}

pub(super) fn ports(gateway: &Gateway) -> Vec<Port> {
    // Behind another proxy the gateway is for the target itself.
    let address = gateway.bind_address.as_ref().map(ToString::to_string).or_else(|| (gateway.tls == Tls::Off).then(|| "127.0.0.1".to_owned()));
    let port = |option, number, inside, purpose| Port {
        service: IMAGE,
        option,
        address: address.clone(),
        first: number,
        last: number,
        transport: Transport::Tcp,
        purpose,
        inside: Some(inside),
    };
    let purpose = if gateway.tls == Tls::Off { "HTTP, for the proxy in front" } else { "HTTP, redirects to HTTPS" };
    let mut ports = vec![port("gateway.http_port", gateway.http_port, HTTP_PORT, purpose)];
    if gateway.tls == Tls::Files {
        ports.push(port("gateway.https_port", gateway.https_port, HTTPS_PORT, "HTTPS: clients and other servers"));
        ports.extend(gateway.federation_port.map(|number| port("gateway.federation_port", number, HTTPS_PORT, "HTTPS: other servers")));
    }
    ports
}

fn variables(checked: &CheckedSite<'_>, facts: &Facts) -> Value {
    let site = checked.site;
    let (server, gateway) = (&site.server, &site.gateway);
    let rtc_host = match checked.rtc {
        Rtc::Bundled { host, .. } => Some(host),
        Rtc::None | Rtc::External => None,
    };
    let (matrix, serve) = (server.public_baseurl.host(), site.well_known.serve);
    let host = |name: &&str| {
        json!({
            "name": name,
            "matrix": *name == matrix,
            "well_known": serve && *name == server.server_name.host(),
            "rtc": rtc_host == Some(*name),
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
        [] if gateway.tls == Tls::Off && gateway.is_local() => facts.networks.to_vec(),
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
        "well_known": well_known::SERVICE,
        "rtc": rtc_variables(checked),
        "admin_ui": site.admin_ui.as_ref().map(|page| json!({
            "service": admin_ui::SERVICE,
            "port": page.port,
            "directory": admin_ui::DIRECTORY,
        })),
        "delegation": delegation::variables(site, facts),
        "resolver": facts.resolver,
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

fn rtc_variables(checked: &CheckedSite<'_>) -> Value {
    json!({
        "bundled": matches!(checked.rtc, Rtc::Bundled { .. }),
        // An island answers this one question of the federation API: who somebody is.
        "openid": !matches!(checked.rtc, Rtc::None) && !checked.site.listeners.federation,
        "authorisation": livekit::AUTHORISATION,
        "authorisation_port": livekit::AUTHORISATION_PORT,
        "livekit": livekit::LIVEKIT,
        "signal_port": livekit::SIGNAL_PORT,
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

/// Fills a template of nginx. The templates are part of the program, and every variable is given.
///
/// # Errors
/// [`Error::Environment`] for a mistake in the template.
pub(super) fn template(name: &str, source: &str, variables: Value) -> Result<String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let text = environment.render_named_str(name, source, minijinja::value::Serde(variables)).map_err(|error| Error::mistake(format!("{error:#}")))?;
    Ok(text.trim_end().to_owned() + "\n")
}
