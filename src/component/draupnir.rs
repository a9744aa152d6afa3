//! Draupnir, from an image of others. It does not need `launch`: the bot reads its token from a file.

use serde_json::{Value, json};

use super::synapse;
use crate::checked::CheckedSite;
use crate::deployment::{ExternalImage, Network, Part, Service};
use crate::launch::{Make, Secret, secret_path};
use crate::site::draupnir::Draupnir;
use crate::site::secret::reference;
use crate::yaml;

/// The bot's service and the directory of its files.
pub const DRAUPNIR: &str = "draupnir";
/// The secret with the token of its account.
const TOKEN: &str = "draupnir_access_token";
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
fn antispam_secret(draupnir: &Draupnir) -> Option<&str> {
    antispam_authorization(draupnir).and_then(reference)?.ok()
}

pub(super) fn resolve(checked: &CheckedSite<'_>) -> Option<Part> {
    let draupnir = checked.site.draupnir.as_ref()?;
    let mut part = Part { secrets: vec![Secret::new(TOKEN, "the access token of Draupnir's account", Make::Bring)], ..Part::default() };
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
    let mut secrets = vec![TOKEN.to_owned()];
    command.extend(["--access-token-path".to_owned(), secret_path(TOKEN)]);
    if let Some(name) = antispam_secret(draupnir) {
        if let Some(block) = config["web"]["synapseHTTPAntispam"].as_object_mut() {
            block.remove("authorization");
        }
        command.extend(["--http-antispam-authorization-path".to_owned(), secret_path(name)]);
        if name != TOKEN {
            part.named_secrets.push(Secret::new(name, "what Synapse's antispam module shows to Draupnir", Make::Bring));
            secrets.push(name.to_owned());
        }
    }
    let about = "Draupnir's configuration, written by synapse-site. The access token is read from a file.";
    part.add(DRAUPNIR, CONFIG, yaml::document(about, &config));
    part.services.push(Service {
        name: DRAUPNIR.to_owned(),
        image: DRAUPNIR,
        external: Some(ExternalImage { reference: draupnir.image.to_string(), user: None }),
        command,
        volumes: vec![("draupnir", "/data".to_owned())],
        // No way out: it reads policy lists of other servers' rooms through Synapse.
        networks: vec![Network::Front],
        secrets,
        after: vec![synapse::SERVICE.to_owned()],
        stop_grace_seconds: 20,
        ..Service::default()
    });
    Some(part)
}
