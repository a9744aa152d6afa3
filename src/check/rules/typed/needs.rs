//! S0419: members without which an option of Synapse ends it, or does nothing. One table; the sources are the files of Synapse's `config`.

use serde_json::{Map, Value};

use crate::site::schema::nearest;
use crate::synapse::Entry;

/// An option, and the members that belong together in it. In a list each element has them.
struct Need {
    option: &'static str,
    when: When,
    /// Each member, and a value to paste.
    members: &'static [(&'static str, &'static str)],
}

/// When the members have to be there.
enum When {
    /// As soon as the option is there.
    There,
    /// As soon as something is in it.
    Filled,
    /// While `enabled` is true; the value is what it is where nobody says.
    Enabled(bool),
}

const MODULE: &[(&str, &str)] = &[("module", "my_package.MyModule")];

const NEEDS: &[Need] = &[
    // account_validity.py
    Need { option: "account_validity", when: When::Enabled(false), members: &[("period", "6w")] },
    // cache.py
    Need {
        option: "caches.cache_autotuning",
        when: When::Filled,
        members: &[("max_cache_memory_usage", "1G"), ("target_cache_memory_usage", "750M"), ("min_cache_ttl", "5m")],
    },
    // cas.py
    Need { option: "cas_config", when: When::Enabled(true), members: &[("server_url", "https://cas.example.com")] },
    // jwt.py, which reads them even where the option is off
    Need { option: "jwt_config", when: When::Filled, members: &[("secret", "{ _secret: jwt_secret }"), ("algorithm", "HS256")] },
    // repository.py
    Need { option: "media_storage_providers", when: When::There, members: MODULE },
    Need { option: "thumbnail_sizes", when: When::There, members: &[("width", "320"), ("height", "240"), ("method", "scale")] },
    // modules.py, spam_checker.py, third_party_event_rules.py
    Need { option: "modules", when: When::There, members: MODULE },
    Need { option: "spam_checker", when: When::Filled, members: MODULE },
    Need { option: "third_party_event_rules", when: When::There, members: MODULE },
    // metrics.py
    Need { option: "sentry", when: When::There, members: &[("dsn", "{ _secret: sentry_dsn }")] },
];

/// Whether the elements of a list of that name are sets with members of their own.
pub(super) fn has_members(option: &str) -> bool {
    NEEDS.iter().any(|need| need.option == option)
}

/// The members that an option lacks, each with a value to paste. One whose name somebody only misspelt has its finding.
pub(super) fn missing(option: &str, entry: &Entry, there: &Map<String, Value>) -> Vec<(&'static str, &'static str)> {
    let Some(need) = NEEDS.iter().find(|need| need.option == option) else { return Vec::new() };
    let asked = match need.when {
        When::There => true,
        When::Filled => !there.is_empty(),
        When::Enabled(unsaid) => !there.is_empty() && there.get("enabled").map_or(unsaid, |enabled| *enabled == Value::Bool(true)),
    };
    let lacks = |(name, _): &&(&str, &str)| !there.get(*name).is_some_and(|value| !value.is_null() && value != "");
    let misspelt = |name: &str| there.keys().any(|other| entry.member(other).is_none() && nearest(other, std::iter::once(name)).is_some());
    need.members.iter().filter(|_| asked).filter(lacks).filter(|(name, _)| !misspelt(name)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synapse::options;

    #[test]
    fn they_are_options_that_synapse_reads() {
        for need in NEEDS {
            let entry = need.option.split('.').try_fold(options(), |entry, step| entry.member(step)).expect(need.option);
            for (member, _) in need.members {
                assert!(entry.element().unwrap_or(entry).member(member).is_some(), "{}.{member}", need.option);
            }
        }
    }

    #[test]
    fn what_is_off_needs_nothing_unless_synapse_reads_it_all_the_same() {
        let missing = |option, text| {
            let entry = options().member(option).expect("read");
            missing(option, entry, serde_json::from_str::<Value>(text).expect("JSON").as_object().expect("a set")).len()
        };
        for (option, text, count) in [
            ("account_validity", r#"{ "period": "6w" }"#, 0),
            ("account_validity", r#"{ "enabled": false }"#, 0),
            ("account_validity", r#"{ "enabled": true }"#, 1),
            ("cas_config", "{}", 0),
            ("cas_config", r#"{ "enabled": false }"#, 0),
            ("cas_config", r#"{ "idp_name": "CAS" }"#, 1),
            ("jwt_config", "{}", 0),
            ("jwt_config", r#"{ "enabled": false }"#, 2),
            ("sentry", r#"{ "dsn": null }"#, 1),
            ("jwt_config", r#"{ "secrets": "a" }"#, 1),
            ("push", "{}", 0),
        ] {
            assert_eq!(missing(option, text), count, "{option} {text}");
        }
    }
}
