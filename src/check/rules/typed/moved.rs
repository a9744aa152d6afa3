//! Options that Synapse knows and that still cannot be said under `synapse.settings`: it reads them to refuse them, to say that they do nothing,
//! or as an older form of what a section of the description writes. Source: synapse/config of the pinned version, file by file.

const REFUSED: &str = "is read by Synapse only to refuse it";
const OLDER: &str = "is an older way to say what a section of the description says";
const LISTENS: &str = "opens a listener beside those of the description, which nothing routes to";
const PROCESS: &str = "is about how a process is run, which the images and the manifest decide";

const MOVED: &[(&str, &str, &str)] = &[
    // server.py
    ("bind_host", LISTENS, "say gateway.bind_address, gateway.http_port and gateway.https_port"),
    ("bind_port", LISTENS, "say gateway.bind_address, gateway.http_port and gateway.https_port"),
    ("unsecure_port", LISTENS, "say gateway.bind_address, gateway.http_port and gateway.https_port"),
    ("gzip_responses", OLDER, "say listeners.compress"),
    ("no_tls", LISTENS, "say gateway.tls"),
    ("daemonize", PROCESS, "remove it"),
    ("print_pidfile", PROCESS, "remove it"),
    // metrics.py, server.py
    ("metrics_port", LISTENS, "say listeners.metrics"),
    ("metrics_bind_host", LISTENS, "say listeners.metrics"),
    // logger.py
    ("log_file", REFUSED, "say logging.files"),
    // database.py
    ("database_path", OLDER, "say database.host and database.dbname"),
    // emailconfig.py
    ("trust_identity_server_for_password_resets", REFUSED, "say email.smtp_host, the server that mails them"),
    // registration.py
    ("invite_3pid_guest", REFUSED, "remove it"),
    ("disable_registration", OLDER, "say registration.enable_registration"),
    // ratelimiting.py
    ("federation_rc_concurrent", OLDER, "say rate_limits.rc_federation"),
    ("federation_rc_reject_limit", OLDER, "say rate_limits.rc_federation"),
    ("federation_rc_sleep_delay", OLDER, "say rate_limits.rc_federation"),
    ("federation_rc_sleep_limit", OLDER, "say rate_limits.rc_federation"),
    ("federation_rc_window_size", OLDER, "say rate_limits.rc_federation"),
    ("rc_message_burst_count", OLDER, "say rate_limits.rc_message"),
    ("rc_messages_per_second", OLDER, "say rate_limits.rc_message"),
    // password_auth_providers.py
    ("ldap_config", OLDER, "describe the directory with ldap.uri and ldap.base, and say authentication.method: ldap"),
    // key.py
    ("perspectives", OLDER, "say server.trusted_key_servers"),
    // push.py
    ("push.redact_content", "has never done anything, as Synapse says when it reads it", "write synapse.settings.push.include_content: false"),
    // workers.py
    ("notify_appservices", PROCESS, "remove it"),
    ("start_pushers", PROCESS, "remove it"),
    ("update_user_directory", PROCESS, "remove it"),
    ("worker_daemonize", PROCESS, "remove it"),
    ("worker_pid_file", PROCESS, "remove it"),
    ("worker_main_http_uri", REFUSED, "say workers.generic and workers.federation_senders"),
    ("worker_manhole", LISTENS, "remove it"),
    ("worker_replication_host", REFUSED, "say workers.generic and workers.federation_senders"),
    ("worker_replication_http_port", REFUSED, "say workers.generic and workers.federation_senders"),
    ("worker_replication_http_tls", REFUSED, "say workers.generic and workers.federation_senders"),
    ("worker_replication_port", REFUSED, "say workers.generic and workers.federation_senders"),
];

/// Why an option cannot stand there, and what to do.
pub(super) fn of(name: &str) -> Option<(&'static str, &'static str)> {
    MOVED.iter().find(|(moved, ..)| *moved == name).map(|(_, why, instead)| (*why, *instead))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::rules::settings::is_refused;
    use crate::synapse::options;

    #[test]
    fn they_are_options_that_synapse_reads_and_no_other_rule_has() {
        for (name, ..) in MOVED {
            let read = name.split('.').try_fold(options(), |entry, step| entry.member(step)).is_some();
            let top = name.split('.').next().unwrap_or_default();
            assert!(read && !is_refused(top), "{name}");
        }
    }
}
