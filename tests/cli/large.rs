//! Descriptions far larger than any site. Each is checked by a process whose processor time and address space are limited, far
//! above what a time takes that grows with the length, far below what one takes that grows with its square.

use std::process::Command;

use serde_json::{Value, json};
use synapse_site::site::schema;

use super::dice::Dice;
use super::support::{Ran, run};

/// Seconds of processor time; a debug build takes a tenth of it, the squares took minutes.
const SECONDS: u64 = 120;

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
    let ran = check("json", &site(unknown(180_000)));
    assert!(ran.err.contains("mistakes are not listed"), "{}", ran.err);
}

#[test]
fn unknown_options_of_a_section() {
    check("json", &site(json!({ "server": unknown(150_000) })));
}

#[test]
fn unknown_settings() {
    let ran = check("json", &site(json!({ "synapse": { "settings": unknown(100_000) } })));
    assert!(ran.err.contains("90000 more mistakes are not listed"), "{}", ran.err);
}

#[test]
fn settings_that_are_let_through_and_entries_without_need() {
    for name in ["opt", "other"] {
        let unchecked = list(60_000, |at| json!(format!("{name}{at}")));
        check("json", &site(json!({ "synapse": { "unchecked": unchecked, "settings": unknown(60_000) } })));
    }
}

#[test]
fn members_of_settings() {
    check("json", &site(json!({ "synapse": { "settings": { "default_power_level_content_override": unknown(150_000) } } })));
    let module = |at: usize| json!({ "module": format!("m{at}.M"), "config": { "path": "/srv/x" } });
    check("json", &site(json!({ "synapse": { "settings": { "modules": list(40_000, module) } } })));
}

#[test]
fn keys_that_are_written_again_and_again() {
    let text = format!("{{\"server\": {{{}}}}}", vec!["\"server_name\": \"example.org\""; 100_000].join(","));
    check("json", &text);
    check("yaml", &format!("server:\n{}", "  server_name: example.org\n".repeat(100_000)));
}

#[test]
fn acceptances() {
    let accept = |at: usize| json!({ "code": "S0320", "option": format!("gateway.a{at}"), "reason": "x" });
    check("json", &site(json!({ "checks": { "accept": list(1000, accept) } })));
}

#[test]
fn more_values_than_are_read() {
    for number in [190_000, 900_000] {
        let ran = check("json", &site(json!({ "administrators": list(number, |at| json!(at % 10)) })));
        assert_eq!(ran.code, Some(1));
    }
    let anchors: String = (0..100_000).map(|at| format!("  k{at}: &a{at} text{at}\n")).collect();
    check("yaml", &format!("server:\n{anchors}"));
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
            let elements = list(60_000, |at| json!(form.replace("{}", &at.to_string())));
            let sections = path.iter().rev().fold(elements, |inner, name| json!({ name: inner }));
            println!("{}: {form}", path.join("."));
            check("json", &site(sections));
        }
    }
}
