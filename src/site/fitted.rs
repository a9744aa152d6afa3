//! Numbers as people write them who copy from Synapse's documentation: `5.0` where a whole number belongs, `10` for the version of a room. Synapse
//! reads both as what was meant (config/ratelimiting.py, server.py), and nothing else can be meant.

use serde_json::{Map, Value};

/// Beyond 2^53 not every whole number is a float.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A description with such numbers written as its schema has them.
pub(super) fn fitted(schema: &Value, value: Value) -> Value {
    let Some(rules) = schema.as_object() else { return value };
    if let Some(branches) = rules.get("anyOf").and_then(Value::as_array) {
        return branches.iter().find(|branch| branch["type"] != "null").map_or(value.clone(), |branch| fitted(branch, value));
    }
    match value {
        Value::Number(number) if has_type(rules, "integer") => whole(&number).map_or(Value::Number(number), Value::from),
        Value::Number(number) if number.is_u64() && is_choice(rules, &number.to_string()) => Value::String(number.to_string()),
        Value::Object(members) => {
            let others = rules.get("additionalProperties").unwrap_or(&Value::Null);
            let inner = |name: &str| rules.get("properties").and_then(|known| known.get(name)).unwrap_or(others).clone();
            Value::Object(members.into_iter().map(|(name, member)| (name.clone(), fitted(&inner(&name), member))).collect())
        }
        Value::Array(elements) => match rules.get("items") {
            Some(items) => Value::Array(elements.into_iter().map(|element| fitted(items, element)).collect()),
            None => Value::Array(elements),
        },
        other => other,
    }
}

fn has_type(rules: &Map<String, Value>, wanted: &str) -> bool {
    match rules.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == wanted),
        kind => kind.is_some_and(|kind| kind == wanted),
    }
}

/// Whether a text is one of the values of a closed list.
fn is_choice(rules: &Map<String, Value>, text: &str) -> bool {
    let list = |key: &str| rules.get(key).and_then(Value::as_array).into_iter().flatten();
    list("enum").any(|value| value == text) || list("oneOf").any(|branch| branch["const"] == text)
}

fn whole(number: &serde_json::Number) -> Option<i64> {
    let float = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0 && float.abs() < EXACT)?;
    #[expect(clippy::cast_possible_truncation, reason = "the number is whole and small enough")]
    Some(float as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whole_numbers_and_numbers_of_a_closed_list_are_what_they_mean() {
        let schema = json!({ "properties": {
            "count": { "type": "integer" }, "rate": { "type": "number" }, "version": { "oneOf": [{ "const": "9" }, { "const": "10" }] },
            "list": { "items": { "anyOf": [{ "type": ["integer", "string"] }, { "type": "null" }] } }
        } });
        let written = json!({ "count": 5.0, "rate": 5.0, "version": 10, "list": [1.0, "a", null], "other": 2.0 });
        assert_eq!(fitted(&schema, written), json!({ "count": 5, "rate": 5.0, "version": "10", "list": [1, "a", null], "other": 2.0 }));
        let wrong = json!({ "count": 5.5, "version": 11, "list": 7 });
        assert_eq!(fitted(&schema, wrong.clone()), wrong);
    }
}
