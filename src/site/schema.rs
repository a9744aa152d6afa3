//! The JSON Schema of a description, made from the types, and the check of a description against it. The check finds every
//! mistake at once and says it in a person's words, which deserialisation, ending at the first, cannot.

use std::fmt::{self, Write as _};
use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::synapse::{SECRET_REMEDY, has_password, names_secret};
use super::yaml::MOST_VALUES;
use super::{Site, in_place, number, reveal, text};
use crate::check::{Finding, Severity, names, postgres};

/// The JSON Schema (draft 2020-12) of a site, without references: every option stands where it is used.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<Site>().to_value()
}

/// The schema, made once.
pub fn root() -> &'static Value {
    static ROOT: LazyLock<Value> = LazyLock::new(schema);
    &ROOT
}

/// The schema of an option; `*` in its path stands for an element of a list, or a member of any name. None when there is no such option.
pub fn at(path: &str) -> Option<&'static Value> {
    path.split('.').try_fold(root(), |schema, step| {
        let branches = schema["anyOf"].as_array().into_iter().flatten().chain(std::iter::once(schema));
        let inner = |schema: &'static Value| match step {
            "*" => schema.get("items").or_else(|| schema.get("additionalProperties").filter(|inner| !inner.is_boolean())),
            name => schema["properties"].get(name),
        };
        branches.filter_map(inner).next()
    })
}

/// Whether a set of options, by its steps, must have an option of that name.
pub fn requires(set: &[Step], name: &str) -> bool {
    let inner = |schema: &'static Value, step: &Step| {
        let branches = schema["anyOf"].as_array().into_iter().flatten().chain(std::iter::once(schema));
        let member = |schema: &'static Value| match step {
            Step::Key(name) => schema["properties"].get(name).or_else(|| schema.get("additionalProperties").filter(|inner| inner.is_object())),
            Step::Index(_) => schema.get("items"),
        };
        branches.filter_map(member).next()
    };
    let Some(schema) = set.iter().try_fold(root(), inner) else { return false };
    let branches = schema["anyOf"].as_array().into_iter().flatten().chain(std::iter::once(schema));
    branches.filter_map(Value::as_object).any(|rules| required(rules).any(|needed| needed == name))
}

/// What an option that the schema knows takes, as the end of a sentence, and a value to write. None for a set of options, and where anything
/// can stand.
pub fn expected_at(path: &OptionPath) -> Option<(String, String)> {
    let branches = |schema: &'static Value| schema["anyOf"].as_array().into_iter().flatten().chain(std::iter::once(schema));
    let inner = |schema: &'static Value, step: &Step| {
        let member = |schema: &'static Value| match step {
            Step::Key(name) => schema["properties"].get(name).or_else(|| schema.get("additionalProperties").filter(|inner| inner.is_object())),
            Step::Index(_) => schema.get("items"),
        };
        branches(schema).filter_map(member).next()
    };
    let schema = path.0.iter().try_fold(root(), inner)?;
    let (rules, kinds) =
        branches(schema).filter_map(Value::as_object).map(|rules| (rules, types(rules))).find(|(_, kinds)| !matches!(kinds[..], [] | ["null"]))?;
    let expected = match choices(rules) {
        Some(allowed) => allowed.iter().filter(|value| !value.is_null()).map(Value::to_string).collect::<Vec<_>>().join(", "),
        None => expected(rules, &kinds),
    };
    let value = sample(&Value::Object(rules.clone())).map(|value| written(&value))?;
    Some((expected, format!("write for example {value}")))
}

/// One step from an option to a part of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Into an attribute set.
    Key(String),
    /// Into a list, counted from 0.
    Index(usize),
}

/// The place of an option in a description: `turn.turn_uris[1]`.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct OptionPath(pub Vec<Step>);

impl fmt::Debug for OptionPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&reveal::path(self))
    }
}

impl OptionPath {
    /// The path of a member of this attribute set.
    pub fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    /// The path of an element of this list.
    pub fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// A path written with dots, numbers standing for elements of lists; keys with dots in them cannot be written so.
    pub fn dotted(text: &str) -> Self {
        let step = |part: &str| part.parse().map_or_else(|_| Step::Key(part.to_owned()), Step::Index);
        Self(text.split('.').map(step).collect())
    }
}

impl fmt::Display for OptionPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) => {
                    if at > 0 {
                        f.write_char('.')?;
                    }
                    let plain = key == reveal::NOT_SHOWN || !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
                    if plain { f.write_str(key)? } else { write!(f, "{key:?}")? }
                }
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// What the check of a description against the schema brings to light.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Mistakes, in the order of the description, at most [`MOST_MISTAKES`].
    pub findings: Vec<(OptionPath, Finding)>,
    /// How many options were not looked at, or not told of, since there were that many.
    pub more: usize,
    /// Options that name a file to read, with its path.
    pub files: Vec<(OptionPath, String)>,
    /// Options that name a directory whose files are read, with its path.
    pub directories: Vec<(OptionPath, String)>,
}

/// The most mistakes of types that are told of one description; whoever makes more of them made one in a program.
pub const MOST_MISTAKES: usize = 10_000;

/// The mistakes that a type or the reader of a format finds, before any rule looks at a description: code and reason.
pub const MISTAKES: &[(&str, &str)] = &[
    ("S0001", "Synapse ignores a name it does not know, so a misspelt option would have no effect; here every section knows its options."),
    ("S0002", "A value has the type that Synapse reads; YAML turns `no`, `0.10` and `1e3` into something else than text unless they are quoted."),
    ("S0003", "An option with a closed list of values takes one of them."),
    ("S0004", "A number lies in the range that the service takes; a port is 1 to 65535."),
    ("S0005", "A name, address, size or time has the form that Synapse reads: `50MB` and `1.5h` end it, `50M` and `90m` do not."),
    ("S0006", "Some options have no default that could be right, and Synapse does not start or cannot be found without them."),
    ("S0007", "Of two values for one key a reader of YAML or JSON silently takes the last."),
    ("S0008", "The file is not what its ending says: not UTF-8, not YAML or JSON, or a Nix expression that does not evaluate."),
    ("S0009", "A file that the description names is read when it is checked; paths are relative to the description."),
];

/// Checks a description against a schema that [`schema`] made.
pub fn check(schema: &Value, description: &Value) -> Outcome {
    let mut outcome = Outcome::default();
    Walk { outcome: &mut outcome, whole: schema }.value(schema, description, &OptionPath::default());
    outcome
}

struct Walk<'a> {
    outcome: &'a mut Outcome,
    whole: &'a Value,
}

impl Walk<'_> {
    fn is_full(&self) -> bool {
        self.outcome.findings.len() == MOST_MISTAKES
    }

    fn find(&mut self, path: &OptionPath, code: &'static str, message: String, remedy: Option<String>) {
        if self.is_full() {
            self.outcome.more += 1;
            return;
        }
        let option = if path.0.is_empty() { "the description".to_owned() } else { reveal::path(path) };
        let finding = Finding { code, severity: Severity::Error, option, place: Some(path.clone()), position: None, message, remedy };
        self.outcome.findings.push((path.clone(), finding));
    }

    fn value(&mut self, schema: &Value, found: &Value, path: &OptionPath) {
        // `true` allows everything.
        let Some(rules) = schema.as_object() else { return };
        if let Some(branches) = rules.get("anyOf").and_then(Value::as_array) {
            // Only made for optional values: one branch is the type, the other is null.
            if found.is_null() {
                return;
            }
            if let Some(branch) = branches.iter().find(|branch| branch["type"] != "null") {
                self.value(branch, found, path);
            }
            return;
        }
        if let Some(allowed) = choices(rules) {
            if !allowed.contains(found) {
                let texts: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
                let near = found.as_str().and_then(|text| nearest(text, texts.iter().copied())).map(|near| format!("did you mean {near:?}?"));
                let remedy = near.or_else(|| in_place::of_choice(&texts, found));
                let listed: Vec<String> = allowed.iter().filter(|value| !value.is_null()).map(Value::to_string).collect();
                self.find(path, "S0003", format!("found {}, allowed are {}", reveal::value(path, found), listed.join(", ")), remedy);
            }
            return;
        }
        let types = types(rules);
        if !types.is_empty() && !types.iter().any(|kind| is_of(found, kind)) {
            let holds_secret = matches!(path.0.last(), Some(Step::Key(name)) if names_secret(name));
            // A text in the place of a set may be an address with a password in it.
            let may_be_secret = found.is_string() && (holds_secret || types.contains(&"object"));
            let what = if may_be_secret { "a text".to_owned() } else { reveal::value(path, found) };
            let remedy = (found.is_string() && holds_secret).then(|| SECRET_REMEDY.to_owned());
            let remedy = remedy.or_else(|| in_place::of_synapse(found, path)).or_else(|| in_place::of_set(schema, found, path));
            let remedy = remedy.or_else(|| meant(rules, &types, found, path)).or_else(|| example(rules));
            let takes_number = types.iter().any(|kind| matches!(*kind, "integer" | "number"));
            let remedy = remedy.or_else(|| takes_number.then(|| expected_at(path)).flatten().map(|(_, example)| example));
            self.find(path, "S0002", format!("found {what}, expected {}", expected(rules, &types)), remedy);
            return;
        }
        match found {
            Value::Object(members) => self.object(rules, members, path),
            Value::Array(elements) if elements.len() > most_elements(rules) => {
                let most = most_elements(rules);
                self.find(path, "S0004", format!("has {} elements, expected at most {most}", elements.len()), Some(format!("leave out all but {most}")));
            }
            Value::Array(elements) => {
                if let Some(items) = rules.get("items") {
                    for (index, element) in elements.iter().enumerate() {
                        if self.is_full() {
                            self.outcome.more += elements.len() - index;
                            break;
                        }
                        self.value(items, element, &path.index(index));
                    }
                }
            }
            Value::Number(_) => self.range(rules, found, path),
            Value::String(found) => self.text(rules, found, path),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn object(&mut self, rules: &Map<String, Value>, members: &Map<String, Value>, path: &OptionPath) {
        let none = Map::new();
        let properties = rules.get("properties").and_then(Value::as_object).unwrap_or(&none);
        for (key, member) in members {
            if self.is_full() {
                self.outcome.more += 1;
                continue;
            }
            let here = path.key(key);
            if let Some(property) = properties.get(key) {
                // An option that is null is an option that is not set: Nix modules write them so.
                if !member.is_null() || required(rules).any(|name| name == key) {
                    self.value(property, member, &here);
                }
            } else {
                match rules.get("additionalProperties") {
                    Some(Value::Bool(false)) => {
                        let remedy = self.unknown(key, member, properties, path);
                        let why = if reveal::is_nameable(key) { "" } else { "; its name is not shown, since it does not look like one and may be a secret" };
                        self.find(&here, "S0001", format!("there is no such option{why}"), Some(remedy));
                    }
                    Some(schema) => self.value(schema, member, &here),
                    None => {}
                }
            }
        }
        for name in required(rules) {
            if !members.contains_key(name) {
                let property = &properties[name];
                let example = sample(property).map(|example| format!("write for example {name}: {}", written(&example)));
                let what = property["description"].as_str().and_then(|text| text.split(". ").next()).map(one_line).unwrap_or_default();
                self.find(&path.key(name), "S0006", format!("is missing: {}", lower_first(what.trim_end_matches('.'))), example);
            }
        }
    }

    /// What somebody meant who wrote an option that is not there.
    fn unknown(&self, key: &str, member: &Value, properties: &Map<String, Value>, path: &OptionPath) -> String {
        let known = || properties.keys().map(String::as_str);
        if let Some(said) = names::in_section(&path.key(key), member) {
            return said;
        }
        if path.0.is_empty() && of_compose(key) {
            return "remove it: it is a part of a Compose file, which `synapse-site render` writes".to_owned();
        }
        // What an element of a list has is none of Synapse's own options.
        let is_element = path.0.iter().any(|step| matches!(step, Step::Index(_)));
        if let Some(near) = nearest(key, known()).filter(|near| is_element && near.starts_with(key)) {
            return format!("did you mean {near:?}?");
        }
        if let Some(said) = names::of_synapse(key, member).filter(|said| said.contains("secrets/")) {
            return said;
        }
        if names_secret(key) && !member.is_object() {
            return SECRET_REMEDY.to_owned();
        }
        if key == "enabled" && path.0.len() == 1 && is_absent_by_itself(self.whole, path) {
            return "remove it: the section alone says so".to_owned();
        }
        if let Some(said) = names::of_synapse(key, member) {
            return said;
        }
        if path.to_string() == "database" && postgres::settings().contains_key(key) {
            return format!("it is a setting of PostgreSQL: write it below settings, as settings: {{ {key}: … }}");
        }
        // Words such as `port` are in several sections.
        let sections = self.whole["properties"].as_object().into_iter().flatten();
        let mut holders = sections.filter(|(_, section)| members(section).is_some_and(|members| members.contains_key(key)));
        let is_telling = path.0.is_empty() || key.contains('_');
        if let (Some((section, _)), None, true) = (holders.next(), holders.next(), is_telling) {
            return format!("write it as {section}.{key}");
        }
        if let Some(near) = nearest(key, known()) {
            return format!("did you mean {near:?}?");
        }
        let known = known().collect::<Vec<_>>().join(", ");
        let neither = format!("Synapse {} has no option of that name, either", crate::synapse::Running::default().version);
        if path.0.is_empty() { format!("the sections are {known}; {neither}") } else { format!("known here are {known}; {neither}") }
    }

    fn range(&mut self, rules: &Map<String, Value>, found: &Value, path: &OptionPath) {
        let Some(number) = found.as_f64() else { return };
        let bound = match bounds(rules) {
            (Some(least), _) if least.as_f64().is_some_and(|least| number < least) => least,
            (_, Some(most)) if most.as_f64().is_some_and(|most| number > most) => most,
            _ => return,
        };
        let name = path.0.last().and_then(|step| if let Step::Key(key) = step { Some(format!("{key}: ")) } else { None }).unwrap_or_default();
        let remedy = format!("{name}{bound} is the nearest that is allowed");
        self.find(path, "S0004", format!("found {}, expected {}", reveal::number(path, found), expected(rules, &types(rules))), Some(remedy));
    }

    fn text(&mut self, rules: &Map<String, Value>, found: &str, path: &OptionPath) {
        if let Some(format) = rules.get("format").and_then(Value::as_str) {
            if let Err(why) = text::check_format(format, found) {
                let expected = text::expected(format).unwrap_or("something else");
                if has_password(found) {
                    let example = example(rules).map(|example| format!("; {example}")).unwrap_or_default();
                    let remedy = format!("write the address without user and password{example}");
                    self.find(path, "S0005", format!("holds a password; expected {expected}"), Some(remedy));
                } else if reveal::has_password_before_host(found) {
                    self.find(path, "S0005", format!("holds a password before a host; expected {expected}"), Some(in_form(rules, format, found, path)));
                } else if !reveal::may_show(path, repeated(format, found)) {
                    self.find(path, "S0005", format!("found another text; expected {expected}"), example(rules));
                } else {
                    self.find(path, "S0005", why, Some(in_form(rules, format, found, path)));
                }
                return;
            }
            match format {
                "file" => self.outcome.files.push((path.clone(), found.to_owned())),
                "directory" => self.outcome.directories.push((path.clone(), found.to_owned())),
                _ => {}
            }
        }
        if let Some(pattern) = rules.get("pattern").and_then(Value::as_str)
            && let Ok(regex) = regex::Regex::new(pattern)
            && !regex.is_match(found)
        {
            let form = rules.get("x-form").and_then(Value::as_str).map_or_else(|| format!("a text of the form {pattern}"), str::to_owned);
            self.find(path, "S0005", format!("found {}, which is not {form}", reveal::value(path, &Value::from(found))), example(rules));
        }
    }
}

/// Whether a name is one that a Compose file has at its top, and neither a description nor Synapse has.
fn of_compose(name: &str) -> bool {
    ["configs", "networks", "secrets", "services", "version", "volumes"].contains(&name)
}

/// Whether a section of a description is not there unless somebody writes it.
pub(super) fn is_absent_by_itself(whole: &Value, path: &OptionPath) -> bool {
    let section = &whole["properties"][path.to_string()];
    section["anyOf"].is_array() || section["type"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "null"))
}

/// The options of a section, also of one that may be absent.
fn members(section: &Value) -> Option<&Map<String, Value>> {
    section["properties"].as_object().or_else(|| section["anyOf"].as_array()?.iter().find_map(|branch| branch["properties"].as_object()))
}

fn example(rules: &Map<String, Value>) -> Option<String> {
    rules.get("examples").and_then(|examples| examples.get(0)).map(|example| format!("write for example {example}"))
}

/// What the refusal of a text by its format repeats of it.
fn repeated<'a>(format: &str, found: &'a str) -> &'a str {
    match found.split_once(':') {
        Some((user, _)) if format == "localpart" && !found.starts_with('@') => user,
        _ => found,
    }
}

/// The option for the port of the host that an option takes: `smtp_port` of `smtp_host`.
fn port_beside(path: &OptionPath) -> Option<String> {
    let (last, section) = path.0.split_last()?;
    let Step::Key(name) = last else { return None };
    let port = format!("{}port", name.strip_suffix("host")?);
    reveal::is_known(&OptionPath(section.to_vec()).key(&port)).then_some(port)
}

/// What to write in place of a text that has not the form of its option.
fn in_form(rules: &Map<String, Value>, format: &str, found: &str, path: &OptionPath) -> String {
    let example = || rules.get("examples").and_then(|examples| examples.get(0)).and_then(Value::as_str);
    match text::meant(format, found) {
        Some(meant) => match text::port(found).zip(port_beside(path)) {
            Some((port, option)) => format!("write {meant:?} and {option}: {port}"),
            None => format!("write {meant:?}"),
        },
        None => match example() {
            Some(example) => format!("write for example {example:?}"),
            None => "leave it out, or write what is expected".to_owned(),
        },
    }
}

/// The value of the right type that somebody meant by one of a wrong type.
fn meant(rules: &Map<String, Value>, types: &[&str], found: &Value, path: &OptionPath) -> Option<String> {
    let wanted = types.iter().find(|kind| **kind != "null")?;
    match (*wanted, found) {
        ("array" | "boolean" | "integer" | "number", found) if !reveal::may_repeat(path, found) => None,
        ("array", Value::String(_) | Value::Number(_)) => Some(format!("write a list: [{found}]")),
        ("boolean", Value::String(text)) => match text.to_lowercase().as_str() {
            "true" => Some("write true, without quotation marks".to_owned()),
            "false" => Some("write false, without quotation marks".to_owned()),
            "yes" | "on" | "1" => Some(format!("write true; {found} is a text")),
            "no" | "off" | "0" => Some(format!("write false; {found} is a text")),
            _ => None,
        },
        ("boolean", Value::Number(number)) if matches!(number.as_u64(), Some(0 | 1)) => Some(format!("write {}", number.as_u64() == Some(1))),
        ("integer", Value::String(text)) => number::meant(text),
        ("integer", Value::Number(number)) => nearest_whole(rules, number.as_f64()?).map(|number| format!("write {number}")),
        ("number", Value::String(text)) => {
            let plain = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
            number::meant(text).or_else(|| plain.map(|number| format!("write {number}, without quotation marks")))
        }
        ("string", Value::Number(_) | Value::Bool(_)) if !types.contains(&"integer") => {
            // Not the value itself: 0.10 has become 0.1 by now.
            Some("put what is written there into quotation marks, if it is meant".to_owned())
        }
        ("object", Value::Null) if path.0.len() == 1 => Some(format!(
            "indent its options below {path}{}; they are {}",
            if required(root().as_object()?).any(|name| name == path.to_string()) { "" } else { ", or leave it out" },
            rules.get("properties")?.as_object()?.keys().cloned().collect::<Vec<_>>().join(", ")
        )),
        _ => None,
    }
}

/// The least and the most that a number may be; where nothing else is said, the most is what its type holds.
fn bounds(rules: &Map<String, Value>) -> (Option<Value>, Option<Value>) {
    let of_type = match rules.get("format").and_then(Value::as_str) {
        Some("uint8") => Some(Value::from(u8::MAX)),
        Some("uint16") => Some(Value::from(u16::MAX)),
        Some("uint32") => Some(Value::from(u32::MAX)),
        _ => None,
    };
    (rules.get("minimum").cloned(), rules.get("maximum").cloned().or(of_type))
}

/// The whole number that is nearest to one that is none, or beyond the bounds of an option.
fn nearest_whole(rules: &Map<String, Value>, number: f64) -> Option<String> {
    let (least, most) = bounds(rules);
    let inside = least.and_then(|least| least.as_f64()).map_or(number, |least| number.max(least));
    let inside = most.and_then(|most| most.as_f64()).map_or(inside, |most| inside.min(most)).round();
    // Beyond that, not every whole number is a float.
    (inside.abs() < 9_007_199_254_740_992.0).then(|| format!("{inside:.0}"))
}

/// The most elements of a list, far more than any site has. Sets of options and what files hold are compared with each other, and
/// with people, in a time that grows with the product of their numbers.
fn most_elements(rules: &Map<String, Value>) -> usize {
    let Some(items) = rules.get("items") else { return MOST_VALUES };
    match items["format"].as_str() {
        _ if items.get("properties").is_some() => 1_000,
        Some("file" | "directory") => 1_000,
        Some("localpart") => 10_000,
        _ => 100_000,
    }
}

pub(super) fn required(rules: &Map<String, Value>) -> impl Iterator<Item = &str> {
    rules.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// The values of an enumeration, however schemars wrote it; null among them where the option may be absent.
pub(super) fn choices(rules: &Map<String, Value>) -> Option<Vec<Value>> {
    if let Some(values) = rules.get("enum").and_then(Value::as_array) {
        return Some(values.clone());
    }
    let branches = rules.get("oneOf")?.as_array()?;
    branches.iter().map(|branch| branch.get("const").cloned().or_else(|| (branch["type"] == "null").then_some(Value::Null))).collect()
}

fn types(rules: &Map<String, Value>) -> Vec<&str> {
    match rules.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is_of(found: &Value, kind: &str) -> bool {
    match kind {
        "null" => found.is_null(),
        "boolean" => found.is_boolean(),
        "integer" => found.is_i64() || found.is_u64(),
        "number" => found.is_number(),
        "string" => found.is_string(),
        "array" => found.is_array(),
        "object" => found.is_object(),
        _ => true,
    }
}

fn expected(rules: &Map<String, Value>, types: &[&str]) -> String {
    let names: Vec<String> = types
        .iter()
        .filter(|kind| **kind != "null")
        .map(|kind| match *kind {
            "boolean" => "true or false".to_owned(),
            "integer" => match bounds(rules) {
                (Some(least), Some(most)) => format!("a whole number from {least} to {most}"),
                (Some(least), None) => format!("a whole number from {least} on"),
                _ => "a whole number".to_owned(),
            },
            "string" => match rules.get("format").and_then(Value::as_str) {
                Some("size") => "a size as text".to_owned(),
                Some("duration") => "a time as text".to_owned(),
                _ => "text".to_owned(),
            },
            "number" => match bounds(rules) {
                (Some(least), Some(most)) => format!("a number from {least} to {most}"),
                (Some(least), None) => format!("a number from {least} on"),
                _ => "a number".to_owned(),
            },
            "array" => "a list".to_owned(),
            "object" => "a set of options".to_owned(),
            other => other.to_owned(),
        })
        .collect();
    names.join(" or ")
}

/// A value that an option takes: its example, or the least that has its type.
pub(super) fn sample(schema: &Value) -> Option<Value> {
    if let Some(example) = schema["examples"].get(0) {
        return Some(example.clone());
    }
    if let Some(branch) = schema["anyOf"].as_array().and_then(|branches| branches.iter().find(|branch| branch["type"] != "null")) {
        return sample(branch);
    }
    let rules = schema.as_object()?;
    if let Some(allowed) = choices(rules) {
        return allowed.into_iter().find(|value| !value.is_null());
    }
    match types(rules).into_iter().find(|kind| *kind != "null")? {
        "object" if rules.contains_key("properties") => {
            let member = |name: &str| Some((name.to_owned(), sample(&schema["properties"][name])?));
            required(rules).map(member).collect::<Option<Map<String, Value>>>().map(Value::Object)
        }
        "object" => Some(Value::Object(Map::from_iter([("NAME".to_owned(), sample(&schema["additionalProperties"])?)]))),
        "array" => Some(Value::Array(vec![sample(&schema["items"])?])),
        "boolean" => Some(Value::Bool(true)),
        "integer" | "number" => Some(schema.get("default").or(schema.get("minimum")).cloned().unwrap_or_else(|| Value::from(1))),
        "string" => Some(Value::from("some text")),
        _ => None,
    }
}

/// How to write a value on one line.
fn written(value: &Value) -> String {
    match value {
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            format!("{{ {} }}", members.iter().map(|(name, member)| format!("{name}: {}", written(member))).collect::<Vec<_>>().join(", "))
        }
        Value::Array(elements) => format!("[{}]", elements.iter().map(written).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// The candidate that a person most likely meant.
pub fn nearest<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // No name is nearly as long, and the comparison takes a time by the length.
    if text.len() > 250 {
        return None;
    }
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let wanted = plain(text);
    let letters = count(&wanted);
    candidates
        .filter(|candidate| may_be_near(text, &letters, candidate))
        .map(|candidate| (strsim::jaro_winkler(&wanted, &plain(candidate)), candidate))
        .filter(|(likeness, candidate)| *likeness > 0.84 || strsim::osa_distance(&wanted, &plain(candidate)) <= 2 && candidate.len() > 3)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, candidate)| candidate)
}

/// How often each byte is in a name, a capital counted as its small letter and a hyphen as an underscore.
fn count(text: &str) -> [u8; 64] {
    let mut counts = [0_u8; 64];
    for byte in text.bytes() {
        let byte = if byte == b'-' { b'_' } else { byte.to_ascii_lowercase() };
        let at = usize::from(byte) % 64;
        counts[at] = counts[at].saturating_add(1);
    }
    counts
}

/// Whether two names have so many letters in common that one can be near the other at all: quick, and never wrong when it says no. The
/// likeness of Jaro is at most a third of one and both shares of common letters, and a common beginning takes at most four tenths of the rest.
fn may_be_near(text: &str, letters: &[u8; 64], candidate: &str) -> bool {
    if !text.is_ascii() || !candidate.is_ascii() {
        return true;
    }
    let common: u32 = letters.iter().zip(count(candidate)).map(|(a, b)| u32::from(*a.min(&b))).sum();
    let (common, mine, theirs) = (f64::from(common), text.len().max(1) as f64, candidate.len().max(1) as f64);
    let likeness = (common / mine + common / theirs + 1.0) / 3.0;
    likeness + 0.4 * (1.0 - likeness) > 0.84 || text.len().abs_diff(candidate.len()) <= 2 && common + 2.0 >= mine.max(theirs)
}
