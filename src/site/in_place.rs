//! What somebody meant who wrote something else where a set of options belongs: `federation: false`, `workers: 3`, a list of Synapse's, the
//! code of a warning alone. The help shows what to write, which the schema takes; it repeats only words of the schema, codes of rules, and
//! numbers too short for a secret.

use serde_json::{Map, Value, json};

use super::schema::{self, OptionPath, Step, choices, required, sample};
use crate::check::{rules, said, translate};
use crate::synapse::{self, Kind};

/// The largest number that is repeated: two digits are no secret.
const MOST_REPEATED: u64 = 99;

/// What to write instead of a value that Synapse takes for an option of that path.
pub(super) fn of_synapse(found: &Value, path: &OptionPath) -> Option<String> {
    said::switch(&path.to_string(), found).map(|written| format!("write {}", translate::sections(&written)))
}

/// What to write instead of a value that is no set of options, or no list of such sets; none where neither belongs.
pub(super) fn of_set(schema: &Value, found: &Value, path: &OptionPath) -> Option<String> {
    if schema["items"]["properties"].is_object() {
        return Some(format!("write for example {}", shown(path, json!([like(&schema["items"], found)?]))));
    }
    let properties = schema["properties"].as_object().filter(|properties| !properties.is_empty() && !found.is_null())?;
    let is_element = matches!(path.0.last(), Some(Step::Index(_)));
    if is_element {
        return Some(format!("write for example {}", shown(path, like(schema, found)?)));
    }
    let section = path.to_string();
    if let Some(written) = with_one(properties, found, path).filter(|_| found.is_string()) {
        return Some(written);
    }
    let of_whole = match (found, is_on(found)) {
        (Value::Array(_), _) if is_list_of_synapse(&section) => translate::block(&section, found),
        (_, Some(on)) if path.0.len() == 1 => switched(schema, &section, on),
        (_, Some(on)) if properties.get("enabled").is_some_and(|enabled| enabled["type"] == "boolean") => {
            Some(format!("write {}", shown(path, json!({ "enabled": on }))))
        }
        _ => None,
    };
    of_whole.or_else(|| with_one(properties, found, path)).or_else(|| {
        let names = properties.keys().cloned().collect::<Vec<_>>().join(", ");
        Some(format!("its options are {names}; write for example {}", shown(path, like(schema, found)?)))
    })
}

/// What to write instead of true or false where one of several words belongs: the word that says off, or one of the others.
pub(super) fn of_choice(words: &[&str], found: &Value) -> Option<String> {
    let on = is_on(found)?;
    let fitting = words.iter().filter(|word| (is_on(&Value::from(**word)) == Some(false)) != on);
    let fitting: Vec<String> = fitting.map(|word| format!("{word:?}")).collect();
    (!fitting.is_empty()).then(|| format!("write {}", fitting.join(" or ")))
}

/// Whether somebody meant to switch something on or off, with true or false or a word for it.
fn is_on(found: &Value) -> Option<bool> {
    match found {
        Value::Bool(on) => Some(*on),
        Value::String(word) => match word.to_lowercase().as_str() {
            "true" | "on" | "yes" | "enabled" | "open" => Some(true),
            "false" | "off" | "no" | "none" | "never" | "disabled" | "closed" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// Whether Synapse has a list of that name.
fn is_list_of_synapse(name: &str) -> bool {
    synapse::options().named(name).is_some_and(|entry| entry.kinds.contains(&Kind::List))
}

/// A section that was to be switched on or off.
fn switched(schema: &Value, section: &str, on: bool) -> Option<String> {
    if !schema::is_absent_by_itself(schema::root(), &OptionPath::dotted(section)) {
        return said::switched(section, on).map(|written| format!("write {}", translate::sections(&written)));
    }
    if on {
        return Some(format!("write {}", shown(&OptionPath::dotted(section), sample(schema)?)));
    }
    Some(format!("leave {section} out: without the section there is none"))
}

/// The options of a set of which that can be the value: the one whose word it is, or any of a set of numbers.
fn with_one(properties: &Map<String, Value>, found: &Value, path: &OptionPath) -> Option<String> {
    let is_meant = |schema: &Value| match found {
        Value::Number(number) => number.as_u64().is_some_and(|number| number <= MOST_REPEATED) && properties.values().all(|other| other["type"] == "integer"),
        Value::String(_) => schema.as_object().and_then(choices).is_some_and(|words| words.contains(found)),
        _ => false,
    };
    let takes = |schema: &Value| is_meant(schema) && schema::check(schema, found).findings.is_empty();
    let written = |name: &String| shown(path, Value::Object(Map::from_iter([(name.clone(), found.clone())])));
    let fitting: Vec<String> = properties.iter().filter(|(_, schema)| takes(schema)).map(|(name, _)| written(name)).collect();
    (!fitting.is_empty()).then(|| format!("write {}", fitting.join(" or ")))
}

/// A set of options of that schema, with the code of a rule in the place of another.
fn like(schema: &Value, found: &Value) -> Option<Value> {
    let mut set = filled(schema)?;
    let is_code = |value: &Value| value.as_str().is_some_and(|text| rules::explanations().any(|explanation| explanation.code == text));
    if is_code(found) {
        let members = set.as_object_mut()?;
        let place = required(schema.as_object()?).find(|name| is_code(&members[*name]))?;
        members.insert(place.to_owned(), found.clone());
    }
    Some(set)
}

/// A value that an option takes: of a set the options that it must have, or one of them, best of a few words.
fn filled(schema: &Value) -> Option<Value> {
    let says_something = |value: &Value| *value != json!({}) && *value != json!([]);
    if let Some(value) = sample(schema).filter(says_something) {
        return Some(value);
    }
    let branches = schema["anyOf"].as_array().into_iter().flatten().chain(std::iter::once(schema));
    let mut options: Vec<(&String, &Value)> = branches.filter_map(|branch| branch["properties"].as_object()).flatten().collect();
    options.sort_by_key(|(_, inner)| inner.as_object().and_then(choices).is_none());
    options.into_iter().find_map(|(name, inner)| Some(json!({ name: filled(inner)? })))
}

/// An option as it is written: the list of an element, and what is around it by its name alone.
fn shown(path: &OptionPath, value: Value) -> String {
    let mut value = value;
    for step in path.0.iter().rev() {
        match step {
            Step::Index(_) => value = json!([value]),
            Step::Key(name) => return translate::sections(&json!({ name: value })),
        }
    }
    translate::sections(&json!({ "description": value }))
}
