//! Long texts, names and lists in a description: what is said of them is short, for people and as data.

use std::path::Path;

use serde_json::{Value, json};
use synapse_site::check::{Findings, rules};
use synapse_site::error::Error;
use synapse_site::site::load;
use synapse_site::site::schema;

/// Bytes of each text.
const LENGTH: usize = 100_000;

/// The most bytes that are said of one finding, for people or as data: its path, its message, its remedy and an excerpt.
const MOST: usize = 16_000;

/// Every option that takes a text, by its steps; `*` is a member of any name, `[]` an element of a list.
fn texts(schema: &Value, path: &[String], found: &mut Vec<Vec<String>>) {
    let is_text = |kind: &Value| kind == "string" || kind.as_array().is_some_and(|kinds| kinds.contains(&json!("string")));
    let is_choice = schema.get("enum").is_some() || schema.get("oneOf").is_some() || schema.get("const").is_some();
    if is_text(&schema["type"]) || is_choice {
        found.push(path.to_vec());
    }
    let further = |name: &str| [path, &[name.to_owned()]].concat();
    schema["anyOf"].as_array().into_iter().flatten().for_each(|branch| texts(branch, path, found));
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        texts(property, &further(name), found);
    }
    for (part, step) in [("items", "[]"), ("additionalProperties", "*")] {
        if schema[part].is_object() {
            texts(&schema[part], &further(step), found);
        }
    }
}

/// What is wrong with a description.
fn findings(site: &Value, beside: &Path) -> Findings {
    let file = beside.join("site.json");
    std::fs::write(&file, site.to_string()).expect("written");
    match load::load(&file) {
        Ok(loaded) => rules::apply(&loaded),
        Err(Error::Site(findings)) => findings,
        Err(other) => panic!("{other}"),
    }
}

#[track_caller]
fn is_short(findings: &Findings, what: &str) {
    let people = findings.to_string();
    assert!(people.len() <= MOST * findings.list.len(), "{what}: {} bytes of {} findings: {:.2000}", people.len(), findings.list.len(), people);
    for finding in &findings.list {
        let data = serde_json::to_string(finding).expect("JSON");
        assert!(data.len() <= MOST, "{what}: {data:.2000}");
    }
}

fn forms() -> [String; 4] {
    ["a", "a b, ", "é\"\\", "https://a.example/"].map(|part| part.repeat(LENGTH / part.len()))
}

#[test]
fn long_texts_at_every_option() {
    let mut all = Vec::new();
    texts(schema::root(), &[], &mut all);
    assert!(all.len() > 200, "{}", all.len());
    let dir = tempfile::tempdir().expect("a directory");
    for (at, form) in forms().into_iter().enumerate() {
        // A description has at most 4 MiB. Each option has one of the forms.
        for some in all.chunks(20).skip(at).step_by(4) {
            let mut site = json!({ "server": { "server_name": "example.org", "public_baseurl": "https://chat.example.org/" } });
            for path in some {
                put(&mut site, path, &form);
            }
            let findings = findings(&site, dir.path());
            is_short(&findings, &some.iter().map(|path| path.join(".")).collect::<Vec<_>>().join(", "));
        }
    }
}

fn put(into: &mut Value, path: &[String], text: &str) {
    let Some((step, rest)) = path.split_first() else {
        *into = json!(text);
        return;
    };
    match step.as_str() {
        "[]" => {
            if !into.is_array() {
                *into = json!([null]);
            }
            put(&mut into[0], rest, text);
        }
        name => {
            if !into.is_object() {
                *into = json!({});
            }
            put(&mut into[if name == "*" { "NAME" } else { name }], rest, text);
        }
    }
}

/// The texts that a type takes, of which rules speak: each free text of the example that has every section, one after the other.
#[test]
fn long_texts_that_the_types_take() {
    let text = std::fs::read_to_string("examples/everything/site.yaml").expect("the example");
    let site: Value = serde_yaml::from_str(&text).expect("YAML");
    let mut leaves = Vec::new();
    collect(&site, String::new(), &mut leaves);
    let mut tried = 0;
    for leaf in leaves {
        let mut changed = site.clone();
        *changed.pointer_mut(&leaf).expect("there") = json!("a ".repeat(LENGTH / 2));
        if load::of_value(changed, Default::default()).is_err() {
            continue;
        }
        for form in forms() {
            let mut changed = site.clone();
            *changed.pointer_mut(&leaf).expect("there") = json!(form);
            // The files that the example names are of no matter here.
            if let Ok(loaded) = load::of_value(changed, Default::default()) {
                is_short(&rules::apply(&loaded), &leaf);
                tried += 1;
            }
        }
    }
    assert!(tried > 50, "{tried}");
}

fn collect(value: &Value, at: String, leaves: &mut Vec<String>) {
    match value {
        Value::String(_) => leaves.push(at),
        Value::Array(elements) => elements.iter().enumerate().for_each(|(index, element)| collect(element, format!("{at}/{index}"), leaves)),
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| collect(member, format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), leaves));
        }
        _ => {}
    }
}

#[test]
fn long_names_and_many() {
    let dir = tempfile::tempdir().expect("a directory");
    let name = "a".repeat(LENGTH);
    let many: Value = (0..5000).map(|at| json!(format!("type{at}"))).collect();
    for sections in [
        json!({ &name: 1 }),
        json!({ "server": { &name: 1 } }),
        json!({ "synapse": { "settings": { &name: 1, "caches": { &name: 1 }, "experimental_features": { &name: { &name: 1 } } } } }),
        json!({ "synapse": { "settings": { "user_types": { "default_user_type": &name, "extra_user_types": many } } } }),
        json!({ "synapse": { "unchecked": [&name] } }),
        json!({ "checks": { "accept": [{ "code": &name, "reason": &name, "option": &name }] } }),
        json!({ "database": { "settings": { &name: &name } } }),
    ] {
        let mut site = json!({ "server": { "server_name": "example.org", "public_baseurl": "https://chat.example.org/" } });
        for (section, members) in sections.as_object().expect("sections") {
            match (site[section].as_object_mut(), members.as_object()) {
                (Some(there), Some(members)) => there.extend(members.clone()),
                _ => site[section] = members.clone(),
            }
        }
        let findings = findings(&site, dir.path());
        assert!(!findings.list.is_empty());
        is_short(&findings, &format!("{:?}", sections.as_object().expect("sections").keys().map(|key| &key[..key.len().min(20)]).collect::<Vec<_>>()));
    }
}
