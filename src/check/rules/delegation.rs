//! S0132 to S0139: a site whose people another service logs in (Synapse 1.163, config/mas.py, check_config_conflicts, and config/experimental.py).

use serde_json::Value;

use super::{Rule, Violation};
use crate::check::Severity::{Error, Warning};
use crate::component::gateway::delegation::{Issuer, issuer_of};
use crate::site::authentication::Method;
use crate::site::load::Loaded;

/// Options of Synapse without a field of their own that log people in by another way, or ask them something when they register, and whether
/// each is on where it does not say so itself (config/cas.py, jwt.py). SAML is S0407's.
const OTHER_WAYS: &[(&str, bool)] = &[("cas_config", true), ("enable_registration_captcha", true), ("jwt_config", false), ("password_providers", true)];

/// Whether one of them is on.
fn is_on(value: &Value, unsaid: bool) -> bool {
    match value {
        Value::Bool(on) => *on,
        Value::Array(list) => !list.is_empty(),
        Value::Object(members) => !members.is_empty() && members.get("enabled").map_or(unsaid, |enabled| *enabled == Value::Bool(true)),
        _ => false,
    }
}

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "S0132",
        severity: Error,
        options: &["authentication.method", "matrix_authentication_service"],
        reason: "With another service for logging in Synapse must know no passwords, and refuses to start otherwise (config/mas.py, check_config_conflicts).",
        violations: |loaded| {
            let site = &loaded.site;
            if site.matrix_authentication_service.is_none() || site.authentication.method == Method::None {
                return Vec::new();
            }
            vec![Violation::at(
                "authentication.method",
                "is not \"none\", but matrix_authentication_service logs people in",
                "authentication: { method: none }",
            )]
        },
    },
    Rule {
        code: "S0133",
        severity: Error,
        options: &["oidc.oidc_providers", "matrix_authentication_service"],
        reason: "Providers are the other service's business then (\"upstream\" in its configuration); Synapse refuses to start with some of its own (config/mas.py).",
        violations: |loaded| {
            let site = &loaded.site;
            if site.matrix_authentication_service.is_none() || site.oidc.oidc_providers.is_empty() {
                return Vec::new();
            }
            vec![Violation::at(
                "oidc.oidc_providers",
                "lists providers, but matrix_authentication_service logs people in",
                "remove them here, and describe them in its upstream_oauth2",
            )]
        },
    },
    Rule {
        code: "S0134",
        severity: Error,
        options: &["registration.enable_registration", "matrix_authentication_service"],
        reason: "Accounts are made at the service that logs people in; Synapse refuses to start when it should make some, too (config/mas.py).",
        violations: |loaded| {
            let site = &loaded.site;
            if site.matrix_authentication_service.is_none() || !site.registration.enable_registration {
                return Vec::new();
            }
            vec![Violation::at(
                "registration.enable_registration",
                "is true, but accounts are made at matrix_authentication_service",
                "remove it here, and set account.password_registration_enabled there",
            )]
        },
    },
    Rule {
        code: "S0135",
        severity: Error,
        options: &["administrators", "matrix_authentication_service"],
        reason: "Synapse makes no accounts then, not even by the shared secret (rest/admin/__init__.py).",
        violations: |loaded| {
            let site = &loaded.site;
            if site.matrix_authentication_service.is_none() || site.administrators.is_empty() {
                return Vec::new();
            }
            vec![Violation::at(
                "administrators",
                "cannot be made here: the other service has all accounts",
                "remove the list, and run there: mas-cli manage register-user --admin NAME",
            )]
        },
    },
    Rule {
        code: "S0136",
        severity: Error,
        options: &[
            "synapse.settings",
            "consent",
            "authentication.session_lifetime",
            "authentication.refresh_token_lifetime",
            "authentication.nonrefreshable_access_token_lifetime",
            "authentication.login_via_existing_session",
            "matrix_authentication_service",
        ],
        reason: "Synapse refuses to start with another way to log in, or with lifetimes of sessions, which the other service has (config/mas.py).",
        violations: |loaded| {
            let site = &loaded.site;
            if site.matrix_authentication_service.is_none() {
                return Vec::new();
            }
            let authentication = &site.authentication;
            let typed = [
                ("consent", site.consent.is_some()),
                ("authentication.session_lifetime", authentication.session_lifetime.is_some()),
                ("authentication.refresh_token_lifetime", authentication.refresh_token_lifetime.is_some()),
                ("authentication.nonrefreshable_access_token_lifetime", authentication.nonrefreshable_access_token_lifetime.is_some()),
                ("authentication.login_via_existing_session", authentication.login_via_existing_session.enabled),
            ];
            let typed = typed.into_iter().filter(|(_, used)| *used).map(|(option, _)| option.to_owned());
            let settings = OTHER_WAYS.iter().filter(|(name, unsaid)| site.synapse.settings.get(*name).is_some_and(|value| is_on(value, *unsaid)));
            let used = typed.chain(settings.map(|(name, _)| format!("synapse.settings.{name}")));
            used.map(|option| {
                Violation::at(&option, "does not go with matrix_authentication_service", "remove it; what it decides is decided in the other service")
            })
            .collect()
        },
    },
    Rule {
        code: "S0137",
        severity: Warning,
        options: &["matrix_authentication_service.allow"],
        reason: "The other service makes accounts and sessions at /_synapse/mas/ of Synapse; whoever gets there with its secret can be anybody.",
        violations: |loaded| {
            let Some(service) = &loaded.site.matrix_authentication_service else { return Vec::new() };
            let (message, remedy) = match service.allow.iter().find(|network| is_everybody(network.as_str())) {
                Some(network) => (format!("holds {network}, which is everybody"), "name the address that the other service's requests come from"),
                None if service.allow.is_empty() => (
                    "is empty: through the gateway the other service cannot reach Synapse".to_owned(),
                    "name the address that its requests come from, such as allow: [192.0.2.10]",
                ),
                None => return Vec::new(),
            };
            vec![Violation::at("matrix_authentication_service.allow", message, remedy)]
        },
    },
    Rule {
        code: "S0138",
        severity: Error,
        options: &["synapse.settings.experimental_features"],
        reason: "Some features of Synapse need another one, or are gone; it refuses to start (config/experimental.py).",
        violations: features,
    },
    Rule {
        code: "S0139",
        severity: Warning,
        options: &["matrix_authentication_service.issuer", "server.public_baseurl", "server.server_name", "well_known.serve"],
        reason: "The gateway passes what lies below the issuer's path on to the other service, but what it answers itself it cannot: people who log in would be sent to a page that is not there.",
        violations: |loaded| {
            if issuer_of(&loaded.site) != Some(Issuer::Shadowed) {
                return Vec::new();
            }
            let issuer = loaded.site.matrix_authentication_service.iter().map(|service| &service.issuer);
            issuer
                .map(|issuer| {
                    Violation::at(
                        "matrix_authentication_service.issuer",
                        format!("is {issuer}, where the gateway answers, and the other service does not"),
                        format!(
                            "give the service a host name of its own, or a path, such as issuer: https://{}/auth/, as its http.public_base says",
                            loaded.site.server.public_baseurl.host()
                        ),
                    )
                })
                .collect()
        },
    },
];

/// Whether a network holds every address of its kind.
pub(super) fn is_everybody(network: &str) -> bool {
    network.ends_with("/0")
}

fn features(loaded: &Loaded) -> Vec<Violation> {
    let site = &loaded.site;
    let Some(features) = site.synapse.settings.get("experimental_features").and_then(Value::as_object) else { return Vec::new() };
    let at = |name: &str, message: &str, remedy: &str| Violation::at(&format!("synapse.settings.experimental_features.{name}"), message, remedy);
    let on = |name: &str| features.get(name).is_some_and(|value| *value == Value::Bool(true));
    let mut violations = Vec::new();
    let is_read = crate::synapse::spell("experimental_features.msc3861.enabled").is_some_and(|spell| spell.until >= loaded.synapse.release);
    if let Some(members) = features.get("msc3861").and_then(Value::as_object).filter(|members| !members.is_empty() && !is_read) {
        let wanted = members.get("enabled") != Some(&Value::Bool(false)) && site.matrix_authentication_service.is_none();
        let remedy = if wanted { "remove it, and describe the section matrix_authentication_service" } else { "remove it" };
        violations.push(at("msc3861", "was removed from Synapse, which ends as long as something is in it", remedy));
    }
    let delegation = features.get("msc4108_delegation_endpoint").is_some_and(|value| !value.is_null());
    if site.matrix_authentication_service.is_some() && delegation && on("msc4108_enabled") {
        violations.push(at(
            "msc4108_delegation_endpoint",
            "is set beside msc4108_enabled: another service and Synapse cannot both do it",
            "remove one of the two",
        ));
    }
    if site.matrix_authentication_service.is_none() {
        let codes = features.get("msc4388_mode").is_some_and(|mode| mode != "off");
        for (name, wanted) in [("msc4108_enabled", on("msc4108_enabled")), ("msc4108_delegation_endpoint", delegation), ("msc4388_mode", codes)] {
            if wanted {
                violations.push(at(name, "needs another service for logging in", "describe the section matrix_authentication_service, or remove it"));
            }
        }
    }
    if on("msc3890_enabled") && !on("msc3391_enabled") {
        violations.push(at("msc3890_enabled", "needs msc3391_enabled", "msc3391_enabled: true"));
    }
    violations
}
