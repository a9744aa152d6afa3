//! Every code of `check` has two small sites under `tests/rules/CODE/`: `bad.yaml` has that finding and no other, `good.yaml` has none. A rule with
//! several branches has a `bad-WORD.yaml` for each further one. All go through the program as a user runs it. `by-hand.yaml`, where there is one, holds what somebody without this program would have written into
//! Synapse's own files for the same mistake.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use synapse_site::check::rules::{self, FoundBy};
use synapse_site::site::schema;

/// Codes that only a description in Nix can have; the tests of modules try them.
const NIX_ONLY: &[&str] = &["S0010"];

fn tool(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_synapse-site")).args(arguments).env("NO_COLOR", "1").output().expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A site that begins with `# Checked for Synapse VERSION` is checked for images with that one.
fn check(site: &Path) -> (Option<i32>, Vec<Value>) {
    let text = std::fs::read_to_string(site).unwrap_or_default();
    let version = text.lines().next().and_then(|line| line.strip_prefix("# Checked for Synapse "));
    let path = site.display().to_string();
    let arguments = version.iter().flat_map(|version| ["--synapse-version", version]);
    let (code, out, err) = tool(&["check", "--json", &path].into_iter().chain(arguments).collect::<Vec<_>>());
    (code, serde_json::from_str(&out).unwrap_or_else(|error| panic!("{}: {error}\n{out}\n{err}", site.display())))
}

fn directory(code: &str) -> PathBuf {
    Path::new("tests/rules").join(code)
}

/// The bad sites of a code.
fn bad_sites(code: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory(code)).expect("the directory").map(|entry| entry.expect("an entry").path());
    let is_bad = |path: &PathBuf| path.file_stem().is_some_and(|stem| stem == "bad" || stem.to_string_lossy().starts_with("bad-"));
    let mut found: Vec<PathBuf> = entries.filter(is_bad).filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect();
    found.sort();
    assert!(found.contains(&directory(code).join("bad.yaml")), "{code} has no bad.yaml");
    found
}

fn plain_codes() -> impl Iterator<Item = &'static str> {
    rules::explanations().map(|explanation| explanation.code).filter(|code| !NIX_ONLY.contains(code))
}

#[test]
fn every_code_has_its_sites_and_every_directory_its_code() {
    let codes: BTreeSet<String> = rules::explanations().map(|explanation| explanation.code.to_owned()).collect();
    let there: BTreeSet<String> = std::fs::read_dir("tests/rules")
        .expect("the directory")
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(there, codes, "left: directories under tests/rules, right: codes");
    for code in plain_codes() {
        for site in ["bad.yaml", "good.yaml"] {
            assert!(directory(code).join(site).is_file(), "{code} has no {site}");
        }
    }
}

#[test]
fn the_bad_site_has_that_finding_and_no_other() {
    for explanation in rules::explanations().filter(|explanation| !NIX_ONLY.contains(&explanation.code)) {
        for file in bad_sites(explanation.code) {
            let (code, found) = check(&file);
            let codes: BTreeSet<&str> = found.iter().filter_map(|finding| finding["code"].as_str()).collect();
            assert_eq!(codes, BTreeSet::from([explanation.code]), "{}: {found:#?}", file.display());
            assert!(found.iter().all(|finding| finding["severity"] == serde_json::json!(explanation.severity)));
            assert_eq!(code, Some(i32::from(explanation.severity == synapse_site::check::Severity::Error)), "{}", file.display());
        }
    }
}

#[test]
fn the_good_site_has_no_finding() {
    for code in plain_codes() {
        let file = directory(code).join("good.yaml");
        let (ended, mut found) = check(&file);
        // One that is accepted, with its reason, is no finding.
        found.retain(|finding| !finding["accepted"].is_string());
        assert_eq!((ended, found), (Some(0), Vec::new()), "{}", file.display());
    }
}

/// Findings stand at the options that a rule says it looks at, or below them.
#[test]
fn findings_stand_where_the_rule_looks() {
    for explanation in rules::explanations().filter(|explanation| explanation.found_by == FoundBy::Rule && !explanation.options.is_empty()) {
        let found = bad_sites(explanation.code).into_iter().flat_map(|file| check(&file).1);
        for finding in found {
            let option = without_indexes(finding["option"].as_str().expect("an option"));
            let below = |watched: &&str| option == **watched || option.strip_prefix(*watched).is_some_and(|rest| rest.starts_with('.'));
            assert!(explanation.options.iter().any(below), "{}: {option} is not among {:?}", explanation.code, explanation.options);
        }
    }
}

/// `turn.turn_uris[1]` is at `turn.turn_uris`.
fn without_indexes(option: &str) -> String {
    option.split('[').map(|part| part.split_once(']').map_or(part, |(_, rest)| rest)).collect()
}

#[test]
fn options_that_rules_look_at_are_in_the_schema() {
    let schema = schema::schema();
    let unknown: BTreeMap<&str, Vec<&str>> = rules::explanations()
        .map(|explanation| (explanation.code, explanation.options.iter().copied().filter(|option| !exists(&schema, option)).collect::<Vec<_>>()))
        .filter(|(_, unknown)| !unknown.is_empty())
        .collect();
    assert!(unknown.is_empty(), "no such options: {unknown:#?}");
}

fn exists(schema: &Value, option: &str) -> bool {
    let mut open = vec![schema];
    for name in option.split('.') {
        let mut next = Vec::new();
        while let Some(schema) = open.pop() {
            if let Some(found) = schema["properties"].get(name) {
                next.push(found);
            } else if schema["additionalProperties"].is_object() || schema["additionalProperties"] == true {
                next.push(&schema["additionalProperties"]);
            } else if schema == &Value::Bool(true) {
                next.push(schema);
            }
            open.extend(schema.get("items"));
            open.extend(["anyOf", "oneOf", "allOf"].iter().filter_map(|name| schema[*name].as_array()).flatten());
        }
        open = next;
    }
    !open.is_empty()
}

#[test]
fn a_code_is_explained_with_its_sites_and_its_remedy() {
    for explanation in rules::explanations() {
        let (code, out, err) = tool(&["check", "--explain", explanation.code]);
        assert_eq!(code, Some(0), "{err}");
        let mut parts = vec![explanation.reason.to_owned()];
        parts.extend(explanation.options.iter().map(|option| (*option).to_owned()));
        let ending = if NIX_ONLY.contains(&explanation.code) { "nix" } else { "yaml" };
        for site in ["bad", "good"] {
            let text = std::fs::read_to_string(directory(explanation.code).join(format!("{site}.{ending}"))).expect("a site");
            parts.extend(text.lines().filter(|line| !line.is_empty()).map(str::to_owned));
        }
        if ending == "yaml" {
            let found = check(&directory(explanation.code).join("bad.yaml")).1;
            parts.extend(found[0]["remedy"].as_str().map(str::to_owned));
        }
        for part in parts {
            assert!(out.contains(part.as_str()), "no {part:?} in:\n{out}");
        }
    }
}
