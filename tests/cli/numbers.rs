//! Numbers that no option takes, at every option of the schema that takes a number, in YAML and in JSON: what is said names the option,
//! what was found and what is allowed, with something to write, and never in the words of a library.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use synapse_site::check::Finding;
use synapse_site::error::Error;
use synapse_site::site::load;
use synapse_site::site::schema;

/// What the number is in a description, before it is one.
const HERE: &str = "@number@";

/// The words of readers.
const WORDS: [&str; 12] = ["invalid type", "invalid value", "u128", "i128", "u64", "u32", "u16", "i64", "f64", "out of range", "valid JSON value", "(os error"];

/// A description in which a value stands at every option that takes a number, and those options.
fn numeric(schema: &Value, path: &str, found: &mut BTreeSet<String>) -> Option<Value> {
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if kinds.iter().any(|kind| ["integer", "number"].contains(kind)) {
        found.insert(path.to_owned());
        return Some(json!(HERE));
    }
    if let Some(branches) = schema["anyOf"].as_array() {
        return branches.iter().find_map(|branch| numeric(branch, path, found));
    }
    if schema["items"].is_object() {
        return numeric(&schema["items"], &format!("{path}[0]"), found).map(|element| json!([element]));
    }
    let member = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let mut members: serde_json::Map<String, Value> = schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, property)| Some((name.clone(), numeric(property, &member(name), found)?)))
        .collect();
    if schema["additionalProperties"].is_object()
        && let Some(inner) = numeric(&schema["additionalProperties"], &member("one"), found)
    {
        members.insert("one".to_owned(), inner);
    }
    (!members.is_empty()).then_some(Value::Object(members))
}

fn findings(format: &str, text: &str) -> Vec<Finding> {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join(format!("site.{format}"));
    std::fs::write(&file, text).expect("written");
    match load::load(&file) {
        Err(Error::Site(findings)) => findings.list,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn is_clear(finding: &Finding, form: &str) {
    let whole = format!("{} {}", finding.message, finding.remedy.as_deref().unwrap_or_default());
    assert!(WORDS.iter().all(|word| !whole.contains(word)), "{form}: {finding:?}");
    assert!(["expected", "allowed"].iter().any(|word| finding.message.contains(word)), "{form}: {finding:?}");
    assert!(finding.remedy.is_some() && finding.position.is_some(), "{form}: {finding:?}");
}

/// By the option, with a finding for each.
fn by_option(list: Vec<Finding>) -> BTreeMap<String, Finding> {
    list.into_iter().map(|finding| (finding.option.clone(), finding)).collect()
}

fn description() -> (Value, BTreeSet<String>) {
    let mut options = BTreeSet::new();
    let description = numeric(schema::root(), "", &mut options).expect("options");
    assert!(options.len() > 100, "{options:?}");
    (description, options)
}

#[test]
fn numbers_that_are_read_and_that_no_option_takes() {
    let (description, options) = description();
    for form in ["340282366920938463463374607431768211455", "18446744073709551616", "-9223372036854775809", "-1", "-1e300"] {
        for format in ["yaml", "json"] {
            let found = by_option(findings(format, &description.to_string().replace(&format!("\"{HERE}\""), form)));
            for option in &options {
                let finding = found.get(option).unwrap_or_else(|| panic!("{format}: {form} is taken at {option}"));
                is_clear(finding, form);
                // So many digits may be a secret.
                let shown = if form.len() < 12 { form } else { "a number" };
                assert!(form.contains("e300") || finding.message.contains(shown), "{format}: {finding:?}");
            }
        }
    }
}

#[test]
fn what_looks_like_a_number_in_yaml() {
    let (description, options) = description();
    for form in [".inf", "-.INF", ".nan", "1e999", "-0x1f", "Infinity", "12:30:00", "1_000"] {
        let found = by_option(findings("yaml", &description.to_string().replace(&format!("\"{HERE}\""), &format!(" {form}"))));
        for option in &options {
            let finding = found.get(option).unwrap_or_else(|| panic!("{form} is taken at {option}"));
            is_clear(finding, form);
        }
    }
    // Text to YAML 1.2, and what was meant can be written.
    let found = by_option(findings("yaml", "server: { server_name: example.com, public_baseurl: 'https://example.com/' }\ngateway: { http_port: 0777 }\n"));
    assert_eq!(found["gateway.http_port"].remedy.as_deref(), Some("write 777, or 511 if it is meant as an octal number"));
}

#[test]
fn what_is_no_number_of_json() {
    let (_, options) = description();
    // The reader gives up at the first, so that each is alone.
    for (at, option) in options.iter().filter(|option| !option.contains('[') && !option.contains(".one")).enumerate() {
        let forms = ["1E400", "0x1F", "017", "+5", "NaN", "-Infinity", ".5", "1_000"];
        let form = forms[at % forms.len()];
        let description = option.rsplit('.').fold(json!(HERE), |inner, name| json!({ name: inner }));
        let text = serde_json::to_string_pretty(&description).expect("JSON").replace(&format!("\"{HERE}\""), form);
        let found = findings("json", &text);
        assert_eq!((found.len(), &found[0].option), (1, option), "{found:?}");
        is_clear(&found[0], form);
        assert!(found[0].message.contains(form), "{:?}", found[0]);
    }
}

/// What no section knows is told by the place alone.
#[test]
fn numbers_under_settings() {
    for format in ["yaml", "json"] {
        let site = "{\"server\": {\"server_name\": \"example.com\", \"public_baseurl\": \"https://example.com/\"}, \"synapse\": {\"settings\": {\"caches\": {\"global_factor\": 340282366920938463463374607431768211455}}}}";
        let found = findings(format, site);
        assert_eq!((found.len(), found[0].option.as_str()), (1, "synapse.settings.caches.global_factor"), "{found:?}");
        assert!(found[0].message.contains("found a number, and whole numbers are read from"), "{found:?}");
    }
}
