//! Secrets as a description and a rendered file know them: by name. A file that needs one inside holds a placeholder,
//! which `launch` replaces on the target.

use serde_json::Value;

use super::helpers;
use super::synapse::app_services;
use crate::launch::{Make, PLACEHOLDER_CLOSE, PLACEHOLDER_OPEN, SECRETS_DIR, Secret};
use crate::site::Site;
use crate::site::authentication::Method;
use crate::site::database::Source;
use crate::site::gateway::Tls;
use crate::site::load::Loaded;
use crate::site::rtc::RtcSource;
use crate::site::turn::TurnSource;

/// The placeholder of a secret.
pub fn placeholder(name: &str) -> String {
    format!("{PLACEHOLDER_OPEN}{name}{PLACEHOLDER_CLOSE}")
}

/// The name in `{ _secret: NAME }`; none when the value is something else.
///
/// # Errors
/// When it is such a reference, but the name is not one that a file under `secrets/` can have.
pub fn reference(value: &Value) -> Option<Result<&str, String>> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    let name = members.get("_secret")?;
    let good = |name: &&str| !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    Some(name.as_str().filter(good).ok_or_else(|| "what stands there is no name of a secret".to_owned()))
}

/// The path of a secret inside a container.
pub fn path(name: &str) -> String {
    format!("{SECRETS_DIR}/{name}")
}

/// Every reference in a value, in order.
pub fn references(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(members) => match reference(value) {
            Some(name) => name.into_iter().collect(),
            None => members.values().flat_map(references).collect(),
        },
        Value::Array(elements) => elements.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// A value with each reference replaced by its placeholder.
pub fn with_placeholders(value: &Value) -> Value {
    match value {
        Value::Object(members) => match reference(value) {
            Some(Ok(name)) => Value::String(placeholder(name)),
            _ => Value::Object(members.iter().map(|(key, member)| (key.clone(), with_placeholders(member))).collect()),
        },
        Value::Array(elements) => Value::Array(elements.iter().map(with_placeholders).collect()),
        other => other.clone(),
    }
}

/// The name of the secret with an administrator's first password.
pub fn administrator_password(localpart: &str) -> String {
    // A file's name: the characters that a localpart may have beyond a-z and 0-9 are written as their code.
    let written: String = localpart.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("_{:02x}", u32::from(c)) }).collect();
    format!("administrator_password_{written}")
}

/// Every secret that a site needs, in alphabetical order.
pub fn needed(loaded: &Loaded) -> Vec<Secret> {
    let site = &loaded.site;
    let mut secrets = vec![
        secret("signing_key", "proves to other servers that an event is from this one; losing it cannot be made good", Make::SigningKey),
        secret("macaroon_secret_key", "signs short-lived tokens", Make::Random),
        secret("form_secret", "signs links in forms", Make::Random),
        secret("registration_shared_secret", "lets its owner make accounts, administrators among them", Make::Random),
    ];
    if site.workers.generic + site.workers.federation_senders > 0 {
        secrets.push(secret("worker_replication_secret", "lets Synapse's processes talk to each other", Make::Random));
    }
    secrets.push(match site.database.source {
        Source::Bundled => secret("postgres_password", "Synapse's password at the bundled PostgreSQL", Make::Random),
        Source::External => secret("postgres_password", "Synapse's password at the external PostgreSQL", Make::Bring),
    });
    match site.redis.source {
        Source::Bundled => secrets.push(secret("redis_password", "Synapse's password at the bundled Redis", Make::Random)),
        Source::External if site.redis.password => secrets.push(secret("redis_password", "Synapse's password at the external Redis", Make::Bring)),
        Source::External => {}
    }
    match site.turn.source {
        TurnSource::Bundled => secrets.push(secret("turn_shared_secret", "lets Synapse make credentials for the bundled coturn", Make::Random)),
        TurnSource::External if site.turn.fixed_user().is_some() => {
            secrets.push(secret("turn_password", "the password of turn.turn_username at the external TURN server", Make::Bring));
        }
        TurnSource::External => secrets.push(secret("turn_shared_secret", "the external TURN server's static-auth-secret", Make::Bring)),
        TurnSource::None => {}
    }
    if pepper(site) {
        secrets.push(secret("password_pepper", "is hashed into every local password; it can never be changed", Make::Random));
    }
    if bind_password(site) {
        secrets.push(secret("ldap_bind_password", "the password of ldap.bind_dn in the directory", Make::Bring));
    }
    if site.email.as_ref().is_some_and(|email| email.smtp_user.is_some()) {
        secrets.push(secret("smtp_password", "the password of email.smtp_user at the mail server", Make::Bring));
    }
    for registration in app_services::registrations(loaded).into_iter().flatten() {
        for token in &registration.tokens {
            let (id, member) = (&registration.id, token.member);
            secrets.push(if token.brought {
                secret(&token.secret, &format!("the {member} of the application service {id}"), Make::Bring)
            } else {
                secret(&token.secret, &format!("the {member} of the application service {id}; copy it there, or bring the one that it has"), Make::Random)
            });
        }
    }
    for provider in &site.oidc.oidc_providers {
        if let Some(name) = provider.secret() {
            let what =
                if provider.client_secret_jwt_key.is_some() { "the key, PEM, that signs this server's proofs to" } else { "this server's client secret at" };
            secrets.push(secret(&name, &format!("{what} {}", provider.idp_name), Make::Bring));
        }
    }
    if site.matrix_authentication_service.is_some() {
        let purpose = "what Synapse and the Matrix Authentication Service know each other by, its matrix.secret";
        secrets.push(secret(crate::render::synapse::delegation::SECRET, purpose, Make::Bring));
    }
    if site.rtc.source == RtcSource::Bundled {
        secrets.push(secret("livekit_secret", "lets the authorisation service let people into calls", Make::Random));
    }
    if site.draupnir.is_some() {
        secrets.push(secret("draupnir_access_token", "the access token of Draupnir's account", Make::Bring));
    }
    if let Some(name) = helpers::antispam_secret(site) {
        secrets.push(secret(name, "what Synapse's antispam module shows to Draupnir", Make::Bring));
    }
    if site.gateway.tls == Tls::Files {
        secrets.push(secret("tls_certificate", "the gateway's certificate with its chain, PEM", Make::Bring));
        secrets.push(secret("tls_certificate_key", "the private key of the gateway's certificate, PEM", Make::Bring));
    }
    if site.turn.source == TurnSource::Bundled && site.turn.tls {
        secrets.push(secret("turn_tls_certificate", "the relay's certificate with its chain, PEM", Make::Bring));
        secrets.push(secret("turn_tls_certificate_key", "the private key of the relay's certificate, PEM", Make::Bring));
    }
    if site.authentication.method == Method::Local {
        for person in site.administering() {
            secrets.push(secret(&administrator_password(person.as_str()), &format!("the first password of the administrator {person}"), Make::Password));
        }
    }
    for (option, value) in &site.synapse.settings {
        for name in references(value) {
            secrets.push(secret(name, &format!("a value in Synapse's option {option}"), Make::Bring));
        }
    }
    secrets.sort_by(|a, b| a.name.cmp(&b.name));
    secrets.dedup_by(|a, b| a.name == b.name);
    secrets
}

/// Whether a secret is none of Synapse's.
pub fn is_for_others(site: &Site, name: &str) -> bool {
    let theirs = ["administrator_password_", "tls_", "turn_tls_", "livekit_", "draupnir_"].iter().any(|prefix| name.starts_with(prefix));
    (theirs || helpers::antispam_secret(site) == Some(name)) && !site.synapse.settings.values().any(|value| references(value).contains(&name))
}

/// Whether people log in with passwords in Synapse's own database.
pub fn local_passwords(site: &Site) -> bool {
    site.authentication.method == Method::Local
}

/// Whether local passwords are hashed with a pepper.
pub fn pepper(site: &Site) -> bool {
    site.authentication.method == Method::Local && site.authentication.pepper
}

/// Whether there is a service account in the directory.
pub fn bind_password(site: &Site) -> bool {
    site.authentication.method == Method::Ldap && site.ldap.as_ref().is_some_and(|ldap| ldap.bind_dn.is_some())
}

fn secret(name: &str, purpose: &str, make: Make) -> Secret {
    Secret { name: name.to_owned(), purpose: purpose.to_owned(), make }
}
