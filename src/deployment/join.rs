//! From the parts of components to one deployment: order, the plan of each image, and what no two components may both have.

use std::collections::{BTreeMap, BTreeSet};

use super::{Deployment, Facts, Part};
use crate::error::{Error, Result};
use crate::launch::{PLAN_FORMAT, PLAN_PATH, Plan, Role};
use crate::site::Site;

/// Puts parts together.
///
/// # Errors
/// [`Error::Environment`] where two components contradict each other: one name for two services or two secrets, two contents for one
/// file, a secret that is read and is nobody's. A checked site leads there only by a mistake in a component.
pub fn join(site: &Site, facts: Facts, parts: Vec<Part>) -> Result<Deployment> {
    let mut deployment = Deployment {
        server_name: site.server.server_name.to_string(),
        project: site.deployment.project(&site.server.server_name),
        log_megabytes: site.logging.max_size_mb,
        images: BTreeMap::new(),
        well_known: BTreeMap::new(),
        services: Vec::new(),
        secrets: Vec::new(),
        keeper: None,
        facts,
    };
    let (mut admin, mut named) = (None, Vec::new());
    for part in parts {
        for (image, files) in part.files {
            let there = deployment.images.entry(image.clone()).or_default();
            for (path, content) in files {
                if there.get(&path).is_some_and(|other| *other != content) {
                    return Err(contradiction(&format!("two components write {path} of the image {image}")));
                }
                there.insert(path, content);
            }
        }
        for (name, content) in part.well_known {
            if deployment.well_known.insert(name.clone(), content).is_some() {
                return Err(contradiction(&format!("two components write the well-known document {name}")));
            }
        }
        deployment.services.extend(part.services);
        // One component may say the same several times; of what it says differently the rules have the last word.
        let mut own = part.secrets;
        own.sort_by(|a, b| a.name.cmp(&b.name));
        own.dedup_by(|a, b| a.name == b.name);
        deployment.secrets.extend(own);
        // Of two that only name a secret, the later one knows it better: Synapse's settings name what is another component's.
        named.insert(0, part.named_secrets);
        if let Some(keeper) = part.keeper {
            if deployment.keeper.replace(keeper.image).is_some() {
                return Err(contradiction("two components make the secrets"));
            }
            admin = keeper.admin;
        }
    }
    deployment.secrets.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = deployment.secrets.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(contradiction(&format!("two components have the secret {}", pair[0].name)));
    }
    // Who has a secret says what it is for; one that is only named may be named in several places.
    deployment.secrets.extend(named.into_iter().flatten());
    deployment.secrets.sort_by(|a, b| a.name.cmp(&b.name));
    deployment.secrets.dedup_by(|a, b| a.name == b.name);
    names(&deployment)?;

    let mut roles: BTreeMap<&str, BTreeMap<String, Role>> = BTreeMap::new();
    for service in &deployment.services {
        if let Some((name, role)) = &service.role
            && roles.entry(service.image).or_default().insert(name.clone(), role.clone()).is_some()
        {
            return Err(contradiction(&format!("two services of the image {} have the role {name}", service.image)));
        }
    }
    let mut plans = Vec::new();
    for (image, roles) in roles {
        // The list of secrets is the same for every image, but only one needs it; a secret more is then no reason to rebuild the others.
        let keeps = deployment.keeper == Some(image);
        let plan = Plan {
            format: PLAN_FORMAT,
            server_name: deployment.server_name.clone(),
            roles,
            secrets: if keeps { deployment.secrets.clone() } else { Vec::new() },
            admin: if keeps { admin.take() } else { None },
        };
        let mut text = serde_json::to_vec_pretty(&plan).map_err(|error| contradiction(&format!("the plan of {image} cannot be written: {error}")))?;
        text.push(b'\n');
        plans.push((image.to_owned(), text));
    }
    for (image, text) in plans {
        deployment.images.entry(image).or_default().insert(PLAN_PATH.to_owned(), text);
    }
    Ok(deployment)
}

/// Whether each service has a name of its own, starts after services that there are, and reads secrets that there are.
fn names(deployment: &Deployment) -> Result<()> {
    let mut services = BTreeSet::new();
    for service in &deployment.services {
        if !services.insert(service.name.as_str()) {
            return Err(contradiction(&format!("two services are called {}", service.name)));
        }
    }
    let secrets: BTreeSet<&str> = deployment.secrets.iter().map(|secret| secret.name.as_str()).collect();
    for service in &deployment.services {
        if let Some(name) = service.after.iter().find(|name| !services.contains(name.as_str())) {
            return Err(contradiction(&format!("{} starts after {name}, which is no service", service.name)));
        }
        if let Some(name) = service.reads().into_iter().find(|name| !secrets.contains(name)) {
            return Err(contradiction(&format!("{} reads the secret {name}, which no component has", service.name)));
        }
    }
    Ok(())
}

fn contradiction(what: &str) -> Error {
    Error::mistake(what)
}
