//! What has to be on a page somewhere.

use synapse_site::check::rules;
use synapse_site::site::{load, schema};

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

/// A page that shows a finding shows it as the code's bad site has it, but for the place.
#[test]
fn findings_on_pages_are_in_the_words_of_the_program() {
    let words = |text: &str| -> Vec<String> {
        let said = text.lines().filter(|line| line.starts_with("error[") || line.starts_with("warning[") || line.contains("= help: "));
        said.map(|line| line.trim().to_owned()).collect()
    };
    let mut shown = 0;
    for page in page::all() {
        for block in page.blocks().iter().filter(|block| block.text.starts_with("error[") || block.text.starts_with("warning[")) {
            shown += 1;
            let code = block.text.split(['[', ']']).nth(1).expect("a code");
            let found = match load::load(format!("tests/rules/{code}/bad.yaml").as_ref()) {
                Ok(loaded) => rules::apply(&loaded).to_string(),
                Err(error) => error.to_string(),
            };
            let found = words(&found);
            for line in words(&block.text) {
                assert!(found.contains(&line), "{}: {line:?} is not among {found:#?}", block.place);
            }
        }
    }
    assert!(shown >= 2, "only {shown} findings were found");
}
