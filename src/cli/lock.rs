//! `lock`: choose the packages of all images anew, and say what moved.

use std::env::consts::OS;
use std::fmt;
use std::path::{Path, PathBuf};

use super::build::CacheAt;
use super::print;
use super::progress::ProgressReporter;
use super::sources::From;
use crate::definition::LayerSpec;
use crate::error::{Error, Result};
use crate::image::exclude::Rules;
use crate::package::Entry;
use crate::package::cache::Cache;
use crate::package::interpreter;
use crate::package::relock::{self, Filter, LockReport};
use crate::synapse::{Moves, Running, between};

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
    interpreter::check_system(OS)?;
    let orderly = crate::interrupt::orderly()?;
    let cache = Cache::open(arguments.cache.cache.clone())?;
    // Locks are kept with the definitions; where this program's own source is, that is here.
    let here = From { images: Some(arguments.from.images.clone().unwrap_or_else(|| PathBuf::from("images"))) };
    let report = lock(&here, &cache, &ProgressReporter::new())?;
    drop(orderly);
    if arguments.json { print::answer_json(&report) } else { print::answer(&report.to_string()) }
}

/// What moved: packages, and what another Synapse among them means for a site.
#[derive(Debug, serde::Serialize)]
struct Report {
    #[serde(flatten)]
    packages: LockReport,
    /// What moved between the two releases of Synapse.
    #[serde(skip_serializing_if = "Option::is_none")]
    synapse: Option<Moves>,
    /// Versions of Synapse that the tables do not know, with what is taken for them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown: Vec<String>,
}

impl Report {
    fn of(packages: LockReport) -> Self {
        let moved = packages.moved.values().flatten().find(|moved| moved.name == "matrix-synapse");
        let versions = |version: &Option<String>| version.as_deref().and_then(Running::of);
        let pair = moved.and_then(|moved| Some((versions(&moved.from)?, versions(&moved.to)?))).filter(|(from, to)| from.version != to.version);
        let unknown = pair.iter().flat_map(|(from, to)| [from, to]).filter(|running| !running.is_known()).map(Running::unknown).collect();
        Self { synapse: pair.map(|(from, to)| between(from.release, to.release)), unknown, packages }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.packages)?;
        self.synapse.iter().try_for_each(|moves| write!(f, "{}", super::facts::told(moves)))?;
        self.unknown.iter().try_for_each(|unknown| writeln!(f, "warning: {unknown}"))
    }
}

/// Locks anew during a build, and says what moved.
pub fn relock(from: &From, cache: &Cache, shown: &ProgressReporter) -> Result<()> {
    let report = lock(from, cache, shown)?;
    shown.step(report.to_string().trim_end());
    Ok(())
}

fn lock(from: &From, cache: &Cache, shown: &ProgressReporter) -> Result<Report> {
    let Some(dir) = &from.images else {
        return Err(Error::Usage("there are no lock files to write here, as the locks that are used are those built into this program; name a directory with image definitions: --images DIR".to_owned()));
    };
    let filters = |layer: &LayerSpec| -> Result<Filter> {
        let rules = Rules::new(&layer.exclude, &layer.include)?;
        Ok(Box::new(move |entry: &Entry| rules.keeps(entry)))
    };
    relock::lock(&from.source().specs()?, Path::new(dir), cache, &filters, shown).map(Report::of)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::package::relock::Move;

    fn report(from: &str, to: &str) -> Report {
        let moved = Move { name: "matrix-synapse".to_owned(), from: Some(from.to_owned()), to: Some(to.to_owned()) };
        Report::of(LockReport { moved: BTreeMap::from([("synapse".to_owned(), vec![moved])]), ..LockReport::default() })
    }

    #[test]
    fn another_synapse_is_told_in_the_terms_of_a_site() {
        let text = report("1.155.0", "1.163.2").to_string();
        for line in [
            "  matrix-synapse 1.155.0 → 1.163.2\n",
            "Synapse 1.155.0 → 1.163.2:\n",
            "  options new: presence.idle_timeout (duration; in a site presence.idle_timeout)\n",
        ] {
            assert!(text.contains(line), "no {line:?} in\n{text}");
        }
        let json = serde_json::to_value(report("1.155.0", "1.163.2")).expect("JSON");
        assert_eq!(json["synapse"]["options"]["new"]["presence.idle_timeout"], "duration");
        assert_eq!(json["moved"]["synapse"][0]["to"], "1.163.2");
    }

    #[test]
    fn a_version_outside_of_the_tables_is_told_with_the_nearest() {
        let text = report("1.163.2", "1.999.0").to_string();
        assert!(text.contains("warning: Synapse 1.999.0 is not in the tables") && text.contains("the facts of 1.163.2 are taken"), "{text}");
        assert!(Report::of(LockReport::default()).synapse.is_none());
    }
}
