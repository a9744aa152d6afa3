//! S032x: what is limited, remembered and shown to others.

use crate::check::Severity::{Error, Warning};
use crate::check::rules::{Rule, Violation};
use crate::site::rooms::Preset;
use crate::site::text::Duration;

pub(in crate::check::rules) const RULES: &[Rule] = &[
    Rule {
        code: "S0320",
        severity: Warning,
        options: &["limits.allowed_avatar_mimetypes"],
        reason: "Current clients upload avatars as image/webp, too; whoever has such a client cannot set one.",
        violations: |loaded| match &loaded.site.limits.allowed_avatar_mimetypes {
            Some(allowed) if !allowed.iter().any(|kind| kind.as_str() == "image/webp") => {
                vec![Violation::at("limits.allowed_avatar_mimetypes", "lacks image/webp", "add \"image/webp\" to the list")]
            }
            _ => Vec::new(),
        },
    },
    Rule {
        code: "S0321",
        severity: Error,
        options: &["limits.limit_usage_by_mau", "limits.max_mau_value"],
        reason: "A limit of nobody lets nobody in (api/auth_blocking.py).",
        violations: |loaded| {
            let limits = &loaded.site.limits;
            if !limits.limit_usage_by_mau || limits.max_mau_value > 0 {
                return Vec::new();
            }
            vec![Violation::at("limits.limit_usage_by_mau", "is true, and max_mau_value is 0: nobody could use the server", "limits.max_mau_value: 100")]
        },
    },
    Rule {
        code: "S0322",
        severity: Warning,
        options: &["limits.limit_usage_by_mau", "limits.max_mau_value", "limits.mau_limit_reserved_threepids"],
        reason: "Synapse reads the number only where there is a limit (config/server.py): a setting with no effect is taken for one with an effect.",
        violations: |loaded| {
            let limits = &loaded.site.limits;
            [("max_mau_value", limits.max_mau_value > 0), ("mau_limit_reserved_threepids", !limits.mau_limit_reserved_threepids.is_empty())]
                .into_iter()
                .filter(|(_, set)| *set && !limits.limit_usage_by_mau)
                .map(|(name, _)| Violation::at(&format!("limits.{name}"), "is set, but nothing is limited", "limits.limit_usage_by_mau: true"))
                .collect()
        },
    },
    Rule {
        code: "S0323",
        severity: Warning,
        options: &["limits.hs_disabled"],
        reason: "A server that refuses everybody looks like a broken one to its administrator, whom it does not refuse.",
        violations: |loaded| {
            if !loaded.site.limits.hs_disabled {
                return Vec::new();
            }
            vec![Violation::at("limits.hs_disabled", "is true: the server refuses everybody", "limits.hs_disabled: false")]
        },
    },
    Rule {
        code: "S0324",
        severity: Error,
        options: &["rooms.autocreate_auto_join_room_preset", "rooms.auto_join_mxid_localpart", "rooms.autocreate_auto_join_rooms"],
        reason: "A room that needs an invitation needs somebody who invites; Synapse does not start (config/registration.py).",
        violations: |loaded| {
            let rooms = &loaded.site.rooms;
            if !rooms.autocreate_auto_join_rooms || rooms.autocreate_auto_join_room_preset == Preset::PublicChat || rooms.auto_join_mxid_localpart.is_some() {
                return Vec::new();
            }
            vec![Violation::at(
                "rooms.autocreate_auto_join_room_preset",
                "makes rooms that need an invitation, and rooms.auto_join_mxid_localpart is missing",
                "rooms.auto_join_mxid_localpart: system",
            )]
        },
    },
    Rule {
        code: "S0325",
        severity: Error,
        options: &["presence.idle_timeout", "presence.last_active_granularity", "presence.sync_online_timeout"],
        reason: "Somebody is active first and idle later, and no time is nothing; Synapse does not start (config/server.py).",
        violations: |loaded| {
            let presence = &loaded.site.presence;
            let mut violations = Vec::new();
            for (name, time, example) in
                [("last_active_granularity", &presence.last_active_granularity, "1m"), ("sync_online_timeout", &presence.sync_online_timeout, "30s")]
            {
                if time.milliseconds() == 0 {
                    violations.push(Violation::at(&format!("presence.{name}"), "is no time at all", format!("presence.{name}: {example}")));
                }
            }
            if presence.idle_timeout.milliseconds() <= presence.last_active_granularity.milliseconds() {
                violations.push(Violation::at(
                    "presence.idle_timeout",
                    format!("is {}, not longer than last_active_granularity ({})", presence.idle_timeout.as_str(), presence.last_active_granularity.as_str()),
                    "make idle_timeout the longer of the two",
                ));
            }
            violations
        },
    },
    Rule {
        code: "S0326",
        severity: Error,
        options: &["rooms.retention"],
        reason: "The shorter time comes first; Synapse does not start with two that are exchanged (config/retention.py).",
        violations: |loaded| {
            let retention = &loaded.site.rooms.retention;
            let policy = retention.default_policy.as_ref();
            let mut pairs: Vec<(String, Option<&Duration>, Option<&Duration>, &str)> = vec![
                (
                    "default_policy.min_lifetime".to_owned(),
                    policy.and_then(|it| it.min_lifetime.as_ref()),
                    policy.and_then(|it| it.max_lifetime.as_ref()),
                    "max_lifetime",
                ),
                ("allowed_lifetime_min".to_owned(), retention.allowed_lifetime_min.as_ref(), retention.allowed_lifetime_max.as_ref(), "allowed_lifetime_max"),
            ];
            for (at, job) in retention.purge_jobs.iter().enumerate() {
                let option = format!("purge_jobs.{at}.shortest_max_lifetime");
                pairs.push((option, job.shortest_max_lifetime.as_ref(), job.longest_max_lifetime.as_ref(), "longest_max_lifetime"));
            }
            pairs
                .into_iter()
                .filter_map(|(option, shorter, longer, other)| Some((option, shorter?, longer?, other)))
                .filter(|(_, shorter, longer, _)| shorter.milliseconds() > longer.milliseconds())
                .map(|(option, shorter, longer, other)| {
                    Violation::at(
                        &format!("rooms.retention.{option}"),
                        format!("is {}, longer than {other} ({})", shorter.as_str(), longer.as_str()),
                        "exchange the two",
                    )
                })
                .collect()
        },
    },
    Rule {
        code: "S0327",
        severity: Warning,
        options: &["rooms.retention"],
        reason: "Synapse removes messages only where retention.enabled is true (handlers/pagination.py): whoever believes that they are removed is wrong.",
        violations: |loaded| {
            let retention = &loaded.site.rooms.retention;
            if retention.enabled || retention.default_policy.is_none() && retention.purge_jobs.is_empty() {
                return Vec::new();
            }
            vec![Violation::at("rooms.retention", "says how long messages are kept, and is not enabled", "rooms.retention.enabled: true")]
        },
    },
    Rule {
        code: "S0328",
        severity: Error,
        options: &["listeners.federation", "federation.federation_domain_whitelist", "rooms.allow_public_rooms_over_federation"],
        reason: "A server that no other can reach shows others nothing and talks to none of them.",
        violations: |loaded| {
            let site = &loaded.site;
            let listed = site.federation.federation_domain_whitelist.as_ref().is_some_and(|list| !list.is_empty());
            [("federation.federation_domain_whitelist", listed), ("rooms.allow_public_rooms_over_federation", site.rooms.allow_public_rooms_over_federation)]
                .into_iter()
                .filter(|(_, set)| *set && !site.listeners.federation)
                .map(|(option, _)| Violation::at(option, "is set, and listeners.federation is off", format!("listeners.federation: true, or remove {option}")))
                .collect()
        },
    },
    Rule {
        code: "S0329",
        severity: Warning,
        options: &["federation.federation_certificate_verification_whitelist"],
        reason: "Whoever stands between this server and one whose certificate is not verified reads and changes all that they say (Synapse documentation, federation_certificate_verification_whitelist).",
        violations: |loaded| {
            let servers = loaded.site.federation.federation_certificate_verification_whitelist.iter().enumerate();
            servers
                .map(|(at, server)| {
                    Violation::at(
                        &format!("federation.federation_certificate_verification_whitelist.{at}"),
                        format!("is {server}, whose certificates nobody verifies"),
                        "name the authority of its certificates in federation.federation_custom_ca_list",
                    )
                })
                .collect()
        },
    },
];
