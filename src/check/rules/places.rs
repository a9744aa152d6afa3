//! Where options stand in a description: all values at a dotted name, through lists, each with its place.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::site::schema::OptionPath;

/// The values of an option under `synapse.settings`, named with dots and without the numbers of list elements.
pub(super) fn each<'a>(settings: &'a BTreeMap<String, Value>, name: &str) -> Vec<(OptionPath, &'a Value)> {
    let (top, rest) = name.split_once('.').unwrap_or((name, ""));
    let mut found = Vec::new();
    if let Some(value) = settings.get(top) {
        below(&OptionPath::dotted("synapse.settings").key(top), value, rest, &mut found);
    }
    found
}

/// The values of an option of a whole description, or of any other value.
pub(super) fn each_of<'a>(description: &'a Value, name: &str) -> Vec<(OptionPath, &'a Value)> {
    let mut found = Vec::new();
    below(&OptionPath::default(), description, name, &mut found);
    found
}

fn below<'a>(place: &OptionPath, value: &'a Value, rest: &str, found: &mut Vec<(OptionPath, &'a Value)>) {
    match value {
        Value::Array(elements) => elements.iter().enumerate().for_each(|(at, element)| below(&place.index(at), element, rest, found)),
        _ if rest.is_empty() => found.push((place.clone(), value)),
        Value::Object(members) => {
            let (key, rest) = rest.split_once('.').unwrap_or((rest, ""));
            if let Some(member) = members.get(key) {
                below(&place.key(key), member, rest, found);
            }
        }
        _ => {}
    }
}

/// Every text in a value, with its place and the name of the member that it is, or that holds the list that it is in.
pub(super) fn texts<'a>(place: &OptionPath, name: &'a str, value: &'a Value, found: &mut Vec<(OptionPath, &'a str, &'a str)>) {
    match value {
        Value::String(text) => found.push((place.clone(), name, text)),
        Value::Array(elements) => elements.iter().enumerate().for_each(|(at, element)| texts(&place.index(at), name, element, found)),
        // The name of a secret is no text of the option.
        Value::Object(members) if members.contains_key("_secret") => {}
        Value::Object(members) => members.iter().for_each(|(key, member)| texts(&place.key(key), key, member, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_are_seen_through() {
        let value = json!({ "a": [{ "b": 1 }, { "c": 2 }, { "b": [3, 4] }], "b": 5 });
        let found: Vec<_> = each_of(&value, "a.b").into_iter().map(|(place, value)| (place.to_string(), value.clone())).collect();
        let expected = [("a[0].b", json!(1)), ("a[2].b[0]", json!(3)), ("a[2].b[1]", json!(4))];
        assert_eq!(found, expected.map(|(place, value)| (place.to_owned(), value)));
    }
}
