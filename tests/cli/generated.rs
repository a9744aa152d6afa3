//! Descriptions that nobody would write: whatever the text is, reading, checking and rendering end without a panic, and what is
//! rendered for Synapse can be read.

use std::cell::Cell;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::{Value, json};

use super::common;
use synapse_site::check::rules;
use synapse_site::site::load;

/// The file that the example names.
const POLICY: &str = "end-user-policy-0.1.md";

/// Loads, checks and renders; gives Synapse's configuration when the description is good.
fn through(name: &str, text: &str) -> Option<Value> {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join(name);
    std::fs::write(&file, text).expect("written");
    std::fs::copy(format!("examples/example.com/{POLICY}"), dir.path().join(POLICY)).expect("copied");
    let loaded = match load::load(&file) {
        Ok(loaded) => loaded,
        Err(error) => {
            assert!(!error.to_string().trim().is_empty());
            return None;
        }
    };
    let findings = rules::apply(&loaded);
    drop(findings.to_string());
    if findings.has_errors() {
        return None;
    }
    let rendered = common::deployment(&loaded);
    // Synapse merges its files by their top-level options.
    let mut merged = serde_json::Map::new();
    for (path, content) in rendered.images["synapse"].iter().filter(|(path, _)| path.ends_with(".yaml") && !path.ends_with("log.yaml")) {
        let Value::Object(options) = serde_yaml::from_slice(content).expect("what is rendered is YAML") else { panic!("{path} is no mapping") };
        merged.extend(options);
    }
    Some(Value::Object(merged))
}

/// Any JSON value, with texts that YAML readers like to take for something else.
pub fn any_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<String>(),
        "[a-z0-9:., _%#&*!|>'\"\\[\\]{}~=<?-]{0,12}",
        proptest::sample::select(vec![
            "no",
            "0.10",
            "1e3",
            "12:30",
            "1_000",
            "0x1f",
            "010",
            "~",
            "null",
            "=",
            "<<",
            "2001-01-01",
            ".inf",
            "\u{202e}x",
            "\u{85}",
            "😀",
            "a\nb\n"
        ])
        .prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(text.clone(), inner, 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The example of this repository, as plain data.
fn example() -> Value {
    let loaded = load::load(Path::new("examples/example.com/site.nix")).expect("the example loads");
    serde_json::to_value(&loaded.site).expect("plain data")
}

/// Does something to the option that `pick` chooses.
fn mutate(value: &mut Value, pick: &mut impl FnMut(usize) -> usize, with: &Value) {
    let stay = pick(4) == 0;
    match value {
        Value::Object(members) if !members.is_empty() && !stay => {
            let key = members.keys().nth(pick(members.len())).cloned().unwrap_or_default();
            match pick(6) {
                0 => drop(members.remove(&key)),
                1 => {
                    let old = members.remove(&key).unwrap_or_default();
                    members.insert(format!("{key}x"), old);
                }
                _ => mutate(members.entry(key).or_insert(Value::Null), pick, with),
            }
        }
        Value::Array(elements) if !elements.is_empty() && !stay => {
            let index = pick(elements.len());
            mutate(&mut elements[index], pick, with);
        }
        other => *other = with.clone(),
    }
}

/// FUZZ in the environment says how many times as many cases are tried (`make fuzz`).
pub fn times() -> usize {
    std::env::var("FUZZ").map_or(1, |times| times.parse().expect("FUZZ is a number"))
}

pub fn config(cases: u32) -> Config {
    Config { cases: cases * u32::try_from(times()).expect("a number of times"), failure_persistence: None, max_shrink_iters: 200, ..Config::default() }
}

#[test]
fn any_text_is_read_to_an_end() {
    proptest!(config(200), |(text in any::<String>(), near in "[a-z:\\[\\]{}&*!#|>'\"%@`, \n\t-]{0,80}")| {
        for name in ["site.yaml", "site.json"] {
            through(name, &text);
            through(name, &near);
            through(name, &format!("server: {near}\n"));
        }
    });
}

#[test]
fn any_change_of_the_example_is_read_to_an_end() {
    let example = example();
    let good = Cell::new(0);
    proptest!(config(300), |(with in any_value(), picks in proptest::collection::vec(any::<prop::sample::Index>(), 12), times in 1..3_usize)| {
        let mut site = example.clone();
        let mut picks = picks.iter().cycle();
        for _ in 0..times {
            mutate(&mut site, &mut |below| picks.next().map_or(0, |index| index.index(below)), &with);
        }
        let text = site.to_string();
        let (json, yaml) = (through("site.json", &text), through("site.yaml", &text));
        good.set(good.get() + usize::from(json.is_some()));
        if let (Some(json), Some(yaml)) = (json, yaml) {
            prop_assert_eq!(json, yaml);
        }
    });
    let good = good.get();
    assert!(good > 3, "only {good} changed examples were good: the rest of the pipeline saw too little");
}

#[test]
fn any_setting_reaches_synapse_as_it_was_written() {
    proptest!(config(200), |(meant in any_value())| {
        let site = json!({
            "server": { "server_name": "example.com", "public_baseurl": "https://matrix.example.com/" },
            "synapse": { "unchecked": ["x_custom"], "settings": { "x_custom": { "value": meant } } },
        });
        if let Some(configuration) = through("site.json", &site.to_string()) {
            prop_assert_eq!(whole_as_integers(&configuration["x_custom"]["value"]), whole_as_integers(&site["synapse"]["settings"]["x_custom"]["value"]));
        }
    });
}

/// `1.0` and `1` are one value to all who read numbers; which of the two is written depends on the version of Nix, so the program
/// writes the second.
fn whole_as_integers(value: &Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            #[expect(clippy::cast_possible_truncation, reason = "whole, and smaller than 2^53")]
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0 => json!(float as i64),
            _ => value.clone(),
        },
        Value::Array(elements) => elements.iter().map(whole_as_integers).collect(),
        Value::Object(members) => members.iter().map(|(key, member)| (key.clone(), whole_as_integers(member))).collect(),
        other => other.clone(),
    }
}
