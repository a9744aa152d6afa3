//! The options of a site as a list, from the JSON Schema of its types. Their paths are written as the Nix modules write them:
//! `*` for each element of a list, `<name>` for each name that one gives oneself.

use std::fmt;

use serde_json::{Map, Value};

/// One step of an option's path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A member of an attribute set.
    Key(String),
    /// Every element of a list.
    Element,
    /// Every member of an attribute set whose names are free.
    Member,
}

/// One option: everything that can be set, but sections that are always there.
#[derive(Debug, Clone)]
pub struct Described {
    /// Where it stands.
    pub path: Vec<Part>,
    /// What the schema says about it, without its null; the words outside of a choice win over those within.
    pub schema: Map<String, Value>,
    /// Whether it is required where its section is.
    pub required: bool,
}

impl Described {
    /// Its section: the first word of its path.
    pub fn section(&self) -> &str {
        match self.path.first() {
            Some(Part::Key(key)) => key,
            _ => "",
        }
    }

    /// Whether it holds options itself, and so is a section that can be absent.
    pub fn is_set(&self) -> bool {
        self.schema.contains_key("properties")
    }

    /// Whether it has a few values that can all be tried.
    pub fn is_switch(&self) -> bool {
        self.schema.contains_key("oneOf") || self.schema.get("type").is_some_and(|kind| kind == "boolean")
    }

    /// Whether the other one is in the same section.
    pub fn is_beside(&self, other: &Self) -> bool {
        self.path.split_last().map(|(_, above)| above) == other.path.split_last().map(|(_, above)| above)
    }

    /// Its path as rules name it: without what stands for elements and free names.
    pub fn watched_as(&self) -> String {
        let keys: Vec<&str> = self.path.iter().filter_map(|part| if let Part::Key(key) = part { Some(key.as_str()) } else { None }).collect();
        keys.join(".")
    }
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.path.iter().enumerate() {
            if at > 0 {
                f.write_str(".")?;
            }
            f.write_str(match part {
                Part::Key(key) => key,
                Part::Element => "*",
                Part::Member => "<name>",
            })?;
        }
        Ok(())
    }
}

/// Every option, in the order of the schema.
pub fn all(schema: &Value) -> Vec<Described> {
    let mut found = Vec::new();
    members(schema, &[], &mut found);
    found
}

fn members(schema: &Value, above: &[Part], found: &mut Vec<Described>) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = [above, &[Part::Key(name.clone())]].concat();
        let (plain, nullable) = without_null(property);
        let always_there = !nullable && plain.contains_key("properties") && plain.get("additionalProperties") == Some(&Value::Bool(false));
        if !always_there {
            found.push(Described { path: path.clone(), schema: plain.clone(), required: required.contains(&name.as_str()) });
        }
        below(&plain, &path, found);
    }
}

/// The options within an option.
fn below(schema: &Map<String, Value>, path: &[Part], found: &mut Vec<Described>) {
    if schema.contains_key("properties") {
        members(&Value::Object(schema.clone()), path, found);
    }
    for (key, part) in [("items", Part::Element), ("additionalProperties", Part::Member)] {
        if let Some(inner) = schema.get(key).filter(|inner| inner.is_object()) {
            below(&without_null(inner).0, &[path, &[part]].concat(), found);
        }
    }
}

/// A schema without its null, and whether it had one.
pub fn without_null(schema: &Value) -> (Map<String, Value>, bool) {
    let mut plain = schema.as_object().cloned().unwrap_or_default();
    let mut nullable = false;
    let is_null = |branch: &Value| branch["type"] == "null";
    if let Some(Value::Array(branches)) = plain.remove("anyOf") {
        nullable = branches.iter().any(is_null);
        if let Some(branch) = branches.iter().find(|branch| !is_null(branch)) {
            let mut inner = without_null(branch).0;
            inner.append(&mut plain);
            plain = inner;
        }
    }
    if let Some(Value::Array(branches)) = plain.get_mut("oneOf") {
        nullable |= branches.iter().any(is_null);
        branches.retain(|branch| !is_null(branch));
    }
    if let Some(Value::Array(kinds)) = plain.get_mut("type") {
        nullable |= kinds.iter().any(|kind| kind == "null");
        kinds.retain(|kind| kind != "null");
        if let [kind] = kinds.as_slice() {
            let kind = kind.clone();
            plain.insert("type".to_owned(), kind);
        }
    }
    if let Some(Value::Array(values)) = plain.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    (plain, nullable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::schema;

    #[test]
    fn options_within_lists_and_free_names_are_found_and_sections_that_can_be_absent() {
        let all = all(&schema::schema());
        let paths: Vec<String> = all.iter().map(ToString::to_string).collect();
        for path in ["email", "email.smtp_host", "oidc.oidc_providers.*.issuer", "consent.documents.<name>.file", "synapse.settings"] {
            assert!(paths.iter().any(|found| found == path), "{path} is not among {paths:?}");
        }
        assert!(!paths.iter().any(|found| found == "server" || found == "server.*"));
        let issuer = all.iter().find(|option| option.to_string() == "oidc.oidc_providers.*.issuer").expect("there");
        assert_eq!((issuer.watched_as().as_str(), issuer.section(), issuer.required), ("oidc.oidc_providers.issuer", "oidc", true));
    }
}
