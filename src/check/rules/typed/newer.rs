//! S0422 and S0423: a site whose images hold another Synapse than the newest of the tables.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::check::names;
use crate::check::rules::Violation;
use crate::check::rules::places::each;
use crate::check::unchecked;
use crate::component::synapse::written;
use crate::site::load::Loaded;
use crate::synapse::{Release, Running, Spell, spell};

/// What to do about an option that is not read yet.
pub(super) const REMEDY: &str = "remove it, or take images with a Synapse that reads it";

/// Where an option can be said that not every release of the tables reads: `synapse.settings`, and
/// the sections that write one.
pub(super) const OPTIONS: &[&str] = &["synapse.settings", "matrix_authentication_service", "media", "presence", "rate_limits", "redis", "rtc"];

/// Options that sections write, and which the Synapse of the images does not read yet. The newest
/// of the tables reads all of them, as a test of the examples says, so that nothing is rendered for
/// it.
pub(super) fn of_sections(loaded: &Loaded) -> Vec<Violation> {
    let running = &loaded.synapse;
    if running.release == Release::newest() {
        return Vec::new();
    }
    let names = names_of(loaded);
    let later = |name: &str| spell(name).filter(|spell| spell.since > running.release);
    let later: BTreeMap<&str, Spell> = names.iter().filter_map(|name| Some((name.as_str(), later(name)?))).collect();
    if later.is_empty() {
        return Vec::new();
    }
    let without = names_without(loaded);
    // Of an option that is new as a whole, its members are, too.
    let outermost = |name: &str| !super::itself_and_outer(name).any(|outer| outer != name && later.contains_key(outer));
    let mut of_place: BTreeMap<(String, Release), Vec<&str>> = BTreeMap::new();
    for (name, spell) in later.iter().filter(|(name, _)| outermost(name)) {
        let place = names::place(name);
        let said = place.starts_with("synapse.settings.") && !each(&loaded.site.synapse.settings, name).is_empty();
        if !said {
            of_place.entry((cause(&without, name, place), spell.since)).or_default().push(name);
        }
    }
    of_place.into_iter().map(|((place, since), names)| violation(&place, since, &names, running)).collect()
}

fn violation(place: &str, since: Release, names: &[&str], running: &Running) -> Violation {
    let are = if names.len() == 1 { "is" } else { "are" };
    let what = if names == [place] { String::new() } else { format!("sets {}, which ", names.join(" and ")) };
    let message = format!("{what}{are} read since Synapse {since}; this site's images hold {}", running.version);
    Violation::at(place, message, format!("remove {place}, or take images with a Synapse that reads it"))
}

/// The names of everything that is rendered for Synapse.
fn names_of(loaded: &Loaded) -> BTreeSet<String> {
    let mut names = Vec::new();
    written(&unchecked(loaded)).iter().for_each(|options| collect(options, "", &mut names));
    names.into_iter().collect()
}

/// The names that would be rendered without a section, for each of those that write something new.
fn names_without(loaded: &Loaded) -> Vec<(&'static str, BTreeSet<String>)> {
    let whole = serde_json::to_value(&loaded.site).unwrap_or_default();
    let without = |section: &'static str| {
        let mut rest = whole.clone();
        rest.as_object_mut()?.remove(section);
        let site = serde_json::from_value(rest).ok()?;
        Some((section, names_of(&Loaded { site, ..loaded.clone() })))
    };
    OPTIONS.iter().filter(|option| !option.contains('.')).filter_map(|section| without(section)).collect()
}

/// What somebody wrote for the sake of which an option is rendered: its own place, or the section that brings it with it.
fn cause(without: &[(&'static str, BTreeSet<String>)], name: &str, place: String) -> String {
    let causes: Vec<&str> = without.iter().filter(|(_, names)| !names.contains(name)).map(|(section, _)| *section).collect();
    let own = place.split('.').next().unwrap_or_default();
    match causes.first() {
        Some(section) if !causes.contains(&own) => (*section).to_owned(),
        _ => place,
    }
}

/// The names of all options in a set, with dots.
fn collect(options: &Value, above: &str, names: &mut Vec<String>) {
    match options {
        Value::Object(members) => {
            for (key, member) in members {
                let name = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
                names.push(name.clone());
                collect(member, &name, names);
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| collect(element, above, names)),
        _ => {}
    }
}

/// A version that the tables do not hold.
pub(super) fn outside(loaded: &Loaded) -> Vec<Violation> {
    let running = &loaded.synapse;
    let remedy = || {
        format!("compare the release notes of Synapse {} with what the site says, or take images with one of the tables: {}", running.version, running.release)
    };
    if running.is_known() { Vec::new() } else { vec![Violation::at("synapse", running.unknown(), remedy())] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synapse::facts::Kind;

    #[test]
    fn every_option_that_some_release_lacks_has_a_place_that_the_rule_looks_at() {
        let later = Kind::Options.rows().filter(|row| spell(&row.name.replace(".[]", "")).is_some_and(|spell| spell.since > Release::oldest()));
        let places: Vec<String> = later.map(|row| names::place(&row.name.replace(".[]", ""))).collect();
        assert!(places.len() > 20, "{places:?}");
        let strays: Vec<&String> = places.iter().filter(|place| !super::super::itself_and_outer(place).any(|outer| OPTIONS.contains(&outer))).collect();
        assert!(strays.is_empty(), "{strays:?}");
    }
}
