//! Options that Synapse knows and that still cannot be said under `synapse.settings`: it reads them to refuse them, to say that they do nothing,
//! or as an older form of what a section of the description writes. Source: synapse/config of the pinned version, file by file.

const REFUSED: &str = "is read by Synapse only to refuse it";
const OLDER: &str = "is an older way to say what a section of the description says";
const LISTENS: &str = "opens a listener beside those of the description, which nothing routes to";
const PROCESS: &str = "is about how a process is run, which the images and the manifest decide";

const MOVED: &[(&str, &str, &str)] = &[
    // server.py
    ("bind_host", LISTENS, "remove it; see the section listeners"),
    ("bind_port", LISTENS, "remove it; see the section listeners"),
    ("unsecure_port", LISTENS, "remove it; see the section listeners"),
    ("gzip_responses", LISTENS, "remove it; see the section listeners"),
    ("no_tls", LISTENS, "remove it; see the section listeners"),
    ("daemonize", PROCESS, "remove it"),
    ("print_pidfile", PROCESS, "remove it"),
    // metrics.py, server.py
    ("metrics_port", LISTENS, "say listeners.metrics"),
    ("metrics_bind_host", LISTENS, "say listeners.metrics"),
    // logger.py
    ("log_file", REFUSED, "say it in the section logging"),
    // database.py
    ("database_path", OLDER, "say it in the section database"),
    // emailconfig.py
    ("trust_identity_server_for_password_resets", REFUSED, "say it in the section email, which sends them"),
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
    ("ldap_config", OLDER, "describe the directory in the section ldap"),
    // key.py
    ("perspectives", OLDER, "say server.trusted_key_servers"),
    // push.py
    ("push.redact_content", "has never done anything, as Synapse says when it reads it", "write push: { include_content: false }"),
    // workers.py
    ("notify_appservices", OLDER, "say it in the section workers"),
    ("start_pushers", OLDER, "say it in the section workers"),
    ("update_user_directory", OLDER, "say it in the section workers"),
    ("worker_daemonize", PROCESS, "remove it"),
    ("worker_pid_file", PROCESS, "remove it"),
    ("worker_main_http_uri", REFUSED, "remove it; see the section workers"),
    ("worker_manhole", LISTENS, "remove it"),
    ("worker_replication_host", REFUSED, "remove it; see the section workers"),
    ("worker_replication_http_port", REFUSED, "remove it; see the section workers"),
    ("worker_replication_http_tls", REFUSED, "remove it; see the section workers"),
    ("worker_replication_port", REFUSED, "remove it; see the section workers"),
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
