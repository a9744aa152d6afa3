//! S06xx: what the people of a site accept.

use std::collections::BTreeSet;

use super::{Rule, Violation, all, found};
use crate::check::Severity::{Error, Warning};
use crate::site::checks::covering;
use crate::site::schema::nearest;

/// The code of acceptances without a warning; it asks all other rules.
const IDLE: &str = "S0602";

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "S0601",
        severity: Error,
        options: &["checks.accept"],
        reason: "Only a warning can be accepted: an error means that the site would not work.",
        violations: |loaded| {
            let mut violations = Vec::new();
            for (at, acceptance) in loaded.site.checks.accept.iter().enumerate() {
                let code = acceptance.code.as_str();
                let option = format!("checks.accept.{at}.code");
                match super::explanations().find(|explanation| explanation.code == code) {
                    None => {
                        let warnings = super::explanations().filter(|explanation| explanation.severity == Warning).map(|explanation| explanation.code);
                        let near = nearest(code, warnings).map_or("see `synapse-site check --explain all`".to_owned(), |near| format!("code: {near}"));
                        violations.push(Violation::at(&option, format!("is {code:?}, which no finding has"), near));
                    }
                    Some(explanation) if explanation.severity == Error => {
                        violations.push(Violation::at(&option, format!("is {code}, an error"), "remove this entry, and mend what the error is about"));
                    }
                    Some(_) if acceptance.reason.as_str().trim().is_empty() => {
                        violations.push(Violation::at(&format!("checks.accept.{at}.reason"), "is empty", "reason: say why, for whoever reads this next"));
                    }
                    Some(_) => {}
                }
            }
            violations
        },
    },
    Rule {
        code: IDLE,
        severity: Warning,
        options: &["checks.accept"],
        reason: "An acceptance that outlives its warning would hide the next one.",
        violations: |loaded| {
            let accept = &loaded.site.checks.accept;
            if accept.is_empty() {
                return Vec::new();
            }
            let warnings: Vec<_> = all().filter(|rule| rule.severity == Warning && rule.code != IDLE).flat_map(|rule| found(rule, loaded)).collect();
            let covered: BTreeSet<_> = warnings.iter().flat_map(|finding| covering(finding.code, &finding.option)).collect();
            let told = |code: &str| code == "S0010" && !loaded.source.warnings.is_empty();
            let idle = |(_, acceptance): &(usize, &crate::site::checks::Acceptance)| {
                let warning = super::explanations().any(|explanation| explanation.code == acceptance.code.as_str() && explanation.severity == Warning);
                warning && !told(acceptance.code.as_str()) && !covered.contains(&acceptance.about())
            };
            let entries = accept.iter().enumerate().filter(idle);
            entries
                .map(|(at, acceptance)| {
                    let place = acceptance.option.as_ref().map_or(String::new(), |option| format!(" at {option}"));
                    Violation::at(
                        &format!("checks.accept.{at}"),
                        format!("accepts {}{place}, and there is no such warning", acceptance.code),
                        "remove this entry",
                    )
                })
                .collect()
        },
    },
];
