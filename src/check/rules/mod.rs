//! Rules that look at several options together: one list, one function each, with a stable code, a reason and its source.
//! A rule takes the whole description and gives, for each place where it is broken, what is wrong there and what to write.

mod accounts;
mod outside;
mod services;
mod settings;

use super::{Finding, Findings, Severity};
use crate::site::load::Loaded;
use crate::site::schema::OptionPath;

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
    Findings::new(findings, loaded.source.text.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_ordered_within_a_room() {
        let codes: Vec<&str> = all().map(|rule| rule.code).collect();
        let mut sorted = codes.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted, codes);
    }
}
