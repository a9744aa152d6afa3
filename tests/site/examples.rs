//! The sites under `examples/`: nothing is wrong with them, and what they render is what was reviewed. Everything that follows
//! from an example is kept as plain files under `tests/snapshots/<example>/`; `make snapshots` writes them again, and the diff
//! is the review.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::common;
use similar::TextDiff;
use synapse_site::check::rules;
use synapse_site::deploy::{self, compose};
use synapse_site::deployment::{Deployment, Service};
use synapse_site::site::load::{self, Loaded};
use synapse_site::site::schema;

/// Set to `write`, the snapshots are written instead of compared.
const SWITCH: &str = "SNAPSHOTS";
/// Lines of a difference that are shown, for each file.
const SHOWN: usize = 40;

/// The directories of the examples, by name.
fn examples() -> BTreeMap<String, PathBuf> {
    let directories = std::fs::read_dir("examples").expect("examples").map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir());
    directories.map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), path)).collect()
}

fn load(example: &Path) -> Loaded {
    load::load(&example.join("site.yaml")).unwrap_or_else(|error| panic!("{}: {error}", example.display()))
}

/// Everything that follows from a description, by path: the files of the images, the documents, the manifest.
fn rendered(loaded: &Loaded) -> BTreeMap<String, Vec<u8>> {
    let rendered = common::deployment(loaded);
    // Tag and user follow from packages, which no description decides.
    let mut files = BTreeMap::new();
    for (image, content) in &rendered.images {
        files.extend(content.iter().map(|(path, bytes)| (format!("{image}{path}"), bytes.clone())));
    }
    files.extend(rendered.well_known.iter().map(|(name, bytes)| (format!("well-known/{name}"), bytes.clone())));
    files.insert("compose.yaml".to_owned(), compose::manifest(&rendered, &common::images(&rendered)).expect("a manifest").into_bytes());
    files.insert("env".to_owned(), compose::environment(&rendered).into_bytes());
    files.insert("secrets.txt".to_owned(), deploy::secrets_page(&rendered).into_bytes());
    files
}

/// Every file below a directory; none when there is no directory.
fn kept(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(directory).expect("below").to_string_lossy().into_owned();
                files.insert(name, std::fs::read(&path).expect("readable"));
            }
        }
    }
    files
}

#[test]
fn every_example_says_the_same_in_two_languages_and_nothing_is_wrong_with_it() {
    let index = std::fs::read_to_string("examples/README.md").expect("an index");
    for (name, example) in examples() {
        assert!(example.join("site.nix").is_file() && example.join("site.yaml").is_file(), "{name} lacks site.nix or site.yaml");
        assert!(index.contains(&format!("[{name}]({name})")), "{name} is not in examples/README.md");
        let found = rules::apply(&load(&example));
        assert!(found.list.is_empty(), "{name}:\n{found}");
    }
}

#[test]
fn the_largest_example_has_every_section() {
    let text = std::fs::read_to_string("examples/everything/site.yaml").expect("the example");
    let site: serde_json::Value = serde_yaml::from_str(&text).expect("YAML");
    let schema = schema::schema();
    // Synapse refuses it together with consent, providers and administrators.
    let apart = "matrix_authentication_service";
    let delegated = std::fs::read_to_string("examples/delegated/site.yaml").expect("the example");
    assert!(delegated.contains(apart));
    for section in schema["properties"].as_object().expect("sections").keys().filter(|section| *section != apart) {
        assert!(site.get(section).is_some(), "the section {section} is not in examples/everything/site.yaml; add it there and in site.nix");
    }
}

#[test]
fn snapshots_are_what_the_examples_render() {
    let all = Path::new("tests/snapshots");
    if std::env::var_os(SWITCH).is_some_and(|value| value == "write") {
        for (name, example) in examples() {
            let directory = all.join(name);
            let _ = std::fs::remove_dir_all(&directory);
            for (path, bytes) in rendered(&load(&example)) {
                let file = directory.join(path);
                std::fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
                std::fs::write(file, bytes).expect("written");
            }
        }
        return;
    }
    let named: BTreeSet<String> =
        std::fs::read_dir(all).expect("snapshots").map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(named, examples().into_keys().collect(), "left: directories of snapshots, right: examples");
    let mut report = String::new();
    for (name, example) in examples() {
        let (old, new) = (kept(&all.join(&name)), rendered(&load(&example)));
        let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for path in paths {
            let here = format!("tests/snapshots/{name}/{path}");
            match (old.get(path), new.get(path)) {
                (Some(old), Some(new)) if old == new => {}
                (Some(old), Some(new)) => {
                    let (old, new) = (String::from_utf8_lossy(old), String::from_utf8_lossy(new));
                    let diff = TextDiff::from_lines(&old, &new).unified_diff().context_radius(1).to_string();
                    let lines: Vec<&str> = diff.lines().take(SHOWN).collect();
                    let _ = writeln!(report, "{here} differs:\n{}\n", lines.join("\n"));
                }
                (Some(_), None) => drop(writeln!(report, "{here} is not rendered any more\n")),
                (None, _) => drop(writeln!(report, "{here} is new\n")),
            }
        }
    }
    assert!(report.is_empty(), "{report}If this is what was meant: make snapshots, and read git diff tests/snapshots");
}

/// The secrets that a service reads, by what it is given: its command, its role, and the files that these lead to.
fn read(service: &Service, deployment: &Deployment) -> BTreeSet<String> {
    let files = deployment.images.get(service.image).cloned().unwrap_or_default();
    let mut texts: Vec<String> = service.command.clone();
    let mut templates = BTreeMap::new();
    if let Some((_, role)) = &service.role {
        let mut said = serde_json::to_value(role).expect("JSON");
        said.as_object_mut().expect("a role").remove("secrets");
        texts.push(said.to_string());
        templates.extend(role.files.iter().map(|template| (template.target.clone(), template.source.clone())));
    }
    if service.is_job {
        let plan: serde_json::Value = serde_json::from_slice(&files["/etc/synapse-site/launch.json"]).expect("a plan");
        texts.push(plan["admin"].to_string());
    }
    // A file is read when its name, that of its completed form or that of a directory around it stands in what was read before.
    let mut open: BTreeSet<&String> = files.keys().filter(|path| *path != "/etc/synapse-site/launch.json").collect();
    while let Some(path) = open.iter().copied().find(|path| {
        let completed = templates.iter().filter(|(_, source)| source == path).map(|(target, _)| target);
        let names = std::iter::once(*path).chain(completed).flat_map(|name| [name.as_str(), name.rsplit_once('/').map_or("", |(directory, _)| directory)]);
        names
            .filter(|name| name.matches('/').count() > 1)
            .any(|name| texts.iter().any(|text| text.contains(&format!("{name}\"")) || text.ends_with(name) || text.contains(&format!("{name}\n"))))
    }) {
        open.remove(path);
        texts.push(String::from_utf8_lossy(&files[path]).into_owned());
    }
    let named = |text: &String, name: &str| {
        let begins = text.contains(&format!("@@secret:{name}@@")) || text.contains(&format!("\"{name}\""));
        begins
            || text
                .match_indices(&format!("/run/secrets/{name}"))
                .any(|(at, found)| !text[at + found.len()..].starts_with(|c: char| c.is_ascii_lowercase() || c == '_'))
    };
    deployment.secrets.iter().filter(|secret| texts.iter().any(|text| named(text, &secret.name))).map(|secret| secret.name.clone()).collect()
}

#[test]
fn a_secret_is_mounted_where_it_is_read_and_nowhere_else() {
    let mut seen = BTreeSet::new();
    for (name, example) in examples() {
        let loaded = load(&example);
        let deployment = common::deployment(&loaded);
        for service in &deployment.services {
            let mounted: BTreeSet<String> = service.reads().into_iter().map(str::to_owned).collect();
            assert_eq!(mounted, read(service, &deployment), "{name}, {}: left, what is mounted; right, what is read", service.name);
            seen.extend(mounted);
        }
    }
    assert!(seen.len() > 20, "{seen:?}");
}
