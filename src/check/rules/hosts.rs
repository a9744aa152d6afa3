//! S0442 and S0443: hosts that a container of the site does not reach under the name or address that the description has: its own
//! localhost, and the names by which some engines know the machine that they run on. Localhost in the options that other rules look
//! at (S0213, S0501, S0553) is theirs. `host.docker.internal` is none of these: the manifest gives that name to whoever uses it.

use serde_json::Value;

use super::mail::is_local;
use super::places::{each, each_of, texts};
use super::{Rule, Violation, modules};
use crate::check::Severity::{Error, Warning};
use crate::component::synapse::PORT;
use crate::site::Site;
use crate::site::app_service;
use crate::site::database::Source;
use crate::site::load::Loaded;
use crate::site::schema::OptionPath;

/// Options of the description whose hosts containers ask, but for those of `synapse.settings`.
const ASKED: &[&str] = &[
    "database.host",
    "email.smtp_host",
    "ldap.further_uris",
    "ldap.uri",
    "matrix_authentication_service.endpoint",
    "oidc.oidc_providers.issuer",
    "oidc.oidc_providers.jwks_uri",
    "oidc.oidc_providers.token_endpoint",
    "oidc.oidc_providers.userinfo_endpoint",
    "redis.host",
    "registration.account_threepid_delegates.msisdn",
];

/// Those of them whose localhost no other rule looks at.
const LOCAL_TOO: &[&str] = &["registration.account_threepid_delegates.msisdn"];

/// Options of Synapse whose hosts it asks; the last is a library's, with members that are hosts.
const ASKED_BY_SYNAPSE: &[&str] = &[
    "cas_config.server_url",
    "http_proxy",
    "https_proxy",
    "opentracing.jaeger_config.local_agent.reporting_host",
    "recaptcha_siteverify_api",
    "report_stats_endpoint",
    "sentry.dsn",
];

/// Names by which engines of other kinds know the machine that they run on; Docker on Linux knows none of them.
const ELSEWHERE: [&str; 7] = [
    "docker.for.mac.host.internal",
    "docker.for.mac.localhost",
    "docker.for.win.localhost",
    "gateway.docker.internal",
    "host.containers.internal",
    "host.lima.internal",
    "kubernetes.docker.internal",
];

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "S0442",
        severity: Error,
        options: &[
            "database.source",
            "database.host",
            "email.smtp_host",
            "ldap.further_uris",
            "ldap.uri",
            "matrix_authentication_service.endpoint",
            "oidc.oidc_providers.issuer",
            "oidc.oidc_providers.jwks_uri",
            "oidc.oidc_providers.token_endpoint",
            "oidc.oidc_providers.userinfo_endpoint",
            "redis.source",
            "redis.host",
            "registration.account_threepid_delegates",
            "app_services",
            "synapse.settings",
        ],
        reason: "Every program of the site runs in a container: localhost is that container, and the names that Docker Desktop, Podman or Kubernetes have for their machine are not known to Docker on Linux. host.docker.internal is, by the manifest (Docker documentation, --add-host host-gateway).",
        violations: |loaded| asked(loaded).into_iter().filter_map(|(option, host)| refused(option, &host)).collect(),
    },
    Rule {
        code: "S0443",
        severity: Warning,
        options: &["synapse.settings", "draupnir.settings"],
        reason: "A module or a bot in a container that asks localhost asks that container, where nothing but itself is.",
        violations: |loaded| {
            let (mut found, mut violations) = (Vec::new(), Vec::new());
            for module in modules::all(&loaded.site.synapse.settings).filter(|module| !module.is_directory()) {
                texts(&module.option.key("config"), "config", module.config, &mut found);
            }
            if let Some(draupnir) = &loaded.site.draupnir {
                draupnir.settings.iter().for_each(|(name, value)| texts(&OptionPath::dotted("draupnir.settings").key(name), name, value, &mut found));
            }
            for (option, _, text) in found.into_iter().filter(|(_, _, text)| text.contains("://")) {
                // A module may ask the process that it is in.
                let itself = is_local(&host_of(text)) && port_of(text) == Some(PORT);
                violations.extend(refused(option, &host_of(text)).filter(|_| !itself));
            }
            violations
        },
    },
];

/// What is wrong with a host, if something is.
fn refused(option: OptionPath, host: &str) -> Option<Violation> {
    let message = if is_local(host) {
        format!("is {host}, which inside a container is the container")
    } else if ELSEWHERE.contains(&host.to_ascii_lowercase().trim_end_matches('.')) {
        format!("is {host}, a name that Docker on Linux does not know")
    } else {
        return None;
    };
    let remedy =
        "write the name that other machines know it by; or host.docker.internal for a service on the target that listens on more than its loopback address";
    Some(Violation { option, message, remedy: remedy.to_owned() })
}

/// The hosts that the site's containers ask, with the options that name them.
fn asked(loaded: &Loaded) -> Vec<(OptionPath, String)> {
    let description = serde_json::to_value(&loaded.site).unwrap_or_default();
    let mut found = Vec::new();
    for name in ASKED.iter().filter(|name| is_asked(&loaded.site, name)) {
        let hosts = hosts_in(each_of(&description, name));
        found.extend(hosts.filter(|(_, host)| LOCAL_TOO.contains(name) || !is_local(host)));
    }
    for name in ASKED_BY_SYNAPSE.iter().filter(|name| super::settings::is_used(&loaded.site, name)) {
        found.extend(hosts_in(each(&loaded.site.synapse.settings, name)));
    }
    for (place, service) in app_service::of_site(loaded).into_iter().enumerate() {
        let url = service.ok().and_then(|service| service.url).map(|url| host_of(&url));
        found.extend(url.filter(|host| !is_local(host)).map(|host| (OptionPath::dotted("app_services").index(place), host)));
    }
    found
}

/// Of a bundled service another rule says that its host goes away (S0201, S0204).
fn is_asked(site: &Site, name: &str) -> bool {
    match name {
        "database.host" => site.database.source == Source::External,
        "redis.host" => site.redis.source == Source::External,
        _ => true,
    }
}

/// The hosts in texts, each with its option: that of an address, or several behind each other.
fn hosts_in(values: Vec<(OptionPath, &Value)>) -> impl Iterator<Item = (OptionPath, String)> {
    values.into_iter().flat_map(|(option, value)| {
        let texts = value.as_str().into_iter().flat_map(|text| text.split(','));
        texts.filter(|text| !text.starts_with('/')).map(move |text| (option.clone(), host_of(text)))
    })
}

/// The host of an address with or without a scheme.
fn host_of(text: &str) -> String {
    let authority = authority(text);
    let host = if authority.starts_with('[') || authority.matches(':').count() == 1 { crate::site::text::split_port(authority).0 } else { authority };
    host.trim_matches(['[', ']']).to_owned()
}

fn port_of(text: &str) -> Option<u16> {
    crate::site::text::split_port(authority(text)).1
}

fn authority(text: &str) -> &str {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::rules::settings::is_refused;
    use crate::synapse::{Entry, options};

    /// Options with hosts that people, clients and other servers go to, or that are part of a name.
    const NOT_ASKED: &[&str] = &[
        "admin_ui.host",
        "email.client_base_url",
        "email.invite_client_location",
        "email.tlsname",
        "matrix_authentication_service.account",
        "matrix_authentication_service.issuer",
        "media.media_upload_limits.info_uri",
        "oidc.client_whitelist",
        "oidc.oidc_providers.authorization_endpoint",
        "oidc.oidc_providers.redirect_uri",
        "registration.default_identity_server",
        "rtc.host",
        "rtc.livekit_service_url",
        "server.public_baseurl",
        "server.web_client_location",
        "turn.host",
        "turn.turn_uris",
        "well_known.server_host",
    ];

    fn named(schema: &Value, whole: &Value, place: &str, found: &mut Vec<String>) {
        if !schema.is_object() {
            return;
        }
        if let Some(name) = schema["$ref"].as_str() {
            return named(&whole["$defs"][name.rsplit('/').next().expect("a name")], whole, place, found);
        }
        if schema["format"]
            .as_str()
            .is_some_and(|format| ["base-url", "client-url", "host-name", "http-url", "ldap-uri", "service-host", "turn-uri"].contains(&format))
        {
            found.push(place.to_owned());
        }
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            named(member, whole, &if place.is_empty() { name.clone() } else { format!("{place}.{name}") }, found);
        }
        for inner in [&schema["items"], &schema["additionalProperties"]] {
            named(inner, whole, place, found);
        }
        for inner in ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|name| schema[name].as_array()).flatten() {
            named(inner, whole, place, found);
        }
    }

    #[test]
    fn every_option_with_a_host_is_known_to_be_asked_or_not() {
        let schema = crate::site::schema::schema();
        let mut found = Vec::new();
        named(&schema, &schema, "", &mut found);
        // A plain text, because it may be the directory of a socket.
        found.push("database.host".to_owned());
        found.sort();
        found.dedup();
        let mut known: Vec<&str> = ASKED.iter().chain(NOT_ASKED).copied().collect();
        known.sort_unstable();
        assert_eq!(found, known);
    }

    #[test]
    fn synapse_reads_what_it_is_said_to_ask() {
        for name in ASKED_BY_SYNAPSE {
            let step = |entry: &'static Entry, step: &str| entry.member(step).or_else(|| (!entry.is_closed()).then_some(entry));
            assert!(name.split('.').try_fold(options(), step).is_some(), "{name}");
            assert!(!is_refused(name.split('.').next().unwrap_or_default()), "{name}");
        }
    }

    #[test]
    fn a_host_is_found_in_any_address() {
        for (text, host) in [
            ("http://u:p@localhost:3128/x", "localhost"),
            ("proxy.example.com:3128", "proxy.example.com"),
            ("ldap://[::1]:389", "::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("https://a.example.com?x=y", "a.example.com"),
        ] {
            assert_eq!(host_of(text), host, "{text}");
        }
    }
}
