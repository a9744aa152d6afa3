//! What tests of several rooms make of a description, also of one that the rules forbid.

use synapse_site::check::unchecked;
use synapse_site::component::resolve;
use synapse_site::deploy::{ImageFacts, Images};
use synapse_site::deployment::{Deployment, Facts};
use synapse_site::site::load::Loaded;

/// What runs a site.
pub fn deployment(loaded: &Loaded) -> Deployment {
    resolve(&unchecked(loaded), Facts::DOCKER).unwrap_or_else(|error| panic!("{error}"))
}

/// Its images, before they are built.
#[allow(dead_code, reason = "not every room looks at a manifest")]
pub fn images(deployment: &Deployment) -> Images {
    let facts = |image: &str| ImageFacts { reference: format!("{image}:TAG"), user: 1 };
    deployment.services.iter().map(|service| (service.image.to_owned(), facts(service.image))).collect()
}
