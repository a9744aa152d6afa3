//! Everything that follows from a site as a set of settings: file, name, value. Two such sets differ in what an option changes.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::check::unchecked;
use crate::component;
use crate::deploy::compose::Compose;
use crate::deploy::{ImageFacts, Images, Target as _};
use crate::deployment::Deployment;
use crate::error::Result;
use crate::site::load::Loaded;

/// One setting of one service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Setting {
    /// Whose it is: `Synapse`, `coturn`.
    pub whose: &'static str,
    /// Its name there: `email.smtp_host`, `min-port`.
    pub name: String,
    /// What it is.
    pub value: String,
}

/// Every setting that follows from a site.
pub fn settings(loaded: &Loaded) -> BTreeSet<Setting> {
    let mut found = BTreeSet::new();
    if let Err(error) = component::resolve(&unchecked(loaded), Compose.facts()).and_then(|deployment| of_deployment(loaded, &deployment, &mut found)) {
        found.insert(Setting { whose: "this program", name: "mistake".to_owned(), value: error.to_string() });
    }
    found
}

fn of_deployment(loaded: &Loaded, deployment: &Deployment, found: &mut BTreeSet<Setting>) -> Result<()> {
    for (image, files) in &deployment.images {
        for (path, content) in files {
            file(whose(image, path), path, content, found);
        }
    }
    for (name, content) in &deployment.well_known {
        file(well_known(name), name, content, found);
    }
    manifest(loaded, deployment, found)?;
    for secret in &deployment.secrets {
        found.insert(Setting { whose: "secrets", name: secret.name.clone(), value: format!("{secret:?}") });
    }
    Ok(())
}

fn manifest(loaded: &Loaded, deployment: &Deployment, found: &mut BTreeSet<Setting>) -> Result<()> {
    // Tag and user follow from packages, which no option decides.
    let facts = |image: &str| ImageFacts { reference: format!("{}/{image}", loaded.site.images.repository), user: 1 };
    let facts: Images = deployment.services.iter().map(|service| (service.image.to_owned(), facts(service.image))).collect();
    for (name, content) in Compose.files(deployment, &facts)? {
        let value: Value = serde_yaml::from_slice(&content).unwrap_or_default();
        let Some(services) = value["services"].as_object() else {
            file("the manifest", &name, &content, found);
            continue;
        };
        for (name, service) in services {
            // Mounts and secrets follow from other settings, which are named by themselves.
            for (key, value) in service.as_object().into_iter().flatten().filter(|(key, _)| !["depends_on", "secrets"].contains(&key.as_str())) {
                nested("the manifest", &format!("{name}.{key}"), value, found);
            }
        }
    }
    Ok(())
}

/// Whose file it is.
fn whose(image: &str, path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or_default();
    if path == crate::launch::PLAN_PATH {
        return "launch";
    }
    match image {
        "synapse" if path.contains("/workers/") => "Synapse's workers",
        "synapse" if path.contains("/log") => "Synapse's logging",
        "synapse" if path.contains("/app_services/") => "Synapse's registrations",
        "synapse" if path.ends_with(".yaml") => "Synapse",
        "synapse" => "files for Synapse",
        "gateway" if path.contains("/well-known/") => well_known(name),
        "gateway" if path.contains("/admin-ui/") => "Ketesa",
        "gateway" => "nginx",
        "coturn" => "coturn",
        "postgres" => "PostgreSQL",
        "redis" => "Redis",
        "livekit" => "LiveKit",
        "draupnir" => "Draupnir",
        _ => "the other services",
    }
}

fn well_known(name: &str) -> &'static str {
    match name {
        "client" => "well-known client",
        "server" => "well-known server",
        "support" => "well-known support",
        _ => "the other services",
    }
}

fn file(whose: &'static str, path: &str, content: &[u8], found: &mut BTreeSet<Setting>) {
    let text = String::from_utf8_lossy(content);
    let name = path.rsplit('/').next().unwrap_or_default();
    if whose == "files for Synapse" {
        found.insert(Setting { whose, name: name.to_owned(), value: text.into_owned() });
        return;
    }
    let value: Option<Value> = if path.ends_with(".conf") { None } else { serde_yaml::from_str(&text).ok().filter(Value::is_object) };
    match value {
        Some(value) => nested(whose, "", &value, found),
        None => {
            for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
                let end = line.find([' ', '=', '\t', ';']).unwrap_or(line.len());
                // nginx has lines that are only a value, and closing brackets.
                if line[..end].chars().all(|c| c.is_ascii_lowercase() || "-_".contains(c)) || path == ".env" {
                    found.insert(Setting { whose, name: line[..end].to_owned(), value: line.to_owned() });
                }
            }
        }
    }
}

/// Members by their names with dots; elements of a list under the name of the list.
pub(super) fn nested(whose: &'static str, name: &str, value: &Value, found: &mut BTreeSet<Setting>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, member) in members {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                nested(whose, &name, member, found);
            }
        }
        Value::Array(elements) if !elements.is_empty() => elements.iter().for_each(|element| nested(whose, name, element, found)),
        _ => drop(found.insert(Setting { whose, name: name.to_owned(), value: value.to_string() })),
    }
}
