//! `check`: everything that is wrong with a description.

use std::path::PathBuf;

use crate::check::Findings;
use crate::error::{Error, Result};

/// Say everything that is wrong with a description, all at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  synapse-site check site.yaml\n  synapse-site check --json site.nix | jq '.[].code'")]
pub struct Arguments {
    /// The description: a .nix, .yaml or .json file, or a directory that holds one site.* file.
    site: PathBuf,
    #[command(flatten)]
    nix: super::description::Nix,
    /// Print the findings as JSON on standard output.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let outcome = super::checked((&*arguments.site, &arguments.nix), arguments.json);
    if arguments.json {
        let findings = match &outcome {
            Ok((_, findings)) => Some(findings),
            Err(Error::Site(findings)) => Some(findings),
            Err(_) => None,
        };
        if let Some(findings) = findings {
            println!("{}", json(findings));
        }
    } else if let Ok((loaded, findings)) = &outcome {
        let server_name = &loaded.site.server.server_name;
        match findings.list.len() {
            0 => eprintln!("{server_name}: nothing is wrong"),
            1 => eprintln!("{server_name}: 1 warning"),
            number => eprintln!("{server_name}: {number} warnings"),
        }
    }
    outcome.map(drop)
}

fn json(findings: &Findings) -> String {
    serde_json::to_string_pretty(findings).unwrap_or_default()
}
