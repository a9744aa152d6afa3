//! S01xx: who may log in, make an account and administer.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Rule, Violation, modules};
use crate::check::Severity::{Error, Warning};
use crate::site::Site;
use crate::site::authentication::Method;
use crate::site::ldap::{Ldap, Mode};
use crate::site::load::Loaded;
use crate::site::registration::ThirdParty;
use crate::site::schema::OptionPath;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "S0101",
        severity: Error,
        options: &["authentication.method", "ldap"],
        reason: "Passwords in a directory need to know the directory.",
        violations: |loaded| match (loaded.site.authentication.method, &loaded.site.ldap) {
            (Method::Ldap, None) => vec![Violation::at(
                "authentication.method",
                "is \"ldap\", and there is no section ldap",
                "add a section ldap with at least uri and base, or use the method \"local\"",
            )],
            _ => Vec::new(),
        },
    },
    Rule {
        code: "S0102",
        severity: Error,
        options: &["authentication.method", "ldap"],
        reason: "A directory that nobody logs in with is a setting with no effect, which people take for one with an effect.",
        violations: |loaded| match (loaded.site.authentication.method, &loaded.site.ldap) {
            (Method::Local, Some(_)) => vec![Violation::at(
                "ldap",
                "is there, but authentication.method is \"local\", so nobody would log in with the directory",
                "authentication.method: ldap, or remove the section ldap",
            )],
            _ => Vec::new(),
        },
    },
    Rule {
        code: "S0103",
        severity: Warning,
        options: &["ldap.uri", "ldap.further_uris", "ldap.start_tls", "synapse.settings"],
        reason: "Without TLS every password crosses the network in clear (matrix-synapse-ldap3, README).",
        violations: |loaded| {
            let of_section = loaded.site.ldap.iter().filter(|ldap| !ldap.start_tls).flat_map(Ldap::uris).filter(|(_, uri)| !uri.is_ldaps());
            let mut places: Vec<OptionPath> = of_section.map(|(option, _)| OptionPath::dotted(&option)).collect();
            for module in modules::all(&loaded.site.synapse.settings) {
                in_clear(&module.option.key("config"), module.config, false, &mut places);
            }
            let remedy = "start_tls: true beside it, or use an ldaps:// address";
            let message = "is ldap:// without start_tls: passwords cross the network in clear";
            places.into_iter().map(|option| Violation { option, message: message.to_owned(), remedy: remedy.to_owned() }).collect()
        },
    },
    Rule {
        code: "S0104",
        severity: Error,
        options: &["ldap.uri", "ldap.further_uris", "ldap.start_tls"],
        reason: "A connection is switched to TLS once; ldaps is TLS from its first byte (RFC 4513, section 3.1).",
        violations: |loaded| match &loaded.site.ldap {
            Some(ldap) if ldap.start_tls && ldap.uris().any(|(_, uri)| uri.is_ldaps()) => {
                vec![Violation::at("ldap.start_tls", "is true although an address is ldaps://", "remove ldap.start_tls, or use ldap:// addresses only")]
            }
            _ => Vec::new(),
        },
    },
    Rule {
        code: "S0105",
        severity: Error,
        options: &["ldap.mode", "ldap.filter", "ldap.bind_dn"],
        reason: "matrix-synapse-ldap3 reads filter in search mode only, and any bind_dn makes it search (ldap_auth_provider.py, parse_config).",
        violations: |loaded| {
            let Some(ldap) = loaded.site.ldap.as_ref().filter(|ldap| ldap.mode == Mode::Simple) else { return Vec::new() };
            let mut violations = Vec::new();
            for (name, present) in [("filter", ldap.filter.is_some()), ("bind_dn", ldap.bind_dn.is_some())] {
                if present {
                    violations.push(Violation::at(
                        &format!("ldap.{name}"),
                        "has no meaning in simple mode",
                        format!("ldap.mode: search, or remove ldap.{name}"),
                    ));
                }
            }
            violations
        },
    },
    Rule {
        code: "S0106",
        severity: Error,
        options: &["ldap.ca_certificate"],
        reason: "A certificate authority has to be PEM, or every login fails with \"invalid username or password\".",
        violations: |loaded| {
            let Some(path) = loaded.site.ldap.as_ref().and_then(|ldap| ldap.ca_certificate.as_ref()) else { return Vec::new() };
            let content = loaded.files.get(path.as_str()).map(Vec::as_slice).unwrap_or_default();
            let text = String::from_utf8_lossy(content);
            if text.contains("PRIVATE KEY-----") {
                return vec![Violation::at(
                    "ldap.ca_certificate",
                    "the file holds a private key, which would end up in an image",
                    "name a file with certificates only",
                )];
            }
            if text.contains("-----BEGIN CERTIFICATE-----") && text.contains("-----END CERTIFICATE-----") {
                return Vec::new();
            }
            vec![Violation::at("ldap.ca_certificate", "the file holds no PEM certificate", "convert it: openssl x509 -inform der -in FILE -out FILE.pem")]
        },
    },
    Rule {
        code: "S0107",
        severity: Error,
        options: &[
            "registration.enable_registration",
            "registration.enable_registration_without_verification",
            "registration.registration_requires_token",
            "registration.registrations_require_3pid",
            "registration.disable_msisdn_registration",
            "synapse.settings.enable_registration_captcha",
        ],
        reason: "Synapse refuses open registration that proves nothing, unless told otherwise (config/homeserver.py, validate_config), and overlooks a telephone number that nobody is asked for (rest/client/register.py).",
        violations: |loaded| {
            let registration = &loaded.site.registration;
            if !is_open(&loaded.site) || registration.enable_registration_without_verification || is_something_proved(&loaded.site) {
                return Vec::new();
            }
            vec![Violation::at(
                "registration.enable_registration",
                "is true, and nothing has to be proved to make an account",
                "registration.registration_requires_token: true, or registration.registrations_require_3pid: [\"email\"]",
            )]
        },
    },
    Rule {
        code: "S0108",
        severity: Error,
        options: &["registration.registrations_require_3pid", "email"],
        reason: "An address can only be verified by sending mail to it; Synapse stops at start, whether registration is open or not (rest/client/register.py).",
        violations: |loaded| {
            let wants = loaded.site.registration.registrations_require_3pid.contains(&ThirdParty::Email);
            // Where another service logs people in Synapse has nothing to verify, and does not look (rest/client/register.py).
            if !wants || loaded.site.email.is_some() || loaded.site.matrix_authentication_service.is_some() {
                return Vec::new();
            }
            vec![Violation::at(
                "registration.registrations_require_3pid",
                "asks for an e-mail address, and the server cannot send mail",
                "describe the mail server in the section email (smtp_host, notif_from, …)",
            )]
        },
    },
    Rule {
        code: "S0109",
        severity: Warning,
        options: &[
            "registration.enable_registration_without_verification",
            "registration.enable_registration",
            "registration.registration_requires_token",
            "registration.registrations_require_3pid",
            "registration.disable_msisdn_registration",
            "synapse.settings.enable_registration_captcha",
        ],
        reason: "Registration by anybody without proof is found by spammers within hours (Synapse documentation, enable_registration_without_verification).",
        violations: |loaded| {
            let stated = loaded.site.registration.enable_registration_without_verification;
            if !is_open(&loaded.site) || !stated || is_something_proved(&loaded.site) {
                return Vec::new();
            }
            vec![Violation::at(
                "registration.enable_registration_without_verification",
                "lets anybody make any number of accounts",
                "require a token (registration.registration_requires_token) unless the server is out of the world's reach",
            )]
        },
    },
    Rule {
        code: "S0110",
        severity: Error,
        options: &["administrators"],
        reason: "An administrator is made once.",
        violations: |loaded| {
            let mut seen = BTreeSet::new();
            let people = loaded.site.administrators.iter().enumerate();
            people
                .filter(|(_, person)| !seen.insert(person.as_str()))
                .map(|(at, person)| Violation::at(&format!("administrators.{at}"), format!("{person} is listed twice"), "remove one of the two"))
                .collect()
        },
    },
    Rule {
        code: "S0111",
        severity: Error,
        options: &["registration.enable_registration", "authentication.method"],
        reason: "People who register get local passwords, which nobody is asked for where a directory has them (handlers/auth.py).",
        violations: |loaded: &Loaded| {
            if loaded.site.authentication.method != Method::Ldap || !loaded.site.registration.enable_registration {
                return Vec::new();
            }
            vec![Violation::at(
                "registration.enable_registration",
                "is true on a site whose passwords are in a directory: accounts made so could never log in",
                "registration.enable_registration: false; accounts are made at the first login",
            )]
        },
    },
];

/// Addresses of directories without TLS in what a module is told, whatever the module calls them.
fn in_clear(place: &OptionPath, value: &Value, switched: bool, found: &mut Vec<OptionPath>) {
    match value {
        Value::String(text) if !switched && text.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("ldap://")) => found.push(place.clone()),
        Value::Array(elements) => elements.iter().enumerate().for_each(|(at, element)| in_clear(&place.index(at), element, switched, found)),
        Value::Object(members) => {
            let switched = switched || ["start_tls", "starttls", "use_starttls"].iter().any(|name| members.get(*name) == Some(&Value::Bool(true)));
            members.iter().for_each(|(key, member)| in_clear(&place.key(key), member, switched, found));
        }
        _ => {}
    }
}

/// Whether people may make accounts here, and not where their passwords or logins are, which other rules say: the directory or another service.
pub(super) fn is_open(site: &Site) -> bool {
    site.registration.enable_registration && site.authentication.method != Method::Ldap && site.matrix_authentication_service.is_none()
}

/// Whether whoever makes an account has to prove something: Synapse asks nobody for a telephone number where that is turned off
/// (rest/client/register.py, _calculate_registration_flows).
fn is_something_proved(site: &Site) -> bool {
    let registration = &site.registration;
    let asked = |kind: &ThirdParty| *kind == ThirdParty::Email || !registration.disable_msisdn_registration;
    registration.registration_requires_token
        || registration.registrations_require_3pid.iter().any(asked)
        || site.synapse.settings.get("enable_registration_captcha").is_some_and(|value| value == true)
}
