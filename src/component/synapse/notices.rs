//! What the server says to its people: the policy with its pages, notices, and the site's own templates.

use serde_json::{Value, json};

use super::{CONFIG, IMAGE, consent, percent};
use crate::checked::{CheckedSite, Policy};
use crate::deployment::Part;
use crate::site::server_notices::ServerNotices;

/// The only mark in texts about the policy.
pub const MARKS: &[&str] = &["consent_uri"];

/// Puts every version's page into the image, and gives the options. Synapse looks for pages in the directory `en`, whatever their
/// language.
pub(super) fn consent(policy: &Policy<'_>, part: &mut Part) -> Value {
    let consent = policy.consent;
    let directory = format!("{CONFIG}/consent");
    for (version, file, content) in &policy.documents {
        let html = consent::text(consent::form(file).unwrap_or(consent::Form::Markdown), &String::from_utf8_lossy(content));
        part.add(IMAGE, &format!("{directory}/en/{version}.html"), consent::page(consent, version, &html));
    }
    part.add(IMAGE, &format!("{directory}/en/success.html"), consent::success(consent));

    let mut options = json!({
        "policy_name": consent.policy_name,
        "version": consent.version,
        "template_dir": directory,
        "require_at_registration": consent.require_at_registration,
    });
    if let Some(notice) = &consent.server_notice_content {
        options["server_notice_content"] = json!({ "msgtype": notice.msgtype, "body": percent::escaped(notice.body.as_str(), MARKS) });
        options["send_server_notice_to_guests"] = json!(consent.send_server_notice_to_guests);
    }
    if let Some(text) = &consent.block_events_error {
        options["block_events_error"] = json!(percent::escaped(text.as_str(), MARKS));
    }
    json!({ "user_consent": options })
}

pub(super) fn server_notices(notices: &ServerNotices) -> Value {
    let mut options = json!(notices);
    if let Some(members) = options.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    json!({ "server_notices": options })
}

/// Puts the site's own templates into the image.
pub(super) fn templates(checked: &CheckedSite<'_>, part: &mut Part) -> Option<Value> {
    let templates = checked.templates.as_ref()?;
    let directory = format!("{CONFIG}/own-templates");
    for (name, content) in templates {
        part.add(IMAGE, &format!("{directory}/{name}"), *content);
    }
    Some(json!({ "templates": { "custom_template_directory": directory } }))
}
