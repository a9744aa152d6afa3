//! S0155: attributes of a directory whose values cannot be login names here.

use crate::check::Severity::Warning;
use crate::check::rules::{Rule, Violation};

pub(in crate::check::rules) const RULES: &[Rule] = &[Rule {
    code: "S0155",
    severity: Warning,
    options: &["ldap.attributes.uid"],
    reason: "The values of this attribute become localparts, which have a-z, 0-9 and ._=/+- only: with an @ or a blank in it no account can be made, and nobody logs in (Matrix specification, User Identifiers; handlers/register.py, check_username).",
    violations: |loaded| {
        let Some(ldap) = &loaded.site.ldap else { return Vec::new() };
        let (uid, mail) = (ldap.attributes.uid.as_str(), ldap.attributes.mail.as_str());
        let what = match NO_LOGIN_NAMES.iter().find(|(names, _)| names.iter().any(|name| is_attribute(uid, name))) {
            Some((_, what)) => *what,
            None if uid.eq_ignore_ascii_case(mail) && !["uid", "userid", "cn", "sAMAccountName"].iter().any(|name| is_attribute(uid, name)) => {
                "e-mail addresses"
            }
            None => return Vec::new(),
        };
        vec![Violation::at(
            "ldap.attributes.uid",
            format!("is {uid:?}, whose values are {what}, and no account can have such a name"),
            "name the attribute of the login name: uid, or sAMAccountName in Active Directory",
        )]
    },
}];

/// Attributes whose values are no localparts, by their names and their numbers, and what they are: RFC 4519, RFC 4524, RFC 2798, eduPerson,
/// Active Directory's schema, and those of well-known servers.
const NO_LOGIN_NAMES: &[(&[&str], &str)] = &[
    (
        &[
            "mail",
            "0.9.2342.19200300.100.1.3",
            "email",
            "emailAddress",
            "1.2.840.113549.1.9.1",
            "rfc822Mailbox",
            "mailLocalAddress",
            "mailRoutingAddress",
            "mailAlternateAddress",
            "mailAlternativeAddress",
            "mailPrimaryAddress",
            "mailEquivalentAddress",
            "proxyAddresses",
            "1.2.840.113556.1.2.210",
            "gosaMailAlternateAddress",
            "zimbraMailDeliveryAddress",
            "msRTCSIP-PrimaryUserAddress",
            "otherMailbox",
        ],
        "e-mail addresses",
    ),
    (&["userPrincipalName", "1.2.840.113556.1.4.656", "upn"], "names with an @ and a domain"),
    (&["krbPrincipalName", "krbCanonicalName"], "names with an @ and a realm"),
    (
        &["eduPersonPrincipalName", "1.3.6.1.4.1.5923.1.1.1.6", "eduPersonUniqueId", "1.3.6.1.4.1.5923.1.1.1.13", "eduPersonScopedAffiliation"],
        "names with an @ and a domain",
    ),
    (&["msDS-PrincipalName"], "names with a domain and a backslash"),
    (&["dn", "distinguishedName", "2.5.4.49", "entryDN"], "names of entries"),
    (&["displayName", "2.16.840.1.113730.3.1.241", "gecos"], "full names of people, with blanks"),
    (&["objectGUID", "1.2.840.113556.1.4.2", "objectSid", "1.2.840.113556.1.4.146"], "numbers in binary"),
];

/// Whether a text names that attribute: in either case, with or without options behind it (RFC 4512, section 2.5).
fn is_attribute(text: &str, name: &str) -> bool {
    text.split(';').next().is_some_and(|text| text.trim().eq_ignore_ascii_case(name))
}
