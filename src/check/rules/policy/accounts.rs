//! S014x: addresses of people, sessions, profiles, and the names that a directory is asked for.

use crate::check::Severity::{Error, Warning};
use crate::check::rules::accounts::is_open;
use crate::check::rules::{Rule, Violation};
use crate::site::authentication::Authentication;
use crate::site::registration::ThirdParty;

pub(in crate::check::rules) const RULES: &[Rule] = &[
    Rule {
        code: "S0140",
        severity: Warning,
        options: &["registration.allowed_local_3pids"],
        reason: "Synapse matches the expression at the beginning of an address only: without a $ at its end, example.com allows example.com.evil.org, too (util/threepids.py, check_3pid_allowed).",
        violations: |loaded| {
            let allowed = loaded.site.registration.allowed_local_3pids.iter().enumerate();
            allowed
                .filter(|(_, allowed)| allowed.medium == ThirdParty::Email && !allowed.pattern.as_str().ends_with(['$', 'Z']))
                .map(|(at, allowed)| {
                    Violation::at(
                        &format!("registration.allowed_local_3pids.{at}.pattern"),
                        "has no $ at its end, so an address may go on behind it",
                        format!("write {:?}", format!("{}$", allowed.pattern)),
                    )
                })
                .collect()
        },
    },
    Rule {
        code: "S0141",
        severity: Error,
        options: &[
            "authentication.session_lifetime",
            "authentication.refreshable_access_token_lifetime",
            "authentication.refresh_token_lifetime",
            "authentication.nonrefreshable_access_token_lifetime",
        ],
        reason: "No token can outlive the login that it belongs to; Synapse does not start (config/registration.py).",
        violations: |loaded| {
            let authentication = &loaded.site.authentication;
            let Some(session) = &authentication.session_lifetime else { return Vec::new() };
            // Its default gives way to a shorter login without a word.
            let refreshable = &authentication.refreshable_access_token_lifetime;
            let refreshable = Some(refreshable).filter(|time| **time != Authentication::default().refreshable_access_token_lifetime);
            [
                ("refreshable_access_token_lifetime", refreshable),
                ("refresh_token_lifetime", authentication.refresh_token_lifetime.as_ref()),
                ("nonrefreshable_access_token_lifetime", authentication.nonrefreshable_access_token_lifetime.as_ref()),
            ]
            .into_iter()
            .filter_map(|(name, lifetime)| Some((name, lifetime.filter(|lifetime| lifetime.milliseconds() > session.milliseconds())?)))
            .map(|(name, lifetime)| {
                Violation::at(
                    &format!("authentication.{name}"),
                    format!("is {}, longer than session_lifetime ({})", lifetime.as_str(), session.as_str()),
                    format!("authentication.{name}: {}", session.as_str()),
                )
            })
            .collect()
        },
    },
    Rule {
        code: "S0142",
        severity: Error,
        options: &["registration.registrations_require_3pid", "registration.account_threepid_delegates"],
        reason: "Synapse cannot send text messages: it stops at start when it has to verify telephone numbers without a service that does (rest/client/register.py).",
        violations: |loaded| {
            let registration = &loaded.site.registration;
            let wants = registration.registrations_require_3pid.contains(&ThirdParty::Msisdn);
            // As with S0108.
            if !wants || registration.account_threepid_delegates.msisdn.is_some() || loaded.site.matrix_authentication_service.is_some() {
                return Vec::new();
            }
            vec![Violation::at(
                "registration.registrations_require_3pid",
                "asks for a telephone number, and nothing can verify one",
                "remove \"msisdn\", or set registration.account_threepid_delegates.msisdn to the address of a service that verifies numbers",
            )]
        },
    },
    Rule {
        code: "S0143",
        severity: Error,
        options: &["profiles.limit_profile_requests_to_users_who_share_rooms", "profiles.require_auth_for_profile_requests"],
        reason: "Whether two people share a room can only be known of who is logged in; Synapse 1.163 does not start (config/server.py).",
        violations: |loaded| {
            let profiles = &loaded.site.profiles;
            if !profiles.limit_profile_requests_to_users_who_share_rooms || profiles.require_auth_for_profile_requests {
                return Vec::new();
            }
            vec![Violation::at(
                "profiles.limit_profile_requests_to_users_who_share_rooms",
                "is true, and profiles.require_auth_for_profile_requests is not",
                "profiles.require_auth_for_profile_requests: true",
            )]
        },
    },
    Rule {
        code: "S0144",
        severity: Error,
        options: &["ldap.base", "ldap.bind_dn"],
        reason: "An entry of a directory is named by attributes and values (RFC 4514); any other text makes every login fail with \"invalid username or password\".",
        violations: |loaded| {
            let Some(ldap) = &loaded.site.ldap else { return Vec::new() };
            let names = [("ldap.base", Some(&ldap.base)), ("ldap.bind_dn", ldap.bind_dn.as_ref())];
            names
                .into_iter()
                .filter_map(|(option, name)| Some((option, name?.as_str())))
                .filter(|(option, name)| !(is_entry_name(name) || *option == "ldap.bind_dn" && is_account(name)))
                .map(|(option, name)| {
                    let domain: Vec<String> = name.split('.').map(|label| format!("dc={label}")).collect();
                    let like_domain = name.contains('.') && !name.contains(['=', ',', ' ', '@']);
                    let example = if like_domain { domain.join(",") } else { "ou=users,dc=example,dc=com".to_owned() };
                    Violation::at(option, format!("is {name:?}, which is no name of an entry"), format!("write a name such as {example:?}"))
                })
                .collect()
        },
    },
    Rule {
        code: "S0145",
        severity: Error,
        options: &["ldap.filter"],
        reason: "The filter is put beside the login name as it is: without parentheses around each part every search is refused, and every login with it (RFC 4515; ldap_auth_provider.py).",
        violations: |loaded| {
            let Some(filter) = loaded.site.ldap.as_ref().and_then(|ldap| ldap.filter.as_ref()) else { return Vec::new() };
            if is_filter(filter.as_str()) {
                return Vec::new();
            }
            vec![Violation::at(
                "ldap.filter",
                format!("is {:?}, whose parentheses do not fit", filter.as_str()),
                format!("write {:?}", fitted(filter.as_str())),
            )]
        },
    },
    Rule {
        code: "S0146",
        severity: Warning,
        options: &["authentication.login_via_existing_session"],
        reason: "Without asking again who it is, a stolen access token makes another login that outlives it (Synapse documentation, login_via_existing_session).",
        violations: |loaded| {
            let existing = &loaded.site.authentication.login_via_existing_session;
            if !existing.enabled || existing.require_ui_auth {
                return Vec::new();
            }
            vec![Violation::at(
                "authentication.login_via_existing_session.require_ui_auth",
                "is false: whoever has a device for a minute can log in another one",
                "authentication.login_via_existing_session.require_ui_auth: true",
            )]
        },
    },
    Rule {
        code: "S0147",
        severity: Error,
        options: &[
            "registration.enable_registration",
            "synapse.settings.enable_registration_captcha",
            "synapse.settings.recaptcha_public_key",
            "synapse.settings.recaptcha_private_key",
        ],
        reason: "The captcha is shown with one key and looked at with the other; Synapse starts without them, and then nobody gets past it (handlers/ui_auth/checkers.py, rest/client/register.py).",
        violations: |loaded| {
            let settings = &loaded.site.synapse.settings;
            let captcha = settings.get("enable_registration_captcha").is_some_and(|value| value == true);
            if !captcha || !is_open(&loaded.site) {
                return Vec::new();
            }
            let said = |name: &str| settings.get(name).is_some_and(|value| !value.is_null() && value != "");
            let keys = [("recaptcha_public_key", "\"6Le…\""), ("recaptcha_private_key", "{ _secret: recaptcha_private_key }")];
            let missing: Vec<_> = keys.into_iter().filter(|(name, _)| !said(name) && !said(&format!("{name}_path"))).collect();
            if missing.is_empty() {
                return Vec::new();
            }
            let names: Vec<&str> = missing.iter().map(|(name, _)| *name).collect();
            let values: Vec<String> = missing.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            vec![Violation::at(
                "synapse.settings.enable_registration_captcha",
                format!("is true, and {} is missing: nobody could register", names.join(" and ")),
                format!("add {}; or remove it, and write registration.registration_requires_token: true", values.join(", ")),
            )]
        },
    },
];

/// Whether a text is a list of `attribute=value`, as far as commas tell.
fn is_entry_name(text: &str) -> bool {
    let text = text.replace("\\,", "");
    text.split(',').all(|part| part.split_once('=').is_some_and(|(name, value)| !name.trim().is_empty() && !value.trim().is_empty()))
}

/// Whether a text is the name of an account as Active Directory knows it, too: `matrix@example.com`, `EXAMPLE\matrix`.
fn is_account(text: &str) -> bool {
    !text.contains('=') && text.split_once(['@', '\\']).is_some_and(|(one, other)| !one.is_empty() && !other.is_empty())
}

/// Whether a text is one or more parts in parentheses that fit.
fn is_filter(text: &str) -> bool {
    let mut depth = 0_u32;
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return false,
            ')' => depth -= 1,
            _ if depth == 0 && !c.is_whitespace() => return false,
            _ => {}
        }
    }
    depth == 0
}

/// The filter with parentheses that fit: those that close nothing are left out, those that are missing stand at its end or around all.
fn fitted(text: &str) -> String {
    let mut depth = 0_usize;
    let mut fitted: String = text
        .chars()
        .filter(|c| match c {
            '(' => {
                depth += 1;
                true
            }
            ')' if depth == 0 => false,
            ')' => {
                depth -= 1;
                true
            }
            _ => true,
        })
        .collect();
    fitted.push_str(&")".repeat(depth));
    if is_filter(&fitted) { fitted } else { format!("({fitted})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_of_active_directory_are_told_from_text() {
        assert!(is_account("matrix@example.com") && is_account("EXAMPLE\\matrix"));
        assert!(!is_account("matrix") && !is_account("@example.com") && !is_account("cn=a@b"));
    }

    #[test]
    fn what_is_proposed_for_a_filter_fits() {
        for (written, proposed) in [
            ("objectClass=posixAccount", "(objectClass=posixAccount)"),
            ("(&(objectClass=posixAccount)(accountStatus=active)", "(&(objectClass=posixAccount)(accountStatus=active))"),
            ("&(objectClass=posixAccount)(accountStatus=active)", "(&(objectClass=posixAccount)(accountStatus=active))"),
            ("&(objectClass=posixAccount)(accountStatus=active))", "(&(objectClass=posixAccount)(accountStatus=active))"),
            ("(objectClass=posixAccount))", "(objectClass=posixAccount)"),
            ("objectClass=posixAccount)", "(objectClass=posixAccount)"),
        ] {
            assert!(!is_filter(written) && is_filter(proposed), "{written}");
            assert_eq!(fitted(written), proposed, "{written}");
        }
    }
}
