//! Synapse: homeserver.yaml, one file a concern under conf.d, a file a worker, and the log configuration. Because Synapse merges
//! its files shallowly, every top-level option stands in exactly one file. Files that hold a secret are templates, which
//! `launch` completes into a conf.d of its own.

pub mod app_services;
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
pub mod workers;

use serde_json::{Value, json};

use super::secrets::{self, placeholder};
use super::{Network, Rendered, Service, yaml};
use crate::launch::{
    Admin, AdminUser, Database, Escape, Guarded, Health, Prepare, Probe, RUN_DIR, Role, SCRATCH_DIR, SECRETS_DIR, SiteDatabase, Template, Tls, Trust, Wait,
};
use crate::site::Site;
use crate::site::authentication::Method;
use crate::site::database::{Source, SslMode};
use crate::site::load::Loaded;

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
/// The certificate authorities that the image comes with.
const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The same and those of the description, which launch puts together.
const WHOLE_BUNDLE: &str = "/run/synapse-site/ca-certificates.crt";

/// A configuration file: its name below conf.d, what it is about, and its options.
struct Fragment {
    name: &'static str,
    about: &'static str,
    options: Value,
}

/// The options that a site's main process is given, file by file; secrets are not in their places yet.
pub fn written(loaded: &Loaded) -> Vec<Value> {
    let fragments = fragments(loaded, &mut Vec::new(), &mut Rendered::default());
    std::iter::once(homeserver::options(&loaded.site)).chain(fragments.into_iter().map(|fragment| fragment.options)).collect()
}

pub(super) fn render(loaded: &Loaded, rendered: &mut Rendered) {
    let site = &loaded.site;
    rendered.add(IMAGE, &format!("{CONFIG}/homeserver.yaml"), yaml::document(&homeserver::about(site), &homeserver::options(site)));
    logging::render(site, rendered);
    rendered.add(
        IMAGE,
        &format!("{CONFIG}/{PASSFILE}"),
        format!("*:*:{}:{}:{}\n", pgpass(site.database.dbname.as_str()), pgpass(site.database.user.as_str()), placeholder("postgres_password")),
    );

    for (path, content) in authority_files(loaded) {
        rendered.add(IMAGE, &path, content);
    }
    let mut templates = vec![Template { source: format!("{CONFIG}/{PASSFILE}"), target: format!("{RUN_DIR}/{PASSFILE}"), escape: Escape::PgPass }];
    let (mut plain, mut completed) = (false, false);
    for fragment in fragments(loaded, &mut templates, rendered) {
        let text = yaml::document(fragment.about, &fragment.options);
        if text.contains(crate::launch::PLACEHOLDER_OPEN) {
            completed = true;
            let source = format!("{CONFIG}/templates/{}", fragment.name);
            templates.push(Template { source: source.clone(), target: format!("{RUN_DIR}/conf.d/{}", fragment.name), escape: Escape::Json });
            rendered.add(IMAGE, &source, text);
        } else {
            plain = true;
            rendered.add(IMAGE, &format!("{CONFIG}/conf.d/{}", fragment.name), text);
        }
    }
    let mut config = vec![format!("{CONFIG}/homeserver.yaml")];
    if plain {
        config.push(format!("{CONFIG}/conf.d"));
    }
    if completed {
        config.push(format!("{RUN_DIR}/conf.d"));
    }
    rendered.services.push(main_process(site, &config, &templates, rendered));
    workers::render(site, &config, &templates, rendered);
    if !site.administering().is_empty() {
        rendered.services.push(admin_service(site));
    }
}

/// Who administers the site, for `launch admin`.
pub(super) fn admin(site: &Site) -> Option<Admin> {
    let people = site.administering();
    if people.is_empty() {
        return None;
    }
    let local = secrets::local_passwords(site);
    let bot = site.draupnir.as_ref().map(|draupnir| &draupnir.localpart);
    Some(Admin {
        host: SERVICE.to_owned(),
        port: PORT,
        registration_secret: "registration_shared_secret".to_owned(),
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

fn fragments(loaded: &Loaded, templates: &mut Vec<Template>, rendered: &mut Rendered) -> Vec<Fragment> {
    let site = &loaded.site;
    let mut fragments = vec![
        Fragment { name: "authentication.yaml", about: "Who may log in, and how.", options: homeserver::authentication(site) },
        Fragment {
            name: "database.yaml",
            about: "PostgreSQL. The password is in a file for libpq, which launch writes.",
            options: homeserver::database(site, &format!("{RUN_DIR}/{PASSFILE}")),
        },
        Fragment { name: "media.yaml", about: "The media store and URL previews.", options: homeserver::media(site, STATE) },
        Fragment { name: "redis.yaml", about: "The bus between processes.", options: homeserver::redis(site) },
        Fragment { name: "registration.yaml", about: "Who may make an account, and what people may change.", options: homeserver::registration(site) },
    ];
    fragments.extend(policy::fragments(loaded, rendered));
    if let Some(options) = homeserver::turn(site) {
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
    if let Some(consent) = &site.consent {
        fragments.push(Fragment { name: "consent.yaml", about: "The policy that people agree to.", options: notices::consent(consent, loaded, rendered) });
    }
    if let Some(notices) = &site.server_notices {
        fragments.push(Fragment { name: "server_notices.yaml", about: "Messages from the server itself.", options: notices::server_notices(notices) });
    }
    if let Some(options) = notices::templates(loaded, rendered) {
        fragments.push(Fragment { name: "templates.yaml", about: "Pages and mails in place of Synapse's own.", options });
    }
    if let Some(options) = app_services::render(loaded, templates, rendered) {
        fragments.push(Fragment { name: "app_services.yaml", about: "Application services: bridges and bots.", options });
    }
    let mut settings = site.synapse.settings.clone();
    rtc::add_features(site, &mut settings);
    if let Some(directory) = site.ldap.as_ref().filter(|_| site.authentication.method == Method::Ldap) {
        let certificate = directory.ca_certificate.as_ref().and_then(|path| loaded.files.get(path.as_str())).map(|content| {
            let path = format!("{CONFIG}/ldap-ca.pem");
            rendered.add(IMAGE, &path, content.clone());
            path
        });
        // Other modules come from the site's own settings; one top-level option stands in one file.
        let module = ldap::module(directory, certificate.as_deref().unwrap_or(bundle(site)));
        rendered.add(IMAGE, ldap::PROGRAM_PATH, ldap::PROGRAM);
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
fn process(site: &Site, rendered: &Rendered, config: &[String], templates: &[Template], program: &str) -> Role {
    let mut exec: Vec<String> = vec![program.to_owned()];
    for path in config {
        exec.extend(["--config-path".to_owned(), path.clone()]);
    }
    let mut names: Vec<String> = rendered.secrets.iter().map(|secret| secret.name.clone()).filter(|name| !secrets::is_for_others(site, name)).collect();
    names.sort();
    Role {
        secrets: names,
        // Bodies of uploads, by Python's tempfile.
        writable: vec![SCRATCH_DIR.to_owned()],
        files: templates.to_vec(),
        trust: trust(site),
        deadline_seconds: DEADLINE,
        needs: waits(site),
        exec,
        health: Some(Health::Http { port: PORT, path: "/health".to_owned() }),
        ..Role::default()
    }
}

fn main_process(site: &Site, config: &[String], templates: &[Template], rendered: &Rendered) -> Service {
    let mut role = process(site, rendered, config, templates, "synapse_homeserver");
    let volumes: Vec<(&str, String)> = std::iter::once(("synapse", STATE.to_owned())).chain(logging::volume(site)).collect();
    role.writable.extend(volumes.iter().map(|(_, path)| path.clone()));
    role.wait = waits(site);
    role.space = crate::render::space(STATE);
    role.database = bundled_database(site);
    role.prepare = Some(Prepare::Synapse(Guarded {
        state: STATE.to_owned(),
        signing_key_secret: "signing_key".to_owned(),
        pepper_secret: secrets::pepper(site).then(|| "password_pepper".to_owned()),
        local_passwords: secrets::local_passwords(site),
        old_signing_keys: site.server.old_signing_keys.keys().cloned().collect(),
        database: Some(database_to_look_into(site)),
    }));
    Service {
        name: SERVICE.to_owned(),
        command: vec!["run".to_owned(), "main".to_owned()],
        role: Some(("main".to_owned(), role)),
        volumes,
        after: rendered.services.iter().map(|service| service.name.clone()).collect(),
        ..base_service(site)
    }
}

fn base_service(site: &Site) -> Service {
    let socket = site.database.host.as_ref().map(|host| host.as_str()).filter(|host| site.database.source == Source::External && host.starts_with('/'));
    Service {
        image: IMAGE,
        binds: socket.map(str::to_owned).into_iter().collect(),
        networks: vec![Network::Front, Network::Back, Network::Outbound],
        stop_grace_seconds: 60,
        ..Service::default()
    }
}

/// What the main process waits for.
fn waits(site: &Site) -> Vec<Wait> {
    let (host, port) = database_address(site);
    let mut waits = vec![Wait {
        name: "PostgreSQL".to_owned(),
        probe: Probe::Postgres { host, port, user: site.database.user.to_string(), database: site.database.dbname.to_string(), tls: tls(site) },
    }];
    let (host, port) = redis_address(site);
    waits.push(Wait { name: "Redis".to_owned(), probe: Probe::Tcp { host, port } });
    waits
}

/// Where `launch` can write as Synapse does, to see whether the database takes it. An external one may ask for other proofs than a
/// password, its disk is somebody else's, and it gets only the question whether it answers.
fn bundled_database(site: &Site) -> Option<Database> {
    (site.database.source == Source::Bundled).then(|| login(site))
}

/// Where `launch` looks for what is known of the site.
fn database_to_look_into(site: &Site) -> SiteDatabase {
    SiteDatabase { at: login(site), bundled: site.database.source == Source::Bundled }
}

fn login(site: &Site) -> Database {
    let (host, port) = database_address(site);
    Database {
        host,
        port,
        user: site.database.user.to_string(),
        database: site.database.dbname.to_string(),
        password_secret: "postgres_password".to_owned(),
        tls: tls(site),
    }
}

/// How libpq uses TLS with the site's database; its default is `prefer`. The authorities are named by their places in the image, since
/// a verb that is run by hand has no file with all of them.
fn tls(site: &Site) -> Option<Tls> {
    let over_tcp = site.database.source == Source::External && !database_address(site).0.starts_with('/');
    let mode = site.database.sslmode.unwrap_or(SslMode::Prefer);
    if !over_tcp || mode == SslMode::Disable {
        return None;
    }
    let roots = if mode.verifies() { std::iter::once(BUNDLE.to_owned()).chain(authorities(site)).collect() } else { Vec::new() };
    Some(Tls { mode, roots })
}

fn database_address(site: &Site) -> (String, u16) {
    match (&site.database.host, site.database.source) {
        (Some(host), Source::External) => (host.to_string(), site.database.port),
        _ => (super::postgres::SERVICE.to_owned(), 5432),
    }
}

fn redis_address(site: &Site) -> (String, u16) {
    match (&site.redis.host, site.redis.source) {
        (Some(host), Source::External) => (host.to_string(), site.redis.port),
        _ => (super::redis::SERVICE.to_owned(), 6379),
    }
}

fn admin_service(site: &Site) -> Service {
    let passwords = admin(site).into_iter().flat_map(|admin| admin.users).filter_map(|user| user.password_secret);
    Service {
        name: "admin".to_owned(),
        image: IMAGE,
        command: vec!["admin".to_owned()],
        networks: vec![Network::Front],
        secrets: std::iter::once("registration_shared_secret".to_owned()).chain(passwords).collect(),
        after: vec![SERVICE.to_owned()],
        stop_grace_seconds: 10,
        profile: Some("admin"),
        ..Service::default()
    }
}

/// Where the description's certificate authorities lie in the image.
fn authorities(site: &Site) -> Vec<String> {
    (1..=site.server.ca_certificates.len()).map(|number| format!("{CONFIG}/authorities/{number}.pem")).collect()
}

/// The description's certificate authorities, by their paths.
pub(super) fn authority_files(loaded: &Loaded) -> Vec<(String, Vec<u8>)> {
    let contents = loaded.site.server.ca_certificates.iter().map(|file| loaded.files.get(file.as_str()).cloned().unwrap_or_default());
    authorities(&loaded.site).into_iter().zip(contents).collect()
}

/// What makes a service trust them.
pub(super) fn trust(site: &Site) -> Option<Trust> {
    let certificates = authorities(site);
    (!certificates.is_empty()).then(|| Trust { bundle: BUNDLE.to_owned(), certificates, target: WHOLE_BUNDLE.to_owned() })
}

/// The file with every certificate authority that Synapse trusts.
pub(super) fn bundle(site: &Site) -> &'static str {
    if site.server.ca_certificates.is_empty() { BUNDLE } else { WHOLE_BUNDLE }
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

/// The path of a secret inside a container.
fn secret_path(name: &str) -> String {
    format!("{SECRETS_DIR}/{name}")
}
