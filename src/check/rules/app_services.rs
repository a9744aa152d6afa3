//! S055x: application services, of which the description names the registration files. Synapse 1.163, config/appservice.py.

use super::{Rule, Violation};
use crate::check::Severity::Error;
use crate::site::app_service::of_site as registrations;
use crate::site::app_service::{self, Registration};
use crate::site::load::Loaded;
use crate::site::reveal::without_secrets;
use crate::site::schema::OptionPath;

/// Those that can be read, with their places in the list.
fn sound(loaded: &Loaded) -> Vec<(usize, Registration)> {
    registrations(loaded).into_iter().enumerate().filter_map(|(at, read)| Some((at, read.ok()?))).collect()
}

/// What a registration holds may be a secret as well as what the description does.
fn at(place: usize, message: String, remedy: impl Into<String>) -> Violation {
    let said = |text: &str| without_secrets(text).into_owned();
    Violation { option: OptionPath::dotted("app_services").index(place), message: said(&message), remedy: said(&remedy.into()) }
}

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "S0551",
        severity: Error,
        reason: "Every process of Synapse reads every registration when it starts, and ends with one that it cannot read (config/appservice.py); a token in it could be read by whoever has the image.",
        options: &["app_services"],
        violations: |loaded| {
            registrations(loaded)
                .into_iter()
                .enumerate()
                .flat_map(|(place, read)| {
                    let file = loaded.site.app_services[place].to_string();
                    read.err().unwrap_or_default().into_iter().map(move |(message, remedy)| at(place, format!("{file} {message}"), remedy))
                })
                .collect()
        },
    },
    Rule {
        code: "S0552",
        severity: Error,
        reason: "An application service is known by its id and by its token; Synapse ends when two have the same.",
        options: &["app_services"],
        violations: |loaded| {
            let all = sound(loaded);
            let mut violations = Vec::new();
            for (index, (place, service)) in all.iter().enumerate() {
                let earlier = || all[..index].iter().map(|(_, earlier)| earlier);
                if earlier().any(|earlier| earlier.id == service.id) {
                    violations.push(at(*place, format!("has the id {:?} of an earlier service", service.id), "give each service an id of its own"));
                } else if let Some(first) = earlier().find(|earlier| earlier.tokens[0].secret == service.tokens[0].secret) {
                    violations.push(at(
                        *place,
                        format!("has the as_token of {}: the secret {}", first.id, first.tokens[0].secret),
                        "give each service a secret of its own",
                    ));
                }
            }
            violations
        },
    },
    Rule {
        code: "S0553",
        severity: Error,
        reason: "Synapse runs in a container, and its localhost is that container, where no application service is.",
        options: &["app_services"],
        violations: |loaded| {
            sound(loaded)
                .into_iter()
                .filter_map(|(place, service)| {
                    let url = service.url?;
                    let authority = url.split_once("://")?.1.split(['/', '?', '#']).next()?.to_owned();
                    let host =
                        authority.rsplit_once(':').map_or(authority.as_str(), |(host, port)| if port.ends_with(']') { authority.as_str() } else { host });
                    super::mail::is_local(host).then(|| {
                        at(
                            place,
                            format!("has the url {url}, which inside a container is the container"),
                            "url: http://bridge.example.com:9993, the name that other machines know the service by",
                        )
                    })
                })
                .collect()
        },
    },
    Rule {
        code: "S0554",
        severity: Error,
        reason: "An exclusive namespace belongs to its service alone: nobody else can register, and administrators are not made, under a name in it.",
        options: &["app_services", "administrators", "server_notices.system_mxid_localpart", "draupnir.localpart"],
        violations: |loaded| {
            let site = &loaded.site;
            let notices = site.server_notices.as_ref().map(|notices| (&notices.system_mxid_localpart, "the account of the notices"));
            let people: Vec<_> = site.named_accounts().into_iter().chain(notices).collect();
            let mut violations = Vec::new();
            for (place, service) in sound(loaded) {
                for expression in &service.exclusive_users {
                    let server = &site.server.server_name;
                    let taken = people.iter().filter(|(name, _)| app_service::matches(expression, name.as_str(), server));
                    let taken: Vec<String> = taken.map(|(name, who)| format!("{who}, {name}")).collect();
                    if !taken.is_empty() {
                        violations.push(at(
                            place,
                            format!("has the exclusive namespace {expression}, and in it {}", taken.join("; ")),
                            "narrow the expression to the service's own users, or write exclusive: false",
                        ));
                    }
                }
            }
            violations
        },
    },
];
