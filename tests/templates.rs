//! The table of templates against the pinned Synapse itself: its files, and the places that read them.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use synapse_site::check::rules::{FIXED_TEMPLATES, TEMPLATES};
use synapse_site::package::cache::Cache;
use synapse_site::package::fetch;
use synapse_site::package::lock::PythonLock;
use synapse_site::package::progress::Silent;

/// The files of the locked wheel below a directory, by name.
fn files(below: &str) -> Vec<(String, String)> {
    let lock = PythonLock::load(Path::new("images/synapse/python.lock")).expect("a lock");
    let wheel = lock.get("matrix-synapse").expect("Synapse is locked").clone();
    let sha256 = wheel.sha256.clone();
    let cache = Cache::open(None).expect("a cache");
    fetch::ensure(&cache, &[], &[&PythonLock::new(&lock.python, vec![wheel])], &Silent).expect("the wheel");
    let file = std::fs::File::open(cache.package(&sha256).expect("in the cache")).expect("opens");
    let mut archive = zip::ZipArchive::new(file).expect("a wheel");
    let names: Vec<String> =
        archive.file_names().map(|name| name.expect("a name").into_owned()).filter(|name| name.starts_with(below) && !name.ends_with('/')).collect();
    names
        .into_iter()
        .map(|name| {
            let mut text = String::new();
            archive.by_name(&name).expect("there").read_to_string(&mut text).expect("text");
            (name[below.len()..].to_owned(), text)
        })
        .collect()
}

#[test]
fn the_table_of_templates_is_that_of_the_pinned_synapse() {
    let there: BTreeSet<String> = files("synapse/res/templates/").into_iter().map(|(name, _)| name).collect();
    let table: BTreeSet<String> = TEMPLATES.iter().chain(FIXED_TEMPLATES).map(|name| (*name).to_owned()).collect();
    assert_eq!(there, table, "left: in the package, right: in the table");
}

#[test]
fn templates_that_a_site_cannot_replace_are_those_read_alone() {
    let call = regex::Regex::new(r#"\.read_template\(\s*"([^"]+)""#).expect("an expression");
    let alone: BTreeSet<String> =
        files("synapse/config/").iter().flat_map(|(_, source)| call.captures_iter(source).map(|found| found[1].to_owned()).collect::<Vec<_>>()).collect();
    assert_eq!(alone, FIXED_TEMPLATES.iter().map(|name| (*name).to_owned()).collect());
}

/// What `check` cannot parse it warns of; it can parse everything that Synapse itself has.
#[test]
fn every_template_of_synapse_is_one_for_check() {
    for (name, source) in files("synapse/res/templates/") {
        if let Err(why) = minijinja::Environment::new().add_template(&name, &source) {
            panic!("{name}: {why}");
        }
    }
}
