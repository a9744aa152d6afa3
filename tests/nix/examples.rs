//! The examples as modules: each `site.nix` means the same site as the `site.yaml` beside it.

use std::path::Path;

use similar::TextDiff;
use synapse_site::site::load;

use crate::support::{self, lib_or_skip};

#[test]
fn every_example_is_the_same_site_as_a_module() {
    let lib = lib_or_skip!("every_example_is_the_same_site_as_a_module");
    let mut seen = 0;
    for entry in std::fs::read_dir("examples").expect("examples") {
        let example = entry.expect("an entry").path();
        if !example.is_dir() {
            continue;
        }
        let module = support::load(&example.join("site.nix"), &lib).unwrap_or_else(|error| panic!("{}: {error}", example.display()));
        let yaml = load::load(&example.join("site.yaml")).unwrap_or_else(|error| panic!("{}: {error}", example.display()));
        let (module, yaml) = (as_text(&module, &example), as_text(&yaml, &example));
        let difference = TextDiff::from_lines(&module, &yaml).unified_diff().header("site.nix", "site.yaml").to_string();
        assert!(difference.is_empty(), "{}:\n{difference}", example.display());
        seen += 1;
    }
    assert!(seen >= 6, "only {seen} examples");
}

/// The description, with the paths of files as seen from the example.
fn as_text(loaded: &load::Loaded, example: &Path) -> String {
    let text = serde_json::to_string_pretty(&loaded.site).expect("plain data");
    let absolute = format!("{}/", example.canonicalize().expect("there").display());
    text.replace(&absolute, "")
}
