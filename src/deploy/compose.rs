//! The compose manifest. It keeps to what both Compose v2 and the Compose 1.29 of Debian 12 accept (no top-level `name`), and to the
//! Compose Specification without a `version`. Start order is a courtesy here: every process waits by itself for what it
//! needs (`launch`), because nothing enforces an order when a target boots.

use serde_json::{Map, Value, json};

use super::{BESIDE, Commands, ImageFacts, Images, Target};
use crate::deployment::{Deployment, Facts, Files, Network, Port, Service, Transport};
use crate::error::{Error, Result};
use crate::launch::{RUN_DIR, SCRATCH_DIR};
use crate::yaml;

/// The entry point inside every container that has a plan.
const LAUNCH: &str = "/launch";

/// The manifest's name.
const MANIFEST: &str = "compose.yaml";

/// What Compose reads beside it.
const ENVIRONMENT: &str = ".env";

/// Docker with Compose, on one machine.
#[derive(Debug, Clone, Copy)]
pub struct Compose;

impl Target for Compose {
    fn facts(&self) -> Facts {
        Facts::DOCKER
    }

    fn files(&self, deployment: &Deployment, images: &Images) -> Result<Files> {
        let manifest = manifest(deployment, images)?;
        Ok(Files::from([(MANIFEST.to_owned(), manifest.into_bytes()), (ENVIRONMENT.to_owned(), environment(deployment).into_bytes())]))
    }

    fn names(&self) -> &'static [&'static str] {
        &[MANIFEST, ENVIRONMENT]
    }

    fn commands(&self) -> Commands {
        Commands {
            load: "docker load -i images.tar".to_owned(),
            make_secrets: "docker compose run --rm secrets".to_owned(),
            start: "docker compose up -d --remove-orphans".to_owned(),
            pull: "docker compose pull".to_owned(),
        }
    }

    fn run_job(&self, job: &str) -> String {
        format!("docker compose run --rm {job}")
    }
}

/// Writes the manifest.
///
/// # Errors
/// [`Error::Environment`] if an image of a service is not among those that were built.
pub fn manifest(deployment: &Deployment, images: &Images) -> Result<String> {
    let mut services = Map::new();
    for service in &deployment.services {
        services.insert(service.name.clone(), definition(service, &image(service, images)?, deployment));
    }
    if let Some(keeper) = deployment.keeper {
        services.insert("secrets".to_owned(), secrets_service(deployment, &ours("secrets", keeper, images)?));
    }
    let volumes: Map<String, Value> =
        deployment.services.iter().flat_map(|service| &service.volumes).map(|(name, _)| ((*name).to_owned(), json!({}))).collect();
    let networks: Map<String, Value> = Network::ALL
        .into_iter()
        .map(|network| (network.name().to_owned(), if network.is_internal() { json!({ "internal": true }) } else { json!({}) }))
        .collect();
    let secrets: Map<String, Value> =
        deployment.secrets.iter().map(|secret| (secret.name.clone(), json!({ "file": format!("./secrets/{}", secret.name) }))).collect();
    let manifest = json!({ "services": services, "volumes": volumes, "networks": networks, "secrets": secrets });
    Ok(yaml::document(&head(deployment), &manifest))
}

/// The `.env` beside the manifest, which Compose reads by itself. Volumes carry the project's name: were it that of the directory,
/// as it is without this file, the same site in a directory of another name would begin anew, empty.
pub fn environment(deployment: &Deployment) -> String {
    let name = &deployment.project;
    format!("# The name of this site's project, and so of its volumes, wherever this directory lies.\nCOMPOSE_PROJECT_NAME={name}\n")
}

fn head(deployment: &Deployment) -> String {
    let Commands { load, make_secrets, start, .. } = Compose.commands();
    let jobs = deployment.services.iter().filter(|service| service.is_job).map(|job| format!("\n{}", Compose.run_job(&job.name)));
    format!(
        "The Matrix site {}, written by synapse-site. Change the description and build again.\n\
         \n\
         {load}\n\
         synapse-site secrets init .    (or: {make_secrets})\n\
         {start}{}",
        deployment.server_name,
        jobs.collect::<String>()
    )
}

/// The image that a service runs, and as whom.
fn image(service: &Service, images: &Images) -> Result<ImageFacts> {
    match &service.external {
        Some(external) => Ok(ImageFacts { reference: external.reference.clone(), user: external.user.unwrap_or(0) }),
        None => ours(&service.name, service.image, images),
    }
}

fn ours(service: &str, image: &str, images: &Images) -> Result<ImageFacts> {
    images.get(image).cloned().ok_or_else(|| {
        Error::environment(
            format!("the service {service} needs the image {image}, which is not among those that were built"),
            "name the directory images/ of this version with --images",
        )
    })
}

fn definition(service: &Service, image: &ImageFacts, deployment: &Deployment) -> Value {
    let mut tmpfs = vec![format!("{SCRATCH_DIR}:mode=1777,size=256m")];
    if service.external.is_none() || service.role.is_some() {
        tmpfs.push(format!("{RUN_DIR}:mode=0700,uid={0},gid={0},size=16m", image.user));
    }
    tmpfs.extend(service.in_memory.iter().map(|path| format!("{path}:mode=0700,uid={0},gid={0},size=16m", image.user)));
    let mut definition = json!({
        "image": image.reference,
        "read_only": true,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "tmpfs": tmpfs,
        "networks": service.networks.iter().map(|network| network.name()).collect::<Vec<_>>(),
        "stop_grace_period": format!("{}s", service.stop_grace_seconds),
        "logging": log_rotation(deployment),
    });
    if !service.command.is_empty() {
        definition["command"] = json!(service.command);
    }
    // What runs once is asked for by hand, by the name of its profile.
    if service.is_job {
        definition["profiles"] = json!([service.name]);
    } else {
        definition["restart"] = json!("unless-stopped");
    }
    if let Some((name, _)) = &service.role {
        definition["healthcheck"] = json!({
            "test": ["CMD", LAUNCH, "health", name],
            "interval": "5s",
            "timeout": "10s",
            "retries": 3,
            // A first start makes a database and its schema.
            "start_period": "120s",
        });
    }
    let secrets = service.reads();
    if !secrets.is_empty() {
        definition["secrets"] = json!(secrets);
    }
    let mut volumes: Vec<String> = service.volumes.iter().map(|(name, path)| format!("{name}:{path}")).collect();
    volumes.extend(service.directories.iter().map(|path| format!("{path}:{path}")));
    if let Some(external) = &service.external {
        if let Some(user) = external.user {
            definition["user"] = json!(format!("{user}:{user}"));
        }
        if service.role.is_some() {
            definition["entrypoint"] = json!([LAUNCH]);
            volumes.push(format!("./{BESIDE}/launch:{LAUNCH}:ro"));
        }
        let files = deployment.images.get(service.image).into_iter().flatten();
        volumes.extend(files.map(|(path, _)| format!("./{BESIDE}/{}{path}:{path}:ro", service.image)));
    }
    if !volumes.is_empty() {
        definition["volumes"] = json!(volumes);
    }
    if deployment.asks_target(service) {
        definition["extra_hosts"] = json!([format!("{}:host-gateway", deployment.facts.own_name)]);
    }
    if !service.ports.is_empty() {
        definition["ports"] = json!(service.ports.iter().map(published).collect::<Vec<_>>());
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
    if let Some(size) = service.shared_memory_megabytes {
        definition["shm_size"] = json!(format!("{size}m"));
    }
    definition
}

/// A port as the manifest has it.
fn published(port: &Port) -> String {
    let address = match &port.address {
        Some(address) if address.contains(':') => format!("[{address}]:"),
        Some(address) => format!("{address}:"),
        None => String::new(),
    };
    let transport = match port.transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    };
    match port.inside {
        Some(inside) => format!("{address}{}:{inside}", port.numbers()),
        None => format!("{address}{0}:{0}/{transport}", port.numbers()),
    }
}

/// Makes the secrets on a target that does not have this program.
fn secrets_service(deployment: &Deployment, image: &ImageFacts) -> Value {
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
        "logging": log_rotation(deployment),
    })
}

fn log_rotation(deployment: &Deployment) -> Value {
    json!({ "driver": "json-file", "options": { "max-size": format!("{}m", deployment.log_megabytes), "max-file": "5" } })
}
