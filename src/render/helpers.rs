//! Draupnir and the administrators' page, from images of others. Neither needs `launch`: the bot reads its token from a file, and the
//! page has no secret.

use serde_json::{Value, json};

use super::{Foreign, Network, Rendered, Service, synapse, yaml};
use crate::launch::SECRETS_DIR;
use crate::site::Site;

/// The bot's service and the directory of its files.
pub const DRAUPNIR: &str = "draupnir";
/// The page's service.
pub const ADMIN_UI: &str = "admin-ui";
/// Options of the bot that follow from the description.
/// (`initialManager` beside `managementRoom` keeps Draupnir 3.1 from starting.)
pub const DRAUPNIR_OWNED: &[&str] = &["homeserverUrl", "rawHomeserverUrl", "accessToken", "dataPath", "managementRoom", "initialManager"];

pub(super) fn render(site: &Site, rendered: &mut Rendered) {
    if let Some(draupnir) = &site.draupnir {
        // Straight to Synapse: the admin API, which the bot needs, is not behind the gateway.
        let server = format!("http://{}:{}", synapse::SERVICE, synapse::PORT);
        let mut config = json!({
            "homeserverUrl": server,
            "rawHomeserverUrl": server,
            "dataPath": "/data/storage",
            "managementRoom": draupnir.management_room,
            "autojoinOnlyIfManager": true,
        });
        for (name, value) in &draupnir.settings {
            config[name] = value.clone();
        }
        let path = "/etc/draupnir/production.yaml";
        let about = "Draupnir's configuration, written by synapse-site. The access token is read from a file.";
        rendered.add(DRAUPNIR, path, yaml::document(about, &config));
        let command = ["bot", "--draupnir-config", path, "--access-token-path"].map(str::to_owned);
        rendered.services.push(Service {
            name: DRAUPNIR.to_owned(),
            image: DRAUPNIR,
            from: Some(Foreign { reference: draupnir.image.to_string(), user: None }),
            command: command.into_iter().chain([format!("{SECRETS_DIR}/draupnir_access_token")]).collect(),
            volumes: vec![("draupnir", "/data".to_owned())],
            // No way out: it reads policy lists of other servers' rooms through Synapse.
            networks: vec![Network::Front],
            secrets: vec!["draupnir_access_token".to_owned()],
            after: vec![synapse::SERVICE.to_owned()],
            stop_grace_seconds: 20,
            ..Service::default()
        });
    }
    if let Some(page) = &site.admin_ui {
        rendered.services.push(Service {
            name: ADMIN_UI.to_owned(),
            image: ADMIN_UI,
            from: Some(Foreign { reference: page.image.to_string(), user: Some(10008) }),
            networks: vec![Network::Front],
            stop_grace_seconds: 10,
            ..Service::default()
        });
    }
}

/// The page's own configuration: it talks to this server, under its own name, and to no other. The well-known document names the
/// public address, where there is no admin API, so it is not to be asked (Ketesa, docs/well-known-discovery.md).
pub(super) fn page_configuration(site: &Site) -> Option<Value> {
    let page = site.admin_ui.as_ref()?;
    let base = &site.server.public_baseurl;
    let scheme = if base.is_https() { "https" } else { "http" };
    let usual = if base.is_https() { 443 } else { 80 };
    let port = if base.port() == usual { String::new() } else { format!(":{}", base.port()) };
    Some(json!({ "restrictBaseUrl": format!("{scheme}://{}{port}", page.host), "wellKnownDiscovery": false }))
}
