//! S054x: the site's own templates in place of Synapse's.

use super::{Rule, Violation, jinja};
use crate::check::Severity::{Error, Warning};
use crate::site::load::{Loaded, in_directory};

/// Templates that a site can replace (Synapse 1.163, `res/templates` and the places that read them). Besides these a site may have
/// `mail-NAME.css`, which mails take for an `app_name` of that NAME.
pub const TEMPLATES: &[&str] = &[
    "_base.html",
    "account_previously_renewed.html",
    "account_renewed.html",
    "add_threepid.html",
    "add_threepid.txt",
    "add_threepid_failure.html",
    "add_threepid_success.html",
    "already_in_use.html",
    "already_in_use.txt",
    "invalid_token.html",
    "mail-Element.css",
    "mail-Vector.css",
    "mail-expiry.css",
    "mail.css",
    "media_upload_limit_exceeded.html",
    "notice_expiry.html",
    "notice_expiry.txt",
    "notif.html",
    "notif.txt",
    "notif_mail.html",
    "notif_mail.txt",
    "password_reset.html",
    "password_reset.txt",
    "password_reset_confirmation.html",
    "password_reset_failure.html",
    "password_reset_success.html",
    "registration.html",
    "registration.txt",
    "registration_failure.html",
    "registration_success.html",
    "room.html",
    "room.txt",
    "sso.css",
    "sso_account_deactivated.html",
    "sso_auth_account_details.html",
    "sso_auth_account_details.js",
    "sso_auth_bad_user.html",
    "sso_auth_confirm.html",
    "sso_auth_success.html",
    "sso_error.html",
    "sso_footer.html",
    "sso_login_idp_picker.html",
    "sso_new_user_consent.html",
    "sso_partial_profile.html",
    "sso_redirect_confirm.html",
    "style.css",
];

/// Templates that Synapse reads from its own directory only (`read_template` in config/_base.py), whatever a site has.
pub const FIXED_TEMPLATES: &[&str] = &["auth_success.html", "recaptcha.html", "registration_token.html", "terms.html"];

/// The site's own templates by name.
fn templates(loaded: &Loaded) -> Vec<(&str, &[u8])> {
    let Some(directory) = &loaded.site.templates.custom_template_directory else { return Vec::new() };
    let before = in_directory(directory.as_str(), "");
    loaded.files.iter().filter_map(|(path, content)| Some((path.strip_prefix(&before)?, content.as_slice()))).collect()
}

/// Whether a file is one of the kinds that Synapse and modules have templates of; what else lies there is nobody's concern.
fn is_text(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| ["html", "txt", "css", "js"].contains(&ending))
}

/// Whether other programs run in Synapse, which may have templates of their own.
fn has_modules(loaded: &Loaded) -> bool {
    super::modules::all(&loaded.site.synapse.settings).next().is_some()
}

/// The files that are nothing to Synapse: neither a name of its own, nor one that another file or an older option of account_validity names.
fn unread<'a>(loaded: &'a Loaded, all: &'a [(&'a str, &'a [u8])]) -> impl Iterator<Item = &'a str> + 'a {
    // A part that one of them includes, extends or imports has a name of its own.
    let part = |name: &str| {
        let quoted = [format!("\"{name}\""), format!("'{name}'")];
        all.iter().any(|(other, content)| *other != name && quoted.iter().any(|quoted| String::from_utf8_lossy(content).contains(quoted.as_str())))
    };
    let named = |name: &str| {
        let members = loaded.site.synapse.settings.get("account_validity").and_then(serde_json::Value::as_object).into_iter().flatten();
        members.into_iter().any(|(member, value)| member.ends_with("_html_path") && value == name)
    };
    let known = move |name: &str| {
        TEMPLATES.contains(&name) || FIXED_TEMPLATES.contains(&name) || name.starts_with("mail-") && name.ends_with(".css") || part(name) || named(name)
    };
    all.iter().map(|(name, _)| *name).filter(move |name| is_text(name) && !known(name))
}

/// The template of Synapse that somebody meant.
fn meant(name: &str) -> Option<&'static str> {
    crate::site::schema::nearest(name, TEMPLATES.iter().copied())
}

const TEMPLATE_OPTION: &str = "templates.custom_template_directory";

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "S0541",
        severity: Error,
        reason: "Synapse looks for its own names only; a file with a name that is nearly one of them is never read (config/_base.py, read_templates).",
        options: &[TEMPLATE_OPTION],
        violations: |loaded| {
            if loaded.site.templates.custom_template_directory.is_none() {
                return Vec::new();
            }
            let all = templates(loaded);
            if all.is_empty() {
                return vec![Violation::at(TEMPLATE_OPTION, "is a directory without a template", "put a template into it, or leave the option out")];
            }
            if has_modules(loaded) {
                return Vec::new();
            }
            let found = unread(loaded, &all).filter_map(|name| Some((name, meant(name)?)));
            found
                .map(|(name, near)| {
                    Violation::at(TEMPLATE_OPTION, format!("holds {name}, and no template of Synapse has that name"), format!("did you mean {near}?"))
                })
                .collect()
        },
    },
    Rule {
        code: "S0542",
        severity: Error,
        reason: "Synapse reads these templates from its own directory only (read_template in config/_base.py), so that a replacement has no effect.",
        options: &[TEMPLATE_OPTION],
        violations: |loaded| {
            templates(loaded)
                .into_iter()
                .filter(|(name, _)| FIXED_TEMPLATES.contains(name))
                .map(|(name, _)| Violation::at(TEMPLATE_OPTION, format!("holds {name}, which Synapse takes from its own directory only"), "remove the file"))
                .collect()
        },
    },
    Rule {
        code: "S0543",
        severity: Warning,
        reason: "A template that cannot be parsed ends Synapse when it starts, or the first mail or page that needs it.",
        options: &[TEMPLATE_OPTION],
        violations: |loaded| {
            let all = templates(loaded);
            // With modules, any other name may be that of a template of theirs.
            let others: Vec<&str> = if has_modules(loaded) { Vec::new() } else { unread(loaded, &all).collect() };
            all.iter()
                .filter(|(name, _)| is_text(name) && !others.contains(name))
                .filter_map(|(name, content)| {
                    let why = match std::str::from_utf8(content) {
                        Err(_) => "it is not UTF-8".to_owned(),
                        Ok(text) => match jinja::unknown(text, jinja::PAGE_FILTERS).first() {
                            Some(unknown) => format!("it uses the {} `{}`", unknown.kind, unknown.name),
                            None => minijinja::Environment::new().add_template(name, text).err()?.to_string(),
                        },
                    };
                    Some(Violation::at(
                        TEMPLATE_OPTION,
                        format!("holds {name}, which may be no Jinja2 template: {why}"),
                        "mend it; Jinja2 itself may know more than this check",
                    ))
                })
                .collect()
        },
    },
    Rule {
        code: "S0544",
        severity: Warning,
        reason: "Besides Synapse, which looks for its own names, only modules read files of this directory (module_api, read_templates).",
        options: &[TEMPLATE_OPTION, "synapse.settings.modules"],
        violations: |loaded| {
            let (all, modules) = (templates(loaded), has_modules(loaded));
            unread(loaded, &all)
                .filter_map(|name| match (meant(name), modules) {
                    (Some(near), true) => Some((name, "which Synapse reads under no such name", format!("did you mean {near}? A module may read it as it is"))),
                    (None, false) => Some((
                        name,
                        "which neither Synapse nor another template reads",
                        "remove it; Synapse's names are those of synapse/res/templates".to_owned(),
                    )),
                    _ => None,
                })
                .map(|(name, what, remedy)| Violation::at(TEMPLATE_OPTION, format!("holds {name}, {what}"), remedy))
                .collect()
        },
    },
];
