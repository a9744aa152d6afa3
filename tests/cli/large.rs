//! Descriptions far larger than any site. Each is checked by a process whose processor time and address space are limited, above what
//! a time takes that grows with the length, below what one takes that grows with its square.
//!
//! How long they are: in a debug build one step of a loop takes some ten nanoseconds, so that the square of [`MANY`] takes well over the
//! limit, while a pass takes some hundred milliseconds, and all that is told of ten thousand mistakes a few seconds. What is compared
//! with few others, as sections are with each other, is as long as it has to be for its square.

use std::process::Command;

use serde_json::{Value, json};
use synapse_site::site::schema;

use super::dice::Dice;
use super::support::{Ran, run};

/// Elements or members.
const MANY: usize = 50_000;

/// Seconds of processor time; a debug build takes a fifth of it.
const SECONDS: u64 = 25;

/// Bytes of address space; a debug build takes a fifth of it.
const MEMORY: u64 = 1 << 30;

/// What `check` says of a description of this format.
#[track_caller]
fn check(format: &str, text: &str) -> Ran {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join(format!("site.{format}"));
    std::fs::write(&file, text).expect("written");
    let mut command = Command::new("prlimit");
    command.args([&format!("--cpu={SECONDS}"), &format!("--as={MEMORY}"), "--core=0", env!("CARGO_BIN_EXE_synapse-site"), "check"]).arg(&file);
    let ran = run(&mut command);
    assert!(matches!(ran.code, Some(0 | 1)), "{:?}: {}", ran.code, ran.err.chars().take(2000).collect::<String>());
    ran
}

/// A site in which these sections stand, too.
fn site(sections: Value) -> String {
    let mut site = json!({ "server": { "server_name": "example.org", "public_baseurl": "https://chat.example.org/" } });
    for (name, section) in sections.as_object().expect("sections") {
        match (site.get_mut(name).and_then(Value::as_object_mut), section.as_object()) {
            (Some(there), Some(more)) => there.extend(more.clone()),
            _ => site[name] = section.clone(),
        }
    }
    site.to_string()
}

fn many(number: usize, member: impl Fn(usize) -> (String, Value)) -> Value {
    Value::Object((0..number).map(member).collect())
}

fn list(number: usize, element: impl Fn(usize) -> Value) -> Value {
    (0..number).map(element).collect()
}

fn unknown(number: usize) -> Value {
    many(number, |at| (format!("opt{at}"), json!(1)))
}

#[test]
fn unknown_sections() {
    let ran = check("json", &site(unknown(MANY)));
    assert!(ran.err.contains("40001 more options and elements of lists were not looked at"), "{}", ran.err);
}

#[test]
fn unknown_options_of_a_section() {
    check("json", &site(json!({ "server": unknown(MANY) })));
}

#[test]
fn unknown_settings() {
    let ran = check("json", &site(json!({ "synapse": { "settings": unknown(MANY) } })));
    assert!(ran.err.contains("40000 more mistakes are not listed"), "{}", ran.err);
}

#[test]
fn settings_that_are_let_through_and_entries_without_need() {
    for name in ["opt", "other"] {
        let unchecked = list(MANY, |at| json!(format!("{name}{at}")));
        check("json", &site(json!({ "synapse": { "unchecked": unchecked, "settings": unknown(20_000) } })));
    }
}

#[test]
fn members_of_settings() {
    check("json", &site(json!({ "synapse": { "settings": { "default_power_level_content_override": unknown(MANY) } } })));
    let module = |at: usize| json!({ "module": format!("m{at}.M"), "config": { "path": "/srv/x" } });
    check("json", &site(json!({ "synapse": { "settings": { "modules": list(20_000, module) } } })));
}

#[test]
fn keys_that_are_written_again_and_again() {
    let text = format!("{{\"server\": {{{}}}}}", vec!["\"server_name\": \"example.org\""; MANY].join(","));
    check("json", &text);
    check("yaml", &format!("server:\n{}", "  server_name: example.org\n".repeat(MANY)));
}

#[test]
fn acceptances() {
    let accept = |at: usize| json!({ "code": "S0320", "option": format!("gateway.a{at}"), "reason": "x" });
    check("json", &site(json!({ "checks": { "accept": list(1000, accept) } })));
}

#[test]
fn more_values_than_are_read() {
    let ran = check("json", &site(json!({ "administrators": list(900_000, |at| json!(at % 10)) })));
    assert!(ran.err.contains("than are read"), "{}", ran.err);
}

/// Each stands where it may not be shown, so that it is looked for in all that is said.
#[test]
fn anchors() {
    let names: String = (0..95_000).map(|at| format!("  k{at}: &a{at} text{at}\n")).collect();
    check("yaml", &format!("server:\n{names}"));
    let elements: String = (0..150_000).map(|at| format!("  - &a{at} text{at}\n")).collect();
    check("yaml", &format!("servers:\n{elements}"));
    // A long text within another one, in a message as long.
    let long = "a".repeat(1_000_000);
    check("yaml", &format!("servers: [&a {long}b, &b {long}c]\nlogging: {{ level: {long} }}\n"));
    let near = format!("{}b", "a".repeat(200));
    check("yaml", &format!("servers: [&a {near}]\nlogging: {{ level: {long} }}\n"));
}

/// The path of each element holds the name.
#[test]
fn long_names_above_many_elements() {
    let elements = list(MANY, |_| json!(1));
    let ran = check("json", &json!({ "a".repeat(1_000_000): elements }).to_string());
    assert!(ran.err.contains("than are read"), "{}", ran.err);
    // The same by an alias, which the text has once.
    let ones = "1, ".repeat(10_000);
    let ran = check("yaml", &format!("k: &k [{ones}]\n? {}\n: [*k, *k, *k, *k]\n", "a".repeat(100_000)));
    assert!(ran.err.contains("than are read"), "{}", ran.err);
}

#[test]
fn brackets_aliases_and_long_texts() {
    check("yaml", &format!("a: {}", "[".repeat(2_000_000)));
    check("yaml", &format!("a: {}", "[]".repeat(9_000)));
    check("json", &format!("{{\"a\": {}", "[".repeat(2_000_000)));
    check("yaml", &format!("a: &a {}\nb: [{}]\n", "y".repeat(1_000_000), "*a, ".repeat(5_000)));
    check("yaml", &format!("server:\n  server_name: {}\n", "a".repeat(4_000_000)));
    check("yaml", &format!("{}server: {{}}\n", "#a\n".repeat(1_300_000)));
}

/// Every list of texts in the schema: by path.
fn lists(schema: &Value, path: &[String], found: &mut Vec<Vec<String>>) {
    for branch in schema["anyOf"].as_array().into_iter().flatten() {
        lists(branch, path, found);
    }
    if schema["items"]["type"] == "string" {
        found.push(path.to_vec());
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        lists(property, &[path, std::slice::from_ref(name)].concat(), found);
    }
}

/// Two lists of the schema, others with another seed: with what is right in many of them, and what is in none.
#[test]
fn lists_of_texts() {
    let mut all = Vec::new();
    lists(schema::root(), &[], &mut all);
    assert!(all.len() > 20, "{all:?}");
    let start = Dice::new().below(all.len());
    let chosen = [0, all.len() / 2].map(|step| &all[(start + step) % all.len()]);
    for path in chosen {
        for form in ["h{}.example.org", "text {}"] {
            let elements = list(MANY, |at| json!(form.replace("{}", &at.to_string())));
            let sections = path.iter().rev().fold(elements, |inner, name| json!({ name: inner }));
            println!("{}: {form}", path.join("."));
            check("json", &site(sections));
        }
    }
}
