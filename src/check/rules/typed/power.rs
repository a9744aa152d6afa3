//! S0421: what people may do in new rooms, `default_power_level_content_override` (Synapse, config/room.py, handlers/room.py and the schema of
//! power levels in events/validator.py).

use serde_json::Value;

use crate::site::reveal;
use crate::site::schema::{OptionPath, nearest};

/// Kinds of rooms (api/constants.py, `RoomCreationPreset`).
const PRESETS: [&str; 3] = ["private_chat", "public_chat", "trusted_private_chat"];
/// Members that hold a number, and those that hold a set of numbers.
const NUMBERS: [&str; 7] = ["ban", "events_default", "invite", "kick", "redact", "state_default", "users_default"];
const SETS: [&str; 3] = ["events", "notifications", "users"];

/// Where something is wrong below the option, what, and what to write.
pub(super) type Wrong = (Vec<String>, String, String);

fn at(steps: &[&str]) -> OptionPath {
    steps.iter().fold(OptionPath::dotted("synapse.settings.default_power_level_content_override"), |path, step| path.key(step))
}

/// Everything that is wrong with the value.
pub(super) fn wrong(value: &Value) -> Vec<Wrong> {
    let mut found = Vec::new();
    for (preset, levels) in value.as_object().into_iter().flatten() {
        let place = |steps: &[&str]| std::iter::once(preset.as_str()).chain(steps.iter().copied()).map(str::to_owned).collect::<Vec<_>>();
        if !PRESETS.contains(&preset.as_str()) {
            let near = nearest(preset, PRESETS.into_iter()).unwrap_or("public_chat");
            found.push((place(&[]), format!("is no kind of room; there are {}", PRESETS.join(", ")), format!("write {near}: {{ … }}")));
            continue;
        }
        let Some(members) = levels.as_object() else {
            if !levels.is_null() {
                found.push((
                    place(&[]),
                    format!("found {}, expected a set of options", reveal::value(&at(&[preset]), levels)),
                    format!("write {preset}: {{ events_default: 0 }}"),
                ));
            }
            continue;
        };
        for (name, level) in members {
            if NUMBERS.contains(&name.as_str()) && !is_level(level) {
                found.push((
                    place(&[name]),
                    format!("found {}, expected a whole number", reveal::value(&at(&[preset, name]), level)),
                    format!("write {name}: 50"),
                ));
            } else if SETS.contains(&name.as_str()) {
                match level.as_object() {
                    None => found.push((
                        place(&[name]),
                        format!("found {}, expected a set of numbers", reveal::value(&at(&[preset, name]), level)),
                        format!("write {name}: {{ NAME: 50 }}"),
                    )),
                    Some(set) => {
                        for (of, level) in set.iter().filter(|(_, level)| !is_level(level)) {
                            let remedy = format!("write {}: 50", Value::String(of.clone()));
                            found.push((
                                place(&[name, of]),
                                format!("found {}, expected a whole number", reveal::value(&at(&[preset, name, of]), level)),
                                remedy,
                            ));
                        }
                    }
                }
            } else if name.starts_with("m.") {
                let level = if is_level(level) { level.to_string() } else { "50".to_owned() };
                found.push((place(&[name]), "is a kind of event, which stands in events".to_owned(), format!("write events: {{ {name}: {level} }}")));
            }
        }
    }
    found
}

fn is_level(value: &Value) -> bool {
    value.is_i64() || value.is_u64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_room_can_have_passes() {
        for right in [
            json!({}),
            json!({ "public_chat": null }),
            json!({ "private_chat": {}, "trusted_private_chat": { "events": {}, "x.own": "any" } }),
            json!({ "public_chat": { "events": { "m.room.name": 0 }, "users_default": -1, "notifications": { "room": 100 } } }),
        ] {
            assert_eq!(wrong(&right), Vec::new(), "{right}");
        }
    }

    #[test]
    fn each_mistake_is_told_where_it_stands() {
        let found = wrong(&json!({
            "public": {},
            "public_chat": { "invite": "50", "events": { "m.room.name": "0" }, "users": 0, "m.room.topic": 0 },
            "private_chat": [],
        }));
        let places: Vec<String> = found.iter().map(|(place, ..)| place.join(" ")).collect();
        assert_eq!(places, ["private_chat", "public", "public_chat events m.room.name", "public_chat invite", "public_chat m.room.topic", "public_chat users"]);
    }
}
