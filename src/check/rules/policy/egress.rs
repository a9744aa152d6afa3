//! S022x, S023x: what previews, media, the relay and federation reach, and with which modules and authorities.

use serde_json::Value;

use crate::check::Severity::{Error, Warning};
use crate::check::rules::{Rule, Violation, modules};
use crate::site::media::{Media, PRIVATE_NETWORKS, UrlPattern};
use crate::site::text::Cidr;
use crate::site::turn::TurnSource;

/// Loopback and link-local networks.
const NEVER_REACHED: [&str; 4] = ["127.0.0.0/8", "169.254.0.0/16", "::1/128", "fe80::/10"];

pub(in crate::check::rules) const RULES: &[Rule] = &[
    Rule {
        code: "S0220",
        severity: Error,
        options: &["media.url_preview_url_blacklist"],
        reason: "An address is refused when all members of an entry match it; an entry without members matches every address (media/url_previewer.py).",
        violations: |loaded| {
            let entries = loaded.site.media.url_preview_url_blacklist.iter().enumerate();
            entries
                .filter(|(_, entry)| **entry == UrlPattern::default())
                .map(|(at, _)| {
                    Violation::at(
                        &format!("media.url_preview_url_blacklist.{at}"),
                        "has no members, and so refuses every address",
                        "remove it, or say which addresses it is about: { netloc: \"*.internal.example.com\" }",
                    )
                })
                .collect()
        },
    },
    Rule {
        code: "S0221",
        severity: Warning,
        options: &["synapse.settings.http_proxy", "synapse.settings.https_proxy", "media.url_preview_enabled"],
        reason: "Through a proxy Synapse does not know which address it reaches, and looks at no list of networks; the proxy has to refuse private ones (config/repository.py).",
        violations: |loaded| {
            let settings = &loaded.site.synapse.settings;
            ["http_proxy", "https_proxy"]
                .into_iter()
                .filter(|name| loaded.site.media.url_preview_enabled && settings.get(*name).is_some_and(|value| !value.is_null()))
                .map(|name| {
                    Violation::at(
                        &format!("synapse.settings.{name}"),
                        "is set, so previews are fetched without regard to any list of networks",
                        "let the proxy refuse private networks, or set media.url_preview_enabled to false",
                    )
                })
                .collect()
        },
    },
    Rule {
        code: "S0222",
        severity: Error,
        options: &["turn.tls", "turn.denied_peer_ip", "turn.allowed_peer_ip", "turn.turn_username", "turn.source"],
        reason: "What the relay does is said here for the bundled one only, and a user of its own only an external one has; elsewhere neither would have an effect.",
        violations: |loaded| {
            let turn = &loaded.site.turn;
            let user = turn.turn_username.as_ref().filter(|_| turn.source != TurnSource::External).map(|_| {
                let message = "is set, but the relay is not external";
                Violation::at("turn.turn_username", message, "turn.source: external, or remove turn.turn_username")
            });
            [("tls", turn.tls), ("denied_peer_ip", !turn.denied_peer_ip.is_empty()), ("allowed_peer_ip", !turn.allowed_peer_ip.is_empty())]
                .into_iter()
                .filter(|(_, set)| *set && turn.source != TurnSource::Bundled)
                .map(|(name, _)| {
                    Violation::at(&format!("turn.{name}"), "is set, but the relay is not bundled", format!("turn.source: bundled, or remove turn.{name}"))
                })
                .chain(user)
                .collect()
        },
    },
    Rule {
        code: "S0223",
        severity: Error,
        options: &["synapse.settings.backup_media_store_path", "synapse.settings.media_storage_providers"],
        reason: "The first is an old form of the second, and Synapse does not start with both (config/repository.py).",
        violations: |loaded| {
            let settings = &loaded.site.synapse.settings;
            if !settings.contains_key("backup_media_store_path") || !settings.contains_key("media_storage_providers") {
                return Vec::new();
            }
            vec![Violation::at("synapse.settings.backup_media_store_path", "is set beside media_storage_providers", "remove backup_media_store_path")]
        },
    },
    Rule {
        code: "S0224",
        severity: Warning,
        options: &[
            "synapse.settings.media_storage_providers",
            "synapse.settings.modules",
            "synapse.settings.password_providers",
            "synapse.settings.spam_checker",
            "synapse.settings.third_party_event_rules",
            "synapse.settings.caches",
            "synapse.settings.opentracing",
            "synapse.settings.sentry",
        ],
        reason: "Synapse stops at start when it cannot import a module; the image holds Synapse's own and the directory's (images/synapse/image.toml).",
        violations: |loaded| {
            const REMEDY: &str = "add its package to images/synapse/image.toml and lock it, or to the packages in Nix, and accept this warning";
            let settings = &loaded.site.synapse.settings;
            let is_on = |option: &str, member: &str| settings.get(option).is_some_and(|value| value[member] == Value::Bool(true));
            // Extras of the wheel that the image leaves out (config/metrics.py, tracer.py, cache.py, check_requirements).
            let extras = [
                ("sentry", "sentry-sdk", settings.get("sentry").is_some_and(Value::is_object)),
                ("opentracing.enabled", "opentracing and jaeger-client", is_on("opentracing", "enabled")),
                ("caches.track_memory_usage", "Pympler", is_on("caches", "track_memory_usage")),
            ];
            let extras = extras.into_iter().filter(|(_, _, on)| *on).map(|(option, package, _)| {
                let message = format!("needs {package} (Python), which the image of Debian packages and wheels has not");
                Violation::at(&format!("synapse.settings.{option}"), message, REMEDY)
            });
            modules::all(settings)
                // The directory's module is a matter of S0404, and a name without a package one of S0431.
                .filter(|module| !module.is_of_synapse() && !module.is_directory())
                .filter_map(|module| {
                    let name = module.name.filter(|name| name.contains('.'))?;
                    let message = format!("names {name}, which is not in the image of Debian packages and wheels");
                    Some(Violation { option: module.option, message, remedy: REMEDY.to_owned() })
                })
                .chain(extras)
                .collect()
        },
    },
    Rule {
        code: "S0225",
        severity: Warning,
        options: &["media.url_preview_enabled", "media"],
        reason: "A setting with no effect is taken for one with an effect.",
        violations: |loaded| {
            let (media, default) = (&loaded.site.media, Media::default());
            [
                ("url_preview_ip_range_blacklist", !media.url_preview_ip_range_blacklist.is_empty()),
                ("url_preview_ip_range_whitelist", !media.url_preview_ip_range_whitelist.is_empty()),
                ("url_preview_url_blacklist", !media.url_preview_url_blacklist.is_empty()),
                ("url_preview_accept_language", media.url_preview_accept_language != default.url_preview_accept_language),
            ]
            .into_iter()
            .filter(|(_, set)| *set && !media.url_preview_enabled)
            .map(|(name, _)| {
                Violation::at(&format!("media.{name}"), "is set, but previews are off", format!("media.url_preview_enabled: true, or remove media.{name}"))
            })
            .collect()
        },
    },
    Rule {
        code: "S0230",
        severity: Error,
        options: &["federation.federation_custom_ca_list"],
        reason: "Synapse reads one certificate of each file, and stops at start when there is none (config/tls.py).",
        violations: |loaded| {
            let named = loaded.site.federation.federation_custom_ca_list.iter().enumerate();
            named
                .filter_map(|(at, path)| {
                    let content = loaded.files.get(path.as_str()).map(Vec::as_slice).unwrap_or_default();
                    let text = String::from_utf8_lossy(content);
                    let (message, remedy) = match text.matches("-----BEGIN CERTIFICATE-----").count() {
                        _ if text.contains("PRIVATE KEY-----") => {
                            ("the file holds a private key, which would end up in an image", "name a file with a certificate only")
                        }
                        0 => ("the file holds no PEM certificate", "convert it: openssl x509 -inform der -in FILE -out FILE.pem"),
                        1 => return None,
                        _ => ("the file holds several certificates, of which Synapse reads the first", "make a file of each, and list them all"),
                    };
                    Some(Violation::at(&format!("federation.federation_custom_ca_list.{at}"), message, remedy))
                })
                .collect()
        },
    },
    Rule {
        code: "S0231",
        severity: Error,
        options: &["federation.ip_range_whitelist"],
        reason: "Other servers and push gateways name the addresses that Synapse is to reach: loopback and link-local ones are the service itself and a cloud's credentials (Synapse documentation, ip_range_blacklist).",
        violations: |loaded| {
            let networks = loaded.site.federation.ip_range_whitelist.iter().enumerate();
            networks
                .filter(|(_, network)| is_never_reached(network))
                .map(|(at, network)| {
                    Violation::at(
                        &format!("federation.ip_range_whitelist.{at}"),
                        format!("is {network}, which opens loopback or link-local addresses to other servers"),
                        "name the one network that is meant, such as \"192.168.10.0/24\"",
                    )
                })
                .collect()
        },
    },
    Rule {
        code: "S0232",
        severity: Warning,
        options: &["server.trusted_key_servers", "federation.federation_domain_whitelist"],
        reason: "Synapse asks no server outside of the list, not even for keys: each check of an unknown key waits in vain (http/matrixfederationclient.py).",
        violations: |loaded| {
            let Some(allowed) = loaded.site.federation.federation_domain_whitelist.as_ref().filter(|list| !list.is_empty()) else { return Vec::new() };
            let asked = loaded.site.server.trusted_key_servers.iter().find(|server| !allowed.contains(&server.server_name));
            asked
                .map(|server| {
                    Violation::at(
                        "server.trusted_key_servers",
                        format!("names {}, which federation.federation_domain_whitelist does not", server.server_name),
                        "server.trusted_key_servers: []",
                    )
                })
                .into_iter()
                .collect()
        },
    },
    Rule {
        code: "S0233",
        severity: Error,
        options: &["federation.federation_domain_whitelist", "server.trusted_key_servers", "federation.ip_range_whitelist"],
        reason: "Synapse asks no other server at an address of a private network, unless ip_range_whitelist holds it (Synapse documentation, ip_range_whitelist).",
        violations: |loaded| {
            let site = &loaded.site;
            let peers = site.federation.federation_domain_whitelist.iter().flatten().enumerate();
            let peers = peers.map(|(at, peer)| (format!("federation.federation_domain_whitelist.{at}"), peer));
            let keys = site
                .server
                .trusted_key_servers
                .iter()
                .enumerate()
                .map(|(at, server)| (format!("server.trusted_key_servers.{at}.server_name"), &server.server_name));
            let opened = |address: &str| site.federation.ip_range_whitelist.iter().any(|network| network.overlaps(address));
            peers
                .chain(keys)
                .filter_map(|(option, name)| Some((option, name, name.host().trim_matches(['[', ']']).parse::<std::net::IpAddr>().ok()?)))
                .map(|(option, name, address)| (option, name, format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 })))
                .filter(|(_, _, network)| refused(&site.federation.ip_range_blacklist, network) && !opened(network))
                .map(|(option, name, network)| {
                    Violation::at(
                        &option,
                        format!("names {name}, an address that Synapse refuses to reach"),
                        format!("federation.ip_range_whitelist: [{network}], or the server's name"),
                    )
                })
                .collect()
        },
    },
];

/// Whether a network opens what nobody outside may have a say in.
pub(in crate::check::rules) fn is_never_reached(network: &Cidr) -> bool {
    NEVER_REACHED.iter().any(|never| network.overlaps(never))
}

/// Whether an address lies in a network that Synapse does not reach: a private one, or one of the site's own list.
fn refused(more: &[Cidr], address: &str) -> bool {
    more.iter().any(|network| network.overlaps(address))
        || Cidr::try_from(address.to_owned()).is_ok_and(|address| PRIVATE_NETWORKS.iter().any(|network| address.overlaps(network)))
}
