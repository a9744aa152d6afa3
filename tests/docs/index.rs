//! What has to be on a page somewhere.

use synapse_site::check::rules;
use synapse_site::site::schema;

use super::page;

fn read(path: &str) -> String {
    std::fs::read_to_string(path).expect(path)
}

#[test]
fn every_section_is_in_the_readme_and_on_the_page_about_descriptions() {
    let schema = schema::schema();
    for section in schema["properties"].as_object().expect("sections").keys() {
        for path in ["README.md", "docs/description.md"] {
            let text = read(path);
            let named = [format!("`{section}`"), format!("`{section}."), format!("`{section}:")].iter().any(|form| text.contains(form));
            assert!(named, "{path} does not name the section {section}");
        }
    }
}

#[test]
fn the_readme_leads_to_every_page() {
    let readme = page::all().into_iter().find(|page| page.path.ends_with("README.md") && page.path.components().count() == 1).expect("the README");
    let reached: Vec<_> = readme.links().iter().map(|link| readme.target(link).0).collect();
    for page in page::all().iter().filter(|page| page.path.starts_with("docs")) {
        assert!(reached.contains(&page.path), "README.md has no link to {}", page.path.display());
    }
}

#[test]
fn codes_on_pages_are_codes_of_findings() {
    let codes: Vec<&str> = rules::explanations().map(|explanation| explanation.code).collect();
    let code = regex::Regex::new(r"\bS0\d{3}\b").expect("a pattern");
    let mut named = 0;
    for page in page::all() {
        for found in code.find_iter(&page.text) {
            named += 1;
            assert!(codes.contains(&found.as_str()), "{}: there is no {}", page.path.display(), found.as_str());
        }
    }
    assert!(named > 100, "only {named} codes were found");
}
