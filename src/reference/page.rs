//! The reference as Markdown: a heading for each section and each option.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::options::{Described, without_null};
use super::{Entry, codes};
use crate::site::text;

/// Names of one service that are shown before the rest is only counted.
const SHOWN: usize = 4;
/// The longest example, in bytes.
const LONGEST: usize = 120;
/// Those whose settings matter most come first; of the last ones it is enough to say that they change.
const ORDER: &[&str] = &[
    "Synapse",
    "Synapse's workers",
    "Synapse's logging",
    "Synapse's registrations",
    "files for Synapse",
    "nginx",
    "well-known client",
    "well-known server",
    "well-known support",
    "coturn",
    "PostgreSQL",
    "Redis",
    "LiveKit",
    "Draupnir",
    "Ketesa",
    "the manifest",
    "secrets",
    "the other services",
    "launch",
];

/// The page of these options, with the words of the whole page before them.
pub fn page(schema: &Value, entries: &[Entry]) -> String {
    let mut text = String::from(
        "# Every option of a site\n\n\
         Written by `synapse-site schema --format markdown`. A `*` in a name stands for each element of a list, `<name>` for names of your own.\n\
         Where an option is written was found out by rendering the example sites with another value and comparing; what follows there from it\n\
         besides is named, too. An option that only turns others on and off has more effects than are listed. Values are written as JSON, which is\n\
         YAML, too. [rules.md](rules.md) tells each code.\n\n\
         | section | options | what it says |\n| --- | --- | --- |\n",
    );
    let mut sections: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        sections.entry(entry.option.section()).or_default().push(entry);
    }
    for (name, entries) in &sections {
        let about = &about(schema, name);
        let _ = writeln!(text, "| [`{name}`](#{name}) | {} | {} |", entries.len(), first_sentence(about));
    }
    for (name, entries) in &sections {
        let _ = write!(text, "\n## `{name}`\n\n");
        // A section that can be absent is an option itself, and says all of this there.
        if entries.iter().all(|entry| entry.option.to_string() != **name) {
            let _ = write!(text, "{}\n\n", about(schema, name));
        }
        for entry in entries {
            text.push_str(&of(entry));
        }
    }
    text
}

fn about(schema: &Value, section: &str) -> String {
    schema["properties"][section]["description"].as_str().unwrap_or_default().to_owned()
}

/// What there is to say about one option.
pub fn of(entry: &Entry) -> String {
    let Entry { option, effect, example } = entry;
    let mut text = format!("### `{option}`\n\n{}\n\n", option.schema.get("description").and_then(Value::as_str).unwrap_or_default());
    let _ = writeln!(text, "- Type: {}{}", kind(&option.schema), if option.required { "; required" } else { "" });
    for choice in option.schema.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
        let _ = writeln!(text, "  - `{}`: {}", choice["const"], choice["description"].as_str().unwrap_or_default());
    }
    match option.schema.get("default").filter(|default| !default.is_null()) {
        Some(default) => drop(writeln!(text, "- Default: `{default}`")),
        None if option.required => {}
        None => text.push_str("- Default: absent\n"),
    }
    if let Some(example) = shown_example(option, example.as_ref()) {
        let _ = writeln!(text, "- Example: `{example}`");
    }
    let _ = writeln!(text, "- Written to: {}", written(&effect.places));
    let codes: Vec<String> = codes(&option.watched_as()).into_iter().map(|code| format!("[{code}](rules.md#{})", anchor(code))).collect();
    if !codes.is_empty() {
        let _ = writeln!(text, "- Watched by: {}", codes.join(", "));
    }
    text.push('\n');
    text
}

/// The anchor of a code in docs/rules.md.
pub fn anchor(code: &str) -> String {
    code.to_lowercase()
}

/// An example worth showing: of a real site, or of the type; none that says nothing, such as `true`.
fn shown_example(option: &Described, of_site: Option<&Value>) -> Option<String> {
    // What some text of a kind looks like misleads where any text goes.
    let is_plain = matches!(option.schema.get("format").and_then(Value::as_str), Some("line" | "text"));
    let own = option.schema.get("examples").and_then(|examples| examples.get(0)).filter(|_| !is_plain);
    let of_items = option.schema.get("items").and_then(|items| items["examples"].get(0)).map(|example| Value::Array(vec![example.clone()]));
    let example = of_site.or(own).cloned().or(of_items)?;
    let telling = !example.is_boolean() && !example.is_null() && Some(&example) != option.schema.get("default");
    let text = example.to_string();
    (telling && text.len() <= LONGEST).then_some(text)
}

/// A type in words.
fn kind(schema: &Map<String, Value>) -> String {
    if schema.contains_key("oneOf") {
        return "one of".to_owned();
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
        return format!("one of {}", values.join(", "));
    }
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    let kinds: Vec<&str> = match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return "any value".to_owned(),
    };
    // Times and sizes are text or a number, which their words say.
    if let (Some(expected), true) = (text::expected(format), kinds.contains(&"string")) {
        return expected.to_owned();
    }
    let number = |whole: &str| match (schema.get("minimum"), schema.get("maximum")) {
        (Some(least), Some(most)) => format!("a {whole} from {least} to {most}"),
        (Some(least), None) => format!("a {whole} from {least} on"),
        _ => format!("a {whole}"),
    };
    let word = |kind: &str| match kind {
        "boolean" => "true or false".to_owned(),
        "integer" => number("whole number"),
        "number" => number("number"),
        "array" => schema.get("items").map_or("a list".to_owned(), |items| format!("a list, each: {}", kind_within(items))),
        "object" if schema.contains_key("properties") => "a set of the options below".to_owned(),
        "object" => match schema.get("additionalProperties") {
            Some(inner) if inner.is_object() => format!("names of your own, each with: {}", kind_within(inner)),
            _ => "options by their names there".to_owned(),
        },
        _ => "text".to_owned(),
    };
    kinds.into_iter().map(word).collect::<Vec<_>>().join(" or ")
}

fn kind_within(schema: &Value) -> String {
    let plain = without_null(schema).0;
    match plain.get("oneOf").and_then(Value::as_array) {
        Some(choices) => format!("one of {}", choices.iter().map(|choice| format!("`{}`", choice["const"])).collect::<Vec<_>>().join(", ")),
        None => kind(&plain),
    }
}

/// Where an option is written, most telling first.
fn written(places: &BTreeSet<(&'static str, String)>) -> String {
    if places.is_empty() {
        return "nothing; `check` reads it".to_owned();
    }
    let mut by_whose: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for (whose, name) in places {
        let rank = ORDER.iter().position(|known| known == whose).unwrap_or(ORDER.len() - 1);
        // A name that was only made up to try.
        by_whose.entry(rank).or_default().insert(name.replace("probe", "<name>"));
    }
    let only_launch = by_whose.len() == 1;
    let parts: Vec<String> = by_whose
        .into_iter()
        .filter_map(|(rank, names)| match ORDER[rank] {
            "launch" if only_launch => Some("what `launch` does at start".to_owned()),
            "launch" => None,
            whose => Some(format!("{whose}: {}", few(&names))),
        })
        .collect();
    parts.join("; ")
}

/// Names, or those of the blocks that they are in where there are many.
fn few(names: &BTreeSet<String>) -> String {
    let blocks: BTreeSet<String> = names.iter().map(|name| name.split('.').next().unwrap_or_default().to_owned()).collect();
    let names = if names.len() > SHOWN { &blocks } else { names };
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(SHOWN);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

fn first_sentence(text: &str) -> String {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    one_line.split_once(". ").map_or(one_line.clone(), |(first, _)| format!("{first}."))
}
