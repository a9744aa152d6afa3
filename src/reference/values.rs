//! Values that an option could have, from what its schema says: others than the one it has, to see what changes, and the least
//! that makes a section.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value, json};

use super::options::without_null;
use crate::site::load::in_directory;
use crate::site::text::check_format;

/// Texts of every form that an option takes; each form has one or two that are no default.
const TEXTS: &[&str] = &[
    "probe.example.net",
    "probe.example.net:8449",
    "https://probe.example.net/",
    "ldaps://probe.example.net",
    "turn:probe.example.net",
    "mxc://example.net/probe",
    "mailto:probe@example.net",
    "probe@example.net",
    "@probe:example.net",
    "#probe:example.net",
    "!probe:example.net",
    "docker.io/probe/probe:1.0",
    "192.0.2.77",
    "10.77.0.0/16",
    "image/bmp",
    "77M",
    "77d",
    "2.7",
    "nl",
    "probe",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
];

/// Other values than the one that an option has. Files that they name are put beside the others.
pub fn others(schema: &Map<String, Value>, now: Option<&Value>, files: &mut BTreeMap<String, Vec<u8>>) -> Vec<Value> {
    let mut found = match schema.get("type").and_then(Value::as_str) {
        _ if schema.contains_key("oneOf") || schema.contains_key("enum") => choices(schema),
        Some("boolean") => vec![json!(true), json!(false)],
        Some("integer" | "number") => numbers(schema, now),
        Some("array") => lists(schema, now, files),
        Some("object") => sets(schema, now, files),
        _ => texts(schema, now, files),
    };
    // Taken away, an option falls back to its default.
    if now.is_some() {
        found.push(Value::Null);
    }
    found.retain(|value| Some(value) != now && (now.is_some() || Some(value) != schema.get("default")));
    found
}

/// The values of an enumeration.
pub fn choices(schema: &Map<String, Value>) -> Vec<Value> {
    let list = |key: &str| schema.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    list("oneOf").into_iter().map(|branch| branch["const"].clone()).chain(list("enum")).collect()
}

fn numbers(schema: &Map<String, Value>, now: Option<&Value>) -> Vec<Value> {
    let within = |number: f64| {
        let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
        bound("minimum").is_none_or(|least| number >= least) && bound("maximum").is_none_or(|most| number <= most)
    };
    let start = now.or(schema.get("default")).and_then(Value::as_f64).unwrap_or(7.0);
    let whole = schema.get("type").is_some_and(|kind| kind == "integer");
    let number = |number: f64| {
        #[expect(clippy::cast_possible_truncation, reason = "options hold small numbers")]
        if whole { Some(Number::from(number as i64)) } else { Number::from_f64(number) }
    };
    [start + 1.0, start - 1.0, start * 2.0 + 1.0].into_iter().filter(|found| within(*found)).filter_map(number).map(Value::Number).collect()
}

fn lists(schema: &Map<String, Value>, now: Option<&Value>, files: &mut BTreeMap<String, Vec<u8>>) -> Vec<Value> {
    let Some(items) = schema.get("items") else { return Vec::new() };
    let items = without_null(items).0;
    let now = now.and_then(Value::as_array).cloned().unwrap_or_default();
    let element = if items.contains_key("properties") { least(&items).into_iter().collect() } else { others(&items, now.first(), files) };
    let longer = element.into_iter().filter(|element| !element.is_null()).take(2).map(|element| json!([now.clone(), vec![element]].concat()));
    longer.chain([json!([])]).collect()
}

fn sets(schema: &Map<String, Value>, now: Option<&Value>, files: &mut BTreeMap<String, Vec<u8>>) -> Vec<Value> {
    if schema.contains_key("properties") {
        return if now.is_none() { least(schema).into_iter().collect() } else { Vec::new() };
    }
    let member = match schema.get("additionalProperties") {
        Some(inner) if inner.is_object() => {
            let inner = without_null(inner).0;
            if inner.contains_key("properties") { least(&inner).into_iter().collect() } else { others(&inner, None, files) }
        }
        _ => vec![json!("probe")],
    };
    // What the example of a member names has to be there.
    files.extend(member.first().and_then(|member| member["file"].as_str()).map(|file| (file.to_owned(), b"# probe\n".to_vec())));
    let mut longer = now.and_then(Value::as_object).cloned().unwrap_or_default();
    let Some(member) = member.into_iter().next() else { return Vec::new() };
    longer.insert("probe".to_owned(), member);
    vec![Value::Object(longer)]
}

fn texts(schema: &Map<String, Value>, now: Option<&Value>, files: &mut BTreeMap<String, Vec<u8>>) -> Vec<Value> {
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    if format == "file" || format == "directory" {
        let Some(now) = now.and_then(Value::as_str) else { return Vec::new() };
        let other = format!("probe/{now}");
        let copies: Vec<(String, Vec<u8>)> = if format == "file" {
            files.get(now).map(|content| (other.clone(), [content, b"\n# probe\n".as_slice()].concat())).into_iter().collect()
        } else {
            let within = in_directory(now, "");
            let inside = files.iter().filter_map(|(name, content)| Some((name.strip_prefix(&within)?, content)));
            inside.map(|(name, content)| (in_directory(&other, &format!("a{name}")), content.clone())).collect()
        };
        files.extend(copies);
        return vec![json!(other)];
    }
    let pattern = schema.get("pattern").and_then(Value::as_str).and_then(|pattern| regex::Regex::new(pattern).ok());
    let fits = |text: &str| check_format(format, text).is_ok() && pattern.as_ref().is_none_or(|pattern| pattern.is_match(text));
    let examples = schema.get("examples").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let mut found: Vec<Value> = TEXTS.iter().copied().chain(examples).filter(|text| fits(text)).map(Value::from).collect();
    found.dedup();
    // The best fitting come first, and a few are enough.
    found.truncate(4);
    found
}

/// The least that makes a value: what is required, with examples.
pub fn least(schema: &Map<String, Value>) -> Option<Value> {
    if let Some(example) = schema.get("examples").and_then(|examples| examples.get(0)) {
        return Some(example.clone());
    }
    if schema.contains_key("oneOf") || schema.contains_key("enum") {
        return choices(schema).into_iter().next();
    }
    match schema.get("type").and_then(Value::as_str)? {
        "object" => {
            let required: Vec<&str> = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
            let member = |name: &str| Some((name.to_owned(), least(&without_null(&schema.get("properties")?[name]).0)?));
            required.into_iter().map(member).collect::<Option<Map<String, Value>>>().map(Value::Object)
        }
        "array" => Some(json!([])),
        "boolean" => Some(json!(true)),
        "integer" | "number" => schema.get("default").or(schema.get("minimum")).cloned(),
        _ => None,
    }
}
