//! `check --explain`: the story of one code, and the table of all of them that is kept as `docs/rules.md`.

use crate::check::rules::{self, Explanation, FoundBy, sites, synapse_verdicts};
use crate::check::{Findings, Severity, invariants};
use crate::error::{Error, Result};
use crate::reference::page::anchor;
use crate::site::schema::nearest;

/// What there is to say about a code, or about all.
///
/// # Errors
/// When there is no such code.
pub fn explain(code: &str, as_json: bool) -> Result<String> {
    let wanted: Vec<Explanation> = rules::explanations().filter(|explanation| code == "all" || explanation.code.eq_ignore_ascii_case(code)).collect();
    if as_json && !wanted.is_empty() {
        return Ok(super::print::json(&wanted)? + "\n");
    }
    match wanted.as_slice() {
        [] => {
            let near = nearest(code, rules::explanations().map(|explanation| explanation.code)).map_or(String::new(), |near| format!(" Did you mean {near}?"));
            Err(Error::Usage(format!("no finding has the code {code:?}.{near} `synapse-site check --explain all` lists every code")))
        }
        [one] => story(one),
        _ => table(),
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn story(explanation: &Explanation) -> Result<String> {
    let &Explanation { code, severity: level, options, reason, .. } = explanation;
    let mut text = format!("{code} ({}): {reason}\n", severity(level));
    if !options.is_empty() {
        text.push_str(&format!("\nIt looks at {}.\n", options.join(", ")));
    }
    let Some(sites) = sites::of(code) else { return Ok(text) };
    if let Some((name, bad)) = sites.bad() {
        text.push_str(&format!("\nA site with it ({name}):\n\n{}", indented(bad)));
    }
    let found = found(&sites)?;
    if !found.list.is_empty() {
        text.push_str(&format!("\nWhat is said about it:\n\n{}", indented(&found.to_string())));
    }
    if let Some(told) = synapse_verdicts::told(code) {
        text.push_str(&format!("\nSynapse itself, given that site or what one would write by hand for it, {told}.\n"));
    }
    if let Some((name, good)) = sites.good() {
        text.push_str(&format!("\nThe nearest site without it ({name}):\n\n{}", indented(good)));
    }
    Ok(text)
}

fn found(sites: &sites::Sites) -> Result<Findings> {
    // Nix is not called only to explain something.
    if sites.bad().is_some_and(|(name, _)| name.ends_with(".nix")) { Ok(Findings::default()) } else { sites.findings() }
}

fn indented(text: &str) -> String {
    text.trim_end().lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") }).collect()
}

/// Every code in a Markdown table.
fn table() -> Result<String> {
    let (asked, accepted, hidden) = synapse_verdicts::counts();
    let mut text = String::from(
        "# Every finding of `check`\n\n\
         Written by `synapse-site check --explain all`. An error forbids to go on, a warning is told and the build goes on. The codes are\n\
         stable: one is never given to another rule. `synapse-site check --explain CODE` shows a site with the mistake and one without.\n\
         What cannot be written at all, and what is looked at when a site starts, is [below](#what-cannot-be-written-at-all).\n\n",
    );
    text.push_str(&format!(
        "The last column is measured: `make measure` gives the pinned Synapse each bad site, or what somebody would have written by hand for it. Its parser\n\
         accepts {accepted} of {asked} mistakes; so many would have been found by the people who use the site. {hidden} more it cannot see: its own files\n\
         are the same with them and without.\n\n\
         | code | severity | looks at | why | what to write instead | Synapse itself |\n| --- | --- | --- | --- | --- | --- |\n"
    ));
    for Explanation { code, severity: level, found_by, options, reason } in rules::explanations() {
        let remedy = match sites::of(code) {
            Some(sites) => found(&sites)?.list.into_iter().find_map(|finding| finding.remedy),
            None => None,
        };
        let options = match (found_by, options) {
            (FoundBy::Type, _) => "every option, by its type".to_owned(),
            (FoundBy::Rule, []) => "every option".to_owned(),
            (FoundBy::Rule, options) => options.iter().map(|option| format!("`{option}`")).collect::<Vec<_>>().join(", "),
        };
        let cells = [
            anchored(code),
            severity(level).to_owned(),
            options,
            reason.to_owned(),
            remedy.unwrap_or_default(),
            synapse_verdicts::told(code).unwrap_or_default(),
        ];
        text.push_str(&row(&cells));
    }
    text.push_str(&invariant_tables());
    Ok(text)
}

/// What needs no rule.
fn invariant_tables() -> String {
    let mut text = String::from(
        "\n## What cannot be written at all\n\n\
         These mistakes have no rule, because a type or what is rendered leaves no way to make them. A code in the third column refuses a site that tries,\n\
         which `tests/invariants/` has; `rendered` is asserted over everything that the examples and the sites of all rules render.\n\n\
         | mistake | why not here | kept out by | source | Synapse itself |\n| --- | --- | --- | --- | --- |\n",
    );
    for mistake in &invariants::lists().mistakes {
        let by = mistake.refused.clone().unwrap_or_else(|| "rendered".to_owned());
        let untold = if mistake.refused.is_some() { "was not asked" } else { "cannot see it" };
        let told = synapse_verdicts::told(&mistake.name).unwrap_or_else(|| untold.to_owned());
        text.push_str(&row(&[mistake.mistake.clone(), mistake.why.clone(), by, mistake.source.clone(), told]));
    }
    text.push_str(
        "\n## What is looked at when a site starts\n\nNo description can know these.\n\n| what has to hold | who looks | shown by |\n| --- | --- | --- |\n",
    );
    for entry in &invariants::lists().at_start {
        text.push_str(&row(&[entry.what.clone(), entry.who.clone(), format!("`{}`", entry.test)]));
    }
    text
}

/// A code as something that links lead to: some forges leave the one attribute, some the other.
fn anchored(code: &str) -> String {
    let anchor = anchor(code);
    format!("<a id=\"{anchor}\" name=\"{anchor}\"></a>{code}")
}

fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.iter().map(|cell| cell.replace('|', "\\|")).collect::<Vec<_>>().join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_rules_is_what_the_program_prints() {
        let kept = include_str!("../../docs/rules.md");
        assert_eq!(kept, explain("all", false).expect("a table"), "write it anew: synapse-site check --explain all > docs/rules.md");
    }

    #[test]
    fn one_code_is_explained_and_an_unknown_one_is_a_usage_error() {
        let text = explain("s0108", false).expect("an explanation");
        assert!(text.starts_with("S0108 (error): "), "{text}");
        assert!(explain("S0108", true).expect("JSON").contains("\"found_by\": \"rule\""));
        let error = explain("S9999", false).expect_err("no such code");
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("--explain all"), "{error}");
    }
}
