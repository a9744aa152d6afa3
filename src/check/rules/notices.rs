//! S051x to S053x: the policy that people agree to, and messages from the server.

use sha2::{Digest as _, Sha256};

use super::{Rule, Violation};
use crate::check::Severity::{Error, Warning};
use crate::component::synapse::consent::{Form, form, html, text};
use crate::component::synapse::notices::MARKS;
use crate::component::synapse::percent;
use crate::site::app_service;
use crate::site::authentication::Method;
use crate::site::consent::{Consent, Document};
use crate::site::load::Loaded;
use crate::site::schema::OptionPath;
use crate::site::text::PolicyVersion;

fn consent(loaded: &Loaded) -> Option<&Consent> {
    loaded.site.consent.as_ref()
}

fn place(version: &PolicyVersion, member: &str) -> OptionPath {
    OptionPath::dotted("consent.documents").key(version.as_str()).key(member)
}

/// Each version's document, with its bytes.
fn documents(loaded: &Loaded) -> impl Iterator<Item = (&PolicyVersion, &Document, &[u8])> {
    consent(loaded)
        .into_iter()
        .flat_map(|consent| &consent.documents)
        .map(|(version, document)| (version, document, loaded.files.get(document.file.as_str()).map(Vec::as_slice).unwrap_or_default()))
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The texts with the link, by option.
fn texts(loaded: &Loaded) -> Vec<(&'static str, &str)> {
    let Some(consent) = consent(loaded) else { return Vec::new() };
    let notice = consent.server_notice_content.as_ref().map(|notice| ("consent.server_notice_content.body", notice.body.as_str()));
    let error = consent.block_events_error.as_ref().map(|text| ("consent.block_events_error", text.as_str()));
    notice.into_iter().chain(error).collect()
}

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "S0511",
        severity: Error,
        reason: "People are sent to the page of the version in force; without its document they find \"Unknown policy version\" there (rest/consent/consent_resource.py).",
        options: &["consent.version", "consent.documents"],
        violations: |loaded| match consent(loaded) {
            Some(consent) if !consent.documents.contains_key(&consent.version) => {
                let there: Vec<&str> = consent.documents.keys().map(PolicyVersion::as_str).collect();
                vec![Violation::at(
                    "consent.version",
                    format!("is {:?}, and the documents are {there:?}", consent.version.as_str()),
                    format!("documents: {{ \"{0}\": {{ file: policy/{0}.md }} }}", consent.version),
                )]
            }
            _ => Vec::new(),
        },
    },
    Rule {
        code: "S0512",
        severity: Error,
        reason: "A policy is read as Markdown or HTML, and has to say something.",
        options: &["consent.documents"],
        violations: |loaded| {
            let problem = |document: &Document, bytes: &[u8]| match (form(document.file.as_str()), std::str::from_utf8(bytes)) {
                (None, _) => {
                    Some((format!("names {}, which is neither .md nor .html", document.file), "name the file by what is in it: policy.md or policy.html"))
                }
                (_, Err(_)) => Some((format!("names {}, which is not UTF-8", document.file), "save the file as UTF-8")),
                (_, Ok(text)) if text.trim().is_empty() => Some((format!("names {}, which is empty", document.file), "write the policy into it")),
                _ => None,
            };
            documents(loaded)
                .filter_map(|(version, document, bytes)| {
                    let (message, remedy) = problem(document, bytes)?;
                    Some(Violation { option: place(version, "file"), message, remedy: remedy.to_owned() })
                })
                .collect()
        },
    },
    Rule {
        code: "S0513",
        severity: Error,
        reason: "The page is served beside Synapse's own, and asks for an agreement: what runs a script, fetches something, is another form or a mark of a template has no place on it.",
        options: &["consent.documents"],
        violations: |loaded| {
            documents(loaded)
                .filter_map(|(version, document, bytes)| Some((version, document, form(document.file.as_str())?, std::str::from_utf8(bytes).ok()?)))
                .flat_map(|(version, document, form, source)| {
                    let strangers = html::strangers(&text(form, source)).into_iter();
                    let strangers = strangers.map(|what| (what, "leave it out; the form is added by itself, and a picture can be a data: address"));
                    // In Markdown, which nobody writes templates in, such marks are there to be read.
                    let mark = (form == Form::Html).then(|| html::mark(source)).flatten();
                    let mark = mark.map(|mark| {
                        (format!("has {mark}, which people would read as it is"), "leave the marks of a template out; the form is added by itself")
                    });
                    strangers.chain(mark).map(move |(what, remedy)| Violation {
                        option: place(version, "file"),
                        message: format!("{} {what}", document.file),
                        remedy: remedy.to_owned(),
                    })
                })
                .collect()
        },
    },
    Rule {
        code: "S0514",
        severity: Error,
        reason: "People agreed to the text as it was; an edited one has to be a new version, or the record of who agreed to what is wrong.",
        options: &["consent.documents"],
        violations: |loaded| {
            documents(loaded)
                .filter_map(|(version, document, bytes)| {
                    let (written, found) = (document.sha256.as_ref()?, hash(bytes));
                    (written.as_str() != found).then(|| Violation {
                        option: place(version, "sha256"),
                        message: format!("is not the hash of {}, which is {found}: the text was edited", document.file),
                        remedy: "put the earlier text back, and give the edited one a version of its own".to_owned(),
                    })
                })
                .collect()
        },
    },
    Rule {
        code: "S0515",
        severity: Warning,
        reason: "A version that is not in force can only be kept from being edited by its hash.",
        options: &["consent.documents"],
        violations: |loaded| {
            // Which ones are others is not known while the current one is not there.
            let current = consent(loaded).map(|consent| &consent.version).filter(|version| documents(loaded).any(|(there, ..)| there == *version));
            if current.is_none() {
                return Vec::new();
            }
            documents(loaded)
                .filter(|(version, document, bytes)| Some(*version) != current && document.sha256.is_none() && !bytes.is_empty())
                .map(|(version, document, bytes)| Violation {
                    option: place(version, "file"),
                    message: format!("is {}, another version without a recorded hash", document.file),
                    remedy: format!("sha256: {}", hash(bytes)),
                })
                .collect()
        },
    },
    Rule {
        code: "S0516",
        severity: Error,
        reason: "Two versions with one file are one text: whichever of them people agreed to, its words are gone.",
        options: &["consent.documents"],
        violations: |loaded| {
            let all: Vec<_> = documents(loaded).collect();
            all.iter()
                .enumerate()
                .filter_map(|(at, (version, document, _))| {
                    let (first, ..) = all[..at].iter().find(|(_, earlier, _)| earlier.file == document.file)?;
                    Some(Violation {
                        option: place(version, "file"),
                        message: format!("is {}, which version {first} has already", document.file),
                        remedy: format!("file: policy/{version}.md, with the text of this version"),
                    })
                })
                .collect()
        },
    },
    Rule {
        code: "S0521",
        severity: Error,
        reason: "A notice needs an account that it comes from; without one Synapse stops when it starts (server_notices/consent_server_notices.py).",
        options: &["consent.server_notice_content", "server_notices"],
        violations: |loaded| match consent(loaded) {
            Some(consent) if consent.server_notice_content.is_some() && loaded.site.server_notices.is_none() => vec![Violation::at(
                "consent.server_notice_content",
                "is there, and there is no section server_notices",
                "server_notices: { system_mxid_localpart: notices }",
            )],
            _ => Vec::new(),
        },
    },
    Rule {
        code: "S0522",
        severity: Error,
        reason: "Synapse fills these texts in with Python's % operator, for which an unknown mark is an exception: no notice, and an internal error for whoever writes.",
        options: &["consent.server_notice_content.body", "consent.block_events_error"],
        violations: |loaded| {
            texts(loaded)
                .into_iter()
                .flat_map(|(option, text)| {
                    percent::strangers(text, MARKS).into_iter().map(move |stranger| {
                        Violation::at(option, format!("has {stranger}"), "write %(consent_uri)s for the link; a percent sign is written once")
                    })
                })
                .collect()
        },
    },
    Rule {
        code: "S0523",
        severity: Error,
        reason: "The link is different for each person; a notice without it leaves people without a way to agree. (What `block_events_error` answers has the link beside the text.)",
        options: &["consent.server_notice_content.body"],
        violations: |loaded| {
            let notice = consent(loaded).and_then(|consent| consent.server_notice_content.as_ref());
            notice
                .filter(|notice| !notice.body.as_str().contains("%(consent_uri)s"))
                .map(|_| {
                    Violation::at("consent.server_notice_content.body", "does not hold the link", "Please read our policy and agree to it: %(consent_uri)s")
                })
                .into_iter()
                .collect()
        },
    },
    Rule {
        code: "S0524",
        severity: Warning,
        reason: "A policy that nobody is asked to agree to is only a page; Synapse asks at registration, by a notice, or when somebody writes.",
        options: &[
            "consent",
            "consent.require_at_registration",
            "consent.server_notice_content",
            "consent.block_events_error",
            "registration.enable_registration",
            "oidc.oidc_providers",
        ],
        violations: |loaded| {
            let Some(consent) = consent(loaded) else { return Vec::new() };
            let site = &loaded.site;
            let asked = consent.server_notice_content.is_some() || consent.block_events_error.is_some();
            // Whoever comes from elsewhere for the first time registers, too (handlers/sso.py).
            let elsewhere = ["cas_config", "saml2_config", "modules"].iter().any(|name| site.synapse.settings.contains_key(*name));
            let elsewhere = elsewhere || !site.oidc.oidc_providers.is_empty() || site.matrix_authentication_service.is_some();
            let directory = site.authentication.method == Method::Ldap;
            if asked || consent.require_at_registration && (elsewhere || site.registration.enable_registration && !directory) {
                return Vec::new();
            }
            let why = match (consent.require_at_registration, directory) {
                (true, true) => "asks at registration only, and people of a directory do not register",
                (true, false) => "asks at registration only, and nobody can register",
                (false, _) => "is there, and nobody is asked to agree",
            };
            let remedy = "block_events_error: \"Please agree to our policy first: %(consent_uri)s\"";
            vec![Violation::at(if consent.require_at_registration { "consent.require_at_registration" } else { "consent" }, why, remedy)]
        },
    },
    Rule {
        code: "S0531",
        severity: Error,
        reason: "The account of the notices belongs to the server: whoever has it too writes in the server's name, and people could answer him.",
        options: &["server_notices.system_mxid_localpart", "administrators", "app_services", "draupnir.localpart"],
        violations: |loaded| {
            let Some(notices) = &loaded.site.server_notices else { return Vec::new() };
            let name = &notices.system_mxid_localpart;
            let people = loaded.site.named_accounts();
            let services: Vec<_> = app_service::of_site(loaded).into_iter().flatten().collect();
            let person = people.iter().find(|(person, _)| *person == name).map(|(_, who)| format!("{who}'s"));
            let service = services.iter().find(|service| service.sender_localpart == name.as_str());
            let Some(whose) = person.or(service.map(|service| format!("the application service {}'s", service.id))) else { return Vec::new() };
            let taken = |free: &str| {
                people.iter().any(|(person, _)| person.as_str() == free)
                    || services.iter().any(|service| service.sender_localpart == free || service.claims(free, &loaded.site.server.server_name))
            };
            let free = ["notices", "server-notices"].map(str::to_owned).into_iter().chain((2..).map(|number| format!("notices{number}")));
            // The list has no end, and no more than a few of it are somebody's; a service may have all names for itself, which S0554 says.
            let free = free.take(100).find(|free| !taken(free)).unwrap_or_else(|| "notices".to_owned());
            vec![Violation::at(
                "server_notices.system_mxid_localpart",
                format!("is {name:?}, which is {whose}", name = name.as_str()),
                format!("system_mxid_localpart: {free}"),
            )]
        },
    },
];
