//! S0420: values of the right type that Synapse ends with, or can do nothing with: lists of a fixed length, numbers with a least value, names
//! out of a list that its code has. The sources are the files of Synapse's `config`, and beside them what is named.

use serde_json::{Map, Value};

/// Types of accounts that Synapse knows by itself (api/constants.py, `UserTypes`).
const USER_TYPES: [&str; 2] = ["support", "bot"];

/// What an option takes.
enum Range {
    /// A list of that many elements; the text is one to paste.
    Length(usize, &'static str),
    /// A number that is not smaller.
    AtLeast(u32),
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A text of letters and digits.
    Alphanumeric,
}

const RANGES: &[(&str, Range)] = &[
    // background_updates.py; storage/background_updates.py takes an update for done that had nothing to do
    ("background_updates.default_batch_size", Range::AtLeast(1)),
    ("background_updates.min_batch_size", Range::AtLeast(1)),
    // cache.py; util/caches/lrucache.py ends with a bare KeyError
    ("caches.global_factor", Range::AtLeast(0)),
    // cas.py
    ("cas_config.numeric_ids_prefix", Range::Alphanumeric),
    // server.py
    ("gc_min_interval", Range::Length(3, "[1s, 10s, 30s]")),
    ("gc_thresholds", Range::Length(3, "[700, 10, 10]")),
    // handlers/jwt.py; RFC 7518, section 3.1, and RFC 8037. With another every token is refused.
    (
        "jwt_config.algorithm",
        Range::OneOf(&[
            "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "ES256K", "PS256", "PS384", "PS512", "EdDSA", "Ed25519",
        ]),
    ),
    // push_rules.py
    ("push_rules.limits.rule_count", Range::AtLeast(0)),
    ("push_rules.limits.rule_id_length", Range::AtLeast(1)),
    ("push_rules.limits.rule_size", Range::AtLeast(1)),
    // task_scheduler.py
    ("task_scheduler.max_concurrent_tasks", Range::AtLeast(1)),
    // repository.py; media/media_repository.py, _generate_thumbnails, passes others over
    ("thumbnail_sizes.height", Range::AtLeast(1)),
    ("thumbnail_sizes.method", Range::OneOf(&["crop", "scale"])),
    ("thumbnail_sizes.width", Range::AtLeast(1)),
];

/// A pair of an event's type and its state key (api.py, `_SCHEMA`), which stands in a list of those and of types alone.
const PAIRS: &str = "room_prejoin_state.additional_event_types";

/// What is wrong with a value, and one to write.
pub(super) fn beyond(option: &str, is_element: bool, value: &Value) -> Option<(String, String)> {
    if option == PAIRS {
        let pair = value.as_array().filter(|pair| is_element && pair.len() != 2)?;
        return Some((format!("has {}, and a type and its state key are two", elements(pair.len())), "write [m.room.topic, \"\"]".to_owned()));
    }
    let (_, range) = RANGES.iter().find(|(name, _)| *name == option)?;
    let name = option.rsplit('.').next().unwrap_or_default();
    match (range, value) {
        (Range::Length(length, example), Value::Array(list)) if list.len() != *length => {
            Some((format!("has {}, and Synapse takes {length}", elements(list.len())), format!("write {name}: {example}")))
        }
        (Range::AtLeast(least), value) if number(value).is_some_and(|number| number < f64::from(*least)) => {
            Some((format!("is {}, and the least is {least}", value.to_string().trim_matches('"')), format!("write {name}: {least}, or more")))
        }
        (Range::OneOf(names), Value::String(text)) if !names.contains(&text.as_str()) => {
            let near = crate::site::schema::nearest(text, names.iter().copied()).unwrap_or(names[0]);
            Some((format!("is {text:?}, allowed are {}", names.join(", ")), format!("write for example {name}: {near}")))
        }
        (Range::Alphanumeric, Value::String(text)) if text.is_empty() || !text.chars().all(char::is_alphanumeric) => {
            Some((format!("is {text:?}, and Synapse takes letters and digits only"), format!("write {name}: u")))
        }
        _ => None,
    }
}

/// A type for new accounts that no account can have (config/user_types.py).
pub(super) fn stray_user_type(user_types: &Map<String, Value>) -> Option<(String, String)> {
    let default = user_types.get("default_user_type")?.as_str()?;
    let extra = user_types.get("extra_user_types").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let known: Vec<&str> = USER_TYPES.into_iter().chain(extra).collect();
    (!known.contains(&default)).then(|| {
        let written = Value::String(default.to_owned());
        (format!("is {default:?}, and the types of accounts are {}", known.join(", ")), format!("add it: extra_user_types: [{written}]"))
    })
}

/// A number, or a size or time that is one.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim_end_matches(|c: char| c.is_ascii_alphabetic()).parse().ok())
}

fn elements(count: usize) -> String {
    if count == 1 { "1 element".to_owned() } else { format!("{count} elements") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synapse::options;
    use serde_json::json;

    #[test]
    fn they_are_options_that_synapse_reads() {
        for (option, _) in RANGES {
            let step = |entry: &'static crate::synapse::Entry, step: &str| entry.element().unwrap_or(entry).member(step);
            assert!(option.split('.').try_fold(options(), step).is_some(), "{option}");
        }
    }

    #[test]
    fn the_ends_of_what_is_taken() {
        for (option, value, is_element, wrong) in [
            ("gc_thresholds", json!([700, 10, 10]), false, false),
            ("gc_thresholds", json!([700, 10]), false, true),
            ("gc_min_interval", json!([]), false, true),
            ("task_scheduler.max_concurrent_tasks", json!(1), false, false),
            ("task_scheduler.max_concurrent_tasks", json!(0), false, true),
            ("caches.global_factor", json!(0), false, false),
            ("caches.global_factor", json!(-0.5), false, true),
            ("background_updates.default_batch_size", json!(0), false, true),
            ("push_rules.limits.rule_count", json!(0), false, false),
            ("push_rules.limits.rule_size", json!("1K"), false, false),
            ("push_rules.limits.rule_size", json!("0K"), false, true),
            ("thumbnail_sizes.method", json!("crop"), false, false),
            ("thumbnail_sizes.method", json!("Crop"), false, true),
            ("cas_config.numeric_ids_prefix", json!("u1"), false, false),
            ("cas_config.numeric_ids_prefix", json!("u_"), false, true),
            (PAIRS, json!(["m.room.topic"]), false, false),
            (PAIRS, json!(["m.room.topic", ""]), true, false),
            (PAIRS, json!(["m.room.topic"]), true, true),
        ] {
            assert_eq!(beyond(option, is_element, &value).is_some(), wrong, "{option} {value}");
        }
    }
}
