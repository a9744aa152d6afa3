//! Where something that Synapse calls by a name is said in a description: with which options, in which secret, under `synapse.settings`, or
//! nowhere, and then why and what to do instead. All help about Synapse's names is made from this; `tests/site/help.rs` tries every answer.

mod table;

use std::borrow::Cow;

use serde_json::Value;

use super::rules::{settings, typed};
use super::translate;
use crate::site::schema;
use crate::synapse;

/// Where something is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// With these options of the description; `*` stands for an element of a list, or a member of any name.
    With(Vec<String>),
    /// In the file of this secret on the target.
    Secret(&'static str),
    /// Under `synapse.settings`, by Synapse's own name.
    Settings,
    /// Nowhere.
    Nowhere {
        /// Why, as the end of a sentence.
        why: &'static str,
        /// What to do instead.
        instead: &'static str,
    },
}

/// A line of the table: a path of Synapse, or of a section for what people write there, and where it is said.
#[derive(Debug, Clone, Copy)]
enum Line {
    With(&'static [&'static str]),
    Secret(&'static str),
    No(&'static str, &'static str),
}

/// Where an option of Synapse is said, whose path is written as in the table of options: `listeners.[].port`. None for one that Synapse does
/// not read, or only to refuse it.
pub fn of(path: &str) -> Option<Said> {
    let path = &*plain(path);
    if let Some(line) = line(path) {
        return Some(line);
    }
    let (top, rest) = path.split_once('.').map_or((path, None), |(top, rest)| (top, Some(rest)));
    match settings::owner(top) {
        Some(owner) => match settings::secret_of(owner) {
            Some(secret) => Some(Said::Secret(secret)),
            None => Some(Said::With(vec![taken(owner, top, rest)?])),
        },
        None => (read(path) && typed::moved(path).is_none() && typed::moved(top).is_none()).then_some(Said::Settings),
    }
}

/// What a switch is here that another kind of option says: sections, as they are written.
pub fn switch(path: &str, found: &Value) -> Option<Value> {
    let word = found.as_str().map_or_else(|| Cow::Owned(found.to_string()), Cow::Borrowed);
    let (.., options) = table::SWITCHES.iter().find(|(known, value, _)| *known == path && *value == word)?;
    let mut written = Value::Null;
    for (option, value) in *options {
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(*value));
        translate::insert(&mut written, &schema::OptionPath::dotted(option).0, value);
    }
    Some(written)
}

/// What somebody meant who wrote true or false in the place of a section, as sections are written.
pub fn switched(section: &str, on: bool) -> Option<Value> {
    let path = format!("{section}.enabled");
    let takes_bool = |option: &str| schema::at(option).is_some_and(|schema| schema["type"] == "boolean");
    let option = match in_section(&path) {
        _ if takes_bool(&path) => path,
        Some((known, Said::With(options))) if known == path && options.len() == 1 && takes_bool(&options[0]) => options.into_iter().next()?,
        _ => return switch(&path, &Value::Bool(on)),
    };
    let mut written = Value::Null;
    translate::insert(&mut written, &schema::OptionPath::dotted(&option).0, Value::Bool(on));
    Some(written)
}

/// Whether something in it is said elsewhere than the rest.
pub fn has_lines_below(path: &str) -> bool {
    table::LINES.iter().any(|(known, _)| known.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

/// The secret of an OpenID Connect provider with that name; as [`crate::site::oidc::OidcProvider::secret`] writes it.
pub fn oidc_secret(idp_id: &str, is_key: bool) -> String {
    let kind = if is_key { "key" } else { "secret" };
    format!("oidc_client_{kind}_{}", crate::site::oidc::in_name(idp_id))
}

/// Whether Synapse reads it.
fn read(path: &str) -> bool {
    let step = |entry: &'static synapse::Entry, step: &str| match step {
        "[]" => entry.element(),
        "*" => entry.member("*"),
        name => entry.member(name),
    };
    path.split('.').try_fold(synapse::options(), step).is_some()
}

/// The one provider of older configurations is one of a list today.
fn plain(path: &str) -> Cow<'_, str> {
    match path.strip_prefix("oidc_config.") {
        Some(rest) if rest != "enabled" => Cow::Owned(format!("oidc_providers.[].{rest}")),
        _ => Cow::Borrowed(path),
    }
}

/// The answer of the table for a path, or for the nearest thing around it that has one.
fn line(path: &str) -> Option<Said> {
    let mut around = path;
    loop {
        if let Some((_, line)) = table::LINES.iter().find(|(known, _)| *known == around) {
            return Some(match *line {
                Line::With(options) => Said::With(options.iter().map(|option| (*option).to_owned()).collect()),
                Line::Secret(secret) => Said::Secret(secret),
                Line::No(why, instead) => Said::Nowhere { why, instead },
            });
        }
        // What is in a part that a section takes member by member may have an option of its own.
        let outer = around.rsplit_once('.')?.0;
        if owned(path).is_some_and(|option| schema::at(&option).is_some()) {
            return None;
        }
        around = outer;
    }
}

/// The option that would take it, if its section has one of that name.
fn owned(path: &str) -> Option<String> {
    let (top, rest) = path.split_once('.').map_or((path, None), |(top, rest)| (top, Some(rest)));
    let owner = settings::owner(top)?;
    settings::secret_of(owner).is_none().then(|| taken(owner, top, rest)).flatten()
}

fn taken(owner: &str, top: &str, rest: Option<&str>) -> Option<String> {
    let rest = rest.map(|rest| rest.replace("[]", "*"));
    let candidates = match (owner.strip_prefix("the section "), rest) {
        (Some(section), None) => vec![format!("{section}.{top}"), section.to_owned()],
        (Some(section), Some(rest)) => vec![format!("{section}.{top}.{rest}"), format!("{section}.{rest}")],
        (None, None) => vec![owner.to_owned()],
        (None, Some(rest)) => vec![format!("{owner}.{rest}")],
    };
    candidates.into_iter().find(|candidate| schema::at(candidate).is_some())
}

/// Where something is said that somebody wrote in a section, by its path in the description without the numbers of elements:
/// `oidc.oidc_providers.[].client_secret`. None when neither Synapse nor its modules know it.
pub fn in_section(path: &str) -> Option<(String, Said)> {
    let (section, rest) = path.split_once('.')?;
    if let Some((_, line)) = table::IN_SECTIONS.iter().find(|(known, _)| *known == path) {
        let said = match *line {
            Line::With(options) => Said::With(options.iter().map(|option| (*option).to_owned()).collect()),
            Line::Secret(secret) => Said::Secret(secret),
            Line::No(why, instead) => Said::Nowhere { why, instead },
        };
        return Some((path.to_owned(), said));
    }
    let mut blocks = settings::owned_within(section);
    if section == "workers" {
        blocks.push("stream_writers");
    }
    // A block that is a list in Synapse is written here without the list: `listeners: { port: 8008 }`.
    let in_block = |block: &str| [format!("{block}.{rest}"), format!("{block}.[].{rest}")];
    let inner = blocks.into_iter().flat_map(in_block).chain(blocks_inside(rest).map(str::to_owned));
    inner.filter(|path| known(path)).find_map(|path| Some((path.clone(), of(&path)?)))
}

/// `oidc_providers.[].issuer` is written in the section as it is in Synapse.
fn blocks_inside(rest: &str) -> impl Iterator<Item = &str> {
    let is_block = rest.contains('.') && settings::owner(rest.split('.').next().unwrap_or_default()).is_some();
    is_block.then_some(rest).into_iter()
}

fn known(path: &str) -> bool {
    table::LINES.iter().any(|(known, _)| *known == path)
        || path.split('.').try_fold(synapse::options(), |entry, step| if step == "[]" { entry.element() } else { entry.named(step) }).is_some()
}

/// Whether a schema is one of a section, which holds options.
fn is_set(schema: &Value) -> bool {
    schema["properties"].is_object() || schema["anyOf"].as_array().is_some_and(|branches| branches.iter().any(is_set))
}

impl Said {
    /// What to do, as a help says it; `name` is the top-level option of Synapse.
    pub fn sentence(&self, name: &str) -> String {
        match self {
            Self::With(options) => match options.as_slice() {
                [section] if !section.contains('.') && schema::at(section).is_some_and(is_set) => format!("write its members in the section {section}"),
                _ => format!("write it as {}", options.join(" and ")),
            },
            Self::Secret(secret) => {
                format!(
                    "remove it: its value is the file secrets/{secret} on the target, which `synapse-site secrets init` makes or asks for; one that is to stay goes there first"
                )
            }
            Self::Settings => format!("write it as synapse.settings.{name}: it is an option of Synapse, and no section has it"),
            Self::Nowhere { why, instead } => format!("not offered: {why}; {instead}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_that_synapse_reads_has_an_answer() {
        let newest = crate::synapse::facts::Kind::Options.of(crate::synapse::Release::newest());
        let moved = |path: &str| typed::moved(path).is_some() || path.split('.').next().is_some_and(|top| typed::moved(top).is_some());
        let silent: Vec<&str> = newest.into_keys().filter(|path| !moved(path) && of(path).is_none()).collect();
        assert_eq!(silent, [""; 0]);
    }

    #[test]
    fn every_switch_is_written_as_the_schema_has_it() {
        for (path, word, _) in table::SWITCHES {
            let written = switch(path, &Value::from(*word)).expect(path);
            for (section, options) in written.as_object().expect("sections") {
                let found = schema::check(schema::at(section).expect(path), options).findings;
                assert!(found.is_empty(), "{path}: {found:?}");
            }
        }
    }

    #[test]
    fn every_option_that_is_named_is_in_the_schema() {
        for (path, line) in table::LINES.iter().chain(table::IN_SECTIONS) {
            if let Line::With(options) = line {
                for option in *options {
                    assert!(schema::at(option).is_some(), "{path}: {option}");
                }
            }
        }
        for (path, said) in [
            ("redis.host", Said::With(vec!["redis.host".to_owned()])),
            ("rc_login.account.per_second", Said::With(vec!["rate_limits.rc_login.account.per_second".to_owned()])),
            ("oidc_config.issuer", Said::With(vec!["oidc.oidc_providers.*.issuer".to_owned()])),
            ("retention.default_policy.max_lifetime", Said::With(vec!["rooms.retention.default_policy.max_lifetime".to_owned()])),
            ("form_secret", Said::Secret("form_secret")),
            ("caches.global_factor", Said::Settings),
        ] {
            assert_eq!(of(path), Some(said), "{path}");
        }
        assert_eq!(of("no_such_option"), None);
    }
}
