//! S02xx: the services behind Synapse: PostgreSQL, Redis, TURN, media.

use super::mail::is_local;
use super::policy::egress::is_never_reached;
use super::{Rule, Violation};
use crate::check::Severity::{Error, Warning};
use crate::site::database::{Database, Source};
use crate::site::redis::Redis;
use crate::site::reveal;
use crate::site::rtc::{Relay, RtcSource};
use crate::site::schema::{self, OptionPath};
use crate::site::text;
use crate::site::turn::TurnSource;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "S0201",
        severity: Error,
        options: &["database.source", "database.host", "database.port"],
        reason: "An external PostgreSQL has to be found, a bundled one is found by itself.",
        violations: |loaded| {
            let database = &loaded.site.database;
            match (database.source, &database.host) {
                (Source::External, None) => {
                    vec![Violation::at(
                        "database.source",
                        "is \"external\", and database.host is missing",
                        "database.host: db.example.com, or the directory of its Unix socket such as /var/run/postgresql",
                    )]
                }
                (Source::External, Some(_)) => Vec::new(),
                (Source::Bundled, host) => {
                    let port = database.port != Database::default().port;
                    too_much("database", "PostgreSQL", &[("host", host.is_some()), ("port", port)])
                }
            }
        },
    },
    Rule {
        code: "S0202",
        severity: Error,
        options: &["database.sslmode", "database.source", "database.host"],
        reason: "A Unix socket has no TLS, and the bundled PostgreSQL is reachable only inside the site's own network.",
        violations: |loaded| {
            let database = &loaded.site.database;
            // A host that is missing, or too much, is S0201's.
            let tcp = database.host.as_ref().map_or(database.source == Source::External, |host| !host.as_str().starts_with('/'));
            if database.sslmode.is_none() || tcp {
                return Vec::new();
            }
            vec![Violation::at("database.sslmode", "has a meaning only for an external PostgreSQL over TCP", "remove database.sslmode")]
        },
    },
    Rule {
        code: "S0203",
        severity: Warning,
        options: &["database.cp_min", "database.cp_max"],
        reason: "A pool is never larger at rest than at work: of a larger cp_min Twisted makes cp_max without a word (twisted/enterprise/adbapi.py).",
        violations: |loaded| {
            let database = &loaded.site.database;
            if database.cp_min <= database.cp_max {
                return Vec::new();
            }
            vec![Violation::at(
                "database.cp_min",
                format!("is {}, more than cp_max ({})", database.cp_min, database.cp_max),
                format!("database.cp_min: {}", database.cp_max),
            )]
        },
    },
    Rule {
        code: "S0204",
        severity: Error,
        options: &["redis.source", "redis.host", "redis.port", "redis.password", "redis.dbid"],
        reason: "An external Redis has to be found, a bundled one is found by itself.",
        violations: |loaded| {
            let redis = &loaded.site.redis;
            match (redis.source, &redis.host) {
                (Source::External, None) => {
                    vec![Violation::at("redis.source", "is \"external\", and redis.host is missing", "redis: { source: external, host: redis.example.com }")]
                }
                (Source::External, Some(_)) => Vec::new(),
                (Source::Bundled, host) => {
                    let usual = Redis::default();
                    let (port, password, dbid) = (redis.port != usual.port, redis.password != usual.password, redis.dbid != usual.dbid);
                    too_much("redis", "Redis", &[("host", host.is_some()), ("port", port), ("password", password), ("dbid", dbid)])
                }
            }
        },
    },
    Rule {
        code: "S0205",
        severity: Error,
        options: &["turn.source", "turn.host", "turn.external_ip"],
        reason: "Clients need the relay's name, and the relay has to hand out an address that the world reaches (coturn, external-ip).",
        violations: |loaded| {
            let turn = &loaded.site.turn;
            if turn.source != TurnSource::Bundled {
                return Vec::new();
            }
            let mut violations = Vec::new();
            if turn.host.is_none() {
                violations.push(Violation::at("turn.host", "is missing although the relay is bundled", "turn.host: turn.example.com, a name of this target"));
            }
            if turn.external_ip.is_none() {
                violations.push(Violation::at(
                    "turn.external_ip",
                    "is missing although the relay is bundled: clients would be told the container's private address",
                    "turn.external_ip: 203.0.113.10, the public address of this target",
                ));
            }
            violations
        },
    },
    Rule {
        code: "S0206",
        severity: Error,
        options: &["turn.source", "turn.turn_uris"],
        reason: "Synapse hands out the addresses it is given; without any, an external relay is not used.",
        violations: |loaded| {
            let turn = &loaded.site.turn;
            match turn.source {
                TurnSource::External if turn.turn_uris.is_empty() => vec![Violation::at(
                    "turn.turn_uris",
                    "is missing although the relay is external",
                    "turn_uris: [\"turn:turn.example.com?transport=udp\"], the relay's addresses",
                )],
                TurnSource::None | TurnSource::Bundled if !turn.turn_uris.is_empty() => {
                    vec![Violation::at("turn.turn_uris", "is set, but the relay is not external", "turn.source: external, or remove turn.turn_uris")]
                }
                _ => Vec::new(),
            }
        },
    },
    Rule {
        code: "S0207",
        severity: Error,
        options: &["turn.min_port", "turn.max_port", "turn.port", "turn.tls", "turn.tls_port"],
        reason: "A range goes from its smaller to its larger end, the relay's own port cannot lie in it, and TLS has a port of its own (coturn, min-port, max-port and tls-listening-port).",
        violations: |loaded| {
            let turn = &loaded.site.turn;
            if turn.source != TurnSource::Bundled {
                return Vec::new();
            }
            if turn.min_port > turn.max_port {
                return vec![Violation::at("turn.min_port", format!("is {}, more than max_port ({})", turn.min_port, turn.max_port), "exchange the two")];
            }
            if turn.tls && turn.port == turn.tls_port {
                let message = format!("is {}, which is the port without TLS, too", turn.tls_port);
                return vec![Violation::at("turn.tls_port", message, "give each its own port: turn: { port: 3478, tls_port: 5349 }")];
            }
            if (turn.min_port..=turn.max_port).contains(&turn.port) {
                return vec![Violation::at(
                    "turn.port",
                    format!("{} lies in the range of the relay ({} to {})", turn.port, turn.min_port, turn.max_port),
                    "use 3478, or another range",
                )];
            }
            Vec::new()
        },
    },
    Rule {
        code: "S0208",
        severity: Warning,
        options: &["turn.min_port", "turn.max_port", "rtc.relay", "rtc.relay_min_port", "rtc.relay_max_port"],
        reason: "Each published port is a process and a firewall rule of the container engine; thousands take minutes to start.",
        violations: |loaded| {
            let (turn, rtc) = (&loaded.site.turn, &loaded.site.rtc);
            let livekit = rtc.source == RtcSource::Bundled && rtc.relay == Relay::Livekit;
            [
                (turn.source == TurnSource::Bundled, "turn.max_port", turn.min_port, turn.max_port, "a range of 100 ports is enough for 25 calls at once"),
                (livekit, "rtc.relay_max_port", rtc.relay_min_port, rtc.relay_max_port, "20 ports are enough for the few who need a relay"),
            ]
            .into_iter()
            .map(|(published, option, first, last, remedy)| (published, option, u32::from(last).saturating_sub(u32::from(first)) + 1, remedy))
            .filter(|(published, _, ports, _)| *published && *ports > 500)
            .map(|(_, option, ports, remedy)| Violation::at(option, format!("makes a range of {ports} ports, each of which is published by itself"), remedy))
            .collect()
        },
    },
    Rule {
        code: "S0209",
        severity: Error,
        options: &["media.url_preview_ip_range_whitelist"],
        reason: "A preview fetches what a user names: through loopback and link-local addresses it reaches the service itself and a cloud's credentials (Synapse documentation, url_preview_ip_range_blacklist).",
        violations: |loaded| {
            let whitelist = loaded.site.media.url_preview_ip_range_whitelist.iter().enumerate();
            whitelist
                .filter(|(_, network)| is_never_reached(network))
                .map(|(at, network)| {
                    Violation::at(
                        &format!("media.url_preview_ip_range_whitelist.{at}"),
                        format!("is {network}, which opens loopback or link-local addresses to whoever writes a message"),
                        "name the one address or network that previews are needed from, such as \"192.168.10.5/32\"",
                    )
                })
                .collect()
        },
    },
    Rule {
        code: "S0210",
        severity: Error,
        options: &["database.user", "database.dbname"],
        reason: "Some names belong to PostgreSQL itself, it cuts off what goes beyond 63 bytes, and takes a name that begins with a slash for a pattern in its list of who may log in (its documentation, CREATE ROLE, Predefined Roles, Template Databases, \"Identifiers and Key Words\" and \"The pg_hba.conf File\").",
        violations: |loaded| {
            let database = &loaded.site.database;
            let bundled = database.source == Source::Bundled;
            // Of databases only these are kept; a role may not begin so, either.
            let of_roles = |name: &str| ["postgres", "public", "none"].contains(&name) || name.starts_with("pg_");
            let of_databases = |name: &str| ["postgres", "template0", "template1"].contains(&name);
            let names = [
                ("database.user", &database.user, of_roles(database.user.as_str())),
                ("database.dbname", &database.dbname, of_databases(database.dbname.as_str())),
            ];
            names
                .into_iter()
                .filter_map(|(option, name, is_kept)| {
                    let name = name.as_str();
                    let why = match name {
                        _ if name.len() > 63 => format!("has {} bytes, and PostgreSQL cuts off all after the 63rd", name.len()),
                        _ if bundled && name.starts_with('/') => format!("is {name:?}, which begins with a slash and so is a pattern to PostgreSQL"),
                        _ if bundled && is_kept => format!("is {name:?}, a name that PostgreSQL keeps for itself"),
                        _ => return None,
                    };
                    Some(Violation::at(option, why, "use a name such as \"synapse\""))
                })
                .collect()
        },
    },
    Rule {
        code: "S0211",
        severity: Error,
        options: &["database.source", "database.host"],
        reason: "libpq takes a host that begins with a slash for the directory of a socket, and everything else for a name; commas part several (its documentation, host).",
        violations: |loaded| {
            let database = &loaded.site.database;
            let Some(host) = database.host.as_ref().filter(|_| database.source == Source::External) else { return Vec::new() };
            let host = host.as_str();
            let good = match host.strip_prefix('/') {
                Some(rest) => !rest.contains([':', ',']) && rest.split('/').all(|part| part != ".."),
                // DNS knows no underscore, but /etc/hosts and the names of containers do.
                None => database.hosts().iter().all(|name| text::check_format("host-name", &name.replace('_', "x")).is_ok()),
            };
            if good {
                return Vec::new();
            }
            vec![Violation::at(
                "database.host",
                format!("is {}, neither a host name nor a directory", reveal::value(&OptionPath::dotted("database.host"), &host.into())),
                meant_host(host).unwrap_or_else(|| "write a name such as \"db.example.com\", several such as \"pg1.example.com,pg2.example.com\", or a directory such as \"/var/run/postgresql\"; database.port is the port of all".to_owned()),
            )]
        },
    },
    Rule {
        code: "S0212",
        severity: Warning,
        options: &["database.source", "database.cp_max", "workers.generic", "workers.federation_senders"],
        reason: "Every process of Synapse opens connections of its own; a PostgreSQL that is not configured for them takes 100 and keeps three for its administrators (its documentation, max_connections and superuser_reserved_connections).",
        violations: |loaded| {
            let site = &loaded.site;
            let processes = 1 + u32::from(site.workers.generic) + u32::from(site.workers.federation_senders);
            let wanted = processes * u32::from(site.database.cp_max);
            if site.database.source == Source::Bundled || wanted <= 97 {
                return Vec::new();
            }
            let most = (97 / processes).max(1);
            let fewer = if u32::from(site.database.cp_min) > most {
                format!("database: {{ cp_min: {most}, cp_max: {most} }}")
            } else {
                format!("database.cp_max: {most}")
            };
            vec![Violation::at(
                "database.cp_max",
                format!("is {} for each of {processes} processes, {wanted} together; PostgreSQL's default takes 97", site.database.cp_max),
                format!("{fewer}; or accept this where max_connections of that server is above {}", wanted + 3),
            )]
        },
    },
    Rule {
        code: "S0213",
        severity: Error,
        options: &[
            "database.source",
            "database.host",
            "redis.source",
            "redis.host",
            "ldap.uri",
            "ldap.further_uris",
            "matrix_authentication_service.endpoint",
            "oidc.oidc_providers.issuer",
            "oidc.oidc_providers.token_endpoint",
            "oidc.oidc_providers.jwks_uri",
            "oidc.oidc_providers.userinfo_endpoint",
        ],
        reason: "Synapse runs in a container, and its localhost is that container, where none of these is.",
        violations: |loaded| {
            let site = &loaded.site;
            // Of a bundled one, whose host goes away, S0201 and S0204 say so.
            let hosts = Some(site.database.hosts()).filter(|_| site.database.source == Source::External);
            let database = hosts.into_iter().flatten().map(|host| {
                ("database.host".to_owned(), host, "host: /var/run/postgresql, where its socket is on the target; or the name that other machines know it by")
            });
            let redis = site
                .redis
                .host
                .as_ref()
                .filter(|_| site.redis.source == Source::External)
                .map(|host| ("redis.host".to_owned(), host.as_str(), "host: redis.example.com, the name that other machines know it by"));
            let directory = site.ldap.iter().flat_map(crate::site::ldap::Ldap::uris);
            let directory = directory.map(|(option, uri)| (option, uri.host(), "ldap://ldap.example.com, the name that other machines know it by"));
            let delegated = site.matrix_authentication_service.as_ref().map(|service| {
                let remedy = "endpoint: http://mas.example.com:8080/, the name that other machines know it by";
                ("matrix_authentication_service.endpoint".to_owned(), service.endpoint.host(), remedy)
            });
            let providers = site.oidc.oidc_providers.iter().enumerate().flat_map(|(at, provider)| {
                let asked = super::oidc::asked(provider).into_iter();
                asked.map(move |(name, address)| (super::oidc::path(at, name), address.host(), "write the https:// address that other machines know it by"))
            });
            database
                .chain(redis)
                .chain(directory)
                .chain(delegated)
                .chain(providers)
                .filter(|(_, host, _)| is_local(host))
                .map(|(option, host, remedy)| Violation::at(&option, format!("is {host}, which inside a container is the container"), remedy))
                .collect()
        },
    },
    Rule {
        code: "S0214",
        severity: Warning,
        options: OF_BUNDLED,
        reason: "What a bundled service does is said here; without one, or with somebody else's, these options have no effect.",
        violations: |loaded| {
            let (site, said) = (&loaded.site, serde_json::to_value(&loaded.site).unwrap_or_default());
            let is_used = |option: &str| option == "turn.external_ip" && site.rtc.source == RtcSource::Bundled && site.rtc.external_ip.is_none();
            let without_effect = |option: &&str| {
                let (section, name) = option.split_once('.').unwrap_or_default();
                let value = &said[section][name];
                let is_default = value.is_null() || schema::at(option).is_some_and(|schema| schema.get("default") == Some(value));
                name != "source" && said[section]["source"] != "bundled" && !is_default && !is_used(option)
            };
            let options = OF_BUNDLED.iter().copied().filter(without_effect);
            options
                .map(|option| {
                    let section = option.split('.').next().unwrap_or_default();
                    let message = format!("has no effect, since {section}.source is {}", said[section]["source"]);
                    Violation::at(option, message, format!("{section}.source: bundled, or remove {option}"))
                })
                .collect()
        },
    },
];

/// Options that only a bundled service reads, and the options that say whether it is one. Those that another rule refuses without one are not
/// among them (S0222, S0573).
const OF_BUNDLED: &[&str] = &[
    "database.source",
    "database.shared_buffers",
    "turn.source",
    "turn.host",
    "turn.external_ip",
    "turn.port",
    "turn.tls_port",
    "turn.min_port",
    "turn.max_port",
    "rtc.source",
    "rtc.livekit_image",
    "rtc.authorisation_image",
    "rtc.host",
    "rtc.external_ip",
    "rtc.udp_port",
    "rtc.tcp_port",
    "rtc.relay",
    "rtc.stun_servers",
    "rtc.full_access_homeservers",
];

/// What to write in place of one host with a port or a user, which have their own options.
fn meant_host(host: &str) -> Option<String> {
    let name = text::meant("host-name", host).filter(|_| !host.starts_with('/') && !host.contains(','))?;
    Some(match text::port(host) {
        Some(port) => format!("write {name:?} and port: {port}"),
        None => format!("write {name:?}"),
    })
}

/// What is said of a bundled service that only an external one has.
fn too_much(section: &str, service: &str, options: &[(&str, bool)]) -> Vec<Violation> {
    let said = options.iter().filter(|(_, said)| *said).map(|(name, _)| format!("{section}.{name}"));
    said.map(|option| Violation::at(&option, format!("is set, but {service} is bundled"), format!("{section}.source: external, or remove {option}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documentation of an option says that only a bundled service, or an external one, reads it.
    #[test]
    fn every_option_of_one_source_is_looked_at() {
        let sections = schema::root()["properties"].as_object().expect("sections");
        let options = sections.iter().flat_map(|(section, schema)| {
            let options = schema["properties"].as_object().into_iter().flatten();
            options.map(move |(name, schema)| (format!("{section}.{name}"), schema["description"].as_str().unwrap_or_default()))
        });
        let of_source: Vec<String> =
            options.filter(|(_, told)| told.starts_with("Bundled only") || told.starts_with("External only")).map(|(option, _)| option).collect();
        assert!(of_source.len() > 20, "{of_source:?}");
        let rules = ["S0201", "S0204", "S0206", "S0214", "S0222", "S0251", "S0573"];
        let looked_at: Vec<&str> = super::super::all().filter(|rule| rules.contains(&rule.code)).flat_map(|rule| rule.options).copied().collect();
        let missed: Vec<&String> = of_source.iter().filter(|option| !looked_at.contains(&option.as_str())).collect();
        assert!(missed.is_empty(), "{missed:?}");
    }
}
