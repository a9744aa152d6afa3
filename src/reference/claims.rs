//! What each option has to change, said without looking: an option that has Synapse's own name arrives at that very place of Synapse's
//! configuration, with that very value; every other place stands in `claims.toml`. What the reference finds has to be that, no less and no more.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::Entry;
use super::flat::{self, Setting};
use super::options::{Described, Part};
use super::places::Effect;
use crate::check::names;
use crate::synapse;

/// Options by their paths.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// Where options of Synapse's own name stand that are not in one of the section's blocks: section and block.
    blocks: BTreeMap<String, String>,
    /// Places beside the one of its own name.
    further: BTreeMap<String, Vec<String>>,
    /// All places of an option that has a name of its own.
    own: BTreeMap<String, Vec<String>>,
}

/// The file of `launch`.
const LAUNCH: &str = "launch";

/// One place.
#[derive(Debug)]
struct Claim {
    whose: String,
    /// The setting's name; with a `*` at its end, every one that begins so.
    name: String,
    how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// The value itself.
    Same,
    /// A text that holds the value.
    Holds,
    /// Something that follows from it.
    Follows,
}

impl Claim {
    /// `coturn: min-port holds`.
    fn parse(text: &str) -> Self {
        let (whose, rest) = text.split_once(": ").unwrap_or_else(|| panic!("{text:?} names no file"));
        let (name, how) = rest.rsplit_once(' ').unwrap_or((rest, "is"));
        let how = match how {
            "is" => How::Same,
            "holds" => How::Holds,
            "follows" => How::Follows,
            other => panic!("{text:?}: no such word as {other:?}"),
        };
        Self { whose: whose.to_owned(), name: name.to_owned(), how }
    }

    fn is_about(&self, (whose, name): &(&str, String)) -> bool {
        if self.whose != *whose {
            return false;
        }
        if let Some(start) = self.name.strip_suffix('*').filter(|start| !start.ends_with('.')) {
            return name.starts_with(start);
        }
        // What is in a set is there as its members.
        let mut steps = name.split('.');
        self.name.split('.').all(|wanted| steps.next().is_some_and(|step| wanted == "*" || wanted == step)) || self.name == *name
    }

    /// Whether the value arrives there.
    fn holds(&self, option: &Described, Effect { value, after, .. }: &Effect) -> bool {
        let mut there = after.iter().filter(|setting| self.is_about(&(setting.whose, setting.name.clone()))).peekable();
        match (self.how, value) {
            (How::Follows, _) => true,
            // Empty, it leaves nothing behind.
            (_, Value::Array(list)) if list.is_empty() => true,
            // What is left unsaid is the default.
            (How::Same, value) if there.peek().is_none() => option.schema.get("default") == Some(value),
            (How::Same, _) if self.name.contains('*') => {
                let text = value.to_string();
                there.any(|setting| setting.value == text)
            }
            (How::Same, _) => {
                let mut wanted = BTreeSet::new();
                flat::nested("", &self.name, value, &mut wanted);
                let names: BTreeSet<&str> = after.iter().map(|setting| setting.name.as_str()).collect();
                let there: BTreeSet<(&str, &str)> = there.map(|setting| (setting.name.as_str(), setting.value.as_str())).collect();
                let mut wanted = wanted.iter().filter(|setting| names.contains(setting.name.as_str())).peekable();
                wanted.peek().is_some() && wanted.all(|setting| there.contains(&(&*setting.name, &*setting.value)))
            }
            (How::Holds, value) => {
                let last = match value {
                    Value::Array(list) => list.last(),
                    Value::Object(members) => members.values().next_back(),
                    _ => None,
                };
                let value = last.unwrap_or(value);
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                there.any(|setting| setting.value.contains(text.trim_end_matches('/')))
            }
        }
    }
}

/// Every option that does something else than is said of it.
pub(super) fn wrong(entries: &[Entry]) -> Vec<String> {
    let table: Table = toml::from_str(include_str!("claims.toml")).expect("the table of claims");
    let mut wrong = Vec::new();
    let known: BTreeSet<String> = entries.iter().map(|entry| entry.option.to_string()).collect();
    let unknown = table.own.keys().chain(table.further.keys()).filter(|name| !known.contains(*name));
    wrong.extend(unknown.map(|name| format!("{name}: in claims.toml, and there is no such option")));
    for entry in entries.iter().filter(|entry| !entry.effect.places.is_empty()) {
        let name = entry.option.to_string();
        let claims: Vec<Claim> = match table.own.get(&name) {
            Some(own) => own.iter().map(|text| Claim::parse(text)).collect(),
            None => match of_own_name(&table, &entry.option) {
                Ok(place) => {
                    let own = Claim { whose: "Synapse".to_owned(), name: place, how: How::Same };
                    std::iter::once(own).chain(table.further.get(&name).into_iter().flatten().map(|text| Claim::parse(text))).collect()
                }
                Err(why) => {
                    wrong.push(format!("{name}: {why}; it changes {:?} with {}", entry.effect.places, entry.effect.value));
                    continue;
                }
            },
        };
        let effect = &entry.effect;
        // How `launch` starts a program follows from what the program is told; where that is all, it is said.
        let beside = effect.places.iter().filter(|(whose, _)| *whose != LAUNCH || effect.places.iter().all(|(whose, _)| *whose == LAUNCH));
        let unsaid: Vec<_> = beside.filter(|place| !claims.iter().any(|claim| claim.is_about(place))).collect();
        if !unsaid.is_empty() {
            wrong.push(format!("{name}: {unsaid:?} is changed with {}, and nothing says so", effect.value));
        }
        for claim in &claims {
            if !effect.places.iter().any(|place| claim.is_about(place)) {
                wrong.push(format!("{name}: {}: {} stays as it is with {}", claim.whose, claim.name, effect.value));
            } else if !claim.holds(&entry.option, effect) {
                let there: Vec<&Setting> = effect.after.iter().filter(|setting| claim.is_about(&(setting.whose, setting.name.clone()))).collect();
                wrong.push(format!("{name}: {} is not what {}: {} gets: {there:?}", effect.value, claim.whose, claim.name));
            }
        }
    }
    wrong
}

/// Where an option stands that has Synapse's own name: at the top, or in the one block of its section that has it.
fn of_own_name(table: &Table, option: &Described) -> Result<String, String> {
    let keys = option.path.iter().filter_map(|part| match part {
        Part::Key(key) => Some(key.as_str()),
        Part::Member => Some("*"),
        Part::Element => None,
    });
    let keys: Vec<&str> = keys.collect();
    let rest = keys[1..].join(".");
    let blocks = names::blocks(option.section()).into_iter().map(str::to_owned).chain(table.blocks.get(option.section()).cloned());
    let inner = blocks.filter(|_| !rest.is_empty()).map(|block| format!("{block}.{rest}"));
    let found: BTreeSet<String> = inner.chain([rest.clone()]).filter(|path| !path.is_empty() && is_read(path)).collect();
    match found.len() {
        1 => Ok(found.into_iter().next().unwrap_or_default()),
        0 => Err("Synapse has no option of that name, and claims.toml has no line for it".to_owned()),
        _ => Err(format!("Synapse has several options of that name: {found:?}")),
    }
}

/// Whether Synapse reads an option, elements of lists aside.
fn is_read(path: &str) -> bool {
    path.split('.').try_fold(synapse::options(), |entry, step| entry.element().unwrap_or(entry).member(step)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::rules;
    use crate::site::schema;

    /// Programs beside Synapse, whose mistakes at start nobody sees before.
    const PROGRAMS: [&str; 5] = ["nginx", "PostgreSQL", "coturn", "LiveKit", "Redis"];
    /// Texts of any form, and the rule that looks at each instead of its type.
    const BY_RULE: [(&str, &str); 4] =
        [("database.user", "S0210"), ("database.dbname", "S0210"), ("database.settings", "S0572"), ("rtc.stun_servers", "S0257")];

    /// Whether a type says what form its texts have.
    fn has_form(schema: &Value) -> bool {
        let inner = ["items", "additionalProperties"].iter().filter_map(|name| schema.get(*name)).filter(|inner| inner.is_object());
        let branches = schema["anyOf"].as_array().into_iter().flatten().filter(|branch| branch["type"] != "null");
        let holders: Vec<&Value> = inner.chain(branches).collect();
        if !holders.is_empty() {
            return holders.into_iter().all(has_form);
        }
        let is_text = schema["type"] == "string" || schema["type"].as_array().is_some_and(|kinds| kinds.contains(&Value::from("string")));
        let form = schema["format"].as_str().is_some_and(|form| !["line", "text"].contains(&form));
        !is_text || form || ["enum", "oneOf", "pattern", "const"].iter().any(|name| schema.get(*name).is_some())
    }

    #[test]
    fn what_goes_to_another_program_has_a_form_or_a_rule() {
        let table: Table = toml::from_str(include_str!("claims.toml")).expect("the table of claims");
        let mut asked = 0;
        for (option, claims) in table.own.iter().chain(&table.further) {
            let claims = claims.iter().map(|text| Claim::parse(text));
            if !claims.into_iter().any(|claim| PROGRAMS.contains(&claim.whose.as_str()) && claim.how != How::Follows) {
                continue;
            }
            asked += 1;
            let typed = schema::at(option).unwrap_or_else(|| panic!("no option {option}"));
            match BY_RULE.iter().find(|(name, _)| name == option) {
                Some((_, code)) => {
                    let rule = rules::all().find(|rule| rule.code == *code).unwrap_or_else(|| panic!("no rule {code}"));
                    assert!(rule.options.contains(&option.as_str()), "{code} does not look at {option}");
                }
                None => assert!(has_form(typed), "{option} is any text: {typed}"),
            }
        }
        assert!(asked > 20, "{asked}");
        assert!(!has_form(schema::at("database.user").expect("an option")));
    }
}
