//! Draupnir and the administrators' page, from images of others. Neither needs `launch`: the bot reads its token from a file, and the
//! page has no secret.

use serde_json::{Value, json};

use super::secrets::{path, reference};
use super::{Foreign, Network, Rendered, Service, synapse, yaml};
use crate::site::Site;
use crate::site::helpers::Draupnir;

/// The bot's service and the directory of its files.
pub const DRAUPNIR: &str = "draupnir";
/// The page's service.
pub const ADMIN_UI: &str = "admin-ui";
/// The bot's configuration.
const CONFIG: &str = "/etc/draupnir/production.yaml";
/// Options of the bot that follow from the description.
/// (`initialManager` beside `managementRoom` keeps Draupnir 3.1 from starting.)
pub const DRAUPNIR_OWNED: &[&str] = &["homeserverUrl", "rawHomeserverUrl", "accessToken", "dataPath", "managementRoom", "initialManager"];

/// What the bot's settings say for the password of its antispam endpoint, the one of them that Draupnir can read from a file
/// (`--http-antispam-authorization-path`, apps/draupnir/src/config.ts).
pub fn antispam_authorization(draupnir: &Draupnir) -> Option<&Value> {
    draupnir.settings.get("web")?.get("synapseHTTPAntispam")?.get("authorization")
}

/// The secret that it names.
pub(super) fn antispam_secret(site: &Site) -> Option<&str> {
    site.draupnir.as_ref().and_then(antispam_authorization).and_then(reference)?.ok()
}

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
        let mut command = vec!["bot".to_owned(), "--draupnir-config".to_owned(), CONFIG.to_owned()];
        let mut secrets = vec!["draupnir_access_token".to_owned()];
        command.extend(["--access-token-path".to_owned(), path("draupnir_access_token")]);
        if let Some(name) = antispam_secret(site) {
            if let Some(block) = config["web"]["synapseHTTPAntispam"].as_object_mut() {
                block.remove("authorization");
            }
            command.extend(["--http-antispam-authorization-path".to_owned(), path(name)]);
            if !secrets.iter().any(|known| known == name) {
                secrets.push(name.to_owned());
            }
        }
        let about = "Draupnir's configuration, written by synapse-site. The access token is read from a file.";
        rendered.add(DRAUPNIR, CONFIG, yaml::document(about, &config));
        rendered.services.push(Service {
            name: DRAUPNIR.to_owned(),
            image: DRAUPNIR,
            from: Some(Foreign { reference: draupnir.image.to_string(), user: None }),
            command,
            volumes: vec![("draupnir", "/data".to_owned())],
            // No way out: it reads policy lists of other servers' rooms through Synapse.
            networks: vec![Network::Front],
            secrets,
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
