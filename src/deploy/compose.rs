//! The compose manifest. It keeps to what both Compose v2 and the Compose 1.29 of Debian 12 accept (no top-level `name`), and to the
//! Compose Specification without a `version`. Start order is a courtesy here: every process waits by itself for what it
//! needs (`launch`), because nothing enforces an order when a target boots.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::launch::{RUN_DIR, SCRATCH_DIR, Secret};
use crate::render::{Network, Rendered, Service, TARGET, yaml};
use crate::site::Site;

/// The directory beside the manifest with the files of images that were not built here.
pub const BESIDE: &str = "services";
/// The entry point inside every container that has a plan.
const LAUNCH: &str = "/launch";

/// What the manifest has to know about an image.
#[derive(Debug, Clone)]
pub struct ImageFacts {
    /// The full name with its tag.
    pub reference: String,
    /// The numeric user and group that services run as.
    pub user: u32,
}

/// Writes the manifest.
pub fn manifest(site: &Site, rendered: &Rendered, images: &BTreeMap<String, ImageFacts>) -> String {
    let mut services: Map<String, Value> =
        rendered.services.iter().filter_map(|service| Some((service.name.clone(), definition(site, service, &image(service, images)?, rendered)))).collect();
    if let Some(image) = images.get(crate::render::synapse::IMAGE) {
        services.insert("secrets".to_owned(), secrets_service(site, image));
    }
    let volumes: Map<String, Value> = rendered.services.iter().flat_map(|service| &service.volumes).map(|(name, _)| ((*name).to_owned(), json!({}))).collect();
    let networks: Map<String, Value> = [Network::Edge, Network::Front, Network::Back, Network::Outbound]
        .into_iter()
        .map(|network| (network.name().to_owned(), if network.is_internal() { json!({ "internal": true }) } else { json!({}) }))
        .collect();
    let secrets: Map<String, Value> =
        rendered.secrets.iter().map(|secret| (secret.name.clone(), json!({ "file": format!("./secrets/{}", secret.name) }))).collect();
    let manifest = json!({ "services": services, "volumes": volumes, "networks": networks, "secrets": secrets });
    yaml::document(&head(site), &manifest)
}

/// The `.env` beside the manifest, which Compose reads by itself. Volumes carry the project's name: were it that of the directory,
/// as it is without this file, the same site in a directory of another name would begin anew, empty.
pub fn environment(site: &Site) -> String {
    let name = site.deployment.project(&site.server.server_name);
    format!("# The name of this site's project, and so of its volumes, wherever this directory lies.\nCOMPOSE_PROJECT_NAME={name}\n")
}

fn head(site: &Site) -> String {
    format!(
        "The Matrix site {}, written by synapse-site. Change the description and build again.\n\
         \n\
         docker load -i images.tar\n\
         synapse-site secrets init .    (or: docker compose run --rm secrets)\n\
         docker compose up -d --remove-orphans\n\
         docker compose run --rm admin",
        site.server.server_name
    )
}

/// The image that a service runs, and as whom.
fn image(service: &Service, images: &BTreeMap<String, ImageFacts>) -> Option<ImageFacts> {
    match &service.from {
        Some(from) => Some(ImageFacts { reference: from.reference.clone(), user: from.user.unwrap_or(0) }),
        None => images.get(service.image).cloned(),
    }
}

fn definition(site: &Site, service: &Service, image: &ImageFacts, rendered: &Rendered) -> Value {
    let mut tmpfs = vec![format!("{SCRATCH_DIR}:mode=1777,size=256m")];
    if service.from.is_none() || service.role.is_some() {
        tmpfs.push(format!("{RUN_DIR}:mode=0700,uid={0},gid={0},size=16m", image.user));
    }
    tmpfs.extend(service.tmpfs.iter().map(|path| format!("{path}:mode=0700,uid={0},gid={0},size=16m", image.user)));
    let mut definition = json!({
        "image": image.reference,
        "read_only": true,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "tmpfs": tmpfs,
        "networks": service.networks.iter().map(|network| network.name()).collect::<Vec<_>>(),
        "stop_grace_period": format!("{}s", service.stop_grace_seconds),
        "logging": log_rotation(site),
    });
    if !service.command.is_empty() {
        definition["command"] = json!(service.command);
    }
    match service.profile {
        // Asked for by hand, runs once.
        Some(profile) => definition["profiles"] = json!([profile]),
        None => definition["restart"] = json!("unless-stopped"),
    }
    let mut secrets: Vec<&String> = service.secrets.iter().collect();
    if let Some((name, role)) = &service.role {
        secrets.extend(&role.secrets);
        definition["healthcheck"] = json!({
            "test": ["CMD", LAUNCH, "health", name],
            "interval": "5s",
            "timeout": "10s",
            "retries": 3,
            // A first start makes a database and its schema.
            "start_period": "120s",
        });
    }
    secrets.sort();
    secrets.dedup();
    if !secrets.is_empty() {
        definition["secrets"] = json!(secrets);
    }
    let mut volumes: Vec<String> = service.volumes.iter().map(|(name, path)| format!("{name}:{path}")).collect();
    volumes.extend(service.binds.iter().map(|path| format!("{path}:{path}")));
    if let Some(from) = &service.from {
        if let Some(user) = from.user {
            definition["user"] = json!(format!("{user}:{user}"));
        }
        if service.role.is_some() {
            definition["entrypoint"] = json!([LAUNCH]);
            volumes.push(format!("./{BESIDE}/launch:{LAUNCH}:ro"));
        }
        let files = rendered.images.get(service.image).into_iter().flatten();
        volumes.extend(files.map(|(path, _)| format!("./{BESIDE}/{}{path}:{path}:ro", service.image)));
    }
    if !volumes.is_empty() {
        definition["volumes"] = json!(volumes);
    }
    if rendered.asks_target(service) {
        definition["extra_hosts"] = json!([format!("{TARGET}:host-gateway")]);
    }
    if !service.ports.is_empty() {
        definition["ports"] = json!(service.ports);
    }
    if !service.after.is_empty() {
        let after: Map<String, Value> = service.after.iter().map(|name| (name.clone(), json!({ "condition": "service_started" }))).collect();
        definition["depends_on"] = Value::Object(after);
    }
    if let Some(signal) = service.stop_signal {
        definition["stop_signal"] = json!(signal);
    }
    if service.init {
        definition["init"] = json!(true);
    }
    if let Some(size) = service.shm_size {
        definition["shm_size"] = json!(size);
    }
    definition
}

/// Makes the secrets on a target that does not have this program.
fn secrets_service(site: &Site, image: &ImageFacts) -> Value {
    json!({
        "image": image.reference,
        "command": ["secrets", "init", "/secrets"],
        "profiles": ["setup"],
        "user": "0:0",
        "read_only": true,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "network_mode": "none",
        "volumes": ["./secrets:/secrets"],
        "logging": log_rotation(site),
    })
}

fn log_rotation(site: &Site) -> Value {
    json!({ "driver": "json-file", "options": { "max-size": format!("{}m", site.logging.max_size_mb), "max-file": "5" } })
}

/// The files of `secrets.example/`: a page for people. No values.
pub fn secrets_page(site: &Site, secrets: &[Secret]) -> String {
    use crate::launch::Make;
    let mut page = format!(
        "The secrets of {}\n\nEach is a file in secrets/ beside compose.yaml; `synapse-site secrets init .` makes those that can be made.\n\
         The directory has mode 0700, the files 0444: containers read them, other users of the host do not reach them.\n\n",
        site.server.server_name
    );
    let widest = secrets.iter().map(|secret| secret.name.len()).max().unwrap_or(0);
    for secret in secrets {
        let origin = match secret.make {
            Make::Bring => "you bring it",
            Make::Random | Make::Password | Make::SigningKey => "made",
        };
        page.push_str(&format!("{:widest$}  {origin:12}  {}\n", secret.name, secret.purpose));
    }
    page
}
