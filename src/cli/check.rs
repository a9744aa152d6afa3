//! `check`: everything that is wrong with a description.

use std::path::PathBuf;

use super::print;
use crate::check::Severity;
use crate::check::rules::{self, Explanation, FoundBy};
use crate::error::{Error, Result};
use crate::site::schema::nearest;

/// Say everything that is wrong with a description, all at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  synapse-site check site.yaml\n  synapse-site check --json site.nix | jq '.[].code'\n  synapse-site check --explain S0108")]
pub struct Arguments {
    /// The description: a .nix, .yaml or .json file, or a directory that holds one site.* file.
    #[arg(required_unless_present = "explain")]
    site: Option<PathBuf>,
    #[command(flatten)]
    nix: super::description::Nix,
    /// Say why there is a rule, by its code; `all` prints every rule as a Markdown table.
    #[arg(long, value_name = "CODE", conflicts_with = "site")]
    explain: Option<String>,
    /// Print the findings as JSON on standard output.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    if let Some(code) = &arguments.explain {
        return print::answer(&explain(code, arguments.json)?);
    }
    let Some(site) = &arguments.site else {
        return Err(Error::Usage("name a description, or a code with --explain".to_owned()));
    };
    let outcome = super::checked((site.as_path(), &arguments.nix), arguments.json);
    if arguments.json {
        let findings = match &outcome {
            Ok((_, findings)) => Some(findings),
            Err(Error::Site(findings)) => Some(findings),
            Err(_) => None,
        };
        if let Some(findings) = findings {
            print::answer_json(findings)?;
        }
    } else if let Ok((loaded, findings)) = &outcome {
        let server_name = &loaded.site.server.server_name;
        match findings.list.len() {
            0 => print::tell(&format!("{server_name}: nothing is wrong")),
            1 => print::tell(&format!("{server_name}: 1 warning")),
            number => print::tell(&format!("{server_name}: {number} warnings")),
        }
    }
    outcome.map(drop)
}

fn explain(code: &str, as_json: bool) -> Result<String> {
    let wanted: Vec<Explanation> = rules::explanations().filter(|explanation| code == "all" || explanation.code.eq_ignore_ascii_case(code)).collect();
    if as_json && !wanted.is_empty() {
        return Ok(serde_json::to_string_pretty(&wanted).unwrap_or_default() + "\n");
    }
    match wanted.as_slice() {
        [] => {
            let near = nearest(code, rules::explanations().map(|explanation| explanation.code)).map_or(String::new(), |near| format!(" Did you mean {near}?"));
            Err(Error::Usage(format!("no finding has the code {code:?}.{near} `synapse-site check --explain all` lists every code")))
        }
        [one] => Ok(format!("{} ({}): {}\n", one.code, severity(one.severity), one.reason)),
        _ => Ok(table()),
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// Every code in a Markdown table, which is also kept as `docs/rules.md`.
pub fn table() -> String {
    let mut text = String::from(
        "# Every finding of `check`\n\n\
         Written by `synapse-site check --explain all`. An error forbids to go on, a warning is told and the build goes on. The codes are\n\
         stable: one is never given to another rule.\n\n\
         | code | severity | found by | why |\n| --- | --- | --- | --- |\n",
    );
    for Explanation { code, severity: level, found_by, reason } in rules::explanations() {
        let found_by = match found_by {
            FoundBy::Type => "a type",
            FoundBy::Rule => "a rule",
        };
        text.push_str(&format!("| {code} | {} | {found_by} | {} |\n", severity(level), reason.replace('|', "\\|")));
    }
    text
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
        assert!(text.starts_with("S0108 (error): ") && text.lines().count() == 1, "{text}");
        assert!(explain("S0108", true).expect("JSON").contains("\"found_by\": \"rule\""));
        let error = explain("S9999", false).expect_err("no such code");
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("--explain all"), "{error}");
    }
}
