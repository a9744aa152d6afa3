//! Every option that the pinned Synapse reads has a verdict in `tests/settings/verdicts.txt`: whether a value of it can end the process, open the
//! site, or switch off what the site promises. Each that can has a rule, and that rule finds the value that stands beside it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use synapse_site::check::rules;
use synapse_site::error::Error;
use synapse_site::site::load;
use synapse_site::synapse::Release;
use synapse_site::synapse::facts::Kind;

const VERDICTS: &str = include_str!("../settings/verdicts.txt");

fn rows(table: &str) -> impl Iterator<Item = &str> {
    table.lines().filter(|line| !line.starts_with('#'))
}

#[test]
fn every_option_has_a_verdict() {
    let names: Vec<&str> = rows(VERDICTS).filter_map(|row| row.split('\t').next()).collect();
    let judged: BTreeSet<&str> = names.iter().copied().collect();
    let options: BTreeSet<&str> = Kind::Options.of(Release::newest()).into_keys().collect();
    let missing: Vec<_> = options.difference(&judged).collect();
    let gone: Vec<_> = judged.difference(&options).collect();
    assert!(judged == options && names.len() == judged.len(), "without a verdict: {missing:?}; no option any more: {gone:?}");
}

#[test]
fn every_verdict_but_harmless_has_a_rule_that_finds_its_value() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("site.json");
    let mut asked: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for row in rows(VERDICTS) {
        let (option, code, value) = match row.split('\t').collect::<Vec<_>>()[..] {
            [_, "harmless"] => continue,
            [option, "ends" | "opens" | "switches off" | "section" | "refused", code, value] => (option, code, value),
            _ => panic!("{row:?} is no row"),
        };
        let codes = asked.entry(value).or_insert_with(|| {
            let settings: Value = serde_json::from_str(value).expect("JSON");
            let mut site = if settings.get("synapse").is_some() { settings } else { json!({ "synapse": { "settings": settings } }) };
            site["server"] = json!({ "server_name": "example.com", "public_baseurl": "https://matrix.example.com/" });
            std::fs::write(&file, site.to_string()).expect("written");
            let findings = match load::load(&file) {
                Ok(loaded) => rules::apply(&loaded).list,
                Err(Error::Site(findings)) => findings.list,
                Err(other) => panic!("{other}"),
            };
            findings.iter().map(|finding| finding.code).collect()
        });
        if !codes.contains(&code) {
            wrong.push(format!("{option}: {value} has {codes:?} and not {code}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(asked.len() > 200);
}
