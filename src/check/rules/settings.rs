//! S04xx: what stands under `synapse.settings`: nothing that another part of the description writes, and no secrets.

use serde_json::Value;

use super::{Rule, Violation, modules};
use crate::check::Severity::Error;
use crate::check::{names, said, translate};
use crate::launch::{ADDRESS, PLACEHOLDER_OPEN};
use crate::site::Site;
use crate::site::schema::{OptionPath, nearest};
use crate::site::secret::reference;
use crate::site::synapse::{LOADED, SECRET_MEMBERS, has_password, is_written, names_secret};
use crate::synapse;

/// The owner of options about the inside of a container, which no section has.
pub(in crate::check) const TOOL: &str = "the tool";

/// Synapse options that a section writes, and which.
const OWNED: &[(&str, &str)] = &[
    ("account_threepid_delegates", "registration.account_threepid_delegates"),
    ("admin_contact", "limits.admin_contact"),
    ("alias_creation_rules", "rooms.alias_creation_rules"),
    ("allow_device_name_lookup_over_federation", "federation.allow_device_name_lookup_over_federation"),
    ("allow_guest_access", "registration.allow_guest_access"),
    ("allow_per_room_profiles", "profiles.allow_per_room_profiles"),
    ("allow_profile_lookup_over_federation", "profiles.allow_profile_lookup_over_federation"),
    ("allow_public_rooms_over_federation", "rooms.allow_public_rooms_over_federation"),
    ("allow_public_rooms_without_auth", "rooms.allow_public_rooms_without_auth"),
    ("allowed_avatar_mimetypes", "limits.allowed_avatar_mimetypes"),
    ("allowed_local_3pids", "registration.allowed_local_3pids"),
    ("app_service_config_files", "the section app_services"),
    ("auto_join_mxid_localpart", "rooms.auto_join_mxid_localpart"),
    ("auto_join_rooms", "rooms.auto_join_rooms"),
    ("auto_join_rooms_for_guests", "rooms.auto_join_rooms_for_guests"),
    ("autocreate_auto_join_room_preset", "rooms.autocreate_auto_join_room_preset"),
    ("autocreate_auto_join_rooms", "rooms.autocreate_auto_join_rooms"),
    ("autocreate_auto_join_rooms_federated", "rooms.autocreate_auto_join_rooms_federated"),
    ("bcrypt_rounds", "authentication.bcrypt_rounds"),
    ("block_non_admin_invites", "rooms.block_non_admin_invites"),
    ("database", "the section database"),
    ("databases", "the section database"),
    ("default_identity_server", "registration.default_identity_server"),
    ("default_room_version", "rooms.default_room_version"),
    ("delete_stale_devices_after", "authentication.delete_stale_devices_after"),
    ("disable_msisdn_registration", "registration.disable_msisdn_registration"),
    ("dynamic_thumbnails", "media.dynamic_thumbnails"),
    ("email", "the section email"),
    ("enable_3pid_changes", "registration.enable_3pid_changes"),
    ("enable_3pid_lookup", "registration.enable_3pid_lookup"),
    ("enable_authenticated_media", "media.enable_authenticated_media"),
    ("enable_metrics", "listeners.metrics"),
    ("enable_registration", "registration.enable_registration"),
    ("enable_registration_token_3pid_bypass", "registration.enable_registration_token_3pid_bypass"),
    ("enable_registration_without_verification", "registration.enable_registration_without_verification"),
    ("enable_room_list_search", "rooms.enable_room_list_search"),
    ("enable_search", "rooms.enable_search"),
    ("enable_set_avatar_url", "registration.enable_set_avatar_url"),
    ("enable_set_displayname", "registration.enable_set_displayname"),
    ("encryption_enabled_by_default_for_room_type", "rooms.encryption_enabled_by_default_for_room_type"),
    ("exclude_rooms_from_presence", "presence.exclude_rooms_from_presence"),
    ("extra_well_known_client_content", "well_known.extra_client_content"),
    ("federation", "the section federation"),
    ("federation_certificate_verification_whitelist", "federation.federation_certificate_verification_whitelist"),
    ("federation_client_minimum_tls_version", "federation.federation_client_minimum_tls_version"),
    ("federation_custom_ca_list", "federation.federation_custom_ca_list"),
    ("federation_domain_whitelist", "federation.federation_domain_whitelist"),
    ("federation_ip_range_blacklist", "federation.ip_range_blacklist"),
    ("federation_metrics_domains", "federation.federation_metrics_domains"),
    ("federation_rr_transactions_per_room_per_second", "rate_limits.federation_rr_transactions_per_room_per_second"),
    ("federation_sender_instances", "workers.federation_senders"),
    ("federation_whitelist_endpoint_enabled", "federation.federation_whitelist_endpoint_enabled"),
    ("filter_timeline_limit", "rooms.filter_timeline_limit"),
    ("forget_rooms_on_leave", "limits.forget_rooms_on_leave"),
    ("forgotten_room_retention_period", "limits.forgotten_room_retention_period"),
    ("form_secret", "the secret form_secret"),
    ("form_secret_path", "the secret form_secret"),
    ("hs_disabled", "limits.hs_disabled"),
    ("hs_disabled_message", "limits.hs_disabled_message"),
    ("include_profile_data_on_invite", "profiles.include_profile_data_on_invite"),
    ("inhibit_user_in_use_error", "registration.inhibit_user_in_use_error"),
    ("instance_map", "the section workers"),
    ("ip_range_blacklist", "federation.ip_range_blacklist"),
    ("ip_range_whitelist", "federation.ip_range_whitelist"),
    ("key_refresh_interval", "server.key_refresh_interval"),
    ("limit_profile_requests_to_users_who_share_rooms", "profiles.limit_profile_requests_to_users_who_share_rooms"),
    ("limit_remote_rooms", "limits.limit_remote_rooms"),
    ("limit_usage_by_mau", "limits.limit_usage_by_mau"),
    ("listeners", "the section listeners"),
    ("log_config", TOOL),
    ("login_via_existing_session", "authentication.login_via_existing_session"),
    ("macaroon_secret_key", "the secret macaroon_secret_key"),
    ("macaroon_secret_key_path", "the secret macaroon_secret_key"),
    ("matrix_authentication_service", "the section matrix_authentication_service"),
    ("matrix_rtc", "the section rtc"),
    ("mau_limit_alerting", "limits.mau_limit_alerting"),
    ("mau_limit_reserved_threepids", "limits.mau_limit_reserved_threepids"),
    ("mau_stats_only", "limits.mau_stats_only"),
    ("mau_trial_days", "limits.mau_trial_days"),
    ("max_avatar_size", "limits.max_avatar_size"),
    ("max_event_delay_duration", "rtc.max_event_delay_duration"),
    ("max_image_pixels", "media.max_image_pixels"),
    ("max_mau_value", "limits.max_mau_value"),
    ("max_pending_media_uploads", "media.max_pending_media_uploads"),
    ("max_spider_size", "media.max_spider_size"),
    ("max_upload_size", "media.max_upload_size"),
    ("media_retention", "media.local_media_lifetime and media.remote_media_lifetime"),
    ("media_store_path", TOOL),
    ("media_upload_limits", "media.media_upload_limits"),
    ("nonrefreshable_access_token_lifetime", "authentication.nonrefreshable_access_token_lifetime"),
    ("oidc_config", "the section oidc"),
    ("oidc_providers", "the section oidc"),
    ("old_signing_keys", "server.old_signing_keys"),
    ("password_config", "the section authentication"),
    ("pid_file", TOOL),
    ("presence", "the section presence"),
    ("prevent_media_downloads_from", "media.prevent_media_downloads_from"),
    ("public_baseurl", "server.public_baseurl"),
    ("rc_3pid_validation", "rate_limits.rc_3pid_validation"),
    ("rc_admin_redaction", "rate_limits.rc_admin_redaction"),
    ("rc_delayed_event_mgmt", "rate_limits.rc_delayed_event_mgmt"),
    ("rc_federation", "rate_limits.rc_federation"),
    ("rc_invites", "rate_limits.rc_invites"),
    ("rc_joins", "rate_limits.rc_joins"),
    ("rc_joins_per_room", "rate_limits.rc_joins_per_room"),
    ("rc_login", "rate_limits.rc_login"),
    ("rc_media_create", "rate_limits.rc_media_create"),
    ("rc_message", "rate_limits.rc_message"),
    ("rc_presence", "rate_limits.rc_presence"),
    ("rc_profile", "rate_limits.rc_profile"),
    ("rc_registration", "rate_limits.rc_registration"),
    ("rc_registration_token_validity", "rate_limits.rc_registration_token_validity"),
    ("rc_reports", "rate_limits.rc_reports"),
    ("rc_room_creation", "rate_limits.rc_room_creation"),
    ("rc_third_party_invite", "rate_limits.rc_third_party_invite"),
    ("rc_user_directory", "rate_limits.rc_user_directory"),
    ("redaction_retention_period", "rooms.redaction_retention_period"),
    ("redis", "the section redis"),
    ("refresh_token_lifetime", "authentication.refresh_token_lifetime"),
    ("refreshable_access_token_lifetime", "authentication.refreshable_access_token_lifetime"),
    ("registration_requires_token", "registration.registration_requires_token"),
    ("registration_shared_secret", "the secret registration_shared_secret"),
    ("registration_shared_secret_path", "the secret registration_shared_secret"),
    ("registrations_require_3pid", "registration.registrations_require_3pid"),
    ("remote_media_download_burst_count", "rate_limits.remote_media_download_burst_count"),
    ("remote_media_download_per_second", "rate_limits.remote_media_download_per_second"),
    ("report_stats", "server.report_stats"),
    ("request_token_inhibit_3pid_errors", "registration.request_token_inhibit_3pid_errors"),
    ("require_auth_for_profile_requests", "profiles.require_auth_for_profile_requests"),
    ("require_membership_for_aliases", "rooms.require_membership_for_aliases"),
    ("restrict_public_rooms_to_local_users", "rooms.allow_public_rooms_over_federation"),
    ("retention", "rooms.retention"),
    ("room_list_publication_rules", "rooms.room_list_publication_rules"),
    ("send_federation", "workers.federation_senders"),
    ("serve_server_wellknown", "the section well_known"),
    ("server_name", "server.server_name"),
    ("server_notices", "the section server_notices"),
    ("session_lifetime", "authentication.session_lifetime"),
    ("signing_key", "the secret signing_key"),
    ("signing_key_path", TOOL),
    ("sso", "the section oidc"),
    ("suppress_key_server_warning", "server.trusted_key_servers"),
    ("templates", "templates.custom_template_directory"),
    ("trusted_key_servers", "server.trusted_key_servers"),
    ("turn_allow_guests", "turn.turn_allow_guests"),
    ("turn_password", "the secret turn_password, with turn.turn_username"),
    ("turn_shared_secret", "the secret turn_shared_secret"),
    ("turn_shared_secret_path", "the secret turn_shared_secret"),
    ("turn_uris", "turn.turn_uris"),
    ("turn_user_lifetime", "turn.turn_user_lifetime"),
    ("turn_username", "turn.turn_username"),
    ("ui_auth", "authentication.ui_auth"),
    ("unused_expiration_time", "media.unused_expiration_time"),
    ("url_preview_accept_language", "media.url_preview_accept_language"),
    ("url_preview_enabled", "media.url_preview_enabled"),
    ("url_preview_ip_range_blacklist", "media.url_preview_ip_range_blacklist"),
    ("url_preview_ip_range_whitelist", "media.url_preview_ip_range_whitelist"),
    ("url_preview_url_blacklist", "media.url_preview_url_blacklist"),
    ("use_presence", "presence.enabled"),
    ("user_agent_suffix", "server.user_agent_suffix"),
    ("user_consent", "the section consent"),
    ("user_directory", "rooms.user_directory"),
    ("user_ips_max_age", "server.user_ips_max_age"),
    ("web_client_location", "server.web_client_location"),
    ("worker_app", "the section workers"),
    ("worker_listeners", "the section workers"),
    ("worker_log_config", TOOL),
    ("worker_name", "the section workers"),
    ("worker_replication_secret", "the secret worker_replication_secret"),
    ("worker_replication_secret_path", "the secret worker_replication_secret"),
];

/// Synapse options that do not work by themselves: they name files that no image has, or want a listener's resource, another
/// process's place in the instance map, or a second service. What is done instead is in the table of [`crate::check::said`].
const UNSUPPORTED: &[&str] = &[
    "enable_media_repo",
    "saml2_config",
    "stream_writers",
    "media_instance_running_background_jobs",
    "notify_appservices_from_worker",
    "run_background_tasks_on",
    "pusher_instances",
    "outbound_federation_restricted_to",
    "tls_certificate_path",
    "tls_private_key_path",
    "update_user_directory_from_worker",
];

/// Who writes a Synapse option, if a section does: `database` is of `the section database`.
pub(in crate::check) fn owner(name: &str) -> Option<&'static str> {
    OWNED.iter().find(|(owned, _)| *owned == name).map(|(_, owner)| *owner)
}

/// The secret that is the owner, if it is one. What it goes with may follow behind a comma.
pub(in crate::check) fn secret_of(owner: &str) -> Option<&str> {
    owner.strip_prefix("the secret ")?.split(',').next()
}

/// The Synapse options that an owner writes.
pub(in crate::check) fn owned_by(owner: &str) -> Vec<&'static str> {
    OWNED.iter().filter(|(_, other)| *other == owner).map(|(name, _)| *name).collect()
}

/// The Synapse options that a section writes, as a whole or with one of its options.
pub(in crate::check) fn owned_within(section: &str) -> Vec<&'static str> {
    let is_its = |owner: &str| owner.strip_prefix("the section ").unwrap_or(owner).split('.').next() == Some(section);
    OWNED.iter().filter(|(_, owner)| is_its(owner)).map(|(name, _)| *name).collect()
}

/// Whether a Synapse option does not work by itself.
pub(in crate::check) fn needs_more(name: &str) -> bool {
    UNSUPPORTED.contains(&name)
}

/// Whether Synapse does something with an option that another one switches on: that of statistics, of captchas, or what has `enabled`.
pub(super) fn is_used(site: &Site, option: &str) -> bool {
    let settings = &site.synapse.settings;
    let top = option.split('.').next().unwrap_or_default();
    let enabled = |unsaid: bool| settings.get(top).is_some_and(|value| value.get("enabled").map_or(unsaid, |enabled| *enabled == Value::Bool(true)));
    match top {
        "report_stats_endpoint" => site.server.report_stats,
        "recaptcha_siteverify_api" => settings.get("enable_registration_captcha") == Some(&Value::Bool(true)),
        "account_validity" | "opentracing" => enabled(false),
        "cas_config" => enabled(true),
        _ => true,
    }
}

/// Whether another rule of this room already says that the option cannot stand here.
pub(super) fn is_refused(name: &str) -> bool {
    owner(name).is_some() || needs_more(name) || !is_name(name)
}

fn is_name(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "S0401",
        severity: Error,
        options: &["synapse.settings"],
        reason: "Synapse merges its files shallowly: of two that set one option, the later wins silently (config/_base.py, read_config_files).",
        violations: |loaded| {
            let settings = loaded.site.synapse.settings.iter();
            settings
                .filter_map(|(name, value)| Some((name, value, owner(name)?)))
                .map(|(name, value, owner)| {
                    let (message, remedy) = match (owner, secret_of(owner)) {
                        (TOOL, _) => ("is set by the tool".to_owned(), names::of_synapse(name, value).unwrap_or_else(|| "remove it".to_owned())),
                        (_, Some(secret)) => (
                            format!("is a secret, read from the file secrets/{secret} on the target{}", owner.find(',').map_or("", |at| &owner[at..])),
                            format!("remove it here; a value that is to stay goes into secrets/{secret}, where `synapse-site secrets init` leaves it alone"),
                        ),
                        _ => (format!("is already written by {owner}"), names::of_synapse(name, value).unwrap_or_else(|| "remove it".to_owned())),
                    };
                    Violation::at(&format!("synapse.settings.{name}"), message, remedy)
                })
                .collect()
        },
    },
    Rule {
        code: "S0402",
        severity: Error,
        options: &["synapse.settings"],
        reason: "What a description says is readable in the image, in the Nix store and in version control.",
        violations: |loaded| {
            let mut violations = Vec::new();
            // An option that cannot stand here has its answer already, and its secret another name.
            for (name, value) in loaded.site.synapse.settings.iter().filter(|(name, _)| owner(name).is_none() && is_name(name)) {
                inline_secrets(&OptionPath::dotted("synapse.settings").key(name), name, value, &mut violations);
            }
            for module in modules::all(&loaded.site.synapse.settings) {
                let name = module.name.unwrap_or("module");
                // The class is not needed to tell modules apart: my_module.MyModule.
                let name = name.rsplit_once('.').map_or(name, |(package, _)| package);
                module_secrets(&module.option.key("config"), name, module.config, &mut violations);
            }
            violations
        },
    },
    Rule {
        code: "S0403",
        severity: Error,
        options: &["synapse.settings"],
        reason: "A reference to a secret is a set of exactly one member, whose value names a file under secrets/.",
        violations: |loaded| {
            let mut violations = Vec::new();
            for (name, value) in &loaded.site.synapse.settings {
                bad_references(&format!("synapse.settings.{name}"), value, &mut violations);
            }
            violations
        },
    },
    Rule {
        code: "S0404",
        severity: Error,
        options: &["synapse.settings"],
        reason: "The directory has a section of its own, which keeps its password out of the image, brings its authority and looks at login names before they get into a search; the module's older class, LdapAuthProvider, does nothing in the list modules (ldap_auth_provider.py), and in password_providers it leaves the local passwords on (handlers/auth.py).",
        violations: |loaded| {
            modules::all(&loaded.site.synapse.settings)
                .filter(modules::Module::is_directory)
                .map(|module| {
                    let whole = serde_json::json!({ "module": "ldap_auth_provider", "config": module.config });
                    let written = translate::block("modules", &whole);
                    let remedy = written.unwrap_or_else(|| "describe it with ldap.uri and ldap.base, and set authentication.method to \"ldap\"".to_owned());
                    Violation { option: module.option, message: "is the LDAP module".to_owned(), remedy: format!("remove it here, and {remedy}") }
                })
                .collect()
        },
    },
    Rule {
        code: "S0405",
        severity: Error,
        options: &["synapse.settings"],
        reason: "A hyphen, a capital or a blank in an option's name is a typing error: Synapse's names are of a-z, 0-9 and _, and it ignores all others.",
        violations: |loaded| {
            let settings = loaded.site.synapse.settings.keys();
            settings
                .filter(|name| !is_name(name))
                .map(|name| {
                    let near = nearest(name, synapse::options().names()).map_or(String::new(), |near| format!("; did you mean {near:?}?"));
                    Violation::at(
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
        options: &[],
        reason: "launch puts secrets and addresses in the place of these marks; a text that looks like one would be replaced, or stop the start.",
        violations: |loaded| {
            let mut violations = Vec::new();
            let description = serde_json::to_value(&loaded.site).unwrap_or_default();
            marks(&OptionPath::default(), &description, &mut violations);
            violations
        },
    },
    Rule {
        code: "S0407",
        severity: Error,
        options: &["synapse.settings"],
        reason: "These options name another process, files of the image or a second service; Synapse does not look whether the process is there, and then nobody does the work (config/workers.py, config/saml2.py, config/tls.py).",
        violations: |loaded| {
            loaded
                .site
                .synapse
                .settings
                .keys()
                .filter(|name| needs_more(name))
                .map(|name| {
                    let remedy = said::of(name).map_or_else(|| "remove it".to_owned(), |said| said.sentence(name));
                    Violation::at(&format!("synapse.settings.{name}"), "needs more than this option, and no section has it", remedy)
                })
                .collect()
        },
    },
];

fn marks(path: &OptionPath, value: &Value, violations: &mut Vec<Violation>) {
    let marked = |text: &str| text.contains(PLACEHOLDER_OPEN) || text.contains(ADDRESS);
    match value {
        Value::String(text) if marked(text) => violations.push(Violation {
            option: path.clone(),
            message: format!("holds {PLACEHOLDER_OPEN} or {ADDRESS}, which this program keeps for itself"),
            remedy: "write { _secret: NAME } for a secret, and choose another text otherwise".to_owned(),
        }),
        Value::Object(members) => {
            for (key, member) in members {
                marks(&path.key(key), member, violations);
                if marked(key) {
                    marks(&path.key(key), &Value::String(key.clone()), violations);
                }
            }
        }
        Value::Array(elements) => elements.iter().enumerate().for_each(|(at, element)| marks(&path.index(at), element, violations)),
        _ => {}
    }
}

/// Whether a value is a secret in clear.
pub(super) fn is_inline(name: &str, value: &Value) -> bool {
    SECRET_MEMBERS.contains(&name) && is_written(value) || value.as_str().is_some_and(has_password)
}

fn in_clear(path: &OptionPath, value: &Value, secret: &str) -> Violation {
    let remedy = format!("write {{ _secret: {secret} }} and put the value into secrets/{secret} on the target");
    let message =
        if value.as_str().is_some_and(has_password) { "holds a password, written into the description" } else { "is a secret, written into the description" };
    Violation { option: path.clone(), message: message.to_owned(), remedy }
}

fn inline_secrets(path: &OptionPath, name: &str, value: &Value, violations: &mut Vec<Violation>) {
    match value {
        _ if is_inline(name, value) => violations.push(in_clear(path, value, &secret_name(name))),
        Value::Object(members) => {
            // What modules are told has rules of its own, below.
            let of_module = LOADED.contains(&name);
            for (key, member) in members.iter().filter(|(key, _)| !(of_module && *key == "config")) {
                inline_secrets(&path.key(key), key, member, violations);
            }
        }
        Value::Array(elements) => {
            for (at, element) in elements.iter().enumerate() {
                inline_secrets(&path.index(at), name, element, violations);
            }
        }
        _ => {}
    }
}

/// The secrets in what a module is told: nobody lists all names of all modules, so all that look like one are meant. Not so outside of modules,
/// where Synapse's names are known, and some only look so: `caches.per_cache_factors.get_user_by_access_token`.
fn module_secrets(path: &OptionPath, scope: &str, value: &Value, violations: &mut Vec<Violation>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members.iter().filter(|(key, _)| *key != "_secret") {
                let (path, scope) = (path.key(key), format!("{scope}_{key}"));
                if names_secret(key) && is_written(member) {
                    violations.push(in_clear(&path, member, &secret_name(&scope)));
                } else {
                    module_secrets(&path, &scope, member, violations);
                }
            }
        }
        Value::Array(elements) => {
            for (at, element) in elements.iter().enumerate() {
                module_secrets(&path.index(at), scope, element, violations);
            }
        }
        _ if value.as_str().is_some_and(has_password) => violations.push(in_clear(path, value, &secret_name(scope))),
        _ => {}
    }
}

/// A name that a file under secrets/ can have.
fn secret_name(text: &str) -> String {
    let name: String = text.to_lowercase().chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '_' }).collect();
    // The end says which option it is.
    name[name.len().saturating_sub(64)..].to_owned()
}

fn bad_references(path: &str, value: &Value, violations: &mut Vec<Violation>) {
    match value {
        Value::Object(members) if members.contains_key("_secret") => {
            if let Err(why) = reference(value).unwrap_or_else(|| Err("the set has other members beside _secret".to_owned())) {
                violations.push(Violation::at(path, why, "write { _secret: NAME } with a name of a-z, 0-9 and _"));
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                bad_references(&format!("{path}.{key}"), member, violations);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                bad_references(path, element, violations);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::synapse::SECRET_OPTIONS;

    #[test]
    fn every_name_becomes_one_that_a_file_of_a_secret_can_have() {
        assert_eq!(secret_name("My-mod.sub_DB_password"), "my_mod_sub_db_password");
        let long = secret_name(&format!("{}_é_password", "a".repeat(80)));
        assert!(long.len() == 64 && long.ends_with("a___password"), "{long}");
    }

    #[test]
    fn what_is_written_from_a_secret_is_known_to_evaluations() {
        let owned: Vec<&str> = OWNED.iter().filter(|(name, owner)| secret_of(owner) == Some(name)).map(|(name, _)| *name).collect();
        assert_eq!(owned, SECRET_OPTIONS);
    }
}
