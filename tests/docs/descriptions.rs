//! The descriptions that pages show, in YAML and in Nix. Each is completed by the two lines that every site needs and by what a comment
//! before it adds, and checked as a user's would be.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};
use synapse_site::check::rules;
use synapse_site::site::{load, schema};

use super::page::{self, Block};

/// A file that a block shows instead of a description: its first line is a comment that begins with the path.
fn file(block: &Block) -> Option<&str> {
    let first = block.text.lines().next()?.strip_prefix("# ")?;
    let path = first.split([',', ' ']).next()?;
    (path.ends_with(".yaml") && !path.ends_with("site.yaml")).then_some(path)
}

/// The description in a block, made whole.
fn description(block: &Block) -> Value {
    let parse = |text: &str| -> Value { serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{}: {error}", block.place)) };
    let mut whole = json!({ "server": { "server_name": "example.com", "public_baseurl": "https://matrix.example.com/" } });
    if let Some(with) = &block.with {
        merge(&mut whole, parse(with));
    }
    merge(&mut whole, parse(&block.text));
    whole
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            from.into_iter().for_each(|(key, value)| merge(into.entry(key).or_insert_with(|| Value::Object(Map::new())), value))
        }
        (into, from) => *into = from,
    }
}

/// Puts what a description names beside it: what the page shows under that name, or something of its kind.
fn put_beside(description: &Value, shown: &BTreeMap<String, String>, dir: &Path) {
    let outcome = schema::check(&schema::schema(), description);
    let write = |path: &str, content: &[u8]| {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, content).expect("written");
    };
    for (_, path) in &outcome.files {
        let kind = Path::new(path).extension().and_then(|kind| kind.to_str());
        match (shown.get(path), kind) {
            (Some(text), _) => write(path, text.as_bytes()),
            (None, Some("md")) => write(path, &std::fs::read("examples/everything/terms-2025-01.md").expect("terms")),
            (None, _) => write(path, &std::fs::read("examples/everything/ca.pem").expect("a certificate")),
        }
    }
    for (_, path) in &outcome.directories {
        write(&format!("{path}/password_reset.html"), &std::fs::read("examples/everything/templates/password_reset.html").expect("a template"));
    }
}

#[test]
fn nothing_is_wrong_with_descriptions_in_yaml() {
    let mut wrong = String::new();
    let mut tried = 0;
    for page in page::all() {
        let blocks: Vec<Block> = page.blocks().into_iter().filter(|block| block.language == "yaml").collect();
        let shown: BTreeMap<String, String> = blocks.iter().filter_map(|block| Some((file(block)?.to_owned(), block.text.clone()))).collect();
        for block in blocks.iter().filter(|block| file(block).is_none()) {
            tried += 1;
            let description = description(block);
            let dir = tempfile::tempdir().expect("a directory");
            let site = dir.path().join("site.json");
            std::fs::write(&site, description.to_string()).expect("written");
            put_beside(&description, &shown, dir.path());
            let found = match load::load(&site) {
                Ok(loaded) => rules::apply(&loaded).to_string(),
                Err(error) => error.to_string(),
            };
            if !found.is_empty() {
                wrong.push_str(&format!("{}:\n{found}\n", block.place));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(tried > 20, "only {tried} descriptions were found");
}

/// A block in Nix right after one in YAML says the same.
#[test]
fn descriptions_in_nix_mean_what_the_yaml_before_them_means() {
    let mut pairs: Vec<(Block, Block)> = Vec::new();
    for page in page::all() {
        let blocks = page.blocks();
        let pair = |pair: &[Block]| (pair[0].language == "yaml" && pair[1].language == "nix" && pair[1].follows).then(|| (pair[0].clone(), pair[1].clone()));
        pairs.extend(blocks.windows(2).filter_map(pair));
    }
    // A path would be copied into the store; what it is called is enough here.
    let path = regex::Regex::new(r"\./([\w./-]+)").expect("a pattern");
    let sets: Vec<String> = pairs.iter().map(|(_, nix)| format!("({})", path.replace_all(&nix.text, "\"$1\""))).collect();
    let expression = format!("[ {} ]", sets.join("\n"));
    let output = Command::new("nix")
        .args(["eval", "--store", "dummy://", "--extra-experimental-features", "nix-command", "--json", "--expr", &expression])
        .output()
        .expect("nix");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let evaluated: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    for ((yaml, nix), evaluated) in pairs.iter().zip(evaluated) {
        let meant: Value = serde_yaml::from_str(&yaml.text).expect("YAML");
        assert_eq!(evaluated, meant, "{} says something else than {}", nix.place, yaml.place);
    }
    assert!(pairs.len() > 5, "only {} pairs were found", pairs.len());
}
