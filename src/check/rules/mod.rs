//! Rules that look at several options together: one list, one function each, with a stable code, a reason and its source.
//! A rule takes the whole description and gives, for each place where it is broken, what is wrong there and what to write.

mod accepted;
mod accounts;
mod app_services;
mod calls;
mod claims;
mod danger;
mod delegation;
mod exposure;
mod hosts;
mod jinja;
mod mail;
mod modules;
mod notices;
mod oidc;
mod paths;
mod people;
mod places;
mod policy;
mod postgres;
mod providers;
mod services;
pub(super) mod settings;
pub mod sites;
pub mod synapse_verdicts;
mod templates;
pub(super) mod typed;
mod units;

pub use templates::{FIXED_TEMPLATES, TEMPLATES};

use super::{Finding, Findings, Severity};
use crate::site::load::Loaded;
use crate::site::reveal;
use crate::site::schema::{MISTAKES, MOST_MISTAKES, OptionPath};

/// One rule.
pub struct Rule {
    /// Stable code; never given to another rule.
    pub code: &'static str,
    /// How bad a violation is.
    pub severity: Severity,
    /// The options that it looks at, with dots and without the numbers of list elements: `well_known.support.contacts`.
    pub options: &'static [&'static str],
    /// Why there is the rule, in one sentence, with its source.
    pub reason: &'static str,
    violations: fn(&Loaded) -> Vec<Violation>,
}

/// One place where a rule is broken.
struct Violation {
    option: OptionPath,
    message: String,
    remedy: String,
}

impl Violation {
    fn at(option: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { option: OptionPath::dotted(option), message: message.into(), remedy: remedy.into() }
    }
}

/// All rules, by code.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    [
        accounts::RULES,
        oidc::RULES,
        delegation::RULES,
        policy::accounts::RULES,
        providers::RULES,
        policy::login_names::RULES,
        services::RULES,
        policy::egress::RULES,
        calls::RULES,
        exposure::RULES,
        policy::limits::RULES,
        settings::RULES,
        typed::RULES,
        danger::RULES,
        paths::RULES,
        hosts::RULES,
        mail::RULES,
        notices::RULES,
        templates::RULES,
        app_services::RULES,
        postgres::RULES,
        accepted::RULES,
        units::RULES,
    ]
    .into_iter()
    .flatten()
}

/// What there is to say about a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Explanation {
    /// The code.
    pub code: &'static str,
    /// How bad a finding with it is.
    pub severity: Severity,
    /// Whether the type of an option finds it by itself, or a rule that looks at several options.
    pub found_by: FoundBy,
    /// The options that are looked at; none means every option.
    pub options: &'static [&'static str],
    /// Why it is found, with the source where there is one.
    pub reason: &'static str,
}

/// Who finds a mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FoundBy {
    /// The option's type, or the reader of the format.
    Type,
    /// A rule.
    Rule,
}

/// Every code that a finding can have, in order.
pub fn explanations() -> impl Iterator<Item = Explanation> {
    let by_type = |severity| move |(code, reason): (&'static str, &'static str)| Explanation { code, severity, found_by: FoundBy::Type, options: &[], reason };
    let types = MISTAKES.iter().copied().map(by_type(Severity::Error));
    let told = std::iter::once(("S0010", "A Nix module of the site says so, in its `warnings`.")).map(by_type(Severity::Warning));
    let rules = all().map(|rule| {
        let &Rule { code, severity, options, reason, .. } = rule;
        Explanation { code, severity, found_by: FoundBy::Rule, options, reason }
    });
    types.chain(told).chain(rules)
}

/// What one rule finds, at most [`MOST_MISTAKES`] times, and how often else.
fn found(rule: &'static Rule, loaded: &Loaded) -> Vec<Finding> {
    let mut violations = (rule.violations)(loaded);
    let more = violations.len().saturating_sub(MOST_MISTAKES);
    violations.truncate(MOST_MISTAKES);
    violations
        .into_iter()
        .map(|violation| Finding {
            code: rule.code,
            severity: rule.severity,
            position: loaded.source.position(&violation.option),
            option: reveal::path(&violation.option),
            place: Some(violation.option),
            message: violation.message,
            remedy: Some(violation.remedy),
        })
        .map(|finding| loaded.source.unsaid.out_of(finding))
        .chain(Finding::of_more(rule.code, rule.severity, more, &loaded.source.file))
        .collect()
}

/// Rules that look at each of their options by itself, so that one which is not sound says nothing about the others.
const ONE_BY_ONE: &[&str] = &["S0213", "S0422", "S0442"];

/// Applies every rule to a description, and sets aside the warnings that it accepts.
pub fn apply(loaded: &Loaded) -> Findings {
    let told = loaded.source.warnings.iter().map(|message| Finding {
        code: "S0010",
        severity: Severity::Warning,
        option: loaded.source.file.display().to_string(),
        place: None,
        position: None,
        // These are texts for people to read, unless a secret got into one.
        message: loaded.source.unsaid.out_of_text(&reveal::without_secrets(message)),
        remedy: None,
    });
    let findings = all().flat_map(|rule| found(rule, loaded)).chain(told).collect();
    Findings::new(findings, &loaded.source.file, loaded.source.text.as_ref()).accepting(&loaded.site.checks.accept)
}

/// Applies the rules that look at sound options only, for a description in which others are not; those were left out of it.
pub fn apply_to_valid_parts(loaded: &Loaded, unsound: &[OptionPath]) -> Findings {
    let unsound: Vec<String> = unsound.iter().map(ToString::to_string).collect();
    let within = |option: &str, other: &str| option == other || option.strip_prefix(other).is_some_and(|rest| rest.starts_with('.'));
    let sound = |rule: &&Rule| !rule.options.iter().any(|option| unsound.iter().any(|other| within(option, other) || within(other, option)));
    // Whether an acceptance has its warning cannot be said before all rules were applied.
    let rules = all().filter(|rule| !accepted::RULES.iter().any(|other| other.code == rule.code));
    let rules = rules.filter(|rule| sound(rule) || ONE_BY_ONE.contains(&rule.code));
    let findings = rules.flat_map(|rule| found(rule, loaded)).collect();
    Findings::new(findings, &loaded.source.file, loaded.source.text.as_ref()).accepting(&loaded.site.checks.accept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_ordered_within_a_room() {
        let codes: Vec<&str> = explanations().map(|explanation| explanation.code).collect();
        let mut sorted = codes.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted, codes);
    }
}
