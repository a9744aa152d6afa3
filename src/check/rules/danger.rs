//! S0430 to S0432: options of Synapse without a section of their own whose values take something from the site: its security, its
//! start, its media. Every option that can stand under `synapse.settings` was looked at with that question, in the files of Synapse's
//! `config` and where they are used; those that are left out here have a type or a range that keeps them right, or do what they say.

use std::collections::BTreeMap;

use serde_json::Value;

use super::places::each;
use super::{Rule, Violation, modules};
use crate::check::Severity::{Error, Warning};
use crate::component::synapse::taken_ports;
use crate::site::Site;
use crate::site::load::Loaded;
use crate::site::reveal;
use crate::site::schema::OptionPath;

type Settings = BTreeMap<String, Value>;

/// A value that weakens a site.
struct Weak {
    option: &'static str,
    /// Whether it is such a value.
    is: fn(&Value) -> bool,
    /// What it does.
    message: &'static str,
    remedy: &'static str,
}

const WEAK: &[Weak] = &[
    // config/appservice.py, appservice/api.py
    Weak {
        option: "use_appservice_legacy_authorization",
        is: is_on,
        message: "is true: the token of each application service stands in the address of every request, and in every log on the way",
        remedy: "remove it; services read the token from the header Authorization",
    },
    // config/captcha.py, handlers/ui_auth/checkers.py
    Weak {
        option: "recaptcha_siteverify_api",
        is: is_in_clear,
        message: "is http://: whoever is in between sees the key, and says who is no robot",
        remedy: "write https://",
    },
    // config/cas.py, handlers/cas.py
    Weak { option: "cas_config.server_url", is: is_in_clear, message: "is http://: whoever is in between can log in as anybody", remedy: "write https://" },
    // config/account_validity.py, storage/databases/main/registration.py
    Weak {
        option: "account_validity.period",
        is: is_no_time,
        message: "is no time at all: every account ends as soon as it is made",
        remedy: "write period: 6w",
    },
    // config/server.py, util/manhole.py
    Weak {
        option: "manhole",
        is: is_on,
        message: "opens a shell inside Synapse that can do everything; its password is \"rabbithole\" unless manhole_settings has another",
        remedy: "remove it once nobody needs it any more",
    },
    // handlers/e2e_keys.py
    Weak {
        option: "rc_key_requests.burst_count",
        is: is_zero,
        message: "is 0: nobody can ask for anybody's keys, so nobody can write encrypted messages",
        remedy: "remove it",
    },
    // replication/tcp/resource.py
    Weak {
        option: "replication_torture_level",
        is: is_on,
        message: "delays and mixes up what Synapse's processes tell each other; it is there for Synapse's own tests",
        remedy: "remove it",
    },
    // config/stats.py
    Weak { option: "stats.enabled", is: is_off, message: "is false: without these numbers the list of public rooms does not work", remedy: "remove it" },
    // config/tls.py; http/federation/matrix_federation_agent.py
    Weak {
        option: "federation_verify_certificates",
        is: is_off,
        message: "is false: whoever is between this server and another reads and changes all that they say",
        remedy: "remove it; name a server without a valid certificate in federation.federation_certificate_verification_whitelist, or its authority in federation.federation_custom_ca_list",
    },
    // server.py, get_http_client_context_factory
    Weak {
        option: "use_insecure_ssl_client_just_for_testing_do_not_use",
        is: is_on,
        message: "is on: no certificate of an OpenID provider, push service, identity server or captcha is verified, so that whoever is in between can be each of them",
        remedy: "remove it; name an authority of your own in server.ca_certificates",
    },
];

/// Options of which Synapse takes only one.
const EITHER: &[(&str, &str)] = &[
    // captcha.py
    ("recaptcha_private_key_path", "recaptcha_private_key"),
    ("recaptcha_public_key_path", "recaptcha_public_key"),
    // api.py
    ("room_invite_state_types", "room_prejoin_state"),
];

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "S0430",
        severity: Warning,
        options: &["synapse.settings", "media.enable_authenticated_media"],
        reason: "Synapse takes these values without a word: they end the verification of certificates, put secrets into logs, open a door, lock people out or break what the site offers (config/tls.py, appservice.py, captcha.py, cas.py, account_validity.py, server.py, stats.py).",
        violations: weak,
    },
    Rule {
        code: "S0431",
        severity: Error,
        options: &["synapse.settings"],
        reason: "Each of these values is of the right type, and Synapse ends while it starts (config/key.py, captcha.py, api.py, repository.py, util/module_loader.py, http/proxyagent.py).",
        violations: |loaded| ending(loaded).collect(),
    },
    Rule {
        code: "S0432",
        severity: Error,
        options: &["synapse.settings.enable_local_media_storage", "synapse.settings.media_storage_providers"],
        reason: "Uploads go to the store of the process and to each provider with store_local; where there is none of them, or one that copies from the store that is off, every upload is lost or refused (media/media_repository.py, storage_provider.py).",
        violations: nowhere,
    },
];

fn weak(loaded: &Loaded) -> Vec<Violation> {
    let settings = &loaded.site.synapse.settings;
    let ending: Vec<OptionPath> = ending(loaded).map(|violation| violation.option).collect();
    let found = WEAK
        .iter()
        .filter(|weak| super::settings::is_used(&loaded.site, weak.option))
        .flat_map(|weak| each(settings, weak.option).into_iter().filter(|(_, value)| (weak.is)(value)).map(move |(option, _)| (option, weak)));
    let mut violations: Vec<Violation> = found
        // What keeps Synapse from starting is S0431's.
        .filter(|(option, _)| !ending.contains(option))
        .map(|(option, weak)| Violation { option, message: weak.message.to_owned(), remedy: weak.remedy.to_owned() })
        .collect();
    if !loaded.site.media.enable_authenticated_media {
        let message = "is false: whoever knows or guesses the address of a file has it, from anywhere, and other sites can use this server to hand files out";
        violations.push(Violation::at("media.enable_authenticated_media", message, "media.enable_authenticated_media: true"));
    }
    for (at, provider) in each(settings, "media_storage_providers") {
        let keeps = |name: &str| provider[name] == Value::Bool(true);
        if provider.is_object() && !keeps("store_local") && !keeps("store_remote") {
            let message = "keeps nothing: neither store_local nor store_remote is true".to_owned();
            violations.push(Violation { option: at, message, remedy: "store_local: true, store_remote: true".to_owned() });
        }
    }
    violations
}

fn ending(loaded: &Loaded) -> impl Iterator<Item = Violation> {
    let site = &loaded.site;
    let settings = &site.synapse.settings;
    let either = EITHER.iter().filter(|(one, other)| is_said(settings, one) && is_said(settings, other)).map(|(one, other)| {
        let message = format!("is set beside {other}, and Synapse takes only one of the two");
        Violation::at(&format!("synapse.settings.{one}"), message, format!("remove {one}"))
    });
    let proxies = ["http_proxy", "https_proxy"].into_iter().flat_map(|name| each(settings, name)).filter_map(|(option, value)| {
        let message = format!("is {}: {}", reveal::value(&option, value), no_proxy(value.as_str()?)?);
        Some(Violation { option, message, remedy: "write the address of an HTTP proxy: \"http://proxy.example.com:3128\"".to_owned() })
    });
    let manhole = settings.get("manhole").and_then(Value::as_u64).into_iter().filter_map(|port| {
        let why = match taken_ports(site).into_iter().find(|(taken, _)| u64::from(*taken) == port) {
            Some((_, use_)) => format!("is {port}, where Synapse's {use_} is"),
            None if port > 65_535 => format!("is {port}, and ports end at 65535"),
            None => return None,
        };
        Some(Violation::at("synapse.settings.manhole", why, "manhole: 9001, or nothing"))
    });
    let modules = modules::all(settings).filter_map(|module| {
        let (message, remedy) = if module.name.is_some_and(|name| !name.contains('.')) && !module.is_file_system() {
            ("names a module without its class".to_owned(), "write the package and the class, as in my_package.MyModule")
        } else if module.is_file_system() && !module.config["directory"].is_string() {
            ("lacks config.directory".to_owned(), "add config: { directory: /var/lib/synapse/second }")
        } else if module.loader == "password_providers" && module.name.is_some() && module.is_bare {
            ("lacks config".to_owned(), "add config: {}")
        } else {
            return None;
        };
        Some(Violation { option: module.option, message, remedy: remedy.to_owned() })
    });
    unverified_keys(site).into_iter().chain(either).chain(proxies).chain(manhole).chain(modules)
}

/// Key servers that could not be believed without certificates (config/key.py, _assert_keyserver_has_verify_keys).
fn unverified_keys(site: &Site) -> Option<Violation> {
    if site.synapse.settings.get("federation_verify_certificates") != Some(&Value::Bool(false)) {
        return None;
    }
    let server = site.server.trusted_key_servers.iter().find(|server| {
        let keys = server.verify_keys.iter().flatten();
        let old = server.server_name.as_str() == "matrix.org" && keys.clone().any(|(id, _)| id == "ed25519:auto");
        keys.count() == 0 || old
    })?;
    Some(Violation::at(
        "synapse.settings.federation_verify_certificates",
        format!("is false, and the keys of {} in server.trusted_key_servers are not given, so that nothing proves what it says", server.server_name),
        "remove it; name a server without a valid certificate in federation.federation_certificate_verification_whitelist, or its authority in federation.federation_custom_ca_list",
    ))
}

/// What is wrong with the address of a proxy (http/proxyagent.py, parse_proxy).
fn no_proxy(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" if host.is_empty() || host.starts_with(':') => Some("it names no host".to_owned()),
        "http" | "https" => None,
        _ => Some(format!("Synapse speaks to proxies by http:// and https://, not by {scheme}://")),
    }
}

fn nowhere(loaded: &Loaded) -> Vec<Violation> {
    let settings = &loaded.site.synapse.settings;
    if settings.get("enable_local_media_storage") != Some(&Value::Bool(false)) {
        return Vec::new();
    }
    let option = "synapse.settings.enable_local_media_storage";
    let backup = is_said(settings, "backup_media_store_path");
    let providers = modules::all(settings).filter(|module| module.loader == "media_storage_providers");
    // The store in a directory copies from the one that is off.
    let copies = backup || providers.into_iter().any(|module| module.is_file_system());
    let keeps = each(settings, "media_storage_providers").iter().any(|(_, provider)| provider["store_local"] == true);
    let (message, remedy) = match (keeps, copies) {
        (_, true) => ("is false, and a store in a directory copies from the store that this turns off: every upload fails", "remove it"),
        (false, false) => (
            "is false, and no media_storage_providers has store_local: uploads are kept nowhere",
            "remove it, or give a provider store_local: true and store_synchronous: true",
        ),
        (true, false) => return Vec::new(),
    };
    vec![Violation::at(option, message, remedy)]
}

fn is_said(settings: &Settings, name: &str) -> bool {
    settings.get(name).is_some_and(|value| !value.is_null() && value != "" && value.as_object().is_none_or(|members| !members.is_empty()))
}

/// Whether Python takes a value for true.
fn is_on(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(on) => *on,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

fn is_off(value: &Value) -> bool {
    *value == Value::Bool(false)
}

fn is_zero(value: &Value) -> bool {
    value.as_f64() == Some(0.0)
}

fn is_in_clear(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://")))
}

fn is_no_time(value: &Value) -> bool {
    *value == 0 || value.as_str().is_some_and(|text| text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).parse() == Ok(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synapse::{Entry, options};

    #[test]
    fn they_are_options_that_can_stand_under_settings() {
        let names = WEAK.iter().map(|weak| weak.option).chain(EITHER.iter().flat_map(|(one, other)| [*one, *other]));
        for name in names {
            let step = |entry: &'static Entry, step: &str| entry.element().unwrap_or(entry).member(step);
            assert!(name.split('.').try_fold(options(), step).is_some(), "{name}");
            assert!(!super::super::settings::is_refused(name.split('.').next().unwrap_or_default()), "{name}");
        }
    }

    #[test]
    fn a_proxy_is_taken_as_synapse_takes_it() {
        for good in ["proxy.example.com:3128", "http://u:p@proxy.example.com", "HTTPS://proxy.example.com:8443/"] {
            assert_eq!(no_proxy(good), None, "{good}");
        }
        for bad in ["socks5://proxy.example.com:1080", "http://", "http://:3128", "http://u@"] {
            assert!(no_proxy(bad).is_some(), "{bad}");
        }
    }
}
