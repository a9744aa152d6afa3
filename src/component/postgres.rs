//! The bundled PostgreSQL: its configuration and its service. Settings that matter to Synapse are from its documentation,
//! "Using Postgres"; the rest is what a container without a home of its own needs.

use std::fmt::Write as _;

use crate::checked::{CheckedSite, Database};
use crate::deployment::{Network, Part, Service};
use crate::launch::{Health, Make, Prepare, Role, Secret};
use crate::site::Site;

/// The image.
pub const IMAGE: &str = "postgres";
/// The service, which is also its host name.
pub const SERVICE: &str = "postgres";
/// The major version that the image's definition holds.
pub const MAJOR: u32 = 17;
/// The secret with Synapse's password, at any PostgreSQL.
pub const PASSWORD: &str = "postgres_password";
const VOLUME: &str = "/var/lib/postgresql";
const CONFIG: &str = "/etc/postgresql";
const SOCKETS: &str = "/run/postgresql";
/// Connections for an administrator's tools, beside those of Synapse's processes.
pub(crate) const HEADROOM: u32 = 20;

pub(super) fn resolve(checked: &CheckedSite<'_>) -> Option<Part> {
    let Database::Bundled = checked.database else { return None };
    let site = checked.site;
    let mut part = Part { secrets: vec![Secret::new(PASSWORD, "Synapse's password at the bundled PostgreSQL", Make::Random)], ..Part::default() };
    let processes = processes(site);
    let connections = connections(site);
    // Statements, their parameters and the details of an error (`Failing row contains …`) hold what people write, so the log has
    // none of them: PostgreSQL documentation, "Error Reporting and Logging".
    let mut config = format!(
        "# The bundled PostgreSQL of {server}. {processes} Synapse processes with up to {cp_max} connections each.\n\
         listen_addresses = '*'\n\
         port = 5432\n\
         unix_socket_directories = '{SOCKETS}'\n\
         unix_socket_permissions = 0700\n\
         hba_file = '{CONFIG}/pg_hba.conf'\n\
         max_connections = {connections}\n\
         shared_buffers = {shared_buffers}\n\
         dynamic_shared_memory_type = posix\n\
         jit = off\n\
         password_encryption = scram-sha-256\n\
         log_destination = stderr\n\
         logging_collector = off\n\
         log_line_prefix = '%m [%p] '\n\
         log_timezone = 'UTC'\n\
         log_min_error_statement = panic\n\
         log_error_verbosity = terse\n\
         log_parameter_max_length = 0\n\
         log_parameter_max_length_on_error = 0\n\
         timezone = 'UTC'\n\
         lc_messages = 'C'\n\
         default_text_search_config = 'pg_catalog.english'\n",
        server = site.server.server_name,
        cp_max = site.database.cp_max,
        shared_buffers = quoted(site.database.shared_buffers.as_str()),
    );
    for (name, text) in &checked.postgres_settings {
        let _ = writeln!(config, "{name} = {}", quoted(text));
    }
    let (user, database) = (site.database.user.as_str(), site.database.dbname.as_str());
    let access = format!(
        "# The service's own user may look after the cluster; Synapse comes over the network with its password; nobody else.\n\
         local all postgres peer\n\
         host {database} {user} samenet scram-sha-256\n",
        database = hba(database),
        user = hba(user),
    );
    part.add(IMAGE, &format!("{CONFIG}/postgresql.conf"), config);
    part.add(IMAGE, &format!("{CONFIG}/pg_hba.conf"), access);
    let role = Role {
        secrets: vec![PASSWORD.to_owned()],
        writable: vec![VOLUME.to_owned(), SOCKETS.to_owned()],
        prepare: Some(Prepare::Postgres {
            volume: VOLUME.to_owned(),
            major: MAJOR,
            user: user.to_owned(),
            database: database.to_owned(),
            password_secret: PASSWORD.to_owned(),
        }),
        exec: ["postgres", "-D", &format!("{VOLUME}/data"), "-c", &format!("config_file={CONFIG}/postgresql.conf")].map(str::to_owned).to_vec(),
        space: super::space(VOLUME),
        health: Some(Health::Postgres { socket: SOCKETS.to_owned(), port: 5432 }),
        ..Role::default()
    };
    part.services.push(Service {
        name: SERVICE.to_owned(),
        image: IMAGE,
        command: vec!["run".to_owned(), "postgres".to_owned()],
        role: Some(("postgres".to_owned(), role)),
        volumes: vec![("postgres", VOLUME.to_owned())],
        in_memory: vec![SOCKETS.to_owned()],
        networks: vec![Network::Back],
        // "Fast shutdown": the default signal would wait for every client to go by itself.
        stop_signal: Some("SIGINT"),
        stop_grace_seconds: 60,
        shared_memory_megabytes: Some(256),
        ..Service::default()
    });
    Some(part)
}

/// Synapse's processes.
fn processes(site: &Site) -> u32 {
    1 + u32::from(site.workers.generic) + u32::from(site.workers.federation_senders)
}

/// How many connections the bundled PostgreSQL takes.
pub(crate) fn connections(site: &Site) -> u32 {
    processes(site) * u32::from(site.database.cp_max) + HEADROOM
}

/// A string of postgresql.conf.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// A name of pg_hba.conf: in double quotes it is never a keyword.
fn hba(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
