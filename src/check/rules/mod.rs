//! Rules that look at several options together: one list, one function each, with a stable code, a reason and its source.
//! A rule takes the whole description and gives, for each place where it is broken, what is wrong there and what to write.

mod accounts;
mod outside;
mod services;
mod settings;

use super::{Finding, Findings, Severity};
use crate::site::load::Loaded;
use crate::site::schema::{MISTAKES, OptionPath};

/// One rule.
pub struct Rule {
    /// Stable code; never given to another rule.
    pub code: &'static str,
    /// How bad a breach is.
    pub severity: Severity,
    /// Why there is the rule, in one sentence, with its source.
    pub reason: &'static str,
    breaches: fn(&Loaded) -> Vec<Breach>,
}

/// One place where a rule is broken.
struct Breach {
    option: OptionPath,
    message: String,
    remedy: String,
}

impl Breach {
    fn at(option: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { option: OptionPath::dotted(option), message: message.into(), remedy: remedy.into() }
    }
}

/// All rules, by code.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    [accounts::RULES, services::RULES, outside::RULES, settings::RULES].into_iter().flatten()
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
    let types = MISTAKES.iter().map(|&(code, reason)| Explanation { code, severity: Severity::Error, found_by: FoundBy::Type, reason });
    let told =
        Explanation { code: "S0010", severity: Severity::Warning, found_by: FoundBy::Type, reason: "A Nix module of the site says so, in its `warnings`." };
    types.chain([told]).chain(all().map(|rule| Explanation { code: rule.code, severity: rule.severity, found_by: FoundBy::Rule, reason: rule.reason }))
}

/// Applies every rule to a description.
pub fn apply(loaded: &Loaded) -> Findings {
    let told = loaded.source.warnings.iter().map(|message| Finding {
        code: "S0010",
        severity: Severity::Warning,
        option: loaded.source.file.display().to_string(),
        position: None,
        message: message.clone(),
        remedy: None,
    });
    let findings = all()
        .flat_map(|rule| {
            (rule.breaches)(loaded).into_iter().map(|breach| Finding {
                code: rule.code,
                severity: rule.severity,
                position: loaded.source.position(&breach.option),
                option: breach.option.to_string(),
                message: breach.message,
                remedy: Some(breach.remedy),
            })
        })
        .chain(told)
        .collect();
    Findings::new(findings, &loaded.source.file, loaded.source.text.as_deref())
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
