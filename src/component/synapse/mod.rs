//! Synapse: homeserver.yaml, one file a concern under conf.d, a file a worker, and the log configuration. Because Synapse merges
//! its files shallowly, every top-level option stands in exactly one file. Files that hold a secret are templates, which
//! `launch` completes into a conf.d of its own.

pub mod app_services;
pub mod consent;
pub mod delegation;
pub mod email;
mod homeserver;
mod ldap;
mod logging;
pub mod notices;
mod oidc;
pub mod percent;
mod policy;
pub mod routes;
pub mod rtc;
mod secrets;
pub mod workers;

use serde_json::{Value, json};

use super::{authorities, postgres, redis, space};
use crate::checked::{CheckedSite, Redis};
use crate::deployment::{Keeper, Network, Part, Service};
use crate::launch::{
    Admin, AdminUser, Database, Escape, Guarded, Health, Prepare, Probe, RUN_DIR, Role, SCRATCH_DIR, SiteDatabase, Template, Tls, Wait, placeholder,
};
use crate::site::Site;
use crate::site::database::SslMode;
use crate::yaml;
use crate::{checked, launch};

/// The image.
pub const IMAGE: &str = "synapse";
/// The main process's service, which is also its host name.
pub const SERVICE: &str = "synapse";
/// The port of every process's HTTP listener.
pub const PORT: u16 = 8008;
/// The port on which the main process answers workers.
const REPLICATION_PORT: u16 = 9093;
/// The port of every process's metrics.
const METRICS_PORT: u16 = 9000;
const CONFIG: &str = "/etc/matrix-synapse";
/// Media store and marker; the only thing of Synapse that is written to.
pub const STATE: &str = "/var/lib/synapse";
/// How long a process waits for what it needs, in seconds. A first start makes the whole database schema.
const DEADLINE: u64 = 300;
const PASSFILE: &str = "pgpass";

/// A configuration file: its name below conf.d, what it is about, and its options.
struct Fragment {
    name: &'static str,
    about: &'static str,
    options: Value,
}

/// The options that a site's main process is given, file by file; secrets are not in their places yet.
pub fn written(checked: &CheckedSite<'_>) -> Vec<Value> {
    let fragments = fragments(checked, &mut Vec::new(), &mut Part::default());
    std::iter::once(homeserver::options(checked.site)).chain(fragments.into_iter().map(|fragment| fragment.options)).collect()
}

/// What the processes of Synapse have in common.
struct Common {
    /// Files and directories of configuration, in the order in which they are read.
    config: Vec<String>,
    /// Files to complete at start.
    templates: Vec<Template>,
    /// Secrets to read.
    secrets: Vec<String>,
}

pub(crate) fn resolve(checked: &CheckedSite<'_>) -> Part {
    let site = checked.site;
    let mut part = Part { secrets: secrets::own(checked), named_secrets: secrets::named(checked), ..Part::default() };
    part.add(IMAGE, &format!("{CONFIG}/homeserver.yaml"), yaml::document(&homeserver::about(site), &homeserver::options(site)));
    logging::add(site, &mut part);
    part.add(
        IMAGE,
        &format!("{CONFIG}/{PASSFILE}"),
        format!("*:*:{}:{}:{}\n", pgpass(site.database.dbname.as_str()), pgpass(site.database.user.as_str()), placeholder(postgres::PASSWORD)),
    );
    authorities::add(checked, IMAGE, &mut part);
    let mut templates = vec![Template { source: format!("{CONFIG}/{PASSFILE}"), target: format!("{RUN_DIR}/{PASSFILE}"), escape: Escape::PgPass }];
    let (mut plain, mut completed) = (false, false);
    for fragment in fragments(checked, &mut templates, &mut part) {
        let text = yaml::document(fragment.about, &fragment.options);
        if text.contains(launch::PLACEHOLDER_OPEN) {
            completed = true;
            let source = format!("{CONFIG}/templates/{}", fragment.name);
            templates.push(Template { source: source.clone(), target: format!("{RUN_DIR}/conf.d/{}", fragment.name), escape: Escape::Json });
            part.add(IMAGE, &source, text);
        } else {
            plain = true;
            part.add(IMAGE, &format!("{CONFIG}/conf.d/{}", fragment.name), text);
        }
    }
    let mut config = vec![format!("{CONFIG}/homeserver.yaml")];
    if plain {
        config.push(format!("{CONFIG}/conf.d"));
    }
    if completed {
        config.push(format!("{RUN_DIR}/conf.d"));
    }
    let common = Common { config, templates, secrets: secrets::read(checked) };
    part.services.push(main_process(checked, &common));
    workers::add(checked, &common, &mut part);
    let admin = admin(site);
    if let Some(admin) = &admin {
        part.services.push(admin_job(admin));
        part.secrets.extend(secrets::of_administrators(checked));
    }
    part.keeper = Some(Keeper { image: IMAGE, admin });
    part
}

/// Who administers the site, for `launch admin`.
fn admin(site: &Site) -> Option<Admin> {
    let people = site.administering();
    if people.is_empty() {
        return None;
    }
    let local = site.authentication.is_local();
    let bot = site.draupnir.as_ref().map(|draupnir| &draupnir.localpart);
    Some(Admin {
        host: SERVICE.to_owned(),
        port: PORT,
        registration_secret: secrets::REGISTRATION.to_owned(),
        users: people
            .into_iter()
            .map(|person| AdminUser {
                localpart: person.to_string(),
                password_secret: local.then(|| secrets::administrator_password(person.as_str())),
                bot: bot == Some(person),
            })
            .collect(),
    })
}

fn fragments(checked: &CheckedSite<'_>, templates: &mut Vec<Template>, part: &mut Part) -> Vec<Fragment> {
    let site = checked.site;
    let mut fragments = vec![
        Fragment { name: "authentication.yaml", about: "Who may log in, and how.", options: homeserver::authentication(site) },
        Fragment {
            name: "database.yaml",
            about: "PostgreSQL. The password is in a file for libpq, which launch writes.",
            options: homeserver::database(checked, &format!("{RUN_DIR}/{PASSFILE}")),
        },
        Fragment { name: "media.yaml", about: "The media store and URL previews.", options: homeserver::media(site, STATE) },
        Fragment { name: "redis.yaml", about: "The bus between processes.", options: homeserver::redis(checked) },
        Fragment { name: "registration.yaml", about: "Who may make an account, and what people may change.", options: homeserver::registration(site) },
    ];
    fragments.extend(policy::fragments(checked, part));
    if let Some(options) = homeserver::turn(checked) {
        fragments.push(Fragment { name: "turn.yaml", about: "The relay for one-to-one calls.", options });
    }
    if let Some(options) = oidc::options(site) {
        fragments.push(Fragment { name: "oidc.yaml", about: "Logging in with an account of an OpenID Connect provider.", options });
    }
    if let Some(options) = delegation::options(site) {
        fragments.push(Fragment { name: "delegation.yaml", about: "The service that logs people in.", options });
    }
    if let Some(options) = rtc::options(site) {
        fragments.push(Fragment { name: "rtc.yaml", about: "Calls of any number of people.", options });
    }
    if let Some(options) = workers::options(site) {
        fragments.push(Fragment { name: "workers.yaml", about: "Which process does what.", options });
    }
    if let Some(email) = &site.email {
        fragments.push(Fragment { name: "email.yaml", about: "The mail server, and what is mailed.", options: email::options(email) });
    }
    if let Some(policy) = &checked.policy {
        fragments.push(Fragment { name: "consent.yaml", about: "The policy that people agree to.", options: notices::consent(policy, part) });
    }
    if let Some(notices) = &site.server_notices {
        fragments.push(Fragment { name: "server_notices.yaml", about: "Messages from the server itself.", options: notices::server_notices(notices) });
    }
    if let Some(options) = notices::templates(checked, part) {
        fragments.push(Fragment { name: "templates.yaml", about: "Pages and mails in place of Synapse's own.", options });
    }
    if let Some(options) = app_services::add(checked, templates, part) {
        fragments.push(Fragment { name: "app_services.yaml", about: "Application services: bridges and bots.", options });
    }
    let mut settings = site.synapse.settings.clone();
    rtc::add_features(site, &mut settings);
    if let Some(directory) = checked.directory {
        let certificate = directory.authority.map(|content| {
            let path = format!("{CONFIG}/ldap-ca.pem");
            part.add(IMAGE, &path, content);
            path
        });
        // Other modules come from the site's own settings; one top-level option stands in one file.
        let module = ldap::module(directory.ldap, certificate.as_deref().unwrap_or(authorities::bundle(site)));
        part.add(IMAGE, ldap::PROGRAM_PATH, ldap::PROGRAM);
        let modules = settings.entry("modules".to_owned()).or_insert_with(|| json!([]));
        if let Some(list) = modules.as_array_mut() {
            list.insert(0, module);
        }
    }
    if let Some(modules) = settings.remove("modules") {
        let options = secrets::with_placeholders(&json!({ "modules": modules }));
        fragments.push(Fragment { name: "modules.yaml", about: "Modules, the one for the directory first.", options });
    }
    if !settings.is_empty() {
        let options = secrets::with_placeholders(&json!(settings));
        fragments.push(Fragment { name: "settings.yaml", about: "What the description has under synapse.settings.", options });
    }
    fragments
}

/// What every process of Synapse has in common.
fn process(checked: &CheckedSite<'_>, common: &Common, config: &[String], program: &str) -> Role {
    let mut exec: Vec<String> = vec![program.to_owned()];
    for path in config {
        exec.extend(["--config-path".to_owned(), path.clone()]);
    }
    Role {
        secrets: common.secrets.clone(),
        // Bodies of uploads, by Python's tempfile.
        writable: vec![SCRATCH_DIR.to_owned()],
        files: common.templates.clone(),
        trust: authorities::trust(checked.site),
        deadline_seconds: DEADLINE,
        needs: waits(checked),
        exec,
        health: Some(Health::Http { port: PORT, path: "/health".to_owned() }),
        ..Role::default()
    }
}

fn main_process(checked: &CheckedSite<'_>, common: &Common) -> Service {
    let site = checked.site;
    let mut role = process(checked, common, &common.config, "synapse_homeserver");
    let volumes: Vec<(&str, String)> = std::iter::once(("synapse", STATE.to_owned())).chain(logging::volume(site)).collect();
    role.writable.extend(volumes.iter().map(|(_, path)| path.clone()));
    role.wait = waits(checked);
    role.space = space(STATE);
    role.database = bundled_database(checked);
    role.prepare = Some(Prepare::Synapse(Guarded {
        state: STATE.to_owned(),
        signing_key_secret: secrets::SIGNING_KEY.to_owned(),
        pepper_secret: site.authentication.has_pepper().then(|| secrets::PEPPER.to_owned()),
        local_passwords: site.authentication.is_local(),
        old_signing_keys: site.server.old_signing_keys.keys().cloned().collect(),
        database: Some(database_to_look_into(checked)),
    }));
    let database = matches!(checked.database, checked::Database::Bundled).then(|| postgres::SERVICE.to_owned());
    let redis = matches!(checked.redis, Redis::Bundled).then(|| redis::SERVICE.to_owned());
    Service {
        name: SERVICE.to_owned(),
        command: vec!["run".to_owned(), "main".to_owned()],
        role: Some(("main".to_owned(), role)),
        volumes,
        after: database.into_iter().chain(redis).collect(),
        ..base_service(checked)
    }
}

fn base_service(checked: &CheckedSite<'_>) -> Service {
    let socket = match checked.database {
        checked::Database::External { host } if host.as_str().starts_with('/') => Some(host.to_string()),
        checked::Database::External { .. } | checked::Database::Bundled => None,
    };
    Service {
        image: IMAGE,
        directories: socket.into_iter().collect(),
        networks: vec![Network::Front, Network::Back, Network::Outbound],
        stop_grace_seconds: 60,
        ..Service::default()
    }
}

/// What the main process waits for.
fn waits(checked: &CheckedSite<'_>) -> Vec<Wait> {
    let site = checked.site;
    let (host, port) = database_address(checked);
    let mut waits = vec![Wait {
        name: "PostgreSQL".to_owned(),
        probe: Probe::Postgres { host, port, user: site.database.user.to_string(), database: site.database.dbname.to_string(), tls: tls(checked) },
    }];
    let (host, port) = redis_address(checked);
    waits.push(Wait { name: "Redis".to_owned(), probe: Probe::Tcp { host, port } });
    waits
}

/// Where `launch` can write as Synapse does, to see whether the database takes it. An external one may ask for other proofs than a
/// password, its disk is somebody else's, and it gets only the question whether it answers.
fn bundled_database(checked: &CheckedSite<'_>) -> Option<Database> {
    matches!(checked.database, checked::Database::Bundled).then(|| login(checked))
}

/// Where `launch` looks for what is known of the site.
fn database_to_look_into(checked: &CheckedSite<'_>) -> SiteDatabase {
    SiteDatabase { at: login(checked), bundled: matches!(checked.database, checked::Database::Bundled) }
}

fn login(checked: &CheckedSite<'_>) -> Database {
    let (host, port) = database_address(checked);
    let database = &checked.site.database;
    Database {
        host,
        port,
        user: database.user.to_string(),
        database: database.dbname.to_string(),
        password_secret: postgres::PASSWORD.to_owned(),
        tls: tls(checked),
    }
}

/// How libpq uses TLS with the site's database; its default is `prefer`. The authorities are named by their places in the image, since
/// a verb that is run by hand has no file with all of them.
fn tls(checked: &CheckedSite<'_>) -> Option<Tls> {
    let checked::Database::External { host } = checked.database else { return None };
    let mode = checked.site.database.sslmode.unwrap_or(SslMode::Prefer);
    if host.as_str().starts_with('/') || mode == SslMode::Disable {
        return None;
    }
    Some(Tls { mode, roots: if mode.verifies() { authorities::files(checked.site) } else { Vec::new() } })
}

fn database_address(checked: &CheckedSite<'_>) -> (String, u16) {
    match checked.database {
        checked::Database::Bundled => (postgres::SERVICE.to_owned(), 5432),
        checked::Database::External { host } => (host.to_string(), checked.site.database.port),
    }
}

fn redis_address(checked: &CheckedSite<'_>) -> (String, u16) {
    match checked.redis {
        Redis::Bundled => (redis::SERVICE.to_owned(), 6379),
        Redis::External { host } => (host.to_string(), checked.site.redis.port),
    }
}

/// Makes the administrators' accounts.
fn admin_job(admin: &Admin) -> Service {
    let passwords = admin.users.iter().filter_map(|user| user.password_secret.clone());
    Service {
        name: "admin".to_owned(),
        image: IMAGE,
        command: vec!["admin".to_owned()],
        networks: vec![Network::Front],
        secrets: std::iter::once(secrets::REGISTRATION.to_owned()).chain(passwords).collect(),
        after: vec![SERVICE.to_owned()],
        stop_grace_seconds: 10,
        is_job: true,
        ..Service::default()
    }
}

/// The ports that Synapse listens at inside its containers, each with what it is for.
pub fn taken_ports(site: &Site) -> Vec<(u16, &'static str)> {
    let mut taken = vec![(PORT, "own listener"), (REPLICATION_PORT, "listener for workers")];
    if site.listeners.metrics {
        taken.push((METRICS_PORT, "listener for metrics"));
    }
    taken
}

/// A field of libpq's password file, outside of a placeholder.
fn pgpass(field: &str) -> String {
    field.replace('\\', "\\\\").replace(':', "\\:")
}
