//! What runs a site, as a value: services and jobs, what each reads and writes, and the files of each image. Components
//! ([`crate::component`]) make its parts, [`join`] puts them together, and targets ([`crate::deploy`]) translate it. Nothing here
//! is about one kind of target.

mod facts;
mod join;
mod port;

use std::collections::BTreeMap;

use crate::launch::{Admin, Role, Secret};

pub use facts::Facts;
pub use join::join;
pub use port::{Port, Transport};

/// The content of files by path.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Everything that runs a site.
#[derive(Debug)]
pub struct Deployment {
    /// The server name.
    pub server_name: String,
    /// What the names of the site's volumes, networks and containers begin with on a target.
    pub project: String,
    /// How large the log of a container may become, in MiB.
    pub log_megabytes: u16,
    /// The files of each image's configuration layer, by image and absolute path; `launch.json` among them.
    pub images: BTreeMap<String, Files>,
    /// The documents under `/.well-known/matrix/`, by file name.
    pub well_known: Files,
    /// The services and jobs, in the order in which they start.
    pub services: Vec<Service>,
    /// Every secret of the site, in alphabetical order.
    pub secrets: Vec<Secret>,
    /// The image that has the list of all secrets and can make those that can be made.
    pub keeper: Option<&'static str>,
    /// What the engine of the target has of its own.
    pub facts: Facts,
}

/// What one component adds to a deployment.
#[derive(Debug, Default)]
pub struct Part {
    /// Files of images, by image and absolute path.
    pub files: BTreeMap<String, Files>,
    /// Documents under `/.well-known/matrix/`.
    pub well_known: Files,
    /// Services and jobs, in the order in which they start. Each names the secrets that it reads; no other one is mounted.
    pub services: Vec<Service>,
    /// Secrets that are the component's: it says what they are for and how they come to be.
    pub secrets: Vec<Secret>,
    /// Secrets that its options name without saying more: another component may have them.
    pub named_secrets: Vec<Secret>,
    /// Whether, and for whom, one of its images makes secrets and administrators.
    pub keeper: Option<Keeper>,
}

/// The image whose `launch` makes the site's secrets and its first administrators.
#[derive(Debug)]
pub struct Keeper {
    /// The image.
    pub image: &'static str,
    /// The administrators, if the description has some.
    pub admin: Option<Admin>,
}

impl Part {
    /// Adds a file to an image.
    pub fn add(&mut self, image: &str, path: &str, content: impl Into<Vec<u8>>) {
        self.files.entry(image.to_owned()).or_default().insert(path.to_owned(), content.into());
    }
}

/// A service, or a job that runs once when it is asked for.
#[derive(Debug, Clone, Default)]
pub struct Service {
    /// Its name, which is also its host name: `synapse-generic-worker-1`.
    pub name: String,
    /// The image that it runs, `synapse`; for an external one a name for its files.
    pub image: &'static str,
    /// The image of others that it runs.
    pub external: Option<ExternalImage>,
    /// What `launch` does: `["run", "main"]`.
    pub command: Vec<String>,
    /// The role that the command names, for the image's launch plan.
    pub role: Option<(String, Role)>,
    /// Named volumes and where they are mounted.
    pub volumes: Vec<(&'static str, String)>,
    /// Directories of the target that are mounted at the same path.
    pub directories: Vec<String>,
    /// Directories in memory, beyond those that every service has, owned by the service's user.
    pub in_memory: Vec<String>,
    /// Networks.
    pub networks: Vec<Network>,
    /// Ports of the target.
    pub ports: Vec<Port>,
    /// Secrets that it reads, beyond those of the role.
    pub secrets: Vec<String>,
    /// Services that are started before.
    pub after: Vec<String>,
    /// The signal that asks it to end, where it is not SIGTERM.
    pub stop_signal: Option<&'static str>,
    /// How long it may take to end, in seconds.
    pub stop_grace_seconds: u32,
    /// Whether it needs a small program before it, because it does not do as process 1.
    pub init: bool,
    /// The shared memory that it needs, in MiB, where that is more than the 64 of most engines.
    pub shared_memory_megabytes: Option<u32>,
    /// Whether it is a job: it runs once, when somebody asks for it by name.
    pub is_job: bool,
}

impl Service {
    /// Every secret that it reads, in alphabetical order.
    pub fn reads(&self) -> Vec<&str> {
        let role = self.role.iter().flat_map(|(_, role)| &role.secrets);
        let mut names: Vec<&str> = self.secrets.iter().chain(role).map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// An image that is not built here: the target has to have it from elsewhere. With a role, `launch` is its entry point all the same:
/// the program and the plan lie beside the manifest and are mounted, so that secrets, health and start are as for images of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExternalImage {
    /// Its full name.
    pub reference: String,
    /// The numeric user and group that it runs as; none means what the image says.
    pub user: Option<u32>,
}

/// A network of the site.
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
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Edge, Self::Front, Self::Back, Self::Outbound];

    /// Its name on a target.
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

impl Deployment {
    /// The files of external images, which lie beside the manifest: path and content.
    pub fn beside(&self) -> Files {
        let external = self.services.iter().filter(|service| service.external.is_some()).map(|service| service.image);
        external
            .flat_map(|image| self.images.get(image).into_iter().flatten().map(move |(path, content)| (format!("{image}{path}"), content.clone())))
            .collect()
    }

    /// Whether a service is told to ask the target itself.
    pub fn asks_target(&self, service: &Service) -> bool {
        let name = self.facts.own_name;
        // Names of hosts are the same in capitals.
        let named = |content: &Vec<u8>| content.windows(name.len()).any(|part| part.eq_ignore_ascii_case(name.as_bytes()));
        self.images.get(service.image).is_some_and(|files| files.values().any(named))
    }

    /// Images that a target needs from elsewhere, in order.
    pub fn external_images(&self) -> Vec<&str> {
        let mut references: Vec<&str> = self.services.iter().filter_map(|service| Some(service.external.as_ref()?.reference.as_str())).collect();
        references.sort_unstable();
        references.dedup();
        references
    }

    /// Whether `launch` starts an external image.
    pub fn mounts_launch(&self) -> bool {
        self.services.iter().any(|service| service.external.is_some() && service.role.is_some())
    }

    /// Every port of the target that the site takes.
    pub fn ports(&self) -> impl Iterator<Item = &Port> {
        self.services.iter().flat_map(|service| &service.ports)
    }
}
