//! The mail server. Its password is a placeholder, as Synapse reads it from nowhere but its configuration.

use serde_json::{Map, Value, json};

use super::{percent, secrets};
use crate::launch::placeholder;
use crate::site::email::{Email, MARKS};

pub(super) fn options(email: &Email) -> Value {
    let mut options = json!({
        "smtp_host": email.smtp_host,
        "smtp_port": email.port(),
        "force_tls": email.force_tls,
        "require_transport_security": email.requires_tls(),
        "enable_tls": email.enable_tls,
        "notif_from": email.notif_from,
        "app_name": email.app_name,
        "enable_notifs": email.enable_notifs,
        "notif_for_new_users": email.notif_for_new_users,
        "notif_delay_before_mail": email.notif_delay_before_mail,
        "validation_token_lifetime": email.validation_token_lifetime,
    });
    if let Some(user) = &email.smtp_user {
        options["smtp_user"] = json!(user);
        options["smtp_pass"] = json!(placeholder(secrets::SMTP_PASSWORD));
    }
    for (name, value) in [
        ("tlsname", email.tlsname.as_ref().map(|name| name.as_str())),
        // Synapse puts `/#/room/` behind it.
        ("client_base_url", email.client_base_url.as_ref().map(|url| url.as_str().trim_end_matches('/'))),
        ("invite_client_location", email.invite_client_location.as_ref().map(|url| url.as_str())),
    ] {
        if let Some(value) = value {
            options[name] = json!(value);
        }
    }
    let subjects = subjects(email);
    if !subjects.is_empty() {
        options["subjects"] = Value::Object(subjects);
    }
    json!({ "email": options })
}

/// The subjects that the site has of its own, as format strings.
fn subjects(email: &Email) -> Map<String, Value> {
    texts(email).map(|(name, text, marks)| (name.to_owned(), json!(percent::escaped(&text, &marks)))).collect()
}

/// The site's own subjects: option, text, and the marks that it may have.
pub fn texts(email: &Email) -> impl Iterator<Item = (&'static str, String, Vec<&'static str>)> {
    let written = json!(email.subjects);
    MARKS.iter().filter_map(move |(name, marks)| {
        let text = written[*name].as_str()?.to_owned();
        Some((*name, text, std::iter::once("app").chain(marks.iter().copied()).collect()))
    })
}
