//! `lock`: choose the packages of all images anew, and say what moved.

use std::path::{Path, PathBuf};

use super::build::CacheAt;
use super::print;
use super::progress::Shown;
use super::sources::From;
use crate::error::{Error, Result};
use crate::image::exclude::Rules;
use crate::image::spec::LayerSpec;
use crate::package::Entry;
use crate::package::cache::Cache;
use crate::package::relock::{self, Filter, LockReport};

/// Choose Debian packages and Python wheels anew, with apt and pip as this machine has them set up, and write the locks.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  synapse-site lock                      for the definitions in ./images
  synapse-site lock --images my-images --json | jq .moved
Review the change of the lock files before you commit it: it is what your images will be made of.")]
pub struct Arguments {
    #[command(flatten)]
    from: From,
    #[command(flatten)]
    cache: CacheAt,
    /// Print what moved as JSON on standard output.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let orderly = crate::interrupt::orderly()?;
    let cache = Cache::open(arguments.cache.cache.clone())?;
    // Locks are kept with the definitions; where this program's own source is, that is here.
    let here = From { images: Some(arguments.from.images.clone().unwrap_or_else(|| PathBuf::from("images"))) };
    let report = lock(&here, &cache, &Shown::new())?;
    drop(orderly);
    if arguments.json { print::answer_json(&report) } else { print::answer(&report.to_string()) }
}

/// Locks anew during a build, and says what moved.
pub fn relock(from: &From, cache: &Cache, shown: &Shown) -> Result<()> {
    let report = lock(from, cache, shown)?;
    shown.step(report.to_string().trim_end());
    Ok(())
}

fn lock(from: &From, cache: &Cache, shown: &Shown) -> Result<LockReport> {
    let Some(dir) = &from.images else {
        return Err(Error::Usage("there are no lock files to write here, as the locks that are used are those built into this program; name a directory with image definitions: --images DIR".to_owned()));
    };
    let filters = |layer: &LayerSpec| -> Result<Filter> {
        let rules = Rules::new(&layer.exclude, &layer.include)?;
        Ok(Box::new(move |entry: &Entry| rules.keeps(entry)))
    };
    relock::lock(&from.specs()?, Path::new(dir), cache, &filters, shown)
}
