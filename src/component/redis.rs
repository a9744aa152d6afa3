//! The bundled Redis: a bus and a cache between Synapse's processes, so nothing of it is kept.

use crate::checked::{CheckedSite, Redis};
use crate::deployment::{Network, Part, Service};
use crate::launch::{Escape, Health, Make, RUN_DIR, Role, Secret, Template, placeholder};

const IMAGE: &str = "redis";
/// The service, which is also its host name.
pub const SERVICE: &str = "redis";
/// The secret with Synapse's password, at any Redis.
pub const PASSWORD: &str = "redis_password";

pub(super) fn resolve(checked: &CheckedSite<'_>) -> Option<Part> {
    let Redis::Bundled = checked.redis else { return None };
    let mut part = Part { secrets: vec![Secret::new(PASSWORD, "Synapse's password at the bundled Redis", Make::Random)], ..Part::default() };
    let config = format!(
        "# A message bus: nothing is kept.\n\
         bind * -::*\n\
         port 6379\n\
         protected-mode yes\n\
         requirepass {}\n\
         dir /tmp\n\
         save \"\"\n\
         appendonly no\n\
         daemonize no\n\
         supervised no\n\
         logfile \"\"\n\
         loglevel notice\n\
         hide-user-data-from-log yes\n",
        placeholder(PASSWORD)
    );
    part.add(IMAGE, "/etc/redis/redis.conf", config);
    let completed = format!("{RUN_DIR}/redis.conf");
    let role = Role {
        secrets: vec![PASSWORD.to_owned()],
        files: vec![Template { source: "/etc/redis/redis.conf".to_owned(), target: completed.clone(), escape: Escape::Plain }],
        exec: vec!["redis-server".to_owned(), completed],
        health: Some(Health::Redis { port: 6379, password_secret: Some(PASSWORD.to_owned()) }),
        ..Role::default()
    };
    part.services.push(Service {
        name: SERVICE.to_owned(),
        image: IMAGE,
        command: vec!["run".to_owned(), "redis".to_owned()],
        role: Some(("redis".to_owned(), role)),
        networks: vec![Network::Back],
        stop_grace_seconds: 10,
        ..Service::default()
    });
    Some(part)
}
