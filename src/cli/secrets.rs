//! `secrets`: what a target has and the images never have.

use std::path::PathBuf;

use super::print;
use crate::deploy::secrets;
use crate::error::{Error, Result};
use crate::files;
use crate::image::outdir;
use crate::launch::Secret;

/// Make the secrets of a site on its target.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  synapse-site secrets init out\nExit code 4 means that secrets are still to bring.")]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Init(Init),
}

/// Make every secret that is missing, and say which an administrator has to bring. What is there is never touched.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  synapse-site build site.yaml --out out && synapse-site secrets init out\n  Without this program on the target: docker compose run --rm secrets\nExit code 4 means that secrets are still to bring, which are listed; 0 that the site can start."
)]
struct Init {
    /// The output of a build: the directory with site.json and compose.yaml. The secrets go into its sub-directory secrets.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Print the report as JSON on standard output.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let Verb::Init(init) = &arguments.verb;
    let path = init.dir.join("site.json");
    let text = files::read(&path, files::LARGEST).map_err(|problem| match problem.kind() {
        Some(std::io::ErrorKind::NotFound) => {
            Error::environment(format!("there is no site.json in {}", init.dir.display()), "name the directory that `synapse-site build` wrote")
        }
        Some(std::io::ErrorKind::NotADirectory) => {
            Error::environment(format!("{} is no directory", init.dir.display()), "name the directory that `synapse-site build` wrote")
        }
        _ => problem.error("read", &path),
    })?;
    let odd = |error: serde_json::Error| Error::environment(format!("{} is not what a build writes: {error}", path.display()), "build the site again");
    let site: serde_json::Value = serde_json::from_slice(&text).map_err(odd)?;
    if site["kind"] == "render" {
        return Err(Error::environment(
            format!("{} was written by `synapse-site render`, which only shows configuration files", init.dir.display()),
            "name the directory that `synapse-site build` wrote: its secrets belong beside its compose.yaml",
        ));
    }
    // Made now, a new key would take the place of one that is only not back yet.
    outdir::check_finished(&init.dir, &super::build::OUTPUTS)?;
    let needed: Vec<Secret> = serde_json::from_value(site["secrets"].clone()).map_err(odd)?;
    let report = secrets::init(&init.dir.join("secrets"), &needed)?;
    if init.json {
        print::answer_json(&report)?
    } else {
        print::answer(&report.to_string())?
    }
    report.outcome()
}
