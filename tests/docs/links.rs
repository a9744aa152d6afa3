//! Links from page to page.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::page::{self, Page};

#[test]
fn links_lead_to_files_and_headings_that_are_there() {
    let mut broken = Vec::new();
    let mut followed = 0;
    let mut anchors: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for page in page::all() {
        for link in page.links().into_iter().filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            followed += 1;
            let (file, anchor) = page.target(&link);
            let there = if anchor.is_empty() {
                file.exists()
            } else {
                let there = |path: &PathBuf| std::fs::read_to_string(path).map_or(Vec::new(), |text| Page { path: path.clone(), text }.anchors());
                anchors.entry(file.clone()).or_insert_with(|| there(&file)).contains(&anchor)
            };
            if !there {
                broken.push(format!("{}: {link}", page.path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(followed > 50, "only {followed} links were found");
}
