//! What starts a site: each target translates a deployment in its own way, and nothing of a component is here.

pub mod compose;
pub mod secrets;

use std::collections::BTreeMap;

use crate::deployment::{Deployment, Facts, Files};
use crate::error::Result;
use crate::launch::Make;

/// The directory beside the archive with the files of images that were not built here.
pub const BESIDE: &str = "services";

/// What a target has to know about each image of ours, by its name.
pub type Images = BTreeMap<String, ImageFacts>;

/// What a target has to know about an image.
#[derive(Debug, Clone)]
pub struct ImageFacts {
    /// The full name with its tag.
    pub reference: String,
    /// The numeric user and group that services run as.
    pub user: u32,
}

/// Where a site can run, and by which means.
pub trait Target {
    /// What its engine has of its own.
    fn facts(&self) -> Facts;
    /// The files that start the site, by their names beside the archive of images.
    ///
    /// # Errors
    /// [`Error::Environment`](crate::error::Error::Environment) if an image is missing.
    fn files(&self, deployment: &Deployment, images: &Images) -> Result<Files>;
    /// The names of those files.
    fn names(&self) -> &'static [&'static str];
    /// What people type.
    fn commands(&self) -> Commands;
    /// What people type to run a job once.
    fn run_job(&self, job: &str) -> String;
}

/// What people type on a target, in the directory with the files.
#[derive(Debug, Clone)]
pub struct Commands {
    /// Brings the images of the archive to the engine.
    pub load: String,
    /// Makes the secrets without this program.
    pub make_secrets: String,
    /// Starts the site, or what has changed of it.
    pub start: String,
    /// Fetches the images that were not built here.
    pub pull: String,
}

/// The page of `secrets.example/`, for people. No values.
pub fn secrets_page(deployment: &Deployment) -> String {
    let mut page = format!(
        "The secrets of {}\n\nEach is a file in secrets/ beside compose.yaml; `synapse-site secrets init .` makes those that can be made.\n\
         The directory has mode 0700, the files 0444: containers read them, other users of the host do not reach them.\n\n",
        deployment.server_name
    );
    let widest = deployment.secrets.iter().map(|secret| secret.name.len()).max().unwrap_or(0);
    for secret in &deployment.secrets {
        let origin = match secret.make {
            Make::Bring => "you bring it",
            Make::Random | Make::Password | Make::SigningKey => "made",
        };
        page.push_str(&format!("{:widest$}  {origin:12}  {}\n", secret.name, secret.purpose));
    }
    page
}
