//! The options of each configuration file, section by section. Names and meanings: Synapse documentation, "Configuration Manual".

use serde_json::{Map, Value, json};

use super::{PORT, REPLICATION_PORT, database_address, redis_address, secret_path};
use crate::render::secrets::{self, placeholder};
use crate::site::Site;
use crate::site::authentication::Method;
use crate::site::database::Source;
use crate::site::logging::Format;
use crate::site::turn::TurnSource;

pub(super) fn about(site: &Site) -> String {
    format!(
        "Synapse's configuration for {}, written by synapse-site. It is part of an image: change the description and build again.\n\
         Secrets are read from files; what Synapse cannot read from a file is completed by launch at start.",
        site.server.server_name
    )
}

pub(super) fn options(site: &Site) -> Value {
    let mut client = vec!["client"];
    if site.listeners.federation {
        client.push("federation");
    }
    let mut listeners = vec![http_listener(&client, site.listeners.compress)];
    if has_workers(site) {
        listeners.push(json!({
            "port": REPLICATION_PORT,
            "type": "http",
            "tls": false,
            "bind_addresses": ["0.0.0.0"],
            "resources": [{ "names": ["replication"], "compress": false }],
        }));
    }
    if site.listeners.metrics {
        listeners.push(metrics_listener());
    }
    let mut options = json!({
        "server_name": site.server.server_name,
        "public_baseurl": site.server.public_baseurl.with_slash(),
        "report_stats": site.server.report_stats,
        "trusted_key_servers": site.server.trusted_key_servers,
        // The list is written out, so there is nothing to be warned about.
        "suppress_key_server_warning": true,
        "serve_server_wellknown": false,
        "listeners": listeners,
        "log_config": format!("{}/log.yaml", super::CONFIG),
        "signing_key_path": secret_path("signing_key"),
        "macaroon_secret_key_path": secret_path("macaroon_secret_key"),
        "form_secret_path": secret_path("form_secret"),
        "registration_shared_secret_path": secret_path("registration_shared_secret"),
    });
    if site.listeners.metrics {
        options["enable_metrics"] = json!(true);
    }
    if !site.listeners.federation && !site.synapse.settings.contains_key("federation_domain_whitelist") {
        // An island neither answers others nor asks them.
        options["federation_domain_whitelist"] = json!([]);
    }
    options
}

/// A process's HTTP listener, reached through the gateway only.
pub(super) fn http_listener(resources: &[&str], compress: bool) -> Value {
    json!({
        "port": PORT,
        "type": "http",
        "tls": false,
        "x_forwarded": true,
        "bind_addresses": ["0.0.0.0"],
        "resources": [{ "names": resources, "compress": compress }],
    })
}

pub(super) fn metrics_listener() -> Value {
    json!({ "port": 9000, "type": "metrics", "bind_addresses": ["0.0.0.0"] })
}

pub(super) fn has_workers(site: &Site) -> bool {
    site.workers.generic + site.workers.federation_senders > 0
}

pub(super) fn authentication(site: &Site) -> Value {
    let authentication = &site.authentication;
    let mut config = Map::new();
    // Never "only_for_reauth": it switches off the password login that the directory's module needs (facts on Synapse, rule 30).
    config.insert("enabled".to_owned(), json!(true));
    config.insert("localdb_enabled".to_owned(), json!(authentication.method == Method::Local));
    if authentication.method == Method::Local {
        config.insert("policy".to_owned(), json!(authentication.policy));
    }
    if secrets::pepper(site) {
        config.insert("pepper".to_owned(), json!(placeholder("password_pepper")));
    }
    json!({ "password_config": config })
}

pub(super) fn database(site: &Site, passfile: &str) -> Value {
    let database = &site.database;
    let (host, port) = database_address(site);
    let mut args = json!({
        "user": database.user,
        "dbname": database.dbname,
        "host": host,
        "port": port,
        "passfile": passfile,
        "cp_min": database.cp_min,
        "cp_max": database.cp_max,
    });
    if database.source == Source::External && !host.starts_with('/') {
        // A peer that vanished without a word is noticed within a minute, as Synapse's documentation recommends.
        for (name, value) in [("keepalives_idle", 10), ("keepalives_interval", 10), ("keepalives_count", 3)] {
            args[name] = json!(value);
        }
    }
    if let Some(mode) = database.sslmode {
        args["sslmode"] = json!(mode.as_str());
        if mode.as_str().starts_with("verify") {
            args["sslrootcert"] = json!("/etc/ssl/certs/ca-certificates.crt");
        }
    }
    json!({ "database": { "name": "psycopg2", "args": args } })
}

pub(super) fn redis(site: &Site) -> Value {
    let (host, port) = redis_address(site);
    let mut redis = json!({ "enabled": true, "host": host, "port": port });
    if site.redis.source == Source::Bundled || site.redis.password {
        redis["password_path"] = json!(secret_path("redis_password"));
    }
    if site.redis.source == Source::External {
        redis["dbid"] = json!(site.redis.dbid);
    }
    json!({ "redis": redis })
}

pub(super) fn registration(site: &Site) -> Value {
    // The section has Synapse's own names throughout.
    json!(site.registration)
}

pub(super) fn media(site: &Site, state: &str) -> Value {
    let media = &site.media;
    let mut options = json!({
        "media_store_path": format!("{state}/media"),
        "enable_authenticated_media": media.enable_authenticated_media,
        "max_upload_size": media.max_upload_size,
        "url_preview_enabled": media.url_preview_enabled,
    });
    if media.url_preview_enabled {
        options["url_preview_ip_range_blacklist"] = json!(media.url_preview_ip_range_blacklist);
        if !media.url_preview_ip_range_whitelist.is_empty() {
            options["url_preview_ip_range_whitelist"] = json!(media.url_preview_ip_range_whitelist);
        }
    }
    let lifetimes = [("local_media_lifetime", &media.local_media_lifetime), ("remote_media_lifetime", &media.remote_media_lifetime)];
    for (name, lifetime) in lifetimes {
        if let Some(lifetime) = lifetime {
            options["media_retention"][name] = json!(lifetime);
        }
    }
    options
}

pub(super) fn turn(site: &Site) -> Option<Value> {
    let turn = &site.turn;
    let uris: Vec<String> = match turn.source {
        TurnSource::None => return None,
        TurnSource::External => turn.turn_uris.iter().map(ToString::to_string).collect(),
        TurnSource::Bundled => {
            let host = turn.host.as_ref()?;
            let port = if turn.port == 3478 { String::new() } else { format!(":{}", turn.port) };
            ["udp", "tcp"].iter().map(|transport| format!("turn:{host}{port}?transport={transport}")).collect()
        }
    };
    Some(json!({
        "turn_uris": uris,
        "turn_shared_secret_path": secret_path("turn_shared_secret"),
        "turn_user_lifetime": turn.turn_user_lifetime,
        "turn_allow_guests": turn.turn_allow_guests,
    }))
}

pub(super) fn logging(site: &Site) -> Value {
    let logging = &site.logging;
    let formatter = match logging.format {
        Format::Text => json!({ "format": "%(asctime)s - %(name)s - %(lineno)d - %(levelname)s - %(request)s - %(message)s" }),
        Format::Json => json!({ "class": "synapse.logging.TerseJsonFormatter" }),
    };
    // SQL at DEBUG shows values; it stays at INFO unless the site says otherwise.
    let mut loggers = json!({ "synapse.storage.SQL": { "level": "INFO" } });
    for (name, level) in &logging.levels {
        loggers[name] = json!({ "level": level.as_str() });
    }
    json!({
        "version": 1,
        "disable_existing_loggers": false,
        "formatters": { "line": formatter },
        "handlers": { "stdout": { "class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stdout" } },
        "loggers": loggers,
        "root": { "level": logging.level.as_str(), "handlers": ["stdout"] },
    })
}
