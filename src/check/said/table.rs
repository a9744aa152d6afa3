//! The options of Synapse, and of what people paste from elsewhere, that are not said with an option of the same name. Sources: synapse/config
//! of the pinned version, file by file; README of matrix-synapse-ldap3 0.4.

use super::Line::{self, No, Secret, With};

const REDIS_TLS: Line = No(
    "this version speaks to Redis without TLS, and would send the password in clear",
    "let redis.source be bundled; or put a TLS tunnel (stunnel) before the other Redis, in a network that is trusted as a whole, and name the tunnel with redis.host and redis.port",
);
const TEMPLATES: Line = With(&["templates.custom_template_directory"]);
const WORKERS: Line = With(&["workers.generic", "workers.federation_senders"]);
const LISTENER: Line = No(
    "every process listens in a container of its own, behind the gateway, which speaks to the outside",
    "say where it listens with gateway.bind_address, gateway.http_port and gateway.https_port",
);
const ONE_DATABASE: Line = No("one database holds everything", "describe that one with database.host and database.dbname");
const MAIN_PROCESS: Line = No("the main process does it, and no worker can be told to", "remove it");
const MEDIA_PROCESS: Line = No(
    "the main process keeps the media, and the gateway sends there what asks for them",
    "remove it; a repository of its own (matrix-media-repo) needs a proxy of yours before the gateway that takes /_matrix/media and /_matrix/client/v1/media",
);
const NO_TLS: Line = No("Synapse speaks no TLS here", "let your proxy do it, or the gateway with gateway.tls");
const STREAMS: Line =
    No("all processes of one kind are alike, and the main process writes every stream", "raise workers.generic and workers.federation_senders");
const RUN: Line = No("the container engine starts and stops processes", "remove it");
const DIRECTORY_FOREST: Line = No(
    "an account of one of several domains would have the domain in its name, and this version makes none such",
    "describe one domain, with ldap.attributes.uid: sAMAccountName; for several, let an OpenID Connect provider that knows them all log people in, in oidc.oidc_providers",
);

/// By Synapse's path. What is in something that has an answer has the same, unless a section has an option of that very name.
pub(super) const LINES: &[(&str, Line)] = &[
    ("account_threepid_delegates.email", No("Synapse refuses it, and mails links itself", "describe the mail server with email.smtp_host")),
    ("database", With(&["database.host", "database.port", "database.user", "database.dbname", "database.cp_min", "database.cp_max"])),
    ("database.*", No("Synapse reads no such member of its database", "remove it")),
    ("database.name", No("PostgreSQL is the only database", "remove it; data of SQLite are moved with Synapse's own synapse_port_db")),
    ("database.args", With(&["database.host", "database.port", "database.user", "database.dbname", "database.cp_min", "database.cp_max"])),
    ("database.args.password", Secret("postgres_password")),
    ("database.args.passfile", Secret("postgres_password")),
    ("database.args.database", With(&["database.dbname"])),
    ("database.args.dbname", With(&["database.dbname"])),
    ("database.args.user", With(&["database.user"])),
    ("database.args.host", With(&["database.host"])),
    ("database.args.port", With(&["database.port"])),
    ("database.args.cp_min", With(&["database.cp_min"])),
    ("database.args.cp_max", With(&["database.cp_max"])),
    ("database.args.sslmode", With(&["database.sslmode"])),
    ("database.args.sslrootcert", With(&["server.ca_certificates"])),
    (
        "database.allow_unsafe_locale",
        No("another collation than C damages indexes when a library changes", "make the database anew with the collation C, and restore into it"),
    ),
    ("database.data_stores", ONE_DATABASE),
    ("databases", ONE_DATABASE),
    ("email.add_threepid_template_failure_html", TEMPLATES),
    ("email.add_threepid_template_html", TEMPLATES),
    ("email.add_threepid_template_success_html", TEMPLATES),
    ("email.add_threepid_template_text", TEMPLATES),
    ("email.already_in_use_template_html", TEMPLATES),
    ("email.expiry_template_html", TEMPLATES),
    ("email.expiry_template_text", TEMPLATES),
    ("email.notif_template_html", TEMPLATES),
    ("email.notif_template_text", TEMPLATES),
    ("email.password_reset_template_failure_html", TEMPLATES),
    ("email.password_reset_template_html", TEMPLATES),
    ("email.password_reset_template_success_html", TEMPLATES),
    ("email.password_reset_template_text", TEMPLATES),
    ("email.redact_content", No("Synapse has an option of another name for it", "write synapse.settings.push.include_content: false")),
    ("email.registration_template_failure_html", TEMPLATES),
    ("email.registration_template_html", TEMPLATES),
    ("email.registration_template_success_html", TEMPLATES),
    ("email.registration_template_text", TEMPLATES),
    ("email.riot_base_url", With(&["email.client_base_url"])),
    ("email.smtp_pass", Secret("smtp_password")),
    ("email.subjects.*", With(&["email.subjects"])),
    ("email.template_dir", TEMPLATES),
    ("enable_media_repo", MEDIA_PROCESS),
    ("extra_well_known_client_content", With(&["well_known.extra_client_content"])),
    ("federation_sender_instances", With(&["workers.federation_senders"])),
    (
        "instance_map",
        No("the processes find each other by themselves", "remove it; how many workers there are is said with workers.generic and workers.federation_senders"),
    ),
    ("listeners", With(&["listeners.federation", "listeners.compress", "listeners.metrics"])),
    ("listeners.[].additional_resources", LISTENER),
    ("listeners.[].bind_address", LISTENER),
    ("listeners.[].bind_addresses", LISTENER),
    ("listeners.[].mode", LISTENER),
    ("listeners.[].path", LISTENER),
    ("listeners.[].port", LISTENER),
    ("listeners.[].request_id_header", No("no header of a request is believed but the gateway's own", "remove it")),
    ("listeners.[].resources.[].compress", With(&["listeners.compress"])),
    ("listeners.[].tag", No("lines of the log name the process", "remove it")),
    ("listeners.[].tls", NO_TLS),
    ("listeners.[].x_forwarded", No("the gateway is always before Synapse", "name a proxy before the gateway in gateway.trusted_proxies")),
    ("log_config", With(&["logging.level", "logging.levels", "logging.format"])),
    ("matrix_authentication_service.enabled", No("the section alone says so", "remove it")),
    ("matrix_authentication_service.secret", Secret("matrix_authentication_service_secret")),
    ("matrix_authentication_service.secret_path", Secret("matrix_authentication_service_secret")),
    ("matrix_rtc", With(&["rtc.source", "rtc.livekit_service_url"])),
    ("media_instance_running_background_jobs", MEDIA_PROCESS),
    ("media_retention", With(&["media.local_media_lifetime", "media.remote_media_lifetime"])),
    ("media_retention.local_media_lifetime", With(&["media.local_media_lifetime"])),
    ("media_retention.remote_media_lifetime", With(&["media.remote_media_lifetime"])),
    ("media_store_path", No("uploads are always in the volume synapse", "put that volume on the other disk (docs/running.md, \"Volumes on other disks\")")),
    ("notify_appservices_from_worker", MAIN_PROCESS),
    ("oidc_config", With(&["oidc.oidc_providers"])),
    ("oidc_config.enabled", No("a provider that is described is on", "remove it")),
    ("oidc_providers.[].client_secret", Secret("oidc_client_secret_IDP_ID")),
    ("oidc_providers.[].client_secret_path", Secret("oidc_client_secret_IDP_ID")),
    ("oidc_providers.[].client_secret_jwt_key.jwt_header.alg", With(&["oidc.oidc_providers.*.client_secret_jwt_key.jwt_header"])),
    ("oidc_providers.[].client_secret_jwt_key.key", Secret("oidc_client_key_IDP_ID")),
    ("oidc_providers.[].client_secret_jwt_key.key_file", Secret("oidc_client_key_IDP_ID")),
    ("oidc_providers.[].user_mapping_provider.config", With(&["oidc.oidc_providers.*.user_mapping_provider"])),
    ("oidc_providers.[].user_mapping_provider.module", No("the image has Synapse's own mapping alone", "remove it")),
    (
        "outbound_federation_restricted_to",
        No(
            "every process asks other servers itself",
            "remove it; which servers are asked is said with federation.federation_domain_whitelist, and through which proxy with synapse.settings.https_proxy",
        ),
    ),
    ("password_config.enabled", With(&["authentication.method"])),
    (
        "password_config.localdb_enabled",
        No(
            "people log in with passwords of the directory or with those of Synapse, never with both",
            "choose with authentication.method; with a directory, bots and an emergency administrator are people of the directory, and bridges are described in app_services",
        ),
    ),
    ("password_config.pepper", Secret("password_pepper")),
    ("password_config.policy.*", With(&["authentication.policy"])),
    ("pid_file", RUN),
    ("presence.enabled", With(&["presence.enabled", "presence.untracked"])),
    (
        "presence.presence_router",
        No("Synapse has a newer way for it", "write the module as synapse.settings.modules; it calls register_presence_router_callbacks"),
    ),
    ("pusher_instances", MAIN_PROCESS),
    ("redis.ca_file", REDIS_TLS),
    ("redis.ca_path", REDIS_TLS),
    ("redis.certificate_file", REDIS_TLS),
    ("redis.enabled", No("Redis is always on", "remove it")),
    ("redis.password", Secret("redis_password")),
    ("redis.password_path", Secret("redis_password")),
    ("redis.path", No("no socket of the target is in Synapse's containers", "name redis.host and redis.port")),
    ("redis.private_key_file", REDIS_TLS),
    ("redis.use_tls", REDIS_TLS),
    ("redis.username", No("this version logs in with a password alone", "give the password redis_password to Redis's user default")),
    ("restrict_public_rooms_to_local_users", With(&["rooms.allow_public_rooms_over_federation", "rooms.allow_public_rooms_without_auth"])),
    ("run_background_tasks_on", MAIN_PROCESS),
    (
        "saml2_config",
        No(
            "the image has neither pysaml2 nor xmlsec1",
            "let a service that knows SAML and OpenID Connect (Keycloak, authentik) stand between, and describe it in oidc.oidc_providers",
        ),
    ),
    ("send_federation", With(&["workers.federation_senders"])),
    ("serve_server_wellknown", With(&["well_known.serve", "well_known.server"])),
    ("signing_key_path", Secret("signing_key")),
    ("sso", With(&["oidc.client_whitelist", "oidc.update_profile_information"])),
    ("sso.template_dir", TEMPLATES),
    ("stream_writers", STREAMS),
    ("suppress_key_server_warning", With(&["server.trusted_key_servers"])),
    ("templates", TEMPLATES),
    ("tls_certificate_path", NO_TLS),
    ("tls_private_key_path", NO_TLS),
    (
        "trusted_key_servers.[].accept_keys_insecurely",
        No(
            "whoever is on the way could then give any server any key",
            "write its verify_keys in server.trusted_key_servers, or nothing: keys come over TLS then",
        ),
    ),
    ("turn_password", Secret("turn_password")),
    ("update_user_directory_from_worker", MAIN_PROCESS),
    ("user_consent.template_dir", With(&["consent.documents"])),
    ("worker_app", WORKERS),
    ("worker_listeners", WORKERS),
    ("worker_log_config", With(&["logging.level", "logging.levels", "logging.format"])),
    ("worker_name", WORKERS),
];

/// By the path in a description: what is no option of Synapse's, and is written there all the same.
pub(super) const IN_SECTIONS: &[(&str, Line)] = &[
    ("federation.enabled", With(&["listeners.federation"])),
    ("ldap.active_directory", DIRECTORY_FOREST),
    ("ldap.default_domain", DIRECTORY_FOREST),
    ("ldap.bind_password", Secret("ldap_bind_password")),
    ("ldap.bind_password_file", Secret("ldap_bind_password")),
    ("ldap.enabled", With(&["authentication.method"])),
    ("ldap.tls_options", With(&["ldap.ca_certificate"])),
    ("ldap.tls_options.ca_certs_file", With(&["ldap.ca_certificate"])),
    ("registration.enabled", With(&["registration.enable_registration"])),
    ("rtc.enabled", With(&["rtc.source"])),
    ("turn.enabled", With(&["turn.source"])),
    ("well_known.enabled", With(&["well_known.serve"])),
];

/// A path of Synapse or of a description, a value there, and the options with their values that say the same here.
type Switch = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Switches that are said with an option of another kind.
pub(super) const SWITCHES: &[Switch] = &[
    ("ldap.enabled", "true", &[("authentication.method", "ldap")]),
    ("password_config.enabled", "false", &[("authentication.method", "none")]),
    ("password_config.enabled", "only_for_reauth", &[("authentication.method", "none")]),
    ("password_config.enabled", "true", &[("authentication.method", "local")]),
    ("presence.enabled", "false", &[("presence.enabled", "false")]),
    ("presence.enabled", "true", &[("presence.enabled", "true")]),
    ("presence.enabled", "untracked", &[("presence.enabled", "true"), ("presence.untracked", "true")]),
    (
        "restrict_public_rooms_to_local_users",
        "true",
        &[("rooms.allow_public_rooms_over_federation", "false"), ("rooms.allow_public_rooms_without_auth", "false")],
    ),
    ("rtc.enabled", "false", &[("rtc.source", "none")]),
    ("rtc.enabled", "true", &[("rtc.source", "bundled")]),
    ("send_federation", "false", &[("workers.federation_senders", "1")]),
    ("turn.enabled", "false", &[("turn.source", "none")]),
    ("turn.enabled", "true", &[("turn.source", "bundled")]),
];
