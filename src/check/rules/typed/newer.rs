//! S0422 and S0423: a site whose images hold another Synapse than the newest of the tables.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::check::names;
use crate::check::rules::Breach;
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
pub(super) fn of_sections(loaded: &Loaded) -> Vec<Breach> {
    let running = &loaded.synapse;
    if running.release == Release::newest() {
        return Vec::new();
    }
    let mut names = Vec::new();
    written(&unchecked(loaded)).iter().for_each(|options| collect(options, "", &mut names));
    names.sort();
    names.dedup();
    let said = |name: &String| super::itself_and_outer(name).any(|outer| loaded.site.synapse.settings.contains_key(outer));
    let later = |name: &str| spell(name).filter(|spell| spell.since > running.release);
    let later = names.iter().filter(|name| !said(name)).filter_map(|name| Some((name.as_str(), later(name)?)));
    // Of an option that is new as a whole, its members are, too.
    let later: BTreeMap<&str, Spell> = later.collect();
    let outermost = |name: &str| !super::itself_and_outer(name).any(|outer| outer != name && later.contains_key(outer));
    later.iter().filter(|(name, _)| outermost(name)).map(|(name, spell)| breach(name, *spell, running)).collect()
}

fn breach(name: &str, spell: Spell, running: &Running) -> Breach {
    let place = names::place(name);
    let what = if place == name { String::new() } else { format!("sets {name}, which ") };
    Breach::at(&place, format!("{what}is read since Synapse {}; this site's images hold {}", spell.since, running.version), REMEDY)
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
pub(super) fn outside(loaded: &Loaded) -> Vec<Breach> {
    let running = &loaded.synapse;
    let remedy = || {
        format!("compare the release notes of Synapse {} with what the site says, or take images with one of the tables: {}", running.version, running.release)
    };
    if running.is_known() { Vec::new() } else { vec![Breach::at("synapse", running.unknown(), remedy())] }
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
