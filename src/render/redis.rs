//! The bundled Redis: a bus and a cache between Synapse's processes, so nothing of it is kept.

use super::secrets::placeholder;
use super::{Network, Rendered, Service};
use crate::launch::{Escape, Health, RUN_DIR, Role, Template};
use crate::site::Site;
use crate::site::database::Source;

const IMAGE: &str = "redis";
/// The service, which is also its host name.
pub const SERVICE: &str = "redis";

pub(super) fn render(site: &Site, rendered: &mut Rendered) {
    if site.redis.source == Source::External {
        return;
    }
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
        placeholder("redis_password")
    );
    rendered.add(IMAGE, "/etc/redis/redis.conf", config);
    let completed = format!("{RUN_DIR}/redis.conf");
    let role = Role {
        secrets: vec!["redis_password".to_owned()],
        files: vec![Template { source: "/etc/redis/redis.conf".to_owned(), target: completed.clone(), escape: Escape::Plain }],
        exec: vec!["redis-server".to_owned(), completed],
        health: Some(Health::Redis { port: 6379, password_secret: Some("redis_password".to_owned()) }),
        ..Role::default()
    };
    rendered.services.push(Service {
        name: SERVICE.to_owned(),
        image: IMAGE,
        command: vec!["run".to_owned(), "redis".to_owned()],
        role: Some(("redis".to_owned(), role)),
        networks: vec![Network::Back],
        stop_grace_seconds: 10,
        ..Service::default()
    });
}
