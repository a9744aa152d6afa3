//! Where an option is written: found out, not said. On a site that has it, the option is given another value, both are rendered, and
//! what differs is what the option is written to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::flat::{self, Setting};
use super::options::{Described, Part, without_null};
use super::values;
use crate::check::rules::sites;
use crate::site::load;

/// A file's path and its content.
type File = (&'static str, &'static [u8]);

/// The examples, by name.
static EXAMPLES: &[(&str, &[File])] = include!(concat!(env!("OUT_DIR"), "/examples.rs"));
/// The example that has nearly every option.
const LARGEST: &str = "everything";

/// A site to try options on.
#[derive(Debug)]
pub struct TrialSite {
    /// Its description.
    pub description: Value,
    files: BTreeMap<String, Vec<u8>>,
    settings: BTreeSet<Setting>,
}

impl TrialSite {
    fn new(file: &str, beside: &[File]) -> Option<Self> {
        let text = beside.iter().find(|(name, _)| *name == file)?.1;
        let description: Value = serde_yaml::from_slice(text).ok()?;
        let mut files: BTreeMap<String, Vec<u8>> = beside.iter().map(|(name, content)| ((*name).to_owned(), content.to_vec())).collect();
        // A directory may be named in several ways.
        let dotted: Vec<(String, Vec<u8>)> = files.iter().map(|(name, content)| (format!("./{name}"), content.clone())).collect();
        files.extend(dotted);
        Self::of(description, files)
    }

    fn of(description: Value, files: BTreeMap<String, Vec<u8>>) -> Option<Self> {
        let settings = flat::settings(&load::of_value(description.clone(), files.clone()).ok()?);
        Some(Self { description, files, settings })
    }
}

/// The sites of the examples, the largest first.
pub fn examples() -> Vec<TrialSite> {
    let mut sites: Vec<_> = EXAMPLES.iter().collect();
    sites.sort_by_key(|(name, _)| (*name != LARGEST, *name));
    sites.into_iter().filter_map(|(_, files)| TrialSite::new("site.yaml", files)).collect()
}

/// The good site of a code of `check`.
pub fn of_rule(code: &str) -> Option<TrialSite> {
    let sites = sites::of(code)?;
    TrialSite::new(sites.good()?.0, sites.files())
}

/// The value of an option in a site: of the first element where there are several.
pub fn value<'a>(description: &'a Value, path: &[Part]) -> Option<&'a Value> {
    path.iter().try_fold(description, |value, part| match part {
        Part::Key(key) => value.get(key),
        Part::Element => value.get(0),
        Part::Member => value.as_object()?.values().next(),
    })
}

/// Whose settings an option changes, and their names.
pub type Places = BTreeSet<(&'static str, String)>;

/// What another value of an option changes.
#[derive(Debug, Clone, Default)]
pub struct Effect {
    /// Where.
    pub places: Places,
    /// The value; null where the option was taken away.
    pub value: Value,
    /// What then stands there.
    pub after: BTreeSet<Setting>,
}

/// What an option is written to: on the first site where it has an effect; failing that, on one that is given the sections around it;
/// failing that, on one where one of its neighbours, such as the switch of its section, has another value.
pub fn of(option: &Described, options: &[Described], trial_sites: &[&TrialSite]) -> Effect {
    let tried = |trial_sites: &mut dyn Iterator<Item = TrialSite>| trial_sites.map(|trial_site| on(&trial_site, option)).find(Option::is_some).flatten();
    let found = trial_sites.iter().find_map(|trial_site| on(trial_site, option));
    found
        .or_else(|| tried(&mut trial_sites.iter().filter_map(|trial_site| trial_site.with_sections(option, options))))
        .or_else(|| {
            let neighbours = || options.iter().filter(|other| other.path != option.path && other.is_switch() && option.is_beside(other));
            tried(
                &mut trial_sites
                    .iter()
                    .flat_map(|trial_site| neighbours().flat_map(move |neighbour| trial_site.with_others(neighbour).map(|(_, other)| other))),
            )
        })
        .unwrap_or_default()
}

/// What an option is written to on one site; none where the site has not its section, or where it has no effect.
fn on(trial_site: &TrialSite, option: &Described) -> Option<Effect> {
    let mut best: Option<Effect> = None;
    for (value, other) in trial_site.with_others(option) {
        let differing = other.settings.symmetric_difference(&trial_site.settings);
        let places: Places = differing.map(|setting| (setting.whose, setting.name.clone())).collect();
        // What takes an option away, or gives it its default, says least about it.
        let rank = |value: &Value, places: &Places| (value.is_null() || option.schema.get("default") == Some(value), places.len());
        if !places.is_empty() && best.as_ref().is_none_or(|best| rank(&value, &places) < rank(&best.value, &best.places)) {
            let after = other.settings.iter().filter(|setting| places.contains(&(setting.whose, setting.name.clone()))).cloned().collect();
            best = Some(Effect { places, value, after });
        }
        // Nothing can say more with less.
        if best.as_ref().is_some_and(|best| best.places.len() == 1) {
            break;
        }
    }
    best
}

impl TrialSite {
    /// Each other value of an option, and the site with it; one that does not fit its neighbours is none.
    fn with_others(&self, option: &Described) -> impl Iterator<Item = (Value, Self)> {
        let mut files = self.files.clone();
        let others = if above(&self.description, &option.path) {
            values::others(&option.schema, value(&self.description, &option.path), &mut files)
        } else {
            Vec::new()
        };
        let (description, path) = (self.description.clone(), option.path.clone());
        others.into_iter().filter_map(move |other| {
            let mut description = description.clone();
            put(&mut description, &path, other.clone())?;
            Some((other, Self::of(description, files.clone())?))
        })
    }

    /// The site with the sections and the first elements around an option that it lacks.
    fn with_sections(&self, option: &Described, options: &[Described]) -> Option<Self> {
        let mut description = self.description.clone();
        for (at, part) in option.path.iter().enumerate().skip(1) {
            let path = &option.path[..at];
            if value(&description, path).is_some() {
                continue;
            }
            let Some(around) = options.iter().find(|around| around.path == path) else { continue };
            let found = match part {
                Part::Key(_) => values::least(&around.schema)?,
                Part::Element => Value::Array(vec![values::least(&without_null(around.schema.get("items")?).0)?]),
                Part::Member => {
                    let member = values::least(&without_null(around.schema.get("additionalProperties")?).0)?;
                    Value::Object(Map::from_iter([("probe".to_owned(), member)]))
                }
            };
            put(&mut description, path, found)?;
        }
        Self::of(description, self.files.clone())
    }
}

/// Whether a site has the section that an option is in, or the section is always there.
fn above(description: &Value, path: &[Part]) -> bool {
    path.iter().rposition(|part| !matches!(part, Part::Key(_))).is_none_or(|last| value(description, &path[..=last]).is_some())
}

/// Gives an option a value; null takes it away. Sections that are always there need not be written.
fn put(description: &mut Value, path: &[Part], value: Value) -> Option<()> {
    let (last, above) = path.split_last()?;
    let mut here = description;
    for part in above {
        here = match part {
            Part::Key(key) => here.as_object_mut()?.entry(key.clone()).or_insert_with(|| Value::Object(Map::new())),
            Part::Element => here.get_mut(0)?,
            Part::Member => here.as_object_mut()?.values_mut().next()?,
        };
    }
    let Part::Key(key) = last else { return None };
    if value.is_null() { here.as_object_mut()?.remove(key).map(drop) } else { here.as_object_mut()?.insert(key.clone(), value).map_or(Some(()), |_| Some(())) }
}
