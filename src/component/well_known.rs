//! The documents under `/.well-known/matrix/` of the server name. Matrix specification: client-server API, "Server Discovery"
//! and "Server Support"; server-server API, "Resolving server names".

use serde_json::{Map, Value, json};

use super::{gateway, json_document};
use crate::checked::CheckedSite;
use crate::deployment::{Files, Network, Part, Service};
use crate::error::Result;
use crate::site::Site;
use crate::site::rtc::RtcSource;

/// The service.
pub(super) const SERVICE: &str = "well-known";
const CONFIG: &str = "/etc/nginx/well-known.conf";
const DIRECTORY: &str = "/etc/nginx/well-known";

/// The documents, and a second nginx of the gateway's image that serves them.
pub(super) fn resolve(checked: &CheckedSite<'_>) -> Result<Option<Part>> {
    let site = checked.site;
    let mut part = Part { well_known: documents(site)?, ..Part::default() };
    let names: Vec<&String> = part.well_known.keys().collect();
    let variables = json!({ "server_name": site.server.server_name, "documents": names, "directory": DIRECTORY });
    let config = gateway::template("well-known.conf", include_str!("well-known.conf.j2"), variables)?;
    for (name, content) in part.well_known.clone() {
        part.add(gateway::IMAGE, &format!("{DIRECTORY}/{name}"), content);
    }
    part.add(gateway::IMAGE, CONFIG, config);
    if site.well_known.serve {
        part.services.push(Service {
            name: SERVICE.to_owned(),
            image: gateway::IMAGE,
            command: vec!["run".to_owned(), SERVICE.to_owned()],
            role: Some((SERVICE.to_owned(), gateway::role(CONFIG, Vec::new()))),
            networks: vec![Network::Front],
            stop_signal: Some("SIGQUIT"),
            stop_grace_seconds: 10,
            ..Service::default()
        });
    }
    Ok(Some(part))
}

/// The documents that a site has, by file name.
fn documents(site: &Site) -> Result<Files> {
    let mut documents = Files::new();
    let mut add = |name: &str, content: &Value| json_document(name, content).map(|text| drop(documents.insert(name.to_owned(), text)));
    let (well_known, base_url) = (&site.well_known, &site.server.public_baseurl);
    if well_known.client {
        let mut client = Map::new();
        client.insert("m.homeserver".to_owned(), json!({ "base_url": base_url.without_slash() }));
        if let Some(url) = &site.registration.default_identity_server {
            client.insert("m.identity_server".to_owned(), json!({ "base_url": url.without_slash() }));
        }
        if let Some(service) = &site.matrix_authentication_service {
            client.insert("org.matrix.msc2965.authentication".to_owned(), json!({ "issuer": service.issuer, "account": service.account_page() }));
        }
        if let Some(url) = site.livekit_service_url() {
            client.insert("org.matrix.msc4143.rtc_foci".to_owned(), json!([{ "type": "livekit", "livekit_service_url": url }]));
        }
        client.extend(well_known.extra_client_content.clone());
        add("client", &Value::Object(client))?;
    }
    // The calls' authorisation service finds this server as another server would, to ask it who somebody is.
    if well_known.server && (site.listeners.federation || site.rtc.source != RtcSource::None) {
        let host = well_known.server_host.as_ref().map_or(base_url.host(), |host| host.as_str());
        let port = well_known.server_port.unwrap_or(base_url.port());
        let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
        add("server", &json!({ "m.server": format!("{host}:{port}") }))?;
    }
    let support = &well_known.support;
    if !support.contacts.is_empty() || support.support_page.is_some() {
        let mut content = Map::new();
        if !support.contacts.is_empty() {
            content.insert("contacts".to_owned(), json!(support.contacts));
        }
        if let Some(page) = &support.support_page {
            content.insert("support_page".to_owned(), json!(page));
        }
        add("support", &Value::Object(content))?;
    }
    Ok(documents)
}
