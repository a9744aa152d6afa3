//! The secrets of Synapse's processes: those that are Synapse's own, and all that its processes read.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{delegation, homeserver};
use crate::checked::{CheckedSite, Database, Redis, Turn};
use crate::component::{postgres, redis};
use crate::launch::{Make, Secret, placeholder};
use crate::site::app_service::{Registration, Token};
use crate::site::secret::{reference, references};

pub(super) const SIGNING_KEY: &str = "signing_key";
pub(super) const MACAROONS: &str = "macaroon_secret_key";
pub(super) const FORMS: &str = "form_secret";
pub(super) const REGISTRATION: &str = "registration_shared_secret";
pub(super) const REPLICATION: &str = "worker_replication_secret";
pub(super) const PEPPER: &str = "password_pepper";
pub(super) const BIND_PASSWORD: &str = "ldap_bind_password";
pub(super) const SMTP_PASSWORD: &str = "smtp_password";

/// The secrets that Synapse's configuration holds and no other component has.
pub(super) fn own(checked: &CheckedSite<'_>) -> Vec<Secret> {
    let site = checked.site;
    let mut secrets = vec![
        Secret::new(SIGNING_KEY, "proves to other servers that an event is from this one; losing it cannot be made good", Make::SigningKey),
        Secret::new(MACAROONS, "signs short-lived tokens", Make::Random),
        Secret::new(FORMS, "signs links in forms", Make::Random),
        Secret::new(REGISTRATION, "lets its owner make accounts, administrators among them", Make::Random),
    ];
    if homeserver::has_workers(site) {
        secrets.push(Secret::new(REPLICATION, "lets Synapse's processes talk to each other", Make::Random));
    }
    if let Database::External { .. } = checked.database {
        secrets.push(Secret::new(postgres::PASSWORD, "Synapse's password at the external PostgreSQL", Make::Bring));
    }
    if let Redis::External { .. } = checked.redis
        && site.redis.password
    {
        secrets.push(Secret::new(redis::PASSWORD, "Synapse's password at the external Redis", Make::Bring));
    }
    match checked.turn {
        Turn::None | Turn::Bundled { .. } => {}
        Turn::External { user: Some(_), .. } => {
            secrets.push(Secret::new(site.turn.secret(), "the password of turn.turn_username at the external TURN server", Make::Bring));
        }
        Turn::External { user: None, .. } => secrets.push(Secret::new(site.turn.secret(), "the external TURN server's static-auth-secret", Make::Bring)),
    }
    if site.authentication.has_pepper() {
        secrets.push(Secret::new(PEPPER, "is hashed into every local password; it can never be changed", Make::Random));
    }
    if checked.directory.is_some_and(|directory| directory.ldap.bind_dn.is_some()) {
        secrets.push(Secret::new(BIND_PASSWORD, "the password of ldap.bind_dn in the directory", Make::Bring));
    }
    if site.email.as_ref().is_some_and(|email| email.smtp_user.is_some()) {
        secrets.push(Secret::new(SMTP_PASSWORD, "the password of email.smtp_user at the mail server", Make::Bring));
    }
    for (registration, token) in tokens(checked).filter(|(_, token)| !token.brought) {
        let purpose = format!("the {} of the application service {}; copy it there, or bring the one that it has", token.member, registration.id);
        secrets.push(Secret::new(&token.secret, &purpose, Make::Random));
    }
    for provider in &site.oidc.oidc_providers {
        if let Some(name) = provider.secret() {
            let what =
                if provider.client_secret_jwt_key.is_some() { "the key, PEM, that signs this server's proofs to" } else { "this server's client secret at" };
            secrets.push(Secret::new(&name, &format!("{what} {}", provider.idp_name), Make::Bring));
        }
    }
    if site.matrix_authentication_service.is_some() {
        let purpose = "what Synapse and the Matrix Authentication Service know each other by, its matrix.secret";
        secrets.push(Secret::new(delegation::SECRET, purpose, Make::Bring));
    }
    secrets
}

/// Every token of an application service.
fn tokens<'a>(checked: &'a CheckedSite<'_>) -> impl Iterator<Item = (&'a Registration, &'a Token)> {
    checked.registrations.iter().flat_map(|registration| registration.tokens.iter().map(move |token| (registration, token)))
}

/// The secrets that registrations and `synapse.settings` name; other components may have some of them.
pub(super) fn named(checked: &CheckedSite<'_>) -> Vec<Secret> {
    let brought = tokens(checked).filter(|(_, token)| token.brought);
    let brought = brought.map(|(registration, token)| (token.secret.as_str(), format!("the {} of the application service {}", token.member, registration.id)));
    let settings = checked.site.synapse.settings.iter().flat_map(|(option, value)| references(value).into_iter().map(move |name| (option, name)));
    let settings = settings.map(|(option, name)| (name, format!("a value in Synapse's option {option}")));
    brought.chain(settings).map(|(name, purpose)| Secret::new(name, &purpose, Make::Bring)).collect()
}

/// The first passwords of the administrators: for the job that makes their accounts.
pub(super) fn of_administrators(checked: &CheckedSite<'_>) -> Vec<Secret> {
    let people = if checked.site.authentication.is_local() { checked.site.administering() } else { Vec::new() };
    let secret = |person: &crate::site::text::Localpart| {
        Secret::new(&administrator_password(person.as_str()), &format!("the first password of the administrator {person}"), Make::Password)
    };
    people.into_iter().map(secret).collect()
}

/// Every secret that a process of Synapse reads, in alphabetical order.
pub(super) fn read(checked: &CheckedSite<'_>) -> Vec<String> {
    let mut names: BTreeSet<String> = own(checked).into_iter().chain(named(checked)).map(|secret| secret.name).collect();
    names.insert(postgres::PASSWORD.to_owned());
    if let Redis::Bundled = checked.redis {
        names.insert(redis::PASSWORD.to_owned());
    }
    if let Turn::Bundled { .. } = checked.turn {
        names.insert(checked.site.turn.secret().to_owned());
    }
    names.into_iter().collect()
}

/// The name of the secret with an administrator's first password.
pub(super) fn administrator_password(localpart: &str) -> String {
    // A file's name: the characters that a localpart may have beyond a-z and 0-9 are written as their code.
    let written: String = localpart.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("_{:02x}", u32::from(c)) }).collect();
    format!("administrator_password_{written}")
}

/// A value with each reference replaced by its placeholder.
pub(super) fn with_placeholders(value: &Value) -> Value {
    match value {
        Value::Object(members) => match reference(value) {
            Some(Ok(name)) => Value::String(placeholder(name)),
            _ => Value::Object(members.iter().map(|(key, member)| (key.clone(), with_placeholders(member))).collect()),
        },
        Value::Array(elements) => Value::Array(elements.iter().map(with_placeholders).collect()),
        other => other.clone(),
    }
}
