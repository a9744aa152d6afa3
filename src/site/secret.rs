//! Secrets as a description knows them: by name, `{ _secret: NAME }`.

use serde_json::Value;

/// The name in `{ _secret: NAME }`; none when the value is something else.
///
/// # Errors
/// When it is such a reference, but the name is not one that a file under `secrets/` can have.
pub fn reference(value: &Value) -> Option<Result<&str, String>> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    let name = members.get("_secret")?;
    let good = |name: &&str| !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    Some(name.as_str().filter(good).ok_or_else(|| "what stands there is no name of a secret".to_owned()))
}

/// Every reference in a value, in order.
pub fn references(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(members) => match reference(value) {
            Some(name) => name.into_iter().collect(),
            None => members.values().flat_map(references).collect(),
        },
        Value::Array(elements) => elements.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}
