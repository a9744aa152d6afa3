//! S061x: sizes and times without a unit, which Synapse takes for bytes and milliseconds, and people for something else.

use serde_json::Value;

use super::settings::is_refused;
use super::{Rule, Violation};
use crate::check::Severity::Warning;
use crate::site::load::Loaded;
use crate::site::schema::{self, OptionPath, Step};
use crate::site::text::Scale;
use crate::synapse::{self, Entry, Kind};

/// A size below this is no page, no picture and no file.
const SMALL: u64 = 64 * 1024;

/// Sizes that count something else than bytes.
const COUNTS: &[&str] = &["event_cache_size"];

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "S0610",
        severity: Warning,
        options: &[],
        reason: "A size without a unit is one of bytes (config/_base.py, parse_size): with max_upload_size: 20 no picture can be uploaded.",
        violations: |loaded| {
            let small = |number: u64| number > 0 && number < SMALL && !number.is_multiple_of(1024);
            let found = bare(loaded).into_iter().filter(|found| found.scale == Scale::Size && small(found.number));
            found
                .map(|Bare { option, number, .. }| {
                    let name = last(&option);
                    let what = if name == "max_image_pixels" { "pixels" } else { "bytes" };
                    let remedy = format!("write {name}: {number}M or {name}: {number}K, or accept this warning");
                    Violation { option, message: format!("is {number} {what}, since it has no unit"), remedy }
                })
                .collect()
        },
    },
    Rule {
        code: "S0611",
        severity: Warning,
        options: &[],
        reason: "A time without a unit is one of milliseconds (config/_base.py, parse_duration): a session of 3600 ends after 4 seconds.",
        violations: |loaded| {
            // Who counts in milliseconds writes whole seconds.
            let odd = |number: u64| number > 0 && !number.is_multiple_of(1000);
            let found = bare(loaded).into_iter().filter(|found| found.scale == Scale::Duration && odd(found.number));
            found
                .map(|Bare { option, number, .. }| {
                    let name = last(&option);
                    let remedy = format!("write {name}: {number}s, {name}: {number}m or {name}: {number}d, or accept this warning");
                    Violation { option, message: format!("is {number} milliseconds, since it has no unit"), remedy }
                })
                .collect()
        },
    },
];

/// A number without a unit.
struct Bare {
    option: OptionPath,
    scale: Scale,
    number: u64,
}

fn bare(loaded: &Loaded) -> Vec<Bare> {
    let description = serde_json::to_value(&loaded.site).unwrap_or_default();
    let mut found = Vec::new();
    described(schema::root(), &description, &OptionPath::default(), &mut found);
    let settings = OptionPath::dotted("synapse.settings");
    // What a section writes, and what cannot be written, has its answer already.
    for (name, value) in loaded.site.synapse.settings.iter().filter(|(name, _)| !is_refused(name)) {
        if let Some(entry) = synapse::options().named(name).filter(|_| !COUNTS.contains(&name.as_str())) {
            set(entry, value, &settings.key(name), &mut found);
        }
    }
    found
}

fn described(schema: &Value, value: &Value, path: &OptionPath, found: &mut Vec<Bare>) {
    for branch in schema["anyOf"].as_array().into_iter().flatten() {
        described(branch, value, path, found);
    }
    let scale = match schema["format"].as_str() {
        Some("size") => Some(Scale::Size),
        Some("duration") => Some(Scale::Duration),
        _ => None,
    };
    match (scale, value) {
        (Some(scale), value) => note(scale, value, path, found),
        (None, Value::Object(members)) => {
            for (key, member) in members {
                let inner = schema["properties"].get(key).or_else(|| schema.get("additionalProperties").filter(|inner| inner.is_object()));
                if let Some(inner) = inner {
                    described(inner, member, &path.key(key), found);
                }
            }
        }
        (None, Value::Array(elements)) if schema["items"].is_object() => {
            for (at, element) in elements.iter().enumerate() {
                described(&schema["items"], element, &path.index(at), found);
            }
        }
        _ => {}
    }
}

fn set(entry: &Entry, value: &Value, path: &OptionPath, found: &mut Vec<Bare>) {
    let scale = entry.kinds.iter().find_map(|kind| match kind {
        Kind::Size => Some(Scale::Size),
        Kind::Duration => Some(Scale::Duration),
        _ => None,
    });
    match (scale, value) {
        (Some(scale), value) => note(scale, value, path, found),
        (None, Value::Object(members)) => {
            for (key, member) in members {
                if let Some(inner) = entry.member(key) {
                    set(inner, member, &path.key(key), found);
                }
            }
        }
        (None, Value::Array(elements)) => {
            for (at, element) in elements.iter().enumerate() {
                if let Some(inner) = entry.element() {
                    set(inner, element, &path.index(at), found);
                }
            }
        }
        _ => {}
    }
}

fn note(scale: Scale, value: &Value, path: &OptionPath, found: &mut Vec<Bare>) {
    let number = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    if let Some(number) = number {
        found.push(Bare { option: path.clone(), scale, number });
    }
}

fn last(option: &OptionPath) -> &str {
    option.0.iter().rev().find_map(|step| if let Step::Key(key) = step { Some(key.as_str()) } else { None }).unwrap_or_default()
}
