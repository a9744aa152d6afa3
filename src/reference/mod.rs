//! The option reference: every option with its type, values, default, an example, where it is written, and the codes of the rules that
//! watch it. Nothing in it is written by hand: types and descriptions are the schema's, examples come from the example sites, and
//! where an option is written is found out on them.

#[cfg(test)]
mod claims;
pub mod flat;
mod lookup;
pub mod options;
pub mod page;
pub mod places;
pub mod values;

use std::collections::BTreeMap;

use options::Described;
use places::{Effect, TrialSite};

use crate::check::rules;
use crate::error::{Error, Result};

/// The codes of the rules that watch an option or something in it.
pub fn codes(option: &str) -> Vec<&'static str> {
    rules::explanations()
        .filter(|explanation| explanation.options.iter().any(|watched| is_within(watched, option)))
        .map(|explanation| explanation.code)
        .collect()
}

/// An option and where it is written.
#[derive(Debug)]
pub struct Entry {
    /// The option.
    pub option: Described,
    /// What another value of it changes.
    pub effect: Effect,
    /// A value from an example.
    pub example: Option<serde_json::Value>,
}

/// What was found out about every option, or about one and what is below it.
pub fn entries(only: Option<&str>) -> Vec<Entry> {
    let examples = places::examples();
    let options = options::all(&crate::site::schema::schema());
    let mut of_rules: BTreeMap<&str, Vec<TrialSite>> = BTreeMap::new();
    let wanted = options.iter().filter(|option| only.is_none_or(|only| is_within(&option.to_string(), only)));
    wanted
        .map(|option| {
            let example = examples.iter().find_map(|trial_site| places::value(&trial_site.description, &option.path)).cloned();
            let section = option.section();
            let of_rules = of_rules.entry(section).or_insert_with(|| codes(section).into_iter().filter_map(places::of_rule).collect());
            let trial_sites: Vec<&TrialSite> = examples.iter().chain(of_rules.iter()).collect();
            Entry { option: option.clone(), effect: places::of(option, &options, &trial_sites), example }
        })
        .collect()
}

/// Whether an option is another one or in it.
fn is_within(option: &str, other: &str) -> bool {
    option == other || option.strip_prefix(other).is_some_and(|rest| rest.starts_with('.'))
}

/// The reference as Markdown: of everything, or of one option or section.
///
/// # Errors
/// When there is no such option.
pub fn markdown(only: Option<&str>) -> Result<String> {
    let Some(only) = only else { return Ok(page::page(&crate::site::schema::schema(), &entries(None))) };
    let all = options::all(&crate::site::schema::schema());
    let wanted = lookup::find(&all, only).map_err(Error::Usage)?;
    Ok(entries(Some(&wanted)).iter().map(page::of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Options that only `check` reads.
    const CHECKED_ONLY: &[&str] = &["checks.accept", "consent.documents.<name>.sha256", "synapse.unchecked"];

    #[test]
    fn every_option_has_an_effect_and_the_page_of_options_is_what_the_program_prints() {
        let entries = entries(None);
        let idle: Vec<String> = entries.iter().filter(|entry| entry.effect.places.is_empty()).map(|entry| entry.option.to_string()).collect();
        let known = |option: &String| CHECKED_ONLY.iter().any(|known| is_within(option, known));
        assert!(idle.iter().all(known), "these options change nothing that is rendered: {idle:?}");
        let wrong = claims::wrong(&entries);
        assert!(wrong.is_empty(), "these options do something else than is said:\n{}", wrong.join("\n"));
        let kept = include_str!("../../docs/options.md");
        let page = page::page(&crate::site::schema::schema(), &entries);
        assert!(kept.trim_end() == page.trim_end(), "docs/options.md is not what the program prints; write it anew: tools/generate target/…/synapse-site");
    }

    #[test]
    fn one_option_is_told_and_an_unknown_one_is_a_usage_error() {
        let text = markdown(Some("turn.min_port")).expect("an option");
        assert!(text.contains("coturn: `min-port`") && text.contains("49152"), "{text}");
        let error = markdown(Some("turn.min_prot")).expect_err("no such option");
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("Did you mean turn.min_port?"), "{error}");
    }
}
