//! The options of each configuration file, section by section. Names and meanings: Synapse documentation, "Configuration Manual".

use serde_json::{Map, Value, json};

use super::{METRICS_PORT, PORT, REPLICATION_PORT, database_address, logging, policy, redis_address, secrets};
use crate::checked::{CheckedSite, Database, Redis, Turn};
use crate::component::{authorities, redis};
use crate::launch::{placeholder, secret_path};
use crate::site::Site;
use crate::site::authentication::Method;
use crate::site::rtc::RtcSource;

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
    } else if site.rtc.source != RtcSource::None {
        // The authorisation service asks here who somebody is.
        client.push("openid");
    }
    if site.consent.is_some() {
        // Only the main process answers for it; the gateway sends it there.
        client.push("consent");
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
        "log_config": logging::path(site, super::SERVICE),
        "signing_key_path": secret_path(secrets::SIGNING_KEY),
        "macaroon_secret_key_path": secret_path(secrets::MACAROONS),
        "form_secret_path": secret_path(secrets::FORMS),
        "registration_shared_secret_path": secret_path(secrets::REGISTRATION),
    });
    if site.listeners.metrics {
        options["enable_metrics"] = json!(true);
    }
    let server = &site.server;
    if !server.old_signing_keys.is_empty() {
        options["old_signing_keys"] = json!(server.old_signing_keys);
    }
    // Synapse's own defaults are not repeated.
    for (name, value, default) in
        [("key_refresh_interval", server.key_refresh_interval.as_str(), "1d"), ("user_ips_max_age", server.user_ips_max_age.as_str(), "28d")]
    {
        if value != default {
            options[name] = json!(value);
        }
    }
    if let Some(client) = &server.web_client_location {
        options["web_client_location"] = json!(client);
    }
    if let Some(suffix) = &server.user_agent_suffix {
        options["user_agent_suffix"] = json!(suffix);
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
    json!({ "port": METRICS_PORT, "type": "metrics", "bind_addresses": ["0.0.0.0"] })
}

pub(super) fn has_workers(site: &Site) -> bool {
    site.workers.generic + site.workers.federation_senders > 0
}

pub(super) fn authentication(site: &Site) -> Value {
    let authentication = &site.authentication;
    let mut config = Map::new();
    // Never "only_for_reauth": it switches off the password login that the directory's module needs (handlers/auth.py).
    config.insert("enabled".to_owned(), json!(authentication.method != Method::None));
    config.insert("localdb_enabled".to_owned(), json!(authentication.method == Method::Local));
    if authentication.method == Method::Local {
        config.insert("policy".to_owned(), json!(authentication.policy));
    }
    if authentication.has_pepper() {
        config.insert("pepper".to_owned(), json!(placeholder(secrets::PEPPER)));
    }
    let mut options = policy::non_default(authentication);
    for name in ["method", "policy", "pepper"] {
        options.remove(name);
    }
    options.insert("password_config".to_owned(), Value::Object(config));
    Value::Object(options)
}

pub(super) fn database(checked: &CheckedSite<'_>, passfile: &str) -> Value {
    let database = &checked.site.database;
    let (host, port) = database_address(checked);
    let mut args = json!({
        "user": database.user,
        "dbname": database.dbname,
        "host": host,
        "port": port,
        "passfile": passfile,
        "cp_min": database.cp_min,
        "cp_max": database.cp_max,
    });
    let is_external = matches!(checked.database, Database::External { .. });
    if is_external && !host.starts_with('/') {
        // A peer that vanished without a word is noticed within a minute, as Synapse's documentation recommends.
        for (name, value) in [("keepalives_idle", 10), ("keepalives_interval", 10), ("keepalives_count", 3)] {
            args[name] = json!(value);
        }
    }
    if is_external && database.hosts().len() > 1 {
        // Otherwise libpq takes the first that answers, which may be a standby.
        args["target_session_attrs"] = json!("read-write");
    }
    if let Some(mode) = database.sslmode {
        args["sslmode"] = json!(mode.as_str());
        if mode.verifies() {
            args["sslrootcert"] = json!(authorities::bundle(checked.site));
        }
    }
    let mut block = json!({ "name": "psycopg2", "args": args });
    if let Some(limit) = &database.statement_timeout {
        // Synapse hands it on as it is, and PostgreSQL counts in milliseconds (storage/engines/postgres.py).
        block["statement_timeout"] = json!(limit.milliseconds());
    }
    if let Some(limit) = database.txn_limit {
        block["txn_limit"] = json!(limit);
    }
    json!({ "database": block })
}

pub(super) fn redis(checked: &CheckedSite<'_>) -> Value {
    let site = checked.site;
    let (host, port) = redis_address(checked);
    let mut options = json!({ "enabled": true, "host": host, "port": port });
    let is_external = matches!(checked.redis, Redis::External { .. });
    if !is_external || site.redis.password {
        options["password_path"] = json!(secret_path(redis::PASSWORD));
    }
    if is_external {
        options["dbid"] = json!(site.redis.dbid);
    }
    json!({ "redis": options })
}

pub(super) fn registration(site: &Site) -> Value {
    let mut options = policy::non_default(&site.registration);
    // What an administrator looks for first is written in any case.
    options.insert("enable_registration".to_owned(), json!(site.registration.enable_registration));
    Value::Object(options)
}

pub(super) fn media(site: &Site, state: &str) -> Value {
    let media = &site.media;
    let mut options = policy::non_default(media);
    options.insert("media_store_path".to_owned(), json!(format!("{state}/media")));
    for (name, value) in [
        ("enable_authenticated_media", json!(media.enable_authenticated_media)),
        ("max_upload_size", json!(media.max_upload_size)),
        ("url_preview_enabled", json!(media.url_preview_enabled)),
    ] {
        options.insert(name.to_owned(), value);
    }
    if media.url_preview_enabled {
        // Synapse has no list of its own here, and without one a preview reaches into the site's network.
        options.insert("url_preview_ip_range_blacklist".to_owned(), json!(policy::with_private_networks(&media.url_preview_ip_range_blacklist)));
    } else {
        options.retain(|name, _| name == "url_preview_enabled" || !name.starts_with("url_preview"));
    }
    let lifetimes: Map<String, Value> =
        ["local_media_lifetime", "remote_media_lifetime"].iter().filter_map(|name| Some(((*name).to_owned(), options.remove(*name)?))).collect();
    if !lifetimes.is_empty() {
        options.insert("media_retention".to_owned(), Value::Object(lifetimes));
    }
    Value::Object(options)
}

pub(super) fn turn(checked: &CheckedSite<'_>) -> Option<Value> {
    let turn = &checked.site.turn;
    let uris: Vec<String> = match checked.turn {
        Turn::None => return None,
        Turn::External { uris, .. } => uris.iter().map(ToString::to_string).collect(),
        Turn::Bundled { host, .. } => {
            let port = if turn.port == 3478 { String::new() } else { format!(":{}", turn.port) };
            let mut uris: Vec<String> = ["udp", "tcp"].iter().map(|transport| format!("turn:{host}{port}?transport={transport}")).collect();
            if turn.tls {
                let port = if turn.tls_port == 5349 { String::new() } else { format!(":{}", turn.tls_port) };
                uris.push(format!("turns:{host}{port}?transport=tcp"));
            }
            uris
        }
    };
    let mut options = json!({
        "turn_uris": uris,
        "turn_user_lifetime": turn.turn_user_lifetime,
        "turn_allow_guests": turn.turn_allow_guests,
    });
    match checked.turn {
        // Synapse reads this password from no file.
        Turn::External { user: Some(user), .. } => {
            options["turn_username"] = json!(user);
            options["turn_password"] = json!(placeholder(turn.secret()));
        }
        Turn::None | Turn::Bundled { .. } | Turn::External { user: None, .. } => options["turn_shared_secret_path"] = json!(secret_path(turn.secret())),
    }
    Some(options)
}
