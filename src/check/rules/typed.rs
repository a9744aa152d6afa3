//! S041x: what stands under `synapse.settings`, name by name and type by type, against what the Synapse of the site's images reads ([`synapse::options_of`]).
//! Synapse itself ignores unknown names and takes most values as they are.

mod moved;
mod needs;
mod newer;
mod power;
mod range;
mod unknown;

use std::collections::BTreeSet;

use serde_json::Value;

use super::settings::{is_inline, is_refused};
use super::{Rule, Violation};
use crate::check::Severity::{Error, Warning};
use crate::component::synapse::workers;
use crate::site::load::Loaded;
use crate::site::reveal;
use crate::site::schema::{MOST_MISTAKES, OptionPath, Step, nearest};
use crate::site::secret::reference;
use crate::site::text::Scale;
use crate::synapse::{self, Entry, Kind, Release, Running};

/// Why an option that Synapse reads cannot be said, and what to do.
pub(in crate::check) fn moved(name: &str) -> Option<(&'static str, &'static str)> {
    moved::of(name)
}

const SETTINGS: &[&str] = &["synapse.settings"];

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "S0411",
        severity: Error,
        options: SETTINGS,
        reason: "Synapse ignores a name that it does not know, without a word (config/_base.py, read_config_files; issues 3513, 7767, 12651).",
        violations: |loaded| found(loaded, "S0411"),
    },
    Rule {
        code: "S0412",
        severity: Error,
        options: SETTINGS,
        reason: "Within most of its options, too, Synapse ignores a name that it does not know; within a few it stops at start.",
        violations: |loaded| found(loaded, "S0412"),
    },
    Rule {
        code: "S0413",
        severity: Error,
        options: SETTINGS,
        reason: "Synapse compares few values with the type it needs: the text \"no\" is true to it, and a text where a number belongs ends it later.",
        violations: |loaded| found(loaded, "S0413"),
    },
    Rule {
        code: "S0414",
        severity: Error,
        options: SETTINGS,
        reason: "A size is bytes, or a whole number with K, M, G or T; a time is milliseconds, or a whole number with s, m, h, d, w or y; all else ends Synapse with a raw ValueError (config/_base.py, parse_size and parse_duration).",
        violations: |loaded| found(loaded, "S0414"),
    },
    Rule {
        code: "S0415",
        severity: Error,
        options: SETTINGS,
        reason: "An option with a closed list of values takes one of them; Synapse refuses others.",
        violations: |loaded| found(loaded, "S0415"),
    },
    Rule {
        code: "S0416",
        severity: Error,
        options: SETTINGS,
        reason: "Guides live longer than options: what an earlier Synapse read, and what only its documentation names, has no effect.",
        violations: |loaded| found(loaded, "S0416"),
    },
    Rule {
        code: "S0417",
        severity: Error,
        options: SETTINGS,
        reason: "Synapse reads these names only to refuse them, or as an older way to say what a section here says.",
        violations: |loaded| found(loaded, "S0417"),
    },
    Rule {
        code: "S0418",
        severity: Warning,
        options: &["synapse.unchecked"],
        reason: "An option that is let through without need hides the next mistake in it.",
        violations: |loaded| {
            let walk = Walk::over(loaded, BTreeSet::new(), "S0418");
            let strays = super::paths::strays(loaded);
            let places = walk.found.iter().map(|(_, found, _)| found).chain(strays.iter().filter(|stray| stray.is_certain).map(|stray| &stray.name));
            let let_through: BTreeSet<&str> = places.flat_map(|found| itself_and_outer(found)).collect();
            let idle = |(_, name): &(usize, &str)| !let_through.contains(name);
            let unchecked = loaded.site.synapse.unchecked.iter().map(|name| name.as_str()).enumerate();
            let violation = |(at, name): (usize, &str)| {
                Violation::at(&format!("synapse.unchecked.{at}"), format!("lets {name:?} through, in which nothing is found"), "remove this entry")
            };
            unchecked.filter(idle).map(violation).collect()
        },
    },
    Rule {
        code: "S0419",
        severity: Error,
        options: SETTINGS,
        reason: "Some members of an option belong together: without one of them Synapse ends at start, often with a bare KeyError (config/jwt.py, cas.py, account_validity.py, cache.py, repository.py).",
        violations: |loaded| found(loaded, "S0419"),
    },
    Rule {
        code: "S0420",
        severity: Error,
        options: SETTINGS,
        reason: "A value of the right type can still be none that Synapse takes: it ends at start, or does nothing with it and says nothing (config/server.py, user_types.py, push_rules.py, auto_accept_invites.py).",
        violations: |loaded| found(loaded, "S0420"),
    },
    Rule {
        code: "S0421",
        severity: Error,
        options: &["synapse.settings.default_power_level_content_override"],
        reason: "Synapse ends with a kind of room that it does not know; whether the powers are any it looks when somebody makes a room, who then cannot (config/room.py, events/validator.py).",
        violations: |loaded| found(loaded, "S0421"),
    },
    Rule {
        code: "S0422",
        severity: Error,
        options: newer::OPTIONS,
        reason: "A Synapse that does not read an option yet ignores it without a word; which releases read it is in the tables that `synapse-site facts` prints.",
        violations: |loaded| found(loaded, "S0422").into_iter().chain(newer::of_sections(loaded)).collect(),
    },
    Rule {
        code: "S0423",
        severity: Warning,
        options: &["synapse"],
        reason: "What a Synapse outside of the tables reads and answers is only guessed: the facts of the nearest release are taken for it.",
        violations: newer::outside,
    },
];

/// What one rule finds, but for what the description lets through.
fn found(loaded: &Loaded, code: &'static str) -> Vec<Violation> {
    Walk::over(loaded, unchecked(loaded), code).found.into_iter().map(|(_, _, violation)| violation).collect()
}

/// The options that a description lets through.
pub(super) fn unchecked(loaded: &Loaded) -> BTreeSet<&str> {
    loaded.site.synapse.unchecked.iter().map(|name| name.as_str()).collect()
}

/// The name of an option, and of each that it is in.
pub(super) fn itself_and_outer(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('.').map(|(at, _)| &name[..at]).chain([name])
}

/// What to do about an option that is gone, where there is nothing to say in its place.
const NOTHING_ELSE: &str = "remove it: what it switched on is part of Synapse by now, or was given up";

struct Walk<'a> {
    unchecked: BTreeSet<&'a str>,
    /// The code whose findings are used. What to do about an unknown name takes a comparison with every known one, so that the walks of
    /// other codes leave it out.
    wanted: &'static str,
    /// Names of processes that can be told to do something.
    workers: Vec<String>,
    running: &'a Running,
    /// The code, the option's name with dots and without indexes, and the rest.
    found: Vec<(&'static str, String, Violation)>,
}

/// The place of a value: as the user wrote it, and as the table has it.
#[derive(Clone)]
struct Place {
    path: OptionPath,
    name: String,
}

impl Place {
    fn key(&self, key: &str) -> Self {
        let name = if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) };
        Self { path: self.path.key(key), name }
    }

    fn index(&self, index: usize) -> Self {
        Self { path: self.path.index(index), name: self.name.clone() }
    }

    fn last(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or_default()
    }

    /// A value as one writes it at this place: an element of a list has no name before it.
    fn written(&self, value: &str) -> String {
        if matches!(self.path.0.last(), Some(Step::Index(_))) { value.to_owned() } else { format!("{}: {value}", self.last()) }
    }
}

impl<'a> Walk<'a> {
    fn over(loaded: &'a Loaded, unchecked: BTreeSet<&'a str>, wanted: &'static str) -> Self {
        let running = &loaded.synapse;
        let mut walk = Self { wanted, unchecked, workers: workers::names(&loaded.site), running, found: Vec::new() };
        let top = Place { path: OptionPath::dotted("synapse.settings"), name: String::new() };
        for (name, value) in loaded.site.synapse.settings.iter().filter(|(name, _)| !is_refused(name)) {
            walk.member(synapse::options_of(running.release), name, value, &top.key(name));
        }
        walk
    }

    fn find(&mut self, code: &'static str, place: &Place, message: impl Into<String>, remedy: impl Into<String>) {
        // All of them are needed to say what is let through without need.
        if self.wanted != code && self.wanted != "S0418" {
            return;
        }
        let violation = Violation { option: place.path.clone(), message: message.into(), remedy: remedy.into() };
        self.found.push((code, place.name.clone(), violation));
    }

    /// Whether the remedy of one more finding with that code will be read.
    fn asks(&self, code: &str) -> bool {
        self.wanted == code && self.found.len() < MOST_MISTAKES
    }

    fn member(&mut self, holder: &Entry, key: &str, value: &Value, place: &Place) {
        // No other Synapse makes them fit: the description has sections for what they say.
        if let Some((why, instead)) = moved::of(&place.name) {
            self.find("S0417", place, why, instead);
            return;
        }
        if itself_and_outer(&place.name).any(|name| self.unchecked.contains(name)) {
            return;
        }
        if let Some((last, instead)) = self.gone(&place.name) {
            let when = match last {
                Some(last) => format!("is not read any more; the last Synapse that did was {last}"),
                None => "is not read, although the documentation of Synapse names it".to_owned(),
            };
            self.find("S0416", place, when, instead);
        } else if let Some(entry) = holder.member(key) {
            self.value(entry, value, place);
        } else if place.name == key || holder.is_closed() {
            self.unread(holder, key, place);
        }
    }

    /// A name that the Synapse of the images does not read, where it does not take any name.
    fn unread(&mut self, holder: &Entry, key: &str, place: &Place) {
        let running = self.running;
        let spell = synapse::spell(&place.name);
        if let Some(since) = spell.map(|spell| spell.since).filter(|since| *since > running.release) {
            let message = format!("is read since Synapse {since}; this site's images hold {}", running.version);
            self.find("S0422", place, message, newer::REMEDY);
        } else if let Some(last) = spell.map(|spell| spell.until).filter(|last| *last < running.release) {
            self.find("S0416", place, format!("is not read any more; the last Synapse that did was {last}"), NOTHING_ELSE);
        } else if place.name == key {
            let message = format!("is no option that Synapse {} reads", running.version);
            let remedy = if self.asks("S0411") { unknown::option(key, running) } else { String::new() };
            self.find("S0411", place, message, remedy);
        } else {
            let outer = place.name.strip_suffix(key).map_or("", |outer| outer.trim_end_matches('.'));
            let message = format!("is no option that Synapse {} reads in {outer}", running.version);
            let remedy = if self.asks("S0412") { unknown::member(holder, key, outer, running) } else { String::new() };
            self.find("S0412", place, message, remedy);
        }
    }

    /// The last release that read an option of `gone.txt`, none when only documentation names it; and what to do.
    fn gone(&self, name: &str) -> Option<(Option<&'static str>, &'static str)> {
        let gone = synapse::gone().get(name)?;
        let still = gone.last.and_then(Release::named).is_some_and(|last| last >= self.running.release);
        (!still).then_some((gone.last, if gone.instead.is_empty() { NOTHING_ELSE } else { gone.instead }))
    }

    fn value(&mut self, entry: &Entry, value: &Value, place: &Place) {
        // Another rule says that a secret does not belong here, and its value belongs into no message.
        if is_inline(place.last(), value) {
            return;
        }
        let secret = reference(value).is_some();
        let choices: Vec<&Value> = entry.kinds.iter().filter_map(|kind| if let Kind::Just(choice) = kind { Some(choice) } else { None }).collect();
        if !entry.kinds.iter().any(|kind| allows(kind, value, secret)) {
            if choices.is_empty() {
                self.find(
                    "S0413",
                    place,
                    format!("found {}, expected {}", what(value, secret, place), expected(&entry.kinds)),
                    remedy(entry, value, secret, place),
                );
            } else {
                let texts = choices.iter().filter_map(|choice| choice.as_str());
                let near = value.as_str().and_then(|text| nearest(text, texts)).map_or_else(|| choices[0].to_string(), |near| format!("{near:?}"));
                self.find(
                    "S0415",
                    place,
                    format!("found {}, allowed are {}", what(value, secret, place), list(choices.iter().map(ToString::to_string))),
                    format!("write for example {}", place.written(&near)),
                );
            }
            return;
        }
        if !secret {
            self.taken(entry, value, place);
        }
        match value {
            Value::String(text) => {
                if let Some(scale) = scale(&entry.kinds)
                    && let Err(why) = scale.check(text)
                {
                    let write = scale.meant(text).unwrap_or_else(|| scale.example().to_owned());
                    self.find("S0414", place, why, format!("write {}", place.written(&write)));
                }
            }
            Value::Object(members) if !secret => {
                for (key, member) in members {
                    self.member(entry, key, member, &place.key(key));
                }
            }
            Value::Array(elements) => {
                for (at, element) in elements.iter().enumerate() {
                    if let Some(entry) = entry.element() {
                        self.value(entry, element, &place.index(at));
                    }
                }
            }
            _ => {}
        }
    }
}

impl Walk<'_> {
    /// Whether Synapse can do something with a value of the right type.
    fn taken(&mut self, entry: &Entry, value: &Value, place: &Place) {
        let is_element = matches!(place.path.0.last(), Some(Step::Index(_)));
        if let Some((message, remedy)) = range::beyond(&place.name, is_element, value) {
            self.find("S0420", place, message, remedy);
        }
        match (place.name.as_str(), value) {
            ("auto_accept_invites.worker_to_run_on", Value::String(name)) if !self.workers.contains(name) => {
                let known = if self.workers.is_empty() { "has no worker that takes this".to_owned() } else { format!("has {}", self.workers.join(", ")) };
                self.find("S0420", place, format!("is {name:?}, and the site {known}: nobody would do it"), "remove it: the main process does it then");
            }
            ("default_power_level_content_override", value) if self.wanted == "S0421" || self.wanted == "S0418" => {
                for (steps, message, remedy) in power::wrong(value) {
                    let place = steps.iter().fold(place.clone(), |place, step| place.key(step));
                    self.find("S0421", &place, message, remedy);
                }
            }
            (name, Value::Object(members)) => {
                if let Some((message, remedy)) = Some(members).filter(|_| name == "user_types").and_then(range::stray_user_type) {
                    self.find("S0420", &place.key("default_user_type"), message, remedy);
                }
                let missing = needs::missing(name, entry, members);
                if !missing.is_empty() {
                    let names: Vec<&str> = missing.iter().map(|(name, _)| *name).collect();
                    let values: Vec<String> = missing.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                    self.find("S0419", place, format!("lacks {}", names.join(", ")), format!("add {}", values.join(", ")));
                }
            }
            (name, value) if is_element && needs::has_members(name) => {
                let values: Vec<String> = needs::missing(name, entry, &serde_json::Map::new()).iter().map(|(name, value)| format!("{name}: {value}")).collect();
                self.find(
                    "S0413",
                    place,
                    format!("found {}, expected a set of options", reveal::value(&place.path, value)),
                    format!("write {{ {} }}", values.join(", ")),
                );
            }
            _ => {}
        }
    }
}

/// The scale of an option that has one, and takes no other text.
fn scale(kinds: &[Kind]) -> Option<Scale> {
    kinds.iter().find_map(|kind| match kind {
        Kind::Size => Some(Scale::Size),
        Kind::Duration => Some(Scale::Duration),
        _ => None,
    })
}

fn allows(kind: &Kind, value: &Value, secret: bool) -> bool {
    match kind {
        Kind::Any => true,
        Kind::Null => value.is_null(),
        Kind::Bool => value.is_boolean(),
        Kind::Int => value.is_i64() || value.is_u64(),
        Kind::Number => value.is_number(),
        Kind::Text => value.is_string() || secret,
        Kind::List => value.is_array(),
        Kind::Map => value.is_object() && !secret,
        Kind::Duration | Kind::Size => value.is_i64() || value.is_u64() || value.is_string(),
        Kind::Just(choice) => value == choice,
    }
}

fn what(value: &Value, secret: bool, place: &Place) -> String {
    if secret { "a secret, whose value is text".to_owned() } else { reveal::value(&place.path, value) }
}

fn expected(kinds: &[Kind]) -> String {
    let names = kinds.iter().filter_map(|kind| {
        Some(match kind {
            Kind::Bool => "true or false",
            Kind::Int => "a whole number",
            Kind::Number => "a number",
            Kind::Text => "text",
            Kind::List => "a list",
            Kind::Map => "a set of options",
            Kind::Duration => "a time",
            Kind::Size => "a size",
            Kind::Any | Kind::Null | Kind::Just(_) => return None,
        })
    });
    names.collect::<Vec<_>>().join(" or ")
}

/// What to write in the place of a value of another type: the same value in the right type, where that can be said.
fn remedy(entry: &Entry, value: &Value, secret: bool, place: &Place) -> String {
    let write = |value: String| format!("write {}", place.written(&value));
    if value.is_null() {
        return "remove it; Synapse then takes its default, which nothing (null) is not".to_owned();
    }
    for kind in entry.kinds.iter().filter(|_| reveal::may_repeat(&place.path, value)) {
        match (kind, value) {
            (Kind::Bool, Value::String(text)) => match text.to_lowercase().as_str() {
                "true" | "yes" | "on" | "1" | "y" => return write("true".to_owned()),
                "false" | "no" | "off" | "0" | "n" => return write("false".to_owned()),
                _ => {}
            },
            (Kind::Bool, Value::Number(number)) => match number.as_i64() {
                Some(1) => return write("true".to_owned()),
                Some(0) => return write("false".to_owned()),
                _ => {}
            },
            (Kind::Int, Value::String(text)) if text.parse::<i64>().is_ok() => return write(text.clone()),
            (Kind::Number, Value::String(text)) if text.parse::<serde_json::Number>().is_ok() => return write(text.clone()),
            (Kind::Int | Kind::Duration | Kind::Size, Value::Number(number)) => {
                if let Some(whole) = number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 1e15) {
                    return write(format!("{whole:.0}"));
                }
            }
            (Kind::Text, Value::Number(_) | Value::Bool(_)) => return write(format!("{:?}", value.to_string())),
            (Kind::List, Value::String(_) | Value::Number(_) | Value::Bool(_)) => return write(format!("[{value}]")),
            (Kind::List, Value::Object(_)) if !secret => return format!("write {} as a list, of which this is one element", place.last()),
            _ => {}
        }
    }
    let members: Vec<&str> = entry.names().collect();
    match entry.kinds.iter().find(|kind| !matches!(kind, Kind::Null)) {
        Some(Kind::Map) if !members.is_empty() => format!("its members are {}", list(members.iter().map(|name| (*name).to_owned()))),
        Some(Kind::Map) => write("{ NAME: VALUE }".to_owned()),
        Some(Kind::List) => write("[VALUE]".to_owned()),
        Some(Kind::Bool) => format!("write {}, or {}", place.written("true"), place.written("false")),
        Some(Kind::Int | Kind::Number) => format!("write the number without quotes, as in {}", place.written("10")),
        Some(Kind::Duration) => write("10m".to_owned()),
        Some(Kind::Size) => write("50M".to_owned()),
        _ => format!("write text, as in {}", place.written("\"some text\"")),
    }
}

fn list(values: impl IntoIterator<Item = String>) -> String {
    values.into_iter().collect::<Vec<_>>().join(", ")
}
