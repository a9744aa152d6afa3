//! S04xx: what stands under `synapse.settings`: nothing that another part of the description writes, and no secrets.

use serde_json::Value;

use super::{Breach, Rule};
use crate::check::Severity::Error;
use crate::launch::{ADDRESS, PLACEHOLDER_OPEN};
use crate::render::secrets::reference;
use crate::site::schema::{OptionPath, nearest};
use crate::site::synapse::SECRET_MEMBERS;

/// Synapse options that a section writes, and which.
const OWNED: &[(&str, &str)] = &[
    ("allow_guest_access", "registration.allow_guest_access"),
    ("database", "the section database"),
    ("databases", "the section database"),
    ("enable_3pid_changes", "registration.enable_3pid_changes"),
    ("enable_authenticated_media", "media.enable_authenticated_media"),
    ("enable_media_repo", "the section workers"),
    ("enable_metrics", "listeners.metrics"),
    ("enable_registration", "registration.enable_registration"),
    ("enable_registration_without_verification", "registration.enable_registration_without_verification"),
    ("enable_set_avatar_url", "registration.enable_set_avatar_url"),
    ("enable_set_displayname", "registration.enable_set_displayname"),
    ("extra_well_known_client_content", "well_known.extra_client_content"),
    ("federation_sender_instances", "workers.federation_senders"),
    ("form_secret", "the secret form_secret"),
    ("form_secret_path", "the secret form_secret"),
    ("instance_map", "the section workers"),
    ("listeners", "the section listeners"),
    ("log_config", "the section logging"),
    ("macaroon_secret_key", "the secret macaroon_secret_key"),
    ("macaroon_secret_key_path", "the secret macaroon_secret_key"),
    ("max_upload_size", "media.max_upload_size"),
    ("media_retention", "media.local_media_lifetime and media.remote_media_lifetime"),
    ("media_store_path", "the manifest: the media store is a volume"),
    ("password_config", "the section authentication"),
    ("pid_file", "nothing: a container has no use for it"),
    ("public_baseurl", "server.public_baseurl"),
    ("redis", "the section redis"),
    ("registration_requires_token", "registration.registration_requires_token"),
    ("registration_shared_secret", "the secret registration_shared_secret"),
    ("registration_shared_secret_path", "the secret registration_shared_secret"),
    ("registrations_require_3pid", "registration.registrations_require_3pid"),
    ("report_stats", "server.report_stats"),
    ("send_federation", "workers.federation_senders"),
    ("serve_server_wellknown", "the section well_known"),
    ("server_name", "server.server_name"),
    ("signing_key", "the secret signing_key"),
    ("signing_key_path", "the secret signing_key"),
    ("suppress_key_server_warning", "server.trusted_key_servers"),
    ("trusted_key_servers", "server.trusted_key_servers"),
    ("turn_allow_guests", "turn.turn_allow_guests"),
    ("turn_password", "the section turn, with a shared secret"),
    ("turn_shared_secret", "the secret turn_shared_secret"),
    ("turn_shared_secret_path", "the secret turn_shared_secret"),
    ("turn_uris", "turn.turn_uris"),
    ("turn_user_lifetime", "turn.turn_user_lifetime"),
    ("turn_username", "the section turn, with a shared secret"),
    ("url_preview_enabled", "media.url_preview_enabled"),
    ("url_preview_ip_range_blacklist", "media.url_preview_ip_range_blacklist"),
    ("url_preview_ip_range_whitelist", "media.url_preview_ip_range_whitelist"),
    ("worker_app", "the section workers"),
    ("worker_listeners", "the section workers"),
    ("worker_log_config", "the section logging"),
    ("worker_name", "the section workers"),
    ("worker_replication_secret", "the secret worker_replication_secret"),
    ("worker_replication_secret_path", "the secret worker_replication_secret"),
];

/// Synapse options that do not work by themselves: they name files that no image has, or want a listener's resource, another
/// process's place in the instance map, or a second service.
const UNSUPPORTED: &[&str] = &[
    "app_service_config_files",
    "custom_template_directory",
    "matrix_authentication_service",
    "saml2_config",
    "stream_writers",
    "media_instance_running_background_jobs",
    "notify_appservices_from_worker",
    "run_background_tasks_on",
    "pusher_instances",
    "outbound_federation_restricted_to",
    "templates",
    "tls_certificate_path",
    "tls_private_key_path",
    "update_user_directory_from_worker",
    "user_consent",
];

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "S0401",
        severity: Error,
        reason: "Synapse merges its files shallowly: of two that set one option, the later wins silently (config/_base.py, read_config_files).",
        breaches: |loaded| {
            let settings = loaded.site.synapse.settings.keys();
            settings
                .filter_map(|name| OWNED.iter().find(|(owned, _)| owned == name))
                .map(|(name, owner)| {
                    Breach::at(&format!("synapse.settings.{name}"), format!("is already written by {owner}"), "say it there, and remove it here")
                })
                .collect()
        },
    },
    Rule {
        code: "S0402",
        severity: Error,
        reason: "What a description says is readable in the image, in the Nix store and in version control.",
        breaches: |loaded| {
            let mut breaches = Vec::new();
            for (name, value) in &loaded.site.synapse.settings {
                inline_secrets(&format!("synapse.settings.{name}"), name, value, &mut breaches);
            }
            breaches
        },
    },
    Rule {
        code: "S0403",
        severity: Error,
        reason: "A reference to a secret is a set of exactly one member, whose value names a file under secrets/.",
        breaches: |loaded| {
            let mut breaches = Vec::new();
            for (name, value) in &loaded.site.synapse.settings {
                bad_references(&format!("synapse.settings.{name}"), value, &mut breaches);
            }
            breaches
        },
    },
    Rule {
        code: "S0404",
        severity: Error,
        reason: "Synapse ignores options it does not know; the LDAP module has a section of its own, and under this name it registers nothing.",
        breaches: |loaded| {
            let Some(modules) = loaded.site.synapse.settings.get("modules").and_then(Value::as_array) else { return Vec::new() };
            modules
                .iter()
                .enumerate()
                .filter(|(_, module)| module["module"].as_str().is_some_and(|name| name.starts_with("ldap_auth_provider")))
                .map(|(at, _)| {
                    Breach::at(
                        &format!("synapse.settings.modules.{at}"),
                        "is the LDAP module",
                        "describe the directory in the section ldap and set authentication.method to \"ldap\"",
                    )
                })
                .collect()
        },
    },
    Rule {
        code: "S0405",
        severity: Error,
        reason: "A hyphen in an option's name is always a typing error: Synapse's names have underscores, and it ignores all others.",
        breaches: |loaded| {
            let settings = loaded.site.synapse.settings.keys();
            settings
                .filter(|name| !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'))
                .map(|name| {
                    let near = nearest(name, OWNED.iter().map(|(owned, _)| *owned)).map_or(String::new(), |near| format!("; did you mean {near:?}?"));
                    Breach::at(
                        &format!("synapse.settings.{name}"),
                        "is no name that a Synapse option can have",
                        format!("Synapse's options are written with a-z, 0-9 and _{near}"),
                    )
                })
                .collect()
        },
    },
    Rule {
        code: "S0406",
        severity: Error,
        reason: "launch puts secrets and addresses in the place of these marks; a text that looks like one would be replaced, or stop the start.",
        breaches: |loaded| {
            let mut breaches = Vec::new();
            let description = serde_json::to_value(&loaded.site).unwrap_or_default();
            marks(&OptionPath::default(), &description, &mut breaches);
            breaches
        },
    },
    Rule {
        code: "S0407",
        severity: Error,
        reason: "These options need files in the image or a listener's resource; set here alone, Synapse stops at start or sends people to a page that is not there.",
        breaches: |loaded| {
            loaded
                .site
                .synapse
                .settings
                .keys()
                .filter(|name| UNSUPPORTED.contains(&name.as_str()))
                .map(|name| {
                    Breach::at(
                        &format!("synapse.settings.{name}"),
                        "needs more than this option, and this version has no section for it",
                        "leave it out for now",
                    )
                })
                .collect()
        },
    },
];

fn marks(path: &OptionPath, value: &Value, breaches: &mut Vec<Breach>) {
    let marked = |text: &str| text.contains(PLACEHOLDER_OPEN) || text.contains(ADDRESS);
    match value {
        Value::String(text) if marked(text) => breaches.push(Breach {
            option: path.clone(),
            message: format!("holds {PLACEHOLDER_OPEN} or {ADDRESS}, which this program keeps for itself"),
            remedy: "write { _secret: NAME } for a secret, and choose another text otherwise".to_owned(),
        }),
        Value::Object(members) => {
            for (key, member) in members {
                marks(&path.key(key), member, breaches);
                if marked(key) {
                    marks(&path.key(key), &Value::String(key.clone()), breaches);
                }
            }
        }
        Value::Array(elements) => elements.iter().enumerate().for_each(|(at, element)| marks(&path.index(at), element, breaches)),
        _ => {}
    }
}

fn inline_secrets(path: &str, name: &str, value: &Value, breaches: &mut Vec<Breach>) {
    match value {
        Value::String(text) if !text.is_empty() && SECRET_MEMBERS.contains(&name) => breaches.push(Breach::at(
            path,
            "is a secret, written into the description",
            format!("write {{ _secret: {name} }} and put the value into secrets/{name} on the target"),
        )),
        Value::Object(members) => {
            for (key, member) in members {
                inline_secrets(&format!("{path}.{key}"), key, member, breaches);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                inline_secrets(path, name, element, breaches);
            }
        }
        _ => {}
    }
}

fn bad_references(path: &str, value: &Value, breaches: &mut Vec<Breach>) {
    match value {
        Value::Object(members) if members.contains_key("_secret") => {
            if let Err(why) = reference(value).unwrap_or_else(|| Err("the set has other members beside _secret".to_owned())) {
                breaches.push(Breach::at(path, why, "write { _secret: NAME } with a name of a-z, 0-9 and _"));
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                bad_references(&format!("{path}.{key}"), member, breaches);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                bad_references(path, element, breaches);
            }
        }
        _ => {}
    }
}
