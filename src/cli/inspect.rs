//! `inspect`: what an archive of images holds, and whether it is whole.

use std::path::PathBuf;

use super::print;
use crate::error::Result;
use crate::image::inspect;

/// Show the images and layers of an archive, and verify every digest in it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  synapse-site inspect out\n  synapse-site inspect --json out/images.tar | jq '.images[].names'")]
pub struct Arguments {
    /// An images.tar (or any archive that `docker save` writes), or the output directory of a build.
    archive: PathBuf,
    /// Print the report as JSON on standard output.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let path = if arguments.archive.is_dir() { arguments.archive.join("images.tar") } else { arguments.archive.clone() };
    let inspection = inspect::inspect(&path)?;
    if arguments.json { print::answer_json(&inspection) } else { print::answer(&inspection.to_string()) }
}
