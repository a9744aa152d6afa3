//! Worker processes: their files, their places in the instance map, their services. Synapse documentation, "Scaling synapse
//! via workers".

use serde_json::{Value, json};

use super::{CONFIG, Common, IMAGE, PORT, SERVICE, base_service, homeserver, logging, process, secrets};
use crate::checked::CheckedSite;
use crate::deployment::{Part, Service};
use crate::launch::{Probe, Wait, secret_path};
use crate::site::Site;
use crate::yaml;

/// The names of the generic workers, which are also their host names. Their order decides which requests each gets.
pub fn generic(site: &Site) -> Vec<String> {
    (1..=site.workers.generic).map(|number| format!("synapse-generic-worker-{number}")).collect()
}

fn senders(site: &Site) -> Vec<String> {
    (1..=site.workers.federation_senders).map(|number| format!("synapse-federation-sender-{number}")).collect()
}

/// The names of all workers.
pub fn names(site: &Site) -> Vec<String> {
    generic(site).into_iter().chain(senders(site)).collect()
}

/// What every process has to know about the others.
pub(super) fn options(site: &Site) -> Option<Value> {
    if !homeserver::has_workers(site) {
        return None;
    }
    let mut options = json!({
        "instance_map": { "main": { "host": SERVICE, "port": super::REPLICATION_PORT } },
        "worker_replication_secret_path": secret_path(secrets::REPLICATION),
    });
    let senders = senders(site);
    if !senders.is_empty() {
        options["federation_sender_instances"] = json!(senders);
    }
    Some(options)
}

pub(super) fn add(checked: &CheckedSite<'_>, common: &Common, part: &mut Part) {
    let site = checked.site;
    let mut resources = vec!["client"];
    if site.listeners.federation {
        resources.push("federation");
    }
    for name in generic(site) {
        worker(checked, &name, &resources, common, part);
    }
    for name in senders(site) {
        worker(checked, &name, &["health"], common, part);
    }
}

fn worker(checked: &CheckedSite<'_>, name: &str, resources: &[&str], common: &Common, part: &mut Part) {
    let site = checked.site;
    let mut listeners = vec![homeserver::http_listener(resources, site.listeners.compress)];
    if site.listeners.metrics {
        listeners.push(homeserver::metrics_listener());
    }
    let options = json!({
        "worker_app": "synapse.app.generic_worker",
        "worker_name": name,
        // The main process has the media store; without this every worker would want it too.
        "enable_media_repo": false,
        "worker_listeners": listeners,
        "worker_log_config": logging::path(site, name),
    });
    let path = format!("{CONFIG}/workers/{name}.yaml");
    part.add(IMAGE, &path, yaml::document(&format!("What makes a process the worker {name}."), &options));
    let mut config = common.config.clone();
    config.push(path);
    let mut role = process(checked, common, &config, "synapse_worker");
    role.writable.extend(logging::volume(site).into_iter().map(|(_, path)| path));
    // The main process makes and migrates the database; it answers only after that.
    role.wait =
        vec![Wait { name: "Synapse's main process".to_owned(), probe: Probe::Http { host: SERVICE.to_owned(), port: PORT, path: "/health".to_owned() } }];
    part.services.push(Service {
        name: name.to_owned(),
        command: vec!["run".to_owned(), name.to_owned()],
        role: Some((name.to_owned(), role)),
        volumes: logging::volume(site).into_iter().collect(),
        after: vec![SERVICE.to_owned()],
        ..base_service(checked)
    });
}
