//! `check`: everything that is wrong with a description.

use std::path::PathBuf;

use super::description::Asked;
use super::{explain, print};
use crate::deploy::Target as _;
use crate::error::{Error, Result};

/// Say everything that is wrong with a description, all at once.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  synapse-site check site.yaml\n  synapse-site check example.com                the site.* file in that directory\n  synapse-site check --json site.nix | jq '.[].code'\n  synapse-site check site.yaml --synapse-version 1.155.0   for images that hold another Synapse than the lock\n  synapse-site check --explain S0108"
)]
pub struct Arguments {
    /// The description: a .nix, .yaml or .json file, or a directory that holds one site.* file.
    #[arg(required_unless_present = "explain")]
    site: Option<PathBuf>,
    #[command(flatten)]
    nix: super::description::Nix,
    #[command(flatten)]
    synapse: super::description::Synapse,
    /// Tell the story of a code: why, where, a site that has it, one that has not, and what to write. `all` prints every rule as a Markdown table.
    #[arg(long, value_name = "CODE", conflicts_with = "site")]
    explain: Option<String>,
    /// Print the findings as JSON on standard output.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    if let Some(code) = &arguments.explain {
        return print::answer(&explain::explain(code, arguments.json)?);
    }
    let Some(site) = &arguments.site else {
        return Err(Error::Usage("name a description, or a code with --explain".to_owned()));
    };
    let asked = Asked::from((site.as_path(), &arguments.nix)).on(arguments.synapse.running()?);
    let outcome = asked.load().and_then(|loaded| {
        let (checked, findings) = super::checked(&loaded, arguments.json)?;
        // What the parts of a site say against each other is found where they are put together.
        crate::component::resolve(&checked, super::TARGET.facts())?;
        Ok((loaded.site.server.server_name.clone(), findings))
    });
    if arguments.json {
        let findings = match &outcome {
            Ok((_, findings)) => Some(findings),
            Err(Error::Site(findings)) => Some(findings),
            Err(_) => None,
        };
        if let Some(findings) = findings {
            print::answer_json(findings)?;
        }
    } else if let Ok((server_name, findings)) = &outcome {
        let outcome = match findings.list.len() {
            0 => "nothing is wrong".to_owned(),
            1 => "1 warning".to_owned(),
            number => format!("{number} warnings"),
        };
        let accepted: Vec<&str> = findings.accepted.iter().map(|accepted| accepted.finding.code).collect();
        let besides = if accepted.is_empty() { String::new() } else { format!("; accepted: {}", accepted.join(", ")) };
        print::print_status(&format!("{server_name}: {outcome}{besides}"));
    }
    outcome.map(drop)
}
