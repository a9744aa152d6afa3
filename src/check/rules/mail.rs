//! S050x: the mail server and what is mailed.

use super::{Rule, Violation};
use crate::check::Severity::{Error, Warning};
use crate::component::synapse::{email, percent};
use crate::site::email::Email;
use crate::site::load::Loaded;

fn section(loaded: &Loaded) -> Option<&Email> {
    loaded.site.email.as_ref()
}

/// Whether a host name means the container itself.
pub(super) fn is_local(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    ["localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"].contains(&host.as_str())
        || host.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback() || address.is_unspecified())
}

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "S0501",
        severity: Error,
        reason: "Synapse runs in a container, and its localhost is that container, where no mail server is.",
        options: &["email.smtp_host"],
        violations: |loaded| match section(loaded) {
            Some(email) if is_local(email.smtp_host.as_str()) => vec![Violation::at(
                "email.smtp_host",
                format!("is {}, which inside a container is the container", email.smtp_host),
                "smtp_host: mail.example.com, the name or address that other machines know the mail server by",
            )],
            _ => Vec::new(),
        },
    },
    Rule {
        code: "S0502",
        severity: Error,
        reason: "TLS cannot be both demanded and forbidden; Synapse does not start (config/emailconfig.py).",
        options: &["email.enable_tls", "email.force_tls", "email.require_transport_security"],
        violations: |loaded| match section(loaded) {
            Some(email) if !email.enable_tls && (email.force_tls || email.requires_tls()) => vec![Violation::at(
                "email.enable_tls",
                "is false, and force_tls or require_transport_security is true",
                "enable_tls: true, or leave force_tls and require_transport_security out",
            )],
            _ => Vec::new(),
        },
    },
    Rule {
        code: "S0503",
        severity: Warning,
        reason: "Port 465 speaks TLS from the first byte, 587 and 25 begin in clear (RFC 8314, section 3); with the other kind a connection waits until it fails.",
        options: &["email.smtp_port", "email.force_tls"],
        violations: |loaded| {
            let Some(email) = section(loaded) else { return Vec::new() };
            match (email.port(), email.force_tls) {
                (465, false) => vec![Violation::at(
                    "email.smtp_port",
                    "is 465, where TLS begins with the first byte, and force_tls is false",
                    "force_tls: true, or smtp_port: 587",
                )],
                (port @ (25 | 587), true) => vec![Violation::at(
                    "email.force_tls",
                    format!("is true, and a mail server's port {port} begins in clear"),
                    "force_tls: false (TLS is asked for all the same), or smtp_port: 465",
                )],
                _ => Vec::new(),
            }
        },
    },
    Rule {
        code: "S0504",
        severity: Warning,
        reason: "Without TLS, or where whoever is in between can leave it out, the mail server's password crosses the network in clear (handlers/send_email.py).",
        options: &["email.smtp_user", "email.require_transport_security", "email.enable_tls"],
        violations: |loaded| match section(loaded) {
            Some(email) if email.smtp_user.is_some() && !email.force_tls && !email.requires_tls() => {
                let (option, remedy) = match (email.enable_tls, email.require_transport_security) {
                    (true, _) => ("email.require_transport_security", "require_transport_security: true"),
                    (false, None) => ("email.enable_tls", "enable_tls: true"),
                    (false, Some(_)) => ("email.enable_tls", "enable_tls: true, require_transport_security: true"),
                };
                vec![Violation::at(option, "is false, so the password of smtp_user may be sent in clear", remedy)]
            }
            _ => Vec::new(),
        },
    },
    Rule {
        code: "S0505",
        severity: Error,
        reason: "Synapse fills a subject in when it sends the mail; a mark that this subject has not, and the mail is never sent (push/mailer.py).",
        options: &["email.subjects"],
        violations: |loaded| {
            let Some(email) = section(loaded) else { return Vec::new() };
            email::texts(email)
                .flat_map(|(name, text, marks)| {
                    let listed: Vec<String> = marks.iter().map(|mark| format!("%({mark})s")).collect();
                    percent::strangers(&text, &marks).into_iter().map(move |stranger| {
                        Violation::at(
                            &format!("email.subjects.{name}"),
                            format!("has {stranger}"),
                            format!("this subject may have {}; a percent sign is written once", listed.join(", ")),
                        )
                    })
                })
                .collect()
        },
    },
    Rule {
        code: "S0506",
        severity: Warning,
        reason: "Without enable_notifs no notification is ever mailed, whatever else is said about them (config/emailconfig.py).",
        options: &["email.enable_notifs", "email.client_base_url"],
        violations: |loaded| match section(loaded) {
            Some(email) if !email.enable_notifs && email.client_base_url.is_some() => {
                vec![Violation::at(
                    "email.client_base_url",
                    "is for links in notifications, and enable_notifs is false",
                    "enable_notifs: true, or leave client_base_url out",
                )]
            }
            _ => Vec::new(),
        },
    },
    Rule {
        code: "S0507",
        severity: Error,
        reason: "Synapse puts `/#/room/` and a room behind the address for links in mails (push/mailer.py), which after a query or a fragment leads nowhere.",
        options: &["email.client_base_url"],
        // Without notifications it is of no use however it is written: S0506 says so.
        violations: |loaded| match section(loaded).filter(|email| email.enable_notifs).and_then(|email| email.client_base_url.as_ref()) {
            Some(url) if url.as_str().contains(['#', '?']) => {
                let base = url.as_str().split(['#', '?']).next().unwrap_or_default();
                vec![Violation::at("email.client_base_url", format!("is {url}, which has a query or a fragment"), format!("client_base_url: {base}"))]
            }
            _ => Vec::new(),
        },
    },
    Rule {
        code: "S0508",
        severity: Warning,
        reason: "Who is to renew an account is told by mail, and without a mail server nobody is: the account ends all the same (handlers/account_validity.py).",
        options: &["synapse.settings.account_validity", "email"],
        violations: |loaded| {
            let Some(validity) = loaded.site.synapse.settings.get("account_validity") else { return Vec::new() };
            if loaded.site.email.is_some() || validity["enabled"] != true || validity["renew_at"].is_null() {
                return Vec::new();
            }
            vec![Violation::at(
                "synapse.settings.account_validity.renew_at",
                "is set, and the server cannot send mail",
                "describe the mail server in the section email (smtp_host, notif_from, …), or remove renew_at",
            )]
        },
    },
];
