//! The administrators' page, Ketesa, from an image of others. It has no secret.

use serde_json::{Value, json};

use super::gateway;
use crate::checked::CheckedSite;
use crate::deployment::{ExternalImage, Network, Part, Service};
use crate::site::Site;

/// The service.
pub(super) const SERVICE: &str = "admin-ui";
/// Where the gateway has the page's configuration.
pub(super) const DIRECTORY: &str = "/etc/nginx/admin-ui";

pub(super) fn resolve(checked: &CheckedSite<'_>) -> Option<Part> {
    let page = checked.site.admin_ui.as_ref()?;
    let mut part = Part::default();
    part.add(gateway::IMAGE, &format!("{DIRECTORY}/config.json"), page_configuration(checked.site, page.host.as_str()).to_string() + "\n");
    part.services.push(Service {
        name: SERVICE.to_owned(),
        image: SERVICE,
        external: Some(ExternalImage { reference: page.image.to_string(), user: Some(10008) }),
        networks: vec![Network::Front],
        stop_grace_seconds: 10,
        ..Service::default()
    });
    Some(part)
}

/// The page's own configuration: it talks to this server, under its own name, and to no other. The well-known document names the
/// public address, where there is no admin API, so it is not to be asked (Ketesa, docs/well-known-discovery.md).
fn page_configuration(site: &Site, host: &str) -> Value {
    let base = &site.server.public_baseurl;
    let scheme = if base.is_https() { "https" } else { "http" };
    let usual = if base.is_https() { 443 } else { 80 };
    let port = if base.port() == usual { String::new() } else { format!(":{}", base.port()) };
    json!({ "restrictBaseUrl": format!("{scheme}://{host}{port}"), "wellKnownDiscovery": false })
}
