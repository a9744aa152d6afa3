//! From a description to everything that is written down: the files of each image, the documents for other web servers, the
//! services of the manifest. Pure: the same description gives the same values.

pub mod consent;
mod coturn;
pub mod gateway;
pub mod helpers;
pub mod ports;
pub(crate) mod postgres;
mod redis;
pub mod rtc;
pub mod secrets;
pub mod synapse;
mod well_known;
pub mod yaml;

use std::collections::BTreeMap;

use crate::launch::{Plan, Role, Secret};
use crate::site::load::Loaded;

/// The format of [`Plan`] that this program writes.
pub const PLAN_FORMAT: u32 = 1;

/// What a volume should have left, in bytes: the bundled PostgreSQL writes its log in segments of 16 MiB, several at a time, and a full
/// disk ends it (its documentation, "WAL Configuration").
const LEAST_SPACE: u64 = 256 << 20;

/// The space that the health of a service with a volume looks for.
fn space(volume: &str) -> BTreeMap<String, u64> {
    BTreeMap::from([(volume.to_owned(), LEAST_SPACE)])
}

/// The name of the target inside a container. Docker on Linux knows it only where the manifest says so (its documentation, --add-host
/// host-gateway), as it does for each service in whose files the name is.
pub const TARGET: &str = "host.docker.internal";

/// The content of one rendered file.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Everything that follows from a description.
#[derive(Debug, Default)]
pub struct Rendered {
    /// The files of each image's configuration layer, by image and absolute path; `launch.json` among them.
    pub images: BTreeMap<String, Files>,
    /// The documents under `/.well-known/matrix/`, by file name.
    pub well_known: Files,
    /// The services of the manifest, in the order in which they start.
    pub services: Vec<Service>,
    /// Every secret of the site.
    pub secrets: Vec<Secret>,
}

/// One service of the manifest.
#[derive(Debug, Clone, Default)]
pub struct Service {
    /// Its name: `synapse-generic-worker-1`.
    pub name: String,
    /// The image it runs, `synapse`; for an image of others a name for its files.
    pub image: &'static str,
    /// The image of others that it runs.
    pub from: Option<Foreign>,
    /// What `launch` does: `["run", "main"]`.
    pub command: Vec<String>,
    /// The role that the command names, for the image's launch plan.
    pub role: Option<(String, Role)>,
    /// Named volumes and where they are mounted.
    pub volumes: Vec<(&'static str, String)>,
    /// Directories of the target that are mounted at the same path.
    pub binds: Vec<String>,
    /// Directories in memory, beyond those that every service has, owned by the service's user.
    pub tmpfs: Vec<String>,
    /// Networks.
    pub networks: Vec<Network>,
    /// Published ports in the manifest's form.
    pub ports: Vec<String>,
    /// Secrets that are mounted, beyond those of the role.
    pub secrets: Vec<String>,
    /// Services that are started before.
    pub after: Vec<String>,
    /// The signal that asks the service to end.
    pub stop_signal: Option<&'static str>,
    /// How long it may take to end, in seconds.
    pub stop_grace_seconds: u32,
    /// Whether the engine puts a small program of its own before the service, because the service does not do as process 1.
    pub init: bool,
    /// Size of `/dev/shm`, if the service needs more than the engine's 64 MB.
    pub shm_size: Option<&'static str>,
    /// A profile that has to be asked for.
    pub profile: Option<&'static str>,
}

/// An image that is not built here: the target has to have it from elsewhere. With a role, `launch` is its entry point all the same:
/// the program and the plan lie beside the manifest and are mounted, so that secrets, health and start are as for images of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Foreign {
    /// Its full name.
    pub reference: String,
    /// The numeric user and group that it runs as; none means what the image says.
    pub user: Option<u32>,
}

/// A network of the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Network {
    /// Where published ports arrive.
    Edge,
    /// Between the gateway and what it passes requests to; no way out.
    Front,
    /// Between Synapse and its database and Redis; no way out.
    Back,
    /// Synapse's way out: federation, directory, mail, push.
    Outbound,
}

impl Network {
    /// The name in the manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Front => "front",
            Self::Back => "back",
            Self::Outbound => "outbound",
        }
    }

    /// Whether nothing beyond the network can be reached from it.
    pub fn is_internal(self) -> bool {
        matches!(self, Self::Front | Self::Back)
    }
}

/// Renders a description that passed its checks.
pub fn render(loaded: &Loaded) -> Rendered {
    let site = &loaded.site;
    let mut rendered = Rendered { well_known: well_known::documents(site), secrets: secrets::needed(loaded), ..Rendered::default() };
    postgres::render(site, &mut rendered);
    redis::render(site, &mut rendered);
    synapse::render(loaded, &mut rendered);
    coturn::render(site, &mut rendered);
    rtc::render(loaded, &mut rendered);
    helpers::render(site, &mut rendered);
    gateway::render(loaded, &mut rendered);
    plans(loaded, &mut rendered);
    rendered
}

impl Rendered {
    /// The files that lie beside the manifest for images of others: path below `services/`, and content.
    pub fn beside(&self) -> Files {
        let foreign = self.services.iter().filter(|service| service.from.is_some()).map(|service| service.image);
        foreign.flat_map(|image| self.images.get(image).into_iter().flatten().map(move |(path, content)| (format!("{image}{path}"), content.clone()))).collect()
    }

    /// Whether a service is told to ask the target itself.
    pub fn asks_target(&self, service: &Service) -> bool {
        // Names of hosts are the same in capitals.
        let named = |content: &Vec<u8>| content.windows(TARGET.len()).any(|part| part.eq_ignore_ascii_case(TARGET.as_bytes()));
        self.images.get(service.image).is_some_and(|files| files.values().any(named))
    }

    /// Images that a target needs from elsewhere, in order.
    pub fn foreign_images(&self) -> Vec<&str> {
        let mut references: Vec<&str> = self.services.iter().filter_map(|service| Some(service.from.as_ref()?.reference.as_str())).collect();
        references.sort_unstable();
        references.dedup();
        references
    }

    /// Whether `launch` starts an image of others.
    pub fn mounts_launch(&self) -> bool {
        self.services.iter().any(|service| service.from.is_some() && service.role.is_some())
    }

    fn add(&mut self, image: &str, path: &str, content: impl Into<Vec<u8>>) {
        self.images.entry(image.to_owned()).or_default().insert(path.to_owned(), content.into());
    }
}

/// Writes the launch plan of each image.
fn plans(loaded: &Loaded, rendered: &mut Rendered) {
    let mut roles: BTreeMap<&str, BTreeMap<String, Role>> = BTreeMap::new();
    for service in &rendered.services {
        if let Some((name, role)) = &service.role {
            roles.entry(service.image).or_default().insert(name.clone(), role.clone());
        }
    }
    let plans: Vec<(String, Vec<u8>)> = roles
        .into_iter()
        .map(|(image, roles)| {
            let plan = Plan {
                format: PLAN_FORMAT,
                server_name: loaded.site.server.server_name.to_string(),
                roles,
                // The list is the same in every image, but only one needs it; a secret more is then no reason to rebuild the others.
                secrets: if image == synapse::IMAGE { rendered.secrets.clone() } else { Vec::new() },
                admin: if image == synapse::IMAGE { synapse::admin(&loaded.site) } else { None },
            };
            let mut text = serde_json::to_vec_pretty(&plan).unwrap_or_default();
            text.push(b'\n');
            (image.to_owned(), text)
        })
        .collect();
    for (image, text) in plans {
        rendered.add(&image, crate::launch::PLAN_PATH, text);
    }
}
