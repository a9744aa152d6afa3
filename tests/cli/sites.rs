//! Sites that nobody would write, made from the schema: every section and every option with values that its type takes, or nearly.
//! Whatever comes out, reading, checking and rendering end without a panic, and each file for a service that reads YAML is the same
//! to PyYAML, which Synapse reads with, as to a reader of YAML 1.2.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::collection::{btree_map, vec};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Number, Value, json};

use super::common;
use synapse_site::check::rules;
use synapse_site::deploy::compose;
use synapse_site::site::load;

use super::generated::{any_value, config};

/// Where the files of the generated sites are taken from.
const BESIDE: &str = "examples/everything";

/// Texts of one line that are easily taken for something else: by YAML, by Python's % operator, by a template, by HTML, by a shell.
const LINES: [&str; 24] = [
    "no",
    "0.10",
    "1e3",
    "12:30",
    "1_000",
    "~",
    "=",
    "<<",
    "2001-01-01",
    ".inf",
    "100 % by yourself",
    "%(app)s %s %(nothing)s",
    "{{ 7 * 7 }} {% raw %}",
    "<b onclick='x'>&amp;\"",
    "$(id) `id` ${HOME} $host;",
    "a\\nb\\",
    "# no comment",
    "'; DROP TABLE users; --",
    "\u{202e}txet esrever",
    "שלום \u{200f}مرحبا",
    "\u{1f9d1}\u{200d}\u{1f4bb} \u{1f1ea}\u{1f1fa}",
    "e\u{301}\u{a0}\u{feff}",
    "@@secret:x@@",
    "{ _secret: x }",
];

/// Values that fit a part of the schema, most of them.
fn fitting(schema: &Value) -> BoxedStrategy<Value> {
    if let Some(constant) = schema.get("const") {
        return Just(constant.clone()).boxed();
    }
    for several in ["oneOf", "anyOf"] {
        if let Some(Value::Array(members)) = schema.get(several) {
            return proptest::strategy::Union::new(members.iter().map(fitting)).boxed();
        }
    }
    if let Some(Value::Array(values)) = schema.get("enum") {
        return select(values.clone()).boxed();
    }
    let kinds: Vec<&str> = match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return any_value().boxed(),
    };
    proptest::strategy::Union::new(kinds.into_iter().map(|kind| of_kind(kind, schema))).boxed()
}

fn of_kind(kind: &str, schema: &Value) -> BoxedStrategy<Value> {
    match kind {
        "object" => object(schema),
        "array" => {
            let [least, most] = [("minItems", 0), ("maxItems", 3)].map(|(name, otherwise)| schema.get(name).and_then(Value::as_u64).unwrap_or(otherwise));
            let least = usize::try_from(least).expect("small");
            vec(fitting(&schema["items"]), least..=usize::try_from(most).expect("small").min(least + 3)).prop_map(Value::from).boxed()
        }
        "string" => text(schema),
        "boolean" => any::<bool>().prop_map(Value::from).boxed(),
        "integer" => {
            let bound = |name: &str, otherwise: i64| schema.get(name).and_then(Value::as_i64).unwrap_or(otherwise);
            let (least, most) = (bound("minimum", -1000), bound("maximum", 1_000_000));
            let usual = schema.get("default").filter(|value| value.is_i64()).cloned().unwrap_or_else(|| json!(least));
            prop_oneof![4 => (least..=most).prop_map(Value::from), 4 => Just(usual), 1 => select(vec![json!(least), json!(most)])].boxed()
        }
        "number" => prop_oneof![0.0..1e6, select(vec![0.1, 1.0, 1e-7, 1e21])].prop_map(|number| Value::from(Number::from_f64(number))).boxed(),
        _ => Just(Value::Null).boxed(),
    }
}

fn object(schema: &Value) -> BoxedStrategy<Value> {
    let required: Vec<&str> = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let members: Vec<(String, BoxedStrategy<Option<Value>>)> = schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, property)| {
            let likely = if required.contains(&name.as_str()) { 0.995 } else { 0.25 };
            (name.clone(), weighted(likely, fitting(property)).boxed())
        })
        .collect();
    let (names, values): (Vec<_>, Vec<_>) = members.into_iter().unzip();
    let own = values.prop_map(move |values| names.iter().cloned().zip(values).filter_map(|(name, value)| Some((name, value?))).collect::<Map<_, _>>());
    match schema.get("additionalProperties") {
        None | Some(Value::Bool(false)) => own.prop_map(Value::Object).boxed(),
        Some(further) => {
            let names = prop_oneof![select(vec!["1.0", "a", "m.room.member", "example.com", "x_custom"]).prop_map(str::to_owned), line()];
            let further = if further.is_boolean() { any_value().boxed() } else { fitting(further) };
            (own, btree_map(names, further, 0..3)).prop_map(|(own, further)| Value::Object(own.into_iter().chain(further).collect())).boxed()
        }
    }
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![4 => select(LINES.to_vec()).prop_map(str::to_owned), 1 => "[^\\p{Cc}]{1,20}", 1 => any::<String>()]
}

fn text(schema: &Value) -> BoxedStrategy<Value> {
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    let examples: Vec<String> = match format {
        "file" => ["ca.pem", "irc.yaml", "terms-2026-09.md"].map(str::to_owned).to_vec(),
        "directory" => vec!["templates".to_owned()],
        _ => schema.get("examples").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
    };
    let own = schema.get("default").and_then(Value::as_str).map(str::to_owned);
    let usual: Vec<String> = examples.into_iter().chain(own).collect();
    if usual.is_empty() {
        return line().prop_map(Value::from).boxed();
    }
    // What may hold anything mostly does; what may not is told so often enough in other tests.
    let odd = if ["line", "text"].contains(&format) && schema.get("pattern").is_none() { 20 } else { 1 };
    prop_oneof![60 => select(usual), odd => line()].prop_map(Value::from).boxed()
}

/// Which files readers of YAML 1.1 take as they are.
fn is_yaml(path: &str) -> bool {
    path.ends_with(".yaml") || path.ends_with(".yml")
}

/// Compares how PyYAML reads each text with what it should read.
const COMPARE: &str = "
import json, sys, yaml
for text, meant in json.load(sys.stdin):
    found = yaml.safe_load(text)
    if json.dumps(found, sort_keys=True) != json.dumps(meant, sort_keys=True):
        sys.exit('%s\\nis read as %r\\ninstead of %r' % (text, found, meant))
";

#[test]
fn any_site_of_the_schema_is_checked_and_rendered_to_an_end() {
    let schema: Value = serde_json::from_slice(&std::fs::read("modules/schema.json").expect("the schema")).expect("JSON");
    let dir = tempfile::tempdir().expect("a directory");
    copy(Path::new(BESIDE), dir.path());
    let (read, good) = (RefCell::new(0), RefCell::new(0));
    let documents = RefCell::new(BTreeMap::new());
    proptest!(config(400), |(site in fitting(&schema))| {
        let file = dir.path().join("generated.json");
        std::fs::write(&file, site.to_string()).expect("written");
        let loaded = match load::load(&file) {
            Ok(loaded) => loaded,
            Err(error) => {
                prop_assert!(!error.to_string().trim().is_empty());
                return Ok(());
            }
        };
        *read.borrow_mut() += 1;
        let findings = rules::apply(&loaded);
        for finding in &findings.list {
            prop_assert!(!finding.message.trim().is_empty() && finding.code.len() == 5, "{:?}", finding);
        }
        *good.borrow_mut() += usize::from(!findings.has_errors());
        // `render --in-spite-of-errors` renders all that can be read.
        let rendered = common::deployment(&loaded);
        for (path, content) in rendered.images.values().flatten().chain(&rendered.beside()) {
            let Ok(text) = std::str::from_utf8(content) else { continue };
            if is_yaml(path) && !text.contains("@@") {
                let meant: Value = match serde_yaml::from_str(text) {
                    Ok(meant) => meant,
                    Err(error) => return Err(TestCaseError::fail(format!("{path}: {error}\n{text}"))),
                };
                documents.borrow_mut().insert(text.to_owned(), meant);
            }
        }
        let manifest = compose::manifest(&rendered, &common::images(&rendered)).expect("a manifest");
        let meant: Value = serde_yaml::from_str(&manifest).expect("the manifest is YAML");
        documents.borrow_mut().insert(manifest, meant);
    });
    let (read, good, documents) = (read.into_inner(), good.into_inner(), documents.into_inner());
    assert!(read > 40, "only {read} sites could be read: what comes after saw too little");
    assert!(documents.len() > 300, "only {} documents", documents.len());
    eprintln!("{read} sites were read, {good} of them without an error; {} documents", documents.len());
    let mut python = Command::new("python3").args(["-c", COMPARE]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("python3, with python3-yaml");
    let input = serde_json::to_vec(&documents.into_iter().collect::<Vec<_>>()).expect("JSON");
    let mut stdin = python.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = python.wait_with_output().expect("ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    writer.join().expect("written").expect("written");
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("the example").map(|entry| entry.expect("an entry").path()) {
        let name = to.join(entry.file_name().expect("a name"));
        if entry.is_dir() {
            std::fs::create_dir(&name).expect("made");
            copy(&entry, &name);
        } else {
            std::fs::copy(&entry, &name).expect("copied");
        }
    }
}
