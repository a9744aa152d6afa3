//! The table of templates against the pinned Synapse itself: its files, and the places that read them.

use crate::wheel::files;
use std::collections::BTreeSet;
use synapse_site::check::rules::{FIXED_TEMPLATES, TEMPLATES};

#[test]
fn the_table_of_templates_is_that_of_the_pinned_synapse() {
    let there: BTreeSet<String> = files("synapse/res/templates/", "").into_iter().map(|(name, _)| name).collect();
    let table: BTreeSet<String> = TEMPLATES.iter().chain(FIXED_TEMPLATES).map(|name| (*name).to_owned()).collect();
    assert_eq!(there, table, "left: in the package, right: in the table");
}

#[test]
fn templates_that_a_site_cannot_replace_are_those_read_alone() {
    let call = regex::Regex::new(r#"\.read_template\(\s*"([^"]+)""#).expect("an expression");
    let alone: BTreeSet<String> = files("synapse/config/", ".py")
        .iter()
        .flat_map(|(_, source)| call.captures_iter(source).map(|found| found[1].to_owned()).collect::<Vec<_>>())
        .collect();
    assert_eq!(alone, FIXED_TEMPLATES.iter().map(|name| (*name).to_owned()).collect());
}

/// What `check` cannot parse it warns of; it can parse everything that Synapse itself has.
#[test]
fn every_template_of_synapse_is_one_for_check() {
    for (name, source) in files("synapse/res/templates/", "") {
        if let Err(why) = minijinja::Environment::new().add_template(&name, &source) {
            panic!("{name}: {why}");
        }
    }
}
